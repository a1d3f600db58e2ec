package bench_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/dburl"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// TestMain drops what was made at the servers.
func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// A door is userauth over a database. Users and sessions are put into it before: a million logins would take hours of
// hashing.
type door struct {
	*userauth.Auth
	db   *sqlx.DB
	next atomic.Int64 // the session that nobody has used yet
}

func newDoor(tb testing.TB, db *sqlx.DB, cfg userauth.Config) *door {
	tb.Helper()
	cfg.DB, cfg.Auth.Logger = db, quiet
	users, err := userauth.New(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = users.Close() })
	return &door{Auth: users, db: db}
}

// newDB is an empty SQLite database in a file of its own.
func newDB(tb testing.TB) *sqlx.DB {
	tb.Helper()
	return open(tb, storetest.SQLite.New(tb))
}

// open opens a database as a program does.
func open(tb testing.TB, base *storetest.Database) *sqlx.DB {
	tb.Helper()
	at, err := dburl.Parse(base.URL)
	if err != nil {
		tb.Fatal(err)
	}
	db, err := at.Open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

func openStore(tb testing.TB, db *sqlx.DB) *store.DB {
	tb.Helper()
	st, err := store.Open(tb.Context(), db)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = st.Close() })
	return st
}

// addUsers adds the users 1 to n, who hold granted, with a password of that hash, to a database without users, and gives
// their numbers.
func addUsers(tb testing.TB, db *sqlx.DB, n int, hash string) []int64 {
	tb.Helper()
	users := make([]int64, n)
	for i := range users {
		users[i] = int64(i + 1)
	}
	var held [][2]string
	for resource, actions := range granted {
		for _, action := range actions {
			held = append(held, [2]string{resource, action})
		}
	}
	now := time.Now().Unix()
	insert(tb, db, "auth_users (id, realm, username, username_key, password_hash, password_at, disabled, created_at, "+
		"name, display_name, initials, color, avatar_url, workspace, settings)", n, func(i int) []any {
		return []any{users[i], "", username(i), username(i), hash, 0, 0, now, "", "", "", "", "", "", ""}
	})
	insert(tb, db, "auth_user_permissions (user_id, resource, action)", n*len(held), func(i int) []any {
		p := held[i%len(held)]
		return []any{users[i/len(held)], p[0], p[1]}
	})
	if _, err := db.ExecContext(tb.Context(), db.Rebind("UPDATE auth_counters SET value = ? WHERE name = 'user'"), n); err != nil {
		tb.Fatal(err)
	}
	return users
}

func username(i int) string { return fmt.Sprintf("editor-%04d", i) }

// addSessions adds the sessions from one number to another, in turn for each of the users. They were used at the time
// seen and expire at the time given.
func addSessions(tb testing.TB, db *sqlx.DB, users []int64, from, to int, seen, expires time.Time) {
	tb.Helper()
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	insert(tb, db, "auth_sessions (token_hash, id, user_id, realm, created_at, seen_at, expires_at, "+
		"method, address, agent, issuer, subject, sid, data)", to-from, func(i int) []any {
		i += from
		hash := sha256.Sum256([]byte(sessionToken(i)))
		return []any{
			hash[:], fmt.Sprintf("session-%d", i), users[i%len(users)], "userauth", seen.Unix(), seen.Unix(), expires.Unix(),
			"password", "192.0.2.17", agent, "", "", "", "",
		}
	})
}

// insert adds n rows to the columns of a table, many with each statement: one by one, a million takes minutes at a server.
// It writes past the store, whose transactions have a time limit.
func insert(tb testing.TB, db *sqlx.DB, columns string, n int, row func(i int) []any) {
	tb.Helper()
	const most = 200 // rows of a statement
	tx, err := db.BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	for from := 0; from < n; from += most {
		var args []any
		rows := min(most, n-from)
		for i := range rows {
			args = append(args, row(from+i)...)
		}
		one := "(?" + strings.Repeat(", ?", len(args)/rows-1) + ")"
		query := db.Rebind("INSERT INTO " + columns + " VALUES " + one + strings.Repeat(", "+one, rows-1))
		if _, err := tx.ExecContext(tb.Context(), query, args...); err != nil {
			tb.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
}

// sessionToken is the token of session i.
func sessionToken(i int) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("session"), uint64(i)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const cookieName = "ostiary-user-8888" // over http the name has the port of host

func cookieOf(token string) string { return cookieName + "=" + token }

// inUse puts n sessions of one user into db, all used just now, and gives db.
func inUse(tb testing.TB, db *sqlx.DB, n int) *sqlx.DB {
	tb.Helper()
	now := time.Now()
	addSessions(tb, db, addUsers(tb, db, 1, ""), 0, n, now, now.Add(time.Hour))
	return db
}

var required = auth.Permissions{"contents": {"read", "write"}}
