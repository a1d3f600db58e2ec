package session_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// D-01: whatever way the database is away, nobody is admitted on a state older than a second, who asks gets an answer
// within a second, and who watches learns both ends of it. The bubble's time is exact.
func TestNobodyIsAdmittedWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*storetest.Faults){
		"every call fails": (*storetest.Faults).Fail, "every call hangs": (*storetest.Faults).Hang,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, f *fixture) {
				var logged atomic.Int64
				here, faults := f.otherProcess(func(c *config) { c.Log = func(string, error) { logged.Add(1) } })
				there := f.engine()
				alice, bob := user(t, there, "alice"), user(t, there, "bob")
				token, lost, unknown := login(t, there, alice), login(t, there, bob), login(t, there, alice)
				s, sl := handle(t, here, token), handle(t, here, lost)
				w, stop := watching(s)
				defer stop()
				_, stop = watching(sl)
				defer stop()
				time.Sleep(10 * time.Second)
				if w.told.Load() != 0 || logged.Load() != 0 {
					t.Fatalf("told %d times and logged %d times, and nothing has happened", w.told.Load(), logged.Load())
				}
				away(faults)
				begin := time.Now()
				current(t, s, nil)
				find(t, here, token)
				// What isn't in memory can't be known at once. That it has ended nobody may say.
				refused(t, here, unknown, errUnavailable)
				if took := time.Since(begin); took > time.Second {
					t.Errorf("that took %v", took)
				}
				last := begin
				for time.Since(begin) < 20*time.Second {
					asked := time.Now()
					p, err := here.Find(t.Context(), token)
					switch took := time.Since(asked); {
					case took > time.Second:
						t.Fatalf("after %v a request waited for %v", asked.Sub(begin), took)
					case err == nil:
						last = asked
						find(t, here, lost)
						current(t, s, nil)
					case p != nil || !errors.Is(err, errUnavailable):
						t.Fatalf("got %v, %v, want nobody and %v", p, err, errUnavailable)
					}
					time.Sleep(20 * time.Millisecond)
				}
				if after := last.Sub(begin); after > time.Second {
					t.Errorf("admitted %v after the database was gone", after)
				}
				current(t, s, errUnavailable)
				current(t, sl, errUnavailable)
				if w.told.Load() == 0 {
					t.Error("who watches isn't told")
				}
				if got := logged.Load(); got < 1 || got > 10 {
					t.Errorf("logged %d times in 20 s", got)
				}
				logout(t, there, lost) // meanwhile elsewhere
				told := w.told.Load()
				faults.Heal()
				time.Sleep(time.Second)
				current(t, s, nil)
				current(t, sl, errEnded)
				if w.told.Load() == told {
					t.Error("who watches isn't told that it's back")
				}
				find(t, here, token)
				find(t, here, unknown)
				refused(t, here, lost, errEnded)
				if got := here.Sizes(); got.Pending+got.Flights != 0 {
					t.Errorf("it remembers %+v", got)
				}
			})
		})
	}
}

// oneConnection opens the database once more, so that the feed waits while a test has the connection.
func (f *fixture) oneConnection() (db *store.DB, take func() *sql.Conn) {
	f.t.Helper()
	raw := f.raw()
	raw.SetMaxOpenConns(1)
	db, err := store.Open(f.t.Context(), raw)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { db.Close() })
	return db, func() *sql.Conn {
		conn, err := raw.DB.Conn(f.t.Context())
		if err != nil {
			f.t.Fatal(err)
		}
		return conn
	}
}

// Who has asked during a stall that is over before a poll has noticed it is told nevertheless.
func TestAShortStallIsToldToWhoHasSeenIt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		db, take := f.oneConnection()
		e := f.engine(func(c *config) { c.DB = db })
		s := handle(t, e, login(t, e, user(t, e, "alice")))
		w, stop := watching(s)
		defer stop()
		time.Sleep(10*time.Second + 10*time.Millisecond) // a poll was 10 ms ago, the next is in 240 ms
		conn := take()
		time.Sleep(1100 * time.Millisecond) // it has been waiting for 860 ms
		current(t, s, errUnavailable)
		if got := w.told.Load(); got != 0 {
			t.Fatalf("told %d times: the poll has noticed", got)
		}
		conn.Close()
		synctest.Wait()
		current(t, s, nil)
		if got := w.told.Load(); got != 1 {
			t.Errorf("told %d times that all is known again, want once", got)
		}
	})
}

// An answer of the feed is as old as the question.
func TestAFeedThatAnswersLate(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		db, take := f.oneConnection()
		load, gate := loader(db), make(chan struct{})
		defer close(gate)
		var hold atomic.Bool
		e := f.engine(func(c *config) {
			c.DB = db
			c.Load = func(ctx context.Context, ids []int64) (people, error) {
				if hold.Load() {
					<-gate // the reading of the feed goes on for ever, so that there is no other
				}
				return load(ctx, ids)
			}
		})
		there := f.engine()
		alice := user(t, there, "alice")
		_, stop := watching(handle(t, e, login(t, there, alice)))
		defer stop()
		s := handle(t, e, login(t, there, user(t, there, "bob")))
		time.Sleep(10*time.Second + 10*time.Millisecond)
		hold.Store(true)
		conn := take()
		write(t, there, func(tx *store.Tx) error { return tx.Grant(alice, permission("contents:read")) })
		time.Sleep(900 * time.Millisecond)
		conn.Close()
		synctest.Wait()
		time.Sleep(330 * time.Millisecond) // the question is 990 ms old, the answer 330 ms
		current(t, s, nil)
		time.Sleep(20 * time.Millisecond)
		current(t, s, errUnavailable)
	})
}

// What couldn't be looked up is looked up again, and told, although nobody asks.
func TestWhatCouldNotBeLookedUpIsNotForgotten(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		var broken atomic.Bool
		load := loader(f.db)
		e := f.engine(func(c *config) {
			c.Load = func(ctx context.Context, ids []int64) (people, error) {
				if broken.Load() {
					return nil, errors.New("broken")
				}
				return load(ctx, ids)
			}
		})
		alice := user(t, e, "alice")
		s := handle(t, e, login(t, e, alice))
		w, stop := watching(s)
		defer stop()
		broken.Store(true)
		write(t, e, func(tx *store.Tx) error { return tx.Grant(alice, permission("contents:read")) })
		time.Sleep(5 * time.Second)
		if got := w.told.Load(); got != 1 {
			t.Errorf("told %d times that nothing is known, want once", got)
		}
		broken.Store(false)
		time.Sleep(time.Second)
		if got := w.told.Load(); got != 2 {
			t.Errorf("told %d times, want once more", got)
		}
		if got, err := s.Current(); err != nil || got.holds != "contents:read" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// A change isn't applied by a reading of the feed that has begun before it.
func TestWriteWaitsForAReadingThatBeginsAfterIt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		var held atomic.Pointer[chan struct{}]
		load := loader(f.db)
		e := f.engine(func(c *config) {
			c.Load = func(ctx context.Context, ids []int64) (people, error) {
				if gate := held.Load(); gate != nil {
					<-*gate
				}
				return load(ctx, ids)
			}
		})
		there, _ := f.otherProcess()
		alice, bob := user(t, e, "alice"), user(t, e, "bob")
		s := handle(t, e, login(t, e, alice))
		_, stop := watching(s)
		defer stop()
		bobs := login(t, e, bob)
		find(t, e, bobs)
		gate := make(chan struct{})
		held.Store(&gate)
		write(t, there, func(tx *store.Tx) error { return tx.Grant(alice, permission("contents:read")) })
		time.Sleep(300 * time.Millisecond) // the poll's reading has begun, and looks alice up
		done := make(chan struct{})
		go func() {
			defer close(done)
			logout(t, e, bobs)
			refused(t, e, bobs, errEnded)
		}()
		time.Sleep(100 * time.Millisecond)
		held.Store(nil)
		close(gate)
		<-done
	})
}

// D-02: a change that may be committed and can't be applied stops everything until it is.
func TestAChangeOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	t.Run("the database goes away in the middle", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, f *fixture) {
			e := f.engine()
			alice := user(t, e, "alice")
			token, other := login(t, e, alice), login(t, e, user(t, e, "bob"))
			s := handle(t, e, token)
			find(t, e, other)
			w, stop := watching(s)
			defer stop()
			err := e.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.DeleteSession(hashOf(t, token))
				f.faults.Fail()
				return err
			})
			if !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("got %v, want %v", err, store.ErrUnavailable)
			}
			// Memory is as fresh as ever, and still counts for nothing.
			refused(t, e, token, errUnavailable)
			refused(t, e, other, errUnavailable)
			current(t, s, errUnavailable)
			told := w.told.Load()
			if told == 0 {
				t.Error("who watches isn't told")
			}
			f.faults.Heal()
			find(t, e, token) // it wasn't committed
			find(t, e, other)
			time.Sleep(time.Second)
			current(t, s, nil)
			if w.told.Load() == told {
				t.Error("who watches isn't told that all is known again")
			}
		})
	})
	t.Run("the answer to the commit is lost", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, f *fixture) {
			e := f.engine()
			alice := user(t, e, "alice")
			other := login(t, e, alice)
			find(t, e, other)
			for k := 1; ; k++ {
				token := login(t, e, alice)
				s := handle(t, e, token)
				f.faults.LoseAt(k)
				err := e.Write(t.Context(), func(tx *store.Tx) error { _, err := tx.DeleteSession(hashOf(t, token)); return err })
				broken := f.faults.Broken()
				f.faults.Heal()
				_, missing := stored(t.Context(), f.db, hashOf(t, token))
				if missing == nil {
					find(t, e, token)
					current(t, s, nil)
				} else {
					refused(t, e, token, errEnded)
					current(t, s, errEnded)
				}
				find(t, e, other)
				if err != nil && !errors.Is(err, store.ErrUnavailable) || err == nil && missing == nil {
					t.Errorf("call %d is lost: got %v, and the row is gone: %v", k, err, missing)
				}
				if err != nil && missing != nil {
					return // this was the commit
				}
				if broken == 0 {
					t.Fatal("no commit was lost")
				}
			}
		})
	})
}

// D-03: whichever call fails, hangs or loses its answer, no answer is wrong, and all goes on afterwards.
func TestEachCallBreaks(t *testing.T) {
	t.Parallel()
	for name, breakAt := range map[string]func(*storetest.Faults, int){
		"fails": (*storetest.Faults).FailAt, "is lost": (*storetest.Faults).LoseAt, "hangs": (*storetest.Faults).HangAt,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, f *fixture) {
				e := f.engine()
				alice := user(t, e, "alice")
				for k := 1; ; k++ {
					breakAt(f.faults, k)
					var token string
					errs := []error{e.Write(t.Context(), func(tx *store.Tx) (err error) {
						token, err = e.Begin(tx, store.Session{User: alice})
						return err
					})}
					p, err := e.Find(t.Context(), token)
					if (p == nil) == (err == nil) || err == nil && p.id != alice {
						t.Fatalf("call %d: Find gives %v, %v", k, p, err)
					}
					if errs[0] == nil && errors.Is(err, errEnded) {
						t.Fatalf("call %d: a session that was begun has ended", k)
					}
					errs = append(errs, err)
					errs = append(errs, e.Write(t.Context(), func(tx *store.Tx) error { return tx.SetDisabled(alice, true) }))
					_, found := e.Find(t.Context(), token)
					broken := f.faults.Broken()
					f.faults.Heal()
					for i, err := range errs {
						if err != nil && broken == 0 {
							t.Fatalf("call %d: step %d fails without a reason: %v", k, i, err)
						}
						if err != nil && !errors.Is(err, errUnavailable) && !errors.Is(err, errEnded) && !errors.Is(err, store.ErrUnavailable) {
							t.Fatalf("call %d: step %d fails with %v", k, i, err)
						}
					}
					// Now everything is as the database has it.
					accounts, err := f.db.Accounts(t.Context(), []int64{alice})
					if err != nil {
						t.Fatal(err)
					}
					if hash, ok := session.HashOf(token); ok { // else it failed before there was one
						if _, missing := stored(t.Context(), f.db, hash); accounts[alice].Disabled || missing != nil {
							refused(t, e, token, errEnded)
						} else {
							find(t, e, token)
						}
					}
					if found == nil && accounts[alice].Disabled || errs[2] == nil && !accounts[alice].Disabled {
						t.Fatalf("call %d: disabling gives %v, then Find gives %v, and disabled: %v", k, errs[2], found, accounts[alice].Disabled)
					}
					write(t, e, func(tx *store.Tx) error {
						if _, err := tx.DeleteSessions(alice, "", nil); err != nil {
							return err
						}
						return tx.SetDisabled(alice, false)
					})
					if got := e.Sizes(); got.Flights+got.Pending != 0 {
						t.Fatalf("call %d: it remembers %+v", k, got)
					}
					if broken == 0 {
						if k < 20 {
							t.Errorf("only %d calls", k)
						}
						return
					}
				}
			})
		})
	}
}

// D-04: who cancels never gets, and never makes others get, another's session.
func TestCanceledLookUpsNeverGiveAnothersSession(t *testing.T) {
	storetest.Each(t, testCanceledLookUpsNeverGiveAnothersSession)
}

func testCanceledLookUpsNeverGiveAnothersSession(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine(func(c *config) { c.Cache = 4 }) // so that nearly everything is looked up
	var tokens [12]string
	var ids [12]int64
	for i := range tokens {
		ids[i] = user(t, e, fmt.Sprint("user", i))
		tokens[i] = login(t, e, ids[i])
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 60 {
				i := (g*7 + n*5) % len(tokens)
				ctx, cancel := context.WithCancel(t.Context())
				timer := time.AfterFunc(time.Duration(n*g%40)*20*time.Microsecond, cancel)
				p, err := e.Find(ctx, tokens[i])
				timer.Stop()
				cancel()
				if err == nil && (p.id != ids[i] || p.name != fmt.Sprint("user", i)) {
					t.Errorf("the session of user %d gives %+v", i, p)
				}
				if err != nil && (p != nil || !errors.Is(err, errUnavailable)) {
					t.Errorf("got %v, %v", p, err)
				}
			}
		})
	}
	wg.Wait()
	for i := range tokens {
		if p := find(t, e, tokens[i]); p.id != ids[i] {
			t.Errorf("the session of user %d gives %+v", i, p)
		}
	}
	if got := e.Sizes(); got.Flights != 0 {
		t.Errorf("it remembers %+v", got)
	}
}

// gated makes the first look-up of users wait, with what it has read, until release is closed or its context ends.
func gated(load loading) (gate loading, entered, release chan struct{}) {
	entered, release = make(chan struct{}), make(chan struct{})
	var once sync.Once
	return func(ctx context.Context, ids []int64) (people, error) {
		all, err := load(ctx, ids)
		first := false
		once.Do(func() { first = true })
		if first {
			close(entered)
			select {
			case <-release:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return all, err
	}, entered, release
}

// The one who has asked the database for all may leave: the others don't fail with that.
func TestALeaderThatLeaves(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"canceled": context.WithCancel,
		"its own deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 100*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, f *fixture) {
				load, entered, _ := gated(loader(f.db))
				e := f.engine(func(c *config) { c.Load = load })
				token := login(t, e, user(t, e, "alice"))
				ctx, cancel := leave(t.Context())
				defer cancel()
				var wg sync.WaitGroup
				wg.Go(func() {
					if p, err := e.Find(ctx, token); p != nil || !errors.Is(err, errUnavailable) {
						t.Errorf("who leaves gets %v, %v", p, err)
					}
				})
				<-entered
				for range 20 {
					wg.Go(func() {
						if p, err := e.Find(t.Context(), token); err != nil {
							t.Errorf("who stays gets %v, %v", p, err)
						}
					})
				}
				time.Sleep(50 * time.Millisecond) // they wait
				if got := e.Sizes().Flights; got != 1 {
					t.Errorf("%d look-ups of one session", got)
				}
				if name == "canceled" {
					cancel()
				}
				wg.Wait()
				if got := e.Sizes(); got.Flights != 0 {
					t.Errorf("it remembers %+v", got)
				}
			})
		})
	}
}

// A look-up that takes too long fails for all, and is bounded.
func TestLookUpsAreBounded(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		e := f.engine()
		f.faults.Hang()
		var wg sync.WaitGroup
		for i := range session.MaxFlights {
			wg.Go(func() { refused(t, e, session.Filled(1+i), errUnavailable) })
		}
		for e.Sizes().Flights < session.MaxFlights {
			time.Sleep(time.Millisecond)
		}
		begin := time.Now()
		refused(t, e, session.Filled(0), errUnavailable)
		if took := time.Since(begin); took != 0 {
			t.Errorf("one too many waits for %v", took)
		}
		wg.Wait()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("they have waited for %v", took)
		}
		f.faults.Heal()
		time.Sleep(time.Second)
		refused(t, e, session.Filled(0), errEnded)
		if got := e.Sizes(); got.Flights != 0 {
			t.Errorf("it remembers %+v", got)
		}
	})
}

// D-14: one connection for all, and everybody is served or told that it is too much.
func TestOneConnectionForAll(t *testing.T) { storetest.Each(t, testOneConnectionForAll) }

func testOneConnectionForAll(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	raw := f.raw()
	raw.SetMaxOpenConns(1)
	db, err := store.Open(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e := f.engine(func(c *config) { c.DB, c.Load, c.Cache, c.PerUser = db, loader(db), 8, 0 })
	var tokens []string
	for i := range 25 {
		alice := user(t, e, fmt.Sprint("user", i))
		tokens = append(tokens, login(t, e, alice), login(t, e, alice))
	}
	var served atomic.Int64
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			p, err := e.Find(t.Context(), tokens[i%len(tokens)])
			if err == nil {
				served.Add(1)
			} else if p != nil || !errors.Is(err, errUnavailable) {
				t.Errorf("got %v, %v", p, err)
			}
		})
		if i%50 == 0 {
			wg.Go(func() {
				err := e.Write(t.Context(), func(tx *store.Tx) error {
					account, err := tx.Account(1) // through the transaction's own connection
					if err == nil {
						err = tx.Grant(account.ID, permission("contents:read"))
					}
					return err
				})
				if err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if served.Load() == 0 {
		t.Error("nobody was served")
	}
	t.Logf("%d of 500 were served, the others were told that it is too much", served.Load())
	for _, token := range tokens {
		eventually(t, "served", func() bool { _, err := e.Find(t.Context(), token); return err == nil })
	}
}
