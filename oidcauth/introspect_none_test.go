package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// FP01: a provider that answers no questions about tokens knows none that it could be asked about: 401, not 503 for ever.
func TestProviderWithoutIntrospection(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(pl *plan) { pl.provider.API = &oidcauth.API{Introspect: true} })
	good := s.op.AccessToken(oidctest.Grant{Sub: "alice"})
	bearer := func(s *stand, text string) answer {
		return s.browser().do("GET", "/api/me", "", "Authorization", "Bearer "+text)
	}
	if a := bearer(s, good); a.StatusCode != http.StatusOK {
		t.Fatalf("with introspection: got %d %s", a.StatusCode, a.body)
	}
	first := s
	s = newStand(t, func(pl *plan) { pl.given, pl.provider.API = first.op, &oidcauth.API{Introspect: true} })
	s.op.SetHooks(oidctest.Hooks{OnDiscovery: func(metadata map[string]any) { delete(metadata, "introspection_endpoint") }})
	for _, text := range []string{good, "garbage"} {
		a := bearer(s, text)
		if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("without: got %d %q %s", a.StatusCode, a.Header.Get("WWW-Authenticate"), a.body)
		}
	}
	if !strings.Contains(s.log(), "introspection_endpoint") {
		t.Error("the log doesn't say why")
	}
}
