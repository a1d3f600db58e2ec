package authtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
)

func sessionRules() []rule {
	return []rule{
		{"session current", "Session.Current gives the identity that Identify gave", testCurrent},
		{"session watch", "Watch tells of the session's end; stop may be called twice, and nothing is told after it", testWatch},
		{"session end", "an ended session admits nobody, and ends nobody else's; what a browser still sends of it is ErrNoCredentials", testEnd},
		{"session end closes", "the end of a session reaches what it opened: sockets close with code 1008, streams end with ErrSessionEnded", testEndCloses},
		{"outage", "a backend that can't tell says so: never ErrNoCredentials, which is an answer, nor another refusal", testOutage},
		{"close", "a Plugin that is closed closes its sockets with code 1001 and admits nobody", testClose},
	}
}

// session is that of the good credential.
func (s *stand) session() (*auth.Identity, auth.Session) {
	s.t.Helper()
	id := s.known(s.Good)
	s.need(id.Session != nil, "Session in its identity")
	return id, id.Session
}

func testCurrent(s *stand) {
	id, session := s.session()
	now, err := session.Current()
	if err != nil || now == nil {
		s.fail("Current: got %v and error %v, want the identity", now, err)
	}
	// How this request proved it isn't the session's to know.
	a, b := copyOf(id), copyOf(now)
	a.Explicit, b.Explicit = false, false
	if !sameIdentity(&a, &b) {
		s.fail("Identify gave %s, Current gives %s", describe(&a), describe(&b))
	}
}

func testWatch(s *stand) {
	s.need(s.End != nil, "End")
	_, session := s.session()
	// One that is stopped stands between two that aren't: once both were told, it would have been.
	told := [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
	tell := func(c chan struct{}) func() {
		return func() {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
	var calls atomic.Int32
	stops := []func(){
		session.Watch(tell(told[0])),
		session.Watch(func() { calls.Add(1) }),
		session.Watch(tell(told[1])),
	}
	stops[1]()
	stops[1]()
	stopped := calls.Load()
	s.End()
	for _, c := range told {
		wait(s, c, "Watch tells of the end")
	}
	if _, err := session.Current(); !errors.Is(err, auth.ErrSessionEnded) {
		s.fail("Current after the end: got error %v, want ErrSessionEnded", err)
	}
	if got := calls.Load(); got != stopped {
		s.fail("changed was called after stop")
	}
	for _, stop := range stops {
		stop()
		stop()
	}
}

func testEnd(s *stand) {
	s.need(s.End != nil, "End")
	guard := s.guard.CurrentUser(nil)
	s.admits(guard, s.Good)
	var other *line
	if s.Other.given() {
		other = s.open(s.guard.WebSocketAuth(nil), s.Other, s.own)
	}
	s.End()
	if o := s.identify(s.Good); !o.is(auth.ErrNoCredentials) && !(s.Good.Explicit && o.is(auth.ErrInvalidCredentials)) {
		s.fail("after the end: got %s, want ErrNoCredentials, or ErrInvalidCredentials where it is explicit", o)
	}
	s.refuses(guard, s.Good, http.StatusUnauthorized, "after the end")
	if other == nil {
		return
	}
	s.admits(guard, s.Other)
	select {
	case err := <-other.ended:
		s.fail("the socket of somebody else ended with %v", err)
	default:
	}
	_ = other.conn.Write(s.t.Context(), websocket.MessageText, nil) // lets the handler return
}

func testEndCloses(s *stand) {
	s.need(s.End != nil, "End")
	s.session()
	l := s.open(s.guard.WebSocketAuth(nil), s.Good, s.own)
	cause := s.stream()
	s.closesWith(l, websocket.StatusPolicyViolation, "after the end", s.End)
	if err := wait(s, cause, "a stream ends with the session"); !errors.Is(err, auth.ErrSessionEnded) {
		s.fail("a stream ended with %v, want ErrSessionEnded", err)
	}
}

// stream starts a stream of the good credential's, and gives the cause with which it ends.
func (s *stand) stream() <-chan error {
	s.t.Helper()
	cause := make(chan error, 1)
	s.serve(s.guard.CurrentUser(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		live, cancel := auth.Live(r.Context())
		defer cancel()
		_, _ = io.WriteString(w, "started")
		_ = http.NewResponseController(w).Flush()
		<-live.Done()
		cause <- context.Cause(live)
	})))
	resp, err := s.client.Do(s.request(http.MethodGet, s.Good))
	if err != nil {
		s.fail("a stream didn't start: %v", err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	if _, err := io.ReadFull(resp.Body, make([]byte, len("started"))); err != nil || resp.StatusCode != http.StatusOK {
		s.fail("a stream didn't start: status %d, %v", resp.StatusCode, err)
	}
	return cause
}

func testOutage(s *stand) {
	s.need(s.Break != nil, "Break")
	s.admits(s.guard.CurrentUser(nil), s.Good)
	s.Break()
	o := s.identify(s.Good)
	if o.refused() {
		s.fail("while it can't tell: got %s, want the identity from memory or another error", o)
	}
	a, reached := s.ask(s.guard.CurrentUser(nil), s.request(http.MethodGet, s.Good))
	if o.err != nil && (a.status != http.StatusServiceUnavailable || reached != nil) {
		s.fail("while it can't tell: got %d and the handler %s, want 503 and not", a.status, ran(reached))
	}
}

func testClose(s *stand) {
	p, ok := s.Backend.(auth.Plugin)
	s.need(ok, "Plugin for a backend")
	var l *line
	if s.known(s.Good).Session != nil {
		l = s.open(s.guard.WebSocketAuth(nil), s.Good, s.own)
	}
	end := func() {
		if err := p.Close(); err != nil {
			s.fail("Close: got error %v", err)
		}
	}
	if l != nil {
		s.closesWith(l, websocket.StatusGoingAway, "after Close", end)
	} else {
		end()
	}
	if o := s.identify(s.Good); o.err == nil || o.refused() {
		s.fail("after Close: got %s, want an error that says nothing about the caller", o)
	}
	s.refuses(s.guard.CurrentUser(nil), s.Good, http.StatusServiceUnavailable, "after Close")
}
