package auth_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
)

// faultSession is a session of a third party: it says when it is told to, and may panic.
type faultSession struct {
	id      *auth.Identity
	ended   atomic.Bool
	panics  atomic.Bool
	watches chan func()
}

func newFaultSession() *faultSession {
	s := &faultSession{watches: make(chan func(), 1)}
	s.id = &auth.Identity{ID: "test:alice", User: auth.User{Username: "alice"}, Explicit: true, Session: s}
	return s
}

func (s *faultSession) Identify(*http.Request) (*auth.Identity, error) { return s.id, nil }

func (s *faultSession) Current() (*auth.Identity, error) {
	if s.panics.Load() {
		panic("a nil map in " + "the store")
	}
	if s.ended.Load() {
		return nil, auth.ErrSessionEnded
	}
	return s.id, nil
}

func (s *faultSession) Watch(changed func()) (stop func()) {
	s.watches <- changed
	return func() {}
}

// readUntilEnd is a room that nobody says anything in.
var readUntilEnd = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if conn, err := auth.Accept(w, r, nil); err == nil {
		_, _, _ = conn.Read(r.Context())
	}
})

// an open socket is checked on a goroutine of its own, where a panic would end the process.
func TestPanicOfASession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFaultSession()
		a := guardNew(t, auth.Config{OutageGrace: -1}, s)
		c := wsServePipes(t, wsOptions{auth: a, any: true, handler: readUntilEnd}).raw(t)
		c.send(wsHandshake("/"))
		c.wantSwitch()
		s.panics.Store(true)
		(<-s.watches)()
		if code, _ := c.closeFrame(); code != websocket.StatusTryAgainLater {
			t.Errorf("got close code %d, want 1013", code)
		}

		p := &guardProbe{}
		h := a.CurrentUser(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.CurrentUser(nil)(p).ServeHTTP(w, r)
		}))
		p.ask(t, h, guardRequest("GET", "/x"), 500)
	})
}

// A session that ends between a socket's guard and an OptionalUser below it ends the socket, not only its user.
func TestOptionalUserBelowAnEndedSocket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFaultSession()
		a := guardNew(t, auth.Config{}, s)
		inner := &atomic.Int64{}
		optional := auth.OptionalUser(a)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.Add(1)
			readUntilEnd(w, r)
		}))
		c := wsServePipes(t, wsOptions{auth: a, any: true, handler: func(w http.ResponseWriter, r *http.Request) {
			s.ended.Store(true) // and nobody is told yet
			optional.ServeHTTP(w, r)
		}}).raw(t)
		c.send(wsHandshake("/"))
		c.wantSwitch()
		if code, _ := c.closeFrame(); code != websocket.StatusPolicyViolation {
			t.Errorf("got close code %d, want 1008", code)
		}
		if inner.Load() != 0 {
			t.Error("the handler ran, for nobody")
		}
	})
}
