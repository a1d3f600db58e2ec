package oidcauth_test

import (
	"net/http"
	"testing"

	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// J-45, O-29: a person who is disabled comes in by no linked account either, whose sessions end.
func TestDisabledBehindALink(t *testing.T) {
	t.Parallel()
	l := newLinked(t, nil, func(pl *plan) {
		pl.client.Audience = audience
		pl.provider.API = &oidcauth.API{Audience: audience}
	})
	l.browser().locally("ann").mustLink()
	in := l.browser()
	if in.login("/auth/login"); in.who() != l.idOf("ann") {
		t.Fatalf("the good case: got %q", in.who())
	}
	token := "Bearer " + l.token(oidctest.Grant{})
	l.admits("her token", token)
	if err := l.People().SetDisabled(t.Context(), l.person("alice"), true); err != nil {
		t.Fatal(err)
	}
	l.refuses("J-45 the person is disabled: her token", http.StatusForbidden, token)
	until(t, "the session that the link began has ended", func() bool { return in.who() == "" })
	again := l.browser()
	if a := again.login("/auth/login"); a.StatusCode != http.StatusForbidden || again.who() != "" {
		t.Errorf("O-29: got %d as %q, want 403 and nobody", a.StatusCode, again.who())
	}
}
