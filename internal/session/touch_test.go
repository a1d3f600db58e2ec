package session_test

import (
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store/storetest"
)

const touching = "UPDATE auth_sessions SET seen_at"

// seen is the stored last use, also while the database is away for others.
func (f *fixture) seen(token string) int64 {
	f.t.Helper()
	hash := hashOf(f.t, token)
	return number(f.t, f.raw(), "SELECT seen_at FROM auth_sessions WHERE token_hash = ?", hash[:])
}

// S-21: a storm of requests stores the last use once a minute, and never while one waits.
func TestTheLastUseIsStoredOnceAMinute(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		f.clock = new(clock)
		e := f.engine()
		token := login(t, e, user(t, e, "alice"))
		begin := f.clock.now()
		time.Sleep(100 * time.Millisecond) // so that the storing, each second, and the requests below don't meet by chance
		f.faults.Heal()
		for f.clock.now().Sub(begin) < 3*time.Minute+30*time.Second {
			before := calls(f.faults, touching)
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() { find(t, e, token) })
			}
			wg.Wait()
			if after := calls(f.faults, touching); after != before {
				t.Fatal("stored while requests wait")
			}
			f.clock.advance(3 * time.Second)
			time.Sleep(time.Second) // time enough to store it
		}
		if got := calls(f.faults, touching); got != 3 {
			t.Errorf("stored %d times in three and a half minutes, want 3", got)
		}
		if age := f.clock.now().Unix() - f.seen(token); age > 62 {
			t.Errorf("the stored last use is %d s old", age)
		}
		before := f.seen(token)
		f.clock.advance(20 * time.Minute) // not in use
		time.Sleep(2 * time.Second)
		if got := f.seen(token); got != before {
			t.Errorf("stored %d s after the last use that was", got-before)
		}
	})
}

// S-21: the minute begins with the use, not with the clock's.
func TestTwoUsesAroundAFullMinute(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		f.clock = new(clock)
		e := f.engine()
		token := login(t, e, user(t, e, "alice"))
		f.clock.advance(2*time.Minute - time.Duration(f.clock.now().Unix()%60)*time.Second) // to a full minute
		f.clock.advance(2 * time.Second)
		find(t, e, token)
		time.Sleep(2 * time.Second)
		f.faults.Heal()
		for range 59 { // over the next full minute
			f.clock.advance(time.Second)
			find(t, e, token)
		}
		time.Sleep(2 * time.Second)
		if got := calls(f.faults, touching); got != 0 {
			t.Errorf("stored %d times within a minute of the last time", got)
		}
		f.clock.advance(time.Second)
		find(t, e, token)
		time.Sleep(2 * time.Second)
		if got := calls(f.faults, touching); got != 1 {
			t.Errorf("stored %d times after a minute, want once", got)
		}
	})
}

// The request doesn't wait for it: it is answered while the database hangs.
func TestAUseDoesNotWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		f.clock = new(clock)
		e := f.engine()
		token := login(t, e, user(t, e, "alice"))
		find(t, e, token)
		f.clock.advance(2 * time.Minute)
		f.faults.Hang()
		begin := time.Now()
		find(t, e, token)
		if took := time.Since(begin); took != 0 {
			t.Errorf("a request waited for %v", took)
		}
		time.Sleep(7 * time.Second)
		f.faults.Heal()
		time.Sleep(2 * time.Second)
		if got := f.seen(token); got != f.clock.now().Unix() {
			t.Errorf("the use during the outage is stored as %d s before it", f.clock.now().Unix()-got)
		}
	})
}

// V-04: a last use that is stored after the end doesn't bring the session back.
func TestALastUseNeverResurrects(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		f.clock = new(clock)
		here := f.engine()
		there, _ := f.otherProcess()
		alice := user(t, here, "alice")
		tokens := []string{login(t, here, alice), login(t, here, alice)}
		for _, token := range tokens {
			find(t, here, token)
		}
		f.clock.advance(2 * time.Minute)
		for _, token := range tokens {
			find(t, here, token)
		}
		if got := here.Sizes(); got.Touches != 2 {
			t.Fatalf("it remembers %+v, want two last uses", got)
		}
		logout(t, there, tokens[0])
		logout(t, here, tokens[1])
		time.Sleep(3 * time.Second)
		if got := here.Sizes(); got.Touches != 0 {
			t.Errorf("it remembers %+v, want none", got)
		}
		if got := number(t, f.raw(), "SELECT COUNT(*) FROM auth_sessions"); got != 0 {
			t.Errorf("there are %d sessions", got)
		}
		for _, token := range tokens {
			refused(t, here, token, errEnded)
			refused(t, there, token, errEnded)
		}
	})
}

// V-04, in parallel and without a bubble.
func TestUseAndLogoutInParallel(t *testing.T) { storetest.Each(t, testUseAndLogoutInParallel) }

func testUseAndLogoutInParallel(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine()
	alice := user(t, e, "alice")
	for range 10 {
		token := login(t, e, alice)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					f.clock.advance(time.Second)
					if p, err := e.Find(t.Context(), token); err != nil && (err != errEnded || p != nil) {
						t.Errorf("got %v, %v", p, err)
					}
				}
			})
		}
		wg.Go(func() { logout(t, e, token) })
		wg.Wait()
		refused(t, e, token, errEnded)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if got := number(t, f.raw(), "SELECT COUNT(*) FROM auth_sessions"); got != 0 {
		t.Errorf("there are %d sessions", got)
	}
}

// After an outage there may be more than one transaction has time for.
func TestManyLastUsesAreStoredInBatches(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		f.clock = new(clock)
		const n = 2500
		e := f.engine(func(c *config) { c.Cache = 10_000 })
		e.Fill(n, n, &person{}, f.clock.now().Unix())
		stored := login(t, e, user(t, e, "alice"))
		find(t, e, stored)
		f.clock.advance(2 * time.Minute)
		f.faults.Hang()
		for i := range n {
			find(t, e, session.Filled(i))
		}
		find(t, e, stored)
		used := f.clock.now().Unix()
		time.Sleep(7 * time.Second) // a try is given up
		f.faults.Heal()
		time.Sleep(10 * time.Second)
		if got := e.Sizes(); got.Touches != 0 {
			t.Errorf("it remembers %+v", got)
		}
		if got := f.seen(stored); got != used {
			t.Errorf("a last use is stored as %d s before it", used-got)
		}
		if begun, stored := calls(f.faults, "begin"), calls(f.faults, touching); begun != 3 || stored != n+1 {
			t.Errorf("%d in %d transactions, want %d in 3", stored, begun, n+1)
		}
	})
}

// V-09: Close stores what isn't stored yet, also what was being stored when it began.
func TestCloseStoresLastUses(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		f.clock = new(clock)
		e := f.engine()
		token := login(t, e, user(t, e, "alice"))
		e.Close()
		interrupted := 0
		for k := range 9 {
			e := f.engine()
			find(t, e, token)
			time.Sleep(760 * time.Millisecond)
			f.clock.advance(2 * time.Minute)
			find(t, e, token)
			used := f.clock.now().Unix()
			if k > 0 {
				f.faults.HangAt(k) // one of them is where the last use is being stored
				time.Sleep(245 * time.Millisecond)
				if e.Sizes().Touches == 0 && f.seen(token) != used {
					interrupted++
				}
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			f.faults.Heal()
			if got := f.seen(token); got != used {
				t.Errorf("%d: the last use is stored as %d s before it", k, used-got)
			}
		}
		if interrupted == 0 {
			t.Error("nothing was being stored when Close began")
		}
	})
}

// S-20: the janitor takes what has ended, nothing that lives, and nothing comes back.
func TestTheJanitor(t *testing.T) { storetest.Each(t, testTheJanitor) }

func testTheJanitor(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine(func(c *config) { c.Idle, c.Lifetime = 10*time.Minute, 25*time.Minute })
	other := f.engine(func(c *config) { c.Realm, c.Idle, c.Lifetime = "oidc", 100*time.Hour, 200*time.Hour })
	alice := user(t, e, "alice")
	busy, idle, foreign := login(t, e, alice), login(t, e, alice), login(t, other, alice)
	_, crowded := f.crowd(600) // more than one batch
	raw := f.raw()
	sessions := func() int64 { return number(t, raw, "SELECT COUNT(*) FROM auth_sessions") }
	purge := func() {
		t.Helper()
		for _, e := range []*engine{e, other} {
			if err := e.StoreTouches(t.Context()); err != nil {
				t.Error(err)
			}
			if err := e.Purge(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	use := func(minutes int) {
		for range minutes {
			f.clock.advance(time.Minute)
			find(t, e, busy)
		}
	}
	use(10)
	purge()
	refused(t, e, idle, errEnded)
	refused(t, e, crowded[7], errEnded)
	if got := sessions(); got != 603 {
		t.Errorf("there are %d sessions, want 603: those that are idle may be in use elsewhere", got)
	}
	use(3)
	purge()
	if got := sessions(); got != 2 {
		t.Errorf("there are %d sessions, want the busy and the foreign one", got)
	}
	find(t, e, busy)
	use(11)
	f.clock.advance(time.Minute)
	purge()
	if got := sessions(); got != 1 {
		t.Errorf("there are %d sessions, want the foreign one", got)
	}
	refused(t, e, busy, errEnded)
	find(t, other, foreign)
}

// S-20: what is idle by the stored time may be in use by what a process remembers.
func TestTheJanitorLeavesWhatMayBeInUse(t *testing.T) {
	storetest.Each(t, testTheJanitorLeavesWhatMayBeInUse)
}

func testTheJanitorLeavesWhatMayBeInUse(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	set := func(c *config) { c.Idle = 10 * time.Minute }
	here := f.engine(set)
	there, _ := f.otherProcess(set)
	token := login(t, here, user(t, here, "alice"))
	find(t, here, token)
	f.clock.advance(59 * time.Second)
	find(t, here, token) // which isn't stored
	f.clock.advance(10*time.Minute - time.Second)
	if err := there.Purge(t.Context()); err != nil {
		t.Error(err)
	}
	find(t, here, token)
	if err := here.StoreTouches(t.Context()); err != nil {
		t.Error(err)
	}
	find(t, there, token)
}
