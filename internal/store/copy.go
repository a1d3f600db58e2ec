package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
)

// A Copied table has so many rows.
type Copied struct {
	Table string
	Rows  int64
}

// Copy copies all that from holds to a database of any engine, whose tables it makes; it fails with [ErrExists] if there
// is anything in them. All is copied or nothing, and the rows are counted on both sides. It fails with [ErrChanged] if
// somebody has written to from meanwhile: stop the programs that do. from must have the current schema.
func Copy(ctx context.Context, from, to *sqlx.DB) ([]Copied, error) {
	const doing = "copying"
	if todo, err := Pending(ctx, from); err != nil {
		return nil, err
	} else if len(todo) > 0 {
		return nil, fmt.Errorf("store: %s: %w: it lacks %s", doing, ErrSchema, strings.Join(todo, ", "))
	}
	if _, err := Migrate(ctx, to); err != nil {
		return nil, err
	}
	c := copier{from: from}
	var err error
	if c.source, err = dialectOf(from); err == nil {
		c.target, err = dialectOf(to)
	}
	if err != nil {
		return nil, err
	}
	tables, err := currentTables(ctx)
	if err != nil {
		return nil, c.target.schemaError(doing, err)
	}
	done, err := c.copy(ctx, tables, to)
	switch {
	case errors.Is(err, ErrExists), errors.Is(err, ErrChanged), errors.Is(err, ErrInvalid):
		return nil, fmt.Errorf("store: %s: %w", doing, err) // with the table, which failed would leave out
	case err != nil:
		return nil, failed(doing, err)
	}
	return done, nil
}

// A table of the current schema.
type table struct {
	name    string
	columns []column
}

// A column and its type in SQLite: of the three the only one that tells numbers, texts and bytes apart.
type column struct{ name, kind string }

func (t table) list() string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// currentTables reads the tables of a new database, in the order in which they are made: what one refers to comes before
// it.
func currentTables(ctx context.Context) (list []table, err error) {
	db, err := OpenSQLite(":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if _, err := Migrate(ctx, db); err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c "+
		"WHERE m.type = 'table' AND m.name <> 'auth_schema_migrations' ORDER BY m.rowid, c.cid")
	if err != nil {
		return nil, err
	}
	err = scanAll(rows, func(rows *sql.Rows) error {
		var name string
		var c column
		if err := rows.Scan(&name, &c.name, &c.kind); err != nil {
			return err
		}
		if len(list) == 0 || list[len(list)-1].name != name {
			list = append(list, table{name: name})
		}
		last := &list[len(list)-1]
		last.columns = append(last.columns, c)
		return nil
	})
	return list, err
}

// A copier copies from one moment of a database to a transaction of another.
type copier struct {
	source, target *dialect
	from           *sqlx.DB
	snapshot, to   *sqlx.Tx
}

func (c *copier) copy(ctx context.Context, tables []table, to *sqlx.DB) (done []Copied, err error) {
	if c.snapshot, err = c.from.BeginTxx(ctx, &sql.TxOptions{Isolation: c.source.snapshot}); err != nil {
		return nil, err
	}
	defer func() { _ = c.snapshot.Rollback() }()
	if c.to, err = to.BeginTxx(ctx, &sql.TxOptions{Isolation: c.target.isolation}); err != nil {
		return nil, err
	}
	defer func() { _ = c.to.Rollback() }() // does nothing after a commit
	if err := c.target.lock(ctx, c.to); err != nil {
		return nil, err
	}
	for _, t := range tables {
		if err := c.empty(ctx, t); err != nil {
			return nil, err
		}
	}
	for _, t := range tables {
		n, err := c.table(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		done = append(done, Copied{t.name, n})
	}
	_ = c.snapshot.Rollback() // frees the connection: there may be only one
	for _, d := range done {
		if err := c.compare(ctx, d); err != nil {
			return nil, err
		}
	}
	return done, c.to.Commit()
}

// empty fails if the table has rows that a new database hasn't. The counters of a new one are all 0.
func (c *copier) empty(ctx context.Context, t table) error {
	query := "SELECT COUNT(*) FROM " + t.name
	if t.name == "auth_counters" {
		query += " WHERE value <> 0"
	}
	n, err := count(ctx, c.to, query)
	if err == nil && n > 0 {
		err = fmt.Errorf("%w: the target isn't empty, there are rows in %s", ErrExists, t.name)
	}
	return err
}

// compare fails unless both databases have as many rows as were copied.
func (c *copier) compare(ctx context.Context, d Copied) error {
	query := "SELECT COUNT(*) FROM " + d.Table
	now, err := count(ctx, c.from, query)
	if err != nil {
		return err
	}
	copied, err := count(ctx, c.to, query)
	if err != nil {
		return err
	}
	if now != d.Rows || copied != d.Rows {
		return fmt.Errorf("%w: %s had %d rows, has %d now, and %d were copied", ErrChanged, d.Table, d.Rows, now, copied)
	}
	return nil
}

func count(ctx context.Context, db querier, query string) (n int64, err error) {
	err = db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

// copyArgs is how many values one INSERT takes at most: SQLite takes 32,766, the others more.
const copyArgs = 5000

// table copies all rows of one.
func (c *copier) table(ctx context.Context, t table) (n int64, err error) {
	if t.name == "auth_counters" { // those of a new database, which were all 0
		if _, err := c.to.ExecContext(ctx, "DELETE FROM auth_counters"); err != nil {
			return 0, err
		}
	}
	rows, err := c.snapshot.QueryContext(ctx, "SELECT "+t.list()+" FROM "+t.name)
	if err != nil {
		return 0, err
	}
	width := len(t.columns)
	args := make([]any, 0, copyArgs)
	flush := func() error {
		err := c.insert(ctx, t, args)
		args = args[:0]
		return err
	}
	err = scanAll(rows, func(rows *sql.Rows) error {
		values, err := t.scan(rows)
		if err != nil {
			return err
		}
		n++
		if args = append(args, values...); len(args)+width > copyArgs {
			return flush()
		}
		return nil
	})
	if err == nil && len(args) > 0 {
		err = flush()
	}
	return n, err
}

func (c *copier) insert(ctx context.Context, t table, args []any) error {
	if !storable(args) {
		return ErrInvalid
	}
	row := "(?" + strings.Repeat(", ?", len(t.columns)-1) + ")"
	_, err := c.to.ExecContext(ctx, c.target.rebind("INSERT INTO "+t.name+" ("+t.list()+") VALUES "+row+
		strings.Repeat(", "+row, len(args)/len(t.columns)-1)), args...)
	return err
}

// scan reads a row in the types that the other database wants: MySQL's driver gives bytes for each text.
func (t table) scan(rows *sql.Rows) ([]any, error) {
	values := make([]any, len(t.columns))
	for i, c := range t.columns {
		switch c.kind {
		case "INTEGER":
			values[i] = new(sql.NullInt64)
		case "TEXT":
			values[i] = new(sql.NullString)
		default:
			values[i] = new([]byte)
		}
	}
	if err := rows.Scan(values...); err != nil {
		return nil, err
	}
	for i, value := range values {
		switch v := value.(type) {
		case *sql.NullInt64:
			values[i] = nullable(v.Valid, v.Int64)
		case *sql.NullString:
			values[i] = nullable(v.Valid, v.String)
		case *[]byte:
			values[i] = *v
		}
	}
	return values, nil
}

func nullable(valid bool, value any) any {
	if !valid {
		return nil
	}
	return value
}
