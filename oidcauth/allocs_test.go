package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// allocsWriter takes an answer without allocating.
type allocsWriter struct {
	header http.Header
	status int
}

func (w *allocsWriter) Header() http.Header         { return w.header }
func (w *allocsWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *allocsWriter) WriteHeader(status int)      { w.status = status }

// A request with an access token that is known costs one allocation: the guard's box. One with what can't be a token costs none
// before the answer. AllocsPerRun counts the whole process: not parallel.
func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := apiStand(t, func(pl *plan) {
		pl.provider.API = &oidcauth.API{Audience: audience, Introspect: true}
		pl.client.Audience = ""
	})
	required := auth.Permissions{"contents": {"read"}}
	reached := 0
	guarded := s.CurrentUser(required)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	w := &allocsWriter{header: http.Header{}}
	for name, authorization := range map[string]string{
		"a JWT":           "Bearer " + s.token(oidctest.Grant{Scope: reads, Audience: audience}),
		"an opaque token": "Bearer " + s.token(oidctest.Grant{Scope: reads}),
		"in small":        "bearer " + s.token(oidctest.Grant{Scope: reads, Audience: audience}),
	} {
		r := httptest.NewRequest(http.MethodGet, "/contents/demo", nil)
		r.Header.Set("Authorization", authorization)
		before := reached
		got := testing.AllocsPerRun(500, func() {
			clear(w.header)
			guarded.ServeHTTP(w, r)
		})
		if got != 1 {
			t.Errorf("%s: got %v allocations, want 1", name, got)
		}
		if n := reached - before; n != 501 || w.status != 0 {
			t.Errorf("%s: the handler was reached %d times, status %d", name, n, w.status)
		}
		if got := testing.AllocsPerRun(500, func() { _, _ = s.Identify(r) }); got != 0 {
			t.Errorf("%s: got %v allocations of ours, want none", name, got)
		}
	}
	for name, authorization := range map[string]string{"no token": "Bearer", "another scheme": "Basic YTpi", "two in one": "Bearer a, Bearer b"} {
		r := httptest.NewRequest(http.MethodGet, "/contents/demo", nil)
		r.Header.Set("Authorization", authorization)
		var err error
		if got := testing.AllocsPerRun(500, func() { _, err = s.Identify(r) }); got != 0 || err == nil {
			t.Errorf("%s: got %v allocations and %v", name, got, err)
		}
	}
}

// What a known access token costs.
func BenchmarkBearer(b *testing.B) {
	s := apiStand(b, nil)
	r := httptest.NewRequest(http.MethodGet, "/contents/demo", nil)
	r.Header.Set("Authorization", "Bearer "+s.token(oidctest.Grant{Scope: reads}))
	for b.Loop() {
		if _, err := s.Identify(r); err != nil {
			b.Fatal(err)
		}
	}
}
