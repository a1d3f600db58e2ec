package auth

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/ostiary/auth/internal/clientip"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/site"
)

// Config is what every guard needs to know of its deployment. The zero value is a safe one for a server that people
// reach on loopback, or directly over TLS. It is copied and checked when a guard is made; later changes have no effect.
type Config struct {
	// PublicURL is the address at which browsers reach the application, as "https://app.example/base"; its path is where
	// the application is mounted, and the server must see requests with that path. It decides cookies, the origin rule
	// and return paths; the Host and X-Forwarded headers of a request never do. Empty: each connection decides for
	// itself. An http address that isn't loopback is an error without InsecureHTTP.
	PublicURL string
	// MountPath is where the application mounts the backend's Routes, below the path of PublicURL. Empty: "/auth".
	MountPath string
	// LoginPath is the page that unknown callers who navigate are sent to, below the path of PublicURL. Empty: that of
	// the first backend that has one.
	LoginPath string
	// InsecureHTTP permits a PublicURL without TLS, and login over http at IP addresses and AllowedHosts. Whoever can
	// read the network can then take over sessions.
	InsecureHTTP bool
	// TrustedOrigins may send requests with a user's cookies, from pages of another site: exactly
	// "scheme://host[:port]" each, no pattern. Whoever controls such an origin can act as any user who visits it.
	TrustedOrigins []string
	// TrustedProxies are the addresses or CIDR prefixes whose X-Forwarded-For is believed when a caller's address is
	// needed for limits and logs. Empty: none. Nothing else is ever taken from a forwarding header. Behind a proxy that
	// isn't listed all callers share its address: one who guesses too often then makes all newcomers wait.
	TrustedProxies []string
	// AllowedHosts are values of the Host header ("name" or "name:port") to serve beside that of PublicURL, for instance
	// one that a TLS proxy sends. Empty: without a PublicURL, cookies count only for loopback names, for IP addresses and
	// over TLS: no other name is safe from being rebound to this server by a foreign page (DNS rebinding).
	AllowedHosts []string
	// Authorizer decides what an identity may do. Nil: the permission map, where an Unrestricted identity holds all.
	Authorizer Authorizer
	// Roles are the permissions behind the role names of identities. A name that isn't here grants nothing.
	Roles map[string]Role
	// Logger gets the events. Nil: slog.Default.
	Logger *slog.Logger
	// OnEvent is called for each event, on the request's goroutine or a socket's: it must not block. Nil: none.
	OnEvent func(context.Context, Event)
	// Deny renders denials, after their headers were set. status is 401, 403, 429, 500 or 503, or 400, 405 or 426
	// for what is no WebSocket handshake, and is sent unless Deny sends another; err is for logs, not for clients. Nil:
	// JSON for API clients, a small page for navigations.
	Deny func(w http.ResponseWriter, r *http.Request, status int, err error)
	// MaxRefusals is how many refused handshakes may be in the course of being accepted and closed with 1008 at once;
	// past it they are answered with 401 or 403 before the upgrade. 0: 1,000. Negative: none, always 401 or 403.
	MaxRefusals int
	// OutageGrace is how long open sockets and streams survive while their sessions can't be checked. 0: 10 s.
	// Negative: not at all.
	OutageGrace time.Duration
	// Now tells the time. Nil: time.Now.
	Now func() time.Time
}

const (
	defaultMountPath   = "/auth"
	defaultMaxRefusals = 1000
	defaultOutageGrace = 10 * time.Second
)

// newGuard checks cfg and makes a guard without backends.
func newGuard(cfg Config) (*guard, error) {
	s, err := site.New(site.Config{PublicURL: cfg.PublicURL, InsecureHTTP: cfg.InsecureHTTP, TrustedOrigins: cfg.TrustedOrigins, AllowedHosts: cfg.AllowedHosts})
	if err != nil {
		return nil, fmt.Errorf("auth: Config: %w", err)
	}
	mount, err := returnpath.ParseMount(s.Path())
	if err != nil {
		return nil, fmt.Errorf("auth: Config: PublicURL: %w", err)
	}
	mountPath, err := returnpath.ParseMount(cmp.Or(cfg.MountPath, defaultMountPath))
	if err != nil {
		return nil, fmt.Errorf("auth: Config: MountPath: %w", err)
	}
	loginPath, err := returnpath.ParseMount(cfg.LoginPath)
	if err != nil {
		return nil, fmt.Errorf("auth: Config: LoginPath: %w", err)
	}
	proxies, err := clientip.Parse(cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("auth: Config: TrustedProxies: %w", err)
	}
	roles := make(map[string]Role, len(cfg.Roles))
	for _, name := range slices.Sorted(maps.Keys(cfg.Roles)) {
		role := cfg.Roles[name]
		if err := role.Permissions.Validate(); err != nil {
			return nil, fmt.Errorf("auth: Config: Roles[%q]: %w", name, err)
		}
		role.Permissions = role.Permissions.Clone()
		roles[name] = role
	}
	g := &guard{cfg: cfg, site: s, mount: mount, mountPath: string(mountPath), loginPath: string(loginPath), proxies: proxies, roles: roles}
	g.cfg.MaxRefusals = cmp.Or(cfg.MaxRefusals, defaultMaxRefusals)
	g.cfg.OutageGrace = cmp.Or(cfg.OutageGrace, defaultOutageGrace)
	if g.cfg.Now == nil {
		g.cfg.Now = time.Now
	}
	if g.cfg.Logger == nil {
		g.cfg.Logger = slog.Default()
	}
	return g, nil
}
