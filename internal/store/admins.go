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
	// Each begins with the grants, which are few, instead of going through the users.
	covers := "p.resource " + in(len(resources)) + " AND p.action " + in(len(actions)) + " AND u.realm = ? AND u.disabled = 0"
	args := append(texts(resources), append(texts(actions), realm)...)
	queries := []string{
		"SELECT u.id FROM auth_user_permissions p JOIN auth_users u ON u.id = p.user_id WHERE " + covers,
		"SELECT u.id FROM auth_role_permissions p JOIN auth_user_roles r ON r.role = p.role JOIN auth_users u ON u.id = r.user_id WHERE " + covers,
	}
	all := append(args[:len(args):len(args)], args...)
	if len(shared) > 0 {
		queries = append(queries, "SELECT u.id FROM auth_role_permissions p CROSS JOIN auth_users u WHERE "+covers+" AND p.role "+in(len(shared)))
		all = append(append(all, args...), texts(shared)...)
	}
	err = t.query("looking for who holds a permission", strings.Join(queries, " UNION ALL ")+" LIMIT 1", all, func(rows *sql.Rows) error {
		held = true
		var id int64
		return rows.Scan(&id)
	})
	return held, err
}

func texts(list []string) []any {
	args := make([]any, len(list))
	for i, text := range list {
		args[i] = text
	}
	return args
}
