package oidctest_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
)

func TestACodeIsGoodOnceForTheOneWhoAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes []string
		header  string // Authorization
		want    string
	}{
		"another verifier":         {[]string{"code_verifier", strings.Repeat("b", 43)}, "", "invalid_grant"},
		"no verifier":              {[]string{"code_verifier", ""}, "", "invalid_grant"},
		"a short verifier":         {[]string{"code_verifier", "short"}, "", "invalid_grant"},
		"another redirect URI":     {[]string{"redirect_uri", callback + "/"}, "", "invalid_grant"},
		"no redirect URI":          {[]string{"redirect_uri", ""}, "", "invalid_grant"},
		"another code":             {[]string{"code", "another"}, "", "invalid_grant"},
		"another client":           {nil, basic("other", "s"), "invalid_grant"},
		"a wrong secret":           {nil, basic("app", "wrong"), "invalid_client"},
		"O-15 a secret in clear":   {nil, "Basic YXBwOjUwJSBhK2I6w7w=", "invalid_client"},
		"no client at all":         {nil, "none", "invalid_client"},
		"the secret in the body":   {[]string{"client_id", "app", "client_secret", app().Secret}, "none", "invalid_client"},
		"two ways to authenticate": {[]string{"client_secret", app().Secret}, "", "invalid_request"},
		"an unknown grant type":    {[]string{"grant_type", "password"}, "", "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := setup(t, func(cfg *oidctest.Config) {
				cfg.Clients = append(cfg.Clients, oidctest.Client{ID: "other", Secret: "s"})
			})
			login(t, p) // the good case
			form := changed(url.Values{
				"grant_type": {"authorization_code"}, "code": {authorize(t, p).Get("code")}, "redirect_uri": {callback},
				"code_verifier": {verifier},
			}, c.changes)
			header := c.header
			switch header {
			case "":
				header = basic("app", app().Secret)
			case "none":
				header = ""
			}
			a := post(t, p, "token", form, "Authorization", header)
			if a.text("error") != c.want || a.json["access_token"] != nil || a.status/100 != 4 {
				t.Errorf("got %d %s, want %s", a.status, a.body, c.want)
			}
			if c.want == "invalid_client" && (a.status != http.StatusUnauthorized) {
				t.Errorf("got %d, want 401", a.status)
			}
		})
	}
}

func TestACodeExpires(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Now()}
	p := setup(t, func(cfg *oidctest.Config) { cfg.Now = c.Now })
	login(t, p)
	code := authorize(t, p).Get("code")
	c.now = c.now.Add(time.Minute)
	if a := redeem(t, p, code); a.text("error") != "invalid_grant" {
		t.Errorf("got %d %s, want invalid_grant", a.status, a.body)
	}
}

// RFC 6749 §4.1.2: who shows a code again ends what it was changed for.
func TestACodeShownTwiceEndsItsTokens(t *testing.T) {
	t.Parallel()
	p := setup(t)
	code := authorize(t, p, "scope", "openid offline_access").Get("code")
	tokens := redeem(t, p, code)
	bearer := "Bearer " + tokens.text("access_token")
	if a := get(t, p, p.Endpoint("userinfo"), "Authorization", bearer); a.status != http.StatusOK {
		t.Fatalf("before: got %d, want 200", a.status)
	}
	if a := redeem(t, p, code); a.text("error") != "invalid_grant" {
		t.Errorf("the code again: got %d %s, want invalid_grant", a.status, a.body)
	}
	if a := get(t, p, p.Endpoint("userinfo"), "Authorization", bearer); a.status != http.StatusUnauthorized {
		t.Errorf("after: got %d, want 401", a.status)
	}
	if a := refresh(t, p, tokens.text("refresh_token")); a.text("error") != "invalid_grant" {
		t.Errorf("the refresh token: got %d %s, want invalid_grant", a.status, a.body)
	}
}

func refresh(t *testing.T, p *oidctest.Provider, token string, changes ...string) answer {
	t.Helper()
	return post(t, p, "token", changed(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, changes))
}

func TestRefreshTokensRotate(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Now()}
	p := setup(t, func(cfg *oidctest.Config) { cfg.Now = c.Now })
	first := login(t, p, "scope", "openid offline_access")
	_, before := verified(t, p, first.text("id_token"))
	c.now = c.now.Add(time.Minute)
	second := refresh(t, p, first.text("refresh_token"))
	if second.status != http.StatusOK || second.text("refresh_token") == first.text("refresh_token") {
		t.Fatalf("got %d %s, want new tokens", second.status, second.body)
	}
	_, after := verified(t, p, second.text("id_token"))
	for _, name := range []string{"iss", "sub", "aud", "nonce", "auth_time", "sid"} {
		if after[name] != before[name] {
			t.Errorf("%s: got %v, want %v as at the login", name, after[name], before[name])
		}
	}
	if after["iat"] == before["iat"] {
		t.Error("iat is the login's, want the refresh's")
	}
	if a := refresh(t, p, second.text("refresh_token"), "scope", "openid more"); a.text("error") != "invalid_scope" {
		t.Errorf("more scope: got %d %s, want invalid_scope", a.status, a.body)
	}
	if a := post(t, p, "token", url.Values{"grant_type": {"refresh_token"},
		"refresh_token": {"unknown"}}); a.text("error") != "invalid_grant" {
		t.Errorf("an unknown one: got %d %s, want invalid_grant", a.status, a.body)
	}
	third := refresh(t, p, second.text("refresh_token"))
	if third.status != http.StatusOK {
		t.Fatalf("the second refresh: got %d %s", third.status, third.body)
	}
	// RFC 9700 §4.14.2: the first one again is theft, and the family ends.
	if a := refresh(t, p, first.text("refresh_token")); a.text("error") != "invalid_grant" {
		t.Errorf("a used one: got %d %s, want invalid_grant", a.status, a.body)
	}
	if a := refresh(t, p, third.text("refresh_token")); a.text("error") != "invalid_grant" {
		t.Errorf("the newest after that: got %d %s, want invalid_grant", a.status, a.body)
	}
}

func TestRefreshTokensExpire(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Now()}
	p := setup(t, func(cfg *oidctest.Config) { cfg.Now = c.Now })
	tokens := login(t, p, "scope", "openid offline_access")
	c.now = c.now.Add(24*time.Hour - time.Second)
	tokens = refresh(t, p, tokens.text("refresh_token"))
	c.now = c.now.Add(24 * time.Hour)
	if a := refresh(t, p, tokens.text("refresh_token")); tokens.status != http.StatusOK || a.text("error") != "invalid_grant" {
		t.Errorf("got %d, then %d %s, want 200, then invalid_grant", tokens.status, a.status, a.body)
	}
}

func TestEachWayToAuthenticate(t *testing.T) {
	t.Parallel()
	p := setup(t)
	service := func(form url.Values, header string) answer {
		form = changed(form, []string{"grant_type", "client_credentials", "scope", "contents:read"})
		return post(t, p, "token", form, "Authorization", header)
	}
	register := func(c oidctest.Client) {
		t.Helper()
		if err := p.SetClient(c); err != nil {
			t.Fatal(err)
		}
	}
	register(oidctest.Client{ID: "post", Secret: "s", Auth: "client_secret_post"})
	register(oidctest.Client{ID: "public"})
	register(oidctest.Client{ID: "space", Secret: "a b"})
	for _, tc := range []struct {
		name   string
		form   url.Values
		header string
		want   int
	}{
		{"basic", url.Values{}, basic("app", app().Secret), http.StatusOK},
		{"basic, with client_id beside it", url.Values{"client_id": {"app"}}, basic("app", app().Secret), http.StatusOK},
		{"basic, with another client_id", url.Values{"client_id": {"post"}}, basic("app", app().Secret), http.StatusUnauthorized},
		{"basic, for who registered post", url.Values{}, basic("post", "s"), http.StatusUnauthorized},
		{"O-15 basic, form-urlencoded", url.Values{}, basic("space", "a b"), http.StatusOK},
		{"O-15 basic, in clear", url.Values{}, "Basic " + base64.StdEncoding.EncodeToString([]byte("space:a b")),
			http.StatusUnauthorized},
		{"post", url.Values{"client_id": {"post"}, "client_secret": {"s"}}, "", http.StatusOK},
		{"post, wrong", url.Values{"client_id": {"post"}, "client_secret": {"t"}}, "", http.StatusUnauthorized},
		{"a public client has no credentials of its own", url.Values{"client_id": {"public"}}, "", http.StatusBadRequest},
	} {
		if a := service(tc.form, tc.header); a.status != tc.want {
			t.Errorf("%s: got %d %s, want %d", tc.name, a.status, a.body, tc.want)
		}
	}
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		key := p.NewKey(alg)
		register(oidctest.Client{ID: "signing", Key: key.Public()})
		assertion := func(by oidctest.Key, changes map[string]any) url.Values {
			now := time.Now().Unix()
			claims := map[string]any{"iss": "signing", "sub": "signing", "aud": p.Issuer(),
				"jti": alg + time.Now().String(), "exp": now + 60}
			for name, value := range changes {
				claims[name] = value
			}
			token := oidctest.JWT{Header: map[string]any{}, Claims: claims}
			token.SignWith(by)
			return url.Values{
				"client_assertion":      {token.Compact()},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			}
		}
		good := assertion(key, nil)
		if a := service(good, ""); a.status != http.StatusOK {
			t.Fatalf("%s: got %d %s, want 200", alg, a.status, a.body)
		}
		for name, form := range map[string]url.Values{
			"the same again":        good,
			"another key":           assertion(p.NewKey(alg), nil),
			"another audience":      assertion(key, map[string]any{"aud": "https://stranger.example"}),
			"another issuer":        assertion(key, map[string]any{"iss": "app"}),
			"expired":               assertion(key, map[string]any{"exp": time.Now().Unix() - 120}),
			"without an end":        assertion(key, map[string]any{"exp": nil}),
			"without an identifier": assertion(key, map[string]any{"jti": ""}),
			"without a signature":   assertion(oidctest.Key{Alg: "none"}, nil),
		} {
			if a := service(form, ""); a.status != http.StatusUnauthorized {
				t.Errorf("%s, %s: got %d %s, want 401", alg, name, a.status, a.body)
			}
		}
	}
}

// RFC 9068: a JWT for who registered an audience, or asked for one.
func TestAccessTokensAreJWTsForAnAudience(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.SetUser(oidctest.User{Sub: "alice",
		Access: map[string]any{"permissions": []string{"contents:read"},
			"realm_access": map[string]any{"roles": []string{"admin"}}}})
	if token := login(t, p).text("access_token"); strings.Contains(token, ".") {
		t.Errorf("got a JWT %s, want an opaque token", token)
	}
	header, claims := verified(t, p, login(t, p, "resource", "https://api.example").text("access_token"))
	if header.ExtraHeaders["typ"] != "at+jwt" {
		t.Errorf("got typ %v, want at+jwt", header.ExtraHeaders["typ"])
	}
	for name, want := range map[string]any{"iss": p.Issuer(), "sub": "alice", "aud": "https://api.example",
		"client_id": "app", "scope": "openid profile email"} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	for _, name := range []string{"iat", "exp", "jti", "permissions", "realm_access"} {
		if claims[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

// J-42: a client's own token has the client for a subject.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	p := setup(t, func(c *oidctest.Config) { c.Clients[0].Audience = "https://api.example" })
	a := post(t, p, "token", url.Values{"grant_type": {"client_credentials"}, "scope": {"contents:read"}})
	_, claims := verified(t, p, a.text("access_token"))
	if claims["sub"] != "app" || claims["client_id"] != "app" || claims["auth_time"] != nil || a.json["id_token"] != nil {
		t.Errorf("got %v, want the client as subject, and no ID token", claims)
	}
	if got := get(t, p, p.Endpoint("userinfo"), "Authorization",
		"Bearer "+a.text("access_token")); got.status != http.StatusUnauthorized {
		t.Errorf("userinfo: got %d, want 401: there is no user", got.status)
	}
}

func TestTokenRequestsArePostedForms(t *testing.T) {
	t.Parallel()
	p := setup(t)
	login(t, p)
	code := authorize(t, p).Get("code")
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback},
		"code_verifier": {verifier}}
	if a := get(t, p, p.Endpoint("token")+"?"+form.Encode(), "Authorization",
		basic("app", app().Secret)); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: got %d, want 405", a.status)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Endpoint("token")+"?code="+code,
		strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", basic("app", app().Secret))
	if a := send(t, p, r); a.status != http.StatusBadRequest {
		t.Errorf("a parameter in the query: got %d, want 400", a.status)
	}
	if a := post(t, p, "token", form, "Content-Type", "application/json"); a.status != http.StatusBadRequest {
		t.Errorf("another content type: got %d, want 400", a.status)
	}
	form["code"] = []string{code, code}
	if a := post(t, p, "token", form); a.status != http.StatusBadRequest {
		t.Errorf("the code twice: got %d, want 400", a.status)
	}
	form["code"] = []string{code}
	if a := post(t, p, "token", form); a.status != http.StatusOK {
		t.Errorf("none of them used the code up: got %d, want 200", a.status)
	}
}
