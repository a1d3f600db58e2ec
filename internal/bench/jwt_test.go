package bench_test

import (
	"context"
	"crypto"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	gojwt "github.com/golang-jwt/jwt/v5"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

const jwtAudience = "https://api.example"

// jwtTokens is how many tokens each goroutine presents in turn: more than a cache of two holds.
const jwtTokens = 8

// A tokenIssuer is a provider, with oidcauth in front of its tokens: as it is configured by default, and with a cache that
// forgets each token before it comes again.
type tokenIssuer struct {
	*oidctest.Provider
	alg             string
	known, forgets  *oidcauth.Auth
	key             crypto.PublicKey
	verifier        *oidc.IDTokenVerifier
	person, service func() string
}

func newTokenIssuer(tb testing.TB, alg string) *tokenIssuer {
	tb.Helper()
	op, err := oidctest.New(oidctest.Config{
		Alg: alg, AccessTTL: time.Hour, Clients: []oidctest.Client{{ID: "app", Secret: "secret", RedirectURIs: []string{"http://" + host}, Audience: jwtAudience}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(op.Close)
	i := &tokenIssuer{Provider: op, alg: alg, key: op.Key(alg).Public()}
	i.known, i.forgets = i.door(tb, 0), i.door(tb, 2)
	// As its provider makes it, with the keys of the network in memory.
	ctx, cancel := context.WithCancel(context.Background())
	tb.Cleanup(cancel)
	i.verifier = oidc.NewVerifier(op.Issuer(), oidc.NewRemoteKeySet(ctx, op.Endpoint("jwks")), &oidc.Config{ClientID: jwtAudience, SupportedSigningAlgs: []string{alg}})
	claims := map[string]any{"permissions": []string{"contents:read", "contents:write"}}
	i.person = func() string { return op.AccessToken(oidctest.Grant{Sub: "alice", Claims: claims}) }
	i.service = func() string { return op.AccessToken(oidctest.Grant{Sub: "app", Claims: claims}) }
	return i
}

func (i *tokenIssuer) door(tb testing.TB, cache int) *oidcauth.Auth {
	tb.Helper()
	a, err := oidcauth.New(tb.Context(), oidcauth.Config{
		Auth: auth.Config{PublicURL: "http://" + host, Logger: quiet}, DB: newDB(tb), CacheTokens: cache,
		Providers: []oidcauth.Provider{{
			Name: "corp", Issuer: i.Issuer(), ClientID: "app", ClientSecret: "secret",
			API:     &oidcauth.API{Audience: jwtAudience, Algorithms: []string{i.alg}},
			Mapping: oidcauth.Mapping{Permissions: []string{"permissions"}},
		}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = a.Close() })
	return a
}

// identify presents tokens in turn.
func (i *tokenIssuer) identify(tb testing.TB, a *oidcauth.Auth, n int, mint func() string) func() func() {
	return func() func() {
		var requests []*http.Request
		for range n {
			requests = append(requests, get(tb, path, "Authorization", "Bearer "+mint()))
		}
		turn := 0
		return func() {
			turn++
			if _, err := a.Identify(requests[turn%n]); err != nil {
				panic(err)
			}
		}
	}
}

// by verifies the tokens of requests in another way. Each reads the claims that a permission needs.
func (i *tokenIssuer) by(tb testing.TB, verify func(token string) (permissions []string, err error)) func() func() {
	return func() func() {
		r := get(tb, path, "Authorization", "Bearer "+i.person())
		return func() {
			token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			permissions, err := verify(token)
			if err != nil || len(permissions) != 2 {
				panic(fmt.Sprint(permissions, err))
			}
		}
	}
}

func (i *tokenIssuer) goOIDC(token string) ([]string, error) {
	id, err := i.verifier.Verify(context.Background(), token)
	if err != nil {
		return nil, err
	}
	var claims struct {
		Permissions []string `json:"permissions"`
	}
	err = id.Claims(&claims)
	return claims.Permissions, err
}

func (i *tokenIssuer) goJOSE(token string) ([]string, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(i.alg)})
	if err != nil {
		return nil, err
	}
	var claims jwt.Claims
	var more struct {
		Permissions []string `json:"permissions"`
	}
	if err := parsed.Claims(i.key, &claims, &more); err != nil {
		return nil, err
	}
	return more.Permissions, claims.Validate(jwt.Expected{Issuer: i.Issuer(), AnyAudience: jwt.Audience{jwtAudience}, Time: time.Now()})
}

func (i *tokenIssuer) golangJWT(token string) ([]string, error) {
	var claims struct {
		gojwt.RegisteredClaims
		Permissions []string `json:"permissions"`
	}
	_, err := gojwt.ParseWithClaims(token, &claims, func(*gojwt.Token) (any, error) { return i.key, nil },
		gojwt.WithValidMethods([]string{i.alg}), gojwt.WithIssuer(i.Issuer()), gojwt.WithAudience(jwtAudience), gojwt.WithExpirationRequired())
	return claims.Permissions, err
}

// jwtRows is who an access token proves: the first time, and again. Ours says who it is as well, asks the database whether
// somebody is disabled here, and is stricter. Of an ES256 token the curve alone takes longer than what the first budget leaves,
// whoever verifies it: there it is to read only, as 0.
func jwtRows(alg string, first float64) func(testing.TB) []row {
	return func(tb testing.TB) []row {
		i := newTokenIssuer(tb, alg)
		const library, again = "go-oidc", "again"
		return []row{
			{name: again, make: i.identify(tb, i.known, 1, i.person), counted: true},
			{name: library, make: i.by(tb, i.goOIDC), against: again, beyond: 38},
			{name: "first", make: i.identify(tb, i.forgets, jwtTokens, i.person), against: library, within: first},
			{name: "first, of a client's own", make: i.identify(tb, i.forgets, jwtTokens, i.service), against: library, within: first},
			{name: "go-jose", make: i.by(tb, i.goJOSE), against: library},
			{name: "golang-jwt", make: i.by(tb, i.golangJWT), against: library},
		}
	}
}
