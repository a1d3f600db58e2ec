package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
)

// chainBackend knows the callers that name themselves in its own header, and has a login page.
type chainBackend struct {
	header, login string
	asked         atomic.Int64
}

func (b *chainBackend) Identify(r *http.Request) (*auth.Identity, error) {
	b.asked.Add(1)
	switch name := r.Header.Get(b.header); name {
	case "":
		return nil, auth.ErrNoCredentials
	case "mallory":
		return nil, auth.ErrInvalidCredentials
	default:
		return &auth.Identity{ID: b.header + ":" + name, User: auth.User{Username: name}, Permissions: auth.Permissions{"contents": {"read"}}}, nil
	}
}

func (b *chainBackend) Challenge(_ *http.Request, err error) auth.Challenge {
	return auth.Challenge{
		LoginPath:       b.login,
		WWWAuthenticate: []string{b.header},
		SetCookies:      []*http.Cookie{{Name: b.header, Path: "/", MaxAge: -1}},
	}
}

// chainPlugin is what every sub-package's *Auth is: a guard over an unexported backend, and that backend.
type chainPlugin struct {
	auth.Auth
	*chainBackend
}

func newChainPlugin(t testing.TB, cfg auth.Config, header, login string) *chainPlugin {
	t.Helper()
	b := &chainBackend{header: header, login: login}
	return &chainPlugin{guardNew(t, cfg, b), b}
}

// TestChain is DESIGN §2.1 for the first of two backends: whether the second is asked, and what comes of it.
func TestChain(t *testing.T) {
	t.Parallel()
	first, second := guardPerson("first", "contents:read"), guardPerson("second", "contents:read")
	stale := *first
	stale.Expires = time.Now().Add(-time.Second)
	staleExplicit := stale
	staleExplicit.Explicit = true
	for _, c := range []struct {
		name     string
		id       *auth.Identity
		err      error
		want     int
		wantUser string // who the handler sees
		asked    int64  // how often the second backend is asked
	}{
		{"ZA08 the first backend that knows the caller decides, the second isn't asked", first, nil, 200, "first", 0},
		{"FU27 no credentials asks the next one", nil, auth.ErrNoCredentials, 200, "second", 1},
		{"FU27 wrapped no credentials asks the next one", nil, fmt.Errorf("cookie: %w", auth.ErrNoCredentials), 200, "second", 1},
		{"an ambient identity gone stale asks the next one", &stale, nil, 200, "second", 1},
		{"an explicit identity gone stale is refused", &staleExplicit, nil, 401, "", 0},
		{"invalid credentials ask nobody else", nil, auth.ErrInvalidCredentials, 401, "", 0},
		{"invalid credentials win over none in one error", nil, errors.Join(auth.ErrNoCredentials, auth.ErrInvalidCredentials), 401, "", 0},
		{"forbidden asks nobody else", nil, auth.ErrForbidden, 403, "", 0},
		{"forbidden wins over none in one error", nil, errors.Join(auth.ErrForbidden, auth.ErrNoCredentials), 403, "", 0},
		{"guessed too often asks nobody else", nil, &auth.LimitedError{RetryAfter: time.Second}, 429, "", 0},
		{"A-20 a backend that can't tell asks nobody else", nil, errors.New("connection refused"), 503, "", 0},
		{"A-20 unavailable asks nobody else", nil, auth.ErrUnavailable, 503, "", 0},
		{"A-06 no identity and no error asks nobody else", nil, nil, 500, "", 0},
		{"A-06 an identity without an ID asks nobody else", &auth.Identity{User: auth.User{Username: "u"}}, nil, 500, "", 0},
		{"JS04 an identity without a username asks nobody else", &auth.Identity{ID: "u"}, nil, 500, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b1, b2 := &guardFixed{id: c.id, err: c.err}, &guardFixed{id: second}
			a := guardNew(t, auth.Config{}, b1, b2)
			p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
				if user, _ := auth.UserFrom(r.Context()); user.Username != c.wantUser {
					t.Errorf("got user %q, want %q", user.Username, c.wantUser)
				}
			}}
			p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x"), c.want)
			if got := b1.asked.Load(); got != 1 {
				t.Errorf("the first backend was asked %d times, want 1", got)
			}
			if got := b2.asked.Load(); got != c.asked {
				t.Errorf("the second backend was asked %d times, want %d", got, c.asked)
			}
		})
	}
	t.Run("a panic in the first backend asks nobody else", func(t *testing.T) {
		t.Parallel()
		b2 := &guardFixed{id: second}
		b1 := auth.BackendFunc(func(*http.Request) (*auth.Identity, error) { panic("x") })
		p := &guardProbe{}
		p.ask(t, guardNew(t, auth.Config{}, b2, b1).CurrentUser(nil)(p), guardRequest("GET", "/x"), 200)
		p.ask(t, guardNew(t, auth.Config{}, b1, b2).CurrentUser(nil)(p), guardRequest("GET", "/x"), 500)
		if got := b2.asked.Load(); got != 1 {
			t.Errorf("the second backend was asked %d times, want once, by the other chain", got)
		}
	})
	t.Run("backends that all see nothing make an unknown caller", func(t *testing.T) {
		t.Parallel()
		b1, b2 := &guardFixed{err: auth.ErrNoCredentials}, &guardFixed{err: auth.ErrNoCredentials}
		p := &guardProbe{}
		p.ask(t, guardNew(t, auth.Config{}, b1, b2).CurrentUser(nil)(p), guardRequest("GET", "/x"), 401)
		if b1.asked.Load() != 1 || b2.asked.Load() != 1 {
			t.Errorf("the backends were asked %d and %d times, want once each", b1.asked.Load(), b2.asked.Load())
		}
	})
	t.Run("only the backend that knows the caller has effects", func(t *testing.T) {
		t.Parallel()
		b1 := &guardResponds{Backend: &chainBackend{header: "One"}}
		b2 := &guardResponds{Backend: &chainBackend{header: "Two"}}
		p := &guardProbe{}
		p.ask(t, guardNew(t, auth.Config{}, b1, b2).CurrentUser(nil)(p), guardRequest("GET", "/x", "Two", "bob"), 200)
		if b1.asked.Load() != 0 || b2.asked.Load() != 1 {
			t.Errorf("got %d and %d calls of Respond, want 0 and 1", b1.asked.Load(), b2.asked.Load())
		}
	})
}

// ZA09, V-08: a chain that can't work is an error when it is made, never a panic, and never a guard.
func TestNewRefusesAChain(t *testing.T) {
	t.Parallel()
	b := guardPeople()
	var nilPlugin *chainPlugin
	var nilFunc auth.BackendFunc
	if _, err := auth.New(auth.Config{}, b); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		backends []auth.Backend
	}{
		{"ZA09 without a backend", nil},
		{"ZA09 with nil", []auth.Backend{nil}},
		{"ZA09 with nil at the end", []auth.Backend{b, nil}},
		{"ZA09 with a nil pointer", []auth.Backend{nilPlugin}},
		{"ZA09 V-08 with a nil func", []auth.Backend{b, nilFunc}},
		{"V-08 with the zero value of a plugin", []auth.Backend{b, &chainPlugin{}}},
		{"V-08 with the zero value of a plugin that has a backend", []auth.Backend{&chainPlugin{chainBackend: &chainBackend{}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if a, err := auth.New(auth.Config{}, c.backends...); err == nil || a != nil {
				t.Errorf("got %v, %v, want no Auth and an error", a, err)
			} else if !strings.HasPrefix(err.Error(), "auth: New: ") {
				t.Errorf("got error %q", err)
			}
		})
	}
}

func TestAdoption(t *testing.T) {
	t.Parallel()
	as := func(header, name string) *http.Request { return guardRequest("GET", "/x", header, name) }
	pair := func(t *testing.T, cfg auth.Config) (one, two *chainPlugin) {
		return newChainPlugin(t, cfg, "One", ""), newChainPlugin(t, cfg, "Two", "")
	}

	t.Run("guards that a backend built before and after ask the whole chain", func(t *testing.T) {
		t.Parallel()
		one, two := pair(t, auth.Config{})
		p := &guardProbe{}
		before := one.CurrentUser(guardReads)(p)
		p.ask(t, before, as("One", "alice"), 200)
		p.ask(t, before, as("Two", "bob"), 401)
		chain := guardNew(t, auth.Config{}, one, two)
		for _, h := range []http.Handler{before, one.CurrentUser(guardReads)(p), two.CurrentUser(guardReads)(p), chain.CurrentUser(guardReads)(p)} {
			p.ask(t, h, as("One", "alice"), 200)
			p.ask(t, h, as("Two", "bob"), 200)
			p.ask(t, h, as("Three", "carol"), 401)
			p.ask(t, h, as("Two", "mallory"), 401)
		}
	})
	t.Run("the chain's Config decides", func(t *testing.T) {
		t.Parallel()
		var own, chain []auth.EventKind
		tell := func(kinds *[]auth.EventKind) func(context.Context, auth.Event) {
			return func(_ context.Context, e auth.Event) { *kinds = append(*kinds, e.Kind) }
		}
		one, two := pair(t, auth.Config{Authorizer: auth.AllowAll{}, OnEvent: tell(&own)})
		p := &guardProbe{}
		h := one.CurrentUser(auth.Permissions{"contents": {"delete"}})(p)
		p.ask(t, h, as("One", "alice"), 200)
		guardNew(t, auth.Config{OnEvent: tell(&chain)}, one, two)
		p.ask(t, h, as("One", "alice"), 403)
		if len(own) != 0 || !slices.Equal(chain, []auth.EventKind{auth.EventDenied}) {
			t.Errorf("got events %v of the backend and %v of the chain, want none and denied", own, chain)
		}
		auth.Report(one, nil, auth.Event{Kind: auth.EventLogout})
		if len(own) != 0 || len(chain) != 2 {
			t.Errorf("got events %v of the backend and %v of the chain, want what the backend reports with the chain", own, chain)
		}
	})
	t.Run("a second chain is an error, and leaves everything as it was", func(t *testing.T) {
		t.Parallel()
		one, two := pair(t, auth.Config{})
		guardNew(t, auth.Config{}, one)
		if a, err := auth.New(auth.Config{}, two, one); err == nil || a != nil {
			t.Fatalf("got %v, %v, want an error", a, err)
		}
		p := &guardProbe{}
		p.ask(t, two.CurrentUser(nil)(p), as("Two", "bob"), 200)
		p.ask(t, two.CurrentUser(nil)(p), as("One", "alice"), 401) // not adopted by what failed
		p.ask(t, one.CurrentUser(nil)(p), as("Two", "bob"), 401)
		guardNew(t, auth.Config{}, two)
	})
	t.Run("the same backend twice is an error, and leaves it free", func(t *testing.T) {
		t.Parallel()
		one, _ := pair(t, auth.Config{})
		if a, err := auth.New(auth.Config{}, one, one); err == nil || a != nil {
			t.Fatalf("got %v, %v, want an error", a, err)
		}
		guardNew(t, auth.Config{}, one)
	})
	t.Run("another PublicURL is an error, and leaves everything as it was", func(t *testing.T) {
		t.Parallel()
		cfg := auth.Config{PublicURL: "https://app.example/base"}
		one, _ := pair(t, cfg)
		for _, other := range []string{"", "https://app.example", "https://app.example/Base", "https://other.example/base"} {
			two := newChainPlugin(t, auth.Config{PublicURL: other}, "Two", "")
			if a, err := auth.New(cfg, one, two); err == nil || a != nil {
				t.Errorf("PublicURL %q: got %v, %v, want an error", other, a, err)
			}
		}
		same := newChainPlugin(t, auth.Config{PublicURL: "HTTPS://APP.example:443/base/"}, "Two", "")
		guardNew(t, cfg, one, same) // one is free, and the URL is the same in another spelling
	})
	t.Run("a backend without a guard may be in several chains", func(t *testing.T) {
		t.Parallel()
		b := guardPeople()
		guardNew(t, auth.Config{}, b)
		guardNew(t, auth.Config{PublicURL: "https://app.example"}, b, b)
	})
}

// IdentifiedBy is what account routes ask: they serve nobody whom another backend of the chain knows.
func TestIdentifiedBy(t *testing.T) {
	t.Parallel()
	one, two := newChainPlugin(t, auth.Config{}, "One", ""), newChainPlugin(t, auth.Config{}, "Two", "")
	chain := guardNew(t, auth.Config{}, one, two)
	alone := newChainPlugin(t, auth.Config{}, "One", "")
	for _, c := range []struct {
		name, header string
		guard        auth.Auth
		want         map[auth.Auth]bool
	}{
		{"by the first of a chain", "One", chain, map[auth.Auth]bool{one: true, two: false, chain: true, alone: false}},
		{"by the second of a chain", "Two", chain, map[auth.Auth]bool{one: false, two: true, chain: true, alone: false}},
		{"by the second, behind the first's own guard", "Two", one, map[auth.Auth]bool{one: false, two: true, chain: true, alone: false}},
		{"by a backend that is used alone", "One", alone, map[auth.Auth]bool{one: false, two: false, chain: false, alone: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
				for a, want := range c.want {
					if got := auth.IdentifiedBy(r.Context(), a); got != want {
						t.Errorf("got %t, want %t", got, want)
					}
				}
			}}
			p.ask(t, c.guard.CurrentUser(nil)(p), guardRequest("GET", "/x", c.header, "alice"), 200)
		})
	}
}

// chainStore is a plugin whose backend keeps profiles.
type chainStore struct {
	auth.Auth
	*meStore
}

// UpdateUser writes with the backend that identified the caller, whichever Auth of the chain is asked.
func TestUpdateUserInAChain(t *testing.T) {
	t.Parallel()
	store := &meStore{Backend: &chainBackend{header: "One"}}
	one := &chainStore{guardNew(t, auth.Config{}, store), store}
	two := newChainPlugin(t, auth.Config{}, "Two", "")
	chain := guardNew(t, auth.Config{}, one, two)
	stranger := guardNew(t, auth.Config{}, guardPeople())
	update := func(t *testing.T, header string, a auth.Auth) (user auth.User, err error) {
		p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
			user, err = a.UpdateUser(r.Context(), auth.UserUpdate{Color: ptr("#000000")})
		}}
		p.ask(t, chain.CurrentUser(nil)(p), guardRequest("GET", "/x", header, "alice"), 200)
		return user, err
	}
	for _, a := range []auth.Auth{chain, one, two} {
		if user, err := update(t, "One", a); err != nil || user.Username != "alice" || user.Color != "#000000" {
			t.Errorf("got %+v, %v, want alice in black", user, err)
		}
	}
	if got := store.calls.Load(); got != 3 {
		t.Errorf("got %d calls of StoreProfile, want 3", got)
	}
	if _, err := update(t, "Two", one); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("X-15 got %v for a user of a backend that stores no profile, want ErrUnsupported", err)
	}
	if _, err := update(t, "One", stranger); !errors.Is(err, auth.ErrNoGuard) {
		t.Errorf("X-11 got %v from an Auth that didn't guard this, want ErrNoGuard", err)
	}
	if got := store.calls.Load(); got != 3 {
		t.Errorf("got %d calls of StoreProfile, want still 3", got)
	}
}

// TestChallenges: an unknown caller learns of every way in, a refused one of that which was tried.
func TestChallenges(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, &chainBackend{header: "One"}, guardPeople(), &chainBackend{header: "Two", login: "/auth/login"})
	reads := a.CurrentUser(guardReads)
	known := &guardProbe{}
	known.ask(t, reads(known), guardRequest("GET", "/x", "Two", "alice"), 200)
	deleted := func(resp *http.Response) (names []string) {
		for _, c := range resp.Cookies() {
			if c.MaxAge < 0 {
				names = append(names, c.Name)
			}
		}
		return names
	}
	for _, c := range []struct {
		name    string
		r       *http.Request
		want    int
		answers []string
	}{
		{"A-01 an unknown caller gets all challenges, in order", guardRequest("GET", "/x"), 401, []string{"One", "Two"}},
		{"a wrong credential gets its backend's challenge", guardRequest("GET", "/x", "Two", "mallory"), 401, []string{"Two"}},
		{"a wrong credential for a backend without a challenge gets none", guardRequest("GET", "/x", "Test-User", "mallory"), 401, nil},
		{"A-07 a wrong credential is 401 even for a navigation", guardNavigation("/x", "Two", "mallory"), 401, []string{"Two"}},
		{"A-30 who is known gets no challenge", guardRequest("GET", "/x", "Test-User", "bob"), 403, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{}
			resp := p.ask(t, reads(p), c.r, c.want)
			if got := resp.Header.Values("Www-Authenticate"); !slices.Equal(got, c.answers) {
				t.Errorf("got WWW-Authenticate %q, want %q", got, c.answers)
			}
			if got := deleted(resp); !slices.Equal(got, c.answers) {
				t.Errorf("got cookies %q deleted, want %q", got, c.answers)
			}
			if got := resp.Header.Get("Location"); got != "" {
				t.Errorf("got Location %q, want none", got)
			}
		})
	}
	t.Run("stale cookies are deleted with a redirect to the login page too", func(t *testing.T) {
		t.Parallel()
		p := &guardProbe{}
		resp := p.ask(t, reads(p), guardNavigation("/x"), 303)
		if got := deleted(resp); !slices.Equal(got, []string{"One", "Two"}) {
			t.Errorf("got cookies %q deleted", got)
		}
	})
}

// TestLoginAndLogoutURL: links for templates, below the mount point, in a chain those of the backend that is meant.
func TestLoginAndLogoutURL(t *testing.T) {
	t.Parallel()
	base := auth.Config{PublicURL: "https://app.example/base"}
	with := func(change func(*auth.Config)) auth.Config {
		cfg := base
		change(&cfg)
		return cfg
	}
	chain := func(cfg auth.Config, logins ...string) func(*testing.T) auth.Auth {
		return func(t *testing.T) auth.Auth {
			one := newChainPlugin(t, base, "One", logins[0])
			two := newChainPlugin(t, with(func(c *auth.Config) { c.MountPath = "/sso" }), "Two", logins[1])
			return guardNew(t, cfg, one, two)
		}
	}
	for _, c := range []struct {
		name          string
		auth          func(*testing.T) auth.Auth
		header        string
		login, logout string
	}{
		{"a backend alone", func(t *testing.T) auth.Auth { return newChainPlugin(t, base, "One", "/auth/login") }, "One", "/base/auth/login", "/base/auth/logout"},
		{"without a login page there is neither", func(t *testing.T) auth.Auth { return newChainPlugin(t, base, "One", "") }, "One", "", ""},
		{"the first of a chain", chain(base, "/auth/login", "/sso/login"), "One", "/base/auth/login", "/base/auth/logout"},
		{"the second of a chain logs out at its own mount point", chain(base, "/auth/login", "/sso/login"), "Two", "/base/auth/login", "/base/sso/logout"},
		{"the first backend that has a login page", chain(base, "", "/sso/login"), "Two", "/base/sso/login", "/base/sso/logout"},
		{"a caller whose backend has no login can't log out", chain(base, "", "/sso/login"), "One", "/base/sso/login", ""},
		{"LoginPath of the chain comes first", chain(with(func(c *auth.Config) { c.LoginPath = "/welcome" }), "/auth/login", ""), "One", "/base/welcome", "/base/auth/logout"},
		{"nobody logs in, but can't log out", chain(base, "/auth/login", ""), "", "/base/auth/login", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
				want := c.login
				if want != "" {
					want += "?next=%2Fbase%2Fx%3Fa%3D%2541"
				}
				if got := auth.LoginURL(r.Context()); got != want {
					t.Errorf("LoginURL: got %q, want %q", got, want)
				}
				if got := auth.LogoutURL(r.Context()); got != c.logout {
					t.Errorf("LogoutURL: got %q, want %q", got, c.logout)
				}
			}}
			r := guardRequest("GET", "/base/x?token=T&a=%41")
			r.Host = "app.example"
			if c.header != "" {
				r.Header.Set(c.header, "alice")
			}
			p.ask(t, auth.OptionalUser(c.auth(t))(p), r, 200)
		})
	}
}
