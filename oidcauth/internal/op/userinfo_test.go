package op_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

// O-16, rp-userinfo-bad-sub-claim (…-userinfo-invalid-sub); userinfo-signed is refused, as documented.
func TestUserInfo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"good":                           {sayJSON(200, `{"sub":"alice","email":"alice@example.com"}`), ""},
		"with a charset":                 {typed("application/json; charset=UTF-8", sayJSON(200, `{"sub":"alice","email":"alice@example.com"}`)), ""},
		"another user":                   {sayJSON(200, `{"sub":"bob","email":"alice@example.com"}`), "subject"},
		"another user by case":           {sayJSON(200, `{"sub":"Alice"}`), "subject"},
		"another user by a blank":        {sayJSON(200, `{"sub":"alice "}`), "subject"},
		"no sub":                         {sayJSON(200, `{"email":"alice@example.com"}`), "subject"},
		"an empty sub":                   {sayJSON(200, `{"sub":""}`), "subject"},
		"a sub in other letters":         {sayJSON(200, `{"SUB":"alice"}`), "subject"},
		"a sub in a list":                {sayJSON(200, `{"sub":["alice"]}`), "subject"},
		"sub null":                       {sayJSON(200, `{"sub":null}`), "subject"},
		"sub twice":                      {sayJSON(200, `{"sub":"alice","sub":"bob"}`), "unavailable"},
		"an unsigned JWT":                {typed("application/jwt", sayJSON(200, `eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.`)), "unavailable"},
		"a JWT by the name of JSON":      {sayJSON(200, `eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.`), "unavailable"},
		"JSON by the name of a JWT":      {typed("application/jwt", sayJSON(200, `{"sub":"alice"}`)), "unavailable"},
		"a page":                         {typed("text/html", sayJSON(200, `{"sub":"alice"}`)), "unavailable"},
		"null":                           {sayJSON(200, `null`), "unavailable"},
		"created":                        {sayJSON(201, `{"sub":"alice"}`), "unavailable"},
		"status 500":                     {sayJSON(500, `{"sub":"alice"}`), "unavailable"},
		"status 429":                     {sayJSON(429, `{"sub":"alice"}`), "unavailable"},
		"status 404":                     {sayJSON(404, `{"sub":"alice"}`), "unavailable"},
		"the access token isn't good":    {sayJSON(401, `{"error":"invalid_token"}`), "refused"},
		"it isn't good enough":           {sayJSON(403, `{"error":"insufficient_scope"}`), "refused"},
		"one that isn't good, by a page": {typed("text/html", sayJSON(401, `<html>`)), "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, _ := setup(t)
			claims, err := client.UserInfo(t.Context(), "access-1", "alice")
			if err != nil || claims["email"] != "alice@example.com" {
				t.Fatalf("the good answer: got %v, %v", claims, err)
			}
			p.say(userinfo, c.answer)
			claims, err = client.UserInfo(t.Context(), "access-1", "alice")
			if refused := (*op.RefusedError)(nil); c.want == "refused" {
				if !errors.As(err, &refused) || refused.Status/100 != 4 {
					t.Errorf("got %v, want a refusal", err)
				}
			} else {
				check(t, err, c.want)
			}
			if (claims != nil) != (c.want == "") {
				t.Errorf("got claims %v, want some: %t", claims, c.want == "")
			}
		})
	}
}

// An empty sub is nobody's, also where the ID token's was lost on the way.
func TestUserInfoOfNobody(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	p.sayJSON(userinfo, 200, `{"sub":""}`)
	claims, err := client.UserInfo(t.Context(), "access-1", "")
	check(t, err, "subject")
	if claims != nil {
		t.Errorf("got claims %v, want none", claims)
	}
}

// O-17, rp-userinfo-bearer-header: the token is in the header, and nowhere else.
func TestTheAccessTokenIsSentInTheHeader(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	if _, err := client.UserInfo(t.Context(), "access-1", "alice"); err != nil {
		t.Fatal(err)
	}
	sent := p.last(t, userinfo)
	if sent.method != http.MethodGet || sent.query != "" || len(sent.form) != 0 || sent.header.Get("Authorization") != "Bearer access-1" {
		t.Errorf("got %s with query %q, form %v and Authorization %q", sent.method, sent.query, sent.form, sent.header.Get("Authorization"))
	}
}

// J-47
func TestIntrospection(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"active":                   {sayJSON(200, `{"active":true,"sub":"alice"}`), ""},
		"not active":               {sayJSON(200, `{"active":false}`), "inactive"},
		"active as text":           {sayJSON(200, `{"active":"true","sub":"alice"}`), "inactive"},
		"active as a number":       {sayJSON(200, `{"active":1,"sub":"alice"}`), "inactive"},
		"active in other letters":  {sayJSON(200, `{"Active":true,"sub":"alice"}`), "inactive"},
		"active null":              {sayJSON(200, `{"active":null,"sub":"alice"}`), "inactive"},
		"without active":           {sayJSON(200, `{"sub":"alice"}`), "inactive"},
		"nothing":                  {sayJSON(200, `{}`), "inactive"},
		"active twice":             {sayJSON(200, `{"active":false,"active":true}`), "unavailable"},
		"a page":                   {typed("text/html", sayJSON(200, `{"active":true}`)), "unavailable"},
		"a signed answer":          {typed("application/token-introspection+jwt", sayJSON(200, `e30.e30.e30`)), "unavailable"},
		"a list":                   {sayJSON(200, `[{"active":true}]`), "unavailable"},
		"created":                  {sayJSON(201, `{"active":true}`), "unavailable"},
		"status 500":               {sayJSON(500, `{"active":true}`), "unavailable"},
		"this client may not ask":  {sayJSON(401, `{"error":"invalid_client"}`), "unavailable"},
		"this client may not, 403": {sayJSON(403, `{"error":"access_denied"}`), "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, _ := setup(t)
			claims, err := client.Introspect(t.Context(), "access-1")
			if err != nil || claims["sub"] != "alice" {
				t.Fatalf("the good answer: got %v, %v", claims, err)
			}
			p.say(introspect, c.answer)
			claims, err = client.Introspect(t.Context(), "access-1")
			check(t, err, c.want)
			if (claims != nil) != (c.want == "") {
				t.Errorf("got claims %v, want some: %t", claims, c.want == "")
			}
			sent := p.last(t, introspect)
			if sent.method != http.MethodPost || sent.query != "" || sent.form.Get("token") != "access-1" {
				t.Errorf("got %s with query %q and form %v, want the token in a form", sent.method, sent.query, sent.form)
			}
		})
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	check(t, client.Revoke(t.Context(), "refresh-1"), "")
	if sent := p.last(t, revoke); sent.form.Get("token") != "refresh-1" || sent.form.Get("token_type_hint") != "refresh_token" || sent.query != "" {
		t.Errorf("got form %v and query %q, want the token in a form", sent.form, sent.query)
	}
	p.sayJSON(revoke, 400, `{"error":"unsupported_token_type"}`)
	check(t, client.Revoke(t.Context(), "refresh-1"), "unsupported_token_type")
	p.sayJSON(revoke, 503, ``)
	check(t, client.Revoke(t.Context(), "refresh-1"), "unavailable")
}

func TestWhatTheProviderDoesNotOffer(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	p.say(discovery, p.with(map[string]any{
		"userinfo_endpoint": nil, "introspection_endpoint": nil, "revocation_endpoint": nil, "end_session_endpoint": nil,
	}))
	for _, path := range []string{userinfo, introspect, revoke} {
		check(t, asks(client)[path](t.Context()), "unsupported")
		if p.count(path) != 0 {
			t.Errorf("%s was called", path)
		}
	}
	_, err := client.EndSessionURL(t.Context(), nil) // LO-01
	check(t, err, "unsupported")
	_, err = exchange(t, client)
	check(t, err, "")
}
