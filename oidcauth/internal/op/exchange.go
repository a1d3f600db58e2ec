package op

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Exchange trades an authorization code for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.5). redirectURI is byte by byte
// what the authorization request had. An ID token is among them, which the caller must verify before it believes a word.
//
// A refusal is a [*RefusedError]: the code is used, expired or somebody else's. Everything else is [ErrUnavailable], also a
// well-meant answer that isn't one by the rules.
func (p *Provider) Exchange(ctx context.Context, code, verifier, redirectURI string) (*Tokens, error) {
	const doing = "exchanging the code"
	t, err := p.tokens(ctx, doing, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {redirectURI},
	})
	if err == nil && t.ID == "" {
		err = unavailable("it gave no id_token")
	}
	if err != nil {
		return nil, fmt.Errorf("op: %s: %w", doing, err)
	}
	return t, nil
}

// Refresh trades a refresh token for tokens of the same scope (RFC 6749 section 6). Errors are as those of Exchange: only a
// [*RefusedError] with the code invalid_grant says that the session is over at the provider.
func (p *Provider) Refresh(ctx context.Context, refreshToken string) (*Tokens, error) {
	const doing = "refreshing"
	t, err := p.tokens(ctx, doing, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
	if err != nil {
		return nil, fmt.Errorf("op: %s: %w", doing, err)
	}
	return t, nil
}

func (p *Provider) tokens(ctx context.Context, doing string, form url.Values) (*Tokens, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return nil, err
	}
	asked := p.cfg.Now() // before the request: a token is younger for the provider than it is here
	a, secrets, err := p.post(ctx, tokenEndpoint, m.Token, form)
	if err != nil {
		return nil, err
	}
	object, err := p.granted(doing, a, secrets, http.StatusOK)
	if err != nil {
		return nil, err
	}
	return parseTokens(object, asked)
}
