package userauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// importedHash is another program's, of goodPassword.
const importedHash = "pbkdf2:sha256:1000$NThN4pN8vmLMsQu1$0cf40930a26ca0b75685277bacf9875e9f46a6a4317593c3ba44f81a50f6c640"

// importing gives users, and then err if it isn't nil.
func importing(err error, users ...userauth.ImportedAccount) iter.Seq2[userauth.ImportedAccount, error] {
	return func(yield func(userauth.ImportedAccount, error) bool) {
		for _, user := range users {
			if !yield(user, nil) {
				return
			}
		}
		if err != nil {
			yield(userauth.ImportedAccount{}, err)
		}
	}
}

func named(names ...string) (users []userauth.ImportedAccount) {
	for _, name := range names {
		users = append(users, userauth.ImportedAccount{Username: name})
	}
	return users
}

// numbered names n users with four digits from first on.
func numberedNames(first, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("user%04d", first+i))
	}
	return names
}

func TestImport(t *testing.T) {
	t.Parallel()
	a, _ := newAccounts(t)
	putRole(t, a, "reader, of all", auth.Permissions{"contents": {"read"}})
	name, created := "Ann Example", time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	began := time.Now().Truncate(time.Second)
	got, err := a.Import(t.Context(), importing(nil,
		userauth.ImportedAccount{Username: "Ann", Hash: importedHash, Profile: auth.UserUpdate{Name: &name}, Roles: []string{"reader, of all"},
			Permissions: auth.Permissions{"notes": {"write"}}, Created: created},
		userauth.ImportedAccount{Username: "bob", Hash: importedHash, Disabled: true},
		userauth.ImportedAccount{Username: "eve"},
	), userauth.ImportOptions{})
	if err != nil || got != (userauth.Imported{Added: 3}) {
		t.Fatalf("got %+v, %v, want 3 added", got, err)
	}
	ann, err := a.Get(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if ann.Username != "Ann" || ann.Name != name || !slices.Equal(ann.Roles, []string{"reader, of all"}) ||
		ann.Permissions.String() != "notes:write" || ann.Disabled || !ann.Created.Equal(created) {
		t.Errorf("got %+v", ann)
	}
	if bob, err := a.Get(t.Context(), "bob"); err != nil || !bob.Disabled || bob.Created.Before(began) || bob.Created.After(time.Now()) {
		t.Errorf("got %+v, %v, want a disabled user made now", bob, err)
	}
	for user, want := range map[string]bool{"ann": true, "bob": true, "eve": false} {
		if ok, err := a.VerifyPassword(t.Context(), user, goodPassword); ok != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", user, ok, err, want)
		}
		if ok, err := a.VerifyPassword(t.Context(), user, otherPassword); ok || err != nil {
			t.Errorf("%s with a wrong password: got %v, %v, want false", user, ok, err)
		}
	}
}

// PH-10, P-14, U-10, X-01: what can't be taken is refused with the number of the user and the field, and nothing of its
// fifty is stored; nor does a dry run say otherwise.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken input")
	long := strings.Repeat("x", 100<<10)
	for name, tc := range map[string]struct {
		user  userauth.ImportedAccount
		field string
		want  error
	}{
		"a name that is taken, in another spelling": {userauth.ImportedAccount{Username: "ANN"}, "", userauth.ErrExists},
		"a name that came before":                   {userauth.ImportedAccount{Username: "BOB"}, "", userauth.ErrExists},
		"no name":                                   {userauth.ImportedAccount{}, "username", nil},
		"a name that nobody can have":               {userauth.ImportedAccount{Username: "a\u200bnn"}, "username", nil},
		"an unknown format":                         {userauth.ImportedAccount{Username: "eve", Hash: "$9$secretsecret"}, "password_hash", nil},
		"a password instead of a hash":              {userauth.ImportedAccount{Username: "eve", Hash: "secretsecret"}, "password_hash", nil},
		"what locks an account elsewhere":           {userauth.ImportedAccount{Username: "eve", Hash: "!secretsecret"}, "password_hash", nil},
		"a hash that costs too much":                {userauth.ImportedAccount{Username: "eve", Hash: "$2b$31$abcdefghijklmnopqrstuujZBTdYzENzkAbdZZams9jnV7mRpjr6G"}, "password_hash", nil},
		"a role that doesn't exist":                 {userauth.ImportedAccount{Username: "eve", Roles: []string{"reader", "editor"}}, "roles", nil},
		"a role that nobody can make":               {userauth.ImportedAccount{Username: "eve", Roles: []string{"\x00"}}, "roles", nil},
		"permissions on nothing":                    {userauth.ImportedAccount{Username: "eve", Permissions: auth.Permissions{"": {"read"}}}, "permissions", nil},
		"a permission that holds a NUL":             {userauth.ImportedAccount{Username: "eve", Permissions: auth.Permissions{"a\x00": {"read"}}}, "permissions", nil},
		"a profile that is too long":                {userauth.ImportedAccount{Username: "eve", Profile: auth.UserUpdate{Workspace: &long}}, "workspace", nil},
		"a time to come":                            {userauth.ImportedAccount{Username: "eve", Created: time.Now().Add(time.Hour)}, "created", nil},
		"a time before all times":                   {userauth.ImportedAccount{Username: "eve", Created: time.Unix(-1, 0)}, "created", nil},
		"what can't be read":                        {userauth.ImportedAccount{}, "", broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, db := newAccounts(t)
			putRole(t, a, "reader", nil)
			if _, err := a.Add(t.Context(), userauth.NewAccount{Username: "ann", Password: goodPassword}); err != nil {
				t.Fatal(err)
			}
			good := []userauth.ImportedAccount{{Username: "bob", Hash: importedHash, Roles: []string{"reader"}}}
			before := dump(t, db)
			for _, o := range []userauth.ImportOptions{{DryRun: true}, {}} {
				users := importing(broken, good...)
				if tc.want != broken {
					users = importing(nil, append(good, tc.user, userauth.ImportedAccount{Username: "zoe"})...)
				}
				got, err := a.Import(t.Context(), users, o)
				var at *userauth.ImportError
				if !errors.As(err, &at) || at.Number != 2 || got != (userauth.Imported{}) {
					t.Fatalf("%+v: got %+v, %v, want nothing done, and an error about number 2", o, got, err)
				}
				var field *auth.FieldError
				switch {
				case tc.want != nil && !errors.Is(err, tc.want):
					t.Errorf("%+v: got %v, want %v", o, err, tc.want)
				case tc.want == nil && (!errors.As(err, &field) || field.Field != tc.field):
					t.Errorf("%+v: got %v, want it to name the field %s", o, err, tc.field)
				case strings.Contains(err.Error(), "secretsecret"):
					t.Errorf("%+v: the error repeats a secret: %v", o, err)
				}
				if after := dump(t, db); after != before {
					t.Errorf("%+v: the database has changed:\n%s\nbefore:\n%s", o, after, before)
				}
			}
			if got, err := a.Import(t.Context(), importing(nil, good...), userauth.ImportOptions{}); err != nil || got.Added != 1 {
				t.Errorf("the good one alone: got %+v, %v", got, err)
			}
		})
	}
}

// A dry run sees what an import would do, and stores nothing.
func TestADryRunOfAnImport(t *testing.T) {
	t.Parallel()
	a, db := newAccounts(t)
	users := named(append(numberedNames(0, 250), "USER0003", "user0007")...)
	before := dump(t, db)
	got, err := a.Import(t.Context(), importing(nil, users...), userauth.ImportOptions{DryRun: true, SkipExisting: true})
	if want := (userauth.Imported{Added: 250, Skipped: 2}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if dump(t, db) != before {
		t.Error("the database has changed")
	}
	real, err := a.Import(t.Context(), importing(nil, users...), userauth.ImportOptions{SkipExisting: true})
	if err != nil || real != got {
		t.Errorf("got %+v, %v, want what the dry run said: %+v", real, err, got)
	}
}

// Users are stored by fifties: one that is refused takes its own fifty back and no other, and the same import goes on
// from there.
func TestAnImportGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	a, _ := newAccounts(t)
	users := named(numberedNames(0, 350)...)
	users[0].Hash = importedHash
	users[249].Roles = []string{"nobody's"}
	got, err := a.Import(t.Context(), importing(nil, users...), userauth.ImportOptions{})
	var at *userauth.ImportError
	if !errors.As(err, &at) || at.Number != 250 || got != (userauth.Imported{Added: 200}) {
		t.Fatalf("got %+v, %v, want 200 added and an error about number 250", got, err)
	}
	count := func() (n int) {
		for after := ""; ; {
			page, next, err := a.List(t.Context(), "", after, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if n += len(page); next == "" {
				return n
			}
			after = next
		}
	}
	if n := count(); n != 200 {
		t.Errorf("got %d users, want 200", n)
	}
	if err := a.SetPassword(t.Context(), users[0].Username, otherPassword); err != nil {
		t.Fatal(err)
	}
	users[249].Roles = nil
	got, err = a.Import(t.Context(), importing(nil, users...), userauth.ImportOptions{SkipExisting: true})
	if want := (userauth.Imported{Added: 150, Skipped: 200}); err != nil || got != want || count() != 350 {
		t.Errorf("got %+v, %v, %d users, want %+v, 350", got, err, count(), want)
	}
	if ok, err := a.VerifyPassword(t.Context(), users[0].Username, otherPassword); !ok || err != nil {
		t.Errorf("who was there has not been left alone: %v, %v", ok, err)
	}
}

// Of the users that are to come nothing is kept in memory, and of those that came no more than fifty: when the sequence
// is asked for the next one, all whole fifties before are stored.
func TestAnImportHoldsFifty(t *testing.T) {
	t.Parallel()
	a, db := newAccounts(t)
	asked := 0
	got, err := a.Import(t.Context(), func(yield func(userauth.ImportedAccount, error) bool) {
		for i, name := range numberedNames(0, 301) {
			var stored int
			if err := db.GetContext(t.Context(), &stored, "SELECT COUNT(*) FROM auth_users"); err != nil || stored != i/50*50 {
				t.Errorf("before number %d: got %d users, %v, want %d", i+1, stored, err, i/50*50)
			}
			asked++
			if !yield(userauth.ImportedAccount{Username: name}, nil) {
				return
			}
		}
	}, userauth.ImportOptions{})
	if err != nil || got.Added != 301 || asked != 301 {
		t.Errorf("got %+v, %v, asked %d times, want 301", got, err, asked)
	}
}

// D-05: whichever call to the database fails, a fifty is there whole or not at all, and the error is no user's.
func TestAnImportIsWholeWhateverFails(t *testing.T) {
	t.Parallel()
	db, faults := storetest.Open(t, filepath.Join(t.TempDir(), "app.db"))
	a := accountsIn(t, db)
	putRole(t, a, "reader", nil)
	users := named("ann", "bob")
	users[1].Roles, users[1].Permissions = []string{"reader"}, auth.Permissions{"a": {"b"}}
	before := dump(t, db)
	for k := 1; ; k++ {
		faults.FailAt(k)
		got, err := a.Import(t.Context(), importing(nil, users...), userauth.ImportOptions{})
		broken := faults.Broken()
		faults.Heal()
		if broken == 0 {
			if err != nil || got != (userauth.Imported{Added: 2}) || k < 5 {
				t.Errorf("with nothing broken, after %d calls: got %+v, %v", k-1, got, err)
			}
			return
		}
		var at *userauth.ImportError
		if !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, storetest.ErrInjected) || errors.As(err, &at) || got != (userauth.Imported{}) {
			t.Errorf("call %d broken: got %+v, %v, want auth.ErrUnavailable and the cause, and no user at fault", k, got, err)
		}
		if after := dump(t, db); after != before {
			t.Fatalf("call %d broken: half of it is there: %s", k, after)
		}
	}
}

// G-02
func TestAnImportedAccountRedactsItself(t *testing.T) {
	t.Parallel()
	user := userauth.ImportedAccount{Username: "ann", Hash: importedHash}
	data, err := json.Marshal(map[string]any{"user": user})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "user", user)
	for _, got := range []string{fmt.Sprintf("%v %+v %#v %s %q %x %d", user, user, user, user, user, user, user), string(data), log.String()} {
		if strings.Contains(got, importedHash) || strings.Contains(got, fmt.Sprintf("%x", importedHash)) || !strings.Contains(got, "redacted") {
			t.Errorf("got %s", got)
		}
	}
}
