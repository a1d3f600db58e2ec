package op

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// Metadata is what a provider says about itself (OpenID Connect Discovery section 3, RFC 8414 section 2), as far as this client
// needs it. No algorithm is taken from it: which ones may sign is this application's decision. Endpoints that the provider
// doesn't offer are empty.
type Metadata struct {
	Issuer        string
	Authorization string
	Token         string
	Keys          string // jwks_uri
	UserInfo      string
	Introspection string
	Revocation    string
	PAR           string
	EndSession    string

	// IssParameter: authorization responses carry iss, so that one without it is refused (RFC 9207 section 2.4).
	IssParameter bool
}

// metadataLasting is how long metadata counts as current.
const metadataLasting = time.Hour

// Metadata gives what the provider says about itself, and fetches it where it must. It is renewed in the background while it is
// in use. When the provider can't be reached, what it said last counts for a day. The error is [ErrUnavailable]. The value is
// shared: it is for reading only.
func (p *Provider) Metadata(ctx context.Context) (*Metadata, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return nil, fmt.Errorf("op: %w", err)
	}
	return m, nil
}

func (p *Provider) fetchMetadata(ctx context.Context) (*Metadata, error) {
	// Discovery section 4.1: a terminating / is removed before the path is added. It stays in the issuer itself.
	body, err := p.get(ctx, strings.TrimSuffix(p.cfg.Issuer, "/")+wellKnown, "application/json")
	if err != nil {
		return nil, err
	}
	return parseMetadata(body, p.issuer)
}

func parseMetadata(body []byte, issuer *url.URL) (*Metadata, error) {
	object, err := token.ParseClaims(body)
	if err != nil {
		return nil, unavailable("its metadata: %w", err)
	}
	m := &Metadata{Issuer: issuer.String()}
	// Discovery section 4.3: byte by byte. Another issuer's endpoints would be sent this application's secret and codes.
	if other, _ := object.Text("issuer"); other != m.Issuer {
		return nil, unavailable("its metadata is of another issuer: %s", said(other, nil))
	}
	for _, endpoint := range []struct {
		name     string
		to       *string
		required bool
	}{
		{"authorization_endpoint", &m.Authorization, true},
		{"token_endpoint", &m.Token, true},
		{"jwks_uri", &m.Keys, true},
		{"userinfo_endpoint", &m.UserInfo, false},
		{"introspection_endpoint", &m.Introspection, false},
		{"revocation_endpoint", &m.Revocation, false},
		{"pushed_authorization_request_endpoint", &m.PAR, false},
		{"end_session_endpoint", &m.EndSession, false},
	} {
		if object[endpoint.name] == nil && !endpoint.required {
			continue
		}
		text, _ := object.Text(endpoint.name)
		if _, err := checkURL(text, site.Loopback(issuer.Host)); err != nil {
			return nil, unavailable("its metadata: %s %s: %w", endpoint.name, said(text, nil), err)
		}
		*endpoint.to = text
	}
	const issParameter, requirePAR = "authorization_response_iss_parameter_supported", "require_pushed_authorization_requests"
	if m.IssParameter, err = flag(object, issParameter); err != nil {
		return nil, err
	}
	if required, err := flag(object, requirePAR); err != nil {
		return nil, err
	} else if required && m.PAR == "" {
		return nil, unavailable("its metadata: %s without an endpoint for them", requirePAR)
	}
	return m, nil
}

// flag reads a boolean that may be missing. Anything else is an error: to take "true" for false would turn a check off.
func flag(object token.Claims, name string) (bool, error) {
	value, ok := object[name].(bool)
	if !ok && object[name] != nil {
		return false, unavailable("its metadata: %s must be true or false", name)
	}
	return value, nil
}

// notOffered says that a provider's metadata has no such endpoint.
func notOffered(name string) error {
	return fmt.Errorf("the provider has no %s: %w", name, errors.ErrUnsupported)
}
