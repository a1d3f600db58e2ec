package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/store"
)

func TestInspectSQLiteChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "other?100%.db")
	db := raw(t, path, "?_pragma=journal_mode(DELETE)")
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE diary (day TEXT); INSERT INTO diary VALUES ('monday')"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	inspected, err := store.InspectSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.Pending(t.Context(), inspected)
	if err != nil || len(got) == 0 {
		t.Errorf("got %v, %v, want all migrations", got, err)
	}
	if _, err := inspected.ExecContext(t.Context(), "DELETE FROM diary"); err == nil {
		t.Error("it can be written to")
	}
	inspected.Close()
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed: %v", err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("got %v, %v, want nothing beside the file", files, err)
	}
}

// One of ours is inspected beside a server that uses it, and when nobody does.
func TestInspectSQLiteOfOurOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "auth.db")
	db, err := store.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		inspected, err := store.InspectSQLite(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := store.Pending(t.Context(), inspected); err != nil || len(got) > 0 {
			t.Errorf("got %v, %v, want nothing left to do", got, err)
		}
		inspected.Close()
		db.Close()
	}
}

func TestInspectSQLiteRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "diary.txt")
	text := strings.Repeat("Dear diary, nothing happened today.\n", 100)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.InspectSQLite(path)
	if err == nil {
		_, err = store.Pending(t.Context(), db)
		db.Close()
	}
	if !errors.Is(err, store.ErrSchema) {
		t.Errorf("got %v, want ErrSchema", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("the file has changed: %v", err)
	}
	missing := filepath.Join(filepath.Dir(path), "missing.db")
	if db, err = store.InspectSQLite(missing); err == nil {
		_, err = store.Pending(t.Context(), db)
		db.Close()
	}
	if err == nil {
		t.Error("a file that isn't there: got no error")
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("it has made a file")
	}
}
