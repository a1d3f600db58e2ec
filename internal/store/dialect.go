package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
)

// A dialect is what differs between the databases. All other SQL is what PostgreSQL, MySQL and SQLite have in common.
type dialect struct {
	bind      int                // how sqlx calls its placeholders
	types     *strings.Replacer  // {int} and the other type words of the migrations
	table     string             // follows each CREATE TABLE
	hasTable  string             // counts the tables of a name
	settings  string             // gives the name and value of each setting of the server that this package can't work with
	isolation sql.IsolationLevel // of a transaction that writes
	snapshot  sql.IsolationLevel // of one in which all reads see the same moment
	savepoint bool               // a statement that fails ends its transaction, but for a savepoint

	// lock makes a transaction the only one that writes, until its end. It is the first statement of each, so that what
	// a transaction reads stays as it is, and "count, then insert" needs no cleverness. SQLite has one writer anyway.
	lock func(ctx context.Context, tx *sqlx.Tx) error

	// notify, where the database has such a thing, wakes whoever waits for changes of the feed when they are committed.
	notify string

	// migrate runs a migration once, however many programs call it at the same time. did tells whether it was this one.
	migrate func(ctx context.Context, d *dialect, db *sqlx.DB, m migration) (did bool, err error)

	busy     func(error) bool // somebody else is in the way, says the database: nothing was done, and may be tried again
	lost     func(error) bool // the connection is gone: nobody knows whether what was sent was done
	taken    func(error) bool // a unique key is taken
	unusable func(error) bool // not a database, damaged, or without a table or column of ours
}

// dialectOf goes by the name that db was opened with.
func dialectOf(db *sqlx.DB) (*dialect, error) {
	switch name := db.DriverName(); name {
	case "sqlite", "sqlite3":
		return &sqlite, nil
	case "pgx", "pgx/v5", "postgres":
		return &postgres, nil
	case "mysql":
		return &mysql, nil
	default:
		return nil, fmt.Errorf(`store: driver %q: only "sqlite", "sqlite3", "pgx", "pgx/v5", "postgres" and "mysql" are supported`, name)
	}
}

// rebind writes the dialect's placeholders for "?". It doesn't ask sqlx, which knows drivers by name and not all of them.
func (d *dialect) rebind(query string) string { return sqlx.Rebind(d.bind, query) }

// lockRow locks the row of auth_counters that is there for it. A row of its own: the feed's is updated last, when the
// changes of a transaction are known.
func lockRow(query string) func(ctx context.Context, tx *sqlx.Tx) error {
	return func(ctx context.Context, tx *sqlx.Tx) error {
		var unused any
		err := tx.QueryRowContext(ctx, query).Scan(&unused)
		if errors.Is(err, sql.ErrNoRows) {
			return errCounter // without its row nothing would be locked
		}
		return err
	}
}

// checkSettings refuses a server with which this package's promises wouldn't hold.
func (d *dialect) checkSettings(ctx context.Context, db *sqlx.DB) error {
	if d.settings == "" {
		return nil
	}
	rows, err := db.QueryContext(ctx, d.settings)
	if err != nil {
		return err
	}
	return scanAll(rows, func(rows *sql.Rows) error {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return err
		}
		return fmt.Errorf("%w: with the server's setting %s = %s", ErrSchema, name, value)
	})
}

// schemaError is failed for what is done at start-up: what no waiting will mend is ErrSchema.
func (d *dialect) schemaError(doing string, err error) error {
	if errors.Is(err, ErrSchema) {
		return fmt.Errorf("store: %s: %w", doing, err)
	}
	if err != nil && d.unusable(err) {
		return fmt.Errorf("store: %s: %w: %w", doing, ErrSchema, err)
	}
	return failed(doing, err)
}
