package userauth

import (
	"errors"
	"net/http"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
)

// An admin is who asks for a route of the administration. It may be somebody whom another backend of a chain knows.
type admin struct {
	id   string
	user auth.User
	own  bool // the admin has an account here
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
		serve(w, r, admin{id: id.ID, user: user, own: auth.IdentifiedBy(r.Context(), b.auth)})
	}))
	return guarded.ServeHTTP
}

// mayAdminister is for what a page shows. It doesn't let anybody in: the guard of the route behind a link or a form does.
func mayAdminister(r *http.Request, action string) bool {
	ok, err := auth.Can(r.Context(), adminResource, action)
	return ok && err == nil
}

// administer does what an admin asks for, and reports it as done.
func (b *backend) administer(r *http.Request, a admin, done string, act func() error) error {
	// A body may have taken its time, on purpose: who has lost the right since the guard asked changes nothing.
	ok, err := auth.Can(r.Context(), adminResource, adminWrites)
	if err != nil {
		return err
	}
	if !ok {
		return auth.ErrForbidden
	}
	if err := act(); err != nil {
		return err
	}
	b.report(r, auth.EventAdmin, a.id, a.user.Username, done)
	return nil
}

// adminLinks are those of the navigation.
func (b *backend) adminLinks(here string) (links []page.Link) {
	for _, l := range []page.Link{{Text: "Users", URL: "/users"}, {Text: "Roles", URL: "/roles"}} {
		links = append(links, page.Link{Text: l.Text, URL: b.path(l.URL), Current: l.URL == here})
	}
	return links
}

// adminDocument is a page of the administration.
func (b *backend) adminDocument(r *http.Request, a admin, here, title string) page.Document {
	d := page.Document{Title: title, User: a.user.DisplayName, Logout: auth.LogoutURL(r.Context())}
	d.Message = doneNotes[r.URL.Query().Get("done")]
	d.Links = append(d.Links, page.Link{Text: "Back", URL: b.mount.Root()})
	if a.own {
		d.Links = append(d.Links, page.Link{Text: "Profile", URL: b.path("/me")})
	}
	if mayAdminister(r, adminReads) {
		d.Links = append(d.Links, b.adminLinks(here)...)
	}
	return d
}

// doneNotes are what a page can say of the form before it. Only these: an address that somebody was sent must not put
// words into the page's mouth.
var doneNotes = map[string]string{
	"added":        "The user was added.",
	"saved":        "Saved.",
	"password":     "The password was changed, and all of the user's sessions were ended.",
	"ended":        "All of the user's sessions were ended.",
	"disabled":     "The user was disabled, and all of the user's sessions were ended.",
	"enabled":      "The user may sign in again.",
	"deleted":      "The user was deleted.",
	"role-added":   "The role was added.",
	"role-deleted": "The role was deleted.",
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
	}
	return 0, ""
}

const (
	nameTaken = "The name is taken already."
	lastAdmin = "Nobody would be left who may administer. Give somebody else admin:write first."
)
