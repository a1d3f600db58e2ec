package returnpath

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Request returns the return path to the page that r asks for: the request's own target as the browser sent it,
// without the query parameters named in hide, when [Mount.Safe] takes it, and [Mount.Root] otherwise. Host and
// forwarding headers play no part.
func (m Mount) Request(r *http.Request, hide ...string) string {
	// The request line, not r.URL: http.StripPrefix and routers change that one, and its String escapes anew.
	target := originForm(r.RequestURI)
	if r.RequestURI == "" {
		target = r.URL.EscapedPath()
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
	}
	if path, query, found := strings.Cut(target, "?"); found && query != "" {
		target = path
		if kept := StripQuery(query, hide...); kept != "" {
			target += "?" + kept
		}
	}
	return m.Safe(target)
}

// originForm returns the path and query of a request target. RFC 9112, section 3.2.2: a server "MUST accept the
// absolute-form in requests", and whoever writes one chooses its host, so that part goes. A target without a path ("*",
// an authority) gives "", which is no return path.
func originForm(target string) string {
	if strings.HasPrefix(target, "/") {
		return target
	}
	_, rest, found := strings.Cut(target, "://")
	if !found {
		return ""
	}
	i := strings.IndexAny(rest, "/?#")
	switch {
	case i < 0:
		return "/"
	case rest[i] == '/':
		return rest[i:]
	default:
		return "/" + rest[i:]
	}
}

// StripQuery returns rawQuery without the parameters of the given names and keeps all others byte for byte and in
// order. Names are compared after percent-decoding, with their case. It takes secrets out of an address, so it rather
// removes too much: a semicolon begins a parameter, as some servers have it, but only an ampersand ends one, since a
// browser's secret may contain a semicolon. Of "a=1;token=S;b=2" it leaves "a=1".
func StripQuery(rawQuery string, names ...string) string {
	var kept []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if left, whole := stripPair(pair, names); whole || left != "" {
			kept = append(kept, left)
		}
	}
	return strings.Join(kept, "&")
}

// stripPair returns what precedes the first parameter of one of the names in pair, and whether that is all of it.
func stripPair(pair string, names []string) (left string, whole bool) {
	for start := 0; start <= len(pair); {
		part, _, _ := strings.Cut(pair[start:], ";")
		name, _, _ := strings.Cut(part, "=")
		// A name with a broken escape keeps its "%" in every decoder, so it can't be one of the names.
		if name, err := url.QueryUnescape(name); err == nil && slices.Contains(names, name) {
			return pair[:max(start-1, 0)], false
		}
		start += len(part) + 1
	}
	return pair, true
}
