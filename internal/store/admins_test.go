package store_test

import (
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

func TestHeld(t *testing.T) { storetest.Each(t, testHeld) }

func testHeld(t *testing.T, on storetest.Engine) {
	admin := store.Permission{Resource: "admin", Action: "write"}
	for _, tc := range []struct {
		name string
		set  func(tx *store.Tx) error // of ann (1) and of role r, which is there
		want bool
	}{
		{"nobody holds anything", func(*store.Tx) error { return nil }, false},
		{"directly", func(tx *store.Tx) error { return tx.Grant(1, []store.Permission{{"x", "y"}, admin}) }, true},
		{"by a wildcard that was asked for", func(tx *store.Tx) error { return tx.Grant(1, []store.Permission{{"*", "*"}}) }, true},
		{"by a wildcard that wasn't", func(tx *store.Tx) error { return tx.Grant(1, []store.Permission{{"a*", "*"}}) }, false},
		{"another action", func(tx *store.Tx) error { return tx.Grant(1, []store.Permission{{"admin", "read"}}) }, false},
		{"in another case", func(tx *store.Tx) error {
			return tx.Grant(1, []store.Permission{{"ADMIN", "write"}, {"admin ", "write"}})
		}, false},
		{"disabled", func(tx *store.Tx) error {
			if err := tx.Grant(1, []store.Permission{admin}); err != nil {
				return err
			}
			return tx.SetDisabled(1, true)
		}, false},
		{"by a role", func(tx *store.Tx) error { return tx.AddRoles(1, []string{"r"}) }, true},
		{"disabled, by a role", func(tx *store.Tx) error {
			if err := tx.AddRoles(1, []string{"r"}); err != nil {
				return err
			}
			return tx.SetDisabled(1, true)
		}, false},
		{"in another realm", func(tx *store.Tx) error {
			id, err := tx.AddUser(store.User{Realm: "ldap", Username: "bob", Key: "bob"})
			if err != nil {
				return err
			}
			return tx.Grant(id, []store.Permission{admin})
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := open(t, on)
			addUser(t, d, "ann")
			write(t, d, func(tx *store.Tx) error {
				_, err := tx.PutRole(store.Role{Name: "r", Permissions: []store.Permission{admin}}, 0)
				return err
			})
			write(t, d, func(tx *store.Tx) error {
				if err := tc.set(tx); err != nil {
					return err
				}
				got, err := tx.Held("", []string{"admin", "*"}, []string{"write", "*"}, nil)
				if err != nil || got != tc.want {
					t.Errorf("got %t, %v, want %t", got, err, tc.want)
				}
				return err
			})
		})
	}
}

// A role that everybody has makes nobody an admin where there is nobody.
func TestHeldByEverybody(t *testing.T) { storetest.Each(t, testHeldByEverybody) }

func testHeldByEverybody(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	held := func(shared ...string) (got bool) {
		t.Helper()
		write(t, d, func(tx *store.Tx) (err error) {
			got, err = tx.Held("", []string{"admin"}, []string{"write"}, shared)
			return err
		})
		return got
	}
	write(t, d, func(tx *store.Tx) error {
		_, err := tx.PutRole(store.Role{Name: "r", Permissions: []store.Permission{{"admin", "write"}}}, 0)
		return err
	})
	if held("r") {
		t.Error("held by nobody")
	}
	ann := addUser(t, d, "ann")
	if !held("other", "r") || held("other") || held() {
		t.Error("want it held by the role of all alone")
	}
	write(t, d, func(tx *store.Tx) error {
		for _, tc := range []struct {
			roles, resources, actions []string
			want                      bool
		}{
			{[]string{"other", "r"}, []string{"*", "admin"}, []string{"write"}, true}, {[]string{"other"}, []string{"admin"}, []string{"write"}, false}, {[]string{"r"}, []string{"admin"}, []string{"read"}, false},
			{[]string{"r"}, []string{"Admin"}, []string{"write"}, false}, {nil, []string{"admin"}, []string{"write"}, false},
		} {
			if got, err := tx.RolesHold(tc.roles, tc.resources, tc.actions); err != nil || got != tc.want {
				t.Errorf("%+v: got %t, %v", tc, got, err)
			}
		}
		return nil
	})
	write(t, d, func(tx *store.Tx) error { return tx.SetDisabled(ann, true) })
	if held("r") {
		t.Error("held by who is disabled")
	}
}
