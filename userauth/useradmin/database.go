package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/dburl"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/userauth"
)

// database is what -db or AUTH_DB_URI names. No error repeats the URL: it may hold a password.
func (c *call) database() (dburl.Database, error) {
	url := cmp.Or(c.db, c.env("AUTH_DB_URI"))
	if url == "" {
		return dburl.Database{}, usage("no database: give -db or set AUTH_DB_URI, as sqlite:app.db")
	}
	d, err := dburl.Parse(url)
	if err != nil {
		return dburl.Database{}, usage("-db: %w", err)
	}
	return d, nil
}

// existing is database, where there is one: no typing mistake may leave an empty file behind, nor an answer that came
// from one.
func (c *call) existing() (dburl.Database, error) {
	d, err := c.database()
	if err != nil {
		return dburl.Database{}, err
	}
	if missing, err := d.Missing(); err != nil {
		return dburl.Database{}, err
	} else if missing {
		return dburl.Database{}, fmt.Errorf("there is no database %q", d.Name)
	}
	return d, nil
}

// change works on the accounts of the database, and makes its tables if need be.
func (c *call) change(ctx context.Context, act func(*userauth.Accounts) error) error {
	d, err := c.database()
	if err != nil {
		return err
	}
	return withDatabase(ctx, d.Open, func(db *sqlx.DB) error { return withAccounts(ctx, db, act) })
}

// use works on the accounts of a database that is there and up to date. It migrates none: an older server may be using
// it, or it may be another program's.
func (c *call) use(ctx context.Context, act func(*userauth.Accounts) error) error {
	d, err := c.existing()
	if err != nil {
		return err
	}
	missing, err := pending(ctx, d)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("the database %q lacks tables of this version: useradmin migrate makes them", d.Name)
	}
	return withDatabase(ctx, d.Open, func(db *sqlx.DB) error { return withAccounts(ctx, db, act) })
}

// pending names the migrations that an existing database needs. It changes nothing about the database, whosever that is.
func pending(ctx context.Context, d dburl.Database) (names []string, err error) {
	err = withDatabase(ctx, d.Inspect, func(db *sqlx.DB) error {
		names, err = store.Pending(ctx, db)
		return err
	})
	return names, err
}

func withDatabase(ctx context.Context, open func(context.Context) (*sqlx.DB, error), act func(*sqlx.DB) error) error {
	db, err := open(ctx)
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
  useradmin -db sqlite:app.db migrate -dry-run -json
  useradmin -db sqlite:app.db migrate`

func migrate(ctx context.Context, c *call) error {
	d, err := c.database()
	if err != nil {
		return err
	}
	var names []string
	if c.dryRun {
		names, err = wouldRun(ctx, d)
	} else {
		err = withDatabase(ctx, d.Open, func(db *sqlx.DB) (err error) {
			names, err = store.Migrate(ctx, db)
			return err
		})
	}
	// Those that ran before one failed, too. As JSON there is all or nothing: half an array is none.
	if c.json && err == nil {
		return writeArray(c.stdout, names)
	}
	for _, name := range names {
		_, _ = fmt.Fprintln(c.stdout, name)
	}
	return err
}

// wouldRun is pending, and for a file that isn't there what a new database needs.
func wouldRun(ctx context.Context, d dburl.Database) (names []string, err error) {
	missing, err := d.Missing()
	if err != nil {
		return nil, err
	}
	if !missing {
		return pending(ctx, d)
	}
	empty := func(context.Context) (*sqlx.DB, error) { return store.OpenSQLite(":memory:") }
	err = withDatabase(ctx, empty, func(db *sqlx.DB) error {
		names, err = store.Pending(ctx, db)
		return err
	})
	return names, err
}
