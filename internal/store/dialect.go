package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
)

// A dialect is what differs between the databases. All other SQL is what PostgreSQL, MySQL and SQLite have in common.
type dialect struct {
	types    *strings.Replacer // {int} and the other type words of the migrations
	hasTable string            // counts the tables of a name
	lock     string            // takes the lock that writers need, and changes nothing

	busy     func(error) bool // somebody else is writing: the transaction may be run again
	taken    func(error) bool // a unique key is taken
	unusable func(error) bool // not a database, damaged, or without a table or column of ours
}

func dialectOf(db *sqlx.DB) (*dialect, error) {
	switch name := db.DriverName(); name {
	case "sqlite", "sqlite3":
		return &sqlite, nil
	default:
		return nil, fmt.Errorf(`store: driver %q: only "sqlite" and "sqlite3" are supported`, name)
	}
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
