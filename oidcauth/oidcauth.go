// Package oidcauth lets an OpenID Provider say who people are: a company's, a cloud's or one that runs beside the server.
//
//	sso, err := oidcauth.New(ctx, oidcauth.Config{
//		Auth:      auth.Config{PublicURL: "https://app.example"},
//		DB:        db, // oidcauth.OpenSQLite, or the application's own
//		Providers: []oidcauth.Provider{{Name: "corp", Issuer: "https://id.corp.example", ClientID: id, ClientSecret: secret}},
//	})
//	defer sso.Close()
//	r.Mount("/auth", sso.Routes())
//
// People log in by the authorization code flow with PKCE, state and nonce, and hold a cookie that means nothing by itself;
// the session is in the database, as userauth's are. Who somebody is comes from the provider's identifier and its "sub",
// never from a name or an e-mail address. What somebody may do comes from claims, by [Mapping], which maps nothing that it
// isn't told to. Logout works from both sides: here, and at the provider (back-channel and front-channel), on every
// instance and for open sockets, within a second.
//
// Programs send the provider's access tokens, where [Provider.API] takes them.
//
// It fails closed. A provider that can't be reached keeps newcomers out, with 503, and nobody else: sessions go on, and
// so do tokens that its known keys verify.
//
// The repository's docs/oidc.md has what to register at a provider, what providers differ in, and what the log's lines mean.
package oidcauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/jmoiron/sqlx"

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
		return nil, fmt.Errorf("oidcauth: %w", err)
	}
	return db, nil
}

// New makes an Auth and brings the database's schema up to date. No provider is asked for anything before it is needed. An
// error names the field that is wrong; a database of a newer version is refused. ctx is for start-up only.
func New(ctx context.Context, cfg Config) (*Auth, error) {
	a, err := build(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("oidcauth: %w", err)
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
	if err := cookie.ValidBase(cfg.CookieName + "-flow-12345678"); err != nil { // the longest of the names
		return nil, fmt.Errorf("CookieName: %w", err)
	}
	b := &backend{
		site: s, mount: mount, mountPath: string(mountPath), now: cfg.Auth.Now,
		logger:       cmp.Or(cfg.Auth.Logger, slog.Default()),
		cookie:       cookie.Spec{Base: cfg.CookieName, MaxAge: cfg.Lifetime},
		accounts:     cfg.Accounts,
		linkByEmail:  cfg.LinkVerifiedEmail,
		logoutTokens: limit.New(logoutLimits(cfg.Auth.Now)),
		logoutFrames: limit.New(frameLimits(cfg.Auth.Now)),
		codes:        limit.New(loginLimits(cfg.Auth.Now)),
		pushes:       limit.New(pushLimits(cfg.Auth.Now)),
	}
	if b.now == nil {
		b.now = time.Now
	}
	if cfg.ForgetOnClose {
		b.cookie.MaxAge = 0
	}
	if len(cfg.RefreshKeys) > 0 {
		if b.refreshKeys, err = seal.New(cfg.RefreshKeys); err != nil {
			return nil, fmt.Errorf("RefreshKeys: %w", err)
		}
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{}
	}
	for _, p := range cfg.Providers {
		client, err := op.New(op.Config{
			Issuer: p.Issuer, ClientID: p.ClientID, ClientSecret: p.ClientSecret,
			Auth: p.ClientAuth.op(), Key: p.Key, KeyID: p.KeyID, Audience: p.AssertionAudience,
			Transport: cfg.HTTPClient.Transport, Timeout: cfg.HTTPClient.Timeout, Now: cfg.Auth.Now,
			Log: func(doing string, err error) { b.logger.Warn("auth: provider "+p.Name+": "+doing, "error", err) },
		})
		if err != nil {
			return nil, fmt.Errorf("provider %q: %w", p.Name, err)
		}
		b.providers = append(b.providers, &provider{Provider: p, op: client})
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
	b.engine, err = session.New(ctx, session.Config[person]{
		DB: b.store, Realm: sessionRealm, Load: b.load, Bind: b.bind,
		Idle: cfg.Idle, Lifetime: cfg.Lifetime, PerUser: cfg.SessionsPerUser, Cache: cfg.CacheSessions,
		Wake: cfg.Wake, Now: cfg.Auth.Now,
		Ended: auth.ErrSessionEnded, Unavailable: auth.ErrUnavailable, Closed: http.ErrServerClosed,
		Log: func(doing string, err error) { b.logger.Warn("auth: sessions: "+doing, "error", err) },
	})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	// All instances share the key of the flows: the browser may come back to another one than it left from.
	key, err := b.store.Secret(ctx, "oidc flows", func() []byte {
		key := make([]byte, seal.KeySize)
		_, _ = rand.Read(key) // never fails
		return key
	})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if b.flows, err = seal.New([][]byte{key}); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	b.startBearers(cfg)
	b.startRefreshing()
	return nil
}

// Routes serves the backend's pages: login, the way back from the provider, logout from both sides and, with Config.Accounts,
// the link of a local account. Mount it at Config.Auth.MountPath.
func (a *Auth) Routes() http.Handler { return a.handler }

// Close ends the goroutines and what is open: sockets close with code 1001, later requests are answered with 503. The
// database stays open; it is the caller's.
func (b *backend) Close() error {
	b.stopRefreshing()
	b.stopBearers()
	for _, p := range b.providers {
		p.op.Close()
	}
	var err error
	if b.engine != nil {
		err = b.engine.Close()
	}
	if b.store != nil {
		err = errors.Join(err, b.store.Close())
	}
	if err != nil {
		return fmt.Errorf("oidcauth: close: %w", err)
	}
	return nil
}
