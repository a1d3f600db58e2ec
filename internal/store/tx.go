package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// A Tx is a transaction inside [DB.Write]. It is not safe for concurrent use. Its methods fail with [ErrNotFound],
// [ErrExists] or [ErrChanged], after which it can go on, or with an error that ends it.
type Tx struct {
	ctx     context.Context
	dialect *dialect
	tx      *sqlx.Tx
	changes changes
	broken  error // what ended it
}

// Write runs fn in a transaction and commits it, or does nothing at all if fn fails, whose error it returns as it is.
// Whatever changes for sessions that others may have in memory is told in the feed by the same commit.
//
// fn may run more than once, since others write, too: it must have no effect but through tx, and may use the database
// through tx only. Write gives up with [ErrUnavailable] when ctx ends, or after [WriteTimeout]. If the database fails
// during the commit itself, nobody can say whether it has happened.
func (d *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, WriteTimeout)
	defer cancel()
	// SQLite has one writer. Those of this process wait here, in order, instead of fighting for the file's lock.
	select {
	case d.writer <- struct{}{}:
		defer func() { <-d.writer }()
	case <-ctx.Done():
		return failed("waiting to write", ctx.Err())
	}
	var answer error
	err := retryBusy(ctx, d.dialect, func() (err error) {
		answer, err = d.try(ctx, fn)
		return err
	})
	if err != nil {
		return failed("writing", err)
	}
	return answer
}

// try runs fn once. answer is what fn refused; err is the database's.
func (d *DB) try(ctx context.Context, fn func(tx *Tx) error) (answer, err error) {
	sqlTx, err := d.db.BeginTxx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sqlTx.Rollback() }() // also when fn panics; does nothing after a commit
	tx := &Tx{ctx: ctx, dialect: d.dialect, tx: sqlTx}
	if _, err := sqlTx.ExecContext(ctx, d.dialect.lock); err != nil {
		return nil, err
	}
	answer = fn(tx)
	if tx.broken == nil && answer != nil {
		return answer, nil
	}
	tx.flush()
	// Even if fn has let an error pass: the database may have rolled back by itself, and what came after that error would
	// be committed alone.
	if tx.broken != nil {
		return nil, tx.broken
	}
	return nil, sqlTx.Commit()
}

// exec runs a statement and gives the number of rows that it changed.
func (t *Tx) exec(doing, query string, args ...any) (int64, error) {
	if t.broken != nil {
		return 0, failed(doing, t.broken)
	}
	result, err := t.tx.ExecContext(t.ctx, t.tx.Rebind(query), args...)
	if err != nil && t.dialect.taken(err) {
		return 0, failed(doing, ErrExists)
	}
	var n int64
	if err == nil {
		n, err = result.RowsAffected()
	}
	t.broken = err
	return n, failed(doing, err)
}

// query runs a statement and calls scan for each row; scan must not use the transaction.
func (t *Tx) query(doing, query string, args []any, scan func(*sql.Rows) error) error {
	if t.broken != nil {
		return failed(doing, t.broken)
	}
	rows, err := t.tx.QueryContext(t.ctx, t.tx.Rebind(query), args...)
	if err == nil {
		err = scanAll(rows, scan)
	}
	t.broken = err
	return failed(doing, err)
}

// number runs a statement that gives one number, or [ErrNotFound].
func (t *Tx) number(doing, query string, args ...any) (n int64, err error) {
	found := false
	err = t.query(doing, query, args, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&n)
	})
	if err == nil && !found {
		err = failed(doing, ErrNotFound)
	}
	return n, err
}

// take adds n to a counter and gives its new value. In every database this locks the counter until the transaction
// ends, so no number is given twice, and numbers become visible in their order.
func (t *Tx) take(counter string, n int) (int64, error) {
	doing := fmt.Sprintf("counting %s", counter)
	changed, err := t.exec(doing, "UPDATE auth_counters SET value = value + ? WHERE name = ?", n, counter)
	if err == nil && changed == 0 {
		t.broken = errCounter // nothing may be committed that nobody is told
		err = failed(doing, t.broken)
	}
	if err != nil {
		return 0, err
	}
	return t.number(doing, "SELECT value FROM auth_counters WHERE name = ?", counter)
}
