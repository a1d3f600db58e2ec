package op

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// AuthorizationURL is where the browser goes to log in: params with client_id and response_type=code. Where the provider takes
// pushed authorization requests (RFC 9126) they are sent there, and the URL holds nothing but a reference to them; a provider
// that refuses a pushed request is not asked in the old way.
func (p *Provider) AuthorizationURL(ctx context.Context, params url.Values) (string, error) {
	const doing = "preparing the authorization request"
	m, err := p.metadata.get(ctx)
	if err != nil {
		return "", fmt.Errorf("op: %s: %w", doing, err)
	}
	query := url.Values{"response_type": {"code"}}
	for name, values := range params {
		query[name] = values
	}
	query.Set("client_id", p.cfg.ClientID)
	if m.PAR != "" {
		reference, err := p.push(ctx, doing, m.PAR, query)
		if err != nil {
			return "", fmt.Errorf("op: %s: %w", doing, err)
		}
		query = url.Values{"client_id": {p.cfg.ClientID}, "request_uri": {reference}}
	}
	return withQuery(m.Authorization, query), nil
}

// push gives the reference to a request that the provider has taken.
func (p *Provider) push(ctx context.Context, doing, endpoint string, query url.Values) (string, error) {
	a, secrets, err := p.post(ctx, parEndpoint, endpoint, query)
	if err != nil {
		return "", err
	}
	object, err := p.granted(doing, a, secrets, http.StatusCreated, http.StatusOK) // 201 by section 2.2; some say 200
	if err != nil {
		return "", err
	}
	reference, ok := object.Text("request_uri")
	if !ok || !visible(reference) {
		return "", unavailable("it gave no request_uri")
	}
	return reference, nil
}

// EndSessionURL is where the browser goes to log out of the provider (OpenID Connect RP-Initiated Logout section 2), with
// params and client_id. Where the provider has no such page, the error is [errors.ErrUnsupported].
func (p *Provider) EndSessionURL(ctx context.Context, params url.Values) (string, error) {
	const doing = "preparing the logout"
	m, err := p.metadata.get(ctx)
	if err == nil && m.EndSession == "" {
		err = notOffered("end_session_endpoint")
	}
	if err != nil {
		return "", fmt.Errorf("op: %s: %w", doing, err)
	}
	query := url.Values{"client_id": {p.cfg.ClientID}}
	for name, values := range params {
		query[name] = values
	}
	return withQuery(m.EndSession, query), nil
}

// withQuery adds to the query that an endpoint may have of its own, which has to stay (RFC 6749 section 3.1). No name may be
// there twice; ours count.
func withQuery(endpoint string, query url.Values) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint // unreachable: checked with the metadata
	}
	all := u.Query()
	for name, values := range query {
		all[name] = values
	}
	u.RawQuery = all.Encode()
	return u.String()
}
