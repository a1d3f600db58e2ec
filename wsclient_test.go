package auth_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Opcodes (RFC 6455 section 5.2).
const (
	wsText   = 1
	wsBinary = 2
	wsClose  = 8
	wsPing   = 9
)

// wsConn is a client that says exactly what a test wants.
type wsConn struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

func wsConnect(t testing.TB, addr string, config *tls.Config) *wsConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		c = tls.Client(c, config)
	}
	return newWSConn(t, c)
}

func newWSConn(t testing.TB, c net.Conn) *wsConn {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
	// A test that would hang fails instead. In a bubble six weeks are over at once.
	limit := 1000 * time.Hour
	if c.RemoteAddr().Network() == "tcp" {
		limit = 30 * time.Second
	}
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return &wsConn{Conn: c, t: t, br: bufio.NewReader(c)}
}

// wsHandshake is a good handshake with more header lines; a Host among them replaces the usual one.
func wsHandshake(target string, header ...string) string {
	host := "Host: 127.0.0.1"
	var more strings.Builder
	for _, line := range header {
		if strings.HasPrefix(line, "Host: ") {
			host = line
			continue
		}
		if line == "Test-User: " {
			continue
		}
		more.WriteString(line + "\r\n")
	}
	return "GET " + target + " HTTP/1.1\r\n" + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + more.String() + "\r\n"
}

func (c *wsConn) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *wsConn) response() *http.Response {
	c.t.Helper()
	res, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}

func (c *wsConn) wantSwitch() *http.Response {
	c.t.Helper()
	res := c.response()
	if res.StatusCode != http.StatusSwitchingProtocols {
		c.t.Fatalf("got status %d, want 101", res.StatusCode)
	}
	if got := res.Header.Get("Sec-Websocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		c.t.Fatalf("got Sec-WebSocket-Accept %q", got)
	}
	return res
}

func (c *wsConn) wantWelcome() {
	c.t.Helper()
	c.wantSwitch()
	if op, data := c.frame(); op != wsText || string(data) != "welcome" {
		c.t.Fatalf("got frame %d %q, want the welcome", op, data)
	}
}

// frame reads a short frame of the server's.
func (c *wsConn) frame() (op byte, data []byte) {
	c.t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(c.br, head[:]); err != nil {
		c.t.Fatalf("reading a frame: %v", err)
	}
	if head[0]&0xf0 != 0x80 || head[1] > 125 {
		c.t.Fatalf("got frame %#x, want a short one that is final and has no extension", head)
	}
	data = make([]byte, head[1])
	if _, err := io.ReadFull(c.br, data); err != nil {
		c.t.Fatalf("reading a frame: %v", err)
	}
	return head[0] & 0xf, data
}

// answered waits for the answer to a handshake, and behind a 101 for the first frame. It takes nothing of them away.
func (c *wsConn) answered() bool {
	for n := 1; ; n = c.br.Buffered() + 1 {
		if _, err := c.br.Peek(n); err != nil {
			return false
		}
		answer, _ := c.br.Peek(c.br.Buffered()) // all that has come
		head, frame, whole := bytes.Cut(answer, []byte("\r\n\r\n"))
		if whole && (!bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) || len(frame) >= 2 && len(frame) >= 2+int(frame[1])) {
			return true
		}
	}
}

func (c *wsConn) closeFrame() (websocket.StatusCode, string) {
	c.t.Helper()
	op, data := c.frame()
	if op != wsClose || len(data) < 2 {
		c.t.Fatalf("got frame %d %q, want a close frame", op, data)
	}
	return websocket.StatusCode(data[0])<<8 | websocket.StatusCode(data[1]), string(data[2:])
}

// wsFrame is a short frame of a client's; the mask of zeros leaves data as it is.
func wsFrame(op byte, data []byte) []byte {
	return append([]byte{0x80 | op, 0x80 | byte(len(data)), 0, 0, 0, 0}, data...)
}

func (c *wsConn) answerClose(code websocket.StatusCode) {
	c.t.Helper()
	c.send(string(wsFrame(wsClose, []byte{byte(code >> 8), byte(code)})))
}

// wantEnd expects the connection to end without another byte.
func (c *wsConn) wantEnd() {
	c.t.Helper()
	switch b, err := c.br.ReadByte(); {
	case err == nil:
		c.t.Fatalf("got byte %#x, want the end", b)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.t.Fatal("the connection doesn't end")
	}
}

// wantCut expects the connection to end, whatever is still under way on it.
func (c *wsConn) wantCut() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.br); errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Error("the connection doesn't end")
	}
}

// wsH2Frame is a frame of HTTP/2 (RFC 9113 section 4.1).
func wsH2Frame(kind, flags byte, stream uint32, payload string) string {
	n := len(payload)
	return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}) + payload
}

// wsWait receives what must come.
func wsWait[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	select {
	case v := <-c:
		return v
	case <-timeout.C:
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// wsUntil waits for what must become true.
func wsUntil(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		}
	}
}

// wsBuffer is a log that may be written to concurrently.
type wsBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *wsBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *wsBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
