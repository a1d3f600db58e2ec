package userauth

import (
	"context"

	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
)

// UseHasher makes a hash and verify with h, whose new hashes cost so much. It comes before the first request.
func UseHasher(a *Auth, h *password.Hasher, cost password.Params) {
	a.hasher, a.accounts.hasher, a.cost = h, h, cost
}

// WriteIn changes the database as a's own routes do.
func WriteIn(ctx context.Context, a *Auth, change func(*store.Tx) error) error {
	return a.engine.Write(ctx, change)
}

// The realms of the store.
const (
	ExternalRealm = externalRealm
	SessionRealm  = sessionRealm
)

// What tokens are made of.
var (
	Intersect = intersect
	NewSecret = newToken
	SecretOf  = secretOf
	Offered   = offered
)

// TokenRealm is that of tokens.
const TokenRealm = tokenRealm
