package bench_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// asked is what was sent to the database for requests: everything but the feed's polling and, once for each connection,
// preparing.
func asked(faults *storetest.Faults) (statements []string) {
	for _, call := range faults.Calls() {
		if !strings.Contains(call, "auth_feed") && !strings.HasPrefix(call, "prepare ") && call != "connect" {
			statements = append(statements, call)
		}
	}
	return statements
}

func TestStoredSessionIsOneRoundTrip(t *testing.T) {
	for _, on := range storetest.Engines {
		t.Run(string(on), func(t *testing.T) { storedSessionIsOneRoundTrip(t, on) })
	}
}

func storedSessionIsOneRoundTrip(t *testing.T, on storetest.Engine) {
	db, faults := on.New(t).Open(t)
	d := newDoor(t, inUse(t, db, 2), userauth.Config{CacheSessions: 1})
	h := routed(show, d.CurrentUser(required))
	one := serve(h, get(t, path, "Cookie", d.cookie()), http.StatusNoContent)
	other := serve(h, get(t, path, "Cookie", d.cookie()), http.StatusNoContent)
	one() // the user is known from here on
	const pairs = 200
	faults.Heal()
	for range pairs {
		other()
		one()
	}
	statements := asked(faults)
	if got := len(statements); got != 2*pairs {
		t.Errorf("got %d statements for %d requests, want one each", got, 2*pairs)
	}
	for _, s := range statements {
		if !strings.HasPrefix(s, "SELECT ") || !strings.HasSuffix(s, db.Rebind(" FROM auth_sessions WHERE token_hash = ?")) {
			t.Errorf("got %q, want the look-up of a session", s)
		}
	}
	prepared := 0
	for _, call := range faults.Calls() {
		if strings.HasPrefix(call, "prepare ") && !strings.Contains(call, "auth_feed") {
			prepared++
		}
	}
	if prepared > 8 {
		t.Errorf("prepared %d times, want at most once for each of 8 connections", prepared)
	}
}

// Reading never writes, but for the last use: once a minute, and not while the request waits. It is stored every second
// and at the end, so servers that end soon are what shows how often.
func TestRequestsDontWrite(t *testing.T) {
	for _, c := range []struct {
		name              string
		servers, requests int           // one after another; of each
		step              time.Duration // between two requests
		most              int           // last uses stored
	}{
		{"10,000 requests at once", 1, 10_000, 0, 1},
		{"a request every 5 seconds, of one server after another", 120, 2, 5 * time.Second, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			var now atomic.Int64
			now.Store(time.Now().Add(time.Hour).UnixNano()) // the session was last used an hour ago
			clock := func() time.Time { return time.Unix(0, now.Load()) }
			db, faults := storetest.SQLite.New(t).Open(t)
			addSessions(t, db, addUsers(t, db, 1, ""), 0, 1, time.Now(), time.Now().Add(24*time.Hour))
			touched, reads := 0, 0
			for range c.servers {
				d := newDoor(t, db, userauth.Config{Auth: auth.Config{Now: clock}})
				op := serve(routed(show, d.CurrentUser(required)), get(t, path, "Cookie", d.cookie()), http.StatusNoContent)
				faults.Heal()
				for range c.requests {
					op()
					now.Add(int64(c.step))
				}
				if err := d.Close(); err != nil { // stores what is left to be stored
					t.Fatal(err)
				}
				for _, s := range asked(faults) {
					switch {
					case strings.HasPrefix(s, "UPDATE auth_sessions SET seen_at"):
						touched++
					case strings.HasPrefix(s, "SELECT"):
						reads++
					case !strings.Contains(s, "auth_counters WHERE name = ''") && s != "begin" && s != "commit":
						t.Errorf("got %q, want nothing written but last uses", s)
					}
				}
			}
			if touched < 1 || touched > c.most {
				t.Errorf("got %d last uses stored, want 1 to %d", touched, c.most)
			}
			if reads > 2*c.servers { // the session, and its user
				t.Errorf("got %d reads, want the first request's only", reads)
			}
		})
	}
}

// What can't be a token isn't looked up.
func TestMalformedCookieIsNotLookedUp(t *testing.T) {
	db, faults := storetest.SQLite.New(t).Open(t)
	d := newDoor(t, db, userauth.Config{})
	h := routed(show, d.CurrentUser(required))
	faults.Heal()
	for _, value := range []string{"", "x", sessionToken(1)[1:], sessionToken(1) + "A", strings.Repeat("A", 42) + "+", strings.Repeat("ä", 21) + "a"} {
		serve(h, get(t, path, "Cookie", cookieOf(value)), http.StatusUnauthorized)()
	}
	if got := asked(faults); len(got) != 0 {
		t.Errorf("got %q, want nothing asked", got)
	}
	serve(h, get(t, path, "Cookie", cookieOf(sessionToken(1))), http.StatusUnauthorized)()
	if got := len(asked(faults)); got != 1 {
		t.Errorf("got %d statements for what may be a token, want 1", got)
	}
}
