package session_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
)

// crowd is n users and a session of each, written past the store: that is quick.
func (f *fixture) crowd(n int) (ids []int64, tokens []string) {
	f.t.Helper()
	now := time.Now()
	if f.clock != nil {
		now = f.clock.now()
	}
	var users, sessions []string
	var args []any
	for i := range n {
		ids, tokens = append(ids, int64(1000+i)), append(tokens, session.Filled(i))
		hash := hashOf(f.t, tokens[i])
		users = append(users, fmt.Sprintf("(%d, '', '', 'crowd%d', '', 0, 0, 0, '', '', '', '', '', '', '')", ids[i], i))
		sessions = append(sessions, fmt.Sprintf("(?, 'id', %d, 'userauth', %d, %[2]d, %d, '', '', '', '', '', '', '')", ids[i], now.Unix(), now.Unix()+86400))
		args = append(args, hash[:])
	}
	raw := f.raw()
	exec(f.t, raw, "INSERT INTO auth_users VALUES "+strings.Join(users, ", "))
	exec(f.t, raw, "INSERT INTO auth_sessions VALUES "+strings.Join(sessions, ", "), args...)
	return ids, tokens
}

// V-12
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 1, 7, 64, 100} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			e := f.engine(func(c *config) { c.Cache = limit })
			ids, tokens := f.crowd(150)
			for range 2 {
				for i, token := range tokens {
					if p := find(t, e, token); p.id != ids[i] {
						t.Fatalf("the session of user %d gives %+v", ids[i], p)
					}
					if got := e.Sizes(); got.Cached > max(limit, 1) || got.Users > max(limit, 1) {
						t.Fatalf("with a limit of %d it remembers %+v", limit, got)
					}
				}
			}
			if got := e.Sizes(); limit >= 64 && got.Cached < limit/2 {
				t.Errorf("with a limit of %d it remembers only %+v", limit, got)
			}
		})
	}
}

// The longest unused go first: who is in use stays in memory while many others come by.
func TestWhatIsInUseStaysInMemory(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine(func(c *config) { c.Cache = 64 }) // eight shards of eight: each is looked at whole
	_, tokens := f.crowd(200)
	busy := tokens[0]
	s := handle(t, e, busy)
	for _, token := range tokens[1:] {
		f.clock.advance(time.Second)
		find(t, e, token)
		if got := handle(t, e, busy); got != s {
			t.Fatal("it was evicted")
		}
	}
}

// Changes have to reach what is open, however little is kept.
func TestEvictionNeverLosesWhatIsWatched(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		here := f.engine(func(c *config) { c.Cache = 8 })
		there, _ := f.otherProcess()
		ids, tokens := f.crowd(120)
		const open = 40 // of them, more than the limit
		var handles []*sess
		var watches []*watch
		var stops []func()
		for i := range open {
			s := handle(t, here, tokens[i])
			w, stop := watching(s)
			handles, watches, stops = append(handles, s), append(watches, w), append(stops, stop)
		}
		for _, token := range tokens[open:] {
			find(t, here, token)
		}
		if got := here.Sizes(); got.Watched != open || got.UsersWatched != open || got.Cached != open+8 {
			t.Errorf("it remembers %+v, want %d with open sockets and 8 more", got, open)
		}
		for i, s := range handles {
			current(t, s, nil)
			if handle(t, here, tokens[i]) != s {
				t.Errorf("number %d was replaced in memory", i)
			}
		}
		// The others are served from memory beside them.
		f.faults.Heal()
		for range 100 {
			find(t, here, tokens[119])
		}
		if got := calls(f.faults, sessionByHash); got > 1 {
			t.Errorf("one session was looked up %d times", got)
		}
		for i, id := range ids[:open] {
			write(t, there, func(tx *store.Tx) (err error) {
				if i%2 == 0 {
					_, err = tx.DeleteSession(hashOf(t, tokens[i]))
				} else {
					err = tx.DeleteUser(id)
				}
				return err
			})
		}
		time.Sleep(time.Second)
		for i, s := range handles {
			current(t, s, errEnded)
			if watches[i].told.Load() == 0 {
				t.Errorf("number %d isn't told", i)
			}
			stops[i]()
			stops[i]() // as often as one likes
		}
		if got := here.Sizes(); got.Watched != 0 || got.UsersWatched != 0 || got.Pending != 0 {
			t.Errorf("it remembers %+v, and nothing is open", got)
		}
	})
}

// When sockets have closed, what they kept in memory goes.
func TestMemoryShrinksWhenSocketsClose(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine(func(c *config) { c.Cache = 16 })
	_, tokens := f.crowd(230)
	for _, token := range tokens[:100] {
		s := handle(t, e, token)
		for range 3 { // several sockets of one session
			_, stop := watching(s)
			defer stop()
		}
	}
	if got := e.Sizes(); got.Watched != 100 || got.Cached < 100 {
		t.Errorf("it remembers %+v, want 100 with open sockets", got)
	}
	var stops []func()
	for _, token := range tokens[100:200] {
		_, stop := watching(handle(t, e, token))
		stops = append(stops, stop)
	}
	for _, stop := range stops {
		stop()
	}
	for _, token := range tokens[200:] { // as others come by
		find(t, e, token)
	}
	if got := e.Sizes(); got.Watched != 100 || got.Cached > 100+16 || got.Users > 100+16 {
		t.Errorf("it remembers %+v, want 100 with open sockets and 16 more", got)
	}
}

// evict has s pushed out of e's memory by others.
func evict(t *testing.T, e *engine, tokens []string) {
	t.Helper()
	for _, token := range tokens {
		find(t, e, token)
	}
}

// A request may hold a session that is evicted under it. It asks the database, and learns the truth.
func TestASessionThatWasEvictedInUse(t *testing.T) {
	t.Parallel()
	// settled is what s says when it has been looked up.
	settled := func(t *testing.T, s *sess) error {
		t.Helper()
		if _, err := s.Current(); err != nil && !errors.Is(err, errUnavailable) && !errors.Is(err, errEnded) {
			t.Errorf("got %v", err)
		}
		time.Sleep(10 * time.Millisecond)
		_, err := s.Current()
		return err
	}
	setup := func(t *testing.T, f *fixture) (e *engine, alice int64, token string, s *sess, others []string) {
		t.Helper()
		e = f.engine(func(c *config) { c.Cache = 1 })
		_, others = f.crowd(2)
		alice = user(t, e, "alice")
		token = login(t, e, alice)
		s = handle(t, e, token)
		evict(t, e, others)
		return e, alice, token, s, others
	}
	t.Run("it lives", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, f *fixture) {
			e, alice, _, s, others := setup(t, f)
			for range 3 {
				if err := settled(t, s); err != nil {
					t.Errorf("got %v, and it lives", err)
				}
				write(t, e, func(tx *store.Tx) error { return tx.Grant(alice, permission("contents:read")) })
				settled(t, s)
				if got, err := s.Current(); err != nil || got.holds != "contents:read" {
					t.Errorf("got %+v, %v, want what alice holds now", got, err)
				}
				evict(t, e, others)
			}
		})
	})
	for _, tc := range endings {
		t.Run(tc.name+", asked after it", func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, f *fixture) {
				e, alice, token, s, _ := setup(t, f)
				row, _ := stored(t.Context(), f.db, hashOf(t, token))
				write(t, e, func(tx *store.Tx) error { return tc.how(tx, alice, row) })
				if tc.name == "the provider ends it" {
					logout(t, e, token) // there is no provider here
				}
				if err := settled(t, s); !errors.Is(err, errEnded) {
					t.Errorf("got %v, want %v", err, errEnded)
				}
			})
		})
	}
	t.Run("opened after its eviction", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, f *fixture) {
			e, alice, token, s, others := setup(t, f)
			w, stop := watching(s)
			if err := settled(t, s); err != nil {
				t.Fatalf("got %v, and it lives", err)
			}
			evict(t, e, others)
			current(t, s, nil) // what answers for it is kept now
			before := w.told.Load()
			write(t, e, func(tx *store.Tx) error { return tx.Grant(alice, permission("contents:read")) })
			if got, err := s.Current(); err != nil || got.holds != "contents:read" || w.told.Load() == before {
				t.Errorf("got %+v, %v, told %d times, want what alice holds now", got, err, w.told.Load()-before)
			}
			logout(t, e, token)
			time.Sleep(time.Second)
			w.until(t, "ended", currentIs(s, errEnded))
			current(t, s, errEnded)
			// It is over: nobody goes on looking.
			f.faults.Heal()
			time.Sleep(10 * time.Second)
			current(t, s, errEnded)
			if got := calls(f.faults, "SELECT token_hash"); got != 0 {
				t.Errorf("looked up %d times after its end", got)
			}
			stop()
			if got := e.Sizes(); got.Watched != 0 || got.UsersWatched != 0 || got.Pending != 0 || got.Users != got.Cached {
				t.Errorf("it remembers %+v", got)
			}
		})
	})
	t.Run("opened after its end", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, f *fixture) {
			e, _, token, s, _ := setup(t, f)
			logout(t, e, token)
			w, stop := watching(s)
			defer stop()
			w.until(t, "ended", currentIs(s, errEnded))
		})
	})
	t.Run("after Close", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, f *fixture) {
			e, _, _, s, _ := setup(t, f)
			e.Close()
			current(t, s, errClosed)
		})
	})
}

// What users are goes with the last of their sessions.
func TestUsersAreForgotten(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine()
	ids, tokens := f.crowd(20)
	second := login(t, e, ids[0])
	for _, token := range append(tokens, second) {
		find(t, e, token)
	}
	if got := e.Sizes(); got.Users != 20 || got.Cached != 21 {
		t.Fatalf("it remembers %+v", got)
	}
	s := handle(t, e, tokens[1])
	_, stop := watching(s)
	for _, token := range tokens {
		logout(t, e, token)
	}
	if got := e.Sizes(); got.Users != 2 || got.Cached != 1 || got.UsersWatched != 1 {
		t.Errorf("it remembers %+v, want the user with another session and the one with an open socket", got)
	}
	stop()
	logout(t, e, second)
	if got := e.Sizes(); got != (session.Sizes{}) {
		t.Errorf("it remembers %+v", got)
	}
}

// A session that ends while its user is looked up leaves nothing, and is nobody's.
func TestEndedWhileTheUserIsLookedUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	load, entered, release := gated(loader(f.db))
	e := f.engine(func(c *config) { c.Load = load })
	alice := user(t, e, "alice")
	token := login(t, e, alice)
	done := make(chan struct{})
	go func() {
		defer close(done)
		refused(t, e, token, errEnded)
	}()
	<-entered // the row and the user are read
	logout(t, e, token)
	close(release)
	<-done
	if got := e.Sizes(); got.Cached+got.Users+got.Flights != 0 {
		t.Errorf("it remembers %+v", got)
	}
}

// What a user held before a change doesn't come into memory after it.
func TestChangedWhileTheUserIsLookedUp(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*store.Tx, int64) error{
		"the user": func(tx *store.Tx, alice int64) error { return tx.Revoke(alice, permission("contents:write")) },
		"a role":   func(tx *store.Tx, _ int64) error { return tx.DeleteRole("editor") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			load, entered, release := gated(loader(f.db))
			e := f.engine(func(c *config) { c.Load = load })
			alice := user(t, e, "alice")
			write(t, e, func(tx *store.Tx) error {
				if name == "the user" {
					return tx.Grant(alice, permission("contents:write"))
				}
				if _, err := tx.PutRole(store.Role{Name: "editor", Permissions: permission("contents:write")}, 0); err != nil {
					return err
				}
				return tx.AddRoles(alice, []string{"editor"})
			})
			tokens := []string{login(t, e, alice), login(t, e, alice)}
			done := make(chan *person)
			go func() { p, _ := e.Find(t.Context(), tokens[0]); done <- p }()
			<-entered
			write(t, e, func(tx *store.Tx) error { return change(tx, alice) })
			close(release)
			if p := <-done; p == nil || p.holds != "" {
				t.Errorf("found %+v, want one who holds nothing", p)
			}
			for _, token := range tokens {
				if p := find(t, e, token); p.holds != "" {
					t.Errorf("found %+v, want one who holds nothing", p)
				}
			}
		})
	}
}

// A row that was read before a change doesn't come into memory after it, and nobody joins a look-up that has its answer.
func TestChangedWhileTheSessionIsLookedUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine(func(c *config) { c.PerUser = 0 })
	alice, bob := user(t, e, "alice"), user(t, e, "bob")
	stays := login(t, e, alice) // so that the user is in memory
	find(t, e, stays)
	for _, tc := range []struct {
		name  string
		do    func(t *testing.T, token string)
		taken bool
	}{
		{"nothing", func(*testing.T, string) {}, true},
		{"another user", func(t *testing.T, _ string) {
			write(t, e, func(tx *store.Tx) error { return tx.ReplacePassword(bob, "hash", 1) })
		}, true},
		{"it ends", func(t *testing.T, token string) { logout(t, e, token) }, false},
		{"all of them end", func(t *testing.T, _ string) {
			hash := hashOf(t, stays)
			write(t, e, func(tx *store.Tx) error { _, err := tx.DeleteSessions(alice, "", &hash); return err })
			find(t, e, stays) // which has the user looked up again
		}, false},
		{"a role changes", func(t *testing.T, _ string) {
			write(t, e, func(tx *store.Tx) error { _, err := tx.PutRole(store.Role{Name: t.Name()}, 0); return err })
			find(t, e, stays)
		}, false},
		{"more than can be compared with", func(t *testing.T, _ string) {
			for range 6 {
				write(t, e, func(tx *store.Tx) error {
					for range 50 { // each ends with an entry of its own, and none is alice's
						if _, err := e.Begin(tx, store.Session{User: bob, Issuer: "https://op", Subject: "bob"}); err != nil {
							return err
						}
					}
					_, err := tx.DeleteSessionsBySID("https://op", "bob", "")
					return err
				})
			}
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token := login(t, e, alice)
			s, taken, joined, err := e.ReadBut(t.Context(), token, func() { tc.do(t, token) })
			if err != nil || taken != tc.taken || (s != nil) != tc.taken {
				t.Errorf("taken into memory: %v, %v, want %v", taken, err, tc.taken)
			}
			if joined == taken {
				t.Errorf("taken into memory: %v, and others could join after that: %v", taken, joined)
			}
		})
	}
}

// What was read of a user before a change doesn't come into memory after it, not even for a moment: another look-up might
// take it for the truth.
func TestAUserReadBeforeAChangeIsNotLearnt(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine()
	alice, bob := user(t, e, "alice"), user(t, e, "bob")
	grant := func(user int64) func() {
		return func() { write(t, e, func(tx *store.Tx) error { return tx.Grant(user, permission("contents:read")) }) }
	}
	for name, tc := range map[string]struct {
		do   func()
		want bool
	}{"nothing": {func() {}, true}, "another user": {grant(bob), true}, "the user": {grant(alice), false}} {
		if taken, err := e.LearnBut(t.Context(), alice, tc.do); err != nil || taken != tc.want {
			t.Errorf("%s changes: taken over: %v, %v, want %v", name, taken, err, tc.want)
		}
	}
}

// A user who was learnt for a session that has ended meanwhile is forgotten with it.
func TestAUserLearntForNothingIsForgotten(t *testing.T) {
	t.Parallel()
	e := setup(t).engine()
	token := login(t, e, user(t, e, "alice"))
	if s, taken, _, err := e.ReadBut(t.Context(), token, func() { logout(t, e, token) }); err != nil || taken || s != nil {
		t.Errorf("got %v, %v, %v", s, taken, err)
	}
	if got := e.Sizes(); got != (session.Sizes{}) {
		t.Errorf("it remembers %+v", got)
	}
}
