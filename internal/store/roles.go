package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// A Role is a named set of permissions.
type Role struct {
	Name, Description string
	Permissions       []Permission // sorted, duplicate-free
	Version           int64        // another one after each change; never one that any role had before
}

// rolesQuery reads roles with their permissions, a role without any once.
const rolesQuery = "SELECT r.name, r.description, r.version, p.resource, p.action FROM auth_roles r " +
	"LEFT JOIN auth_role_permissions p ON p.role = r.name "

// Roles gives all roles, by name.
func (d *DB) Roles(ctx context.Context) ([]Role, error) {
	return d.roles(ctx, "reading roles", rolesQuery+"ORDER BY r.name")
}

// Role gives the role of this name.
func (d *DB) Role(ctx context.Context, name string) (Role, error) {
	doing := fmt.Sprintf("reading role %q", name)
	list, err := d.roles(ctx, doing, rolesQuery+"WHERE r.name = ?", name)
	if err == nil && len(list) == 0 {
		err = failed(doing, ErrNotFound)
	}
	if err != nil {
		return Role{}, err
	}
	return list[0], nil
}

func (d *DB) roles(ctx context.Context, doing, query string, args ...any) (list []Role, err error) {
	err = d.query(ctx, doing, query, args, func(rows *sql.Rows) error {
		var r Role
		var resource, action sql.NullString
		if err := rows.Scan(&r.Name, &r.Description, &r.Version, &resource, &action); err != nil {
			return err
		}
		if len(list) == 0 || list[len(list)-1].Name != r.Name {
			list = append(list, r)
		}
		if resource.Valid {
			last := &list[len(list)-1]
			last.Permissions = append(last.Permissions, Permission{resource.String, action.String})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Permissions = sortPermissions(list[i].Permissions)
	}
	return list, nil
}

// RolePermissions gives what the roles of these names hold together, sorted, as the transaction sees it.
func (t *Tx) RolePermissions(names []string) (held []Permission, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	args := make([]any, len(names))
	for i, name := range names {
		args[i] = name
	}
	err = t.query("reading the permissions of roles", "SELECT resource, action FROM auth_role_permissions WHERE role "+in(len(names)), args, func(rows *sql.Rows) error {
		var p Permission
		err := rows.Scan(&p.Resource, &p.Action)
		held = append(held, p)
		return err
	})
	return sortPermissions(held), err
}

// PutRole makes a role (version 0; [ErrExists] if there is one) or replaces the one that has this version ([ErrChanged]
// if it has another, [ErrNotFound] if it is gone). r.Version is ignored.
func (t *Tx) PutRole(r Role, version int64) (newVersion int64, err error) {
	doing := fmt.Sprintf("storing role %q", r.Name)
	// Not the old version plus one: a role that was deleted and made anew would have the versions of the one before.
	newVersion, err = t.take("role", 1)
	if err != nil {
		return 0, err
	}
	if version == 0 {
		_, err = t.exec(doing, "INSERT INTO auth_roles (name, description, version) VALUES (?, ?, ?)", key(r.Name), r.Description, newVersion)
	} else {
		err = t.replaceRole(doing, r, version, newVersion)
	}
	if err != nil {
		return 0, err
	}
	for _, p := range sortPermissions(slices.Clone(r.Permissions)) {
		_, err := t.run(doing, "INSERT INTO auth_role_permissions (role, resource, action) VALUES (?, ?, ?)", r.Name, key(p.Resource), key(p.Action))
		if err != nil {
			return 0, err
		}
	}
	t.tell(0) // a new one, too: it may be one that users have by default, without a row of their own
	return newVersion, nil
}

// replaceRole takes the role's permissions away, if its version is the given one.
func (t *Tx) replaceRole(doing string, r Role, version, newVersion int64) error {
	n, err := t.exec(doing, "UPDATE auth_roles SET description = ?, version = ? WHERE name = ? AND version = ?",
		r.Description, newVersion, r.Name, version)
	if err != nil {
		return err
	}
	if n == 0 {
		if err := t.roleExists(doing, r.Name); err != nil {
			return err
		}
		return failed(doing, ErrChanged)
	}
	_, err = t.exec(doing, "DELETE FROM auth_role_permissions WHERE role = ?", r.Name)
	return err
}

// DeleteRole deletes a role and takes it from everybody who has it.
func (t *Tx) DeleteRole(name string) error {
	doing := fmt.Sprintf("deleting role %q", name)
	for _, table := range []string{"auth_user_roles", "auth_role_permissions"} {
		if _, err := t.exec(doing, "DELETE FROM "+table+" WHERE role = ?", name); err != nil {
			return err
		}
	}
	n, err := t.exec(doing, "DELETE FROM auth_roles WHERE name = ?", name)
	if err == nil && n == 0 {
		err = failed(doing, ErrNotFound)
	}
	if err != nil {
		return err
	}
	t.tell(0)
	return nil
}

// roleExists fails with [ErrNotFound] if there is no such role.
func (t *Tx) roleExists(doing, name string) error {
	_, err := t.number(doing, "SELECT version FROM auth_roles WHERE name = ?", name)
	return err
}
