package op_test

import (
	"net/url"
	"reflect"
	"testing"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

func TestAuthorizationURL(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	p.say(discovery, p.with(map[string]any{
		"authorization_endpoint": "https://accounts.example.com/auth%2Fa?tenant=a%26b&client_id=theirs&scope=all",
	}))
	params := url.Values{"scope": {"openid email"}, "state": {"s&t"}, "client_id": {"not this"}}
	got, err := client.AuthorizationURL(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"tenant": {"a&b"}, "scope": {"openid email"}, "state": {"s&t"}, "client_id": {"client"}, "response_type": {"code"},
	}
	if u.Scheme != "https" || u.Host != "accounts.example.com" || u.EscapedPath() != "/auth%2Fa" || !reflect.DeepEqual(u.Query(), want) {
		t.Errorf("got %s, want the endpoint with %v", got, want)
	}
	if !reflect.DeepEqual(params, url.Values{"scope": {"openid email"}, "state": {"s&t"}, "client_id": {"not this"}}) {
		t.Errorf("the caller's parameters are now %v", params)
	}
	if p.count(par) != 0 {
		t.Error("the request was pushed to a provider that offers no such thing")
	}
}

// RFC 9126: what was asked for goes to the provider directly, and the browser carries a reference only.
func TestPushedAuthorizationRequests(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[string]any{"offered": {}, "required": {"require_pushed_authorization_requests": true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, _ := setup(t)
			change["pushed_authorization_request_endpoint"] = p.issuer + par
			p.say(discovery, p.with(change))
			params := url.Values{"scope": {"openid"}, "state": {"the-state"}, "nonce": {"the-nonce"}, "code_challenge": {"c"}}
			got, err := client.AuthorizationURL(t.Context(), params)
			if err != nil {
				t.Fatal(err)
			}
			if want := p.issuer + "/authorize?client_id=client&request_uri=urn%3Aexample%3A1"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			sent := p.last(t, par)
			want := url.Values{
				"scope": {"openid"}, "state": {"the-state"}, "nonce": {"the-nonce"}, "code_challenge": {"c"},
				"client_id": {"client"}, "response_type": {"code"},
			}
			if !reflect.DeepEqual(sent.form, want) || sent.header.Get("Authorization") == "" {
				t.Errorf("got form %v, want %v and the client's proof", sent.form, want)
			}
		})
	}
}

func TestPushedRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"good":                            {201, `{"request_uri":"urn:example:1","expires_in":60}`, ""},
		"with status 200":                 {200, `{"request_uri":"urn:example:1"}`, ""},
		"no reference":                    {201, `{"expires_in":60}`, "unavailable"},
		"an empty one":                    {201, `{"request_uri":""}`, "unavailable"},
		"one that is no text":             {201, `{"request_uri":{"a":1}}`, "unavailable"},
		"one with a line end":             {201, `{"request_uri":"urn:a\r\nb"}`, "unavailable"},
		"one that is given twice":         {201, `{"request_uri":"urn:a","request_uri":"urn:b"}`, "unavailable"},
		"a request that it does not like": {400, `{"error":"invalid_request"}`, "invalid_request"},
		"a client that it does not know":  {401, `{"error":"invalid_client"}`, "invalid_client"},
		"an error of its own":             {500, `{}`, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, _ := setup(t, func(cfg *op.Config) { cfg.Auth = op.Post })
			withPAR(p)
			p.sayJSON(par, c.status, c.body)
			got, err := client.AuthorizationURL(t.Context(), url.Values{"scope": {"openid"}, "state": {"the-state"}})
			check(t, err, c.want)
			if (got != "") != (c.want == "") { // never the old way instead, with everything in the URL
				t.Errorf("got %q, want a URL: %t", got, c.want == "")
			}
			if word := shows(got, "the client's secret", "the-state", "client_secret"); word != "" {
				t.Errorf("got %s, which holds %q", got, word)
			}
		})
	}
}

// LO-01
func TestEndSessionURL(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	got, err := client.EndSessionURL(t.Context(), url.Values{"state": {"s"}, "post_logout_redirect_uri": {"https://app.example/bye"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := p.issuer + "/logout?client_id=client&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye&state=s"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
