package userauth_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// V-03, V-04: no request that begins after the end was told succeeds, though a thousand are under way.
func TestNobodyIsAdmittedAfterTheEnd(t *testing.T) { onEngines(t, testNobodyIsAdmittedAfterTheEnd) }

func testNobodyIsAdmittedAfterTheEnd(t *testing.T) {
	yes := true
	for name, end := range map[string]func(*site, *browser) bool{
		"logout": func(_ *site, b *browser) bool {
			return b.json("POST", "/auth/logout", "").Status == http.StatusNoContent
		},
		"disabled": func(s *site, _ *browser) bool { s.change("alice", userauth.AccountChange{Disabled: &yes}); return true },
		"password": func(_ *site, b *browser) bool {
			return b.setPassword(sitePassword, nextPassword).Status == http.StatusNoContent
		},
		"ended by another": func(s *site, _ *browser) bool {
			return s.in("alice").delete("/auth/sessions").Status == http.StatusNoContent
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.add("alice", nil)
			b := s.in("alice")
			reader := b.copy()
			var ended atomic.Bool
			var late, before atomic.Int64
			var readers, stop = sync.WaitGroup{}, make(chan struct{})
			for range 8 {
				readers.Go(func() {
					own := reader.copy()
					for {
						select {
						case <-stop:
							return
						default:
						}
						after := ended.Load()
						if got := own.copy().get("/"); got.reached() && after {
							late.Add(1)
						} else if got.reached() {
							before.Add(1)
						}
					}
				})
			}
			eventually(t, "they read", func() bool { return before.Load() > 50 })
			if !end(s, b) {
				t.Error("it was not ended")
			}
			ended.Store(true)
			for range 200 {
				refused(t, "afterwards", reader.copy().get("/"), http.StatusUnauthorized)
			}
			close(stop)
			readers.Wait()
			if late.Load() != 0 {
				t.Errorf("%d requests that began later were admitted", late.Load())
			}
		})
	}
}

// V-01, V-06: everything at once. A session that nobody ends is never refused, and no request changes its cookie.
func TestEverythingAtOnce(t *testing.T) { onEngines(t, testEverythingAtOnce) }

func testEverythingAtOnce(t *testing.T) {
	users, rounds := 4, 10
	if raceEnabled { // under which SQLite takes twenty times as long, and a write that waits for five seconds is given up
		users, rounds = 2, 5
	}
	s := newSite(t)
	s.role("writer", siteWrites)
	var all sync.WaitGroup
	var stay []*browser
	var cookies []string
	for n := range users {
		name := fmt.Sprint("user", n)
		s.add(name, siteReads)
		stays := s.in(name)
		_, cookie := stays.session()
		stay, cookies = append(stay, stays), append(cookies, cookie)
	}
	for n, stays := range stay {
		name := fmt.Sprint("user", n)
		for range 4 {
			all.Go(func() {
				for range 4 * rounds {
					if got := stays.get("/"); got.Status != http.StatusOK || len(got.Cookies) != 0 {
						t.Errorf("%s: got %d and cookies %v", name, got.Status, got.Cookies)
					}
				}
			})
		}
		all.Go(func() {
			// While a change is looked up, a request that was admitted before it is told to come again.
			patient := &site{t: t, Handler: s.Handler, host: s.host}
			patient.faulty.Store(true)
			for i := range rounds {
				got := stays.at(patient).json(http.MethodPatch, "/auth/me", fmt.Sprintf(`{"name":"%d"}`, i))
				if got.Status != http.StatusOK && (got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "") {
					t.Errorf("%s: got %d %v", name, got.Status, got.Header)
				}
				stays.sessions()
			}
		})
		all.Go(func() {
			for range rounds {
				comes := s.in(name)
				admitted(t, name, comes.get("/"))
				comes.post("/auth/logout", nil)
				refused(t, name, comes.get("/"), http.StatusUnauthorized)
			}
		})
		all.Go(func() {
			for range rounds {
				s.change(name, userauth.AccountChange{AddRoles: []string{"writer"}})
				s.change(name, userauth.AccountChange{RemoveRoles: []string{"writer"}, Grant: auth.Permissions{"x": {"y"}}})
			}
		})
	}
	all.Wait()
	for n, stays := range stay {
		if _, now := stays.session(); now != cookies[n] {
			t.Errorf("user%d has another cookie", n)
		}
	}
	if n := s.count("sessions"); n != users {
		t.Errorf("got %d sessions, want the %d that stay", n, users)
	}
}

// V-09: of the logins while the server closes each is whole, with a session that outlives the restart, or refused.
func TestLoginsWhileClosing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("alice", nil)
	s.faulty.Store(true)
	var all sync.WaitGroup
	var mu sync.Mutex
	var in []*browser
	for range 20 {
		all.Go(func() {
			b := s.browser()
			switch got := b.login("alice", sitePassword, elsewhere()); got.Status {
			case http.StatusOK:
				mu.Lock()
				in = append(in, b)
				mu.Unlock()
			case http.StatusServiceUnavailable, http.StatusTooManyRequests: // of many at once some wait
			default:
				t.Errorf("got %d %s", got.Status, got.Body)
			}
		})
	}
	eventually(t, "somebody is in", func() bool { mu.Lock(); defer mu.Unlock(); return len(in) > 0 })
	closed := make(chan error, 1)
	go func() { closed <- s.users.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("Close doesn't return")
	}
	all.Wait()
	again := siteOver(t, s.db)
	for _, b := range in {
		admitted(t, "after the restart", b.at(again).get("/"))
	}
	refused(t, "a login at what is closed", s.browser().login("alice", sitePassword, elsewhere()), http.StatusServiceUnavailable)
}
