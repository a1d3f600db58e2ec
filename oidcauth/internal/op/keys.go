package op

import (
	"context"
	"crypto"
	"fmt"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// keysLasting is how long keys count as current: for so long a key is trusted that the provider has taken back.
const keysLasting = 15 * time.Minute

var _ token.Source = (*Provider)(nil)

// Keys implements [token.Source] with the keys that the provider publishes. It keeps them for 15 minutes, and through an outage
// for a day. They are fetched again for a kid that is unknown, at once but no more than every 30 seconds, whatever strangers
// send; never for a known one whose signature is wrong. A kid that is unknown while the provider can't be asked is
// [ErrUnavailable], not wrong.
func (p *Provider) Keys(ctx context.Context, kid, alg string, again bool) ([]crypto.PublicKey, error) {
	return p.keysFor(ctx, strangers, kid, alg, again)
}

// Own is Keys for tokens that the provider's own endpoints have given. Strangers have no part in these, and don't use up the
// fetch that finds the key: else one token of an unknown kid, every 30 seconds, would end the sessions that are refreshed just
// when the provider's keys change.
func (p *Provider) Own() token.Source { return ownTokens{p} }

type ownTokens struct{ p *Provider }

func (o ownTokens) Keys(ctx context.Context, kid, alg string, again bool) ([]crypto.PublicKey, error) {
	return o.p.keysFor(ctx, itself, kid, alg, again)
}

func (p *Provider) keysFor(ctx context.Context, from sender, kid, alg string, again bool) ([]crypto.PublicKey, error) {
	keys, err := p.candidates(ctx, from, kid, alg, again)
	if err != nil {
		return nil, fmt.Errorf("op: looking for a key: %w", err)
	}
	return keys, nil
}

func (p *Provider) candidates(ctx context.Context, from sender, kid, alg string, again bool) ([]crypto.PublicKey, error) {
	if again && kid != "" {
		return nil, nil // the key is known, so the signature is wrong: asking the provider would change nothing
	}
	than := p.keys.count() // a fetch that begins from here on is new enough for this token
	known, err := p.keys.get(ctx)
	if err != nil {
		return nil, err
	}
	// With a kid of the provider's the answer is final, also where the key isn't one for alg.
	if keys := known.Candidates(kid, alg); !again && (len(keys) > 0 || kid != "" && known.Has(kid)) {
		return keys, nil
	}
	newer, err := p.keys.newer(ctx, from, than)
	if err != nil || again && newer == known {
		return nil, err
	}
	return newer.Candidates(kid, alg), nil
}

func (p *Provider) fetchKeys(ctx context.Context) (*token.KeySet, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return nil, err
	}
	body, err := p.get(ctx, m.Keys, "application/json", "application/jwk-set+json")
	if err != nil {
		return nil, err
	}
	keys, err := token.ParseKeySet(body)
	if err != nil {
		return nil, unavailable("its keys: %w", err)
	}
	if keys.Len() == 0 { // those that were there before may still be good
		return nil, unavailable("it has no keys that can be used")
	}
	return keys, nil
}
