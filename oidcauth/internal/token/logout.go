package token

import (
	"context"
	"time"
)

// logoutEvent is the member of events that makes a logout token one (OpenID Connect Back-Channel Logout 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

const (
	// maxLogoutAge is how old a logout token may be: it is sent when it is made.
	maxLogoutAge = 5 * time.Minute

	// maxLogoutLifetime is far above the two minutes that the specification recommends.
	maxLogoutLifetime = time.Hour

	// LogoutReplay is for how long a jti must be remembered from when its logout token was accepted; after that the token is
	// refused by its iat.
	LogoutReplay = maxLogoutAge + leeway + time.Second
)

// LogoutCheck says what a logout token must say. All but Trusted are needed.
type LogoutCheck struct {
	Issuer   string
	ClientID string
	Trusted  []string // audiences that may stand beside it
	Algs     []string
	Now      time.Time
}

// CheckLogout verifies a logout token (OpenID Connect Back-Channel Logout 2.6): its signature, typ logout+jwt in any case, iss,
// aud, iat (within 5 minutes), exp (within an hour), jti, the logout event with an object as its value, sub or sid or both, no
// nonce. Then go-oidc's VerifyLogout must accept it too. The caller remembers iss and jti for [LogoutReplay].
func (t *Token) CheckLogout(ctx context.Context, keys Source, c LogoutCheck) error {
	if !isType(t.Type, "logout+jwt") {
		return fail("header.typ", "not that of a logout token")
	}
	if _, given := t.Claims["nonce"]; given { // whatever its value: an ID token has one
		return fail("nonce", "not allowed in a logout token")
	}
	events, _ := t.Claims["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return fail("events", "no logout event")
	}
	err := first(
		t.Claims.checkIssuer(c.Issuer),
		t.Claims.checkAudience(c.ClientID, c.Trusted),
		t.Claims.checkIssued(c.Now, maxLogoutAge),
		t.Claims.checkExpiry(c.Now, maxLogoutLifetime),
		t.Claims.checkNotBefore(c.Now),
		t.Claims.require("jti"),
		t.Claims.optional("sid"),
	)
	if err != nil {
		return err
	}
	_, hasSubject := t.Claims["sub"]
	_, hasSession := t.Claims["sid"]
	if !hasSubject && !hasSession {
		return fail("sub", "missing, and sid too")
	}
	if hasSubject {
		if err := t.Claims.checkSubject(); err != nil {
			return err
		}
	}
	key, err := t.verify(ctx, keys, c.Algs)
	if err != nil {
		return err
	}
	if _, err := t.verifier(key, c.Issuer, c.ClientID, c.Now).VerifyLogout(ctx, t.Raw); err != nil {
		return fail("", "refused by go-oidc: "+err.Error())
	}
	return nil
}
