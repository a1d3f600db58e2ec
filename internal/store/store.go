// Package store keeps accounts, sessions and the feed of changes in a SQL database: the one schema and all SQL of this
// library. It decides nothing about who may do what.
//
// Every read is one statement, so it sees one moment of the database and holds no connection while it waits for
// another. Every change goes through [DB.Write], which also tells it in the feed, so that other instances, and this
// one's memory, can't miss it.
//
// Errors tell what was being done and why it failed, never a hash or another stored value. A read fails with
// [ErrNotFound] or an error that wraps [ErrUnavailable]: a caller that knows neither what is stored nor that there is
// nothing has to refuse.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
)

var (
	// ErrNotFound means that there is no such row.
	ErrNotFound = errors.New("not found")

	// ErrExists means that the key is another row's.
	ErrExists = errors.New("exists already")

	// ErrChanged means that the row is no longer what the caller read.
	ErrChanged = errors.New("changed meanwhile")

	// ErrInvalid means that not every database can store the text: it isn't UTF-8, holds a NUL, or is a key of more than
	// 1024 bytes.
	ErrInvalid = errors.New("invalid text")

	// ErrFull means that there are as many as there may be.
	ErrFull = errors.New("too many")

	// ErrUnavailable means that the database can't be asked now: it is locked for too long, full, read-only, gone, or
	// the context has ended. The cause is wrapped, too.
	ErrUnavailable = errors.New("database unavailable")

	// ErrSchema means that the database is not one of this program: its schema is newer, somebody else's, or damaged.
	ErrSchema = errors.New("unusable database")
)

// A DB is an open database. It is safe for concurrent use.
type DB struct {
	db      *sqlx.DB
	dialect *dialect
	writer  chan struct{} // holds one token: whoever writes has it

	live, account, accountByKey, feed *sql.Stmt
}

// Open migrates db to this program's schema, if that is needed, and prepares what is asked often. The database is
// chosen by db.DriverName: "sqlite" or "sqlite3"; "pgx", "pgx/v5" or "postgres"; "mysql". db stays the caller's, to configure and to close; it may hold tables
// of the application, too, which must not begin with "auth_".
func Open(ctx context.Context, db *sqlx.DB) (*DB, error) {
	if _, err := Migrate(ctx, db); err != nil {
		return nil, err
	}
	dialect, err := dialectOf(db)
	if err != nil {
		return nil, err
	}
	d := &DB{db: db, dialect: dialect, writer: make(chan struct{}, 1)}
	if err := d.prepare(ctx); err != nil {
		_ = d.Close() // the first error is the one to tell
		return nil, err
	}
	return d, nil
}

// prepare also finds a table or a column that is missing, now instead of at somebody's login.
func (d *DB) prepare(ctx context.Context) error {
	for _, p := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&d.live, selectLive},
		{&d.account, accountQuery("= ?")},
		{&d.accountByKey, accountQuery("= " + userByKey)},
		{&d.feed, feedQuery},
	} {
		err := d.retry(ctx, func() (err error) {
			*p.stmt, err = d.db.PrepareContext(ctx, d.dialect.rebind(p.query)) //nolint:sqlclosecheck // Close does
			return err
		})
		if err != nil {
			return d.dialect.schemaError("preparing statements", err)
		}
	}
	for _, query := range []string{
		selectSession + "1 = 0",
		"SELECT name, description, version FROM auth_roles WHERE 1 = 0",
		"SELECT name, value FROM auth_secrets WHERE 1 = 0",
		"SELECT created_at FROM auth_feed WHERE 1 = 0",
		"SELECT token_hash, id, roles, note, created_by, created_at, expires_at FROM auth_invitations WHERE 1 = 0",
		"SELECT realm, hash, value, expires_at FROM auth_marks WHERE 1 = 0",
	} {
		err := d.query(ctx, "checking the tables", query, nil, func(*sql.Rows) error { return nil })
		if err != nil {
			return d.dialect.schemaError("checking the tables", err)
		}
	}
	return nil
}

// Close releases the prepared statements. It doesn't close the database that [Open] was given.
func (d *DB) Close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{d.live, d.account, d.accountByKey, d.feed} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

// query runs a statement and calls scan for each row.
func (d *DB) query(ctx context.Context, doing, query string, args []any, scan func(*sql.Rows) error) error {
	if !storable(args) {
		return nil // no row holds it
	}
	return d.rows(ctx, doing, scan, func() (*sql.Rows, error) { return d.db.QueryContext(ctx, d.dialect.rebind(query), args...) })
}

// prepared is query for a prepared statement.
func (d *DB) prepared(ctx context.Context, doing string, stmt *sql.Stmt, args []any, scan func(*sql.Rows) error) error {
	if !storable(args) {
		return nil
	}
	return d.rows(ctx, doing, scan, func() (*sql.Rows, error) { return stmt.QueryContext(ctx, args...) })
}

// rows runs a query, again while the database is busy, and scans what it gives. scan must not use the database: with a
// pool of one connection it would wait for itself. After an error it may have seen some rows, but never twice the same.
func (d *DB) rows(ctx context.Context, doing string, scan func(*sql.Rows) error, query func() (*sql.Rows, error)) error {
	var rows *sql.Rows
	err := d.retry(ctx, func() (err error) {
		rows, err = query() //nolint:rowserrcheck,sqlclosecheck // scanAll does both
		return err
	})
	if err == nil {
		err = scanAll(rows, scan)
	}
	return failed(doing, err)
}

// scanAll calls scan for each row and closes rows.
func scanAll(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err() // an end before the last row looks like the last row but for this
}

// failed says what failed. What isn't one of this package's answers means that there is no answer.
func failed(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("store: %s: %w", doing, ErrNotFound)
	}
	for _, known := range []error{ErrNotFound, ErrExists, ErrChanged, ErrInvalid, ErrFull} {
		if errors.Is(err, known) {
			return fmt.Errorf("store: %s: %w", doing, known)
		}
	}
	return fmt.Errorf("store: %s: %w: %w", doing, ErrUnavailable, err)
}
