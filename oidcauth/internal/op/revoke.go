package op

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Revoke tells the provider that a refresh token isn't used any more (RFC 7009). A provider that doesn't know the token
// answers as if it had revoked it. Where it takes no such request the error is [errors.ErrUnsupported].
func (p *Provider) Revoke(ctx context.Context, refreshToken string) error {
	const doing = "revoking a token"
	if err := p.revoke(ctx, doing, refreshToken); err != nil {
		return fmt.Errorf("op: %s: %w", doing, err)
	}
	return nil
}

func (p *Provider) revoke(ctx context.Context, doing, refreshToken string) error {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return err
	}
	if m.Revocation == "" {
		return notOffered("revocation_endpoint")
	}
	form := url.Values{"token": {refreshToken}, "token_type_hint": {"refresh_token"}}
	a, secrets, err := p.post(ctx, revocationEndpoint, m.Revocation, form)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK { // section 2.2: of the answer only the status counts
		return p.refusal(doing, a, secrets)
	}
	return nil
}
