package session_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/session"
)

// A million sessions in memory: at most 120 bytes each, users apart, and found as fast as a thousand, but for the caches
// of the processor. Times are told, not judged.
func TestAMillionSessions(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("measures memory")
	}
	const n, perUser = 1_000_000, 10
	find := func(e *engine, among int) time.Duration {
		const times = 20_000
		var tokens [times]string
		for i := range tokens {
			tokens[i] = session.Filled(rand.IntN(among))
		}
		least := time.Hour
		for range 5 {
			begin := time.Now()
			for _, token := range tokens {
				if _, err := e.Find(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			least = min(least, time.Since(begin))
		}
		return least / times
	}
	collect := func() (time.Duration, int64) {
		var m runtime.MemStats
		runtime.GC()
		begin := time.Now()
		runtime.GC()
		took := time.Since(begin)
		runtime.ReadMemStats(&m)
		return took, int64(m.HeapAlloc)
	}
	f := setup(t)
	value := &person{name: "alice"}
	large := func(c *config) { c.Cache = n + n/10 } // a shard's share differs a little from the others'
	few := f.engine(large)
	few.Fill(1000, perUser, value, f.clock.now().Unix())
	among1000 := find(few, 1000)
	before, base := collect()
	e := f.engine(large)
	begin := time.Now()
	e.Fill(n, perUser, value, f.clock.now().Unix())
	t.Logf("filled in %v", time.Since(begin))
	after, size := collect()
	if got := e.Sizes(); got.Cached != n || got.Users != n/perUser {
		t.Fatalf("it holds %+v", got)
	}
	// What the users cost is measured by an engine that has as many, with one session each.
	users := f.engine(large)
	_, withUsers := collect()
	users.Fill(n/perUser, 1, value, f.clock.now().Unix())
	_, withUsers2 := collect()
	// n s + n/10 u = size - base and n/10 s + n/10 u = withUsers2 - withUsers
	each := float64(size-base-(withUsers2-withUsers)) / (n - n/perUser)
	user := float64(withUsers2-withUsers)/(n/perUser) - each
	amongAll := find(e, n)
	t.Logf("%.0f bytes for a session and %.0f for a user; a full collection takes %v, %v without them; found in %v among %d, in %v among 1,000",
		each, user, after, before, amongAll, n, among1000)
	if each > 120 {
		t.Errorf("%.0f bytes for a session, want at most 120", each)
	}
	runtime.KeepAlive(e)
	runtime.KeepAlive(few)
	runtime.KeepAlive(users)
}
