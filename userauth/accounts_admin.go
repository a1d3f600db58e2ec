package userauth

import (
	"context"

	"github.com/ostiary/auth/internal/store"
)

// What the routes for admins ask for.
const (
	adminResource = "admin"
	adminReads    = "read"
	adminWrites   = "write"
)

// keepAdmin is write for what may take admin:write from somebody. It refuses with [ErrLastAdmin] what would leave nobody
// with it where there was somebody. Both are asked in the transaction that writes: of two admins who take it from each
// other at once, the second one is refused.
//
// It knows what is stored here. What an [Authenticator] or another backend of a chain grants doesn't count: whoever holds
// it there may be gone tomorrow without a word.
func (a *Accounts) keepAdmin(ctx context.Context, fn func(*store.Tx) error) error {
	return a.write(ctx, func(tx *store.Tx) error {
		before, err := a.anyAdmin(tx)
		if err != nil {
			return err
		}
		if err := fn(tx); err != nil || !before {
			return err
		}
		after, err := a.anyAdmin(tx)
		if err == nil && !after {
			err = ErrLastAdmin
		}
		return err
	})
}

func (a *Accounts) anyAdmin(tx *store.Tx) (bool, error) {
	return tx.Held(localRealm, covering(adminResource), []string{adminWrites, "*"}, a.defaultRoles)
}

// covering are the resources whose grants cover the given one, as [auth.Permissions.Has] says: itself, and each of its
// beginnings with a * behind it.
func covering(resource string) []string {
	all := []string{resource}
	for i := range len(resource) + 1 {
		all = append(all, resource[:i]+"*")
	}
	return all
}
