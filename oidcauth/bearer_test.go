package oidcauth_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// apiStand is a stand whose provider makes JWT access tokens for audience, and whose API takes them.
func apiStand(t testing.TB, change func(*plan)) *stand {
	t.Helper()
	return newStand(t, func(pl *plan) {
		pl.client.Audience = audience
		pl.provider.API = &oidcauth.API{Audience: audience}
		pl.provider.Mapping = oidcauth.Mapping{Permissions: []string{"permissions"}, Scopes: []string{"scope"}}
		if change != nil {
			change(pl)
		}
	})
}

// token mints a token of alice's.
func (s *stand) token(g oidctest.Grant, mods ...func(*oidctest.JWT)) string {
	if g.Sub == "" {
		g.Sub = "alice"
	}
	return s.op.AccessToken(g, mods...)
}

// send makes a request with an Authorization header in a browser without cookies; more are pairs of headers.
func (s *stand) send(authorization string, more ...string) answer {
	s.t.Helper()
	return s.browser().do("GET", "/api/any", "", append([]string{"Authorization", authorization}, more...)...)
}

// asked counts the questions to the provider.
func (s *stand) asked() (n int) {
	for _, endpoint := range []string{"discovery", "jwks", "introspect", "userinfo", "token", "other"} {
		n += len(s.op.Calls(endpoint))
	}
	return n
}

// admits says that a header gets through to the handler.
func (s *stand) admits(name, authorization string, more ...string) answer {
	s.t.Helper()
	before := s.reached.Load()
	a := s.send(authorization, more...)
	if a.StatusCode != http.StatusOK || s.reached.Load() == before {
		s.t.Fatalf("%s: got %d %s, want 200", name, a.StatusCode, a.body)
	}
	return a
}

// refuses says that a header gets this status, and that the handler isn't reached.
func (s *stand) refuses(name string, status int, authorization string, more ...string) answer {
	s.t.Helper()
	before := s.reached.Load()
	a := s.send(authorization, more...)
	if a.StatusCode != status {
		s.t.Errorf("%s: got %d %s, want %d", name, a.StatusCode, a.body, status)
	}
	if s.reached.Load() != before {
		s.t.Errorf("%s: the handler was reached", name)
	}
	return a
}

// statusOf is the status that a guard with these permissions gives to a token.
func (s *stand) statusOf(required auth.Permissions, token string) int {
	s.t.Helper()
	reached := false
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", s.url+"/castles", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	s.CurrentUser(required)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })).ServeHTTP(w, r)
	if reached != (w.Code == http.StatusOK) {
		s.t.Errorf("got %d, the handler was reached: %v", w.Code, reached)
	}
	return w.Code
}

// FP01: what a challenge says.
func TestChallenges(t *testing.T) {
	t.Parallel()
	var now clock
	s := apiStand(t, func(pl *plan) { pl.cfg.Auth.Now, pl.op.Now, pl.op.AccessTTL = now.now, now.now, 2*time.Minute })
	b := s.browser()
	good := s.token(oidctest.Grant{})
	get := func(headers ...string) answer { return b.do("GET", "/api/me", "", headers...) }
	if a := get("Authorization", "Bearer "+good); a.StatusCode != http.StatusOK {
		t.Fatalf("a good token: got %d %s", a.StatusCode, a.body)
	}
	expired := s.token(oidctest.Grant{Claims: map[string]any{"exp": now.now().Add(-time.Second).Unix()}})
	for name, c := range map[string]struct {
		headers      []string
		bearer, dpop string
	}{
		"FP01 no token":         {nil, `Bearer realm="ostiary"`, ``},
		"FP01 garbage":          {[]string{"Authorization", "Bearer garbage"}, `Bearer realm="ostiary", error="invalid_token"`, ``},
		"FP01 an expired token": {[]string{"Authorization", "Bearer " + expired}, `Bearer realm="ostiary", error="invalid_token"`, ``},
		"a DPoP token":          {[]string{"Authorization", "DPoP " + good}, `Bearer realm="ostiary"`, `, error="invalid_token"`},
		"another scheme":        {[]string{"Authorization", "Basic YTpi"}, `Bearer realm="ostiary"`, ``},
	} {
		a := get(c.headers...)
		dpop := `DPoP realm="ostiary", algs="ES256 ES384 ES512 EdDSA RS256 PS256"` + c.dpop
		got := a.Header.Values("WWW-Authenticate")
		if a.StatusCode != http.StatusUnauthorized || len(got) != 2 || got[0] != c.bearer || got[1] != dpop {
			t.Errorf("%s: got %d %q, want 401 %q, %q", name, a.StatusCode, got, c.bearer, dpop)
		}
	}
	// The same token, once its time is over: memory doesn't know better.
	now.forward(2 * time.Minute)
	if a := get("Authorization", "Bearer "+good); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("FP01 a token that has expired since: got %d", a.StatusCode)
	}
	r := httptest.NewRequest("GET", s.url+"/api/me", nil)
	r.Header.Set("Authorization", "Bearer "+good)
	if id, err := s.Identify(r); !errors.Is(err, auth.ErrInvalidCredentials) {
		t.Errorf("FP01 the backend alone: got %v, %v", id, err)
	}
}

// FP02: where identity is optional, a wrong token isn't nobody.
func TestOptionalIdentity(t *testing.T) {
	t.Parallel()
	s := apiStand(t, nil)
	b := s.browser()
	good, expired := s.token(oidctest.Grant{}), s.token(oidctest.Grant{Claims: map[string]any{"exp": time.Now().Add(-time.Second).Unix()}})
	if a := b.do("GET", "/optional", "", "Authorization", "Bearer "+good); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "#alice") {
		t.Fatalf("FP02 a good token: got %d %s", a.StatusCode, a.body)
	}
	if a := b.do("GET", "/optional", ""); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"id":""`) {
		t.Errorf("FP02 no token: got %d %s", a.StatusCode, a.body)
	}
	before := s.reached.Load()
	if a := b.do("GET", "/optional", "", "Authorization", "Bearer "+expired); a.StatusCode != http.StatusUnauthorized || s.reached.Load() != before {
		t.Errorf("FP02 an expired token: got %d %s", a.StatusCode, a.body)
	}
}

// FP03, FP05, JV59, J-41: what a token's claims are worth. Scopes are split at spaces and nothing else, and compared whole.
func TestTokenPermissions(t *testing.T) {
	t.Parallel()
	s := apiStand(t, nil)
	read, create := auth.Permissions{"contents": {"read"}}, auth.Permissions{"castles": {"create"}}
	for _, c := range []struct {
		name     string
		required auth.Permissions
		grant    oidctest.Grant
		want     int
	}{
		{"FP03 the scope", read, oidctest.Grant{Scope: "openid contents:read"}, 200},
		{"FP03 another scope", read, oidctest.Grant{Scope: "openid"}, 403},
		{"FP05 the permission", create, oidctest.Grant{Claims: map[string]any{"permissions": []string{"castles:read", "castles:create"}}}, 200},
		{"FP05 another permission", create, oidctest.Grant{Claims: map[string]any{"permissions": []string{"castles:read"}}}, 403},
		{"J-41 two blanks between", read, oidctest.Grant{Scope: "openid  contents:read"}, 200},
		{"J-41 a tab between", read, oidctest.Grant{Scope: "openid\tcontents:read"}, 403},
		{"J-41 a part of a longer one", read, oidctest.Grant{Scope: "openid contents:reading"}, 403},
		{"J-41 without a blank", read, oidctest.Grant{Scope: "openidcontents:read"}, 403},
		{"J-41 in capitals", read, oidctest.Grant{Scope: "Contents:Read"}, 403},
		{"J-41 the scope as a list", read, oidctest.Grant{Claims: map[string]any{"scope": []string{"contents:read"}}}, 403},
		{"J-41 the permissions as a string", create, oidctest.Grant{Claims: map[string]any{"permissions": "castles:create"}}, 403},
		{"J-41 scp, which isn't mapped", read, oidctest.Grant{Claims: map[string]any{"scp": []string{"contents:read"}}}, 403},
		{"J-41 roles, which aren't mapped", read, oidctest.Grant{Claims: map[string]any{"realm_access": map[string]any{"roles": []string{"contents:read"}}}}, 403},
		{"J-41 a star, which isn't configured", read, oidctest.Grant{Scope: "contents:* *:*"}, 403},
		{"J-41 no scope at all", read, oidctest.Grant{Claims: map[string]any{"scope": nil}}, 403},
	} {
		if got := s.statusOf(c.required, s.token(c.grant)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
	token := s.token(oidctest.Grant{Claims: map[string]any{"permissions": []string{"contents:read"}}})
	a := s.browser().do("GET", `/api/me?permissions={"contents":["read","write"],"x":["y"]}`, "", "Authorization", "Bearer "+token)
	var me struct{ Permissions map[string][]string }
	if err := json.Unmarshal([]byte(a.body), &me); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("JV59: got %d %s", a.StatusCode, a.body)
	}
	delete(me.Permissions, "updatable_fields")
	if got := fmt.Sprint(me.Permissions); got != "map[contents:[read] x:[]]" {
		t.Errorf("JV59: got %s", got)
	}
}

// claim sets a claim; gone takes it away.
func claim(name string, value any) func(*oidctest.JWT) {
	return func(j *oidctest.JWT) { set(j.Claims, name, value) }
}

func header(name string, value any) func(*oidctest.JWT) {
	return func(j *oidctest.JWT) { set(j.Header, name, value) }
}

type absent struct{}

var gone absent

func set(object map[string]any, name string, value any) {
	if object[name] = value; value == gone {
		delete(object, name)
	}
}

// edited changes the signed text.
func edited(change func(string) string) func(*oidctest.JWT) {
	return func(j *oidctest.JWT) { j.Edit = change }
}

// FU25, J-01, J-02, J-05, J-07, J-08, J-13, J-15, J-16, J-17, J-18, J-19, J-20, J-21, J-22, J-23, J-24, J-25, J-26, J-27,
// J-28, J-29, J-31, J-32, J-33, J-34, J-39, J-40, J-48, J-10: what a JWT access token must be. Each wrong one is refused without a question
// to the provider, whose keys are known, and the right one counts before and after. J-06 is in TestKeySets.
func TestAccessTokens(t *testing.T) {
	t.Parallel()
	var clock clock
	clock.stop() // what is too early by ten seconds stays so
	s := apiStand(t, func(pl *plan) {
		pl.cfg.Auth.Now, pl.op.Now = clock.now, clock.now
		pl.provider.API.Algorithms = []string{"RS256", "ES256"}
	})
	rsa, es := s.op.Key("RS256"), s.op.Key("ES256")
	stranger := s.op.NewKey("RS256")
	public, err := x509.MarshalPKIXPublicKey(rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	now := clock.now().Unix()
	good := s.token(oidctest.Grant{})
	s.admits("the good token", "Bearer "+good)
	s.admits("the good token of the other key", "Bearer "+s.token(oidctest.Grant{}, func(j *oidctest.JWT) { j.SignWith(es) }))
	parts := strings.Split(good, ".")
	head, _ := base64.RawURLEncoding.DecodeString(parts[0])
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	raw := func(claims string) func(*oidctest.JWT) {
		return func(j *oidctest.JWT) { j.RawClaims = []byte(claims) }
	}
	more := func(members string) func(*oidctest.JWT) {
		return raw(strings.TrimSuffix(string(claims), "}") + "," + members + "}")
	}
	type mod = func(*oidctest.JWT)
	for name, mods := range map[string][]mod{
		"FU25 without sub":                      {claim("sub", gone)},
		"FU25 with a number for sub":            {claim("sub", 42)},
		"FU25 with a broken signature":          {edited(func(c string) string { return c[:len(c)-8] + "AAAAAAAA" })},
		"J-01 alg none":                         {func(j *oidctest.JWT) { j.SignWith(oidctest.Key{Alg: "none"}) }},
		"J-01 alg none with a signature":        {header("alg", "none")},
		"J-01 no alg":                           {header("alg", gone)},
		"J-02 HS256 with the public key in DER": {func(j *oidctest.JWT) { j.SignWith(oidctest.Key{ID: rsa.ID, Alg: "HS256", Secret: public}) }},
		"J-02 HS256 with the public key in PEM": {func(j *oidctest.JWT) { j.SignWith(oidctest.Key{ID: rsa.ID, Alg: "HS256", Secret: pemOf(public)}) }},
		"J-02 HS256 with the client's secret":   {func(j *oidctest.JWT) { j.SignWith(oidctest.Key{Alg: "HS256", Secret: []byte(clientSecret)}) }},
		"J-05 the name of another kind of key":  {header("kid", es.ID)},
		"J-05 an algorithm that isn't taken":    {func(j *oidctest.JWT) { k := rsa; k.Alg = "PS256"; j.SignWith(k) }},
		"J-07 a key of its own": {func(j *oidctest.JWT) {
			j.SignWith(stranger)
			j.Header["jwk"] = stranger.JWK()
			j.Header["kid"] = rsa.ID
		}},
		"J-07 the address of a key": {header("jku", "https://evil.example/jwks")},
		"J-08 a number for kid":     {header("kid", 1)},
		"J-13 a signature of zeros": {func(j *oidctest.JWT) { j.SignWith(es) }, edited(func(c string) string { return c[:strings.LastIndex(c, ".")+1] + strings.Repeat("A", 86) })},
		"J-15 crit":                 {header("crit", []string{"exp"}), header("exp", now)},
		"J-15 an empty crit":        {header("crit", []string{})},
		"J-16 compressed":           {header("zip", "DEF")},
		"J-16 nested":               {header("cty", "JWT")},
		"J-17 flattened JSON": {edited(func(c string) string {
			p := strings.Split(c, ".")
			return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, p[0], p[1], p[2])
		})},
		"J-17 an algorithm outside of what is signed": {edited(func(c string) string {
			p := strings.Split(c, ".")
			return fmt.Sprintf(`{"header":{"alg":"RS256"},"protected":%q,"payload":%q,"signature":%q}`, p[0], p[1], p[2])
		})},
		"J-18 two signatures": {edited(func(c string) string {
			p := strings.Split(c, ".")
			one := fmt.Sprintf(`{"protected":%q,"signature":%q}`, p[0], p[2])
			return fmt.Sprintf(`{"payload":%q,"signatures":[%s,%s]}`, p[1], one, one)
		})},
		"J-19 a blank in it":                     {edited(func(c string) string { return c[:20] + " " + c[20:] })},
		"J-20 another last character":            {edited(tail)},
		"J-20 padding":                           {edited(func(c string) string { return c + "==" })},
		"J-21 two parts":                         {edited(func(c string) string { return c[:strings.LastIndex(c, ".")] })},
		"J-21 four parts":                        {edited(func(c string) string { return c + ".AAAA" })},
		"J-21 an empty header":                   {func(j *oidctest.JWT) { j.RawHeader = []byte("{}") }},
		"J-22 longer than 16 KiB":                {claim("x", strings.Repeat("x", 16<<10))},
		"J-23 two sub":                           {more(`"sub":"bob"`)},
		"J-23 two aud":                           {more(`"aud":"` + audience + `"`)},
		"J-24 another spelling of sub beside it": {more(`"Sub":"bob"`)},
		"J-24 with a long s":                     {more("\"\u017fub\":\"bob\"")},
		"J-25 two alg":                           {func(j *oidctest.JWT) { j.RawHeader = []byte(`{"alg":"none",` + string(head[1:])) }},
		"J-26 no object":                         {raw(`[]`)},
		"J-26 something behind it":               {raw(string(claims) + "{}")},
		"J-27 no issuer":                         {claim("iss", gone)},
		"J-27 a slash behind the issuer":         {claim("iss", s.op.Issuer()+"/")},
		"J-27 a foreign issuer":                  {claim("iss", "https://evil.example")},
		"J-28 an empty sub":                      {claim("sub", "")},
		"J-28 a sub of 256 characters":           {claim("sub", strings.Repeat("a", 256))},
		"J-29 no aud":                            {claim("aud", gone)},
		"J-29 another aud":                       {claim("aud", "https://other.example")},
		"J-29 two in one":                        {claim("aud", audience+" x")},
		"J-31 no exp":                            {claim("exp", gone)},
		"J-31 expired a second ago":              {claim("exp", now-1)},
		"J-31 exp as text":                       {claim("exp", fmt.Sprint(now+60))},
		"J-31 exp in milliseconds":               {claim("exp", (now+60)*1000)},
		"J-32 no iat":                            {claim("iat", gone)},
		"J-32 made in an hour":                   {claim("iat", now+3600)},
		"J-33 good in ten minutes":               {claim("nbf", now+600)},
		"J-34 made by a clock 70 s fast":         {claim("iat", now+70)},
		"J-34 good in 70 s":                      {claim("nbf", now+70)},
		"J-39 typ JWT":                           {header("typ", "JWT")},
		"J-39 no typ":                            {header("typ", gone)},
		"J-39 no jti":                            {claim("jti", gone)},
		"J-39 no client_id":                      {claim("client_id", gone)},
		"J-40 the client for aud":                {claim("aud", clientID)},
	} {
		s.op.Reset()
		s.refuses(name, http.StatusUnauthorized, "Bearer "+s.token(oidctest.Grant{}, mods...))
		if n := s.asked(); n != 0 {
			t.Errorf("%s: the provider was asked %d times", name, n)
		}
	}
	for name, mods := range map[string][]mod{
		"J-29 a list for aud":      {claim("aud", []string{"https://other.example", audience})},
		"J-31 exp with a fraction": {raw(fraction(string(claims)))},
		"J-33 an nbf that is over": {claim("nbf", now)},
		"J-34 a clock 50 s fast":   {claim("iat", now+50), claim("nbf", now+50)},
		"J-39 typ in capitals":     {header("typ", "AT+JWT")},
		"J-39 the long typ":        {header("typ", "application/at+jwt")},
		"J-10 no kid":              {header("kid", gone)},
		"J-48 the jti of another":  {claim("jti", "the same")},
		"J-22 of 12 KiB":           {claim("x", strings.Repeat("x", 8<<10))},
	} {
		s.admits(name, "Bearer "+s.token(oidctest.Grant{}, mods...))
	}
	s.admits("the good token again", "Bearer "+good)
	if log := s.log(); strings.Contains(log, parts[2]) || strings.Contains(log, parts[1]) {
		t.Error("a token is in the log")
	}
}

func pemOf(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}) }

// tail changes bits that the last character leaves unused.
func tail(c string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, c[len(c)-1])
	return c[:len(c)-1] + alphabet[last^1:][:1]
}

// fraction adds half a second to exp.
func fraction(claims string) string {
	i := strings.Index(claims, `"exp":`) + len(`"exp":`)
	end := i + strings.IndexAny(claims[i:], ",}")
	return claims[:end] + ".5" + claims[end:]
}

// J-38, J-40: every other kind of token that the provider signs is no access token, with the type checked and without.
func TestOtherTokensAsBearer(t *testing.T) {
	t.Parallel()
	for name, skip := range map[string]bool{"typ at+jwt": false, "any typ": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apiStand(t, func(pl *plan) { pl.provider.API.SkipType = skip })
			s.admits("the access token", "Bearer "+s.token(oidctest.Grant{}))
			if skip {
				s.admits("one of typ JWT", "Bearer "+s.token(oidctest.Grant{}, header("typ", "JWT"), claim("jti", gone), claim("client_id", gone)))
			}
			key := s.op.NewKey("ES256")
			typed := func(typ string) string { return s.token(oidctest.Grant{}, header("typ", typ)) }
			for name, token := range map[string]string{
				"J-38 an ID token":                          s.op.IDToken(),
				"J-40 an ID token for this resource":        s.op.IDToken(claim("aud", []string{clientID, audience})),
				"J-38 an ID token that names it alone":      s.op.IDToken(claim("aud", audience), claim("nonce", "n")),
				"J-38 a logout token":                       s.op.LogoutToken(),
				"J-38 a logout token for this resource":     s.op.LogoutToken(claim("aud", audience)),
				"J-38 a logout token without its typ":       s.op.LogoutToken(claim("aud", audience), header("typ", "JWT")),
				"J-38 a DPoP proof":                         s.op.Proof(key, "GET", s.url+"/api/any", ""),
				"J-38 a request object":                     typed("oauth-authz-req+jwt"),
				"J-38 a client's assertion":                 typed("client-authentication+jwt"),
				"J-38 an answer to an introspection":        typed("token-introspection+jwt"),
				"J-38 a security event":                     typed("secevent+jwt"),
				"J-38 typ dpop+jwt":                         typed("dpop+jwt"),
				"J-38 typ at+jwt with something behind it":  typed("at+jwt; x=y"),
				"J-38 a refresh token (Keycloak)":           s.token(oidctest.Grant{Claims: map[string]any{"typ": "Refresh"}}, header("typ", "JWT")),
				"J-38 an ID token by token_use (Cognito)":   s.token(oidctest.Grant{Claims: map[string]any{"token_use": "id"}}, header("typ", "JWT")),
				"J-38 signed userinfo, which has no expiry": s.op.IDToken(claim("aud", audience), claim("exp", gone)),
			} {
				s.op.Reset()
				s.refuses(name, http.StatusUnauthorized, "Bearer "+token)
				if n := s.asked(); n != 0 {
					t.Errorf("%s: the provider was asked %d times", name, n)
				}
			}
		})
	}
}

// J-42: a client that acts for itself is nobody, and never a person of that name. J-43: nor is a person of another provider.
func TestWhomATokenProves(t *testing.T) {
	t.Parallel()
	other, err := oidctest.New(oidctest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	var mapped atomic.Value // the ID that Mapping.Func has seen last
	s := apiStand(t, func(pl *plan) {
		p := otherProvider(other.Issuer())
		p.API = &oidcauth.API{Audience: audience}
		pl.providers = append(pl.providers, p)
		pl.provider.Mapping.Func = func(_ context.Context, _ oidcauth.Claims, id *auth.Identity) error {
			mapped.Store(id.ID)
			return nil
		}
	})
	idOf := func(token string) string {
		var who struct{ ID, Username string }
		if err := json.Unmarshal([]byte(s.admits("a good token", "Bearer "+token).body), &who); err != nil {
			t.Fatal(err)
		}
		return who.ID
	}
	person := idOf(s.token(oidctest.Grant{}))
	if want := "oidc:" + s.op.Issuer() + "#alice"; person != want {
		t.Errorf("got %q, want %q", person, want)
	}
	// The provider has a user who is called as the client is.
	named := idOf(s.token(oidctest.Grant{Sub: clientID, Claims: map[string]any{"client_id": "another"}}))
	for name, token := range map[string]string{
		"J-42 its own token":                s.op.AccessToken(oidctest.Grant{Sub: clientID}),
		"J-42 one that says so by azp, too": s.op.AccessToken(oidctest.Grant{Sub: clientID, Claims: map[string]any{"azp": clientID}}),
	} {
		if got, want := idOf(token), "oidc-client:"+s.op.Issuer()+"#"+clientID; got != want || got == named {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		// Else the application would grant it what it grants to that person.
		if got, want := mapped.Load(), "oidc-client:"+s.op.Issuer()+"#"+clientID; got != want {
			t.Errorf("%s: Func was asked about %q, want %q", name, got, want)
		}
	}
	if got, want := idOf(other.AccessToken(oidctest.Grant{Sub: "alice", Audience: audience})), "oidc:"+other.Issuer()+"#alice"; got != want || got == person {
		t.Errorf("J-43 the same subject of another provider: got %q, want %q", got, want)
	}
	// Signed by one provider, in the name of the other.
	s.refuses("J-43 in another provider's name", http.StatusUnauthorized,
		"Bearer "+other.AccessToken(oidctest.Grant{Sub: "alice", Audience: audience}, claim("iss", s.op.Issuer())))
}
