package userauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// allocsWriter takes an answer without allocating.
type allocsWriter struct {
	header http.Header
	status int
}

func (w *allocsWriter) Header() http.Header         { return w.header }
func (w *allocsWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *allocsWriter) WriteHeader(status int)      { w.status = status }

// A request that a session's cookie or an API token proves costs one allocation over bare chi: the guard's box. One whose cookie can't be
// a token costs none before the answer. AllocsPerRun counts the whole process: not parallel.
func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newSite(t, func(c *userauth.Config) { c.Auth.OnEvent = nil })
	s.role("writer", auth.Permissions{"contents": {"write"}})
	s.add("alice", siteReads, "writer")
	name, token := s.in("alice").session()
	text := s.token("alice", userauth.NewToken{Name: "x", Permissions: siteWrites})
	reached := 0
	next := func(http.ResponseWriter, *http.Request) { reached++ }
	bare, guarded := chi.NewRouter(), chi.NewRouter()
	bare.Get("/contents/{name}", next)
	bare.Put("/contents/{name}", next)
	guarded.With(s.users.CurrentUser(siteWrites)).Get("/contents/{name}", next)
	guarded.With(s.users.CurrentUser(siteWrites)).Put("/contents/{name}", next)
	w := &allocsWriter{header: http.Header{}}
	count := func(h http.Handler, r *http.Request) float64 {
		return testing.AllocsPerRun(500, func() {
			clear(w.header)
			h.ServeHTTP(w, r)
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, "GET by a token"} {
		method, _, byToken := strings.Cut(method, " ")
		r := httptest.NewRequest(method, "/contents/demo", nil)
		r.Host = s.host
		r.Header.Set("Cookie", "theme=dark; "+name+"="+token)
		r.Header.Set("Origin", "http://"+s.host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if byToken {
			r.Header = http.Header{"Authorization": {"Bearer " + text}}
		}
		want := count(bare, r)
		before := reached
		if got := count(guarded, r) - want; got != 1 {
			t.Errorf("%s: got %v allocations over bare chi's %v, want 1", method, got, want)
		}
		if n := reached - before; n != 501 || w.status != 0 {
			t.Errorf("%s: the handler was reached %d times, status %d", method, n, w.status)
		}
	}
	for what, cookie := range map[string]string{"no cookie": "theme=dark", "what can't be a token": name + "=x", "another alphabet": name + "=" + token[:42] + "."} {
		r := httptest.NewRequest(http.MethodGet, "/contents/demo", nil)
		r.Host = s.host
		r.Header.Set("Cookie", cookie)
		var err error
		if got := testing.AllocsPerRun(500, func() { _, err = s.users.Identify(r) }); got != 0 || err != auth.ErrNoCredentials {
			t.Errorf("%s: got %v allocations and %v, want none and %v", what, got, err, auth.ErrNoCredentials)
		}
	}
}

// What the guard adds to a request with a session's cookie.
func BenchmarkGuard(b *testing.B) {
	s := newSite(b)
	s.add("alice", siteWrites)
	name, token := s.in("alice").session()
	guarded := s.users.CurrentUser(siteWrites)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		w := &allocsWriter{header: http.Header{}}
		r := httptest.NewRequest(http.MethodGet, "/contents/demo", nil)
		r.Host = s.host
		r.Header.Set("Cookie", name+"="+token)
		for p.Next() {
			clear(w.header)
			guarded.ServeHTTP(w, r)
		}
	})
}
