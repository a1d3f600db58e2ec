package site

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// authority is a scheme and a host in the spelling of browsers.
type authority struct{ scheme, host, port string } // port is "" for the scheme's default

func (a authority) String() string { return a.scheme + "://" + a.hostPort() }

func (a authority) hostPort() string {
	if a.port == "" {
		return a.host
	}
	return a.host + ":" + a.port
}

func (a authority) defaultPort() string {
	if a.scheme == "https" {
		return "443"
	}
	return "80"
}

// parsePublicURL returns the canonical authority and the path of raw, the latter as given but for one trailing slash.
func parsePublicURL(raw string) (authority, string, error) {
	a, path, err := parseAuthority(raw)
	if err != nil {
		return a, "", err
	}
	if strings.ContainsAny(path, "?#") {
		return a, "", errors.New("a query or fragment isn't allowed")
	}
	path = strings.TrimSuffix(path, "/")
	return a, path, checkPath(path)
}

// parseAuthority reads scheme://host[:port] in any case and returns it in canonical form, with what follows it.
func parseAuthority(raw string) (a authority, rest string, err error) {
	scheme, rest, found := strings.Cut(raw, "://")
	a.scheme = lower(scheme)
	if !found || a.scheme != "http" && a.scheme != "https" {
		return a, "", errors.New("must begin with https:// or http://")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if strings.Contains(rest[:end], "@") {
		return a, "", errors.New("user information isn't allowed")
	}
	a.host, a.port, err = parseHost(lower(rest[:end]))
	if a.port == a.defaultPort() {
		a.port = ""
	}
	return a, rest[end:], err
}

// parseHost splits host[:port] in lower case and checks both. Only what a browser would send is let through, so that
// exact comparison later means what it seems to mean.
func parseHost(s string) (host, port string, err error) {
	host, port, ok := splitPort(s)
	switch {
	case s == "":
		return "", "", errors.New("the host is missing")
	case !ok:
		return "", "", errors.New("want host or host:port, the port from 1 to 65535, an IPv6 address in brackets")
	case host == "" || host[0] != '[':
		return host, port, CheckName(host)
	}
	addr, err := netip.ParseAddr(host[1 : len(host)-1])
	switch {
	case err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "":
		return "", "", errors.New("not an IPv6 address that browsers accept")
	case "["+addr.String()+"]" != host:
		return "", "", fmt.Errorf("write the address as browsers do: [%s]", addr)
	}
	return host, port, nil
}

// splitPort splits host[:port]; an IPv6 address keeps its brackets. The host itself isn't looked at.
func splitPort(s string) (host, port string, ok bool) {
	end := strings.IndexByte(s, ':')
	if strings.HasPrefix(s, "[") {
		end = strings.IndexByte(s, ']') + 1
		if end == 0 {
			return "", "", false
		}
	}
	if end < 0 || end == len(s) {
		return s, "", true
	}
	host, port = s[:end], s[end+1:]
	return host, port, s[end] == ':' && validPort(port)
}

func validPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0'
}

// CheckName accepts DNS names in lower case and IPv4 addresses in dotted form. Names in other scripts must be given
// as browsers send them, in Punycode.
func CheckName(name string) error {
	if !validName(name) {
		return errors.New("not a host name of letters, digits, '-' and '_' between dots (other scripts in Punycode)")
	}
	// A browser reads a name whose last label is a number as an IPv4 address and rewrites it (WHATWG URL, "ends in
	// a number checker"): 127.1 or 0x7f.1 are 127.0.0.1 there and would never match here.
	last := name[strings.LastIndexByte(name, '.')+1:]
	hex, isHex := strings.CutPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || isHex && strings.Trim(hex, "0123456789abcdef") == "" {
		if addr, err := netip.ParseAddr(name); err != nil || !addr.Is4() {
			return errors.New("not an IPv4 address of four decimal numbers")
		}
	}
	return nil
}

func validName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	label := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.' && label > 0:
			label = 0
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
	}
	return label > 0
}

// pathChars are the characters besides letters, digits and % that browsers leave alone in a path (RFC 3986 pchar).
const pathChars = "/-._~!$&'()*+,;=:@"

// checkPath accepts a path that a browser neither rewrites nor mistakes for a host: an empty element at its
// start would make "//evil.example" of it in a redirect, a dot element would be resolved away before it is requested.
func checkPath(path string) error {
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '%':
		case strings.IndexByte(pathChars, c) >= 0:
		default:
			return fmt.Errorf("percent-encode %q in the path", c)
		}
	}
	if path == "" {
		return nil
	}
	for element := range strings.SplitSeq(path[1:], "/") {
		switch plain, err := url.PathUnescape(element); {
		case err != nil:
			return errors.New("the path has an incomplete percent-encoding")
		case plain == "", plain == ".", plain == "..":
			return errors.New("the path has an empty or dot element")
		}
	}
	return nil
}

// lower folds ASCII only: strings.ToLower would make an ordinary k of the Kelvin sign and so equal what differs. It
// allocates only where there is something to fold.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if 'A' <= b[j] && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
