package userauth_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/userauth"
)

// U-17, U-18
func TestOfManyWhoWantOneNameOneGetsIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	var instances []*userauth.Accounts
	for range 3 { // as three processes have it: nothing shared but the file
		a, _ := openAccounts(t, path)
		instances = append(instances, a)
	}
	errs := make([]error, 100)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			n := userauth.NewAccount{Username: []string{"bob", "Bob", "BOB"}[i%3], Permissions: auth.Permissions{fmt.Sprint("r", i): {"read"}}}
			_, errs[i] = instances[i%len(instances)].Add(t.Context(), n)
		})
	}
	all.Wait()
	winners := 0
	for _, err := range errs {
		switch {
		case err == nil:
			winners++
		case !errors.Is(err, userauth.ErrExists):
			t.Errorf("got %v, want ErrExists", err)
		}
	}
	users, _, err := instances[0].List(t.Context(), "", "", 0)
	if err != nil || winners != 1 || len(users) != 1 || len(users[0].Permissions) != 1 {
		t.Errorf("got %d winners and users %v, %v, want 1 with its own permission", winners, users, err)
	}
}

// RS-17, RS-18, D-09
func TestOfManyFirstAdminsOneIsMade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	type result struct {
		name, generated string
		made            bool
		err             error
	}
	results := make([]result, 20)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { // each as a process of its own that starts on an empty folder
			r := &results[i]
			db, err := userauth.OpenSQLite(path)
			if err != nil {
				r.err = err
				return
			}
			defer db.Close()
			a, err := userauth.OpenAccountsWith(t.Context(), db, userauth.Policy{}, cheap(t))
			if err != nil {
				r.err = err
				return
			}
			defer a.Close()
			if i%2 == 0 {
				r.name = fmt.Sprint("admin", i)
				r.generated, r.made, r.err = a.FirstAdmin(t.Context(), r.name, "", auth.Permissions{"admin": {"*"}})
			} else {
				r.name = "admin"
				_, r.made, r.err = a.FirstAdmin(t.Context(), r.name, goodPassword, auth.Permissions{"admin": {"*"}})
			}
		})
	}
	all.Wait()
	a, _ := openAccounts(t, path)
	users, _, err := a.List(t.Context(), "", "", 0)
	if err != nil || len(users) != 1 || users[0].Permissions.String() != "admin:*" {
		t.Fatalf("got %v, %v, want one admin", users, err)
	}
	made := 0
	for _, r := range results {
		if r.err != nil {
			t.Errorf("%s: %v", r.name, r.err)
		}
		if !r.made {
			if r.generated != "" {
				t.Errorf("%s: a password for a user who wasn't made", r.name)
			}
			continue
		}
		made++
		pass := r.generated
		if r.name == "admin" {
			pass = goodPassword
		}
		if ok, err := a.VerifyPassword(t.Context(), r.name, pass); err != nil || !ok {
			t.Errorf("%s was told to have been made, but its password is %t, %v", r.name, ok, err)
		}
	}
	if made != 1 {
		t.Errorf("got %d who think they made it, want 1", made)
	}
}

// Two that have both seen an empty database: the second one to write has to look again.
func TestTheFirstAdminIsDecidedWhereItIsWritten(t *testing.T) {
	t.Parallel()
	for _, faster := range []string{"admin", "root"} { // the same name, and another one
		t.Run(faster, func(t *testing.T) {
			t.Parallel()
			a, db := newAccounts(t)
			st, err := store.Open(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			between := func(ctx context.Context, fn func(*store.Tx) error) error {
				if _, made, err := a.FirstAdmin(ctx, faster, goodPassword, nil); err != nil || !made {
					t.Errorf("the faster one: got %t, %v", made, err)
				}
				return st.Write(ctx, fn)
			}
			slower, err := userauth.NewAccountsOver(st, between, cheap(t), userauth.Policy{}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if generated, made, err := slower.FirstAdmin(t.Context(), "admin", "", nil); generated != "" || made || err != nil {
				t.Errorf("the slower one: got %q, %t, %v", generated, made, err)
			}
			if users, _, err := a.List(t.Context(), "", "", 0); err != nil || len(users) != 1 || users[0].Username != faster {
				t.Errorf("got %v, %v, want %s alone", users, err, faster)
			}
		})
	}
}

// RS-18: no user with a known password, and none is made once there is somebody.
func TestTheFirstAdminIsMadeOnlyWhereThereIsNobody(t *testing.T) {
	onEngines(t, testTheFirstAdminIsMadeOnlyWhereThereIsNobody)
}

func testTheFirstAdminIsMadeOnlyWhereThereIsNobody(t *testing.T) {
	a, db := newAccounts(t)
	if users, _, err := a.List(t.Context(), "", "", 0); err != nil || len(users) != 0 {
		t.Fatalf("a new database has %v, %v", users, err)
	}
	generated, made, err := a.FirstAdmin(t.Context(), "admin", "", nil)
	if err != nil || !made || len(generated) < 20 { // 20 characters of 5 bits
		t.Fatalf("got %q, %t, %v", generated, made, err)
	}
	before := dump(t, db)
	for name, pass := range map[string]string{"admin": goodPassword, "bob": "", "short": "x", "bad\nname": ""} { // nothing of it is looked at
		if generated, made, err := a.FirstAdmin(t.Context(), name, pass, nil); err != nil || made || generated != "" {
			t.Errorf("%q: got %q, %t, %v", name, generated, made, err)
		}
	}
	if got := dump(t, db); got != before {
		t.Errorf("the database has changed: %s", got)
	}
	if ok, err := a.VerifyPassword(t.Context(), "admin", generated); err != nil || !ok {
		t.Errorf("the generated password: got %t, %v", ok, err)
	}
	if strings.Contains(before, generated) {
		t.Error("the generated password is in the database")
	}
}

// A full queue of hashes is nobody's wrong password.
func TestTooManyHashesAreUnavailable(t *testing.T) {
	t.Parallel()
	_, db := newAccounts(t)
	hasher, err := password.NewHasher(password.Config{Parallel: 1, Queue: 1})
	if err != nil {
		t.Fatal(err)
	}
	a, err := userauth.OpenAccountsWith(t.Context(), db, userauth.Policy{}, hasher)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	addUser(t, a, "ann")
	errs := make([]error, 64)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			if i%2 == 0 {
				_, errs[i] = a.VerifyPassword(t.Context(), "ann", goodPassword)
			} else {
				_, errs[i] = a.Add(t.Context(), userauth.NewAccount{Username: fmt.Sprint("user", i), Password: goodPassword})
			}
		})
	}
	all.Wait()
	busy := 0
	for _, err := range errs {
		if err == nil {
			continue
		}
		busy++
		if !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, password.ErrBusy) {
			t.Errorf("got %v, want it to wrap auth.ErrUnavailable and the cause", err)
		}
	}
	if busy == 0 {
		t.Error("nobody was turned away: this test shows nothing")
	}
}
