package token

import (
	"context"
	"slices"
	"strings"
	"time"
)

// AccessCheck says what a JWT access token must say. Issuer, Audience, Algs and Now are always needed.
type AccessCheck struct {
	Issuer   string
	Audience string // this resource, which aud must name; others may stand beside it
	Algs     []string
	Now      time.Time
	Binding  Binding // what came with the token that proves that its sender may use it

	// AnyType takes access tokens of providers that don't follow RFC 9068: typ absent or JWT, jti and client_id absent. ID
	// tokens are still refused, as far as they can be told by nonce, at_hash, c_hash, or ClientID in aud, which must be given.
	AnyType  bool
	ClientID string
}

// CheckAccess verifies a JWT access token (RFC 9068 section 4): typ at+jwt or application/at+jwt in any case, iss, aud, exp
// (within a year), iat, nbf, sub, client_id and jti, its signature, and that it isn't bound to a key that its sender hasn't
// proven to have (see [CheckBinding]). Clocks may differ by a minute.
func (t *Token) CheckAccess(ctx context.Context, keys Source, c AccessCheck) error {
	if err := t.checkAccessType(c); err != nil {
		return err
	}
	aud, err := t.Claims.audience()
	if err != nil {
		return err
	}
	if c.Audience == "" || !slices.Contains(aud, c.Audience) {
		return fail("aud", "names another resource")
	}
	err = first(
		t.Claims.checkIssuer(c.Issuer),
		t.Claims.checkSubject(),
		t.Claims.checkExpiry(c.Now, maxLifetime),
		t.Claims.checkIssued(c.Now, 0),
		t.Claims.checkNotBefore(c.Now),
		CheckBinding(t.Claims, c.Binding),
	)
	if err != nil {
		return err
	}
	return t.Verify(ctx, keys, c.Algs)
}

// checkAccessType tells access tokens from the provider's other tokens.
func (t *Token) checkAccessType(c AccessCheck) error {
	if !c.AnyType {
		if !isType(t.Type, "at+jwt") {
			return fail("header.typ", "not that of an access token")
		}
		return t.Claims.require("jti", "client_id")
	}
	if t.Type != "" && !isType(t.Type, "jwt") && !isType(t.Type, "at+jwt") {
		return fail("header.typ", "not that of an access token")
	}
	for _, name := range []string{"nonce", "at_hash", "c_hash", "events"} {
		if _, given := t.Claims[name]; given {
			return fail(name, "belongs to another kind of token")
		}
	}
	// An ID token is for the client, and whoever hosts another client's page can have the browser obtain one.
	if aud, _ := t.Claims.Texts("aud"); c.ClientID == "" || slices.Contains(aud, c.ClientID) {
		return fail("aud", "names the client, as an ID token does")
	}
	// Keycloak and Cognito say in a claim what kind it is.
	for name, kinds := range map[string]string{"typ": "bearer dpop", "token_use": "access"} {
		if kind, given := t.Claims[name]; given {
			if text, ok := kind.(string); !ok || !slices.Contains(strings.Fields(kinds), fold(text)) {
				return fail(name, "not that of an access token")
			}
		}
	}
	return t.Claims.optional("jti", "client_id", "azp")
}
