package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// createSteps makes the table that tells how far a migration has come: a row for each statement that was begun.
const createSteps = "CREATE TABLE IF NOT EXISTS auth_schema_steps (version {int} NOT NULL, step {int} NOT NULL, PRIMARY KEY (version, step))"

// migrateStepwise runs a migration on MySQL, where each CREATE TABLE is a commit: statement by statement, so that one that
// was cut off goes on where it was. Only the statement that was under way may have been done or not: for it, to find what
// it would make is no error. So a migration's UPDATE must be one that can be run twice.
func migrateStepwise(ctx context.Context, d *dialect, db *sqlx.DB, m migration) (did bool, err error) {
	conn, err := db.Connx(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }() // back into the pool
	unlock, err := lockMigrations(ctx, conn)
	if err != nil {
		return false, err
	}
	defer unlock()
	for _, statement := range []string{createMigrations, createSteps} {
		if _, err := conn.ExecContext(ctx, d.ddl(statement)); err != nil {
			return false, err
		}
	}
	// Asked again under the lock: of several programs that start at once, one migrates and the others find it done.
	if todo, err := m.todo(ctx, d, conn); err != nil || !todo {
		return false, err
	}
	var begun int
	if err := conn.GetContext(ctx, &begun, "SELECT COALESCE(MAX(step), 0) FROM auth_schema_steps WHERE version = ?", m.version); err != nil {
		return false, err
	}
	for i, statement := range m.statements(d) {
		if i+1 < begun {
			continue
		}
		if err := m.step(ctx, conn, statement, i+1, i+1 == begun); err != nil {
			return false, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if err := m.done(ctx, d, conn); err != nil {
		return false, err
	}
	return true, nil
}

// step runs one statement; again if it may have been run already.
func (m migration) step(ctx context.Context, conn *sqlx.Conn, statement string, number int, again bool) error {
	if !again {
		if _, err := conn.ExecContext(ctx, "INSERT INTO auth_schema_steps (version, step) VALUES (?, ?)", m.version, number); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, statement)
	if again && mysqlMade(err) {
		return nil
	}
	if mysqlCode(err) != 0 {
		// The server has refused it, so that it wasn't begun: what is in its way is somebody else's, also the next time.
		_, undo := conn.ExecContext(ctx, "DELETE FROM auth_schema_steps WHERE version = ? AND step = ?", m.version, number)
		err = errors.Join(err, undo)
	}
	return err
}

// mysqlMade tells whether a statement failed since what it makes is there: table, column, index, foreign key, row; or
// since what it takes away isn't.
var mysqlMade = mysqlIs(1050, 1060, 1061, 1826, 1062, 1051, 1091)

var errMigrating = errors.New("another program is migrating the database")

// lockMigrations waits until nobody else migrates this database. A lock of the connection's: it ends with it.
func lockMigrations(ctx context.Context, conn *sqlx.Conn) (unlock func(), err error) {
	const name = "CONCAT('auth_schema ', MD5(DATABASE()))" // the server's other databases have their own
	var got sql.NullInt64
	if err := conn.GetContext(ctx, &got, "SELECT GET_LOCK("+name+", ?)", int(migrateTimeout/time.Second)); err != nil {
		return nil, err
	}
	if got.Int64 != 1 {
		return nil, errMigrating
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		if _, err := conn.ExecContext(ctx, "DO RELEASE_LOCK("+name+")"); err != nil {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // drops the connection, and the lock with it
		}
	}, nil
}
