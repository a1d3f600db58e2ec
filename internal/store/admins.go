package store

import (
	"database/sql"
	"strings"
)

// Held reports whether any user of the realm who isn't disabled holds a permission: one of the resources with one of the
// actions, as they are written, given directly or by a role. Every user has the shared roles. A change that asks before and
// after itself is decided in its own transaction, so that of two that are each harmless alone the second one is seen for
// what it does.
func (t *Tx) Held(realm string, resources, actions, shared []string) (held bool, err error) {
	if len(resources) == 0 || len(actions) == 0 {
		return false, nil
	}
	covers := "p.resource " + in(len(resources)) + " AND p.action " + in(len(actions))
	args := append(append(texts(resources), texts(actions)...), realm)
	// The grants are gone through once, and then only their holders are looked at: not all users, each with all grants.
	holders := []string{
		"u.id IN (SELECT p.user_id FROM auth_user_permissions p WHERE " + covers + ")",
		"u.id IN (SELECT r.user_id FROM auth_role_permissions p JOIN auth_user_roles r ON r.role = p.role WHERE " + covers + ")",
	}
	all := append(args[:len(args):len(args)], args...)
	if len(shared) > 0 {
		holders = append(holders, "EXISTS (SELECT 1 FROM auth_role_permissions p WHERE p.role "+in(len(shared))+" AND "+covers+")")
		all = append(append(all, texts(shared)...), args...)
	}
	const query = "SELECT u.id FROM auth_users u WHERE "
	const enabled = " AND u.realm = ? AND u.disabled = 0"
	text := query + strings.Join(holders, enabled+" UNION ALL "+query) + enabled + " LIMIT 1"
	err = t.query("looking for who holds a permission", text, all, func(rows *sql.Rows) error {
		held = true
		var id int64
		return rows.Scan(&id)
	})
	return held, err
}

// RolesHold reports whether one of the roles holds one of the resources with one of the actions, as they are written.
func (t *Tx) RolesHold(roles, resources, actions []string) (hold bool, err error) {
	if len(roles) == 0 || len(resources) == 0 || len(actions) == 0 {
		return false, nil
	}
	args := append(append(texts(roles), texts(resources)...), texts(actions)...)
	n, err := t.number("looking for what roles hold", "SELECT COUNT(*) FROM auth_role_permissions WHERE role "+in(len(roles))+
		" AND resource "+in(len(resources))+" AND action "+in(len(actions)), args...)
	return n > 0, err
}

func texts(list []string) []any {
	args := make([]any, len(list))
	for i, text := range list {
		args[i] = text
	}
	return args
}
