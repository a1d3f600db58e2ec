package userauth

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/ostiary/auth/internal/page"
)

// rolePath is the address of a role's page.
func (b *backend) rolePath(name string) string { return b.path("/roles/" + url.PathEscape(name)) }

// writeRoles shows the list and, to who may, the form for a new role.
func (b *backend) writeRoles(w http.ResponseWriter, r *http.Request, a admin, l listing, typed roleForm) {
	roles, next, err := b.listRoles(r, l)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	writes, err := b.mayAdminister(r, a.session, adminWrites)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	table := &page.Table{Caption: "What can be given to users together", Columns: []string{"Role", "Permissions", "Description"}, Empty: "There is no role."}
	if l.search != "" {
		table.Caption, table.Empty = "Whose name contains “"+l.search+"”", "No role's name contains “"+l.search+"”."
	}
	for _, role := range roles {
		row := page.Row{Cells: []string{role.Name, role.Permissions.String(), role.Description}, URL: b.rolePath(role.Name)}
		if slices.Contains(b.defaultRoles, role.Name) {
			row.Marked = "everybody's"
		}
		table.Rows = append(table.Rows, row)
	}
	d := b.adminDocument(r, a, "/roles", "Roles")
	d.Sections = []page.Section{{Form: searchForm(b.path("/roles"), l)}, {Table: table, Links: b.listLinks("/roles", l, next)}}
	status := http.StatusOK
	if writes {
		add := &page.Form{Action: b.path("/roles"), Submit: "Add role", Fields: append([]page.Field{
			{Name: "name", Label: "Name", Autocomplete: "off", Value: typed.name},
		}, roleFields(typed.description, typed.permissions)...)}
		if typed.err != nil {
			status, d.Message = refusal(typed.err, add.Fields)
			d.Failed = true
		}
		d.Sections = append(d.Sections, page.Section{Heading: "Add a role", Form: add})
	}
	page.WriteDocument(w, r, status, d)
}

func roleFields(description, permissions string) []page.Field {
	return []page.Field{
		{Name: "description", Label: "Description", Autocomplete: "off", Value: description, Optional: true},
		{
			Name: "permissions", Label: "Permissions", Multiline: true, Value: permissions, Optional: true,
			Help: "Such as contents:read,write; several are separated by spaces or lines. A * stands for all actions.",
		},
	}
}

// writeRole shows a role as it is stored, with a form to who may change it. typed is what was typed before and refused.
func (b *backend) writeRole(w http.ResponseWriter, r *http.Request, a admin, stored Role, typed roleForm) {
	writes, err := b.mayAdminister(r, a.session, adminWrites)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	d := b.adminDocument(r, a, "", stored.Name)
	facts := page.Section{Table: &page.Table{Caption: "As it is stored", Columns: []string{"What", "Value"}, Rows: []page.Row{
		{Cells: []string{"Description", stored.Description}}, {Cells: []string{"Permissions", stored.Permissions.String()}},
	}}}
	if slices.Contains(b.defaultRoles, stored.Name) {
		d.Sections = append(d.Sections, page.Section{Note: "Everybody has this role."})
	}
	if !writes {
		d.Sections = append(d.Sections, facts)
		page.WriteDocument(w, r, http.StatusOK, d)
		return
	}
	description, permissions := stored.Description, permissionLines(stored.Permissions)
	if typed.err != nil {
		description, permissions = typed.description, typed.permissions
	}
	edit := &page.Form{Action: b.rolePath(stored.Name) + "/edit", Submit: "Save", Fields: roleFields(description, permissions)}
	status, version := http.StatusOK, strconv.FormatInt(stored.Version, 10)
	if typed.err != nil {
		status, d.Message = refusal(typed.err, edit.Fields)
		d.Failed = true
		switch {
		case typed.gone:
			d.Message = "Somebody has deleted this role meanwhile. Save again to make it anew."
		case errors.Is(typed.err, ErrChanged):
			// The version is the new one: who has seen what is stored now, and saves again, means to replace that.
			d.Sections = append(d.Sections, facts)
		default:
			version = typed.version
		}
	}
	edit.Hidden = []page.Field{{Name: "version", Value: version}}
	d.Sections = append(d.Sections, page.Section{Note: "Who has this role holds what it says within a second.", Form: edit})
	if stored.Version != 0 {
		d.Sections = append(d.Sections, page.Section{Links: []page.Link{{Text: "Delete this role", URL: b.rolePath(stored.Name) + "/delete"}}})
	}
	page.WriteDocument(w, r, status, d)
}

// confirmDeleteRole asks once more, without a script.
func (b *backend) confirmDeleteRole(w http.ResponseWriter, r *http.Request, a admin) {
	b.writeDeleteRole(w, r, a, http.StatusOK, "")
}

func (b *backend) writeDeleteRole(w http.ResponseWriter, r *http.Request, a admin, status int, message string) {
	role, err := b.accounts.Role(r.Context(), r.PathValue("name"))
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	d := b.adminDocument(r, a, "", "Delete the role "+role.Name+"?")
	d.Message, d.Failed = message, message != ""
	d.Sections = []page.Section{deletion(role.Name, b.rolePath(role.Name), "It is taken from everybody who has it.")}
	page.WriteDocument(w, r, status, d)
}
