package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"
	"slices"
)

// Verify checks the signature: by one of algs, which come from the configuration and never from the provider, and a key of the
// source. A refusal is [ErrInvalid]; an error of the source is passed on as it is. It says nothing about the claims.
func (t *Token) Verify(ctx context.Context, keys Source, algs []string) error {
	_, err := t.verify(ctx, keys, algs)
	return err
}

// verify gives the key that fits.
func (t *Token) verify(ctx context.Context, source Source, algs []string) (crypto.PublicKey, error) {
	if !slices.Contains(algs, t.Alg) {
		return nil, fail("header.alg", t.Alg+" isn't one that is configured")
	}
	// Only a token without a kid is worth a second look at the provider's keys: a wrong signature under a known kid is a
	// forgery, and each of them would cost the provider a request.
	for _, again := range []bool{false, true} {
		if again && t.KeyID != "" {
			break
		}
		keys, err := source.Keys(ctx, t.KeyID, t.Alg, again)
		if err != nil {
			return nil, err
		}
		for _, key := range keys[:min(len(keys), maxTries)] {
			if t.signedBy(key) {
				return key, nil
			}
		}
	}
	return nil, fail("", "not signed by a key of the provider")
}

// signedBy reports whether the signature is one by t.Alg of key. The source is asked for keys that fit, and not trusted to.
//
// The standard library does it, without a JOSE library in between: what is signed is what Parse has read, there is one
// spelling of it, and reading it a second time would take as long as all the other checks. ID and logout tokens go through
// go-oidc as well.
func (t *Token) signedBy(key crypto.PublicKey) bool {
	alg, ok := algorithms[t.Alg]
	return ok && alg.fits(key) && alg.verify(key, []byte(t.signed()), t.signature)
}

// verify checks a signature of message (RFC 7518 sections 3.3 to 3.5, RFC 8037 section 3.1) by a key that fits.
func (a algorithm) verify(key crypto.PublicKey, message, signature []byte) bool {
	if key, ok := key.(ed25519.PublicKey); ok {
		return ed25519.Verify(key, message, signature)
	}
	h := a.hash.New()
	h.Write(message)
	digest := h.Sum(nil)
	switch key := key.(type) {
	case *rsa.PublicKey:
		if a.pss {
			return rsa.VerifyPSS(key, a.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(key, a.hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		// R and S, each of the curve's size: neither DER nor a shorter spelling. Verify refuses 0 and what isn't below n.
		size := curveSize(key.Curve)
		if len(signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		return ecdsa.Verify(key, digest, r, s)
	}
	return false // unreachable: no other key fits
}
