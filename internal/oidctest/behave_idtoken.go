package oidctest

import (
	"math"
	"net/url"
	"strings"
)

// idTokens are logins whose ID token is signed as it should be, and says what it shouldn't.
func idTokens() []Behaviour {
	const hour, day, year = 3600, 24 * 3600, 365 * 24 * 3600
	maxAge, acr := url.Values{"max_age": {"60"}}, url.Values{"acr_values": {"1"}}
	asking := func(params url.Values, b Behaviour) Behaviour {
		b.Asks = params
		return b
	}
	return []Behaviour{
		idToken("J-23 sub twice", "the second is another user", Refuse, raw(`"sub":"bob"`)),
		idToken("J-23 aud twice", "the first is a stranger", Refuse, func(t *JWT) {
			t.RawClaims = append([]byte(`{"aud":"stranger",`), mustJSON(t.Claims)[1:]...)
		}),
		idToken("J-23 nonce twice", "the first is another", Refuse, func(t *JWT) {
			t.RawClaims = append([]byte(`{"nonce":"another",`), mustJSON(t.Claims)[1:]...)
		}),
		idToken("J-24 SUB alone", "the subject's name in capitals", Refuse, func(t *JWT) {
			t.Claims["SUB"] = t.Claims["sub"]
			delete(t.Claims, "sub")
		}),
		idToken("J-24 sub with a long s alone", "ſub, which encoding/json takes for sub", Refuse, func(t *JWT) {
			t.Claims["\u017fub"] = t.Claims["sub"]
			delete(t.Claims, "sub")
		}),
		idToken("J-24 AUD alone", "the audience's name in capitals", Refuse, func(t *JWT) {
			t.Claims["AUD"] = t.Claims["aud"]
			delete(t.Claims, "aud")
		}),
		idToken("J-24 EXP beside exp", "expired, but for a second member in capitals", Refuse, func(t *JWT) {
			end := seconds(t.Claims["exp"])
			t.Claims["exp"] = end - 2*hour
			t.RawClaims = addMembers(mustJSON(t.Claims), `"EXP":99999999999`)
		}),
		idToken("J-26 a list for claims", "the payload is a list", Refuse, func(t *JWT) { t.RawClaims = []byte("[]") }),
		idToken("J-26 two objects", "a second object behind the claims", Refuse,
			func(t *JWT) { t.RawClaims = append(mustJSON(t.Claims), "{}"...) }),
		idToken("J-26 a byte order mark", "before the claims", Refuse,
			func(t *JWT) { t.RawClaims = append([]byte("\ufeff"), mustJSON(t.Claims)...) }),
		idToken("J-26 not UTF-8", "in a claim", Refuse, raw("\"name\":\"\xff\"")),
		idToken("J-27 issuer with a slash", "at its end", Refuse,
			func(t *JWT) { t.Claims["iss"] = t.Claims["iss"].(string) + "/" }),
		idToken("J-27 issuer in a list", "a list of one", Refuse, func(t *JWT) { t.Claims["iss"] = []any{t.Claims["iss"]} }),
		idToken("J-28 empty sub", "", Refuse, set("sub", "")),
		idToken("J-28 sub is a number", "", Refuse, set("sub", 42)),
		idToken("J-28 sub too long", "300 characters", Refuse, set("sub", strings.Repeat("a", 300))),
		idToken("J-29 aud is null", "", Refuse, set("aud", nil)),
		idToken("J-29 aud is an empty list", "", Refuse, set("aud", []any{})),
		idToken("J-29 aud is a list of nothing", "an empty string in it", Refuse, set("aud", []any{""})),
		idToken("J-29 aud with a number", "beside the client", Refuse,
			func(t *JWT) { t.Claims["aud"] = []any{t.Claims["aud"], 1} }),
		idToken("J-29 two clients in one string", "", Refuse,
			func(t *JWT) { t.Claims["aud"] = t.Claims["aud"].(string) + " stranger" }),
		idToken("J-30 two audiences with our azp", "trusted by the client alone where it says so", Refuse, func(t *JWT) {
			t.Claims["azp"], t.Claims["aud"] = t.Claims["aud"], []any{t.Claims["aud"], "stranger"}
		}),
		idToken("J-30 two audiences with another azp", "", Refuse, func(t *JWT) {
			t.Claims["azp"], t.Claims["aud"] = "stranger", []any{t.Claims["aud"], "stranger"}
		}),
		idToken("J-30 another azp", "with one audience, the client", Refuse, set("azp", "stranger")),
		idToken("J-30 azp is a list", "", Refuse, func(t *JWT) { t.Claims["azp"] = []any{t.Claims["aud"]} }),
		idToken("J-30 our azp", "with one audience, the client", Accept, func(t *JWT) { t.Claims["azp"] = t.Claims["aud"] }),
		idToken("J-31 exp is 0", "", Refuse, set("exp", 0)),
		idToken("J-31 exp is negative", "", Refuse, set("exp", -1)),
		idToken("J-31 exp is null", "", Refuse, set("exp", nil)),
		idToken("J-31 exp is a string", "", Refuse, set("exp", "99999999999")),
		idToken("J-31 exp is true", "", Refuse, set("exp", true)),
		idToken("J-31 exp is beyond numbers", "1e300", Refuse, replaced("exp", "1e300")),
		idToken("J-31 exp in milliseconds", "the year 58000, however long the session lasts", Either,
			func(t *JWT) { t.Claims["exp"] = seconds(t.Claims["exp"]) * 1000 }),
		idToken("J-31 exp is a fraction", "as some providers write it", Accept,
			func(t *JWT) { t.Claims["exp"] = float64(seconds(t.Claims["exp"])) + 0.5 }),
		idToken("J-32 issued in an hour", "", Refuse, later("iat", hour)),
		idToken("J-32 issued ten years ago", "", Refuse, later("iat", -10*year)),
		idToken("J-32 iat is a string", "", Refuse, func(t *JWT) { t.Claims["iat"] = "1700000000" }),
		idToken("J-33 not before ten minutes from now", "", Refuse,
			func(t *JWT) { t.Claims["nbf"] = seconds(t.Claims["iat"]) + 600 }),
		idToken("J-33 nbf is a string", "", Refuse, set("nbf", "1700000000")),
		idToken("J-34 a clock that is fast", "by 30 seconds", Accept, func(t *JWT) {
			later("iat", 30)(t)
			t.Claims["nbf"] = t.Claims["iat"]
		}),
		idToken("J-35 empty nonce", "", Refuse, set("nonce", "")),
		idToken("J-35 nonce in a list", "", Refuse, func(t *JWT) { t.Claims["nonce"] = []any{t.Claims["nonce"]} }),
		idToken("J-35 nonce in capitals", "", Refuse, func(t *JWT) { t.Claims["nonce"] = swapCase(t.Claims["nonce"].(string)) }),
		idToken("J-35 half the nonce", "", Refuse, func(t *JWT) {
			nonce := t.Claims["nonce"].(string)
			t.Claims["nonce"] = nonce[:len(nonce)/2]
		}),
		{Name: "J-35 nonce is the state", Does: "what anybody can read in the URL", Stage: Login, Want: Refuse,
			NotCalled: []string{"userinfo"},
			Hooks: func(*Provider) Hooks {
				var state string
				return Hooks{
					OnCallback: func(q url.Values) { state = q.Get("state") },
					OnIDToken:  func(t *JWT) { t.Claims["nonce"] = state },
				}
			}},
		idToken("J-36 another at_hash", "", Refuse, func(t *JWT) { t.Claims["at_hash"] = halfHash(t.Key.Alg, "another") }),
		idToken("J-36 half the at_hash", "", Refuse, func(t *JWT) { t.Claims["at_hash"] = t.Claims["at_hash"].(string)[:8] }),
		idToken("J-36 no at_hash", "optional with a code", Accept, without("at_hash")),
		asking(maxAge, idToken("J-37 max_age without auth_time", "", Refuse, without("auth_time"))),
		asking(maxAge, idToken("J-37 max_age with an old login", "", Refuse, later("auth_time", -day))),
		asking(maxAge, idToken("J-37 max_age with a login in the future", "", Refuse, later("auth_time", day))),
		asking(maxAge, idToken("J-37 max_age with auth_time as a string", "", Refuse, set("auth_time", "1700000000"))),
		asking(maxAge, idToken("J-37 max_age", "as it was asked for", Accept, func(*JWT) {})),
		asking(acr, idToken("J-37 a lower acr", "than was asked for", Refuse, set("acr", "0"))),
		asking(acr, idToken("J-37 no acr", "though one was asked for", Refuse, without("acr"))),
		asking(acr, idToken("J-37 acr", "as it was asked for", Accept, func(*JWT) {})),
		idToken("J-38 typ of an access token", "at+jwt", Refuse, func(t *JWT) { t.Header["typ"] = "at+jwt" }),
		idToken("J-38 typ of a logout token", "logout+jwt", Refuse, func(t *JWT) { t.Header["typ"] = "logout+jwt" }),
		idToken("J-38 typ JWT", "as many providers write it", Accept, func(t *JWT) { t.Header["typ"] = "JWT" }),
		idToken("J-44 e-mail verified as a string", "which is no true: the login stands, the e-mail doesn't count", Accept,
			func(t *JWT) {
				t.Claims["email"], t.Claims["email_verified"] = "alice@example.test", "true"
			}),
		idToken("O-16 distributed claims", "whose sources nobody asked to be fetched", Accept, func(t *JWT) {
			t.Claims["_claim_names"] = map[string]any{"groups": "src1"}
			t.Claims["_claim_sources"] = map[string]any{"src1": map[string]any{"endpoint": t.Claims["iss"].(string) + "/elsewhere"}}
		}),
		idToken("J-31 exp at the end of time", "2^63-1", Either, set("exp", int64(math.MaxInt64))),
	}
}

// replaced returns a change that puts a claim as it stands, in place of the one of that name.
func replaced(name, value string) func(*JWT) {
	return func(t *JWT) {
		delete(t.Claims, name)
		t.RawClaims = addMembers(mustJSON(t.Claims), `"`+name+`":`+value)
	}
}

// swapCase is s with the other case of each letter.
func swapCase(s string) string {
	if upper := strings.ToUpper(s); upper != s {
		return upper
	}
	return strings.ToLower(s)
}
