package bench_test

import (
	"errors"
	"flag"
	"runtime"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

var manySessions = flag.Int("sessions", 40_000, "how many sessions TestManySessions keeps in memory; its figures are meant for 1000000")

const (
	manyUsers = 1000
	// boundSessions is how many sessions in recent use keep what they were last answered with: a bounded part of memory that
	// isn't each session's.
	boundSessions = 1 << 14
	sessionBudget = 120 // bytes
)

// TestManySessions holds what a session costs in memory, its user apart, and that memory is bounded. It tells what else
// many sessions cost: a start, a look-up, a collection.
func TestManySessions(t *testing.T) {
	if testing.Short() {
		t.Skip("stores and reads many sessions")
	}
	n := *manySessions
	if n < 2*boundSessions {
		t.Fatalf("-sessions=%d: want at least %d", n, 2*boundSessions)
	}
	db := newDB(t)
	storeMany(t, db, n)

	t.Run("all in memory", func(t *testing.T) { allInMemory(t, db, n) })
	t.Run("bounded", func(t *testing.T) { bounded(t, db, n) })
}

func allInMemory(t *testing.T, db *sqlx.DB, n int) {
	start := time.Now()
	d := newDoor(t, db, userauth.Config{CacheSessions: 2 * n})
	t.Logf("start over %d stored sessions: %s", n, time.Since(start).Round(time.Microsecond))

	few := d.identifies(t, 0, 1000)
	d.readAll(t, 0, 1000)
	small := perLookUp(few)
	before, emptyGC := heap(), collection()
	d.readAll(t, 0, boundSessions)
	base := heap()
	start = time.Now()
	d.readAll(t, boundSessions, n)
	t.Logf("reading %d sessions: %s each", n-boundSessions, (time.Since(start) / time.Duration(n-boundSessions)).Round(100*time.Nanosecond))
	all := heap()

	each := float64(all-base) / float64(n-boundSessions)
	t.Logf("memory: %.1f bytes for each session, its user apart; %.1f with the users and what the last %d were answered with",
		each, float64(all-before)/float64(n), boundSessions)
	if each > sessionBudget {
		t.Errorf("got %.1f bytes for a session, want at most %d", each, sessionBudget)
	}
	t.Logf("a full collection: %s with %d sessions, %s with 1000", collection().Round(10*time.Microsecond), n, emptyGC.Round(10*time.Microsecond))

	among := d.identifies(t, n-1000, n)
	spread := d.identifiesEach(t, n, 8192)
	t.Logf("a look-up: %s of 1000 sessions in memory; of %d: %s for the same 1000 again, %s for 8192 in turn", small, n, perLookUp(among), perLookUp(spread))
	runtime.KeepAlive(d)
}

// bounded: however many sessions come by, memory holds CacheSessions of them.
func bounded(t *testing.T, db *sqlx.DB, n int) {
	const kept = 2000
	d := newDoor(t, db, userauth.Config{CacheSessions: kept})
	d.readAll(t, 0, n/2)
	half := heap()
	d.readAll(t, n/2, n)
	// As many again leave nothing behind.
	if got, most := heap()-half, int64(kept*sessionBudget); got > most {
		t.Errorf("memory grew by %d bytes, want at most %d", got, most)
	}
	runtime.KeepAlive(d)
}

// storeMany puts n sessions of many users into db.
func storeMany(tb testing.TB, db *sqlx.DB, n int) {
	tb.Helper()
	st, now := openStore(tb, db), time.Now()
	start := time.Now()
	// Used in an hour: no last use has to be stored meanwhile.
	addSessions(tb, db, addUsers(tb, st, manyUsers, ""), 0, n, now.Add(time.Hour), now.Add(24*time.Hour))
	tb.Logf("storing %d sessions: %s", n, time.Since(start).Round(time.Millisecond))
}

// readAll has a range of sessions read into memory.
func (d *door) readAll(tb testing.TB, from, to int) {
	tb.Helper()
	r := get(tb, path)
	for i := from; i < to; i++ {
		r.Header["Cookie"] = []string{cookieOf(sessionToken(i))}
		_, err := d.Identify(r)
		for errors.Is(err, auth.ErrUnavailable) { // a busy machine: it was told to come again
			_, err = d.Identify(r)
		}
		if err != nil {
			tb.Fatalf("session %d: %v", i, err)
		}
	}
}

// identifies asks about a range of sessions in turn.
func (d *door) identifies(tb testing.TB, from, to int) func() {
	var cookies [][]string
	for i := from; i < to; i++ {
		cookies = append(cookies, []string{cookieOf(sessionToken(i))})
	}
	return d.identify(tb, cookies)
}

// identifiesEach asks about some of n sessions, which lie apart.
func (d *door) identifiesEach(tb testing.TB, n, some int) func() {
	var cookies [][]string
	for i := range some {
		cookies = append(cookies, []string{cookieOf(sessionToken(i * (n / some)))})
	}
	return d.identify(tb, cookies)
}

func (d *door) identify(tb testing.TB, cookies [][]string) func() {
	r, next := get(tb, path), 0
	return func() {
		next = (next + 617) % len(cookies) // a prime: in an order that jumps
		r.Header["Cookie"] = cookies[next]
		if _, err := d.Identify(r); err != nil {
			panic(err)
		}
	}
}

func perLookUp(op func()) time.Duration {
	const turns = 10_000
	repeat(op, turns)
	c := newClock()
	var times []float64
	for range *rounds {
		begin := c.now()
		repeat(op, turns)
		times = append(times, float64(c.now()-begin)/turns)
	}
	return time.Duration(median(times))
}

// heap is what is alive.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC() // twice: the first may end a cycle that began before
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// collection is how long a full collection takes.
func collection() time.Duration {
	var times []float64
	for range *rounds {
		begin := time.Now()
		runtime.GC()
		times = append(times, float64(time.Since(begin)))
	}
	return time.Duration(median(times))
}
