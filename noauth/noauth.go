// Package noauth lets everybody in: for a laptop, where the operating system decides who can reach the server.
//
// By default everybody is the one configured user and holds everything. With Config.Shared each browser is a guest of
// its own, so that people who edit together can be told apart.
//
// It serves loopback only. A request that isn't from this machine to this machine, under a loopback name and past no
// proxy, is 403: a foreign page can make a browser send one under another name, and a proxy would make everybody local.
// Config.AllowRemote lifts that, and warns: then whoever can reach the server is let in.
package noauth

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/cookie"
	"github.com/ostiary/auth/internal/guest"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/internal/watch"
)

// Config configures [New]. The zero value serves one user on loopback.
type Config struct {
	Auth auth.Config
	// User is who everybody is. Without a Username it is "user". Not used with Shared.
	User auth.User
	// Shared makes each browser a guest with a name and colour of its own, known by a cookie. Where none can be set (over
	// http beyond loopback, without Config.Auth.InsecureHTTP) each request is another guest's.
	Shared bool
	// AllowRemote serves other machines too, and requests past a proxy. Whoever can reach the server is let in, under an IP
	// address, over TLS, or by a name that Auth.PublicURL or Auth.AllowedHosts gives.
	AllowRemote bool
	// CookieName is for two servers on one https host, in Shared mode. Empty: "ostiary-guest".
	CookieName string
	// Guests is how many guests' profile changes are kept in memory. 0: 10,000. A guest that is forgotten keeps the
	// name, initials and colour that follow from its cookie.
	Guests int
}

// Auth is the guard and backend. All methods may be called concurrently.
type Auth struct {
	auth.Auth
	*backend
}

var _ auth.Plugin = (*Auth)(nil)

// New makes an Auth. An error names the field that is wrong. ctx is for start-up only.
func New(_ context.Context, cfg Config) (*Auth, error) {
	s, err := site.New(site.Config{
		PublicURL: cfg.Auth.PublicURL, InsecureHTTP: cfg.Auth.InsecureHTTP,
		TrustedOrigins: cfg.Auth.TrustedOrigins, AllowedHosts: cfg.Auth.AllowedHosts,
	})
	if err != nil {
		return nil, fmt.Errorf("noauth: Config: Auth: %w", err)
	}
	name := cmp.Or(cfg.CookieName, "ostiary-guest")
	if err := cookie.ValidBase(name); err != nil {
		return nil, fmt.Errorf("noauth: Config: CookieName: %w", err)
	}
	if cfg.Guests < 0 {
		return nil, fmt.Errorf("noauth: Config: Guests: %d is negative", cfg.Guests)
	}
	cfg.User.Username = cmp.Or(cfg.User.Username, "user")
	b := &backend{
		site: s, shared: cfg.Shared, remote: cfg.AllowRemote,
		cookie: cookie.Spec{Base: name, MaxAge: guestCookieAge},
		guests: watch.NewBook(cmp.Or(cfg.Guests, 10_000), identityOf),
	}
	_ = b.one.Update(func(*auth.Identity) *auth.Identity { // a new cell hasn't ended
		return &auth.Identity{ID: "noauth:user", User: cfg.User, Unrestricted: true, Session: oneUser{b}}
	})
	a, err := auth.New(cfg.Auth, b)
	if err != nil {
		return nil, fmt.Errorf("noauth: %w", err)
	}
	if cfg.AllowRemote {
		auth.Report(a, nil, auth.Event{Kind: auth.EventWarning,
			Reason: "noauth with AllowRemote: everybody who can reach this server is let in and may do everything"})
	}
	return &Auth{a, b}, nil
}

// Routes serves nothing but 404: there is nothing to log in to.
func (a *Auth) Routes() http.Handler { return page.Routes{}.At("", "") }

// Close ends what is open: sockets close with code 1001. Later requests are answered with 503.
func (a *Auth) Close() error {
	a.one.End(http.ErrServerClosed)
	a.guests.Close(http.ErrServerClosed)
	return nil
}

// identityOf is the identity of a guest without changes.
func identityOf(id guest.ID) *auth.Identity {
	p := id.Profile()
	return &auth.Identity{
		ID:           "noauth:" + id.String(),
		User:         auth.User{Username: id.String(), Name: p.Name, DisplayName: p.Name, Initials: p.Initials, Color: p.Color, Anonymous: true},
		Unrestricted: true,
	}
}
