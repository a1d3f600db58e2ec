package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/cookie"
	"github.com/ostiary/auth/internal/limit"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/oidcauth/internal/op"
	"github.com/ostiary/auth/oidcauth/internal/seal"
)

// sessionRealm separates these sessions, and whom they belong to, from those of other backends over the same database.
const sessionRealm = "oidc"

type backend struct {
	auth      auth.Auth // the guard around this backend
	site      *site.Site
	mount     returnpath.Mount
	mountPath string
	now       func() time.Time
	logger    *slog.Logger

	providers   []*provider
	store       *store.DB
	engine      *session.Engine[person]
	cookie      cookie.Spec
	flows       *seal.Box
	refreshKeys *seal.Box // nil: no refresh tokens
	accounts    Accounts
	linkByEmail func(ctx context.Context, provider, email string) (string, error)

	refresher *refresher
	bearers   *bearers

	// What strangers can make as much of as they like is limited.
	codes        *limit.Limiter // that nobody got in with
	pushes       *limit.Limiter // attempts that a provider was told of
	logoutTokens *limit.Limiter // wrong ones at the back-channel
	logoutFrames *limit.Limiter // that end nothing
}

// A provider is one of Config, with what talks to it.
type provider struct {
	Provider
	op *op.Provider
}

// reason is why something was reported, with the provider that it was about.
func (p *provider) reason(text string) string { return "provider " + p.Name + ": " + text }

// providerNamed is nil where there is none.
func (b *backend) providerNamed(name string) *provider {
	for _, p := range b.providers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// providerOf gives the provider with this identifier, byte for byte; nil: there is none.
func (b *backend) providerOf(issuer string) *provider {
	for _, p := range b.providers {
		if p.Issuer == issuer {
			return p
		}
	}
	return nil
}

// Identify implements [auth.Backend]: who an access token or the session cookie says. An Authorization header decides alone
// where it is present: whoever claims to be somebody by it must not be served as the one of the cookie.
func (b *backend) Identify(r *http.Request) (*auth.Identity, error) {
	if len(r.Header["Authorization"]) > 0 {
		return b.bearer(r)
	}
	return b.browser(r)
}

// browser is who the session cookie says.
func (b *backend) browser(r *http.Request) (*auth.Identity, error) {
	p, err := b.person(r)
	if err != nil {
		return nil, err
	}
	b.refresher.used(p)
	return &p.id, nil
}

// person is the session of the request's cookie, and whom it proves.
func (b *backend) person(r *http.Request) (*person, error) {
	token, n := b.cookie.Read(r, b.site.HTTPS(r))
	switch n {
	case 0:
		return nil, auth.ErrNoCredentials
	case 1:
	default:
		return nil, auth.ErrInvalidCredentials // given twice: one of them was planted
	}
	p, err := b.engine.Find(r.Context(), token)
	if err == auth.ErrSessionEnded { //nolint:errorlint // the engine returns it as it is, and this is on every request's path
		return nil, auth.ErrNoCredentials // stale, not wrong
	}
	if err != nil {
		return nil, err
	}
	if p.id.ID == "" {
		return nil, auth.ErrNoCredentials // its row can't be read
	}
	return p, nil
}

// Challenge implements [auth.Challenger].
func (b *backend) Challenge(r *http.Request, err error) auth.Challenge {
	c := auth.Challenge{WWWAuthenticate: b.challenges(r), LoginPath: b.mountPath + "/login"}
	https := b.site.HTTPS(r)
	if _, n := b.cookie.Read(r, https); n == 0 {
		return c
	}
	// Where it was asked and is worth nothing, the browser forgets it. A valid one stays: something else was refused, and a
	// wrong header must not log a browser out.
	asked := errors.Is(err, auth.ErrNoCredentials) && len(r.Header["Authorization"]) == 0
	if !asked {
		_, err := b.browser(r)
		asked = errors.Is(err, auth.ErrNoCredentials) || errors.Is(err, auth.ErrInvalidCredentials)
	}
	if asked {
		c.SetCookies = []*http.Cookie{b.cookie.Delete(r, https)}
	}
	return c
}

// StoreProfile implements [auth.ProfileStore]. What the user changes goes before what the provider says, field by field,
// and stays so when the provider says something new; an empty value gives the field back to the provider.
func (b *backend) StoreProfile(ctx context.Context, id auth.Identity, update auth.UserUpdate) (auth.User, error) {
	s, ok := id.Session.(personSession)
	if !ok {
		return auth.User{}, errors.ErrUnsupported // an access token's: it may be anybody's program
	}
	err := b.engine.Write(ctx, func(tx *store.Tx) error {
		return tx.UpdateProfile(s.User(), store.ProfileUpdate(update))
	})
	if errors.Is(err, store.ErrNotFound) {
		return auth.User{}, auth.ErrSessionEnded // deleted meanwhile
	}
	if err != nil {
		return auth.User{}, fmt.Errorf("%w: %w", auth.ErrUnavailable, err)
	}
	// The change makes memory distrust what it has of the user, and the handler may go on to ask. That it can't be asked
	// now doesn't undo what is stored.
	if b.engine.Refresh(ctx, s.Session) == nil {
		if now, err := s.Current(); err == nil {
			return now.User, nil
		}
	}
	return update.Apply(id.User), nil
}

// report tells the guard's log of an event of the caller's.
func (b *backend) report(r *http.Request, e auth.Event) { auth.Report(b.auth, r, e) }

// attempt is what r counts as for the limits: its caller's address alone.
func (b *backend) attempt(r *http.Request) limit.Attempt {
	return limit.Attempt{Address: auth.Address(b.auth, r)}
}
