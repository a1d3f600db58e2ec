package userauth_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

func TestAChangeIsADelta(t *testing.T) { onEngines(t, testAChangeIsADelta) }

func testAChangeIsADelta(t *testing.T) {
	yes, no, teal := true, false, "teal"
	for _, tc := range []struct {
		name        string
		change      userauth.AccountChange
		permissions string
		roles       []string
		disabled    bool
	}{
		{"nothing", userauth.AccountChange{}, "contents:read,write", []string{"editor"}, false},
		{
			"a permission more, one less",
			userauth.AccountChange{Grant: auth.Permissions{"kernels": {"execute"}}, Revoke: auth.Permissions{"contents": {"write"}}},
			"contents:read kernels:execute",
			[]string{"editor"},
			false,
		},
		{
			"what is held already, and what isn't",
			userauth.AccountChange{Grant: auth.Permissions{"contents": {"read"}}, Revoke: auth.Permissions{"contents": {"delete"}, "nothing": {"*"}}},
			"contents:read,write",
			[]string{"editor"},
			false,
		},
		{
			"wildcards are what they are, letter by letter",
			userauth.AccountChange{Grant: auth.Permissions{"contents/*": {"*"}}, Revoke: auth.Permissions{"contents": {"*"}, "*": {"*"}}},
			"contents:read,write contents/*:*",
			[]string{"editor"},
			false,
		},
		{"another role", userauth.AccountChange{AddRoles: []string{"reader", "editor"}}, "contents:read,write", []string{"editor", "reader"}, false},
		{"one role for another", userauth.AccountChange{AddRoles: []string{"reader"}, RemoveRoles: []string{"editor"}}, "contents:read,write", []string{"reader"}, false},
		{"a role that isn't held", userauth.AccountChange{RemoveRoles: []string{"reader"}}, "contents:read,write", []string{"editor"}, false},
		{"disabled", userauth.AccountChange{Disabled: &yes}, "contents:read,write", []string{"editor"}, true},
		{"enabled", userauth.AccountChange{Disabled: &no}, "contents:read,write", []string{"editor"}, false},
		{"a profile", userauth.AccountChange{Profile: auth.UserUpdate{Color: &teal}}, "contents:read,write", []string{"editor"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, _ := newAccounts(t)
			putRole(t, a, "reader", nil)
			putRole(t, a, "editor", nil)
			_, err := a.Add(t.Context(), userauth.NewAccount{
				Username: "ann", Roles: []string{"editor"}, Permissions: auth.Permissions{"contents": {"read", "write"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // and again: the same change twice is the same
				if _, err := a.Change(t.Context(), "ANN", tc.change); err != nil {
					t.Fatal(err)
				}
			}
			got, err := a.Get(t.Context(), "ann")
			if err != nil {
				t.Fatal(err)
			}
			if got.Permissions.String() != tc.permissions || !slices.Equal(got.Roles, tc.roles) || got.Disabled != tc.disabled {
				t.Errorf("got permissions %q, roles %q, disabled %t", got.Permissions, got.Roles, got.Disabled)
			}
			if want := tc.change.Profile.Apply(auth.User{Username: "ann"}); got.User != want {
				t.Errorf("got %+v, want %+v", got.User, want)
			}
		})
	}
}

func TestAWrongChangeChangesNothing(t *testing.T) { onEngines(t, testAWrongChangeChangesNothing) }

func testAWrongChangeChangesNothing(t *testing.T) {
	a, db := newAccounts(t)
	putRole(t, a, "reader", nil)
	account := addUser(t, a, "ann")
	addSession(t, db, account, time.Now().Add(time.Hour))
	before, yes, script, p := dump(t, db), true, "javascript:alert(1)", auth.Permissions{"contents": {"read"}}
	for _, tc := range []struct {
		name, field string
		change      userauth.AccountChange
	}{
		{"a role that isn't there, behind everything else", "add_roles", userauth.AccountChange{Grant: p, AddRoles: []string{"reader", "nobody"}, Disabled: &yes}},
		{"two roles in one", "add_roles", userauth.AccountChange{AddRoles: []string{"reader,reader"}}},
		{"taking a role that isn't there", "remove_roles", userauth.AccountChange{Grant: p, RemoveRoles: []string{"nobody"}, Disabled: &yes}},
		{"a role of no text", "remove_roles", userauth.AccountChange{RemoveRoles: []string{"\x00"}}},
		{"a grant of nothing", "grant", userauth.AccountChange{Grant: auth.Permissions{"contents": {""}}, Disabled: &yes}},
		{"a revocation of nothing", "revoke", userauth.AccountChange{Revoke: auth.Permissions{"": {"read"}}, Disabled: &yes}},
		{"the same given and taken", "revoke", userauth.AccountChange{Grant: p, Revoke: p}},
		{"a profile that can't be", "avatar_url", userauth.AccountChange{Profile: auth.UserUpdate{AvatarURL: &script}, Disabled: &yes}},
		{"the same role given and taken", "remove_roles", userauth.AccountChange{AddRoles: []string{"reader"}, RemoveRoles: []string{"reader"}}},
	} {
		t.Run(tc.name, func(t *testing.T) { // one after the other: each is compared with what was there before
			_, err := a.Change(t.Context(), "ann", tc.change)
			wantField(t, err, tc.field)
			if got := dump(t, db); got != before {
				t.Errorf("the database has changed: %s", got)
			}
		})
	}
}

// S-12: and no session comes back with the user.
func TestDisablingEndsAllSessions(t *testing.T) { onEngines(t, testDisablingEndsAllSessions) }

func testDisablingEndsAllSessions(t *testing.T) {
	a, db := newAccounts(t)
	ann, bob := addUser(t, a, "ann"), addUser(t, a, "bob")
	addSession(t, db, ann, time.Now().Add(time.Hour))
	addSession(t, db, bob, time.Now().Add(time.Hour))
	for _, disabled := range []bool{true, false} {
		if _, err := a.Change(t.Context(), "ann", userauth.AccountChange{Disabled: &disabled}); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Sessions(t.Context(), "ann"); err != nil || len(got) != 0 {
			t.Errorf("disabled %t: got %v, %v, want no session", disabled, got, err)
		}
	}
	if got, err := a.Sessions(t.Context(), "bob"); err != nil || len(got) != 1 {
		t.Errorf("another user's session: got %v, %v", got, err)
	}
}

func TestChangesAtOnceAreAllKept(t *testing.T) { onEngines(t, testChangesAtOnceAreAllKept) }

func testChangesAtOnceAreAllKept(t *testing.T) {
	a, _ := newAccounts(t)
	addUser(t, a, "ann")
	var all sync.WaitGroup
	const n = 20
	for i := range n {
		all.Go(func() {
			change := userauth.AccountChange{Grant: auth.Permissions{strings.Repeat("r", i+1): {"read"}}}
			if _, err := a.Change(t.Context(), "ann", change); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, err := a.Get(t.Context(), "ann"); err != nil || len(got.Permissions) != n {
		t.Errorf("got %d permissions, %v, want %d", len(got.Permissions), err, n)
	}
}

func TestRolesAreStoredWithTheirVersion(t *testing.T) {
	onEngines(t, testRolesAreStoredWithTheirVersion)
}

func testRolesAreStoredWithTheirVersion(t *testing.T) {
	a, db := newAccounts(t)
	made := putRole(t, a, "editor", auth.Permissions{"contents": {"write", "read", "read"}, "kernels*": {"*"}})
	if _, err := a.PutRole(t.Context(), userauth.Role{Name: "editor"}); !errors.Is(err, userauth.ErrExists) {
		t.Errorf("a second one: got %v, want ErrExists", err)
	}
	if made.Version == 0 || made.Permissions.String() != "contents:read,write kernels*:*" {
		t.Errorf("got %+v", made)
	}
	changed, err := a.PutRole(t.Context(), userauth.Role{Name: "editor", Description: "less", Permissions: auth.Permissions{"contents": {"read"}}, Version: made.Version})
	if err != nil || changed.Version == made.Version {
		t.Fatalf("got %+v, %v", changed, err)
	}
	before := dump(t, db)
	if _, err := a.PutRole(t.Context(), userauth.Role{Name: "editor", Version: made.Version}); !errors.Is(err, userauth.ErrChanged) {
		t.Errorf("over a version that isn't stored any more: got %v, want ErrChanged", err)
	}
	if _, err := a.PutRole(t.Context(), userauth.Role{Name: "nobody", Version: made.Version}); !errors.Is(err, userauth.ErrNotFound) {
		t.Errorf("over one that isn't there: got %v, want ErrNotFound", err)
	}
	if got := dump(t, db); got != before {
		t.Errorf("the database has changed: %s", got)
	}
	putRole(t, a, "guest, paying", nil)
	roles, err := a.Roles(t.Context())
	if err != nil || len(roles) != 2 || roles[0].Name != "editor" || roles[1].Name != "guest, paying" {
		t.Fatalf("got %+v, %v", roles, err)
	}
	if got := roles[0]; got.Description != "less" || got.Permissions.String() != "contents:read" || got.Version != changed.Version {
		t.Errorf("got %+v, want what was stored last", got)
	}
}

func TestADeletedRoleIsTakenFromItsHolders(t *testing.T) {
	onEngines(t, testADeletedRoleIsTakenFromItsHolders)
}

func testADeletedRoleIsTakenFromItsHolders(t *testing.T) {
	a, _ := newAccounts(t)
	putRole(t, a, "editor", auth.Permissions{"contents": {"*"}})
	if _, err := a.Add(t.Context(), userauth.NewAccount{Username: "ann", Roles: []string{"editor"}}); err != nil {
		t.Fatal(err)
	}
	if err := a.DeleteRole(t.Context(), "editor"); err != nil {
		t.Fatal(err)
	}
	putRole(t, a, "editor", auth.Permissions{"admin": {"*"}}) // another one of that name
	if got, err := a.Get(t.Context(), "ann"); err != nil || len(got.Roles) != 0 {
		t.Errorf("got roles %q, %v, want none", got.Roles, err)
	}
	for _, name := range []string{"nobody", "Editor", "editor ", "", "\x00", "\xff"} {
		if err := a.DeleteRole(t.Context(), name); !errors.Is(err, userauth.ErrNotFound) {
			t.Errorf("deleting %q: got %v, want ErrNotFound", name, err)
		}
	}
}

// ZA10
func TestAWrongRoleIsNotMade(t *testing.T) {
	t.Parallel()
	a, _ := newAccounts(t)
	for _, tc := range []struct {
		name, field string
		role        userauth.Role
	}{
		{"no name", "name", userauth.Role{}},
		{"a blank one", "name", userauth.Role{Name: " "}},
		{"a blank at its end", "name", userauth.Role{Name: "editor "}},
		{"a newline in it", "name", userauth.Role{Name: "edi\ntor"}},
		{"an invisible character in it", "name", userauth.Role{Name: "edi\u200btor"}},
		{"a NUL in it", "name", userauth.Role{Name: "edi\x00tor"}},
		{"not UTF-8", "name", userauth.Role{Name: "\xff"}},
		{"too long", "name", userauth.Role{Name: strings.Repeat("é", 65)}},
		{"U-14 a name that a path can't hold", "name", userauth.Role{Name: "a/b"}},
		{"U-14 the folder itself", "name", userauth.Role{Name: "."}},
		{"U-14 the folder above", "name", userauth.Role{Name: ".."}},
		{"a description that no database can store", "description", userauth.Role{Name: "editor", Description: "a\x00b"}},
		{"a description without end", "description", userauth.Role{Name: "editor", Description: strings.Repeat("x", 1025)}},
		{"a permission without a resource", "permissions", userauth.Role{Name: "editor", Permissions: auth.Permissions{"": {"read"}}}},
		{"a version that is none", "version", userauth.Role{Name: "editor", Version: -1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := a.PutRole(t.Context(), tc.role)
			wantField(t, err, tc.field)
			if roles, err := a.Roles(t.Context()); err != nil || len(roles) > 0 {
				t.Errorf("got roles %v, %v, want none", roles, err)
			}
		})
	}
}
