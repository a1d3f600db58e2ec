package tokenauth_test

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ostiary/auth/tokenauth"
)

// V-03: no request that begins after the logout has answered is let in.
func TestLogoutAgainstRequests(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := l.loggedIn()
	readers := b.copy()
	var over atomic.Bool
	var before, after atomic.Int32
	var all sync.WaitGroup
	started := make(chan struct{}, 1000)
	for n := range 1000 {
		all.Go(func() {
			options := []labOption{}
			if n%2 == 0 {
				options = append(options, navigating)
			}
			for range 3 {
				ended := over.Load()
				got := readers.copy().get("/", options...)
				if got.reached() && ended {
					t.Error("let in after the logout")
				}
				if got.reached() {
					before.Add(1)
				} else {
					after.Add(1)
				}
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 300 {
		<-started
	}
	b.post("/auth/logout", nil)
	over.Store(true)
	all.Wait()
	labRefused(t, "at last", readers.get("/"), http.StatusUnauthorized)
	t.Logf("%d let in, %d refused", before.Load(), after.Load())
}

// V-01: a hundred goroutines on every route at once; the race detector watches.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, named(tokenauth.Token{Name: "reader", Token: labReader}))
	shared := l.loggedIn()
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			b := l.browser()
			b.from = labAddress()
			switch n % 10 {
			case 0:
				b.logIn(labToken)
				labAdmitted(t, "logged in", b.get("/"))
				b.post("/auth/logout", nil)
			case 1:
				labTraded(t, "link", b.navigate("/?token="+labReader), "/")
			case 2:
				labAdmitted(t, "header", b.get("/", bearing(labToken)))
			case 3:
				labRefused(t, "wrong", b.get("/", bearing("WRONG")), http.StatusUnauthorized)
			case 4:
				shared.copy().patch(fmt.Sprintf(`{"name":"%d"}`, n))
			case 5:
				shared.copy().me()
			case 6:
				b.navigate("/auth/login?next=/x")
			case 7:
				b.patch(fmt.Sprintf(`{"name":"%d"}`, n), bearing(labReader))
			case 8:
				labNoLogin(t, "wrong", b.post("/auth/login", limitsGuess(n)), http.StatusUnauthorized)
			case 9:
				labAdmitted(t, "both", shared.copy().get("/", bearing(labToken)))
			}
		})
	}
	all.Wait()
	labAdmitted(t, "the shared browser", shared.get("/"))
}

// V-02: after 10,000 mixed requests and many sockets no goroutine is left. Not parallel: all are counted.
func TestNothingIsLeftBehind(t *testing.T) {
	l := newLab(t).listen()
	b := l.loggedIn()
	baseline := runtime.NumGoroutine()
	for n := range 10_000 {
		switch n % 5 {
		case 0:
			b.get("/")
		case 1:
			b.get("/", bearing(labToken))
		case 2:
			l.browser().get("/")
		case 3:
			l.browser().navigate("/x?token=" + labToken)
		case 4:
			l.browser().get("/", bearing("WRONG"), from(labAddress()))
		}
	}
	for range 20 {
		conn, _ := b.enter("/api/room/demo")
		conn.CloseNow()
		l.browser().refused("/api/room/demo")
		over, _ := b.enter("/api/room/demo", bearing(labToken))
		over.Close(1000, "")
	}
	for range 40 {
		l.leftRoom()
	}
	b.post("/auth/logout", nil)
	// The server may hold a connection or two.
	labEventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= baseline+2 })
}

// V-09: Close in the midst of logins and requests: each is answered whole, those that begin later with 503.
func TestCloseInTheMidst(t *testing.T) {
	t.Parallel()
	l := newLab(t, cheaply)
	known := l.loggedIn(labPassword)
	var closed atomic.Bool
	var all sync.WaitGroup
	started := make(chan struct{}, 100)
	for n := range 100 {
		all.Go(func() {
			for range 20 {
				over := closed.Load()
				var got labAnswer
				if n%2 == 0 {
					got = l.browser().post("/auth/login", map[string][]string{"password": {labPassword}}, from(labAddress()))
				} else {
					got = known.copy().get("/")
				}
				switch got.Status {
				case http.StatusOK, http.StatusSeeOther:
					if over {
						t.Errorf("got %d after Close", got.Status)
					}
				case http.StatusServiceUnavailable, http.StatusTooManyRequests: // more at once than an account has free
				default:
					t.Errorf("got %d", got.Status)
				}
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	<-started
	l.auth.Close()
	closed.Store(true)
	all.Wait()
	labRefused(t, "at last", known.get("/"), http.StatusServiceUnavailable)
}

// V-12: guests and logouts are kept in bounded memory.
func TestBoundedMemory(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *tokenauth.Config) { c.Guests = 100 })
	tokenauth.LimitRevocations(l.auth, 100)
	for range 500 {
		b := l.browser()
		b.navigate("/?token=" + labToken)
		labAdmitted(t, "a guest", b.get("/"))
		b.post("/auth/logout", nil)
	}
	if got := tokenauth.GuestsKept(l.auth); got > 100 {
		t.Errorf("%d guests are kept, want 100 at most", got)
	}
	if got := tokenauth.RevocationsKept(l.auth); got > 100 {
		t.Errorf("%d revocations are kept, want 100 at most", got)
	}
}
