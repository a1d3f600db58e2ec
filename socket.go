package auth

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	// closeTimeout is how long a peer may take to answer the close frame, and a stuck write to get out of its way.
	closeTimeout = 250 * time.Millisecond
	// settleTime lets a handler that was blocked in Read return with the close code before its context ends. A busy machine
	// may well leave a thread waiting for longer than 10 ms.
	settleTime = 50 * time.Millisecond
)

// A socket is an admitted handshake and, once the handler has accepted it, its connection.
type socket struct {
	lease
	tap      tap
	cancel   context.CancelCauseFunc
	returned chan struct{} // closed when the handler has returned
	ended    chan struct{} // closed when the end is complete

	acceptMu sync.Mutex // held while a handshake is being accepted, so that an end finds the connection or none
	conn     *websocket.Conn
	cause    error // why it ended; nil while it is open
}

func (s *socket) accept(w http.ResponseWriter, r *http.Request, opts *websocket.AcceptOptions) (*websocket.Conn, error) {
	s.acceptMu.Lock()
	defer s.acceptMu.Unlock()
	if !canHijack(w) {
		return websocket.Accept(w, r, opts) // says so
	}
	s.tap.dropped.Store(false) // ended or not, a close frame can be sent
	if s.cause != nil {
		defer s.tap.dropLater().Stop() // nothing else cuts it any more
	}
	s.tap.accepting.Store(true)
	defer s.tap.accepting.Store(false)
	outer := &tap{ResponseWriter: w}
	conn, err := outer.accept(r, opts)
	if err != nil {
		return nil, err
	}
	// The tap that the guard handed out has seen the connection by now, unless w is a wrapper that went around it.
	s.tap.conn.Store(outer.conn.Load())
	if s.cause != nil {
		_ = conn.Close(closeStatus(s.cause))
		return nil, s.cause
	}
	s.conn = conn
	return conn, nil
}

// end closes the connection and only then ends the handler's context: the WebSocket library drops the connection as
// soon as a Read's context ends, and the client would never see the code.
func (s *socket) end(cause error) {
	// The timer comes first: a stuck write holds the lock that writing the close frame needs, so that counts too.
	defer s.tap.dropLater().Stop()
	s.acceptMu.Lock()
	if s.cause != nil {
		s.acceptMu.Unlock()
		<-s.ended
		return
	}
	s.cause = cause
	conn := s.conn
	if conn == nil {
		// Hijacked behind Accept's back, or not yet: no frame to send. In the lock, so that an Accept that comes now still
		// can.
		s.tap.drop()
	}
	s.acceptMu.Unlock()
	if conn != nil {
		_ = conn.Close(closeStatus(cause)) // the peer may be gone: nobody is left to tell
		if !s.tap.dropped.Load() {
			// It has answered, which a handler that was blocked in Read is about to learn.
			select {
			case <-s.returned:
			case <-time.After(settleTime):
			}
		}
	}
	s.cancel(cause)
	close(s.ended)
}

// finish is deferred around the handler: the socket ends with it, also when it panics.
func (s *socket) finish() {
	close(s.returned)
	s.close()
	s.end(context.Canceled)
}

func closeStatus(cause error) (websocket.StatusCode, string) {
	switch {
	case errors.Is(cause, ErrSessionEnded):
		return websocket.StatusPolicyViolation, reasonEnded
	case errors.Is(cause, ErrUnavailable):
		return websocket.StatusTryAgainLater, reasonUnavailable
	case errors.Is(cause, http.ErrServerClosed):
		return websocket.StatusGoingAway, reasonClosed
	}
	return websocket.StatusNormalClosure, ""
}

// A tap keeps hold of the connection that a handler takes over.
type tap struct {
	http.ResponseWriter
	conn      atomic.Pointer[net.Conn]
	accepting atomic.Bool // the handshake is being answered
	dropped   atomic.Bool // perhaps before it was taken over: it is cut as soon as it is
}

// Hijack implements [http.Hijacker].
func (t *tap) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err == nil {
		t.conn.Store(&conn)
		if t.dropped.Load() {
			t.drop()
		}
	}
	return conn, rw, err
}

func (t *tap) accept(r *http.Request, opts *websocket.AcceptOptions) (*websocket.Conn, error) {
	t.accepting.Store(true)
	defer t.accepting.Store(false)
	return websocket.Accept(t, r, opts)
}

// canHijack reports whether the connection of w can be taken over. A tap can only pass it on, so it is asked before one
// says 101: behind that no error could be told any more.
func canHijack(w http.ResponseWriter) bool {
	for {
		switch v := w.(type) {
		case *tap:
			w = v.ResponseWriter
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return false
		}
	}
}

// Unwrap is for [http.ResponseController].
func (t *tap) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// dropLater drops the connection after closeTimeout, unless it is stopped. A silent peer, one that floods and one that
// doesn't read are all held no longer. CloseNow couldn't cut a running Close short, which waits for five seconds: only
// dropping the connection under it does.
func (t *tap) dropLater() *time.Timer { return time.AfterFunc(closeTimeout, t.drop) }

// drop cuts the connection. Below TLS: closing that writes an alert, which a peer that doesn't read can hold up for
// five seconds.
func (t *tap) drop() {
	t.dropped.Store(true)
	conn := t.conn.Load()
	if conn == nil {
		if t.accepting.Load() {
			// The answer is stuck behind earlier ones that the peer hasn't read. No deadline before: over TLS one that passes
			// while this process doesn't get to run would ruin the connection.
			_ = http.NewResponseController(t.ResponseWriter).SetWriteDeadline(time.Now())
		}
		return
	}
	if secure, ok := (*conn).(*tls.Conn); ok {
		_ = secure.NetConn().Close()
		return
	}
	_ = (*conn).Close()
}
