package token

import (
	"context"
	"crypto"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// maxIDAge is how old an ID token may be that comes straight from the token endpoint, a wrong clock included.
const maxIDAge = 10 * time.Minute

// IDCheck says what an ID token must say. Issuer, ClientID, Algs and Now are always needed: an empty one refuses every token.
type IDCheck struct {
	Issuer   string   // byte for byte
	ClientID string   // this client
	Trusted  []string // audiences that may stand beside it; empty: none
	Algs     []string // of the configuration
	Now      time.Time

	Nonce       string // of the flow; empty refuses every token of a login
	AccessToken string // that came with it: at_hash, if given, must be its hash

	MaxAge time.Duration // asked for by max_age: auth_time must be there and no older; 0: not asked for
	ACR    []string      // one of these must be the acr; empty: not asked for
}

// CheckID verifies the ID token of a login (OpenID Connect Core 3.1.3.7): its signature, typ absent or JWT, iss, a sub of 1 to
// 255 printable ASCII characters, aud (this client and nobody who isn't trusted), azp (this client, where aud has several or
// azp is there), exp (within a year), iat (within 10 minutes), nbf, nonce, at_hash, auth_time and acr. Clocks may differ by a
// minute. Then go-oidc's own verifier must accept it too.
func (t *Token) CheckID(ctx context.Context, keys Source, c IDCheck) error {
	if nonce, ok := t.Claims.Text("nonce"); !ok || !same(nonce, c.Nonce) {
		return fail("nonce", "missing or of another login")
	}
	if err := t.checkFreshness(c); err != nil {
		return err
	}
	return t.checkAnyID(ctx, keys, c)
}

// checkAnyID checks what holds for the ID token of a login and of a refresh.
func (t *Token) checkAnyID(ctx context.Context, keys Source, c IDCheck) error {
	// Nothing but an ID token has no typ or this one, for providers that type the others (RFC 8725 section 3.11).
	if t.Type != "" && !isType(t.Type, "jwt") {
		return fail("header.typ", "not that of an ID token")
	}
	if _, given := t.Claims["events"]; given {
		return fail("events", "belongs to a logout token")
	}
	err := first(
		t.Claims.checkIssuer(c.Issuer),
		t.Claims.checkSubject(),
		t.Claims.checkAudience(c.ClientID, c.Trusted),
		t.checkParty(c.ClientID),
		t.Claims.checkExpiry(c.Now, maxLifetime),
		t.Claims.checkIssued(c.Now, maxIDAge),
		t.Claims.checkNotBefore(c.Now),
		t.checkACR(c.ACR),
		t.checkHash(c.AccessToken),
		t.Claims.optional("sid"),
	)
	if err != nil {
		return err
	}
	key, err := t.verify(ctx, keys, c.Algs)
	if err != nil {
		return err
	}
	if _, err := t.verifier(key, c.Issuer, c.ClientID, c.Now).Verify(ctx, t.Raw); err != nil {
		return fail("", "refused by go-oidc: "+err.Error())
	}
	return nil
}

// verifier gives go-oidc's: a second reader, so that an oversight here alone lets nobody in.
func (t *Token) verifier(key crypto.PublicKey, issuer, client string, now time.Time) *oidc.IDTokenVerifier {
	return oidc.NewVerifier(issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key}}, &oidc.Config{
		ClientID:             client,
		SupportedSigningAlgs: []string{t.Alg},
		Now:                  func() time.Time { return now.Add(-leeway) }, // it allows exp none
	})
}

// checkParty checks azp, the client that the token was issued to.
func (t *Token) checkParty(client string) error {
	if _, given := t.Claims["azp"]; !given {
		if aud, err := t.Claims.audience(); err != nil || len(aud) > 1 {
			return fail("azp", "missing beside several audiences")
		}
		return nil
	}
	if azp, ok := t.Claims.Text("azp"); !ok || azp != client {
		return fail("azp", "names another client")
	}
	return nil
}

// checkFreshness checks auth_time where max_age was sent: "If the max_age request is made or when auth_time is requested as an
// Essential Claim, then this Claim is REQUIRED".
func (t *Token) checkFreshness(c IDCheck) error {
	if _, given := t.Claims["auth_time"]; !given && c.MaxAge == 0 {
		return nil
	}
	at, ok := t.Claims.Time("auth_time")
	switch {
	case !ok:
		return fail("auth_time", "missing or no time")
	case at > c.Now.Add(leeway).Unix():
		return fail("auth_time", "in the future")
	case c.MaxAge != 0 && at < c.Now.Add(-c.MaxAge-leeway).Unix():
		return fail("auth_time", "longer ago than max_age")
	}
	return nil
}

func (t *Token) checkACR(asked []string) error {
	if len(asked) == 0 {
		return nil
	}
	if acr, ok := t.Claims.Text("acr"); !ok || !slices.Contains(asked, acr) {
		return fail("acr", "none of those asked for")
	}
	return nil
}

// checkHash checks at_hash: the left half of the access token's hash, by the hash of the token's own alg. It isn't required
// (OpenID Connect Core 3.1.3.6), so this doesn't prove that the two tokens came together.
func (t *Token) checkHash(access string) error {
	if _, given := t.Claims["at_hash"]; !given {
		return nil
	}
	alg, ok := algorithms[t.Alg]
	claimed, okText := t.Claims.Text("at_hash")
	if !ok || !okText || access == "" {
		return fail("at_hash", "can't be checked")
	}
	h := alg.hash.New()
	h.Write([]byte(access))
	if sum := h.Sum(nil); !same(claimed, encoding.EncodeToString(sum[:len(sum)/2])) {
		return fail("at_hash", "of another access token")
	}
	return nil
}
