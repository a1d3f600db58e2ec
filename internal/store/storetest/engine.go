package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/store"
)

// An Engine is one of the databases that the store works on: "sqlite", "postgres" or "mysql".
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
	MySQL    Engine = "mysql"
)

// Engines are all of them.
var Engines = []Engine{SQLite, Postgres, MySQL}

// Each runs test on every engine, in parallel. A server that isn't there is skipped, unless AUTH_TEST_REQUIRE names it.
func Each(t *testing.T, test func(t *testing.T, on Engine)) {
	t.Parallel()
	for _, on := range Engines {
		t.Run(string(on), func(t *testing.T) {
			t.Parallel()
			on.Need(t)
			test(t, on)
		})
	}
}

// Of is the engine of which t is a subtest of [Each]'s; SQLite elsewhere. Fixtures that go by it need no argument for it.
func Of(t testing.TB) Engine {
	for element := range strings.SplitSeq(t.Name(), "/") {
		if on := Engine(element); on != SQLite && slices.Contains(Engines, on) {
			return on
		}
	}
	return SQLite
}

// Need skips the test if there is no such server; it fails if AUTH_TEST_REQUIRE names it.
func (on Engine) Need(t testing.TB) {
	t.Helper()
	if on == SQLite {
		return
	}
	s := servers[on]
	s.connect()
	if s.err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("AUTH_TEST_REQUIRE"), ","), string(on)) {
		t.Fatalf("AUTH_TEST_REQUIRE asks for %s: %v", on, s.err)
	}
	t.Skipf("skipped: no %s: %v; %s may name a server by URL", on, s.err, s.variable)
}

// A Database is one that a test has for itself.
type Database struct {
	On   Engine
	URL  string // as programs take it
	Path string // of SQLite's file
	name string // at the server
}

// New gives a database with the current schema and nothing in it. It is gone when the test is over.
func (on Engine) New(t testing.TB) *Database {
	t.Helper()
	on.Need(t)
	if on == SQLite {
		d := on.Empty(t)
		if err := os.WriteFile(d.Path, migratedFile(), 0o600); err != nil {
			t.Fatal(err)
		}
		return d
	}
	s := servers[on]
	name, err := s.lease()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.giveBack(name); err != nil {
			t.Error(err)
		}
	})
	return &Database{On: on, URL: s.url(name), name: name}
}

// Empty gives a database without tables; of SQLite, the path of a file that isn't there.
func (on Engine) Empty(t testing.TB) *Database {
	t.Helper()
	on.Need(t)
	if on == SQLite {
		path := filepath.Join(t.TempDir(), "auth.db")
		return &Database{On: on, URL: "sqlite:" + path, Path: path}
	}
	s := servers[on]
	name, err := s.create()
	if err != nil {
		t.Fatal(err)
	}
	return &Database{On: on, URL: s.url(name), name: name}
}

// Open opens the database as a program does, and gives what can break it. Both end with the test.
func (d *Database) Open(t testing.TB) (*sqlx.DB, *Faults) {
	t.Helper()
	if d.On == SQLite {
		return Open(t, d.Path)
	}
	return open(t, d.connector(t, ""), d.driver())
}

// Raw opens the database as an application may that has its own options, which stand behind a question mark in URL; none
// if it is empty.
func (d *Database) Raw(t testing.TB, options string) *sqlx.DB {
	t.Helper()
	if d.On == SQLite {
		db, err := sqlx.Open("sqlite", "file://"+(&url.URL{Path: d.Path}).EscapedPath()+options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	db := sqlx.NewDb(sql.OpenDB(d.connector(t, options)), d.driver())
	db.SetMaxOpenConns(connections)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Exec runs a statement, with "?" for its arguments, past the store.
func (d *Database) Exec(t testing.TB, query string, args ...any) {
	t.Helper()
	db := d.Raw(t, "")
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), db.Rebind(query), args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// Disconnect ends all connections to a server's database, as a restart of the server does.
func (d *Database) Disconnect(ctx context.Context) error {
	return servers[d.On].disconnect(ctx, d.name)
}

func (d *Database) driver() string { return map[Engine]string{Postgres: "pgx", MySQL: "mysql"}[d.On] }

func randomName(prefix string) string { return prefix + strings.ToLower(rand.Text()[:12]) }

// migrate brings a database to the current schema.
func migrate(ctx context.Context, db *sqlx.DB) error {
	if _, err := store.Migrate(ctx, db); err != nil {
		return fmt.Errorf("storetest: %w", err)
	}
	return nil
}
