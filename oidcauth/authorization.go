package oidcauth

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ostiary/auth"
)

// A scheme is a way in which an Authorization header carries an access token.
type scheme int

const (
	noScheme     scheme = iota // none, or one of another kind of credential
	bearerScheme               // RFC 6750 section 2.1
	dpopScheme                 // RFC 9449 section 7.1
)

func schemeOf(name string) scheme {
	switch { // in any case (RFC 9110 section 11.1)
	case strings.EqualFold(name, "Bearer"):
		return bearerScheme
	case strings.EqualFold(name, "DPoP"):
		return dpopScheme
	}
	return noScheme
}

// offered reads the Authorization headers of a request: a scheme, one or more blanks, and the token as it stands. An access
// token that isn't alone is [auth.ErrInvalidCredentials]: whoever reads the other one would take the caller for somebody else.
func offered(headers []string) (s scheme, text string, err error) {
	for _, value := range headers {
		name, rest, _ := strings.Cut(value, " ")
		if of := schemeOf(name); of != noScheme {
			s, text = of, strings.TrimLeft(rest, " ")
		}
	}
	if s != noScheme && (len(headers) > 1 || text == "" || several(text)) {
		return s, "", auth.ErrInvalidCredentials
	}
	return s, text, nil
}

// several tells whether text is more than one word or element of a list. Byte by byte: strings.ContainsAny would be most of what
// a known token costs.
func several(text string) bool {
	return strings.IndexByte(text, ' ') >= 0 || strings.IndexByte(text, ',') >= 0 || strings.IndexByte(text, '\t') >= 0
}

// b64token tells whether text can be a bearer token at all (RFC 6750 section 2.1).
func b64token(text string) bool {
	text = strings.TrimRight(text, "=")
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return text != ""
}

// bearerRealm is what a challenge calls the place.
const bearerRealm = "ostiary"

// challenges follow RFC 6750 section 3 and RFC 9449 section 7.1: the error attribute stands only where a token was sent.
func (b *backend) challenges(r *http.Request) []string {
	if !b.bearers.taken {
		return nil
	}
	bearer := fmt.Sprintf("Bearer realm=%q", bearerRealm)
	dpop := fmt.Sprintf("DPoP realm=%q, algs=%q", bearerRealm, strings.Join(proofAlgorithms, " "))
	const invalid = `, error="invalid_token"`
	switch s, _, _ := offered(r.Header["Authorization"]); s {
	case bearerScheme:
		bearer += invalid
	case dpopScheme:
		dpop += invalid
	}
	if !slices.ContainsFunc(b.providers, func(p *provider) bool { return p.API != nil && !p.API.RequireBinding }) {
		return []string{dpop}
	}
	return []string{bearer, dpop}
}
