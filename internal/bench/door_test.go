package bench_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/userauth"
)

// A door is userauth over a SQLite file. Users and sessions are put into the database before: a million logins would take
// hours of hashing.
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

// newDB is an empty database in a file of its own.
func newDB(tb testing.TB) *sqlx.DB { return openDB(tb, filepath.Join(tb.TempDir(), "bench.db")) }

func openDB(tb testing.TB, path string) *sqlx.DB {
	tb.Helper()
	db, err := userauth.OpenSQLite(path)
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

// addUsers adds n users who hold granted, with a password of that hash, and gives their numbers.
func addUsers(tb testing.TB, st *store.DB, n int, hash string) (users []int64) {
	tb.Helper()
	err := st.Write(tb.Context(), func(tx *store.Tx) error {
		users = users[:0]
		var held []store.Permission
		for resource, actions := range granted {
			for _, action := range actions {
				held = append(held, store.Permission{Resource: resource, Action: action})
			}
		}
		for i := range n {
			id, err := tx.AddUser(store.User{Username: username(i), Key: username(i), Hash: hash, Created: time.Now().Unix()})
			if err != nil {
				return err
			}
			if err := tx.Grant(id, held); err != nil {
				return err
			}
			users = append(users, id)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return users
}

func username(i int) string { return fmt.Sprintf("editor-%04d", i) }

// addSessions adds the sessions from one number to another, in turn for each of the users. They were used at the time
// seen and expire at the time given. It writes past the store, whose transactions have a time limit.
func addSessions(tb testing.TB, db *sqlx.DB, users []int64, from, to int, seen, expires time.Time) {
	tb.Helper()
	tx, err := db.BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	insert, err := tx.PrepareContext(tb.Context(), "INSERT INTO auth_sessions (token_hash, id, user_id, realm, created_at, seen_at, expires_at, "+
		"method, address, agent, issuer, subject, sid, data) VALUES (?, ?, ?, 'userauth', ?, ?, ?, 'password', '192.0.2.17', "+
		"'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', '', '', '', '')")
	if err != nil {
		tb.Fatal(err)
	}
	for i := from; i < to; i++ {
		hash := sha256.Sum256([]byte(sessionToken(i)))
		if _, err := insert.ExecContext(tb.Context(), hash[:], fmt.Sprintf("session-%d", i), users[i%len(users)], seen.Unix(), seen.Unix(), expires.Unix()); err != nil {
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
	st, now := openStore(tb, db), time.Now()
	addSessions(tb, db, addUsers(tb, st, 1, ""), 0, n, now, now.Add(time.Hour))
	return db
}

var required = auth.Permissions{"contents": {"read", "write"}}
