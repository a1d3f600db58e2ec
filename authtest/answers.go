package authtest

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/ostiary/auth"
)

func answerRules() []rule {
	return []rule{
		{"challenge", "a Challenge leads to a page of the application, and sets no cookie but to delete a stale one; a cookie is HttpOnly", testChallenge},
		{"respond", "Respond sets cookies that are HttpOnly, and goes on to a page of the application, without the credential in its address", testRespond},
		{"vary", "Vary names headers in their canonical form", testVary},
		{"routes", "the Routes of a Plugin answer strangers without a fault, and 404 to what isn't there", testRoutes},
	}
}

func testChallenge(s *stand) {
	c, ok := s.Backend.(auth.Challenger)
	s.need(ok, "Challenger for a backend")
	for _, credential := range s.everything() {
		for _, why := range []error{auth.ErrNoCredentials, auth.ErrInvalidCredentials} {
			challenges := make(chan auth.Challenge, 1)
			s.onArrival(s.request(http.MethodGet, credential), func(r *http.Request) { challenges <- c.Challenge(r, why) })
			ch := <-challenges
			if ch.LoginPath != "" && !ownPath(ch.LoginPath) {
				s.fail("the login page is at %q, want a path that begins with one slash", ch.LoginPath)
			}
			for _, value := range ch.WWWAuthenticate {
				if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					s.fail("WWW-Authenticate is %q", value)
				}
				if credential.Secret != "" && strings.Contains(value, credential.Secret) {
					s.fail("WWW-Authenticate holds the secret")
				}
			}
			for _, cookie := range ch.SetCookies {
				s.checkCookie(cookie)
				if cookie.MaxAge >= 0 {
					s.fail("a refusal sets cookie %q", cookie.Name)
				}
			}
		}
	}
}

// ownPath reports whether a browser stays on the site with p. Two slashes, or a backslash for one, begin a host's name.
func ownPath(p string) bool {
	return strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "//") && !strings.ContainsAny(p, "\\\t\r\n")
}

func (s *stand) checkCookie(c *http.Cookie) {
	s.t.Helper()
	switch err := c.Valid(); {
	case err != nil:
		s.fail("cookie %q can't be set: %v", c.Name, err)
	case !c.HttpOnly:
		s.fail("cookie %q isn't HttpOnly: scripts can read it", c.Name)
	case !strings.HasPrefix(c.Path, "/"):
		s.fail("cookie %q has path %q", c.Name, c.Path)
	case c.SameSite == http.SameSiteNoneMode || c.SameSite == 0 && c.MaxAge >= 0:
		s.fail("cookie %q goes out with what foreign pages send: SameSite isn't set", c.Name)
	}
}

func testRespond(s *stand) {
	b, ok := s.Backend.(auth.Responder)
	s.need(ok, "Responder for a backend")
	credentials := []Credential{s.Good}
	if s.Open {
		credentials = append(credentials, Credential{})
	}
	for _, c := range credentials {
		for _, edit := range [][]func(*http.Request){{navigation}, {post, s.own}} {
			type result struct {
				effects auth.Effects
				err     error
			}
			results := make(chan result, 1)
			s.onArrival(s.edited(c, edit), func(r *http.Request) {
				id, err := s.Backend.Identify(r)
				if err != nil {
					results <- result{err: err}
					return
				}
				effects, err := b.Respond(r, id)
				results <- result{effects, err}
			})
			got := <-results
			if got.err != nil {
				s.fail("Respond to a good credential: got error %q", got.err)
			}
			to := got.effects.RedirectTo
			if to != "" && !ownPath(to) {
				s.fail("Respond goes on to %q, want a path that begins with one slash", to)
			}
			if c.Secret != "" && strings.Contains(to, c.Secret) {
				s.fail("Respond goes on to an address with the credential in it")
			}
			for _, cookie := range got.effects.SetCookies {
				s.checkCookie(cookie)
			}
		}
	}
}

func testVary(s *stand) {
	v, ok := s.Backend.(auth.Varier)
	s.need(ok, "Varier for a backend")
	for _, name := range v.Vary() {
		if name == "" || name != textproto.CanonicalMIMEHeaderKey(name) || strings.ContainsAny(name, ", \r\n") {
			s.fail("Vary names %q", name)
		}
	}
}

func testRoutes(s *stand) {
	p, ok := s.Backend.(auth.Plugin)
	s.need(ok, "Plugin for a backend")
	s.serve(p.Routes())
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		for _, path := range []string{"/auth/login", "/auth/logout", "/auth/authtest/nothing", "/auth", "/auth/"} {
			r := s.request(method, Credential{})
			r.URL.Path = path
			a := s.do(r)
			if a.status >= http.StatusInternalServerError {
				s.fail("%s %s: got %d from a stranger's request", method, path, a.status)
			}
			if method == http.MethodGet && strings.HasSuffix(path, "nothing") && a.status < http.StatusBadRequest {
				s.fail("%s %s: got %d, want 404", method, path, a.status)
			}
		}
	}
}
