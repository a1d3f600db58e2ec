package op_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest/certified"
	"github.com/ostiary/auth/oidcauth/internal/op"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// What this package sends and takes is what a certified provider takes and sends, for each way of client authentication and
// each algorithm.
func TestACertifiedProvider(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1)
	application := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		told <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(application.Close)
	key := certified.NewKey(t)
	cases := []struct {
		id     string
		change func(*certified.Client)
		config op.Config
	}{
		{"basic", func(c *certified.Client) { c.IDTokenAlg = "RS256" }, op.Config{Auth: op.Basic, ClientSecret: certified.Secret}},
		{"post", func(c *certified.Client) {
			c.IDTokenAlg, c.AuthMethod = "ES256", "client_secret_post"
		}, op.Config{Auth: op.Post, ClientSecret: certified.Secret}},
		{"key", func(c *certified.Client) {
			c.IDTokenAlg, c.AuthMethod, c.JWKS = "EdDSA", "private_key_jwt", certified.KeySet(key)
		}, op.Config{Auth: op.PrivateKeyJWT, Key: key.Private}},
		{"public", func(c *certified.Client) {
			c.IDTokenAlg, c.AuthMethod, c.Secret, c.GrantTypes = "PS256", "none", "", []string{"authorization_code", "refresh_token"}
		}, op.Config{Auth: op.None}},
	}
	var clients []certified.Client
	for _, tc := range cases {
		c := certified.NewClient(tc.id, application.URL)
		tc.change(&c)
		clients = append(clients, c)
	}
	p := certified.Start(t, certified.Settings{Clients: clients})
	for i, tc := range cases { // one after the other: they share the application
		t.Run(tc.id+" "+clients[i].IDTokenAlg, func(t *testing.T) {
			tc.config.Issuer, tc.config.ClientID = p.Issuer, tc.id
			client, err := op.New(tc.config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			c := clients[i]
			browser := certified.NewBrowser()
			address, err := client.AuthorizationURL(t.Context(), url.Values{
				"redirect_uri": {c.RedirectURIs[0]}, "scope": {"openid profile offline_access"}, "prompt": {"consent"},
				"state": {"the-state"}, "nonce": {"the-nonce"},
				"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if sent, _ := url.Parse(address); sent.Query().Get("request_uri") == "" {
				t.Error("the request wasn't pushed")
			}
			back := p.Walk(t, browser, address, certified.SignIn("alice")).Query()
			if back.Get("state") != "the-state" || back.Get("iss") != p.Issuer {
				t.Fatalf("it came back with %v", back)
			}
			got, err := client.Exchange(t.Context(), back.Get("code"), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", c.RedirectURIs[0])
			if err != nil {
				t.Fatal(err)
			}
			check := token.IDCheck{
				Issuer: p.Issuer, ClientID: tc.id, Algs: []string{c.IDTokenAlg}, Now: time.Now(), Nonce: "the-nonce", AccessToken: got.Access,
			}
			id := parse(t, got.ID)
			if err := id.CheckID(t.Context(), client, check); err != nil {
				t.Fatal(err)
			}
			if claims, err := client.UserInfo(t.Context(), got.Access, "alice"); err != nil || claims["name"] != "Alice Liddell" {
				t.Errorf("userinfo: %v, %v", claims, err)
			}
			if tc.config.Auth != op.None { // the provider doesn't let those ask
				if claims, err := client.Introspect(t.Context(), got.Access); err != nil || claims["sub"] != "alice" {
					t.Errorf("introspection: %v, %v", claims, err)
				}
			}

			again, err := client.Refresh(t.Context(), got.Refresh)
			if err != nil {
				t.Fatal(err)
			}
			check.AccessToken = again.Access
			if err := parse(t, again.ID).CheckRefreshed(t.Context(), client, check, id.Facts()); err != nil {
				t.Error(err)
			}
			if err := client.Revoke(t.Context(), again.Refresh); err != nil {
				t.Error(err)
			}
			var refused *op.RefusedError
			if _, err := client.Refresh(t.Context(), again.Refresh); !errors.As(err, &refused) || refused.Code != "invalid_grant" {
				t.Errorf("refreshing with a revoked token: %v", err)
			}
			if _, err := client.UserInfo(t.Context(), again.Access, "alice"); !errors.As(err, new(*op.RefusedError)) {
				t.Errorf("userinfo after the revocation: %v", err)
			}

			address, err = client.EndSessionURL(t.Context(), url.Values{
				"id_token_hint": {again.ID}, "post_logout_redirect_uri": {c.PostLogoutRedirectURIs[0]}, "state": {"bye"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := p.Walk(t, browser, address, certified.SignOut()).String(), c.PostLogoutRedirectURIs[0]+"?state=bye"; got != want {
				t.Errorf("after the logout it leads to %s, want %s", got, want)
			}
			logout := parse(t, <-told)
			err = logout.CheckLogout(t.Context(), client, token.LogoutCheck{
				Issuer: p.Issuer, ClientID: tc.id, Algs: []string{c.IDTokenAlg}, Now: time.Now(),
			})
			if err != nil {
				t.Error(err)
			}
			if logout.Claims["sid"] != id.Claims["sid"] || id.Claims["sid"] == nil {
				t.Errorf("it ends the session %v, not %v", logout.Claims["sid"], id.Claims["sid"])
			}
		})
	}
}

func parse(t *testing.T, raw string) *token.Token {
	t.Helper()
	parsed, err := token.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
