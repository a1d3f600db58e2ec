package oidctest

import (
	"crypto/x509"
	"net/http"
)

// endpoints are the paths below the issuer, by the names that Calls, Fault and Endpoint use.
var endpoints = map[string]string{
	"discovery":   "/.well-known/openid-configuration",
	"jwks":        "/jwks",
	"authorize":   "/authorize",
	"login":       "/login", // the login page's own
	"token":       "/token",
	"userinfo":    "/userinfo",
	"introspect":  "/introspect",
	"revoke":      "/revoke",
	"par":         "/par",
	"end_session": "/end_session",
}

func (p *Provider) routes() http.Handler {
	mux := http.NewServeMux()
	for name, h := range map[string]http.HandlerFunc{
		"discovery": p.discovery, "jwks": p.jwks, "authorize": p.authorize, "login": p.login, "token": p.token,
		"userinfo": p.userinfo, "introspect": p.introspect, "revoke": p.revoke, "par": p.par, "end_session": p.endSession,
	} {
		mux.Handle(p.cfg.Path+endpoints[name], p.endpoint(name, h))
	}
	mux.Handle(p.cfg.Path+endpoints["jwks"]+"/", p.endpoint("jwks", p.jwks)) // the same under any name, for a changing jwks_uri
	// What is asked for elsewhere is logged too: a relying party that follows a redirect or an embedded URL shows here.
	mux.Handle("/", p.endpoint("other", http.NotFound))
	return mux
}

// endpoint logs each call before anything else, then lets a fault stand before h.
func (p *Provider) endpoint(name string, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.calls.add(name, p.now(), w, r) {
			return // answered: the body was too large
		}
		if fault := p.fault(name); fault != nil {
			fault(h).ServeHTTP(w, r)
			return
		}
		h(w, r)
	})
}

// fault returns what was set for the endpoint, by Fault or by the behaviour.
func (p *Provider) fault(name string) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.faults[name]; f != nil {
		return f
	}
	return p.hooks.Faults[name]
}

// Fault spoils an endpoint until another Fault; nil makes it whole again.
func (p *Provider) Fault(endpoint string, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[endpoint] = f
}

// CertPool holds the provider's certificate, for a client of the test's own. It is nil without Config.TLS.
func (p *Provider) CertPool() *x509.CertPool {
	cert := p.server.Certificate()
	if cert == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return pool
}
