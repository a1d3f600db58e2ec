package token

import (
	"net/url"
	"strconv"
	"strings"
)

// sameTarget compares two URLs without query and fragment, normalized as RFC 9449 section 4.3 asks: by syntax and scheme (RFC
// 3986 sections 6.2.2 and 6.2.3). Dot segments are left as they are.
func sameTarget(a, b string) bool {
	x, okX := normalized(a)
	y, okY := normalized(b)
	return okX && okY && x == y
}

func normalized(target string) (string, bool) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.User != nil {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	path := normalPath(u.EscapedPath())
	if path == "" {
		path = "/"
	}
	return scheme + "://" + strings.TrimSuffix(host, ":") + path, true
}

// normalPath gives an escaped path with no more escapes than it needs, in capitals (RFC 3986 section 6.2.2).
func normalPath(escaped string) string {
	var b strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '%' || i+2 >= len(escaped) {
			b.WriteByte(escaped[i])
			continue
		}
		value, err := strconv.ParseUint(escaped[i+1:i+3], 16, 8)
		if err == nil && unreserved(byte(value)) {
			b.WriteByte(byte(value))
		} else {
			b.WriteString(strings.ToUpper(escaped[i : i+3]))
		}
		i += 2
	}
	return b.String()
}

// unreserved reports whether c means the same with an escape and without (RFC 3986 section 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
