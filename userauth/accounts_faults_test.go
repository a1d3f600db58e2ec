package userauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// D-05: whichever call to the database fails, a change is there whole or not at all, and whoever asked for it learns
// which (but for a commit whose answer is lost).
func TestAChangeIsWholeWhateverFails(t *testing.T) {
	t.Parallel()
	yes := true
	for name, act := range map[string]func(context.Context, *userauth.Accounts) error{
		"Add": func(ctx context.Context, a *userauth.Accounts) error {
			_, err := a.Add(ctx, userauth.NewAccount{
				Username: "bob", Password: goodPassword, Roles: []string{"reader", "editor"}, Permissions: auth.Permissions{"a": {"b", "c"}},
			})
			return err
		},
		"SetPassword": func(ctx context.Context, a *userauth.Accounts) error { return a.SetPassword(ctx, "ann", otherPassword) },
		"Delete":      func(ctx context.Context, a *userauth.Accounts) error { return a.Delete(ctx, "ann") },
		"Change": func(ctx context.Context, a *userauth.Accounts) error {
			_, err := a.Change(ctx, "ann", userauth.AccountChange{
				Grant: auth.Permissions{"x": {"y"}}, Revoke: auth.Permissions{"contents": {"read"}},
				AddRoles: []string{"editor"}, RemoveRoles: []string{"reader"}, Disabled: &yes,
			})
			return err
		},
		"EndSessions": func(ctx context.Context, a *userauth.Accounts) error { _, err := a.EndSessions(ctx, "ann"); return err },
		"PutRole": func(ctx context.Context, a *userauth.Accounts) error {
			_, err := a.PutRole(ctx, userauth.Role{Name: "new", Permissions: auth.Permissions{"a": {"b", "c"}}})
			return err
		},
		"DeleteRole": func(ctx context.Context, a *userauth.Accounts) error { return a.DeleteRole(ctx, "reader") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, faults := storetest.Open(t, filepath.Join(t.TempDir(), "app.db"))
			a := accountsIn(t, db)
			putRole(t, a, "reader", auth.Permissions{"contents": {"read"}})
			putRole(t, a, "editor", nil)
			ann, err := a.Add(t.Context(), userauth.NewAccount{
				Username: "ann", Password: goodPassword, Roles: []string{"reader"}, Permissions: auth.Permissions{"contents": {"read"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			addSession(t, db, ann, time.Now().Add(time.Hour))
			before := dump(t, db)
			for k := 1; ; k++ {
				faults.FailAt(k)
				err := act(t.Context(), a)
				broken := faults.Broken()
				faults.Heal()
				if broken == 0 {
					if err != nil || dump(t, db) == before {
						t.Errorf("with nothing broken: got %v, and the database is what it was: %t", err, dump(t, db) == before)
					}
					if k < 5 {
						t.Errorf("only %d calls were broken: this test shows little", k-1)
					}
					return
				}
				if !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, storetest.ErrInjected) {
					t.Errorf("call %d broken: got %v, want it to wrap auth.ErrUnavailable and the cause", k, err)
				}
				if got := dump(t, db); got != before {
					t.Fatalf("call %d broken: half of it is there: %s", k, got)
				}
			}
		})
	}
}

// FirstAdmin apart: it is about an empty database.
func TestTheFirstAdminIsWholeWhateverFails(t *testing.T) {
	t.Parallel()
	db, faults := storetest.Open(t, filepath.Join(t.TempDir(), "app.db"))
	a := accountsIn(t, db)
	before := dump(t, db)
	for k := 1; ; k++ {
		faults.FailAt(k)
		generated, made, err := a.FirstAdmin(t.Context(), "admin", "", auth.Permissions{"admin": {"*"}})
		broken := faults.Broken()
		faults.Heal()
		if broken == 0 {
			if err != nil || !made || generated == "" {
				t.Errorf("with nothing broken: got %t, %v", made, err)
			}
			return
		}
		if !errors.Is(err, auth.ErrUnavailable) || made || generated != "" {
			t.Errorf("call %d broken: got made %t, %v", k, made, err)
		}
		if got := dump(t, db); got != before {
			t.Fatalf("call %d broken: half of it is there: %s", k, got)
		}
	}
}

// D-06: a full disk and a read-only database are outages. Reads work, nothing is lost, and it recovers.
func TestADatabaseThatCannotBeWrittenIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, breaks, heals string }{
		{"full", "PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000"}, // raised to what is used already
		{"read-only", "PRAGMA query_only = 1", "PRAGMA query_only = 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, db := newAccounts(t)
			db.SetMaxOpenConns(1) // a pragma is its connection's
			addUser(t, a, "ann")
			exec := func(pragma string) {
				t.Helper()
				if _, err := db.ExecContext(t.Context(), pragma); err != nil {
					t.Fatal(err)
				}
			}
			exec(tc.breaks)
			long := strings.Repeat("x", 60<<10) // more than the free space of any page
			big := userauth.NewAccount{Username: "bob", Profile: auth.UserUpdate{Settings: &long}}
			before := dump(t, db)
			if _, err := a.Add(t.Context(), big); !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("got %v, want it to wrap auth.ErrUnavailable", err)
			}
			if got := dump(t, db); got != before {
				t.Errorf("the database has changed: %s", got)
			}
			if ok, err := a.VerifyPassword(t.Context(), "ann", goodPassword); err != nil || !ok {
				t.Errorf("reading: got %t, %v", ok, err)
			}
			exec(tc.heals)
			if _, err := a.Add(t.Context(), big); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestEveryMethodIsUnavailableWhereTheDatabaseIs(t *testing.T) {
	t.Parallel()
	db, faults := storetest.Open(t, filepath.Join(t.TempDir(), "app.db"))
	a := accountsIn(t, db)
	addUser(t, a, "ann")
	methods := func(ctx context.Context) map[string]error {
		errs := everyLookup(ctx, a, "ann")
		_, errs["Add"] = a.Add(ctx, userauth.NewAccount{Username: "bob"})
		_, _, errs["List"] = a.List(ctx, "", "", 0)
		_, errs["Roles"] = a.Roles(ctx)
		_, errs["PutRole"] = a.PutRole(ctx, userauth.Role{Name: "editor"})
		errs["DeleteRole"] = a.DeleteRole(ctx, "editor")
		_, _, errs["FirstAdmin"] = a.FirstAdmin(ctx, "admin", "", nil)
		return errs
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	before := dump(t, db)
	for why, errs := range map[string]func() map[string]error{
		"a done context": func() map[string]error { return methods(ended) },
		"an outage": func() map[string]error {
			faults.Fail()
			defer faults.Heal()
			return methods(t.Context())
		},
	} {
		for what, err := range errs() {
			if !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("%s in %s: got %v, want it to wrap auth.ErrUnavailable", what, why, err)
			}
		}
	}
	if got := dump(t, db); got != before {
		t.Errorf("the database has changed: %s", got)
	}
}

func TestNothingSecretIsShown(t *testing.T) {
	t.Parallel()
	a, db := newAccounts(t)
	n := userauth.NewAccount{Username: "ann\x1b[2J", Password: goodPassword}
	account := addUser(t, a, "ann")
	var hash string
	if err := db.GetContext(t.Context(), &hash, "SELECT password_hash FROM auth_users"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(dump(t, db), goodPassword) {
		t.Error("the password is in the database")
	}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	for what, v := range map[string]any{"NewAccount": n, "*NewAccount": &n, "in a list": []userauth.NewAccount{n}, "Account": account, "Accounts": a} {
		logger.Info("x", "v", v)
		shown := fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v)
		if data, err := json.Marshal(v); err == nil {
			shown += string(data)
		} else {
			t.Errorf("%s: %v", what, err)
		}
		for _, secret := range []string{"otter", hash, "$argon2", "\x1b"} {
			if strings.Contains(shown, secret) || strings.Contains(log.String(), secret) {
				t.Errorf("%s shows %q: %s %s", what, secret, shown, &log)
			}
		}
	}
	_, err := a.Add(t.Context(), userauth.NewAccount{Username: "ann", Password: goodPassword})
	if err == nil || strings.Contains(err.Error(), "otter") {
		t.Errorf("got %v, want an error without the password", err)
	}
}

func TestAnAccountAsJSON(t *testing.T) {
	t.Parallel()
	a, _ := newAccounts(t)
	addUser(t, a, "Ann")
	account, err := a.Get(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	account.Created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got, err := json.Marshal(account)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"user:1","username":"Ann","name":"Ann","display_name":"Ann","initials":null,"avatar_url":null,"color":null,` +
		`"workspace":"","settings":"","anonymous":false,"roles":[],"permissions":{},"disabled":false,"created":"2026-01-02T03:04:05Z"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, err := json.Marshal(userauth.Account{}); err != nil || !strings.Contains(string(got), `"roles":[],"permissions":{}`) {
		t.Errorf("the zero account: got %s, %v", got, err)
	}
}
