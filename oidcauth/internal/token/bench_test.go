package token_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// One access token: read, checked and verified here, and by go-oidc alone, which checks less and has its keys at hand too.
func BenchmarkCheckAccess(b *testing.B) {
	keys, check := provider(b), accessCheck()
	claims := accessClaims().with(object{"auth_time": at(-60), "sid": "2f6d1c3e-8f5b-4f64-9d0c-7f4f6c1f1f0a", "acr": "1", "azp": client,
		"allowed-origins": []string{"https://app.example"}, "realm_access": object{"roles": []string{"offline_access", "editor"}},
		"email_verified": true, "name": "Alice Example", "preferred_username": "alice", "email": "alice@corp.example"}) // as Keycloak's
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		raw := sign(alg, signerOf(alg), header(alg, "at+jwt").json(), claims.json())
		b.Run(alg+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				t, err := token.Parse(raw)
				if err != nil {
					b.Fatal(err)
				}
				if err := t.CheckAccess(b.Context(), keys, check); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg+"/parse", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := token.Parse(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg+"/go-oidc", func(b *testing.B) {
			b.ReportAllocs()
			jwks := object{"keys": []any{jwkOf(signerOf(alg).Public(), object{"kid": "k-" + alg})}}.json()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, jwks) }))
			defer server.Close()
			verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(b.Context(), server.URL),
				&oidc.Config{ClientID: resource, SupportedSigningAlgs: []string{alg}, Now: func() time.Time { return now }})
			for b.Loop() {
				if _, err := verifier.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
