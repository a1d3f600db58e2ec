package oidcauth

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// proofAlgorithms are those that DPoP proofs may be signed with: each client has a key of its own kind.
var proofAlgorithms = []string{"ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256"}

// sender is what a request proves of who sends it beside the token: the key of a client certificate, or of a DPoP proof. The
// proof is the caller's to verify, and to take once.
func (b *backend) sender(r *http.Request, s scheme, text string) (bound token.Binding, proof *token.UnverifiedProof, err error) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		bound.Certificate = r.TLS.PeerCertificates[0].Raw // the handshake has proved its key
	}
	if s != dpopScheme {
		return bound, nil, nil
	}
	proofs := r.Header["Dpop"]
	if len(proofs) != 1 { // RFC 9449 section 4.3: "There is not more than one DPoP HTTP request header field"
		return bound, nil, fmt.Errorf("%w: %d headers with a DPoP proof", auth.ErrInvalidCredentials, len(proofs))
	}
	proof, err = token.ReadProof(proofs[0], token.ProofCheck{
		Method: r.Method, URL: b.asked(r), AccessToken: text, Algs: proofAlgorithms, Now: b.now(),
	})
	if err != nil {
		return bound, nil, tokenError(err)
	}
	bound.Proof = proof.Thumbprint
	return bound, proof, nil
}

// asked is the URL that r asks for, as its client sees it: scheme and host are PublicURL's, whatever a Host header says, and
// however this server is reached behind a proxy. The path is the request line's, since routers change r.URL's.
func (b *backend) asked(r *http.Request) string {
	path := r.URL.EscapedPath()
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ = strings.Cut(r.RequestURI, "?")
	}
	return strings.TrimSuffix(b.site.PublicURL(), b.site.Path()) + path
}

// checkBinding refuses a token that is bound to a key to whoever doesn't prove to have that key: as a bearer token it would be
// worth what it was bound for not to be.
func (e *verified) checkBinding(bound token.Binding) error {
	cnf := e.says.Load().binding
	if cnf == nil && e.provider.API.RequireBinding {
		return fmt.Errorf("%w: the token is bound to no key, and RequireBinding is set", auth.ErrInvalidCredentials)
	}
	if err := token.CheckBinding(cnf, bound); err != nil {
		return tokenError(err)
	}
	return nil
}
