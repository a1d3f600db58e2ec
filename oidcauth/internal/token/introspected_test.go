package token_test

import (
	"testing"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// J-46, J-47: what an introspection calls a DPoP token says which key it is bound to, or it would pass for a bearer token.
func TestIntrospectedDPoPToken(t *testing.T) {
	t.Parallel()
	check := token.IntrospectedCheck{Issuer: "https://op.example", Audience: "https://api.example", ClientID: "app", Now: time.Unix(1_800_000_000, 0)}
	for answer, good := range map[string]bool{
		`{"sub":"alice","client_id":"app","token_type":"DPoP","cnf":{"jkt":"x"}}`:      true,
		`{"sub":"alice","client_id":"app","token_type":"Bearer"}`:                      true,
		`{"sub":"alice","client_id":"app"}`:                                            true,
		`{"sub":"alice","client_id":"app","token_type":"DPoP"}`:                        false,
		`{"sub":"alice","client_id":"app","token_type":"dpop","cnf":null}`:             false,
		`{"sub":"alice","client_id":"app","token_type":"DPOP","cnf":{"x5t#S256":"x"}}`: false,
		`{"sub":"alice","client_id":"app","token_type":"DPoP","cnf":{"jkt":1}}`:        false,
		`{"sub":"alice","client_id":"app","token_type":"DPoP","cnf":{"jkt":""}}`:       false,
	} {
		claims, err := token.ParseClaims([]byte(answer))
		if err != nil {
			t.Fatal(err)
		}
		if err := claims.CheckIntrospected(check); (err == nil) != good {
			t.Errorf("%s: got %v", answer, err)
		}
	}
}

// J-47: whom a token was made for counts: the audience where the answer names one, else the client.
func TestIntrospectedAudience(t *testing.T) {
	t.Parallel()
	check := token.IntrospectedCheck{Issuer: "https://op.example", Audience: "https://api.example", ClientID: "app", Now: time.Unix(1_800_000_000, 0)}
	for answer, good := range map[string]struct{ strict, any bool }{
		`{"sub":"alice","aud":"https://api.example","client_id":"other"}`:    {true, true},
		`{"sub":"alice","aud":["x","https://api.example"]}`:                  {true, true},
		`{"sub":"alice","client_id":"app"}`:                                  {true, true},
		`{"sub":"alice"}`:                                                    {false, true},
		`{"sub":"alice","client_id":"other"}`:                                {false, true},
		`{"sub":"alice","client_id":["app"]}`:                                {false, true},
		`{"sub":"alice","aud":"https://other.example","client_id":"app"}`:    {false, false},
		`{"sub":"alice","aud":"app","client_id":"app"}`:                      {false, false},
		`{"sub":"alice","aud":null,"client_id":"app"}`:                       {false, false},
		`{"sub":"alice","aud":[],"client_id":"app"}`:                         {false, false},
		`{"sub":"alice","aud":"https://api.example.evil","client_id":"app"}`: {false, false},
	} {
		claims, err := token.ParseClaims([]byte(answer))
		if err != nil {
			t.Fatal(err)
		}
		for anyAudience, want := range map[bool]bool{false: good.strict, true: good.any} {
			check.AnyAudience = anyAudience
			if err := claims.CheckIntrospected(check); (err == nil) != want {
				t.Errorf("%s, any audience %v: got %v", answer, anyAudience, err)
			}
		}
	}
}
