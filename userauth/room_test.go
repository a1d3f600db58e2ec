package userauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
)

// A room is where the note is edited together, over WebSockets.
type room struct {
	entered *atomic.Int64 // how often the handler ran
	left    chan roomLeft // one for each handler that returned
	members *roomMembers
}

// roomLeft is how a handler, blocked in Read, saw its end: the code in Read's error, and the context at that moment.
type roomLeft struct {
	code  websocket.StatusCode
	cause error // of the context, nil while it isn't done
}

type roomMembers struct {
	mu    sync.Mutex
	conns map[*websocket.Conn]bool // whether it may read
}

func newRoom() room {
	return room{new(atomic.Int64), make(chan roomLeft, 100), &roomMembers{conns: map[*websocket.Conn]bool{}}}
}

type roomMessage struct {
	Type        string              `json:"type"`
	User        *auth.JupyterUser   `json:"user,omitempty"`
	Permissions map[string][]string `json:"permissions,omitempty"`
	Text        string              `json:"text"`
}

// enterRoom welcomes who enters, and then takes edits until the socket ends.
func (s *site) enterRoom(w http.ResponseWriter, r *http.Request) {
	s.entered.Add(1)
	conn, err := auth.Accept(w, r, nil)
	if err != nil {
		return
	}
	user, _ := auth.UserFrom(r.Context())
	who, held, name := user.Jupyter(), auth.CheckedPermissions(r.Context()), r.PathValue("name")
	s.members.add(conn, held.Has("contents", "read"))
	defer s.members.remove(conn)
	welcome, _ := json.Marshal(roomMessage{"welcome", &who, held, s.note(name)})
	if conn.Write(r.Context(), websocket.MessageText, welcome) != nil {
		return
	}
	for {
		_, data, err := conn.Read(r.Context())
		if err != nil {
			s.left <- roomLeft{websocket.CloseStatus(err), context.Cause(r.Context())}
			return
		}
		var edit roomMessage
		if json.Unmarshal(data, &edit) == nil && edit.Type == "edit" && held.Has("contents", "write") {
			s.setNote(name, edit.Text)
			message, _ := json.Marshal(roomMessage{Type: "edit", User: &who, Text: edit.Text})
			s.members.tell(r.Context(), message)
		}
	}
}

func (m *roomMembers) add(conn *websocket.Conn, reads bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns[conn] = reads
}

func (m *roomMembers) remove(conn *websocket.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, conn)
}

func (m *roomMembers) tell(ctx context.Context, message []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for conn, reads := range m.conns {
		if reads {
			conn.Write(ctx, websocket.MessageText, message)
		}
	}
}

// listen serves the site on loopback, for sockets. Browsers made before don't know its address.
func (s *site) listen() *site {
	s.server = httptest.NewServer(s)
	s.t.Cleanup(func() {
		s.server.CloseClientConnections()
		s.server.Close()
	})
	s.host = s.server.Listener.Addr().String()
	return s
}

// dial opens a WebSocket with the browser's cookies and its page's own Origin. status is that of a refused upgrade.
func (b *browser) dial(target string, options ...option) (conn *websocket.Conn, status int) {
	b.site.t.Helper()
	r := &http.Request{Header: http.Header{"Origin": {"http://" + b.host}}}
	if c := b.cookieHeader(); c != "" {
		r.Header.Set("Cookie", c)
	}
	for _, f := range options {
		f(r)
	}
	ctx, cancel := context.WithTimeout(b.site.t.Context(), patience)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, b.site.server.URL+target, &websocket.DialOptions{HTTPHeader: r.Header})
	if err != nil {
		if res == nil {
			b.site.t.Fatal(err)
		}
		return nil, res.StatusCode
	}
	b.site.t.Cleanup(func() { conn.CloseNow() })
	return conn, http.StatusSwitchingProtocols
}

// enter opens the room and waits for the welcome.
func (b *browser) enter(options ...option) (*websocket.Conn, roomMessage) {
	b.site.t.Helper()
	conn, status := b.dial("/api/room/demo", options...)
	if conn == nil {
		b.site.t.Fatalf("handshake: got %d, want 101", status)
	}
	return conn, received(b.site.t, conn)
}

// received waits for the next message.
func received(t testing.TB, conn *websocket.Conn) (m roomMessage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, data, err := conn.Read(ctx)
	if err != nil {
		t.Fatalf("no message: %v", err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// closed waits for the server to close conn and gives the code.
func closed(t testing.TB, conn *websocket.Conn) websocket.StatusCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, message, err := conn.Read(ctx)
	if err == nil {
		t.Fatalf("got the message %q, want the end", message)
	}
	return websocket.CloseStatus(err)
}

// stillOpen makes sure that conn isn't closed: it answers a ping. Nothing can be read from conn afterwards.
func stillOpen(t testing.TB, conn *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := conn.Ping(conn.CloseRead(ctx)); err != nil {
		t.Errorf("got %v from a ping, want an open socket", err)
	}
}

// ends checks that conn is closed with code, and that the handler, blocked in Read, saw that before its context ended, unless
// the guard has cut the connection: it does where the peer hasn't answered within 250 ms, which on a busy machine may be any.
// The tests of the guard itself have a clock of their own for that.
func (s *site) ends(name string, conn *websocket.Conn, code websocket.StatusCode) {
	s.t.Helper()
	if got := closed(s.t, conn); got != code {
		s.t.Errorf("%s: got %d, want %d", name, got, code)
	}
	select {
	case got := <-s.left:
		if cut := got.code == -1; !cut && (got.code != code || got.cause != nil) {
			s.t.Errorf("%s: the handler's Read ended with %d and its context with %v, want %d and a context that goes on", name, got.code, got.cause, code)
		}
	case <-time.After(patience):
		s.t.Errorf("%s: the handler is still running", name)
	}
}
