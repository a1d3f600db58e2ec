package token

import (
	"context"
	"slices"
)

// Facts are what the ID token of a login says that those of its refreshes must say again.
type Facts struct {
	Issuer, Subject string
	Audience        []string
	Party           string // azp; empty: not given
	Nonce           string
	AuthTime        int64 // Unix seconds; 0: not given
}

// Facts gives those of an ID token that was checked.
func (t *Token) Facts() Facts {
	var f Facts
	f.Issuer, _ = t.Claims.Text("iss")
	f.Subject, _ = t.Claims.Text("sub")
	f.Audience, _ = t.Claims.Texts("aud")
	f.Party, _ = t.Claims.Text("azp")
	f.Nonce, _ = t.Claims.Text("nonce")
	f.AuthTime, _ = t.Claims.Time("auth_time")
	return f
}

// CheckRefreshed verifies the ID token of a refresh (OpenID Connect Core 12.2): as CheckID does, but for nonce, which may be
// absent, and max_age, which the login has met; and iss, sub, aud and azp as they were. auth_time, where both have it, "MUST
// represent the time of the original authentication", so neither an older nor a newer one is taken. acr is checked where it is
// given.
func (t *Token) CheckRefreshed(ctx context.Context, keys Source, c IDCheck, before Facts) error {
	now := t.Facts()
	if now.Issuer != before.Issuer || now.Subject != before.Subject {
		return fail("sub", "not the person of the login")
	}
	if !sameSet(now.Audience, before.Audience) {
		return fail("aud", "not that of the login")
	}
	if now.Party != before.Party {
		return fail("azp", "not that of the login")
	}
	if _, given := t.Claims["nonce"]; given && !same(now.Nonce, before.Nonce) {
		return fail("nonce", "not that of the login")
	}
	if before.AuthTime != 0 && now.AuthTime != 0 && now.AuthTime != before.AuthTime {
		return fail("auth_time", "not that of the login")
	}
	c.MaxAge = 0
	if err := t.checkFreshness(c); err != nil {
		return err
	}
	if _, given := t.Claims["acr"]; !given {
		c.ACR = nil
	}
	return t.checkAnyID(ctx, keys, c)
}

// sameSet reports whether two lists hold the same texts.
func sameSet(a, b []string) bool {
	in := func(list []string) func(string) bool {
		return func(text string) bool { return !slices.Contains(list, text) }
	}
	return !slices.ContainsFunc(a, in(b)) && !slices.ContainsFunc(b, in(a))
}
