package session_test

import (
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/store"
)

// What is wrong with a feed shows that changes are missing: nothing in memory counts then. Here a session is deleted past
// the store, which nobody is told of, and then something happens to the feed.
func TestABrokenFeedDropsAllThatIsInMemory(t *testing.T) {
	t.Parallel()
	tell := func(t *testing.T, e *engine, bob int64, times int) {
		for range times {
			write(t, e, func(tx *store.Tx) error { return tx.ReplacePassword(bob, "hash", 1) })
		}
	}
	for _, tc := range []struct {
		name    string
		break_  func(t *testing.T, raw *sqlx.DB, there *engine, bob int64)
		notices bool
	}{
		{"nothing is wrong with it", func(t *testing.T, _ *sqlx.DB, there *engine, bob int64) { tell(t, there, bob, 3) }, false},
		{"a gap", func(t *testing.T, raw *sqlx.DB, there *engine, bob int64) {
			tx, err := raw.Beginx()
			if err != nil {
				t.Fatal(err)
			}
			for _, query := range []string{
				"UPDATE auth_counters SET value = value + 2 WHERE name = 'feed'",
				"INSERT INTO auth_feed (seq, mark, user_id, created_at) SELECT value, 1, 77, 1 FROM auth_counters WHERE name = 'feed'",
			} {
				if _, err := tx.Exec(query); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"trimmed past what was read", func(t *testing.T, raw *sqlx.DB, there *engine, bob int64) {
			tx, err := raw.Beginx()
			if err != nil {
				t.Fatal(err)
			}
			for _, query := range []string{
				"DELETE FROM auth_feed",
				"UPDATE auth_counters SET value = value + 2000 WHERE name = 'feed'",
				"INSERT INTO auth_feed (seq, mark, user_id, created_at) SELECT value, 1, 77, 1 FROM auth_counters WHERE name = 'feed'",
			} {
				if _, err := tx.Exec(query); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a head lower than the last entry that was read, as of a restored backup", func(t *testing.T, raw *sqlx.DB, _ *engine, _ int64) {
			exec(t, raw, "DELETE FROM auth_feed WHERE seq > 1")
			exec(t, raw, "UPDATE auth_counters SET value = 1 WHERE name = 'feed'")
		}, true},
		{"a restored backup without any entry", func(t *testing.T, raw *sqlx.DB, _ *engine, _ int64) {
			exec(t, raw, "UPDATE auth_counters SET value = 0 WHERE name = 'feed'")
			exec(t, raw, "DELETE FROM auth_feed")
		}, true},
		{"a restored backup that has grown to the same head", func(t *testing.T, raw *sqlx.DB, _ *engine, _ int64) {
			exec(t, raw, "UPDATE auth_feed SET mark = mark + 1 WHERE seq = (SELECT MAX(seq) FROM auth_feed)")
		}, true},
		{"a restored backup that has grown past it", func(t *testing.T, raw *sqlx.DB, there *engine, bob int64) {
			exec(t, raw, "UPDATE auth_feed SET mark = mark + 1 WHERE seq > 1")
			tell(t, there, bob, 7)
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, f *fixture) {
				here := f.engine()
				there, _ := f.otherProcess()
				raw := f.raw()
				alice, bob := user(t, here, "alice"), user(t, here, "bob")
				tell(t, here, bob, 4)
				closed, opened, bobs := login(t, here, alice), login(t, here, alice), login(t, here, bob)
				find(t, here, closed)
				s, sb := handle(t, here, opened), handle(t, here, bobs)
				w, stop := watching(s)
				defer stop()
				_, stop = watching(sb)
				defer stop()
				time.Sleep(300 * time.Millisecond)
				exec(t, raw, "DELETE FROM auth_sessions WHERE user_id = ?", alice)
				tc.break_(t, raw, there, bob)
				time.Sleep(time.Second)
				if !tc.notices {
					// The control: without a word of it, memory can't know.
					find(t, here, closed)
					current(t, s, nil)
					return
				}
				refused(t, here, closed, errEnded)
				refused(t, here, opened, errEnded)
				current(t, s, errEnded)
				if w.told.Load() == 0 {
					t.Error("who watches isn't told")
				}
				// What lives goes on, and changes act as before.
				find(t, here, bobs)
				current(t, sb, nil)
				write(t, there, func(tx *store.Tx) error { _, err := tx.DeleteSessions(bob, "", nil); return err })
				time.Sleep(time.Second)
				refused(t, here, bobs, errEnded)
				current(t, sb, errEnded)
			})
		})
	}
}

// A feed that can't be true admits nobody, and recovers.
func TestAFeedThatContradictsItself(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		e := f.engine()
		raw := f.raw()
		token := login(t, e, user(t, e, "alice"))
		find(t, e, token)
		exec(t, raw, "UPDATE auth_counters SET value = value + 5 WHERE name = 'feed'") // told of what isn't there
		time.Sleep(1100 * time.Millisecond)
		refused(t, e, token, errUnavailable)
		exec(t, raw, "UPDATE auth_counters SET value = value - 5 WHERE name = 'feed'")
		find(t, e, token)
		exec(t, raw, "DELETE FROM auth_counters WHERE name = 'feed'")
		time.Sleep(1100 * time.Millisecond)
		refused(t, e, token, errUnavailable)
	})
}

// A janitor's trimming leaves what others still have to read, and a process that was away for longer starts anew.
func TestAProcessThatWasAwayForLong(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		here := f.engine(func(c *config) { c.Idle = 10 * time.Hour })
		away, faults := f.otherProcess(func(c *config) { c.Idle = 10 * time.Hour })
		alice := user(t, here, "alice")
		token, lives := login(t, here, alice), login(t, here, alice)
		s := handle(t, away, token)
		_, stop := watching(s)
		defer stop()
		find(t, away, lives)
		faults.Fail()
		logout(t, here, token)
		raw := f.raw()
		exec(t, raw, "UPDATE auth_counters SET value = value + 3000 WHERE name = 'feed'")
		exec(t, raw, "INSERT INTO auth_feed (seq, mark, user_id, created_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "+
			"SELECT (SELECT value FROM auth_counters WHERE name = 'feed') - 3000 + i, 5, 0, 1 FROM n")
		exec(t, raw, "UPDATE auth_feed SET created_at = 1")
		if err := here.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if got := number(t, raw, "SELECT COUNT(*) FROM auth_feed"); got != 1000 {
			t.Errorf("the feed has %d entries, want the 1,000 that are always kept", got)
		}
		current(t, s, errUnavailable)
		faults.Heal()
		time.Sleep(time.Second)
		current(t, s, errEnded)
		refused(t, away, token, errEnded)
		find(t, away, lives)
	})
}

// A backlog is read in several batches, and the last entry counts as much as the first.
func TestABacklogOfChanges(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		here := f.engine()
		there, faults := f.otherProcess()
		alice := user(t, here, "alice")
		var tokens []string
		for range 4 {
			tokens = append(tokens, login(t, here, alice))
			find(t, there, tokens[len(tokens)-1])
		}
		raw := f.raw()
		faults.Hang()
		for _, token := range tokens[:3] {
			logout(t, here, token)
			exec(t, raw, "INSERT INTO auth_feed (seq, mark, user_id, created_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1250) "+
				"SELECT (SELECT value FROM auth_counters WHERE name = 'feed') + i, 5, 777, 1 FROM n")
			exec(t, raw, "UPDATE auth_counters SET value = value + 1250 WHERE name = 'feed'")
		}
		faults.Heal()
		time.Sleep(time.Second)
		for _, token := range tokens[:3] {
			refused(t, there, token, errEnded)
			refused(t, here, token, errEnded)
		}
		find(t, there, tokens[3])
	})
}
