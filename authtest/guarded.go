package authtest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/ostiary/auth"
)

func guardRules() []rule {
	return []rule{
		{"guard", "CurrentUser(nil) answers 200 to who is known and 401 to everybody else, for whom the handler doesn't run", testGuard},
		{"permissions", "who lacks a permission gets 403, and the handler doesn't run; who holds it gets through", testPermissions},
		{"origin", "a foreign page can't act with a credential that the browser attaches: 403, and the handler doesn't run; it can't attach an explicit one", testOrigin},
		{"chain", "in a chain only ErrNoCredentials asks the next backend: nobody is served as somebody else than claimed", testChain},
		{"secrets", "a secret is in no log line, no error and no answer", testSecrets},
	}
}

// ask sends r to a handler behind a guard, and gives the answer and whom the handler saw; nil: it didn't run.
func (s *stand) ask(guard func(http.Handler) http.Handler, r *http.Request) (answer, *auth.Identity) {
	s.t.Helper()
	reached := make(chan *auth.Identity, 1)
	s.serve(guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id, _ := auth.IdentityFrom(r.Context())
		reached <- &id
	})))
	a := s.do(r)
	select {
	case id := <-reached:
		return a, id
	default:
		return a, nil
	}
}

// admits wants the handler to run for c, as the same person whom Identify gives.
func (s *stand) admits(guard func(http.Handler) http.Handler, c Credential, edit ...func(*http.Request)) {
	s.t.Helper()
	want := s.known(c)
	a, reached := s.ask(guard, s.edited(c, edit))
	if a.status != http.StatusOK || reached == nil {
		s.fail("a good credential: got %d and the handler %s, want 200", a.status, ran(reached))
	}
	if reached.ID != want.ID && c.given() {
		s.fail("the handler got identity %q, Identify gives %q", reached.ID, want.ID)
	}
}

// refuses wants the handler not to run for c.
func (s *stand) refuses(guard func(http.Handler) http.Handler, c Credential, status int, what string, edit ...func(*http.Request)) {
	s.t.Helper()
	a, reached := s.ask(guard, s.edited(c, edit))
	if a.status != status || reached != nil {
		s.fail("%s: got %d and the handler %s, want %d and not", what, a.status, ran(reached), status)
	}
}

// edited is a GET with c, changed by edit.
func (s *stand) edited(c Credential, edit []func(*http.Request)) *http.Request {
	r := s.request(http.MethodGet, c)
	for _, f := range edit {
		f(r)
	}
	return r
}

func ran(id *auth.Identity) string {
	if id == nil {
		return "didn't run"
	}
	return "ran as " + id.ID
}

func testGuard(s *stand) {
	guard := s.guard.CurrentUser(nil)
	s.admits(guard, s.Good)
	if s.Open {
		s.admits(guard, Credential{})
	} else {
		s.refuses(guard, Credential{}, http.StatusUnauthorized, "without a credential")
	}
	for _, c := range s.Wrong {
		s.refuses(guard, c, http.StatusUnauthorized, "a wrong credential")
	}
	for _, c := range s.Stale {
		s.refuses(guard, c, http.StatusUnauthorized, "a stale credential")
	}
	for _, c := range s.Forbidden {
		s.refuses(guard, c, http.StatusForbidden, "a forbidden credential")
	}
}

func testPermissions(s *stand) {
	s.need(s.Holds != nil || s.Lacks != nil, "Holds and no Lacks")
	if s.Holds != nil {
		s.admits(s.guard.CurrentUser(s.Holds), s.Good)
	}
	if s.Lacks != nil {
		s.admits(s.guard.CurrentUser(nil), s.Good)
		s.refuses(s.guard.CurrentUser(s.Lacks), s.Good, http.StatusForbidden, "a permission that it lacks")
	}
}

func foreign(r *http.Request) {
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
}

func (s *stand) own(r *http.Request) {
	r.Header.Set("Origin", s.server.URL)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
}

func post(r *http.Request) { r.Method = http.MethodPost }

func testOrigin(s *stand) {
	guard := s.guard.CurrentUser(nil)
	s.admits(guard, s.Good, post, s.own)
	if s.Good.Explicit {
		s.admits(guard, s.Good, post, foreign)
	} else {
		s.refuses(guard, s.Good, http.StatusForbidden, "a POST from a foreign page", post, foreign)
	}
}

func testChain(s *stand) {
	const next = "authtest:next"
	before := s.guard.CurrentUser(nil) // where the backend is an Auth, this guard follows the chain from then on
	chain, err := auth.New(s.cfg, s.Backend, auth.BackendFunc(func(*http.Request) (*auth.Identity, error) {
		return &auth.Identity{ID: next, User: auth.User{Username: "next"}, Explicit: true}, nil
	}))
	if err != nil {
		s.fail("a chain over the backend: %v", err)
	}
	guards := []func(http.Handler) http.Handler{chain.CurrentUser(nil)}
	if _, ok := s.Backend.(auth.Auth); ok {
		guards = append(guards, before)
	}
	for _, guard := range guards {
		s.admits(guard, s.Good)
		passed := s.Stale
		if !s.Open {
			passed = append([]Credential{{}}, passed...)
		}
		for _, c := range passed {
			if a, reached := s.ask(guard, s.request(http.MethodGet, c)); reached == nil || reached.ID != next {
				s.fail("none of its credentials: got %d and the handler %s, want it to run for the next backend's %q", a.status, ran(reached), next)
			}
		}
		for _, c := range s.Wrong {
			s.refuses(guard, c, http.StatusUnauthorized, "a wrong credential")
		}
		for _, c := range s.Forbidden {
			s.refuses(guard, c, http.StatusForbidden, "a forbidden credential")
		}
	}
}

func testSecrets(s *stand) {
	tested := false
	for _, c := range s.everything() {
		if c.Secret == "" {
			continue
		}
		tested = true
		o := s.identify(c)
		answers := []answer{}
		for _, required := range []auth.Permissions{nil, {"authtest": {"nobody"}}} {
			for _, edit := range [][]func(*http.Request){nil, {post, foreign}, {navigation}} {
				a, _ := s.ask(s.guard.CurrentUser(required), s.edited(c, edit))
				a.header.Del("Set-Cookie") // where a credential may be handed out
				answers = append(answers, a)
			}
		}
		for _, secret := range []string{c.Secret, url.QueryEscape(c.Secret), url.PathEscape(c.Secret)} {
			if o.err != nil && strings.Contains(o.err.Error(), secret) {
				s.fail("the error of Identify holds the secret")
			}
			for _, a := range answers {
				if strings.Contains(a.body, secret) || headerHolds(a.header, secret) {
					s.fail("an answer with status %d holds the secret", a.status)
				}
			}
			if strings.Contains(s.logged.String(), secret) {
				s.fail("the log holds the secret")
			}
		}
	}
	s.need(tested, "Credential with a Secret")
}

func headerHolds(h http.Header, secret string) bool {
	for _, values := range h {
		for _, value := range values {
			if strings.Contains(value, secret) {
				return true
			}
		}
	}
	return false
}

// navigation makes r what a browser sends for a link that was typed.
func navigation(r *http.Request) {
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "none")
}
