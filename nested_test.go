package auth_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
)

// TestNestedGuards is the last part of DESIGN §2.7: below a guard of the same Auth, who the caller is isn't asked again,
// what the caller may is.
func TestNestedGuards(t *testing.T) {
	t.Parallel()
	type setup struct {
		a       auth.Auth
		session *memorySession
		asked   *atomic.Int64
		effects *guardResponds
	}
	build := func(t *testing.T) setup {
		session, alice := newMemorySession(*guardPerson("alice", "contents:read"))
		s := setup{session: session, asked: new(atomic.Int64)}
		s.effects = &guardResponds{effects: auth.Effects{SetCookies: []*http.Cookie{{Name: "guest", Value: "1"}}}}
		s.effects.Backend = auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
			s.asked.Add(1)
			return byHeader(map[string]*auth.Identity{"alice": alice}).Identify(r)
		})
		s.a = guardNew(t, auth.Config{}, s.effects)
		return s
	}
	alice := func() *http.Request { return guardRequest("GET", "/x", "Test-User", "alice") }

	t.Run("the backend is asked once, and effects aren't repeated", func(t *testing.T) {
		t.Parallel()
		s := build(t)
		p := &guardProbe{}
		h := s.a.CurrentUser(nil)(auth.OptionalUser(s.a)(s.a.CurrentUser(guardReads)(p)))
		resp := p.ask(t, h, alice(), 200)
		if got := s.asked.Load(); got != 1 {
			t.Errorf("got %d calls of Identify, want 1", got)
		}
		if got := s.effects.asked.Load(); got != 1 {
			t.Errorf("got %d calls of Respond, want 1", got)
		}
		if got := resp.Header.Values("Set-Cookie"); len(got) != 1 {
			t.Errorf("got cookies %q, want one", got)
		}
		if got := resp.Header.Values("Vary"); len(got) != 1 {
			t.Errorf("got Vary %q, want it once", got)
		}
	})
	t.Run("permissions are decided again", func(t *testing.T) {
		t.Parallel()
		s := build(t)
		p := &guardProbe{}
		p.ask(t, s.a.CurrentUser(nil)(s.a.CurrentUser(guardReads)(p)), alice(), 200)
		p.ask(t, s.a.CurrentUser(nil)(s.a.CurrentUser(auth.Permissions{"contents": {"write"}})(p)), alice(), 403)
		p.ask(t, s.a.CurrentUser(nil)(auth.RequireRole(s.a, "admin")(p)), alice(), 403)
	})
	t.Run("the origin is judged again", func(t *testing.T) {
		t.Parallel()
		s := build(t)
		p := &guardProbe{}
		// Something between the two makes a PUT of a GET, as method overrides do.
		between := func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				put := r.WithContext(r.Context())
				put.Method = "PUT"
				h.ServeHTTP(w, put)
			})
		}
		h := s.a.CurrentUser(nil)(between(s.a.CurrentUser(guardReads)(p)))
		p.ask(t, h, alice(), 200)
		foreign := alice()
		foreign.Header.Set("Sec-Fetch-Site", "cross-site")
		p.ask(t, h, foreign, 403)
	})
	t.Run("a permission that was lost meanwhile is 403, a session that ended 401, one that can't be checked 503", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			name   string
			change func(*memorySession)
			want   int
		}{
			{"nothing", func(*memorySession) {}, 200},
			{"lost", func(s *memorySession) { s.change(func(id *auth.Identity) { id.Permissions = nil }) }, 403},
			{"ended", func(s *memorySession) { s.End(auth.ErrSessionEnded) }, 401},
			{"unavailable", func(s *memorySession) { s.End(auth.ErrUnavailable) }, 503},
			{"another error", func(s *memorySession) { s.End(errors.New("?")) }, 503},
			{"closed", func(s *memorySession) { s.End(http.ErrServerClosed) }, 503},
			{"somebody else's", func(s *memorySession) { s.change(func(id *auth.Identity) { id.ID = "test:bob" }) }, 401},
			{"past its end", func(s *memorySession) { s.change(func(id *auth.Identity) { id.Expires = time.Unix(1, 0) }) }, 401},
		} {
			s := build(t)
			p := &guardProbe{}
			inner := s.a.CurrentUser(guardReads)(p)
			h := s.a.CurrentUser(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.change(s.session)
				inner.ServeHTTP(w, r)
			}))
			p.ask(t, h, alice(), c.want)
		}
	})
	t.Run("an identity that became explicit inside keeps the proof of its request", func(t *testing.T) {
		t.Parallel()
		s := build(t)
		p := &guardProbe{}
		inner := s.a.CurrentUser(nil)(p)
		h := s.a.CurrentUser(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.session.change(func(id *auth.Identity) { id.Explicit = true })
			put := r.WithContext(r.Context())
			put.Method = "PUT"
			inner.ServeHTTP(w, put)
		}))
		p.ask(t, h, alice(), 200)
		s.session.change(func(id *auth.Identity) { id.Explicit = false })
		foreign := alice()
		foreign.Header.Set("Sec-Fetch-Site", "cross-site")
		p.ask(t, h, foreign, 403)
	})
	t.Run("below an optional guard that saw nobody, the caller is unknown", func(t *testing.T) {
		t.Parallel()
		s := build(t)
		p := &guardProbe{}
		h := auth.OptionalUser(s.a)(s.a.CurrentUser(nil)(p))
		p.ask(t, h, alice(), 200)
		p.ask(t, h, guardRequest("GET", "/x"), 401)
	})
	t.Run("a guard of another Auth asks its own backends", func(t *testing.T) {
		t.Parallel()
		s := build(t)
		other := guardNew(t, auth.Config{}, guardPeople())
		p := &guardProbe{}
		h := other.CurrentUser(nil)(s.a.CurrentUser(nil)(p))
		p.ask(t, h, alice(), 200)
		p.ask(t, h, guardRequest("GET", "/x", "Test-User", "bob"), 401) // whom only the outer one knows
		if got := s.asked.Load(); got != 2 {
			t.Errorf("got %d calls of Identify, want 2", got)
		}
	})
}

func TestOptionalUser(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, user string
		backend    auth.Backend
		method     string
		site       string // Sec-Fetch-Site
		want       int
		wantUser   string
	}{
		{"a known caller is in the context", "alice", guardPeople(), "GET", "", 200, "alice"},
		{"FP02 (root's half): without a credential there is no user", "", guardPeople(), "GET", "", 200, ""},
		{"FP02 (root's half): a wrong credential is 401", "mallory", guardPeople(), "GET", "", 401, ""},
		{"a broken backend is 503", "alice", &guardFixed{err: errors.New("down")}, "GET", "", 503, ""},
		{"a faulty backend is 500", "alice", &guardFixed{}, "GET", "", 500, ""},
		{"known not to be allowed here is 403", "alice", &guardFixed{err: auth.ErrForbidden}, "GET", "", 403, ""},
		{"a foreign page can't act as the user", "alice", guardPeople(), "PUT", "cross-site", 403, ""},
		{"a foreign page can't act as nobody either", "", guardPeople(), "PUT", "cross-site", 403, ""},
		{"nobody may act from the own site", "", guardPeople(), "PUT", "same-origin", 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := guardNew(t, auth.Config{}, c.backend)
			p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
				user, ok := auth.UserFrom(r.Context())
				if user.Username != c.wantUser || ok != (c.wantUser != "") {
					t.Errorf("UserFrom: got %+v, %t, want %q", user, ok, c.wantUser)
				}
				id, ok := auth.IdentityFrom(r.Context())
				if id.User.Username != c.wantUser || ok != (c.wantUser != "") {
					t.Errorf("IdentityFrom: got %+v, %t, want %q", id, ok, c.wantUser)
				}
				if can, err := auth.Can(r.Context(), "contents", "read"); can != (c.wantUser == "alice") || err != nil {
					t.Errorf("Can: got %t, %v", can, err)
				}
				if got := auth.IdentifiedBy(r.Context(), a); got != (c.wantUser != "") {
					t.Errorf("IdentifiedBy: got %t", got)
				}
				if _, err := a.UpdateUser(r.Context(), auth.UserUpdate{}); err == nil {
					t.Error("UpdateUser: got no error where nothing stores a profile")
				}
			}}
			r := guardRequest(c.method, "/x")
			if c.user != "" {
				r.Header.Set("Test-User", c.user)
			}
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			p.ask(t, auth.OptionalUser(a)(p), r, c.want)
		})
	}
}
