package store_test

import (
	"reflect"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

func TestRoles(t *testing.T) { storetest.Each(t, testRoles) }

func testRoles(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	put := func(r store.Role, version int64) (got int64, err error) {
		err = d.Write(t.Context(), func(tx *store.Tx) (err error) { got, err = tx.PutRole(r, version); return err })
		return got, err
	}
	editor := store.Role{Name: "editor", Description: "edits", Permissions: []store.Permission{{"b", "x"}, {"a", "y"}, {"a", "x"}, {"a", "x"}}, Version: 77}
	first, err := put(editor, 0)
	if err != nil || first == 0 {
		t.Fatalf("got version %d, %v", first, err)
	}
	_, err = put(editor, 0)
	wantError(t, "a new one of the same name", err, store.ErrExists)
	_, err = put(store.Role{Name: "nope"}, first)
	wantError(t, "replacing one that isn't there", err, store.ErrNotFound)
	if _, err := put(store.Role{Name: "admin"}, 0); err != nil { // no permissions at all
		t.Fatal(err)
	}

	editor.Permissions, editor.Version = []store.Permission{{"a", "x"}, {"a", "y"}, {"b", "x"}}, first
	if got, err := d.Role(t.Context(), "editor"); err != nil || !reflect.DeepEqual(got, editor) {
		t.Errorf("got %+v, %v, want %+v", got, err, editor)
	}
	all, err := d.Roles(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "admin" || all[0].Permissions != nil || !reflect.DeepEqual(all[1], editor) {
		t.Errorf("got %+v, %v", all, err)
	}

	second, err := put(store.Role{Name: "editor", Description: "new", Permissions: []store.Permission{{"c", "x"}}}, first)
	if err != nil || second == first {
		t.Errorf("got version %d, %v, want another than %d", second, err, first)
	}
	_, err = put(editor, first)
	wantError(t, "replacing an old version", err, store.ErrChanged)
	want := store.Role{Name: "editor", Description: "new", Permissions: []store.Permission{{"c", "x"}}, Version: second}
	if got, err := d.Role(t.Context(), "editor"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}

	// A role that was deleted and made anew isn't the one that somebody has read.
	ann := addUser(t, d, "ann")
	write(t, d, func(tx *store.Tx) error { return tx.AddRoles(ann, []string{"editor", "admin"}) })
	write(t, d, func(tx *store.Tx) error { return tx.DeleteRole("editor") })
	equal(t, "ann's roles", account(t, d, ann).Roles, []string{"admin"})
	_, err = d.Role(t.Context(), "editor")
	wantError(t, "reading a deleted one", err, store.ErrNotFound)
	err = d.Write(t.Context(), func(tx *store.Tx) error { return tx.DeleteRole("editor") })
	wantError(t, "deleting it again", err, store.ErrNotFound)
	third, err := put(store.Role{Name: "editor"}, 0)
	if err != nil || third == first || third == second {
		t.Errorf("got version %d, %v, want a new one", third, err)
	}
	_, err = put(editor, second)
	wantError(t, "replacing by a version of the one before", err, store.ErrChanged)
	if got := account(t, d, ann); len(got.Roles) != 1 || len(got.RolePermissions) != 0 {
		t.Errorf("ann has %v, %v", got.Roles, got.RolePermissions)
	}
}

// Of many who replace the version that they have all read, one wins.
func TestRoleChangesAtOnce(t *testing.T) { storetest.Each(t, testRoleChangesAtOnce) }

func testRoleChangesAtOnce(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	other := openDB(t, base.Raw(t, plainOptions))
	var version int64
	write(t, d, func(tx *store.Tx) (err error) { version, err = tx.PutRole(store.Role{Name: "r"}, 0); return err })
	var mu sync.Mutex
	var won []string
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			name := string(rune('a' + i))
			err := []*store.DB{d, other}[i%2].Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.PutRole(store.Role{Name: "r", Description: name, Permissions: []store.Permission{{name, "x"}}}, version)
				return err
			})
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				won = append(won, name)
				return
			}
			wantError(t, "losing", err, store.ErrChanged)
		})
	}
	wg.Wait()
	got, err := d.Role(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "won", won, []string{got.Description})
	equal(t, "permissions", got.Permissions, []store.Permission{{got.Description, "x"}})
}
