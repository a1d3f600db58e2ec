package userauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/clientip"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/strictjson"
)

func (b *backend) showPassword(w http.ResponseWriter, r *http.Request, c caller) {
	b.writePassword(w, r, http.StatusOK, c, "")
}

func (b *backend) writePassword(w http.ResponseWriter, r *http.Request, status int, c caller, message string) {
	d := b.document(c, "/password", "Password")
	d.Message, d.Failed = message, status != http.StatusOK
	least := cmp.Or(b.accounts.policy.Min, password.DefaultMin)
	note := "All other browsers in which you are signed in are signed out. API tokens keep working until you revoke them."
	if len(b.providers) > 0 {
		note += " Linked sign-ins stay until you unlink them."
	}
	d.Sections = []page.Section{{
		Note: note,
		Form: &page.Form{
			Action: b.path("/password"), Submit: "Change password",
			// For password managers: whose password this is.
			Hidden: []page.Field{{Name: "username", Value: c.id.User.Username, Autocomplete: "username"}},
			Fields: []page.Field{
				{Name: "current", Label: "Current password", Type: "password", Autocomplete: "current-password"},
				{Name: "new", Label: "New password", Type: "password", Autocomplete: "new-password", Help: fmt.Sprintf("At least %d characters; a few words make a good one.", least)},
			},
		},
	}}
	page.WriteDocument(w, r, status, d)
}

// passwords are what a change of password carries.
type passwords struct {
	Current *string `json:"current"`
	New     *string `json:"new"`
	form    bool
}

func readPasswords(w http.ResponseWriter, r *http.Request) (p passwords, status int, err error) {
	if !form.Is(r) {
		status, err = strictjson.Read(w, r, maxBody, &p)
	} else {
		p.form = true
		var fields map[string]string
		fields, status, err = form.Read(w, r, maxBody, "current", "new")
		p.Current, p.New = field(fields, "current"), field(fields, "new")
	}
	switch {
	case err != nil:
		return p, status, err
	case p.Current == nil:
		return p, http.StatusBadRequest, &auth.FieldError{Field: "current", Problem: "missing"}
	case p.New == nil:
		return p, http.StatusBadRequest, &auth.FieldError{Field: "new", Problem: "missing"}
	case utf8.RuneCountInString(*p.Current) > password.MaxRunes:
		return p, http.StatusBadRequest, &auth.FieldError{Field: "current", Problem: "too long"}
	}
	return p, 0, nil
}

// postPassword changes the caller's password. It ends all of the user's sessions and what they have open, this one's too;
// the answer carries a new one.
func (b *backend) postPassword(w http.ResponseWriter, r *http.Request, c caller) {
	p, status, err := readPasswords(w, r)
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	refuse := func(status int, message string) {
		if p.form && page.WantsHTML(r) {
			b.writePassword(w, r, status, c, message)
			return
		}
		page.WriteProblem(w, r, page.Problem{Status: status, Message: message})
	}
	ctx, cancel := context.WithTimeout(r.Context(), loginTimeout)
	defer cancel()
	token, err := b.changePassword(ctx, r, c, p)
	var fieldErr *auth.FieldError
	var limited *auth.LimitedError
	switch {
	case err == nil:
	case errors.As(err, &limited):
		page.RetryAfter(w.Header(), limited.RetryAfter)
		refuse(http.StatusTooManyRequests, "Too many attempts. Wait a moment and try again.")
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventLimited, Status: http.StatusTooManyRequests, UserID: c.id.ID, Username: c.user.Username})
		return
	case errors.As(err, &fieldErr):
		if p.form && page.WantsHTML(r) {
			refuse(http.StatusBadRequest, "The new password "+fieldErr.Problem+".") // changePassword judges no other field
			return
		}
		refuse(http.StatusBadRequest, fieldErr.Error())
		return
	case errors.Is(err, errWrong):
		refuse(http.StatusForbidden, "The current password is not right.")
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventLoginFailed, Status: http.StatusForbidden, UserID: c.id.ID, Username: c.user.Username, Reason: "change of password"})
		return
	default:
		b.writeError(w, r, err)
		return
	}
	http.SetCookie(w, b.cookie.Set(r, b.site.HTTPS(r), token))
	b.report(r, auth.EventPassword, c.id.ID, c.user.Username, "")
	if p.form {
		returnpath.Redirect(w, b.path("/sessions"))
		return
	}
	page.Headers(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

// changePassword proves the current one, limited like a login, and gives the token of the new session. Of two changes at
// once that began with the same password one is first, and the other store.ErrChanged.
func (b *backend) changePassword(ctx context.Context, r *http.Request, c caller, p passwords) (token string, err error) {
	user := c.session.User()
	read, cancel := context.WithTimeout(ctx, readTimeout)
	accounts, err := b.store.Accounts(read, []int64{user})
	cancel()
	if err != nil {
		return "", err
	}
	account := accounts[user]
	if account == nil || account.Realm != localRealm {
		return "", auth.ErrForbidden // it is kept elsewhere
	}
	try := b.attempt(r, account.Key)
	if wait, ok := b.limit.Begin(try); !ok {
		return "", &auth.LimitedError{RetryAfter: wait}
	}
	l, err := b.prove(ctx, account, *p.Current)
	if err != nil {
		if !errors.Is(err, errWrong) {
			b.limit.Cancel(try)
		}
		return "", err
	}
	b.limit.Succeed(try)
	hash, err := b.accounts.hash(ctx, account.Username, *p.New)
	if err != nil {
		var problem *auth.FieldError
		if errors.As(err, &problem) {
			return "", &auth.FieldError{Field: "new", Problem: problem.Problem}
		}
		return "", err
	}
	err = b.engine.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetPassword(user, l.hash, hash.Encoded(), b.now().Unix()); err != nil {
			return err
		}
		// The body may have taken its time: a session that was ended meanwhile changes nothing, and isn't followed by another.
		if ended, err := tx.DeleteSession(c.session.Hash()); err != nil || !ended {
			return cmp.Or(err, auth.ErrSessionEnded)
		}
		// API tokens stay, and the page says so: what they are for would break each time.
		if _, err := tx.DeleteSessions(user, sessionRealm, nil); err != nil {
			return err
		}
		if err := endActing(tx, user); err != nil {
			return err
		}
		token, err = b.engine.Begin(tx, store.Session{User: user, Method: "password", Address: clientip.Text(auth.Address(b.auth, r)), Agent: clientip.Agent(r)})
		return err
	})
	return token, err
}
