package oidcauth

import (
	"context"
	"errors"
	"net/http"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/clientip"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/oidcauth/internal/op"
)

// errEndedThere is a login that the provider has ended before it was complete.
var errEndedThere = errors.New("the provider's session has ended meanwhile")

// A login is one that the provider has proved, of somebody who may come in.
type login struct {
	provider *provider
	flow     *flow
	tokens   *op.Tokens
	proof    *proof
	id       *auth.Identity // what Mapping makes of the proof
}

// signIn begins a session for whom the provider has proved, and sends the browser on.
func (b *backend) signIn(ctx context.Context, w http.ResponseWriter, r *http.Request, l *login) error {
	cookie, err := b.begin(ctx, r, l)
	switch {
	case errors.Is(err, store.ErrNotFound): // disabled since finish asked
		return disabledHere(l.provider.Issuer, l.proof.subject)
	case errors.Is(err, store.ErrExists): // linked to a local account: nobody is two users
		return forbid(notAllowed, "%s belongs to a local account", l.id.ID)
	case errors.Is(err, errEndedThere):
		return refuse(startAgain, "%w", err)
	case errors.Is(err, store.ErrInvalid):
		return refuse(notProven, "%w", err)
	case err != nil:
		return err
	}
	http.SetCookie(w, b.cookie.Set(r, b.site.HTTPS(r), cookie))
	b.report(r, auth.Event{Kind: auth.EventLogin, UserID: l.id.ID, Username: l.id.User.Username, Reason: "provider " + l.provider.Name})
	returnpath.Redirect(w, b.next(l.flow.Next))
	return nil
}

func disabledHere(issuer, subject string) error {
	return forbid(notAllowed, "%s is disabled here", identityID(issuer, subject))
}

// begin stores the person and the session, and ends the one that the browser had: whoever logs in again leaves the old one
// behind, wherever its cookie may have got to. The result is the session's token.
func (b *backend) begin(ctx context.Context, r *http.Request, l *login) (secret string, err error) {
	now := b.now()
	issuer, subject, sid := l.provider.Issuer, l.proof.subject, l.proof.sid
	err = b.engine.Write(ctx, func(tx *store.Tx) error {
		ended, err := tx.HasEndedAtProvider(issuer, subject, sid, l.flow.Started)
		if err != nil {
			return err
		}
		if ended {
			return errEndedThere
		}
		user, err := admit(tx, issuer, subject, l.id, now.Unix())
		if err != nil {
			return err
		}
		if old, n := b.cookie.Read(r, b.site.HTTPS(r)); n == 1 {
			if hash, ok := session.HashOf(old); ok {
				if _, err := tx.DeleteSession(hash); err != nil {
					return err
				}
			}
		}
		secret, err = b.engine.Begin(tx, store.Session{
			User: user, Method: "oidc", Address: clientip.Text(auth.Address(b.auth, r)), Agent: clientip.Agent(r),
			Issuer: issuer, Subject: subject, SID: sid,
		})
		if err != nil {
			return err
		}
		data, err := b.newData(l, secret, now)
		if err != nil {
			return err
		}
		hash, _ := session.HashOf(secret)
		return tx.SetSessionData(hash, user, data)
	})
	return secret, err
}

// admit stores who somebody is, and gives the user's number. Of several first logins at once one makes the user, and the
// others find it: they write one after the other.
func admit(tx *store.Tx, issuer, subject string, id *auth.Identity, now int64) (int64, error) {
	text, err := storedOf(id)
	if err != nil {
		return 0, err
	}
	key := personKey(issuer, subject)
	account, err := tx.AccountByKey(sessionRealm, key)
	var number int64
	switch {
	case errors.Is(err, store.ErrNotFound):
		number, err = tx.AddUser(store.User{Realm: sessionRealm, Username: id.User.Username, Key: key, Created: now})
	case err == nil:
		number = account.ID
	}
	if err != nil {
		return 0, err
	}
	return number, tx.PutExternal(store.External{Issuer: issuer, Subject: subject, User: number, Claims: text})
}
