package tokenauth

import (
	"net/url"
	"strings"
)

// fromHeader reads an Authorization header: the scheme "Bearer" or "token" in any case (RFC 9110 section 11.1), one or
// more blanks, and the token exactly as it stands. ours is false for other schemes.
func fromHeader(value string) (token string, ours bool) {
	scheme, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "token") {
		return "", false
	}
	return strings.TrimLeft(rest, " "), true
}

// maxParams is how many parameters a query may have to be looked into. net/http reads none of a query with more.
const maxParams = 10_000

// fromQuery finds the value of the parameter "token", and how often it is given. A query with a semicolon holds none:
// Go takes it for no separator, a proxy may take it for one, and who reads a token differently from others can be led
// to another one.
func fromQuery(rawQuery string) (token string, n int) {
	if rawQuery == "" || strings.IndexByte(rawQuery, ';') >= 0 || strings.Count(rawQuery, "&") >= maxParams {
		return "", 0
	}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != "token" {
			// Counted in every spelling, so that a second token can't hide behind an escape.
			if name, err := url.QueryUnescape(name); err != nil || name != "token" {
				continue
			}
		}
		n++
		unescaped, err := url.QueryUnescape(value)
		if err != nil {
			unescaped = ""
		}
		if token == "" {
			token = unescaped
		}
	}
	return token, n
}
