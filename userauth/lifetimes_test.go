package userauth_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// The limits of these tests.
const (
	testIdle     = time.Hour
	testLifetime = 3 * time.Hour
)

func limited(c *userauth.Config) { c.Idle, c.Lifetime = testIdle, testLifetime }

func TestLifetimes(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*site, *siteClock, *browser) {
		clock := newSiteClock()
		s := newSite(t, clocked(clock), limited)
		s.add("alice", nil)
		return s, clock, s.in("alice")
	}
	t.Run("S-07 S-08 idle for as long as may be, and no longer", func(t *testing.T) {
		t.Parallel()
		_, clock, b := start(t)
		clock.advance(testIdle - time.Second)
		admitted(t, "a second before", b.get("/"))
		clock.advance(testIdle)
		refused(t, "at the end", b.get("/"), http.StatusUnauthorized)
	})
	t.Run("S-07 S-08 use prolongs it, and not past its end", func(t *testing.T) {
		t.Parallel()
		_, clock, b := start(t)
		for range 5 {
			clock.advance(testLifetime / 6)
			admitted(t, "in use", b.get("/"))
		}
		clock.advance(testLifetime/6 - time.Second)
		admitted(t, "a second before", b.get("/"))
		clock.advance(time.Second)
		refused(t, "C-17 at the end, though the browser sends it", b.get("/"), http.StatusUnauthorized)
	})
	t.Run("S-08 the database's rule is the same", func(t *testing.T) {
		t.Parallel()
		for name, change := range map[string]func(*userauth.Config){
			"idle":       limited,
			"its end":    func(c *userauth.Config) { c.Idle, c.Lifetime = testLifetime, testIdle },
			"both alike": func(c *userauth.Config) { c.Idle, c.Lifetime = testIdle, testIdle },
		} {
			clock := newSiteClock()
			s := newSite(t, clocked(clock), change)
			s.add("alice", nil)
			b := s.in("alice")
			for wait, ok := range map[time.Duration]bool{testIdle - time.Second: true, testIdle: false} {
				later := newSiteClock()
				later.advance(wait)
				got := b.at(siteOver(t, s.db, clocked(later), change)).get("/") // which has nothing in memory
				if got.reached() != ok {
					t.Errorf("%s, after %s: got %d", name, wait, got.Status)
				}
			}
		}
	})
	t.Run("a use is stored, for others and for after a restart", func(t *testing.T) {
		t.Parallel()
		s, clock, b := start(t)
		clock.advance(testIdle - time.Minute)
		admitted(t, "used", b.get("/"))
		s.users.Close() // stores it
		clock.advance(2 * time.Minute)
		admitted(t, "after the restart", b.at(siteOver(t, s.db, clocked(clock), limited)).get("/"))
	})
	t.Run("S-10 a clock that is set back makes nothing eternal", func(t *testing.T) {
		t.Parallel()
		s, clock, b := start(t)
		clock.advance(-time.Hour)
		admitted(t, "an hour back", b.get("/"))
		again := b.at(siteOver(t, s.db, clocked(clock), limited))
		admitted(t, "after a restart", again.get("/"))
		clock.advance(testIdle + time.Hour)
		refused(t, "idle", b.get("/"), http.StatusUnauthorized)
		refused(t, "idle, by the database", again.get("/"), http.StatusUnauthorized)
	})
	t.Run("S-09 zones don't matter", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		east := func(c *userauth.Config) {
			c.Auth.Now = func() time.Time { return clock.now().In(time.FixedZone("UTC+14", 14*3600)) }
		}
		s := newSite(t, east, limited)
		s.add("alice", nil)
		b := s.in("alice")
		west := siteOver(t, s.db, limited, func(c *userauth.Config) {
			c.Auth.Now = func() time.Time { return clock.now().In(time.FixedZone("UTC-12", -12*3600)) }
		})
		clock.advance(testIdle - time.Second)
		admitted(t, "east", b.get("/"))
		admitted(t, "west", b.at(west).get("/"))
		if got := b.get("/auth/sessions"); !strings.Contains(got.Body, `"created":"2030-05-06T07:08:09Z"`) || !strings.Contains(got.Body, `"expires":"2030-05-06T10:08:09Z"`) {
			t.Errorf("got %s, want UTC", got.Body)
		}
	})
	t.Run("ZA16 a socket ends with its session", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, clocked(clock), limited).listen()
		s.add("alice", siteWrites)
		b := s.in("alice")
		conn, _ := b.enter()
		clock.advance(testLifetime)
		s.ends("expired", conn, 1008)
		refused(t, "a request", b.get("/"), http.StatusUnauthorized)
	})
	t.Run("an idle session's socket ends too, since it alone is no use", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, clocked(clock), limited).listen()
		s.add("alice", siteWrites)
		conn, _ := s.in("alice").enter()
		clock.advance(testIdle)
		s.ends("idle", conn, 1008)
	})
}

// S-21: however many requests, a session's last use is written once a minute, and never on a request's own time.
func TestTouches(t *testing.T) {
	t.Parallel()
	clock := newSiteClock()
	db, faults := storetest.Open(t, t.TempDir()+"/app.db")
	s := siteOver(t, db, clocked(clock))
	s.add("alice", nil)
	b := s.in("alice")
	admitted(t, "before", b.get("/"))
	faults.Heal()
	clock.advance(time.Minute)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 20 {
				admitted(t, "one of many", b.get("/"))
			}
		})
	}
	all.Wait()
	written := func() (n int) {
		for _, call := range faults.Calls() {
			if strings.HasPrefix(call, "UPDATE auth_sessions") || strings.HasPrefix(call, "prepare UPDATE auth_sessions") {
				n++
			}
		}
		return n
	}
	// In the database, not only on the way there: a write that Close interrupts is made once more.
	eventually(t, "the last use is stored", func() bool {
		var seen int64
		err := db.Get(&seen, "SELECT seen_at FROM auth_sessions")
		return err == nil && seen == clock.now().Unix()
	})
	s.users.Close()
	if n := written(); n != 1 {
		t.Errorf("got %d writes, want one: %q", n, faults.Calls())
	}
	var seen int64
	if err := db.Get(&seen, "SELECT seen_at FROM auth_sessions"); err != nil || seen != clock.now().Unix() {
		t.Errorf("got %d, %v, want %d", seen, err, clock.now().Unix())
	}
	if n := s.count("sessions"); n != 1 {
		t.Error(fmt.Sprint(n, " sessions"))
	}
}
