package tokenauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// socketEnds checks that conn is closed with code, and that the room's handler saw that before its context ended.
func socketEnds(t *testing.T, l *lab, name string, conn *websocket.Conn, code websocket.StatusCode) {
	t.Helper()
	if got := labClosed(t, conn); got != code {
		t.Errorf("%s: got %d, want %d", name, got, code)
	}
	if got := l.leftRoom(); got.code != code || got.cause != nil {
		t.Errorf("%s: the handler's Read ended with %d and its context with %v, want %d and a context that goes on", name, got.code, got.cause, code)
	}
}

func TestSockets(t *testing.T) {
	t.Parallel()
	t.Run("JV01 a stranger is refused with 1008 and the handler doesn't run", bubbled(func(t *testing.T) {
		l := newLab(t).listenInBubble()
		conn, status := l.browser().dial("/api/room/demo?session_id=session_id_0")
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("got %d, want 101", status)
		}
		if code := labClosed(t, conn); code != 1008 || l.rooms.Load() != 0 {
			t.Errorf("got %d, the handler ran %d times, want 1008 and never", code, l.rooms.Load())
		}
	}))
	t.Run("JV02 a browser that is logged in is welcomed", bubbled(func(t *testing.T) {
		l := newLab(t).listenInBubble()
		b := l.loggedIn()
		_, w := b.enter("/api/room/demo")
		if w.Type != "welcome" || !slices.Equal(w.Permissions["contents"], []string{"read", "write"}) || w.Text != "hello" {
			t.Errorf("got %+v", w)
		}
		me := b.me().Identity
		if len(w.User) != 6 || w.User["username"] != me.Username || w.User["name"] != me.Name || w.User["color"] != *me.Color {
			t.Errorf("got user %v, want the six keys of %+v", w.User, me)
		}
	}))
	t.Run("JS113 W-09 a token in the query opens, a wrong one is 1008", bubbled(func(t *testing.T) {
		l := newLab(t).listenInBubble()
		b := l.browser()
		_, w := b.enter("/api/room/demo?token=" + labToken)
		if got := b.me(bearing(labToken)).Identity.Username; w.User["username"] != got || len(b.cookies) != 0 {
			t.Errorf("got user %v and cookies %v, want the API user %s and none", w.User, b.cookies, got)
		}
		for _, target := range []string{"/api/room/demo?token=WRONG", "/api/room/demo?token=", "/api/room/demo?a=1;token=" + labToken} {
			conn, _ := b.dial(target)
			if code := labClosed(t, conn); code != 1008 {
				t.Errorf("%s: got %d, want 1008", target, code)
			}
		}
		conn, _ := b.dial("/api/room/demo", bearing("WRONG"))
		if code := labClosed(t, conn); code != 1008 || l.rooms.Load() != 1 {
			t.Errorf("a wrong header: got %d, the handler ran %d times, want 1008 and once", code, l.rooms.Load())
		}
		b.enter("/api/room/demo", bearing(labToken))
	}))
	t.Run("a cookie opens for our own page alone", bubbled(func(t *testing.T) {
		l := newLab(t).listenInBubble()
		b := l.loggedIn()
		b.enter("/api/room/demo")
		for _, origins := range [][]string{{"https://evil.example"}, {"null"}, {""}, {"http://" + l.host + ".evil.example"}, {"https://evil.example", "http://" + l.host}, {strings.ToUpper("http://" + l.host)}} {
			if conn, status := b.dial("/api/room/demo", with("Origin", origins...)); conn != nil || status != http.StatusForbidden {
				t.Errorf("%q: got %d, want 403 before the upgrade", origins, status)
			}
			if conn, status := l.browser().dial("/api/room/demo", with("Origin", origins...)); conn != nil || status != http.StatusForbidden {
				t.Errorf("%q, a stranger: got %d, want 403 before the upgrade", origins, status)
			}
			b.enter("/api/room/demo", append([]labOption{with("Origin", origins...)}, bearing(labToken))...)
		}
		if got := l.rooms.Load(); got != 7 {
			t.Errorf("the handler ran %d times, want 7", got)
		}
	}))
	t.Run("S-05 a logout ends the browser's sockets, and no other's", bubbled(func(t *testing.T) {
		l := newLab(t).listenInBubble()
		b, other := l.loggedIn(), l.loggedIn()
		one, _ := b.enter("/api/room/demo")
		two, _ := b.enter("/api/room/demo", bearing(labToken)) // its guest, though a header proved it
		three, _ := b.enter("/api/room/demo?token=" + labToken)
		others, _ := other.enter("/api/room/demo")
		apis, _ := l.browser().enter("/api/room/demo", bearing(labToken))
		thief := b.copy()
		b.post("/auth/logout", nil)
		for _, conn := range []*websocket.Conn{one, two, three} {
			socketEnds(t, l, "logout", conn, websocket.StatusPolicyViolation)
		}
		conn, _ := thief.dial("/api/room/demo")
		if code := labClosed(t, conn); code != 1008 {
			t.Errorf("replayed: got %d, want 1008", code)
		}
		labStillOpen(t, others)
		labStillOpen(t, apis)
		labEventually(t, "three ended sockets are reported", func() bool { return len(l.eventsOf(auth.EventEnded)) == 3 })
	}))
	t.Run("logging in again ends the old login's sockets", bubbled(func(t *testing.T) {
		l := newLab(t).listenInBubble()
		b := l.loggedIn()
		conn, _ := b.enter("/api/room/demo")
		b.logIn(labToken)
		socketEnds(t, l, "logged in again", conn, websocket.StatusPolicyViolation)
		b.enter("/api/room/demo")
	}))
	t.Run("a named token's sockets end when it expires", bubbled(func(t *testing.T) {
		expires := time.Now().Add(400 * time.Millisecond)
		l := newLab(t, named(
			tokenauth.Token{Name: "short", Token: labReader, Permissions: auth.Permissions{"contents": {"read"}}, Expires: expires},
			tokenauth.Token{Name: "long", Token: "long-" + labReader, Permissions: auth.Permissions{"contents": {"read"}}, Expires: expires.Add(time.Hour)},
		)).listenInBubble()
		b := l.loggedIn(labReader)
		cookie, w := b.enter("/api/room/demo")
		header, _ := l.browser().enter("/api/room/demo", bearing(labReader))
		query, _ := l.browser().enter("/api/room/demo?token=" + labReader)
		long, _ := l.browser().enter("/api/room/demo", bearing("long-"+labReader))
		if !slices.Equal(w.Permissions["contents"], []string{"read"}) {
			t.Errorf("got permissions %v, want read", w.Permissions)
		}
		for _, conn := range []*websocket.Conn{cookie, header, query} {
			socketEnds(t, l, "expired", conn, websocket.StatusPolicyViolation)
		}
		if late := time.Since(expires); late != 0 {
			t.Errorf("they ended %s after the expiry", late)
		}
		labStillOpen(t, long)
		labRefused(t, "its cookie", b.get("/"), http.StatusUnauthorized)
		labRefused(t, "its header", l.browser().get("/", bearing(labReader)), http.StatusUnauthorized)
		labRefused(t, "its link", l.browser().get("/?token="+labReader), http.StatusUnauthorized)
		labNoLogin(t, "its login", l.posts(labReader), http.StatusUnauthorized)
	}))
	t.Run("Close ends sockets with 1001, and later requests are 503", bubbled(func(t *testing.T) {
		l := newLab(t).listenInBubble()
		b := l.loggedIn()
		cookie, _ := b.enter("/api/room/demo")
		header, _ := l.browser().enter("/api/room/demo", bearing(labToken))
		if err := l.auth.Close(); err != nil {
			t.Fatal(err)
		}
		socketEnds(t, l, "cookie", cookie, websocket.StatusGoingAway)
		socketEnds(t, l, "header", header, websocket.StatusGoingAway)
		for name, got := range map[string]labAnswer{
			"cookie": b.get("/"), "header": b.get("/", bearing(labToken)), "nobody": l.browser().get("/"), "wrong": b.get("/", bearing("WRONG")), "link": l.browser().navigate("/?token=" + labToken),
			"login": l.browser().post("/auth/login", rightToken), "wrong login": l.browser().post("/auth/login", url.Values{"password": {"x"}}),
		} {
			if labRefused(t, name, got, http.StatusServiceUnavailable); len(got.Cookies) != 0 {
				t.Errorf("%s: got cookies %v", name, got.Cookies)
			}
			if !strings.HasPrefix(name, "wrong l") && name != "login" && got.Header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", name)
			}
		}
		if conn, status := b.dial("/api/room/demo"); conn != nil || status != http.StatusServiceUnavailable {
			t.Errorf("handshake: got %d, want 503 before the upgrade", status)
		}
		if err := l.auth.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	}))
	t.Run("a stream ends with the login", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		started, cause := make(chan struct{}), make(chan error, 1)
		b := l.loggedIn()
		mux := http.NewServeMux()
		mux.Handle("/auth/", l.auth.Routes())
		mux.Handle("/stream", l.auth.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			live, cancel := auth.Live(r.Context())
			defer cancel()
			close(started)
			<-live.Done()
			cause <- context.Cause(live)
		})))
		l.Handler = mux
		go b.copy().get("/stream")
		<-started
		b.post("/auth/logout", nil)
		select {
		case err := <-cause:
			if !errors.Is(err, auth.ErrSessionEnded) {
				t.Errorf("got %v, want %v", err, auth.ErrSessionEnded)
			}
		case <-time.After(labPatience):
			t.Error("the stream goes on")
		}
	})
}
