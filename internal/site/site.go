// Package site knows what a deployment's public address means: which Origin and which Host a request may name, whether
// the deployment is https, and where a cookie may be set.
//
// A [Site] is made once from the deployment's settings and then asked per request. [Site.Check] is the origin rule and
// the Host rule in one; [Site.HTTPS] and [Site.Cookies] decide about cookies. Nothing here reads X-Forwarded-* or
// Forwarded: a header is what any client can write, the settings are what the operator said.
//
// What the rules don't do: they don't identify anybody, and they don't stop a client that is no browser, which may send
// any Origin and Host that it likes and is judged by its credential alone.
package site

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Config is what the operator says about the address of the deployment. The zero value is the strictest that works
// on one machine: loopback names and IP addresses over http, any name over TLS, no foreign origin.
type Config struct {
	// PublicURL is the address that browsers use, http or https, with the path that the application is mounted at.
	// Scheme and host may be in any case; a default port and one trailing slash are dropped. Empty: each request's
	// own Host and TLS state decide. An http address that isn't loopback is an error unless InsecureHTTP is set.
	PublicURL string

	// InsecureHTTP allows an http PublicURL on a network, and cookies over http for IP addresses and AllowedHosts.
	// Default false. The danger: whoever is on the path reads the cookies and is then the user.
	InsecureHTTP bool

	// TrustedOrigins lists foreign origins whose pages may act for the user, each exactly as a browser sends it:
	// scheme://host[:port], lower case, no default port. Default none. The danger: a script on such a page can do
	// all that the user can.
	TrustedOrigins []string

	// AllowedHosts lists values of the Host header that are accepted beside the host of PublicURL: "host" (on any
	// port) or "host:port" (on this one; a client leaves a scheme's default port out, so name such a host without
	// it). An IPv6 address stands in brackets. Default none. Needed where a proxy rewrites Host.
	AllowedHosts []string
}

// Site answers for one deployment. It is made by [New], doesn't change afterwards, and is safe for concurrent use.
type Site struct {
	origin   string // "https://app.example", empty without a PublicURL
	path     string // "/base", escaped, without a trailing slash
	https    bool   // the scheme of PublicURL; meaningless without one
	insecure bool
	trusted  map[string]bool // exact origins, without our own
	hosts    map[string]bool // exact values of Host: ours, and AllowedHosts with a port
	names    map[string]bool // AllowedHosts without a port
	fetch    http.CrossOriginProtection
}

// New checks c and returns its Site. An error names the field and quotes the value, up to an @ without what precedes
// it: that may be a password.
func New(c Config) (*Site, error) {
	s := &Site{
		insecure: c.InsecureHTTP,
		trusted:  make(map[string]bool),
		hosts:    make(map[string]bool),
		names:    make(map[string]bool),
	}
	if c.PublicURL != "" {
		if err := s.setPublicURL(c.PublicURL); err != nil {
			return nil, fmt.Errorf("PublicURL: %s: %w", quote(c.PublicURL), err)
		}
	}
	for i, origin := range c.TrustedOrigins {
		if err := s.trust(origin); err != nil {
			return nil, fmt.Errorf("TrustedOrigins[%d]: %s: %w", i, quote(origin), err)
		}
		s.trusted[origin] = true
	}
	for i, host := range c.AllowedHosts {
		name, port, err := parseHost(lower(host))
		if err != nil {
			return nil, fmt.Errorf("AllowedHosts[%d]: %s: %w", i, quote(host), err)
		}
		if port == "" {
			s.names[name] = true
		} else {
			s.hosts[name+":"+port] = true
		}
	}
	return s, nil
}

func (s *Site) setPublicURL(raw string) error {
	a, path, err := parsePublicURL(raw)
	if err != nil {
		return err
	}
	s.https = a.scheme == "https"
	if !s.https && !s.insecure && !Loopback(a.host) {
		// Fail closed: over http on a network everybody on the path reads the cookie.
		return errors.New("http is for loopback only: use https, or set InsecureHTTP")
	}
	s.origin, s.path = a.String(), path
	s.hosts[a.hostPort()] = true
	if a.port == "" {
		s.hosts[a.host+":"+a.defaultPort()] = true // HTTP clients may spell the default port out
	}
	return s.trustFetch(s.origin)
}

// trust checks one entry of TrustedOrigins. The form is exact because origins are compared byte by byte: an entry that
// no browser sends would look like a grant and be none, and a pattern would be a larger grant than it looks.
func (s *Site) trust(origin string) error {
	a, rest, err := parseAuthority(origin)
	switch {
	case err != nil:
		return err
	case rest != "":
		return errors.New("an origin ends after the host and port")
	case a.String() != origin:
		return fmt.Errorf("write it as browsers send it: %q", a.String())
	}
	return s.trustFetch(origin)
}

func (s *Site) trustFetch(origin string) error { return s.fetch.AddTrustedOrigin(origin) }

// PublicURL returns the public address in canonical form, scheme://host[:port] and the path without a trailing slash,
// or "" where there is none.
func (s *Site) PublicURL() string { return s.origin + s.path }

// Path returns the path of PublicURL, percent-encoded as it was given and without a trailing slash: the application's
// mount point. It is "" where the application stands at the root or there is no PublicURL. It begins with one slash
// and has no empty or dot element, so that it and a slash are safe as a redirect's target.
func (s *Site) Path() string { return s.path }

// HTTPS reports whether the browser at the other end of r speaks https: by PublicURL, or where that is empty by TLS on
// this very connection.
func (s *Site) HTTPS(r *http.Request) bool {
	// No header is asked, not even one from a trusted proxy: a client that could turn this answer could choose
	// which of two cookie names is read.
	if s.origin != "" {
		return s.https
	}
	return r.TLS != nil
}

// quote shows a refused value. What stands before an @ is left out, since it may hold a password.
func quote(value string) string {
	if i := strings.LastIndexByte(value, '@'); i >= 0 {
		value = "…" + value[i:]
	}
	return fmt.Sprintf("%q", value)
}
