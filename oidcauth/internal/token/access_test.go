package token_test

import (
	"testing"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

func accessToken(typ any, changes object) string {
	return sign("ES256", p256Key(), header("ES256", "").with(object{"typ": typ}).json(), accessClaims().with(changes).json())
}

// J-39: what RFC 9068 section 4 asks for.
func TestCheckAccessAccepts(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "Application/AT+jwt"} {
		for name, changes := range map[string]object{
			"J-39 a good one":                     {},
			"J-39 a list of resources":            {"aud": []string{"account", resource}},
			"J-39 a list of one":                  {"aud": []string{resource}},
			"J-39 no scope":                       {"scope": gone},
			"J-39 issued an hour ago":             {"iat": at(-3600)},
			"J-42 a client of its own":            {"sub": client},
			"J-40 a resource that is the client":  {"aud": []string{resource, client}},
			"J-34 exp 59 s ago":                   {"exp": at(-59)},
			"auth_time, acr, groups and whatever": {"auth_time": at(-9999), "acr": "1", "groups": []string{"a"}},
		} {
			if err := checkAccess(t, accessToken(typ, changes)); err != nil {
				t.Errorf("%s, typ %q: got %v, want it accepted", name, typ, err)
			}
		}
	}
}

func TestCheckAccessRefuses(t *testing.T) {
	t.Parallel()
	accepted(t, checkAccess(t, accessToken("at+jwt", nil)))
	for name, c := range map[string]struct {
		changes object
		field   string
	}{
		"J-39 J-27 another iss":           {object{"iss": "https://other.example"}, "iss"},
		"J-39 no iss":                     {object{"iss": gone}, "iss"},
		"J-39 another resource":           {object{"aud": "https://other.example"}, "aud"},
		"J-40 the client":                 {object{"aud": client}, "aud"},
		"J-39 no aud":                     {object{"aud": gone}, "aud"},
		"J-29 a slash behind":             {object{"aud": resource + "/"}, "aud"},
		"J-29 a list with a number":       {object{"aud": []any{resource, 1}}, "aud"},
		"J-29 a list with an empty text":  {object{"aud": []string{resource, ""}}, "aud"},
		"J-29 two in one text":            {object{"aud": resource + " account"}, "aud"},
		"J-39 no exp":                     {object{"exp": gone}, "exp"},
		"J-31 FP01 expired":               {object{"exp": at(-60)}, "exp"},
		"J-31 exp as a text":              {object{"exp": "9999999999"}, "exp"},
		"J-31 milliseconds":               {object{"exp": at(60) * 1000}, "exp"},
		"J-39 no iat":                     {object{"iat": gone}, "iat"},
		"J-32 iat in the future":          {object{"iat": at(61)}, "iat"},
		"J-33 nbf to come":                {object{"nbf": at(61)}, "nbf"},
		"J-39 no jti":                     {object{"jti": gone}, "jti"},
		"J-39 an empty jti":               {object{"jti": ""}, "jti"},
		"J-39 no client_id":               {object{"client_id": gone}, "client_id"},
		"J-39 client_id as a list":        {object{"client_id": []string{client}}, "client_id"},
		"J-39 FU25 no sub":                {object{"sub": gone}, "sub"},
		"J-28 FU25 a number for sub":      {object{"sub": 42}, "sub"},
		"J-28 spaces for sub":             {object{"sub": "  "}, "sub"},
		"J-46 bound to a key":             {object{"cnf": object{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, "cnf.jkt"},
		"J-46 bound to a certificate":     {object{"cnf": object{"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"}}, "cnf.x5t#S256"},
		"J-46 bound to what nobody knows": {object{"cnf": object{"kid": "x"}}, "cnf"},
		"J-46 bound in another spelling":  {object{"CNF": object{"jkt": "x"}}, "cnf"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := accessToken("at+jwt", c.changes)
			if _, err := token.Parse(raw); err != nil && c.field != "cnf" {
				t.Fatal(err)
			}
			refused(t, checkAccess(t, raw), c.field)
		})
	}
	// FU25: everything is right but who signed it.
	refused(t, checkAccess(t, sign("RS256", otherRSA(), header("RS256", "at+jwt").json(), accessClaims().json())), "")
}

// J-38, J-39: none of the provider's other tokens is a bearer token, nor any JWT of somebody else's making.
func TestCheckAccessRefusesOtherTypes(t *testing.T) {
	t.Parallel()
	accepted(t, checkAccess(t, accessToken("at+jwt", nil)))
	for _, typ := range []any{"JWT", gone, "", "logout+jwt", "dpop+jwt", "oauth-authz-req+jwt", "client-authentication+jwt", "at", "at+jwt ", "x/at+jwt",
		"application/application/at+jwt", "token-introspection+jwt", "a\u0442+jwt"} {
		refused(t, checkAccess(t, accessToken(typ, nil)), "header.typ")
	}
	refused(t, checkAccess(t, idToken(nil)), "header.typ")
	refused(t, checkAccess(t, idToken(object{"aud": resource, "jti": "j", "client_id": client})), "header.typ")
	refused(t, checkAccess(t, logoutToken("logout+jwt", object{"aud": resource})), "header.typ")
}

// J-39: the opt-out for providers that type nothing takes their access tokens and still no ID token (J-38, J-40).
func TestCheckAccessOfAnyType(t *testing.T) {
	t.Parallel()
	check := accessCheck()
	check.AnyType = true
	verdict := func(typ any, changes object) error {
		return accessVerdict(t, accessToken(typ, changes), check)
	}
	keycloak := object{"jti": "j", "client_id": gone, "azp": client, "typ": "Bearer", "sid": "s1", "realm_access": object{"roles": []string{"r"}}}
	for _, typ := range []any{"JWT", gone, "at+jwt", "application/at+jwt"} {
		accepted(t, verdict(typ, nil))
		accepted(t, verdict(typ, keycloak))
		accepted(t, verdict(typ, object{"jti": gone, "client_id": gone}))
		accepted(t, verdict(typ, object{"token_use": "access"}))
		accepted(t, verdict(typ, object{"typ": "DPoP"}))
	}
	for name, c := range map[string]struct {
		typ     any
		changes object
		field   string
	}{
		"J-38 the type of a logout token":     {"logout+jwt", nil, "header.typ"},
		"J-38 the type of a proof":            {"dpop+jwt", nil, "header.typ"},
		"J-38 a nonce":                        {"JWT", object{"nonce": "n"}, "nonce"},
		"J-38 at_hash":                        {"JWT", object{"at_hash": "x"}, "at_hash"},
		"J-38 c_hash":                         {"JWT", object{"c_hash": "x"}, "c_hash"},
		"J-38 events":                         {"JWT", object{"events": object{}}, "events"},
		"J-38 Keycloak's ID token":            {"JWT", object{"typ": "ID"}, "typ"},
		"J-38 Keycloak's refresh token":       {"JWT", object{"typ": "Refresh"}, "typ"},
		"J-38 Keycloak's logout token":        {"JWT", object{"typ": "Logout"}, "typ"},
		"J-38 a kind that is no text":         {"JWT", object{"typ": nil}, "typ"},
		"J-38 two kinds":                      {"JWT", object{"typ": "bearer dpop"}, "typ"},
		"J-38 Cognito's ID token":             {"JWT", object{"token_use": "id"}, "token_use"},
		"J-40 the client alone":               {"JWT", object{"aud": client}, "aud"},
		"J-40 the client beside the resource": {"JWT", object{"aud": []string{resource, client}}, "aud"},
		"J-39 another resource":               {"JWT", object{"aud": "https://other.example"}, "aud"},
		"J-39 no aud":                         {"JWT", object{"aud": gone}, "aud"},
		"J-39 no sub":                         {"JWT", object{"sub": gone}, "sub"},
		"J-39 no exp":                         {"JWT", object{"exp": gone}, "exp"},
		"J-39 a jti that is a number":         {"JWT", object{"jti": 1}, "jti"},
		"J-39 an azp that is a list":          {"JWT", object{"azp": []string{client}}, "azp"},
		"J-46 bound to a key":                 {"JWT", object{"cnf": object{"jkt": "x"}}, "cnf.jkt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, verdict(c.typ, c.changes), c.field)
		})
	}
	// J-40: where the resource is the client, ID and access tokens can't be told apart.
	same, none := check, check
	same.Audience, none.ClientID = client, ""
	refused(t, accessVerdict(t, accessToken("JWT", object{"aud": client}), same), "aud")
	refused(t, accessVerdict(t, accessToken("JWT", nil), none), "aud")
}

// A check that somebody forgot to fill in lets nobody in.
func TestCheckAccessFailsClosed(t *testing.T) {
	t.Parallel()
	accepted(t, checkAccess(t, accessToken("at+jwt", nil)))
	for name, forget := range map[string]func(*token.AccessCheck){
		"issuer": func(c *token.AccessCheck) { c.Issuer = "" }, "audience": func(c *token.AccessCheck) { c.Audience = "" },
		"algorithms": func(c *token.AccessCheck) { c.Algs = nil }, "time": func(c *token.AccessCheck) { c.Now = time.Time{} },
	} {
		check := accessCheck()
		forget(&check)
		for _, changes := range []object{nil, {"iss": "", "aud": ""}, {"aud": []string{""}}, {"aud": []string{resource, ""}}} {
			if err := accessVerdict(t, accessToken("at+jwt", changes), check); err == nil {
				t.Errorf("%s forgotten: got %v accepted", name, changes)
			}
		}
	}
}
