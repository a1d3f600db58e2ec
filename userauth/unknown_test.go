package userauth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

func TestUnknownCallers(t *testing.T) {
	t.Parallel()
	t.Run("JV05 JV11 JV33 JS66 an API call is 401 in JSON and not sent anywhere", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		for _, request := range [][2]string{
			{"GET", "/"}, {"GET", "/api/me"}, {"PATCH", "/api/me"}, {"GET", "/api/me?token=6fd1f5c6a3be4f0a9c27b8d05e13f4a2b69c7d80e1f2a3b4"},
			{"OPTIONS", "/api/contents/demo"}, {"GET", "/api/contents/demo"}, {"PUT", "/api/contents/demo"}, {"GET", "/club"}, {"GET", "/admin"},
			{"GET", "/api/room/demo"}, // no handshake
		} {
			got := s.browser().do(request[0], request[1], `{"text":"x"}`, with("Content-Type", "application/json"))
			refused(t, request[0]+" "+request[1], got, http.StatusUnauthorized)
			var body struct{ Error, Code string }
			if got.decode(t, &body); body.Error == "" || body.Code != "unauthorized" || got.location() != "" || len(got.Cookies) != 0 {
				t.Errorf("%s: got %s, location %q, cookies %v", request, got.Body, got.location(), got.Cookies)
			}
			if vary := strings.Join(got.Header["Vary"], ","); !strings.Contains(vary, "Cookie") || !strings.Contains(vary, "Authorization") {
				t.Errorf("%s: A-17: got Vary %q", request, vary)
			}
		}
		if s.reached.Load() != 0 || s.entered.Load() != 0 || s.note("demo") != "hello" {
			t.Error("a handler ran")
		}
	})
	t.Run("a navigation is sent to the login page, and to a WebSocket route it is 401", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		if got := s.browser().navigate("/notes?a=b"); got.Status != http.StatusSeeOther || got.location() != "/auth/login?next=%2Fnotes%3Fa%3Db" || got.reached() {
			t.Errorf("got %d to %q", got.Status, got.location())
		}
		refused(t, "the room", s.browser().navigate("/api/room/demo"), http.StatusUnauthorized)
	})
	t.Run("JV54 the account's own routes", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.in("alice")
		before := dump(t, s.db)
		for _, request := range [][3]string{
			{"GET", "/auth/me"}, {"PATCH", "/auth/me", `{"name":"x"}`}, {"POST", "/auth/me", `name=x`},
			{"GET", "/auth/password"}, {"POST", "/auth/password", `{"current":"` + sitePassword + `","new":"` + nextPassword + `"}`},
			{"GET", "/auth/sessions"}, {"DELETE", "/auth/sessions"}, {"DELETE", "/auth/sessions/x"}, {"POST", "/auth/sessions/end"}, {"POST", "/auth/sessions/x/end"},
		} {
			refused(t, request[0]+" "+request[1], s.browser().json(request[0], request[1], request[2]), http.StatusUnauthorized)
		}
		if got := dump(t, s.db); got != before {
			t.Errorf("something has changed: %s", got)
		}
	})
	t.Run("JV43 FU10 S-12 who is disabled", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.add("bob", nil)
		alice, bob := s.in("alice"), s.in("bob")
		admitted(t, "before", alice.get("/"))
		s.disable("alice")
		for _, path := range []string{"/api/me", "/auth/me", "/"} {
			refused(t, "the disabled user's "+path, alice.copy().get(path), http.StatusUnauthorized)
		}
		if got := bob.get("/auth/me"); got.Status != http.StatusOK {
			t.Errorf("another user: got %d, want 200", got.Status)
		}
		no := false
		s.change("alice", userauth.AccountChange{Disabled: &no})
		refused(t, "enabled again, the old cookie", alice.get("/"), http.StatusUnauthorized)
		admitted(t, "enabled again", s.in("alice").get("/"))
	})
	t.Run("GO5 another spelling of a guarded path reaches no handler", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		before := dump(t, s.db)
		target := "/api//me"
		for range 3 {
			got := s.browser().json(http.MethodPatch, target, `{"name":"x"}`)
			if got.Status == http.StatusUnauthorized || got.Status == http.StatusNotFound {
				target = ""
				break
			}
			if target = got.location(); target == "" {
				t.Fatalf("got %d, want a redirect, 401 or 404", got.Status)
			}
		}
		if target != "" || dump(t, s.db) != before || s.reached.Load() != 0 {
			t.Errorf("ended at %q, reached %d", target, s.reached.Load())
		}
	})
	t.Run("JS68 sockets of strangers", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		outcomes := make(chan error, 1)
		mux := s.routes(s.users)
		mux.Handle("/anybody", s.users.WebSocketAuth(nil)(http.HandlerFunc(s.enterRoom)))
		mux.HandleFunc("/bare", func(w http.ResponseWriter, r *http.Request) {
			if conn, err := websocket.Accept(w, r, nil); err == nil {
				conn.Close(websocket.StatusNormalClosure, "")
			}
		})
		mux.HandleFunc("/unguarded", func(w http.ResponseWriter, r *http.Request) {
			_, err := auth.Accept(w, r, nil)
			outcomes <- err
		})
		s.Handler = mux
		s.listen()
		conn, _ := s.browser().dial("/anybody")
		if code := closed(t, conn); code != websocket.StatusPolicyViolation || s.entered.Load() != 0 {
			t.Errorf("behind a guard: got %d, the handler ran %d times, want 1008 and never", code, s.entered.Load())
		}
		conn, _ = s.browser().dial("/bare")
		if code := closed(t, conn); code != websocket.StatusNormalClosure {
			t.Errorf("without a guard: got %d, want the handler's own end", code)
		}
		if conn, status := s.browser().dial("/unguarded"); conn != nil || status != http.StatusInternalServerError {
			t.Errorf("auth.Accept without a guard: got %d, want 500 and no upgrade", status)
		}
		if err := <-outcomes; !errors.Is(err, auth.ErrNoGuard) {
			t.Errorf("got %v, want %v", err, auth.ErrNoGuard)
		}
	})
}
