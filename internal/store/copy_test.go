package store_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// fill stores something in every table, more sessions than one INSERT takes among it.
func fill(t *testing.T, d *store.DB) (users []int64) {
	t.Helper()
	everything(t, d)
	bob := addUser(t, d, "bob 🦊'")
	write(t, d, func(tx *store.Tx) error {
		if err := tx.Grant(bob, []store.Permission{{"ä", "b"}}); err != nil {
			return err
		}
		for i := range 500 {
			s := newSession(bob, fmt.Sprint("s", i), int64(i))
			s.Agent, s.Data = "a\n\"\\%ü", `{"n":1}`
			if err := tx.AddSession(s, 0); err != nil {
				return err
			}
		}
		_, err := tx.DeleteSession(newSession(bob, "s7", 0).Hash) // told in the feed, with its hash; other entries have none
		return err
	})
	return []int64{1, bob}
}

// contents is all that a store can tell.
func contents(t *testing.T, d *store.DB, users []int64) map[string]any {
	t.Helper()
	all := map[string]any{}
	read := func(name string, value any, err error) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		all[name] = value
	}
	accounts, err := d.Accounts(t.Context(), users)
	read("accounts", accounts, err)
	roles, err := d.Roles(t.Context())
	read("roles", roles, err)
	head, changes, err := d.Feed(t.Context(), 0, 10000)
	read("feed", changes, err)
	read("head", head, err)
	secret, err := d.Secret(t.Context(), "key", func() []byte { t.Error("the secret is new"); return []byte("x") })
	read("secret", secret, err)
	for _, id := range users {
		sessions, err := d.SessionsOf(t.Context(), id)
		read(fmt.Sprint("sessions of ", id), sessions, err)
	}
	return all
}

// From SQLite to PostgreSQL to MySQL to SQLite nothing is lost or changed, and the last one goes on as the first would.
func TestCopyAround(t *testing.T) {
	t.Parallel()
	first, _, from := open(t, storetest.SQLite)
	users := fill(t, first)
	want := contents(t, first, users)
	var rows []store.Copied
	last := first
	for _, on := range []storetest.Engine{storetest.Postgres, storetest.MySQL, storetest.SQLite} {
		on.Need(t)
		to := on.Empty(t)
		db, _ := to.Open(t)
		source, _ := from.Open(t)
		done, err := store.Copy(t.Context(), source, db)
		if err != nil {
			t.Fatalf("to %s: %v", on, err)
		}
		if rows == nil {
			rows = done
		}
		if !reflect.DeepEqual(done, rows) {
			t.Errorf("to %s: got %v, want %v", on, done, rows)
		}
		last, from = openDB(t, db), to
		if got := contents(t, last, users); !reflect.DeepEqual(got, want) {
			t.Errorf("to %s: got\n%v, want\n%v", on, got, want)
		}
	}
	if len(rows) < 10 {
		t.Errorf("only the tables %v were copied", rows)
	}
	for _, r := range rows {
		if r.Rows == 0 && !strings.Contains(r.Table, "invit") {
			t.Errorf("%s was empty: this test tells nothing of it", r.Table)
		}
	}
	if id, next := addUser(t, last, "next"), addUser(t, first, "next"); id != next || id <= users[1] {
		t.Errorf("the next user's id is %d, want %d", id, next)
	}
}

// All is copied or nothing, and only to where there is nothing.
func TestCopyRefuses(t *testing.T) { storetest.Each(t, testCopyRefuses) }

func testCopyRefuses(t *testing.T, on storetest.Engine) {
	// One for each test: who copies keeps all others from writing, and from copying, which is a lock, too.
	filled := func(t *testing.T) (full *store.DB, users []int64, source *sqlx.DB) {
		full, _, from := open(t, storetest.SQLite)
		users = fill(t, full)
		source, _ = from.Open(t)
		return full, users, source
	}
	t.Run("a target with a user", func(t *testing.T) {
		t.Parallel()
		_, _, source := filled(t)
		d, _, to := open(t, on)
		ann := addUser(t, d, "ann")
		db, _ := to.Open(t)
		_, err := store.Copy(t.Context(), source, db)
		wantError(t, "copying", err, store.ErrExists)
		if n, err := d.CountUsers(t.Context(), ""); err != nil || n != 1 || account(t, d, ann).Key != "ann" {
			t.Errorf("got %d users, %v", n, err)
		}
	})
	t.Run("a target whose only user is gone", func(t *testing.T) { // his id must not come again
		t.Parallel()
		_, _, source := filled(t)
		d, _, to := open(t, on)
		ann := addUser(t, d, "ann")
		write(t, d, func(tx *store.Tx) error { return tx.DeleteUser(ann) })
		db, _ := to.Open(t)
		_, err := store.Copy(t.Context(), source, db)
		wantError(t, "copying", err, store.ErrExists)
	})
	t.Run("a source that lacks migrations", func(t *testing.T) {
		t.Parallel()
		_, _, to := open(t, on)
		db, _ := to.Open(t)
		old, _ := storetest.SQLite.Empty(t).Open(t)
		_, err := store.Copy(t.Context(), old, db)
		wantError(t, "copying", err, store.ErrSchema)
	})
	t.Run("any call that fails", func(t *testing.T) {
		t.Parallel()
		full, users, source := filled(t)
		d, _, to := open(t, on)
		db, faults := to.Open(t)
		for k := 1; ; k += 1 + k/5 {
			faults.FailAt(k)
			_, err := store.Copy(t.Context(), source, db)
			broken := faults.Broken()
			faults.Heal()
			if broken == 0 {
				if err != nil {
					t.Errorf("at last: %v", err)
				}
				break
			}
			wantError(t, fmt.Sprint("call ", k), err, store.ErrUnavailable)
			if n, err := d.CountUsers(t.Context(), ""); err != nil || n != 0 || head(t, d) != 0 {
				t.Fatalf("call %d: got %d users, %v", k, n, err)
			}
		}
		if got, want := contents(t, d, users), contents(t, full, users); !reflect.DeepEqual(got, want) {
			t.Error("the copy is another")
		}
	})
	t.Run("a source that changes meanwhile", func(t *testing.T) {
		t.Parallel()
		source, _, from := open(t, on)
		addUser(t, source, "ann")
		db, _ := from.Open(t)
		target, faults := storetest.SQLite.Empty(t).Open(t)
		if _, err := store.Migrate(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		if on == storetest.SQLite {
			return // nobody can write meanwhile
		}
		faults.PauseOn("INSERT INTO auth_users", func() { addUser(t, source, "bob") })
		_, err := store.Copy(t.Context(), db, target)
		wantError(t, "copying", err, store.ErrChanged)
		if faults.Broken() != 1 {
			t.Error("it was over before")
		}
		if n, err := openDB(t, target).CountUsers(t.Context(), ""); err != nil || n != 0 {
			t.Errorf("got %d users, %v", n, err)
		}
	})
}
