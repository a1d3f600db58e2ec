package oidctest

import (
	"net/http"
	"net/url"
	"strings"
)

// answers are logins in which the token endpoint or userinfo says something odd in a good form.
func answers() []Behaviour {
	userinfo := func(name, does string, want Verdict, change func(claims map[string]any)) Behaviour {
		return Behaviour{Name: name, Does: does, Stage: Login, Want: want,
			Hooks: func(*Provider) Hooks { return Hooks{OnUserInfo: change} }}
	}
	return []Behaviour{
		tokenAnswer("O-14 no ID token", "", Refuse, func(a map[string]any) { delete(a, "id_token") }),
		tokenAnswer("O-14 no access token", "", Refuse, func(a map[string]any) { delete(a, "access_token") }),
		tokenAnswer("O-14 token type mac", "which nobody asked for", Refuse, func(a map[string]any) { a["token_type"] = "mac" }),
		tokenAnswer("O-14 no token type", "", Refuse, func(a map[string]any) { delete(a, "token_type") }),
		tokenAnswer("O-14 token type BEARER", "", Accept, func(a map[string]any) { a["token_type"] = "BEARER" }),
		tokenAnswer("O-14 expires_in is a string", "as some providers write it", Either,
			func(a map[string]any) { a["expires_in"] = "300" }),
		tokenAnswer("O-14 expires_in is negative", "", Either, func(a map[string]any) { a["expires_in"] = -1 }),
		tokenAnswer("O-14 an error under 200", "beside the tokens", Refuse,
			func(a map[string]any) { a["error"] = "invalid_grant" }),
		tokenAnswer("O-14 the ID token is a number", "", Refuse, func(a map[string]any) { a["id_token"] = 1 }),
		tokenAnswer("O-14 unknown members", "beside the tokens", Accept, func(a map[string]any) { a["not_before_policy"] = 0 }),
		{Name: "O-16 tokens of another user", Does: "an access token of bob beside the ID token of alice", Stage: Login,
			Want: Refuse,
			Hooks: func(p *Provider) Hooks {
				return Hooks{OnIDToken: without("at_hash"), OnTokenResponse: func(r *http.Request, a map[string]any) {
					scope, _ := a["scope"].(string)
					a["access_token"] = p.AccessToken(Grant{Sub: "bob", Scope: scope})
				}}
			}},
		userinfo("O-16 userinfo without sub", "", Refuse, func(claims map[string]any) { delete(claims, "sub") }),
		userinfo("O-16 userinfo with sub as a number", "", Refuse, func(claims map[string]any) { claims["sub"] = 1 }),
		userinfo("O-16 userinfo with another issuer", "which userinfo may not decide", Either,
			func(claims map[string]any) { claims["iss"] = "https://stranger.example" }),
		userinfo("J-44 userinfo with a verified e-mail as a string", "which is no true", Accept,
			func(claims map[string]any) { claims["email_verified"] = "true" }),
		{Name: "O-16 signed userinfo", Does: "a JWT, with a charset in its content type, that nobody asked for",
			Stage: Login, Want: Either,
			Hooks: func(p *Provider) Hooks {
				return Hooks{Faults: map[string]Fault{"userinfo": Edit(func(h http.Header, body []byte) []byte {
					h.Set("Content-Type", "application/jwt; charset=utf-8")
					key := p.Key("RS256")
					return []byte(Sign(mustJSON(map[string]any{"alg": key.Alg, "kid": key.ID}),
						addMembers(body, `"iss":"`+p.issuer+`","aud":"app"`), key))
				})}}
			}},
		{Name: "O-16 unsigned userinfo", Does: "a JWT with alg none", Stage: Login, Want: Either,
			Hooks: func(*Provider) Hooks {
				return Hooks{Faults: map[string]Fault{"userinfo": Edit(func(h http.Header, body []byte) []byte {
					h.Set("Content-Type", "application/jwt")
					return []byte(Sign([]byte(`{"alg":"none"}`), body, Key{Alg: "none"}))
				})}}
			}},
	}
}

// callbacks are logins in which the browser comes back with something odd.
func callbacks() []Behaviour {
	failed := func(name, does, code, description string) Behaviour {
		return returned(name, does, func(q url.Values) {
			q.Del("code")
			q.Set("error", code)
			q.Set("error_description", description)
		})
	}
	return []Behaviour{
		failed("O-08 access denied", "with a script in its description", "access_denied", "<script>alert(1)</script>"),
		failed("O-08 an unknown error", "", "something_else", ""),
		failed("O-23 login required", "what prompt=none gets where nobody is signed in", "login_required", ""),
		returned("O-08 an error beside a code", "", func(q url.Values) { q.Set("error", "access_denied") }),
		returned("O-08 an error without state", "", func(q url.Values) {
			q.Del("code")
			q.Del("state")
			q.Set("error", "access_denied")
		}),
		returned("O-01 state twice", "", func(q url.Values) { q.Add("state", "another") }),
		returned("O-01 empty state", "", func(q url.Values) { q.Set("state", "") }),
		returned("O-01 half the state", "", func(q url.Values) { q.Set("state", q.Get("state")[:len(q.Get("state"))/2]) }),
		returned("O-09 iss twice", "the second is a stranger", func(q url.Values) { q.Add("iss", "https://stranger.example") }),
		returned("O-13 code twice", "", func(q url.Values) { q.Add("code", "another") }),
		returned("O-13 no code", "", func(q url.Values) { q.Del("code") }),
		returned("O-13 empty code", "", func(q url.Values) { q.Set("code", "") }),
		returned("O-13 a code of 100 kB", "", func(q url.Values) { q.Set("code", strings.Repeat("a", 100_000)) }),
		returned("O-13 tokens beside the code", "in the query", func(q url.Values) {
			q.Set("id_token", "e30.e30.")
			q.Set("access_token", "a")
		}),
		{Name: "O-09 iss where it isn't promised", Does: "the metadata doesn't say that iss comes", Stage: Login, Want: Accept,
			Hooks: func(*Provider) Hooks {
				return Hooks{OnDiscovery: func(metadata map[string]any) {
					delete(metadata,
						"authorization_response_iss_parameter_supported")
				}}
			}},
		{Name: "O-09 wrong iss where it isn't promised", Does: "the metadata doesn't say that iss comes", Stage: Login,
			Want:      Refuse,
			NotCalled: []string{"token", "userinfo"}, Hooks: func(*Provider) Hooks {
				return Hooks{
					OnDiscovery: func(metadata map[string]any) {
						delete(metadata,
							"authorization_response_iss_parameter_supported")
					},
					OnCallback: func(q url.Values) { q.Set("iss", "https://stranger.example") },
				}
			}},
	}
}
