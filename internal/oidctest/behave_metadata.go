package oidctest

import (
	"fmt"
	"net/http"
)

// metadata are odd metadata and key sets in a good form.
func metadata() []Behaviour {
	accepted := func(name, does string, change func(map[string]any)) Behaviour {
		return Behaviour{Name: name, Does: does, Stage: Login, Want: Accept,
			Hooks: func(*Provider) Hooks { return Hooks{OnDiscovery: change} }}
	}
	keys := func(name, does string, want Verdict, change func(keys []map[string]any) []map[string]any) Behaviour {
		b := Behaviour{Name: name, Does: does, Stage: Login, Want: want,
			Hooks: func(*Provider) Hooks { return Hooks{OnJWKS: change} }}
		if want == Refuse {
			b.NotCalled = []string{"userinfo"}
		}
		return b
	}
	list := []Behaviour{
		accepted("O-04 PKCE isn't announced", "the client sends it all the same",
			func(m map[string]any) { delete(m, "code_challenge_methods_supported") }),
		accepted("O-18 unknown members", "", func(m map[string]any) { m["unknown"] = map[string]any{"a": []any{1, nil}} }),
		accepted("O-18 no userinfo endpoint", "which is optional", func(m map[string]any) { delete(m, "userinfo_endpoint") }),
		accepted("LO-01 no end_session_endpoint", "logout stays at the relying party",
			func(m map[string]any) { delete(m, "end_session_endpoint") }),
		accepted("J-04 announces none and HS256 too", "tokens are signed as before", func(m map[string]any) {
			m["id_token_signing_alg_values_supported"] = []string{"none", "HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"}
		}),
		{Name: "J-04 announces none alone, and doesn't sign", Does: "as an attacker would who can change the metadata",
			Stage: Login, Want: Refuse,
			NotCalled: []string{"userinfo"}, Hooks: func(*Provider) Hooks {
				return Hooks{
					OnDiscovery: func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []string{"none"} },
					OnIDToken:   func(t *JWT) { t.SignWith(Key{Alg: "none"}) },
				}
			}},
		discovered("O-18 no jwks_uri", "", "jwks_uri", nil),
		discovered("O-18 no authorization endpoint", "", "authorization_endpoint", nil),
		discovered("O-18 no token endpoint", "", "token_endpoint", nil),
		discovered("O-18 no issuer", "", "issuer", nil),
		keys("J-12 no keys", "an empty set", Refuse, func([]map[string]any) []map[string]any { return []map[string]any{} }),
		keys("J-12 unknown key types", "before the good key", Accept, func(keys []map[string]any) []map[string]any {
			return append([]map[string]any{{"kty": "new", "kid": "a", "x": "AA"}, {"kid": "b"},
				{"kty": "AKP", "alg": "ML-DSA-44", "kid": "c", "pub": "AA"}}, keys...)
		}),
		keys("J-12 a broken key", "before the good key", Accept, func(keys []map[string]any) []map[string]any {
			return append([]map[string]any{{"kty": "EC", "crv": "P-256", "kid": "broken", "x": "AA", "y": "AA",
				"alg": "ES256", "use": "sig"}}, keys...)
		}),
		keys("J-05 the key says another algorithm", "PS256 for what signs with RS256", Refuse,
			func(keys []map[string]any) []map[string]any {
				for _, k := range keys {
					k["alg"] = map[bool]string{true: "RS256", false: "PS256"}[k["alg"] == "PS256"]
				}
				return keys
			}),
		keys("J-10 keys without kid", "one, and tokens name another", Either, func(keys []map[string]any) []map[string]any {
			for _, k := range keys {
				delete(k, "kid")
			}
			return keys
		}),
		keys("J-12 10,000 keys", "the good one is the last", Either, func(keys []map[string]any) []map[string]any {
			many := make([]map[string]any, 0, 10_000+len(keys))
			for i := range 10_000 {
				many = append(many, map[string]any{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
					"kid": fmt.Sprint("many-", i), "x": encode(make([]byte, 32))})
			}
			return append(many, keys...)
		}),
		{Name: "J-08 a kid of two keys", Does: "the first is a stranger's", Stage: Login, Want: Either,
			Hooks: func(p *Provider) Hooks {
				stranger := p.NewKey("RS256").JWK()
				return Hooks{OnJWKS: func(keys []map[string]any) []map[string]any {
					stranger["kid"] = keys[0]["kid"]
					return append([]map[string]any{stranger}, keys...)
				}}
			}},
		{Name: "J-11 a key that was taken away",
			Does:  "the ID token is signed by a key of before, which isn't published any more",
			Stage: Login, Want: Refuse, NotCalled: []string{"userinfo"}, Hooks: func(p *Provider) Hooks {
				old := p.Key("RS256")
				p.RotateKeys()
				p.DropOldKeys()
				return Hooks{OnIDToken: func(t *JWT) { t.SignWith(old) }}
			}},
	}
	for _, member := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"} {
		list = append(list,
			discovered("O-18 plain http: "+member, "at another host", member, "http://stranger.example/endpoint"),
			discovered("O-18 a file: "+member, "", member, "file:///etc/passwd"),
			discovered("O-18 a number: "+member, "", member, 1),
		)
	}
	return list
}

// transport are logins in which an answer isn't what HTTP or JSON should be. Each endpoint has each.
func transport() []Behaviour {
	type fault struct {
		name, does string
		want       Verdict
		fault      Fault
	}
	const bomb = 100 << 20
	//nolint:gosec // G124: a Secure one wouldn't come back over http, whatever the client keeps
	cookie := &http.Cookie{Name: "provider", Value: "1", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	faults := []fault{
		{"slow", "answers only when nobody waits any more", Refuse, Hold(nil)},
		{"500", "", Refuse, Status(http.StatusInternalServerError)},
		{"503", "", Refuse, Status(http.StatusServiceUnavailable)},
		{"404", "", Refuse, Status(http.StatusNotFound)},
		{"HTML", "a page under 200", Refuse, HTML()},
		{"another content type", "the right JSON as text/plain", Either, ContentType("text/plain")},
		{"100 MiB", "the right JSON, padded", Refuse, Huge(bomb)},
		{"a gzip bomb", "the right JSON, padded to 100 MiB and compressed", Refuse, GzipBomb(bomb)},
		{"gzip", "honestly compressed", Accept, Gzip()},
		{"a redirect to another host", "which has the right answer", Refuse, Elsewhere(http.StatusFound)},
		{"a 307 to another host", "which repeats what was posted", Refuse, Elsewhere(http.StatusTemporaryRedirect)},
		{"a broken connection", "in the middle of the right answer", Refuse, BreakOff()},
		{"half the JSON", "the right answer without its end", Refuse, Cut()},
		{"a list", "for the object", Refuse, Edit(func(http.Header, []byte) []byte { return []byte("[]") })},
		{"nothing", "an empty body", Refuse, Edit(func(http.Header, []byte) []byte { return nil })},
		{"a cookie", "beside the right answer; the client doesn't send it back", Accept, SetCookie(cookie)},
	}
	var list []Behaviour
	for _, endpoint := range []struct {
		name, id, twice string
		notCalled       []string
	}{
		{"discovery", "O-18", `"issuer":"https://stranger.example"`, []string{"authorize", "par", "token", "userinfo"}},
		{"jwks", "J-12", `"keys":[]`, []string{"userinfo"}},
		{"token", "O-14", `"access_token":"another"`, []string{"userinfo"}},
		{"userinfo", "O-16", `"sub":"bob"`, nil},
	} {
		own := append(faults[:len(faults):len(faults)],
			fault{"a member twice", endpoint.twice + " behind the right one", Refuse, Members(endpoint.twice)})
		for _, f := range own {
			b := Behaviour{Name: endpoint.id + " " + endpoint.name + ": " + f.name, Does: f.does, Stage: Login, Want: f.want,
				Hooks: func(*Provider) Hooks { return Hooks{Faults: map[string]Fault{endpoint.name: f.fault}} }}
			if f.want == Refuse {
				b.NotCalled = endpoint.notCalled
			}
			if endpoint.name == "userinfo" && f.want == Refuse && f.name != "a member twice" {
				b.Want = Either // userinfo may be optional; nothing of what it said is believed
			}
			list = append(list, b)
		}
	}
	return list
}
