package auth

import (
	"errors"
	"fmt"
	"time"
)

// The outcomes on which the guard and applications decide, with [errors.Is]. Their order of precedence in an error
// that wraps several is: invalid, forbidden, none, ended, unavailable.
var (
	// ErrNoCredentials: the request carries no credential of this kind, or an ambient one gone stale (an expired
	// cookie, an old link). The next backend is asked; from the last one it is 401.
	ErrNoCredentials = errors.New("auth: no credentials")
	// ErrInvalidCredentials: a credential was offered on purpose and is wrong, or was given twice. 401, and nobody
	// else is asked, so that no caller is served as somebody else than claimed.
	ErrInvalidCredentials = errors.New("auth: invalid credentials")
	// ErrForbidden: the caller is known not to be allowed here. 403.
	ErrForbidden = errors.New("auth: forbidden")
	// ErrSessionEnded: logged out, revoked, expired, or no longer holding what was checked.
	ErrSessionEnded = errors.New("auth: session ended")
	// ErrUnavailable: whoever knows can't be asked now. 503.
	ErrUnavailable = errors.New("auth: unavailable")
	// ErrNoGuard: the context comes from no guard, or from one of another kind than the call needs.
	ErrNoGuard = errors.New("auth: no guard")
)

// errBackend is a backend, or an Authorizer or predicate, that broke its contract. 500.
var errBackend = errors.New("auth: backend fault")

// errOrigin marks a refusal by the origin or Host rule, which are 403 but not a matter of permissions.
var errOrigin = fmt.Errorf("%w: origin", ErrForbidden)

// LimitedError says that the caller has guessed too often: 429 with Retry-After. A backend's Identify may return it.
type LimitedError struct {
	RetryAfter time.Duration
}

func (e *LimitedError) Error() string {
	return fmt.Sprintf("auth: too many attempts, retry after %s", e.RetryAfter)
}
