package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// Whatever Parse takes is spelled in one way, and is to another reader what it is here.
func FuzzParse(f *testing.F) {
	f.Add(sign("ES256", p256Key(), header("ES256", "JWT").json(), idClaims().json()))
	f.Add(sign("RS256", rsaKey(), header("RS256", "at+jwt").json(), accessClaims().with(object{"aud": []string{"a", "b"}}).json()))
	f.Add(logoutToken("logout+jwt", nil))
	f.Add(b64(`{"alg":"EdDSA"}`) + "." + b64(`{"s\u0075b":"\ud83d\ude00","n":1e5}`) + ".AA")
	f.Add("..")
	f.Add("")
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := token.Parse(raw)
		if err != nil {
			if !errors.Is(err, token.ErrInvalid) {
				t.Errorf("got %v, want a refusal", err)
			}
			return
		}
		parts := strings.Split(raw, ".")
		if len(parts) != 3 {
			t.Fatalf("got %d parts accepted", len(parts))
		}
		for _, part := range parts {
			data, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil || base64.RawURLEncoding.EncodeToString(data) != part {
				t.Errorf("got %q accepted, which has another spelling", part)
			}
		}
		var head struct {
			Alg, Kid, Typ string
			Crit, B64     any
		}
		if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[0])), &head); err != nil {
			t.Fatalf("got a header accepted that encoding/json refuses: %v", err)
		}
		if head.Alg != got.Alg || head.Kid != got.KeyID || head.Typ != got.Type || head.Crit != nil || head.B64 != nil {
			t.Errorf("got %q, %q, %q, while encoding/json reads %+v", got.Alg, got.KeyID, got.Type, head)
		}
		var claims token.Claims
		decoder := json.NewDecoder(strings.NewReader(string(must(base64.RawURLEncoding.DecodeString(parts[1])))))
		decoder.UseNumber()
		if err := decoder.Decode(&claims); err != nil || !reflect.DeepEqual(claims, got.Claims) {
			t.Errorf("got %v, while encoding/json reads %v, %v", got.Claims, claims, err)
		}
		var names struct{ Sub, Iss, Aud, Exp, Nonce any } // folded, as encoding/json does
		if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[1])), &names); err == nil {
			if sub, _ := names.Sub.(string); got.Claims["sub"] != nil && sub != "" && got.Claims["sub"] != sub {
				t.Errorf("got sub %v, while encoding/json reads %q", got.Claims["sub"], sub)
			}
		}
		// No check panics, and nobody but the provider signs.
		for _, err := range []error{
			got.CheckID(t.Context(), anyKey{otherRSA().Public()}, idCheck()), got.CheckLogout(t.Context(), anyKey{}, logoutCheck()),
			got.CheckAccess(t.Context(), anyKey{}, accessCheck()), got.CheckRefreshed(t.Context(), anyKey{}, idCheck(), got.Facts()),
		} {
			if !errors.Is(err, token.ErrInvalid) {
				t.Errorf("got %v, want a refusal", err)
			}
		}
	})
}

// A key set gives keys that can be used with each algorithm, or nothing.
func FuzzParseKeySet(f *testing.F) {
	for _, alg := range allAlgs {
		f.Add([]byte(object{"keys": []any{jwkOf(signerOf(alg).Public(), object{"kid": "k", "alg": alg, "use": "sig"}), good()}}.json()))
	}
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"RSA","n":"","e":""},1,null]}`))
	raws := map[string]string{}
	for _, alg := range allAlgs {
		raws[alg] = sign(alg, signerOf(alg), header(alg, "JWT").with(object{"kid": gone}).json(), idClaims().json())
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		set, err := token.ParseKeySet(body)
		if err != nil {
			return
		}
		if set.Len() > 200 {
			t.Errorf("got %d keys, want at most 200", set.Len())
		}
		for alg, raw := range raws {
			if n := len(set.Candidates("", alg)); n > 8 {
				t.Errorf("got %d candidates, want at most 8", n)
			}
			if err := verify(t, raw, &source{set: set}, alg); err != nil && !errors.Is(err, token.ErrInvalid) {
				t.Errorf("got %v, want a refusal", err)
			}
		}
	})
}

// A proof that is accepted is one for this request, with an id and a key.
func FuzzCheckProof(f *testing.F) {
	f.Add(proof(nil, nil))
	f.Add(proof(nil, object{"htu": "HTTPS://API.example:443/%63ontents/a?x#y"}))
	f.Add(sign("RS256", rsaKey(), proofHeader("RS256").json(), proofClaims().json()))
	f.Add(sign("EdDSA", edKey(), proofHeader("EdDSA").json(), proofClaims().json()))
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := token.CheckProof(raw, proofCheck())
		if err != nil {
			if !errors.Is(err, token.ErrInvalid) || got != (token.Proof{}) {
				t.Errorf("got %v, %v, want a refusal alone", got, err)
			}
			return
		}
		if got.ID == "" || len(got.Thumbprint) != 43 || !got.Until.After(now.Add(-1)) {
			t.Errorf("got %+v, want an id, a thumbprint and a time", got)
		}
	})
}
