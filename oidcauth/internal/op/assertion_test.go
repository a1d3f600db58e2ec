package op_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

// private_key_jwt (OpenID Connect Core section 9), as another implementation reads it. The key is one that only signs, as
// those in a key service are.
func TestClientAssertions(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	ec := func(curve elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	for name, c := range map[string]struct {
		key       crypto.Signer
		alg, want string
		kid       string
		audience  string
	}{
		"RSA":                       {key: rsaKey, want: "RS256", kid: "sig-1"},
		"RSA without a kid":         {key: rsaKey, want: "RS256"},
		"RS512":                     {key: rsaKey, alg: "RS512", want: "RS512"},
		"PS256":                     {key: rsaKey, alg: "PS256", want: "PS256"},
		"PS384":                     {key: rsaKey, alg: "PS384", want: "PS384"},
		"P-256":                     {key: ec(elliptic.P256()), want: "ES256"},
		"P-384":                     {key: ec(elliptic.P384()), want: "ES384"},
		"P-521":                     {key: ec(elliptic.P521()), want: "ES512"},
		"Ed25519":                   {key: edKey, want: "EdDSA"},
		"for the endpoint, by name": {key: edKey, want: "EdDSA", audience: "https://op.example/token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, now := setup(t, func(cfg *op.Config) {
				cfg.Auth, cfg.ClientSecret = op.PrivateKeyJWT, ""
				cfg.Key, cfg.KeyAlg, cfg.KeyID, cfg.Audience = remoteKey{c.key}, c.alg, c.kid, c.audience
			})
			var jtis []string
			for range 2 { // the second is a refresh: it has an assertion of its own
				_, err := client.Refresh(t.Context(), "refresh-1")
				check(t, err, "")
				sent := p.last(t, tokens)
				if sent.form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" ||
					sent.form.Get("client_id") != "client" || sent.header.Get("Authorization") != "" || sent.form.Has("client_secret") {
					t.Errorf("got form %v and header %q, want an assertion only", sent.form, sent.header.Get("Authorization"))
				}
				jws, err := jose.ParseSignedCompact(sent.form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(c.want)})
				if err != nil {
					t.Fatal(err)
				}
				payload, err := jws.Verify(c.key.Public())
				if err != nil {
					t.Fatal(err)
				}
				header := jws.Signatures[0].Protected
				if header.KeyID != c.kid || header.ExtraHeaders["typ"] != "JWT" {
					t.Errorf("got header %+v, want kid %q and typ JWT", header, c.kid)
				}
				var got map[string]any
				if err := json.Unmarshal(payload, &got); err != nil {
					t.Fatal(err)
				}
				jti, _ := got["jti"].(string)
				jtis = append(jtis, jti)
				audience := p.issuer
				if c.audience != "" {
					audience = c.audience
				}
				want := map[string]any{
					"iss": "client", "sub": "client", "aud": audience, "jti": jti,
					"iat": float64(now.Now().Unix()), "exp": float64(now.Now().Add(time.Minute).Unix()),
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got claims %v, want %v", got, want)
				}
				if pub, ok := c.key.Public().(*rsa.PublicKey); ok && c.alg == "PS256" {
					pssOfHashLength(t, pub, sent.form.Get("client_assertion"))
				}
			}
			if len(jtis[0]) < 20 || jtis[0] == jtis[1] {
				t.Errorf("got jti %q twice or short, want a new one each time", jtis)
			}
		})
	}
}

// remoteKey hides everything of a key but that it signs.
type remoteKey struct{ key crypto.Signer }

func (k remoteKey) Public() crypto.PublicKey { return k.key.Public() }

func (k remoteKey) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.key.Sign(r, digest, opts)
}

// pssOfHashLength holds the salt of a PS256 signature against RFC 7518 section 3.5: exactly as long as the hash.
func pssOfHashLength(t *testing.T, key *rsa.PublicKey, jws string) {
	t.Helper()
	text, signature := splitJWS(t, jws)
	h := crypto.SHA256.New()
	h.Write(text)
	opts := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	if err := rsa.VerifyPSS(key, crypto.SHA256, h.Sum(nil), signature, opts); err != nil {
		t.Error("the salt isn't as long as the hash")
	}
}

// A key that fails, or signs with something else, ends the call before anything is sent.
func TestAKeyThatFailsSendsNothing(t *testing.T) {
	t.Parallel()
	good, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		signature []byte
		err       error
		good      bool
	}{
		"good":                       {good: true},
		"an error":                   {err: errors.New("key service down")},
		"nothing":                    {},
		"no ASN.1":                   {signature: []byte("signature")},
		"a zero":                     {signature: []byte{0x30, 6, 2, 1, 0, 2, 1, 1}},
		"a negative number":          {signature: []byte{0x30, 6, 2, 1, 1, 2, 1, 0xff}},
		"something behind":           {signature: []byte{0x30, 6, 2, 1, 1, 2, 1, 1, 0}},
		"a number of another length": {signature: append([]byte{0x30, 40, 2, 1, 1, 2, 35, 1}, make([]byte, 34)...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := brokenKey{remoteKey{good}, c.signature, c.err}
			p, client, _ := setup(t, func(cfg *op.Config) {
				cfg.Auth, cfg.ClientSecret, cfg.Key = op.PrivateKeyJWT, "", key
				if c.good {
					cfg.Key = good
				}
			})
			_, err := exchange(t, client)
			if (err == nil) != c.good || (p.count(tokens) == 1) != c.good {
				t.Errorf("got %v and %d calls, want it sent: %t", err, p.count(tokens), c.good)
			}
		})
	}
}

type brokenKey struct {
	remoteKey
	signature []byte
	err       error
}

func (k brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return k.signature, k.err
}
