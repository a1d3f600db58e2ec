package op

import (
	"context"
	"fmt"
	"net/http"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// UserInfo asks what the provider says about the user that an access token is for (OpenID Connect Core section 5.3). sub is
// that of the verified ID token: an answer about anybody else is [ErrSubject], and none of it may be used.
//
// A signed answer (application/jwt) is not taken: over TLS from the endpoint itself a signature adds nothing here, and a
// second kind of answer would be a second way in. The error is [ErrUnavailable] then, and [errors.ErrUnsupported] where the
// provider has no userinfo.
func (p *Provider) UserInfo(ctx context.Context, accessToken, sub string) (token.Claims, error) {
	claims, err := p.userInfo(ctx, accessToken)
	if err == nil {
		// Section 5.3.2: without this, an access token of another user brings that user's claims into this session.
		if about, ok := claims.Text("sub"); !ok || about != sub {
			err = ErrSubject
		}
	}
	if err != nil {
		return nil, fmt.Errorf("op: asking for userinfo: %w", err)
	}
	return claims, nil
}

func (p *Provider) userInfo(ctx context.Context, accessToken string) (token.Claims, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return nil, err
	}
	if m.UserInfo == "" {
		return nil, notOffered("userinfo_endpoint")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserInfo, nil)
	if err != nil {
		return nil, unavailable("%w", err)
	}
	r.Header.Set("Authorization", "Bearer "+accessToken) // never in the query, which servers log
	a, err := p.call(ctx, userInfoEndpoint, r, accessToken)
	if err != nil {
		return nil, err
	}
	switch a.status {
	case http.StatusOK:
		return a.object()
	case http.StatusUnauthorized, http.StatusForbidden: // RFC 6750 section 3.1
		return nil, &RefusedError{Status: a.status}
	}
	return nil, unavailable("status %d", a.status)
}
