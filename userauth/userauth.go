// Package userauth knows users by name and password, and keeps them with their permissions, roles and sessions in a SQL
// database: for a team. SQLite is built in and needs no server; over PostgreSQL, MySQL or MariaDB several instances share them.
//
//	db, err := userauth.OpenSQLite("app.db")
//	users, err := userauth.New(ctx, userauth.Config{DB: db})
//	defer users.Close()
//	r.Mount("/auth", users.Routes())
//
// There is nobody in a new database: [Accounts.FirstAdmin] or the command useradmin makes the first user. An admin makes the
// others or invites them, unless Config.Registration is open. People log in at a page and hold a cookie that means nothing
// by itself; the session is in the database, where ending it ends what it has opened in every process over that database:
// requests and open sockets, within a second.
//
// Programs send an API token, "Authorization: Bearer ost_…", which a user makes at the same pages for the own use, or an
// admin for a service: see [Token]. In a chain this backend stands before tokenauth, which refuses what it doesn't know.
//
// People may also sign in to their accounts at OpenID Providers, once they have linked the two: see [Links].
//
// It fails closed: while the database can't be asked, callers get 503, and open sockets end after auth.Config.OutageGrace.
// Limits on guessing are kept in memory and start anew with the process.
package userauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/cookie"
	"github.com/ostiary/auth/internal/limit"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/internal/store"
)

// Auth is the guard and backend. All methods may be called concurrently.
type Auth struct {
	auth.Auth
	*backend
	handler http.Handler
}

var _ auth.Plugin = (*Auth)(nil)

// OpenSQLite opens the SQLite database in the file at path, and makes it where there is none, readable by its owner alone.
// Several processes of one machine may use it; the file must not lie on a network share.
func OpenSQLite(path string) (*sqlx.DB, error) {
	db, err := store.OpenSQLite(path)
	if err != nil {
		return nil, fmt.Errorf("userauth: %w", err)
	}
	return db, nil
}

// New makes an Auth and brings the database's schema up to date. An error names the field that is wrong; a database of a
// newer version is refused. ctx is for start-up only.
func New(ctx context.Context, cfg Config) (*Auth, error) {
	a, err := build(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("userauth: %w", err)
	}
	return a, nil
}

func build(ctx context.Context, cfg Config) (a *Auth, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("Config: %w", err)
	}
	b, err := newBackend(cfg)
	if err != nil {
		return nil, fmt.Errorf("Config: %w", err)
	}
	// The guard comes first: it finds what is wrong with the settings before the database is touched.
	a = &Auth{backend: b}
	if a.Auth, err = auth.New(cfg.Auth, b); err != nil {
		return nil, fmt.Errorf("Config: Auth: %w", err)
	}
	b.auth = a.Auth
	a.handler = b.routes()
	if err := b.open(ctx, cfg); err != nil {
		return nil, err
	}
	return a, nil
}

// limitKeys is how many accounts, addresses and devices the limits on guessing know, at about 100 bytes each. A name that
// finds no room shares its limit with others: so many that filling them takes strangers most of a day.
const limitKeys = 100_000

// newBackend is everything but what needs the database.
func newBackend(cfg Config) (*backend, error) {
	s, err := site.New(site.Config{
		PublicURL: cfg.Auth.PublicURL, InsecureHTTP: cfg.Auth.InsecureHTTP,
		TrustedOrigins: cfg.Auth.TrustedOrigins, AllowedHosts: cfg.Auth.AllowedHosts,
	})
	if err != nil {
		return nil, fmt.Errorf("Auth: %w", err)
	}
	mount, err := returnpath.ParseMount(s.Path())
	if err != nil {
		return nil, fmt.Errorf("Auth: PublicURL: %w", err)
	}
	mountPath, err := returnpath.ParseMount(cmp.Or(cfg.Auth.MountPath, defaultMountPath))
	if err != nil {
		return nil, fmt.Errorf("Auth: MountPath: %w", err)
	}
	if err := cookie.ValidBase(cfg.CookieName); err != nil {
		return nil, fmt.Errorf("CookieName: %w", err)
	}
	cost := password.DefaultParams()
	hasher, err := password.NewHasher(password.Config{Params: cost})
	if err != nil {
		return nil, err
	}
	b := &backend{
		site: s, mount: mount, mountPath: string(mountPath), now: cfg.Auth.Now,
		cookie:         cookie.Spec{Base: cfg.CookieName, MaxAge: cfg.Lifetime},
		deviceCookie:   cookie.Spec{Base: cfg.CookieName + "-device", MaxAge: deviceCookieAge},
		limit:          limit.New(limit.Config{Now: cfg.Auth.Now, Keys: limitKeys}),
		newcomers:      limit.New(newcomerLimits(cfg.Auth.Now)),
		hasher:         hasher,
		cost:           cost,
		authenticators: cfg.Authenticators,
		defaultRoles:   cfg.DefaultRoles,
		lifetime:       cfg.Lifetime,
		registration:   cfg.Registration,
		providers:      cfg.Providers,
	}
	if b.now == nil {
		b.now = time.Now
	}
	if cfg.ForgetOnClose {
		b.cookie.MaxAge = 0
	}
	return b, nil
}

// open is everything that needs the database.
func (b *backend) open(ctx context.Context, cfg Config) (err error) {
	if b.store, err = store.Open(ctx, cfg.DB); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() {
		if err != nil {
			_ = b.Close() // the first error is the one to tell
		}
	}()
	logger := cmp.Or(cfg.Auth.Logger, slog.Default())
	warn := func(of string) func(string, error) {
		return func(doing string, err error) { logger.Warn("auth: "+of+": "+doing, "error", err) }
	}
	if b.tokens, err = b.newTokens(ctx, cfg, warn("tokens")); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	b.engine, err = session.New(ctx, session.Config[auth.Identity]{
		DB: b.store, Realm: sessionRealm, Load: b.load, Bind: bind,
		Idle: cfg.Idle, Lifetime: cfg.Lifetime, PerUser: cfg.SessionsPerUser, Cache: cfg.CacheSessions, Wake: cfg.Wake, Now: cfg.Auth.Now,
		Ended: auth.ErrSessionEnded, Unavailable: auth.ErrUnavailable, Closed: http.ErrServerClosed,
		Log: warn("sessions"), Also: b.tokens,
	})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	key, err := b.store.Secret(ctx, "device cookies", func() []byte {
		key := make([]byte, deviceKeyLen)
		_, _ = rand.Read(key) // never fails
		return key
	})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if b.device, err = newDeviceKey(key); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if b.accounts, err = newAccounts(b.store, b.engine.Write, b.hasher, cfg.Policy, b.now); err != nil {
		return fmt.Errorf("Config: %w", err)
	}
	b.accounts.defaultRoles, b.accounts.configRoles = cfg.DefaultRoles, maps.Clone(cfg.Auth.Roles)
	b.accounts.hooks, b.accounts.hookFailed = cfg.Hooks, b.hookFailed
	return nil
}

func (b *backend) hookFailed(user Account, err error) {
	auth.Report(b.auth, nil, auth.Event{Kind: auth.EventFault, UserID: user.ID, Username: user.Username, Reason: err.Error()})
}

// Routes serves the backend's pages and API: login, logout and registration, the account's profile, password, sessions and
// API tokens; and, for holders of admin:read and admin:write, the administration of users, roles and invitations. Whoever
// holds admin:write may grant anything. Mount it at Config.Auth.MountPath.
func (a *Auth) Routes() http.Handler { return a.handler }

// Accounts manages users and roles. What it changes acts in this process at once.
func (a *Auth) Accounts() *Accounts { return a.accounts }

// Close ends the goroutines and what is open: sockets close with code 1001, later requests are answered with 503. The
// database stays open; it is the caller's.
func (b *backend) Close() error {
	var err error
	if b.engine != nil {
		err = b.engine.Close()
	}
	if b.tokens != nil {
		err = errors.Join(err, b.tokens.Close())
	}
	if b.store != nil {
		err = errors.Join(err, b.store.Close())
	}
	if err != nil {
		return fmt.Errorf("userauth: close: %w", err)
	}
	return nil
}
