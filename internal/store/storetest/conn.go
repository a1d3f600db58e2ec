package storetest

import (
	"context"
	"database/sql/driver"
)

// connector wraps the driver's.
type connector struct {
	driver.Connector
	faults *Faults
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	return call(ctx, c.faults, "connect", func() (driver.Conn, error) {
		base, err := c.Connector.Connect(ctx)
		if err != nil {
			return nil, err
		}
		return &conn{base.(sqliteConn), c.faults}, nil
	}, driver.Conn.Close)
}

// sqliteConn is what the driver's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type conn struct {
	sqliteConn
	faults *Faults
}

func (c *conn) Ping(ctx context.Context) error {
	_, err := call(ctx, c.faults, "ping", func() (any, error) { return nil, c.sqliteConn.Ping(ctx) }, nil)
	return err
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return call(ctx, c.faults, "begin", func() (driver.Tx, error) {
		base, err := c.sqliteConn.BeginTx(ctx, opts)
		if err != nil {
			return nil, err
		}
		return &tx{base, ctx, c.faults}, nil
	}, driver.Tx.Rollback)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return call(ctx, c.faults, "prepare "+query, func() (driver.Stmt, error) {
		base, err := c.sqliteConn.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		return &stmt{base.(sqliteStmt), query, c.faults}, nil
	}, driver.Stmt.Close)
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return call(ctx, c.faults, query, func() (driver.Result, error) { return c.sqliteConn.ExecContext(ctx, query, args) }, nil)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return call(ctx, c.faults, query, func() (driver.Rows, error) {
		base, err := c.sqliteConn.QueryContext(ctx, query, args)
		if err != nil {
			return nil, err
		}
		return &rows{base, ctx, c.faults}, nil
	}, driver.Rows.Close)
}

// sqliteStmt is what the driver's prepared statements can do.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	sqliteStmt
	query  string
	faults *Faults
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return call(ctx, s.faults, s.query, func() (driver.Result, error) { return s.sqliteStmt.ExecContext(ctx, args) }, nil)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return call(ctx, s.faults, s.query, func() (driver.Rows, error) {
		base, err := s.sqliteStmt.QueryContext(ctx, args)
		if err != nil {
			return nil, err
		}
		return &rows{base, ctx, s.faults}, nil
	}, driver.Rows.Close)
}

type rows struct {
	driver.Rows
	ctx    context.Context
	faults *Faults
}

func (r *rows) Next(dest []driver.Value) error {
	_, err := call(r.ctx, r.faults, fetch, func() (any, error) { return nil, r.Rows.Next(dest) }, nil)
	return err
}

type tx struct {
	driver.Tx
	ctx    context.Context // a commit has none of its own
	faults *Faults
}

// Commit that is broken before it reaches the database leaves the transaction to be rolled back, as a lost connection does.
func (t *tx) Commit() error {
	reached := false
	_, err := call(t.ctx, t.faults, "commit", func() (any, error) {
		reached = true
		return nil, t.Tx.Commit()
	}, nil)
	if !reached {
		_ = t.Rollback()
	}
	return err
}
