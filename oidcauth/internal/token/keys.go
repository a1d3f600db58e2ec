package token

import (
	"crypto"
	"errors"
	"fmt"
)

const (
	// maxKeys is how many keys of a set are kept, the first ones: providers have two or three.
	maxKeys = 200

	// maxTries bounds how many keys a token is tried against, where it names none or several have its name.
	maxTries = 8
)

// KeySet is a provider's public keys (RFC 7517), those that a signature may be checked with. It is immutable: any number of
// goroutines may use it.
type KeySet struct{ keys []verifyKey }

type verifyKey struct {
	id, alg string // each may be empty: none given
	key     crypto.PublicKey
}

// ParseKeySet reads a JWK set. It must be well-formed, without duplicate names; keys in it that can't be used are skipped, for
// a provider may add kinds that are unknown here: those for encryption (use, key_ops), symmetric ones (kty oct: whoever reads
// them can sign), RSA below 2048 or above 8192 bits or with a small exponent, points that aren't on their curve, algorithms
// and curves other than those of [Algorithms], ids that are no string. After the first 200 good ones the rest is ignored. Private
// members are dropped unread. A set without a usable key is no error.
func ParseKeySet(body []byte) (*KeySet, error) {
	document, err := ParseClaims(body)
	if err != nil {
		return nil, fmt.Errorf("token: reading a key set: %w", err)
	}
	list, ok := document["keys"].([]any)
	if !ok {
		return nil, errors.New("token: reading a key set: no list of keys")
	}
	set := &KeySet{}
	for _, element := range list {
		if len(set.keys) == maxKeys {
			break
		}
		jwk, ok := element.(map[string]any)
		if !ok {
			continue
		}
		if key, ok := parseVerifyKey(jwk); ok {
			set.keys = append(set.keys, key)
		}
	}
	return set, nil
}

func parseVerifyKey(jwk Claims) (v verifyKey, ok bool) {
	if id, given := jwk["kid"]; given {
		if v.id, ok = id.(string); !ok {
			return v, false
		}
	}
	if v.key, ok = parseKey(jwk); !ok {
		return v, false
	}
	if alg, given := jwk["alg"]; given {
		v.alg, ok = alg.(string)
		fit, known := algorithms[v.alg]
		return v, ok && known && fit.fits(v.key)
	}
	return v, true
}

// Len gives the number of keys.
func (s *KeySet) Len() int { return len(s.keys) }

// Has reports whether a key has this kid, of whatever algorithm.
func (s *KeySet) Has(kid string) bool {
	for _, v := range s.keys {
		if v.id == kid {
			return true
		}
	}
	return false
}

// Candidates gives the keys, at most 8, that may have made a signature by alg: of the kid (all that have it, if two do), or
// any where kid is empty (OpenID Connect Core 10.1: it may be absent). A key fits by its type, its curve, and its own alg if
// it has one.
func (s *KeySet) Candidates(kid, alg string) []crypto.PublicKey {
	fit, ok := algorithms[alg]
	if !ok {
		return nil
	}
	var found []crypto.PublicKey
	for _, v := range s.keys {
		if (kid == "" || v.id == kid) && (v.alg == "" || v.alg == alg) && fit.fits(v.key) && len(found) < maxTries {
			found = append(found, v.key)
		}
	}
	return found
}
