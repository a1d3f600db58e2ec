package storetest

import (
	"context"
	"database/sql/driver"
)

// connector wraps the driver's.
type connector struct {
	driver.Connector
	faults *Faults
	// MySQL's driver wants a statement with arguments to be prepared, and says so without a call.
	prepares bool
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	return call(ctx, c.faults, "connect", func() (driver.Conn, error) {
		base, err := c.Connector.Connect(ctx)
		if err != nil {
			return nil, err
		}
		return &conn{base.(baseConn), c.faults, c.prepares}, nil
	}, driver.Conn.Close)
}

// baseConn is what connections of all drivers can do.
type baseConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
}

type conn struct {
	baseConn
	faults   *Faults
	prepares bool
}

// IsValid is true for a driver that doesn't tell.
func (c *conn) IsValid() bool {
	v, ok := c.baseConn.(driver.Validator)
	return !ok || v.IsValid()
}

// CheckNamedValue leaves arguments to the driver.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.baseConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *conn) Ping(ctx context.Context) error {
	_, err := call(ctx, c.faults, "ping", func() (any, error) { return nil, c.baseConn.Ping(ctx) }, nil)
	return err
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return call(ctx, c.faults, "begin", func() (driver.Tx, error) {
		base, err := c.baseConn.BeginTx(ctx, opts)
		if err != nil {
			return nil, err
		}
		return &tx{base, ctx, c.faults}, nil
	}, driver.Tx.Rollback)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return call(ctx, c.faults, "prepare "+query, func() (driver.Stmt, error) {
		base, err := c.baseConn.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		return &stmt{base.(baseStmt), c, query}, nil
	}, driver.Stmt.Close)
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.prepares && len(args) > 0 {
		return nil, driver.ErrSkip
	}
	return call(ctx, c.faults, query, func() (driver.Result, error) { return c.baseConn.ExecContext(ctx, query, args) }, nil)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.prepares && len(args) > 0 {
		return nil, driver.ErrSkip
	}
	return call(ctx, c.faults, query, func() (driver.Rows, error) {
		base, err := c.baseConn.QueryContext(ctx, query, args)
		if err != nil {
			return nil, err
		}
		return &rows{base, ctx, c.faults}, nil
	}, driver.Rows.Close)
}

// baseStmt is what prepared statements of all drivers can do.
type baseStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	baseStmt
	conn  *conn
	query string
}

// CheckNamedValue leaves arguments to the driver.
func (s *stmt) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := s.baseStmt.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return s.conn.CheckNamedValue(v)
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return call(ctx, s.conn.faults, s.query, func() (driver.Result, error) { return s.baseStmt.ExecContext(ctx, args) }, nil)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return call(ctx, s.conn.faults, s.query, func() (driver.Rows, error) {
		base, err := s.baseStmt.QueryContext(ctx, args)
		if err != nil {
			return nil, err
		}
		return &rows{base, ctx, s.conn.faults}, nil
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
