// Package token is the strict gate for JSON Web Tokens of a provider, in front of go-oidc: what a token must look like, who
// may have signed it, and what it must say to be an ID token, a logout token or an access token.
//
// [Parse] first, then one of CheckID, CheckRefreshed, CheckLogout and CheckAccess, each of which verifies the signature too:
// nothing that a token says may be believed before. [ReadProof] is for DPoP proofs, [CheckBinding] for the tokens that need
// them. A refusal is [ErrInvalid]; another error means that the provider's keys can't be known now.
package token

import (
	"context"
	"crypto"
	"strings"
)

// maxLen bounds a token, in bytes: those of providers that list a person's groups have a few thousand.
const maxLen = 16 << 10

// A Source gives a provider's keys.
type Source interface {
	// Keys gives those of the provider's keys that may have signed a token with this kid (empty: none given) and alg. No key
	// without an error: the provider has none. again says that those of a first call didn't fit, which happens where keys have
	// no kid and were rotated. An error says that the keys can't be known now.
	Keys(ctx context.Context, kid, alg string, again bool) ([]crypto.PublicKey, error)
}

// Token is a JWT that is well-formed. It may be anybody's until a check of it has given no error. It isn't changed by checks
// and holds a secret in Raw; nothing here prints it.
type Token struct {
	Raw    string // as it came; it has no other spelling
	Alg    string // one of Algorithms
	KeyID  string // kid; empty: none given
	Type   string // typ; empty: none given
	Claims Claims

	header    Claims
	payload   []byte
	signature []byte
}

// Parse reads a JWT in the compact form (RFC 7515 section 7.1), the only one taken: canonical base64url without white space,
// at most 16 KiB, header and payload each one JSON object without duplicate names. It refuses what would make two readers see
// two tokens (names that differ from a registered one by case only), what it doesn't implement (crit, b64, zip, enc, nested
// tokens), keys and addresses of keys that the token brings itself (jwk, jku, x5u, x5c), and algorithms that are none of
// [Algorithms]. Every error is [ErrInvalid].
func Parse(raw string) (*Token, error) { return parse(raw, false) }

func parse(raw string, withKey bool) (*Token, error) {
	// The length first: what is refused here has cost nothing.
	if len(raw) > maxLen {
		return nil, fail("", "longer than 16 KiB")
	}
	if strings.Count(raw, ".") != 2 {
		return nil, fail("", "not in the compact form of three parts")
	}
	first, last := strings.IndexByte(raw, '.'), strings.LastIndexByte(raw, '.')
	header, okHeader := decode(raw[:first])
	payload, okPayload := decode(raw[first+1 : last])
	signature, okSignature := decode(raw[last+1:])
	if !okHeader || !okPayload || !okSignature || len(signature) == 0 {
		return nil, fail("", "not in canonical base64url")
	}
	t := &Token{Raw: raw, payload: payload, signature: signature}
	if err := t.readHeader(header, withKey); err != nil {
		return nil, err
	}
	claims, err := ParseClaims(payload)
	if err != nil {
		return nil, fail("payload", err.Error()) // names a field, no value
	}
	if err := exactNames("", claims, claimNames); err != nil {
		return nil, err
	}
	t.Claims = claims
	return t, nil
}

// signed gives what the signature is of.
func (t *Token) signed() string { return t.Raw[:strings.LastIndexByte(t.Raw, '.')] }
