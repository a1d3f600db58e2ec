package oidcauth_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest/certified"
	"github.com/ostiary/auth/oidcauth"
)

// A certifiedStand is an application whose provider is a certified one and not ours: what oidcauth and our own provider have
// got wrong in the same way shows here.
type certifiedStand struct {
	*stand
	provider *certified.Provider
	ahead    atomic.Int64 // how far the application's clock is, in nanoseconds

	// Programs that get access tokens for the application: JWTs, JWTs that are bound to a key, and opaque ones.
	jwts, bound, opaque *certified.App
}

// accessTTL is how long access tokens last.
const accessTTL = 100 * time.Second

// newCertifiedStand starts an application that proves itself to the provider by method, and for whom everything is signed with
// alg. change is for its settings.
func newCertifiedStand(t *testing.T, alg, method string, change func(*oidcauth.Provider)) *certifiedStand {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	s := &certifiedStand{stand: &stand{t: t, server: server, url: "http://" + server.Listener.Addr().String()}}
	client := func(id, mount string) certified.Client {
		c := certified.NewClient(id, mount)
		c.IDTokenAlg = alg
		return c
	}
	program := func(id string) certified.Client {
		c := client(id, "http://127.0.0.1:1") // it serves nothing
		c.BackchannelLogoutURI, c.BackchannelSessionSID = "", false
		return c
	}
	app, jwts, bound, opaque := client("app", s.url+"/auth"), program("jwts"), program("bound"), program("opaque")
	bound.DPoP, opaque.OpaqueTokens = true, true
	corp := oidcauth.Provider{
		Name: app.ID, ClientID: app.ID, Scopes: []string{"profile", "email", "permissions"}, Algorithms: []string{alg},
		Mapping: oidcauth.Mapping{Permissions: []string{"permissions"}, Scopes: []string{"scope"}},
		API:     &oidcauth.API{Audience: certified.Resource, Algorithms: []string{alg}, Introspect: true},
	}
	switch app.AuthMethod = method; method {
	case "private_key_jwt":
		key := certified.NewKey(t)
		app.JWKS, corp.Key = certified.KeySet(key), key.Private
	case "client_secret_post":
		corp.ClientSecret, corp.ClientAuth = app.Secret, oidcauth.ClientSecretPost
	default:
		corp.ClientSecret = app.Secret
	}
	if change != nil {
		change(&corp)
	}
	s.provider = certified.Start(t, certified.Settings{
		Clients: []certified.Client{app, jwts, bound, opaque}, AccessTokenTTL: accessTTL,
	})
	corp.Issuer = s.provider.Issuer
	s.jwts = s.provider.App(t, jwts, certified.NewKey(t))
	s.bound = s.provider.App(t, bound, certified.NewKey(t))
	s.opaque = s.provider.App(t, opaque, certified.NewKey(t))

	db, err := oidcauth.OpenSQLite(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s.db = db
	s.Auth, err = oidcauth.New(t.Context(), oidcauth.Config{
		Auth: auth.Config{
			PublicURL: s.url, Logger: slog.New(slog.NewTextHandler(s, nil)),
			Now: func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) },
			OnEvent: func(_ context.Context, e auth.Event) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.events = append(s.events, e)
			},
		},
		DB:          db,
		RefreshKeys: [][]byte{[]byte("thirty-two bytes that seal token")},
		Providers:   []oidcauth.Provider{corp},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	server.Config.Handler = s.handler("", "/auth")
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the application's log:\n%s", s.log())
		}
	})
	return s
}

// logIn gives a browser that has logged in as name, on the provider's own pages.
func (s *certifiedStand) logIn(name string) *browser {
	s.t.Helper()
	b := s.browser()
	back := s.provider.Walk(s.t, b.client, b.leave("/auth/login?next=%2Fpage"), certified.SignIn(name))
	if last := b.open(back.String()); last.StatusCode != http.StatusSeeOther || last.Header.Get("Location") != "/page" || !b.in() {
		s.t.Fatalf("the login ends with %d to %q: %s", last.StatusCode, last.Header.Get("Location"), last.body)
	}
	return b
}

// answers asserts what an admitted or refused request gets.
func (s *certifiedStand) answers(b *browser, method, path string, want int, headers ...string) answer {
	s.t.Helper()
	before := s.reached.Load()
	got := b.do(method, path, "", headers...)
	if reached := s.reached.Load() != before; got.StatusCode != want || reached != (want == http.StatusOK) {
		s.t.Errorf("%s %s: got %d, handler reached: %v; want %d", method, path, got.StatusCode, reached, want)
	}
	return got
}

// enter opens a socket, which is heard of.
func (s *certifiedStand) enter(b *browser, headers ...string) *websocket.Conn {
	s.t.Helper()
	conn := b.dial("/room", headers...)
	if err := conn.Write(s.t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		s.t.Fatal(err)
	}
	if _, got, err := conn.Read(s.t.Context()); err != nil || string(got) != "hello" {
		s.t.Fatalf("the socket says %q, %v", got, err)
	}
	return conn
}

// ends asserts that the socket is closed with 1008.
func (s *certifiedStand) ends(conn *websocket.Conn, within time.Duration) {
	s.t.Helper()
	if code := closed(s.t, conn, within); code != websocket.StatusPolicyViolation {
		s.t.Errorf("the socket ends with %d, want 1008", code)
	}
}

// awaits waits for what happens in the background.
func (s *certifiedStand) awaits(what string, so func() bool) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			s.t.Fatalf("still waiting for %s", what)
		case <-tick.C:
		}
	}
}
