package userauth_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// V-03: 1,000 readers over HTTP, one revocation. No request that begins after it has returned succeeds.
func TestNoReaderIsServedAfterARevocation(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(s *site) error{
		"by an admin": func(s *site) error { _, err := s.users.Accounts().EndSessions(t.Context(), "ann"); return err },
		"by the user": func(s *site) error {
			return processDone(s.in("ann").json("DELETE", "/auth/sessions", ""))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t).listen()
			s.add("ann", siteWrites)
			ann := s.in("ann")
			header := ann.cookieHeader()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
			t.Cleanup(client.CloseIdleConnections)
			readers := 1000
			if raceEnabled && !faultLong {
				readers = 200
			}
			get := func() int {
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+"/api/contents/demo", http.NoBody)
				r.Header.Set("Cookie", header)
				res, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return 0
				}
				res.Body.Close()
				return res.StatusCode
			}
			revoked := make(chan struct{})
			var served, all sync.WaitGroup
			served.Add(readers)
			for i := range readers {
				all.Go(func() {
					if got := get(); got != http.StatusOK {
						t.Errorf("before: got %d, want 200", got)
					}
					served.Done()
					for reads := i < 16; reads; { // a few go on, the others wait: else nobody would find the time to revoke
						select {
						case <-revoked:
							reads = false
						default:
							get()
						}
					}
					<-revoked
					if got := get(); got != http.StatusUnauthorized && got != http.StatusServiceUnavailable {
						t.Errorf("after the revocation had returned: got %d, want 401", got)
					}
				})
			}
			served.Wait()
			if err := revoke(s); err != nil {
				t.Error(err)
			}
			refused(t, "at once", ann.get("/"), http.StatusUnauthorized)
			close(revoked)
			all.Wait()
		})
	}
}

// S-21: 1,000 requests at once on one session write its last use once, and none of them waits or fails for it.
func TestManyRequestsTouchASessionOnce(t *testing.T) {
	t.Parallel()
	clock := newSiteClock()
	s, faults, _ := faultSite(t, clocked(clock)) // which counts the statements
	s.faulty.Store(false)
	s.add("ann", siteWrites)
	ann := s.in("ann")
	clock.advance(2 * time.Minute)
	faults.Heal() // counts from here
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() { admitted(t, "a request", ann.get("/api/contents/demo")) })
	}
	all.Wait()
	// In the database, not only on the way there: a write that Close interrupts is made once more.
	eventually(t, "the last use is stored", func() bool {
		var seen int64
		err := s.db.GetContext(t.Context(), &seen, "SELECT seen_at FROM auth_sessions")
		return err == nil && seen == clock.now().Unix()
	})
	clock.advance(20 * time.Second) // of the same minute
	admitted(t, "a request", ann.get("/api/contents/demo"))
	if err := s.users.Close(); err != nil { // stores what isn't stored yet
		t.Fatal(err)
	}
	if n := capacityTouches(faults); n != 1 {
		t.Errorf("the session was touched %d times, want once", n)
	}
	var seen int64
	if err := s.db.GetContext(t.Context(), &seen, "SELECT seen_at FROM auth_sessions"); err != nil {
		t.Fatal(err)
	}
	if age := clock.now().Unix() - seen; age != 20 {
		t.Errorf("it was last seen %d s ago, want 20", age)
	}
}

func capacityTouches(faults *storetest.Faults) (n int) {
	for _, call := range faults.Calls() {
		if strings.HasPrefix(call, "UPDATE auth_sessions SET seen_at") {
			n++
		}
	}
	return n
}

// S-20: sessions in use at the edge of their idle time, while what has ended is purged. None that is alive is deleted, none
// that has ended comes back.
func TestPurgingWhileSessionsAreTouched(t *testing.T) {
	t.Parallel()
	const idle, slack = 5 * time.Minute, 2 * time.Minute // a last use is stored that much later at most
	clock := newSiteClock()
	s := newSite(t, clocked(clock), func(c *userauth.Config) { c.Idle = idle })
	s.add("ann", siteWrites)
	alive, ended := s.in("ann"), s.in("ann")
	_, token := ended.session()
	hash := sha256.Sum256([]byte(token))
	st, err := store.Open(t.Context(), s.db)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for range 4 {
		clock.advance(idle - time.Second)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { admitted(t, "a session in use", alive.get("/api/contents/demo")) })
			all.Go(func() {
				now := clock.now().Unix()
				_, err := st.Purge(t.Context(), map[string]int64{userauth.SessionRealm: now - int64((idle+slack)/time.Second)}, now, 100)
				if err != nil {
					t.Error(err)
				}
			})
			all.Go(func() { // a late touch of one that has ended meanwhile
				if err := st.Touch(t.Context(), map[[32]byte]int64{hash: 1}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		eventually(t, "the last use is stored", func() bool {
			var seen int64
			return s.db.GetContext(t.Context(), &seen, "SELECT MAX(seen_at) FROM auth_sessions") == nil && seen == clock.now().Unix()
		})
	}
	if got := s.count("sessions"); got != 1 {
		t.Errorf("got %d sessions, want the one in use", got)
	}
	refused(t, "the other", ended.get("/"), http.StatusUnauthorized)
	if err := st.Touch(t.Context(), map[[32]byte]int64{hash: clock.now().Unix()}); err != nil || s.count("sessions") != 1 {
		t.Errorf("a touch brings a session back: %v", err)
	}
}

// V-09: a server that is shut down, or closed, during logins. Every login that was acknowledged is there.
func TestShutdownDuringLogins(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*http.Server) error{
		"Shutdown": func(s *http.Server) error { return s.Shutdown(t.Context()) },
		"Close":    (*http.Server).Close,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faultNoLeaks(t)
			s, other := faultSiteAndOther(t)
			s.faulty.Store(true)
			server := httptest.NewServer(s)
			t.Cleanup(server.Close)
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
			t.Cleanup(client.CloseIdleConnections)
			var mu sync.Mutex
			var tokens []string
			enough := make(chan struct{})
			var all sync.WaitGroup
			for i := range 8 {
				name := fmt.Sprint("u", i)
				s.add(name, siteWrites)
				all.Go(func() {
					for n := 0; n < 90; n++ { // fewer than a user can have
						token, err := capacityLogin(t, client, server.URL, name)
						if err != nil {
							return // the server has gone
						}
						mu.Lock()
						if tokens = append(tokens, token); len(tokens) == 30 {
							close(enough)
						}
						mu.Unlock()
					}
				})
			}
			received1(t, enough)
			if err := stop(server.Config); err != nil {
				t.Error(err)
			}
			if err := s.users.Close(); err != nil {
				t.Error(err)
			}
			all.Wait()
			for _, token := range tokens {
				admitted(t, "an acknowledged login", other.faultHolder(token).get("/"))
			}
			if got := s.count("sessions"); got < len(tokens) {
				t.Errorf("got %d sessions, want at least %d", got, len(tokens))
			}
		})
	}
}

// capacityLogin logs in over the network, from an address of its own.
func capacityLogin(t testing.TB, client *http.Client, url, name string) (token string, err error) {
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, url+"/auth/login",
		strings.NewReader(`{"username":"`+name+`","password":"`+sitePassword+`"}`))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		if !strings.Contains(c.Name, "-device") && res.StatusCode == http.StatusOK {
			return c.Value, nil
		}
	}
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("login: got %d, want 200 or 503", res.StatusCode)
	}
	return "", errors.New("no session")
}
