package userauth_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/userauth"
)

const (
	goodPassword  = "purple otter crosses 43 rivers"
	otherPassword = "seven silent harbours at dawn"
)

// cheap hashes are for tests that aren't about hashes.
func cheap(t testing.TB) *password.Hasher {
	t.Helper()
	h, err := password.NewHasher(password.Config{Params: password.Params{Memory: 8, Time: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// openAccounts opens the accounts in the file at path. They are closed at the end of the test.
func openAccounts(t testing.TB, path string) (*userauth.Accounts, *sqlx.DB) {
	t.Helper()
	db, err := userauth.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return accountsIn(t, db), db
}

func accountsIn(t testing.TB, db *sqlx.DB) *userauth.Accounts {
	t.Helper()
	a, err := userauth.OpenAccountsWith(t.Context(), db, userauth.Policy{}, cheap(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func newAccounts(t testing.TB) (*userauth.Accounts, *sqlx.DB) {
	t.Helper()
	db := siteDB(t)
	return accountsIn(t, db), db
}

func addUser(t testing.TB, a *userauth.Accounts, name string) userauth.Account {
	t.Helper()
	account, err := a.Add(t.Context(), userauth.NewAccount{Username: name, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func putRole(t testing.TB, a *userauth.Accounts, name string, p auth.Permissions) userauth.Role {
	t.Helper()
	role, err := a.PutRole(t.Context(), userauth.Role{Name: name, Permissions: p})
	if err != nil {
		t.Fatal(err)
	}
	return role
}

// addSession logs a user in, past the login route.
func addSession(t testing.TB, db *sqlx.DB, account userauth.Account, expires time.Time) {
	t.Helper()
	st, err := store.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s := store.Session{
		User: userNumber(t, account), Realm: "userauth", ID: rand.Text(), Method: "password", Address: "192.0.2.1", Agent: "Browser/1",
		Created: time.Now().Unix(), Seen: time.Now().Unix(), Expires: expires.Unix(),
	}
	_, _ = rand.Read(s.Hash[:])
	if err := st.Write(t.Context(), func(tx *store.Tx) error { return tx.AddSession(s, 100) }); err != nil {
		t.Fatal(err)
	}
}

func userNumber(t testing.TB, account userauth.Account) (id int64) {
	t.Helper()
	if _, err := fmt.Sscanf(account.ID, "user:%d", &id); err != nil {
		t.Fatal(err)
	}
	return id
}

// dump is everything that the database says about users, to see that nothing has changed.
func dump(t testing.TB, db *sqlx.DB) string {
	t.Helper()
	var b strings.Builder
	for _, query := range []string{
		"SELECT id || '|' || realm || '|' || username || '|' || username_key || '|' || password_hash || '|' || disabled || '|' || name FROM auth_users",
		"SELECT user_id || '|' || resource || '|' || action FROM auth_user_permissions",
		"SELECT user_id || '|' || role FROM auth_user_roles",
		"SELECT name || '|' || description || '|' || version FROM auth_roles",
		"SELECT role || '|' || resource || '|' || action FROM auth_role_permissions",
		"SELECT user_id || '|' || id FROM auth_sessions",
		"SELECT user_id || '|' || issuer || '|' || subject || '|' || claims FROM auth_externals",
	} {
		var rows []string
		if err := db.SelectContext(t.Context(), &rows, query+" ORDER BY 1"); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", rows)
	}
	return b.String()
}

// wantField fails the test unless err is a FieldError of that field.
func wantField(t testing.TB, err error, field string) {
	t.Helper()
	var got *auth.FieldError
	if !errors.As(err, &got) || got.Field != field {
		t.Errorf("got %v, want a FieldError of %q", err, field)
	}
}

func TestAnAccountIsWhatWasAdded(t *testing.T) { onEngines(t, testAnAccountIsWhatWasAdded) }

func testAnAccountIsWhatWasAdded(t *testing.T) {
	a, _ := newAccounts(t)
	putRole(t, a, "reader", auth.Permissions{"contents": {"read"}})
	putRole(t, a, "guest, paying", auth.Permissions{"bill": {"read"}})
	name, workspace := "Ann Example", "[]"
	before := time.Now().Truncate(time.Second)
	made, err := a.Add(t.Context(), userauth.NewAccount{
		Username: "Ann", Password: goodPassword,
		Profile:     auth.UserUpdate{Name: &name, Workspace: &workspace},
		Roles:       []string{"reader", "guest, paying", "reader"},
		Permissions: auth.Permissions{"kernels": {"*", "execute", "*"}, "contents/*": {"write"}, "empty": {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Get(t.Context(), "ANN")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(made) {
		t.Errorf("Get gave %v, Add %v", got, made)
	}
	if want := (auth.User{Username: "Ann", Name: "Ann Example", Workspace: "[]"}); got.User != want {
		t.Errorf("got user %+v, want %+v", got.User, want)
	}
	if want := []string{"guest, paying", "reader"}; !slices.Equal(got.Roles, want) {
		t.Errorf("got roles %q, want %q", got.Roles, want)
	}
	if got, want := got.Permissions.String(), "contents/*:write kernels:*,execute"; got != want {
		t.Errorf("got permissions %q, want %q", got, want)
	}
	if got.ID != "user:1" || got.Disabled || got.Created.Before(before) || got.Created.After(time.Now()) {
		t.Errorf("got id %q, disabled %t, created %s", got.ID, got.Disabled, got.Created)
	}
}

func TestAWrongAccountIsNotMade(t *testing.T) {
	t.Parallel()
	a, db := newAccounts(t)
	putRole(t, a, "reader", nil)
	addUser(t, a, "ann")
	javascript, long := "javascript:alert(1)", strings.Repeat("x", 2000)
	before := dump(t, db)
	for _, tc := range []struct {
		name, field string
		account     userauth.NewAccount
	}{
		{"a name with a newline", "username", userauth.NewAccount{Username: "bob\nadmin"}},
		{"a short password", "password", userauth.NewAccount{Username: "bob", Password: "short"}},
		{"a role that isn't there", "roles", userauth.NewAccount{Username: "bob", Roles: []string{"reader", "writer"}}},
		{"two roles in one", "roles", userauth.NewAccount{Username: "bob", Roles: []string{"reader,reader"}}},
		{"a role without a name", "roles", userauth.NewAccount{Username: "bob", Roles: []string{""}}},
		{"a role in another case", "roles", userauth.NewAccount{Username: "bob", Roles: []string{"Reader"}}},
		{"an action without a resource", "permissions", userauth.NewAccount{Username: "bob", Permissions: auth.Permissions{"": {"read"}}}},
		{"a misplaced wildcard", "permissions", userauth.NewAccount{Username: "bob", Permissions: auth.Permissions{"a*b": {"read"}}}},
		{"a resource longer than the database's keys", "permissions", userauth.NewAccount{Username: "bob", Permissions: auth.Permissions{long: {"read"}}}},
		{"a picture that is a program", "avatar_url", userauth.NewAccount{Username: "bob", Profile: auth.UserUpdate{AvatarURL: &javascript}}},
	} {
		t.Run(tc.name, func(t *testing.T) { // one after the other: each is compared with what was there before
			account, err := a.Add(t.Context(), tc.account)
			wantField(t, err, tc.field)
			if account.ID != "" {
				t.Errorf("got account %v", account)
			}
			if got := dump(t, db); got != before {
				t.Errorf("the database has changed: %s", got)
			}
		})
	}
	_, err := a.Add(t.Context(), userauth.NewAccount{Username: "bob", Roles: []string{"reader", "no such, role"}})
	if err == nil || !strings.Contains(err.Error(), `"no such, role"`) {
		t.Errorf("got %v, want the role's name in it", err)
	}
}

// U-01, U-02, U-03, U-08, U-13, U-14
func TestNamesAreJudgedByTheSameRuleEverywhere(t *testing.T) {
	t.Parallel()
	a, db := newAccounts(t)
	addUser(t, a, "admin")
	addUser(t, a, "k")
	addUser(t, a, strings.Repeat("𐍈", 64)) // 64 runes of 4 bytes
	before := dump(t, db)
	for _, name := range []string{"Admin", "ADMIN", "aDmIn"} {
		if _, err := a.Add(t.Context(), userauth.NewAccount{Username: name}); !errors.Is(err, userauth.ErrExists) {
			t.Errorf("adding %q: got %v, want ErrExists", name, err)
		}
		if got, err := a.Get(t.Context(), name); err != nil || got.Username != "admin" {
			t.Errorf("getting %q: got %q, %v", name, got.Username, err)
		}
		if ok, err := a.VerifyPassword(t.Context(), name, goodPassword); err != nil || !ok {
			t.Errorf("verifying %q: got %t, %v", name, ok, err)
		}
	}
	for _, name := range []string{
		"ａｄｍｉｎ", "ⓐⓓⓜⓘⓝ", "𝐚𝐝𝐦𝐢𝐧", "\u212a", "ADM\u0130N", // U-02, U-03
		" admin", "admin ", "admin\t", "admin\u00a0", "admin\n", "adm\u200bin", "admin\x00", // U-08
		"", strings.Repeat("a", 65), strings.Repeat("𐍈", 65), strings.Repeat("a", 1<<20), "admin" + strings.Repeat(" ", 250) + "x", // U-13
		".", "..", "a/b", "a?b", "a#b", "%2e", "-1", "admin'/*", `\'`, "\xff", // U-14, U-15
	} {
		_, err := a.Add(t.Context(), userauth.NewAccount{Username: name})
		wantField(t, err, "username")
		for what, err := range everyLookup(t.Context(), a, name) {
			if !errors.Is(err, userauth.ErrNotFound) {
				t.Errorf("%s of %.20q: got %v, want ErrNotFound", what, name, err)
			}
		}
	}
	if got := dump(t, db); got != before {
		t.Errorf("the database has changed: %s", got)
	}
	for _, name := range []string{"me", "root", "null", "undefined", "1e2", "true", "0"} { // U-14: names like any other
		if got := addUser(t, a, name); got.Username != name {
			t.Errorf("got %q, want %q", got.Username, name)
		}
	}
}

// everyLookup is what each method says about a name.
func everyLookup(ctx context.Context, a *userauth.Accounts, name string) map[string]error {
	_, get := a.Get(ctx, name)
	_, verify := a.VerifyPassword(ctx, name, goodPassword)
	_, change := a.Change(ctx, name, userauth.AccountChange{Grant: auth.Permissions{"a": {"b"}}})
	_, sessions := a.Sessions(ctx, name)
	_, end := a.EndSessions(ctx, name)
	return map[string]error{
		"Get": get, "VerifyPassword": verify, "Change": change, "Sessions": sessions, "EndSessions": end,
		"Delete": a.Delete(ctx, name), "SetPassword": a.SetPassword(ctx, name, otherPassword),
	}
}

// U-15: nobody is found, and nothing but one user is deleted.
func TestUnknownNamesAreNotFound(t *testing.T) {
	t.Parallel()
	a, db := newAccounts(t)
	addUser(t, a, "ann")
	before := dump(t, db)
	for _, name := range []string{"bob", "' OR 1=1--", "a_n", "%", "an", "annn", "user:1", "1"} {
		for what, err := range everyLookup(t.Context(), a, name) {
			if !errors.Is(err, userauth.ErrNotFound) {
				t.Errorf("%s of %q: got %v, want ErrNotFound", what, name, err)
			}
		}
	}
	if got := dump(t, db); got != before {
		t.Errorf("the database has changed: %s", got)
	}
}

// S-14, S-15
func TestANewUserOfTheSameNameIsAnotherOne(t *testing.T) {
	onEngines(t, testANewUserOfTheSameNameIsAnotherOne)
}

func testANewUserOfTheSameNameIsAnotherOne(t *testing.T) {
	a, db := newAccounts(t)
	putRole(t, a, "editor", auth.Permissions{"contents": {"*"}})
	first, err := a.Add(t.Context(), userauth.NewAccount{
		Username: "alice", Password: goodPassword, Roles: []string{"editor"}, Permissions: auth.Permissions{"admin": {"*"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Add(t.Context(), userauth.NewAccount{Username: "root", Permissions: auth.Permissions{"admin": {"*"}}}); err != nil { // the last admin stays
		t.Fatal(err)
	}
	addSession(t, db, first, time.Now().Add(time.Hour))
	if err := a.Delete(t.Context(), "Alice"); err != nil {
		t.Fatal(err)
	}
	if err := a.Delete(t.Context(), "alice"); !errors.Is(err, userauth.ErrNotFound) {
		t.Errorf("deleting again: got %v, want ErrNotFound", err)
	}
	second, err := a.Add(t.Context(), userauth.NewAccount{Username: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if first.ID == second.ID {
		t.Errorf("got the same id %q twice", first.ID)
	}
	if len(second.Roles) > 0 || len(second.Permissions) > 0 {
		t.Errorf("the second one inherits roles %q, permissions %v", second.Roles, second.Permissions)
	}
	if got, err := a.Sessions(t.Context(), "alice"); err != nil || len(got) > 0 {
		t.Errorf("the second one inherits sessions %v, %v", got, err)
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) { onEngines(t, testSessionsAreListedAndEnded) }

func testSessionsAreListedAndEnded(t *testing.T) {
	a, db := newAccounts(t)
	ann, bob := addUser(t, a, "ann"), addUser(t, a, "bob")
	for range 2 {
		addSession(t, db, ann, time.Now().Add(time.Hour))
	}
	addSession(t, db, ann, time.Now().Add(-time.Hour)) // waits to be swept out
	addSession(t, db, bob, time.Now().Add(time.Hour))
	got, err := a.Sessions(t.Context(), "ann")
	if err != nil || len(got) != 2 {
		t.Fatalf("got %v, %v, want 2 sessions", got, err)
	}
	if s := got[0]; s.ID == "" || s.Method != "password" || s.Address != "192.0.2.1" || s.Agent != "Browser/1" || s.Current ||
		s.Expires.Before(time.Now()) || s.Created.IsZero() || s.Seen.IsZero() {
		t.Errorf("got %+v", s)
	}
	if n, err := a.EndSessions(t.Context(), "ANN"); err != nil || n != 3 {
		t.Errorf("got %d, %v, want 3 ended", n, err)
	}
	if got, err := a.Sessions(t.Context(), "ann"); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v, want none", got, err)
	}
	if got, err := a.Sessions(t.Context(), "bob"); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v: another user's session has ended", got, err)
	}
}

// U-15: "%" and "_" are characters like any other.
func TestListIsSortedPagedAndSearched(t *testing.T) { onEngines(t, testListIsSortedPagedAndSearched) }

func testListIsSortedPagedAndSearched(t *testing.T) {
	a, _ := newAccounts(t)
	for _, name := range []string{"eve", "Bob", "ann", "dan@example.com", "carl_o", "carlxo", "Ünal"} {
		if _, err := a.Add(t.Context(), userauth.NewAccount{Username: name}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, search string
		limit        int
		pages        []string
	}{
		{"everybody", "", 0, []string{"ann Bob carl_o carlxo dan@example.com eve Ünal"}},
		{"pages of three", "", 3, []string{"ann Bob carl_o", "carlxo dan@example.com eve", "Ünal"}},
		{"full pages", "", 7, []string{"ann Bob carl_o carlxo dan@example.com eve Ünal"}},
		{"more than the most", "", 100_000, []string{"ann Bob carl_o carlxo dan@example.com eve Ünal"}},
		{"in whatever case", "OB", 0, []string{"Bob"}},
		{"in whatever case beyond ASCII", "üNA", 0, []string{"Ünal"}},
		{"a part that is no name", "@EXAMPLE.", 0, []string{"dan@example.com"}},
		{"white space around", " bob ", 0, []string{"Bob"}},
		{"an underscore is no wildcard", "l_o", 0, []string{"carl_o"}},
		{"a percent sign is in no name", "%", 0, []string{""}},
		{"a search by pages", "a", 2, []string{"ann carl_o", "carlxo dan@example.com", "Ünal"}},
		{"what no name can hold", "\x00", 0, []string{""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for after := ""; ; {
				page, next, err := a.List(t.Context(), tc.search, after, tc.limit)
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, account := range page {
					names = append(names, account.Username)
				}
				got = append(got, strings.Join(names, " "))
				if after = next; next == "" {
					break
				}
			}
			if !slices.Equal(got, tc.pages) {
				t.Errorf("got pages %q, want %q", got, tc.pages)
			}
		})
	}
	_, _, err := a.List(t.Context(), "", "", -1)
	wantField(t, err, "limit")
	_, _, err = a.List(t.Context(), "", "\xff", 0)
	wantField(t, err, "after")
}
