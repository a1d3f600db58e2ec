package oidctest

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Thumbprint is the key's JWK thumbprint with SHA-256 (RFC 7638), the cnf.jkt of a token that is bound to it. It panics for a
// Key without a public half: a mistake of the test.
func (k Key) Thumbprint() string {
	print, err := thumbprint(jose.JSONWebKey{Key: k.Public()})
	if err != nil {
		panic(fmt.Sprintf("oidctest: the thumbprint of a key of %q: %v", k.Alg, err))
	}
	return print
}

func thumbprint(k jose.JSONWebKey) (string, error) {
	sum, err := k.Thumbprint(crypto.SHA256)
	return encode(sum), err
}

// CertThumbprint is the cnf.x5t#S256 of a token that is bound to the certificate (RFC 8705 §3.1).
func CertThumbprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return encode(sum[:])
}

// Proof makes a DPoP proof (RFC 9449 §4.2) by k for one request; token is the access token that goes with it, empty for the
// token endpoint. mods change it before it is signed.
func (p *Provider) Proof(k Key, method, url, token string, mods ...func(*JWT)) string {
	t := &JWT{Header: map[string]any{}, Claims: map[string]any{
		"jti": secret(), "htm": method, "htu": url, "iat": p.now().Unix(),
	}}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		t.Claims["ath"] = encode(sum[:])
	}
	k.ID = "" // the key itself is in the header
	t.SignWith(k)
	jwk := k.JWK()
	for _, beside := range []string{"alg", "use", "kid"} {
		delete(jwk, beside)
	}
	t.Header["typ"], t.Header["jwk"] = "dpop+jwt", jwk
	for _, mod := range mods {
		mod(t)
	}
	return t.Compact()
}

// tokenProof returns the thumbprint of the key that a token request proves, empty without a proof.
func (p *Provider) tokenProof(c Client, r *http.Request) (jkt string, err error) {
	if len(r.Header.Values("DPoP")) == 0 && !c.RequireDPoP {
		return "", nil
	}
	if jkt, err = p.proven(r, ""); err != nil {
		return "", refuse("invalid_dpop_proof", "%v", err)
	}
	return jkt, nil
}

// proven checks the DPoP proof of r (RFC 9449 §4.3) and returns the thumbprint of its key.
func (p *Provider) proven(r *http.Request, token string) (jkt string, err error) {
	proofs := r.Header.Values("DPoP")
	if len(proofs) != 1 {
		return "", errors.New("want one proof")
	}
	parsed, err := jwt.ParseSigned(proofs[0], []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	if err != nil {
		return "", errors.New("the proof is no JWT of a supported algorithm")
	}
	header := parsed.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != "dpop+jwt" || header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		return "", errors.New("the proof's header has another typ, or no public key")
	}
	var claims struct {
		ID     string           `json:"jti"`
		Method string           `json:"htm"`
		URL    string           `json:"htu"`
		Hash   string           `json:"ath"`
		Issued *jwt.NumericDate `json:"iat"`
	}
	if err := parsed.Claims(header.JSONWebKey.Key, &claims); err != nil {
		return "", errors.New("the proof's signature isn't that of its key")
	}
	sum := sha256.Sum256([]byte(token))
	switch {
	case claims.Method != r.Method || claims.URL != p.server.URL+r.URL.Path:
		return "", errors.New("the proof is for another request")
	case token != "" && claims.Hash != encode(sum[:]):
		return "", errors.New("the proof is for another token")
	case claims.Issued == nil || claims.Issued.Time().Sub(p.now()).Abs() > time.Minute:
		return "", errors.New("the proof isn't of now")
	case claims.ID == "" || !p.once("proof "+claims.ID):
		return "", errors.New("the proof was used before")
	}
	return thumbprint(*header.JSONWebKey)
}
