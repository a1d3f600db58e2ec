package userauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
)

// Links are sign-ins at OpenID Providers that local accounts are linked to: whom a provider knows under a subject may sign in
// to the account, beside its password. It is oidcauth's Config.Accounts:
//
//	users, err := userauth.New(ctx, userauth.Config{Auth: cfg, DB: db})
//	sso, err := oidcauth.New(ctx, oidcauth.Config{Auth: cfg, DB: db, Accounts: users.Links(), Providers: providers})
//	chain, err := auth.New(cfg, users, sso)
//
// A sign-in belongs to one account, and nobody takes it over; it goes with the account, and when an admin sets another
// password, since somebody else may have linked it. What such a login begins is a session of the account's like any other,
// which also ends when the provider says so and when the link does. What the provider would say of the account's
// permissions means nothing. A user of [Config.Authenticators] can't be linked: nobody would ask the authenticator any more.
//
// Errors are for [errors.Is]; whatever is none of those named wraps [auth.ErrUnavailable]. All methods may be called
// concurrently.
type Links struct{ b *backend }

// Links gives the sign-ins that accounts are linked to.
func (a *Auth) Links() *Links { return &Links{a.backend} }

// maxLinks is how many sign-ins an account can have: they are read with it.
const maxLinks = 20

// LoggedIn tells whether r has a session of an account that may be linked, and names the session for [Links.Link]: a text
// that is of no other use. The error is [auth.ErrNoCredentials] where there is none, and [auth.ErrForbidden] for an API token,
// for an admin who acts as the user, and for a user of an authenticator.
func (l *Links) LoggedIn(r *http.Request) (string, error) {
	s, err := l.session(r)
	if err == nil {
		err = l.mayLink(r.Context(), s)
	}
	if err != nil {
		return "", linkFailure("looking who is to be linked", err)
	}
	return linkingSession(s), nil
}

// Link says that the person whom issuer calls subject may sign in to the account that r is logged in to by the session that
// LoggedIn named: the one in which the user began, not whatever the browser is logged in to by now. The error is
// [auth.ErrNoCredentials] where that is another one or none, [auth.ErrForbidden] as for LoggedIn, where the person is another
// account's, and for more than 20 of one account. In a session that itself began by a rule's link (see LinkAs) it makes one
// that counts for no more.
func (l *Links) Link(ctx context.Context, r *http.Request, loggedIn, issuer, subject string) error {
	const doing = "linking"
	s, err := l.session(r.WithContext(ctx))
	if err == nil && linkingSession(s) != loggedIn {
		err = fmt.Errorf("%w: not the session in which it began", auth.ErrNoCredentials)
	}
	if err != nil {
		return linkFailure(doing, err)
	}
	hash := s.Hash()
	var user *store.Account
	err = l.b.engine.Write(ctx, func(tx *store.Tx) error {
		// Decided once more where it counts: whoever was signed out meanwhile leaves no way in behind.
		row, err := tx.Session(hash)
		if errors.Is(err, store.ErrNotFound) {
			return auth.ErrNoCredentials
		}
		if err != nil {
			return err
		}
		if user, err = tx.Account(row.User); err != nil {
			return err
		}
		if err := linkable(user, actorOf(row)); err != nil {
			return err
		}
		byRule, err := restsOnRule(tx, row)
		if err != nil {
			return err
		}
		return putLink(tx, user, issuer, subject, linkData{Linked: l.b.now().Unix(), ByRule: byRule})
	})
	if err != nil {
		return linkFailure(doing, err)
	}
	l.b.report(r, auth.EventLinked, userID(user.ID), user.Username, linkReason(issuer, subject))
	return nil
}

// LinkAs is Link for the local account of this name, where the application vouches for it by a rule of its own: by a verified
// e-mail address. The error is [auth.ErrNoCredentials] where there is no such account; [auth.ErrForbidden] where it is
// disabled, holds admin:read or admin:write, or has 20 already, and where the person is another account's. With the rule a
// provider can sign in as whom it likes: never as an admin, who links by an own act.
func (l *Links) LinkAs(ctx context.Context, username, issuer, subject string) error {
	const doing = "linking by a rule"
	found, err := l.b.accounts.find(ctx, username)
	if errors.Is(err, ErrNotFound) {
		err = auth.ErrNoCredentials
	}
	if err != nil {
		return linkFailure(doing, err)
	}
	err = l.b.engine.Write(ctx, func(tx *store.Tx) error {
		user, err := tx.Account(found.ID)
		if err != nil {
			return err
		}
		link, err := tx.External(linkIssuer(issuer), subject)
		if err == nil && link.User == user.ID {
			return nil // and by whose act it was stays as it is
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		shared, err := tx.RolePermissions(l.b.defaultRoles)
		if err != nil {
			return err
		}
		data := linkData{Linked: l.b.now().Unix(), ByRule: true}
		if err := l.mayEnter(user, data, shared); err != nil {
			return err
		}
		return putLink(tx, user, issuer, subject, data)
	})
	if err != nil {
		return linkFailure(doing, err)
	}
	auth.Report(l.b.auth, nil, auth.Event{
		Kind: auth.EventLinked, UserID: userID(found.ID), Username: found.Username,
		Reason: linkReason(issuer, subject) + ", by the application's rule",
	})
	return nil
}

// session is the one of r's cookie.
func (l *Links) session(r *http.Request) (*session.Session[auth.Identity], error) {
	id, err := l.b.Identify(r)
	if err != nil {
		return nil, err
	}
	s, ok := id.Session.(*session.Session[auth.Identity])
	if !ok {
		return nil, fmt.Errorf("%w: an API token", auth.ErrForbidden) // see ownAccount
	}
	return s, nil
}

// mayLink asks the database who the session's user is, and whether it is the user.
func (l *Links) mayLink(ctx context.Context, s *session.Session[auth.Identity]) error {
	by, err := l.b.actor(ctx, s)
	if err != nil {
		return err
	}
	user, err := l.b.accounts.numbered(ctx, s.User())
	if err != nil {
		return err
	}
	return linkable(user, by)
}

// linkable is the rule of whose account can be linked, and by whom.
func linkable(user *store.Account, by actor) error {
	switch {
	case by.ID != "": // a link would outlast the impersonation
		return fmt.Errorf("%w: somebody acts as the user", auth.ErrForbidden)
	case user.Realm != localRealm: // whom the authenticator has dismissed would still get in
		return fmt.Errorf("%w: a user of an authenticator", auth.ErrForbidden)
	case user.Disabled:
		return auth.ErrNoCredentials // and so without a session
	}
	return nil
}

// restsOnRule tells whether the application's rule alone has let s in. A link that is made there is no own act of the user's:
// else whom a provider passes off as the user would make one that opens the account still when it has become an admin's.
func restsOnRule(tx *store.Tx, s store.Session) (bool, error) {
	if s.Issuer == "" {
		return false, nil
	}
	link, err := tx.External(linkIssuer(s.Issuer), s.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil // unreachable: with its link the session has ended
	}
	return linkDataOf(link.Claims).ByRule, err
}

// linkingSession names a session to whoever keeps the name while its user is away at the provider. It can't be turned into the
// session's token, nor into what the database knows it by.
func linkingSession(s *session.Session[auth.Identity]) string {
	hash := s.Hash()
	sum := sha256.Sum256(slices.Concat([]byte("session that links "), hash[:]))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// putLink links a sign-in to the account; one that is another's stays so, and so does one by the user's own act.
func putLink(tx *store.Tx, user *store.Account, issuer, subject string, data linkData) error {
	if issuer == "" || subject == "" {
		return fmt.Errorf("%w: no issuer or no subject", auth.ErrForbidden)
	}
	links := linksOf(user)
	i := slices.IndexFunc(links, func(l Link) bool { return l.Issuer == issuer && l.Subject == subject })
	switch {
	case i < 0 && len(links) >= maxLinks:
		return fmt.Errorf("%w: there are %d already", auth.ErrForbidden, maxLinks)
	case i >= 0 && data.ByRule && !links[i].ByRule:
		return nil
	}
	text, err := data.encode()
	if err != nil {
		return err
	}
	err = tx.PutExternal(store.External{Issuer: linkIssuer(issuer), Subject: subject, User: user.ID, Claims: text})
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("%w: another account's", auth.ErrForbidden)
	}
	return err
}

// linkFailure is err as Links tells it.
func linkFailure(doing string, err error) error {
	for _, known := range []error{auth.ErrInvalidCredentials, auth.ErrForbidden, auth.ErrNoCredentials, auth.ErrUnavailable} {
		if errors.Is(err, known) {
			return fmt.Errorf("userauth: %s: %w", doing, err)
		}
	}
	if errors.Is(err, auth.ErrSessionEnded) || errors.Is(err, store.ErrNotFound) { // just now
		return fmt.Errorf("userauth: %s: %w: %v", doing, auth.ErrNoCredentials, err) // %v: the cause is no outcome of its own
	}
	if errors.Is(err, store.ErrInvalid) { // an identifier that no provider may have
		return fmt.Errorf("userauth: %s: %w: %w", doing, auth.ErrForbidden, err)
	}
	return fmt.Errorf("userauth: %s: %w: %w", doing, auth.ErrUnavailable, err)
}

// linkReason names a sign-in in the log.
func linkReason(issuer, subject string) string { return fmt.Sprintf("%q of %s", subject, issuer) }
