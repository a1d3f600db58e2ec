package token

// Binding is what a request proves about its sender beside the token.
type Binding struct {
	Proof       string // thumbprint of the key of a DPoP proof for this token, which is verified in the end; empty: no proof
	Certificate []byte // the client's certificate in DER, from a TLS connection that has verified it; empty: none
}

// CheckBinding checks a token's cnf (RFC 7800), for every request, since a token that was verified once may come again from
// somebody else: jkt (RFC 9449) must be the proof's key and x5t#S256 (RFC 8705) the certificate's hash. A bound token without
// its proof is refused, and a proof of a token that isn't bound to it, or who steals a token could use it with a key of his
// own. Any other member of cnf is refused: it is a condition that can't be checked here. claims may be those of an
// introspection too.
func CheckBinding(claims Claims, b Binding) error {
	value, given := claims["cnf"]
	if !given {
		if b.Proof != "" {
			return fail("cnf", "not bound to the key of the proof")
		}
		return nil
	}
	cnf, ok := value.(map[string]any)
	if !ok || len(cnf) == 0 {
		return fail("cnf", "no condition in it")
	}
	for name := range cnf {
		thumbprint, _ := Claims(cnf).Text(name)
		switch name {
		case "jkt":
			if b.Proof == "" || !same(thumbprint, b.Proof) {
				return fail("cnf.jkt", "not proven")
			}
		case "x5t#S256":
			if len(b.Certificate) == 0 || !hashes(thumbprint, b.Certificate) {
				return fail("cnf.x5t#S256", "not proven")
			}
		default:
			return fail("cnf", "a condition that isn't known")
		}
	}
	if _, given := cnf["jkt"]; !given && b.Proof != "" {
		return fail("cnf", "not bound to the key of the proof")
	}
	return nil
}
