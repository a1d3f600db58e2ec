package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/userauth"
)

// path is the SQLite file that -db or AUTH_DB_URI names. No error repeats the URL: it may hold a password.
func (c *call) path() (string, error) {
	url := cmp.Or(c.db, c.env("AUTH_DB_URI"))
	scheme, path, found := strings.Cut(url, ":")
	switch {
	case url == "":
		return "", usage("no database: give -db or set AUTH_DB_URI, as sqlite:app.db")
	case !found:
		return "", usage("-db: want sqlite:PATH, as sqlite:app.db")
	case scheme == "postgres", scheme == "postgresql", scheme == "mysql", scheme == "mariadb":
		return "", fmt.Errorf("-db: this command doesn't support %s databases yet", scheme)
	case scheme != "sqlite":
		return "", usage("-db: want sqlite:PATH, as sqlite:app.db")
	case path == "", path == ":memory:":
		return "", usage("-db: want a file behind sqlite:, as sqlite:app.db")
	case strings.HasPrefix(path, "//"): // which some programs take for a file here, and some for one of the root's
		return "", usage("-db: want no slashes behind sqlite:, or the one that the path begins with")
	}
	return path, nil
}

// existing is path, of a file that is there: no typing mistake may leave an empty database behind, nor an answer that
// came from one.
func (c *call) existing() (string, error) {
	path, err := c.path()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no database %q", path)
	} else if err != nil {
		return "", err
	}
	return path, nil
}

// change works on the accounts of the database, and makes that if need be.
func (c *call) change(ctx context.Context, act func(*userauth.Accounts) error) error {
	path, err := c.path()
	if err != nil {
		return err
	}
	return withDatabase(path, func(db *sqlx.DB) error { return withAccounts(ctx, db, act) })
}

// use works on the accounts of a database that is there and up to date. It migrates none: an older server may be using
// it, or the file may be another program's.
func (c *call) use(ctx context.Context, act func(*userauth.Accounts) error) error {
	path, err := c.existing()
	if err != nil {
		return err
	}
	return withDatabase(path, func(db *sqlx.DB) error {
		pending, err := store.Pending(ctx, db)
		if err != nil {
			return err
		}
		if len(pending) > 0 {
			return fmt.Errorf("the database %q lacks tables of this version: useradmin migrate makes them", path)
		}
		return withAccounts(ctx, db, act)
	})
}

func withDatabase(path string, act func(*sqlx.DB) error) error {
	db, err := store.OpenSQLite(path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // what was committed is on the disk by now
	return act(db)
}

func withAccounts(ctx context.Context, db *sqlx.DB, act func(*userauth.Accounts) error) error {
	accounts, err := userauth.OpenAccounts(ctx, db, userauth.Policy{})
	if err != nil {
		return err
	}
	defer func() { _ = accounts.Close() }() // it holds statements only
	return act(accounts)
}

const helpMigrate = `Makes the tables in a new or older database, and prints the names of the migrations that it ran:
nothing if there was nothing to do. Servers do the same when they start. Make a backup before.

  useradmin -db sqlite:app.db migrate -dry-run
  useradmin -db sqlite:app.db migrate`

func migrate(ctx context.Context, c *call) error {
	path, err := c.path()
	if err != nil {
		return err
	}
	step := store.Migrate
	if c.dryRun {
		step = store.Pending
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			path = ":memory:" // what a new database would need
		}
	}
	return withDatabase(path, func(db *sqlx.DB) error {
		names, err := step(ctx, db)
		for _, name := range names { // those that ran before one failed, too
			_, _ = fmt.Fprintln(c.stdout, name)
		}
		return err
	})
}
