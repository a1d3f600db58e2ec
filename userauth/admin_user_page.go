package userauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ostiary/auth/internal/page"
)

// writeUser shows a user, with forms to who may change one. typed is what was typed before and refused.
func (b *backend) writeUser(w http.ResponseWriter, r *http.Request, a admin, typed userForm) {
	account, err := b.accounts.Get(r.Context(), r.PathValue("username"))
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	sessions, err := b.accounts.Sessions(r.Context(), account.Username)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	writes, err := b.mayAdminister(r, a.session, adminWrites)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	d, status := b.adminDocument(r, a, "", account.Username), http.StatusOK
	if !writes {
		d.Sections = []page.Section{userFacts(account), b.userSessions(account, sessions)}
		page.WriteDocument(w, r, status, d)
		return
	}
	roles, err := b.accounts.Roles(r.Context())
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	profile, access, pass := b.userProfile(account, typed), b.userAccess(account, roles, typed), b.userPassword(account)
	if typed.err != nil {
		fields := slices.Concat(profile.Form.Fields, access.Form.Fields, pass.Form.Fields)
		status, d.Message = refusal(typed.err, fields)
		d.Failed = true
	}
	d.Sections = []page.Section{profile, access, b.userSessions(account, sessions)}
	if len(sessions) > 0 {
		end := &page.Form{Action: b.userPath(account.Username) + "/sessions/end", Submit: "Sign out everywhere", Danger: true}
		d.Sections = append(d.Sections, page.Section{Note: "Ends all of these, and what was opened in them.", Form: end})
	}
	d.Sections = append(d.Sections, pass)
	if a.session != nil {
		d.Sections = append(d.Sections, b.userImpersonation(account))
	}
	d.Sections = append(d.Sections, b.userDoor(account))
	page.WriteDocument(w, r, status, d)
}

// state says in a line what can be said of a user.
func (a Account) state() string {
	if a.Disabled {
		return "Disabled: may not sign in. Known here since " + ago(a.Created) + " as " + a.ID + "."
	}
	return "Known here since " + ago(a.Created) + " as " + a.ID + "."
}

// userFacts is for who may not change them.
func userFacts(a Account) page.Section {
	table := &page.Table{Caption: "What is known of this user", Columns: []string{"What", "Value"}}
	for _, f := range [][2]string{
		{"Name", a.Name}, {"Short name", a.DisplayName}, {"Initials", a.Initials}, {"Colour", a.Color}, {"Picture", a.AvatarURL},
		{"Roles", strings.Join(a.Roles, ", ")}, {"Permissions", a.Permissions.String()},
	} {
		if f[1] != "" {
			table.Rows = append(table.Rows, page.Row{Cells: f[:]})
		}
	}
	return page.Section{Note: a.state(), Table: table}
}

func (b *backend) userProfile(a Account, typed userForm) page.Section {
	f := &page.Form{Action: b.userPath(a.Username) + "/edit", Submit: "Save profile"}
	for _, field := range []page.Field{
		{Name: "name", Label: "Name", Value: a.Name},
		{Name: "display_name", Label: "Short name", Value: a.DisplayName},
		{Name: "initials", Label: "Initials", Value: a.Initials},
		{Name: "color", Label: "Colour", Value: a.Color},
		{Name: "avatar_url", Label: "Picture", Value: a.AvatarURL, Help: "The address of an image."},
	} {
		// What was shown first stays, too: else what another admin has changed since would look as if it were typed here.
		f.Hidden = append(f.Hidden, page.Field{Name: "was_" + field.Name, Value: typed.value("was_"+field.Name, field.Value)})
		field.Value, field.Optional, field.Autocomplete = typed.value(field.Name, field.Value), true, "off"
		f.Fields = append(f.Fields, field)
	}
	return page.Section{Heading: "Profile", Note: a.state(), Form: f}
}

func (b *backend) userAccess(a Account, roles []Role, typed userForm) page.Section {
	stored := permissionLines(a.Permissions)
	held, had := a.Roles, a.Roles
	if _, ok := typed.fields["permissions"]; ok { // it was this form
		held, had = typed.roles, typed.wasRoles
	}
	f := &page.Form{Action: b.userPath(a.Username) + "/edit", Submit: "Save roles and permissions"}
	f.Hidden = []page.Field{{Name: "was_permissions", Value: typed.value("was_permissions", stored)}}
	for _, role := range had {
		f.Hidden = append(f.Hidden, page.Field{Name: "was_roles", Value: role})
	}
	f.Fields = b.accessFields(roles, held, typed.value("permissions", stored))
	return page.Section{Heading: "Roles and permissions", Form: f}
}

func (b *backend) userPassword(a Account) page.Section {
	const note = "A new password ends all of the user's sessions, API tokens and links to sign-ins elsewhere."
	return page.Section{Heading: "Password", Note: note, Form: &page.Form{
		Action: b.userPath(a.Username) + "/password", Submit: "Set password",
		Hidden: []page.Field{{Name: "username", Value: a.Username, Autocomplete: "username"}}, // for password managers: whose it is
		Fields: []page.Field{{Name: "password", Label: "New password", Type: "password", Autocomplete: "new-password", Help: b.passwordHelp()}},
	}}
}

func (b *backend) userSessions(a Account, sessions []Session) page.Section {
	table := &page.Table{Caption: "Where this user is signed in", Columns: []string{"Browser", "Address", "Signed in", "Last used"}, Empty: "This user is signed in nowhere."}
	for _, s := range sessions {
		row := page.Row{Cells: []string{browserName(s.Agent), s.Address, ago(s.Created), ago(s.Seen)}}
		if s.By != "" {
			row.Marked = "by admin " + s.By
		}
		table.Rows = append(table.Rows, row)
	}
	tokens := []page.Link{{Text: "API tokens", URL: b.userPath(a.Username) + "/tokens"}}
	return page.Section{Heading: "Sessions", Table: table, Links: tokens}
}

// userDoor keeps the user out, for a time or for good.
func (b *backend) userDoor(a Account) page.Section {
	edit, value, submit := b.userPath(a.Username)+"/edit", "true", "Disable"
	note := "Who is disabled may not sign in, and has no session and no API token. Everything else stays as it is."
	if a.Disabled {
		value, submit, note = "false", "Enable", "This user is disabled: an enabled user may sign in again."
	}
	return page.Section{
		Heading: "Keep out", Note: note,
		Form:  &page.Form{Action: edit, Submit: submit, Hidden: []page.Field{{Name: "disabled", Value: value}}},
		Links: []page.Link{{Text: "Delete this user", URL: b.userPath(a.Username) + "/delete"}},
	}
}

// confirmDeleteUser asks once more, without a script.
func (b *backend) confirmDeleteUser(w http.ResponseWriter, r *http.Request, a admin) {
	b.writeDeleteUser(w, r, a, http.StatusOK, "")
}

func (b *backend) writeDeleteUser(w http.ResponseWriter, r *http.Request, a admin, status int, message string) {
	account, err := b.accounts.Get(r.Context(), r.PathValue("username"))
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	d := b.adminDocument(r, a, "", "Delete "+account.Username+"?")
	d.Message, d.Failed = message, message != ""
	d.Sections = []page.Section{deletion(account.Username, b.userPath(account.Username),
		"The user goes with everything of the user's: profile, roles, permissions, sessions and API tokens.")}
	page.WriteDocument(w, r, status, d)
}

// deletion asks whether what has its page at path is to go.
func deletion(name, path, note string) page.Section {
	return page.Section{
		Note:  note + " It can't be undone.",
		Form:  &page.Form{Action: path + "/delete", Submit: "Delete " + name, Danger: true},
		Links: []page.Link{{Text: "Keep " + name, URL: path}},
	}
}
