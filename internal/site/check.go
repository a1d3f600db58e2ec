package site

import (
	"errors"
	"net/http"
	"strings"
)

// Errors of [Site.Check]; both mean 403.
var (
	// ErrOrigin: a page of another origin may have sent the request.
	ErrOrigin = errors.New("site: Origin is neither the site's own nor a trusted one: see PublicURL and TrustedOrigins")
	// ErrHost: the request is for a host that isn't known to be this site.
	ErrHost = errors.New("site: Host is not one of the site's: see PublicURL and AllowedHosts")
)

// Proof says how a request proved who its caller is.
type Proof int

const (
	None     Proof = iota // nothing was proved
	Ambient               // by what a browser attaches by itself: a cookie, a place in the network, a proxy's header
	Explicit              // by what the caller attached itself: an Authorization header, a token in the query
)

// Check returns nil where r may act for the caller that it was identified as, else [ErrOrigin] or [ErrHost]. It guards
// a user's browser against other pages (cross-site request forgery and WebSocket hijacking, DNS rebinding). With
// handshake, r opens a WebSocket and is judged like a request that changes something. An Explicit proof always passes:
// no page can make a browser attach a credential that the page doesn't know.
//
// Safe methods (GET, HEAD, OPTIONS) pass the origin rule; a handler must not change anything on them.
func (s *Site) Check(r *http.Request, p Proof, handshake bool) error {
	if p == Explicit {
		return nil
	}
	sensitive := handshake || !safe(r.Method)
	if s.hostMatters(r, p, sensitive, handshake) && !s.hostAllowed(r) {
		return ErrHost
	}
	if sensitive && !s.originAllowed(r, handshake) {
		return ErrOrigin
	}
	return nil
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// hostMatters reports whether the Host rule applies. Strangers may read under any name: there is nothing of a user's in
// what they get. Without a PublicURL there is no name to hold an ambient proof without a cookie against: only who
// proves callers that way (a proxy, the network) knows the names.
func (s *Site) hostMatters(r *http.Request, p Proof, sensitive, handshake bool) bool {
	if s.origin != "" {
		return p == Ambient || sensitive
	}
	if p == Ambient {
		return handshake || len(r.Header["Cookie"]) > 0
	}
	return sensitive
}

// originAllowed is the origin rule. Of the headers only Origin and Sec-Fetch-Site count, which no page can set or
// leave out; no other one buys an exemption.
func (s *Site) originAllowed(r *http.Request, handshake bool) bool {
	origins := r.Header["Origin"]
	if len(origins) > 1 || len(r.Header["Sec-Fetch-Site"]) > 1 {
		return false // no browser sends two; which of them would a proxy have looked at?
	}
	// An Origin that is there has to match even where Sec-Fetch-Site says same-origin, and an empty one isn't an
	// absent one. CrossOriginProtection alone compares hosts only: http://app.example would pass for
	// https://app.example, and who controls the network controls the former (CVE-2025-47909).
	if len(origins) == 1 && !s.trusted[origins[0]] && !s.own(origins[0], r) && !hidden(origins[0], r, handshake) {
		return false
	}
	if handshake {
		post := *r // a handshake is a GET, which always passes: judge it as what it can do
		post.Method = http.MethodPost
		r = &post
	}
	return s.fetch.Check(r) == nil
}

// hidden reports whether a page of the site's own had its origin left out: a form on a page with Referrer-Policy:
// no-referrer, as our own have, is sent with Origin null (Fetch, "append a request Origin header"). Sec-Fetch-Site still
// tells, since no page can set it; a sandboxed frame and a data: page, whose origin is null too, are cross-site there.
func hidden(origin string, r *http.Request, handshake bool) bool {
	return origin == "null" && !handshake && r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

// own reports whether origin is the site's own, byte by byte. Without a PublicURL that is the request's Host, which
// proves nothing by itself where a name was rebound: hostAllowed has looked at it before.
func (s *Site) own(origin string, r *http.Request) bool {
	if s.origin != "" {
		return origin == s.origin
	}
	host, ok := strings.CutPrefix(origin, "https://")
	if !ok && r.TLS == nil {
		host, ok = strings.CutPrefix(origin, "http://")
	}
	return ok && host != "" && host == r.Host
}
