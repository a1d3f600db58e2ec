package oidctest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ostiary/auth/internal/oidctest"
)

// The client that the tests are, and what it is registered with.
const (
	callback  = "https://app.example/auth/callback"
	signedOut = "https://app.example/"
	verifier  = "a-verifier-of-at-least-forty-three-characters-0"
)

func app() oidctest.Client {
	return oidctest.Client{ID: "app", Secret: "50% a+b:ü", RedirectURIs: []string{callback},
		PostLogoutRedirectURIs: []string{signedOut}}
}

// setup starts a provider with the client and alice signed in.
func setup(t *testing.T, change ...func(*oidctest.Config)) *oidctest.Provider {
	t.Helper()
	cfg := oidctest.Config{Clients: []oidctest.Client{app()}}
	for _, f := range change {
		f(&cfg)
	}
	p, err := oidctest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if !cfg.LoginForm {
		p.SignIn("alice")
	}
	return p
}

// An answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any // nil: it is no JSON object
}

// text is a member of the JSON.
func (a answer) text(name string) string {
	s, _ := a.json[name].(string)
	return s
}

// location is where the browser is sent.
func (a answer) location(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusSeeOther {
		t.Fatalf("got %d to %q (%v), want 303 to a URL; body %s", a.status, a.header.Get("Location"), err, a.body)
	}
	return u
}

// send sends r without following redirects.
func send(t *testing.T, p *oidctest.Provider, r *http.Request) answer {
	t.Helper()
	client := *p.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	_ = json.Unmarshal(body, &a.json)
	return a
}

func get(t *testing.T, p *oidctest.Provider, rawURL string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rawURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return send(t, p, r)
}

// post posts a form as app, by client_secret_basic; headers replace that.
func post(t *testing.T, p *oidctest.Provider, endpoint string, form url.Values, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Endpoint(endpoint), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", basic("app", app().Secret))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return send(t, p, r)
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// asked are the parameters of app's authorization request, with changes: name, value; an empty value takes it away.
func asked(changes ...string) url.Values {
	params := url.Values{
		"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid profile email"}, "state": {"s1"},
		"nonce": {"n1"}, "code_challenge": {s256(verifier)}, "code_challenge_method": {"S256"},
	}
	return changed(params, changes)
}

func changed(params url.Values, changes []string) url.Values {
	params = maps.Clone(params)
	for i := 0; i < len(changes); i += 2 {
		params.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			params.Del(changes[i])
		}
	}
	return params
}

// authorize sends a browser to the provider and returns the parameters that it comes back with.
func authorize(t *testing.T, p *oidctest.Provider, changes ...string) url.Values {
	t.Helper()
	to := get(t, p, p.Endpoint("authorize")+"?"+asked(changes...).Encode()).location(t)
	back := to.Query()
	to.RawQuery = ""
	if to.String() != callback {
		t.Fatalf("got sent to %s, want %s", to, callback)
	}
	return back
}

// redeem changes a code for tokens.
func redeem(t *testing.T, p *oidctest.Provider, code string, changes ...string) answer {
	t.Helper()
	return post(t, p, "token", changed(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}, changes))
}

// login is a whole login; changes are to the authorization request.
func login(t *testing.T, p *oidctest.Provider, changes ...string) answer {
	t.Helper()
	tokens := redeem(t, p, authorize(t, p, changes...).Get("code"))
	if tokens.status != http.StatusOK {
		t.Fatalf("a login: got %d %s, want 200", tokens.status, tokens.body)
	}
	return tokens
}

// verified checks a token's signature by the published keys, and returns its header and claims.
func verified(t *testing.T, p *oidctest.Provider, token string) (header jose.Header, claims map[string]any) {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA})
	if err != nil {
		t.Fatalf("%v: %s", err, token)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(get(t, p, p.Endpoint("jwks")).body), &keys); err != nil {
		t.Fatal(err)
	}
	found := keys.Key(parsed.Headers[0].KeyID)
	if len(found) != 1 {
		t.Fatalf("got %d keys %q, want one", len(found), parsed.Headers[0].KeyID)
	}
	if err := parsed.Claims(found[0].Key, &claims); err != nil {
		t.Fatal(err)
	}
	if found[0].Algorithm != parsed.Headers[0].Algorithm || found[0].Use != "sig" {
		t.Errorf("the key is for %s %s, the token's alg is %s", found[0].Use, found[0].Algorithm, parsed.Headers[0].Algorithm)
	}
	return parsed.Headers[0], claims
}

func TestAWholeLogin(t *testing.T) {
	t.Parallel()
	for _, alg := range oidctest.Algs() {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			p := setup(t, func(c *oidctest.Config) { c.Clients[0].IDTokenAlg = alg })
			metadata := get(t, p, p.Issuer()+"/.well-known/openid-configuration")
			if metadata.text("issuer") != p.Issuer() || metadata.text("token_endpoint") != p.Endpoint("token") {
				t.Fatalf("got %s, want this issuer's metadata", metadata.body)
			}
			back := authorize(t, p)
			if back.Get("state") != "s1" || back.Get("iss") != p.Issuer() || back.Get("code") == "" {
				t.Fatalf("got %v, want code, state and iss", back)
			}
			tokens := redeem(t, p, back.Get("code"))
			if tokens.status != http.StatusOK || tokens.text("token_type") != "Bearer" || tokens.json["expires_in"] != 300.0 ||
				tokens.json["refresh_token"] != nil {
				t.Fatalf("got %d %s, want a bearer token for 300 s and no refresh token", tokens.status, tokens.body)
			}
			header, claims := verified(t, p, tokens.text("id_token"))
			if header.Algorithm != alg {
				t.Errorf("got %s, want the client's %s", header.Algorithm, alg)
			}
			for name, want := range map[string]any{"iss": p.Issuer(), "sub": "alice", "aud": "app", "nonce": "n1"} {
				if claims[name] != want {
					t.Errorf("%s: got %v, want %v", name, claims[name], want)
				}
			}
			for _, name := range []string{"iat", "exp", "auth_time", "sid", "at_hash", "amr"} {
				if claims[name] == nil {
					t.Errorf("%s is missing", name)
				}
			}
			info := get(t, p, p.Endpoint("userinfo"), "Authorization", "Bearer "+tokens.text("access_token"))
			if info.status != http.StatusOK || info.text("sub") != "alice" || info.text("email") != "alice@example.test" {
				t.Errorf("got %d %s, want alice", info.status, info.body)
			}
			for _, endpoint := range []string{"discovery", "authorize", "token", "jwks", "userinfo"} {
				if got := len(p.Calls(endpoint)); got != 1 {
					t.Errorf("%s: got %d calls, want 1", endpoint, got)
				}
			}
			p.Reset()
			if got := len(p.Calls("token")); got != 0 {
				t.Errorf("after Reset: got %d calls, want none", got)
			}
		})
	}
}

// A clock that tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }
