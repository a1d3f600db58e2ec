package authtest

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
)

func socketRules() []rule {
	return []rule{
		{"socket", "who is known and holds one of the permissions gets the socket, and the handler learns which", testSocket},
		{"socket refused", "everybody else's handshake is accepted and closed at once with code 1008, and the handler doesn't run", testSocketRefused},
		{"socket origin", "a foreign page can't open a socket with a credential that the browser attaches: 403, before the upgrade", testSocketOrigin},
	}
}

// A line is an open socket, seen from both ends.
type line struct {
	conn    *websocket.Conn  // the client's
	checked auth.Permissions // what the handler learned
	ended   chan error       // with what the handler's Read ended
}

// A socketHandler accepts one socket and reads until its end.
type socketHandler struct {
	checked chan auth.Permissions // filled when it runs
	ended   chan error
}

func (h *socketHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.checked <- auth.CheckedPermissions(r.Context())
	conn, err := auth.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	if conn.Write(r.Context(), websocket.MessageText, []byte("open")) != nil {
		return // the client is gone
	}
	_, _, err = conn.Read(r.Context())
	h.ended <- err
}

// guardHold is how long the guard waits for a client that it refuses, or whose session has ended. On a busy machine that
// can be over before the client was told anything.
const guardHold = 250 * time.Millisecond

// dial sends r as a handshake to a handler behind guard. status is the answer's; 101: the handshake was accepted.
func (s *stand) dial(guard func(http.Handler) http.Handler, r *http.Request) (conn *websocket.Conn, h *socketHandler, status int) {
	s.t.Helper()
	conn, h, status, err := s.tryDial(guard, r)
	if status == 0 {
		s.fail("a handshake was not answered: %v", err)
	}
	return conn, h, status
}

// tryDial is dial for who expects that there may be no answer; then status is 0 and err says why.
func (s *stand) tryDial(guard func(http.Handler) http.Handler, r *http.Request) (conn *websocket.Conn, h *socketHandler, status int, err error) {
	h = &socketHandler{make(chan auth.Permissions, 1), make(chan error, 1)}
	s.serve(guard(h))
	conn, resp, err := websocket.Dial(r.Context(), r.URL.String(), &websocket.DialOptions{HTTPClient: s.client, HTTPHeader: r.Header, Host: r.Host})
	if conn != nil {
		s.t.Cleanup(func() { _ = conn.CloseNow() })
	}
	if resp == nil {
		return nil, h, 0, err
	}
	if resp.Body != nil {
		_ = resp.Body.Close() // of a refusal: an accepted handshake has none
	}
	return conn, h, resp.StatusCode, nil
}

// open wants c to get a socket.
func (s *stand) open(guard func(http.Handler) http.Handler, c Credential, edit ...func(*http.Request)) *line {
	s.t.Helper()
	r := s.edited(c, edit)
	conn, h, status := s.dial(guard, r)
	if conn == nil {
		s.fail("a handshake with a good credential: got %d, want 101", status)
	}
	if _, text, err := conn.Read(r.Context()); err != nil || string(text) != "open" {
		s.fail("a handshake with a good credential: the socket ended with %v instead of opening", err)
	}
	return &line{conn, <-h.checked, h.ended}
}

// closesWith wants end to close the socket with code, and the handler's Read to end. That may know the code or not: a
// handler that isn't in Read yet finds the connection closed already.
func (s *stand) closesWith(l *line, code websocket.StatusCode, when string, end func()) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), s.patience)
	defer cancel()
	start := time.Now()
	end()
	_, _, err := l.conn.Read(ctx)
	tooLate := ctx.Err() == nil && time.Since(start) >= guardHold // the guard had to cut it
	if got := websocket.CloseStatus(err); got != code && !(got == -1 && tooLate) {
		s.fail("%s: the client's socket ended with %v (code %d), want code %d", when, err, got, code)
	}
	_ = wait(s, l.ended, when+", the handler's Read ends")
}

// refusesSocket wants the handler not to run for c.
func (s *stand) refusesSocket(guard func(http.Handler) http.Handler, c Credential, what string) {
	s.t.Helper()
	const tries = 10
	for try := 1; ; try++ {
		start := time.Now()
		problem := s.socketRefusal(guard, c, what)
		if problem == "" {
			return
		}
		if try == tries || time.Since(start) < guardHold {
			s.fail("%s: %s", what, problem)
		}
	}
}

// socketRefusal says what is wrong with the refusal of a socket; empty: nothing.
func (s *stand) socketRefusal(guard func(http.Handler) http.Handler, c Credential, what string) string {
	s.t.Helper()
	r := s.edited(c, []func(*http.Request){s.own})
	conn, h, status, err := s.tryDial(guard, r)
	switch {
	case status == 0:
		return fmt.Sprintf("the handshake was not answered: %v", err)
	case conn == nil:
		return fmt.Sprintf("the handshake was answered with %d, want it accepted and closed with 1008", status)
	}
	_, _, err = conn.Read(r.Context())
	if len(h.checked) > 0 {
		s.fail("%s: the handler ran", what)
	}
	if got := websocket.CloseStatus(err); got != websocket.StatusPolicyViolation {
		return fmt.Sprintf("the socket ended with %v (code %d), want code 1008", err, got)
	}
	return ""
}

func testSocket(s *stand) {
	l := s.open(s.guard.WebSocketAuth(nil), s.Good, s.own)
	if l.checked == nil || len(l.checked) > 0 {
		s.fail("WebSocketAuth(nil): the handler learned %v, want an empty map", l.checked)
	}
	if s.Holds == nil {
		return
	}
	l = s.open(s.guard.WebSocketAuth(s.Holds), s.Good, s.own)
	for resource, actions := range s.Holds {
		for _, action := range actions {
			if !l.checked.Has(resource, action) {
				s.fail("the handler learned %v, want all of %v", l.checked, s.Holds)
			}
		}
	}
}

func testSocketRefused(s *stand) {
	guard := s.guard.WebSocketAuth(nil)
	s.open(guard, s.Good, s.own)
	if !s.Open {
		s.refusesSocket(guard, Credential{}, "without a credential")
	}
	for _, c := range s.Wrong {
		s.refusesSocket(guard, c, "a wrong credential")
	}
	for _, c := range s.Stale {
		s.refusesSocket(guard, c, "a stale credential")
	}
	if s.Lacks != nil {
		s.refusesSocket(s.guard.WebSocketAuth(s.Lacks), s.Good, "without any of the permissions")
	}
}

func testSocketOrigin(s *stand) {
	guard := s.guard.WebSocketAuth(nil)
	s.open(guard, s.Good, s.own)
	if s.Good.Explicit {
		s.open(guard, s.Good, foreign)
		return
	}
	conn, h, status := s.dial(guard, s.edited(s.Good, []func(*http.Request){foreign}))
	if conn != nil || status != http.StatusForbidden || len(h.checked) > 0 {
		s.fail("a handshake from a foreign page: got %d, want 403 and the handler not to run", status)
	}
}
