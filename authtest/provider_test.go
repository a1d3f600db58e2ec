package authtest_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ostiary/auth/authtest"
)

// A test of an API that takes JWT access tokens: the provider mints one for alice, whose permissions are in it.
func ExampleNewProvider() {
	t := &testing.T{} // the test's own, which would end the provider too
	p := authtest.NewProvider(t, authtest.ProviderConfig{
		Clients: []authtest.ProviderClient{{ID: "app", Secret: "secret", Audience: "https://api.example"}},
		Users:   []authtest.ProviderUser{{Sub: "alice", Access: map[string]any{"permissions": []string{"contents:read"}}}},
	})
	defer p.Close()

	// ... the application is made with the issuer p.Issuer(), and asked as alice:
	r := httptest.NewRequest("GET", "/api/me", nil)
	r.Header.Set("Authorization", "Bearer "+p.AccessToken(authtest.ProviderGrant{Sub: "alice", Scope: "openid"}))

	// The provider knows what it was asked, and what it wasn't.
	fmt.Println("introspections:", len(p.Calls("introspect")))
	// Output: introspections: 0
}

// An application's own test gets a provider that conforms, with whoever it wants signed in, and can have it misbehave.
func TestNewProvider(t *testing.T) {
	t.Parallel()
	const callback = "https://app.example/auth/callback/sso"
	p := authtest.NewProvider(t, authtest.ProviderConfig{
		Clients: []authtest.ProviderClient{{ID: "app", Secret: "s", RedirectURIs: []string{callback}, SkipPKCE: true}},
	})
	client := p.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ask := func() url.Values {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Endpoint("authorize")+"?"+url.Values{
			"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"},
		}.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		to, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		return to.Query()
	}
	if back := ask(); back.Get("error") != "access_denied" {
		t.Errorf("nobody signed in: got %v, want access_denied", back)
	}
	p.SignIn("alice")
	if back := ask(); back.Get("code") == "" || back.Get("iss") != p.Issuer() {
		t.Errorf("alice signed in: got %v, want a code", back)
	}
	p.SetHooks(authtest.ProviderHooks{OnCallback: func(params url.Values) { params.Del("iss") }})
	if back := ask(); back.Has("iss") {
		t.Errorf("misbehaving: got %v, want no iss", back)
	}
	lacking := p.AccessToken(authtest.ProviderGrant{Sub: "alice", Audience: "https://api.example"}, func(j *authtest.ProviderJWT) { delete(j.Claims, "exp") })
	if claims, err := base64.RawURLEncoding.DecodeString(strings.Split(lacking, ".")[1]); err != nil || strings.Contains(string(claims), `"exp"`) {
		t.Errorf("a token without exp: got %s, %v", claims, err)
	}
	if got := len(p.Calls("authorize")); got != 3 {
		t.Errorf("got %d calls, want 3", got)
	}
}

// Whoever is outside of this module can name all that there is to change: the hooks' tokens, keys, faults, and what to expect.
func TestProviderThatMisbehaves(t *testing.T) {
	t.Parallel()
	p := authtest.NewProvider(t, authtest.ProviderConfig{Clients: []authtest.ProviderClient{{ID: "app", Audience: "https://api.example"}}})
	parts := func(token string) (header, claims string) {
		t.Helper()
		part := strings.Split(token, ".")
		if len(part) != 3 {
			t.Fatalf("got %q, want a JWT", token)
		}
		h, err := base64.RawURLEncoding.DecodeString(part[0])
		c, err2 := base64.RawURLEncoding.DecodeString(part[1])
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		return string(h), string(c)
	}
	header, claims := parts(p.AccessToken(authtest.ProviderGrant{Sub: "alice"}))
	if !strings.Contains(claims, `"sub":"alice"`) {
		t.Fatalf("as it is: got %s", claims)
	}
	byStranger := func(key authtest.ProviderKey) func(*authtest.ProviderJWT) {
		return func(j *authtest.ProviderJWT) {
			j.Claims["sub"] = "bob"
			j.SignWith(key)
		}
	}
	header2, claims2 := parts(p.AccessToken(authtest.ProviderGrant{Sub: "alice"}, byStranger(p.NewKey("ES256"))))
	if !strings.Contains(claims2, `"sub":"bob"`) || header2 == header {
		t.Errorf("changed: got %s %s", header2, claims2)
	}
	p.SetHooks(authtest.ProviderHooks{
		Faults: map[string]authtest.ProviderFault{"jwks": func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		}},
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Endpoint("jwks"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("the fault: got %d", resp.StatusCode)
	}
	if calls := p.Calls("jwks"); len(calls) != 1 {
		t.Errorf("got %d calls, want 1", len(calls))
	}
	refused := 0
	for _, b := range authtest.ProviderBehaviours() {
		if b.Stage == authtest.ProviderLogin && b.Want == authtest.ProviderRefuse {
			refused++
		}
	}
	if refused < 100 {
		t.Errorf("got %d behaviours that a login refuses", refused)
	}
}
