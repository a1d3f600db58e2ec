// Package cookie names, reads, sets and deletes the one cookie that proves a browser's login.
//
// Over https its name has the __Host- prefix: browsers take such a cookie only over https, from this very host and for
// all of its paths, so that neither a sibling subdomain nor somebody on the network can plant one (RFC 6265bis section
// 4.1.3.2). Over http, where that can't be had, the name carries the server's port, since cookies don't respect ports and
// two servers on one machine would overwrite each other's. Only the name that fits is ever read.
//
// What it doesn't prove: over http a cookie of the name may have been planted by anybody on the same host.
package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// hostPrefix is matched by browsers in any case but written in this one; RFC 6265bis.
const hostPrefix = "__Host-"

// Spec describes the cookie. It is a plain value, safe for concurrent use.
type Spec struct {
	// Base is the part of the name that the application chooses; see [ValidBase].
	Base string

	// MaxAge is how long the browser keeps the cookie, in whole seconds, rounded down but at least one. Zero or
	// less: until the browser closes. It limits the browser only; what the value stands for ends at the server.
	MaxAge time.Duration
}

// maxBase leaves nearly all of the 4096 bytes that browsers grant a cookie's name and value to the value.
const maxBase = 64

// ValidBase returns an error unless name can be the Base of a [Spec]: 1 to 64 token characters (RFC 9110 section
// 5.6.2) that don't begin with a prefix which browsers give a meaning to.
func ValidBase(name string) error {
	if name == "" {
		return errors.New("cookie: the name is empty")
	}
	if len(name) > maxBase {
		return fmt.Errorf("cookie: the name has %d bytes, more than %d", len(name), maxBase)
	}
	for i := range len(name) {
		c := name[i]
		alphanumeric := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return fmt.Errorf("cookie: the name %q has %q, which isn't allowed in one", name, c)
		}
	}
	for _, prefix := range []string{hostPrefix, "__Secure-", "__Http-"} {
		// Over http browsers drop a cookie with such a name; over https ours is put before it.
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return fmt.Errorf("cookie: the name %q must not begin with %s, which is added where it belongs", name, prefix)
		}
	}
	return nil
}

// Set returns the cookie that carries value to the browser, in answer to r. With https it is Secure and has the
// __Host- prefix; a browser drops it where https isn't true. The value must be at most [MaxValue] bytes.
func (s Spec) Set(r *http.Request, https bool, value string) *http.Cookie {
	c := s.cookie(r, https)
	c.Value = value
	if s.MaxAge > 0 {
		c.MaxAge = int(max(s.MaxAge/time.Second, 1)) // 0 would mean "until the browser closes"
	}
	return c
}

// Delete returns the cookie that makes the browser forget the one that [Spec.Set] returned for such a request.
func (s Spec) Delete(r *http.Request, https bool) *http.Cookie {
	c := s.cookie(r, https)
	c.MaxAge = -1 // on the wire Max-Age=0
	return c
}

// cookie is one for Set and Delete, since a browser takes a deletion only with the name and path that were set and, for
// a __Host- name, only with Secure.
func (s Spec) cookie(r *http.Request, https bool) *http.Cookie {
	prefix, suffix := affixes(r, https)
	dash := ""
	if suffix != "" {
		dash = "-"
	}
	return &http.Cookie{
		Name:     prefix + s.Base + dash + suffix,
		Path:     "/", // what __Host- demands. No Domain: subdomains would get the cookie too
		Secure:   https,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // Strict would be missing on the way back from an identity provider
	}
}

// affixes returns what stands around Base: the prefix over https, else the port.
func affixes(r *http.Request, https bool) (prefix, port string) {
	if https {
		return hostPrefix, ""
	}
	return "", hostPort(r.Host)
}

// hostPort returns the port of a Host header, 80 where there is none or none that could be part of a name.
func hostPort(host string) string {
	const none = "80"
	host = host[strings.LastIndexByte(host, ']')+1:] // an IPv6 address is all colons
	_, port, found := strings.Cut(host, ":")
	if !found || port == "" || len(port) > 5 {
		return none
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return none
		}
	}
	return port
}
