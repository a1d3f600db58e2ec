package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

const target = "https://api.example/contents/a"

func proofHeader(alg string) object {
	return object{"alg": alg, "typ": "dpop+jwt", "jwk": jwkOf(signerOf(alg).Public(), nil)}
}

func proofClaims() object {
	sum := sha256.Sum256([]byte(access))
	return object{"jti": "p1", "htm": "GET", "htu": target, "iat": at(0), "ath": b64(string(sum[:]))}
}

func proofCheck() token.ProofCheck {
	return token.ProofCheck{Method: "GET", URL: target, AccessToken: access, Algs: allAlgs, Now: now}
}

func proof(header, claims object) string {
	return sign("ES256", p256Key(), proofHeader("ES256").with(header).json(), proofClaims().with(claims).json())
}

func checkProof(raw string) error {
	_, err := token.CheckProof(raw, proofCheck())
	return err
}

// The proof of RFC 9449 section 7.1, and the thumbprint of its key in section 6.1.
func TestCheckProofAcceptsTheExampleOfTheRFC(t *testing.T) {
	t.Parallel()
	const raw = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVV" +
		"FVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWo" +
		"zVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6M" +
		"TU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimP" +
		"PToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	got, err := token.CheckProof(raw, token.ProofCheck{Method: "GET", URL: "https://resource.example.org/protectedresource",
		AccessToken: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", Algs: []string{"ES256"}, Now: time.Unix(1562262618, 0)})
	accepted(t, err)
	if got.Thumbprint != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" || got.ID != "e1j3V_bKic8-LAEB" {
		t.Errorf("got %q and %q, want those of the RFC", got.Thumbprint, got.ID)
	}
}

// The thumbprint of every kind of key is that of another library.
func TestCheckProofGivesTheThumbprint(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		got, err := token.CheckProof(sign(alg, signerOf(alg), proofHeader(alg).json(), proofClaims().json()), proofCheck())
		accepted(t, err)
		sum := must((&jose.JSONWebKey{Key: signerOf(alg).Public()}).Thumbprint(crypto.SHA256))
		if want := b64(string(sum)); got.Thumbprint != want {
			t.Errorf("%s: got %q, want %q", alg, got.Thumbprint, want)
		}
	}
}

func TestCheckProofRefuses(t *testing.T) {
	t.Parallel()
	accepted(t, checkProof(proof(nil, nil)))
	accepted(t, checkProof(proof(object{"typ": "DPoP+JWT"}, object{"htu": target + "?x=1#y", "nonce": "n", "exp": at(60), "nbf": at(0)})))
	jwk := proofHeader("ES256")["jwk"].(object)
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	for name, c := range map[string]struct {
		header, claims object
		field          string
	}{
		"J-38 an ID token's typ":          {object{"typ": "JWT"}, nil, "header.typ"},
		"J-38 no typ":                     {object{"typ": gone}, nil, "header.typ"},
		"J-38 an access token's typ":      {object{"typ": "at+jwt"}, nil, "header.typ"},
		"J-01 none":                       {object{"alg": "none"}, nil, "header.alg"},
		"J-02 HS256":                      {object{"alg": "HS256"}, nil, "header.alg"},
		"no key":                          {object{"jwk": gone}, nil, "header.jwk"},
		"a key that is null":              {object{"jwk": nil}, nil, "header.jwk"},
		"a private key":                   {object{"jwk": jwkOf(p256Key(), nil)}, nil, "header.jwk"},
		"a private member that is empty":  {object{"jwk": jwk.with(object{"d": ""})}, nil, "header.jwk"},
		"a private member that is null":   {object{"jwk": jwk.with(object{"k": nil})}, nil, "header.jwk"},
		"J-03 a secret":                   {object{"jwk": object{"kty": "oct", "k": "AAAA"}}, nil, "header.jwk"},
		"J-14 a weak key":                 {object{"alg": "RS256", "jwk": jwkOf(small.Public(), nil)}, nil, "header.jwk"},
		"J-06 a key for encryption":       {object{"jwk": jwk.with(object{"use": "enc"})}, nil, "header.jwk"},
		"a point that isn't on the curve": {object{"jwk": jwk.with(object{"y": jwk["x"]})}, nil, "header.jwk"},
		"another's key":                   {object{"jwk": jwkOf(must(ecdsa.GenerateKey(p256Key().Curve, rand.Reader)).Public(), nil)}, nil, ""},
		"J-05 a key of another kind":      {object{"jwk": jwkOf(rsaKey().Public(), nil)}, nil, ""},
		"J-07 jku":                        {object{"jku": "https://evil.example"}, nil, "header.jku"},
		"J-07 x5c":                        {object{"x5c": []string{"MA=="}}, nil, "header.x5c"},
		"J-15 crit":                       {object{"crit": []string{}}, nil, "header.crit"},
		"another method":                  {nil, object{"htm": "POST"}, "htm"},
		"the method in lower case":        {nil, object{"htm": "get"}, "htm"},
		"no method":                       {nil, object{"htm": gone}, "htm"},
		"another host":                    {nil, object{"htu": "https://evil.example/contents/a"}, "htu"},
		"another path":                    {nil, object{"htu": "https://api.example/contents/b"}, "htu"},
		"another scheme":                  {nil, object{"htu": "http://api.example/contents/a"}, "htu"},
		"another port":                    {nil, object{"htu": "https://api.example:8443/contents/a"}, "htu"},
		"a path in another case":          {nil, object{"htu": "https://api.example/Contents/a"}, "htu"},
		"an escaped slash":                {nil, object{"htu": "https://api.example/contents%2fa"}, "htu"},
		"a slash behind":                  {nil, object{"htu": target + "/"}, "htu"},
		"a path alone":                    {nil, object{"htu": "/contents/a"}, "htu"},
		"no URL":                          {nil, object{"htu": gone}, "htu"},
		"a user in the URL":               {nil, object{"htu": "https://u@api.example/contents/a"}, "htu"},
		"no jti":                          {nil, object{"jti": gone}, "jti"},
		"a jti that is long":              {nil, object{"jti": strings.Repeat("j", 257)}, "jti"},
		"no iat":                          {nil, object{"iat": gone}, "iat"},
		"iat 61 s ago":                    {nil, object{"iat": at(-61)}, "iat"},
		"iat in 61 s":                     {nil, object{"iat": at(61)}, "iat"},
		"iat as a text":                   {nil, object{"iat": "1772366400"}, "iat"},
		"expired":                         {nil, object{"exp": at(-60)}, "exp"},
		"exp as a text":                   {nil, object{"exp": "1"}, "exp"},
		"nbf to come":                     {nil, object{"nbf": at(120)}, "nbf"},
		"no ath":                          {nil, object{"ath": gone}, "ath"},
		"ath of another token":            {nil, object{"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"}, "ath"},
		"half an ath":                     {nil, object{"ath": proofClaims()["ath"].(string)[:22]}, "ath"},
		"J-24 ATH beside ath":             {nil, object{"ATH": "x"}, "ath"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, checkProof(proof(c.header, c.claims)), c.field)
		})
	}
	refused(t, checkProof(sign("RS256", small, object{"alg": "RS256", "typ": "dpop+jwt", "jwk": jwkOf(small.Public(), nil)}.json(),
		proofClaims().json())), "header.jwk")
	refused(t, checkProof(sign("PS256", rsaKey(), proofHeader("RS256").json(), proofClaims().json())), "")
	refused(t, checkProof(proof(nil, nil)+","+proof(nil, nil)), "") // two headers joined
	refused(t, checkProof(""), "")
	check := proofCheck()
	check.Algs = []string{"RS256"}
	_, err := token.CheckProof(proof(nil, nil), check)
	refused(t, err, "header.alg")
}

// RFC 3986 sections 6.2.2 and 6.2.3: what differs and means the same.
func TestCheckProofNormalizesTheURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, htu string
		same     bool
	}{
		{"https://api.example/a", "HTTPS://API.example:443/a", true},
		{"http://127.0.0.1:8000/a", "http://127.0.0.1:8000/a", true},
		{"http://localhost/a", "http://localhost:80/a", true},
		{"http://[::1]:8000/a", "http://[::1]:8000/a", true},
		{"https://api.example", "https://api.example/", true},
		{"https://api.example/a?token=1", "https://api.example/a", true},
		{"https://api.example/%7Ea/%c3%a9", "https://api.example/~a/%C3%A9", true},
		{"https://api.example/é", "https://api.example/%c3%a9", true},
		{"https://api.example/a%2Fb", "https://api.example/a%2fb", true},
		{"https://api.example/a%2Fb", "https://api.example/a/b", false},
		{"https://api.example/a%25b", "https://api.example/a%b", false},
		{"https://api.example/a", "https://api.example:80/a", false},
		{"http://api.example:443/a", "http://api.example/a", false},
		{"https://api.example/a", "https://api.example/./a", false},
		{"https://api.example/a", "https://api.example//a", false},
		{"https://api.example/a", "//api.example/a", false},
		{"ftp://api.example/a", "ftp://api.example/a", false},
		{"https:///a", "https:///a", false},
		{"https:a", "https:a", false},
		{"", "", false},
	} {
		check := proofCheck()
		check.URL = c.url
		_, err := token.CheckProof(proof(nil, object{"htu": c.htu}), check)
		if got := err == nil; got != c.same || err != nil && !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%q and %q: got %v, want the same %v", c.url, c.htu, err, c.same)
		}
	}
}

// For as long as a jti must be remembered the proof may be accepted, and no longer; the twin of a proof has the same jti and key.
func TestCheckProofSaysHowLongAJTIMatters(t *testing.T) {
	t.Parallel()
	raw := proof(nil, object{"iat": now.Add(time.Minute).Unix()}) // as far ahead as may be
	check := proofCheck()
	first, err := token.CheckProof(raw, check)
	accepted(t, err)
	check.Now = first.Until.Add(-time.Second)
	_, err = token.CheckProof(raw, check)
	accepted(t, err)
	check.Now = first.Until
	_, err = token.CheckProof(raw, check)
	refused(t, err, "iat")

	signature := must(signRaw("ES256", p256Key(), []byte(raw[:strings.LastIndexByte(raw, '.')])))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	check.Now = now
	twin, err := token.CheckProof(withSignature(raw, joined(p256Key(), r, s.Sub(p256Key().Params().N, s))), check) // J-13
	accepted(t, err)
	if twin != first {
		t.Errorf("got %v for the twin, want %v", twin, first)
	}
}

// A check that somebody forgot to fill in accepts no proof.
func TestCheckProofFailsClosed(t *testing.T) {
	t.Parallel()
	accepted(t, checkProof(proof(nil, nil)))
	empty := sha256.Sum256(nil)
	for name, forget := range map[string]func(*token.ProofCheck){
		"method": func(c *token.ProofCheck) { c.Method = "" }, "URL": func(c *token.ProofCheck) { c.URL = "" },
		"token": func(c *token.ProofCheck) { c.AccessToken = "" }, "algorithms": func(c *token.ProofCheck) { c.Algs = nil },
		"time": func(c *token.ProofCheck) { c.Now = time.Time{} },
	} {
		check := proofCheck()
		forget(&check)
		for _, claims := range []object{nil, {"htm": ""}, {"htu": ""}, {"ath": ""}, {"ath": b64(string(empty[:]))}} {
			if _, err := token.CheckProof(proof(nil, claims), check); err == nil {
				t.Errorf("%s forgotten: got %v accepted", name, claims)
			}
		}
	}
}

// The key of RFC 8037 appendix A has the thumbprint that stands in A.3.
func TestCheckProofGivesTheThumbprintOfTheRFC(t *testing.T) {
	t.Parallel()
	ed := object{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
		"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON([]byte(ed.json())); err != nil {
		t.Fatal(err)
	}
	head := object{"alg": "EdDSA", "typ": "dpop+jwt", "jwk": ed.with(object{"d": gone})}
	raw := sign("EdDSA", key.Key.(ed25519.PrivateKey), head.json(), proofClaims().json())
	got, err := token.CheckProof(raw, proofCheck())
	accepted(t, err)
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got.Thumbprint != want {
		t.Errorf("got %q, want %q", got.Thumbprint, want)
	}
}
