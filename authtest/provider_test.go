package authtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	if got := len(p.Calls("authorize")); got != 3 {
		t.Errorf("got %d calls, want 3", got)
	}
}
