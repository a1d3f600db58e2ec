package oidcauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth/internal/op"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// bearer is whom an access token in the Authorization header proves. One of an issuer that isn't here may be known to another
// backend of a chain; what is ours and wrong is nobody's.
func (b *backend) bearer(r *http.Request) (*auth.Identity, error) {
	if !b.bearers.taken {
		return nil, auth.ErrNoCredentials
	}
	scheme, text, err := offered(r.Header["Authorization"])
	if err != nil {
		return nil, err
	}
	if scheme == noScheme {
		return nil, auth.ErrNoCredentials
	}
	bound, proof, err := b.sender(r, scheme, text)
	if err != nil {
		return nil, err
	}
	e, known := b.bearers.cache.get(text)
	if !known || !e.counts(b.now().Unix()) {
		if e, err = b.verify(r, text, bound, e); err != nil {
			return nil, err
		}
	}
	// For each request: who has a token that was verified for somebody else has not proved the key that it is bound to.
	if err := e.checkBinding(bound); err != nil {
		return nil, err
	}
	// Behind all else: proofs that anybody can make must neither cost much nor fill what remembers them.
	if proof != nil {
		proven, err := proof.Verify()
		if err != nil {
			return nil, tokenError(err)
		}
		if err := b.bearers.proofs.use(&proven, b.now()); err != nil {
			return nil, err
		}
	}
	return b.bearers.current(r.Context(), e)
}

// verify finds out what a token is worth that memory can't tell about. before is what it was known as until now; nil: nothing.
func (b *backend) verify(r *http.Request, text string, bound token.Binding, before *verified) (*verified, error) {
	p, t, err := b.whose(text)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return b.introspected(r, p, text, before)
	}
	now := b.now()
	// Without the leeway that clocks have elsewhere: neither memory nor what a token has opened outlives it.
	if exp, ok := t.Claims.Time("exp"); !ok || exp <= now.Unix() {
		return nil, fmt.Errorf("%w: token: \"exp\": missing or over", auth.ErrInvalidCredentials)
	}
	// RFC 9068 section 4.
	err = t.CheckAccess(r.Context(), p.op, token.AccessCheck{
		Issuer: p.Issuer, Audience: p.API.Audience, Algs: p.API.Algorithms, Now: now, Binding: bound,
		AnyType: p.API.SkipType, ClientID: p.ClientID,
	})
	if err != nil {
		return nil, tokenError(err)
	}
	says, err := p.statement(r.Context(), t.Claims, now.Add(verifyEvery))
	if err != nil {
		return nil, err
	}
	if before != nil {
		before.says.Store(says)
		return before, nil
	}
	return b.bearers.cache.put(text, b.bearers.newVerified(p, "", says)), nil
}

// whose finds the provider to judge a token: by the issuer that it names, which proves nothing yet, or the one that is asked
// about tokens that name none. A nil token: the provider is to be asked.
func (b *backend) whose(text string) (*provider, *token.Token, error) {
	t, err := token.Parse(text)
	switch {
	case err == nil:
		issuer, _ := t.Claims.Text("iss")
		p := b.providerOf(issuer)
		switch {
		case p == nil || p.API == nil:
			return nil, nil, auth.ErrNoCredentials
		case p.API.Audience == "":
			return p, nil, nil
		}
		return p, t, nil
	case looksLikeJWT(text):
		return nil, nil, tokenError(err)
	case b.bearers.opaque == nil, strings.HasPrefix(text, userTokenPrefix):
		return nil, nil, auth.ErrNoCredentials
	case len(text) > maxOpaque || !b64token(text):
		return nil, nil, auth.ErrInvalidCredentials
	}
	return b.bearers.opaque, nil, nil
}

// userTokenPrefix begins userauth's API tokens. One may be known to another backend of a chain, and is no provider's to see.
const userTokenPrefix = "ost_"

func looksLikeJWT(text string) bool {
	return strings.HasPrefix(text, "eyJ") || strings.Count(text, ".") == 2
}

// tokenError sorts why a token doesn't count: it is wrong, or nobody can tell now.
func tokenError(err error) error {
	switch {
	case errors.Is(err, token.ErrInvalid), errors.Is(err, op.ErrInactive), errors.Is(err, errors.ErrUnsupported):
		// Unsupported: the provider answers no such question, so nobody will ever vouch for the token.
		return fmt.Errorf("%w: %w", auth.ErrInvalidCredentials, err) // which check it was: for the log
	case errors.Is(err, auth.ErrForbidden), errors.Is(err, auth.ErrInvalidCredentials):
		return err
	}
	return fmt.Errorf("%w: %w", auth.ErrUnavailable, err)
}
