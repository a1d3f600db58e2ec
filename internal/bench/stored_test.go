package bench_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// The tables are those that scs' stores ask for.
var (
	sqliteRows = storedRows(storetest.SQLite, "CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL)",
		"scs sqlite3store", func(db *sql.DB) scs.Store { return sqlite3store.NewWithCleanupInterval(db, 0) })
	postgresRows = storedRows(storetest.Postgres, "CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL)",
		"scs postgresstore", func(db *sql.DB) scs.Store { return postgresstore.NewWithCleanupInterval(db, 0) })
)

// storedRows is a whole request of a browser whose session is in a database and not in memory; who the user is, is known.
// Memory has room for one session, and every goroutine asks for two of its own in turn: each asks the database. The
// processor's time is this process's: what a server takes isn't in it, and would hide what we add.
func storedRows(on storetest.Engine, table, name string, newStore func(*sql.DB) scs.Store) func(testing.TB) []row {
	return func(tb testing.TB) []row {
		db := open(tb, on.New(tb))
		d := newDoor(tb, inUse(tb, db, benchSessions), userauth.Config{CacheSessions: 1})
		hand := newHandSelect(tb, db)
		other := open(tb, on.Empty(tb)).DB
		if _, err := other.ExecContext(tb.Context(), table); err != nil {
			tb.Fatal(err)
		}
		scsPlain, scsPlainLogin := newSCS(tb, newStore(other), 0)
		scsIdle, scsIdleLogin := newSCS(tb, newStore(other), idle)

		with := func(h http.Handler, cookie func() string) func() func() {
			return func() func() {
				return inTurn(
					serve(h, get(tb, path, "Cookie", cookie()), http.StatusNoContent),
					serve(h, get(tb, path, "Cookie", cookie()), http.StatusNoContent),
				)
			}
		}
		const byHand, ours = "by hand, prepared SELECT", "stored session, 2 permissions"
		return []row{
			{name: byHand, make: with(routed(answer, handGuard(handCookie, hand.find, "contents", "read", "write")), d.cookie)},
			{name: ours, make: with(routed(answer, d.CurrentUser(required)), d.cookie), against: byHand, within: 1.15},
			{name: name, make: with(routed(answer, scsPlain), scsPlainLogin), against: ours},
			{name: name + ", idle limit", make: with(routed(answer, scsIdle), scsIdleLogin), against: ours},
		}
	}
}

func inTurn(a, b func()) func() {
	return func() {
		a()
		a, b = b, a
	}
}

// handSelect is the check that an engineer writes who keeps sessions in the same table and users in memory.
type handSelect struct {
	memory *handSessions // for the age of what is in memory: the users
	users  map[int64]*handUser
	stmt   *sql.Stmt
}

func newHandSelect(tb testing.TB, db *sqlx.DB) *handSelect {
	tb.Helper()
	stmt, err := db.PrepareContext(tb.Context(), db.Rebind("SELECT user_id, realm, seen_at, expires_at FROM auth_sessions WHERE token_hash = ?"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = stmt.Close() })
	user := &handUser{name: "editor", permissions: granted}
	return &handSelect{newHandSessions(user, 0), map[int64]*handUser{1: user}, stmt}
}

func (h *handSelect) find(ctx context.Context, token string) *handUser {
	if !h.memory.fresh() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	hash := sha256.Sum256([]byte(token))
	var user, seen, expires int64
	var realm string
	err := h.stmt.QueryRowContext(ctx, hash[:]).Scan(&user, &realm, &seen, &expires)
	now := time.Now()
	if err != nil || realm != "userauth" || now.Unix() >= expires || now.Unix() >= seen+int64(idle/time.Second) {
		return nil
	}
	return h.users[user]
}
