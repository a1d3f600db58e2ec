package token

import (
	"slices"
	"strings"
	"time"
)

// IntrospectedCheck says what an introspection of an active token must say. Issuer and Now are always needed.
type IntrospectedCheck struct {
	Issuer   string
	Audience string // this resource; empty: ClientID
	ClientID string
	Now      time.Time

	// AnyAudience takes an answer that names no audience, whichever client the token was made for.
	AnyAudience bool
}

// CheckIntrospected checks what a provider says of an active token (RFC 7662 section 2.2): that it has a sub, is an access
// token, is for this resource, and in its time. An answer may leave out what it likes but for sub and whom the token is for: aud,
// or client_id where that is this client. Else every application that the provider knows could use its users' tokens here.
func (c Claims) CheckIntrospected(check IntrospectedCheck) error {
	if err := c.checkSubject(); err != nil {
		return err
	}
	if _, given := c["iss"]; given {
		if err := c.checkIssuer(check.Issuer); err != nil {
			return err
		}
	}
	if _, given := c["aud"]; !given {
		if client, _ := c.Text("client_id"); !check.AnyAudience && (client == "" || client != check.ClientID) {
			return fail("aud", "missing, and client_id is another's")
		}
	} else {
		want := check.Audience
		if want == "" {
			want = check.ClientID
		}
		if aud, err := c.audience(); err != nil || !slices.Contains(aud, want) {
			return fail("aud", "names another resource")
		}
	}
	if _, given := c["exp"]; given {
		if exp, ok := c.Time("exp"); !ok || exp <= check.Now.Unix() {
			return fail("exp", "expired, or no time")
		}
	}
	return first(c.checkNotBefore(check.Now), c.checkAccessKind(), c.checkBound())
}

// checkBound wants a token that is called a DPoP token to say by which key: else it would count as a bearer token.
func (c Claims) checkBound() error {
	if kind, _ := c.Text("token_type"); fold(kind) != "dpop" {
		return nil
	}
	cnf, _ := c["cnf"].(map[string]any)
	if _, ok := Claims(cnf).Text("jkt"); !ok {
		return fail("cnf.jkt", "missing in a DPoP token")
	}
	return nil
}

// checkAccessKind wants what says which kind of token it is to say that it is one for access: a refresh token is active as
// well, and an ID token may be. Providers have several names for it.
func (c Claims) checkAccessKind() error {
	for name, kinds := range map[string][]string{
		"token_type": {"bearer", "dpop", "access_token"}, "token_use": {"access", "access_token"}, "typ": {"bearer", "dpop", "at+jwt"},
	} {
		value, given := c[name]
		if !given || value == nil {
			continue
		}
		if text, ok := value.(string); !ok || !slices.Contains(kinds, strings.ToLower(text)) {
			return fail(name, "not that of an access token")
		}
	}
	return nil
}
