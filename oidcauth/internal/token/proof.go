package token

import (
	"crypto"
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

// An UnverifiedProof says all that a DPoP proof must, and may be anybody's until [UnverifiedProof.Verify] has given no error.
type UnverifiedProof struct {
	Thumbprint string // of the key that it names

	token *Token
	key   crypto.PublicKey
	proof Proof
}

// ReadProof reads the value of a DPoP header (RFC 9449 section 4.3): one JWT of typ dpop+jwt, with a public key in its own header
// that must be as strong as a provider's, over this method, URL and access token, made within a minute of now. Whose key it is says
// CheckBinding only. Every error is [ErrInvalid].
//
// The signature is left for Verify, when the token is known to be good and bound to the key: whoever sends a proof chooses its
// key, and one of the largest takes a hundred times as long as the provider's. Strangers must not have that for the asking.
func ReadProof(proof string, c ProofCheck) (*UnverifiedProof, error) {
	t, err := parse(proof, true)
	if err != nil {
		return nil, err
	}
	if !isType(t.Type, "dpop+jwt") {
		return nil, fail("header.typ", "not that of a DPoP proof")
	}
	jwk, _ := t.header["jwk"].(map[string]any)
	key, ok := parseKey(jwk)
	if !ok || slices.ContainsFunc(privateMembers, func(name string) bool { _, given := jwk[name]; return given }) {
		return nil, fail("header.jwk", "no public key that is taken")
	}
	id, ok := t.Claims.Text("jti")
	if !ok || len(id) > maxProofID {
		return nil, fail("jti", "missing, no text, or too long")
	}
	if method, ok := t.Claims.Text("htm"); !ok || method != c.Method {
		return nil, fail("htm", "another method")
	}
	if target, ok := t.Claims.Text("htu"); !ok || !sameTarget(target, c.URL) {
		return nil, fail("htu", "another URL")
	}
	if hash, ok := t.Claims.Text("ath"); !ok || c.AccessToken == "" || !hashes(hash, []byte(c.AccessToken)) {
		return nil, fail("ath", "missing or of another access token")
	}
	iat, ok := t.Claims.Time("iat")
	if !ok || iat < c.Now.Add(-maxProofAge).Unix() || iat > c.Now.Add(maxProofAge).Unix() {
		return nil, fail("iat", "missing or not now")
	}
	if _, given := t.Claims["exp"]; given {
		err = t.Claims.checkExpiry(c.Now, maxLifetime)
	}
	if err := first(err, t.Claims.checkNotBefore(c.Now)); err != nil {
		return nil, err
	}
	if !slices.Contains(c.Algs, t.Alg) {
		return nil, fail("header.alg", "not one that is taken")
	}
	p := Proof{Thumbprint: thumbprint(key), ID: id, Until: time.Unix(iat, 0).Add(maxProofAge + time.Second)}
	return &UnverifiedProof{Thumbprint: p.Thumbprint, token: t, key: key, proof: p}, nil
}

// Verify checks the signature: whoever made the proof has the key.
func (u *UnverifiedProof) Verify() (Proof, error) {
	if !u.token.signedBy(u.key) {
		return Proof{}, fail("", "not signed by the key of the proof")
	}
	return u.proof, nil
}
