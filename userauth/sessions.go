package userauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/store"
)

// getSessions lists the caller's sessions, the newest first.
func (b *backend) getSessions(w http.ResponseWriter, r *http.Request, c caller) {
	rows, err := b.engine.List(r.Context(), c.session.User())
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	sessions := make([]Session, 0, len(rows))
	for _, row := range rows {
		s := sessionOf(row)
		s.Current = row.Hash == c.session.Hash()
		sessions = append(sessions, s)
	}
	if page.WantsHTML(r) {
		b.writeSessions(w, r, c, sessions)
		return
	}
	page.WriteJSON(w, http.StatusOK, map[string]any{"items": sessions, "next": ""})
}

func (b *backend) writeSessions(w http.ResponseWriter, r *http.Request, c caller, sessions []Session) {
	table := &page.Table{Caption: "Where you are signed in", Columns: []string{"Browser", "Address", "Signed in", "Last used"}}
	for _, s := range sessions {
		row := page.Row{Cells: []string{browserName(s.Agent), s.Address, ago(s.Created), ago(s.Seen)}}
		submit := "Sign out"
		if s.Current {
			row.Marked = "this browser"
		}
		if s.By != "" {
			row.Marked = "by admin " + s.By
		}
		row.Acts = []page.Form{{Action: b.path("/sessions/" + url.PathEscape(s.ID) + "/end"), Submit: submit}}
		table.Rows = append(table.Rows, row)
	}
	d := b.document(c, "/sessions", "Sessions")
	d.Sections = []page.Section{{Table: table}}
	if len(sessions) > 1 {
		stay := "API tokens"
		if len(b.providers) > 0 {
			stay += " and sign-ins"
		}
		d.Sections = append(d.Sections, page.Section{
			Note: "If you don't know one of them, change your password as well, and look through your " + stay + ", which stay.",
			Form: &page.Form{Action: b.path("/sessions/end"), Submit: "Sign out everywhere else", Danger: true},
		})
	}
	page.WriteDocument(w, r, http.StatusOK, d)
}

// ago is a time as a page without scripts can say it: it doesn't know where its reader is.
func ago(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// deleteSession ends one of the caller's own: the user's number is part of the question, so that nobody ends another's by
// its id.
func (b *backend) deleteSession(w http.ResponseWriter, r *http.Request, c caller) {
	user := c.session.User()
	err := b.engine.Write(r.Context(), func(tx *store.Tx) error {
		ended, err := tx.DeleteSessionByID(user, sessionRealm, r.PathValue("id"))
		if err == nil && !ended {
			err = store.ErrNotFound
		}
		return err
	})
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	b.report(r, auth.EventRevoked, c.id.ID, c.user.Username, "one")
	_, err = c.session.Current()
	own := errors.Is(err, auth.ErrSessionEnded) // an outage says nothing: a browser must not forget a good session for it
	if own {
		http.SetCookie(w, b.cookie.Delete(r, b.site.HTTPS(r)))
	}
	b.answerEnded(w, r, own)
}

// deleteSessions ends all of the caller's sessions but the one that asks.
func (b *backend) deleteSessions(w http.ResponseWriter, r *http.Request, c caller) {
	hash := c.session.Hash()
	var n int
	err := b.engine.Write(r.Context(), func(tx *store.Tx) (err error) {
		if err := endActing(tx, c.session.User()); err != nil {
			return err
		}
		n, err = tx.DeleteSessions(c.session.User(), sessionRealm, &hash)
		return err
	})
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	b.report(r, auth.EventRevoked, c.id.ID, c.user.Username, fmt.Sprintf("%d others", n))
	b.answerEnded(w, r, false)
}

func (b *backend) answerEnded(w http.ResponseWriter, r *http.Request, own bool) {
	switch {
	case r.Method == http.MethodDelete:
		page.Headers(w.Header())
		w.WriteHeader(http.StatusNoContent)
	case own:
		returnpath.Redirect(w, b.path("/login"))
	default:
		returnpath.Redirect(w, b.path("/sessions"))
	}
}
