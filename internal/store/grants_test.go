package store_test

import (
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// whatever is in a name comes back as it was, and names that look alike stay apart.
func TestPermissionNamesRoundTrip(t *testing.T) { storetest.Each(t, testPermissionNamesRoundTrip) }

func testPermissionNamesRoundTrip(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	ann := addUser(t, d, "ann")
	all := []store.Permission{
		{"", ""}, {"A", "read"}, {"\n", "\r"}, {"a", "read"}, {"a ", "read"}, {"a\x01b", "read"}, {"a\x01c", "read"},
		{"a,b:c", `"]'`}, {"a:b", "c"}, {"contents/*", "*"}, {"\u00e4", "read"}, {"a\u0308", "read"}, {"🦊", "read"},
	}
	write(t, d, func(tx *store.Tx) error { return tx.Grant(ann, all) })
	got := account(t, d, ann).Permissions
	if len(got) != len(all) {
		t.Errorf("got %d %q, want %d", len(got), got, len(all))
	}
	for _, p := range all {
		write(t, d, func(tx *store.Tx) error { return tx.Revoke(ann, []store.Permission{p}) })
		after := account(t, d, ann).Permissions
		if len(after) != len(got)-1 {
			t.Errorf("revoking %q: %d left of %d", p, len(after), len(got))
		}
		got = after
	}
}

func TestGrants(t *testing.T) { storetest.Each(t, testGrants) }

func testGrants(t *testing.T, on storetest.Engine) {
	read, write1, star := store.Permission{"a", "read"}, store.Permission{"a", "write"}, store.Permission{"a", "*"}
	for name, test := range map[string]struct {
		fn   func(tx *store.Tx) error // ann (1) holds read, and write by her role
		want error
		left []store.Permission
	}{
		"one more":            {func(tx *store.Tx) error { return tx.Grant(1, []store.Permission{write1}) }, nil, []store.Permission{read, write1}},
		"what is there":       {func(tx *store.Tx) error { return tx.Grant(1, []store.Permission{read, read}) }, nil, []store.Permission{read}},
		"none":                {func(tx *store.Tx) error { return tx.Grant(1, nil) }, nil, []store.Permission{read}},
		"to nobody":           {func(tx *store.Tx) error { return tx.Grant(2, []store.Permission{read}) }, store.ErrNotFound, []store.Permission{read}},
		"none to nobody":      {func(tx *store.Tx) error { return tx.Grant(2, nil) }, store.ErrNotFound, []store.Permission{read}},
		"revoke":              {func(tx *store.Tx) error { return tx.Revoke(1, []store.Permission{read, read}) }, nil, nil},
		"revoke what isn't":   {func(tx *store.Tx) error { return tx.Revoke(1, []store.Permission{write1}) }, nil, []store.Permission{read}},
		"revoke the wildcard": {func(tx *store.Tx) error { return tx.Revoke(1, []store.Permission{star}) }, nil, []store.Permission{read}},
		"revoke from nobody":  {func(tx *store.Tx) error { return tx.Revoke(2, []store.Permission{read}) }, store.ErrNotFound, []store.Permission{read}},
		"revoke and grant": {func(tx *store.Tx) error {
			tx.Revoke(1, []store.Permission{read})
			return tx.Grant(1, []store.Permission{read})
		}, nil, []store.Permission{read}},
		"a role that isn't":     {func(tx *store.Tx) error { return tx.AddRoles(1, []string{"r", "nope"}) }, store.ErrNotFound, []store.Permission{read}},
		"a role for nobody":     {func(tx *store.Tx) error { return tx.AddRoles(2, []string{"r"}) }, store.ErrNotFound, []store.Permission{read}},
		"take roles of nobody":  {func(tx *store.Tx) error { return tx.RemoveRoles(2, []string{"r"}) }, store.ErrNotFound, []store.Permission{read}},
		"take a role she lacks": {func(tx *store.Tx) error { return tx.RemoveRoles(1, []string{"nope"}) }, nil, []store.Permission{read}},
		"the role again":        {func(tx *store.Tx) error { return tx.AddRoles(1, []string{"r", "r"}) }, nil, []store.Permission{read}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := open(t, on)
			ann := addUser(t, d, "ann")
			write(t, d, func(tx *store.Tx) error {
				if _, err := tx.PutRole(store.Role{Name: "r", Permissions: []store.Permission{write1}}, 0); err != nil {
					return err
				}
				tx.Grant(ann, []store.Permission{read})
				return tx.AddRoles(ann, []string{"r"})
			})
			wantError(t, "changing", d.Write(t.Context(), test.fn), test.want)
			got := account(t, d, ann)
			equal(t, "permissions", got.Permissions, test.left)
			equal(t, "roles", got.Roles, []string{"r"})
			equal(t, "by roles", got.RolePermissions, []store.Permission{write1})
		})
	}
}
