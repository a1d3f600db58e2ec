package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// S-07, S-08: at and after its end a session has ended, whoever asks.
func TestTheEndsOfASession(t *testing.T) {
	t.Parallel()
	for _, limit := range []struct {
		name string
		ends time.Duration
		set  func(*config)
	}{
		{"it is idle", 10 * time.Minute, func(c *config) { c.Idle = 10 * time.Minute }},
		{"its lifetime is over", 20 * time.Minute, func(c *config) { c.Lifetime = 20 * time.Minute }},
	} {
		for _, way := range []struct {
			name string
			use  bool
			find func(f *fixture, token string, cached *engine) func() error
		}{
			{"in memory", true, func(f *fixture, token string, cached *engine) func() error {
				return func() error { _, err := cached.Find(t.Context(), token); return err }
			}},
			{"in the database", true, func(f *fixture, token string, _ *engine) func() error {
				return func() error {
					e := f.engine(limit.set)
					defer e.Close()
					_, err := e.Find(t.Context(), token)
					return err
				}
			}},
			{"of what is open", false, func(f *fixture, token string, cached *engine) func() error {
				s := handle(t, cached, token)
				return func() error {
					err := errUnavailable
					for errors.Is(err, errUnavailable) { // it is being looked up
						_, err = s.Current()
					}
					return err
				}
			}},
			{"in the list", false, func(f *fixture, token string, cached *engine) func() error {
				return func() error {
					p, _ := stored(t.Context(), f.db, hashOf(t, token))
					list, err := cached.List(t.Context(), p.User)
					if err == nil && len(list) == 0 {
						err = errEnded
					}
					return err
				}
			}},
		} {
			t.Run(limit.name+" "+way.name, func(t *testing.T) {
				t.Parallel()
				f := setup(t)
				e := f.engine(limit.set)
				token := login(t, e, user(t, e, "alice"))
				find(t, e, token)
				look := way.find(f, token, e)
				f.clock.advance(limit.ends - time.Second)
				if !way.use || limit.name != "it is idle" { // a request would be a use
					if err := look(); err != nil {
						t.Fatalf("a second before its end: %v", err)
					}
				}
				f.clock.advance(time.Second - 1)
				if way.name == "of what is open" {
					if err := look(); err != nil {
						t.Fatalf("a nanosecond before its end: %v", err)
					}
				}
				f.clock.advance(1)
				if err := look(); !errors.Is(err, errEnded) {
					t.Errorf("at its end: got %v, want %v", err, errEnded)
				}
				f.clock.advance(time.Second)
				if err := look(); !errors.Is(err, errEnded) {
					t.Errorf("after its end: got %v, want %v", err, errEnded)
				}
			})
		}
	}
}

// S-07
func TestUseExtendsUntilTheLifetimeIsOver(t *testing.T) {
	storetest.Each(t, testUseExtendsUntilTheLifetimeIsOver)
}

func testUseExtendsUntilTheLifetimeIsOver(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine(func(c *config) { c.Idle, c.Lifetime = 10*time.Minute, time.Hour })
	token := login(t, e, user(t, e, "alice"))
	for range 6 {
		find(t, e, token)
		f.clock.advance(10*time.Minute - time.Second) // 59 min 54 s in the end
	}
	p := find(t, e, token)
	if want := time.Unix(2e9, 0).Add(time.Hour); !p.session.Expires().Equal(want) {
		t.Errorf("it expires at %v, want %v", p.session.Expires(), want)
	}
	f.clock.advance(5 * time.Second)
	find(t, e, token)
	f.clock.advance(time.Second)
	refused(t, e, token, errEnded)
	current(t, p.session, errEnded)
	other, _ := f.otherProcess(func(c *config) { c.Idle, c.Lifetime = 10*time.Minute, time.Hour })
	refused(t, other, token, errEnded)
}

// An open socket alone is no use: it learns that its session is idle without asking.
func TestWhatIsOpenLearnsThatItsTimeIsOver(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*config){
		"idle":     func(c *config) { c.Idle = 30 * time.Second },
		"lifetime": func(c *config) { c.Lifetime = 30 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, f *fixture) {
				e := f.engine(set)
				begin := time.Now()
				s := handle(t, e, login(t, e, user(t, e, "alice")))
				w, stop := watching(s)
				defer stop()
				time.Sleep(28 * time.Second)
				current(t, s, nil)
				w.until(t, "ended", currentIs(s, errEnded))
				// A second of Unix time, and one until it is looked for.
				if took := time.Since(begin); took < 28*time.Second || took > 32*time.Second {
					t.Errorf("it ended after %v, want 30 s", took)
				}
			})
		})
	}
}

// Another process may have seen it in use: only the database knows.
func TestUseInAnotherProcessKeepsWhatIsOpenHere(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		f.clock = new(clock)
		set := func(c *config) { c.Idle = 90 * time.Second }
		here := f.engine(set)
		there, _ := f.otherProcess(set)
		token := login(t, here, user(t, here, "alice"))
		s := handle(t, here, token)
		_, stop := watching(s)
		defer stop()
		for range 3 {
			f.clock.advance(61 * time.Second)
			find(t, there, token)
			if _, err := s.Current(); err != nil && !errors.Is(err, errUnavailable) {
				t.Fatalf("in use elsewhere, and here %v", err)
			}
			time.Sleep(2 * time.Second) // what was in doubt is looked up
			current(t, s, nil)
		}
		f.clock.advance(92 * time.Second)
		time.Sleep(2 * time.Second)
		current(t, s, errEnded)
	})
}

// S-10
func TestAClockThatGoesBackMakesNothingImmortal(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.advance(2 * time.Hour)
	e := f.engine(func(c *config) { c.Idle, c.Lifetime = time.Hour, 3*time.Hour })
	alice := user(t, e, "alice")
	token := login(t, e, alice)
	s := handle(t, e, token)
	f.clock.advance(-time.Hour)
	find(t, e, token)
	later := login(t, e, alice)
	if row, err := stored(t.Context(), f.db, hashOf(t, later)); err != nil || row.Expires-row.Created != 3*3600 || row.Seen != row.Created {
		t.Errorf("the row is %+v, %v: want a lifetime of 3 h", row, err)
	}
	// Kept in use, it ends at the time that it always had; by a clock that goes right, an hour more.
	for i := range 7 {
		f.clock.advance(30 * time.Minute)
		find(t, e, token)
		if i < 5 {
			find(t, e, later)
		}
	}
	f.clock.advance(30 * time.Minute)
	refused(t, e, token, errEnded)
	current(t, s, errEnded)
	refused(t, e, later, errEnded)
}

// V-10: how old a state is doesn't go by the clock that can be set.
func TestStalenessGoesByTheMonotonicClock(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		f.clock = new(clock) // stands still
		e := f.engine()
		token := login(t, e, user(t, e, "alice"))
		find(t, e, token)
		for _, step := range []time.Duration{-50 * time.Minute, 40 * time.Minute} { // within the limit of idleness
			f.clock.advance(step)
			find(t, e, token)
		}
		f.faults.Fail()
		time.Sleep(1100 * time.Millisecond)
		refused(t, e, token, errUnavailable)
		f.clock.advance(-10 * time.Minute)
		refused(t, e, token, errUnavailable)
		synctest.Wait()
	})
}

// A lifetime is that of the login, and the user's other sessions have their own.
func TestBeginSetsTheTimes(t *testing.T) { storetest.Each(t, testBeginSetsTheTimes) }

func testBeginSetsTheTimes(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine(func(c *config) { c.Idle, c.Lifetime = time.Hour, 2*time.Hour })
	alice := user(t, e, "alice")
	forged := store.Session{
		User: alice, ID: "chosen", Realm: "another", Hash: [32]byte{1}, Created: 1, Seen: 1e12, Expires: 1e12,
		Method: "password", Address: "192.0.2.7", Agent: "test", Issuer: "i", Subject: "s", SID: "sid", Data: "{}",
	}
	var token string
	write(t, e, func(tx *store.Tx) (err error) { token, err = e.Begin(tx, forged); return err })
	got, err := stored(t.Context(), f.db, hashOf(t, token))
	if err != nil {
		t.Fatal(err)
	}
	want := forged
	want.Hash, want.ID, want.Realm = hashOf(t, token), got.ID, "userauth"
	want.Created, want.Seen, want.Expires = 2e9, 2e9, 2e9+7200
	if got != want || len(got.ID) != 20 {
		t.Errorf("got %+v, want %+v with an id of 20 characters", got, want)
	}
}

// A last use that isn't stored yet counts when the database is asked again.
func TestAUseThatIsNotStoredYetCounts(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine(func(c *config) { c.Idle = 10 * time.Minute })
	alice := user(t, e, "alice")
	token := login(t, e, alice)
	s := handle(t, e, token)
	_, stop := watching(s)
	defer stop()
	f.clock.advance(59 * time.Second)
	find(t, e, token) // stored at the end of the minute only
	f.clock.advance(10*time.Minute - 10*time.Second)
	write(t, e, func(tx *store.Tx) error { return tx.Grant(alice, permission("contents:read")) })
	current(t, s, nil)
	if got := find(t, e, token); got.holds != "contents:read" || got.session != s {
		t.Errorf("found %+v", got)
	}
}
