package userauth

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/password"
)

// userPath is the address of a user's page.
func (b *backend) userPath(username string) string {
	return b.path("/users/" + url.PathEscape(username))
}

// writeUsers shows the list and, to who may, the form for a new user.
func (b *backend) writeUsers(w http.ResponseWriter, r *http.Request, a admin, l listing, typed usersForm) {
	users, next, err := b.accounts.List(r.Context(), l.search, l.after, l.limit)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	writes, err := b.mayAdminister(r, a.session, adminWrites)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	d := b.adminDocument(r, a, "/users", "Users")
	list := page.Section{Table: b.usersTable(users, l), Links: b.listLinks("/users", l, next)}
	d.Sections = []page.Section{{Form: searchForm(b.path("/users"), l)}, list}
	status := http.StatusOK
	if writes {
		roles, err := b.accounts.Roles(r.Context())
		if err != nil {
			b.writeError(w, r, err)
			return
		}
		add := page.Section{Heading: "Add a user", Form: b.addUserForm(typed, roles)}
		if typed.err != nil {
			status, d.Message = refusal(typed.err, add.Form.Fields)
			d.Failed = true
		}
		d.Sections = append(d.Sections, add)
	}
	page.WriteDocument(w, r, status, d)
}

func (b *backend) usersTable(users []Account, l listing) *page.Table {
	t := &page.Table{Caption: "Everybody who is known here by name", Columns: []string{"Username", "Name", "Roles", "Permissions"}, Empty: "There is nobody."}
	if l.search != "" {
		t.Caption, t.Empty = "Whose username contains “"+l.search+"”", "Nobody's username contains “"+l.search+"”."
	}
	for _, u := range users {
		row := page.Row{Cells: []string{u.Username, u.Name, strings.Join(u.Roles, ", "), u.Permissions.String()}, URL: b.userPath(u.Username)}
		if u.Disabled {
			row.Marked = "disabled"
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// searchForm and listLinks lead through a list.
func searchForm(path string, l listing) *page.Form {
	return &page.Form{Action: path, Get: true, Submit: "Search", Fields: []page.Field{
		{Name: "search", Label: "Search by name", Type: "search", Autocomplete: "off", Value: l.search, Optional: true},
	}}
}

func (b *backend) listLinks(path string, l listing, next string) (links []page.Link) {
	if l.after != "" {
		links = append(links, page.Link{Text: "First page", URL: b.path(path) + l.at("")})
	}
	if next != "" {
		links = append(links, page.Link{Text: "Next page", URL: b.path(path) + l.at(next)})
	}
	return links
}

func (b *backend) addUserForm(typed usersForm, roles []Role) *page.Form {
	return &page.Form{Action: b.path("/users"), Submit: "Add user", Fields: slices.Concat([]page.Field{
		{Name: "username", Label: "Username", Autocomplete: "off", Value: typed.username},
		{Name: "name", Label: "Name", Autocomplete: "off", Value: typed.name, Optional: true},
		{Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password", Optional: true, Help: b.passwordHelp() + " Without one the user can't sign in by password yet."},
	}, b.accessFields(roles, typed.roles, typed.permissions))}
}

func (b *backend) passwordHelp() string {
	return fmt.Sprintf("At least %d characters; a few words make a good one.", cmp.Or(b.accounts.policy.Min, password.DefaultMin))
}

// accessFields are what a user holds: the roles to tick, and what is granted beside them.
func (b *backend) accessFields(roles []Role, held []string, permissions string) (fields []page.Field) {
	boxes := page.Field{Name: "roles", Label: "Roles"}
	for _, role := range roles {
		boxes.Choices = append(boxes.Choices, page.Choice{Value: role.Name, Help: role.Permissions.String(), Ticked: slices.Contains(held, role.Name)})
	}
	if len(boxes.Choices) > 0 {
		fields = append(fields, boxes)
	}
	if len(b.defaultRoles) > 0 && len(fields) > 0 {
		fields[0].Help = "Everybody has these: " + strings.Join(b.defaultRoles, ", ") + "."
	}
	return append(fields, page.Field{
		Name: "permissions", Label: "Permissions", Multiline: true, Value: permissions, Optional: true,
		Help: "Beside those of the roles, such as contents:read,write; several are separated by spaces or lines.",
	})
}
