package userauth

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
)

// Config configures [New]. Only DB has no default.
type Config struct {
	Auth auth.Config
	// DB holds users, roles and sessions: SQLite (see [OpenSQLite]), PostgreSQL (opened by the driver "pgx" or "postgres"),
	// MySQL or MariaDB ("mysql"). It must be the primary, no replica that lags. The caller closes it, after Close. Its driver must end a call
	// when the call's context does: a database that hangs would else hold requests for as long.
	DB *sqlx.DB
	// Authenticators know passwords that DB doesn't: an LDAP server's, for instance. They are asked in order where DB has
	// no user of that name.
	Authenticators []Authenticator
	// Policy says which passwords are taken.
	Policy Policy
	// Registration says who may make an account. Zero: [RegistrationClosed].
	Registration Registration
	// Providers are ways to sign in beside the password: the login page offers them, and the account's page of sign-ins those
	// that can be linked to an account (see [Links]). Empty: none.
	Providers []Provider
	// DefaultRoles are roles that every user of DB has, beside those given to each.
	DefaultRoles []string
	// Hooks are called when users come, log in, change and go. Zero: none.
	Hooks Hooks
	// Idle ends a session that long after its last request. An open socket alone is no request. 0: 7 days. At least 5
	// minutes.
	Idle time.Duration
	// Lifetime ends a session that long after the login, whatever happens in it. A change concerns later logins. 0: 30 days.
	Lifetime time.Duration
	// ForgetOnClose makes browsers forget the login when they are closed. False: they keep it for Lifetime.
	ForgetOnClose bool
	// Wake has changes that other processes made read at once, for each value received. Nil: they are read four times a
	// second, which goes on beside it. It is for a program that listens on PostgreSQL's channel "ostiary_feed", as the
	// example "wake" does; a value needn't be waited for.
	Wake <-chan struct{}
	// SessionsPerUser is how many sessions a user can have; beyond it the longest unused ends. 0: 100.
	SessionsPerUser int
	// CacheSessions is how many sessions are kept in memory, at about 120 bytes each, and as many API tokens. 0: 100,000.
	CacheSessions int
	// CookieName is for two servers on one https host. Empty: "ostiary-user".
	CookieName string
}

const (
	defaultIdle            = 7 * 24 * time.Hour
	leastIdle              = 5 * time.Minute // the last use is stored once a minute at most
	defaultLifetime        = 30 * 24 * time.Hour
	defaultSessionsPerUser = 100
	defaultCacheSessions   = 100_000
	defaultCookieName      = "ostiary-user"
	defaultMountPath       = "/auth"
)

// withDefaults is a checked copy.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.DB == nil:
		return c, errors.New("no DB")
	case c.Idle < 0 || c.Idle > 0 && c.Idle < leastIdle:
		return c, fmt.Errorf("want an Idle of at least %s, not %s", leastIdle, c.Idle)
	case c.Lifetime < 0 || c.Lifetime > 0 && c.Lifetime < time.Second:
		return c, fmt.Errorf("want a Lifetime of at least a second, not %s", c.Lifetime)
	case c.SessionsPerUser < 0:
		return c, fmt.Errorf("negative SessionsPerUser %d", c.SessionsPerUser)
	case c.CacheSessions < 0:
		return c, fmt.Errorf("negative CacheSessions %d", c.CacheSessions)
	}
	if err := c.Registration.check(c.Authenticators); err != nil {
		return c, err
	}
	for i, a := range c.Authenticators {
		if a == nil {
			return c, fmt.Errorf("number %d of Authenticators is nil", i)
		}
	}
	for _, p := range c.Providers {
		if err := p.check(); err != nil {
			return c, fmt.Errorf("provider %q: %w", p.Title, err)
		}
	}
	for _, name := range c.DefaultRoles {
		if problem := nameProblem(name); problem != "" {
			return c, fmt.Errorf("a name in DefaultRoles, %q: %s", name, problem)
		}
	}
	c.Authenticators, c.DefaultRoles = slices.Clone(c.Authenticators), slices.Clone(c.DefaultRoles)
	c.Providers = slices.Clone(c.Providers)
	c.Idle = cmp.Or(c.Idle, defaultIdle)
	c.Lifetime = cmp.Or(c.Lifetime, defaultLifetime)
	c.SessionsPerUser = cmp.Or(c.SessionsPerUser, defaultSessionsPerUser)
	c.CacheSessions = cmp.Or(c.CacheSessions, defaultCacheSessions)
	c.CookieName = cmp.Or(c.CookieName, defaultCookieName)
	return c, nil
}
