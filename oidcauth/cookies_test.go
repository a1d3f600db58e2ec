package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
)

// C-14, C-15: the cookie of an attempt has a name of its own and lives for ten minutes; it and the session's are Lax, so that they
// come along when the provider sends the browser back, and gone from scripts.
func TestCookies(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	var names []string
	var leave string
	for range 2 {
		a := b.open("/auth/login")
		leave = a.Header.Get("Location")
		cookies := a.Cookies()
		if len(cookies) != 1 {
			t.Fatalf("got %d cookies, want 1", len(cookies))
		}
		c := cookies[0]
		if c.SameSite != http.SameSiteLaxMode || c.Path != "/" || !c.HttpOnly || c.MaxAge != 600 || c.Domain != "" {
			t.Errorf("the attempt's cookie is %s", c)
		}
		if strings.Contains(leave, c.Value) || len(c.Value) > 2000 {
			t.Errorf("the attempt's cookie has %d bytes, or is in the URL", len(c.Value))
		}
		names = append(names, c.Name)
	}
	if names[0] == names[1] {
		t.Errorf("two attempts share the cookie %s", names[0])
	}
	a := b.open(b.back(leave))
	deleted, session := false, false
	for _, c := range a.Cookies() {
		switch {
		case c.Name == names[1]:
			deleted = c.MaxAge < 0
		case strings.HasPrefix(c.Name, "ostiary-oidc-"):
			session = c.SameSite == http.SameSiteLaxMode && c.Path == "/" && c.HttpOnly && c.MaxAge > 0
		}
	}
	if !deleted || !session || a.StatusCode != http.StatusSeeOther {
		t.Errorf("the callback: got %d and cookies %v", a.StatusCode, a.Cookies())
	}
	if a := b.open(a.Header.Get("Location")); a.StatusCode != http.StatusOK {
		t.Errorf("C-15 the first navigation: got %d", a.StatusCode)
	}
}

// F-08: a callback before there is an attempt.
func TestCallbackBeforeStart(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	s.browser().mustLogin()
	s.op.Reset()
	b := s.browser()
	a := b.open("/auth/callback/corp?code=x&state=" + strings.Repeat("a", 43) + "&iss=" + s.op.Issuer())
	if a.StatusCode != http.StatusBadRequest || b.in() || len(s.op.Calls("token")) != 0 {
		t.Errorf("got %d, in: %v", a.StatusCode, b.in())
	}
}

// what the provider says at the next login is what counts, also where it says less; what was changed here of the profile
// stays.
func TestClaimsOfTheNextLogin(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(pl *plan) {
		pl.cfg.Auth.Roles = map[string]auth.Role{"editor": {Permissions: auth.Permissions{"contents": {"read", "write"}}}}
		pl.provider.Mapping.Roles, pl.provider.Mapping.RoleMap = []string{"groups"}, map[string][]string{"staff": {"editor"}}
	})
	groups := []any{"staff"}
	name := "Alice Liddell"
	s.op.SetHooks(oidctest.Hooks{OnUserInfo: func(claims map[string]any) { claims["groups"], claims["name"] = groups, name }})
	b := s.browser().mustLogin()
	if a := b.do("GET", "/api/contents/demo", ""); a.StatusCode != http.StatusOK {
		t.Fatalf("as staff: got %d", a.StatusCode)
	}
	if a := b.do("PATCH", "/api/me", `{"display_name":"Al"}`, "Content-Type", "application/json", "Origin", s.url); a.StatusCode != http.StatusOK {
		t.Fatalf("PATCH /api/me: got %d %s", a.StatusCode, a.body)
	}
	before := s.reached.Load()
	groups, name = []any{"guests"}, "Alice Hargreaves"
	again := s.browser().mustLogin()
	reached := s.reached.Load() - before - 1 // mustLogin asks once
	for who, b := range map[string]*browser{"the new session": again, "the old one": b} {
		if a := b.do("GET", "/api/contents/demo", ""); a.StatusCode != http.StatusForbidden {
			t.Errorf("no longer staff, %s: got %d", who, a.StatusCode)
		}
		a := b.do("GET", "/api/me", "")
		for _, want := range []string{`"name":"Alice Hargreaves"`, `"display_name":"Al"`} {
			if !strings.Contains(a.body, want) {
				t.Errorf("%s: got %s without %s", who, a.body, want)
			}
		}
	}
	if reached != 0 || s.reached.Load()-before != 1 {
		t.Errorf("a handler was reached %d times", s.reached.Load()-before)
	}
}
