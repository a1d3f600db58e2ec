package userauth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

func send(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"edit","text":"`+text+`"}`)); err != nil {
		t.Fatal(err)
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	t.Run("JV38 a reader sees edits and makes none", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("ann", siteReads)
		s.add("bob", siteWrites)
		writer, _ := s.in("bob").enter()
		reader, welcome := s.in("ann").enter()
		if welcome.Type != "welcome" || welcome.User.Username != "ann" || !slices.Equal(welcome.Permissions["contents"], []string{"read"}) || welcome.Text != "hello" {
			t.Errorf("got %+v", welcome)
		}
		send(t, reader, "from the reader")
		send(t, writer, "from the writer")
		for name, conn := range map[string]*websocket.Conn{"the reader": reader, "the writer": writer} {
			if got := received(t, conn); got.Type != "edit" || got.Text != "from the writer" || got.User.Username != "bob" {
				t.Errorf("%s: got %+v, want the writer's edit alone", name, got)
			}
		}
		if got := s.note("demo"); got != "from the writer" {
			t.Errorf("the note is %q", got)
		}
	})
	t.Run("W-07 who holds none of the permissions is refused with 1008", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("eve", auth.Permissions{"contents": {"delete"}, "admin": {"*"}})
		conn, _ := s.in("eve").dial("/api/room/demo")
		if code := closed(t, conn); code != websocket.StatusPolicyViolation || s.entered.Load() != 0 {
			t.Errorf("got %d, the handler ran %d times, want 1008 and never", code, s.entered.Load())
		}
	})
	t.Run("W-02 W-19 no handshake", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", siteReads)
		s.add("eve", nil)
		for status, b := range map[int]*browser{http.StatusUnauthorized: s.browser(), http.StatusForbidden: s.in("eve"), http.StatusUpgradeRequired: s.in("ann")} {
			refused(t, "GET", b.get("/api/room/demo"), status)
		}
		if s.entered.Load() != 0 {
			t.Error("the handler ran")
		}
	})
}

// W-10, S-05, S-13: whatever ends a session or changes what was checked closes its sockets with 1008, while their handlers
// are blocked in Read, and nobody else's. (A changed password is in TestPassword, an expiry in TestLifetimes.)
func TestWhatEndsSockets(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	change := func(c userauth.AccountChange) func(*site, *browser) {
		return func(s *site, _ *browser) { s.change("ann", c) }
	}
	for _, tc := range []struct {
		name string
		do   func(*site, *browser)
		out  bool // a request with the cookie is refused afterwards
	}{
		{"a logout", func(_ *site, b *browser) { b.post("/auth/logout", nil) }, true},
		{"another login in the browser", func(_ *site, b *browser) { b.login("bob", sitePassword) }, true},
		{"disabled", change(userauth.AccountChange{Disabled: &yes}), true},
		{"deleted", func(s *site, _ *browser) { s.users.Accounts().Delete(s.t.Context(), "ann") }, true},
		{"an admin's password", func(s *site, _ *browser) { s.users.Accounts().SetPassword(s.t.Context(), "ann", nextPassword) }, true},
		{"a permission lost", change(userauth.AccountChange{Revoke: auth.Permissions{"contents": {"write"}}}), false},
		{"all lost", change(userauth.AccountChange{Revoke: siteWrites}), false},
		{"a role lost", change(userauth.AccountChange{RemoveRoles: []string{"deleter"}, Revoke: siteReads}), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t).listen()
			s.role("deleter", auth.Permissions{"contents": {"delete"}})
			s.add("ann", siteWrites, "deleter")
			s.add("bob", siteWrites)
			b := s.in("ann")
			old := b.copy()
			one, _ := b.enter()
			two, _ := b.enter()
			others, _ := s.in("bob").enter()
			tc.do(s, b)
			s.ends("one", one, websocket.StatusPolicyViolation)
			s.ends("two", two, websocket.StatusPolicyViolation)
			stillOpen(t, others)
			if tc.out {
				refused(t, "the cookie", old.get("/"), http.StatusUnauthorized)
				conn, _ := old.dial("/api/room/demo")
				if code := closed(t, conn); code != websocket.StatusPolicyViolation {
					t.Errorf("the cookie at a handshake: got %d, want 1008", code)
				}
			} else {
				admitted(t, "the cookie", old.get("/"))
			}
			eventually(t, "two ended sockets are reported", func() bool { return len(s.eventsOf(auth.EventEnded)) == 2 })
		})
	}
	for _, tc := range []struct {
		name string
		do   func(*site, *browser)
	}{
		{"enabled", change(userauth.AccountChange{Disabled: &no})},
		{"a permission that wasn't asked about", change(userauth.AccountChange{Grant: auth.Permissions{"admin": {"*"}}})},
		{"a permission that is held twice", change(userauth.AccountChange{Revoke: auth.Permissions{"contents": {"write"}}})},
		{"another user's logout", func(s *site, _ *browser) { s.in("bob").post("/auth/logout", nil) }},
		{"another session's logout", func(s *site, _ *browser) { s.in("ann").post("/auth/logout", nil) }},
		{"a new role", func(s *site, _ *browser) { s.role("new", nil) }},
		{"a changed profile", func(s *site, b *browser) { b.json(http.MethodPatch, "/api/me", `{"name":"New"}`) }},
	} {
		t.Run("not "+tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t).listen()
			s.role("writer", siteWrites)
			s.add("ann", siteWrites, "writer")
			s.add("bob", siteWrites)
			b := s.in("ann")
			conn, _ := b.enter()
			tc.do(s, b)
			// An edit comes back by the handler's own loop, after all that the change has told.
			send(t, conn, "still here")
			if got := received(t, conn); got.Text != "still here" {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("a permission gained: the client learns anew", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("ann", siteReads)
		b := s.in("ann")
		conn, _ := b.enter()
		s.change("ann", userauth.AccountChange{Grant: siteWrites})
		s.ends("gained", conn, websocket.StatusPolicyViolation)
		if _, welcome := b.enter(); !slices.Equal(welcome.Permissions["contents"], []string{"read", "write"}) {
			t.Errorf("got %v", welcome.Permissions)
		}
	})
	t.Run("in another process within a second or so", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("ann", siteWrites)
		b := s.in("ann")
		conn, _ := b.enter()
		other, err := userauth.OpenAccounts(t.Context(), s.db, userauth.Policy{})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, err := other.Change(t.Context(), "ann", userauth.AccountChange{Disabled: &yes}); err != nil {
			t.Fatal(err)
		}
		s.ends("disabled elsewhere", conn, websocket.StatusPolicyViolation)
		refused(t, "a request", b.get("/"), http.StatusUnauthorized)
	})
	t.Run("Close ends them with 1001, and later requests are 503", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("ann", siteWrites)
		b := s.in("ann")
		conn, _ := b.enter()
		if err := s.users.Close(); err != nil {
			t.Fatal(err)
		}
		s.ends("closed", conn, websocket.StatusGoingAway)
		s.faulty.Store(true)
		refused(t, "a request", b.copy().get("/"), http.StatusServiceUnavailable)
		refused(t, "a login", s.browser().login("ann", sitePassword), http.StatusServiceUnavailable)
		if conn, status := b.dial("/api/room/demo"); conn != nil || status != http.StatusServiceUnavailable {
			t.Errorf("a handshake: got %d, want 503 before the upgrade", status)
		}
		if err := s.users.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	})
	t.Run("a stream ends with the login", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", siteReads)
		started, cause := make(chan struct{}), make(chan error, 1)
		mux := s.routes(s.users)
		mux.Handle("/stream", s.users.CurrentUser(siteReads)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			live, cancel := auth.Live(r.Context())
			defer cancel()
			close(started)
			<-live.Done()
			cause <- context.Cause(live)
		})))
		s.Handler = mux
		b := s.in("ann")
		go b.copy().get("/stream")
		<-started
		b.post("/auth/logout", nil)
		select {
		case err := <-cause:
			if !errors.Is(err, auth.ErrSessionEnded) {
				t.Errorf("got %v, want %v", err, auth.ErrSessionEnded)
			}
		case <-time.After(patience):
			t.Error("the stream goes on")
		}
	})
}
