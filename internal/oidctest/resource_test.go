package oidctest_test

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
)

// O-17: the token is taken from the header and from nowhere else.
func TestUserinfoTakesTheHeaderOnly(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Now()}
	p := setup(t, func(cfg *oidctest.Config) { cfg.Now = c.Now })
	token := login(t, p).text("access_token")
	to := p.Endpoint("userinfo")
	if a := get(t, p, to, "Authorization", "Bearer "+token); a.status != http.StatusOK || a.text("name") != "Alice Liddell" {
		t.Fatalf("got %d %s, want alice", a.status, a.body)
	}
	for name, tc := range map[string]struct {
		got  answer
		want int
	}{
		"in the query": {get(t, p, to+"?access_token="+token), http.StatusBadRequest},
		"in the query, beside the header": {get(t, p, to+"?access_token="+token, "Authorization", "Bearer "+token),
			http.StatusBadRequest},
		"in the body": {post(t, p, "userinfo", url.Values{"access_token": {token}}, "Authorization",
			""), http.StatusBadRequest},
		"no token":       {get(t, p, to), http.StatusBadRequest},
		"an unknown one": {get(t, p, to, "Authorization", "Bearer unknown"), http.StatusUnauthorized},
		"another scheme": {get(t, p, to, "Authorization", "Basic "+token), http.StatusUnauthorized},
		"one that was minted without a scope": {get(t, p, to, "Authorization",
			"Bearer "+p.AccessToken(oidctest.Grant{Scope: "contents:read"})), http.StatusForbidden},
	} {
		if tc.got.status != tc.want || tc.got.json["sub"] != nil || tc.got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: got %d %s, want %d and a challenge", name, tc.got.status, tc.got.body, tc.want)
		}
	}
	c.now = c.now.Add(5 * time.Minute)
	if a := get(t, p, to, "Authorization", "Bearer "+token); a.status != http.StatusUnauthorized {
		t.Errorf("expired: got %d, want 401", a.status)
	}
}

func TestUserinfoGivesOutWhatTheScopeNames(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.SetUser(oidctest.User{Sub: "alice",
		Claims: map[string]any{"name": "Alice", "email": "a@example.test", "groups": []string{"staff"}}})
	for scope, want := range map[string][]string{
		"openid": {"groups"}, "openid email": {"groups", "email"}, "openid profile": {"groups",
			"name"}, "openid email profile": {"groups", "email", "name"},
	} {
		a := get(t, p, p.Endpoint("userinfo"), "Authorization", "Bearer "+login(t, p, "scope", scope).text("access_token"))
		if len(a.json) != len(want)+1 || a.text("sub") != "alice" {
			t.Errorf("%s: got %s, want sub and %v", scope, a.body, want)
		}
		for _, name := range want {
			if a.json[name] == nil {
				t.Errorf("%s: %s is missing", scope, name)
			}
		}
	}
}

// FP06, J-47: introspection, by clients that authenticate.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Now()}
	p := setup(t, func(cfg *oidctest.Config) {
		cfg.Now = c.Now
		cfg.Clients = append(cfg.Clients, oidctest.Client{ID: "public"})
	})
	ask := func(token string, headers ...string) answer {
		return post(t, p, "introspect", url.Values{"token": {token}}, headers...)
	}
	token := p.AccessToken(oidctest.Grant{Scope: "openid contents:read",
		Claims: map[string]any{"permissions": []string{"contents:read"}}})
	a := ask(token)
	for name, want := range map[string]any{
		"active": true, "sub": "alice", "username": "alice", "scope": "openid contents:read", "client_id": "app", "iss": p.Issuer(),
		"token_type": "Bearer",
	} {
		if a.json[name] != want {
			t.Errorf("%s: got %v, want %v", name, a.json[name], want)
		}
	}
	if a.json["permissions"] == nil || a.json["exp"] == nil {
		t.Errorf("got %s, want permissions and exp", a.body)
	}
	if a := ask(token, "Authorization", basic("app", "wrong")); a.status != http.StatusUnauthorized || a.json["active"] != nil {
		t.Errorf("a wrong secret: got %d %s, want 401", a.status, a.body)
	}
	if a := post(t, p, "introspect", url.Values{"token": {token}, "client_id": {"public"}}, "Authorization",
		""); a.status != http.StatusUnauthorized {
		t.Errorf("a public client: got %d %s, want 401", a.status, a.body)
	}
	jwt := p.AccessToken(oidctest.Grant{Audience: "https://api.example"})
	if a := ask(jwt); a.json["active"] != true || a.json["aud"] != "https://api.example" {
		t.Errorf("a JWT: got %s, want it active, with its audience", a.body)
	}
	p.Revoke(jwt)
	if a := post(t, p, "revoke", url.Values{"token": {token}}); a.status != http.StatusOK {
		t.Errorf("revoking: got %d, want 200", a.status)
	}
	other := p.AccessToken(oidctest.Grant{})
	c.now = c.now.Add(5 * time.Minute)
	for name, token := range map[string]string{"unknown": "unknown", "revoked": token, "revoked without a call": jwt,
		"expired": other} {
		if a := ask(token); a.status != http.StatusOK || len(a.json) != 1 || a.json["active"] != false {
			t.Errorf("%s: got %d %s, want only that it isn't active", name, a.status, a.body)
		}
	}
}

func TestRevokingARefreshTokenEndsTheGrant(t *testing.T) {
	t.Parallel()
	p := setup(t, func(c *oidctest.Config) { c.Clients = append(c.Clients, oidctest.Client{ID: "other", Secret: "s"}) })
	tokens := login(t, p, "scope", "openid offline_access")
	bearer := "Bearer " + tokens.text("access_token")
	post(t, p, "revoke", url.Values{"token": {tokens.text("refresh_token")}}, "Authorization", basic("other", "s"))
	if a := get(t, p, p.Endpoint("userinfo"), "Authorization", bearer); a.status != http.StatusOK {
		t.Errorf("by another client: got %d, want 200 still", a.status)
	}
	post(t, p, "revoke", url.Values{"token": {tokens.text("refresh_token")}})
	if a := get(t, p, p.Endpoint("userinfo"), "Authorization", bearer); a.status != http.StatusUnauthorized {
		t.Errorf("by its own: got %d, want 401", a.status)
	}
}

// J-46: a bound token is good with a proof by its key, for the very request, once.
func TestBoundTokensWantAProof(t *testing.T) {
	t.Parallel()
	p := setup(t)
	to := p.Endpoint("userinfo")
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		key, stranger := p.NewKey(alg), p.NewKey(alg)
		token := p.AccessToken(oidctest.Grant{JKT: key.Thumbprint()})
		proof := func(mods ...func(*oidctest.JWT)) string { return p.Proof(key, http.MethodGet, to, token, mods...) }
		change := func(name string, value any) string {
			return proof(func(j *oidctest.JWT) { j.Claims[name] = value })
		}
		once := proof()
		if a := get(t, p, to, "Authorization", "DPoP "+token, "DPoP", once); a.status != http.StatusOK {
			t.Fatalf("%s: got %d %s, want 200", alg, a.status, a.body)
		}
		for name, headers := range map[string][]string{
			"no proof":              {"Authorization", "DPoP " + token},
			"as a bearer token":     {"Authorization", "Bearer " + token},
			"as one, with a proof":  {"Authorization", "Bearer " + token, "DPoP", proof()},
			"the proof again":       {"Authorization", "DPoP " + token, "DPoP", once},
			"another key's":         {"Authorization", "DPoP " + token, "DPoP", p.Proof(stranger, http.MethodGet, to, token)},
			"for another method":    {"Authorization", "DPoP " + token, "DPoP", change("htm", "POST")},
			"for another address":   {"Authorization", "DPoP " + token, "DPoP", change("htu", p.Endpoint("token"))},
			"for another token":     {"Authorization", "DPoP " + token, "DPoP", change("ath", "another")},
			"of another time":       {"Authorization", "DPoP " + token, "DPoP", change("iat", 1)},
			"without an identifier": {"Authorization", "DPoP " + token, "DPoP", change("jti", "")},
			"of another typ": {"Authorization", "DPoP " + token, "DPoP",
				proof(func(j *oidctest.JWT) { j.Header["typ"] = "JWT" })},
			"without its key": {"Authorization", "DPoP " + token, "DPoP",
				proof(func(j *oidctest.JWT) { delete(j.Header, "jwk") })},
			"with a stranger's key": {"Authorization", "DPoP " + token, "DPoP",
				proof(func(j *oidctest.JWT) { j.Header["jwk"] = stranger.JWK() })},
			"with a broken end":      {"Authorization", "DPoP " + token, "DPoP", proof() + "A"},
			"a token that isn't one": {"Authorization", "DPoP " + token, "DPoP", "proof"},
		} {
			if a := get(t, p, to, headers...); a.status != http.StatusUnauthorized {
				t.Errorf("%s, %s: got %d %s, want 401", alg, name, a.status, a.body)
			}
		}
		if cnf, _ := post(t, p, "introspect",
			url.Values{"token": {token}}).json["cnf"].(map[string]any); cnf["jkt"] != key.Thumbprint() {
			t.Errorf("%s: introspection: got cnf %v, want the thumbprint", alg, cnf)
		}
	}
}

func TestTokenRequestsWithAProofGetBoundTokens(t *testing.T) {
	t.Parallel()
	p := setup(t, func(c *oidctest.Config) { c.Clients[0].RequireDPoP = true })
	key := p.NewKey("ES256")
	form := func() url.Values {
		return url.Values{
			"grant_type": {"authorization_code"}, "code": {authorize(t,
				p).Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
		}
	}
	if a := post(t, p, "token", form()); a.text("error") != "invalid_dpop_proof" {
		t.Errorf("without a proof: got %d %s, want invalid_dpop_proof", a.status, a.body)
	}
	a := post(t, p, "token", form(), "DPoP", p.Proof(key, http.MethodPost, p.Endpoint("token"), ""))
	if a.status != http.StatusOK || a.text("token_type") != "DPoP" {
		t.Fatalf("got %d %s, want a DPoP token", a.status, a.body)
	}
	token, to := a.text("access_token"), p.Endpoint("userinfo")
	if a := get(t, p, to, "Authorization", "DPoP "+token, "DPoP",
		p.Proof(key, http.MethodGet, to, token)); a.status != http.StatusOK {
		t.Errorf("got %d %s, want 200", a.status, a.body)
	}
	if a := get(t, p, to, "Authorization", "Bearer "+token); a.status != http.StatusUnauthorized {
		t.Errorf("as a bearer token: got %d, want 401", a.status)
	}
}

// J-46: a token that is bound to a certificate is no plain bearer token.
func TestCertificateBoundTokens(t *testing.T) {
	t.Parallel()
	p := setup(t, func(c *oidctest.Config) { c.TLS = true })
	if a := get(t, p, p.Endpoint("userinfo"), "Authorization",
		"Bearer "+p.AccessToken(oidctest.Grant{})); a.status != http.StatusOK {
		t.Fatalf("one that isn't bound: got %d, want 200", a.status)
	}
	thumbprint := oidctest.CertThumbprint(&x509.Certificate{Raw: []byte("a certificate")})
	token := p.AccessToken(oidctest.Grant{X5T: thumbprint, Audience: "https://api.example"})
	_, claims := verified(t, p, token)
	if cnf, _ := claims["cnf"].(map[string]any); cnf["x5t#S256"] != thumbprint {
		t.Errorf("got cnf %v, want the thumbprint", claims["cnf"])
	}
	if a := get(t, p, p.Endpoint("userinfo"), "Authorization", "Bearer "+token); a.status != http.StatusUnauthorized {
		t.Errorf("without the certificate: got %d, want 401", a.status)
	}
}
