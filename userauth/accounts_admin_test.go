package userauth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

var adminWrites = auth.Permissions{"admin": {"write"}}

//
func TestTheLastAdminStays(t *testing.T) { onEngines(t, testTheLastAdminStays) }

func testTheLastAdminStays(t *testing.T) {
	yes := true
	disable := func(ctx context.Context, a *userauth.Accounts) error {
		_, err := a.Change(ctx, "ann", userauth.AccountChange{Disabled: &yes})
		return err
	}
	remove := func(ctx context.Context, a *userauth.Accounts) error { return a.Delete(ctx, "ann") }
	revoke := func(p auth.Permissions) func(context.Context, *userauth.Accounts) error {
		return func(ctx context.Context, a *userauth.Accounts) error {
			_, err := a.Change(ctx, "ann", userauth.AccountChange{Revoke: p})
			return err
		}
	}
	takeRole := func(ctx context.Context, a *userauth.Accounts) error {
		_, err := a.Change(ctx, "ann", userauth.AccountChange{RemoveRoles: []string{"boss"}})
		return err
	}
	deleteRole := func(ctx context.Context, a *userauth.Accounts) error { return a.DeleteRole(ctx, "boss") }
	emptyRole := func(ctx context.Context, a *userauth.Accounts) error {
		role, err := a.Role(ctx, "boss")
		if err == nil {
			_, err = a.PutRole(ctx, userauth.Role{Name: "boss", Permissions: auth.Permissions{"admin": {"read"}}, Version: role.Version})
		}
		return err
	}
	for _, tc := range []struct {
		name   string
		direct auth.Permissions
		role   auth.Permissions // of "boss", which ann has where it isn't nil
		act    func(context.Context, *userauth.Accounts) error
	}{
		{"disabled", adminWrites, nil, disable},
		{"deleted", adminWrites, nil, remove},
		{"the permission is revoked", adminWrites, nil, revoke(adminWrites)},
		{"every action is revoked", auth.Permissions{"admin": {"*"}}, nil, revoke(auth.Permissions{"admin": {"*"}})},
		{"all resources are revoked", auth.Permissions{"*": {"write"}}, nil, revoke(auth.Permissions{"*": {"write"}})},
		{"resources that begin alike are revoked", auth.Permissions{"adm*": {"*"}}, nil, revoke(auth.Permissions{"adm*": {"*"}})},
		{"those that begin with the whole are revoked", auth.Permissions{"admin*": {"*"}}, nil, revoke(auth.Permissions{"admin*": {"*"}})},
		{"disabled, an admin by a role", nil, adminWrites, disable},
		{"deleted, an admin by a role", nil, auth.Permissions{"*": {"*"}}, remove},
		{"the role is taken", nil, adminWrites, takeRole},
		{"the role is deleted", nil, adminWrites, deleteRole},
		{"the role is changed", nil, auth.Permissions{"a*": {"*"}}, emptyRole},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, db := newAccounts(t)
			n := userauth.NewAccount{Username: "ann", Permissions: tc.direct}
			if tc.role != nil {
				putRole(t, a, "boss", tc.role)
				n.Roles = []string{"boss"}
			}
			if _, err := a.Add(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			// None of these is an admin who could help.
			for i, p := range []auth.Permissions{nil, {"admin": {"read"}}, {"admin/*": {"*"}}, {"Admin": {"*"}}, {"contents": {"write"}}} {
				if _, err := a.Add(t.Context(), userauth.NewAccount{Username: fmt.Sprint("user", i), Permissions: p}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := a.Add(t.Context(), userauth.NewAccount{Username: "zoe", Permissions: adminWrites, Disabled: true}); err != nil {
				t.Fatal(err)
			}
			before := dump(t, db)
			if err := tc.act(t.Context(), a); !errors.Is(err, userauth.ErrLastAdmin) {
				t.Errorf("got %v, want ErrLastAdmin", err)
			}
			if got := dump(t, db); got != before {
				t.Errorf("the database has changed: %s", got)
			}
			no := false
			if _, err := a.Change(t.Context(), "zoe", userauth.AccountChange{Disabled: &no}); err != nil {
				t.Fatal(err)
			}
			if err := tc.act(t.Context(), a); err != nil {
				t.Errorf("with another admin: got %v", err)
			}
		})
	}
}

// Where nobody could administer, nothing is taken from anybody.
func TestWithoutAdminsEverythingCanBeTaken(t *testing.T) {
	onEngines(t, testWithoutAdminsEverythingCanBeTaken)
}

func testWithoutAdminsEverythingCanBeTaken(t *testing.T) {
	a, _ := newAccounts(t)
	role := putRole(t, a, "boss", adminWrites) // nobody has it
	addUser(t, a, "ann")
	if _, err := a.PutRole(t.Context(), userauth.Role{Name: "boss", Version: role.Version}); err != nil {
		t.Error(err)
	}
	if err := errors.Join(a.DeleteRole(t.Context(), "boss"), a.Delete(t.Context(), "ann")); err != nil {
		t.Error(err)
	}
}

// What everybody has by default counts while there is anybody, and what a change gives back in the same breath too.
func TestWhatMakesAnotherAdmin(t *testing.T) { onEngines(t, testWhatMakesAnotherAdmin) }

func testWhatMakesAnotherAdmin(t *testing.T) {
	s := newSite(t, func(c *userauth.Config) { c.DefaultRoles = []string{"member"} })
	a := s.users.Accounts()
	s.role("member", adminWrites)
	s.add("ann", adminWrites)
	s.add("bob", nil)
	s.change("ann", userauth.AccountChange{Revoke: adminWrites}) // she holds it still
	if err := a.DeleteRole(t.Context(), "member"); !errors.Is(err, userauth.ErrLastAdmin) {
		t.Errorf("the role of all: got %v, want ErrLastAdmin", err)
	}
	s.disable("bob")
	if err := a.Delete(t.Context(), "ann"); !errors.Is(err, userauth.ErrLastAdmin) {
		t.Errorf("the last one who has the role of all: got %v, want ErrLastAdmin", err)
	}
	s.change("ann", userauth.AccountChange{Grant: adminWrites})
	if err := a.DeleteRole(t.Context(), "member"); err != nil {
		t.Error(err)
	}
	s.change("ann", userauth.AccountChange{Revoke: adminWrites, Grant: auth.Permissions{"*": {"*"}}})
}

// Whoever holds it by a wildcard is an admin like any other.
func TestAnotherAdminByAWildcard(t *testing.T) { onEngines(t, testAnotherAdminByAWildcard) }

func testAnotherAdminByAWildcard(t *testing.T) {
	a, _ := newAccounts(t)
	for i, p := range []auth.Permissions{adminWrites, {"admin": {"*"}}, {"admin*": {"write"}}, {"adm*": {"*"}}, {"*": {"*"}}} {
		if _, err := a.Add(t.Context(), userauth.NewAccount{Username: fmt.Sprint("admin", i), Permissions: p}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		if err := a.Delete(t.Context(), fmt.Sprint("admin", i-1)); err != nil {
			t.Errorf("beside one who holds %s: got %v", p, err)
		}
		if err := a.Delete(t.Context(), fmt.Sprint("admin", i)); !errors.Is(err, userauth.ErrLastAdmin) {
			t.Errorf("who holds %s: got %v, want ErrLastAdmin", p, err)
		}
	}
}

// two admins who remove each other at once, each at another instance.
func TestOfAdminsWhoRemoveEachOtherOneStays(t *testing.T) {
	onEngines(t, testOfAdminsWhoRemoveEachOtherOneStays)
}

func testOfAdminsWhoRemoveEachOtherOneStays(t *testing.T) {
	for range 3 {
		base := storetest.Of(t).New(t)
		one, _ := base.Open(t)
		other, _ := base.Open(t)
		first, second := accountsIn(t, one), accountsIn(t, other)
		for _, name := range []string{"ann", "bob"} {
			if _, err := first.Add(t.Context(), userauth.NewAccount{Username: name, Permissions: adminWrites}); err != nil {
				t.Fatal(err)
			}
		}
		var byAnn, byBob error
		var both sync.WaitGroup
		both.Go(func() {
			yes := true
			_, byAnn = first.Change(t.Context(), "bob", userauth.AccountChange{Disabled: &yes})
		})
		both.Go(func() { byBob = second.Delete(t.Context(), "ann") })
		both.Wait()
		winner, loser, left := byAnn, byBob, "ann"
		if byAnn != nil {
			winner, loser, left = byBob, byAnn, "bob"
		}
		if winner != nil || !errors.Is(loser, userauth.ErrLastAdmin) {
			t.Errorf("got %v and %v, want one to be ErrLastAdmin", byAnn, byBob)
		}
		if got, err := first.Get(t.Context(), left); err != nil || got.Disabled || !got.Permissions.Has("admin", "write") {
			t.Errorf("got %+v, %v, want an admin", got, err)
		}
	}
}
