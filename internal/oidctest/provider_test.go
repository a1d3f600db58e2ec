package oidctest_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if p, err := oidctest.New(oidctest.Config{}); err != nil {
		t.Fatalf("the zero Config: %v", err)
	} else {
		p.Close()
	}
	client := func(c oidctest.Client) oidctest.Config { return oidctest.Config{Clients: []oidctest.Client{c}} }
	for name, cfg := range map[string]oidctest.Config{
		"an address that others reach":     {Addr: "0.0.0.0:0"},
		"an address without a port":        {Addr: "127.0.0.1"},
		"a host name":                      {Addr: "localhost:0"},
		"an unknown algorithm":             {Alg: "HS256"},
		"a path without a slash":           {Path: "a"},
		"a path that ends in one":          {Path: "/a/"},
		"a client without an ID":           client(oidctest.Client{Secret: "s"}),
		"a client of an unknown way":       client(oidctest.Client{ID: "a", Secret: "s", Auth: "client_secret_jwt"}),
		"a secret for nothing":             client(oidctest.Client{ID: "a", Secret: "s", Auth: "none"}),
		"a way without a secret":           client(oidctest.Client{ID: "a", Auth: "client_secret_basic"}),
		"a client of an unknown algorithm": client(oidctest.Client{ID: "a", IDTokenAlg: "none"}),
		"a way without a key":              client(oidctest.Client{ID: "a", Auth: "private_key_jwt"}),
		"a second way that doesn't fit it": client(oidctest.Client{ID: "a", Secret: "s", Key: &rsa.PublicKey{}}),
	} {
		if p, err := oidctest.New(cfg); err == nil {
			p.Close()
			t.Errorf("%s: got a provider", name)
		} else if !strings.HasPrefix(err.Error(), "oidctest: ") {
			t.Errorf("%s: got %v, want it to say where it comes from", name, err)
		}
	}
}

// O-22: https, with a certificate that only the provider's own client trusts; and an issuer with a path.
func TestTLSAndAPath(t *testing.T) {
	t.Parallel()
	p := setup(t, func(c *oidctest.Config) { c.TLS, c.Path = true, "/realms/a" })
	if !strings.HasPrefix(p.Issuer(), "https://127.0.0.1:") || !strings.HasSuffix(p.Issuer(), "/realms/a") {
		t.Errorf("got issuer %s", p.Issuer())
	}
	_, claims := verified(t, p, login(t, p).text("id_token"))
	if claims["iss"] != p.Issuer() {
		t.Errorf("got iss %v, want %s", claims["iss"], p.Issuer())
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, p.Endpoint("jwks"), nil)
	r.RequestURI = ""
	if resp, err := new(http.Client).Do(r); err == nil {
		resp.Body.Close()
		t.Error("a client that doesn't know the certificate got through")
	}
	if p.CertPool() == nil {
		t.Error("got no certificate")
	}
}

// O-22: a certificate that has expired, or is for another name, is served as it was given.
func TestAnotherCertificate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		expires time.Time
		address string
		good    bool
	}{
		"a good one":       {time.Now().Add(time.Hour), "127.0.0.1", true},
		"an expired one":   {time.Now().Add(-time.Minute), "127.0.0.1", false},
		"of another place": {time.Now().Add(time.Hour), "127.0.0.2", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			template := &x509.Certificate{
				SerialNumber: big.NewInt(1), NotBefore: tc.expires.Add(-2 * time.Hour), NotAfter: tc.expires,
				IPAddresses: []net.IP{net.ParseIP(tc.address)}, IsCA: true, BasicConstraintsValid: true,
			}
			der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
			if err != nil {
				t.Fatal(err)
			}
			p := setup(t, func(c *oidctest.Config) {
				c.TLS, c.Certificate = true, &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
			})
			var invalid *tls.CertificateVerificationError
			if _, err := fetch(t.Context(), p); (err == nil) != tc.good || !tc.good && !errors.As(err, &invalid) {
				t.Errorf("got %v, want it taken: %t", err, tc.good)
			}
		})
	}
}

// J-11: rotated keys, and what was signed before.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	p := setup(t)
	old := p.IDToken()
	p.RotateKeys()
	fresh := p.IDToken()
	before, _ := verified(t, p, old)
	after, _ := verified(t, p, fresh)
	if before.KeyID == after.KeyID {
		t.Error("the same key signs")
	}
	p.DropOldKeys()
	verified(t, p, fresh)
	if strings.Contains(get(t, p, p.Endpoint("jwks")).body, before.KeyID) {
		t.Error("the old key is still published")
	}
}

// What one provider signs must not verify at another: their keys differ as long as both are there.
func TestProvidersShareNoKey(t *testing.T) {
	t.Parallel()
	a, b := setup(t), setup(t)
	for _, alg := range oidctest.Algs() {
		keys := []oidctest.Key{a.Key(alg), b.Key(alg), a.NewKey(alg), b.NewKey(alg)}
		for i, k := range keys {
			for _, other := range keys[:i] {
				if k.Thumbprint() == other.Thumbprint() || k.ID == other.ID {
					t.Errorf("%s: two keys are the same", alg)
				}
			}
		}
	}
}

func TestMintedTokens(t *testing.T) {
	t.Parallel()
	p := setup(t)
	sid := p.SignIn("bob")
	_, claims := verified(t, p, p.IDToken(func(j *oidctest.JWT) { j.Claims["nonce"] = "n" }))
	if claims["sub"] != "bob" || claims["sid"] != sid || claims["nonce"] != "n" || claims["aud"] != "app" {
		t.Errorf("got %v, want bob's", claims)
	}
	header, claims := verified(t, p, p.AccessToken(oidctest.Grant{Audience: "https://api.example", Sub: "alice",
		Client: "other"}))
	if claims["sub"] != "alice" || claims["client_id"] != "other" || header.ExtraHeaders["typ"] != "at+jwt" {
		t.Errorf("got %v, want alice's by another client", claims)
	}
	header, claims = verified(t, p, p.LogoutToken())
	if claims["sub"] != "bob" || claims["sid"] != sid || header.ExtraHeaders["typ"] != "logout+jwt" {
		t.Errorf("got %v, want bob's logout", claims)
	}
	if got := oidctest.Sign([]byte(`{}`), []byte(`x`), oidctest.Key{Alg: "none"}); got != "e30.eA." {
		t.Errorf("unsigned: got %s", got)
	}
	// RFC 7515 appendix A.1 has HS256; the key is any.
	mac := oidctest.Sign([]byte(`{"alg":"HS256"}`), []byte(`{}`), oidctest.Key{Alg: "HS256", Secret: []byte("secret")})
	if strings.Count(mac, ".") != 2 || len(mac) != len("eyJhbGciOiJIUzI1NiJ9.e30.")+43 {
		t.Errorf("got %s, want 32 bytes of HMAC", mac)
	}
}

func TestHooksOfAClient(t *testing.T) {
	t.Parallel()
	p := setup(t)
	c := app()
	c.Hooks = &oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) { j.Claims["mine"] = true }}
	if err := p.SetClient(c); err != nil {
		t.Fatal(err)
	}
	p.SetHooks(oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) { j.Claims["all"] = true }})
	_, claims := verified(t, p, login(t, p).text("id_token"))
	if claims["mine"] != true || claims["all"] != nil {
		t.Errorf("got %v, want the client's own hooks", claims)
	}
	if err := p.SetClient(app()); err != nil {
		t.Fatal(err)
	}
	if _, claims = verified(t, p, login(t, p).text("id_token")); claims["all"] != true {
		t.Errorf("got %v, want the provider's", claims)
	}
}

// fetch is a plain GET of the metadata by a client that follows redirects and reads everything.
func fetch(ctx context.Context, p *oidctest.Provider) (body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Endpoint("discovery"), nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.Client().Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// A client that takes what a fault sends would succeed: only then does a refusal mean something.
func TestFaultsSendTheRightAnswerInTheWrongWay(t *testing.T) {
	t.Parallel()
	p := setup(t)
	good, err := fetch(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	const size = 3 << 20
	for _, tc := range []struct {
		name  string
		fault oidctest.Fault
		check func(body []byte) bool
	}{
		{"redirect", oidctest.Elsewhere(http.StatusFound), func(body []byte) bool {
			calls := p.Calls("discovery")
			return bytes.Equal(body, good) && strings.HasPrefix(calls[len(calls)-1].Host, "localhost:")
		}},
		{"huge", oidctest.Huge(size), func(body []byte) bool {
			return len(body) > size &&
				bytes.HasPrefix(body, good[:len(good)-1])
		}},
		{"gzip bomb", oidctest.GzipBomb(size), func(body []byte) bool { return len(body) > size }},
		{"gzip", oidctest.Gzip(), func(body []byte) bool { return bytes.Equal(body, good) }},
		{"content type", oidctest.ContentType("text/plain"), func(body []byte) bool { return bytes.Equal(body, good) }},
		{"cut", oidctest.Cut(), func(body []byte) bool { return len(body) == len(good)/2 }},
		{"members", oidctest.Members(`"a":1`), func(body []byte) bool { return bytes.HasSuffix(body, []byte(`,"a":1}`)) }},
		{"cookie", oidctest.SetCookie(&http.Cookie{Name: "a", Value: "b"}),
			func(body []byte) bool { return bytes.Equal(body, good) }},
		{"HTML", oidctest.HTML(), func(body []byte) bool { return bytes.HasPrefix(body, []byte("<!DOCTYPE html>")) }},
		{"status", oidctest.Status(http.StatusBadGateway), func(body []byte) bool { return string(body) == "Bad Gateway\n" }},
		{"whole again", nil, func(body []byte) bool { return bytes.Equal(body, good) }},
	} {
		p.Fault("discovery", tc.fault)
		if body, err := fetch(t.Context(), p); err != nil || !tc.check(body) {
			t.Errorf("%s: got %.80q (%d bytes), %v", tc.name, body, len(body), err)
		}
	}
}

func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	for _, overTLS := range []bool{false, true} {
		p := setup(t, func(c *oidctest.Config) { c.TLS = overTLS })
		for name, fault := range map[string]oidctest.Fault{"in the middle": oidctest.BreakOff(),
			"before the answer": oidctest.Lost()} {
			p.Fault("discovery", fault)
			if body, err := fetch(t.Context(), p); err == nil {
				t.Errorf("%s (TLS %t): got %s, want an error", name, overTLS, body)
			}
		}
		p.Fault("discovery", oidctest.Times(1, oidctest.Status(http.StatusBadGateway)))
		for _, want := range []string{"Bad Gateway", p.Issuer()} {
			if body, err := fetch(t.Context(), p); err != nil || !strings.Contains(string(body), want) {
				t.Errorf("once: got %s, %v, want %s", body, err, want)
			}
		}
	}
}

func TestHoldEndsWithTheClientTheReleaseOrTheProvider(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.Fault("discovery", oidctest.Hold(nil))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := fetch(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the client to have given up", err)
	}
	release := make(chan struct{})
	p.Fault("discovery", oidctest.Hold(release))
	done := make(chan error, 2)
	go func() {
		_, err := fetch(context.WithoutCancel(t.Context()), p)
		done <- err
	}()
	close(release)
	if err := <-done; err != nil {
		t.Errorf("released: got %v", err)
	}
	held := make(chan struct{})
	p.Fault("discovery", func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(held)
			oidctest.Hold(nil)(next).ServeHTTP(w, r)
		})
	})
	go func() {
		_, err := fetch(context.WithoutCancel(t.Context()), p)
		done <- err
	}()
	<-held
	p.Close()
	if err := <-done; err == nil {
		t.Error("the provider ended: got an answer")
	}
}

// O-19, O-20: down and up again, under the same address.
func TestDownAndUp(t *testing.T) {
	t.Parallel()
	p := setup(t)
	if _, err := fetch(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	p.Down()
	for range 3 {
		if _, err := fetch(t.Context(), p); err == nil {
			t.Fatal("down: got an answer")
		}
	}
	p.Up()
	if _, err := fetch(t.Context(), p); err != nil {
		t.Errorf("up again: %v", err)
	}
	p.Close()
	if _, err := fetch(t.Context(), p); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("closed: got %v, want it refused", err)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Endpoint("token"),
		strings.NewReader(strings.Repeat("a", 1<<20+1)))
	if err != nil {
		t.Fatal(err)
	}
	if a := send(t, p, r); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", a.status)
	}
}

func TestSignatureFormats(t *testing.T) {
	t.Parallel()
	p := setup(t)
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		k := p.NewKey(alg)
		size := map[string]int{"ES256": 64, "ES384": 96, "ES512": 132, "EdDSA": 64}[alg]
		if size == 0 {
			size = 256
		}
		_, signature, _ := strings.Cut(oidctest.Sign(nil, nil, k), "..")
		if signature == "" {
			signature = oidctest.Sign(nil, nil, k)[1:]
		}
		if raw, err := strict64.DecodeString(signature); err != nil || len(raw) != size {
			t.Errorf("%s: got %d bytes, %v, want %d", alg, len(raw), err, size)
		}
	}
}
