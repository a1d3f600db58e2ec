package bench_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/alexedwards/scs/sqlite3store"

	"github.com/ostiary/auth/userauth"
)

// storedRows is a whole request of a browser whose session is in SQLite and not in memory; who the user is, is known.
// Memory has room for one session, and every goroutine asks for two of its own in turn: each asks the database.
func storedRows(tb testing.TB) []row {
	file := filepath.Join(tb.TempDir(), "bench.db")
	d := newDoor(tb, inUse(tb, openDB(tb, file), benchSessions), userauth.Config{CacheSessions: 1})
	hand := newHandSelect(tb, openDB(tb, file).DB)
	other := openDB(tb, filepath.Join(tb.TempDir(), "scs.db")).DB
	if _, err := other.ExecContext(tb.Context(), "CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL)"); err != nil {
		tb.Fatal(err)
	}
	scsPlain, scsPlainLogin := newSCS(tb, sqlite3store.NewWithCleanupInterval(other, 0), 0)
	scsIdle, scsIdleLogin := newSCS(tb, sqlite3store.NewWithCleanupInterval(other, 0), idle)

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
		{name: "scs sqlite3store", make: with(routed(answer, scsPlain), scsPlainLogin), against: ours},
		{name: "scs sqlite3store, idle limit", make: with(routed(answer, scsIdle), scsIdleLogin), against: ours},
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

func newHandSelect(tb testing.TB, db *sql.DB) *handSelect {
	tb.Helper()
	stmt, err := db.PrepareContext(tb.Context(), "SELECT user_id, realm, seen_at, expires_at FROM auth_sessions WHERE token_hash = ?")
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
