package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/ostiary/auth/internal/page"
)

// serveSocket is the guard of a WebSocket route: as for any other, but that a refused handshake is answered in the
// protocol that its client understands.
func (t *route) serveSocket(g *guard, w http.ResponseWriter, r *http.Request, c caller) {
	bad := handshakeError(r)
	handshake := bad == 0
	wrong := c.err != nil && c.status() == http.StatusUnauthorized
	if c.err != nil && !wrong {
		// Faults, outages and ErrForbidden are answered before the upgrade: nothing to open, nothing to retry at once.
		g.refuse(w, r, c)
		return
	}
	// Before the upgrade also for strangers: 1008 for them alone would tell a foreign page who is logged in.
	if err := g.site.Check(r, c.proof, handshake); err != nil {
		g.refuse(w, r, c.with(fmt.Errorf("%w: %w", errOrigin, err)))
		return
	}
	var held []bool
	err := c.err
	if err == nil {
		if held, err = t.rule.decide(r.Context(), g, r, c.id); err != nil {
			err = t.rule.decision(err)
		}
	}
	switch {
	case err == nil && !handshake:
		answerNoHandshake(g, w, r, bad)
	case err == nil && !canHijack(w):
		g.deny(w, r, page.Problem{Status: http.StatusInternalServerError}, errNoHijacker)
		g.report(r, Event{Kind: EventFault, Status: http.StatusInternalServerError, Reason: errNoHijacker.Error()})
	case err == nil:
		if !g.effects(w, r, c) {
			t.open(g, w, r, c, held)
		}
	case handshake && (wrong || errors.Is(err, ErrForbidden)):
		g.refuseSocket(w, r, c.with(err))
	default:
		g.refuse(w, r, c.with(err))
	}
}

// open runs the handler. The socket lives as long as that runs, and no longer than the session.
func (t *route) open(g *guard, w http.ResponseWriter, r *http.Request, c caller, held []bool) {
	b := &box{outer: c.outer, guard: g, member: c.member, id: c.id, rule: &t.rule, held: held}
	if c.outer != nil && c.outer.socket != nil {
		// One connection is one socket, whose one end tells the client why.
		b.Context = r.Context()
		b.req = *r.WithContext(b)
		if t.join(g, w, r, c, b) {
			t.next.ServeHTTP(w, &b.req)
		}
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	b.Context = ctx
	b.req = *r.WithContext(b)
	s := &socket{cancel: cancel, returned: make(chan struct{}), ended: make(chan struct{})}
	s.lease = lease{box: b, ctx: ctx, ends: func(cause error) {
		s.end(cause)
		g.reportEnded(b, cause)
	}}
	s.tap.ResponseWriter = w
	b.socket = s
	if err := s.start(); err != nil {
		s.close()
		cancel(err)
		t.refuseOpen(g, w, r, c, err)
		return
	}
	defer s.finish()
	t.next.ServeHTTP(&s.tap, &b.req)
}

// join makes the socket of an outer guard end with what this one decided, too. It reports whether the handler may run.
func (t *route) join(g *guard, w http.ResponseWriter, r *http.Request, c caller, b *box) bool {
	b.socket = c.outer.socket
	err := b.socket.extend(b)
	if err != nil {
		t.refuseOpen(g, w, r, c, err)
	}
	return err == nil
}

// refuseOpen refuses a caller whose session ended after it was decided upon.
func (t *route) refuseOpen(g *guard, w http.ResponseWriter, r *http.Request, c caller, err error) {
	if errors.Is(err, ErrSessionEnded) {
		g.refuseSocket(w, r, caller{err: ErrNoCredentials, outer: c.outer, socket: true})
		return
	}
	g.refuse(w, r, c.with(err))
}

// Accept accepts the WebSocket handshake of a request that WebSocketAuth let through, as [websocket.Accept] does, and
// ties the connection to the session: when that ends, the close frame is written (code 1008; 1013 when sessions can't be
// checked any more, 1001 when the library closes), then the connection drops, then the request's context ends with
// the cause. When the handler returns the connection is closed with 1000.
//
// On an error Accept has answered: 500 and [ErrNoGuard] outside WebSocketAuth, code 1008 and [ErrSessionEnded] when the
// session ended before. opts may be nil; its OriginPatterns and InsecureSkipVerify have no effect, since the guard has
// decided already, with the one list that holds for requests and handshakes alike.
func Accept(w http.ResponseWriter, r *http.Request, opts *websocket.AcceptOptions) (*websocket.Conn, error) {
	b := boxFrom(r.Context())
	if b == nil || b.socket == nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		err := fmt.Errorf("%w: Accept needs WebSocketAuth around the handler", ErrNoGuard)
		if b != nil {
			b.guard.report(r, Event{Kind: EventFault, Status: http.StatusInternalServerError, Reason: err.Error()})
		}
		return nil, err
	}
	o := websocket.AcceptOptions{}
	if opts != nil {
		o = *opts
	}
	o.OriginPatterns, o.InsecureSkipVerify = nil, true
	return b.socket.accept(w, r, &o)
}

// The reasons of close frames. They are constants of at most 123 bytes (RFC 6455 section 5.5; more sends no frame), so
// that no error's text leaves with them.
const (
	reasonUnknown     = "authentication required"
	reasonForbidden   = "permission denied"
	reasonEnded       = "session ended"
	reasonUnavailable = "session can't be checked"
	reasonClosed      = "server closes"
)

// refuseSocket accepts the handshake and closes it at once. At most MaxRefusals are under way: past it a flood of
// strangers gets the plain answer, which holds nothing.
func (g *guard) refuseSocket(w http.ResponseWriter, r *http.Request, c caller) {
	if !canHijack(w) || !g.takePlace() {
		g.refuse(w, r, c)
		return
	}
	defer g.refusals.Add(-1)
	// No subprotocol is chosen and no compression offered: nothing of the refused client's is read but its close frame.
	opts := &websocket.AcceptOptions{InsecureSkipVerify: true}
	t := &tap{ResponseWriter: w}
	accept := t.accept
	if outer := c.outer; outer != nil && outer.socket != nil {
		// The socket of a guard further out may end at the same time, and must not cut this answer off.
		t, accept = &outer.socket.tap, func(r *http.Request, opts *websocket.AcceptOptions) (*websocket.Conn, error) {
			return outer.socket.accept(w, r, opts)
		}
	}
	defer t.dropLater().Stop()
	conn, err := accept(r, opts)
	if err != nil {
		return // Accept has answered
	}
	reason := reasonUnknown
	if c.id != nil {
		reason = reasonForbidden
	}
	_ = conn.Close(websocket.StatusPolicyViolation, reason) // the peer may be gone: nobody is left to tell
	g.reportRefusal(r, c, c.status())
}

// takePlace takes one of the MaxRefusals. Who doesn't get one leaves none taken: the plain answer may be slow to write.
func (g *guard) takePlace() bool {
	if g.refusals.Add(1) <= int64(max(0, g.cfg.MaxRefusals)) {
		return true
	}
	g.refusals.Add(-1)
	return false
}

// answerNoHandshake tells an admitted caller that this route only speaks WebSocket.
func answerNoHandshake(g *guard, w http.ResponseWriter, r *http.Request, status int) {
	switch status {
	case http.StatusUpgradeRequired:
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodGet)
	case http.StatusBadRequest:
		w.Header().Set("Sec-WebSocket-Version", "13")
	}
	g.deny(w, r, page.Problem{Status: status}, errNoHandshake)
}

var errNoHandshake = errors.New("auth: no WebSocket handshake")

// errNoHijacker is a mistake in the wiring: middleware around the guard wraps the ResponseWriter and lacks Unwrap.
var errNoHijacker = errors.New("auth: the ResponseWriter of a WebSocket route is no http.Hijacker: middleware that wraps it must have Unwrap")

// handshakeError is 0 for a handshake that can be accepted (RFC 6455 section 4.2.1), else the status to answer.
func handshakeError(r *http.Request) int {
	switch {
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1, !hasToken(r.Header, "Connection", "upgrade"), !hasToken(r.Header, "Upgrade", "websocket"):
		return http.StatusUpgradeRequired
	case r.Header.Get("Sec-Websocket-Version") != "13", !validKey(r.Header["Sec-Websocket-Key"]):
		return http.StatusBadRequest
	}
	return 0
}

func hasToken(h http.Header, name, token string) bool {
	for _, line := range h[name] {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

func validKey(keys []string) bool {
	if len(keys) != 1 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0]))
	return err == nil && len(key) == 16
}
