package token_test

import (
	"testing"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

func logoutToken(typ any, changes object) string {
	return sign("ES256", p256Key(), header("ES256", "").with(object{"typ": typ}).json(), logoutClaims().with(changes).json())
}

// LO-04, rp-backchannel-rpinitlogout
func TestCheckLogoutAccepts(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]object{
		"LO-04 sub and sid":          {},
		"LO-04 sub alone":            {"sid": gone},
		"LO-04 sid alone":            {"sub": gone},
		"LO-04 a list of audiences":  {"aud": []string{client}},
		"LO-04 an event with a body": {"events": object{logoutEvent: object{"x": 1}, "https://corp.example/other": object{}}},
		"LO-04 four minutes old":     {"iat": at(-240)},
		"LO-04 clocks apart":         {"iat": at(60), "exp": at(180)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, typ := range []string{"logout+jwt", "Logout+JWT", "application/logout+jwt"} {
				accepted(t, checkLogout(t, logoutToken(typ, changes)))
			}
		})
	}
}

func TestCheckLogoutRefuses(t *testing.T) {
	t.Parallel()
	accepted(t, checkLogout(t, logoutToken("logout+jwt", nil)))
	for name, c := range map[string]struct {
		changes object
		field   string
	}{
		"LO-05 another iss, wrong-iss":      {object{"iss": "https://other.example"}, "iss"},
		"LO-05 no iss":                      {object{"iss": gone}, "iss"},
		"LO-05 another aud, wrong-aud":      {object{"aud": "client2"}, "aud"},
		"LO-05 no aud":                      {object{"aud": gone}, "aud"},
		"LO-05 a stranger in aud":           {object{"aud": []string{client, "evil"}}, "aud"},
		"LO-05 no events, no-event":         {object{"events": gone}, "events"},
		"LO-05 another event, wrong-event":  {object{"events": object{"http://schemas.openid.net/event/other": object{}}}, "events"},
		"LO-05 no event in it":              {object{"events": object{}}, "events"},
		"LO-05 a nonce, with-nonce":         {object{"nonce": "n"}, "nonce"},
		"LO-05 a nonce that is null":        {object{"nonce": nil}, "nonce"},
		"LO-05 a nonce that is empty":       {object{"nonce": ""}, "nonce"},
		"LO-05 expired":                     {object{"exp": at(-60)}, "exp"},
		"LO-05 neither sub nor sid":         {object{"sub": gone, "sid": gone}, "sub"},
		"LO-05 no jti":                      {object{"jti": gone}, "jti"},
		"LO-05 an empty jti":                {object{"jti": ""}, "jti"},
		"LO-05 jti as a number":             {object{"jti": 1}, "jti"},
		"LO-06 no iat":                      {object{"iat": gone}, "iat"},
		"LO-06 iat a year ago":              {object{"iat": at(-365 * 24 * 3600)}, "iat"},
		"LO-06 iat more than 5 minutes ago": {object{"iat": at(-301)}, "iat"},
		"LO-06 iat in the future":           {object{"iat": at(61)}, "iat"},
		"LO-06 no exp":                      {object{"exp": gone}, "exp"},
		"LO-06 exp in 10 years":             {object{"exp": at(10 * 365 * 24 * 3600)}, "exp"},
		"LO-06 exp in two hours":            {object{"exp": at(7200)}, "exp"},
		"LO-06 an event that is null":       {object{"events": object{logoutEvent: nil}}, "events"},
		"LO-06 an event that is a text":     {object{"events": object{logoutEvent: "x"}}, "events"},
		"LO-06 an event that is a list":     {object{"events": object{logoutEvent: []any{}}}, "events"},
		"LO-06 an event that is true":       {object{"events": object{logoutEvent: true}}, "events"},
		"LO-06 the event in capitals":       {object{"events": object{"HTTP://SCHEMAS.OPENID.NET/EVENT/BACKCHANNEL-LOGOUT": object{}}}, "events"},
		"LO-06 events as a list":            {object{"events": []string{logoutEvent}}, "events"},
		"LO-06 events as a text":            {object{"events": logoutEvent}, "events"},
		"LO-06 nbf to come":                 {object{"nbf": at(120)}, "nbf"},
		"LO-09 an empty sid":                {object{"sid": ""}, "sid"},
		"LO-09 sid as a number":             {object{"sid": 1}, "sid"},
		"LO-09 sid as null":                 {object{"sid": nil}, "sid"},
		"LO-05 an empty sub":                {object{"sub": ""}, "sub"},
		"LO-05 sub as null":                 {object{"sub": nil}, "sub"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, checkLogout(t, logoutToken("logout+jwt", c.changes)), c.field)
		})
	}
}

// LO-05, alg-none, wrong-alg: who signed it, and how.
func TestCheckLogoutRefusesForgedSignatures(t *testing.T) {
	t.Parallel()
	accepted(t, checkLogout(t, logoutToken("logout+jwt", nil)))
	refused(t, checkLogout(t, sign("RS256", otherRSA(), header("RS256", "logout+jwt").json(), logoutClaims().json())), "")
	refused(t, checkLogout(t, b64(`{"alg":"none","typ":"logout+jwt"}`)+"."+b64(logoutClaims().json())+"."), "")
	refused(t, checkLogout(t, b64(`{"alg":"none","typ":"logout+jwt"}`)+"."+b64(logoutClaims().json())+".AA"), "header.alg")
	check := logoutCheck()
	check.Algs = []string{"RS256"}
	refused(t, logoutVerdict(t, logoutToken("logout+jwt", nil), check), "header.alg")
	// LO-06: the JSON serialisation.
	raw := sign("RS256", rsaKey(), header("RS256", "logout+jwt").json(), logoutClaims().json())
	accepted(t, checkLogout(t, raw))
	refused(t, checkLogout(t, `{"payload":"`+b64(logoutClaims().json())+`","protected":"","signature":""}`), "")
}

// LO-06, J-38: typ says that it is a logout token, and nothing else does.
func TestCheckLogoutTypes(t *testing.T) {
	t.Parallel()
	verdict := func(typ any) error { return checkLogout(t, logoutToken(typ, nil)) }
	accepted(t, verdict("logout+jwt"))
	for _, typ := range []any{gone, "", "JWT", "jwt", "at+jwt", "application/at+jwt", "dpop+jwt", "logout", "logout+jwt2", "secevent+jwt"} {
		refused(t, verdict(typ), "header.typ")
	}
}

// LO-08: an ID token ends no session.
func TestCheckLogoutRefusesIDTokens(t *testing.T) {
	t.Parallel()
	raw := idToken(nil)
	accepted(t, checkID(t, raw))
	accepted(t, checkLogout(t, logoutToken("logout+jwt", nil)))
	refused(t, checkLogout(t, raw), "header.typ")
	// Nor does what one says, under the typ of a logout token.
	renamed := func(claims object) string {
		return sign("RS256", rsaKey(), header("RS256", "logout+jwt").json(), idClaims().with(claims).json())
	}
	refused(t, checkLogout(t, renamed(nil)), "nonce")
	refused(t, checkLogout(t, renamed(object{"nonce": gone, "jti": "j"})), "events")
}

// LO-06: for as long as a jti must be remembered the token may be accepted, and no longer.
func TestLogoutReplayCoversTheToken(t *testing.T) {
	t.Parallel()
	check := logoutCheck()
	raw := logoutToken("logout+jwt", object{"iat": at(60), "exp": at(3600)}) // as far ahead as may be
	accepted(t, logoutVerdict(t, raw, check))
	check.Now = now.Add(token.LogoutReplay - 2*time.Second)
	accepted(t, logoutVerdict(t, raw, check))
	check.Now = now.Add(token.LogoutReplay)
	refused(t, logoutVerdict(t, raw, check), "iat")
}

// A check that somebody forgot to fill in ends no session.
func TestCheckLogoutFailsClosed(t *testing.T) {
	t.Parallel()
	accepted(t, checkLogout(t, logoutToken("logout+jwt", nil)))
	for name, forget := range map[string]func(*token.LogoutCheck){
		"issuer": func(c *token.LogoutCheck) { c.Issuer = "" }, "client": func(c *token.LogoutCheck) { c.ClientID = "" },
		"algorithms": func(c *token.LogoutCheck) { c.Algs = nil }, "time": func(c *token.LogoutCheck) { c.Now = time.Time{} },
	} {
		check := logoutCheck()
		forget(&check)
		for _, changes := range []object{nil, {"iss": "", "aud": ""}, {"aud": []string{""}}} {
			if err := logoutVerdict(t, logoutToken("logout+jwt", changes), check); err == nil {
				t.Errorf("%s forgotten: got %v accepted", name, changes)
			}
		}
	}
}
