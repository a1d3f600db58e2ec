package oidcauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
)

// JV60: who isn't logged in and navigates is sent to the login page, anybody else is answered 401.
func TestLogin(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	a := b.open("/")
	if got, want := a.Header.Get("Location"), "/auth/login?next=%2F"; a.StatusCode != http.StatusSeeOther || got != want {
		t.Fatalf("GET /: got %d to %q, want 303 to %q", a.StatusCode, got, want)
	}
	for _, method := range []string{"GET", "PUT"} {
		if a := b.do(method, "/api/contents/demo", ""); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s /api/contents/demo: got %d, want 401", method, a.StatusCode)
		}
	}
	if s.reached.Load() != 0 {
		t.Fatal("a handler was reached")
	}
	last := b.login("/auth/login?next=%2Fpage%3Fx%3D1")
	if got := last.Header.Get("Location"); last.StatusCode != http.StatusSeeOther || got != "/page?x=1" {
		t.Fatalf("the login ends with %d to %q: %s", last.StatusCode, got, last.body)
	}
	if a := b.do("GET", "/", ""); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "oidc:"+s.op.Issuer()+"#alice") {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
	if n := b.flows(); n != 0 {
		t.Errorf("%d attempts are left in the browser", n)
	}
	if a := b.do("POST", "/auth/logout", ""); a.StatusCode != http.StatusNoContent {
		t.Errorf("POST /auth/logout: got %d %s", a.StatusCode, a.body)
	}
	if b.in() {
		t.Error("still logged in")
	}
}

// At another address than PublicURL no login begins, since its cookie wouldn't come back with the browser. The page leads to the
// right one, and the log tells the operator which Host came: behind a proxy that sends its own, the browser's address is right.
func TestLoginAtAnotherAddress(t *testing.T) {
	t.Parallel()
	s, _ := twoProviders(t)
	at := func(host, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = host
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		w := httptest.NewRecorder()
		s.Routes().ServeHTTP(w, r)
		return w
	}
	right := strings.TrimPrefix(s.url, "http://")
	if w := at(right, "/auth/login/corp"); w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		t.Fatalf("at the right address: got %d %s", w.Code, w.Body)
	}
	for _, path := range []string{"/auth/login", "/auth/login/corp"} {
		before := s.count(auth.EventOrigin)
		w := at("localhost:9", path)
		if w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 || w.Header().Get("Location") != "" {
			t.Errorf("%s: got %d and cookies %v", path, w.Code, w.Result().Cookies())
		}
		body := w.Body.String()
		if !strings.Contains(body, `href="`+s.url+`/auth/login"`) || strings.Contains(body, "/login/corp") {
			t.Errorf("%s: the page leads elsewhere than to %s: %s", path, s.url, body)
		}
		told := s.eventsOf(auth.EventOrigin)
		if len(told) != before+1 || !strings.Contains(told[len(told)-1].Reason, `"localhost:9"`) {
			t.Errorf("%s: got events %v", path, told)
		}
	}
}

// No scope is asked for twice, whatever the list in the configuration has of what is asked for anyhow.
func TestScopes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scopes []string
		keys   [][]byte
		want   string
	}{
		"none given":                          {nil, nil, "openid profile email"},
		"none wanted":                         {[]string{}, nil, "openid"},
		"openid in the list":                  {[]string{"openid", "groups"}, nil, "openid groups"},
		"with refresh tokens":                 {[]string{"groups"}, [][]byte{sealKey("a")}, "openid groups offline_access"},
		"with offline_access in the list too": {[]string{"offline_access", "groups"}, [][]byte{sealKey("a")}, "openid offline_access groups"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, func(pl *plan) { pl.provider.Scopes, pl.cfg.RefreshKeys = c.scopes, c.keys })
			s.browser().leave("/auth/login")
			pushed := s.op.Calls("par")
			if len(pushed) != 1 || pushed[0].Form.Get("scope") != c.want {
				t.Errorf("got %v, want the scope %q", pushed, c.want)
			}
		})
	}
}

// Not every provider takes pushed requests, and not every server can keep a secret: then the address holds what is asked, and
// PKCE alone says whose the code is.
func TestLoginWithoutPushedRequestsAndWithoutASecret(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(pl *plan) { pl.client.Auth = "none" })
	s.op.SetHooks(oidctest.Hooks{OnDiscovery: func(metadata map[string]any) {
		delete(metadata, "pushed_authorization_request_endpoint")
		delete(metadata, "require_pushed_authorization_requests")
	}})
	b := s.browser()
	leave := b.leave("/auth/login?next=/page")
	asked, err := url.Parse(leave)
	if err != nil {
		t.Fatal(err)
	}
	q := asked.Query()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("state") == "" || q.Get("nonce") == "" ||
		q.Get("redirect_uri") != s.url+"/auth/callback/corp" || q.Has("request_uri") || len(s.op.Calls("par")) != 0 {
		t.Errorf("asked with %v", q)
	}
	if a := b.open(b.back(leave)); a.Header.Get("Location") != "/page" || !b.in() {
		t.Fatalf("the login ends with %d to %q: %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	calls := s.op.Calls("token")
	if len(calls) != 1 {
		t.Fatalf("got %d calls of the token endpoint, want 1", len(calls))
	}
	sum := sha256.Sum256([]byte(calls[0].Form.Get("code_verifier")))
	if got := base64.RawURLEncoding.EncodeToString(sum[:]); got != q.Get("code_challenge") {
		t.Errorf("the verifier isn't that of the challenge")
	}
	if form := calls[0].Form; form.Get("client_id") != clientID || form.Has("client_secret") || form.Has("client_assertion") || calls[0].Header.Get("Authorization") != "" {
		t.Errorf("the token endpoint got %v", form)
	}
	// A code that somebody else has got hold of is worth nothing without the verifier.
	thief, victim := s.browser(), s.browser()
	stolen, err := url.Parse(victim.back(victim.leave("/auth/login")))
	if err != nil {
		t.Fatal(err)
	}
	if a := thief.open(withQuery(thief.back(thief.leave("/auth/login")), "code", stolen.Query().Get("code"))); a.StatusCode != http.StatusBadRequest || thief.in() {
		t.Errorf("a stolen code: got %d, in: %v", a.StatusCode, thief.in())
	}
}
