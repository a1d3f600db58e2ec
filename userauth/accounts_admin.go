package userauth

import (
	"context"
	"errors"
	"slices"

	"github.com/ostiary/auth/internal/store"
)

// What the routes for admins ask for.
const (
	adminResource = "admin"
	adminReads    = "read"
	adminWrites   = "write"
)

// keepAdmin is write for what may take admin:write from those whom concerned tells of. It refuses with [ErrLastAdmin] what
// would leave nobody with it where there was somebody. Both are asked in the transaction that writes: of two admins who take
// it from each other at once, the second one is refused.
//
// It knows what is stored here, not who can log in: a user without a password counts, too. What an [Authenticator] or
// another backend of a chain grants doesn't count: whoever holds it there may be gone tomorrow without a word.
func (a *Accounts) keepAdmin(ctx context.Context, concerned func(*store.Tx) (bool, error), fn func(*store.Tx) error) error {
	return a.regrant(ctx, func(tx *store.Tx) error {
		before, err := concerned(tx)
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

// regrant is write for what may change who holds what, or who there is: impersonations that lose their ground by it end with
// the same commit, and so do the invitations of who was an admin: else the roles in them would be a way back.
func (a *Accounts) regrant(ctx context.Context, fn func(*store.Tx) error) error {
	return a.write(ctx, func(tx *store.Tx) error {
		now := a.now().Unix()
		inviting, err := tx.Inviting(now)
		if err != nil {
			return err
		}
		admins, err := a.adminsAmong(tx, inviting)
		if err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		left, err := a.adminsAmong(tx, admins)
		if err != nil {
			return err
		}
		for _, user := range admins {
			if slices.Contains(left, user) {
				continue
			}
			if err := tx.DeleteInvitationsBy(user, now); err != nil {
				return err
			}
		}
		return a.endUnfounded(tx)
	})
}

// adminsAmong gives those of the users who hold admin:write.
func (a *Accounts) adminsAmong(tx *store.Tx, users []int64) (admins []int64, err error) {
	for _, id := range users {
		user, err := tx.Account(id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		is, err := a.isAdmin(tx, user)
		if err != nil {
			return nil, err
		}
		if is {
			admins = append(admins, id)
		}
	}
	return admins, nil
}

// anyAdmin reports whether anybody holds admin:write.
func (a *Accounts) anyAdmin(tx *store.Tx) (bool, error) {
	return tx.Held(localRealm, covering(adminResource), administering, a.defaultRoles)
}

// isAdmin reports whether one does, so that nobody else is looked at where it isn't about an admin.
func (a *Accounts) isAdmin(tx *store.Tx, user *store.Account) (bool, error) {
	if user.Disabled {
		return false, nil
	}
	if permissionsOf(slices.Concat(user.Permissions, user.RolePermissions)).Has(adminResource, adminWrites) {
		return true, nil
	}
	return tx.RolesHold(a.defaultRoles, covering(adminResource), administering)
}

// byRole reports whether anybody holds admin:write where the role gives it: other roles take nothing with them.
func (a *Accounts) byRole(name string) func(*store.Tx) (bool, error) {
	return func(tx *store.Tx) (bool, error) {
		if hold, err := tx.RolesHold([]string{name}, covering(adminResource), administering); err != nil || !hold {
			return false, err
		}
		return a.anyAdmin(tx)
	}
}

// administering are the actions whose grants cover admin:write.
var administering = []string{adminWrites, "*"}

// covering are the resources whose grants cover the given one, as [auth.Permissions.Has] says: itself, and each of its
// beginnings with a * behind it.
func covering(resource string) []string {
	all := []string{resource}
	for i := range len(resource) + 1 {
		all = append(all, resource[:i]+"*")
	}
	return all
}
