package userauth

import (
	"context"
	"errors"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
)

// SetPassword gives the user a new password and ends all of the user's sessions, API tokens, invitations and [Links], whoever
// holds them.
func (a *Accounts) SetPassword(ctx context.Context, username, pass string) error {
	user, err := a.find(ctx, username)
	if err != nil {
		return err
	}
	hash, err := a.hash(ctx, user.Username, pass)
	if err != nil {
		return err
	}
	// By the number, not by the name: that may have come to be somebody else's while the password was hashed.
	err = a.write(ctx, func(tx *store.Tx) error {
		if err := tx.ReplacePassword(user.ID, hash.Encoded(), a.now().Unix()); err != nil {
			return err
		}
		if err := endActing(tx, user.ID); err != nil {
			return err
		}
		if err := tx.DeleteInvitationsBy(user.ID, a.now().Unix()); err != nil {
			return err
		}
		now, err := tx.Account(user.ID)
		if err != nil {
			return err
		}
		if err := unlinkAll(tx, now); err != nil {
			return err
		}
		_, err = tx.DeleteSessions(user.ID, allRealms, nil)
		return err
	})
	return failure(naming(username), err)
}

// VerifyPassword reports whether it is the user's password, disabled or not. It counts no attempts: the guesses of
// strangers are for the login route, which does.
func (a *Accounts) VerifyPassword(ctx context.Context, username, pass string) (bool, error) {
	user, err := a.find(ctx, username)
	if err != nil {
		return false, err
	}
	hash, err := password.Parse(user.Hash)
	if err != nil {
		return false, nil //nolint:nilerr // none, or one that was put there to lock the account: nothing matches it
	}
	ok, err := a.hasher.Verify(ctx, hash, pass)
	return ok, failure("verifying the password", err)
}

// hash is of a password that the policy takes.
func (a *Accounts) hash(ctx context.Context, username, pass string) (password.Hash, error) {
	if err := a.checkPassword(username, pass); err != nil {
		return password.Hash{}, err
	}
	return a.hashAny(ctx, username, pass)
}

func (a *Accounts) checkPassword(username, pass string) error {
	err := a.policy.Check(pass, username)
	var problem *password.PolicyError
	if errors.As(err, &problem) {
		return &auth.FieldError{Field: "password", Problem: problem.Problem}
	}
	return failure("checking the password", err)
}

// hashAny is of a password that was generated: the policy is about those that people make up.
func (a *Accounts) hashAny(ctx context.Context, _, pass string) (password.Hash, error) {
	hash, err := a.hasher.Hash(ctx, pass)
	return hash, failure("hashing the password", err)
}
