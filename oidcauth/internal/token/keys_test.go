package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// good is a key that every set of this file has beside the one that is tested: a bad key must not take it along (J-12).
func good() object { return jwkOf(edKey().Public(), object{"kid": "good"}) }

func number(n *big.Int) string { return b64(string(n.Bytes())) }

func TestParseKeySetKeepsTheKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		set := keySet(t, jwkOf(signerOf(alg).Public(), object{"kid": "k", "use": "sig", "alg": alg, "key_ops": []string{"verify"}}), good())
		keys := set.Candidates("k", alg)
		if len(keys) != 1 {
			t.Fatalf("%s: got %d keys, want 1", alg, len(keys))
		}
		if got, want := keys[0], signerOf(alg).Public(); !want.(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
			t.Errorf("%s: got another key", alg)
		}
		if !set.Has("k") || !set.Has("good") || set.Has("") || set.Has("K") || set.Len() != 2 {
			t.Errorf("%s: got Len %d and wrong ids, want those of the set", alg, set.Len())
		}
	}
}

// J-12: a bad key among good ones is skipped. J-03, J-06, J-14: what must not verify anything is no key.
func TestParseKeySetSkips(t *testing.T) {
	t.Parallel()
	key := jwkOf(rsaKey().Public(), object{"kid": "k"})
	ec := jwkOf(p256Key().Public(), object{"kid": "k"})
	ed := jwkOf(edKey().Public(), object{"kid": "k"})
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	n := rsaKey().N
	point := string(must(p256Key().PublicKey.Bytes()))
	if got := keySet(t, key, good()).Len() + keySet(t, ec, good()).Len() + keySet(t, ed, good()).Len(); got != 6 {
		t.Fatalf("got %d keys, want 6: the good ones", got)
	}
	for name, jwk := range map[string]any{
		"J-03 a symmetric key":                  object{"kty": "oct", "kid": "k", "k": b64("0123456789abcdef0123456789abcdef")},
		"J-03 a symmetric key for HS256":        object{"kty": "oct", "kid": "k", "alg": "HS256", "k": b64("0123456789abcdef0123456789abcdef")},
		"J-06 a key for encryption":             key.with(object{"use": "enc"}),
		"J-06 a use that is unknown":            key.with(object{"use": "SIG"}),
		"J-06 a use that is no text":            key.with(object{"use": []string{"sig"}}),
		"J-06 a use that is null":               key.with(object{"use": nil}),
		"J-06 key_ops without verify":           key.with(object{"key_ops": []string{"encrypt", "wrapKey"}}),
		"J-06 key_ops that is empty":            key.with(object{"key_ops": []string{}}),
		"J-06 key_ops that is a text":           key.with(object{"key_ops": "verify"}),
		"J-06 an algorithm for encryption":      key.with(object{"alg": "RSA-OAEP"}),
		"J-05 an algorithm of another kind":     key.with(object{"alg": "ES256"}),
		"J-05 an algorithm of another curve":    ec.with(object{"alg": "ES384"}),
		"J-04 RS1":                              key.with(object{"alg": "RS1"}),
		"J-02 HS256":                            key.with(object{"alg": "HS256"}),
		"J-01 none":                             key.with(object{"alg": "none"}),
		"an algorithm that is no text":          key.with(object{"alg": 1}),
		"a kid that is no text":                 key.with(object{"kid": 1}),
		"a kid that is null":                    key.with(object{"kid": nil}),
		"J-14 1024 bits":                        jwkOf(small.Public(), object{"kid": "k"}),
		"J-14 a modulus of 0":                   key.with(object{"n": b64("\x00")}),
		"J-14 2047 bits":                        key.with(object{"n": number(new(big.Int).SetBit(new(big.Int).Rsh(n, 1), 0, 1))}),
		"J-14 e of 1":                           key.with(object{"e": b64("\x01")}),
		"J-14 e of 3":                           key.with(object{"e": b64("\x03")}),
		"J-14 e of 0":                           key.with(object{"e": b64("\x00")}),
		"J-14 an even e":                        key.with(object{"e": b64("\x01\x00\x02")}),
		"J-14 an e beyond 31 bits":              key.with(object{"e": b64("\xff\xff\xff\xff")}),
		"J-14 an e of many bytes":               key.with(object{"e": b64(strings.Repeat("\x01", 300))}),
		"J-14 an even modulus":                  key.with(object{"n": number(new(big.Int).Sub(n, big.NewInt(1)))}),
		"J-14 16384 bits":                       key.with(object{"n": b64(strings.Repeat("\xff", 2048))}),
		"J-14 8200 bits":                        key.with(object{"n": b64(strings.Repeat("\xff", 1025))}),
		"J-14 no modulus":                       key.with(object{"n": gone}),
		"J-14 no exponent":                      key.with(object{"e": gone}),
		"J-14 a modulus that is a number":       key.with(object{"n": 65537}),
		"J-14 a modulus with padding":           key.with(object{"n": key["n"].(string) + "=="}),
		"J-14 a modulus with a line end":        key.with(object{"n": "\n" + key["n"].(string)}),
		"a point that isn't on the curve":       ec.with(object{"y": ec["x"]}),
		"the point 0, 0":                        ec.with(object{"x": b64(strings.Repeat("\x00", 32)), "y": b64(strings.Repeat("\x00", 32))}),
		"a coordinate that is short":            ec.with(object{"x": b64(strings.Repeat("\x01", 31))}),
		"a coordinate that is long":             ec.with(object{"x": b64("\x00" + strings.Repeat("\x01", 32))}),
		"a point that is cut elsewhere":         ec.with(object{"x": b64(point[1:32]), "y": b64(point[32:])}),
		"no coordinate":                         ec.with(object{"y": gone}),
		"P-256 under the name of another curve": ec.with(object{"crv": "P-384"}),
		"secp256k1":                             ec.with(object{"crv": "secp256k1"}),
		"P-224":                                 ec.with(object{"crv": "P-224"}),
		"a curve in another case":               ec.with(object{"crv": "p-256"}),
		"no curve":                              ec.with(object{"crv": gone}),
		"X25519":                                ed.with(object{"crv": "X25519"}),
		"Ed448":                                 ed.with(object{"crv": "Ed448"}),
		"an Ed25519 key that is short":          ed.with(object{"x": b64("short")}),
		"a kind that is unknown":                key.with(object{"kty": "AKP"}),
		"a kind in another case":                key.with(object{"kty": "rsa"}),
		"no kind":                               key.with(object{"kty": gone}),
		"a text":                                "key",
		"null":                                  nil,
		"a list":                                []any{key},
		"nothing":                               object{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := keySet(t, jwk, good())
			if set.Len() != 1 || len(set.Candidates("good", "EdDSA")) != 1 {
				t.Errorf("got %d keys, want the good one alone", set.Len())
			}
		})
	}
}

func TestParseKeySetRefusesWhatIsNoSet(t *testing.T) {
	t.Parallel()
	jwk := good().json()
	if set, err := token.ParseKeySet([]byte(`{"keys":[` + jwk + `],"more":1}`)); err != nil || set.Len() != 1 {
		t.Fatalf("got %v, want the good one", err)
	}
	if set, err := token.ParseKeySet([]byte(`{"keys":[]}`)); err != nil || set.Len() != 0 {
		t.Errorf("got %v, want a set without keys", err)
	}
	for name, body := range map[string]string{
		"J-12 nothing": "", "J-12 HTML": "<html></html>", "J-12 a list": "[" + jwk + "]", "J-12 no list": `{"keys":` + jwk + `}`,
		"J-12 no keys": "{}", "J-12 Keys": `{"Keys":[` + jwk + `]}`, "J-12 null": `{"keys":null}`,
		"two lists": `{"keys":[],"keys":[` + jwk + `]}`, "a key with a name twice": `{"keys":[{"kid":"a",` + jwk[1:] + `]}`,
		"something behind": `{"keys":[` + jwk + `]}{}`,
	} {
		if _, err := token.ParseKeySet([]byte(body)); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// A key that was published with its private half is used without it; nothing prints or keeps the secret.
func TestParseKeySetDropsPrivateMembers(t *testing.T) {
	t.Parallel()
	set := keySet(t, jwkOf(p256Key(), object{"kid": "k"}))
	keys := set.Candidates("k", "ES256")
	if len(keys) != 1 {
		t.Fatalf("got %d keys, want 1", len(keys))
	}
	if _, ok := keys[0].(*ecdsa.PublicKey); !ok {
		t.Errorf("got a %T, want a public key", keys[0])
	}
}

// J-12: a set of 10,000 keys costs memory for 200.
func TestParseKeySetBoundsTheKeys(t *testing.T) {
	t.Parallel()
	var keys []any
	for i := range 10_000 {
		keys = append(keys, good().with(object{"kid": fmt.Sprint(i)}))
	}
	set := keySet(t, keys...)
	if set.Len() != 200 || !set.Has("199") || set.Has("200") {
		t.Errorf("got %d keys, want the first 200", set.Len())
	}
	if got := len(set.Candidates("", "EdDSA")); got != 8 {
		t.Errorf("got %d candidates without a kid, want 8", got)
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	rsa1 := jwkOf(rsaKey().Public(), object{"kid": "rsa"})
	rsa2 := jwkOf(otherRSA().Public(), object{"kid": "rsa"})
	set := keySet(t, rsa1, rsa2,
		jwkOf(p256Key().Public(), object{"kid": "p256"}), jwkOf(p384Key().Public(), object{"kid": "p384"}),
		jwkOf(p521Key().Public(), object{"kid": "p521"}), jwkOf(edKey().Public(), nil),
		jwkOf(rsaKey().Public(), object{"kid": "pinned", "alg": "RS256"}))
	for name, c := range map[string]struct {
		kid, alg string
		want     int
	}{
		"J-08 two keys of one kid":           {"rsa", "RS256", 2},
		"J-08 two keys of one kid, by PS512": {"rsa", "PS512", 2},
		"the curve of ES256":                 {"p256", "ES256", 1},
		"the curve of ES384":                 {"p384", "ES384", 1},
		"the curve of ES512":                 {"p521", "ES512", 1},
		"J-10 no kid":                        {"", "EdDSA", 1},
		"J-10 no kid and several keys":       {"", "RS256", 3},
		"J-05 a pinned key beside others":    {"", "PS256", 2},
		"a pinned key":                       {"pinned", "RS256", 1},
		"J-05 PS256 by a key of RS256":       {"pinned", "PS256", 0},
		"J-05 RS256 by an EC key":            {"p256", "RS256", 0},
		"J-05 ES256 by P-384":                {"p384", "ES256", 0},
		"J-05 ES512 by P-256":                {"p256", "ES512", 0},
		"J-05 EdDSA by RSA":                  {"rsa", "EdDSA", 0},
		"J-05 ES256 by RSA":                  {"rsa", "ES256", 0},
		"J-02 HS256":                         {"rsa", "HS256", 0},
		"J-01 none":                          {"rsa", "none", 0},
		"J-01 no algorithm":                  {"rsa", "", 0},
		"J-08 an unknown kid":                {"unknown", "RS256", 0},
		"J-08 a path":                        {"../../dev/null", "RS256", 0},
		"J-08 SQL":                           {"' UNION SELECT 1 --", "RS256", 0},
		"J-08 a kid in another case":         {"RSA", "RS256", 0},
		"J-08 NUL":                           {"rsa\x00", "RS256", 0},
	} {
		if got := len(set.Candidates(c.kid, c.alg)); got != c.want {
			t.Errorf("%s: got %d keys, want %d", name, got, c.want)
		}
	}
}

// An RSA modulus with a zero in front is the same number (RFC 7518 section 6.3.1.1 forbids it, and some do it).
func TestParseKeySetTakesAZeroInFrontOfAModulus(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{2048, 8192} {
		n := new(big.Int).SetBit(new(big.Int).SetBit(new(big.Int), bits-1, 1), 0, 1)
		set := keySet(t, object{"kty": "RSA", "kid": "k", "e": "AQAB", "n": b64("\x00" + string(n.Bytes()))})
		keys := set.Candidates("k", "RS256")
		if len(keys) != 1 || keys[0].(*rsa.PublicKey).N.Cmp(n) != 0 {
			t.Errorf("%d bits: got %d keys, want that one", bits, len(keys))
		}
	}
}

// J-03, J-04: what can be configured is asymmetric, and signs.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	if got := token.Algorithms(); !slices.Equal(got, slices.Sorted(slices.Values(allAlgs))) {
		t.Errorf("got %v, want %v", got, allAlgs)
	}
}
