package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// J-22, and where a token may stand: in one Authorization header, and nowhere else.
func TestWhereATokenStands(t *testing.T) {
	t.Parallel()
	s := apiStand(t, nil)
	token := s.token(oidctest.Grant{})
	in := s.browser().mustLogin() // whoever else the request is from
	for name, header := range map[string]string{
		"as it is written": "Bearer " + token, "in small letters": "bearer " + token, "in capitals": "BEARER " + token,
		"with blanks before it": "Bearer    " + token,
	} {
		s.admits(name, header)
	}
	for name, header := range map[string]string{
		"no token": "Bearer", "blanks only": "Bearer    ", "a tab before it": "Bearer\t" + token, "no scheme": token,
		"another scheme": "token " + token, "Basic": "Basic " + token, "an empty header": "", "something behind it": "Bearer " + token + " x",
		"two in one": "Bearer " + token + ", Bearer " + token, "a comma behind it": "Bearer " + token + ",",
		"quoted": `Bearer "` + token + `"`, "as a parameter": "Bearer token=" + token,
		"J-22 900 KiB": "Bearer " + strings.Repeat("x", 900<<10), "J-22 900 KiB of dots": "Bearer " + strings.Repeat(".", 900<<10),
		"J-22 a good one with 20 KiB behind it": "Bearer " + token + strings.Repeat("A", 20<<10),
	} {
		s.refuses(name, http.StatusUnauthorized, header)
		before := s.reached.Load()
		if a := in.do("GET", "/api/any", "", "Authorization", header); a.StatusCode != http.StatusUnauthorized || s.reached.Load() != before {
			t.Errorf("%s, beside a session: got %d", name, a.StatusCode)
		}
	}
	// More than net/http reads of a request's headers.
	if a := s.send("Bearer " + strings.Repeat("x", 2<<20)); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("J-22 2 MiB: got %d, want 431", a.StatusCode)
	}
	for name, more := range map[string][]string{
		"twice the same": {"Authorization", "Bearer " + token}, "another one beside it": {"Authorization", "Bearer x"},
		"Basic beside it": {"Authorization", "Basic YTpi"}, "an empty one beside it": {"Authorization", ""},
	} {
		s.refuses(name, http.StatusUnauthorized, "Bearer "+token, more...)
	}
	s.refuses("behind Basic", http.StatusUnauthorized, "Basic YTpi", "Authorization", "Bearer "+token)
	b, before := s.browser(), s.reached.Load()
	for name, a := range map[string]answer{
		"in the query":           b.do("GET", "/api/any?access_token="+token, ""),
		"as ?token=":             b.do("GET", "/api/any?token="+token, ""),
		"in the body":            b.do("POST", "/api/any", "access_token="+token, "Content-Type", "application/x-www-form-urlencoded"),
		"in a cookie":            b.do("GET", "/api/any", "", "Cookie", "access_token="+token),
		"in another header":      b.do("GET", "/api/any", "", "X-Authorization", "Bearer "+token),
		"for a proxy":            b.do("GET", "/api/any", "", "Proxy-Authorization", "Bearer "+token),
		"as a browser's session": b.do("GET", "/api/any", "", "Cookie", "ostiary-oidc="+token),
	} {
		if a.StatusCode != http.StatusUnauthorized || s.reached.Load() != before {
			t.Errorf("%s: got %d", name, a.StatusCode)
		}
	}
	// A page of another origin can send the header only where it has the token: then there is nothing left to protect.
	s.admits("from another origin", "Bearer "+token, "Origin", "https://other.example", "Sec-Fetch-Site", "cross-site")
	if a := in.do("GET", "/api/any", "", "Authorization", "Bearer "+s.token(oidctest.Grant{Sub: "bob"})); !strings.Contains(a.body, "#bob") {
		t.Errorf("bob's token beside alice's session: got %s", a.body)
	}
	if !in.in() {
		t.Error("a refused header has logged the browser out")
	}
}

// A provider without an API: its tokens are nobody's, nor is whoever sends one the cookie's user.
func TestNoAPI(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(pl *plan) { pl.client.Audience = audience })
	in := s.browser().mustLogin()
	s.op.Reset()
	before := s.reached.Load()
	if a := in.do("GET", "/api/any", "", "Authorization", "Bearer "+s.token(oidctest.Grant{})); a.StatusCode != http.StatusUnauthorized || s.reached.Load() != before {
		t.Errorf("got %d", a.StatusCode)
	} else if len(a.Header.Values("WWW-Authenticate")) != 0 {
		t.Errorf("a challenge for what isn't taken: %q", a.Header.Values("WWW-Authenticate"))
	}
	if n := s.asked(); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// Of two providers one has an API: the other's tokens are nobody's.
func TestAPIOfOneProvider(t *testing.T) {
	t.Parallel()
	other, err := oidctest.New(oidctest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	s := newStand(t, func(pl *plan) {
		p := otherProvider(other.Issuer())
		p.API = &oidcauth.API{Audience: audience}
		pl.providers = append(pl.providers, p)
	})
	s.admits("the one's token", "Bearer "+other.AccessToken(oidctest.Grant{Sub: "alice", Audience: audience}))
	s.op.Reset()
	s.refuses("the other's token", http.StatusUnauthorized, "Bearer "+s.token(oidctest.Grant{Audience: audience}))
	if n := s.asked(); n != 0 {
		t.Errorf("the provider without an API was asked %d times", n)
	}
}

// FuzzAuthorization: what is read of two Authorization headers is one token, which stands in one of them as it is, or none.
func FuzzAuthorization(f *testing.F) {
	for _, header := range []string{
		"Bearer abc", "bearer  abc", "DPoP abc", "dpop abc ", "Basic YTpi", "Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "", " Bearer x", "Bearer\tx",
		"ＢＥＡＲＥＲ x", "bea\u0280er x",
	} {
		f.Add(header, "", false)
		f.Add(header, "Bearer x", true)
	}
	f.Fuzz(func(t *testing.T, one, two string, both bool) {
		headers := []string{one}
		if both {
			headers = append(headers, two)
		}
		ours, text, err := oidcauth.Offered(headers)
		switch {
		case err != nil && (!ours || text != ""):
			t.Errorf("got %v, %q with %v", ours, text, err)
		case err != nil:
		case !ours && text != "":
			t.Errorf("got %q of a scheme that isn't ours", text)
		case ours:
			scheme, rest, _ := strings.Cut(one, " ")
			if both || !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "dpop") {
				t.Fatalf("got %q of %q", text, headers)
			}
			if text == "" || strings.TrimLeft(rest, " ") != text || strings.ContainsAny(text, " ,\t") {
				t.Errorf("got %q of %q", text, headers)
			}
		}
		if again, same, _ := oidcauth.Offered(headers); again != ours || same != text {
			t.Error("got another answer the second time")
		}
	})
}
