package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/ostiary/auth/internal/store"
)

func TestSQLiteFiles(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"a plain name": "auth.db",
		"D-15: what a URI takes for something else":   "a?mode=memory&b%20c#d e.db",
		"a name that could be a scheme":               "file:auth.db",
		"a name that isn't ASCII":                     "häuser.db",
		"options of ours in the name change nothing ": "x?_pragma=journal_mode(OFF).db",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, file)
			db, err := store.OpenSQLite(path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			addUser(t, openDB(t, db), "ann")
			for _, suffix := range []string{"", "-wal", "-shm"} {
				info, err := os.Stat(path + suffix)
				if err != nil {
					t.Fatal(err)
				}
				if got := info.Mode(); got != 0o600 {
					t.Errorf("%s: got mode %v, want 0600", suffix, got)
				}
			}
			files, _ := os.ReadDir(dir)
			if len(files) != 3 {
				t.Errorf("got %v, want three files", files)
			}
			for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "1000"} {
				var got string
				if err := db.GetContext(t.Context(), &got, "PRAGMA "+pragma); err != nil || got != want {
					t.Errorf("%s: got %q %v, want %q", pragma, got, err, want)
				}
			}
		})
	}
}

// A deployment links the name to a volume on which there is no file yet.
func TestSQLiteFileBehindLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, linked := range map[string]func(root, path string) []string{ // target, name, target, name ...
		"a link":          func(_, path string) []string { return []string{"data/auth.db", path} },
		"an absolute one": func(root, path string) []string { return []string{filepath.Join(root, "data", "auth.db"), path} },
		"a link to a link": func(root, path string) []string {
			return []string{"data/next.db", path, "auth.db", filepath.Join(root, "data", "next.db")}
		},
		"one that leaves a linked folder": func(root, path string) []string {
			return []string{"data/deep", filepath.Join(root, "short"), "short/next.db", path, "../auth.db", filepath.Join(root, "data", "deep", "next.db")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			if err := os.MkdirAll(filepath.Join(root, "data", "deep"), 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(root, "auth.db")
			for link := range slices.Chunk(linked(root, path), 2) {
				if err := os.Symlink(link[0], link[1]); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second time there is one
				db, err := store.OpenSQLite(path)
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				openDB(t, db)
				for _, suffix := range []string{"", "-wal", "-shm"} {
					info, err := os.Lstat(filepath.Join(root, "data", "auth.db"+suffix))
					if err != nil {
						t.Fatal(err)
					}
					if got := info.Mode(); got != 0o600 {
						t.Errorf("%s: got mode %v, want 0600", suffix, got)
					}
				}
			}
		})
	}
	t.Run("a link to itself", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(dir, "loop.db")
		if err := os.Symlink("loop.db", path); err != nil {
			t.Fatal(err)
		}
		db, err := store.OpenSQLite(path)
		wantError(t, "opening", err, store.ErrUnavailable)
		if db != nil {
			t.Error("got a database, want none")
		}
	})
}

func TestOpenSQLiteRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, test := range map[string]struct {
		path string
		want error
	}{
		"a folder that isn't there": {filepath.Join(dir, "no", "auth.db"), os.ErrNotExist},
		"a folder":                  {dir, store.ErrUnavailable},
		"an empty path":             {"", store.ErrUnavailable},
		"a NUL in the path":         {filepath.Join(dir, "a\x00b"), store.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := store.OpenSQLite(test.path)
			wantError(t, "opening", err, test.want)
			if db != nil {
				t.Error("got a database, want none")
			}
		})
	}
}

func TestExistingFileKeepsItsMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "auth.db")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, 0o640) // whatever the umask is
	db, err := store.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	openDB(t, db)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("got %v %v, want 0640", info.Mode(), err)
	}
}

func TestMemoryDatabase(t *testing.T) {
	t.Parallel()
	db, err := store.OpenSQLite(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := openDB(t, db)
	if id := addUser(t, d, "ann"); account(t, d, id).Key != "ann" {
		t.Error("ann isn't there")
	}
}

func TestOtherDriversAreNamed(t *testing.T) {
	t.Parallel()
	db := sqlx.NewDb(raw(t, filepath.Join(t.TempDir(), "auth.db"), "").DB, "oracle")
	for name, try := range map[string]func() error{
		"Open":    func() error { _, err := store.Open(t.Context(), db); return err },
		"Pending": func() error { _, err := store.Pending(t.Context(), db); return err },
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), `"oracle"`) {
			t.Errorf("%s: got %v, want an error that names the driver", name, err)
		}
	}
}

// A driver whose errors have no Code method is understood by SQLite's own words.
func TestCodesOfOtherDrivers(t *testing.T) {
	t.Parallel()
	db := raw(t, filepath.Join(t.TempDir(), "auth.db"), "")
	db.SetMaxOpenConns(1)
	for statement, want := range map[string]int{
		"CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT UNIQUE)": 0,
		"SELECT z FROM a":    1,
		"SELECT x FROM nope": 1,
	} {
		_, err := db.ExecContext(t.Context(), statement)
		if want == 0 && err != nil {
			t.Fatal(err)
		}
		if err == nil {
			continue
		}
		if got := store.SQLiteCode(errors.New(err.Error())); got != want {
			t.Errorf("%s: got %d for %v, want %d", statement, got, err, want)
		}
	}
	db.MustExecContext(t.Context(), "INSERT INTO a VALUES (1, 'x')")
	_, err := db.ExecContext(t.Context(), "INSERT INTO a VALUES (2, 'x')")
	if got := store.SQLiteCode(errors.New(err.Error())); got != 2067 {
		t.Errorf("got %d for %v, want 2067", got, err)
	}
}
