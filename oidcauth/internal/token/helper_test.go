package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

const (
	issuer   = "https://op.example"
	client   = "client1"
	resource = "https://api.example"
	nonce    = "n-0S6_WzA2Mj"
	access   = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var allAlgs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Keys are made once: RSA ones take their time.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	})
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// signerOf gives the key that the test provider signs with by alg.
func signerOf(alg string) crypto.Signer {
	switch alg {
	case "ES256":
		return p256Key()
	case "ES384":
		return p384Key()
	case "ES512":
		return p521Key()
	case "EdDSA":
		return edKey()
	}
	return rsaKey()
}

// object is a set of claims or header parameters. gone takes a member away.
type object map[string]any

type absent struct{}

var gone absent

// with gives o with changes.
func (o object) with(changes object) object {
	o = maps.Clone(o)
	for name, value := range changes {
		if value == gone {
			delete(o, name)
		} else {
			o[name] = value
		}
	}
	return o
}

func (o object) json() string { return string(must(json.Marshal(o))) }

func b64(data string) string { return base64.RawURLEncoding.EncodeToString([]byte(data)) }

// sign gives the compact token of exactly this header and payload, signed by key as alg says.
func sign(alg string, key crypto.Signer, header, payload string) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(string(must(signRaw(alg, key, []byte(input)))))
}

// idClaims are those of a good ID token.
func idClaims() object {
	return object{"iss": issuer, "sub": "alice", "aud": client, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nonce": nonce}
}

func accessClaims() object {
	return object{"iss": issuer, "sub": "alice", "aud": resource, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"jti": "j1", "client_id": client, "scope": "openid contents:read"}
}

func logoutClaims() object {
	return object{"iss": issuer, "sub": "alice", "aud": client, "exp": now.Add(2 * time.Minute).Unix(), "iat": now.Unix(),
		"jti": "j1", "sid": "s1", "events": object{"http://schemas.openid.net/event/backchannel-logout": object{}}}
}

func header(alg, typ string) object { return object{"alg": alg, "kid": "k-" + alg, "typ": typ} }

// source gives the keys of the test provider: one for each algorithm, by the kid k-<alg>.
type source struct {
	set   *token.KeySet
	err   error
	mu    sync.Mutex
	calls int
}

func (s *source) Keys(_ context.Context, kid, alg string, _ bool) ([]crypto.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.err != nil {
		return nil, s.err
	}
	return s.set.Candidates(kid, alg), nil
}

func provider(t testing.TB) *source {
	t.Helper()
	var keys []any
	for _, alg := range allAlgs {
		keys = append(keys, jwkOf(signerOf(alg).Public(), object{"kid": "k-" + alg, "alg": alg, "use": "sig"}))
	}
	return &source{set: keySet(t, keys...)}
}

func keySet(t testing.TB, keys ...any) *token.KeySet {
	t.Helper()
	set, err := token.ParseKeySet([]byte(object{"keys": keys}.json()))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// jwkOf gives a key as a JWK with more members.
func jwkOf(key any, more object) object {
	var jwk object
	if err := json.Unmarshal(must(jose.JSONWebKey{Key: key}.MarshalJSON()), &jwk); err != nil {
		panic(err)
	}
	return jwk.with(more)
}

func idCheck() token.IDCheck {
	return token.IDCheck{Issuer: issuer, ClientID: client, Algs: allAlgs, Now: now, Nonce: nonce, AccessToken: access}
}

func accessCheck() token.AccessCheck {
	return token.AccessCheck{Issuer: issuer, Audience: resource, Algs: allAlgs, Now: now, ClientID: client}
}

func logoutCheck() token.LogoutCheck {
	return token.LogoutCheck{Issuer: issuer, ClientID: client, Algs: allAlgs, Now: now}
}

func checkID(t testing.TB, raw string) error { return idVerdict(t, raw, idCheck()) }

func idVerdict(t testing.TB, raw string, check token.IDCheck) error {
	t.Helper()
	parsed, err := token.Parse(raw)
	if err != nil {
		return err
	}
	return parsed.CheckID(t.Context(), provider(t), check)
}

func checkAccess(t testing.TB, raw string) error { return accessVerdict(t, raw, accessCheck()) }

func accessVerdict(t testing.TB, raw string, check token.AccessCheck) error {
	t.Helper()
	parsed, err := token.Parse(raw)
	if err != nil {
		return err
	}
	return parsed.CheckAccess(t.Context(), provider(t), check)
}

func checkLogout(t testing.TB, raw string) error { return logoutVerdict(t, raw, logoutCheck()) }

func logoutVerdict(t testing.TB, raw string, check token.LogoutCheck) error {
	t.Helper()
	parsed, err := token.Parse(raw)
	if err != nil {
		return err
	}
	return parsed.CheckLogout(t.Context(), provider(t), check)
}

// accepted fails the test unless err is nil.
func accepted(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got %v, want the good one accepted", err)
	}
}

// refused fails the test unless err is a refusal because of field ("" for the token as a whole).
func refused(t testing.TB, err error, field string) {
	t.Helper()
	var bad *token.Error
	if !errors.As(err, &bad) || !errors.Is(err, token.ErrInvalid) {
		t.Errorf("got %v, want a refusal", err)
	} else if bad.Field != field {
		t.Errorf("got %v, want a refusal because of %q", err, field)
	}
}
