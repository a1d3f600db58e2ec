package oidcauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
)

// Config configures [New]. Auth.PublicURL, Providers and DB have no default.
type Config struct {
	// Auth is what every guard needs to know. PublicURL is required: the addresses that providers send browsers back to are
	// made of it, and never of a request's Host.
	Auth auth.Config
	// Providers are who vouches for people. With several, the login page lets them choose.
	Providers []Provider
	// DB holds sessions and what providers say of their users: SQLite (see [OpenSQLite]), PostgreSQL (opened by the driver
	// "pgx" or "postgres"), MySQL or MariaDB ("mysql"). It may be userauth's. It must be the primary, no replica that lags.
	// The caller closes it, after Close. Its driver must end a call when the call's context does.
	DB *sqlx.DB
	// RefreshKeys seal the refresh tokens in the database, with AES-256-GCM: 32 random bytes each. The first seals, all
	// open: a new key is put before the old one, which can go after Lifetime. Where several instances run, a new one stands
	// last at all of them before it stands first at any: a session whose refresh token no key opens ends. Empty: no refresh
	// token is asked for or kept, so what a provider says of somebody counts until the next login.
	RefreshKeys [][]byte
	// Accounts are local accounts that people may sign in to by a provider: the Links of a userauth over the same database, in
	// a chain with this one. Of Mapping only what lets people in at all counts for them (AllowGroups, AllowDomains, a refusal
	// by Func): their permissions are the account's own. Nil: there are none, and whoever signs in here is never a local user,
	// whatever name or e-mail address the provider tells.
	Accounts Accounts
	// LinkVerifiedEmail gives the username of the local account that belongs to an e-mail address, "" for none. Who signs in
	// with this address, verified by the provider (email_verified is true), is then that account's user, and stays so.
	// Danger: every provider here can sign in as any user whose address it claims to have verified, but for those who hold
	// admin:read or admin:write: they are refused until they have linked that sign-in themselves. It may be called concurrently,
	// and again for the same address until that is linked. Who gets "" signs in as a person of the provider; an error is 503, as
	// of a backend, and nobody is signed in. Nil: accounts are linked by their users only, at /link/{provider}.
	LinkVerifiedEmail func(ctx context.Context, provider, email string) (username string, err error)
	// HTTPClient reaches the providers. Of it only two fields count: Transport, for a private certificate authority or a proxy,
	// and Timeout, which is of one call; 0: 10 seconds. No redirect is followed and no cookie kept. Nil, or without a Transport:
	// the system's authorities and the environment's proxy. Danger: only that transport refuses names that lead to link-local
	// addresses, where clouds serve a machine's own credentials.
	HTTPClient *http.Client
	// Idle ends a session that long after its last request. An open socket alone is no request. 0: 7 days. At least 5
	// minutes.
	Idle time.Duration
	// Lifetime ends a session that long after the login, whatever happens in it. 0: 30 days.
	Lifetime time.Duration
	// ForgetOnClose makes browsers forget the login when they are closed. False: they keep it for Lifetime.
	ForgetOnClose bool
	// Wake has changes that other processes made read at once, for each value received. Nil: they are read four times a
	// second, which goes on beside it. See the field of this name in userauth's Config.
	Wake <-chan struct{}
	// SessionsPerUser is how many sessions a user can have; beyond it the longest unused ends. 0: 100.
	SessionsPerUser int
	// CacheSessions is how many sessions are kept in memory, at about 120 bytes each. 0: 100,000.
	CacheSessions int
	// CacheTokens is how many verified access tokens are kept in memory, at about 2 KB each. 0: 10,000.
	CacheTokens int
	// CookieName is for two servers on one https host. Empty: "ostiary-oidc".
	CookieName string
}

const (
	defaultIdle            = 7 * 24 * time.Hour
	leastIdle              = 5 * time.Minute // the last use is stored once a minute at most
	defaultLifetime        = 30 * 24 * time.Hour
	defaultSessionsPerUser = 100
	defaultCacheSessions   = 100_000
	defaultCacheTokens     = 10_000
	defaultCookieName      = "ostiary-oidc"
	defaultMountPath       = "/auth"
)

// withDefaults is a checked copy.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Auth.PublicURL == "":
		return c, errors.New("no Auth.PublicURL: the address that the provider sends browsers back to is made of it")
	case c.DB == nil:
		return c, errors.New("no DB")
	case len(c.Providers) == 0:
		return c, errors.New("no Providers")
	case c.Idle < 0 || c.Idle > 0 && c.Idle < leastIdle:
		return c, fmt.Errorf("want an Idle of at least %s, not %s", leastIdle, c.Idle)
	case c.Lifetime < 0 || c.Lifetime > 0 && c.Lifetime < time.Second:
		return c, fmt.Errorf("want a Lifetime of at least a second, not %s", c.Lifetime)
	case c.SessionsPerUser < 0:
		return c, fmt.Errorf("negative SessionsPerUser %d", c.SessionsPerUser)
	case c.CacheSessions < 0:
		return c, fmt.Errorf("negative CacheSessions %d", c.CacheSessions)
	case c.CacheTokens < 0:
		return c, fmt.Errorf("negative CacheTokens %d", c.CacheTokens)
	case c.LinkVerifiedEmail != nil && c.Accounts == nil:
		return c, errors.New("LinkVerifiedEmail needs Accounts")
	}
	c.Providers = slices.Clone(c.Providers)
	introspects := ""
	for i, p := range c.Providers {
		p, err := p.withDefaults()
		if err != nil {
			return c, fmt.Errorf("provider %q: %w", p.Name, err)
		}
		for _, other := range c.Providers[:i] {
			switch {
			case other.Name == p.Name:
				return c, fmt.Errorf("two providers are named %q", p.Name)
			case other.Issuer == p.Issuer:
				// A logout token, a bearer token and an iss parameter name the issuer alone.
				return c, fmt.Errorf("providers %q and %q have the same Issuer", other.Name, p.Name)
			}
		}
		if p.API != nil && p.API.Introspect {
			if introspects != "" {
				return c, fmt.Errorf("API: Introspect of providers %q and %q: an opaque token doesn't say whose it is", introspects, p.Name)
			}
			introspects = p.Name
		}
		c.Providers[i] = p
	}
	c.Idle = cmp.Or(c.Idle, defaultIdle)
	c.Lifetime = cmp.Or(c.Lifetime, defaultLifetime)
	c.SessionsPerUser = cmp.Or(c.SessionsPerUser, defaultSessionsPerUser)
	c.CacheSessions = cmp.Or(c.CacheSessions, defaultCacheSessions)
	c.CacheTokens = cmp.Or(c.CacheTokens, defaultCacheTokens)
	c.CookieName = cmp.Or(c.CookieName, defaultCookieName)
	return c, nil
}
