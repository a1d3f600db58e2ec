package userauth

import (
	"errors"
	"fmt"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
)

// What [Accounts] answers beside bad values ([*auth.FieldError]) and [auth.ErrUnavailable].
var (
	// ErrNotFound: there is no such user, role or session.
	ErrNotFound = errors.New("userauth: not found")
	// ErrExists: the name is taken.
	ErrExists = errors.New("userauth: exists already")
	// ErrChanged: somebody else was faster. Read again, and decide again.
	ErrChanged = errors.New("userauth: changed meanwhile")
	// ErrLastAdmin: nobody would hold admin:write any more, and so nobody could give it back.
	ErrLastAdmin = errors.New("userauth: nobody would be left who may administer")
)

// failure is err as [Accounts] tells it; doing says at what or with whom it happened. The store's own outcomes stay
// inside: an application can't see that package.
func failure(doing string, err error) error {
	var field *auth.FieldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &field):
		return field
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrExists), errors.Is(err, ErrChanged), errors.Is(err, ErrLastAdmin),
		errors.Is(err, auth.ErrUnavailable), errors.Is(err, auth.ErrForbidden): // a hook's
		return err
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: %s", ErrNotFound, doing)
	case errors.Is(err, store.ErrExists):
		return fmt.Errorf("%w: %s", ErrExists, doing)
	case errors.Is(err, store.ErrChanged):
		return fmt.Errorf("%w: %s", ErrChanged, doing)
	}
	// Everything else, a done context and a full queue included, says nothing about the user: whoever asked gets 503,
	// never an answer that could be taken for a decision.
	return fmt.Errorf("userauth: %s: %w: %w", doing, auth.ErrUnavailable, err)
}
