package oidcauth_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/ostiary/auth/internal/oidctest"
)

// What a user changes here goes before what the provider says, field by field, until it is given back by an empty value.
func TestProfile(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) { refreshing(pl, &now) })
	b, bob := s.browser(), s.browser()
	bob.as("bob")
	b.as("alice")
	me := func(b *browser) (m map[string]any) {
		t.Helper()
		a := b.do("GET", "/api/me", "")
		var got struct{ Identity map[string]any }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != http.StatusOK {
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
		return got.Identity
	}
	is := func(when string, want map[string]any) {
		t.Helper()
		got := me(b)
		for name, want := range want {
			if got[name] != want {
				t.Errorf("%s: %s is %v, want %v", when, name, got[name], want)
			}
		}
	}
	patch := func(body string) int {
		return b.do("PATCH", "/api/me", body, "Content-Type", "application/json", "Origin", s.url).StatusCode
	}
	is("after the login", map[string]any{"username": "alice", "name": "Alice Liddell", "color": nil})
	was := me(bob)
	if got := patch(`{"name":"Al","color":"#ff0000"}`); got != http.StatusOK {
		t.Fatalf("got %d", got)
	}
	is("changed here", map[string]any{"name": "Al", "color": "#ff0000"})

	alice := oidctest.People()[0]
	alice.Claims["name"], alice.Claims["picture"] = "Alice Hargreaves", "https://id.example/alice.png"
	s.op.SetUser(alice)
	now.forward(due)
	if err := s.RefreshNow(b.session()); err != nil {
		t.Fatal(err)
	}
	is("changed at the provider, too", map[string]any{"name": "Al", "color": "#ff0000", "avatar_url": "https://id.example/alice.png"})
	b.do("POST", "/auth/logout", "")
	b.as("alice")
	is("after another login", map[string]any{"name": "Al", "color": "#ff0000"})
	if got := patch(`{"name":""}`); got != http.StatusOK {
		t.Fatalf("got %d", got)
	}
	is("given back", map[string]any{"name": "Alice Hargreaves", "color": "#ff0000"})
	if got := patch(`{"username":"bob"}`); got != http.StatusBadRequest {
		t.Errorf("a username: got %d, want 400", got)
	}
	is("then", map[string]any{"username": "alice"})
	for name, want := range was {
		if got := me(bob)[name]; got != want {
			t.Errorf("bob's %s has become %v", name, got)
		}
	}
	s.another(s.db).use()
	is("at another instance", map[string]any{"name": "Alice Hargreaves", "color": "#ff0000"})
}
