package cookie

import (
	"net/http"
	"strings"
)

const (
	// MaxValue is the length in bytes of the longest value that [Spec.Read] returns: browsers keep no more than
	// 4096 for name and value together.
	MaxValue = 4096

	// maxPairs is net/http's own limit (CVE-2025-58186): past it none of the cookies is looked at.
	maxPairs = 3000
)

// Read returns the value of the cookie in r, and how often a cookie of that very name was sent. Only with n == 1 there
// is a value: with more, one of them was planted for a longer path, nobody can tell which, and the caller should refuse
// the request. A value of more than [MaxValue] bytes counts but is returned as "". With more than 3000 cookies in all,
// n is 0.
//
// The value is as the client sent it, quotes and any bytes included, and proves nothing by itself. Read doesn't
// allocate.
func (s Spec) Read(r *http.Request, https bool) (value string, n int) {
	lines := r.Header["Cookie"] // HTTP/2 clients may send several (RFC 9113 section 8.2.3)
	pairs := 0
	for _, line := range lines {
		pairs += strings.Count(line, ";") + 1
	}
	if pairs > maxPairs {
		return "", 0
	}
	prefix, port := affixes(r, https)
	for _, line := range lines {
		for more := true; more; {
			var pair string
			pair, line, more = strings.Cut(line, ";")
			// The name isn't trimmed at its end, nor is a nameless cookie taken for a named one: browsers
			// enforce __Host- on the exact name only, so "__Host-x =V" and "=__Host-x=V" are what a
			// subdomain can plant. net/http's own reader trims and would take the former.
			name, v, found := strings.Cut(trimStart(pair), "=")
			if !found || !s.named(name, prefix, port) {
				continue
			}
			n++
			value = trimEnd(v)
		}
	}
	if n != 1 || len(value) > MaxValue {
		return "", n
	}
	return value, n
}

// trimStart and trimEnd leave out spaces and tabs. They are on every request's path, where [strings.TrimLeft] is slow.
func trimStart(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

func trimEnd(s string) string {
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// named compares name with the cookie's in pieces: joining them would allocate on every request. Case counts; browsers
// match prefixes in any case but protect what was set, which is ours.
func (s Spec) named(name, prefix, port string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return false
	}
	if rest, ok = strings.CutPrefix(rest, s.Base); !ok {
		return false
	}
	if port == "" {
		return rest == ""
	}
	return len(rest) == 1+len(port) && rest[0] == '-' && rest[1:] == port
}
