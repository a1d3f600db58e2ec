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

// Revoke tells the provider that a token isn't used any more (RFC 7009). hint is refresh_token or access_token. A provider
// that doesn't know the token answers as if it had revoked it. Where it takes no such request the error is
// [errors.ErrUnsupported].
func (p *Provider) Revoke(ctx context.Context, text, hint string) error {
	const doing = "revoking a token"
	if err := p.revoke(ctx, doing, text, hint); err != nil {
		return fmt.Errorf("op: %s: %w", doing, err)
	}
	return nil
}

func (p *Provider) revoke(ctx context.Context, doing, text, hint string) error {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return err
	}
	if m.Revocation == "" {
		return notOffered("revocation_endpoint")
	}
	a, secrets, err := p.post(ctx, revocationEndpoint, m.Revocation, url.Values{"token": {text}, "token_type_hint": {hint}})
	if err != nil {
		return err
	}
	if a.status != http.StatusOK { // section 2.2: of the answer only the status counts
		return p.refusal(doing, a, secrets)
	}
	return nil
}
