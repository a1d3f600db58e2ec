// Package tokenauth lets in who holds a shared token, as Jupyter does: for a lab machine, or a server with few people.
//
// The token comes as "Authorization: Bearer T" (or "token T"), as ?token=T, or once in the login form; a browser then
// holds a cookie. A shared password can take its place, and named tokens with permissions of their own can stand
// beside it. Everybody is a guest: each browser gets a name, initials and a colour, so that people who edit together
// can be told apart.
//
// It keeps nothing on disk. A restart ends all logins, and guests' profile changes are kept in bounded memory.
package tokenauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/cookie"
	"github.com/ostiary/auth/internal/limit"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/internal/watch"
)

const (
	defaultLifetime   = 30 * 24 * time.Hour
	defaultGuests     = 10_000
	defaultMountPath  = "/auth"
	defaultCookieName = "ostiary-token"
	maxRevocations    = 100_000
	strongToken       = 32 // characters under which a token is warned about
	strongPassword    = 15
	deviceCookieAge   = 365 * 24 * time.Hour
)

// Auth is the guard and backend. All methods may be called concurrently.
type Auth struct {
	auth.Auth
	*backend
	handler   http.Handler
	generated string // the token, where New made it up
}

var _ auth.Plugin = (*Auth)(nil)

// New makes an Auth. An error names the field that is wrong and repeats no secret. ctx is for start-up only.
func New(ctx context.Context, cfg Config) (*Auth, error) {
	a, err := build(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("tokenauth: Config: %w", err)
	}
	return a, nil
}

func build(ctx context.Context, cfg Config) (*Auth, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	b, err := newBackend(cfg)
	if err != nil {
		return nil, err
	}
	a := &Auth{backend: b}
	a.handler = b.routes()
	var warning string
	switch cfg.Mode {
	case TokenMode:
		warning, err = a.addToken(cfg)
	case PasswordMode:
		warning, err = a.addPassword(ctx, cfg)
	}
	if err != nil {
		return nil, err
	}
	if err := b.addNamed(cfg.Tokens); err != nil {
		return nil, err
	}
	if a.Auth, err = auth.New(cfg.Auth, b); err != nil {
		return nil, err
	}
	b.auth = a.Auth
	if warning != "" {
		auth.Report(a.Auth, nil, auth.Event{Kind: auth.EventWarning, Reason: warning})
	}
	return a, nil
}

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
	name := cmp.Or(cfg.CookieName, defaultCookieName)
	if err := cookie.ValidBase(name); err != nil {
		return nil, fmt.Errorf("CookieName: %w", err)
	}
	now := cfg.Auth.Now
	if now == nil {
		now = time.Now
	}
	return &backend{
		site: s, mount: mount, mountPath: string(mountPath), now: now,
		lifetime: cmp.Or(cfg.Lifetime, defaultLifetime),
		byWord:   map[digest]*grant{}, byID: map[[8]byte]*grant{},
		secret: limit.New(limit.Config{Now: now, Address: limit.Rule{Free: 50}, Total: noTotal}),
		form:   limit.New(limit.Config{Now: now, Account: everybody, Total: formTotal(cfg.Mode)}),
		device: newDeviceKey(),
		guests: watch.NewBook(cmp.Or(cfg.Guests, defaultGuests), guestUser),
		cookie: cookie.Spec{Base: name}, deviceCookie: cookie.Spec{Base: name + "-device", MaxAge: deviceCookieAge},
		revoked:    newRevocations(maxRevocations),
		processKey: newProcessKey(),
	}, nil
}

// noTotal lets a billion guesses at tokens through a second: what all addresses together may guess would be what a few
// strangers need to lock everybody out, and a token of proper length can't be guessed.
var noTotal = limit.Rate{Burst: 1 << 30, Every: time.Nanosecond}

// formTotal bounds the guesses at a password, which can be. Zero is the limiter's default.
func formTotal(m Mode) limit.Rate {
	if m == PasswordMode {
		return limit.Rate{}
	}
	return noTotal
}

// everybody limits guesses at the shared password, from wherever they come. A class that logs in at once has to fit, since
// each attempt counts until it has turned out right. The longest delay is short, or strangers could shut the form to all
// new browsers: 2,880 guesses a day don't find a password that is worth the name.
var everybody = limit.Rule{Free: 64, Max: 30 * time.Second}

func newProcessKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

func (a *Auth) addToken(cfg Config) (warning string, err error) {
	token, generated, err := cfg.sharedToken()
	if err != nil {
		return "", fmt.Errorf("Token: %w", err)
	}
	if generated {
		a.generated = token
	} else if len(token) < strongToken {
		warning = fmt.Sprintf("the token has fewer than %d characters: it can be guessed", strongToken)
	}
	a.shared = a.add(digestOf(token), Token{})
	a.byWord[digestOf(token)] = a.shared
	return warning, nil
}

func (a *Auth) addPassword(ctx context.Context, cfg Config) (warning string, err error) {
	if a.hasher, err = password.NewHasher(password.Config{}); err != nil {
		return "", err
	}
	if a.hash, err = cfg.passwordHash(ctx, a.hasher); err != nil {
		return "", err
	}
	if cfg.Password != "" && len([]rune(cfg.Password)) < strongPassword {
		warning = fmt.Sprintf("the password has fewer than %d characters: it can be guessed", strongPassword)
	}
	a.shared = a.add(digestOf(a.hash.Encoded()), Token{})
	return warning, nil
}

func (b *backend) addNamed(tokens []Token) error {
	var names []string
	for i, t := range tokens {
		err := validToken(t.Token)
		switch {
		case err != nil:
			err = fmt.Errorf("Token: %w", err)
		case t.Name == "":
			err = errors.New("no Name")
		case slices.Contains(names, t.Name):
			err = fmt.Errorf("a second one with the Name %q", t.Name)
		case b.byWord[digestOf(t.Token)] != nil:
			err = errors.New("the token is used twice")
		default:
			err = t.Permissions.Validate()
		}
		if err != nil {
			return fmt.Errorf("in Tokens[%d]: %w", i, err)
		}
		names = append(names, t.Name)
		b.byWord[digestOf(t.Token)] = b.add(digestOf(t.Token), t)
	}
	return nil
}

func (b *backend) add(secret digest, t Token) *grant {
	g := newGrant(b.processKey, secret, t)
	b.byID[g.id] = g
	return g
}

// Routes serves the login page and logout: GET and POST /login, POST /logout. Mount it at Config.Auth.MountPath.
func (a *Auth) Routes() http.Handler { return a.handler }

// StartURL gives the address to open: base, an address without a fragment, and with the token where New generated it.
// Show it once, to whoever starts the server.
func (a *Auth) StartURL(base string) string {
	if a.generated == "" {
		return base
	}
	separator := "?"
	if strings.Contains(base, "?") {
		separator = "&"
	}
	return base + separator + "token=" + url.QueryEscape(a.generated)
}

// Format implements [fmt.Formatter].
func (a *Auth) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "tokenauth.Auth"+redacted) }

// LogValue implements [slog.LogValuer].
func (a *Auth) LogValue() slog.Value { return slog.StringValue("tokenauth.Auth" + redacted) }

// Close ends everything that is open: sockets close with code 1001. Later requests are answered with 503.
func (a *Auth) Close() error {
	a.closed.Store(true)
	for _, g := range a.byID {
		g.api.End(http.ErrServerClosed)
	}
	a.guests.Close(http.ErrServerClosed)
	return nil
}
