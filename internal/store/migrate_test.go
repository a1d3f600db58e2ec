package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// allMigrations are what a new database needs.
func allMigrations(t *testing.T) []string {
	t.Helper()
	all, err := store.Pending(t.Context(), raw(t, filepath.Join(t.TempDir(), "new.db"), ""))
	if err != nil || len(all) == 0 || all[0] != "0001_accounts_and_sessions" {
		t.Fatalf("got %q, %v", all, err)
	}
	return all
}

func TestPendingChangesNothing(t *testing.T) { storetest.Each(t, testPendingChangesNothing) }

func testPendingChangesNothing(t *testing.T, on storetest.Engine) {
	db, _ := on.Empty(t).Open(t)
	all := allMigrations(t)
	for range 2 {
		got, err := store.Pending(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "pending", got, all)
	}
	ran, err := store.Migrate(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "ran", ran, all)
	ran, err = store.Migrate(t.Context(), db)
	if err != nil || ran != nil {
		t.Errorf("again: got %v %v, want nothing", ran, err)
	}
	got, err := store.Pending(t.Context(), db)
	if err != nil || got != nil {
		t.Errorf("pending afterwards: got %v %v, want nothing", got, err)
	}
}

// D-09: five programs with two goroutines each begin on an empty database.
func TestMigrationsInParallel(t *testing.T) { storetest.Each(t, testMigrationsInParallel) }

func testMigrationsInParallel(t *testing.T, on storetest.Engine) {
	all := allMigrations(t)
	for name, options := range map[storetest.Engine]map[string]string{
		storetest.SQLite:   {"with our options": "", "with none": "?_pragma=busy_timeout(0)"},
		storetest.Postgres: {"serializable by default": "?default_transaction_isolation=serializable"},
		storetest.MySQL:    {"with no option": ""},
	}[on] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := on.Empty(t)
			var mu sync.Mutex
			var ran []string
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					cmd, out, _ := start(t, "migrate", base.URL)
					for out.Scan() {
						mu.Lock()
						ran = append(ran, strings.Fields(out.Text())...)
						mu.Unlock()
					}
					if err := cmd.Wait(); err != nil {
						t.Errorf("child: %v", err)
					}
				})
			}
			for range 5 {
				wg.Go(func() {
					names, err := store.Migrate(t.Context(), base.Raw(t, options))
					if err != nil {
						t.Errorf("goroutine: %v", err)
					}
					mu.Lock()
					ran = append(ran, names...)
					mu.Unlock()
				})
			}
			wg.Wait()
			slices.Sort(ran)
			equal(t, "ran by all together", ran, all)
			d := openDB(t, base.Raw(t, ""))
			if got := addUser(t, d, "ann"); got != 1 {
				t.Errorf("the first user: got id %d, want 1", got)
			}
		})
	}
}

// D-08: what isn't a database, or isn't whole, is an error, and nothing in the file changes.
func TestUnusableFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  error
	}{
		"no database at all": {func(t *testing.T, path string) { rewrite(t, path, bytes.Repeat([]byte("not a database "), 500)) }, store.ErrSchema},
		"a header that was overwritten": {func(t *testing.T, path string) {
			content := read(t, path)
			copy(content, "SQLite format 4\x00")
			rewrite(t, path, content)
		}, store.ErrSchema},
		"truncated after the first page": {func(t *testing.T, path string) { rewrite(t, path, read(t, path)[:4096]) }, store.ErrSchema},
		"truncated in its middle":        {func(t *testing.T, path string) { content := read(t, path); rewrite(t, path, content[:len(content)/2]) }, store.ErrSchema},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "auth.db")
			db, err := store.OpenSQLite(path)
			if err != nil {
				t.Fatal(err)
			}
			addUser(t, openDB(t, db), "ann")
			db.MustExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
			db.Close()
			test.spoil(t, path)
			before := read(t, path)

			db, err = store.OpenSQLite(path)
			if err == nil {
				defer db.Close()
				var d *store.DB
				if d, err = store.Open(t.Context(), db); d != nil {
					t.Error("got a store, want none")
				}
			}
			wantError(t, "opening", err, test.want)
			if !bytes.Equal(read(t, path), before) {
				t.Error("the file has changed")
			}
		})
	}
}

// D-08: what isn't ours, or lacks something, is an error, and nothing changes.
func TestUnusableDatabases(t *testing.T) { storetest.Each(t, testUnusableDatabases) }

func testUnusableDatabases(t *testing.T, on storetest.Engine) {
	last := len(allMigrations(t))
	for name, test := range map[string]struct{ spoil, says string }{
		"a newer schema": {
			fmt.Sprintf("INSERT INTO auth_schema_migrations VALUES (%d, '9999_later', 0)", last+1),
			fmt.Sprintf("version %d, this program knows up to %d", last+1, last),
		},
		"a migration of another program":  {"UPDATE auth_schema_migrations SET name = '0001_other' WHERE version = 1", "0001_other"},
		"a missing migration":             {"DELETE FROM auth_schema_migrations WHERE version = 1", ""},
		"a missing table":                 {"DROP TABLE auth_user_permissions", "auth_user_permissions"},
		"a missing column":                {"ALTER TABLE auth_users DROP COLUMN disabled", "disabled"},
		"a missing column of a role":      {"ALTER TABLE auth_roles DROP COLUMN description", "description"},
		"a missing column of invitations": {"ALTER TABLE auth_invitations DROP COLUMN note", "note"},
		"a missing column of marks":       {"ALTER TABLE auth_marks DROP COLUMN value", "value"},
		"a missing table of secrets":      {"DROP TABLE auth_secrets", "auth_secrets"},
		"our table before any migration":  {"DROP TABLE auth_schema_migrations", "already exists"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, base := open(t, on)
			ann := addUser(t, d, "ann")
			if on == storetest.MySQL && test.says == "already exists" {
				base.Exec(t, "DELETE FROM auth_schema_steps") // else it goes on where it was, and finds its own tables
			}
			base.Exec(t, test.spoil)
			for range 2 { // the first failure leaves nothing that makes the second one pass
				d, err := store.Open(t.Context(), base.Raw(t, ""))
				wantError(t, "opening", err, store.ErrSchema)
				if d != nil {
					t.Error("got a store, want none")
				}
				if err != nil && !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %q, want it to say %q", err, test.says)
				}
			}
			var users []int64
			if err := base.Raw(t, "").SelectContext(t.Context(), &users, "SELECT id FROM auth_users"); err != nil {
				t.Fatal(err)
			}
			equal(t, "users", users, []int64{ann})
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func rewrite(t *testing.T, path string, content []byte) {
	t.Helper()
	os.Remove(path + "-wal")
	os.Remove(path + "-shm")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A migration that fails, wherever it does, before its statement or after it, leaves nothing behind (on MySQL, where each
// table is a commit, nothing that is in the way), and the next start brings it to its end.
func TestMigrationIsWholeOrNothing(t *testing.T) { storetest.Each(t, testMigrationIsWholeOrNothing) }

func testMigrationIsWholeOrNothing(t *testing.T, on storetest.Engine) {
	all := allMigrations(t)
	want := tables(t, on.New(t))
	few := 2
	if on == storetest.SQLite { // whose databases cost nothing
		few = 8
	}
	for breaks, set := range map[string]func(*storetest.Faults, int){"before": (*storetest.Faults).FailAt, "after": (*storetest.Faults).LoseAt} {
		calls := 0
		for k := 1; ; k += 1 + k/few { // fewer of the many CREATE TABLE
			base := on.Empty(t)
			db, faults := base.Open(t)
			set(faults, k)
			_, err := store.Migrate(t.Context(), db)
			broken := faults.Broken()
			faults.Heal()
			if broken == 0 {
				break
			}
			calls++
			if breaks == "before" && on != storetest.MySQL || err != nil { // there, the last call frees a lock: no harm in it
				wantError(t, fmt.Sprintf("call %d", k), err, store.ErrUnavailable)
			}
			todo, err := store.Pending(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			if got := tables(t, base); on != storetest.MySQL && len(todo) == len(all) && len(got) != 0 {
				t.Errorf("call %d: got the tables %q, want none", k, got)
			}
			ran, err := store.Migrate(t.Context(), db)
			if err != nil {
				t.Errorf("call %d, the next start: %v", k, err)
			}
			equal(t, "ran then", ran, todo)
			equal(t, "tables", tables(t, base), want)
			addUser(t, openDB(t, db), "ann")
		}
		if calls < 8 {
			t.Errorf("only %d calls were broken", calls)
		}
	}
}

// tables gives the names of all tables.
func tables(t *testing.T, base *storetest.Database) (list []string) {
	t.Helper()
	query := map[storetest.Engine]string{
		storetest.SQLite:   "SELECT name FROM sqlite_master WHERE type = 'table'",
		storetest.Postgres: "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
		storetest.MySQL:    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
	}[base.On]
	if err := base.Raw(t, "").SelectContext(t.Context(), &list, query); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// The application's own tables live beside ours.
func TestApplicationTables(t *testing.T) { storetest.Each(t, testApplicationTables) }

func testApplicationTables(t *testing.T, on storetest.Engine) {
	db := on.Empty(t).Raw(t, "")
	for _, table := range []string{"users", "sessions", "roles", "feed", "schema_migrations"} {
		db.MustExecContext(t.Context(), "CREATE TABLE "+table+" (x INTEGER)")
	}
	addUser(t, openDB(t, db), "ann")
	var n int
	if err := db.GetContext(t.Context(), &n, "SELECT COUNT(*) FROM users"); err != nil || n != 0 {
		t.Errorf("got %d rows in the application's table, %v", n, err)
	}
}
