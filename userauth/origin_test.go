package userauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// L-03 to L-07, L-16: no token in a form, the origin decides. A page of another site logs nobody in, and changes nothing
// with its visitor's cookie.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	for name, o := range foreign() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.add("alice", siteWrites)
			s.add("eve", nil)
			b := s.in("alice")
			link := s.link("alice", "alice at corp")
			before := dump(t, s.db)
			json := []option{with("Content-Type", "application/json"), o}
			form := []option{navigating, with("Sec-Fetch-Site"), with("Content-Type", "application/x-www-form-urlencoded"), o}
			for request, got := range map[string]answer{
				"a login by JSON":   s.browser().do("POST", "/auth/login", `{"username":"eve","password":"`+sitePassword+`"}`, json...),
				"a login by a form": s.browser().do("POST", "/auth/login", credentials("eve", sitePassword).Encode(), form...),
				"the victim's":      b.do("POST", "/auth/login", credentials("eve", sitePassword).Encode(), form...),
				"logout":            b.do("POST", "/auth/logout", "", form...),
				"JS93 a note":       b.do("PUT", "/api/contents/demo", `{"text":"x"}`, json...),
				"a profile":         b.do("PATCH", "/auth/me", `{"name":"x"}`, json...),
				"a profile's form":  b.do("POST", "/auth/me", "name=x", form...),
				"/api/me":           b.do("PATCH", "/api/me", `{"name":"x"}`, json...),
				"a password":        b.do("POST", "/auth/password", `{"current":"`+sitePassword+`","new":"`+nextPassword+`"}`, json...),
				"sessions":          b.do("DELETE", "/auth/sessions", "", o),
				"a session's form":  b.do("POST", "/auth/sessions/end", "", form...),
				"a link":            b.do("DELETE", "/auth/links/"+link.ID, "", o),
				"a link's form":     b.do("POST", "/auth/links/"+link.ID+"/end", "", form...),
			} {
				if refused(t, request, got, http.StatusForbidden); len(got.Cookies) != 0 {
					t.Errorf("%s: got cookies %v", request, got.Cookies)
				}
			}
			if dump(t, s.db) != before || s.note("demo") != "hello" {
				t.Error("something has changed")
			}
			admitted(t, "afterwards", b.get("/"))
		})
	}
}

func TestOurOwnPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("alice", siteWrites)
	b := s.in("alice")
	for name, options := range map[string][]option{
		"JS95 same-origin":                   {with("Origin", "http://127.0.0.1:8888"), with("Sec-Fetch-Site", "same-origin")},
		"L-05 an old browser":                {with("Origin", "http://127.0.0.1:8888"), with("Sec-Fetch-Site")},
		"L-05 no browser":                    {with("Sec-Fetch-Site")},
		"our form without a Referrer-Policy": {with("Origin", "null"), with("Sec-Fetch-Site", "same-origin")},
	} {
		text := `{"text":"` + name + `"}`
		if admitted(t, name, b.json(http.MethodPut, "/api/contents/demo", text, options...)); s.note("demo") != name {
			t.Errorf("%s: the note is %q", name, s.note("demo"))
		}
	}
	t.Run("JS92 a link from another site opens the page", func(t *testing.T) {
		admitted(t, "GET", b.navigate("/", with("Sec-Fetch-Site", "cross-site")))
	})
	t.Run("R-27 a name that was pointed at this server gets nothing for the cookie", func(t *testing.T) {
		refused(t, "GET", b.get("/", to("evil.example:8888")), http.StatusForbidden)
		refused(t, "login", s.browser().login("alice", sitePassword, to("evil.example:8888")), http.StatusForbidden)
	})
}

// L-06, L-07, L-09: with a PublicURL scheme, host and port count, to the letter.
func TestPublicOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t, at("https://app.example"), func(c *userauth.Config) {
		c.Auth.AllowedHosts = []string{"127.0.0.1:8080"}
		c.Auth.TrustedOrigins = []string{"https://trusted.example"}
	})
	s.add("alice", siteWrites)
	b := s.in("alice")
	for _, tc := range []struct {
		origin, host string
		status       int
	}{
		{"https://app.example", "app.example", 200},
		{"https://app.example", "127.0.0.1:8080", 200}, // L-09
		{"https://app.example", "127.0.0.1:9090", 403},
		{"https://app.example", "evil.example", 403},
		{"https://trusted.example", "app.example", 200},
		{"http://app.example", "app.example", 403},
		{"https://app.example:8443", "app.example", 403},
		{"https://app.example:443", "app.example", 403},
		{"https://APP.EXAMPLE", "app.example", 403},
		{"https://app.example.evil.example", "app.example", 403},
		{"https://other.app.example", "app.example", 403},
		{"http://trusted.example", "app.example", 403},
		{"null", "app.example", 403},
	} {
		s.setNote("demo", "before")
		got := b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`, to(tc.host), with("Origin", tc.origin), with("Sec-Fetch-Site"))
		if got.Status != tc.status || (s.note("demo") == "x") != (tc.status == 200) {
			t.Errorf("%s at %s: got %d, want %d", tc.origin, tc.host, got.Status, tc.status)
		}
		login := s.browser().login("alice", sitePassword, to(tc.host), with("Origin", tc.origin), with("Sec-Fetch-Site"))
		if login.Status != tc.status || (login.sessionCookie() != nil) != (tc.status == 200) {
			t.Errorf("%s at %s: a login got %d and cookies %v, want %d", tc.origin, tc.host, login.Status, login.Cookies, tc.status)
		}
	}
}

// JS105 and W-03: handshakes.
func TestOriginOfHandshakes(t *testing.T) {
	t.Parallel()
	t.Run("JS105 no pattern is a trusted origin", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		_, err := userauth.New(t.Context(), userauth.Config{DB: s.db, Auth: auth.Config{TrustedOrigins: []string{"*"}}})
		if err == nil || !strings.Contains(err.Error(), "TrustedOrigins") {
			t.Errorf("got %v, want an error that names TrustedOrigins", err)
		}
	})
	t.Run("JS105 W-04 which origins open", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("alice", siteWrites)
		b := s.in("alice")
		for _, origins := range [][]string{
			{""}, {"null"}, {"https://evil.example"}, {"https://" + s.host + ".evil.example"}, {"HTTP://" + s.host}, {"http://" + s.host, "https://evil.example"}, {"http://127.0.0.1:1"},
		} {
			for who, b := range map[string]*browser{"alice": b, "a stranger": s.browser()} {
				if conn, status := b.dial("/api/room/demo", with("Origin", origins...)); conn != nil || status != http.StatusForbidden {
					t.Errorf("%s from %q: got %d, want 403 before the upgrade", who, origins, status)
				}
			}
		}
		if n := s.entered.Load(); n != 0 {
			t.Errorf("the handler ran %d times", n)
		}
		b.enter(with("Origin"))
		b.enter()
	})
}
