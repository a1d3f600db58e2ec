package userauth

import (
	"errors"
	"net/http"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/session"
)

// An admin is who asks for a route of the administration. It may be somebody whom another backend of a chain knows.
type admin struct {
	session *session.Session[auth.Identity] // nil: of another backend
	id      string
	user    auth.User
}

// admins guards a route of the administration: whoever holds admin:read sees users, roles and sessions, and no secret;
// whoever holds admin:write may change and grant anything.
func (b *backend) admins(action string, serve func(http.ResponseWriter, *http.Request, admin)) http.HandlerFunc {
	required := auth.Permissions{adminResource: {action}}
	guarded := b.auth.CurrentUser(required)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := auth.IdentityFrom(r.Context())
		if !ok { // ended just now
			b.writeError(w, r, auth.ErrSessionEnded)
			return
		}
		user, ok := auth.UserFrom(r.Context())
		if !ok {
			b.writeError(w, r, auth.ErrSessionEnded)
			return
		}
		a := admin{id: id.ID, user: user}
		if auth.IdentifiedBy(r.Context(), b.auth) {
			a.session = b.sessionOf(r, id.ID)
		}
		serve(w, r, a)
	}))
	return guarded.ServeHTTP
}

// sessionOf is the session by whose cookie the caller was identified; nil where it was by something else.
func (b *backend) sessionOf(r *http.Request, id string) *session.Session[auth.Identity] {
	found, err := b.browser(r)
	if err != nil || found.ID != id {
		return nil
	}
	s, _ := found.Session.(*session.Session[auth.Identity])
	return s
}

// mayAdminister asks again what the guard has asked, or what else the caller may. s is the caller's session, or nil.
func (b *backend) mayAdminister(r *http.Request, s *session.Session[auth.Identity], action string) (bool, error) {
	ok, err := auth.Can(r.Context(), adminResource, action)
	if s == nil || !errors.Is(err, auth.ErrUnavailable) {
		return ok, err
	}
	// Something has changed since the guard asked, a role for instance, and memory waits to be told what.
	if err := b.engine.Refresh(r.Context(), s); err != nil {
		return false, err
	}
	return auth.Can(r.Context(), adminResource, action)
}

// administer does what an admin asks for, and reports it as done.
func (b *backend) administer(r *http.Request, a admin, done string, act func() error) error {
	if err := b.mayStill(r, a); err != nil {
		return err
	}
	if err := act(); err != nil {
		return err
	}
	b.report(r, auth.EventAdmin, a.id, a.user.Username, done)
	return nil
}

// mayStill refuses who has lost the right to change anything since the guard asked: a body may have taken its time, on
// purpose.
func (b *backend) mayStill(r *http.Request, a admin) error {
	ok, err := b.mayAdminister(r, a.session, adminWrites)
	if err == nil && !ok {
		err = auth.ErrForbidden
	}
	return err
}

// adminLinks are those of the navigation.
func (b *backend) adminLinks(here string) (links []page.Link) {
	for _, l := range []page.Link{{Text: "Users", URL: "/users"}, {Text: "Roles", URL: "/roles"}, {Text: "Invitations", URL: "/invitations"}} {
		links = append(links, page.Link{Text: l.Text, URL: b.path(l.URL), Current: l.URL == here})
	}
	return links
}

// adminDocument is a page of the administration.
func (b *backend) adminDocument(r *http.Request, a admin, here, title string) page.Document {
	d := page.Document{Title: title, User: a.user.DisplayName, Logout: auth.LogoutURL(r.Context())}
	d.Away = d.Logout != "" && d.Logout != b.path("/logout")
	d.Message = doneNotes[r.URL.Query().Get("done")]
	d.Links = append(d.Links, page.Link{Text: "Back", URL: b.mount.Root()})
	if a.session != nil {
		d.Links = append(d.Links, page.Link{Text: "Profile", URL: b.path("/me")})
	}
	d.Links = append(d.Links, b.adminLinks(here)...)
	return d
}

// doneNotes are what a page can say of the form before it. Only these: an address that somebody was sent must not put
// words into the page's mouth.
var doneNotes = map[string]string{
	"added":        "The user was added.",
	"saved":        "Saved.",
	"password":     "The password was changed, and all of the user's sessions, API tokens and links to sign-ins were ended.",
	"ended":        "All of the user's sessions were ended.",
	"disabled":     "The user was disabled, and all of the user's sessions and API tokens were ended.",
	"enabled":      "The user may sign in again.",
	"deleted":      "The user was deleted.",
	"role-added":   "The role was added.",
	"role-deleted": "The role was deleted.",
	"withdrawn":    "The invitation was withdrawn: its link is worth nothing now.",
}

// refusal is what a page says of an err that its reader can do something about, and the status of that; 0: of none.
func refusal(err error, fields []page.Field) (status int, message string) {
	var field *auth.FieldError
	switch {
	case errors.As(err, &field):
		return http.StatusBadRequest, onPage(err, fields)
	case errors.Is(err, ErrExists):
		return http.StatusConflict, nameTaken
	case errors.Is(err, ErrLastAdmin):
		return http.StatusConflict, lastAdmin
	case errors.Is(err, ErrChanged):
		return http.StatusConflict, "Somebody has changed this meanwhile. What is stored now stands below; save again to replace it."
	}
	return 0, ""
}

// comesBack reports whether a form that was refused with err comes back with what was typed: where its reader can do
// something about err, and may see the page that it stands on.
func (b *backend) comesBack(r *http.Request, a admin, err error) bool {
	status, _ := refusal(err, nil)
	if status == 0 || !page.WantsHTML(r) {
		return false
	}
	ok, err := b.mayAdminister(r, a.session, adminReads)
	return ok && err == nil
}

const (
	nameTaken = "The name is taken already."
	lastAdmin = "Nobody would be left who may administer. Give somebody else admin:write first."
)
