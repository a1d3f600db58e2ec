package userauth

import (
	"errors"
	"net/http"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/strictjson"
)

// maxProfile is the size of a profile request in bytes: two texts of 64 KiB, and what escaping adds to them.
const maxProfile = 512 << 10

// A caller is who asks for a route of the own account.
type caller struct {
	session *session.Session[auth.Identity] // nil: an API token's, which only asks who it is
	id      auth.Identity                   // as it is stored: a name that isn't set is empty, so that no form sets it. Read only
	user    auth.User                       // as others see it
	admin   bool                            // may see the pages of the administration
	actor   actor                           // who acts as the user; zero: the user
}

// document is a page of the account.
func (b *backend) document(c caller, here, title string) page.Document {
	d := page.Document{Title: title, User: c.user.DisplayName, Logout: b.path("/logout")}
	d.Links = append(d.Links, page.Link{Text: "Back", URL: b.mount.Root()})
	pages := []page.Link{
		{Text: "Profile", URL: "/me"}, {Text: "Password", URL: "/password"},
		{Text: "Sessions", URL: "/sessions"}, {Text: "API tokens", URL: "/tokens"},
	}
	if len(b.providers) > 0 || here == "/links" {
		pages = append(pages, page.Link{Text: "Sign-ins", URL: "/links"})
	}
	for _, l := range pages {
		d.Links = append(d.Links, page.Link{Text: l.Text, URL: b.path(l.URL), Current: l.URL == here})
	}
	if c.actor.ID != "" {
		d.Links, d.Actor = d.Links[:1], c.actor.Username // the other pages aren't the actor's
	}
	if c.admin {
		d.Links = append(d.Links, b.adminLinks(here)...)
	}
	return d
}

func (b *backend) getMe(w http.ResponseWriter, r *http.Request, c caller) {
	if page.WantsHTML(r) {
		b.writeProfile(w, r, http.StatusOK, c, nil)
		return
	}
	page.WriteJSON(w, http.StatusOK, c.user)
}

// writeProfile shows the form. problem is what was wrong with it, or nil.
func (b *backend) writeProfile(w http.ResponseWriter, r *http.Request, status int, c caller, problem error) {
	d := b.document(c, "/me", "Profile")
	user := c.id.User
	d.Sections = []page.Section{{
		Heading: "Who others see",
		Note:    "You sign in as " + user.Username + ".",
		Form: &page.Form{Action: b.path("/me"), Submit: "Save", Fields: []page.Field{
			{Name: "name", Label: "Name", Type: "text", Autocomplete: "name", Value: user.Name, Optional: true},
			{Name: "display_name", Label: "Short name", Type: "text", Autocomplete: "nickname", Value: user.DisplayName, Optional: true},
			{Name: "initials", Label: "Initials", Type: "text", Autocomplete: "off", Value: user.Initials, Optional: true},
			{Name: "color", Label: "Colour", Type: "text", Autocomplete: "off", Value: user.Color, Optional: true, Help: "A CSS colour, such as teal or #008080."},
			{Name: "avatar_url", Label: "Picture", Type: "text", Autocomplete: "photo", Value: user.AvatarURL, Optional: true, Help: "The address of an image."},
		}},
	}}
	if c.actor.ID != "" {
		d.Sections[0].Note = "This user signs in as " + user.Username + "."
		d.Sections[0].Form = nil // it would be refused
	}
	if problem != nil {
		d.Message, d.Failed = onPage(problem, d.Sections[0].Form.Fields), true
	}
	page.WriteDocument(w, r, status, d)
}

// onPage is what is wrong with a field in the words of its page: by the label, not by the name that the API has for it.
func onPage(problem error, fields []page.Field) string {
	var of *auth.FieldError
	if errors.As(problem, &of) {
		for _, f := range fields {
			if f.Name == of.Field {
				return f.Label + ": " + of.Problem + "."
			}
		}
	}
	return problem.Error()
}

func (b *backend) patchMe(w http.ResponseWriter, r *http.Request, _ caller) {
	var update auth.UserUpdate
	if status, err := strictjson.Read(w, r, maxProfile, &update); err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	user, err := b.auth.UpdateUser(r.Context(), update)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	page.WriteJSON(w, http.StatusOK, user)
}

// postMe is the form's way. A field that it doesn't send is unchanged, and so is one that it sends as it was shown: what an
// authenticator says of a user stays the authenticator's to say.
func (b *backend) postMe(w http.ResponseWriter, r *http.Request, c caller) {
	fields, status, err := form.Read(w, r, maxProfile, "name", "display_name", "initials", "color", "avatar_url")
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	user := c.id.User
	update := auth.UserUpdate{
		Name: edited(fields, "name", user.Name), DisplayName: edited(fields, "display_name", user.DisplayName),
		Initials: edited(fields, "initials", user.Initials), Color: edited(fields, "color", user.Color),
		AvatarURL: edited(fields, "avatar_url", user.AvatarURL),
	}
	if err := update.Validate(); err != nil && page.WantsHTML(r) {
		c.id.User = update.Apply(c.id.User) // what was typed isn't lost
		b.writeProfile(w, r, http.StatusBadRequest, c, err)
		return
	}
	if _, err := b.auth.UpdateUser(r.Context(), update); err != nil {
		if field, ok := errors.AsType[*auth.FieldError](err); ok && page.WantsHTML(r) { // a hook's
			c.id.User = update.Apply(c.id.User)
			b.writeProfile(w, r, http.StatusBadRequest, c, field)
			return
		}
		b.writeError(w, r, err)
		return
	}
	returnpath.Redirect(w, b.path("/me"))
}

// edited is the field unless it is as it was shown.
func edited(fields map[string]string, name, shown string) *string {
	if value, ok := fields[name]; ok && value != shown {
		return &value
	}
	return nil
}
