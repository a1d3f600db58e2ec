package userauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/username"
)

// Realms of the store: who vouches for a name, and whose session it is.
const (
	localRealm = "" // names that are known here
	allRealms  = ""
)

// Get gives one user.
func (a *Accounts) Get(ctx context.Context, username string) (Account, error) {
	user, err := a.find(ctx, username)
	if err != nil {
		return Account{}, err
	}
	return accountOf(user), nil
}

const (
	defaultPage = 100
	largestPage = 1000
)

// List gives the users whose names contain search, in whatever case, in the order of their names; an empty search is
// everybody. It begins behind after, which is the next of the page before, or empty. At most limit are given; 0: 100, and
// never more than 1,000. An empty next says that there are no more.
func (a *Accounts) List(ctx context.Context, search, after string, limit int) (page []Account, next string, err error) {
	switch {
	case limit < 0:
		return nil, "", &auth.FieldError{Field: "limit", Problem: "is negative"}
	case !utf8.ValidString(after) || strings.ContainsRune(after, 0):
		return nil, "", &auth.FieldError{Field: "after", Problem: "is not valid text"}
	case limit == 0:
		limit = defaultPage
	}
	limit = min(limit, largestPage)
	part, ok := searchKey(strings.TrimSpace(search))
	if !ok {
		return nil, "", nil
	}
	var users []*store.Account
	for len(users) <= limit { // one more tells whether there are more
		more, err := a.store.AccountsAfter(ctx, localRealm, part, after, limit+1-len(users))
		if err != nil {
			return nil, "", failure("listing the users", err)
		}
		if len(more) == 0 { // fewer than asked for isn't the end: some may just have been deleted
			break
		}
		users = append(users, more...)
		after = users[len(users)-1].Key
	}
	if len(users) > limit {
		users = users[:limit]
		next = users[limit-1].Key
	}
	for _, user := range users {
		page = append(page, accountOf(user))
	}
	return page, next, nil
}

// searchKey spells a part of a name as keys do; ok is false for what no name can hold. A part may begin with what a name
// may not: "@example.com".
func searchKey(search string) (part string, ok bool) {
	if search == "" {
		return "", true
	}
	if part, err := username.Key(search); err == nil {
		return part, true
	}
	part, err := username.Key("_" + search)
	return strings.TrimPrefix(part, "_"), err == nil
}

// Delete removes the user with everything that is the user's, and ends all sessions and API tokens. The ID is never given
// to anybody else, not even to a new user of the same name. The last one with admin:write stays: [ErrLastAdmin].
func (a *Accounts) Delete(ctx context.Context, username string) error {
	user, err := a.find(ctx, username)
	if err != nil {
		return err
	}
	gone := accountOf(user)
	if err := before(ctx, "BeforeDelete", a.hooks.BeforeDelete, gone); err != nil {
		return err
	}
	concerned := func(tx *store.Tx) (bool, error) {
		now, err := tx.Account(user.ID)
		if err != nil {
			return false, err
		}
		return a.isAdmin(tx, now)
	}
	err = a.keepAdmin(ctx, concerned, func(tx *store.Tx) error { return tx.DeleteUser(user.ID) })
	if err != nil {
		return failure(naming(username), err)
	}
	a.after(ctx, "AfterDelete", a.hooks.AfterDelete, gone)
	return nil
}

// find gives the local user of that name.
func (a *Accounts) find(ctx context.Context, username string) (*store.Account, error) {
	key, err := keyOf(username)
	if err != nil {
		return nil, notFound(username) // nobody can have such a name
	}
	user, err := a.store.AccountByKey(ctx, localRealm, key)
	if err != nil {
		return nil, failure(naming(username), err)
	}
	return user, nil
}

func notFound(username string) error { return fmt.Errorf("%w: %s", ErrNotFound, naming(username)) }

// keyOf is what two spellings of one name have in common: the only form in which names are looked up and compared.
func keyOf(name string) (string, error) {
	key, err := username.Key(name)
	if err != nil {
		var problem *username.Error
		if errors.As(err, &problem) {
			return "", &auth.FieldError{Field: "username", Problem: problem.Problem}
		}
		return "", failure("reading a username", err)
	}
	return key, nil
}
