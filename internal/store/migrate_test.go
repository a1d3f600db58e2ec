package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

const firstMigration = "0001_accounts_and_sessions"

func TestPendingChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "auth.db")
	db, err := store.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range 2 {
		got, err := store.Pending(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "pending", got, []string{firstMigration})
	}
	ran, err := store.Migrate(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "ran", ran, []string{firstMigration})
	ran, err = store.Migrate(t.Context(), db)
	if err != nil || ran != nil {
		t.Errorf("again: got %v %v, want nothing", ran, err)
	}
	got, err := store.Pending(t.Context(), db)
	if err != nil || got != nil {
		t.Errorf("pending afterwards: got %v %v, want nothing", got, err)
	}
}

// D-09: five programs with two goroutines each begin on an empty file.
func TestMigrationsInParallel(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{"with our options": "", "with none": "?_pragma=busy_timeout(0)"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "auth.db")
			var mu sync.Mutex
			var ran []string
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					cmd, out, _ := start(t, "migrate", path)
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
					db := raw(t, path, query)
					names, err := store.Migrate(t.Context(), db)
					if err != nil {
						t.Errorf("goroutine: %v", err)
					}
					mu.Lock()
					ran = append(ran, names...)
					mu.Unlock()
				})
			}
			wg.Wait()
			equal(t, "ran by all together", ran, []string{firstMigration})
			d := openDB(t, raw(t, path, ""))
			if got := addUser(t, d, "ann"); got != 1 {
				t.Errorf("the first user: got id %d, want 1", got)
			}
		})
	}
}

// D-08: what isn't ours, or isn't whole, is an error, and nothing in the file changes.
func TestUnusableDatabases(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  error
		says  string
	}{
		"no database at all": {func(t *testing.T, path string) { rewrite(t, path, bytes.Repeat([]byte("not a database "), 500)) }, store.ErrSchema, ""},
		"a header that was overwritten": {func(t *testing.T, path string) {
			content := read(t, path)
			copy(content, "SQLite format 4\x00")
			rewrite(t, path, content)
		}, store.ErrSchema, ""},
		"truncated after the first page": {func(t *testing.T, path string) { rewrite(t, path, read(t, path)[:4096]) }, store.ErrSchema, ""},
		"truncated in its middle":        {func(t *testing.T, path string) { content := read(t, path); rewrite(t, path, content[:len(content)/2]) }, store.ErrSchema, ""},
		"a newer schema":                 {spoilSQL("INSERT INTO auth_schema_migrations VALUES (2, '0002_later', 0)"), store.ErrSchema, "version 2, this program knows up to 1"},
		"a migration of another program": {spoilSQL("UPDATE auth_schema_migrations SET name = '0001_other'"), store.ErrSchema, "0001_other"},
		"a missing migration":            {spoilSQL("UPDATE auth_schema_migrations SET version = 0"), store.ErrSchema, ""},
		"a missing table":                {spoilSQL("DROP TABLE auth_user_permissions"), store.ErrSchema, "auth_user_permissions"},
		"a missing column":               {spoilSQL("ALTER TABLE auth_users DROP COLUMN disabled"), store.ErrSchema, "disabled"},
		"a missing column of a role":     {spoilSQL("ALTER TABLE auth_roles DROP COLUMN description"), store.ErrSchema, "description"},
		"a missing table of secrets":     {spoilSQL("DROP TABLE auth_secrets"), store.ErrSchema, "auth_secrets"},
		"our table before any migration": {spoilSQL("DROP TABLE auth_schema_migrations"), store.ErrSchema, "already exists"},
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
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %q, want it to say %q", err, test.says)
			}
			if !bytes.Equal(read(t, path), before) {
				t.Error("the file has changed")
			}
		})
	}
}

func spoilSQL(statement string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		db := raw(t, path, "?_pragma=foreign_keys(0)")
		defer db.Close()
		db.MustExecContext(t.Context(), statement)
		db.MustExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
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

// A migration that fails, wherever it does, leaves nothing behind, and the next start brings it to its end.
func TestMigrationIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	calls := 0
	for k := 1; ; k += 1 + k/8 { // fewer of the many CREATE TABLE
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.db", k))
		db, broken := storetest.Open(t, path)
		broken.FailAt(k)
		_, err := store.Migrate(t.Context(), db)
		if broken.Broken() == 0 {
			break
		}
		calls++
		wantError(t, fmt.Sprintf("call %d", k), err, store.ErrUnavailable)
		broken.Heal()
		var tables int
		if err := db.GetContext(t.Context(), &tables, "SELECT COUNT(*) FROM sqlite_master"); err != nil || tables != 0 {
			t.Errorf("call %d: got %d tables and indexes, %v, want none", k, tables, err)
		}
		addUser(t, openDB(t, db), "ann")
	}
	if calls < 15 {
		t.Errorf("only %d calls were broken", calls)
	}
}

// The application's own tables live beside ours.
func TestApplicationTables(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	db := raw(t, path, "")
	for _, table := range []string{"users", "sessions", "roles", "feed", "schema_migrations"} {
		db.MustExecContext(t.Context(), "CREATE TABLE "+table+" (x)")
	}
	addUser(t, openDB(t, db), "ann")
	var n int
	if err := db.GetContext(t.Context(), &n, "SELECT COUNT(*) FROM users"); err != nil || n != 0 {
		t.Errorf("got %d rows in the application's table, %v", n, err)
	}
}
