package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/userauth"
)

// allMigrations is what migrate says of a new database.
func allMigrations(t *testing.T) string {
	t.Helper()
	db, err := userauth.OpenSQLite(filepath.Join(t.TempDir(), "new.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	names, err := store.Pending(t.Context(), db)
	if err != nil || len(names) == 0 || names[0] != "0001_accounts_and_sessions" {
		t.Fatalf("got %q, %v", names, err)
	}
	return strings.Join(names, "\n") + "\n"
}

// A mistyped path makes no database, and none answers that wasn't there.
func TestATypoMakesNoDatabase(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"delete", "ann"}, {"list"}, {"list", "-json"}, {"set-password", "ann", "-password-stdin"}, {"verify-password", "ann", "-password-stdin"},
		{"disable", "ann"}, {"enable", "ann"}, {"grant", "ann", "a:b"}, {"revoke", "ann", "a:b"}, {"role", "list"}, {"role", "delete", "r"},
		{"import"}, {"import", "-dry-run"},
		{"invite"}, {"invite", "list"}, {"invite", "delete", "x"},
		{"sessions", "ann"}, {"logout", "ann"}, {"token", "add", "ann", "-name", "x"}, {"token", "list", "ann"}, {"token", "delete", "ann", "x"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			if got := d.fails(1, goodPassword, args...); !strings.Contains(got, "there is no database") {
				t.Errorf("got %q", got)
			}
			wantNoFiles(t, d)
			if err := os.WriteFile(d.path, nil, 0o600); err != nil { // there, but no database yet
				t.Fatal(err)
			}
			if got := d.fails(1, goodPassword, args...); !strings.Contains(got, "useradmin migrate") {
				t.Errorf("got %q", got)
			}
			if got := d.ok("", "migrate", "-dry-run"); got != allMigrations(t) {
				t.Errorf("got %q, want it to lack everything still", got)
			}
		})
	}
}

func TestWhatMayMakeADatabase(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"add", "ann", "-password-stdin"}, {"role", "set", "editor", "contents:*"}, {"migrate"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.ok(goodPassword, args...)
			info, err := os.Stat(d.path)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode(); got != 0o600 {
				t.Errorf("got mode %s, want one for the owner alone", got)
			}
			d.ok("", "list")
			nowhere := &desk{t: t, path: filepath.Join(filepath.Dir(d.path), "no-such-folder", "app.db")}
			nowhere.fails(1, goodPassword, args...) // it makes a file, no folder
		})
	}
}

func TestMigrateTellsWhatItDid(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if got := d.ok("", "migrate", "-dry-run"); got != allMigrations(t) {
		t.Errorf("got %q", got)
	}
	wantNoFiles(t, d)
	if got := d.ok("", "migrate"); got != allMigrations(t) {
		t.Errorf("got %q", got)
	}
	if got := d.ok("", "migrate") + d.ok("", "migrate", "-dry-run"); got != "" {
		t.Errorf("got %q, want nothing left to do", got)
	}
	if got := d.ok("", "migrate", "-dry-run", "-json") + d.ok("", "migrate", "-json"); got != "[]\n[]\n" {
		t.Errorf("as JSON: got %q, want nothing left to do", got)
	}
	var names []string
	other := newDesk(t)
	if err := json.Unmarshal([]byte(other.ok("", "migrate", "-dry-run", "-json")), &names); err != nil || len(names) == 0 || names[0] != "0001_accounts_and_sessions" {
		t.Errorf("as JSON: got %q, %v", names, err)
	}
}

// A database of another program's is left as it is by everything but what makes our tables in it; not even the
// write-ahead log is turned on.
func TestAnotherProgramsDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	db, err := sqlx.Open("sqlite", "file:"+d.path+"?_pragma=journal_mode(DELETE)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE diary (day TEXT); INSERT INTO diary VALUES ('monday')"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	before, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"list"}, {"list", "-json"}, {"delete", "ann"}, {"role", "list"}, {"sessions", "ann"}, {"logout", "ann"}, {"disable", "ann"},
		{"set-password", "ann", "-password-stdin"}, {"verify-password", "ann", "-password-stdin"}, {"grant", "ann", "a:b"}, {"import"},
	} {
		if got := d.fails(1, goodPassword, args...); !strings.Contains(got, "useradmin migrate") {
			t.Errorf("%q: got %q", args, got)
		}
	}
	if got := d.ok("", "migrate", "-dry-run"); got == "" {
		t.Error("nothing would be done to it")
	}
	after, err := os.ReadFile(d.path)
	if err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file has changed: %v", err)
	}
	if files, err := os.ReadDir(filepath.Dir(d.path)); err != nil || len(files) != 1 {
		t.Errorf("got %v, %v, want nothing beside it", files, err)
	}
	d.ok("", "migrate") // it may be the application's own
	if got := d.text("SELECT day FROM diary"); got != "monday" {
		t.Errorf("got %q", got)
	}
}

// A file that is something else is refused and stays what it is.
func TestAnotherProgramsFileIsLeftAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	text := strings.Repeat("Dear diary, nothing happened today.\n", 1000)
	if err := os.WriteFile(d.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list"}, {"add", "ann", "-password-stdin"}, {"migrate"}, {"migrate", "-dry-run"}, {"role", "set", "r", ""}} {
		d.fails(1, goodPassword, args...)
	}
	if got, err := os.ReadFile(d.path); err != nil || string(got) != text {
		t.Errorf("the file has changed: %v", err)
	}
}

func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok(goodPassword, "add", "ann", "-password-stdin")
	d.exec("INSERT INTO auth_schema_migrations (version, name, applied_at) VALUES (9999, '9999_later', 0)")
	for _, args := range [][]string{{"list"}, {"add", "bob", "-password-stdin"}, {"migrate"}, {"delete", "ann"}} {
		if got := d.fails(1, goodPassword, args...); !strings.Contains(got, "9999") {
			t.Errorf("%q: got %q, want the version in it", args, got)
		}
	}
	if got := d.text("SELECT username FROM auth_users"); got != "ann" {
		t.Errorf("got %q", got)
	}
}
