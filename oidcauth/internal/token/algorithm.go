package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.Hash
	_ "crypto/sha512"
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

// algorithmOf knows the asymmetric algorithms and no other. With none or HS256 anybody could sign who can read: their key is
// nothing, or what every client of the provider holds.
func algorithmOf(alg string) (algorithm, bool) {
	switch alg {
	case "RS256", "PS256":
		return algorithm{family: rsaFamily, hash: crypto.SHA256, pss: alg == "PS256"}, true
	case "RS384", "PS384":
		return algorithm{family: rsaFamily, hash: crypto.SHA384, pss: alg == "PS384"}, true
	case "RS512", "PS512":
		return algorithm{family: rsaFamily, hash: crypto.SHA512, pss: alg == "PS512"}, true
	case "ES256":
		return algorithm{family: ecFamily, hash: crypto.SHA256, curve: elliptic.P256()}, true
	case "ES384":
		return algorithm{family: ecFamily, hash: crypto.SHA384, curve: elliptic.P384()}, true
	case "ES512":
		return algorithm{family: ecFamily, hash: crypto.SHA512, curve: elliptic.P521()}, true
	case "EdDSA":
		return algorithm{family: edFamily, hash: crypto.SHA512}, true
	}
	return algorithm{}, false
}

// KnownAlgorithm reports whether alg may be configured: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or
// EdDSA (Ed25519).
func KnownAlgorithm(alg string) bool {
	_, ok := algorithmOf(alg)
	return ok
}

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
