package userauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
)

// Add makes a user, whole or not at all. A name that is taken in any spelling is [ErrExists], a role that doesn't exist
// an [*auth.FieldError] that names it.
func (a *Accounts) Add(ctx context.Context, n NewAccount) (Account, error) {
	account, err := a.add(ctx, n, insert)
	return account, failure(naming(n.Username), err)
}

// add makes the user by insert, which runs in the transaction. Its error is still to be told by failure.
func (a *Accounts) add(ctx context.Context, n NewAccount, insert func(*store.Tx, store.User, NewAccount) (*store.Account, error)) (Account, error) {
	u, err := a.newUser(ctx, n, a.hash)
	if err != nil {
		return Account{}, err
	}
	if err := before(ctx, "BeforeRegister", a.hooks.BeforeRegister, n); err != nil {
		return Account{}, err
	}
	var made *store.Account
	err = a.write(ctx, func(tx *store.Tx) error { // may run more than once
		made, err = insert(tx, u, n)
		return err
	})
	if err != nil {
		return Account{}, err
	}
	a.after(ctx, "AfterRegister", a.hooks.AfterRegister, accountOf(made))
	return accountOf(made), nil
}

// FirstAdmin makes a user with the permissions p while there is no local user at all, and tells whether it did: however
// many processes start at once on an empty database, one makes one. Without a password it generates one of 128 bits:
// show it once, to whoever starts the server. Where there are users already, nothing is looked at.
func (a *Accounts) FirstAdmin(ctx context.Context, username, pass string, p auth.Permissions) (generated string, made bool, err error) {
	count, err := a.store.CountUsers(ctx, localRealm)
	if err != nil || count > 0 { // so that a start costs no hash; what counts is asked below
		return "", false, failure("counting the users", err)
	}
	n, hash := NewAccount{Username: username, Password: pass, Permissions: p}, a.hash
	if pass == "" {
		generated = rand.Text()
		n.Password, hash = generated, a.hashAny
	}
	u, err := a.newUser(ctx, n, hash)
	if err != nil {
		return "", false, err
	}
	err = a.write(ctx, func(tx *store.Tx) error {
		made = false
		// In the transaction that writes: two that have both seen none can't both make one.
		if count, err := tx.CountUsers(localRealm); err != nil || count > 0 {
			return err
		}
		made = true
		_, err := insert(tx, u, n)
		return err
	})
	if err != nil {
		return "", false, failure(naming(username), err)
	}
	if !made { // somebody else was faster
		return "", false, nil
	}
	return generated, true, nil
}

type hashing func(ctx context.Context, username, pass string) (password.Hash, error)

// newUser checks everything that needs no database, and hashes: a transaction must never wait for that.
func (a *Accounts) newUser(ctx context.Context, n NewAccount, hash hashing) (store.User, error) {
	key, err := keyOf(n.Username)
	if err != nil {
		return store.User{}, err
	}
	if err := n.Profile.Validate(); err != nil {
		return store.User{}, failure(naming(n.Username), err)
	}
	if err := checkPermissions("permissions", n.Permissions); err != nil {
		return store.User{}, err
	}
	var hashed password.Hash // no password's
	if n.Password != "" {
		if hashed, err = hash(ctx, n.Username, n.Password); err != nil {
			return store.User{}, err
		}
	}
	profile := n.Profile.Apply(auth.User{})
	now := a.now().Unix()
	return store.User{
		Realm: localRealm, Username: n.Username, Key: key,
		Hash: hashed.Encoded(), Disabled: n.Disabled, Created: now, PasswordAt: now,
		Profile: store.Profile{
			Name:        profile.Name,
			DisplayName: profile.DisplayName,
			Initials:    profile.Initials,
			Color:       profile.Color,
			AvatarURL:   profile.AvatarURL,
			Workspace:   profile.Workspace,
			Settings:    profile.Settings,
		},
	}, nil
}

func insert(tx *store.Tx, u store.User, n NewAccount) (*store.Account, error) {
	id, err := insertUser(tx, u, n)
	if err != nil {
		return nil, err
	}
	return tx.Account(id)
}

func insertUser(tx *store.Tx, u store.User, n NewAccount) (id int64, err error) {
	id, err = tx.AddUser(u)
	if err != nil {
		return 0, err
	}
	if err := tx.Grant(id, storePermissions(n.Permissions)); err != nil {
		return 0, err
	}
	return id, addRoles(tx, id, "roles", n.Roles)
}

// addRoles goes one by one, so that the error can name the role that doesn't exist. A name is never taken apart.
func addRoles(tx *store.Tx, id int64, field string, roles []string) error {
	for _, role := range roles {
		if nameProblem(role) != "" { // not every database can be asked for any bytes
			return noSuchRole(field, role)
		}
		err := tx.AddRoles(id, []string{role})
		if errors.Is(err, store.ErrNotFound) {
			return noSuchRole(field, role)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func noSuchRole(field, role string) error {
	return &auth.FieldError{Field: field, Problem: fmt.Sprintf("there is no role %q", role)}
}

func naming(username string) string { return fmt.Sprintf("user %q", username) }
