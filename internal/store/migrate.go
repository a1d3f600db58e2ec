package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// A migration brings the schema from version-1 to version. Migrations are never changed once they were published, and
// there is no way back: an older program refuses a newer schema instead.
type migration struct {
	version int
	name    string // its file's, without ".sql"
	sql     string
}

// migrations gives all migrations in order. The first is 1.
func migrations() ([]migration, error) {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var all []migration
	for i, file := range files {
		text, err := fs.ReadFile(migrationFiles, file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql")
		if !strings.HasPrefix(name, fmt.Sprintf("%04d_", i+1)) {
			return nil, fmt.Errorf("store: migration %s should be number %d", name, i+1)
		}
		all = append(all, migration{i + 1, name, string(text)})
	}
	return all, nil
}

// statements splits a migration at each ";" that ends a line: not every driver takes several statements at once.
func (m migration) statements(d *dialect) []string {
	var all []string
	for _, statement := range strings.Split(d.types.Replace(m.sql), ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			all = append(all, statement)
		}
	}
	return all
}

// Migrate brings the database to this program's schema, as [Open] does, and returns the names of the migrations that
// it ran. Each is run whole or not at all, and once, however many programs start at the same time. A database that is
// up to date is only read. It fails with [ErrSchema] if the schema is newer than this program or isn't ours.
func Migrate(ctx context.Context, db *sqlx.DB) (ran []string, err error) {
	d, err := dialectOf(db)
	if err != nil {
		return nil, err
	}
	todo, err := pending(ctx, d, db)
	for _, m := range todo {
		var did bool
		if did, err = m.run(ctx, d, db); err != nil {
			break
		}
		if did {
			ran = append(ran, m.name)
		}
	}
	return ran, d.schemaError("migrating", err)
}

// Pending returns the names of the migrations that [Open] and [Migrate] would run. It changes nothing.
func Pending(ctx context.Context, db *sqlx.DB) ([]string, error) {
	d, err := dialectOf(db)
	if err != nil {
		return nil, err
	}
	todo, err := pending(ctx, d, db)
	var names []string
	for _, m := range todo {
		names = append(names, m.name)
	}
	return names, d.schemaError("reading the schema's version", err)
}

func pending(ctx context.Context, d *dialect, db *sqlx.DB) (todo []migration, err error) {
	ctx, cancel := context.WithTimeout(ctx, WriteTimeout)
	defer cancel()
	err = retryBusy(ctx, d, func() error {
		todo, err = pendingNow(ctx, d, db)
		return err
	})
	return todo, err
}

// pendingNow compares what was run on the database with what this program knows.
func pendingNow(ctx context.Context, d *dialect, db sqlx.ExtContext) ([]migration, error) {
	all, err := migrations()
	if err != nil {
		return nil, err
	}
	var tables int
	if err := db.QueryRowxContext(ctx, db.Rebind(d.hasTable), "auth_schema_migrations").Scan(&tables); err != nil {
		return nil, err
	}
	if tables == 0 {
		return all, nil
	}
	rows, err := db.QueryContext(ctx, "SELECT version, name FROM auth_schema_migrations ORDER BY version")
	if err != nil {
		return nil, err
	}
	done := 0
	err = scanAll(rows, func(rows *sql.Rows) error {
		var version int
		var name string
		if err := rows.Scan(&version, &name); err != nil {
			return err
		}
		done++
		switch {
		case version > len(all):
			return fmt.Errorf("%w: its schema has version %d, this program knows up to %d: use a newer program", ErrSchema, version, len(all))
		case version != done, name != all[version-1].name:
			return fmt.Errorf("%w: it says that migration %d %q was run, which this program doesn't know", ErrSchema, version, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all[done:], nil
}

// run runs the migration in a transaction, unless another program has done so meanwhile.
func (m migration) run(ctx context.Context, d *dialect, db *sqlx.DB) (did bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	err = retryBusy(ctx, d, func() error {
		did, err = m.try(ctx, d, db)
		return err
	})
	return did, err
}

func (m migration) try(ctx context.Context, d *dialect, db *sqlx.DB) (did bool, err error) {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	for _, statement := range []string{
		"CREATE TABLE IF NOT EXISTS auth_schema_migrations (version {int} NOT NULL PRIMARY KEY, name {key} NOT NULL, applied_at {int} NOT NULL)",
		"DELETE FROM auth_schema_migrations WHERE version < 0", // takes the write lock where the table exists already
	} {
		if _, err := tx.ExecContext(ctx, d.types.Replace(statement)); err != nil {
			return false, err
		}
	}
	// Asked again under the lock: of several programs that start at once, one migrates and the others find it done.
	todo, err := pendingNow(ctx, d, tx)
	if err != nil || len(todo) == 0 || todo[0].version != m.version {
		return false, err
	}
	for _, statement := range m.statements(d) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return false, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	_, err = tx.ExecContext(ctx, tx.Rebind("INSERT INTO auth_schema_migrations (version, name, applied_at) VALUES (?, ?, ?)"),
		m.version, m.name, time.Now().Unix())
	if err != nil {
		return false, err
	}
	return true, tx.Commit()
}
