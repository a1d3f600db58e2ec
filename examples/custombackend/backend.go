package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/ostiary/auth"
)

// userHeader is what the proxy sets. Go spells header names in one form, and X_Forwarded_User isn't another spelling of
// this one: it is a header of its own, which nobody looks at.
const userHeader = "X-Forwarded-User"

// A proxyHeader believes a proxy that has logged people in who they are.
//
// The header is no proof: whoever can reach this server can send it. What is believed is the address that it comes
// from, so the proxy must be the only one who can send from there. That fails when the proxy
//
//   - passes on a header of the client's: it must delete X-Forwarded-User from each request before it sets its own;
//   - runs on a machine where others can open connections too: an address of loopback trusts every program and user on
//     this machine, and every page in a browser there that gets past the Host rule (see main);
//   - forwards to this server for other reasons too, without logging in.
//
// Other headers that say where a request comes from (X-Forwarded-For, Forwarded, X-Real-IP) are never asked: they are the
// client's to choose.
type proxyHeader struct {
	proxies []netip.Prefix
	held    map[string]auth.Permissions // by user
}

// newProxyHeader reads the proxies' addresses, each an IP address or a prefix such as 10.0.0.0/24. None is an error: a
// server that trusts nobody has been set up by mistake, and one that trusts everybody must not come from a mistake.
func newProxyHeader(proxies []string, held map[string]auth.Permissions) (*proxyHeader, error) {
	b := &proxyHeader{held: held}
	for _, s := range proxies {
		addr, err := netip.ParseAddr(s)
		prefix := netip.PrefixFrom(addr, addr.BitLen())
		if err != nil {
			if prefix, err = netip.ParsePrefix(s); err != nil {
				return nil, fmt.Errorf("proxy %q: want an IP address or a prefix", s)
			}
		}
		if prefix.Bits() == 0 {
			return nil, fmt.Errorf("proxy %q: trusts everybody", s)
		}
		b.proxies = append(b.proxies, prefix)
	}
	if len(b.proxies) == 0 {
		return nil, errors.New("no proxy: name the addresses that the login proxy sends from")
	}
	return b, nil
}

// Identify implements [auth.Backend].
func (b *proxyHeader) Identify(r *http.Request) (*auth.Identity, error) {
	names := r.Header[userHeader]
	if len(names) == 0 {
		return nil, auth.ErrNoCredentials
	}
	// Fail closed: the header from anywhere else is a claim to be somebody, and refused as one. To ignore it would let
	// the next backend of a chain serve the caller as somebody else than claimed.
	if !b.trusts(r.RemoteAddr) {
		return nil, auth.ErrInvalidCredentials
	}
	// A client that gets the proxy to add to its header, and not to replace it, is found out here.
	if len(names) > 1 || !validName(names[0]) {
		return nil, auth.ErrInvalidCredentials
	}
	// "Connection: X-Forwarded-User" tells a proxy to drop that header (RFC 9110 section 7.6.1). Where it came through,
	// a client tries to steer what the proxy passes on.
	if namedInConnection(r.Header["Connection"]) {
		return nil, auth.ErrInvalidCredentials
	}
	// Not Explicit: a browser's cookie at the proxy stands behind it, which foreign pages can use as well. The guard's
	// origin rule applies. No Session either: the proxy doesn't tell when a login ends, so a socket outlives it.
	return &auth.Identity{
		ID:          "proxy:" + names[0],
		User:        auth.User{Username: names[0]},
		Permissions: b.held[names[0]],
	}, nil
}

func (b *proxyHeader) trusts(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false // a Unix socket, for instance: it has no address to trust
	}
	addr := peer.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(b.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// validName refuses what no user is called: an empty name, a list that a proxy has joined with a comma, other spellings
// of the same letters.
func validName(name string) bool {
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._-@+", r))
	})
}

func namedInConnection(lines []string) bool {
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(option), userHeader) {
				return true
			}
		}
	}
	return false
}
