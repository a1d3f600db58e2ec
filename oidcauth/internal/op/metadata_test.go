package op_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

// rp-discovery-openid-configuration, rp-discovery-jwks_uri-keys (…-discovery-openid-config, …-discovery-jwks-uri-keys)
func TestMetadataIsFetchedWhenItIsNeededAndKept(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	if n := p.count(discovery); n != 0 {
		t.Fatalf("got %d calls by New, want none", n)
	}
	p.say(discovery, p.with(map[string]any{"jwks_uri": p.issuer + "/keys/of/today", "authorization_response_iss_parameter_supported": true}))
	p.say("/keys/of/today", p.keys("k1"))
	for range 3 {
		got, err := client.Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := op.Metadata{
			Issuer: p.issuer, Authorization: p.issuer + "/authorize", Token: p.issuer + tokens, Keys: p.issuer + "/keys/of/today",
			UserInfo: p.issuer + userinfo, Introspection: p.issuer + introspect, Revocation: p.issuer + revoke,
			EndSession: p.issuer + "/logout", IssParameter: true, // O-09
		}
		if *got != want {
			t.Errorf("got %+v, want %+v", *got, want)
		}
	}
	if keys, err := client.Keys(t.Context(), "k1", "EdDSA", false); err != nil || len(keys) != 1 {
		t.Errorf("got %d keys, %v, want the one at the discovered place", len(keys), err)
	}
	if n := p.count(discovery); n != 1 {
		t.Errorf("got %d calls, want 1", n)
	}
}

// O-18, rp-discovery-issuer-not-matching-config (…-discovery-issuer-mismatch, discovery-issuer-mismatch)
func TestMetadataThatIsRefused(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	for name, c := range map[string]struct {
		changes m
		body    string // instead
		good    bool
	}{
		"as it is": {good: true},
		"endpoints on other https hosts, in private networks too": {changes: m{
			"authorization_endpoint": "https://accounts.example.com/auth?tenant=1", "token_endpoint": "https://oauth2.example.net:8443/token",
			"userinfo_endpoint": "https://10.0.0.7/userinfo", "jwks_uri": "https://[fd00::7]/jwks",
		}, good: true},
		"an endpoint that is not offered, as null": {changes: m{"userinfo_endpoint": nil, "end_session_endpoint": json.RawMessage("null")}, good: true},
		"members that nobody knows":                {changes: m{"x": m{"y": []int{1}}}, good: true},

		"another issuer":                     {changes: m{"issuer": "https://evil.example"}},
		"the issuer with a slash behind it":  {changes: m{"issuer": "%s/"}},
		"the issuer in capitals":             {changes: m{"issuer": "HTTP://127.0.0.1"}},
		"no issuer":                          {changes: m{"issuer": nil}},
		"an issuer that is a list":           {changes: m{"issuer": []string{"%s"}}},
		"no jwks_uri":                        {changes: m{"jwks_uri": nil}},
		"an empty jwks_uri":                  {changes: m{"jwks_uri": ""}},
		"no authorization_endpoint":          {changes: m{"authorization_endpoint": nil}},
		"no token_endpoint":                  {changes: m{"token_endpoint": nil}},
		"a token_endpoint that is no text":   {changes: m{"token_endpoint": 1}},
		"a token_endpoint on http elsewhere": {changes: m{"token_endpoint": "http://op.example/token"}},
		"a name that begins like loopback":   {changes: m{"token_endpoint": "http://localhost.evil.example/token"}},
		"jwks_uri a file":                    {changes: m{"jwks_uri": "file:///etc/passwd"}},
		"jwks_uri a file on a host":          {changes: m{"jwks_uri": "file://localhost/etc/passwd"}},
		"jwks_uri data":                      {changes: m{"jwks_uri": "data:application/json,{}"}},
		"jwks_uri gopher":                    {changes: m{"jwks_uri": "gopher://127.0.0.1/x"}},
		"jwks_uri without a scheme":          {changes: m{"jwks_uri": "//127.0.0.1/jwks"}},
		"jwks_uri a path":                    {changes: m{"jwks_uri": "/jwks"}},
		"link-local jwks_uri":                {changes: m{"jwks_uri": "https://169.254.169.254/jwks"}},
		"link-local IPv6 jwks_uri":           {changes: m{"jwks_uri": "https://[fe80::1]/jwks"}},
		"link-local as IPv6":                 {changes: m{"jwks_uri": "https://[::ffff:169.254.169.254]/jwks"}},
		"the unspecified address":            {changes: m{"jwks_uri": "https://0.0.0.0/jwks"}},
		"the unspecified address as IPv6":    {changes: m{"jwks_uri": "https://[::ffff:0.0.0.0]/jwks"}},
		"a multicast address":                {changes: m{"jwks_uri": "https://224.0.0.1/jwks"}},
		"userinfo_endpoint with a user":      {changes: m{"userinfo_endpoint": "https://a:b@op.example/userinfo"}},
		"userinfo_endpoint with a fragment":  {changes: m{"userinfo_endpoint": "https://op.example/userinfo#x"}},
		"an endpoint without a host":         {changes: m{"introspection_endpoint": "https:///introspect"}},
		"an endpoint with only a port":       {changes: m{"introspection_endpoint": "https://:443/introspect"}},
		"an opaque endpoint":                 {changes: m{"revocation_endpoint": "https:op.example"}},
		"a line end in an endpoint":          {changes: m{"revocation_endpoint": "https://op.example/\r\nX: y"}},
		"an endpoint that is long":           {changes: m{"revocation_endpoint": "https://op.example/" + strings.Repeat("a", 3000)}},
		"an end_session_endpoint that runs":  {changes: m{"end_session_endpoint": "javascript:alert(1)"}},
		"a PAR endpoint on http elsewhere":   {changes: m{"pushed_authorization_request_endpoint": "http://op.example/par"}},
		"PAR required and not offered":       {changes: m{"require_pushed_authorization_requests": true}},
		"iss parameter supported, as text":   {changes: m{"authorization_response_iss_parameter_supported": "true"}}, // O-09
		"a member twice":                     {body: `{"issuer":%q,"issuer":%[1]q,"authorization_endpoint":%[1]q,"token_endpoint":%[1]q,"jwks_uri":%[1]q}`},
		"the issuer in other letters beside": {body: `{"Issuer":%q,"authorization_endpoint":%[1]q,"token_endpoint":%[1]q,"jwks_uri":%[1]q}`},
		"something behind the object":        {body: `{"issuer":%q,"authorization_endpoint":%[1]q,"token_endpoint":%[1]q,"jwks_uri":%[1]q}{}`},
		"a list":                             {body: `[%q]`},
		"a page":                             {body: `<html>%s`},
		"deeper than anybody would nest":     {body: strings.Repeat(`{"%[1]s":`, 100)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, _ := setup(t)
			switch {
			case c.body != "":
				p.sayJSON(discovery, 200, fmt.Sprintf(c.body, p.issuer))
			default:
				if text, ok := c.changes["issuer"].(string); ok {
					c.changes["issuer"] = strings.Replace(text, "%s", p.issuer, 1)
				}
				p.say(discovery, p.with(c.changes))
			}
			got, err := client.Metadata(t.Context())
			if c.good {
				if err != nil || got.Issuer != p.issuer {
					t.Errorf("got %v, want metadata", err)
				}
				return
			}
			check(t, err, "unavailable")
			// A provider that can't be believed gets nothing: no browser, no code, no request for its keys.
			_, err = client.AuthorizationURL(t.Context(), nil)
			check(t, err, "unavailable")
			_, err = exchange(t, client)
			check(t, err, "unavailable")
			_, err = client.Keys(t.Context(), "k1", "EdDSA", false)
			check(t, err, "unavailable")
			if p.count(tokens)+p.count(jwks) != 0 || p.count(discovery) != 1 {
				t.Errorf("got %d, %d and %d calls, want only the first one for the metadata", p.count(discovery), p.count(tokens), p.count(jwks))
			}
		})
	}
}

// O-18: a provider that isn't this machine must not have this machine call itself.
func TestOnlyAProviderOnLoopbackMayNameLoopback(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"https://other.example/token": true, "https://127.0.0.1/token": false, "http://127.0.0.1:8080/token": false,
		"https://localhost:5432/": false, "https://[::1]/token": false, "https://db.localhost/token": false,
		// What becomes loopback only on the way there.
		"https://localhost./": false, "https://db.localhost./": false, "https://127.0.0.1./": false, "https://[::1%25lo]/": false,
		"https://[::ffff:127.0.0.1]/": false, "https://127.1/": false, "https://0x7f.1/": false, "https://0X7F000001:443/": false,
		"https://2130706433/": false, "https://0177.0.0.1/": false, "https://0x/": false, "https://127.0.0.256/": false,
		"https://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/": false, "https://%E2%93%9Bocalhost/": false, "https://%25/": false,
		"https://1.example/": true, "https://127.0.0.1.nip.example/": true, "https://0x.example/": true, "https://x0x7f/": true,
		"https://xn--80ak6aa92e.example/": true, "https://10.1.2.3/": true, "https://[fd00::1]/": true,
	} {
		body := fmt.Sprintf(`{"issuer":"https://op.example/a/","authorization_endpoint":"https://op.example/a","jwks_uri":"https://op.example/j",`+
			`"token_endpoint":%q}`, text)
		if _, err := op.ParseMetadata([]byte(body), "https://op.example/a/"); (err == nil) != good {
			t.Errorf("%s: got %v, want it taken: %t", text, err, good)
		}
	}
}

// The issuer is kept as it is written; only the address of its metadata is without the last slash.
func TestAnIssuerMayEndWithASlash(t *testing.T) {
	t.Parallel()
	p, _, _ := setup(t)
	base := p.issuer
	p.issuer = base + "/realms/a/"
	p.say("/realms/a"+discovery, p.with(map[string]any{"token_endpoint": base + tokens}))
	client, _ := newClient(t, p)
	if m, err := client.Metadata(t.Context()); err != nil || m.Issuer != base+"/realms/a/" {
		t.Errorf("got %v, want the metadata of the issuer with its slash", err)
	}
}

func TestNewRefusesAConfigurationThatCanNotWork(t *testing.T) {
	t.Parallel()
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := op.Config{Issuer: "https://op.example", ClientID: "c", ClientSecret: "s"}
	if _, err := op.New(good); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for name, c := range map[string]struct {
		change func(*op.Config)
		field  string
	}{
		"no issuer":                      {func(c *op.Config) { c.Issuer = "" }, "Issuer"},
		"an issuer on http":              {func(c *op.Config) { c.Issuer = "http://op.example" }, "Issuer"}, // O-18
		"an issuer that is a file":       {func(c *op.Config) { c.Issuer = "file:///etc" }, "Issuer"},
		"the address of the metadata":    {func(c *op.Config) { c.Issuer += "/.well-known/openid-configuration" }, "without /.well-known"},
		"an issuer with a query":         {func(c *op.Config) { c.Issuer = "https://op.example?a=b" }, "Issuer"},
		"an issuer with an empty query":  {func(c *op.Config) { c.Issuer = "https://op.example?" }, "Issuer"},
		"an issuer with a fragment":      {func(c *op.Config) { c.Issuer = "https://op.example#" }, "Issuer"},
		"an issuer with a user":          {func(c *op.Config) { c.Issuer = "https://u@op.example" }, "Issuer"},
		"an issuer with spaces":          {func(c *op.Config) { c.Issuer = " https://op.example" }, "Issuer"},
		"an issuer without a host":       {func(c *op.Config) { c.Issuer = "https:///a" }, "Issuer"},
		"a link-local issuer":            {func(c *op.Config) { c.Issuer = "https://169.254.169.254" }, "Issuer"},
		"an issuer in another spelling":  {func(c *op.Config) { c.Issuer = "HTTPS://op.example" }, "Issuer"},
		"no client ID":                   {func(c *op.Config) { c.ClientID = "" }, "ClientID"},
		"no secret":                      {func(c *op.Config) { c.ClientSecret = "" }, "ClientSecret"},
		"no secret to post":              {func(c *op.Config) { c.ClientSecret, c.Auth = "", op.Post }, "ClientSecret"},
		"a secret of a public client":    {func(c *op.Config) { c.Auth = op.None }, "ClientSecret"},
		"a secret beside a key":          {func(c *op.Config) { c.Auth, c.Key = op.PrivateKeyJWT, ed }, "ClientSecret"},
		"no key":                         {func(c *op.Config) { c.Auth, c.ClientSecret = op.PrivateKeyJWT, "" }, "Key"},
		"a key that is not used":         {func(c *op.Config) { c.Key = ed }, "Key"},
		"an RSA key that is too short":   {func(c *op.Config) { c.Auth, c.ClientSecret, c.Key = op.PrivateKeyJWT, "", weak }, "Key"},
		"a curve that has no algorithm":  {func(c *op.Config) { c.Auth, c.ClientSecret, c.Key = op.PrivateKeyJWT, "", p224 }, "Key"},
		"an algorithm of another key":    {func(c *op.Config) { c.Auth, c.ClientSecret, c.Key, c.KeyAlg = op.PrivateKeyJWT, "", ed, "RS256" }, "KeyAlg"},
		"an algorithm that is none":      {func(c *op.Config) { c.Auth, c.ClientSecret, c.Key, c.KeyAlg = op.PrivateKeyJWT, "", ed, "none" }, "KeyAlg"},
		"a way to prove that is unknown": {func(c *op.Config) { c.Auth = 9 }, "Auth"},
		"another one":                    {func(c *op.Config) { c.Auth = -1 }, "Auth"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			c.change(&cfg)
			client, err := op.New(cfg)
			if client != nil || err == nil || !strings.Contains(err.Error(), c.field) {
				t.Errorf("got %v, want an error that names %s", err, c.field)
			}
		})
	}
}

// G-02
func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	cfg := op.Config{Issuer: "https://op.example", ClientID: "c", ClientSecret: "hush-1"}
	client, err := op.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	secrets := op.Tokens{Access: "hush-2", Refresh: "hush-3", ID: "hush-4"}
	for _, v := range []any{cfg, &cfg, client, secrets, &secrets, []any{secrets}, map[string]any{"t": secrets}} {
		var said strings.Builder
		slog.New(slog.NewTextHandler(&said, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&said, nil)).Info("x", "v", v)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&said, verb, v)
		}
		if body, err := json.Marshal(v); err == nil {
			said.Write(body)
		}
		if strings.Contains(said.String(), "hush") || !strings.Contains(said.String(), "[redacted]") {
			t.Errorf("%T: got %s, want [redacted]", v, said.String())
		}
	}
}

func TestWhatTheProviderSetsInACookieIsDropped(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	p.say(discovery, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "tracked", Value: "1", Path: "/"})
		p.with(nil)(w, r)
	})
	if _, err := exchange(t, client); err != nil {
		t.Fatal(err)
	}
	if got := p.last(t, tokens).header.Get("Cookie"); got != "" {
		t.Errorf("got Cookie %q, want none", got)
	}
}
