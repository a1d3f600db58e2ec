package bench_test

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// A peer is the other end of a WebSocket without a network: it answers whatever is written with one close frame and
// hangs up.
type peer struct{ r *bytes.Reader }

// closeFrame is what a client sends back: final, opcode 8, masked with zeros, two bytes of code.
func closeFrame(code websocket.StatusCode) []byte {
	return []byte{0x88, 0x82, 0, 0, 0, 0, byte(code >> 8), byte(code)}
}

func (p peer) Read(b []byte) (int, error)       { return p.r.Read(b) }
func (p peer) Write(b []byte) (int, error)      { return len(b), nil }
func (p peer) Close() error                     { return nil }
func (p peer) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (p peer) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (p peer) SetDeadline(time.Time) error      { return nil }
func (p peer) SetReadDeadline(time.Time) error  { return nil }
func (p peer) SetWriteDeadline(time.Time) error { return nil }

// A hijackable writer hands out a peer.
type hijackable struct {
	*writer
	code websocket.StatusCode
}

func (w *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	p := peer{bytes.NewReader(closeFrame(w.code))}
	return p, bufio.NewReadWriter(bufio.NewReader(p), bufio.NewWriter(p)), nil
}

// handshake gives an operation that opens a WebSocket, which is closed with code.
func handshake(tb testing.TB, h http.Handler, code websocket.StatusCode, headers ...string) func() {
	tb.Helper()
	r := get(tb, path, append([]string{
		"Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13",
		"Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Origin", "http://" + host,
	}, headers...)...)
	w := &hijackable{writer: newWriter(), code: code}
	return func() {
		w.reset()
		h.ServeHTTP(w, r)
		if w.status != http.StatusSwitchingProtocols {
			panic("no handshake")
		}
	}
}

// socketRows opens a WebSocket and closes it at once: admitted by the handler, refused with 1008 by the guard.
func socketRows(tb testing.TB) []row {
	var clock leap
	tokens := newTokens(tb, tokenauth.Config{Auth: auth.Config{Now: clock.now}})
	accept := func(accept func(w http.ResponseWriter, r *http.Request, opts *websocket.AcceptOptions) (*websocket.Conn, error), code websocket.StatusCode) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, err := accept(w, r, nil)
			if err != nil {
				panic(err)
			}
			if err := conn.Close(code, ""); err != nil {
				panic(err)
			}
		}
	}
	guard := tokens.WebSocketAuth(auth.Permissions{"contents": {"read", "write"}})
	delete := tokens.WebSocketAuth(auth.Permissions{"contents": {"delete"}})
	const alone = "coder/websocket alone"
	open := func(h http.Handler, code websocket.StatusCode, headers ...string) func() func() {
		return func() func() {
			op := handshake(tb, h, code, headers...)
			return func() {
				clock.jump()
				op()
			}
		}
	}
	refused := routed(func(http.ResponseWriter, *http.Request) { panic("admitted") }, delete)
	return []row{
		{name: alone, make: open(routed(accept(websocket.Accept, websocket.StatusNormalClosure)), websocket.StatusNormalClosure)},
		{
			name: "admitted", make: open(routed(accept(auth.Accept, websocket.StatusNormalClosure), guard), websocket.StatusNormalClosure, "Authorization", "Bearer "+secret),
			against: alone,
		},
		{name: "refused: nobody", make: open(refused, websocket.StatusPolicyViolation), against: alone},
		{name: "refused: unknown token", make: open(refused, websocket.StatusPolicyViolation, "Authorization", "Bearer "+unknownSecret), against: alone},
		{name: "refused: lacks a permission", make: open(refused, websocket.StatusPolicyViolation, "Authorization", "Bearer "+secret), against: alone},
	}
}
