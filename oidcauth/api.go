package oidcauth

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// An API says which access tokens of a provider prove a caller: JSON Web Tokens for Audience (RFC 9068), opaque ones by
// Introspect, or both. A token is taken from the Authorization header only, as "Bearer" or, bound to a key, as "DPoP" (RFC 9449).
// What it holds is what [Provider.Mapping] makes of its claims.
//
// Whom it proves is the provider's person, also where that is linked to a local account, or the client that it was made for: then
// the ID begins with "oidc-client:". It counts until its "exp" to the second, though clocks may differ by a minute elsewhere, and
// so does what it has opened. [People.SetDisabled] ends it here.
//
// A key that the provider takes back counts for 20 minutes at most: keys are kept for 15, and what a signature has proved for 5.
// While the provider can't be reached, keys are kept for a day.
type API struct {
	// Audience is this server's identifier as a resource, at the provider. It must not be the ClientID: an ID token, which
	// names that one, is made for showing who somebody is and is known to more parties than an access token. Empty: no token
	// is taken by what it says itself, and Introspect is needed.
	Audience string
	// Algorithms are those that access tokens may be signed with, as [Provider.Algorithms]. Nil: RS256.
	Algorithms []string
	// SkipType takes tokens whose header doesn't say "at+jwt", as some providers send them; they need neither "jti" nor
	// "client_id" then. Danger: other tokens that the provider signs for Audience are then access tokens, too, but for those
	// that look like an ID token or a logout token.
	SkipType bool
	// Introspect has the provider asked about tokens that are no JSON Web Token, and about all of its tokens where there is no
	// Audience (RFC 7662), with this server's client authentication. The audience of the answer must be Audience, or the
	// ClientID where that is empty; where it names none, the token must have been made for ClientID itself. Only one provider
	// may have it: an opaque token doesn't say whose it is.
	//
	// In a chain whatever the provider doesn't know is refused, and no backend behind this one is asked: it stands last, and
	// not beside another that takes any text, as tokenauth. userauth's API tokens are never sent to the provider.
	Introspect bool
	// SkipAudience takes answers that name no audience, whichever client the token was made for. Danger: every application that
	// may ask the provider for tokens can then use its users' tokens here, unless the provider answers "active" only to those
	// whom a token is meant for (RFC 7662 section 4).
	SkipAudience bool
	// IntrospectEvery is how long an answer counts, and so how long a token that was revoked at the provider goes on
	// counting here. 0: a minute. At least a second. Tokens that have a socket or stream open are asked about again a little
	// ahead of it; where no answer comes, what they have open ends after [auth.Config.OutageGrace].
	IntrospectEvery time.Duration
	// RequireBinding refuses tokens that are bound to no key, neither by DPoP nor by a certificate (RFC 8705): a stolen one
	// is then worth nothing. Bound ones are refused without their proof in any case. A certificate counts on a TLS connection
	// that ends at this server; one that a proxy has seen doesn't. A DPoP proof is for the address under PublicURL.
	RequireBinding bool
}

const (
	defaultIntrospectEvery = time.Minute
	leastIntrospectEvery   = time.Second
)

func (a API) withDefaults(p Provider) (API, error) {
	switch {
	case a.Audience == "" && !a.Introspect:
		return a, errors.New("no Audience, and no Introspect")
	case a.Audience == p.ClientID:
		return a, errors.New("want an Audience other than the ClientID, which ID tokens name")
	case a.IntrospectEvery < 0 || a.IntrospectEvery > 0 && a.IntrospectEvery < leastIntrospectEvery:
		return a, fmt.Errorf("want an IntrospectEvery of at least %s, not %s", leastIntrospectEvery, a.IntrospectEvery)
	case a.Introspect && p.ClientAuth == ClientPublic:
		return a, errors.New("no ClientSecret or Key for Introspect: a public client may not ask (RFC 7662 section 2.1)")
	}
	var err error
	if a.Algorithms, err = algorithms(a.Algorithms); err != nil {
		return a, err
	}
	a.IntrospectEvery = cmp.Or(a.IntrospectEvery, defaultIntrospectEvery)
	return a, nil
}
