package userauth

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
)

// Role is a set of permissions with a name. The name itself grants nothing.
type Role struct {
	Name        string           `json:"name"` // to the letter: upper and lower case differ, and a comma is part of it
	Description string           `json:"description"`
	Permissions auth.Permissions `json:"permissions"`
	Version     int64            `json:"version"` // grows with each change
}

const (
	maxRoleName        = 64   // characters
	maxRoleDescription = 1024 // bytes
)

// Roles gives all roles, sorted by name.
func (a *Accounts) Roles(ctx context.Context) ([]Role, error) {
	rows, err := a.store.Roles(ctx)
	if err != nil {
		return nil, failure("listing the roles", err)
	}
	var roles []Role
	for _, row := range rows {
		roles = append(roles, roleOf(row))
	}
	return roles, nil
}

// Role gives one role.
func (a *Accounts) Role(ctx context.Context, name string) (Role, error) {
	doing := fmt.Sprintf("role %q", name)
	if nameProblem(name) != "" {
		return Role{}, fmt.Errorf("%w: %s", ErrNotFound, doing)
	}
	row, err := a.store.Role(ctx, name)
	if err != nil {
		return Role{}, failure(doing, err)
	}
	return roleOf(row), nil
}

// PutRole makes a role where Version is 0 ([ErrExists] if there is one), and else replaces the one with this name and
// Version. [ErrChanged] says that the stored one isn't the one that was read: whoever decided, decided about another
// role. [ErrLastAdmin] says that nobody would be left with admin:write. It gives the role as stored.
func (a *Accounts) PutRole(ctx context.Context, r Role) (Role, error) {
	if err := r.check(); err != nil {
		return Role{}, err
	}
	row := store.Role{Name: r.Name, Description: r.Description, Permissions: storePermissions(r.Permissions)}
	err := a.keepAdmin(ctx, a.byRole(r.Name), func(tx *store.Tx) (err error) {
		row.Version, err = tx.PutRole(row, r.Version)
		return err
	})
	if err != nil {
		return Role{}, failure(fmt.Sprintf("role %q", r.Name), err)
	}
	return roleOf(row), nil
}

// DeleteRole removes a role, and takes it from everybody who has it, unless nobody would be left with admin:write
// ([ErrLastAdmin]).
func (a *Accounts) DeleteRole(ctx context.Context, name string) error {
	doing := fmt.Sprintf("role %q", name)
	if nameProblem(name) != "" {
		return fmt.Errorf("%w: %s", ErrNotFound, doing)
	}
	return failure(doing, a.keepAdmin(ctx, a.byRole(name), func(tx *store.Tx) error { return tx.DeleteRole(name) }))
}

func roleOf(row store.Role) Role {
	return Role{Name: row.Name, Description: row.Description, Permissions: permissionsOf(row.Permissions), Version: row.Version}
}

func (r Role) check() error {
	if problem := nameProblem(r.Name); problem != "" {
		return &auth.FieldError{Field: "name", Problem: problem}
	}
	switch {
	case len(r.Description) > maxRoleDescription:
		return &auth.FieldError{Field: "description", Problem: fmt.Sprintf("longer than %d bytes", maxRoleDescription)}
	case !utf8.ValidString(r.Description) || strings.ContainsRune(r.Description, 0):
		return &auth.FieldError{Field: "description", Problem: "not valid text"}
	case r.Version < 0:
		return &auth.FieldError{Field: "version", Problem: "is negative"}
	}
	return checkPermissions("permissions", r.Permissions)
}

// nameProblem refuses names that look empty, or like another one's.
func nameProblem(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "is empty"
	case strings.TrimSpace(name) != name:
		return "begins or ends with white space"
	case !utf8.ValidString(name):
		return "not valid text"
	case strings.ContainsRune(name, '/'), name == ".", name == "..": // an address of its own, /roles/{name}, that means nothing else
		return "must not be . or .. nor hold a /"
	case utf8.RuneCountInString(name) > maxRoleName:
		return fmt.Sprintf("longer than %d characters", maxRoleName)
	case strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }): // the space is printable, others not
		return "holds an unprintable character"
	}
	return ""
}
