package site

import (
	"net/http"
	"net/netip"
	"strings"
)

// Loopback reports whether host, as in a Host header with or without a port, can only mean this machine: localhost or
// a name below it (RFC 6761 section 6.3: resolvers answer these with loopback addresses), 127.0.0.0/8 or ::1. It says
// what the client asked for, not where the client is; for that use [LoopbackAddr].
func Loopback(host string) bool {
	// Nearly every one is spelt so, and this is on every request's path.
	for _, usual := range [...]string{"127.0.0.1", "localhost"} {
		if port, ok := strings.CutPrefix(host, usual); ok && (port == "" || port[0] == ':' && validPort(port[1:])) {
			return true
		}
	}
	if addr, ok := hostAddr(host); ok {
		return addr.IsLoopback()
	}
	name, _, ok := splitPort(lower(host))
	// Compared from the end: localhost.evil.example is a name that its owner may point anywhere.
	return ok && (name == "localhost" || strings.HasSuffix(name, ".localhost") && validName(name))
}

// LoopbackAddr reports whether addr, as in [http.Request.RemoteAddr] or the String of a net.Addr, is an IP address of
// this machine's loopback. Names aren't addresses and are false, like everything else.
func LoopbackAddr(addr string) bool {
	// With a port first: nearly every RemoteAddr has one, and a failed attempt allocates its error.
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return ap.Addr().Unmap().IsLoopback()
	}
	ip, err := netip.ParseAddr(addr)
	return err == nil && ip.Unmap().IsLoopback()
}

// hostAddr returns the IP address that a Host header names, with or without a port and, for IPv6 without one, brackets.
// Only the standard spellings count, since browsers send no other.
func hostAddr(host string) (netip.Addr, bool) {
	name, _, ok := splitPort(host)
	if !ok {
		name = host // perhaps IPv6 without brackets
	}
	if name == "" || (name[0] < '0' || name[0] > '9') && strings.IndexByte(name, ':') < 0 {
		return netip.Addr{}, false // a name, told from the first byte: ParseAddr's error would cost an allocation
	}
	bracketed := ok && name[0] == '['
	if bracketed {
		name = name[1 : len(name)-1]
	}
	addr, err := netip.ParseAddr(name)
	return addr.Unmap(), err == nil && addr.Zone() == "" && (!bracketed || addr.Is6())
}

// named reports whether host is one that the operator named: the public host or one of AllowedHosts.
func (s *Site) named(host string) bool {
	if len(s.hosts) == 0 && len(s.names) == 0 {
		return false // as on most laptops
	}
	host = lower(host)
	if s.hosts[host] {
		return true
	}
	if len(s.names) == 0 {
		return false
	}
	name, _, ok := splitPort(host)
	return ok && s.names[name]
}

// Host returns nil where r names a host that no foreign page can have had pointed at this server, else [ErrHost]. [Site.Check]
// asks it where it matters for credentials; who lets callers in without one asks it for every request.
func (s *Site) Host(r *http.Request) error {
	if s.hostAllowed(r) {
		return nil
	}
	return ErrHost
}

// hostAllowed is the Host rule, against DNS rebinding: a page of evil.example whose name is pointed at this server
// speaks to it as its own origin, and only Host still tells.
func (s *Site) hostAllowed(r *http.Request) bool {
	if s.named(r.Host) {
		return true
	}
	if s.origin != "" {
		return false // fail closed: other spellings of the same machine have to be named
	}
	if r.TLS != nil || Loopback(r.Host) {
		return true // a certificate can't be rebound, nor can a loopback name
	}
	_, isIP := hostAddr(r.Host)
	return isIP // there is no name that could be rebound
}
