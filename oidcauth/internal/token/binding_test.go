package token_test

import (
	"crypto/sha256"
	"testing"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// J-46: a bound token with what it is bound to, and with anything else.
func TestCheckBinding(t *testing.T) {
	t.Parallel()
	const jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	certificate := []byte("a certificate in DER")
	sum := sha256.Sum256(certificate)
	x5t := b64(string(sum[:]))
	proof, tls := token.Binding{Proof: jkt}, token.Binding{Certificate: certificate}
	both := token.Binding{Proof: jkt, Certificate: certificate}
	for name, c := range map[string]struct {
		cnf   any
		with  token.Binding
		field string // empty: accepted
	}{
		"J-46 a plain token":                               {gone, token.Binding{}, ""},
		"J-46 a plain token over mTLS":                     {gone, tls, ""},
		"J-46 a token and its proof":                       {object{"jkt": jkt}, proof, ""},
		"J-46 a token and its certificate":                 {object{"x5t#S256": x5t}, tls, ""},
		"J-46 a token of both":                             {object{"jkt": jkt, "x5t#S256": x5t}, both, ""},
		"J-46 a bound token as a plain one":                {object{"jkt": jkt}, token.Binding{}, "cnf.jkt"},
		"J-46 a bound token with another's proof":          {object{"jkt": "x" + jkt[1:]}, proof, "cnf.jkt"},
		"J-46 a bound token with a certificate":            {object{"jkt": jkt}, tls, "cnf.jkt"},
		"J-46 a certificate's token as a plain one":        {object{"x5t#S256": x5t}, token.Binding{}, "cnf.x5t#S256"},
		"J-46 a certificate's token with another":          {object{"x5t#S256": x5t}, token.Binding{Certificate: []byte("another")}, "cnf.x5t#S256"},
		"J-46 a token of both with the proof alone":        {object{"jkt": jkt, "x5t#S256": x5t}, proof, "cnf.x5t#S256"},
		"J-46 a token of both with the certificate alone":  {object{"jkt": jkt, "x5t#S256": x5t}, tls, "cnf.jkt"},
		"J-46 a proof of a plain token":                    {gone, proof, "cnf"},
		"J-46 a proof of a certificate's token":            {object{"x5t#S256": x5t}, both, "cnf"},
		"J-46 an empty condition":                          {object{}, token.Binding{}, "cnf"},
		"J-46 a condition that is null":                    {nil, token.Binding{}, "cnf"},
		"J-46 a condition that is a text":                  {jkt, proof, "cnf"},
		"J-46 a condition that is a list":                  {[]any{object{"jkt": jkt}}, proof, "cnf"},
		"J-46 a condition that isn't known":                {object{"kid": "x"}, both, "cnf"},
		"J-46 a condition that isn't known beside a known": {object{"jkt": jkt, "osc": object{}}, proof, "cnf"},
		"J-46 a key as a number":                           {object{"jkt": 1}, proof, "cnf.jkt"},
		"J-46 a key that is empty":                         {object{"jkt": ""}, token.Binding{}, "cnf.jkt"},
		"J-46 a certificate that is empty":                 {object{"x5t#S256": ""}, token.Binding{}, "cnf.x5t#S256"},
		"J-46 the hash of no certificate":                  {object{"x5t#S256": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}, token.Binding{}, "cnf.x5t#S256"},
		"J-46 the name in another case":                    {object{"JKT": jkt}, proof, "cnf"},
		"J-46 the certificate's hash by SHA-1":             {object{"x5t": x5t}, tls, "cnf"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims := must(token.ParseClaims([]byte(accessClaims().with(object{"cnf": c.cnf}).json())))
			err := token.CheckBinding(claims, c.with)
			// The same by the check of the whole token.
			check := accessCheck()
			check.Binding = c.with
			whole := accessVerdict(t, accessToken("at+jwt", object{"cnf": c.cnf}), check)
			if c.field == "" {
				accepted(t, err)
				accepted(t, whole)
			} else {
				refused(t, err, c.field)
				refused(t, whole, c.field)
			}
		})
	}
}
