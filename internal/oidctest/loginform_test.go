package oidctest_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/oidctest"
)

// browse is what a browser shows at rawURL, or after a form was posted there.
func browse(t *testing.T, p *oidctest.Provider, jar http.CookieJar, rawURL string, form url.Values) answer {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, rawURL, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, cookie := range jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	a := send(t, p, r)
	jar.SetCookies(r.URL, (&http.Response{Header: a.header}).Cookies())
	return a
}

var transaction = regexp.MustCompile(`name="transaction" value="([^"]+)"`)

// O-05 and the login page: each browser has its own session, and a page works once.
func TestTheLoginPage(t *testing.T) {
	t.Parallel()
	p := setup(t, func(c *oidctest.Config) {
		c.LoginForm = true
		c.Users = append(oidctest.People(), oidctest.User{Sub: `"><script>alert(1)</script>`})
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	to := p.Endpoint("authorize") + "?" + asked("login_hint", "bob").Encode()
	if back := browse(t, p, jar, to+"&prompt=none", nil).location(t).Query(); back.Get("error") != "login_required" {
		t.Errorf("prompt none: got %v, want login_required", back)
	}
	page := browse(t, p, jar, to, nil)
	found := transaction.FindStringSubmatch(page.body)
	if page.status != http.StatusOK || found == nil || !strings.Contains(page.body, `value="bob" autofocus`) ||
		strings.Contains(page.body, "<script>") {
		t.Fatalf("got %d %s, want the page with bob in focus, and no script", page.status, page.body)
	}
	for name, form := range map[string]url.Values{
		"no transaction":      {"user": {"alice"}},
		"another transaction": {"user": {"alice"}, "transaction": {"another"}},
	} {
		if a := browse(t, p, jar, p.Endpoint("login"), form); a.status != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", name, a.status)
		}
	}
	chosen := url.Values{"transaction": {found[1]}, "user": {"bob"}}
	back := browse(t, p, jar, p.Endpoint("login"), chosen).location(t).Query()
	_, claims := verified(t, p, redeem(t, p, back.Get("code")).text("id_token"))
	if claims["sub"] != "bob" || back.Get("state") != "s1" {
		t.Errorf("got %v for %v, want bob's login", claims["sub"], back)
	}
	if a := browse(t, p, jar, p.Endpoint("login"), chosen); a.status != http.StatusBadRequest {
		t.Errorf("the page again: got %d, want 400", a.status)
	}
	if back := browse(t, p, jar, to, nil).location(t).Query(); back.Get("code") == "" {
		t.Errorf("signed in already: got %v, want a code at once", back)
	}
	if a := browse(t, p, jar, to+"&prompt=login", nil); !transaction.MatchString(a.body) {
		t.Errorf("prompt login: got %d, want the page", a.status)
	}
	other, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	page = browse(t, p, other, to, nil)
	found = transaction.FindStringSubmatch(page.body)
	if found == nil {
		t.Fatalf("another browser: got %d, want the page", page.status)
	}
	back = browse(t, p, other, p.Endpoint("login"), url.Values{"transaction": {found[1]}, "user": {""}}).location(t).Query()
	if back.Get("error") != "access_denied" || back.Get("code") != "" {
		t.Errorf("who turns away: got %v, want access_denied", back)
	}
	// Signing out by the ID token ends the first browser's session.
	hint := redeem(t, p, browse(t, p, jar, to, nil).location(t).Query().Get("code")).text("id_token")
	browse(t, p, jar, endSession(p, url.Values{"id_token_hint": {hint}}), nil)
	if a := browse(t, p, jar, to, nil); !transaction.MatchString(a.body) {
		t.Errorf("signed out: got %d to %s, want the page", a.status, a.header.Get("Location"))
	}
}
