package store_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// S-15: the id of a deleted user is nobody's again, also for another store over the same file.
func TestUserIDsAreNeverReused(t *testing.T) { storetest.Each(t, testUserIDsAreNeverReused) }

func testUserIDsAreNeverReused(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	other := openDB(t, base.Raw(t, plainOptions))
	seen := map[int64]bool{}
	for i := range 6 {
		id := addUser(t, []*store.DB{d, other}[i%2], "ann")
		if seen[id] {
			t.Fatalf("id %d was given twice", id)
		}
		seen[id] = true
		addSessions(t, d, newSession(id, "s", 1))
		write(t, d, func(tx *store.Tx) error { return tx.DeleteUser(id) })
		if _, err := session(t.Context(), d, newSession(id, "s", 1).Hash); err == nil {
			t.Error("a deleted user's session is there")
		}
	}
}

func TestAddUser(t *testing.T) { storetest.Each(t, testAddUser) }

func testAddUser(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	ann := addUser(t, d, "ann")
	for name, test := range map[string]struct {
		user store.User
		want error
	}{
		"the same key":              {store.User{Key: "ann", Username: "other"}, store.ErrExists},
		"the same key elsewhere":    {store.User{Realm: "ldap", Key: "ann"}, nil},
		"another case":              {store.User{Key: "Ann"}, nil},
		"U-09: more behind a NUL":   {store.User{Key: "ann\x00", Username: "ab"}, store.ErrInvalid},
		"U-09: a NUL in its middle": {store.User{Key: "cy", Username: "c\x00y"}, store.ErrInvalid},
		"no UTF-8":                  {store.User{Key: "\xff"}, store.ErrInvalid},
		"a space at the end (D-11)": {store.User{Key: "ann "}, nil},
		"four bytes":                {store.User{Key: "🦊"}, nil},
		"the longest (U-13)":        {store.User{Key: strings.Repeat("x", 1024)}, nil},
		"the longest, and more":     {store.User{Key: strings.Repeat("x", 1024) + "y"}, store.ErrInvalid},
	} {
		err := d.Write(t.Context(), func(tx *store.Tx) error {
			if has, err := tx.HasKey(test.user.Realm, test.user.Key); err != nil || has != (test.want == store.ErrExists) {
				t.Errorf("%s: got %t, %v, want it to be there: %t", name, has, err, test.want == store.ErrExists)
			}
			id, err := tx.AddUser(test.user)
			if (id == 0) != (err != nil) {
				t.Errorf("%s: got id %d with %v", name, id, err)
			}
			return err
		})
		wantError(t, name, err, test.want)
		a, err := d.AccountByKey(t.Context(), test.user.Realm, test.user.Key)
		if test.want == store.ErrInvalid {
			wantError(t, name+": reading", err, store.ErrNotFound)
		} else if err != nil || test.want == nil && (a.Username != test.user.Username || a.Key != test.user.Key) {
			t.Errorf("%s: got %+v, %v", name, a, err)
		}
	}
	if got := account(t, d, ann); got.Username != "ANN" {
		t.Errorf("ann is %+v now", got)
	}
}

func TestDeleteUserTakesAll(t *testing.T) { storetest.Each(t, testDeleteUserTakesAll) }

func testDeleteUserTakesAll(t *testing.T, on storetest.Engine) {
	for name, options := range map[string]string{"with foreign keys": "?_pragma=foreign_keys(1)", "with no option": plainOptions} {
		if on != storetest.SQLite && options != plainOptions {
			continue // they always have foreign keys
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, base := open(t, on)
			db := base.Raw(t, options)
			d := openDB(t, db)
			ids := []int64{addUser(t, d, "ann"), addUser(t, d, "bob")}
			write(t, d, func(tx *store.Tx) error {
				if _, err := tx.PutRole(store.Role{Name: "r"}, 0); err != nil {
					return err
				}
				for i, id := range ids {
					for _, err := range []error{
						tx.Grant(id, []store.Permission{{"a", "b"}}), tx.AddRoles(id, []string{"r"}),
						tx.PutExternal(store.External{Issuer: "i", Subject: string(rune('a' + i)), User: id}),
						tx.AddSession(newSession(id, string(rune('a'+i)), 1), 0),
					} {
						if err != nil {
							return err
						}
					}
				}
				return nil
			})
			bob := account(t, d, ids[1])
			write(t, d, func(tx *store.Tx) error { return tx.DeleteUser(ids[0]) })
			for _, table := range []string{"auth_user_permissions", "auth_user_roles", "auth_externals", "auth_sessions"} {
				var users []int64
				if err := db.SelectContext(t.Context(), &users, "SELECT user_id FROM "+table); err != nil {
					t.Fatal(err)
				}
				equal(t, table, users, ids[1:])
			}
			if got := account(t, d, ids[1]); !reflect.DeepEqual(got, bob) {
				t.Errorf("bob: got %+v, want %+v", got, bob)
			}
			wantError(t, "again", d.Write(t.Context(), func(tx *store.Tx) error { return tx.DeleteUser(ids[0]) }), store.ErrNotFound)
		})
	}
}

func TestPasswords(t *testing.T) { storetest.Each(t, testPasswords) }

func testPasswords(t *testing.T, on storetest.Engine) {
	for name, test := range map[string]struct {
		fn   func(tx *store.Tx) error
		want error
		hash string
		at   int64
	}{
		"set":                  {func(tx *store.Tx) error { return tx.SetPassword(1, "hash of ann", "new", 7) }, nil, "new", 7},
		"set by a wrong hash":  {func(tx *store.Tx) error { return tx.SetPassword(1, "HASH of ann", "new", 7) }, store.ErrChanged, "hash of ann", 100},
		"set by no hash":       {func(tx *store.Tx) error { return tx.SetPassword(1, "", "new", 7) }, store.ErrChanged, "hash of ann", 100},
		"set of nobody":        {func(tx *store.Tx) error { return tx.SetPassword(2, "", "new", 7) }, store.ErrNotFound, "hash of ann", 100},
		"rehash":               {func(tx *store.Tx) error { return tx.Rehash(1, "hash of ann", "new") }, nil, "new", 100},
		"rehash after another": {func(tx *store.Tx) error { return tx.Rehash(1, "older", "new") }, store.ErrChanged, "hash of ann", 100},
		"rehash of nobody":     {func(tx *store.Tx) error { return tx.Rehash(2, "", "new") }, store.ErrNotFound, "hash of ann", 100},
		"replace":              {func(tx *store.Tx) error { return tx.ReplacePassword(1, "new", 7) }, nil, "new", 7},
		"remove":               {func(tx *store.Tx) error { return tx.ReplacePassword(1, "", 7) }, nil, "", 7},
		"replace of nobody":    {func(tx *store.Tx) error { return tx.ReplacePassword(2, "new", 7) }, store.ErrNotFound, "hash of ann", 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := open(t, on)
			ann := addUser(t, d, "ann")
			wantError(t, "changing", d.Write(t.Context(), test.fn), test.want)
			if got := account(t, d, ann); got.Hash != test.hash || got.PasswordAt != test.at {
				t.Errorf("got %q at %d, want %q at %d", got.Hash, got.PasswordAt, test.hash, test.at)
			}
		})
	}
}

// V-05: of many changes by the same old password one wins.
func TestPasswordChangesAtOnce(t *testing.T) { storetest.Each(t, testPasswordChangesAtOnce) }

func testPasswordChangesAtOnce(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	other := openDB(t, base.Raw(t, plainOptions))
	ann := addUser(t, d, "ann")
	var mu sync.Mutex
	var won []string
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			hash := string(rune('a' + i))
			err := []*store.DB{d, other}[i%2].Write(t.Context(), func(tx *store.Tx) error { return tx.SetPassword(ann, "hash of ann", hash, 7) })
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				won = append(won, hash)
				return
			}
			wantError(t, "losing", err, store.ErrChanged)
		})
	}
	wg.Wait()
	equal(t, "won", won, []string{account(t, d, ann).Hash})
}

func TestUpdateProfile(t *testing.T) { storetest.Each(t, testUpdateProfile) }

func testUpdateProfile(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	ann, bob := addUser(t, d, "ann"), addUser(t, d, "bob")
	text := func(s string) *string { return &s }
	want := *account(t, d, ann)
	for _, step := range []struct {
		update store.ProfileUpdate
		apply  func(*store.Profile)
	}{
		{store.ProfileUpdate{}, func(*store.Profile) {}},
		{store.ProfileUpdate{Name: text("n"), Settings: text("s")}, func(p *store.Profile) { p.Name, p.Settings = "n", "s" }},
		{store.ProfileUpdate{DisplayName: text("d"), Initials: text("i")}, func(p *store.Profile) { p.DisplayName, p.Initials = "d", "i" }},
		{store.ProfileUpdate{Color: text("c"), AvatarURL: text("a"), Workspace: text("w")}, func(p *store.Profile) { p.Color, p.AvatarURL, p.Workspace = "c", "a", "w" }},
		{store.ProfileUpdate{Name: text(""), Color: text("'; DROP TABLE auth_users; --")}, func(p *store.Profile) { p.Name, p.Color = "", "'; DROP TABLE auth_users; --" }},
	} {
		step.apply(&want.Profile)
		write(t, d, func(tx *store.Tx) error { return tx.UpdateProfile(ann, step.update) })
		if got := account(t, d, ann); !reflect.DeepEqual(*got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for name, update := range map[string]store.ProfileUpdate{"some": {Name: text("x")}, "none": {}} {
		err := d.Write(t.Context(), func(tx *store.Tx) error { return tx.UpdateProfile(99, update) })
		wantError(t, name+" of nobody", err, store.ErrNotFound)
	}
	if n, err := d.CountUsers(t.Context(), ""); err != nil || n != 2 || account(t, d, bob).Profile != (store.Profile{}) {
		t.Errorf("got %d users, %v, bob %+v", n, err, account(t, d, bob))
	}
}

// a profile written by who read it long ago brings nothing back.
func TestProfileBringsBackNoRights(t *testing.T) { storetest.Each(t, testProfileBringsBackNoRights) }

func testProfileBringsBackNoRights(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	ann := addUser(t, d, "ann")
	admin := []store.Permission{{"admin", "*"}}
	write(t, d, func(tx *store.Tx) error { return tx.Grant(ann, admin) })
	old := account(t, d, ann)
	write(t, d, func(tx *store.Tx) error { tx.Revoke(ann, admin); return tx.SetDisabled(ann, true) })
	p := old.Profile
	write(t, d, func(tx *store.Tx) error {
		return tx.UpdateProfile(ann, store.ProfileUpdate{&p.Name, &p.DisplayName, &p.Initials, &p.Color, &p.AvatarURL, &p.Workspace, &p.Settings})
	})
	if got := account(t, d, ann); len(got.Permissions) != 0 || !got.Disabled {
		t.Errorf("got %+v, want no permission, disabled", got)
	}
}
