// Package oidctest is an OpenID Provider on loopback, for the tests of relying parties and for examples.
//
// It conforms by default: authorization code with PKCE, exact redirect URIs, codes that work once, rotating refresh tokens,
// RFC 9207 iss, pushed requests, introspection, revocation, logout in all three ways. It has no login page: who is signed in
// is what [Provider.SignIn] said, unless Config.LoginForm. On demand it misbehaves: [Provider.Behave] takes one row of
// [Behaviours], or hooks of a test's own; [Provider.Fault] spoils the transport of one endpoint. [Provider.Calls] shows what
// was asked, so that a test can say that an endpoint was NOT called.
//
// Everything is kept in memory, and anybody who reaches the listener can sign in as anybody: it is for loopback only, and New
// listens nowhere else. A Provider can be used by several goroutines at once.
package oidctest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// Config is what a Provider is made of. The zero Config is an http provider on a free port that knows alice and bob, and no
// client yet.
type Config struct {
	// Addr is where to listen, a loopback address with a port. Empty: 127.0.0.1 and a free port.
	Addr string
	// TLS serves https with a certificate that only [Provider.Client] and [Provider.CertPool] know.
	TLS bool
	// Certificate is served in place of that one, such as an expired one, or one for another name. Nil: it is good.
	Certificate *tls.Certificate
	// Path is added to the URL to make the issuer, such as "/realms/a". Empty: the issuer has no path and no slash at its end.
	Path string
	// Clients are known from the start; [Provider.SetClient] adds more. The first is the one that minted tokens are for.
	Clients []Client
	// Users are who can sign in. Empty: alice and bob of [People].
	Users []User
	// LoginForm shows a page on which a visitor chooses a user, instead of answering at once for who was signed in.
	LoginForm bool
	// Alg signs JWT access tokens and, where a client has no other, ID and logout tokens. Empty: RS256.
	Alg string
	// AccessTTL and IDTokenTTL are how long tokens are good. 0: 5 minutes.
	AccessTTL, IDTokenTTL time.Duration
	// RefreshTTL is how long a refresh token is good. 0: a day.
	RefreshTTL time.Duration
	// HTTPClient sends logout tokens. Nil: one that follows no redirect and waits 10 seconds.
	HTTPClient *http.Client
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Provider is an OpenID Provider. New makes one.
type Provider struct {
	cfg    Config
	server *httptest.Server
	gate   *gate
	issuer string
	stop   context.CancelFunc
	keys   *keyring
	calls  callLog

	mu        sync.Mutex
	clients   []Client // in the order of their registration
	users     []User
	sessions  map[string]*session // by sid
	current   string              // the sid of who is signed in without a login page
	codes     map[string]*code
	refreshes map[string]*refresh
	accesses  map[string]*access
	pushed    map[string]pushed
	waiting   map[string]authRequest // behind the login page, by transaction
	seen      map[string]bool        // what works once: the jti of assertions and proofs
	hooks     Hooks
	faults    map[string]Fault // by endpoint
}

// New starts a provider. It fails for an address that isn't loopback or is in use, an unknown algorithm, and clients and
// users that can't be. Close ends it.
func New(cfg Config) (*Provider, error) {
	if cfg.Alg == "" {
		cfg.Alg = "RS256"
	}
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if len(cfg.Users) == 0 {
		cfg.Users = People()
	}
	for _, ttl := range []*time.Duration{&cfg.AccessTTL, &cfg.IDTokenTTL} {
		if *ttl == 0 {
			*ttl = 5 * time.Minute
		}
	}
	if cfg.RefreshTTL == 0 {
		cfg.RefreshTTL = 24 * time.Hour
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{
			// The default one's idle connections are closed whenever some server of httptest is; this one keeps none.
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Path != "" && (!strings.HasPrefix(cfg.Path, "/") || strings.HasSuffix(cfg.Path, "/")) {
		return nil, fmt.Errorf("oidctest: Path: got %q, want it to begin with a slash and to end without one", cfg.Path)
	}
	if !supported(cfg.Alg) {
		return nil, fmt.Errorf("oidctest: Alg: %q is not supported", cfg.Alg)
	}
	p := &Provider{
		cfg: cfg, users: cfg.Users, keys: newKeyring(), sessions: map[string]*session{}, codes: map[string]*code{},
		refreshes: map[string]*refresh{}, accesses: map[string]*access{}, pushed: map[string]pushed{},
		waiting: map[string]authRequest{}, seen: map[string]bool{}, faults: map[string]Fault{},
	}
	for _, c := range cfg.Clients {
		if err := p.SetClient(c); err != nil {
			p.keys.close()
			return nil, err
		}
	}
	if err := p.listen(); err != nil {
		p.keys.close()
		return nil, fmt.Errorf("oidctest: listening on %q: %w", cfg.Addr, err)
	}
	return p, nil
}

func (p *Provider) listen() error {
	host, _, err := net.SplitHostPort(p.cfg.Addr)
	if err != nil {
		return err
	}
	// Whoever reaches it can become anybody here: never on an address that others reach.
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return errors.New("not a loopback address")
	}
	ctx, stop := context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", p.cfg.Addr)
	if err != nil {
		stop()
		return err
	}
	p.stop, p.gate = stop, &gate{Listener: listener}
	p.server = &httptest.Server{Listener: p.gate, Config: &http.Server{
		Handler:           p.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // what is held back ends with the provider
	}}
	if p.cfg.TLS {
		if p.cfg.Certificate != nil {
			p.server.TLS = &tls.Config{Certificates: []tls.Certificate{*p.cfg.Certificate}, MinVersion: tls.VersionTLS12}
		}
		p.server.StartTLS()
	} else {
		p.server.Start()
	}
	p.issuer = p.server.URL + p.cfg.Path
	return nil
}

// Close ends the provider: connections to it are refused from now on.
func (p *Provider) Close() {
	p.stop()
	p.server.CloseClientConnections()
	p.server.Close()
	p.keys.close()
}

// Issuer is the issuer's identifier: the server's URL and Config.Path.
func (p *Provider) Issuer() string { return p.issuer }

// Endpoint is the URL of one of the endpoints, by the names of [Provider.Calls].
func (p *Provider) Endpoint(name string) string { return p.issuer + endpoints[name] }

// Client returns an HTTP client that trusts the provider's certificate.
func (p *Provider) Client() *http.Client { return p.server.Client() }

func (p *Provider) now() time.Time { return p.cfg.Now() }

// once reports whether id is seen for the first time, and remembers it.
func (p *Provider) once(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[id] {
		return false
	}
	p.seen[id] = true
	return true
}

// secret makes what nobody can guess: a code, a token, an identifier.
func secret() string { return rand.Text() }
