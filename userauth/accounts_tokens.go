package userauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
)

// Token is an API token, as its owner and admins see it. It is not enough to use the token, which nobody can see again.
//
// A token acts for its owner, with at most what the owner holds at the moment of use, and only for as long as the owner
// may log in: it ends with the account, when that is disabled, and when an admin sets another password. It stays when the
// owner changes the password or signs out everywhere.
type Token struct {
	ID   string `json:"id"`
	Name string `json:"name"` // for people
	// Permissions are what the token is limited to. Nil: to nothing less than all that its owner holds.
	Permissions auth.Permissions `json:"permissions"`
	Created     time.Time        `json:"created"`
	Used        time.Time        `json:"used,omitzero"`    // at most a minute before the last request; zero: never
	Expires     time.Time        `json:"expires,omitzero"` // zero: never
}

// NewToken is what [Accounts.AddToken] makes a token of.
type NewToken struct {
	// Name is for people, to know it by: at most 64 printable characters.
	Name string
	// Permissions limit the token, with the same wildcards as grants. What its owner doesn't hold it doesn't give. Nil: no
	// limit, now or later; a map without permissions is an error. With an Authorizer of the application's own a limit is
	// worth what that makes of the identity's Permissions.
	Permissions auth.Permissions
	// Expires is the token's end, to the second. Zero: none.
	Expires time.Time
}

// maxTokens is how many a user can have. One more is an error: pushing out another would break what uses that.
const maxTokens = 100

// Tokens gives the user's API tokens that haven't expired, the newest first.
func (a *Accounts) Tokens(ctx context.Context, username string) ([]Token, error) {
	user, err := a.find(ctx, username)
	if err != nil {
		return nil, err
	}
	tokens, err := a.tokensOf(ctx, user.ID)
	return tokens, failure(naming(username), err)
}

func (a *Accounts) tokensOf(ctx context.Context, user int64) ([]Token, error) {
	rows, err := a.store.SessionsOf(ctx, user)
	if err != nil {
		return nil, err
	}
	var tokens []Token
	for _, row := range rows {
		if row.Realm != tokenRealm || row.Expires <= a.now().Unix() {
			continue
		}
		data, err := tokenDataOf(row.Data)
		if err != nil {
			// It proves nobody, and is listed so that it can be deleted.
			data = tokenData{Name: "unreadable", Permissions: auth.Permissions{}}
		}
		tokens = append(tokens, tokenOf(row, data))
	}
	return tokens, nil
}

// AddToken makes an API token for the user and gives its text, "ost_…": show it once, to whoever asked for it. Only its
// hash is stored. A user can have 100.
func (a *Accounts) AddToken(ctx context.Context, username string, n NewToken) (made Token, text string, err error) {
	user, err := a.find(ctx, username)
	if err != nil {
		return Token{}, "", err
	}
	made, text, err = a.addToken(ctx, user, n, nil)
	return made, text, failure(naming(username), err)
}

// addToken makes one only while by is a session, if it isn't nil: whoever was signed out meanwhile leaves none behind.
func (a *Accounts) addToken(ctx context.Context, user *store.Account, n NewToken, by *[32]byte) (made Token, text string, err error) {
	if user.Disabled {
		return Token{}, "", &auth.FieldError{Field: "username", Problem: "is disabled"}
	}
	now := a.now()
	if err := n.check(now); err != nil {
		return Token{}, "", err
	}
	data := tokenData{Name: n.Name, Everything: n.Permissions == nil, Permissions: permissionsOf(storePermissions(n.Permissions))}
	if data.Everything {
		data.Permissions = nil
	}
	row := store.Session{ID: rand.Text()[:20], User: user.ID, Realm: tokenRealm, Created: now.Unix(), Expires: noEnd, Method: "token"}
	if !n.Expires.IsZero() {
		row.Expires = n.Expires.Unix()
	}
	if row.Data, err = data.encode(); err != nil {
		return Token{}, "", err
	}
	text, secret := newToken()
	row.Hash, _ = session.HashOf(secret)
	err = a.write(ctx, func(tx *store.Tx) error {
		if by != nil {
			if ok, err := tx.HasSession(*by); err != nil || !ok {
				return cmp.Or(err, auth.ErrSessionEnded)
			}
		}
		return tx.AddToken(row, maxTokens, now.Unix())
	})
	if errors.Is(err, store.ErrFull) {
		err = &auth.FieldError{Field: "tokens", Problem: fmt.Sprintf("there are %d already", maxTokens)}
	}
	if err != nil {
		return Token{}, "", err
	}
	return tokenOf(row, data), text, nil
}

// DeleteToken revokes a token of the user's, with everything that it has open. [ErrNotFound] if there is none of that ID.
func (a *Accounts) DeleteToken(ctx context.Context, username, id string) error {
	user, err := a.find(ctx, username)
	if err != nil {
		return err
	}
	return failure("a token of "+naming(username), a.deleteToken(ctx, user.ID, id))
}

// deleteToken asks by the user's number too, so that nobody revokes another's by its ID.
func (a *Accounts) deleteToken(ctx context.Context, user int64, id string) error {
	if nameProblem(id) != "" { // not every database can be asked for any bytes
		return store.ErrNotFound
	}
	return a.write(ctx, func(tx *store.Tx) error {
		ended, err := tx.DeleteSessionByID(user, tokenRealm, id)
		if err == nil && !ended {
			err = store.ErrNotFound
		}
		return err
	})
}

func (n NewToken) check(now time.Time) error {
	switch problem := nameProblem(n.Name); {
	case problem != "":
		return &auth.FieldError{Field: "name", Problem: problem}
	case n.Permissions != nil && len(storePermissions(n.Permissions)) == 0:
		return &auth.FieldError{Field: "permissions", Problem: "there are none"}
	case n.Expires.IsZero():
	case n.Expires.Unix() <= now.Unix():
		return &auth.FieldError{Field: "expires", Problem: "is in the past"}
	case n.Expires.Unix() >= noEnd:
		return &auth.FieldError{Field: "expires", Problem: "is too far away"}
	}
	return checkPermissions("permissions", n.Permissions)
}

func tokenOf(row store.Session, data tokenData) Token {
	t := Token{ID: row.ID, Name: data.Name, Permissions: data.Permissions, Created: time.Unix(row.Created, 0).UTC()}
	if row.Seen > 0 { // a new one has not been seen yet
		t.Used = time.Unix(row.Seen, 0).UTC()
	}
	if row.Expires < noEnd {
		t.Expires = time.Unix(row.Expires, 0).UTC()
	}
	return t
}
