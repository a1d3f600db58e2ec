package token

import (
	"slices"
	"time"
)

const (
	// maxProofAge is how far a proof's iat may be from our clock, either way.
	maxProofAge = time.Minute

	// maxProofID bounds a jti, which is remembered.
	maxProofID = 256
)

// ProofCheck says what a DPoP proof must say. All of it is needed.
type ProofCheck struct {
	Method      string // of the request
	URL         string // of the request as its sender sees it: scheme, host and path; query and fragment don't count
	AccessToken string // that the proof is for
	Algs        []string
	Now         time.Time
}

// Proof is a DPoP proof that was accepted.
type Proof struct {
	Thumbprint string    // of its key (RFC 7638): what the token must be bound to, see [Binding]
	ID         string    // its jti, which the caller takes once for this key
	Until      time.Time // when ID may be forgotten: the proof is too old from then on
}

// CheckProof verifies the value of a DPoP header (RFC 9449 section 4.3): one JWT of typ dpop+jwt, signed by the public key in
// its own header, which must be as strong as a provider's, over this method, URL and access token, made within a minute of
// now. Whose key it is says CheckBinding only. Every error is [ErrInvalid].
func CheckProof(proof string, c ProofCheck) (Proof, error) {
	t, err := parse(proof, true)
	if err != nil {
		return Proof{}, err
	}
	if !isType(t.Type, "dpop+jwt") {
		return Proof{}, fail("header.typ", "not that of a DPoP proof")
	}
	jwk, _ := t.header["jwk"].(map[string]any)
	key, ok := parseKey(jwk)
	if !ok || slices.ContainsFunc(privateMembers, func(name string) bool { _, given := jwk[name]; return given }) {
		return Proof{}, fail("header.jwk", "no public key that is taken")
	}
	id, ok := t.Claims.Text("jti")
	if !ok || len(id) > maxProofID {
		return Proof{}, fail("jti", "missing, no text, or too long")
	}
	if method, ok := t.Claims.Text("htm"); !ok || method != c.Method {
		return Proof{}, fail("htm", "another method")
	}
	if target, ok := t.Claims.Text("htu"); !ok || !sameTarget(target, c.URL) {
		return Proof{}, fail("htu", "another URL")
	}
	if hash, ok := t.Claims.Text("ath"); !ok || c.AccessToken == "" || !hashes(hash, []byte(c.AccessToken)) {
		return Proof{}, fail("ath", "missing or of another access token")
	}
	iat, ok := t.Claims.Time("iat")
	if !ok || iat < c.Now.Add(-maxProofAge).Unix() || iat > c.Now.Add(maxProofAge).Unix() {
		return Proof{}, fail("iat", "missing or not now")
	}
	if _, given := t.Claims["exp"]; given {
		err = t.Claims.checkExpiry(c.Now, maxLifetime)
	}
	if err := first(err, t.Claims.checkNotBefore(c.Now)); err != nil {
		return Proof{}, err
	}
	if !slices.Contains(c.Algs, t.Alg) || !t.signedBy(key) {
		return Proof{}, fail("", "not signed by the key of the proof")
	}
	return Proof{Thumbprint: thumbprint(key), ID: id, Until: time.Unix(iat, 0).Add(maxProofAge + time.Second)}, nil
}
