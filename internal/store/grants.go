package store

import "fmt"

// Grant gives permissions to the user directly. What the user holds already stays.
func (t *Tx) Grant(id int64, p []Permission) error {
	doing := fmt.Sprintf("granting to user %d", id)
	return t.eachGrant(doing, id, p, func(p Permission) error {
		_, err := t.run(doing, "INSERT INTO auth_user_permissions (user_id, resource, action) SELECT id, ?, ? FROM auth_users "+
			"WHERE id = ? AND NOT EXISTS (SELECT 1 FROM auth_user_permissions WHERE user_id = ? AND resource = ? AND action = ?)",
			key(p.Resource), key(p.Action), id, id, p.Resource, p.Action)
		return err
	})
}

// Revoke takes permissions that were given to the user directly, as they are written: to revoke "*" doesn't revoke "read",
// nor does it what a role holds.
func (t *Tx) Revoke(id int64, p []Permission) error {
	doing := fmt.Sprintf("revoking from user %d", id)
	return t.eachGrant(doing, id, p, func(p Permission) error {
		_, err := t.exec(doing, "DELETE FROM auth_user_permissions WHERE user_id = ? AND resource = ? AND action = ?", id, p.Resource, p.Action)
		return err
	})
}

// eachGrant does one thing for each, for a user that there is, and tells.
func (t *Tx) eachGrant(doing string, id int64, p []Permission, do func(Permission) error) error {
	if err := t.userExists(doing, id); err != nil {
		return err
	}
	for _, p := range p {
		if err := do(p); err != nil {
			return err
		}
	}
	if len(p) > 0 {
		t.tell(id)
	}
	return nil
}

// AddRoles gives roles to the user. [ErrNotFound] if there is no such user or role.
func (t *Tx) AddRoles(id int64, roles []string) error {
	doing := fmt.Sprintf("giving roles to user %d", id)
	return t.eachRole(doing, id, roles, func(role string) error {
		if err := t.roleExists(doing, role); err != nil {
			return err
		}
		_, err := t.run(doing, "INSERT INTO auth_user_roles (user_id, role) SELECT u.id, r.name FROM auth_users u CROSS JOIN auth_roles r "+
			"WHERE u.id = ? AND r.name = ? AND NOT EXISTS (SELECT 1 FROM auth_user_roles WHERE user_id = ? AND role = ?)", id, role, id, role)
		return err
	})
}

// RemoveRoles takes roles from the user, those that the user has.
func (t *Tx) RemoveRoles(id int64, roles []string) error {
	doing := fmt.Sprintf("taking roles from user %d", id)
	return t.eachRole(doing, id, roles, func(role string) error {
		_, err := t.exec(doing, "DELETE FROM auth_user_roles WHERE user_id = ? AND role = ?", id, role)
		return err
	})
}

// eachRole does one thing for each, for a user that there is, and tells.
func (t *Tx) eachRole(doing string, id int64, roles []string, do func(string) error) error {
	if err := t.userExists(doing, id); err != nil {
		return err
	}
	for _, role := range roles {
		if err := do(role); err != nil {
			return err
		}
	}
	if len(roles) > 0 {
		t.tell(id)
	}
	return nil
}
