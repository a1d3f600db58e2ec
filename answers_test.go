package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ostiary/auth"
)

// A-17, C-19: what a guarded answer says about caching, whatever it is.
func TestHeadersOfGuardedAnswers(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, &guardLogin{Backend: guardPeople()})
	reads := a.CurrentUser(guardReads)
	for _, c := range []struct {
		name  string
		r     *http.Request
		want  int
		cache string
	}{
		{"A-17 let in", guardRequest("GET", "/x", "Test-User", "alice"), 200, "private, no-store"},
		{"A-17 unknown", guardRequest("GET", "/x"), 401, "no-store"},
		{"A-17 unknown, sent to the login page", guardNavigation("/x"), 303, "no-store"},
		{"A-17 not permitted", guardRequest("GET", "/x", "Test-User", "bob"), 403, "no-store"},
		{"A-17 not permitted, as a page", guardNavigation("/x", "Test-User", "bob"), 403, "no-store"},
		{"A-17 another origin", guardRequest("PUT", "/x", "Test-User", "alice", "Sec-Fetch-Site", "cross-site"), 403, "no-store"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{}
			h := p.ask(t, reads(p), c.r, c.want).Header
			if got := h.Get("Cache-Control"); got != c.cache {
				t.Errorf("got Cache-Control %q, want %q", got, c.cache)
			}
			if got := h.Get("Vary"); got != "Cookie, Authorization" {
				t.Errorf("got Vary %q, want %q", got, "Cookie, Authorization")
			}
			if c.want == 200 {
				return
			}
			if got := h.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("got X-Content-Type-Options %q, want nosniff", got)
			}
			if got := h.Get("Referrer-Policy"); got != "no-referrer" {
				t.Errorf("got Referrer-Policy %q, want no-referrer", got)
			}
			if got := h.Get("Content-Security-Policy"); c.want != 303 && !strings.Contains(got, "frame-ancestors 'none'") {
				t.Errorf("got Content-Security-Policy %q, want frame-ancestors 'none'", got)
			}
		})
	}
	t.Run("the handler may set another Cache-Control, but keeps Vary", func(t *testing.T) {
		t.Parallel()
		p := &guardProbe{do: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "private, max-age=60")
			w.Header().Add("Vary", "Accept")
		}}
		h := p.ask(t, reads(p), guardRequest("GET", "/x", "Test-User", "alice"), 200).Header
		if got := h.Get("Cache-Control"); got != "private, max-age=60" {
			t.Errorf("got Cache-Control %q", got)
		}
		if got := strings.Join(h.Values("Vary"), ", "); got != "Cookie, Authorization, Accept" {
			t.Errorf("got Vary %q", got)
		}
	})
	t.Run("what an outer layer varies on is kept", func(t *testing.T) {
		t.Parallel()
		p := &guardProbe{}
		outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Vary", "Origin")
			reads(p).ServeHTTP(w, r)
		})
		h := p.ask(t, outer, guardRequest("GET", "/x", "Test-User", "alice"), 200).Header
		if got := strings.Join(h.Values("Vary"), ", "); got != "Origin, Cookie, Authorization" {
			t.Errorf("got Vary %q", got)
		}
	})
	t.Run("a page whose address holds a token passes it on to nobody", func(t *testing.T) {
		t.Parallel()
		p := &guardProbe{}
		h := p.ask(t, reads(p), guardRequest("GET", "/x?a=1&token=T", "Test-User", "alice"), 200).Header
		if got := h.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("got Referrer-Policy %q, want no-referrer", got)
		}
		h = p.ask(t, reads(p), guardRequest("GET", "/x?a=1&tokens=T", "Test-User", "alice"), 200).Header
		if got := h.Get("Referrer-Policy"); got != "" {
			t.Errorf("got Referrer-Policy %q for an ordinary address, want none: it is the application's", got)
		}
	})
}

// guardVaries is a backend that reads one more header.
type guardVaries struct{ auth.Backend }

func (guardVaries) Vary() []string { return []string{"x-user", "Cookie"} }

// What handlers add to Vary must not reach the answers to others: the value is shared by all of a guard's answers.
func TestVaryIsNotSharedWithHandlers(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, guardVaries{guardPeople()})
	var h http.Handler
	h = a.CurrentUser(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", r.URL.Path)
		if r.URL.Path == "/1" { // another answer, while this one isn't sent yet
			h.ServeHTTP(httptest.NewRecorder(), guardRequest("GET", "/2", "Test-User", "alice"))
		}
		if got, want := strings.Join(w.Header().Values("Vary"), ", "), "Cookie, Authorization, X-User, "+r.URL.Path; got != want {
			t.Errorf("got Vary %q, want %q", got, want)
		}
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, guardRequest("GET", "/1", "Test-User", "alice"))
	if w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
}

// guardLogin gives a backend a login page, a challenge and a cookie to delete.
type guardLogin struct {
	auth.Backend
	name string // of the cookie and the challenge
	path string // empty: "/auth/login"
}

func (b *guardLogin) Challenge(_ *http.Request, err error) auth.Challenge {
	ch := auth.Challenge{LoginPath: "/auth/login"}
	if b.path != "" {
		ch.LoginPath = b.path
	}
	if b.name != "" {
		ch.WWWAuthenticate = []string{`Bearer realm="` + b.name + `"`}
		ch.SetCookies = []*http.Cookie{{Name: b.name, Path: "/", MaxAge: -1}}
	}
	return ch
}

// guardResponds is a backend with something to say after admission.
type guardResponds struct {
	auth.Backend
	effects auth.Effects
	err     error
	asked   atomic.Int64
}

func (b *guardResponds) Respond(*http.Request, *auth.Identity) (auth.Effects, error) {
	b.asked.Add(1)
	return b.effects, b.err
}

func TestEffects(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T, e auth.Effects, err error) (*guardResponds, auth.Auth) {
		b := &guardResponds{Backend: guardPeople(), effects: e, err: err}
		return b, guardNew(t, auth.Config{PublicURL: "https://app.example/base"}, b)
	}
	cookie := auth.Effects{SetCookies: []*http.Cookie{{Name: "guest", Value: "1"}}, RedirectTo: "/base/x?a=1"}
	onSite := func(r *http.Request) *http.Request { r.Host = "app.example"; return r }

	t.Run("C-19 a cookie is set before the handler, and the answer is not to be stored", func(t *testing.T) {
		t.Parallel()
		b, a := setup(t, cookie, nil)
		p := &guardProbe{}
		h := p.ask(t, a.CurrentUser(guardReads)(p), onSite(guardRequest("GET", "/base/x", "Test-User", "alice")), 200).Header
		if got := h.Get("Set-Cookie"); got != "guest=1" {
			t.Errorf("got Set-Cookie %q", got)
		}
		if got := h.Get("Cache-Control"); got != "private, no-store" {
			t.Errorf("C-19 got Cache-Control %q", got)
		}
		if got := h.Get("Vary"); !strings.Contains(got, "Cookie") {
			t.Errorf("C-19 got Vary %q", got)
		}
		if got := b.asked.Load(); got != 1 {
			t.Errorf("got %d calls of Respond, want 1", got)
		}
	})
	t.Run("a navigation goes on to the path, and only a navigation", func(t *testing.T) {
		t.Parallel()
		_, a := setup(t, cookie, nil)
		p := &guardProbe{}
		h := a.CurrentUser(guardReads)(p)
		p.ask(t, h, onSite(guardRequest("GET", "/base/x", "Test-User", "alice")), 200)
		p.ask(t, h, onSite(guardRequest("POST", "/base/x", "Test-User", "alice")), 200)
		resp := p.ask(t, h, onSite(guardNavigation("/base/x?token=T", "Test-User", "alice")), 303)
		if got := resp.Header.Get("Location"); got != "/base/x?a=1" {
			t.Errorf("got Location %q", got)
		}
		if got := resp.Header.Get("Set-Cookie"); got != "guest=1" {
			t.Errorf("got Set-Cookie %q with the redirect", got)
		}
	})
	t.Run("R-28 a path that leads elsewhere becomes the mount point", func(t *testing.T) {
		t.Parallel()
		for _, to := range []string{"//evil.example", "https://evil.example/", `/\evil.example`, "/basement", "/base/../x", "javascript:alert(1)"} {
			_, a := setup(t, auth.Effects{RedirectTo: to}, nil)
			p := &guardProbe{}
			resp := p.ask(t, a.CurrentUser(nil)(p), onSite(guardNavigation("/base/x", "Test-User", "alice")), 303)
			if got := resp.Header.Get("Location"); got != "/base/" {
				t.Errorf("RedirectTo %q: got Location %q, want /base/", to, got)
			}
		}
	})
	t.Run("nothing is said to who isn't let in", func(t *testing.T) {
		t.Parallel()
		b, a := setup(t, cookie, nil)
		p := &guardProbe{}
		h := a.CurrentUser(guardReads)(p)
		p.ask(t, h, onSite(guardRequest("GET", "/base/x", "Test-User", "alice")), 200)
		before := b.asked.Load()
		for _, c := range []struct {
			r    *http.Request
			want int
		}{
			{guardRequest("GET", "/base/x"), 401},
			{guardRequest("GET", "/base/x", "Test-User", "mallory"), 401},
			{guardRequest("GET", "/base/x", "Test-User", "bob"), 403},
			{guardNavigation("/base/x", "Test-User", "bob"), 403},
			{guardRequest("PUT", "/base/x", "Test-User", "alice", "Origin", "https://evil.example"), 403},
		} {
			resp := p.ask(t, h, onSite(c.r), c.want)
			if got := resp.Header.Values("Set-Cookie"); len(got) > 0 {
				t.Errorf("got cookies %q with a %d", got, c.want)
			}
		}
		if got := b.asked.Load() - before; got != 0 {
			t.Errorf("got %d calls of Respond for refused callers, want 0", got)
		}
	})
	t.Run("an error is 503, and the handler doesn't run", func(t *testing.T) {
		t.Parallel()
		for _, err := range []error{errors.New("down"), auth.ErrForbidden, auth.ErrNoCredentials} {
			_, a := setup(t, cookie, err)
			p := &guardProbe{}
			resp := p.ask(t, a.CurrentUser(guardReads)(p), onSite(guardRequest("GET", "/base/x", "Test-User", "alice")), 503)
			if got := resp.Header.Values("Set-Cookie"); len(got) > 0 {
				t.Errorf("got cookies %q with a 503", got)
			}
		}
	})
	t.Run("C-20 a public page and an unknown caller get no cookie", func(t *testing.T) {
		t.Parallel()
		b, a := setup(t, cookie, nil)
		p := &guardProbe{}
		for _, h := range []http.Handler{p, auth.OptionalUser(a)(p)} {
			resp := p.ask(t, h, onSite(guardRequest("GET", "/base/public")), 200)
			if got := resp.Header.Values("Set-Cookie"); len(got) > 0 {
				t.Errorf("got cookies %q", got)
			}
		}
		if got := b.asked.Load(); got != 0 {
			t.Errorf("got %d calls of Respond, want 0", got)
		}
	})
}
