package bench_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

const (
	purgedAtOnce = 500 // as many as an instance removes with one transaction
	loginsBeside = 200 // users who log in, in turn
)

// purge removes what has expired, as each instance does from time to time, while one user after another logs in and others
// are looked up in the database. All that has expired goes and nothing else, and everybody is admitted. It tells the longest
// waits, and who was told to come again.
func purge(t *testing.T, c crowd) {
	st := openStore(t, c.db)
	d := newDoor(t, open(t, c.base), userauth.Config{CacheSessions: 1})
	var again atomic.Int64
	admit := d.admitsAny(t, c.alive)
	lookUp := func() { again.Add(int64(admit())) }
	logins := 0
	logIn := func() {
		for {
			w := d.logIn(t.Context(), logins%loginsBeside)
			switch w.Code {
			case http.StatusOK:
				logins++
				return
			case http.StatusServiceUnavailable:
				again.Add(1)
			default:
				panic(fmt.Sprintf("a login: got status %d: %s", w.Code, w.Body))
			}
		}
	}
	beside := func(stop <-chan struct{}) (lookUps, logIns []time.Duration) {
		var both sync.WaitGroup
		both.Go(func() { lookUps = latencies(lookUp, 1, stop) })
		both.Go(func() { logIns = latencies(logIn, 1, stop) })
		both.Wait()
		return lookUps, logIns
	}
	stop := make(chan struct{})
	var took time.Duration
	removed, batches := 0, 0
	go func() {
		defer close(stop)
		begin := time.Now()
		now := begin.Unix()
		idle := map[string]int64{"userauth": now - int64(7*24*time.Hour/time.Second)}
		for n := purgedAtOnce; n == purgedAtOnce; batches++ {
			var err error
			if n, err = st.Purge(t.Context(), idle, now, purgedAtOnce); err != nil {
				t.Errorf("removing what has expired: %v", err)
				return
			}
			removed += n
		}
		took = time.Since(begin)
	}()
	lookUps, logIns := beside(stop)
	turnedAway := again.Swap(0)
	if want := c.all - c.alive; removed != want {
		t.Errorf("got %d sessions removed, want %d", removed, want)
	}
	var left int
	if err := c.db.GetContext(t.Context(), &left, "SELECT COUNT(*) FROM auth_sessions"); err != nil {
		t.Fatal(err)
	}
	if want := c.alive + logins; left != want {
		t.Errorf("got %d sessions left, want %d", left, want)
	}
	if _, err := d.Identify(get(t, path, "Cookie", cookieOf(sessionToken(c.all-1)))); c.all > c.alive && !errors.Is(err, auth.ErrNoCredentials) {
		t.Errorf("of a session that was removed: got %v, want it refused", err)
	}

	// The same again, for as long, with nothing to remove.
	alone := make(chan struct{})
	time.AfterFunc(took, func() { close(alone) })
	lookUpsAlone, logInsAlone := beside(alone)
	t.Logf("removing %d of %d sessions: %s, in %d transactions; told to come again: %d meanwhile, %d alone",
		removed, c.all, took.Round(time.Millisecond), batches, turnedAway, again.Load())
	t.Logf("a look-up in the database meanwhile: %s; alone: %s", spreadOf(lookUps), spreadOf(lookUpsAlone))
	t.Logf("a login meanwhile: %s; alone: %s", spreadOf(logIns), spreadOf(logInsAlone))
}
