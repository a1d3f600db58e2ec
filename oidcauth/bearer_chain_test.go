package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
	"github.com/ostiary/auth/tokenauth"
	"github.com/ostiary/auth/userauth"
)

const sharedToken = "6fd1f5c6a3be4f0a9c27b8d05e13f4a2b69c7d80e1f2a3b4"

// A chain of userauth, a provider and a shared token: each token is one backend's, a wrong one is nobody's, and none is ever
// served as the user of the cookie beside it.
func TestTokensInAChain(t *testing.T) {
	t.Parallel()
	for name, introspect := range map[string]bool{"JWTs": false, "opaque tokens too": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var users *userauth.Auth
			var chain auth.Auth
			s := newStand(t, func(pl *plan) {
				pl.provider.API = &oidcauth.API{Audience: audience, Introspect: introspect}
				pl.prepare = func(_ *stand, cfg *oidcauth.Config) {
					own := userauth.Config{Auth: cfg.Auth, DB: cfg.DB}
					own.Auth.MountPath = "/users"
					users = must(userauth.New(t.Context(), own))
					t.Cleanup(func() { _ = users.Close() })
				}
				pl.wrap = func(s *stand, h http.Handler) http.Handler {
					backends := []auth.Backend{users, s.Auth}
					if !introspect { // else what the provider doesn't know is refused before another is asked
						tokens := must(tokenauth.New(t.Context(), tokenauth.Config{Token: sharedToken, Auth: auth.Config{PublicURL: s.url, MountPath: "/token"}}))
						t.Cleanup(func() { _ = tokens.Close() })
						backends = append(backends, tokens)
					}
					chain = must(auth.New(auth.Config{PublicURL: s.url}, backends...))
					mux := http.NewServeMux()
					mux.Handle("/users/", users.Routes())
					mux.Handle("/", h)
					return mux
				}
			})
			must(users.Accounts().Add(t.Context(), userauth.NewAccount{Username: "ann", Password: localPassword}))
			testChain(t, s, users, chain, introspect)
		})
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func testChain(t *testing.T, s *stand, users *userauth.Auth, chain auth.Auth, introspect bool) {
	_, own, err := users.Accounts().AddToken(t.Context(), "ann", userauth.NewToken{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	const annID = "user:1"
	ann, alice := s.browser().locally("ann"), s.browser().mustLogin()
	cookies := func(b *browser) (all []string) {
		r, _ := http.NewRequest(http.MethodGet, s.url, nil)
		for _, c := range b.jar.Cookies(r.URL) {
			all = append(all, c.Name+"="+c.Value)
		}
		return all
	}
	ask := func(authorization string, b *browser) (status int, id string) {
		h := chain.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			who, _ := auth.IdentityFrom(r.Context())
			id = who.ID
		}))
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, s.url+"/api/any", nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if b != nil {
			r.Header.Set("Cookie", strings.Join(cookies(b), "; "))
		}
		h.ServeHTTP(w, r)
		return w.Code, id
	}
	for name, b := range map[string]*browser{"no cookie": nil, "beside ann's cookie": ann, "beside alice's cookie": alice} {
		good := map[string][2]string{
			"a JWT":               {"Bearer " + s.token(oidctest.Grant{Sub: "bob", Audience: audience}), s.person("bob")},
			"an API token":        {"Bearer " + own, annID},
			"the scheme in small": {"bearer " + own, annID},
		}
		bad := map[string]string{
			"a foreign JWT":            s.token(oidctest.Grant{Audience: audience}, claim("iss", "https://evil.example")),
			"a wrong JWT":              s.token(oidctest.Grant{Audience: "https://other.example"}),
			"a broken JWT":             s.token(oidctest.Grant{Audience: audience}) + "x",
			"an API token that is off": own[:len(own)-1] + "!",
			"one that never was":       "ost_" + strings.Repeat("A", 49),
			"garbage":                  "garbage",
		}
		if introspect {
			good["an opaque token"] = [2]string{"Bearer " + s.token(oidctest.Grant{Sub: "bob"}), s.person("bob")}
		} else {
			good["the shared token"] = [2]string{"Bearer " + sharedToken, "token:"}
			bad["an opaque token of the provider's"] = s.token(oidctest.Grant{Sub: "bob"})
		}
		for token, c := range good {
			if status, id := ask(c[0], b); status != http.StatusOK || !strings.HasPrefix(id, c[1]) {
				t.Errorf("%s, %s: got %d as %q, want %q", token, name, status, id, c[1])
			}
		}
		for token, text := range bad {
			if status, id := ask("Bearer "+text, b); status != http.StatusUnauthorized || id != "" {
				t.Errorf("%s, %s: got %d as %q, want 401", token, name, status, id)
			}
		}
	}
	for name, c := range map[string]struct {
		b  *browser
		id string
	}{"ann's": {ann, annID}, "alice's": {alice, s.person("alice")}} {
		if status, id := ask("", c.b); status != http.StatusOK || id != c.id {
			t.Errorf("%s cookie alone: got %d as %q, want %q", name, status, id, c.id)
		}
	}
	for _, call := range s.op.Calls("introspect") {
		if strings.HasPrefix(call.Form.Get("token"), "ost_") {
			t.Error("the provider has seen an API token of this server's")
		}
	}
}
