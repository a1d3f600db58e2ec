package userauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/cookie"
	"github.com/ostiary/auth/internal/limit"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/internal/store"
)

// sessionRealm separates these sessions from those of other backends over the same database.
const sessionRealm = "userauth"

type backend struct {
	auth      auth.Auth // the guard around this backend
	site      *site.Site
	mount     returnpath.Mount
	mountPath string
	now       func() time.Time

	store    *store.DB
	engine   *session.Engine[auth.Identity]
	tokens   *session.Engine[tokenUser]
	accounts *Accounts
	hasher   *password.Hasher
	cost     password.Params // of new hashes; a cheaper one is replaced when its owner logs in

	authenticators []Authenticator
	defaultRoles   []string
	registration   Registration
	providers      []Provider

	limit        *limit.Limiter // wrong passwords, at login and where the current one is asked for
	newcomers    *limit.Limiter // attempts to register
	device       deviceKey
	cookie       cookie.Spec
	deviceCookie cookie.Spec
	lifetime     time.Duration // of a session
}

// Identify implements [auth.Backend]: who an API token or the session cookie says. An Authorization header decides alone
// where it is present: whoever claims to be somebody by it must not be served as the one of the cookie.
func (b *backend) Identify(r *http.Request) (*auth.Identity, error) {
	if len(r.Header["Authorization"]) > 0 {
		return b.bearer(r)
	}
	return b.browser(r)
}

// browser is who the session cookie says.
func (b *backend) browser(r *http.Request) (*auth.Identity, error) {
	token, n := b.cookie.Read(r, b.site.HTTPS(r))
	switch n {
	case 0:
		return nil, auth.ErrNoCredentials
	case 1:
	default:
		return nil, auth.ErrInvalidCredentials // given twice: one of them was planted
	}
	id, err := b.engine.Find(r.Context(), token)
	if err == auth.ErrSessionEnded { //nolint:errorlint // the engine returns it as it is, and this is on every request's path
		return nil, auth.ErrNoCredentials // stale, not wrong
	}
	return id, err
}

// Challenge implements [auth.Challenger].
func (b *backend) Challenge(r *http.Request, err error) auth.Challenge {
	c := auth.Challenge{WWWAuthenticate: challengeFor(r), LoginPath: b.mountPath + "/login"}
	https := b.site.HTTPS(r)
	if _, n := b.cookie.Read(r, https); n == 0 {
		return c
	}
	// Where it was asked and is worth nothing, the browser forgets it. A valid one stays: something else was refused, and a
	// wrong header must not log a browser out.
	asked := errors.Is(err, auth.ErrNoCredentials) && len(r.Header["Authorization"]) == 0
	if !asked {
		_, err := b.browser(r)
		asked = errors.Is(err, auth.ErrNoCredentials) || errors.Is(err, auth.ErrInvalidCredentials)
	}
	if asked {
		c.SetCookies = []*http.Cookie{b.cookie.Delete(r, https)}
	}
	return c
}

// StoreProfile implements [auth.ProfileStore]. Only profile columns are written, and only of a user who is there.
func (b *backend) StoreProfile(ctx context.Context, id auth.Identity, update auth.UserUpdate) (auth.User, error) {
	s, ok := id.Session.(*session.Session[auth.Identity])
	if !ok {
		return auth.User{}, errors.ErrUnsupported // an API token's: it changes nothing of its owner's account
	}
	by, err := b.actor(ctx, s)
	if err == nil && by.ID != "" {
		err = auth.ErrForbidden // see ownAccount
	}
	if err == nil {
		err = b.accounts.updating(ctx, s.User(), AccountChange{Profile: update})
	}
	if isRefusal(err) || errors.Is(err, auth.ErrSessionEnded) {
		return auth.User{}, err
	}
	if err == nil {
		err = b.engine.Write(ctx, func(tx *store.Tx) error {
			return tx.UpdateProfile(s.User(), store.ProfileUpdate(update))
		})
	}
	if errors.Is(err, store.ErrNotFound) {
		return auth.User{}, auth.ErrSessionEnded // deleted meanwhile
	}
	if err != nil {
		return auth.User{}, fmt.Errorf("%w: %w", auth.ErrUnavailable, err)
	}
	b.accounts.updated(ctx, s.User())
	// The change makes memory distrust what it has of the user, and the handler may go on to ask. That it can't be asked
	// now doesn't undo what is stored.
	if b.engine.Refresh(ctx, s) == nil {
		if now, err := s.Current(); err == nil {
			return now.User, nil
		}
	}
	return update.Apply(id.User), nil
}
