package oidcauth

import (
	"context"
	"net/http"
	"time"
)

// Accounts are local accounts that a provider's people may sign in to: the Links of a userauth, by [Config.Accounts]. The
// methods may be called concurrently.
type Accounts interface {
	// LoggedIn names the session in which r is logged in to an account that may be linked, by a text that is of no use to
	// anybody else, at most 64 bytes long and not empty. The error is [auth.ErrNoCredentials] where there is no such session,
	// [auth.ErrForbidden] where its account, or whoever acts as its user, may not link.
	LoggedIn(r *http.Request) (session string, err error)
	// Link says that the person whom issuer calls subject may sign in to the account that r is logged in to, if that is by the
	// session that LoggedIn named before the browser went to the provider. The error is [auth.ErrNoCredentials] where it is
	// another one or none, [auth.ErrForbidden] where the person is another account's or this one may not be linked.
	Link(ctx context.Context, r *http.Request, session, issuer, subject string) error
	// LinkAs is Link for the account of this name, where the application vouches for it. The error is [auth.ErrNoCredentials]
	// where there is no such account, and [auth.ErrForbidden] also where it is an admin's: nobody becomes an admin by an e-mail
	// address.
	LinkAs(ctx context.Context, username, issuer, subject string) error
	// SignIn begins a session of the account that the person is linked to, and gives its cookies. sid is the provider's
	// session ("" unknown), with which the new one ends; the login began at since. The error is [auth.ErrNoCredentials] where
	// no account is linked, [auth.ErrForbidden] where it may not log in, an [*auth.FieldError] to be shown, and
	// [auth.ErrSessionEnded] where the provider has ended the login meanwhile.
	SignIn(ctx context.Context, r *http.Request, issuer, subject, sid string, since time.Time) ([]*http.Cookie, error)
}
