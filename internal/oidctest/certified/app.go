package certified

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
)

// An App is an application that speaks to the provider by hand, in plain HTTP: an API client that gets the tokens that a test
// sends to the library.
type App struct {
	Client  Client
	Browser *http.Client

	provider *Provider
	key      oidctest.Key
	metadata map[string]any
}

// NewKey gives a key of a client's own: for private_key_jwt, and for tokens that are bound to it.
func NewKey(t testing.TB) oidctest.Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return oidctest.Key{Alg: "ES256", Private: private}
}

// KeySet is the public half of a key, as a client registers it.
func KeySet(key oidctest.Key) json.RawMessage {
	return encode(map[string]any{"keys": []any{key.JWK()}})
}

// App gives an application that is the client, with this key, and a browser that nobody has used.
func (p *Provider) App(t testing.TB, client Client, key oidctest.Key) *App {
	t.Helper()
	a := &App{Client: client, Browser: NewBrowser(), provider: p, key: key}
	var status int
	if status, a.metadata = a.Get(t, p.Issuer+"/.well-known/openid-configuration", ""); status != http.StatusOK {
		t.Fatalf("the metadata: %d %v", status, a.metadata)
	}
	return a
}

// Endpoint gives an endpoint's address by the metadata, as "token" or "userinfo".
func (a *App) Endpoint(t testing.TB, name string) string {
	t.Helper()
	address, ok := a.metadata[name+"_endpoint"].(string)
	if !ok {
		t.Fatalf("the metadata names no %s endpoint", name)
	}
	return address
}

// verifier is the code verifier of RFC 7636, appendix B; challenge is its hash.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// AuthorizationURL is where to send somebody for a code. params are added, or replace what it asks for by itself. A client of
// RFC 9126 pushes the request.
func (a *App) AuthorizationURL(t testing.TB, params url.Values) string {
	t.Helper()
	query := url.Values{
		"client_id": {a.Client.ID}, "redirect_uri": a.Client.RedirectURIs, "response_type": {"code"},
		"scope": {"openid profile groups permissions offline_access"}, "prompt": {"consent"},
		"state": {"the state"}, "nonce": {"the nonce"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	maps.Copy(query, params)
	if a.Client.PAR {
		status, pushed := a.Post(t, "pushed_authorization_request", query)
		reference, _ := pushed["request_uri"].(string)
		if status != http.StatusCreated || reference == "" {
			t.Fatalf("pushing the request: %d %v", status, pushed)
		}
		query = url.Values{"client_id": {a.Client.ID}, "request_uri": {reference}}
	}
	return a.Endpoint(t, "authorization") + "?" + query.Encode()
}

// Redeem trades a code for tokens.
func (a *App) Redeem(t testing.TB, code string, params url.Values) (status int, tokens map[string]any) {
	t.Helper()
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": a.Client.RedirectURIs, "code_verifier": {verifier},
	}
	maps.Copy(form, params)
	return a.Post(t, "token", form)
}

// LogIn sends somebody to the provider, who logs in as name, and gives the tokens for that.
func (a *App) LogIn(t testing.TB, name string, params url.Values) (tokens map[string]any) {
	t.Helper()
	back := a.provider.Walk(t, a.Browser, a.AuthorizationURL(t, params), SignIn(name))
	if got := back.Scheme + "://" + back.Host + back.Path; got != a.Client.RedirectURIs[0] {
		t.Fatalf("the provider leads to %s, want %s", got, a.Client.RedirectURIs[0])
	}
	if got := back.Query(); got.Get("state") != "the state" || got.Get("iss") != a.provider.Issuer {
		t.Fatalf("the provider says %v", got)
	}
	status, tokens := a.Redeem(t, back.Query().Get("code"), params)
	if status != http.StatusOK {
		t.Fatalf("redeeming the code: %d %v", status, tokens)
	}
	return tokens
}

// Post sends a form to an endpoint, as this client.
func (a *App) Post(t testing.TB, endpoint string, form url.Values) (status int, answer map[string]any) {
	t.Helper()
	form, address := maps.Clone(form), a.Endpoint(t, endpoint)
	switch a.Client.AuthMethod {
	case "client_secret_post":
		form.Set("client_secret", a.Client.Secret)
		fallthrough
	case "none":
		form.Set("client_id", a.Client.ID)
	case "private_key_jwt": // RFC 7523 section 3
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", a.sign(map[string]any{"typ": "JWT"}, map[string]any{
			"iss": a.Client.ID, "sub": a.Client.ID, "aud": a.provider.Issuer, "exp": time.Now().Add(time.Minute).Unix(),
		}))
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a.Client.AuthMethod == "client_secret_basic" {
		request.SetBasicAuth(url.QueryEscape(a.Client.ID), url.QueryEscape(a.Client.Secret)) // RFC 6749 section 2.3.1
	}
	if a.Client.DPoP && endpoint == "token" {
		request.Header.Set("DPoP", a.Proof(http.MethodPost, address, ""))
	}
	return send(t, request)
}

// Get asks for JSON with an access token, if there is one, and with a proof for a client of bound ones.
func (a *App) Get(t testing.TB, address, access string) (status int, answer map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case access == "":
	case a.Client.DPoP:
		request.Header.Set("Authorization", "DPoP "+access)
		request.Header.Set("DPoP", a.Proof(http.MethodGet, address, access))
	default:
		request.Header.Set("Authorization", "Bearer "+access)
	}
	return send(t, request)
}

func send(t testing.TB, request *http.Request) (status int, answer map[string]any) {
	t.Helper()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.ContentLength != 0 {
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatalf("%s: status %d: %v", request.URL, response.StatusCode, err)
		}
	}
	return response.StatusCode, answer
}

// Proof is for one request with an access token, or for the token endpoint with none (RFC 9449 section 4.2).
func (a *App) Proof(method, address, access string) string {
	claims := map[string]any{"htm": method, "htu": address}
	if access != "" {
		hash := sha256.Sum256([]byte(access))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(hash[:])
	}
	return a.sign(map[string]any{"typ": "dpop+jwt", "jwk": a.key.JWK()}, claims)
}

// sign gives a token of the application's own, which may be used once.
func (a *App) sign(header, claims map[string]any) string {
	header["alg"] = a.key.Alg
	claims["iat"], claims["jti"] = time.Now().Unix(), rand.Text()
	return oidctest.Sign(encode(header), encode(claims), a.key)
}

func encode(v map[string]any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // unreachable: strings and whole numbers
	}
	return text
}
