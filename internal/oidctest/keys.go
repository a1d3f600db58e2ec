package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// Algs are the signature algorithms that the provider supports, and lists in its metadata.
func Algs() []string { return []string{"RS256", "PS256", "ES256", "ES384", "EdDSA"} }

// joseAlgs are Algs, for the library that verifies.
func joseAlgs() (list []jose.SignatureAlgorithm) {
	for _, alg := range Algs() {
		list = append(list, jose.SignatureAlgorithm(alg))
	}
	return list
}

func supported(alg string) bool { return slices.Contains(Algs(), alg) }

// A Key signs JWTs.
type Key struct {
	ID      string        // the kid
	Alg     string        // how it signs: one of Algs, HS256, HS384 or HS512, or "none", which signs nothing
	Private crypto.Signer // nil for HS* and none
	Secret  []byte        // of HS*
}

// Public is the public half; nil for a Key without one.
func (k Key) Public() crypto.PublicKey {
	if k.Private == nil {
		return nil
	}
	return k.Private.Public()
}

// JWK is the public half as it stands in a JWKS (RFC 7517): kty, kid, alg, use and the key's own members. It panics for a
// Key without a public half: a mistake of the test.
func (k Key) JWK() map[string]any {
	text, err := json.Marshal(jose.JSONWebKey{Key: k.Public(), KeyID: k.ID, Algorithm: k.Alg, Use: "sig"})
	if err != nil {
		panic(fmt.Sprintf("oidctest: a key of %q as JWK: %v", k.Alg, err))
	}
	var jwk map[string]any
	if err := json.Unmarshal(text, &jwk); err != nil {
		panic(fmt.Sprintf("oidctest: a key of %q as JWK: %v", k.Alg, err)) // unreachable: it was written above
	}
	return jwk
}

// keyring holds the keys of one provider.
type keyring struct {
	mu    sync.Mutex
	taken []Key
	now   map[string]Key // what signs, by algorithm
	old   []Key          // published, but signing nothing any more
}

func newKeyring() *keyring { return &keyring{now: map[string]Key{}} }

// key returns what signs with alg, which is published from then on.
func (r *keyring) key(alg string) Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.now[alg]
	if !ok {
		k = r.take(alg)
		r.now[alg] = k
	}
	return k
}

// take wants the lock to be held.
func (r *keyring) take(alg string) Key {
	k := Key{ID: strings.ToLower(alg) + "-" + secret()[:8], Alg: alg, Private: pool.take(alg)}
	r.taken = append(r.taken, k)
	return k
}

// published returns the keys that belong in the JWKS: those that sign, in the order of Algs, then the old ones.
func (r *keyring) published() []Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []Key
	for _, alg := range Algs() {
		if k, ok := r.now[alg]; ok {
			keys = append(keys, k)
		}
	}
	return append(keys, r.old...)
}

func (r *keyring) rotate() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for alg, k := range r.now {
		r.old = append(r.old, k)
		r.now[alg] = r.take(alg)
	}
}

// close gives the keys back for the next provider.
func (r *keyring) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.taken {
		pool.give(k)
	}
	r.taken = nil
}

// Key returns the provider's own key for alg, which is in its JWKS from now on.
func (p *Provider) Key(alg string) Key { return p.keys.key(alg) }

// NewKey returns a key for alg that isn't the provider's and is in no JWKS: an attacker's, or a client's.
func (p *Provider) NewKey(alg string) Key {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	return p.keys.take(alg)
}

// RotateKeys makes new keys sign. The old ones stay in the JWKS until DropOldKeys.
func (p *Provider) RotateKeys() { p.keys.rotate() }

// DropOldKeys takes keys that sign no more out of the JWKS.
func (p *Provider) DropOldKeys() {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	p.keys.old = nil
}

// pool keeps private keys from provider to provider, since making an RSA key takes longer than most tests. A key has one
// holder at a time: what one provider signed must not verify at another that runs beside it.
var pool = &keyPool{free: map[string][]crypto.Signer{}}

type keyPool struct {
	mu   sync.Mutex
	free map[string][]crypto.Signer
}

// family is what decides which keys do: all RSA algorithms share theirs.
func family(alg string) string {
	if strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS") {
		return "RSA"
	}
	return alg
}

// take makes a key only where none is free.
func (p *keyPool) take(alg string) crypto.Signer {
	if key := p.reuse(family(alg)); key != nil {
		return key
	}
	key, err := generate(family(alg)) // without the lock: it takes long
	if err != nil {
		panic(fmt.Sprintf("oidctest: a key for %q: %v", alg, err)) // an unknown algorithm: a mistake of the test
	}
	return key
}

func (p *keyPool) reuse(family string) crypto.Signer {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := p.free[family]
	if len(keys) == 0 {
		return nil
	}
	p.free[family] = keys[:len(keys)-1]
	return keys[len(keys)-1]
}

func (p *keyPool) give(k Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := family(k.Alg)
	p.free[f] = append(p.free[f], k.Private)
}

func generate(family string) (crypto.Signer, error) {
	switch family {
	case "RSA":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("no such algorithm")
}
