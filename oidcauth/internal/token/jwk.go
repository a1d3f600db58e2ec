package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"
)

// The sizes of RSA keys that are taken, in bits. RFC 7518 section 3.3: "A key of size 2048 bits or larger MUST be used". The
// upper end bounds what one forged token can cost.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// minExponent is what FIPS 186-5 asks for; small ones have made forgeries easy wherever a padding was checked carelessly.
const minExponent = 65537

// privateMembers are those that a public key (RFC 7518 section 6) doesn't have.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// parseKey gives the public key of a JWK (RFC 7517) that signatures may be checked with; ok is false for any other. Private
// members are never looked at.
func parseKey(jwk Claims) (key crypto.PublicKey, ok bool) {
	if use, given := jwk["use"]; given && use != "sig" {
		return nil, false
	}
	if _, given := jwk["key_ops"]; given {
		ops, isList := jwk["key_ops"].([]any)
		if !isList || !slices.Contains(ops, any("verify")) {
			return nil, false
		}
	}
	switch jwk["kty"] {
	case "RSA":
		return rsaKey(jwk)
	case "EC":
		return ecKey(jwk)
	case "OKP":
		return edKey(jwk)
	}
	return nil, false // oct above all: a secret that everybody reads is no secret
}

func rsaKey(jwk Claims) (crypto.PublicKey, bool) {
	n, okN := member(jwk, "n")
	e, okE := member(jwk, "e")
	if !okN || !okE || len(n) > maxRSABits/8+1 || len(e) > 4 { // one more: some put a zero in front
		return nil, false
	}
	modulus := new(big.Int).SetBytes(n)
	exponent := binary.BigEndian.Uint32(append(make([]byte, 4-len(e)), e...))
	switch bits := modulus.BitLen(); {
	case bits < minRSABits, bits > maxRSABits, modulus.Bit(0) == 0:
		return nil, false
	case exponent < minExponent, exponent > 1<<31-1, exponent%2 == 0:
		return nil, false
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent)}, true
}

func ecKey(jwk Claims) (crypto.PublicKey, bool) {
	var curve elliptic.Curve
	switch jwk["crv"] {
	case "P-256":
		curve = elliptic.P256()
	case "P-384":
		curve = elliptic.P384()
	case "P-521":
		curve = elliptic.P521()
	default:
		return nil, false
	}
	size := curveSize(curve)
	x, okX := member(jwk, "x")
	y, okY := member(jwk, "y")
	if !okX || !okY || len(x) != size || len(y) != size {
		return nil, false
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)) // refuses what isn't on the curve
	return key, err == nil
}

// curveSize gives the bytes of a coordinate.
func curveSize(curve elliptic.Curve) int { return (curve.Params().BitSize + 7) / 8 }

func edKey(jwk Claims) (crypto.PublicKey, bool) {
	x, ok := member(jwk, "x")
	if !ok || jwk["crv"] != "Ed25519" || len(x) != ed25519.PublicKeySize {
		return nil, false
	}
	return ed25519.PublicKey(x), true
}

func member(jwk Claims, name string) ([]byte, bool) {
	text, ok := jwk.Text(name)
	if !ok {
		return nil, false
	}
	return decode(text)
}

// thumbprint gives the JWK thumbprint of key by SHA-256 (RFC 7638) in base64url, as in a token's cnf.jkt.
func thumbprint(key crypto.PublicKey) string {
	var canonical string // the members that are required, in the order of their names, without white space
	switch key := key.(type) {
	case *rsa.PublicKey:
		e := big.NewInt(int64(key.E)).Bytes()
		canonical = `{"e":"` + encoding.EncodeToString(e) + `","kty":"RSA","n":"` + encoding.EncodeToString(key.N.Bytes()) + `"}`
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return "" // unreachable: parseKey made it
		}
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		canonical = `{"crv":"` + key.Curve.Params().Name + `","kty":"EC","x":"` + encoding.EncodeToString(x) + `","y":"` +
			encoding.EncodeToString(y) + `"}`
	case ed25519.PublicKey:
		canonical = `{"crv":"Ed25519","kty":"OKP","x":"` + encoding.EncodeToString(key) + `"}`
	default:
		return "" // unreachable: as above
	}
	sum := sha256.Sum256([]byte(canonical))
	return encoding.EncodeToString(sum[:])
}
