package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
)

// A Tx is a transaction inside [DB.Write]. It is not safe for concurrent use. Its methods fail with [ErrNotFound],
// [ErrExists], [ErrChanged] or [ErrInvalid], after which it can go on, or with an error that ends it.
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
	// There is one writer at a time, see dialect.lock. Those of this process wait here, in order, with no connection held.
	select {
	case d.writer <- struct{}{}:
		defer func() { <-d.writer }()
	case <-ctx.Done():
		return failed("waiting to write", ctx.Err())
	}
	var answer error
	err := d.dialect.retry(ctx, func() (err error) {
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
	sqlTx, err := d.db.BeginTxx(ctx, &sql.TxOptions{Isolation: d.dialect.isolation})
	if err != nil {
		return nil, err
	}
	defer func() { _ = sqlTx.Rollback() }() // also when fn panics; does nothing after a commit
	tx := &Tx{ctx: ctx, dialect: d.dialect, tx: sqlTx}
	if err := d.dialect.lock(ctx, sqlTx); err != nil {
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
	switch err := sqlTx.Commit(); {
	case errors.Is(err, sql.ErrTxDone): // database/sql has rolled back, since ctx has ended
		return nil, cmp.Or(ctx.Err(), err) // fail closed: never nil, nothing was written
	case err != nil:
		return nil, &commitError{err}
	}
	return nil, nil
}

// exec runs a statement and gives the number of rows that it changed. An INSERT fails with [ErrExists] if a unique key is
// taken, and the transaction can go on.
func (t *Tx) exec(doing, query string, args ...any) (int64, error) {
	if t.broken != nil || !strings.HasPrefix(query, "INSERT") {
		return t.run(doing, query, args...)
	}
	release := func(string) error { return nil }
	if t.dialect.savepoint {
		if _, err := t.run(doing, "SAVEPOINT auth_insert"); err != nil {
			return 0, err
		}
		release = func(how string) error { _, err := t.run(doing, how+" SAVEPOINT auth_insert"); return err }
	}
	n, err := t.run(doing, query, args...)
	switch {
	case err == nil:
		return n, release("RELEASE")
	case t.broken != nil && t.dialect.taken(t.broken):
		t.broken = nil
		if err := release("ROLLBACK TO"); err != nil {
			return 0, err
		}
		return 0, failed(doing, ErrExists)
	}
	return 0, err
}

// run is exec for a statement that can't fail but for the database's sake: every error, but for [ErrInvalid], ends the
// transaction.
func (t *Tx) run(doing, query string, args ...any) (int64, error) {
	if t.broken != nil {
		return 0, failed(doing, t.broken)
	}
	if !storable(args) {
		return 0, failed(doing, ErrInvalid)
	}
	var n int64
	result, err := t.tx.ExecContext(t.ctx, t.dialect.rebind(query), args...)
	if err == nil {
		n, err = result.RowsAffected()
	}
	t.broken = err
	return n, failed(doing, err)
}

// query runs a statement and calls scan for each row; scan must not use the transaction. For a text that no row can hold
// there is no row, not even one that counts others.
func (t *Tx) query(doing, query string, args []any, scan func(*sql.Rows) error) error {
	if t.broken != nil {
		return failed(doing, t.broken)
	}
	if !storable(args) {
		return nil // no row holds it
	}
	rows, err := t.tx.QueryContext(t.ctx, t.dialect.rebind(query), args...)
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
	changed, err := t.run(doing, "UPDATE auth_counters SET value = value + ? WHERE name = ?", n, counter)
	if err == nil && changed == 0 {
		t.broken = errCounter // nothing may be committed that nobody is told
		err = failed(doing, t.broken)
	}
	if err != nil {
		return 0, err
	}
	return t.number(doing, "SELECT value FROM auth_counters WHERE name = ?", counter)
}
