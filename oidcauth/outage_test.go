package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// O-19: a provider that is down at the start keeps newcomers out, with 503 and a page, and that until it is back.
func TestProviderDownAtStart(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) {
		pl.cfg.Auth.Now = now.now
		op, err := oidctest.New(oidctest.Config{Now: now.now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(op.Close)
		op.Down()
		pl.given = op
	})
	b := s.browser()
	a := b.open("/auth/login")
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || len(a.Cookies()) != 0 {
		t.Errorf("got %d %v %s", a.StatusCode, a.Header, a.body)
	}
	if strings.Contains(a.body, "127.0.0.1") || strings.Contains(a.body, "refused") {
		t.Errorf("the page tells what failed: %s", a.body)
	}
	if a := b.do("GET", "/api/contents/demo", ""); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger's request: got %d, want 401", a.StatusCode)
	}
	s.op.Up()
	now.forward(time.Minute) // the pause before it is asked again
	b.mustLogin()
}

// O-20: a provider that goes down later disturbs nobody who is logged in, and no token whose key is known.
func TestProviderDownLater(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) {
		pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
		pl.client.Audience = audience
		pl.provider.API = &oidcauth.API{Audience: audience}
		pl.cfg.RefreshKeys = [][]byte{sealKey("of now")}
	})
	b := s.browser().mustLogin()
	bearer := func(token string) int {
		return s.browser().do("GET", "/api/contents", "", "Authorization", "Bearer "+token).StatusCode
	}
	token := s.op.AccessToken(oidctest.Grant{Sub: "alice", Audience: audience})
	if got := bearer(token); got != http.StatusOK {
		t.Fatalf("a good token: got %d", got)
	}
	s.op.Down()
	if !b.in() {
		t.Error("the session has ended")
	}
	if got := bearer(s.op.AccessToken(oidctest.Grant{Sub: "bob", Audience: audience})); got != http.StatusOK {
		t.Errorf("another token of a known key: got %d", got)
	}
	stranger := s.op.NewKey("RS256")
	unknown := s.op.AccessToken(oidctest.Grant{Sub: "alice", Audience: audience}, func(j *oidctest.JWT) { j.SignWith(stranger) })
	if got := bearer(unknown); got != http.StatusServiceUnavailable {
		t.Errorf("a token of an unknown key: got %d, want 503", got)
	}
	now.forward(10 * time.Minute) // the session is due
	if err := s.RefreshNow(b.session()); err == nil {
		t.Error("a refresh without a provider has succeeded")
	}
	if !b.in() {
		t.Error("the session has ended with a refresh that got no answer")
	}
	if a := s.browser().open("/auth/login"); a.StatusCode != http.StatusServiceUnavailable && a.StatusCode != http.StatusSeeOther {
		t.Errorf("a new login: got %d", a.StatusCode)
	}
	s.op.Up()
	now.forward(time.Minute)
	if err := s.RefreshNow(b.session()); err != nil || !b.in() {
		t.Errorf("after the outage: %v, in: %v", err, b.in())
	}
	if got := bearer(unknown); got != http.StatusUnauthorized {
		t.Errorf("a token of an unknown key, once that can be known: got %d, want 401", got)
	}
}

// FP04, FU22, J-37: what is asked of a login counts.
func TestWhatALoginHasToSay(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(pl *plan) { pl.provider.ACRValues = []string{"1"} })
	for _, c := range []struct {
		acr string
		in  bool
	}{{"1", true}, {"0", false}} {
		s.op.SetHooks(oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) { j.Claims["acr"] = c.acr }})
		b := s.browser()
		if a := b.login("/auth/login"); b.in() != c.in {
			t.Errorf("FP04 acr %s: got %d %s", c.acr, a.StatusCode, a.body)
		}
	}
	s = newStand(t, nil)
	s.op.SetHooks(oidctest.Hooks{OnUserInfo: func(claims map[string]any) { delete(claims, "email"); delete(claims, "email_verified") }})
	b := s.browser().mustLogin()
	if a := b.do("GET", "/", ""); !strings.Contains(a.body, "#alice") {
		t.Errorf("FU22 claims without e-mail: got %s", a.body)
	}
}

// JV62: two routes answer strangers alike, whatever they ask for.
func TestRoutesAnswerStrangersAlike(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	for _, path := range []string{"/", "/api/contents/demo"} {
		if a := b.do("GET", path, ""); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", path, a.StatusCode)
		}
		if a := b.open(path); a.StatusCode != http.StatusSeeOther {
			t.Errorf("%s as a navigation: got %d, want 303", path, a.StatusCode)
		}
	}
	if s.reached.Load() != 0 {
		t.Error("a handler was reached")
	}
}
