package oidctest

import (
	"net/http"
	"net/url"
)

// What the suite's tests are called, and what FAPI's are.
const (
	suite = "oidcc-client-test"
	fapi  = "fapi2-security-profile-final-client-test-"
)

// basicPlan is the suite's plan for basic relying parties.
func basicPlan() []Behaviour {
	return []Behaviour{
		{Name: suite, Does: "a normal login", Stage: Login, Want: Accept},
		idToken(suite+"-invalid-iss", "another issuer", Refuse, set("iss", "https://stranger.example")),
		idToken(suite+"-missing-sub", "no subject", Refuse, without("sub")),
		idToken(suite+"-invalid-aud", "for another client", Refuse, set("aud", "stranger")),
		idToken(suite+"-missing-aud", "for nobody", Refuse, without("aud")),
		idToken(suite+"-missing-iat", "without the time of issue", Refuse, without("iat")),
		idToken(suite+"-kid-absent-single-jwks", "no kid, and one key in the JWKS", Accept, noKeyID),
		{Name: suite + "-kid-absent-multiple-jwks", Does: "no kid, and several keys in the JWKS", Stage: Login, Want: Either,
			Hooks: func(p *Provider) Hooks {
				others := []map[string]any{p.NewKey("RS256").JWK(), p.NewKey("RS256").JWK()}
				return Hooks{OnIDToken: noKeyID,
					OnJWKS: func(keys []map[string]any) []map[string]any { return append(others, keys...) }}
			}},
		{Name: suite + "-idtoken-sig-rs256", Does: "signs with RS256", Stage: Login, Want: Accept,
			Register: func(c *Client) { c.IDTokenAlg = "RS256" }},
		idToken(suite+"-idtoken-sig-none", "doesn't sign", Refuse, func(t *JWT) { t.SignWith(Key{Alg: "none"}) }),
		idToken(suite+"-invalid-sig-rs256", "a broken signature", Refuse, func(t *JWT) { t.Edit = flipSignature }),
		{Name: suite + "-invalid-sig-es256", Does: "a broken signature by ES256", Stage: Login, Want: Refuse,
			NotCalled: []string{"userinfo"}, Register: func(c *Client) { c.IDTokenAlg = "ES256" },
			Hooks: func(*Provider) Hooks { return Hooks{OnIDToken: func(t *JWT) { t.Edit = flipSignature }} }},
		{Name: suite + "-userinfo-invalid-sub", Does: "userinfo is about somebody else", Stage: Login, Want: Refuse,
			Hooks: func(*Provider) Hooks { return Hooks{OnUserInfo: func(claims map[string]any) { claims["sub"] = "bob" }} }},
		idToken(suite+"-nonce-invalid", "another nonce", Refuse, set("nonce", "another")),
		{Name: suite + "-scope-userinfo-claims", Does: "gives out the claims that the scope names", Stage: Login, Want: Accept,
			Asks: url.Values{"scope": {"openid profile email"}}},
		{Name: suite + "-client-secret-basic", Does: "takes client_secret_basic only", Stage: Login, Want: Accept,
			Register: func(c *Client) { c.Auth = "client_secret_basic" }},
		{Name: "rp-userinfo-bearer-header", Does: "refuses access tokens that aren't in the header", Stage: Login, Want: Accept},
	}
}

func noKeyID(t *JWT) { delete(t.Header, "kid") }

// configPlan is the suite's plan for what is discovered.
func configPlan() []Behaviour {
	return []Behaviour{
		{Name: suite + "-discovery-openid-config", Does: "serves its metadata", Stage: Login, Want: Accept},
		{Name: suite + "-discovery-jwks-uri-keys", Does: "another jwks_uri each time", Stage: Login, Want: Accept,
			Hooks: func(p *Provider) Hooks {
				uri := p.Endpoint("jwks") + "/" + secret()
				return Hooks{OnDiscovery: func(metadata map[string]any) { metadata["jwks_uri"] = uri }}
			}},
		discovered(suite+"-discovery-issuer-mismatch", "the metadata names another issuer", "issuer", "https://stranger.example"),
		{Name: suite + "-signing-key-rotation-just-before-signing", Stage: Login, Want: Accept,
			Does: "changes its key between the answer of the JWKS and the ID token", Hooks: func(p *Provider) Hooks {
				return Hooks{OnIDToken: func(t *JWT) {
					p.RotateKeys()
					t.SignWith(p.Key(t.Key.Alg))
				}}
			}},
		{Name: suite + "-signing-key-rotation", Does: "changes its key before each login", Stage: Login, Want: Accept,
			Hooks: func(p *Provider) Hooks { return Hooks{OnCallback: func(url.Values) { p.RotateKeys() }} }},
	}
}

// discovered is a behaviour of the metadata with which no login may begin. A nil value takes the member away.
func discovered(name, does, member string, value any) Behaviour {
	return Behaviour{Name: name, Does: does, Stage: Login, Want: Refuse,
		NotCalled: []string{"authorize", "par", "token", "userinfo"},
		Hooks: func(*Provider) Hooks {
			return Hooks{OnDiscovery: func(metadata map[string]any) {
				metadata[member] = value
				if value == nil {
					delete(metadata, member)
				}
			}}
		}}
}

// refreshPlan is the suite's plan for refresh tokens, and what else may go wrong with them.
func refreshPlan() []Behaviour {
	changed := func(name, does string, change func(*JWT)) Behaviour {
		return Behaviour{Name: name, Does: does, Stage: Refresh, Want: Refuse, NotCalled: []string{"userinfo"},
			Hooks: func(*Provider) Hooks {
				return Hooks{OnIDToken: func(t *JWT) {
					if t.Refreshed {
						change(t)
					}
				}}
			}}
	}
	answered := func(name, does string, change func(answer map[string]any)) Behaviour {
		return Behaviour{Name: name, Does: does, Stage: Refresh, Want: Accept, Hooks: func(*Provider) Hooks {
			return Hooks{OnTokenResponse: func(r *http.Request, answer map[string]any) {
				if refreshing(r) {
					change(answer)
				}
			}}
		}}
	}
	return []Behaviour{
		{Name: suite + "-refresh-token", Does: "a normal refresh, with a new refresh token", Stage: Refresh, Want: Accept},
		changed(suite+"-refresh-token-invalid-issuer", "the new ID token is another issuer's",
			set("iss", "https://stranger.example")),
		changed(suite+"-refresh-token-invalid-sub", "the new ID token is another user's", set("sub", "bob")),
		changed("O-25 refreshed for another client", "the new ID token has another aud", set("aud", "stranger")),
		changed("O-25 refreshed by another client", "the new ID token has another azp", set("azp", "stranger")),
		changed("O-25 refreshed with an older login", "the new ID token has an older auth_time", later("auth_time", -3600)),
		changed("O-25 refreshed with another nonce", "the new ID token has another nonce", set("nonce", "another")),
		{Name: "O-25 refreshed without a new refresh token", Does: "the old one stays good", Stage: Refresh, Want: Accept,
			Register: func(c *Client) { c.KeepRefresh = true }},
		answered("O-25 refreshed without an ID token", "as OpenID Connect Core §12.2 allows",
			func(answer map[string]any) { delete(answer, "id_token") }),
		{Name: "O-25 refresh refused", Does: "invalid_grant", Stage: Refresh, Want: Refuse, NotCalled: []string{"userinfo"},
			Hooks: func(*Provider) Hooks {
				return Hooks{Faults: map[string]Fault{"token": ifRefresh(OAuthError("invalid_grant"))}}
			}},
		{Name: "O-25 refresh token shown twice", Stage: Refresh, Want: Refuse, NotCalled: []string{"userinfo"},
			Does:  "the connection breaks after the refresh token was used: to try again is to show it twice, and ends the grant",
			Hooks: func(*Provider) Hooks { return Hooks{Faults: map[string]Fault{"token": ifRefresh(Times(1, Lost()))}} }},
		{Name: "O-25 refresh that can't be answered now", Stage: Refresh, Want: Either,
			Does: "503, which says nothing about the grant",
			Hooks: func(*Provider) Hooks {
				return Hooks{Faults: map[string]Fault{"token": ifRefresh(Status(http.StatusServiceUnavailable))}}
			}},
	}
}

func refreshing(r *http.Request) bool { return r.PostFormValue("grant_type") == "refresh_token" }

// ifRefresh leaves other token requests whole.
func ifRefresh(f Fault) Fault {
	return func(next http.Handler) http.Handler {
		faulty := f(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if refreshing(r) {
				faulty.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// fapiPlan is what the suite's plan for FAPI 2.0 clients has that holds for all.
func fapiPlan() []Behaviour {
	const hour = 3600
	return []Behaviour{
		{Name: fapi + "happy-path", Does: "takes pushed requests only", Stage: Login, Want: Accept,
			Register: func(c *Client) { c.RequirePAR = true }},
		{Name: fapi + "discovery-issuer-mismatch", Does: "the metadata's issuer has a slash more at its end", Stage: Login, Want: Refuse,
			NotCalled: []string{"authorize", "par", "token", "userinfo"},
			Hooks: func(p *Provider) Hooks {
				return Hooks{OnDiscovery: func(metadata map[string]any) { metadata["issuer"] = p.issuer + "/" }}
			}},
		returned(fapi+"invalid-authorization-response-iss", "another iss in the callback",
			func(q url.Values) { q.Set("iss", "https://stranger.example") }),
		returned(fapi+"remove-authorization-response-iss", "no iss in the callback", func(q url.Values) { q.Del("iss") }),
		returned(fapi+"ensure-authorization-response-with-invalid-state-fails", "another state",
			func(q url.Values) { q.Set("state", "another") }),
		returned(fapi+"ensure-authorization-response-with-invalid-missing-state-fails", "no state",
			func(q url.Values) { q.Del("state") }),
		idToken(fapi+"invalid-aud", "for another client", Refuse, set("aud", "stranger")),
		idToken(fapi+"invalid-missing-aud", "for nobody", Refuse, without("aud")),
		idToken(fapi+"invalid-secondary-aud", "for a stranger too", Refuse,
			func(t *JWT) { t.Claims["aud"] = []any{t.Claims["aud"], "stranger"} }),
		idToken(fapi+"valid-aud-as-array", "the audience as a list of one", Accept,
			func(t *JWT) { t.Claims["aud"] = []any{t.Claims["aud"]} }),
		idToken(fapi+"invalid-iss", "another issuer", Refuse, set("iss", "https://stranger.example")),
		idToken(fapi+"invalid-missing-iss", "no issuer", Refuse, without("iss")),
		idToken(fapi+"invalid-expired-exp", "expired five minutes ago", Refuse, func(t *JWT) {
			later("iat", -hour)(t)
			t.Claims["exp"] = seconds(t.Claims["iat"]) + hour - 301
		}),
		idToken(fapi+"invalid-missing-exp", "without an end", Refuse, without("exp")),
		idToken(fapi+"invalid-nonce", "another nonce", Refuse, set("nonce", "another")),
		idToken(fapi+"invalid-missing-nonce", "no nonce", Refuse, without("nonce")),
		idToken(fapi+"invalid-null-alg", "doesn't sign", Refuse, func(t *JWT) { t.SignWith(Key{Alg: "none"}) }),
		{Name: fapi + "invalid-alternate-alg",
			Does:  "signs with its own key, by another algorithm than the client is registered with",
			Stage: Login, Want: Refuse, NotCalled: []string{"userinfo"}, Hooks: func(p *Provider) Hooks {
				other := map[bool]Key{true: p.Key("ES256"), false: p.Key("ES384")}
				return Hooks{OnIDToken: func(t *JWT) { t.SignWith(other[t.Key.Alg != "ES256"]) }}
			}},
		tokenAnswer(fapi+"token-endpoint-response-without-expires_in", "no expires_in", Accept,
			func(a map[string]any) { delete(a, "expires_in") }),
		tokenAnswer(fapi+"token-type-case-insensitivity", "token_type bEARER", Accept,
			func(a map[string]any) { a["token_type"] = "bEARER" }),
		{Name: fapi + "client-refresh-token-test", Does: "rotates refresh tokens: refresh twice", Stage: Refresh, Want: Accept},
		returned(fapi+"ensure-jarm-without-iss-fails", "a response in a JWT, which wasn't asked for", func(q url.Values) {
			claims := map[string]any{}
			for name := range q {
				claims[name] = q.Get(name)
				q.Del(name)
			}
			q.Set("response", Sign([]byte(`{"alg":"none"}`), mustJSON(claims), Key{Alg: "none"}))
		}),
	}
}

// returned is a behaviour of the callback's parameters, which must be refused before the code goes anywhere.
func returned(name, does string, change func(url.Values)) Behaviour {
	return Behaviour{Name: name, Does: does, Stage: Login, Want: Refuse, NotCalled: []string{"token", "userinfo"},
		Hooks: func(*Provider) Hooks { return Hooks{OnCallback: change} }}
}

// tokenAnswer is a behaviour of the answer to a login's code.
func tokenAnswer(name, does string, want Verdict, change func(answer map[string]any)) Behaviour {
	b := Behaviour{Name: name, Does: does, Stage: Login, Want: want, Hooks: func(*Provider) Hooks {
		return Hooks{OnTokenResponse: func(_ *http.Request, answer map[string]any) { change(answer) }}
	}}
	if want == Refuse {
		b.NotCalled = []string{"userinfo"}
	}
	return b
}
