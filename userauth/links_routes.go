package userauth

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
)

// errOnlyWay keeps users from locking themselves out.
var errOnlyWay = errors.New("the only way to sign in")

// getLinks lists the sign-ins that the caller's account is linked to.
func (b *backend) getLinks(w http.ResponseWriter, r *http.Request, c caller) {
	user, err := b.accounts.numbered(r.Context(), c.session.User())
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	links := linksOf(user)
	if page.WantsHTML(r) {
		b.writeLinks(w, r, c, links)
		return
	}
	page.WriteJSON(w, http.StatusOK, map[string]any{"items": links, "next": ""})
}

func (b *backend) writeLinks(w http.ResponseWriter, r *http.Request, c caller, links []Link) {
	table := &page.Table{
		Caption: "Where you can sign in from", Columns: []string{"Provider", "You there", "Linked"},
		Empty: "You sign in here alone.",
	}
	for _, l := range links {
		row := page.Row{Cells: []string{b.titleOf(l.Issuer), l.Subject, agoOrNever(l.Linked)}}
		if l.ByRule {
			row.Marked = "by your e-mail address"
		}
		row.Acts = []page.Form{{Action: b.path("/links/" + url.PathEscape(l.ID) + "/end"), Submit: "Unlink", Danger: true}}
		table.Rows = append(table.Rows, row)
	}
	d := b.document(c, "/links", "Sign-ins")
	d.Sections = []page.Section{{Note: "Unlinking signs you out where you have signed in that way.", Table: table}}
	more := page.Section{Heading: "Link another"}
	for _, p := range b.providers {
		if p.LinkPath != "" {
			at := b.mount.Join(p.LinkPath) + "?next=" + url.QueryEscape(b.path("/links"))
			more.Links = append(more.Links, page.Link{Text: p.Title, URL: at})
		}
	}
	if len(more.Links) > 0 {
		d.Sections = append(d.Sections, more)
	}
	page.WriteDocument(w, r, http.StatusOK, d)
}

// deleteLink ends one of the caller's own.
func (b *backend) deleteLink(w http.ResponseWriter, r *http.Request, c caller) {
	gone, err := b.unlinkOwn(r.Context(), c.session.User(), r.PathValue("id"))
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	b.report(r, auth.EventUnlinked, c.id.ID, c.user.Username, linkReason(gone.Issuer, gone.Subject))
	_, err = c.session.Current()
	own := errors.Is(err, auth.ErrSessionEnded) // it began with that sign-in
	if own {
		http.SetCookie(w, b.cookie.Delete(r, b.site.HTTPS(r)))
	}
	switch {
	case r.Method == http.MethodDelete:
		page.Headers(w.Header())
		w.WriteHeader(http.StatusNoContent)
	case own:
		returnpath.Redirect(w, b.path("/login"))
	default:
		returnpath.Redirect(w, b.path("/links"))
	}
}
