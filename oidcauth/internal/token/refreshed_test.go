package token_test

import (
	"testing"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// O-25, oidcc-client-test-refresh-token, -refresh-token-invalid-issuer, -refresh-token-invalid-sub: a refresh is of the same login.
func TestCheckRefreshed(t *testing.T) {
	t.Parallel()
	login := object{"auth_time": at(-3600), "aud": []string{client, "friend"}, "azp": client}
	before := must(token.Parse(idToken(login))).Facts()
	later := now.Add(24 * time.Hour)
	fresh := idClaims().with(login).with(object{"iat": later.Unix(), "exp": later.Add(time.Hour).Unix()})
	for name, c := range map[string]struct {
		changes object
		field   string // empty: accepted
	}{
		"O-25 the same nonce":                   {object{}, ""},
		"O-25 no nonce":                         {object{"nonce": gone}, ""},
		"O-25 no auth_time":                     {object{"auth_time": gone}, ""},
		"O-25 the audiences in another order":   {object{"aud": []string{"friend", client}}, ""},
		"O-25 other claims changed":             {object{"groups": []string{"new"}}, ""},
		"O-25 another iss":                      {object{"iss": "https://other.example"}, "sub"},
		"O-25 another sub":                      {object{"sub": "bob"}, "sub"},
		"O-25 a sub in another case":            {object{"sub": "Alice"}, "sub"},
		"O-25 no sub":                           {object{"sub": gone}, "sub"},
		"O-25 another aud":                      {object{"aud": "client2"}, "aud"},
		"O-25 one aud less":                     {object{"aud": client}, "aud"},
		"O-25 one aud more":                     {object{"aud": []string{client, "friend", "evil"}}, "aud"},
		"O-25 no aud":                           {object{"aud": gone}, "aud"},
		"O-25 another azp":                      {object{"azp": "friend"}, "azp"},
		"O-25 no azp":                           {object{"azp": gone}, "azp"},
		"O-25 another nonce":                    {object{"nonce": "another"}, "nonce"},
		"O-25 an empty nonce":                   {object{"nonce": ""}, "nonce"},
		"O-25 a nonce that is null":             {object{"nonce": nil}, "nonce"},
		"O-25 an older auth_time":               {object{"auth_time": at(-3601)}, "auth_time"},
		"O-25 a newer auth_time":                {object{"auth_time": at(-3599)}, "auth_time"},
		"O-25 auth_time as a text":              {object{"auth_time": "1"}, "auth_time"},
		"O-25 the token of the login":           {object{"exp": later.Add(time.Hour).Unix(), "iat": at(0)}, "iat"},
		"O-25 expired":                          {object{"exp": at(0)}, "exp"},
		"O-25 J-37 a lower acr":                 {object{"acr": "0"}, "acr"},
		"O-25 the acr that was asked for":       {object{"acr": "1"}, ""},
		"O-25 the event of a logout token":      {object{"events": object{}}, "events"},
		"O-25 the hash of another access token": {object{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := idCheck()
			// MaxAge was asked for at the login, which was long ago.
			check.Now, check.MaxAge, check.ACR, check.Nonce, check.Trusted = later, time.Minute, []string{"1"}, "", []string{"friend"}
			raw := sign("ES256", p256Key(), header("ES256", "JWT").json(), fresh.with(c.changes).json())
			err := must(token.Parse(raw)).CheckRefreshed(t.Context(), provider(t), check, before)
			if c.field == "" {
				accepted(t, err)
			} else {
				refused(t, err, c.field)
			}
		})
	}
}

// O-25: a refreshed token is signed and typed like that of a login, and without facts of a login there is nothing to refresh.
func TestCheckRefreshedChecksTheTokenToo(t *testing.T) {
	t.Parallel()
	good := must(token.Parse(idToken(nil)))
	before := good.Facts()
	accepted(t, good.CheckRefreshed(t.Context(), provider(t), idCheck(), before))
	refused(t, good.CheckRefreshed(t.Context(), provider(t), idCheck(), token.Facts{}), "sub")
	forged := must(token.Parse(sign("RS256", otherRSA(), header("RS256", "JWT").json(), idClaims().json())))
	refused(t, forged.CheckRefreshed(t.Context(), provider(t), idCheck(), before), "")
	refused(t, must(token.Parse(idToken(object{"azp": client}))).CheckRefreshed(t.Context(), provider(t), idCheck(), before), "azp")
	typed := must(token.Parse(sign("ES256", p256Key(), header("ES256", "at+jwt").json(), idClaims().json())))
	refused(t, typed.CheckRefreshed(t.Context(), provider(t), idCheck(), before), "header.typ")
}
