package oidcauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// enter opens the room with a token, whose grant must hold contents:read.
func (s *stand) enter(headers ...string) *websocket.Conn {
	s.t.Helper()
	conn := s.browser().dial("/room", headers...)
	stillOpen(s.t, conn)
	return conn
}

// stillOpen says that a socket is open, and its handler runs.
func stillOpen(t testing.TB, conn *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, data, err := conn.Read(ctx); err != nil || string(data) != "x" {
		t.Fatalf("the socket is closed: %q, %v", data, err)
	}
}

// converse opens a socket with a token, whose handler tells who the caller is and whether it may read, as things stand.
func (s *stand) converse(token string) (ask func(question string) string) {
	s.t.Helper()
	server := httptest.NewServer(s.WebSocketAuth(auth.Permissions{"contents": {"read"}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := auth.Accept(w, r, nil)
		if err != nil {
			return
		}
		for {
			_, question, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			user, _ := auth.UserFrom(r.Context())
			answer := user.Name
			if string(question) == "can" {
				can, err := auth.Can(r.Context(), "contents", "read")
				answer = fmt.Sprint(can, err)
			}
			if conn.Write(r.Context(), websocket.MessageText, []byte(answer)) != nil {
				return
			}
		}
	})))
	s.t.Cleanup(server.Close)
	conn, _, err := websocket.Dial(s.t.Context(), server.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	return func(question string) string {
		s.t.Helper()
		ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
		defer cancel()
		if err := conn.Write(ctx, websocket.MessageText, []byte(question)); err != nil {
			s.t.Fatal(err)
		}
		_, data, err := conn.Read(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		return string(data)
	}
}

const reads = "openid contents:read"

// A socket that an access token opened ends with it, and nobody else's does.
func TestTokenSockets(t *testing.T) {
	t.Parallel()
	// A second, and what a busy machine takes.
	const soon = 5 * time.Second
	t.Run("at exp: 1008", func(t *testing.T) {
		t.Parallel()
		s := apiStand(t, nil)
		other := s.enter("Authorization", "Bearer "+s.token(oidctest.Grant{Scope: reads}))
		end := time.Now().Add(6 * time.Second).Truncate(time.Second) // time enough for the handshake on a busy machine
		conn := s.enter("Authorization", "Bearer "+s.token(oidctest.Grant{Scope: reads, Claims: map[string]any{"exp": end.Unix()}}))
		if code := closed(t, conn, time.Until(end)+soon); code != websocket.StatusPolicyViolation {
			t.Errorf("got %d, want 1008", code)
		}
		if early := time.Until(end); early > 0 {
			t.Errorf("it ended %s too early", early)
		}
		stillOpen(t, other)
	})
	t.Run("revoked at the provider: 1008 when it is asked again", func(t *testing.T) {
		t.Parallel()
		var now clock
		s := askStand(t, &now, nil)
		token := s.token(oidctest.Grant{Scope: reads})
		conn, other := s.enter("Authorization", "Bearer "+token), s.enter("Authorization", "Bearer "+s.token(oidctest.Grant{Scope: reads, Sub: "bob"}))
		s.op.Revoke(token)
		s.op.Reset()
		now.forward(40 * time.Second) // IntrospectEvery is a minute
		s.admits("the token, before it is asked about again", "Bearer "+token)
		stillOpen(t, conn)
		now.forward(20 * time.Second)
		began := time.Now()
		if code := closed(t, conn, soon); code != websocket.StatusPolicyViolation {
			t.Errorf("got %d, want 1008", code)
		}
		t.Logf("it took %s", time.Since(began))
		stillOpen(t, other)
		s.refuses("the token", http.StatusUnauthorized, "Bearer "+token)
	})
	t.Run("a permission taken back at the provider: 1008, and before that one question each time", func(t *testing.T) {
		t.Parallel()
		var now clock
		s := askStand(t, &now, nil)
		conn := s.enter("Authorization", "Bearer "+s.token(oidctest.Grant{Scope: reads}))
		for n := range 3 { // it goes on while the provider says the same
			now.forward(time.Minute)
			until(t, "the provider is asked again", func() bool { return s.questions() > n+1 })
			stillOpen(t, conn)
		}
		if n := s.questions(); n != 4 {
			t.Errorf("the provider was asked %d times, want 4", n)
		}
		s.op.SetHooks(oidctest.Hooks{OnIntrospection: func(a map[string]any) { a["scope"] = "openid" }})
		now.forward(time.Minute)
		if code := closed(t, conn, soon); code != websocket.StatusPolicyViolation {
			t.Errorf("got %d, want 1008", code)
		}
	})
	t.Run("what the provider has said since is what counts, whatever changes in the database", func(t *testing.T) {
		t.Parallel()
		var now clock
		s := askStand(t, &now, nil)
		ask := s.converse(s.token(oidctest.Grant{Scope: reads}))
		s.op.SetHooks(oidctest.Hooks{OnIntrospection: func(a map[string]any) { a["name"] = "New Name" }})
		now.forward(time.Minute)
		until(t, "the new name is there", func() bool { return ask("who") == "New Name" })
		s.browser().mustLogin() // the feed tells of it
		bob := "oidc:" + s.op.Issuer() + "#bob"
		if err := s.People().SetDisabled(t.Context(), bob, true); err != nil {
			t.Fatal(err)
		}
		until(t, "the change is known", func() bool { return s.statusOf(nil, s.token(oidctest.Grant{Sub: "bob"})) == http.StatusForbidden })
		if got := ask("who"); got != "New Name" {
			t.Errorf("got %q: what the provider has said is forgotten", got)
		}
	})
	t.Run("the same token is somebody else's: 1008", func(t *testing.T) {
		t.Parallel()
		var now clock
		s := askStand(t, &now, nil)
		token := s.token(oidctest.Grant{Scope: reads})
		conn := s.enter("Authorization", "Bearer "+token)
		s.op.SetHooks(oidctest.Hooks{OnIntrospection: func(a map[string]any) { a["sub"] = "bob" }})
		now.forward(time.Minute)
		if code := closed(t, conn, soon); code != websocket.StatusPolicyViolation {
			t.Errorf("got %d, want 1008", code)
		}
	})
	t.Run("J-45 its owner is disabled here: 1008 within a second, on every instance", func(t *testing.T) {
		t.Parallel()
		s := apiStand(t, nil)
		there := newStand(t, func(pl *plan) {
			pl.given, pl.cfg.DB, pl.client.Audience = s.op, s.db, audience
			pl.provider.API = &oidcauth.API{Audience: audience}
			pl.provider.Mapping = oidcauth.Mapping{Scopes: []string{"scope"}}
		})
		token := "Bearer " + s.token(oidctest.Grant{Scope: reads})
		bob := s.enter("Authorization", "Bearer "+s.token(oidctest.Grant{Scope: reads, Sub: "bob"}))
		here, far := s.enter("Authorization", token), there.enter("Authorization", token)
		began := time.Now()
		if err := s.People().SetDisabled(t.Context(), "oidc:"+s.op.Issuer()+"#alice", true); err != nil {
			t.Fatal(err)
		}
		for name, conn := range map[string]*websocket.Conn{"here": here, "there": far} {
			if code := closed(t, conn, soon); code != websocket.StatusPolicyViolation {
				t.Errorf("%s: got %d, want 1008", name, code)
			}
			t.Logf("%s: it took %s", name, time.Since(began))
		}
		stillOpen(t, bob)
	})
	for name, broken := range map[string]func(*stand){
		"is gone": func(s *stand) { s.op.Down() }, "hangs": func(s *stand) { s.op.Fault("introspect", oidctest.Hold(nil)) },
	} {
		t.Run("a provider that "+name+": OutageGrace, then 1013, and nobody else's", func(t *testing.T) {
			t.Parallel()
			var now clock
			s := askStand(t, &now, func(pl *plan) {
				pl.provider.API = &oidcauth.API{Introspect: true, Audience: audience}
				pl.cfg.Auth.OutageGrace = time.Second
			})
			asked := s.enter("Authorization", "Bearer "+s.token(oidctest.Grant{Scope: reads}))
			signed := s.enter("Authorization", "Bearer "+s.token(oidctest.Grant{Scope: reads, Sub: "bob", Audience: audience}))
			broken(s)
			now.forward(time.Minute + 5*time.Second)
			began := time.Now()
			if code := closed(t, asked, soon); code != websocket.StatusTryAgainLater {
				t.Errorf("got %d, want 1013", code)
			}
			if took := time.Since(began); took < time.Second {
				t.Errorf("it took %s, less than OutageGrace", took)
			}
			stillOpen(t, signed)
			if err := s.People().SetDisabled(t.Context(), "oidc:"+s.op.Issuer()+"#bob", true); err != nil {
				t.Fatal(err)
			}
			if code := closed(t, signed, soon); code != websocket.StatusPolicyViolation {
				t.Errorf("bob is disabled meanwhile: got %d, want 1008", code)
			}
		})
	}
	t.Run("a provider that is back within OutageGrace: it goes on", func(t *testing.T) {
		t.Parallel()
		var now clock
		s := askStand(t, &now, func(pl *plan) { pl.cfg.Auth.OutageGrace = time.Hour })
		ask := s.converse(s.token(oidctest.Grant{Scope: reads}))
		if got := ask("can"); got != "true <nil>" {
			t.Fatalf("got %s", got)
		}
		s.op.Down()
		now.forward(time.Minute + 5*time.Second)
		until(t, "it is in doubt", func() bool { return strings.HasPrefix(ask("can"), "false") })
		s.op.Up()
		now.forward(time.Minute) // the pause behind failures
		until(t, "it isn't in doubt", func() bool { return ask("can") == "true <nil>" })
	})
	t.Run("Close: 1001", func(t *testing.T) {
		t.Parallel()
		s := apiStand(t, nil)
		conn := s.enter("Authorization", "Bearer "+s.token(oidctest.Grant{Scope: reads}))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if code := closed(t, conn, soon); code != websocket.StatusGoingAway {
			t.Errorf("got %d, want 1001", code)
		}
	})
	t.Run("refused: 1008, and the handler never runs", func(t *testing.T) {
		t.Parallel()
		s := apiStand(t, nil)
		key := s.op.NewKey("ES256")
		bound := s.token(oidctest.Grant{Scope: reads, JKT: key.Thumbprint()})
		s.enter("Authorization", "Bearer "+s.token(oidctest.Grant{Scope: reads}))
		s.enter("Authorization", "DPoP "+bound, "DPoP", s.op.Proof(key, "GET", s.url+"/room", bound))
		before := s.reached.Load()
		for name, authorization := range map[string]string{
			"J-46 a bound token": "Bearer " + bound, "a wrong one": "Bearer x", "without the permission": "Bearer " + s.token(oidctest.Grant{Scope: "openid"}),
		} {
			conn := s.browser().dial("/room", "Authorization", authorization)
			if code := closed(t, conn, soon); code != websocket.StatusPolicyViolation {
				t.Errorf("%s: got %d, want 1008", name, code)
			}
		}
		if s.reached.Load() != before {
			t.Error("the handler ran")
		}
	})
}

// until waits for something that other goroutines bring about.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(10 * time.Second); !done(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// A database that can't be asked keeps tokens out with 503, and ends what they have open after OutageGrace, with 1013.
func TestTokensWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := apiStand(t, func(pl *plan) { pl.cfg.Auth.OutageGrace = time.Second })
	token := "Bearer " + s.token(oidctest.Grant{Scope: reads})
	s.admits("a good token", token)
	conn := s.enter("Authorization", token)
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	if code := closed(t, conn, 10*time.Second); code != websocket.StatusTryAgainLater {
		t.Errorf("got %d, want 1013", code)
	}
	s.refuses("a known token", http.StatusServiceUnavailable, token)
	s.refuses("another one", http.StatusServiceUnavailable, "Bearer "+s.token(oidctest.Grant{Sub: "bob"}))
	until(t, "the event of an end", func() bool { return s.count(auth.EventEnded) == 1 })
}
