package userauth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
)

// AccountChange is a change by an admin: only what it names changes, so that two admins don't undo each other's work.
type AccountChange struct {
	Profile auth.UserUpdate
	// Grant and Revoke are about direct grants, to the letter: revoking contents:read takes nothing from who holds
	// contents:* or a role with it.
	Grant, Revoke         auth.Permissions
	AddRoles, RemoveRoles []string // must exist; a user may hold them already, or not
	Disabled              *bool    // true also ends all of the user's sessions and API tokens; nil: unchanged
}

// Change makes all of the change or nothing, and gives the user as it is then. One that would leave nobody with
// admin:write, where somebody has it, is [ErrLastAdmin].
func (a *Accounts) Change(ctx context.Context, username string, c AccountChange) (Account, error) {
	if err := c.check(); err != nil {
		return Account{}, err
	}
	user, err := a.find(ctx, username)
	if err != nil {
		return Account{}, err
	}
	if err := a.rolesExist(ctx, "remove_roles", c.RemoveRoles); err != nil {
		return Account{}, err
	}
	if err := before(ctx, "BeforeUpdate", a.hooks.BeforeUpdate, Update{accountOf(user), c}); err != nil {
		return Account{}, err
	}
	// By the number, not by the name: that may have come to be somebody else's while a hook thought it over.
	concerned := func(tx *store.Tx) (bool, error) {
		if !c.takes() {
			return false, nil
		}
		now, err := tx.Account(user.ID)
		if err != nil {
			return false, err
		}
		return a.isAdmin(tx, now)
	}
	var changed *store.Account
	err = a.keepAdmin(ctx, concerned, func(tx *store.Tx) error { // may run more than once
		if err := c.apply(tx, user.ID); err != nil {
			return err
		}
		changed, err = tx.Account(user.ID)
		return err
	})
	if err != nil {
		return Account{}, failure(naming(username), err)
	}
	a.after(ctx, "AfterUpdate", a.hooks.AfterUpdate, accountOf(changed))
	return accountOf(changed), nil
}

// takes reports whether somebody may hold less after it.
func (c AccountChange) takes() bool {
	return len(c.Revoke) > 0 || len(c.RemoveRoles) > 0 || c.Disabled != nil && *c.Disabled
}

func (c AccountChange) apply(tx *store.Tx, id int64) error {
	if !c.Profile.Empty() {
		if err := tx.UpdateProfile(id, store.ProfileUpdate(c.Profile)); err != nil {
			return err
		}
	}
	if err := tx.Revoke(id, storePermissions(c.Revoke)); err != nil {
		return err
	}
	if err := tx.Grant(id, storePermissions(c.Grant)); err != nil {
		return err
	}
	if err := tx.RemoveRoles(id, c.RemoveRoles); err != nil {
		return err
	}
	if err := addRoles(tx, id, "add_roles", c.AddRoles); err != nil {
		return err
	}
	if c.Disabled == nil {
		return nil
	}
	if err := tx.SetDisabled(id, *c.Disabled); err != nil {
		return err
	}
	if !*c.Disabled {
		return nil
	}
	// Enabling the user later must not bring an old session or token back to life.
	_, err := tx.DeleteSessions(id, allRealms, nil)
	return err
}

// check refuses what can't be meant: the result of giving and taking the same thing would depend on the order.
func (c AccountChange) check() error {
	if err := c.Profile.Validate(); err != nil {
		return err
	}
	if err := checkPermissions("grant", c.Grant); err != nil {
		return err
	}
	if err := checkPermissions("revoke", c.Revoke); err != nil {
		return err
	}
	for resource, actions := range c.Revoke {
		for _, action := range actions {
			if slices.Contains(c.Grant[resource], action) {
				return &auth.FieldError{Field: "revoke", Problem: "the same permission is granted and revoked"}
			}
		}
	}
	for _, role := range c.RemoveRoles {
		if slices.Contains(c.AddRoles, role) {
			return &auth.FieldError{Field: "remove_roles", Problem: "the same role is added and removed"}
		}
	}
	return nil
}

func (a *Accounts) rolesExist(ctx context.Context, field string, roles []string) error {
	for _, role := range roles {
		if nameProblem(role) != "" {
			return noSuchRole(field, role)
		}
		_, err := a.store.Role(ctx, role)
		if errors.Is(err, store.ErrNotFound) {
			return noSuchRole(field, role)
		}
		if err != nil {
			return failure("looking for a role", err)
		}
	}
	return nil
}

const maxPermission = 1024 // bytes of a resource or an action: what the database's keys hold

func checkPermissions(field string, p auth.Permissions) error {
	if err := p.Validate(); err != nil {
		return &auth.FieldError{Field: field, Problem: problemOf(err)}
	}
	for resource, actions := range p {
		for _, name := range append([]string{resource}, actions...) {
			if len(name) > maxPermission {
				return &auth.FieldError{Field: field, Problem: fmt.Sprintf("a name is longer than %d bytes", maxPermission)}
			}
		}
	}
	return nil
}
