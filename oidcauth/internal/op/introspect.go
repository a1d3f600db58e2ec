package op

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// Introspect asks whether a token is active, and what it says (RFC 7662). It looks at nothing else: audience, expiry and the
// rest are the caller's to check, as for a token that can be read.
//
// A token that isn't active is [ErrInactive], and so is one whose active is anything but the boolean true. That the provider
// refuses the question (this client may not ask) is [ErrUnavailable]: it hasn't judged the token. Where it takes no such
// question the error is [errors.ErrUnsupported].
func (p *Provider) Introspect(ctx context.Context, accessToken string) (token.Claims, error) {
	const doing = "introspecting a token"
	claims, err := p.introspect(ctx, doing, accessToken)
	if err == nil {
		if active, isBool := claims["active"].(bool); !isBool || !active {
			err = ErrInactive
		}
	}
	if err != nil {
		return nil, fmt.Errorf("op: %s: %w", doing, err)
	}
	return claims, nil
}

func (p *Provider) introspect(ctx context.Context, doing, accessToken string) (token.Claims, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return nil, err
	}
	if m.Introspection == "" {
		return nil, notOffered("introspection_endpoint")
	}
	form := url.Values{"token": {accessToken}, "token_type_hint": {"access_token"}}
	a, secrets, err := p.post(ctx, introspectionEndpoint, m.Introspection, form)
	if err != nil {
		return nil, err
	}
	if a.status == http.StatusOK {
		return a.object()
	}
	err = p.refusal(doing, a, secrets)
	if !errors.Is(err, ErrUnavailable) {
		err = unavailable("%v", err) // %v: a RefusedError would pass for a verdict on the token
	}
	return nil, err
}
