package token_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// verify parses raw and checks its signature alone.
func verify(t testing.TB, raw string, keys token.Source, algs ...string) error {
	t.Helper()
	parsed, err := token.Parse(raw)
	if err != nil {
		return err
	}
	return parsed.Verify(t.Context(), keys, algs)
}

// withSignature gives raw with another signature.
func withSignature(raw string, signature []byte) string {
	return raw[:strings.LastIndexByte(raw, '.')+1] + b64(string(signature))
}

// Tokens of a library that isn't ours, of every algorithm.
func TestVerifyAcceptsTokensOfGoJOSE(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: signerOf(alg)},
			(&jose.SignerOptions{}).WithHeader("kid", "k-"+alg)))
		raw := must(must(signer.Sign([]byte(idClaims().json()))).CompactSerialize())
		if err := verify(t, raw, provider(t), alg); err != nil {
			t.Errorf("%s: got %v, want the token accepted", alg, err)
		}
		// oidcc-client-test-invalid-sig-rs256, invalid-sig-es256
		dot := strings.LastIndexByte(raw, '.')
		forged := raw[:dot-1] + string(raw[dot-1]^1) + raw[dot:]
		if err := verify(t, forged, provider(t), alg); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: got %v for another payload, want a refusal", alg, err)
		}
	}
}

// J-02: a public key is no secret that could make a signature.
func TestVerifyRefusesHMAC(t *testing.T) {
	t.Parallel()
	payload := idClaims().json()
	accepted(t, verify(t, signedText(header("RS256", "JWT").json(), payload), provider(t), allAlgs...))
	public := &rsaKey().PublicKey
	der := must(x509.MarshalPKIXPublicKey(public))
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for name, secret := range map[string][]byte{
		"PEM": text, "PEM without a line end": bytes.TrimSpace(text), "DER": der, "PKCS #1": x509.MarshalPKCS1PublicKey(public),
		"JWK": []byte(jwkOf(public, nil).json()), "the modulus": public.N.Bytes(), "the client's secret": []byte("secret"), "nothing": {},
	} {
		for _, alg := range []string{"HS256", "RS256"} {
			input := b64(object{"alg": alg, "kid": "k-RS256"}.json()) + "." + b64(payload)
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(input))
			raw := input + "." + b64(string(mac.Sum(nil)))
			// HS256 in the list stands for a configuration that nobody can have.
			if err := verify(t, raw, provider(t), append([]string{"HS256"}, allAlgs...)...); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s as %s: got %v, want a refusal", name, alg, err)
			}
		}
	}
}

// J-01: a signature that is right doesn't make none an algorithm, nor does a list that has it.
func TestVerifyRefusesNone(t *testing.T) {
	t.Parallel()
	accepted(t, verify(t, signedText(header("RS256", "JWT").json(), idClaims().json()), provider(t), "RS256"))
	for _, alg := range []string{"none", "None", "nOnE"} {
		refused(t, verify(t, signedText(header(alg, "JWT").json(), idClaims().json()), provider(t), "none", alg, "RS256"), "header.alg")
	}
	refused(t, verify(t, b64(`{"alg":"none"}`)+"."+b64(idClaims().json())+".", provider(t), "none"), "") // idtoken-sig-none
}

// J-04, invalid-alternate-alg, -wrong-alg: what isn't configured isn't taken, whatever the provider has keys for.
func TestVerifyTakesTheConfiguredAlgorithmsOnly(t *testing.T) {
	t.Parallel()
	raw := sign("ES256", p256Key(), header("ES256", "JWT").json(), idClaims().json())
	accepted(t, verify(t, raw, provider(t), "RS256", "ES256"))
	for name, algs := range map[string][]string{
		"another": {"RS256"}, "none at all": nil, "an empty one": {""}, "in another case": {"es256"},
	} {
		keys := provider(t)
		err := verify(t, raw, keys, algs...)
		if !errors.Is(err, token.ErrInvalid) || keys.calls != 0 {
			t.Errorf("%s: got %v and %d calls for keys, want a refusal and none", name, err, keys.calls)
		}
	}
}

// anyKey is a source that ignores what it is asked.
type anyKey []crypto.PublicKey

func (a anyKey) Keys(context.Context, string, string, bool) ([]crypto.PublicKey, error) {
	return a, nil
}

// J-05: also where a source is careless, a key verifies its own kind only.
func TestVerifyRefusesKeysOfAnotherKind(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		raw := sign(alg, signerOf(alg), header(alg, "JWT").json(), idClaims().json())
		if err := verify(t, raw, anyKey{signerOf(alg).Public()}, alg); err != nil {
			t.Fatalf("%s: got %v, want the token accepted", alg, err)
		}
		for _, other := range allAlgs {
			key := signerOf(other).Public()
			if signerOf(alg).Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key) {
				continue
			}
			if err := verify(t, raw, anyKey{key}, allAlgs...); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s by the key of %s: got %v, want a refusal", alg, other, err)
			}
		}
	}
	// ES256 over P-384 and the other way round, with signatures that these keys did make.
	es384 := sign("ES384", p384Key(), header("ES256", "JWT").json(), idClaims().json())
	refused(t, verify(t, es384, anyKey{p384Key().Public()}, allAlgs...), "")
	// RS256 passed off as PS256 and back.
	refused(t, verify(t, sign("RS256", rsaKey(), header("PS256", "JWT").json(), idClaims().json()), provider(t), allAlgs...), "")
	refused(t, verify(t, sign("PS256", rsaKey(), header("RS256", "JWT").json(), idClaims().json()), provider(t), allAlgs...), "")
	for name, key := range map[string]crypto.PublicKey{
		"nothing": nil, "a secret": []byte("secret"), "a private key": rsaKey(), "half a key": edKey()[:5],
	} {
		raw := sign("RS256", rsaKey(), header("RS256", "JWT").json(), idClaims().json())
		if err := verify(t, raw, anyKey{key}, allAlgs...); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}

// J-06: a key that the provider published for encryption signs nothing, though it is the provider's.
func TestVerifyRefusesTheEncryptionKey(t *testing.T) {
	t.Parallel()
	raw := sign("RS256", otherRSA(), `{"alg":"RS256","kid":"enc"}`, idClaims().json())
	jwk := jwkOf(otherRSA().Public(), object{"kid": "enc"})
	accepted(t, verify(t, raw, &source{set: keySet(t, jwk)}, "RS256"))
	refused(t, verify(t, raw, &source{set: keySet(t, jwk.with(object{"use": "enc"}), good())}, "RS256"), "")
	refused(t, verify(t, raw, &source{set: keySet(t, jwk.with(object{"key_ops": []string{"encrypt"}}), good())}, "RS256"), "")
	noKid := sign("RS256", otherRSA(), `{"alg":"RS256"}`, idClaims().json())
	accepted(t, verify(t, noKid, &source{set: keySet(t, jwk)}, "RS256"))
	refused(t, verify(t, noKid, &source{set: keySet(t, jwk.with(object{"use": "enc"}), good())}, "RS256"), "")
}

// J-03: a published secret signs nothing.
func TestVerifyRefusesThePublishedSecret(t *testing.T) {
	t.Parallel()
	secret := []byte("0123456789abcdef0123456789abcdef")
	accepted(t, verify(t, signedText(header("RS256", "JWT").json(), idClaims().json()), provider(t), "RS256"))
	input := b64(`{"alg":"HS256","kid":"k"}`) + "." + b64(idClaims().json())
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	set := keySet(t, object{"kty": "oct", "kid": "k", "alg": "HS256", "k": b64(string(secret))})
	refused(t, verify(t, input+"."+b64(string(mac.Sum(nil))), &source{set: set}, "HS256", "RS256"), "header.alg")
}

// J-13: of an ECDSA signature there are R and S, each of the curve's size and neither 0 nor beyond the order.
func TestVerifyRefusesOddECDSASignatures(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "ES384", "ES512"} {
		key := signerOf(alg).(*ecdsa.PrivateKey)
		n, size := key.Params().N, (key.Params().BitSize+7)/8
		raw := sign(alg, key, header(alg, "JWT").json(), idClaims().json())
		parsed := must(token.Parse(raw))
		accepted(t, parsed.Verify(t.Context(), provider(t), allAlgs))
		signature := must(signRaw(alg, key, []byte(raw[:strings.LastIndexByte(raw, '.')])))
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		zero, all := new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*size)), big.NewInt(1))
		for name, bad := range map[string][]byte{
			"r = 0, s = 0":   joined(key, zero, zero),
			"r = 0":          joined(key, zero, s),
			"s = 0":          joined(key, r, zero),
			"r = n":          joined(key, n, s),
			"s = n":          joined(key, r, n),
			"r = n, s = n":   joined(key, n, n),
			"r beyond n":     joined(key, all, s),
			"s beyond n":     joined(key, r, all),
			"r = 1, s = 1":   joined(key, big.NewInt(1), big.NewInt(1)),
			"DER":            must(asn1.Marshal(struct{ R, S *big.Int }{r, s})),
			"a byte less":    signature[:2*size-1],
			"a byte more":    append(bytes.Clone(signature), 0),
			"a zero between": append(append(bytes.Clone(signature[:size]), 0), signature[size:]...),
			"r alone":        signature[:size],
			"s and r":        joined(key, s, r),
			"zeros":          make([]byte, 2*size),
		} {
			if err := verify(t, withSignature(raw, bad), provider(t), allAlgs...); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s %s: got %v, want a refusal", alg, name, err)
			}
		}
	}
}

// J-14: an RSA signature is as long as its key and nothing else.
func TestVerifyRefusesOddRSASignatures(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"RS256", "PS256"} {
		raw := sign(alg, rsaKey(), header(alg, "JWT").json(), idClaims().json())
		accepted(t, verify(t, raw, provider(t), allAlgs...))
		n := rsaKey().N
		for name, bad := range map[string][]byte{
			"zeros": make([]byte, 256), "a single zero": {0}, "one": append(make([]byte, 255), 1), "the modulus": n.Bytes(),
			"the modulus less one": new(big.Int).Sub(n, big.NewInt(1)).Bytes(), "too short": make([]byte, 255), "too long": make([]byte, 257),
			"the padding alone": append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 254)...),
		} {
			if err := verify(t, withSignature(raw, bad), provider(t), allAlgs...); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s %s: got %v, want a refusal", alg, name, err)
			}
		}
	}
}

// J-07: a key that a token brings along, or names the place of, is not asked.
func TestVerifyIgnoresKeysOfTheToken(t *testing.T) {
	t.Parallel()
	attacker := otherRSA()
	jwk := jwkOf(attacker.Public(), object{"kid": "k-RS256"})
	accepted(t, verify(t, sign("RS256", rsaKey(), header("RS256", "JWT").json(), idClaims().json()), provider(t), "RS256"))
	for name, more := range map[string]object{
		"jwk": {"jwk": jwk}, "jku": {"jku": "https://evil.example/jwks"},
		"x5u": {"x5u": "https://evil.example/c"}, "x5c": {"x5c": []string{"MA=="}},
	} {
		raw := sign("RS256", attacker, header("RS256", "JWT").with(more).json(), idClaims().json())
		refused(t, verify(t, raw, provider(t), "RS256"), "header."+name)
	}
	// J-08: and a kid is compared, never followed.
	for _, kid := range []string{"https://evil.example/k", "../../dev/null", "' UNION SELECT 1 --", "|/bin/id", "k-RS256\x00", "K-RS256"} {
		raw := sign("RS256", rsaKey(), header("RS256", "JWT").with(object{"kid": kid}).json(), idClaims().json())
		refused(t, verify(t, raw, provider(t), "RS256"), "")
	}
}

// rotating gives the second of two sets of keys when it is asked again.
type rotating struct {
	sets  [2]*token.KeySet
	asked []bool
}

func (r *rotating) Keys(_ context.Context, kid, alg string, again bool) ([]crypto.PublicKey, error) {
	r.asked = append(r.asked, again)
	if again {
		return r.sets[1].Candidates(kid, alg), nil
	}
	return r.sets[0].Candidates(kid, alg), nil
}

// J-10, rp-id_token-kid-absent-single-jwks, rp-id_token-kid-absent-multiple-jwks: without a kid the keys that fit are tried, and
// the provider's keys looked at once more. J-09: with one they aren't, so that a forged signature makes no request.
func TestVerifyLooksAgainWithoutAKidOnly(t *testing.T) {
	t.Parallel()
	old, fresh := jwkOf(otherRSA().Public(), object{"kid": "old"}), jwkOf(rsaKey().Public(), object{"kid": "new"})
	single, several := keySet(t, fresh), keySet(t, old, fresh)
	noKid := sign("RS256", rsaKey(), `{"alg":"RS256"}`, idClaims().json())
	emptyKid := sign("RS256", rsaKey(), `{"alg":"RS256","kid":""}`, idClaims().json())
	for name, raw := range map[string]string{"no kid": noKid, "an empty kid": emptyKid} {
		for _, set := range []*token.KeySet{single, several} {
			keys := &rotating{sets: [2]*token.KeySet{set, set}}
			if err := verify(t, raw, keys, "RS256"); err != nil || len(keys.asked) != 1 {
				t.Errorf("%s: got %v after %d calls, want it accepted after one", name, err, len(keys.asked))
			}
		}
	}
	keys := &rotating{sets: [2]*token.KeySet{keySet(t, old), several}}
	if err := verify(t, noKid, keys, "RS256"); err != nil || len(keys.asked) != 2 || keys.asked[0] || !keys.asked[1] {
		t.Errorf("got %v after the calls %v, want it accepted by the second look", err, keys.asked)
	}
	forged := sign("RS256", otherRSA(), `{"alg":"RS256","kid":"new"}`, idClaims().json())
	keys = &rotating{sets: [2]*token.KeySet{several, several}}
	refused(t, verify(t, forged, keys, "RS256"), "")
	if len(keys.asked) != 1 {
		t.Errorf("got the calls %v for a forged token, want one", keys.asked)
	}
}

// A token is tried against 8 keys at most, whatever a source gives.
func TestVerifyBoundsTheTries(t *testing.T) {
	t.Parallel()
	raw := sign("EdDSA", edKey(), header("EdDSA", "JWT").json(), idClaims().json())
	var others anyKey
	for range 7 {
		others = append(others, p256Key().Public())
	}
	accepted(t, verify(t, raw, append(slices.Clone(others), edKey().Public()), "EdDSA"))
	refused(t, verify(t, raw, append(slices.Clone(others), p256Key().Public(), edKey().Public()), "EdDSA"), "")
}

// O-20: where the keys can't be known the token isn't wrong.
func TestVerifyPassesTheSourcesErrorOn(t *testing.T) {
	t.Parallel()
	raw := sign("RS256", rsaKey(), header("RS256", "JWT").json(), idClaims().json())
	keys := provider(t)
	accepted(t, verify(t, raw, keys, "RS256"))
	keys.err = errors.New("the provider is down")
	if err := verify(t, raw, keys, "RS256"); !errors.Is(err, keys.err) || errors.Is(err, token.ErrInvalid) {
		t.Errorf("got %v, want the error of the source and no refusal", err)
	}
	for _, err := range []error{
		must(token.Parse(idToken(nil))).CheckID(t.Context(), keys, idCheck()),
		must(token.Parse(idToken(nil))).CheckRefreshed(t.Context(), keys, idCheck(), must(token.Parse(idToken(nil))).Facts()),
		must(token.Parse(logoutToken("logout+jwt", nil))).CheckLogout(t.Context(), keys, logoutCheck()),
		must(token.Parse(accessToken("at+jwt", nil))).CheckAccess(t.Context(), keys, accessCheck()),
	} {
		if !errors.Is(err, keys.err) || errors.Is(err, token.ErrInvalid) {
			t.Errorf("got %v, want the error of the source and no refusal", err)
		}
	}
	// What is wrong without its signature is refused without a key.
	keys.calls = 0
	parsed := must(token.Parse(sign("RS256", rsaKey(), header("RS256", "JWT").json(), idClaims().with(object{"iss": "x"}).json())))
	refused(t, parsed.CheckID(t.Context(), keys, idCheck()), "iss")
	if keys.calls != 0 {
		t.Errorf("got %d calls for keys, want none", keys.calls)
	}
}
