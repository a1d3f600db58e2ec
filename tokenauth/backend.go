package tokenauth

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/cookie"
	"github.com/ostiary/auth/internal/guest"
	"github.com/ostiary/auth/internal/limit"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/internal/watch"
)

type backend struct {
	auth      auth.Auth // the guard around this backend
	site      *site.Site
	mount     returnpath.Mount
	mountPath string
	lifetime  time.Duration
	now       func() time.Time

	shared     *grant             // of the shared token or password
	byWord     map[digest]*grant  // by token
	byID       map[[8]byte]*grant // by the id in cookies
	hash       password.Hash      // of PasswordMode
	hasher     *password.Hasher   // nil in TokenMode
	secret     *limit.Limiter     // wrong tokens on requests
	form       *limit.Limiter     // wrong tokens and passwords in the login form
	device     deviceKey          // signs device cookies
	processKey []byte             // random; never leaves the process
	guests     *watch.Book[guest.ID, auth.User]

	cookie       cookie.Spec
	deviceCookie cookie.Spec
	revoked      *revocations
	logins       atomic.Uint64
	closed       atomic.Bool
}

// Identify implements [auth.Backend]. The Authorization header decides alone where it is present; then ?token=, then the
// login cookie. Whoever proved the token, the browser's cookie still says which guest it is.
func (b *backend) Identify(r *http.Request) (*auth.Identity, error) {
	if b.closed.Load() {
		return nil, auth.ErrUnavailable
	}
	if lines := r.Header["Authorization"]; len(lines) > 0 {
		if len(lines) > 1 {
			return nil, auth.ErrInvalidCredentials // which of them would a proxy have judged?
		}
		token, ours := fromHeader(lines[0])
		if !ours {
			return nil, auth.ErrNoCredentials
		}
		g, err := b.proves(r, token)
		if err != nil {
			return nil, err
		}
		if g == nil {
			return nil, auth.ErrInvalidCredentials
		}
		return b.holder(r, g)
	}
	token, n := fromQuery(r.URL.RawQuery)
	if n > 1 {
		return nil, auth.ErrInvalidCredentials
	}
	if token != "" {
		// An old link is no claim: with a wrong ?token= the cookie is asked.
		if g, err := b.proves(r, token); err != nil || g != nil {
			if err != nil {
				return nil, err
			}
			return b.holder(r, g)
		}
	}
	return b.browser(r)
}

// proves gives the grant of a token that came with a request; nil for a wrong or expired one. Guesses are limited by
// address. A right token inside the limit is refused too, or the limit would tell right from wrong.
func (b *backend) proves(r *http.Request, token string) (*grant, error) {
	g := b.byWord[digestOf(token)]
	if g == nil {
		g = nobody // an unknown token takes the time of an expired one
	}
	if g.expired(b.now) {
		g = nil
	}
	if g != nil && b.secret.Idle() {
		return g, nil // nobody is being limited: nothing to count
	}
	try := limit.Attempt{Address: auth.Address(b.auth, r)}
	if wait, ok := b.secret.Begin(try); !ok {
		return nil, &auth.LimitedError{RetryAfter: wait}
	}
	if g != nil {
		b.secret.Succeed(try)
	}
	return g, nil
}

// holder is who attached a token of g: the guest whose cookie comes with it, else the API user of g.
func (b *backend) holder(r *http.Request, g *grant) (*auth.Identity, error) {
	// The token was attached on purpose, the cookie by the browser: a foreign page whose author holds some token must not
	// act as its visitor, so that the cookie counts only where it would by itself.
	if len(r.Header["Cookie"]) > 0 && b.site.Check(r, site.Ambient, len(r.Header["Upgrade"]) > 0) == nil {
		// A cookie that says nothing any more must not spoil what the token proves.
		if s, err := b.session(r); err == nil {
			s.g = g
			if id, err := s.identity(true); err == nil {
				return id, nil
			}
		}
	}
	return g.api.Load()
}

// browser is who the login cookie says.
func (b *backend) browser(r *http.Request) (*auth.Identity, error) {
	s, err := b.session(r)
	if err != nil {
		return nil, err
	}
	id, err := s.identity(false)
	if errors.Is(err, auth.ErrSessionEnded) {
		return nil, auth.ErrNoCredentials // stale, not wrong
	}
	return id, err // closed meanwhile: 503, and the cookie stays
}

// session is that of the login cookie.
func (b *backend) session(r *http.Request) (*guestSession, error) {
	l, n := b.login(r)
	if n > 1 {
		return nil, auth.ErrInvalidCredentials // given twice: one of them was planted
	}
	if l == nil || b.revoked.has(*l) {
		return nil, auth.ErrNoCredentials
	}
	g := b.byID[l.grant]
	if g.expired(b.now) || !b.now().Before(l.issued.Add(b.lifetime)) {
		return nil, auth.ErrNoCredentials
	}
	return &guestSession{b: b, g: g, login: *l}, nil
}

// login reads the login cookie; nil where there is none of ours. n is how often it was sent.
func (b *backend) login(r *http.Request) (l *login, n int) {
	value, n := b.cookie.Read(r, b.site.HTTPS(r))
	if n == 0 {
		return nil, 0
	}
	parsed, ok := parseLogin(value, func(id [8]byte) []byte {
		if g := b.byID[id]; g != nil {
			return g.key
		}
		return nil
	})
	if !ok {
		return nil, n
	}
	return &parsed, n
}

// Respond implements [auth.Responder]: a navigation with ?token= is given a login cookie and sent on to the address
// without the token, which would else stay in the history and go out in Referers.
func (b *backend) Respond(r *http.Request, id *auth.Identity) (auth.Effects, error) {
	if r.URL.RawQuery == "" || !page.Navigation(r) {
		return auth.Effects{}, nil
	}
	token, n := fromQuery(r.URL.RawQuery)
	if n == 0 {
		return auth.Effects{}, nil
	}
	if err := b.site.Cookies(r); err != nil {
		// Sent on, the browser would be nobody. It stays, and what this page loads finds no user: the log says why.
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventWarning, Reason: err.Error()})
		return auth.Effects{}, nil //nolint:nilerr // reported; the caller is admitted all the same
	}
	effects := auth.Effects{RedirectTo: b.mount.Request(r, "token")}
	if s, ok := id.Session.(*guestSession); ok && s != nil {
		return effects, nil // logged in already: its cookie stays, whatever the link says
	}
	g := b.byWord[digestOf(token)]
	if g == nil || len(r.Header["Authorization"]) > 0 {
		return auth.Effects{}, nil // a header proved the token, and the link is stale
	}
	effects.SetCookies = []*http.Cookie{b.admit(r, g, "link")}
	return effects, nil
}

// admit makes a new guest and its cookie. The value is always a new one, so that nobody can plant a login in advance.
func (b *backend) admit(r *http.Request, g *grant, how string) *http.Cookie {
	l := login{guest: guest.NewID(), grant: g.id, issued: b.now(), number: b.logins.Add(1)}
	b.report(r, auth.EventLogin, l, how)
	return b.cookie.Set(r, b.site.HTTPS(r), l.sign(g.key))
}

func (b *backend) report(r *http.Request, kind auth.EventKind, l login, reason string) {
	user := l.guest.String()
	auth.Report(b.auth, r, auth.Event{Kind: kind, UserID: idOf(l.guest), Username: user, Reason: reason})
}

// end ends a login, and everything that it has open.
func (b *backend) end(l login) (alive bool) {
	others, alive := b.revoked.add(l)
	if alive {
		b.guests.End(l.guest, auth.ErrSessionEnded)
	}
	if others {
		b.guests.Notify()
	}
	return alive
}

// Challenge implements [auth.Challenger].
func (b *backend) Challenge(r *http.Request, err error) auth.Challenge {
	c := auth.Challenge{WWWAuthenticate: challengeFor(err), LoginPath: b.mountPath + "/login"}
	https := b.site.HTTPS(r)
	if _, n := b.cookie.Read(r, https); n > 0 {
		// A valid one stays: it isn't what was refused, and a wrong header must not log a browser out.
		if _, err := b.session(r); err != nil {
			c.SetCookies = []*http.Cookie{b.cookie.Delete(r, https)}
		}
	}
	return c
}

// StoreProfile implements [auth.ProfileStore]: in memory, for the caller alone.
func (b *backend) StoreProfile(_ context.Context, id auth.Identity, update auth.UserUpdate) (user auth.User, err error) {
	switch s := id.Session.(type) {
	case *guestSession:
		err = b.guests.Update(s.login.guest, func(old auth.User) auth.User {
			user = update.Apply(old)
			return user
		})
	case *apiSession:
		err = s.g.api.Update(func(old *auth.Identity) *auth.Identity {
			c := *old
			c.User = update.Apply(old.User)
			user = c.User
			return &c
		})
	default:
		err = auth.ErrForbidden // unreachable: the identity is none of ours
	}
	return user, err
}
