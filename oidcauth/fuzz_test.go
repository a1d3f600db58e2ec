package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Whatever a stranger sends to the pages, none answers with success where there is nothing to succeed in, sends a browser to
// another site than the provider, sets a session cookie or has the provider asked about a code.
func FuzzPages(f *testing.F) {
	s := newStand(f, nil)
	for _, seed := range []string{
		"/callback/corp?state=x&code=y", "/callback/corp?error=access_denied&state=x", "/login?next=//evil.example", "/login?iss=https://evil.example",
		"/login/corp?target_link_uri=https://evil.example&login_hint=%ff", "/frontchannel-logout/corp?iss=x&sid=y", "/logged-out?state=a&state=b",
		"/callback/corp?%zz", "/login/%2e%2e", "/callback/corp?state=\x00;code=1", "/login?prompt=none&prompt=none",
	} {
		f.Add(seed, "")
		f.Add(seed, "ostiary-oidc-flow-00000000=x; ostiary-oidc=y")
	}
	u, err := url.Parse(s.url)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target, cookies string) {
		r := httptest.NewRequest(http.MethodGet, "/auth/", nil)
		path, query, _ := strings.Cut(target, "?")
		r.URL.Path, r.URL.RawQuery, r.Host = "/auth"+path, query, u.Host
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Cookie", cookies)
		w := httptest.NewRecorder()
		s.Routes().ServeHTTP(w, r)
		if location := w.Header().Get("Location"); location != "" && !strings.HasPrefix(location, s.op.Issuer()+"/") {
			if !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") || strings.HasPrefix(location, `/\`) {
				t.Errorf("%q: got sent to %q", target, location)
			}
		}
		for _, c := range w.Result().Cookies() {
			if !strings.Contains(c.Name, "-flow-") && c.MaxAge >= 0 {
				t.Errorf("%q: the cookie %s was set", target, c.Name)
			}
		}
		if strings.HasPrefix(r.URL.Path, "/auth/callback/") && w.Code < 400 {
			t.Errorf("%q: got %d", target, w.Code)
		}
		if len(s.op.Calls("token")) != 0 {
			t.Errorf("%q: the provider was asked about a code", target)
		}
		s.op.Reset()
	})
}
