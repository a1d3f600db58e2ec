package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

var sqlite = dialect{
	bind:     sqlx.QUESTION,
	types:    strings.NewReplacer("{int}", "INTEGER", "{key}", "TEXT", "{text}", "TEXT", "{bytes}", "BLOB", "{bytes32}", "BLOB"),
	hasTable: "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
	// A transaction that reads first and writes later fails if anybody has written in between, without waiting. This
	// makes it a writer from its beginning, whatever the application's DSN says about BEGIN.
	lock: func(ctx context.Context, tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM auth_counters WHERE name = ''")
		return err
	},
	// The second statement takes the lock where the table exists already.
	migrate:  migrateAtOnce(createMigrations, "DELETE FROM auth_schema_migrations WHERE version < 0"),
	busy:     sqliteIs(5, 6),                                                                     // BUSY, LOCKED
	lost:     func(error) bool { return false },                                                  // there is none
	taken:    func(err error) bool { return sqliteCode(err) == 2067 || sqliteCode(err) == 1555 }, // UNIQUE, PRIMARYKEY
	unusable: sqliteIs(1, 11, 26),                                                                // ERROR (no such table, column), CORRUPT, NOTADB
}

// sqliteTexts are SQLite's own words, for the drivers whose errors don't give the code as a method.
var sqliteTexts = []struct {
	text string
	code int
}{
	{"database is locked", 5},
	{"database table is locked", 6},
	{"UNIQUE constraint failed", 2067},
	{"database disk image is malformed", 11},
	{"file is not a database", 26},
	{"no such table", 1},
	{"no such column", 1},
	{"already exists", 1},
}

// sqliteCode is SQLite's extended result code, 0 if err is no error of SQLite's that this package acts on.
func sqliteCode(err error) int {
	var coded interface{ Code() int } // not the driver's own type: the application may bring another driver
	if errors.As(err, &coded) {
		return coded.Code()
	}
	for _, known := range sqliteTexts {
		if err != nil && strings.Contains(err.Error(), known.text) {
			return known.code
		}
	}
	return 0
}

// sqliteIs recognizes primary result codes, which are the extended ones' lowest byte.
func sqliteIs(codes ...int) func(error) bool {
	return func(err error) bool {
		primary := sqliteCode(err) & 0xff
		for _, code := range codes {
			if primary == code {
				return true
			}
		}
		return false
	}
}

// sqliteCreating is held while a file is made: see createSQLite.
var sqliteCreating sync.Mutex

// OpenSQLite opens the SQLite database in the file path, and makes it if there is none, readable and writable by this
// user alone; its folder must exist. The file's companions, path-wal and path-shm, get its mode. An existing file keeps
// the mode that it has. ":memory:" is a database that ends with the last connection to it, for tests.
//
// Commits are on the disk when they return. Up to 8 connections read at the same time, beside one that writes. A file
// that isn't a database is refused with [ErrSchema], and left as it is.
func OpenSQLite(path string) (*sqlx.DB, error) {
	doing := fmt.Sprintf("opening %q", path)
	name := ":memory:"
	if path != name {
		full, err := filepath.Abs(path)
		if err != nil {
			return nil, failed(doing, err)
		}
		if err := createSQLite(full); err != nil {
			return nil, failed(doing, err)
		}
		name = sqliteURI(full)
	}
	db, err := sqlx.Open("sqlite", name+"?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"+
		"&_pragma=foreign_keys(1)&_txlock=immediate&_dqs=0")
	if err != nil {
		return nil, failed(doing, err)
	}
	connections := 8
	if path == ":memory:" {
		connections = 1 // each connection would be a database of its own
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	// The first connection turns the write-ahead log on, for which it must be alone: several processes may start at once.
	ctx, cancel := context.WithTimeout(context.Background(), WriteTimeout)
	defer cancel()
	if err := sqlite.retry(ctx, func() error { return db.PingContext(ctx) }); err != nil {
		_ = db.Close() // the first error is the one to tell
		return nil, sqlite.schemaError(doing, err)
	}
	return db, nil
}

// sqliteURI names a file so that a "?" or "%" in its path is part of the path.
func sqliteURI(full string) string {
	return "file://" + (&url.URL{Path: "/" + strings.TrimPrefix(filepath.ToSlash(full), "/")}).EscapedPath()
}

// createSQLite makes an empty file that only this user can read, if there is none: SQLite itself would make one that
// everybody can read who gets at its folder. An existing file isn't even opened, since closing it would take away the
// locks that this process's other connections hold on it (POSIX's rule); nor may any be opened before ours is closed.
func createSQLite(path string) error {
	sqliteCreating.Lock()
	defer sqliteCreating.Unlock()
	for range maxLinks {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
		if err == nil {
			return file.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		// A link counts as existing, wherever it leads: SQLite would follow it, and make the file where there is none.
		target, err := os.Readlink(path)
		if err != nil {
			return nil // it is no link, so it is the file
		}
		if !filepath.IsAbs(target) {
			folder, _ := filepath.Split(path)
			target = folder + target // not cleaned: ".." is the parent of where a linked folder is, not of the link
		}
		path = target
	}
	return errors.New("too many links")
}

const maxLinks = 40 // as many as Linux follows
