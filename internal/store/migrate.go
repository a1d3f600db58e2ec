package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"regexp"
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
	for _, statement := range strings.Split(comment.ReplaceAllString(m.sql, ""), ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			all = append(all, d.ddl(statement))
		}
	}
	return all
}

// comment is a line of a migration.
var comment = regexp.MustCompile(`(?m)^--.*\n`)

// ddl is a statement of a migration in the dialect's words.
func (d *dialect) ddl(statement string) string {
	if strings.HasPrefix(statement, "CREATE TABLE ") {
		statement += d.table
	}
	return d.types.Replace(statement)
}

// Migrate brings the database to this program's schema, as [Open] does, and returns the names of the migrations that
// it ran. Each is run whole or not at all (on MySQL, which can't do that, it goes on where it was cut off), and once, however many programs start at the same time. A database that is
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
	err = d.retry(ctx, func() error {
		if err := d.checkSettings(ctx, db); err != nil {
			return err
		}
		todo, err = pendingNow(ctx, d, db)
		return err
	})
	return todo, err
}

// A querier is a database, a connection or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// pendingNow compares what was run on the database with what this program knows.
func pendingNow(ctx context.Context, d *dialect, db querier) ([]migration, error) {
	all, err := migrations()
	if err != nil {
		return nil, err
	}
	var tables int
	if err := db.QueryRowContext(ctx, d.rebind(d.hasTable), "auth_schema_migrations").Scan(&tables); err != nil {
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

// run runs the migration, unless another program has done so meanwhile.
func (m migration) run(ctx context.Context, d *dialect, db *sqlx.DB) (did bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	err = d.retry(ctx, func() error {
		did, err = d.migrate(ctx, d, db, m)
		return err
	})
	return did, err
}

// createMigrations makes the table of the migrations that were run.
const createMigrations = "CREATE TABLE IF NOT EXISTS auth_schema_migrations (version {int} NOT NULL PRIMARY KEY, name {key} NOT NULL, applied_at {int} NOT NULL)"

// migrateAtOnce runs a migration in one transaction, with all CREATE TABLE, for databases that can. The first statements
// lock out whoever wants to do the same, and make the table of the migrations.
func migrateAtOnce(first ...string) func(context.Context, *dialect, *sqlx.DB, migration) (bool, error) {
	return func(ctx context.Context, d *dialect, db *sqlx.DB, m migration) (did bool, err error) {
		tx, err := db.BeginTxx(ctx, &sql.TxOptions{Isolation: d.isolation})
		if err != nil {
			return false, err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after a commit
		for _, statement := range first {
			if _, err := tx.ExecContext(ctx, d.ddl(statement)); err != nil {
				return false, err
			}
		}
		// Asked again under the lock: of several programs that start at once, one migrates and the others find it done.
		if todo, err := m.todo(ctx, d, tx); err != nil || !todo {
			return false, err
		}
		for _, statement := range m.statements(d) {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return false, fmt.Errorf("%s: %w", m.name, err)
			}
		}
		if err := m.done(ctx, d, tx); err != nil {
			return false, err
		}
		return true, tx.Commit()
	}
}

// todo tells whether the migration is the next to run.
func (m migration) todo(ctx context.Context, d *dialect, db querier) (bool, error) {
	todo, err := pendingNow(ctx, d, db)
	return len(todo) > 0 && todo[0].version == m.version, err
}

// done notes that the migration was run.
func (m migration) done(ctx context.Context, d *dialect, db querier) error {
	_, err := db.ExecContext(ctx, d.rebind("INSERT INTO auth_schema_migrations (version, name, applied_at) VALUES (?, ?, ?)"),
		m.version, m.name, time.Now().Unix())
	return err
}
