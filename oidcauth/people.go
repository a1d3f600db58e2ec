package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
)

// ErrNotFound is what [People] answers for an ID that no configured provider can have.
var ErrNotFound = errors.New("oidcauth: not found")

// People manages those whom the providers vouch for, as far as that is decided here: for admin commands and an application's
// own admin pages. It asks nobody whether the caller may: that is for the guard in front of it.
//
// A person is named by [auth.Identity.ID], "oidc:<issuer>#<subject>", as handlers and [auth.Event] have it. An ID that no
// configured provider can have is [ErrNotFound]; any other error wraps [auth.ErrUnavailable], and nothing may have changed
// then. What a change ends, ends here at once and on every other instance within a second. All methods may be called
// concurrently.
type People struct{ b *backend }

// People gives what manages those whom the providers vouch for.
func (a *Auth) People() *People { return &People{a.backend} }

// SetDisabled says whether somebody is kept out, whatever the provider says: logins, access tokens, and sign-ins to a local
// account that is linked are answered with 403. Being disabled ends all that the person has open, as EndSessions does, and the
// sockets and streams of access tokens too, those of a client that goes by the same subject among them. Who has never logged in
// here can be disabled as well. Enabling brings no session back. The local account itself, if one is linked, stays as it is.
func (p *People) SetDisabled(ctx context.Context, id string, disabled bool) error {
	who, ok := p.b.personOf(id)
	if !ok {
		return notFound(id)
	}
	err := p.b.engine.Write(ctx, func(tx *store.Tx) error {
		number, err := who.number(tx)
		if errors.Is(err, store.ErrNotFound) {
			if !disabled {
				return nil // nobody is disabled who isn't there
			}
			number, err = tx.AddUser(store.User{
				Realm: sessionRealm, Username: who.subject, Key: personKey(who.issuer, who.subject), Created: p.b.now().Unix(),
			})
		}
		if err != nil {
			return err
		}
		if err := tx.SetDisabled(number, disabled); err != nil || !disabled {
			return err
		}
		_, err = who.end(tx, p.b.now().Unix())
		return err
	})
	return failure("disabling", id, err)
}

// EndSessions ends the person's sessions, those in a linked local account and logins that are under way included, and tells
// how many sessions there were. The provider isn't told, nor does it end an access token: see SetDisabled.
func (p *People) EndSessions(ctx context.Context, id string) (n int, err error) {
	who, ok := p.b.personOf(id)
	if !ok {
		return 0, notFound(id)
	}
	err = p.b.engine.Write(ctx, func(tx *store.Tx) error {
		n, err = who.end(tx, p.b.now().Unix())
		return err
	})
	if err != nil {
		return 0, failure("ending the sessions of", id, err)
	}
	return n, nil
}

// Disabled tells whether somebody is kept out by SetDisabled.
func (p *People) Disabled(ctx context.Context, id string) (bool, error) {
	who, ok := p.b.personOf(id)
	if !ok {
		return false, notFound(id)
	}
	disabled, err := p.b.disabled(ctx, who.issuer, who.subject)
	return disabled, failure("looking for", id, err)
}

// disabled tells whether somebody is kept out here, whatever the provider says.
func (b *backend) disabled(ctx context.Context, issuer, subject string) (bool, error) {
	account, err := b.store.AccountByKey(ctx, sessionRealm, personKey(issuer, subject))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil // has never been here
	}
	return err == nil && account.Disabled, err
}

// somebody is a person of a provider.
type somebody struct{ issuer, subject string }

// personOf reads an ID. Only a configured issuer tells where it ends and the subject begins: that may hold any character.
func (b *backend) personOf(id string) (somebody, bool) {
	for _, p := range b.providers {
		if subject, ok := strings.CutPrefix(id, identityID(p.Issuer, "")); ok && soundSubject(subject) {
			return somebody{p.Issuer, subject}, true
		}
	}
	return somebody{}, false
}

func (s somebody) number(tx *store.Tx) (int64, error) {
	account, err := tx.AccountByKey(sessionRealm, personKey(s.issuer, s.subject))
	if err != nil {
		return 0, err
	}
	return account.ID, nil
}

// end ends the sessions that began at the provider, also those of logins that haven't come back from there yet.
func (s somebody) end(tx *store.Tx, now int64) (n int, err error) {
	return tx.EndedAtProvider(s.issuer, s.subject, "", now, now+int64(endedAge.Seconds()))
}

func notFound(id string) error { return fmt.Errorf("%w: %q", ErrNotFound, id) }

// failure is err as [People] tells it. The store's own outcomes stay inside: an application can't see that package.
func failure(doing, id string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, auth.ErrUnavailable):
		return fmt.Errorf("oidcauth: %s %q: %w", doing, id, err)
	}
	return fmt.Errorf("oidcauth: %s %q: %w: %w", doing, id, auth.ErrUnavailable, err)
}
