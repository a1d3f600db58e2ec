package bench_test

import (
	"errors"
	"flag"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

var manySessions = flag.Int("sessions", ordinarySessions, "how many sessions TestManySessions stores and keeps in memory; its figures are meant for 1000000")

const (
	ordinarySessions = 40_000

	sessionsOfUser = 10
	fewSessions    = 1000
	// boundSessions is how many sessions in recent use keep what they were last answered with: a bounded part of memory that
	// isn't each session's.
	boundSessions = 1 << 14
	sessionBudget = 120 // bytes
)

// A crowd is a database of users with some sessions each. The sessions below alive are in use, the others below all have
// expired.
type crowd struct {
	base       *storetest.Database
	db         *sqlx.DB
	alive, all int
}

// TestManySessions holds what a session costs in memory, its user apart, that memory is bounded, and that what has expired
// goes, and nothing else, while others log in and ask. It tells what else many sessions cost: a start, a look-up, a collection, a wait.
func TestManySessions(t *testing.T) {
	if testing.Short() {
		t.Skip("stores and reads many sessions")
	}
	n := *manySessions
	if n < 2*boundSessions {
		t.Fatalf("-sessions=%d: want at least %d", n, 2*boundSessions)
	}
	for _, on := range []storetest.Engine{storetest.SQLite, storetest.Postgres} {
		t.Run(string(on), func(t *testing.T) {
			n, inMemory := n, true
			if on != storetest.SQLite && n == ordinarySessions {
				n, inMemory = n/4, false // to read them all from a server takes long, for a memory that is the same
			}
			few, many := newCrowd(t, on, fewSessions, 0), newCrowd(t, on, n, n/10)
			t.Run("a start", func(t *testing.T) { start(t, few, many) })
			if inMemory {
				t.Run("all in memory", func(t *testing.T) { allInMemory(t, many) })
			}
			if on == storetest.SQLite { // memory's bound doesn't know the database
				t.Run("bounded", func(t *testing.T) { bounded(t, many) })
			}
			t.Run("a look-up in the database", func(t *testing.T) { lookUps(t, few, many) })
			t.Run("what has expired goes", func(t *testing.T) { purge(t, many) })
		})
	}
}

// start tells how long it takes until an instance is ready.
func start(t *testing.T, few, many crowd) {
	took := func(c crowd) time.Duration {
		var times []float64
		for range *rounds {
			begin := time.Now()
			d := newDoor(t, c.db, userauth.Config{})
			times = append(times, float64(time.Since(begin)))
			_ = d.Close()
		}
		return time.Duration(median(times))
	}
	t.Logf("a start over %d stored sessions: %s; over %d: %s", few.all, took(few), many.all, took(many))
}

func allInMemory(t *testing.T, c crowd) {
	n := c.alive
	d := newDoor(t, c.db, userauth.Config{CacheSessions: 2 * n})
	few := d.identifies(t, 0, fewSessions)
	d.readAll(t, 0, fewSessions)
	small := perLookUp(few)
	emptyGC := collection()
	each := d.memory(t, n)
	// What else is alive just then can only add to it: another look is fair.
	for tries := 1; each > sessionBudget && tries < 5; tries++ {
		_ = d.Close()
		d = newDoor(t, c.db, userauth.Config{CacheSessions: 2 * n})
		each = d.memory(t, n)
	}
	if each > sessionBudget {
		t.Errorf("got %.1f bytes for a session, want at most %d", each, sessionBudget)
	}
	t.Logf("a full collection: %s with %d sessions, %s with %d", collection().Round(10*time.Microsecond), n, emptyGC.Round(10*time.Microsecond), fewSessions)

	among := d.identifies(t, n-fewSessions, n)
	spread := d.identifiesEach(t, n, 8192)
	t.Logf("a look-up: %s of %d sessions in memory; of %d: %s for as many again, %s for 8192 in turn", small, fewSessions, n, perLookUp(among), perLookUp(spread))
	runtime.KeepAlive(d)
}

// memory has n sessions read, and gives how many bytes each takes.
func (d *door) memory(t *testing.T, n int) (each float64) {
	t.Helper()
	before := heap()
	rest := max(boundSessions, n/sessionsOfUser) // from here on every user is known
	d.readAll(t, 0, rest)
	base := heap()
	begin := time.Now()
	d.readAll(t, rest, n)
	t.Logf("reading %d sessions: %s each", n-rest, (time.Since(begin) / time.Duration(n-rest)).Round(100*time.Nanosecond))
	all := heap()
	each = float64(all-base) / float64(n-rest)
	t.Logf("memory: %.1f bytes for each session, its user apart; %.1f with the users and what the last %d were answered with",
		each, float64(all-before)/float64(n), boundSessions)
	return each
}

// bounded: however many sessions come by, memory holds CacheSessions of them.
func bounded(t *testing.T, c crowd) {
	const kept = 2000
	n := c.alive
	d := newDoor(t, c.db, userauth.Config{CacheSessions: kept})
	d.readAll(t, 0, n/2)
	half := heap()
	d.readAll(t, n/2, n)
	// As many again leave nothing behind.
	if got, most := heap()-half, int64(kept*sessionBudget); got > most {
		t.Errorf("memory grew by %d bytes, want at most %d", got, most)
	}
	runtime.KeepAlive(d)
}

// lookUps tells what it costs to be known by a session and a user of which neither is in memory. The clock is the wall's:
// the work may be a server's.
func lookUps(t *testing.T, few, many crowd) {
	begin := time.Now()
	c := clock{name: "wall", now: func() time.Duration { return time.Since(begin) }}
	of := func(c crowd) row {
		d := newDoor(t, c.db, userauth.Config{CacheSessions: 1})
		return row{make: func() func() {
			admit := d.admitsAny(t, c.alive)
			return func() { admit() }
		}}
	}
	times := c.rounded([]row{of(few), of(many)}, 1)
	t.Logf("a look-up in the database: %s of %d sessions, %s of %d, ratio %.2f", time.Duration(median(times[0])), few.all,
		time.Duration(median(times[1])), many.all, median(ratios(times[1], times[0])))
}

// newCrowd stores so many sessions that are in use, and so many that have expired.
func newCrowd(t *testing.T, on storetest.Engine, alive, expired int) crowd {
	t.Helper()
	hash := hashed(t, loginPassword, 0)
	base := on.Empty(t) // to empty it for the next test would take minutes
	db := open(t, base)
	openStore(t, db) // makes the tables
	begin, now := time.Now(), time.Now()
	users := addUsers(t, db, alive/sessionsOfUser, hash)
	// Used in an hour: no last use has to be stored meanwhile.
	addSessions(t, db, users, 0, alive, now.Add(time.Hour), now.Add(24*time.Hour))
	addSessions(t, db, users, alive, alive+expired, now.Add(-time.Hour), now.Add(-time.Minute))
	if on == storetest.Postgres { // which it does by itself within a minute
		if _, err := db.ExecContext(t.Context(), "ANALYZE"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("storing %d users and %d sessions: %s", len(users), alive+expired, time.Since(begin).Round(time.Millisecond))
	return crowd{base, db, alive, alive + expired}
}

// readAll has a range of sessions read into memory, some at a time: else a server waits for us as long as we for it.
func (d *door) readAll(tb testing.TB, from, to int) {
	tb.Helper()
	const atATime = 4
	var all sync.WaitGroup
	for first := range atATime {
		all.Go(func() {
			r := get(tb, path)
			for i := from + first; i < to; i += atATime {
				r.Header["Cookie"] = []string{cookieOf(sessionToken(i))}
				if _, err := d.admit(r); err != nil {
					tb.Errorf("session %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// admit asks until there is an answer, and tells how often it was told to come again: a machine may be too busy for one.
func (d *door) admit(r *http.Request) (again int, err error) {
	for ; ; again++ {
		if _, err = d.Identify(r); !errors.Is(err, auth.ErrUnavailable) {
			return again, err
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

// admitsAny asks about all of n sessions, in an order that jumps.
func (d *door) admitsAny(tb testing.TB, n int) func() (again int) {
	r, next := get(tb, path), 0
	return func() int {
		next = (next + 99_991) % n // a prime that doesn't divide n
		r.Header["Cookie"] = []string{cookieOf(sessionToken(next))}
		again, err := d.admit(r)
		if err != nil {
			panic(err)
		}
		return again
	}
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
