package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth"
)

// C-01, C-02, C-04, C-06, C-07, C-12, C-13: the names and attributes of cookies over https and http, set and deleted.
func TestCookieOfTheSession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		publicURL, session, flow string
		secure                   bool
	}{
		{"https://app.example", "__Host-ostiary-oidc", "__Host-ostiary-oidc-flow-", true},
		{"http://127.0.0.1:8888", "ostiary-oidc-8888", "ostiary-oidc-flow-", false},
	} {
		a, op, _, _ := newConforming(t, auth.Config{PublicURL: c.publicURL})
		check := func(what string, got *http.Cookie) {
			t.Helper()
			if got.Secure != c.secure || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" || got.Domain != "" {
				t.Errorf("%s: %s: got %v", c.publicURL, what, got)
			}
		}
		op.SignIn("alice")
		left := direct(t, a.Routes(), c.publicURL+"/auth/login")
		if cookies := left.Cookies(); len(cookies) != 1 || !strings.HasPrefix(cookies[0].Name, c.flow) || cookies[0].MaxAge != 600 {
			t.Errorf("%s: leaving: got %v", c.publicURL, cookies)
		} else {
			check("leaving", cookies[0])
		}
		back := roundTrip(t, a.Routes(), c.publicURL+"/auth/login")
		cookies := map[bool]*http.Cookie{}
		for _, got := range back.Cookies() {
			check("back", got)
			cookies[strings.Contains(got.Name, "-flow-")] = got
		}
		if flow := cookies[true]; len(cookies) != 2 || flow == nil || flow.MaxAge >= 0 || flow.Value != "" {
			t.Errorf("%s: back: got %v, want the attempt's to be deleted", c.publicURL, back.Cookies())
		}
		session := cookies[false]
		if session == nil || session.Name != c.session || session.MaxAge != 30*24*3600 || len(session.Value) != 43 {
			t.Fatalf("%s: back: got %v", c.publicURL, session)
		}
		for _, got := range direct(t, a.CurrentUser(nil)(http.NotFoundHandler()), c.publicURL+"/", &http.Cookie{Name: session.Name, Value: strings.Repeat("A", 43)}).Cookies() {
			check("C-13 a stale one", got)
			if got.Name != session.Name || got.MaxAge >= 0 {
				t.Errorf("%s: C-13: got %v, want it to be deleted", c.publicURL, got)
			}
		}
		// C-04, C-06, C-07: only the cookie of this very name is read.
		for _, name := range []string{"ostiary-oidc", strings.ToLower(session.Name) + "x", "__host-ostiary-oidc", "__Secure-ostiary-oidc", strings.ToUpper(session.Name), "ostiary-oidc-9"} {
			if got := direct(t, a.CurrentUser(nil)(http.NotFoundHandler()), c.publicURL+"/", &http.Cookie{Name: name, Value: session.Value}); got.StatusCode != http.StatusSeeOther {
				t.Errorf("%s: as %s: got %d, want the login page", c.publicURL, name, got.StatusCode)
			}
		}
		if got := direct(t, a.CurrentUser(nil)(http.NotFoundHandler()), c.publicURL+"/", session); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: as it should be: got %d", c.publicURL, got.StatusCode)
		}
	}
}

// L-01, L-02: each login begins a session of its own, and the one that the browser had is over, wherever its cookie is.
func TestLoginAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	cookie, first := b.mustLogin().cookie()
	planted := s.browser()
	planted.keep(cookie, strings.Repeat("B", 43))
	planted.mustLogin()
	if planted.session() == strings.Repeat("B", 43) {
		t.Error("L-01: a planted cookie became a session")
	}
	// Whoever is logged in isn't asked to log in again, but for an attempt that began before.
	other := s.browser()
	location := other.back(other.leave("/auth/login"))
	other.keep(cookie, first)
	if a := other.open(location); a.StatusCode != http.StatusSeeOther || other.session() == first || other.session() == "" {
		t.Fatalf("L-02: got %d, and the session %q again", a.StatusCode, other.session())
	}
	if !other.in() || b.in() {
		t.Errorf("L-02: in: %v with the new cookie, %v with the old one", other.in(), b.in())
	}
}
