package oidctest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// logoutPlan is the suite's plans for logout, and what else may go wrong with it.
func logoutPlan() []Behaviour {
	const minute, year = 60, 365 * 24 * 3600
	token := func(name, does string, want Verdict, change func(*JWT)) Behaviour {
		return Behaviour{Name: name, Does: does, Stage: BackChannel, Want: want,
			Hooks: func(*Provider) Hooks { return Hooks{OnLogoutToken: change} }}
	}
	delivered := func(name, does string, change func(*http.Request)) Behaviour {
		return Behaviour{Name: name, Does: does, Stage: BackChannel, Want: Refuse,
			Hooks: func(*Provider) Hooks { return Hooks{OnDelivery: change} }}
	}
	back := func(name, does string, change func(url.Values)) Behaviour {
		return Behaviour{Name: name, Does: does, Stage: RPLogout, Want: Accept,
			Hooks: func(*Provider) Hooks { return Hooks{OnPostLogout: change} }}
	}
	frame := func(name string, change func(url.Values)) Behaviour {
		return Behaviour{Name: name, Stage: FrontChannel, Want: Refuse,
			Hooks: func(*Provider) Hooks { return Hooks{OnFrontChannel: change} }}
	}
	event := func(value any) func(*JWT) { return set("events", map[string]any{backchannelEvent: value}) }
	const rp = suite + "-rp-"
	return []Behaviour{
		{Name: "rp-init-logout", Does: "a normal logout", Stage: RPLogout, Want: Accept},
		back("rp-init-logout-other-state", "another state: the client shows its page all the same",
			func(q url.Values) { q.Set("state", "another") }),
		back("rp-init-logout-no-state", "no state: the client shows its page all the same",
			func(q url.Values) { q.Del("state") }),
		back("LO-02 state twice", "the client shows its page all the same", func(q url.Values) { q.Add("state", "another") }),

		{Name: rp + "backchannel-rpinitlogout", Does: "a good logout token", Stage: BackChannel, Want: Accept},
		token(rp+"backchannel-rpinitlogout-alg-none", "doesn't sign", Refuse, func(t *JWT) { t.SignWith(Key{Alg: "none"}) }),
		{Name: rp + "backchannel-rpinitlogout-wrong-alg", Does: "signs by another algorithm than the client is registered with",
			Stage: BackChannel, Want: Refuse, Hooks: func(p *Provider) Hooks {
				other := map[bool]Key{true: p.Key("ES256"), false: p.Key("ES384")}
				return Hooks{OnLogoutToken: func(t *JWT) { t.SignWith(other[t.Key.Alg != "ES256"]) }}
			}},
		token(rp+"backchannel-rpinitlogout-no-event", "no events", Refuse, without("events")),
		token(rp+"backchannel-rpinitlogout-wrong-event", "another event", Refuse,
			set("events", map[string]any{"https://stranger.example/event": map[string]any{}})),
		token(rp+"backchannel-rpinitlogout-with-nonce", "with a nonce", Refuse, set("nonce", "n")),
		token(rp+"backchannel-rpinitlogout-wrong-aud", "for another client", Refuse, set("aud", "stranger")),
		token(rp+"backchannel-rpinitlogout-wrong-iss", "another issuer", Refuse, set("iss", "https://stranger.example")),
		token("LO-05 a bad signature", "", Refuse, func(t *JWT) { t.Edit = flipSignature }),
		{Name: "LO-05 a stranger's key", Does: "with a kid that isn't published", Stage: BackChannel, Want: Refuse,
			Hooks: func(p *Provider) Hooks {
				k := p.NewKey("RS256")
				return Hooks{OnLogoutToken: func(t *JWT) { t.SignWith(k) }}
			}},
		token("LO-05 expired", "five minutes ago", Refuse, func(t *JWT) {
			later("iat", -7*minute)(t)
			later("exp", -7*minute)(t)
		}),
		token("LO-05 neither sub nor sid", "", Refuse, without("sub", "sid")),
		token("LO-05 no jti", "", Refuse, without("jti")),
		token("LO-05 empty jti", "", Refuse, set("jti", "")),
		token("LO-05 sid is a number", "", Refuse, set("sid", 1)),
		token("LO-05 no aud", "", Refuse, without("aud")),
		token("LO-05 for a stranger too", "", Refuse, func(t *JWT) { t.Claims["aud"] = []any{t.Claims["aud"], "stranger"} }),
		token("LO-05 sub twice", "the second is another user", Refuse, raw(`"sub":"bob"`)),
		token("LO-06 typ JWT", "", Refuse, func(t *JWT) { t.Header["typ"] = "JWT" }),
		token("LO-06 typ of an access token", "at+jwt", Refuse, func(t *JWT) { t.Header["typ"] = "at+jwt" }),
		token("LO-06 no typ", "allowed by the specification for older providers", Either,
			func(t *JWT) { delete(t.Header, "typ") }),
		token("LO-06 no iat", "", Refuse, without("iat")),
		token("LO-06 issued a year ago", "", Refuse, later("iat", -year)),
		token("LO-06 issued in an hour", "", Refuse, later("iat", 60*minute)),
		token("LO-06 no exp", "", Refuse, without("exp")),
		token("LO-06 good for ten years", "", Refuse, later("exp", 10*year)),
		token("LO-06 the event is null", "", Refuse, event(nil)),
		token("LO-06 the event is a string", "", Refuse, event("")),
		token("LO-06 the event in capitals", "", Refuse,
			set("events", map[string]any{strings.ToUpper(backchannelEvent): map[string]any{}})),
		token("LO-06 JSON serialisation", "flattened", Refuse, func(t *JWT) { t.Edit = flattened }),
		{Name: "LO-06 a jti that was used",
			Does:  "every token has the same jti: log in and out, then again; the second logout is refused",
			Stage: BackChannel, Want: Refuse, Hooks: func(*Provider) Hooks { return Hooks{OnLogoutToken: set("jti", secret())} }},
		delivered("LO-07 GET", "with the token in the query", func(r *http.Request) {
			r.Method, r.URL.RawQuery = http.MethodGet, takeBody(r)
		}),
		delivered("LO-07 in the query", "of a POST", func(r *http.Request) {
			r.URL.RawQuery = takeBody(r)
		}),
		delivered("LO-07 JSON", "for the form", func(r *http.Request) {
			form, _ := url.ParseQuery(takeBody(r)) // it was made from values
			setBody(r, mustJSON(map[string]string{"logout_token": form.Get("logout_token")}))
			r.Header.Set("Content-Type", "application/json")
		}),
		delivered("LO-07 given twice", "the same token in two fields", func(r *http.Request) {
			body := takeBody(r)
			setBody(r, []byte(body+"&"+body))
		}),
		{Name: "LO-08 an ID token", Does: "a real one", Stage: BackChannel, Want: Refuse, Hooks: func(p *Provider) Hooks {
			return Hooks{OnLogoutToken: func(t *JWT) {
				t.Edit = func(string) string {
					return p.IDToken(func(id *JWT) { id.Claims["sub"], id.Claims["sid"] = t.Claims["sub"], t.Claims["sid"] })
				}
			}}
		}},
		token("LO-09 unknown sid", "which is answered as if it were known", Ignore, set("sid", "unknown")),
		token("LO-09 sid of another user", "than sub names", Ignore, set("sub", "bob")),

		{Name: "rp-frontchannel-rpinitlogout", Does: "an iframe, after the client has asked for the logout",
			Stage: FrontChannel, Want: Accept},
		{Name: "rp-frontchannel-opinitlogout", Does: "an iframe, of the provider's own accord", Stage: FrontChannel,
			Want: Accept},
		frame("LO-13 another issuer", func(q url.Values) { q.Set("iss", "https://stranger.example") }),
		frame("LO-13 another sid", func(q url.Values) { q.Set("sid", "another") }),
		frame("LO-13 no issuer", func(q url.Values) { q.Del("iss") }),
		frame("LO-13 no sid", func(q url.Values) { q.Del("sid") }),
	}
}

// takeBody empties the request's body and returns what was in it.
func takeBody(r *http.Request) string {
	body, _ := io.ReadAll(r.Body) // it is in memory
	setBody(r, nil)
	return string(body)
}

func setBody(r *http.Request, body []byte) {
	r.Body, r.ContentLength, r.GetBody = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
}
