package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // linked for crypto.Hash
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// A JWT is a token before it is signed. A hook may change everything about it.
type JWT struct {
	Header, Claims map[string]any
	// RawHeader and RawClaims, where not nil, are signed as they stand, whatever Header and Claims hold: duplicate names,
	// broken JSON, anything.
	RawHeader, RawClaims []byte
	// Key signs. Its algorithm decides about the signature, Header about what is said of it: see SignWith.
	Key Key
	// Edit, where not nil, has the last word about the signed token.
	Edit func(compact string) string
	// Refreshed: it is the ID token of a refresh, not of a login.
	Refreshed bool
}

// SignWith makes k the key, and says so in the header: alg and, where k has an ID, kid.
func (t *JWT) SignWith(k Key) {
	t.Key, t.Header["alg"] = k, k.Alg
	delete(t.Header, "kid")
	if k.ID != "" {
		t.Header["kid"] = k.ID
	}
}

// Compact signs and returns the token in its compact form. It panics for what can't be signed or written as JSON: a mistake
// of the test that asked for it.
func (t *JWT) Compact() string {
	header, claims := t.RawHeader, t.RawClaims
	if header == nil {
		header = mustJSON(t.Header)
	}
	if claims == nil {
		claims = mustJSON(t.Claims)
	}
	compact := Sign(header, claims, t.Key)
	if t.Edit != nil {
		compact = t.Edit(compact)
	}
	return compact
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("oidctest: a token's part as JSON: %v", err))
	}
	return text
}

// Sign returns header and payload, as they stand, as a JWS in compact form (RFC 7515 §7.1), signed by key. It panics for a
// key that can't sign: a mistake of the test.
func Sign(header, payload []byte, key Key) string {
	input := encode(header) + "." + encode(payload)
	signature, err := signature(key, []byte(input))
	if err != nil {
		panic(fmt.Sprintf("oidctest: signing with %q: %v", key.Alg, err))
	}
	return input + "." + encode(signature)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// hashes are those of the algorithms' last three characters (RFC 7518 §3.1).
var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

// hashOf returns the hash of alg; for EdDSA SHA-512, Ed25519's own.
func hashOf(alg string) crypto.Hash {
	if alg == "EdDSA" {
		return crypto.SHA512
	}
	return hashes[alg[max(len(alg)-3, 0):]]
}

func signature(key Key, input []byte) ([]byte, error) {
	if key.Alg == "none" {
		return nil, nil
	}
	hash := hashOf(key.Alg)
	if hash == 0 {
		return nil, errors.New("no such algorithm")
	}
	if key.Secret != nil {
		mac := hmac.New(hash.New, key.Secret)
		mac.Write(input)
		return mac.Sum(nil), nil
	}
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	switch private := key.Private.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(private, input), nil
	case *rsa.PrivateKey:
		if key.Alg[0] == 'P' {
			return rsa.SignPSS(rand.Reader, private, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(rand.Reader, private, hash, digest)
	case *ecdsa.PrivateKey:
		der, err := ecdsa.SignASN1(rand.Reader, private, digest)
		if err != nil {
			return nil, err
		}
		return fixedWidth(der, (private.Curve.Params().BitSize+7)/8)
	}
	return nil, fmt.Errorf("no signer for a %T", key.Private)
}

// fixedWidth turns a DER signature into what JWS wants: r and s, size bytes each (RFC 7518 §3.4).
func fixedWidth(der []byte, size int) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	out := make([]byte, 2*size)
	sig.R.FillBytes(out[:size])
	sig.S.FillBytes(out[size:])
	return out, nil
}

// halfHash is at_hash of OpenID Connect Core §3.1.3.6: the left half of the hash of token, by the ID token's algorithm.
func halfHash(alg, token string) string {
	hash := hashOf(alg)
	if hash == 0 {
		return ""
	}
	h := hash.New()
	h.Write([]byte(token))
	sum := h.Sum(nil)
	return encode(sum[:len(sum)/2])
}
