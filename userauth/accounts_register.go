package userauth

import (
	"context"
	"errors"

	"github.com/ostiary/auth/internal/store"
)

// register makes the user whom a newcomer asked for, by an invitation or, nil, without one. The error is errInvitation
// where the invitation has come to its end since it was looked at.
func (a *Accounts) register(ctx context.Context, n NewAccount, invitation *store.Invitation) (Account, error) {
	add := insert
	if invitation != nil {
		add = func(tx *store.Tx, u store.User, _ NewAccount) (*store.Account, error) {
			return a.redeem(tx, u, invitation.Hash)
		}
	}
	account, err := a.add(ctx, n, add)
	if errors.Is(err, errInvitation) {
		return Account{}, err
	}
	// No name: people type passwords into the wrong field, and an outage is logged.
	return account, failure("registering", err)
}

// redeem uses the invitation up in the transaction that makes the user: of many who come with one at once, one gets in, and
// whose name is taken keeps it.
func (a *Accounts) redeem(tx *store.Tx, u store.User, hash [32]byte) (*store.Account, error) {
	invitation, err := tx.TakeInvitation(hash, a.now().Unix())
	if errors.Is(err, store.ErrNotFound) {
		return nil, errInvitation
	}
	if err != nil {
		return nil, err
	}
	id, err := tx.AddUser(u)
	if err != nil {
		return nil, err
	}
	for _, role := range invitation.Roles {
		// A role that was deleted since is left out: what the others give was meant all the same.
		if err := tx.AddRoles(id, []string{role}); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return tx.Account(id)
}
