package storetest

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/dburl"
	"github.com/ostiary/auth/internal/store"
)

// A server makes databases for tests. To empty one is much faster than to make one, so they are used again.
type server struct {
	engine   Engine
	variable string // the environment's, with the URL of another server
	base     string // the URL of the usual one
	home     string // a database that is always there

	once  sync.Once
	err   error // there is no server
	admin *sqlx.DB

	mu    sync.Mutex
	all   []string          // made by this process
	free  []string          // of these, with the current schema and nothing in it
	looks map[string]string // what each looked like with its new schema
}

var servers = map[Engine]*server{
	Postgres: {engine: Postgres, variable: "AUTH_TEST_POSTGRES", base: "postgres://postgres@127.0.0.1:5432/?sslmode=disable", home: "postgres"},
	MySQL:    {engine: MySQL, variable: "AUTH_TEST_MYSQL", base: "mysql://root@127.0.0.1:3306/", home: "mysql"},
}

const (
	testPrefix  = "ostiary_test_"
	testTimeout = time.Minute   // for what a busy server does for a test
	leftOver    = 2 * time.Hour // a database of this age belongs to a process that was killed
)

// connect looks for the server, once, and takes away what killed processes have left there.
func (s *server) connect() {
	s.once.Do(func() {
		s.looks = map[string]string{}
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		if s.admin, s.err = s.open(ctx, s.home); s.err == nil {
			s.err = s.sweep(ctx)
		}
	})
}

// url names a database of this server's.
func (s *server) url(name string) string {
	base, query, _ := strings.Cut(cmp.Or(os.Getenv(s.variable), s.base), "?")
	scheme, rest, _ := strings.Cut(base, "://")
	host, _, _ := strings.Cut(rest, "/")
	if query != "" {
		query = "?" + query
	}
	return scheme + "://" + host + "/" + name + query
}

func (s *server) open(ctx context.Context, name string) (*sqlx.DB, error) {
	d, err := dburl.Parse(s.url(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.variable, err)
	}
	return d.Open(ctx)
}

// sweep drops old databases.
func (s *server) sweep(ctx context.Context) error {
	query := "SELECT datname FROM pg_database"
	if s.engine == MySQL {
		query = "SELECT schema_name FROM information_schema.schemata"
	}
	var names []string
	if err := s.admin.SelectContext(ctx, &names, query); err != nil {
		return err
	}
	for _, name := range names {
		made, ok := strings.CutPrefix(name, testPrefix)
		if !ok {
			continue
		}
		made, _, _ = strings.Cut(made, "_")
		if at, err := strconv.ParseInt(made, 10, 64); err == nil && time.Since(time.Unix(at, 0)) > leftOver {
			_ = s.drop(ctx, name) // or another process does
		}
	}
	return nil
}

// create makes a database without tables.
func (s *server) create() (name string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	name = randomName(fmt.Sprintf("%s%d_", testPrefix, time.Now().Unix()))
	options := ""
	if s.engine == Postgres { // sorts names as people do, so that a comparison that should be of bytes shows
		options = " TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'und'"
	}
	if _, err := s.admin.ExecContext(ctx, "CREATE DATABASE "+name+options); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, name)
	return name, nil
}

func (s *server) drop(ctx context.Context, name string) error {
	query := "DROP DATABASE IF EXISTS " + name
	if s.engine == Postgres {
		query += " WITH (FORCE)"
	}
	_, err := s.admin.ExecContext(ctx, query)
	return err
}

// lease gives a database with the current schema and nothing in it, for one test.
func (s *server) lease() (name string, err error) {
	s.mu.Lock()
	if n := len(s.free); n > 0 {
		name, s.free = s.free[n-1], s.free[:n-1]
	}
	s.mu.Unlock()
	if name != "" {
		return name, nil
	}
	if name, err = s.create(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	db, err := s.open(ctx, name)
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	if err := migrate(ctx, db); err != nil {
		return "", err
	}
	looks, err := s.look(ctx, db)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks[name] = looks
	return name, nil
}

// giveBack empties a database for the next test; or leaves it for the end, if a test has altered it.
func (s *server) giveBack(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	if err := s.disconnect(ctx, name); err != nil {
		return err
	}
	db, err := s.open(ctx, name)
	if err != nil {
		return nil // a test has made it unusable, which is one kind of altering it
	}
	defer func() { _ = db.Close() }()
	if err := s.empty(ctx, db); err != nil {
		return nil
	}
	looks, err := s.look(ctx, db)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && looks == s.looks[name] {
		s.free = append(s.free, name)
	}
	return nil
}

// disconnect ends connections that a test has lost: one may still hold a lock, or finish what it was told.
func (s *server) disconnect(ctx context.Context, name string) error {
	if s.engine == Postgres {
		_, err := s.admin.ExecContext(ctx, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1", name)
		return err
	}
	for {
		var ids []int64
		if err := s.admin.SelectContext(ctx, &ids, "SELECT id FROM information_schema.processlist WHERE db = ?", name); err != nil || len(ids) == 0 {
			return err
		}
		if _, err := s.admin.ExecContext(ctx, "DO SLEEP(0.002)"); err != nil { // one that was closed needs no more
			return err
		}
		for _, id := range ids {
			_, _ = s.admin.ExecContext(ctx, fmt.Sprintf("KILL %d", id)) // or it has ended by itself
		}
	}
}

// empty takes all rows away but those of the schema's own tables, and sets the counters back.
func (s *server) empty(ctx context.Context, db *sqlx.DB) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	// Tables that refer to others are younger than these.
	query := "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY oid DESC"
	if s.engine == MySQL {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
		if _, err := conn.ExecContext(ctx, "SET foreign_key_checks = 0"); err != nil {
			return err
		}
	}
	var tables []string
	if err := conn.SelectContext(ctx, &tables, query); err != nil {
		return err
	}
	tx, err := conn.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, table := range tables {
		statement := "DELETE FROM " + table
		switch {
		case strings.HasPrefix(table, "auth_schema_"):
			continue
		case table == "auth_counters":
			statement = "UPDATE auth_counters SET value = 0"
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// look describes tables, columns and what a new schema has in it.
func (s *server) look(ctx context.Context, db *sqlx.DB) (string, error) {
	schema := "'public'"
	if s.engine == MySQL {
		schema = "DATABASE()"
	}
	var all []string
	for _, query := range []string{
		"SELECT CONCAT(table_name, '.', column_name, ' ', data_type) FROM information_schema.columns WHERE table_schema = " + schema,
		"SELECT CONCAT(name, '=', value) FROM auth_counters",
		"SELECT CONCAT(name, ' ', version) FROM auth_schema_migrations",
	} {
		var lines []string
		if err := db.SelectContext(ctx, &lines, query); err != nil {
			return "", err
		}
		slices.Sort(lines)
		all = append(all, lines...)
	}
	return strings.Join(all, "\n"), nil
}

// Main runs the tests, and then drops what they have made at the servers.
func Main(m *testing.M) int {
	code := m.Run()
	for _, s := range servers {
		for _, name := range s.all {
			if err := s.remove(name); err != nil {
				fmt.Fprintln(os.Stderr, "storetest:", err)
				code = max(code, 1)
			}
		}
	}
	return code
}

func (s *server) remove(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	return errors.Join(s.disconnect(ctx, name), s.drop(ctx, name))
}

func (d *Database) connector(t testing.TB, options string) driver.Connector {
	t.Helper()
	location, query, _ := strings.Cut(servers[d.On].url(d.name), "?")
	all := []string{query, strings.TrimPrefix(options, "?")}
	if d.On == Postgres {
		all = append(all, "synchronous_commit=off") // a test needn't wait until the disk has what was written
	}
	all = slices.DeleteFunc(all, func(option string) bool { return option == "" })
	location += "?" + strings.Join(all, "&")
	parsed, err := dburl.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parsed.Connector()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// migratedFile is a new SQLite database's file: to copy it is faster than to make one for each test.
var migratedFile = sync.OnceValue(func() []byte {
	path := ""
	content, err := func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "storetest")
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		path = dir + "/auth.db"
		db, err := store.OpenSQLite(path)
		if err != nil {
			return nil, err
		}
		err = migrate(context.Background(), db)
		if err := errors.Join(err, db.Close()); err != nil { // the last one: brings all into the one file
			return nil, err
		}
		return os.ReadFile(path)
	}()
	if err != nil {
		panic(err)
	}
	return content
})
