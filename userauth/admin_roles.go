package userauth

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/strictjson"
)

func (b *backend) getRoles(w http.ResponseWriter, r *http.Request, a admin) {
	l, err := readListing(r)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	if page.WantsHTML(r) {
		b.writeRoles(w, r, a, l, roleForm{})
		return
	}
	roles, next, err := b.listRoles(r, l)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	page.WriteJSON(w, http.StatusOK, map[string]any{"items": roles, "next": next})
}

// listRoles gives the part of the roles, in the order of their names. Of roles there are few: they are read at once.
func (b *backend) listRoles(r *http.Request, l listing) (roles []Role, next string, err error) {
	all, err := b.accounts.Roles(r.Context())
	if err != nil {
		return nil, "", err
	}
	roles = []Role{} // a list for whoever reads it, never null
	for _, role := range all {
		switch {
		case role.Name <= l.after, !strings.Contains(strings.ToLower(role.Name), strings.ToLower(l.search)):
		case len(roles) == l.limit:
			return roles, roles[l.limit-1].Name, nil
		default:
			roles = append(roles, role)
		}
	}
	return roles, "", nil
}

func (b *backend) getRole(w http.ResponseWriter, r *http.Request, a admin) {
	role, err := b.accounts.Role(r.Context(), r.PathValue("name"))
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	if page.WantsHTML(r) {
		b.writeRole(w, r, a, role, roleForm{})
		return
	}
	page.WriteJSON(w, http.StatusOK, role)
}

// putRole makes a role, or replaces the one that the client has read: its version says so. What the body doesn't name
// stays as it is.
func (b *backend) putRole(w http.ResponseWriter, r *http.Request, a admin) {
	var body struct {
		Description *string           `json:"description"`
		Permissions *auth.Permissions `json:"permissions"`
		Version     int64             `json:"version"`
	}
	if status, err := strictjson.Read(w, r, maxProfile, &body); err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	role := Role{Name: r.PathValue("name"), Version: body.Version}
	if body.Version != 0 && (body.Description == nil || body.Permissions == nil) {
		stored, err := b.accounts.Role(r.Context(), role.Name)
		if err == nil && stored.Version != body.Version {
			err = ErrChanged
		}
		if err != nil {
			b.writeError(w, r, err)
			return
		}
		role = stored
	}
	if body.Description != nil {
		role.Description = *body.Description
	}
	if body.Permissions != nil {
		role.Permissions = *body.Permissions
	}
	stored, err := b.storeRole(r, a, role)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	status := http.StatusOK
	if role.Version == 0 {
		status = http.StatusCreated
	}
	page.WriteJSON(w, status, stored)
}

func (b *backend) storeRole(r *http.Request, a admin, role Role) (stored Role, err error) {
	err = b.administer(r, a, fmt.Sprintf("set role %q", role.Name), func() (err error) {
		stored, err = b.accounts.PutRole(r.Context(), role)
		return err
	})
	return stored, err
}

// A roleForm is what was typed into a form for a role, and what came of it.
type roleForm struct {
	name, description, permissions, version string
	gone                                    bool // the role was deleted meanwhile
	err                                     error
}

func readRoleForm(w http.ResponseWriter, r *http.Request) (typed roleForm, role Role, status int, err error) {
	fields, status, err := form.Read(w, r, maxProfile, "name", "description", "permissions", "version")
	if err != nil {
		return roleForm{}, Role{}, status, err
	}
	typed = roleForm{name: fields["name"], description: fields["description"], permissions: fields["permissions"], version: fields["version"]}
	role = Role{Name: typed.name, Description: typed.description}
	if typed.version != "" {
		if role.Version, err = strconv.ParseInt(typed.version, 10, 64); err != nil {
			return roleForm{}, Role{}, http.StatusBadRequest, &auth.FieldError{Field: "version", Problem: "want a number"}
		}
	}
	// What is wrong with these is told in the form, where it can be set right.
	role.Permissions, typed.err = formPermissions("permissions", typed.permissions)
	return typed, role, 0, nil
}

// postRoles is the form's way to make a role; a program puts it to its own address.
func (b *backend) postRoles(w http.ResponseWriter, r *http.Request, a admin) {
	typed, role, status, err := readRoleForm(w, r)
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	role.Version = 0 // no other is replaced from here
	if typed.err == nil {
		_, typed.err = b.storeRole(r, a, role)
	}
	switch {
	case typed.err == nil:
		returnpath.Redirect(w, b.rolePath(role.Name)+"?done=role-added")
	case b.comesBack(r, a, typed.err):
		b.writeRoles(w, r, a, listing{limit: defaultListing}, typed)
	default:
		b.writeError(w, r, typed.err)
	}
}

// postRoleEdit is the form's way to change a role. Where another admin was faster, the form comes back as it was typed,
// with what is stored now beside it.
func (b *backend) postRoleEdit(w http.ResponseWriter, r *http.Request, a admin) {
	typed, role, status, err := readRoleForm(w, r)
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	role.Name = r.PathValue("name")
	if typed.err == nil {
		_, typed.err = b.storeRole(r, a, role)
	}
	if typed.err == nil {
		returnpath.Redirect(w, b.rolePath(role.Name)+"?done=saved")
		return
	}
	var stored Role
	switch {
	case errors.Is(typed.err, ErrNotFound) && nameProblem(role.Name) == "" && role.Version != 0: // deleted meanwhile
		stored, typed.gone, typed.err = Role{Name: role.Name}, true, ErrChanged
	case errors.Is(typed.err, ErrExists): // made meanwhile
		typed.err = ErrChanged
	}
	if !b.comesBack(r, a, typed.err) {
		b.writeError(w, r, typed.err)
		return
	}
	if !typed.gone {
		if stored, err = b.accounts.Role(r.Context(), role.Name); err != nil {
			b.writeError(w, r, err)
			return
		}
	}
	b.writeRole(w, r, a, stored, typed)
}

func (b *backend) deleteRole(w http.ResponseWriter, r *http.Request, a admin) {
	name := r.PathValue("name")
	err := b.administer(r, a, fmt.Sprintf("deleted role %q", name), func() error { return b.accounts.DeleteRole(r.Context(), name) })
	switch status, message := refusal(err, nil); {
	case status != 0 && r.Method == http.MethodPost && page.WantsHTML(r):
		b.writeDeleteRole(w, r, a, status, message)
	case err != nil:
		b.writeError(w, r, err)
	case r.Method == http.MethodDelete:
		noContent(w)
	default:
		returnpath.Redirect(w, b.path("/roles")+"?done=role-deleted")
	}
}
