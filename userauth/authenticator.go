package userauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
)

// An Authenticator knows passwords that the database doesn't. It stands behind the same login form, limits and sessions.
type Authenticator interface {
	// Authenticate gives the identity of the user whose password it is. [auth.ErrNoCredentials] says that there is no such
	// user here, and the next authenticator is asked; [auth.ErrInvalidCredentials] and [auth.ErrForbidden] are a wrong
	// password and a user who may not log in: nobody else is asked, and the caller sees no difference. Any other error is
	// 503. ctx ends after ten seconds.
	//
	// The identity needs an ID that is stable and unique ("ldap:uid=ann,ou=people") and doesn't begin with "user:", and a
	// username. What it holds counts until the next login or the end of the session; Expires and Session are not used. It is
	// stored, and what the user then changes in the profile here goes before what the authenticator says.
	Authenticate(ctx context.Context, username, password string) (*auth.Identity, error)
}

// AuthenticatorFunc is an [Authenticator] of one function.
type AuthenticatorFunc func(ctx context.Context, username, password string) (*auth.Identity, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, username, password string) (*auth.Identity, error) {
	return f(ctx, username, password)
}

const (
	externalRealm       = "authenticator" // of users whom an authenticator vouches for
	authenticateTimeout = 10 * time.Second
	maxExternalID       = 512 // bytes, of the username as well
)

// errWrong is every reason that must not be told from a wrong password: no such user, disabled, no password.
var errWrong = errors.New("wrong username or password")

// A login is who has proved a password, before there is a session.
type login struct {
	user     int64          // in the database; 0: not yet
	id       *auth.Identity // from an authenticator; nil: a user of the database
	hash     string         // what was proved, to be the stored one still when the session begins
	rehash   string         // to replace it; empty: none
	username string
	method   string
	account  Account // for hooks
}

// authenticate tells who it is; errWrong for anybody whom the password doesn't prove, after the same work. key is empty for
// a name that nobody can have.
func (b *backend) authenticate(ctx context.Context, name, key, pass string) (*login, error) {
	var account *store.Account
	if key != "" {
		read, cancel := context.WithTimeout(ctx, readTimeout)
		var err error
		account, err = b.store.AccountByKey(read, localRealm, key)
		cancel()
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	if account != nil {
		// A user of the database is nobody else's: an authenticator that knows the same name isn't asked.
		return b.prove(ctx, account, pass)
	}
	if err := b.hasher.Decoy(ctx, pass); err != nil {
		return nil, err
	}
	if key == "" || pass == "" {
		return nil, errWrong // an LDAP server takes an empty password for an anonymous bind, which succeeds
	}
	for _, a := range b.authenticators {
		id, err := ask(ctx, a, name, pass)
		switch {
		case err == nil:
			if err := soundExternal(id); err != nil {
				return nil, err
			}
			return &login{id: id, username: id.User.Username, method: "authenticator", account: Account{
				ID: id.ID, User: id.User, Roles: id.Roles, Permissions: id.Permissions,
			}}, nil
		case errors.Is(err, auth.ErrInvalidCredentials), errors.Is(err, auth.ErrForbidden):
			return nil, errWrong
		case !errors.Is(err, auth.ErrNoCredentials):
			return nil, fmt.Errorf("authenticator: %w", err)
		}
	}
	return nil, errWrong
}

// prove verifies the password of a user of the database. Whatever is wrong takes the work of one hash.
func (b *backend) prove(ctx context.Context, account *store.Account, pass string) (*login, error) {
	hash, err := password.Parse(account.Hash)
	if err != nil { // none, or one that locks the account
		if err := b.hasher.Decoy(ctx, pass); err != nil {
			return nil, err
		}
		return nil, errWrong
	}
	ok, err := b.hasher.Verify(ctx, hash, pass)
	if err != nil {
		return nil, err
	}
	if !ok || account.Disabled {
		return nil, errWrong
	}
	l := &login{user: account.ID, hash: account.Hash, username: account.Username, method: "password", account: accountOf(account)}
	if hash.Weaker(b.cost) {
		// The one moment at which the password is at hand. That it can't be hashed now must not keep its owner out.
		if better, err := b.hasher.Hash(ctx, pass); err == nil {
			l.rehash = better.Encoded()
		}
	}
	return l, nil
}

// ask turns a panic into a fault, so that it can't pass for an answer. Its value may hold the password: it isn't told.
func ask(ctx context.Context, a Authenticator, name, pass string) (id *auth.Identity, err error) {
	ctx, cancel := context.WithTimeout(ctx, authenticateTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			id, err = nil, fmt.Errorf("panic of type %T", v)
		}
	}()
	return a.Authenticate(ctx, name, pass)
}

// soundExternal checks what an authenticator returned without an error.
func soundExternal(id *auth.Identity) error {
	switch {
	case id == nil:
		return errors.New("authenticator: no identity and no error")
	case id.ID == "" || id.User.Username == "":
		return errors.New("authenticator: identity without an ID or a username")
	case strings.HasPrefix(id.ID, "user:"):
		// Those are the database's: what an application keeps under such an ID belongs to somebody else.
		return fmt.Errorf("authenticator: the ID %q begins with %q", id.ID, "user:")
	}
	for _, name := range []string{id.ID, id.User.Username} { // not every database can store any bytes
		if len(name) > maxExternalID || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
			return errors.New("authenticator: the ID or the username is too long, not UTF-8 or holds a NUL")
		}
	}
	if err := id.Permissions.Validate(); err != nil {
		return fmt.Errorf("authenticator: %w", err)
	}
	return nil
}

// admit stores who an authenticator vouches for, and gives the user's number. A user who was disabled here stays out.
func admit(tx *store.Tx, id *auth.Identity, now int64) (int64, error) {
	text, err := claimsOf(id)
	if err != nil {
		return 0, err
	}
	account, err := tx.AccountByKey(externalRealm, id.ID)
	var number int64
	switch {
	case errors.Is(err, store.ErrNotFound):
		number, err = tx.AddUser(store.User{Realm: externalRealm, Username: id.User.Username, Key: id.ID, Created: now})
	case err == nil:
		number = account.ID
	}
	if err != nil {
		return 0, err
	}
	return number, tx.PutExternal(store.External{Issuer: externalRealm, Subject: id.ID, User: number, Claims: text})
}
