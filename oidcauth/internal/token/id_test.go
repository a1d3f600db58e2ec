package token_test

import (
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// at gives the time some seconds from now as a token has it.
func at(seconds int64) int64 { return now.Unix() + seconds }

// idToken gives a signed ID token that differs from a good one by these claims.
func idToken(changes object) string {
	return sign("ES256", p256Key(), header("ES256", "JWT").json(), idClaims().with(changes).json())
}

func TestCheckIDAccepts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("s", 255)
	for name, changes := range map[string]object{
		"oidcc-client-test": {},
		"J-29 a list of one audience, valid-aud-as-array": {"aud": []string{client}},
		"J-29 the same audience twice, with azp":          {"aud": []string{client, client}, "azp": client},
		"J-30 azp beside one audience":                    {"azp": client},
		"J-28 a sub of 255 characters":                    {"sub": long},
		"J-28 a sub with a space within":                  {"sub": "Alice A."},
		"J-31 exp with a fraction":                        {"exp": float64(at(60)) + 0.5},
		"J-31 exp in the form of Go's float":              {"exp": 1.7723701e9},
		"J-31 exp in a year":                              {"exp": at(365 * 24 * 3600)},
		"J-34 exp 59 s ago":                               {"exp": at(-59)},
		"J-32 iat with a fraction":                        {"iat": float64(at(0)) - 0.5},
		"J-32 iat ten minutes ago":                        {"iat": at(-600)},
		"J-34 iat in 60 s":                                {"iat": at(60)},
		"J-33 nbf in 60 s":                                {"nbf": at(60)},
		"J-33 nbf long ago":                               {"nbf": 1},
		"J-37 auth_time that wasn't asked for":            {"auth_time": at(-86400)},
		"sid":                                             {"sid": "s1"},
		"claims for the application":                      {"name": "Alice", "groups": []string{"a"}, "realm_access": object{"roles": []string{"x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			accepted(t, checkID(t, idToken(changes)))
		})
	}
}

func TestCheckIDRefuses(t *testing.T) {
	t.Parallel()
	accepted(t, checkID(t, idToken(nil)))
	for name, c := range map[string]struct {
		changes object
		field   string
	}{
		"J-27 no iss, invalid-missing-iss":                {object{"iss": gone}, "iss"},
		"J-27 another iss, oidcc-client-test-invalid-iss": {object{"iss": "https://other.example"}, "iss"},
		"J-27 a slash behind":                             {object{"iss": issuer + "/"}, "iss"},
		"J-27 a host in capitals":                         {object{"iss": "https://OP.example"}, "iss"},
		"J-27 http":                                       {object{"iss": "http://op.example"}, "iss"},
		"J-27 a list":                                     {object{"iss": []string{issuer}}, "iss"},
		"J-27 null":                                       {object{"iss": nil}, "iss"},
		"J-27 the beginning":                              {object{"iss": "https://op.exampl"}, "iss"},
		"J-27 more behind":                                {object{"iss": issuer + ".evil.example"}, "iss"},
		"J-27 a user in it":                               {object{"iss": "https://op.example@evil.example"}, "iss"},
		"J-27 a twin in another alphabet":                 {object{"iss": "https://о\u0440.example"}, "iss"},
		"J-27 without a scheme":                           {object{"iss": "op.example"}, "iss"},

		"J-28 no sub, oidcc-client-test-missing-sub": {object{"sub": gone}, "sub"},
		"J-28 an empty sub":                          {object{"sub": ""}, "sub"},
		"J-28 a number":                              {object{"sub": 42}, "sub"},
		"J-28 null":                                  {object{"sub": nil}, "sub"},
		"J-28 a list":                                {object{"sub": []string{"alice"}}, "sub"},
		"J-28 256 characters":                        {object{"sub": strings.Repeat("s", 256)}, "sub"},
		"J-28 NUL":                                   {object{"sub": "alice\x00"}, "sub"},
		"J-28 a line end":                            {object{"sub": "alice\nadmin"}, "sub"},
		"J-28 spaces alone":                          {object{"sub": "   "}, "sub"},
		"J-28 a space in front":                      {object{"sub": " alice"}, "sub"},
		"J-28 a space behind":                        {object{"sub": "alice "}, "sub"},
		"J-28 other letters":                         {object{"sub": "\u0430lice"}, "sub"},
		"J-28 DEL":                                   {object{"sub": "alice\x7f"}, "sub"},

		"J-29 no aud, invalid-missing-aud":                {object{"aud": gone}, "aud"},
		"J-29 null":                                       {object{"aud": nil}, "aud"},
		"J-29 an empty list":                              {object{"aud": []string{}}, "aud"},
		"J-29 an empty text":                              {object{"aud": ""}, "aud"},
		"J-29 a list of an empty text":                    {object{"aud": []string{""}}, "aud"},
		"J-29 another, oidcc-client-test-invalid-aud":     {object{"aud": "client2"}, "aud"},
		"J-29 in another case":                            {object{"aud": "Client1"}, "aud"},
		"J-29 an object":                                  {object{"aud": object{client: true}}, "aud"},
		"J-29 a list with a number":                       {object{"aud": []any{client, 1}, "azp": client}, "aud"},
		"J-29 two in one text":                            {object{"aud": "client1 client2"}, "aud"},
		"J-29 the beginning":                              {object{"aud": "client"}, "aud"},
		"J-29 more behind":                                {object{"aud": "client11"}, "aud"},
		"J-30 a stranger beside, invalid-secondary-aud":   {object{"aud": []string{client, "evil"}}, "aud"},
		"J-30 a stranger beside, with azp":                {object{"aud": []string{client, "evil"}, "azp": client}, "aud"},
		"J-30 azp of a stranger":                          {object{"azp": "evil"}, "azp"},
		"J-30 azp as a list":                              {object{"azp": []string{client}}, "azp"},
		"J-30 azp that is empty":                          {object{"azp": ""}, "azp"},
		"J-30 azp that is null":                           {object{"azp": nil}, "azp"},
		"J-30 two audiences without azp, though the same": {object{"aud": []string{client, client}}, "azp"},

		"J-31 no exp, invalid-missing-exp":   {object{"exp": gone}, "exp"},
		"J-31 null":                          {object{"exp": nil}, "exp"},
		"J-31 0":                             {object{"exp": 0}, "exp"},
		"J-31 negative":                      {object{"exp": -1}, "exp"},
		"J-31 a minute ago":                  {object{"exp": at(-60)}, "exp"},
		"J-31 61 s ago":                      {object{"exp": at(-61)}, "exp"},
		"J-31 long ago, invalid-expired-exp": {object{"exp": at(-600)}, "exp"},
		"J-31 a text":                        {object{"exp": "1772370000"}, "exp"},
		"J-31 true":                          {object{"exp": true}, "exp"},
		"J-31 a list":                        {object{"exp": []int64{at(60)}}, "exp"},
		"J-31 1e300":                         {object{"exp": 1e300}, "exp"},
		"J-31 -1e300":                        {object{"exp": -1e300}, "exp"},
		"J-31 2^63-1":                        {object{"exp": int64(1<<63 - 1)}, "exp"},
		"J-31 2^63":                          {object{"exp": uint64(1 << 63)}, "exp"},
		"J-31 milliseconds":                  {object{"exp": at(3600) * 1000}, "exp"},
		"J-31 in two years":                  {object{"exp": at(2 * 365 * 24 * 3600)}, "exp"},

		"J-32 no iat, oidcc-client-test-missing-iat": {object{"iat": gone}, "iat"},
		"J-32 in an hour":               {object{"iat": at(3600)}, "iat"},
		"J-32 in 61 s":                  {object{"iat": at(61)}, "iat"},
		"J-32 more than 10 minutes ago": {object{"iat": at(-601)}, "iat"},
		"J-32 10 years ago":             {object{"iat": at(-10 * 365 * 24 * 3600)}, "iat"},
		"J-32 a text":                   {object{"iat": "1772370000"}, "iat"},
		"J-32 null":                     {object{"iat": nil}, "iat"},

		"J-33 nbf in 61 s":       {object{"nbf": at(61)}, "nbf"},
		"J-33 nbf in 10 minutes": {object{"nbf": at(600)}, "nbf"},
		"J-33 a text":            {object{"nbf": "0"}, "nbf"},
		"J-33 null":              {object{"nbf": nil}, "nbf"},

		"J-35 no nonce, invalid-missing-nonce":       {object{"nonce": gone}, "nonce"},
		"J-35 an empty one":                          {object{"nonce": ""}, "nonce"},
		"J-35 O-03 another flow's, rp-nonce-invalid": {object{"nonce": "another"}, "nonce"},
		"J-35 a list":                                {object{"nonce": []string{nonce}}, "nonce"},
		"J-35 in another case":                       {object{"nonce": strings.ToUpper(nonce)}, "nonce"},
		"J-35 the beginning":                         {object{"nonce": nonce[:8]}, "nonce"},
		"J-35 more behind":                           {object{"nonce": nonce + "x"}, "nonce"},
		"J-35 null":                                  {object{"nonce": nil}, "nonce"},

		"J-37 auth_time that is a text":    {object{"auth_time": "1772370000"}, "auth_time"},
		"J-37 auth_time in the future":     {object{"auth_time": at(61)}, "auth_time"},
		"J-38 the event of a logout token": {object{"events": object{"http://schemas.openid.net/event/backchannel-logout": object{}}}, "events"},
		"LO-09 sid that is no text":        {object{"sid": 1}, "sid"},
		"LO-09 sid that is empty":          {object{"sid": ""}, "sid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, checkID(t, idToken(c.changes)), c.field)
		})
	}
}

// J-38: a token of another kind, though everything else of it is an ID token's.
func TestCheckIDRefusesOtherTypes(t *testing.T) {
	t.Parallel()
	typed := func(typ any) string {
		return sign("ES256", p256Key(), header("ES256", "").with(object{"typ": typ}).json(), idClaims().json())
	}
	for _, typ := range []any{"JWT", "jwt", "application/jwt", gone, ""} {
		accepted(t, checkID(t, typed(typ)))
	}
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "logout+jwt", "dpop+jwt", "oauth-authz-req+jwt", "token-introspection+jwt",
		"client-authentication+jwt", "secevent+jwt", "JOSE", "JWT ", "x/jwt"} {
		refused(t, checkID(t, typed(typ)), "header.typ")
	}
	// A signed userinfo answer and an access token have no nonce; a logout token may not.
	userinfo := object{"iss": issuer, "aud": client, "sub": "alice", "exp": at(60), "iat": at(0)}
	refused(t, checkID(t, sign("ES256", p256Key(), header("ES256", "JWT").json(), userinfo.json())), "nonce")
	refused(t, checkID(t, sign("ES256", p256Key(), header("ES256", "JWT").json(), accessClaims().json())), "nonce")
	refused(t, checkID(t, sign("ES256", p256Key(), header("ES256", "JWT").json(), logoutClaims().with(object{"nonce": nonce}).json())), "events")
}

// J-36: at_hash is by the hash of the token's own algorithm, and may be missing.
func TestCheckIDComparesTheHashOfTheAccessToken(t *testing.T) {
	t.Parallel()
	s256, s384, s512 := sha256.Sum256([]byte(access)), sha512.Sum384([]byte(access)), sha512.Sum512([]byte(access))
	full := map[string][]byte{"RS256": s256[:], "PS256": s256[:], "ES256": s256[:], "RS384": s384[:], "PS384": s384[:], "ES384": s384[:],
		"RS512": s512[:], "PS512": s512[:], "ES512": s512[:], "EdDSA": s512[:]}
	for alg, sum := range full {
		withHash := func(hash any) string {
			return sign(alg, signerOf(alg), header(alg, "JWT").json(), idClaims().with(object{"at_hash": hash}).json())
		}
		half := b64(string(sum[:len(sum)/2]))
		accepted(t, checkID(t, withHash(half)))
		accepted(t, checkID(t, withHash(gone)))
		wrong := sha256.Sum256([]byte("another"))
		for _, bad := range []any{b64(string(sum)), b64(string(sum[:len(sum)/4])), half + "=", half + "==", half[:len(half)-1], strings.ToLower(half),
			b64(string(wrong[:16])), "", nil, 1, []string{half}, b64(string(sum[len(sum)/2:]))} {
			refused(t, checkID(t, withHash(bad)), "at_hash")
		}
		// Without the access token there is nothing to compare with.
		check := idCheck()
		check.AccessToken = ""
		refused(t, idVerdict(t, withHash(half), check), "at_hash")
		h := hashOf[alg]
		if alg == "EdDSA" {
			h = crypto.SHA512
		}
		nothing := h.New().Sum(nil)
		refused(t, idVerdict(t, withHash(b64(string(nothing[:len(nothing)/2]))), check), "at_hash")
	}
	// The hash of ES384 by SHA-256.
	raw := sign("ES384", p384Key(), header("ES384", "JWT").json(), idClaims().with(object{"at_hash": b64(string(s256[:16]))}).json())
	refused(t, checkID(t, raw), "at_hash")
}

// J-37: what was asked for with max_age and acr_values is in the token.
func TestCheckIDComparesWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		maxAge  time.Duration
		acr     []string
		changes object
		field   string // empty: accepted
	}{
		"J-37 a fresh login":                    {time.Minute, nil, object{"auth_time": at(-60)}, ""},
		"J-37 a fresh login, clocks apart":      {time.Minute, nil, object{"auth_time": at(-120)}, ""},
		"J-37 no auth_time":                     {time.Minute, nil, object{}, "auth_time"},
		"J-37 an old login":                     {time.Minute, nil, object{"auth_time": at(-121)}, "auth_time"},
		"J-37 a login in the future":            {time.Minute, nil, object{"auth_time": at(61)}, "auth_time"},
		"J-37 a login as a text":                {time.Minute, nil, object{"auth_time": "1772370000"}, "auth_time"},
		"J-37 a login as null":                  {time.Minute, nil, object{"auth_time": nil}, "auth_time"},
		"FP04 acr as asked":                     {0, []string{"1"}, object{"acr": "1"}, ""},
		"J-37 acr is the second of those asked": {0, []string{"2", "1"}, object{"acr": "1"}, ""},
		"FP04 a lower acr":                      {0, []string{"1"}, object{"acr": "0"}, "acr"},
		"J-37 no acr":                           {0, []string{"1"}, object{}, "acr"},
		"J-37 acr as a number":                  {0, []string{"1"}, object{"acr": 1}, "acr"},
		"J-37 acr as a list":                    {0, []string{"1"}, object{"acr": []string{"1"}}, "acr"},
		"J-37 two acrs in one text":             {0, []string{"1"}, object{"acr": "1 2"}, "acr"},
		"J-37 an empty acr":                     {0, []string{""}, object{"acr": ""}, "acr"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := idCheck()
			check.MaxAge, check.ACR = c.maxAge, c.acr
			err := idVerdict(t, idToken(c.changes), check)
			if c.field == "" {
				accepted(t, err)
			} else {
				refused(t, err, c.field)
			}
		})
	}
}

// What passes here must please go-oidc as well, which follows the sources of claims that a token names.
func TestCheckIDAsksGoOIDCToo(t *testing.T) {
	t.Parallel()
	source := object{"_claim_names": object{"groups": "a"}, "_claim_sources": object{"a": object{"endpoint": "https://op.example/groups"}}}
	accepted(t, checkID(t, idToken(source)))
	refused(t, checkID(t, idToken(object{"_claim_names": object{"groups": "a"}})), "")
}

// J-30: a second audience passes where the application trusts it, and then azp must be this client.
func TestCheckIDTakesTrustedAudiences(t *testing.T) {
	t.Parallel()
	check := idCheck()
	check.Trusted = []string{"friend"}
	verdict := func(changes object) error {
		return idVerdict(t, idToken(changes), check)
	}
	accepted(t, verdict(object{"aud": []string{client, "friend"}, "azp": client}))
	accepted(t, verdict(object{"aud": client}))
	refused(t, verdict(object{"aud": []string{client, "friend"}}), "azp")
	refused(t, verdict(object{"aud": []string{client, "friend"}, "azp": "friend"}), "azp")
	refused(t, verdict(object{"aud": []string{client, "friend", "evil"}, "azp": client}), "aud")
	refused(t, verdict(object{"aud": []string{"friend"}, "azp": client}), "aud")
}

// J-34: the same minute for exp, iat and nbf, whichever way the clocks are apart.
func TestCheckIDAllowsAMinuteBetweenClocks(t *testing.T) {
	t.Parallel()
	raw := idToken(object{"exp": at(3600), "iat": at(0), "nbf": at(0)})
	for seconds, field := range map[int64]string{-30: "", -60: "", 30: "", 3659: "iat", -61: "iat", -120: "iat", 120: "", 600: "", 601: "iat"} {
		check := idCheck()
		check.Now = now.Add(time.Duration(seconds) * time.Second)
		err := idVerdict(t, raw, check)
		if field == "" {
			accepted(t, err)
		} else {
			refused(t, err, field)
		}
	}
}

// A check that somebody forgot to fill in lets nobody in.
func TestCheckIDFailsClosed(t *testing.T) {
	t.Parallel()
	accepted(t, checkID(t, idToken(nil)))
	for name, forget := range map[string]func(*token.IDCheck){
		"issuer": func(c *token.IDCheck) { c.Issuer = "" }, "client": func(c *token.IDCheck) { c.ClientID = "" },
		"algorithms": func(c *token.IDCheck) { c.Algs = nil }, "time": func(c *token.IDCheck) { c.Now = time.Time{} },
		"nonce": func(c *token.IDCheck) { c.Nonce = "" },
	} {
		check := idCheck()
		forget(&check)
		for _, changes := range []object{nil, {"nonce": "", "iss": "", "aud": ""}, {"nonce": gone, "iss": gone, "aud": gone}, {"aud": []string{""}}} {
			if err := idVerdict(t, idToken(changes), check); err == nil {
				t.Errorf("%s forgotten: got %v accepted", name, changes)
			}
		}
	}
}

// FU25, oidcc-client-test-invalid-sig-rs256: everything is right but who signed it.
func TestCheckIDRefusesAForgedSignature(t *testing.T) {
	t.Parallel()
	accepted(t, checkID(t, sign("RS256", rsaKey(), header("RS256", "JWT").json(), idClaims().json())))
	refused(t, checkID(t, sign("RS256", otherRSA(), header("RS256", "JWT").json(), idClaims().json())), "")
}

// J-28: the case of a sub is part of who it is.
func TestSubjectsDifferByCase(t *testing.T) {
	t.Parallel()
	lower, upper := must(token.Parse(idToken(object{"sub": "alice"}))), must(token.Parse(idToken(object{"sub": "ALICE"})))
	accepted(t, lower.CheckID(t.Context(), provider(t), idCheck()))
	accepted(t, upper.CheckID(t.Context(), provider(t), idCheck()))
	if lower.Facts().Subject == upper.Facts().Subject {
		t.Error("got one subject for two")
	}
}

// A refusal says what is wrong and nothing of what the token holds.
func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-value"
	accepted(t, checkID(t, idToken(nil)))
	for _, name := range []string{"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "auth_time", "sid"} {
		for _, value := range []any{secret, []string{secret}, object{secret: secret}, "\n" + secret} {
			if err := checkID(t, idToken(object{name: value})); err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: got %v, want nothing of the value", name, err)
			}
		}
	}
}
