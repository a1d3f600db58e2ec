package oidcauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// J-46: a token that is bound to a key is worth nothing without that key, and a proof counts once, for one request and one
// token (RFC 9449 section 4.3).
func TestDPoP(t *testing.T) {
	t.Parallel()
	var now clock
	s := apiStand(t, func(pl *plan) { pl.cfg.Auth.Now, pl.op.Now = now.now, now.now })
	key, other := s.op.NewKey("ES256"), s.op.NewKey("ES256")
	token := s.token(oidctest.Grant{JKT: key.Thumbprint()})
	loose, others := s.token(oidctest.Grant{}), s.token(oidctest.Grant{Sub: "bob", JKT: other.Thumbprint()})
	url := s.url + "/api/any"
	good := func() string { return s.op.Proof(key, "GET", url, token) }
	for name, proof := range map[string]string{
		"a good proof":                 good(),
		"an address with a query":      s.op.Proof(key, "GET", url+"?x=1#y", token),
		"an address in capitals":       s.op.Proof(key, "GET", strings.Replace(url, "http://", "HTTP://", 1), token),
		"made a little while ago":      s.op.Proof(key, "GET", url, token, claim("iat", now.now().Add(-50*time.Second).Unix())),
		"made by a clock that is fast": s.op.Proof(key, "GET", url, token, claim("iat", now.now().Add(50*time.Second).Unix())),
	} {
		s.admits(name, "DPoP "+token, "DPoP", proof)
	}
	s.admits("the scheme in small letters", "dpop "+token, "DPoP", good())
	for _, alg := range []string{"RS256", "PS256", "ES384", "EdDSA"} {
		k := s.op.NewKey(alg)
		bound := s.token(oidctest.Grant{JKT: k.Thumbprint()})
		s.admits("a key for "+alg, "DPoP "+bound, "DPoP", s.op.Proof(k, "GET", url, bound))
	}
	if a := s.browser().do("PUT", "/api/contents/demo", "", "Authorization", "DPoP "+token, "DPoP", s.op.Proof(key, "PUT", s.url+"/api/contents/demo", token)); a.StatusCode != http.StatusForbidden {
		t.Errorf("another method with its own proof: got %d, want 403 for want of the permission", a.StatusCode)
	}
	used := good()
	s.admits("a proof for the first time", "DPoP "+token, "DPoP", used)
	for name, c := range map[string]struct{ authorization, proof string }{
		"a proof for the second time":         {"DPoP " + token, used},
		"no proof":                            {"DPoP " + token, ""},
		"J-46 as a bearer token":              {"Bearer " + token, ""},
		"J-46 as a bearer token with a proof": {"Bearer " + token, good()},
		"no token":                            {"DPoP", good()},
		"another method":                      {"DPoP " + token, s.op.Proof(key, "POST", url, token)},
		"the method in small letters":         {"DPoP " + token, s.op.Proof(key, "get", url, token)},
		"another path":                        {"DPoP " + token, s.op.Proof(key, "GET", s.url+"/api/other", token)},
		"a slash behind the path":             {"DPoP " + token, s.op.Proof(key, "GET", url+"/", token)},
		"another host":                        {"DPoP " + token, s.op.Proof(key, "GET", "https://other.example/api/any", token)},
		"another scheme":                      {"DPoP " + token, s.op.Proof(key, "GET", strings.Replace(url, "http", "https", 1), token)},
		"another token":                       {"DPoP " + token, s.op.Proof(key, "GET", url, others)},
		"no token in the proof":               {"DPoP " + token, s.op.Proof(key, "GET", url, "")},
		"two minutes ago":                     {"DPoP " + token, s.op.Proof(key, "GET", url, token, claim("iat", now.now().Add(-2*time.Minute).Unix()))},
		"in two minutes":                      {"DPoP " + token, s.op.Proof(key, "GET", url, token, claim("iat", now.now().Add(2*time.Minute).Unix()))},
		"at no time":                          {"DPoP " + token, s.op.Proof(key, "GET", url, token, claim("iat", gone))},
		"without a jti":                       {"DPoP " + token, s.op.Proof(key, "GET", url, token, claim("jti", gone))},
		"of typ JWT":                          {"DPoP " + token, s.op.Proof(key, "GET", url, token, header("typ", "JWT"))},
		"by another key":                      {"DPoP " + token, s.op.Proof(other, "GET", url, token)},
		"by a key that isn't in it":           {"DPoP " + token, s.op.Proof(other, "GET", url, token, header("jwk", publicOf(key)))},
		"with its private key":                {"DPoP " + token, s.op.Proof(key, "GET", url, token, header("jwk", withPrivate(publicOf(key))))},
		"signed by a secret": {"DPoP " + token, s.op.Proof(key, "GET", url, token, func(j *oidctest.JWT) {
			j.Header["alg"] = "HS256"
			j.Key = oidctest.Key{Alg: "HS256", Secret: []byte("x")}
		})},
		"signed by nothing":                {"DPoP " + token, s.op.Proof(key, "GET", url, token, func(j *oidctest.JWT) { j.Header["alg"] = "none"; j.Key = oidctest.Key{Alg: "none"} })},
		"garbage":                          {"DPoP " + token, "garbage"},
		"a token that isn't bound":         {"DPoP " + loose, s.op.Proof(key, "GET", url, loose)},
		"a proof beside an unbound one":    {"Bearer " + others, s.op.Proof(other, "GET", url, others)},
		"a bound token of somebody else's": {"DPoP " + others, s.op.Proof(key, "GET", url, others)},
	} {
		s.op.Reset()
		more := []string{"DPoP", c.proof}
		if c.proof == "" {
			more = nil
		}
		a := s.refuses(name, http.StatusUnauthorized, c.authorization, more...)
		if !strings.Contains(strings.Join(a.Header.Values("WWW-Authenticate"), " "), `error="invalid_token"`) {
			t.Errorf("%s: got the challenge %q", name, a.Header.Values("WWW-Authenticate"))
		}
		if n := s.asked(); n != 0 {
			t.Errorf("%s: the provider was asked %d times", name, n)
		}
	}
	s.refuses("two proofs", http.StatusUnauthorized, "DPoP "+token, "DPoP", good(), "DPoP", good())
	s.refuses("two proofs in one header", http.StatusUnauthorized, "DPoP "+token, "DPoP", good()+", "+good())
	s.admits("an unbound token without a proof", "Bearer "+loose)
	// A proof that was refused for its token is still good for the right one: it isn't taken before all else is right.
	fresh := good()
	s.refuses("the wrong token first", http.StatusUnauthorized, "DPoP "+others, "DPoP", fresh)
	s.admits("then the right one", "DPoP "+token, "DPoP", fresh)
	// J-48: what is remembered of a proof is its key's alone.
	same := claim("jti", "the same")
	s.admits("J-48 a jti", "DPoP "+token, "DPoP", s.op.Proof(key, "GET", url, token, same))
	s.admits("J-48 the same one of another key", "DPoP "+others, "DPoP", s.op.Proof(other, "GET", url, others, same))
	s.refuses("J-48 the same one again", http.StatusUnauthorized, "DPoP "+token, "DPoP", s.op.Proof(key, "GET", url, token, same))
	// For as long as a proof may come again, it is remembered.
	kept := s.op.Proof(key, "GET", url, token, claim("iat", now.now().Add(50*time.Second).Unix()))
	s.admits("a proof of the future", "DPoP "+token, "DPoP", kept)
	now.forward(105 * time.Second)
	s.refuses("a proof of the future, in its last seconds", http.StatusUnauthorized, "DPoP "+token, "DPoP", kept)
}

func publicOf(k oidctest.Key) map[string]any {
	jwk := k.JWK()
	for _, beside := range []string{"alg", "use", "kid"} {
		delete(jwk, beside)
	}
	return jwk
}

func withPrivate(jwk map[string]any) map[string]any {
	jwk["d"] = "AAAA"
	return jwk
}

// A proof's signature can be made to cost a hundred times what a token's does, by the key that it brings: it is verified for a good
// token that is bound to this key, and for no other.
func TestProofsOfStrangersAreNotVerified(t *testing.T) {
	t.Parallel()
	s := apiStand(t, nil)
	key, other := s.op.NewKey("ES256"), s.op.NewKey("ES256")
	bound := s.token(oidctest.Grant{JKT: key.Thumbprint()})
	prove := func(k oidctest.Key, token string) []string {
		return []string{"DPoP", s.op.Proof(k, "GET", s.url+"/api/any", token)}
	}
	forge := func(k oidctest.Key, token string) []string {
		return []string{"DPoP", s.op.Proof(other, "GET", s.url+"/api/any", token, header("jwk", publicOf(k)))}
	}
	s.admits("a good proof", "DPoP "+bound, prove(key, bound)...)
	const unsigned = "not signed by the key of the proof"
	for name, c := range map[string]struct{ token, want string }{
		"a good token of this key": {bound, unsigned},
		"one of another key":       {s.token(oidctest.Grant{JKT: other.Thumbprint()}), `"cnf.jkt": not proven`},
		"one of no key":            {s.token(oidctest.Grant{}), `"cnf": not bound to the key of the proof`},
		"one for another resource": {s.token(oidctest.Grant{JKT: key.Thumbprint()}, claim("aud", "https://other.example")), `"aud": names another resource`},
		"one that is over":         {s.token(oidctest.Grant{JKT: key.Thumbprint()}, claim("exp", 1)), `"exp": missing or over`},
		"one that is forged":       {s.token(oidctest.Grant{JKT: key.Thumbprint()}, func(j *oidctest.JWT) { j.SignWith(s.op.NewKey("RS256")) }), "not signed by a key of the provider"},
	} {
		s.refuses(name, http.StatusUnauthorized, "DPoP "+c.token, forge(key, c.token)...)
		told := s.eventsOf(auth.EventLoginFailed)
		if len(told) == 0 || !strings.Contains(told[len(told)-1].Reason, c.want) {
			t.Errorf("%s: got %v, want %s in the last reason", name, told, c.want)
		}
	}
	s.admits("a good proof, afterwards", "DPoP "+bound, prove(key, bound)...)
}

// The address that a proof is for is PublicURL's, however the server is reached: behind a proxy that ends TLS, below a path,
// below a router that changes the request's path. What a client says of the host counts nowhere.
func TestDPoPAddress(t *testing.T) {
	t.Parallel()
	s := apiStand(t, nil)
	key := s.op.NewKey("ES256")
	token := s.token(oidctest.Grant{JKT: key.Thumbprint()})
	for _, c := range []struct{ public, target, prefix string }{
		{"https://app.example", "/api/any", "/api"}, {"https://app.example/lab", "/lab/api/any", "/lab"},
		{"https://app.example:8443/a-b/", "/a-b/c%2Fd%20e", "/a-b"},
	} {
		cfg := oidcauth.Config{Auth: auth.Config{PublicURL: c.public, Logger: slog.New(slog.DiscardHandler)}, DB: s.db, Providers: []oidcauth.Provider{{
			Name: "corp", Issuer: s.op.Issuer(), ClientID: clientID, ClientSecret: clientSecret, API: &oidcauth.API{Audience: audience},
		}}}
		a, err := oidcauth.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Close() })
		origin := c.public[:strings.Index(c.public[8:]+"/", "/")+8]
		ask := func(htu string, change func(*http.Request), wrap func(http.Handler) http.Handler) int {
			reached := false
			h := a.CurrentUser(nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", c.target+"?q=1", nil)
			r.Host = origin[8:]
			r.Header.Set("Authorization", "DPoP "+token)
			r.Header.Set("DPoP", s.op.Proof(key, "GET", htu, token))
			if change != nil {
				change(r)
			}
			wrap(h).ServeHTTP(w, r)
			if reached != (w.Code == http.StatusOK) {
				t.Errorf("got %d, the handler was reached: %v", w.Code, reached)
			}
			return w.Code
		}
		plain := func(h http.Handler) http.Handler { return h }
		strip := func(h http.Handler) http.Handler { return http.StripPrefix(c.prefix, h) }
		if got := ask(origin+c.target, nil, plain); got != http.StatusOK {
			t.Fatalf("%s: got %d", c.public, got)
		}
		if got := ask(origin+c.target, nil, strip); got != http.StatusOK {
			t.Errorf("%s, below StripPrefix: got %d", c.public, got)
		}
		lies := func(r *http.Request) {
			r.Header.Set("X-Forwarded-Host", "evil.example")
			r.Header.Set("X-Forwarded-Proto", "https")
			r.Header.Set("Forwarded", "host=evil.example;proto=https")
		}
		if got := ask("https://evil.example"+c.target, lies, plain); got != http.StatusUnauthorized {
			t.Errorf("%s, a host that the client names: got %d", c.public, got)
		}
		if got := ask("http"+origin[5:]+c.target, nil, plain); got != http.StatusUnauthorized {
			t.Errorf("%s, the address without TLS, as the server sees it behind the proxy: got %d", c.public, got)
		}
		if got := ask(origin+"/other"+c.target, nil, plain); got != http.StatusUnauthorized {
			t.Errorf("%s, another path: got %d", c.public, got)
		}
	}
}

// J-46: a token that is bound to a client certificate (RFC 8705 section 3) counts on a connection that has proved it.
func TestCertificateBoundTokens(t *testing.T) {
	t.Parallel()
	s := apiStand(t, nil)
	right, wrong := newCertificate(t), newCertificate(t)
	token := s.token(oidctest.Grant{X5T: oidctest.CertThumbprint(right.Leaf)})
	loose := s.token(oidctest.Grant{})
	server := httptest.NewUnstartedServer(s.server.Config.Handler)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	ask := func(token string, certificates ...tls.Certificate) int {
		t.Helper()
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates, ServerName: "example.com"}}}
		defer client.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/api/any", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		before := s.reached.Load()
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if reached := s.reached.Load() != before; reached != (resp.StatusCode == http.StatusOK) {
			t.Errorf("got %d, the handler was reached: %v", resp.StatusCode, reached)
		}
		return resp.StatusCode
	}
	if got := ask(token, right); got != http.StatusOK {
		t.Fatalf("the right certificate: got %d", got)
	}
	for name, got := range map[string]int{
		"another certificate": ask(token, wrong), "J-46 no certificate": ask(token), "a bound token in clear": s.send("Bearer " + token).StatusCode,
		"a certificate in a header": s.send("Bearer "+token, "X-Client-Cert", base64.StdEncoding.EncodeToString(right.Leaf.Raw)).StatusCode,
	} {
		if got != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", name, got)
		}
	}
	if got := ask(loose, right); got != http.StatusOK {
		t.Errorf("an unbound token with a certificate: got %d", got)
	}
	s.refuses("an unknown condition", http.StatusUnauthorized, "Bearer "+s.token(oidctest.Grant{Claims: map[string]any{"cnf": map[string]any{"kid": "x"}}}))
	s.refuses("an empty condition", http.StatusUnauthorized, "Bearer "+s.token(oidctest.Grant{Claims: map[string]any{"cnf": map[string]any{}}}))
	s.refuses("a condition that is none", http.StatusUnauthorized, "Bearer "+s.token(oidctest.Grant{Claims: map[string]any{"cnf": nil}}))
}

// RequireBinding takes bound tokens only, and says which.
func TestRequireBinding(t *testing.T) {
	t.Parallel()
	s := apiStand(t, func(pl *plan) { pl.provider.API.RequireBinding = true })
	key := s.op.NewKey("ES256")
	token := s.token(oidctest.Grant{JKT: key.Thumbprint()})
	s.admits("a bound one", "DPoP "+token, "DPoP", s.op.Proof(key, "GET", s.url+"/api/any", token))
	a := s.refuses("an unbound one", http.StatusUnauthorized, "Bearer "+s.token(oidctest.Grant{}))
	if got := a.Header.Values("WWW-Authenticate"); len(got) != 1 || !strings.HasPrefix(got[0], "DPoP ") {
		t.Errorf("got the challenges %q", got)
	}
}

func newCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a client"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
