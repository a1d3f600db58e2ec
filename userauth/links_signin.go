package userauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/clientip"
	"github.com/ostiary/auth/internal/store"
)

// SignIn begins a session of the account that the person is linked to, and gives its cookie. sid is the provider's name of its
// session, "" if it has none: when that ends there, so does the new one. The login began at since.
//
// The error is [auth.ErrNoCredentials] where no account is linked; [auth.ErrForbidden] where the account is disabled or
// [Hooks.BeforeLogin] refuses, or where it has become an admin's whom only an application's rule has linked (see
// [Links.LinkAs]); that hook's [*auth.FieldError]; and [auth.ErrSessionEnded] where the provider has ended the login meanwhile.
func (l *Links) SignIn(ctx context.Context, r *http.Request, issuer, subject, sid string, since time.Time) ([]*http.Cookie, error) {
	const doing = "signing in by a link"
	if err := l.b.site.Cookies(r); err != nil {
		return nil, fmt.Errorf("userauth: %s: %w: %w", doing, auth.ErrForbidden, err)
	}
	user, err := l.holder(ctx, issuer, subject)
	if err != nil {
		return nil, linkFailure(doing, err)
	}
	account := accountOf(user)
	if err := before(ctx, "BeforeLogin", l.b.accounts.hooks.BeforeLogin, account); err != nil {
		return nil, err
	}
	token, err := l.begin(ctx, r, user.ID, store.Session{Issuer: issuer, Subject: subject, SID: sid}, since.Unix())
	if errors.Is(err, auth.ErrSessionEnded) {
		return nil, fmt.Errorf("userauth: %s: %w", doing, err)
	}
	if err != nil {
		return nil, linkFailure(doing, err)
	}
	l.b.accounts.after(ctx, "AfterLogin", l.b.accounts.hooks.AfterLogin, account)
	l.b.report(r, auth.EventLogin, account.ID, account.Username, linkMethod)
	return []*http.Cookie{l.b.cookie.Set(r, l.b.site.HTTPS(r), token)}, nil
}

// linkMethod is that of sessions which began by a link.
const linkMethod = "oidc"

// holder is whose sign-in it is, as far as that may be used now.
func (l *Links) holder(ctx context.Context, issuer, subject string) (*store.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	link, err := l.b.store.External(ctx, linkIssuer(issuer), subject)
	if err != nil {
		return nil, err
	}
	user, err := l.b.accounts.numbered(ctx, link.User)
	if err != nil {
		return nil, err
	}
	shared, err := l.b.sharedPermissions(ctx)
	if err != nil {
		return nil, err
	}
	return user, l.mayEnter(user, linkDataOf(link.Claims), shared)
}

// begin begins the session s. What holder found is decided once more where it counts: an account that was unlinked or disabled
// while a hook thought it over gets nobody in.
func (l *Links) begin(ctx context.Context, r *http.Request, user int64, s store.Session, since int64) (token string, err error) {
	err = l.b.engine.Write(ctx, func(tx *store.Tx) error {
		ended, err := tx.HasEndedAtProvider(s.Issuer, s.Subject, s.SID, since)
		if err != nil {
			return err
		}
		if ended {
			return auth.ErrSessionEnded
		}
		link, err := tx.External(linkIssuer(s.Issuer), s.Subject)
		if err != nil {
			return err
		}
		if link.User != user {
			return auth.ErrNoCredentials // of somebody else meanwhile
		}
		account, err := tx.Account(user)
		if err != nil {
			return err
		}
		shared, err := tx.RolePermissions(l.b.defaultRoles)
		if err != nil {
			return err
		}
		if err := l.mayEnter(account, linkDataOf(link.Claims), shared); err != nil {
			return err
		}
		if err := l.b.leaveBehind(tx, r); err != nil {
			return err
		}
		s.User, s.Method, s.Address, s.Agent = user, linkMethod, clientip.Text(auth.Address(l.b.auth, r)), clientip.Agent(r)
		token, err = l.b.engine.Begin(tx, s)
		return err
	})
	return token, err
}

// mayEnter is the rule of who may sign in by a link. A link that the application's rule has made, by an e-mail address that a
// provider vouches for, opens no admin's account, whether it was one then or has become one: else each provider could
// administer this server.
func (l *Links) mayEnter(user *store.Account, link linkData, shared []store.Permission) error {
	switch {
	case user.Disabled:
		return fmt.Errorf("%w: %s is disabled", auth.ErrForbidden, userID(user.ID))
	case user.Realm != localRealm:
		return fmt.Errorf("%w: a user of an authenticator", auth.ErrForbidden)
	case link.ByRule && l.b.accounts.administers(user, shared, true, adminReads, adminWrites):
		return fmt.Errorf("%w: %s is an admin, and hasn't linked this sign-in", auth.ErrForbidden, userID(user.ID))
	}
	return nil
}
