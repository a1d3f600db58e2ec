package op_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

func TestExchangeSendsTheCodeAndGivesTheTokens(t *testing.T) {
	t.Parallel()
	p, client, now := setup(t)
	got, err := exchange(t, client)
	if err != nil {
		t.Fatal(err)
	}
	want := &op.Tokens{
		Access: "access-1", Refresh: "refresh-1", ID: "id.token.1", Scope: "openid", Expires: now.Now().Add(5 * time.Minute),
	}
	if *got != *want {
		t.Errorf("got other tokens than the provider gave")
	}
	sent := p.last(t, tokens)
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {"the-code"}, "code_verifier": {"the-verifier"},
		"redirect_uri": {"https://app.example/callback"},
	}
	if sent.method != http.MethodPost || sent.query != "" || !reflect.DeepEqual(sent.form, form) {
		t.Errorf("got %s with query %q and form %v, want the code in a form", sent.method, sent.query, sent.form)
	}
	if p.count(discovery) != 1 || p.count(tokens) != 1 || p.count(jwks) != 0 {
		t.Errorf("got %d, %d and %d calls, want one for the metadata and one for the tokens", p.count(discovery), p.count(tokens), p.count(jwks))
	}
}

// oidcc-client-test-refresh-token
func TestRefreshSendsTheTokenAndTakesAnAnswerWithoutAnother(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	p.sayJSON(tokens, 200, `{"access_token":"access-2","token_type":"Bearer","refresh_token":null}`)
	got, err := client.Refresh(t.Context(), "refresh-1")
	if err != nil {
		t.Fatal(err)
	}
	if got.Access != "access-2" || got.Refresh != "" || got.ID != "" || !got.Expires.IsZero() {
		t.Error("got other tokens than the provider gave")
	}
	want := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"refresh-1"}}
	if sent := p.last(t, tokens); !reflect.DeepEqual(sent.form, want) {
		t.Errorf("got form %v, want %v", sent.form, want)
	}
}

// O-14
func TestTokenResponses(t *testing.T) {
	t.Parallel()
	const rest = `"access_token":"a","id_token":"i"`
	for name, c := range map[string]struct {
		body string
		want string // the refusal's code, "" for taken, "unavailable"
	}{
		"good":                               {`{` + rest + `,"token_type":"Bearer"}`, ""},
		"token_type in lower case":           {`{` + rest + `,"token_type":"bearer"}`, ""},
		"token-type-case-insensitivity":      {`{` + rest + `,"token_type":"bEARER"}`, ""},
		"without_expires_in":                 {`{` + rest + `,"token_type":"Bearer","scope":"openid"}`, ""},
		"expires_in zero":                    {`{` + rest + `,"token_type":"Bearer","expires_in":0}`, ""},
		"expires_in with a fraction":         {`{` + rest + `,"token_type":"Bearer","expires_in":1.5}`, ""},
		"expires_in beyond any duration":     {`{` + rest + `,"token_type":"Bearer","expires_in":99999999999}`, ""},
		"members that nobody knows":          {`{` + rest + `,"token_type":"Bearer","x":{"y":[1]}}`, ""},
		"token_type mac":                     {`{` + rest + `,"token_type":"mac"}`, "unavailable"},
		"token_type DPoP":                    {`{` + rest + `,"token_type":"DPoP"}`, "unavailable"},
		"no token_type":                      {`{` + rest + `}`, "unavailable"},
		"token_type a list":                  {`{` + rest + `,"token_type":["Bearer"]}`, "unavailable"},
		"no id_token":                        {`{"access_token":"a","token_type":"Bearer"}`, "unavailable"},
		"an empty id_token":                  {`{"access_token":"a","id_token":"","token_type":"Bearer"}`, "unavailable"},
		"id_token in other letters":          {`{"access_token":"a","ID_TOKEN":"i","token_type":"Bearer"}`, "unavailable"},
		"no access_token":                    {`{"id_token":"i","token_type":"Bearer"}`, "unavailable"},
		"access_token a number":              {`{"access_token":1,"id_token":"i","token_type":"Bearer"}`, "unavailable"},
		"a line end in the access_token":     {`{"access_token":"a\r\nX: y","id_token":"i","token_type":"Bearer"}`, "unavailable"},
		"a refresh_token that is no text":    {`{` + rest + `,"token_type":"Bearer","refresh_token":{}}`, "unavailable"},
		"expires_in a number in quotes":      {`{` + rest + `,"token_type":"Bearer","expires_in":"300"}`, "unavailable"},
		"expires_in negative":                {`{` + rest + `,"token_type":"Bearer","expires_in":-1}`, "unavailable"},
		"expires_in 1e300":                   {`{` + rest + `,"token_type":"Bearer","expires_in":1e300}`, "unavailable"},
		"expires_in true":                    {`{` + rest + `,"token_type":"Bearer","expires_in":true}`, "unavailable"},
		"a member twice":                     {`{` + rest + `,"token_type":"Bearer","access_token":"b"}`, "unavailable"},
		"status 200 with an error":           {`{` + rest + `,"token_type":"Bearer","error":"invalid_grant"}`, "invalid_grant"},
		"status 200 with an error of no use": {`{` + rest + `,"token_type":"Bearer","error":7}`, "unavailable"},
		"a form":                             {`access_token=a&id_token=i&token_type=Bearer`, "unavailable"},
		"a list":                             {`[{` + rest + `,"token_type":"Bearer"}]`, "unavailable"},
		"something behind the object":        {`{` + rest + `,"token_type":"Bearer"}{}`, "unavailable"},
		"nothing":                            {``, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, now := setup(t)
			if _, err := exchange(t, client); err != nil {
				t.Fatalf("the good answer: %v", err)
			}
			p.sayJSON(tokens, 200, c.body)
			got, err := exchange(t, client)
			check(t, err, c.want)
			if (got != nil) != (c.want == "") {
				t.Errorf("got tokens %v, want some: %t", got, c.want == "")
			}
			if got != nil && got.Expires.After(now.Now().AddDate(10, 0, 0)) {
				t.Errorf("got an expiry in %d, want ten years at most", got.Expires.Year())
			}
		})
	}
}

// check holds err against what is wanted: "" for none, "unavailable", "inactive", "subject", "unsupported", or the code of a
// refusal.
func check(t *testing.T, err error, want string) {
	t.Helper()
	var got string
	var refused *op.RefusedError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		got = refused.Code
	case errors.Is(err, op.ErrUnavailable):
		got = "unavailable"
	case errors.Is(err, op.ErrInactive):
		got = "inactive"
	case errors.Is(err, op.ErrSubject):
		got = "subject"
	case errors.Is(err, errors.ErrUnsupported):
		got = "unsupported"
	default:
		got = "another error"
	}
	if got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

// O-14
func TestRefusalsOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status           int
		kind, body, want string
	}{
		"invalid_grant":             {status: 400, body: `{"error":"invalid_grant"}`, want: "invalid_grant"},
		"invalid_client":            {status: 401, body: `{"error":"invalid_client"}`, want: "invalid_client"},
		"access_denied":             {status: 403, body: `{"error":"access_denied"}`, want: "access_denied"},
		"a code that may be text":   {status: 400, body: `{"error":"Code the-code is\nunknown"}`, want: ""},
		"temporarily_unavailable":   {status: 400, body: `{"error":"temporarily_unavailable"}`, want: "unavailable"},
		"server_error":              {status: 400, body: `{"error":"server_error"}`, want: "unavailable"},
		"too many requests":         {status: 429, body: `{"error":"invalid_grant"}`, want: "unavailable"},
		"an error of the server's":  {status: 500, body: `{"error":"invalid_grant"}`, want: "unavailable"},
		"a redirect that says no":   {status: 302, body: `{"error":"invalid_grant"}`, want: "unavailable"},
		"a page of a proxy":         {status: 403, kind: "text/html", body: `<html>{"error":"invalid_grant"}`, want: "unavailable"},
		"JSON by another name":      {status: 400, kind: "text/plain", body: `{"error":"invalid_grant"}`, want: "unavailable"},
		"JSON in another charset":   {status: 400, kind: "application/json; charset=utf-16", body: `{"error":"invalid_grant"}`, want: "unavailable"},
		"no error":                  {status: 400, body: `{"message":"no"}`, want: "unavailable"},
		"an error that is no text":  {status: 400, body: `{"error":["invalid_grant"]}`, want: "unavailable"},
		"the error twice":           {status: 400, body: `{"error":"invalid_grant","error":"invalid_client"}`, want: "unavailable"},
		"created instead of OK":     {status: 201, body: `{"access_token":"a","id_token":"i","token_type":"Bearer"}`, want: "unavailable"},
		"nothing with a good state": {status: 204, body: ``, want: "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, _ := setup(t)
			if _, err := client.Refresh(t.Context(), "refresh-1"); err != nil {
				t.Fatalf("the good answer: %v", err)
			}
			p.say(tokens, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if c.kind != "" {
					w.Header().Set("Content-Type", c.kind)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			for what, refresh := range map[string]func() (*op.Tokens, error){
				"a refresh":   func() (*op.Tokens, error) { return client.Refresh(t.Context(), "refresh-1") },
				"an exchange": func() (*op.Tokens, error) { return exchange(t, client) },
			} {
				got, err := refresh()
				if got != nil || err == nil {
					t.Fatalf("%s: got %v, %v, want an error and no tokens", what, got, err)
				}
				check(t, err, c.want)
			}
		})
	}
}

// O-14: a redirect, with a body that would do, is not followed, and no credential goes to where it leads.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		for _, elsewhere := range []bool{true, false} {
			t.Run(http.StatusText(status), func(t *testing.T) {
				t.Parallel()
				p, client, _ := setup(t)
				if _, err := exchange(t, client); err != nil {
					t.Fatalf("the good answer: %v", err)
				}
				reached := 0
				other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
				t.Cleanup(other.Close)
				target := p.issuer + "/other"
				if elsewhere {
					target = other.URL
				}
				for _, path := range []string{tokens, userinfo, introspect} {
					p.say(path, func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Location", target)
						sayJSON(status, `{"access_token":"a","id_token":"i","token_type":"Bearer","sub":"alice","active":true}`)(w, nil)
					})
				}
				_, err := exchange(t, client)
				check(t, err, "unavailable")
				_, err = client.UserInfo(t.Context(), "access-1", "alice")
				check(t, err, "unavailable")
				_, err = client.Introspect(t.Context(), "access-1")
				check(t, err, "unavailable")
				if n := p.count("/other"); reached != 0 || n != 0 {
					t.Errorf("got %d and %d requests where the redirects lead, want none", reached, n)
				}
			})
		}
	}
}

// O-15, oidcc-client-test-client-secret-basic
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	const id, secret = "the client: 100%", "p:a%2f s+w€&=\"é"
	for name, c := range map[string]struct {
		auth op.ClientAuth
		want url.Values
	}{
		"client_secret_basic": {op.Basic, url.Values{}},
		"client_secret_post":  {op.Post, url.Values{"client_id": {id}, "client_secret": {secret}}},
		"a public client":     {op.None, url.Values{"client_id": {id}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, _ := setup(t, func(cfg *op.Config) {
				if cfg.ClientID, cfg.Auth = id, c.auth; c.auth != op.None {
					cfg.ClientSecret = secret
				} else {
					cfg.ClientSecret = ""
				}
			})
			p.say(discovery, p.with(map[string]any{"pushed_authorization_request_endpoint": p.issuer + par}))
			_, err := exchange(t, client)
			check(t, err, "")
			_, err = client.Refresh(t.Context(), "refresh-1")
			check(t, err, "")
			_, err = client.Introspect(t.Context(), "access-1")
			check(t, err, "")
			_, err = client.AuthorizationURL(t.Context(), url.Values{"scope": {"openid"}})
			check(t, err, "")
			check(t, client.Revoke(t.Context(), "refresh-1"), "")
			for _, path := range []string{tokens, introspect, par, revoke} {
				sent := p.last(t, path)
				for _, name := range []string{"client_id", "client_secret"} {
					if path == par && name == "client_id" {
						continue // of the authorization request itself
					}
					if got := sent.form[name]; !reflect.DeepEqual(got, c.want[name]) {
						t.Errorf("%s: got %s %q, want %q", path, name, got, c.want[name])
					}
				}
				// As a strict provider reads it: base64, split at the colon, then both decoded from a form.
				basic, isBasic := strings.CutPrefix(sent.header.Get("Authorization"), "Basic ")
				if isBasic != (c.auth == op.Basic) || !isBasic && sent.header.Get("Authorization") != "" {
					t.Fatalf("%s: got an Authorization header: %t", path, isBasic)
				}
				if !isBasic {
					continue
				}
				raw, _ := base64.StdEncoding.DecodeString(basic)
				user, password, _ := strings.Cut(string(raw), ":")
				user, userErr := url.QueryUnescape(user)
				password, passwordErr := url.QueryUnescape(password)
				if user != id || password != secret || errors.Join(userErr, passwordErr) != nil {
					t.Errorf("%s: got %q and %q, want %q and %q", path, user, password, id, secret)
				}
			}
		})
	}
}
