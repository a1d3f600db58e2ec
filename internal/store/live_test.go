package store_test

import (
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// What a request is decided by is what is stored, and nothing else is read.
func TestLive(t *testing.T) { storetest.Each(t, testLive) }

func testLive(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	s := newSession(addUser(t, d, "ann"), "a", 1)
	s.Data = "not read"
	addSessions(t, d, s)
	want := store.Session{Hash: s.Hash, User: s.User, Realm: s.Realm, Seen: s.Seen, Expires: s.Expires}
	faults.Heal()
	if got, err := d.Live(t.Context(), s.Hash); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if calls := faults.Calls(); len(calls) != 1 {
		t.Errorf("got the calls %q, want one", calls)
	}
	_, err := d.Live(t.Context(), [32]byte{0, 1, 2})
	wantError(t, "another hash", err, store.ErrNotFound)
	faults.Fail()
	_, err = d.Live(t.Context(), s.Hash)
	wantError(t, "a database that fails", err, store.ErrUnavailable)
}

// A row that isn't what a session looks like is nobody's.
func TestLiveRefusesDamage(t *testing.T) {
	t.Parallel()
	d, _, base := open(t, storetest.SQLite) // the others' columns take no text for a number
	s := newSession(addUser(t, d, "ann"), "a", 1)
	addSessions(t, d, s)
	db := base.Raw(t, "")
	db.MustExecContext(t.Context(), "UPDATE auth_sessions SET expires_at = 'never'")
	_, err := d.Live(t.Context(), s.Hash)
	wantError(t, "a damaged row", err, store.ErrUnavailable)
}
