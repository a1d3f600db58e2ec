package userauth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/userauth"
)

// P-01, P-08: the same rule wherever a password is set.
func TestWeakPasswordsAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, password string
		refused        bool
	}{
		{"one character too few", "bcdfghjklmnpqr", true},
		{"just enough", "kvbzqxwjpfmtdg8", false},
		{"characters are counted, not bytes", "пароль-пароль1", true},
		{"enough characters of two bytes", "тихий дом у реки", false},
		{"a common one, and then some", "password1111111", true},
		{"the username, and then some", "constantinople1", true},
		{"the username in capitals", "CONSTANTINOPLE-1", true},
		{"the application's name", "constellations-2026", true},
		{"the most that is taken", strings.Repeat("blue kite", 28) + "abcd", false},
		{"one character too many", strings.Repeat("blue kite", 28) + "abcde", true},
		{"not UTF-8", "purple otter crosses \xff rivers", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, db := newAccounts(t)
			a, err := userauth.OpenAccountsWith(t.Context(), db, userauth.Policy{BlockedWords: []string{"Constellations"}}, cheap(t))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			const name = "constantinople"
			check := func(how string, err error) {
				t.Helper()
				if !tc.refused && err != nil {
					t.Errorf("%s: got %v, want it taken", how, err)
				}
				if tc.refused {
					wantField(t, err, "password")
				}
			}
			_, _, err = a.FirstAdmin(t.Context(), name, tc.password, nil)
			check("FirstAdmin", err)
			if err == nil {
				if err := a.Delete(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
			_, err = a.Add(t.Context(), userauth.NewAccount{Username: name, Password: tc.password})
			check("Add", err)
			if err != nil {
				addUser(t, a, name)
			}
			check("SetPassword", a.SetPassword(t.Context(), name, tc.password))
			want := tc.password
			if tc.refused {
				want = goodPassword
			}
			if ok, err := a.VerifyPassword(t.Context(), name, want); err != nil || !ok {
				t.Errorf("got %t, %v for the password that should hold", ok, err)
			}
		})
	}
}

// P-01
func TestThePolicyHasAFloor(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		policy userauth.Policy
		field  string // of the policy, in the error; "" if it is taken
	}{
		{"nothing set", userauth.Policy{}, ""},
		{"the floor", userauth.Policy{MinPassword: 8}, ""},
		{"below the floor", userauth.Policy{MinPassword: 7}, "MinPassword"},
		{"negative", userauth.Policy{MinPassword: -1}, "MinPassword"},
		{"more than any password has", userauth.Policy{MinPassword: 257}, "MinPassword"},
		{"a word without letters", userauth.Policy{BlockedWords: []string{"123"}}, "BlockedWords"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, db := newAccounts(t)
			a, err := userauth.OpenAccounts(t.Context(), db, tc.policy)
			if tc.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				a.Close()
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.field) {
				t.Errorf("got %v, want an error that names %s", err, tc.field)
			}
		})
	}
	_, db := newAccounts(t)
	a, err := userauth.OpenAccountsWith(t.Context(), db, userauth.Policy{MinPassword: 8}, cheap(t))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	_, err = a.Add(t.Context(), userauth.NewAccount{Username: "ann", Password: "kvbzqxw"})
	wantField(t, err, "password")
	if _, err := a.Add(t.Context(), userauth.NewAccount{Username: "ann", Password: "kvbzqxwj"}); err != nil {
		t.Error(err)
	}
}

func TestANewPasswordReplacesTheOldAndEndsAllSessions(t *testing.T) {
	t.Parallel()
	a, db := newAccounts(t)
	ann, bob := addUser(t, a, "ann"), addUser(t, a, "bob")
	addSession(t, db, ann, time.Now().Add(time.Hour))
	addSession(t, db, bob, time.Now().Add(time.Hour))
	if err := a.SetPassword(t.Context(), "Ann", otherPassword); err != nil {
		t.Fatal(err)
	}
	for pass, want := range map[string]bool{goodPassword: false, otherPassword: true, "": false, strings.ToUpper(otherPassword): false, otherPassword + " ": false} {
		if got, err := a.VerifyPassword(t.Context(), "ann", pass); err != nil || got != want {
			t.Errorf("password %q: got %t, %v, want %t", pass, got, err, want)
		}
	}
	if got, err := a.Sessions(t.Context(), "ann"); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v, want no session left", got, err)
	}
	if ok, err := a.VerifyPassword(t.Context(), "bob", goodPassword); err != nil || !ok {
		t.Errorf("another user's password: got %t, %v", ok, err)
	}
	if got, err := a.Sessions(t.Context(), "bob"); err != nil || len(got) != 1 {
		t.Errorf("another user's session: got %v, %v", got, err)
	}
}

// P-14
func TestNoPasswordMatchesWhatIsNoHash(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{"", "!", "*", "plain", "$argon2id$v=19$m=8,t=1,p=1$$", "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"} {
		t.Run(stored, func(t *testing.T) {
			t.Parallel()
			a, db := newAccounts(t)
			addUser(t, a, "ann")
			if _, err := db.ExecContext(t.Context(), "UPDATE auth_users SET password_hash = ?", stored); err != nil {
				t.Fatal(err)
			}
			for _, pass := range []string{"", stored, "plain", goodPassword} {
				if ok, err := a.VerifyPassword(t.Context(), "ann", pass); err != nil || ok {
					t.Errorf("password %q: got %t, %v, want false", pass, ok, err)
				}
			}
		})
	}
	a, _ := newAccounts(t)
	if _, err := a.Add(t.Context(), userauth.NewAccount{Username: "bob"}); err != nil { // without a password
		t.Fatal(err)
	}
	if ok, err := a.VerifyPassword(t.Context(), "bob", ""); err != nil || ok {
		t.Errorf("a user without a password: got %t, %v, want false", ok, err)
	}
	if err := a.SetPassword(t.Context(), "bob", ""); err == nil || errors.Is(err, userauth.ErrNotFound) {
		t.Errorf("setting no password: got %v, want it refused", err)
	}
}

// S-14: the user who had the name while the password was being hashed is gone, and the new one must not get it.
func TestAPasswordGoesToTheUserNotToTheName(t *testing.T) {
	t.Parallel()
	a, db := newAccounts(t)
	addUser(t, a, "ann")
	st, err := store.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	between := func(ctx context.Context, fn func(*store.Tx) error) error { // the look-up and the change
		if err := a.Delete(ctx, "ann"); err != nil {
			t.Error(err)
		}
		addUser(t, a, "ann")
		return st.Write(ctx, fn)
	}
	slow, err := userauth.NewAccountsOver(st, between, cheap(t), userauth.Policy{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for what, act := range map[string]func() error{
		"SetPassword": func() error { return slow.SetPassword(t.Context(), "ann", otherPassword) },
		"Delete":      func() error { return slow.Delete(t.Context(), "ann") },
	} {
		if err := act(); !errors.Is(err, userauth.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", what, err)
		}
		if ok, err := a.VerifyPassword(t.Context(), "ann", goodPassword); err != nil || !ok {
			t.Errorf("%s: got %t, %v for the new user's own password", what, ok, err)
		}
	}
}
