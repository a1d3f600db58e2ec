package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.Hash
	_ "crypto/sha512"
	"maps"
	"slices"
)

// family is the kind of key that an algorithm needs.
type family int

const (
	rsaFamily family = iota + 1
	ecFamily
	edFamily
)

// algorithm says what a signature algorithm of RFC 7518 section 3.1 and RFC 8037 stands for.
type algorithm struct {
	family family
	hash   crypto.Hash    // of the signature; at_hash is the left half of it too
	pss    bool           // rsaFamily: the padding, PKCS #1 v1.5 otherwise
	curve  elliptic.Curve // ecFamily: the only one that fits
}

// algorithms are the asymmetric ones and no other. With none or HS256 anybody could sign who can read: their key is nothing, or
// what every client of the provider holds.
var algorithms = map[string]algorithm{
	"RS256": {family: rsaFamily, hash: crypto.SHA256},
	"RS384": {family: rsaFamily, hash: crypto.SHA384},
	"RS512": {family: rsaFamily, hash: crypto.SHA512},
	"PS256": {family: rsaFamily, hash: crypto.SHA256, pss: true},
	"PS384": {family: rsaFamily, hash: crypto.SHA384, pss: true},
	"PS512": {family: rsaFamily, hash: crypto.SHA512, pss: true},
	"ES256": {family: ecFamily, hash: crypto.SHA256, curve: elliptic.P256()},
	"ES384": {family: ecFamily, hash: crypto.SHA384, curve: elliptic.P384()},
	"ES512": {family: ecFamily, hash: crypto.SHA512, curve: elliptic.P521()},
	"EdDSA": {family: edFamily, hash: crypto.SHA512}, // Ed25519
}

// Algorithms gives those that may be configured, sorted.
func Algorithms() []string { return slices.Sorted(maps.Keys(algorithms)) }

// fits reports whether a signature by alg can be of key.
func (a algorithm) fits(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return a.family == rsaFamily
	case *ecdsa.PublicKey:
		return a.family == ecFamily && key.Curve == a.curve
	case ed25519.PublicKey:
		return a.family == edFamily && len(key) == ed25519.PublicKeySize
	}
	return false
}
