package auth_test

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
)

// The budgets of allocations. Times are in the benchmarks below, to read: no test depends on them.

// allocWriter is a ResponseWriter that allocates nothing itself.
type allocWriter struct {
	header http.Header
	status int
}

func newAllocWriter() *allocWriter { return &allocWriter{header: http.Header{}} }

// serve answers as if for the first time.
func (w *allocWriter) serve(h http.Handler, r *http.Request) {
	clear(w.header)
	h.ServeHTTP(w, r)
}

func (w *allocWriter) Header() http.Header { return w.header }

func (w *allocWriter) Write(p []byte) (int, error) { return len(p), nil }

func (w *allocWriter) WriteHeader(status int) { w.status = status }

var allocToken = sha256.Sum256([]byte("correct horse battery staple"))

// allocBackend is a token in a header that stands for one shared identity, compared by its hash.
func allocBackend(id *auth.Identity) auth.Backend {
	return auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
		value := r.Header.Get("Authorization")
		if value == "" {
			return nil, auth.ErrNoCredentials
		}
		token, ok := strings.CutPrefix(value, "Bearer ")
		if sum := sha256.Sum256([]byte(token)); !ok || subtle.ConstantTimeCompare(sum[:], allocToken[:]) != 1 {
			return nil, auth.ErrInvalidCredentials
		}
		return id, nil
	})
}

// allocGrants is a grant on so many resources.
func allocGrants(n int) auth.Permissions {
	p := make(auth.Permissions, n)
	for i := range n {
		p[fmt.Sprintf("resource-%d", i)] = []string{"read", "write"}
	}
	return p
}

func allocRequest(token string) *http.Request {
	r := guardRequest("GET", "/x")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func allocCount(t *testing.T, f func()) float64 {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	return testing.AllocsPerRun(200, f)
}

// Not parallel, none of these: AllocsPerRun counts the whole process.

func TestAllocsOfAGuardedRequest(t *testing.T) {
	id := &auth.Identity{ID: "token:1", User: auth.User{Username: "ci"}, Permissions: allocGrants(1000), Explicit: true}
	ambient := *id
	ambient.Explicit = false
	roles := auth.Config{Roles: map[string]auth.Role{"reader": {Permissions: auth.Permissions{"contents": {"read", "write"}}}}}
	byRole := &auth.Identity{ID: "token:2", User: auth.User{Username: "ci"}, Roles: []string{"reader"}, Explicit: true}
	_, live := newMemorySession(*id)
	for _, c := range []struct {
		name     string
		cfg      auth.Config
		id       *auth.Identity
		required auth.Permissions
		method   string
		cookie   bool
	}{
		{"any user", auth.Config{}, id, nil, "GET", false},
		{"2 permissions", auth.Config{}, id, auth.Permissions{"resource-7": {"read", "write"}}, "GET", false},
		{"2 permissions on 2 resources", auth.Config{}, id, auth.Permissions{"resource-7": {"read"}, "resource-8": {"write"}}, "PUT", false},
		{"by a role", roles, byRole, auth.Permissions{"contents": {"read", "write"}}, "PUT", false},
		{"with a session", auth.Config{}, live, auth.Permissions{"resource-7": {"read", "write"}}, "GET", false},
		{"with a cookie, reading", auth.Config{}, &ambient, auth.Permissions{"resource-7": {"read", "write"}}, "GET", true},
		{"with a cookie and a PublicURL, reading", auth.Config{PublicURL: "http://" + guardHost}, &ambient, auth.Permissions{"resource-7": {"read"}}, "GET", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			reached := 0
			next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })
			h := guardNew(t, c.cfg, allocBackend(c.id)).CurrentUser(c.required)(next)
			w, r := newAllocWriter(), allocRequest("correct horse battery staple")
			r.Method = c.method
			if c.cookie {
				r.Header.Set("Cookie", "session=x")
			}
			bare := allocCount(t, func() { w.serve(next, r) })
			got := allocCount(t, func() { w.serve(h, r) })
			if got-bare != 1 {
				t.Errorf("got %v allocations over the bare handler's %v, want 1: the box", got-bare, bare)
			}
			if reached == 0 || w.status != 0 {
				t.Errorf("the handler was reached %d times, status %d", reached, w.status)
			}
		})
	}
}

// A refused credential costs nothing but its answer: who guesses can't make the server collect garbage, and a known but
// wrong credential costs what an unknown one does. The answer's own headers are counted apart.
func TestAllocsOfARefusal(t *testing.T) {
	alice := &auth.Identity{ID: "token:1", User: auth.User{Username: "ci"}, Permissions: allocGrants(1000), Explicit: true}
	body := []byte("no")
	cfg := auth.Config{Deny: func(w http.ResponseWriter, _ *http.Request, status int, _ error) {
		w.WriteHeader(status)
		w.Write(body)
	}}
	h := guardNew(t, cfg, allocBackend(alice)).CurrentUser(auth.Permissions{"contents": {"read", "write"}})(http.NotFoundHandler())
	w := newAllocWriter()
	answer := allocCount(t, func() { clear(w.header); page.Headers(w.Header()) }) + 1 // and what notices that Deny has answered
	for _, c := range []struct {
		name, token string
		want        int
	}{
		{"no credential", "", 401},
		{"a wrong credential", "correct horse battery stable", 401},
		{"no permission", "correct horse battery staple", 403},
	} {
		r := allocRequest(c.token)
		if got := allocCount(t, func() { w.serve(h, r) }); got != answer {
			t.Errorf("%s: got %v allocations, want the answer's own %v", c.name, got, answer)
		}
		if w.status != c.want {
			t.Errorf("%s: got %d, want %d", c.name, w.status, c.want)
		}
	}
}

func TestAllocsOfADecision(t *testing.T) {
	grants := allocGrants(1000)
	grants["contents/*"] = []string{"*"}
	for _, c := range allocDecisions() {
		if got := allocCount(t, func() { grants.Has(c.resource, c.action) }); got != 0 {
			t.Errorf("Has, %s: got %v allocations, want 0", c.name, got)
		}
		if got := grants.Has(c.resource, c.action); got != c.want {
			t.Errorf("Has, %s: got %t, want %t", c.name, got, c.want)
		}
	}
	// Inside a handler, by the context: with a session and roles too.
	_, id := newMemorySession(auth.Identity{ID: "token:1", User: auth.User{Username: "ci"}, Permissions: grants, Roles: []string{"reader"}, Explicit: true})
	cfg := auth.Config{Roles: map[string]auth.Role{"reader": {Permissions: auth.Permissions{"notes": {"read"}}}}}
	h := guardNew(t, cfg, allocBackend(id)).CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		for _, c := range append(allocDecisions(), allocDecision{"by a role", "notes", "read", true}) {
			if got := allocCount(t, func() { auth.Can(ctx, c.resource, c.action) }); got != 0 {
				t.Errorf("Can, %s: got %v allocations, want 0", c.name, got)
			}
			if got, err := auth.Can(ctx, c.resource, c.action); got != c.want || err != nil {
				t.Errorf("Can, %s: got %t, %v, want %t", c.name, got, err, c.want)
			}
		}
	}))
	w := newAllocWriter()
	h.ServeHTTP(w, allocRequest("correct horse battery staple"))
	if w.status != 0 {
		t.Errorf("got %d", w.status)
	}
}

type allocDecision struct {
	name, resource, action string
	want                   bool
}

func allocDecisions() []allocDecision {
	return []allocDecision{
		{"exact", "resource-7", "write", true},
		{"a prefix", "contents/notes/demo", "delete", true},
		{"a miss", "kernels/notes/demo", "delete", false},
		{"a resource of 127 bytes", strings.Repeat("x", 127), "read", false},
		{"a resource of 128 bytes", strings.Repeat("x", 128), "read", false},
		{"a long resource", strings.Repeat("x", 4096), "read", false},
	}
}

func BenchmarkHas(b *testing.B) {
	grants := allocGrants(1000)
	grants["contents/*"] = []string{"*"}
	b.Run("2 exact grants", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !grants.Has("resource-7", "read") || !grants.Has("resource-8", "write") {
				b.Fatal("not held")
			}
		}
	})
	for _, c := range allocDecisions() {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				grants.Has(c.resource, c.action)
			}
		})
	}
}

// BenchmarkGuard is a whole request through the guard; "by hand" is the least that anybody would write instead.
func BenchmarkGuard(b *testing.B) {
	id := &auth.Identity{ID: "token:1", User: auth.User{Username: "ci"}, Permissions: allocGrants(1000), Explicit: true}
	backend := allocBackend(id)
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	a := guardNew(b, auth.Config{}, backend)
	good, wrong := allocRequest("correct horse battery staple"), allocRequest("correct horse battery stable")
	two := auth.Permissions{"resource-7": {"read", "write"}}
	byHand := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := backend.Identify(r); errors.Is(err, auth.ErrInvalidCredentials) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
	for _, c := range []struct {
		name string
		h    http.Handler
		r    *http.Request
	}{
		{"by hand", byHand, good},
		{"any user", a.CurrentUser(nil)(next), good},
		{"2 permissions among 1,000", a.CurrentUser(two)(next), good},
		{"refused", a.CurrentUser(two)(next), wrong},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			w := newAllocWriter()
			for b.Loop() {
				w.serve(c.h, c.r)
			}
		})
	}
}
