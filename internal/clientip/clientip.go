// Package clientip finds the address of the client that sent a request, for keying limits and for logs.
//
// The peer of the connection is the client unless it is a proxy that the deployment named: then, and only then,
// X-Forwarded-For is read. No other header (X-Real-IP, Forwarded, X-Forwarded-Host, X-Forwarded-Proto) is ever
// looked at, since a proxy that doesn't set it passes on what the client wrote.
//
// An address proves nothing about who is asking. It slows guessing down and never admits anybody.
package clientip

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies is a set of trusted proxies. The zero value trusts none. It is immutable, so it may be copied and used by
// several goroutines.
type Proxies struct {
	trusted []netip.Prefix
}

// Parse reads the trusted proxies: IP addresses ("10.0.0.7", "2001:db8::7") or CIDR prefixes ("10.0.0.0/8"). An
// IPv4-mapped IPv6 entry means the IPv4 one. An empty entry, a zone, and a prefix with bits set behind its length
// are errors, as is anything else; the error quotes the entry.
//
// Whoever connects from a trusted address chooses the address that it is seen under, so a prefix should cover the
// proxies and nothing else.
func Parse(trusted []string) (Proxies, error) {
	var p Proxies
	for _, entry := range trusted {
		prefix, err := parsePrefix(entry)
		if err != nil {
			return Proxies{}, fmt.Errorf("clientip: parsing trusted proxy %q: %w", entry, err)
		}
		p.trusted = append(p.trusted, prefix)
	}
	return p, nil
}

// Of returns the address of the client: the peer of the connection; behind a trusted peer the rightmost entry of
// X-Forwarded-For (all its lines, in order) that isn't itself a trusted proxy. Where every entry is trusted, it is
// the leftmost; where an entry isn't an address, it is the last good one before it, counted from the right.
//
// The address is canonical, without a zone and never IPv4-mapped. Where RemoteAddr is no IP address (a Unix socket),
// it is the zero Addr, which is not valid. For an untrusted peer nothing is allocated.
func (p Proxies) Of(r *http.Request) netip.Addr {
	hop := parseHop(r.RemoteAddr)
	if !p.trusts(hop) {
		return hop // B-10: a header from just anybody is what its sender would like to be
	}
	// The header as Go canonicalizes it: X_Forwarded_For, which some servers fold into it, is another name.
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var entry string
			rest, entry, more = cutLast(rest)
			next := parseHop(strings.Trim(entry, " \t"))
			if !next.IsValid() {
				return hop // fail closed: what stands left of junk has passed through nobody we know
			}
			// Each proxy appends whom it saw. The first from the right that isn't ours is the last one that ours
			// vouch for; everything left of it is the client's own writing.
			if hop = next; !p.trusts(hop) {
				return hop
			}
		}
	}
	return hop
}

func (p Proxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without a port (RemoteAddr has one; some proxies write one). Anything else is
// the zero Addr.
func parseHop(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return canonical(ap.Addr())
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return canonical(addr)
}

// canonical gives every client one address: else ::ffff:192.0.2.1 would have a limit of its own beside 192.0.2.1.
func canonical(addr netip.Addr) netip.Addr {
	return addr.Unmap().WithZone("")
}

var errNotAddress = errors.New("not an IP address or CIDR prefix")

func parsePrefix(entry string) (netip.Prefix, error) {
	if !strings.Contains(entry, "/") {
		addr, err := netip.ParseAddr(entry)
		if err != nil {
			return netip.Prefix{}, errNotAddress
		}
		if addr.Zone() != "" {
			return netip.Prefix{}, errors.New("an address with a zone")
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, errNotAddress
	}
	if prefix != prefix.Masked() {
		return netip.Prefix{}, fmt.Errorf("bits set behind the prefix length: did you mean %s?", prefix.Masked())
	}
	if prefix.Addr().Is4In6() { // clients are compared unmapped: as written it would never match
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96), nil
	}
	return prefix, nil
}

// cutLast splits s around its last comma; more tells whether there is one.
func cutLast(s string) (rest, last string, more bool) {
	i := strings.LastIndexByte(s, ',')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}
