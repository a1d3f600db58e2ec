package token

import "strings"

// names is a set of registered names, all of them in lower case.
type names map[string]bool

var headerNames = set("alg", "b64", "crit", "cty", "enc", "jku", "jwk", "kid", "typ", "x5c", "x5t", "x5u", "zip")

// claimNames are those by which it is decided who somebody is, for whom and until when.
var claimNames = set("acr", "amr", "ath", "at_hash", "aud", "auth_time", "azp", "c_hash", "client_id", "cnf", "events",
	"exp", "htm", "htu", "iat", "iss", "jti", "nbf", "nonce", "scope", "sid", "sub")

func set(list ...string) names {
	s := names{}
	for _, name := range list {
		s[name] = true
	}
	return s
}

// exactNames refuses a registered name in another spelling, alone or beside the right one. encoding/json takes "SUB" and
// "ſub" for "sub": where a part of the application reads a token with it, a token must not be two persons'.
func exactNames(in string, object Claims, registered names) error {
	for name := range object {
		if folded := fold(name); folded != name && registered[folded] {
			return fail(in+folded, "given in another spelling")
		}
	}
	return nil
}

// fold gives name in lower case, as far as Unicode's simple folding leads to ASCII: beside A-Z only the long s and the Kelvin
// sign do.
func fold(name string) string {
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' || c >= 0x80 {
			return strings.Map(foldRune, name)
		}
	}
	return name
}

func foldRune(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r - 'A' + 'a'
	case r == '\u017f':
		return 's'
	case r == '\u212a':
		return 'k'
	}
	return r
}
