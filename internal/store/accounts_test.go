package store_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

func TestAccountRoundTrip(t *testing.T) { storetest.Each(t, testAccountRoundTrip) }

func testAccountRoundTrip(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	u := store.User{
		ID: 99, Realm: "ldap", Username: "Ann Ä", Key: "ann ä", Hash: "$argon2id$x", Disabled: true, Created: 1, PasswordAt: 2,
		Profile: store.Profile{Name: "n", DisplayName: "d", Initials: "i", Color: "c", AvatarURL: "a", Workspace: "{}", Settings: "{\"x\":\"\x01'\n🦊\"}"},
	}
	direct := []store.Permission{{"z", "read"}, {"a", "write"}, {"a", "read"}, {"a", "read"}}
	var id int64
	write(t, d, func(tx *store.Tx) (err error) {
		for _, name := range []string{"r2", "r1", "unused"} {
			if _, err := tx.PutRole(store.Role{Name: name, Permissions: []store.Permission{{name, "x"}, {"both", "x"}}}, 0); err != nil {
				return err
			}
		}
		if id, err = tx.AddUser(u); err != nil {
			return err
		}
		for _, err := range []error{
			tx.Grant(id, direct), tx.Grant(id, direct), tx.AddRoles(id, []string{"r2", "r1"}), tx.AddRoles(id, []string{"r1"}),
			tx.PutExternal(store.External{Issuer: "i", Subject: "2", User: id, Claims: "{}"}),
			tx.PutExternal(store.External{Issuer: "i", Subject: "1", User: id, Claims: "null"}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	u.ID = id
	want := &store.Account{
		User: u, Permissions: []store.Permission{{"a", "read"}, {"a", "write"}, {"z", "read"}}, Roles: []string{"r1", "r2"},
		RolePermissions: []store.Permission{{"both", "x"}, {"r1", "x"}, {"r2", "x"}},
		Externals:       []store.External{{"i", "1", id, "null"}, {"i", "2", id, "{}"}},
	}
	bob := addUser(t, d, "bob")
	reads := map[string]func() (*store.Account, error){
		"by id": func() (*store.Account, error) { all, err := d.Accounts(t.Context(), []int64{id}); return all[id], err },
		"with others": func() (*store.Account, error) {
			all, err := d.Accounts(t.Context(), []int64{7, id, bob, id})
			return all[id], err
		},
		"by key": func() (*store.Account, error) { return d.AccountByKey(t.Context(), "ldap", "ann ä") },
		"in a transaction": func() (a *store.Account, err error) {
			return a, d.Write(t.Context(), func(tx *store.Tx) error { a, err = tx.Account(id); return err })
		},
		"by key in one": func() (a *store.Account, err error) {
			return a, d.Write(t.Context(), func(tx *store.Tx) error { a, err = tx.AccountByKey("ldap", "ann ä"); return err })
		},
	}
	for name, read := range reads {
		faults.Heal()
		got, err := read()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, want)
		}
		if got := roundTrips(faults); name[0] != 'i' && name != "by key in one" && got != 1 {
			t.Errorf("%s: got %d round trips %q, want 1", name, got, faults.Calls())
		}
	}
	if got := account(t, d, bob); !reflect.DeepEqual(got.Permissions, []store.Permission(nil)) || got.Roles != nil || got.Externals != nil {
		t.Errorf("bob: got %+v", got)
	}
}

func TestNoSuchAccount(t *testing.T) { storetest.Each(t, testNoSuchAccount) }

func testNoSuchAccount(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	addUser(t, d, "ann")
	for _, key := range []string{"", "an", "anN", "ann ", "ann\x00", "%", "_nn", "ANN"} { // D-11: keys are bytes
		_, err := d.AccountByKey(t.Context(), "", key)
		wantError(t, fmt.Sprintf("%q", key), err, store.ErrNotFound)
	}
	_, err := d.AccountByKey(t.Context(), "ldap", "ann")
	wantError(t, "another realm", err, store.ErrNotFound)
	for _, ids := range [][]int64{nil, {0}, {-1, 2}, {1 << 62}} {
		if all, err := d.Accounts(t.Context(), ids); err != nil || len(all) != 0 {
			t.Errorf("%v: got %v, %v, want none", ids, all, err)
		}
	}
	write(t, d, func(tx *store.Tx) error {
		_, err := tx.Account(2)
		wantError(t, "in a transaction", err, store.ErrNotFound)
		_, err = tx.AccountByKey("", "bob")
		wantError(t, "by key in a transaction", err, store.ErrNotFound)
		return nil
	})
}

// A batch as large as a database may need, with what belongs to each.
func TestManyAccounts(t *testing.T) { storetest.Each(t, testManyAccounts) }

func testManyAccounts(t *testing.T, on storetest.Engine) {
	d, faults, base := open(t, on)
	var users, permissions []any
	for id := range 450 {
		name := fmt.Sprint(id + 1)
		users, permissions = append(users, id+1, name, name), append(permissions, id+1, name)
	}
	base.Exec(t, "INSERT INTO auth_users VALUES (?, '', ?, ?, '', 0, 0, 0, '', '', '', '', '', '', '')"+
		strings.Repeat(", (?, '', ?, ?, '', 0, 0, 0, '', '', '', '', '', '', '')", 449), users...)
	base.Exec(t, "INSERT INTO auth_user_permissions VALUES (?, ?, 'x')"+strings.Repeat(", (?, ?, 'x')", 449), permissions...)
	ids := []int64{0}
	for id := range int64(450) {
		ids = append(ids, id+1, id+1)
	}
	faults.Heal()
	all, err := d.Accounts(t.Context(), ids)
	if err != nil || len(all) != 450 {
		t.Fatalf("got %d, %v, want 450", len(all), err)
	}
	for id, a := range all {
		if a.ID != id || len(a.Permissions) != 1 || a.Permissions[0].Resource != fmt.Sprint(id) {
			t.Errorf("user %d: got %+v", id, a)
		}
	}
	if got := roundTrips(faults); got != 3 {
		t.Errorf("got %d round trips, want 3", got)
	}
}

// Accounts by their names: those that there are, whatever else is asked for beside them.
func TestAccountsByKey(t *testing.T) { storetest.Each(t, testAccountsByKey) }

func testAccountsByKey(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	ann, bob := addUser(t, d, "ann"), addUser(t, d, "bob")
	write(t, d, func(tx *store.Tx) error {
		_, err := tx.AddUser(store.User{Realm: "other", Username: "cy", Key: "cy"})
		return err
	})
	asked := []string{"ann", "cy", "ann", "nobody", "a NUL \x00", "no UTF-8 \xff", ""}
	for i := range 250 {
		asked = append(asked, fmt.Sprint("somebody ", i))
	}
	asked = append(asked, "bob")
	faults.Heal()
	got, err := d.AccountsByKey(t.Context(), "", asked)
	if err != nil || len(got) != 2 {
		t.Fatalf("got %d, %v, want 2", len(got), err)
	}
	if n := roundTrips(faults); n != 2 {
		t.Errorf("got %d round trips, want 2", n)
	}
	if !reflect.DeepEqual(got["ann"], account(t, d, ann)) || !reflect.DeepEqual(got["bob"], account(t, d, bob)) {
		t.Errorf("got %+v and %+v", got["ann"], got["bob"])
	}
	if got, err := d.AccountsByKey(t.Context(), "", nil); err != nil || len(got) != 0 {
		t.Errorf("nobody: got %d, %v", len(got), err)
	}
}

func TestAccountsAfter(t *testing.T) { storetest.Each(t, testAccountsAfter) }

func testAccountsAfter(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	for _, key := range []string{"ann", "annb", "bob", "100%", "1000", "a_b", "axb", "a!b", "äb", "Z"} {
		addUser(t, d, key)
	}
	write(t, d, func(tx *store.Tx) error { _, err := tx.AddUser(store.User{Realm: "ldap", Key: "ann"}); return err })
	for name, test := range map[string]struct {
		search, after string
		limit         int
		want          []string
	}{
		"all, in the order of their bytes": {"", "", 100, []string{"100%", "1000", "Z", "a!b", "a_b", "ann", "annb", "axb", "bob", "äb"}},
		"a page":                           {"", "", 2, []string{"100%", "1000"}},
		"the next page":                    {"", "1000", 2, []string{"Z", "a!b"}},
		"after one that isn't there":       {"", "ann1", 2, []string{"annb", "axb"}},
		"after the last":                   {"", "äb", 2, nil},
		"a part of the name":               {"nn", "", 100, []string{"ann", "annb"}},
		"a part, on the next page":         {"nn", "ann", 100, []string{"annb"}},
		"a percent sign":                   {"0%", "", 100, []string{"100%"}},
		"an underscore":                    {"a_b", "", 100, []string{"a_b"}},
		"what escapes":                     {"a!", "", 100, []string{"a!b"}},
		"not a letter of ASCII":            {"ä", "", 100, []string{"äb"}},
		"nobody":                           {"zzz", "", 100, nil},
		"quotes":                           {"' OR 1=1 --", "", 100, nil},
		"no room":                          {"", "", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page, err := d.AccountsAfter(t.Context(), "", test.search, test.after, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range page {
				got = append(got, a.Key)
			}
			equal(t, "keys", got, test.want)
		})
	}
}

func TestCountUsers(t *testing.T) { storetest.Each(t, testCountUsers) }

func testCountUsers(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	addUser(t, d, "ann")
	for realm, want := range map[string]int{"": 1, "ldap": 0} {
		if got, err := d.CountUsers(t.Context(), realm); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", realm, got, err, want)
		}
		write(t, d, func(tx *store.Tx) error {
			if got, err := tx.CountUsers(realm); err != nil || got != want {
				t.Errorf("%q in a transaction: got %d, %v, want %d", realm, got, err, want)
			}
			return nil
		})
	}
}
