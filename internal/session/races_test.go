package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// V-03: with a thousand readers, no success that begins after the end was acknowledged.
func TestAThousandReadersAndOneEnd(t *testing.T) { storetest.Each(t, testAThousandReadersAndOneEnd) }

func testAThousandReadersAndOneEnd(t *testing.T, on storetest.Engine) {
	for _, i := range []int{0, 3, 5} { // a session, a user, all of a user's sessions
		tc := endings[i]
		t.Run(tc.name, func(t *testing.T) {
			f := setupOn(t, on)
			e := f.engine(func(c *config) { c.Cache = 2 }) // so that the readers look up as well
			_, others := f.crowd(3)
			alice := user(t, e, "alice")
			token := login(t, e, alice)
			row, err := stored(t.Context(), f.db, hashOf(t, token))
			if err != nil {
				t.Fatal(err)
			}
			var over atomic.Bool
			var before, after atomic.Int64
			begun := make(chan struct{}, 1000)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var wg sync.WaitGroup
			for i := range 1000 {
				wg.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						if (i+n)%7 == 0 {
							e.Find(t.Context(), others[i%len(others)]) // pushes it out of memory
						}
						was := over.Load()
						p, err := e.Find(t.Context(), token)
						switch {
						case err == nil && was:
							t.Errorf("admitted after its end: %+v", p)
							return
						case err == nil:
							before.Add(1)
						case p != nil || !errors.Is(err, errEnded) && !errors.Is(err, errUnavailable):
							t.Errorf("got %v, %v", p, err)
							return
						}
						if n == 0 {
							begun <- struct{}{}
						}
						if was {
							after.Add(1)
							return
						}
					}
				})
			}
			for range 300 {
				<-begun
			}
			write(t, e, func(tx *store.Tx) error { return tc.how(tx, alice, row) })
			over.Store(true)
			wg.Wait()
			if before.Load() == 0 || after.Load() != 1000 {
				t.Errorf("%d times admitted before, and %d readers refused after", before.Load(), after.Load())
			}
		})
	}
}

// V-06: while a session is replaced by another, each is valid or has ended: nobody is logged out by it.
func TestRotationLogsNobodyOut(t *testing.T) { storetest.Each(t, testRotationLogsNobodyOut) }

func testRotationLogsNobodyOut(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine()
	alice := user(t, e, "alice")
	var valid atomic.Pointer[string]
	first := login(t, e, alice)
	valid.Store(&first)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				token := valid.Load()
				p, err := e.Find(t.Context(), *token)
				if err == nil && p.id != alice {
					t.Errorf("found %+v", p)
				}
				if err != nil && !errors.Is(err, errEnded) && !errors.Is(err, errUnavailable) {
					t.Errorf("got %v", err) // the new one is on its way
				}
			}
		})
	}
	for range 20 {
		old := *valid.Load()
		var token string
		write(t, e, func(tx *store.Tx) (err error) {
			if _, err = tx.DeleteSession(hashOf(t, old)); err == nil {
				token, err = e.Begin(tx, store.Session{User: alice})
			}
			return err
		})
		find(t, e, token)
		valid.Store(&token)
		refused(t, e, old, errEnded)
	}
	stop()
	wg.Wait()
}

// V-01, V-02: everything at once, with little memory, in two processes; then each answer is the database's, and when all
// has ended nothing is left.
func TestEverythingAtOnce(t *testing.T) { storetest.Each(t, testEverythingAtOnce) }

func testEverythingAtOnce(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	small := func(c *config) { c.Cache, c.PerUser = 6, 0 }
	there, _ := f.otherProcess(small)
	engines := []*engine{f.engine(small), there}
	const users = 10
	var ids [users]int64
	var mu sync.Mutex
	var tokens []string
	for i := range ids {
		ids[i] = user(t, engines[0], fmt.Sprint("user", i))
		tokens = append(tokens, login(t, engines[0], ids[i]))
	}
	pick := func() string {
		mu.Lock()
		defer mu.Unlock()
		return tokens[rand.IntN(len(tokens))]
	}
	var version atomic.Int64
	change := func(e *engine, n int) error {
		id := ids[rand.IntN(users)]
		var begun string
		err := e.Write(t.Context(), func(tx *store.Tx) (err error) {
			begun = ""
			switch n % 8 {
			case 0, 1, 2:
				begun, err = e.Begin(tx, store.Session{User: id})
			case 3:
				hash, _ := session.HashOf(pick())
				_, err = tx.DeleteSession(hash)
			case 4:
				err = tx.Grant(id, permission("contents:read"))
			case 5:
				err = tx.SetDisabled(id, n%16 == 5)
			case 6:
				_, err = tx.DeleteSessions(id, "", nil)
			case 7:
				_, err = tx.PutRole(store.Role{Name: fmt.Sprint("role", version.Add(1))}, 0)
			}
			return err
		})
		if err == nil && begun != "" {
			mu.Lock()
			tokens = append(tokens, begun)
			mu.Unlock()
		}
		return err
	}
	var wg sync.WaitGroup
	for g := range 24 {
		wg.Go(func() {
			e := engines[g%2]
			var held *sess
			var stops []func()
			for n := range 60 {
				if g < 4 {
					f.clock.advance(time.Second)
					if err := change(e, n+g); err != nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrNotFound) {
						t.Errorf("changing: %v", err)
					}
					continue
				}
				p, err := e.Find(t.Context(), pick())
				switch {
				case err == nil:
					held = p.session
				case p != nil || !errors.Is(err, errEnded) && !errors.Is(err, errUnavailable):
					t.Errorf("got %v, %v", p, err)
				}
				if held == nil {
					continue
				}
				s := held
				stops = append(stops, s.Watch(func() { s.Current() }))
				if _, err := held.Current(); err != nil && !errors.Is(err, errEnded) && !errors.Is(err, errUnavailable) {
					t.Errorf("Current gives %v", err)
				}
				if n%3 == 0 {
					stops[rand.IntN(len(stops))]()
				}
			}
			for _, stop := range stops {
				stop()
			}
		})
	}
	wg.Wait()
	lives := map[string]bool{}
	for _, token := range tokens {
		_, err := stored(t.Context(), f.db, hashOf(t, token))
		lives[token] = err == nil
	}
	disabled := map[int64]bool{}
	accounts, err := f.db.Accounts(t.Context(), ids[:])
	if err != nil {
		t.Fatal(err)
	}
	for id, a := range accounts {
		disabled[id] = a.Disabled
	}
	for i, e := range engines {
		for token, lives := range lives {
			row, _ := stored(t.Context(), f.db, hashOf(t, token))
			want := error(nil)
			if !lives || disabled[row.User] {
				want = errEnded
			}
			eventually(t, "what the database says", func() bool { _, err := e.Find(t.Context(), token); return errors.Is(err, want) })
		}
		// What is still doubted is looked up within a poll.
		eventually(t, "settled", func() bool { return e.Sizes().Pending == 0 })
		if got := e.Sizes(); got.Cached > 6 || got.Users > got.Cached || got.Flights+got.Watched+got.UsersWatched != 0 {
			t.Errorf("engine %d remembers %+v", i, got)
		}
	}
}

// V-09: whatever is going on when Close is called, it ends, nothing acknowledged is lost, and no goroutine is left: the
// bubble would tell.
func TestCloseDuringEverything(t *testing.T) {
	t.Parallel()
	for _, hang := range []bool{false, true} {
		t.Run(fmt.Sprintf("the database hangs: %v", hang), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, f *fixture) {
				e := f.engine(func(c *config) { c.Cache, c.PerUser = 4, 0 })
				ids, tokens := f.crowd(8)
				var told atomic.Int64
				var open []*sess
				for _, token := range tokens[:4] {
					s := handle(t, e, token)
					open = append(open, s)
					defer s.Watch(func() { told.Add(1) })()
				}
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				var mu sync.Mutex
				var begun []string
				for i := range 6 {
					wg.Go(func() {
						for ctx.Err() == nil {
							if p, err := e.Find(ctx, tokens[i]); p == nil && err == nil || err != nil && !errors.Is(err, errUnavailable) {
								t.Errorf("got %v, %v", p, err)
							}
							var token string
							err := e.Write(ctx, func(tx *store.Tx) (err error) {
								token, err = e.Begin(tx, store.Session{User: ids[i]})
								return err
							})
							if err == nil {
								mu.Lock()
								begun = append(begun, token)
								mu.Unlock()
							}
							time.Sleep(7 * time.Millisecond)
						}
					})
				}
				time.Sleep(333 * time.Millisecond)
				if hang {
					f.faults.Hang()
				}
				begin := time.Now()
				if err := e.Close(); err != nil {
					t.Errorf("closing: %v", err)
				}
				if took := time.Since(begin); took > time.Second {
					t.Errorf("closing takes %v", took)
				}
				if got := told.Load(); got < 4 {
					t.Errorf("told %d who watch, want 4", got)
				}
				for _, s := range open {
					current(t, s, errClosed)
				}
				refused(t, e, tokens[0], errUnavailable)
				if err := e.Close(); err != nil {
					t.Errorf("closing again: %v", err)
				}
				f.faults.Heal()
				time.Sleep(10 * time.Millisecond)
				cancel()
				wg.Wait()
				if len(begun) == 0 {
					t.Error("no login was acknowledged")
				}
				for _, token := range begun {
					if _, err := stored(t.Context(), f.db, hashOf(t, token)); err != nil {
						t.Errorf("an acknowledged login is lost: %v", err)
					}
				}
				synctest.Wait()
			})
		})
	}
}

// Who is told may call back, whatever it likes, and stop watching.
func TestWhoIsToldMayCallBack(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine()
	token := login(t, e, user(t, e, "alice"))
	s := handle(t, e, token)
	done := make(chan error, 1)
	var stop func()
	stop = s.Watch(func() {
		_, err := s.Current()
		_, found := e.Find(t.Context(), token)
		s.Watch(func() {})()
		stop()
		select {
		case done <- errors.Join(err, found):
		default:
		}
	})
	logout(t, e, token)
	if err := <-done; !errors.Is(err, errEnded) || errors.Is(err, errUnavailable) {
		t.Errorf("got %v, want %v twice", err, errEnded)
	}
	if got := e.Sizes(); got != (session.Sizes{}) {
		t.Errorf("it remembers %+v", got)
	}
}
