package site

import (
	"errors"
	"net/http"
)

var (
	errSetPublicURL = errors.New("no cookie is set over http for this host: " +
		"set PublicURL to the https address that browsers use")
	errNameHost = errors.New("no cookie is set over http for this host: " +
		"set PublicURL to the address that browsers use, or add the host to AllowedHosts")
	errLoopbackOnly = errors.New("no cookie is set over http for this host: " +
		"set PublicURL to the https address that browsers use, or open its present address on this machine")
)

// Cookies returns nil where a session cookie may be set in answer to r, else an error whose text tells the operator
// what to do; it holds nothing from the request. Over https a cookie may always be set. Over http everybody on the path
// could read it, so only loopback hosts get one, and with InsecureHTTP also IP addresses and the hosts that the
// operator named.
func (s *Site) Cookies(r *http.Request) error {
	if s.HTTPS(r) || Loopback(r.Host) {
		return nil
	}
	if !s.insecure {
		if s.origin != "" {
			return errLoopbackOnly
		}
		return errSetPublicURL
	}
	if _, isIP := hostAddr(r.Host); isIP || s.named(r.Host) {
		return nil
	}
	return errNameHost
}
