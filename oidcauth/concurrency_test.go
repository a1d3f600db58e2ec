package oidcauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/store/storetest"
)

// O-28: of many first logins of a new user at once, each begins a session, and they are one user's.
func TestFirstLoginsAtOnce(t *testing.T) { storetest.Each(t, testFirstLoginsAtOnce) }

func testFirstLoginsAtOnce(t *testing.T, on storetest.Engine) {
	const n = 20
	s, instances := over(t, on, nil)
	type attempt struct {
		b        *browser
		callback string
	}
	var attempts []attempt
	for range n {
		b := s.browser()
		attempts = append(attempts, attempt{b, b.back(b.leave("/auth/login"))})
	}
	var all sync.WaitGroup
	for i, a := range attempts {
		all.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, a.callback, nil)
			for _, c := range a.b.jar.Cookies(r.URL) {
				r.AddCookie(c)
			}
			w := httptest.NewRecorder()
			if instances[i%3].handler.ServeHTTP(w, r); w.Code != http.StatusSeeOther {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			a.b.jar.SetCookies(r.URL, w.Result().Cookies())
		})
	}
	all.Wait()
	for i, a := range attempts {
		if !a.b.in() {
			t.Errorf("browser %d isn't logged in", i)
		}
	}
	if users, externals, sessions := s.rows("auth_users"), s.rows("auth_externals"), s.rows("auth_sessions"); users != 1 || externals != 1 || sessions != n {
		t.Errorf("got %d users, %d identities, %d sessions; want 1, 1, %d", users, externals, sessions, n)
	}
}

// O-21: a browser that leaves while its code is traded leaves nothing behind: no session, no goroutine. It isn't parallel, so
// that goroutines can be counted.
func TestBrowserThatLeaves(t *testing.T) {
	for _, endpoint := range []string{"token", "userinfo"} {
		t.Run(endpoint, func(t *testing.T) {
			s := newStand(t, nil)
			s.browser().mustLogin()
			entered, release := make(chan struct{}, 1), make(chan struct{})
			leave := func(n int) {
				for range n {
					b := s.browser()
					callback := b.back(b.leave("/auth/login"))
					s.op.Fault(endpoint, heldAt(entered, release))
					ctx, cancel := context.WithCancel(t.Context())
					r := httptest.NewRequestWithContext(ctx, http.MethodGet, callback, nil)
					for _, c := range b.jar.Cookies(r.URL) {
						r.AddCookie(c)
					}
					w, over := httptest.NewRecorder(), make(chan struct{})
					go func() {
						defer close(over)
						s.Routes().ServeHTTP(w, r)
					}()
					<-entered
					cancel()
					<-over
					s.op.Fault(endpoint, nil)
					for _, c := range w.Result().Cookies() {
						if c.MaxAge >= 0 {
							t.Errorf("a cookie was set: %v", c)
						}
					}
					if a := b.open(callback); a.StatusCode != http.StatusBadRequest || b.in() {
						t.Errorf("the callback once more: got %d %s", a.StatusCode, a.body)
					}
				}
			}
			leave(5)
			s.server.CloseClientConnections()
			before := runtime.NumGoroutine()
			leave(20)
			s.server.CloseClientConnections()
			eventually(t, "goroutines have ended", 5*time.Second, func() bool { return runtime.NumGoroutine() <= before+4 })
			if n := s.rows("auth_sessions"); n != 1 {
				t.Errorf("got %d sessions, want the first one", n)
			}
			if n := s.count("unavailable"); n != 0 {
				t.Errorf("%d events say that the provider is down", n)
			}
			close(release)
			s.browser().mustLogin()
		})
	}
}

// V-03: no request that begins after the provider was told that it is done succeeds, though many are under way.
func TestNobodyIsAdmittedAfterTheLogout(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	sid := b.as("alice")
	name, value := b.cookie()
	var ended atomic.Bool
	var before, late atomic.Int64
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				after := ended.Load()
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api", nil)
				r.AddCookie(&http.Cookie{Name: name, Value: value})
				w := httptest.NewRecorder()
				s.server.Config.Handler.ServeHTTP(w, r)
				switch {
				case w.Code == http.StatusOK && after:
					late.Add(1)
				case w.Code == http.StatusOK:
					before.Add(1)
				}
			}
		})
	}
	eventually(t, "they read", 5*time.Second, func() bool { return before.Load() > 50 })
	if d := s.ends("alice", sid); d.Status != http.StatusOK {
		t.Errorf("got %+v", d)
	}
	ended.Store(true)
	if a := b.do("GET", "/api", ""); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("afterwards: got %d", a.StatusCode)
	}
	close(stop)
	readers.Wait()
	if n := late.Load(); n != 0 {
		t.Errorf("%d requests succeeded that began after the end", n)
	}
}
