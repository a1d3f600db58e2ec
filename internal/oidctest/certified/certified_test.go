package certified_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest/certified"
)

// client is one of certified.NewClient, changed. Nobody serves its routes.
func client(id string, change func(*certified.Client)) certified.Client {
	c := certified.NewClient(id, "http://127.0.0.1:1/auth")
	if change != nil {
		change(&c)
	}
	return c
}

func refresh(t *testing.T, a *certified.App, tokens map[string]any) (int, map[string]any) {
	t.Helper()
	return a.Post(t, "token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}})
}

func userinfo(t *testing.T, a *certified.App, tokens map[string]any) (int, map[string]any) {
	t.Helper()
	return a.Get(t, a.Endpoint(t, "userinfo"), tokens["access_token"].(string))
}

// parts gives the header and the claims of a token, whose signature nobody looks at here.
func parts(t *testing.T, token any) (header, claims map[string]any) {
	t.Helper()
	text, _ := token.(string)
	encoded := strings.Split(text, ".")
	if len(encoded) != 3 {
		t.Fatalf("not in compact form: %d parts", len(encoded))
	}
	for i, into := range []*map[string]any{&header, &claims} {
		part, err := base64.RawURLEncoding.DecodeString(encoded[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(part, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestEveryKindOfClientLogsIn(t *testing.T) {
	t.Parallel()
	key := certified.NewKey(t)
	clients := []certified.Client{
		client("a secret by HTTP Basic, RS256", nil),
		client("a secret in the form, ES256", func(c *certified.Client) { c.AuthMethod, c.IDTokenAlg = "client_secret_post", "ES256" }),
		client("a key, EdDSA", func(c *certified.Client) {
			c.AuthMethod, c.IDTokenAlg, c.JWKS = "private_key_jwt", "EdDSA", certified.KeySet(key)
		}),
		client("pushed authorization requests, PS256", func(c *certified.Client) { c.PAR, c.IDTokenAlg = true, "PS256" }),
		client("tokens bound to a key", func(c *certified.Client) { c.DPoP = true }),
		client("no secret", func(c *certified.Client) {
			c.AuthMethod, c.Secret, c.GrantTypes = "none", "", []string{"authorization_code", "refresh_token"}
		}),
	}
	p := certified.Start(t, certified.Settings{Clients: clients, AccessTokenTTL: 7 * time.Second})
	for _, c := range clients {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			a := p.App(t, c, key)
			tokens := a.LogIn(t, "alice", nil)
			header, claims := parts(t, tokens["id_token"])
			if header["alg"] != c.IDTokenAlg || claims["nonce"] != "the nonce" || claims["sub"] != "alice" || claims["aud"] != c.ID {
				t.Errorf("the ID token is %v %v", header, claims)
			}
			if got := tokens["expires_in"]; got != 7.0 {
				t.Errorf("the access token lasts %v s", got)
			}
			status, got := userinfo(t, a, tokens)
			if status != http.StatusOK || got["sub"] != "alice" || got["name"] != "Alice Liddell" || got["email"] != nil {
				t.Errorf("userinfo: %d %v", status, got)
			}
			status, renewed := refresh(t, a, tokens)
			if status != http.StatusOK || renewed["access_token"] == tokens["access_token"] ||
				renewed["refresh_token"] == tokens["refresh_token"] {
				t.Fatalf("refreshing: %d", status)
			}
			if status, got := userinfo(t, a, renewed); status != http.StatusOK || got["sub"] != "alice" {
				t.Errorf("userinfo after refreshing: %d %v", status, got)
			}
			if status, answer := refresh(t, a, tokens); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
				t.Errorf("refreshing with a used token: %d %v", status, answer)
			}
		})
	}
}

func TestTheRulesAreEnforced(t *testing.T) {
	t.Parallel()
	plain, bound := client("plain", nil), client("bound", func(c *certified.Client) { c.DPoP = true })
	key := certified.NewKey(t)
	p := certified.Start(t, certified.Settings{Clients: []certified.Client{plain, bound}})
	code := func(t *testing.T, a *certified.App) string {
		t.Helper()
		return p.Walk(t, a.Browser, a.AuthorizationURL(t, nil), certified.SignIn("alice")).Query().Get("code")
	}
	t.Run("a code is good once", func(t *testing.T) {
		t.Parallel()
		a := p.App(t, plain, key)
		code := code(t, a)
		if status, answer := a.Redeem(t, code, nil); status != http.StatusOK {
			t.Fatalf("the first time: %d %v", status, answer)
		}
		if status, answer := a.Redeem(t, code, nil); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			t.Errorf("the second time: %d %v", status, answer)
		}
	})
	t.Run("a wrong secret", func(t *testing.T) {
		t.Parallel()
		a := p.App(t, plain, key)
		code := code(t, a)
		a.Client.Secret = "wrong"
		if status, answer := a.Redeem(t, code, nil); status != http.StatusUnauthorized || answer["error"] != "invalid_client" {
			t.Errorf("got %d %v", status, answer)
		}
		a.Client.Secret = certified.Secret
		if status, answer := a.Redeem(t, code, nil); status != http.StatusOK {
			t.Errorf("with the right one: %d %v", status, answer)
		}
	})
	t.Run("a token bound to a key, with another key's proof", func(t *testing.T) {
		t.Parallel()
		a := p.App(t, bound, key)
		tokens := a.LogIn(t, "alice", nil)
		if status, answer := userinfo(t, a, tokens); status != http.StatusOK {
			t.Fatalf("with its own: %d %v", status, answer)
		}
		if status, answer := userinfo(t, p.App(t, bound, certified.NewKey(t)), tokens); status != http.StatusUnauthorized {
			t.Errorf("got %d %v", status, answer)
		}
	})
	t.Run("a wrong password", func(t *testing.T) {
		t.Parallel()
		a := p.App(t, plain, key)
		response, err := a.Browser.Get(a.AuthorizationURL(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		form, err := response.Location()
		if err != nil {
			t.Fatal(err)
		}
		response, err = a.Browser.PostForm(form.String(), url.Values{"username": {"alice"}, "password": {certified.Password("bob")}})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK || response.Header.Get("Location") != "" { // the form again
			t.Errorf("got %s", response.Status)
		}
		if got := p.Walk(t, a.Browser, form.String(), certified.SignIn("alice")).Query(); got.Get("code") == "" {
			t.Errorf("with the right one the provider says %v", got)
		}
	})
	t.Run("somebody says no", func(t *testing.T) {
		t.Parallel()
		a := p.App(t, plain, key)
		answers := certified.SignIn("alice")
		delete(answers, "consent")
		answers["deny"] = "yes"
		got := p.Walk(t, a.Browser, a.AuthorizationURL(t, nil), answers).Query()
		if got.Get("error") != "access_denied" || got.Has("code") {
			t.Errorf("the provider says %v", got)
		}
	})
}

func TestAccessTokensForAnAPI(t *testing.T) {
	t.Parallel()
	var clients []certified.Client
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		clients = append(clients, client(alg, func(c *certified.Client) { c.IDTokenAlg = alg }))
	}
	opaque := client("opaque", func(c *certified.Client) { c.OpaqueTokens = true })
	p := certified.Start(t, certified.Settings{Clients: append(clients, opaque)})
	reads := url.Values{"resource": {certified.Resource}, "scope": {"openid contents:read"}}
	for _, c := range clients {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			a := p.App(t, c, certified.NewKey(t))
			header, claims := parts(t, a.LogIn(t, "alice", reads)["access_token"])
			if header["alg"] != c.IDTokenAlg || header["typ"] != "at+jwt" {
				t.Errorf("the header is %v", header)
			}
			if claims["aud"] != certified.Resource || claims["scope"] != "contents:read" || claims["sub"] != "alice" ||
				claims["permissions"] == nil {
				t.Errorf("the claims are %v", claims)
			}
			_, own := a.Post(t, "token", url.Values{
				"grant_type": {"client_credentials"}, "resource": {certified.Resource}, "scope": {"contents:read contents:write"},
			})
			if _, claims := parts(t, own["access_token"]); claims["sub"] != c.ID || claims["scope"] != "contents:read contents:write" {
				t.Errorf("the claims of the client's own are %v", claims)
			}
		})
	}
	t.Run("opaque", func(t *testing.T) {
		t.Parallel()
		a := p.App(t, opaque, certified.NewKey(t))
		access := url.Values{"token": {a.LogIn(t, "alice", reads)["access_token"].(string)}}
		if strings.Contains(access.Get("token"), ".") {
			t.Error("it isn't")
		}
		_, told := a.Post(t, "introspection", access)
		if told["active"] != true || told["aud"] != certified.Resource || told["sub"] != "alice" || told["permissions"] == nil {
			t.Errorf("introspection says %v", told)
		}
		if status, answer := a.Post(t, "revocation", access); status != http.StatusOK {
			t.Errorf("revoking it: %d %v", status, answer)
		}
		if _, told := a.Post(t, "introspection", access); told["active"] != false {
			t.Errorf("introspection says %v of a revoked one", told)
		}
	})
}

func TestAnAccountThatChangesAndGoes(t *testing.T) {
	t.Parallel()
	c := client("app", nil)
	p := certified.Start(t, certified.Settings{Clients: []certified.Client{c}})
	a := p.App(t, c, certified.NewKey(t))
	tokens := a.LogIn(t, "alice", nil)
	people := certified.People()
	people["alice"]["name"] = "Alice Hargreaves"
	p.SetAccounts(t, people)
	if status, got := userinfo(t, a, tokens); status != http.StatusOK || got["name"] != "Alice Hargreaves" {
		t.Errorf("userinfo: %d %v", status, got)
	}
	delete(people, "alice")
	p.SetAccounts(t, people)
	if status, answer := refresh(t, a, tokens); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
		t.Errorf("refreshing for nobody: %d %v", status, answer)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		told <- r.URL.Path + " " + r.PostFormValue("logout_token")
	}))
	t.Cleanup(server.Close)
	c := client("app", func(c *certified.Client) { c.BackchannelLogoutURI = server.URL + "/backchannel" })
	p := certified.Start(t, certified.Settings{Clients: []certified.Client{c}})
	a := p.App(t, c, certified.NewKey(t))
	tokens := a.LogIn(t, "alice", nil)
	query := url.Values{
		"id_token_hint": {tokens["id_token"].(string)}, "post_logout_redirect_uri": c.PostLogoutRedirectURIs, "state": {"bye"},
	}
	back := p.Walk(t, a.Browser, a.Endpoint(t, "end_session")+"?"+query.Encode(), certified.SignOut())
	if got, want := back.String(), c.PostLogoutRedirectURIs[0]+"?state=bye"; got != want {
		t.Errorf("the provider leads to %s, want %s", got, want)
	}
	// It tells the application before it lets the browser go on.
	path, token, _ := strings.Cut(<-told, " ")
	header, claims := parts(t, token)
	_, of := parts(t, tokens["id_token"])
	if path != "/backchannel" || header["typ"] != "logout+jwt" || claims["sub"] != "alice" ||
		claims["sid"] == nil || claims["sid"] != of["sid"] {
		t.Errorf("at %s the application was told %v %v", path, header, claims)
	}
	// The browser's session is over: who comes back has to log in.
	again := a.AuthorizationURL(t, url.Values{"prompt": {"none"}, "scope": {"openid"}})
	if got := p.Walk(t, a.Browser, again, nil).Query().Get("error"); got != "login_required" {
		t.Errorf("without asking the provider says %q", got)
	}
}
