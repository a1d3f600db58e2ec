package oidcauth_test

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// person is the ID of somebody whom the stand's provider calls sub.
func (s *stand) person(sub string) string { return "oidc:" + s.op.Issuer() + "#" + sub }

func (s *stand) disable(sub string, disabled bool) {
	s.t.Helper()
	if err := s.People().SetDisabled(s.t.Context(), s.person(sub), disabled); err != nil {
		s.t.Fatal(err)
	}
}

// J-42, J-45: nobody who is kept out comes back as a client of the same name.
func TestDisabledClients(t *testing.T) {
	t.Parallel()
	s := apiStand(t, nil)
	own := func(sub string) string {
		return "Bearer " + s.token(oidctest.Grant{Sub: sub, Claims: map[string]any{"client_id": sub}})
	}
	alice, job := own("alice"), own("job")
	s.admits("a client that is called as alice is", alice)
	s.admits("another client", job)
	s.disable("alice", true)
	s.refuses("a client that is called as alice is", http.StatusForbidden, alice)
	s.refuses("another token of it", http.StatusForbidden, own("alice"))
	s.admits("another client", job)
	s.disable("alice", false)
	s.admits("enabled again", alice)
}

// J-45, O-29, FU22: who is disabled here is kept out, whatever the provider says, and whether it has ever been here or not.
func TestDisabled(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"who has logged in before": true, "who has never been here": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now clock
			s := apiStand(t, func(pl *plan) { pl.cfg.Auth.Now, pl.op.Now = now.now, now.now })
			token := "Bearer " + s.token(oidctest.Grant{Scope: reads})
			bob := "Bearer " + s.token(oidctest.Grant{Sub: "bob"})
			s.admits("the token", token)
			b := s.browser()
			var conn *websocket.Conn
			if known {
				b.mustLogin()
				conn = b.dial("/room", "Origin", s.url)
			}
			s.disable("alice", true)
			if disabled, err := s.People().Disabled(t.Context(), s.person("alice")); err != nil || !disabled {
				t.Errorf("got %v, %v", disabled, err)
			}
			s.refuses("J-45 the known token", http.StatusForbidden, token)
			s.refuses("J-45 another token", http.StatusForbidden, "Bearer "+s.token(oidctest.Grant{}))
			before := s.reached.Load()
			if a := s.browser().do("GET", "/room", "", "Authorization", token, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="); a.StatusCode != http.StatusForbidden {
				t.Errorf("J-45 a handshake: got %d, want 403 before the upgrade", a.StatusCode)
			}
			if a := s.browser().do("GET", "/optional", "", "Authorization", token); a.StatusCode != http.StatusForbidden {
				t.Errorf("J-45 where identity is optional: got %d", a.StatusCode)
			}
			s.admits("somebody else's token", bob)
			if known {
				if b.in() {
					t.Error("the session goes on")
				}
				if code := closed(t, conn, 5*time.Second); code != websocket.StatusPolicyViolation {
					t.Errorf("the session's socket: got %d, want 1008", code)
				}
			}
			again := s.browser()
			a := again.login("/auth/login")
			if a.StatusCode != http.StatusForbidden || again.session() != "" || again.in() {
				t.Errorf("O-29 FU22 a login: got %d %s, session %q", a.StatusCode, a.body, again.session())
			}
			if strings.Contains(a.body, "disabled") || strings.Contains(a.body, "alice") {
				t.Errorf("the page tells why: %s", a.body)
			}
			if s.reached.Load() != before+1 { // bob's
				t.Errorf("the handler ran %d times", s.reached.Load()-before-1)
			}
			// For as long as it is so.
			s.disable("alice", true)
			s.refuses("disabled twice", http.StatusForbidden, token)
			s.disable("alice", false)
			s.admits("enabled again: the token", token)
			if known && b.in() {
				t.Error("enabled again: the old session is back")
			}
			now.forward(time.Second) // a login that began in the same second may have begun before
			again.mustLogin()
			if a := again.do("GET", "/", ""); !strings.Contains(a.body, s.person("alice")) {
				t.Errorf("enabled again: got %s", a.body)
			}
		})
	}
}

// EndSessions ends what there is of somebody, on every instance, and logins that haven't come back from the provider yet.
func TestEndSessions(t *testing.T) {
	t.Parallel()
	db, err := oidcauth.OpenSQLite(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var now clock
	s := apiStand(t, func(pl *plan) { pl.cfg.DB, pl.cfg.Auth.Now, pl.op.Now = db, now.now, now.now })
	one, two := s.browser().mustLogin(), s.browser().mustLogin()
	under := s.browser()
	back := under.back(under.leave("/auth/login"))
	s.op.SignIn("bob")
	bob := s.browser().mustLogin()
	s.op.SignIn("alice")
	token := "Bearer " + s.token(oidctest.Grant{})
	s.admits("the token", token)
	conn := one.dial("/room", "Origin", s.url)
	if n, err := s.People().EndSessions(t.Context(), s.person("alice")); n != 2 || err != nil {
		t.Errorf("got %d, %v, want 2", n, err)
	}
	if one.in() || two.in() || !bob.in() {
		t.Errorf("in: %v, %v, want neither; bob: %v", one.in(), two.in(), bob.in())
	}
	if code := closed(t, conn, 5*time.Second); code != websocket.StatusPolicyViolation {
		t.Errorf("the socket: got %d, want 1008", code)
	}
	if a := under.open(back); under.in() {
		t.Errorf("the login that was under way: got %d", a.StatusCode)
	}
	s.admits("the token, which is no session", token)
	now.forward(2 * time.Second)
	one.mustLogin()
	if n, err := s.People().EndSessions(t.Context(), s.person("nobody")); n != 0 || err != nil {
		t.Errorf("who has never been here: got %d, %v", n, err)
	}
}

// What isn't an ID of a provider here is refused by name; a database that is gone is said to be unavailable.
func TestPeopleErrors(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	people := s.People()
	s.disable("alice", true)
	for _, id := range []string{
		"", "alice", "user:1", s.op.Issuer() + "#alice", "oidc:" + s.op.Issuer(), "oidc:" + s.op.Issuer() + "#", "oidc:" + s.op.Issuer() + "/#alice",
		"oidc:https://evil.example#alice", "OIDC:" + s.op.Issuer() + "#alice", s.person(strings.Repeat("a", 256)), s.person("a\x00"), s.person("\xff"),
		"oidc-client:" + s.op.Issuer() + "#app",
	} {
		_, ended := people.EndSessions(t.Context(), id)
		_, asked := people.Disabled(t.Context(), id)
		for doing, err := range map[string]error{
			"disabling": people.SetDisabled(t.Context(), id, true), "enabling": people.SetDisabled(t.Context(), id, false), "ending": ended, "asking": asked,
		} {
			if !errors.Is(err, oidcauth.ErrNotFound) || errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("%s %q: got %v", doing, id, err)
			}
		}
	}
	if err := people.SetDisabled(t.Context(), s.person("somebody"), false); err != nil {
		t.Errorf("enabling somebody who has never been here: %v", err)
	}
	var rows int
	if err := s.db.GetContext(t.Context(), &rows, "SELECT COUNT(*) FROM auth_users WHERE realm = 'oidc'"); err != nil || rows != 1 {
		t.Errorf("got %d rows, %v, want alice's alone", rows, err)
	}
	for _, sub := range []string{"Alice", "alice ", "aliçe", strings.Repeat("a", 255), "a#b"} {
		if disabled, err := people.Disabled(t.Context(), s.person(sub)); disabled || err != nil {
			t.Errorf("%q: got %v, %v, want another person than alice", sub, disabled, err)
		}
	}
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	_, ended := people.EndSessions(t.Context(), s.person("alice"))
	_, asked := people.Disabled(t.Context(), s.person("alice"))
	for doing, err := range map[string]error{"disabling": people.SetDisabled(t.Context(), s.person("alice"), false), "ending": ended, "asking": asked} {
		if !errors.Is(err, auth.ErrUnavailable) || errors.Is(err, oidcauth.ErrNotFound) {
			t.Errorf("%s without a database: got %v", doing, err)
		}
	}
}
