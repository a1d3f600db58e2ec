package authtest_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/internal/watch"
)

// A club is a backend that keeps to every rule and has all that a backend may have. Its parts are fields, so that a test
// can break one of them.
type club struct {
	identify  func(*http.Request) (*auth.Identity, error)
	store     func(auth.Identity, auth.UserUpdate) (auth.User, error)
	respond   func(*http.Request, *auth.Identity) (auth.Effects, error)
	challenge func(*http.Request, error) auth.Challenge
	vary      []string
	routes    http.HandlerFunc
	end       func()
	close     func()

	logger  *slog.Logger
	members map[string]*watch.Cell[*auth.Identity] // by secret
	closed  atomic.Bool
	down    atomic.Bool
}

const (
	adasSecret = "ada-3f9c1e7b"
	bobsSecret = "bob-8d02c4aa"
)

func newClub(logger *slog.Logger) *club {
	c := &club{logger: logger, members: map[string]*watch.Cell[*auth.Identity]{}}
	c.join(adasSecret, "ada", auth.Permissions{"notes": {"read", "write"}})
	c.join(bobsSecret, "bob", nil)
	c.identify = c.lookUp
	c.store = c.change
	c.respond = func(*http.Request, *auth.Identity) (auth.Effects, error) {
		return auth.Effects{SetCookies: []*http.Cookie{{Name: "seen", Value: "1", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}}}, nil
	}
	c.challenge = func(*http.Request, error) auth.Challenge {
		return auth.Challenge{
			WWWAuthenticate: []string{"Club"}, LoginPath: "/auth/login",
			SetCookies: []*http.Cookie{{Name: "club", Path: "/", MaxAge: -1, HttpOnly: true}},
		}
	}
	c.vary = []string{"Club-Card"}
	c.routes = http.NotFound
	c.end = func() { c.members[adasSecret].End(auth.ErrSessionEnded) }
	c.close = func() {
		c.closed.Store(true)
		for _, cell := range c.members {
			cell.End(http.ErrServerClosed)
		}
	}
	return c
}

func (c *club) join(secret, name string, held auth.Permissions) {
	cell := &watch.Cell[*auth.Identity]{}
	_ = cell.Update(func(*auth.Identity) *auth.Identity {
		return &auth.Identity{ID: "club:" + name, User: auth.User{Username: name}, Permissions: held, Session: member{cell}}
	})
	c.members[secret] = cell
}

// A member is the session of one.
type member struct {
	*watch.Cell[*auth.Identity]
}

func (m member) Current() (*auth.Identity, error) { return m.Load() }

func (c *club) lookUp(r *http.Request) (*auth.Identity, error) {
	if c.closed.Load() || c.down.Load() {
		return nil, auth.ErrUnavailable
	}
	if lines := r.Header["Authorization"]; len(lines) > 0 {
		secret, ok := strings.CutPrefix(lines[0], "Club ")
		cell := c.members[secret]
		switch {
		case len(lines) > 1:
			return nil, auth.ErrInvalidCredentials
		case !ok:
			return nil, auth.ErrNoCredentials
		case cell == nil:
			return nil, auth.ErrInvalidCredentials
		}
		id, err := cell.Load()
		if err != nil {
			return nil, auth.ErrInvalidCredentials
		}
		explicit := *id
		explicit.Explicit = true
		return &explicit, nil
	}
	cookies := r.CookiesNamed("club")
	switch {
	case len(cookies) == 0:
		return nil, auth.ErrNoCredentials
	case len(cookies) > 1:
		return nil, auth.ErrInvalidCredentials
	case cookies[0].Value == "banned":
		return nil, auth.ErrForbidden
	case c.members[cookies[0].Value] == nil:
		return nil, auth.ErrNoCredentials
	}
	id, err := c.members[cookies[0].Value].Load()
	if err != nil {
		return nil, auth.ErrNoCredentials
	}
	return id, nil
}

func (c *club) change(id auth.Identity, update auth.UserUpdate) (user auth.User, err error) {
	for _, cell := range c.members {
		if now, _ := cell.Load(); now == nil || now.ID != id.ID {
			continue
		}
		err = cell.Update(func(old *auth.Identity) *auth.Identity {
			changed := *old
			changed.User = update.Apply(old.User)
			user = changed.User
			return &changed
		})
	}
	return user, err
}

func (c *club) Identify(r *http.Request) (*auth.Identity, error) { return c.identify(r) }

func (c *club) StoreProfile(_ context.Context, id auth.Identity, u auth.UserUpdate) (auth.User, error) {
	return c.store(id, u)
}

func (c *club) Respond(r *http.Request, id *auth.Identity) (auth.Effects, error) {
	return c.respond(r, id)
}

func (c *club) Challenge(r *http.Request, err error) auth.Challenge { return c.challenge(r, err) }

func (c *club) Vary() []string { return c.vary }

// clubPlugin is a club with a guard of its own.
type clubPlugin struct {
	auth.Auth
	*club
}

func (p *clubPlugin) Routes() http.Handler { return p.routes }

func (p *clubPlugin) Close() error {
	p.close()
	return nil
}

func byCookie(secret string) authtest.Credential {
	return authtest.Credential{Secret: secret, Send: func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "club", Value: secret}) }}
}

func bySecret(secret string) authtest.Credential {
	return authtest.Credential{Secret: secret, Explicit: true, Send: func(r *http.Request) { r.Header.Set("Authorization", "Club "+secret) }}
}

// clubSubject makes a club that a browser logs in to by cookie, with one thing broken.
func clubSubject(damage func(*club)) func(testing.TB, auth.Config) authtest.Subject {
	return func(t testing.TB, cfg auth.Config) authtest.Subject {
		c := newClub(cfg.Logger)
		damage(c)
		guard, err := auth.New(cfg, c)
		if err != nil {
			t.Fatal(err)
		}
		return authtest.Subject{
			Backend:   &clubPlugin{guard, c},
			Good:      byCookie(adasSecret),
			Other:     byCookie(bobsSecret),
			Wrong:     []authtest.Credential{bySecret("guess-77aa00ff")},
			Stale:     []authtest.Credential{byCookie("eve-long-gone")},
			Forbidden: []authtest.Credential{byCookie("banned")},
			Holds:     auth.Permissions{"notes": {"read", "write"}},
			Lacks:     auth.Permissions{"notes": {"delete"}},
			End:       func() { c.end() },
			Break:     func() { c.down.Store(true) },
		}
	}
}
