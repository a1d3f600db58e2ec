package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
)

var hashOf = map[string]crypto.Hash{"RS256": crypto.SHA256, "PS256": crypto.SHA256, "ES256": crypto.SHA256, "RS384": crypto.SHA384,
	"PS384": crypto.SHA384, "ES384": crypto.SHA384, "RS512": crypto.SHA512, "PS512": crypto.SHA512, "ES512": crypto.SHA512}

// signRaw signs whatever it is given: a library would not make most of the tokens that are tested here.
func signRaw(alg string, signer crypto.Signer, input []byte) ([]byte, error) {
	if key, ok := signer.(ed25519.PrivateKey); ok {
		return ed25519.Sign(key, input), nil
	}
	hash, ok := hashOf[alg]
	if !ok {
		return nil, fmt.Errorf("no algorithm %q", alg)
	}
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	switch key := signer.(type) {
	case *rsa.PrivateKey:
		if alg[0] == 'P' {
			return rsa.SignPSS(rand.Reader, key, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(nil, key, hash, digest)
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			return nil, err
		}
		return joined(key, r, s), nil
	}
	return nil, fmt.Errorf("no key %T", signer)
}

// joined gives an ECDSA signature as JWS has it: R and S, each of the curve's size.
func joined(key *ecdsa.PrivateKey, r, s *big.Int) []byte {
	size := (key.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}
