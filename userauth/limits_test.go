package userauth_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// How many wrong passwords are looked at before any has to wait, as the limit package has it.
const (
	freeAccount = 5
	freeAddress = 30
	freeDevice  = 10
)

// lookedAt guesses n times and gives how many guesses weren't refused unseen.
func lookedAt(t *testing.T, n int, guess func(n int) answer) (seen int) {
	t.Helper()
	for i := range n {
		switch got := guess(i); got.Status {
		case http.StatusUnauthorized, http.StatusForbidden:
			seen++
		case http.StatusTooManyRequests:
			seconds, err := strconv.Atoi(got.Header.Get("Retry-After"))
			if err != nil || seconds < 1 || seconds > 900 || got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("B-15: got Retry-After %q and Cache-Control %q", got.Header.Get("Retry-After"), got.Header.Get("Cache-Control"))
			}
		default:
			t.Fatalf("got %d %s, want 401 or 429", got.Status, got.text())
		}
	}
	return seen
}

func TestGuesses(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*site, *siteClock) {
		clock := newSiteClock()
		s := newSite(t, clocked(clock))
		s.add("alice", nil)
		s.add("bob", nil)
		return s, clock
	}
	t.Run("B-01 B-03 B-08 at one account, from everywhere, however it is spelled", func(t *testing.T) {
		t.Parallel()
		s, clock := start(t)
		spellings := []string{"alice", "Alice", "ALICE", "aLiCe"}
		if got := lookedAt(t, 100, func(n int) answer {
			return s.browser().login(spellings[n%4], fmt.Sprint("guess ", n), elsewhere())
		}); got != freeAccount {
			t.Errorf("%d guesses were looked at, want %d", got, freeAccount)
		}
		// B-06: the right one is answered like a wrong one.
		right, wrong := s.browser().login("alice", sitePassword, elsewhere()), s.browser().login("alice", "x", elsewhere())
		refused(t, "the right one", right, http.StatusTooManyRequests)
		if right.Body != wrong.Body || fmt.Sprint(right.Header) != fmt.Sprint(wrong.Header) || s.count("sessions") != 0 {
			t.Errorf("got %v %s, want %v %s", right.Header, right.Body, wrong.Header, wrong.Body)
		}
		if got := s.browser().login("bob", sitePassword, elsewhere()); got.Status != http.StatusOK {
			t.Errorf("another account: got %d", got.Status)
		}
		if events := s.eventsOf(auth.EventLimited); len(events) == 0 || events[0].Status != http.StatusTooManyRequests {
			t.Errorf("G-05: got %v", events)
		}
		clock.advance(16 * time.Minute)
		if got := s.browser().login("alice", sitePassword, elsewhere()); got.Status != http.StatusOK {
			t.Errorf("after the wait: got %d", got.Status)
		}
	})
	t.Run("B-04 at many accounts from one address, B-11 or from its /64", func(t *testing.T) {
		t.Parallel()
		for name, address := range map[string]func(int) string{
			"IPv4":        func(int) string { return "203.0.113.9:1" },
			"mapped IPv4": func(n int) string { return []string{"203.0.113.9:1", "[::ffff:203.0.113.9]:1"}[n%2] },
			"IPv6":        func(n int) string { return fmt.Sprintf("[2001:db8::%x]:1", n+1) },
		} {
			s, _ := start(t)
			if got := lookedAt(t, 100, func(n int) answer {
				return s.browser().login(fmt.Sprint("user", n), "guess", from(address(n)))
			}); got != freeAddress {
				t.Errorf("%s: %d guesses were looked at, want %d", name, got, freeAddress)
			}
			refused(t, name, s.browser().login("alice", sitePassword, from(address(0))), http.StatusTooManyRequests)
			if got := s.browser().login("alice", sitePassword, elsewhere()); got.Status != http.StatusOK {
				t.Errorf("%s: from another address: got %d", name, got.Status)
			}
		}
	})
	t.Run("B-09 names that nobody has are limited like those that somebody has", func(t *testing.T) {
		t.Parallel()
		pattern := func(name string) (statuses []int) {
			s, clock := start(t)
			for range 20 {
				got := s.browser().login(name, "wrong", elsewhere())
				seconds, _ := strconv.Atoi(got.Header.Get("Retry-After"))
				statuses = append(statuses, got.Status, seconds)
				clock.advance(700 * time.Millisecond)
			}
			return statuses
		}
		known := pattern("alice")
		for _, name := range []string{"nobody", "a/b", ""} {
			if got := pattern(name); !slices.Equal(got, known) {
				t.Errorf("%q: got %v, want %v", name, got, known)
			}
		}
	})
	t.Run("B-02 strangers don't lock out who has been here before", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		b, bob := s.in("alice"), s.in("bob")
		b.post("/auth/logout", nil)
		_, stolen := b.device()
		lookedAt(t, 20, func(int) answer { return s.browser().login("alice", "guess", elsewhere()) })
		refused(t, "another device", bob.copy().login("alice", sitePassword, elsewhere()), http.StatusTooManyRequests)
		forged := s.browser()
		last := "A"
		if strings.HasSuffix(stolen, last) {
			last = "B"
		}
		forged.cookies["ostiary-user-device-8888"] = stolen[:63] + last
		refused(t, "a forged device", forged.login("alice", sitePassword, elsewhere()), http.StatusTooManyRequests)
		if got := b.copy().login("alice", sitePassword); got.Status != http.StatusOK {
			t.Errorf("her browser: got %d", got.Status)
		}
		// B-13: it is known after a restart too, when the counters are not.
		again := siteOver(t, s.db)
		lookedAt(t, 20, func(int) answer { return again.browser().login("alice", "guess", elsewhere()) })
		if got := b.copy().at(again).login("alice", sitePassword); got.Status != http.StatusOK {
			t.Errorf("her browser after a restart: got %d", got.Status)
		}
		if got := lookedAt(t, 50, func(int) answer { return b.copy().login("alice", "guess", elsewhere()) }); got != freeDevice {
			t.Errorf("%d guesses from a stolen device were looked at, want %d", got, freeDevice)
		}
	})
	t.Run("B-07 an attacker's own logins wipe out nothing", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		attacker := s.browser()
		if got := lookedAt(t, 50, func(n int) answer {
			attacker.login("bob", sitePassword)
			return s.browser().login("alice", "guess")
		}); got != freeAccount {
			t.Errorf("%d guesses at alice were looked at, want %d", got, freeAccount)
		}
		if got := lookedAt(t, 50, func(n int) answer {
			attacker.login("bob", sitePassword)
			return s.browser().login(fmt.Sprint("user", n), "guess")
		}); got != freeAddress-freeAccount {
			t.Errorf("%d guesses from the address were looked at, want %d", got, freeAddress-freeAccount)
		}
	})
	t.Run("B-10 whom a header says a request comes from", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, clocked(clock), func(c *userauth.Config) { c.Auth.TrustedProxies = []string{"10.0.0.1"} })
		guess := func(n int, options ...option) answer {
			return s.browser().login(fmt.Sprint("user", n), "guess", options...)
		}
		if got := lookedAt(t, 60, func(n int) answer {
			return guess(n, from("203.0.113.9:1"), with("X-Forwarded-For", fmt.Sprint("198.51.100.", n)), with("X-Real-Ip", fmt.Sprint("198.51.100.", n)), with("Forwarded", fmt.Sprint("for=198.51.100.", n)))
		}); got != freeAddress {
			t.Errorf("not a proxy: %d guesses were looked at, want %d", got, freeAddress)
		}
		if got := lookedAt(t, 60, func(n int) answer {
			return guess(100+n, from("10.0.0.1:1"), with("X-Forwarded-For", fmt.Sprintf("198.51.100.%d, 203.0.113.77", n)))
		}); got != freeAddress {
			t.Errorf("a proxy: %d guesses of one client were looked at, want %d", got, freeAddress)
		}
	})
	t.Run("B-12 many guesses at once are no more than many in a row", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		var seen atomic.Int64
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				if s.browser().login("alice", "guess", elsewhere()).Status == http.StatusUnauthorized {
					seen.Add(1)
				}
			})
		}
		all.Wait()
		if got := seen.Load(); got != freeAccount {
			t.Errorf("%d guesses were looked at, want %d", got, freeAccount)
		}
	})
	t.Run("B-13 the counters are the process's", func(t *testing.T) {
		t.Parallel()
		s, clock := start(t)
		lookedAt(t, 20, func(int) answer { return s.browser().login("alice", "guess", elsewhere()) })
		if got := siteOver(t, s.db, clocked(clock)).browser().login("alice", sitePassword, elsewhere()); got.Status != http.StatusOK {
			t.Errorf("got %d", got.Status)
		}
	})
	t.Run("B-14 P-10 where the current password is asked for", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		b := s.in("alice") // whose session somebody has stolen, without her device
		delete(b.cookies, "ostiary-user-device-8888")
		if got := lookedAt(t, 50, func(n int) answer { return b.setPassword(fmt.Sprint("guess ", n), nextPassword, elsewhere()) }); got != freeAccount {
			t.Errorf("%d guesses were looked at, want %d", got, freeAccount)
		}
		refused(t, "the right one", b.setPassword(sitePassword, nextPassword, elsewhere()), http.StatusTooManyRequests)
		refused(t, "a login: it is one limit", s.browser().login("alice", sitePassword, elsewhere()), http.StatusTooManyRequests)
		admitted(t, "the session", b.get("/"))
	})
}
