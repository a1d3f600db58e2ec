// Package dburl opens the database that a URL names, for the programs of this repository. They link the drivers of
// PostgreSQL and MySQL; the library doesn't.
//
// No error repeats a URL: it may hold a password.
package dburl

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/store"
)

// Forms says how a URL looks, for help texts and errors.
const Forms = "sqlite:PATH, postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE"

// A Database is where a URL points.
type Database struct {
	Driver string // "sqlite", "pgx" or "mysql"

	// Name is for people: the file's path, or the server and the database without what is secret.
	Name string

	path     string
	postgres *pgx.ConnConfig
	mysql    *mysql.Config
}

// Parse reads a URL. It doesn't connect.
func Parse(text string) (Database, error) {
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case !found:
		return Database{}, fmt.Errorf("want %s", Forms)
	case scheme == "sqlite":
		return parseSQLite(rest)
	case scheme == "postgres", scheme == "postgresql":
		return parsePostgres(text)
	case scheme == "mysql", scheme == "mariadb":
		return parseMySQL(text)
	}
	return Database{}, fmt.Errorf("want %s", Forms)
}

func parseSQLite(path string) (Database, error) {
	switch {
	case path == "", path == ":memory:":
		return Database{}, errors.New("want sqlite:PATH, the path of a file")
	case strings.HasPrefix(path, "//"): // some programs take that for a file here, some for one of the root's
		return Database{}, errors.New("want no slashes behind sqlite:, or the one that the path begins with")
	}
	return Database{Driver: "sqlite", Name: path, path: path}, nil
}

func parsePostgres(text string) (Database, error) {
	cfg, err := pgx.ParseConfig(text)
	if err != nil {
		return Database{}, errors.New("want postgres://USER@HOST/DATABASE, with the driver's options behind a question mark") // its own words may quote the URL
	}
	return Database{Driver: "pgx", Name: cfg.Host + "/" + cfg.Database, postgres: cfg}, nil
}

// parseMySQL makes the driver's own form of a URL, so that all databases are named alike.
func parseMySQL(text string) (Database, error) {
	const want = "want mysql://USER@HOST/DATABASE, with the driver's options behind a question mark"
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Fragment != "" || len(u.Path) < 2 {
		return Database{}, errors.New(want)
	}
	address := u.Host
	if u.Port() == "" {
		address = u.Host + ":3306"
	}
	// The driver reads its own options, and refuses those that it doesn't know in its way.
	dsn := "tcp(" + address + ")/"
	if u.RawQuery != "" {
		dsn += "?" + u.RawQuery
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return Database{}, errors.New(want)
	}
	cfg.DBName = u.Path[1:]
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	return Database{Driver: "mysql", Name: address + u.Path, mysql: cfg}, nil
}

// Missing tells that it is a SQLite file that isn't there, which Open would make. A server's database is made by whoever
// runs the server.
func (d Database) Missing() (bool, error) {
	if d.Driver != "sqlite" {
		return false, nil
	}
	_, err := os.Stat(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

const (
	// connections is how many a program holds at most, as [store.OpenSQLite] does: a server has a few hundred for all.
	connections = 8

	connectTimeout = 10 * time.Second // of the first one
)

// Open opens the database, and makes a SQLite file where there is none. The caller closes it.
func (d Database) Open(ctx context.Context) (*sqlx.DB, error) {
	if d.Driver == "sqlite" {
		return store.OpenSQLite(d.path)
	}
	connector, err := d.Connector()
	if err != nil {
		return nil, err
	}
	db := sqlx.NewDb(sql.OpenDB(connector), d.Driver)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close() // the first error is the one to tell
		return nil, fmt.Errorf("connecting to %s: %w", d.Name, oneLine{err})
	}
	return db, nil
}

// Inspect is [Database.Open] for reading what the database is: about a SQLite file it changes nothing, nor does it make one.
func (d Database) Inspect(ctx context.Context) (*sqlx.DB, error) {
	if d.Driver == "sqlite" {
		return store.InspectSQLite(d.path)
	}
	return d.Open(ctx)
}

// Connector makes connections to a server's database.
func (d Database) Connector() (driver.Connector, error) {
	switch {
	case d.postgres != nil:
		return stdlib.GetConnector(*d.postgres), nil
	case d.mysql != nil:
		return mysql.NewConnector(d.mysql)
	}
	return nil, errors.New("no server")
}

// oneLine is an error whose text has one line, as programs print them.
type oneLine struct{ error }

func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }

func (e oneLine) Unwrap() error { return e.error }
