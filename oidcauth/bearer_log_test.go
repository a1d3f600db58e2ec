package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
)

// The caller learns that a token was refused, and the log which check did it: nobody could register an API right without that.
// The token itself is nowhere.
func TestTheLogSaysWhyATokenIsRefused(t *testing.T) {
	t.Parallel()
	s := apiStand(t, nil)
	s.admits("a good one", "Bearer "+s.token(oidctest.Grant{Scope: reads}))
	claim := func(name string, value any) func(*oidctest.JWT) {
		return func(j *oidctest.JWT) { j.Claims[name] = value }
	}
	for name, c := range map[string]struct {
		change func(*oidctest.JWT)
		want   string
	}{
		"for another resource": {claim("aud", "https://other.example"), `"aud": names another resource`},
		"of another type":      {func(j *oidctest.JWT) { j.Header["typ"] = "JWT" }, `"header.typ": not that of an access token`},
		"over":                 {claim("exp", time.Now().Add(-time.Hour).Unix()), `"exp": missing or over`},
		"cut short": {func(j *oidctest.JWT) {
			j.Edit = func(compact string) string { return compact[:strings.LastIndexByte(compact, '.')] }
		}, "not in the compact form"},
	} {
		token := s.token(oidctest.Grant{Scope: reads}, c.change)
		s.refuses(name, http.StatusUnauthorized, "Bearer "+token)
		told := s.eventsOf(auth.EventLoginFailed)
		if len(told) == 0 || !strings.Contains(told[len(told)-1].Reason, c.want) {
			t.Errorf("%s: got %v, want %s in the last reason", name, told, c.want)
		}
		if log := s.log(); strings.Contains(log, token[:40]) || !strings.Contains(log, strings.ReplaceAll(c.want, `"`, `\"`)) {
			t.Errorf("%s: the log has the token, or not the reason: %s", name, log)
		}
	}
}
