package auth

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// A Backend says who a caller is. It is all that a third party must write; authtest proves it.
//
// Identify looks at the request and returns the caller's identity, or an error that decides what comes next:
// [ErrNoCredentials] asks the next backend, [ErrInvalidCredentials] is 401, [ErrForbidden] is 403, a [*LimitedError] is
// 429, and any other error is 503: a backend that can't tell must say so instead of answering "nobody". An identity
// without an ID or a username, or none without an error, is a bug in the backend and answered with 500. What an error says is
// logged: it must hold no secret.
//
// Identify may be called concurrently. It must not change the request or read its body, and must have no effect that
// outlasts the request. The identity it returns is shared and read only from then on. A backend that trusts where a
// request comes from, not what it carries, must check Host itself, as noauth does: a foreign page can name it.
type Backend interface {
	Identify(r *http.Request) (*Identity, error)
}

// BackendFunc is a [Backend] of one function.
type BackendFunc func(r *http.Request) (*Identity, error)

// Identify calls f.
func (f BackendFunc) Identify(r *http.Request) (*Identity, error) { return f(r) }

// An Identity is a caller as a backend knows it, and what the caller holds.
type Identity struct {
	// ID is stable, never reused and unique over all backends of a guard ("user:17", "oidc:<iss>#<sub>"). It is the
	// key for what an application stores: usernames of two backends can be equal.
	ID   string
	User User
	// Permissions are the direct grants.
	Permissions Permissions
	// Roles are names in [Config.Roles], which add their permissions. A name that isn't there grants nothing.
	Roles []string
	// Unrestricted holds everything. It is a rule of the default [Authorizer] and of [RequireRole].
	Unrestricted bool
	// Explicit says that the caller attached the credential itself (a header, ?token=). When it is false a browser may
	// have done so on behalf of a foreign page, and the origin rule applies.
	Explicit bool
	// Expires is the fixed end; zero: none. With a Session it is only its absolute end.
	Expires time.Time
	// Session tells when the identity changes or ends; nil: at Expires only.
	Session Session
}

// clone is a deep copy for handlers: what they get can't widen a grant. The session stays behind, since its Current is
// the shared original.
func (id *Identity) clone() Identity {
	c := *id
	c.User = id.User.named()
	c.Permissions = id.Permissions.Clone()
	c.Roles = slices.Clone(id.Roles)
	c.Session = nil
	return c
}

// A Session is an identity over time. Its methods answer from memory, never block and may be called concurrently.
type Session interface {
	// Current gives the identity as it stands. The error is [ErrSessionEnded], [ErrUnavailable] while the truth can't
	// be known, or [http.ErrServerClosed] once the library is closed; any other counts as ErrUnavailable.
	Current() (*Identity, error)
	// Watch calls changed after each change of what Current answers, its end included, until stop. changed doesn't
	// block. Watch starts no goroutine. stop may be called more than once.
	Watch(changed func()) (stop func())
}

// The optional interfaces of a backend, found by type assertion. None can admit a caller.

// ProfileStore may be implemented by a [Backend] that keeps profiles.
type ProfileStore interface {
	// StoreProfile changes the profile of the owner of id and returns it. The update is valid and not empty. It touches
	// profile fields only, and never makes a user that is gone.
	StoreProfile(ctx context.Context, id Identity, update UserUpdate) (User, error)
}

// Responder may be implemented by a [Backend] that has something to say after a caller was admitted.
type Responder interface {
	// Respond is called before the handler. An error is 503, and the handler doesn't run.
	Respond(r *http.Request, id *Identity) (Effects, error)
}

// Effects are what a [Responder] adds to an answer.
type Effects struct {
	SetCookies []*http.Cookie
	RedirectTo string // a path and query under the mount point; navigations only; empty: none
}

// Challenger may be implemented by a [Backend] that can tell a refused caller how to get in.
type Challenger interface {
	// Challenge is called when the caller is refused with 401; err is why. It is asked for LoginPath at other times, too.
	Challenge(r *http.Request, err error) Challenge
}

// A Challenge is part of a 401.
type Challenge struct {
	WWWAuthenticate []string       // values of that header (RFC 9110 section 11.6.1)
	LoginPath       string         // below the mount point ("/auth/login"); empty: no login page, and no POST MountPath/logout
	SetCookies      []*http.Cookie // stale cookies to delete
}

// Varier may be implemented by a [Backend] whose answer depends on other headers than Cookie and Authorization.
type Varier interface {
	Vary() []string // canonical header names, asked once
}
