package userauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
)

// Hooks are an application's own steps when users come, log in, change and go. They are called for the routes and for the
// [Accounts] of this [Auth] alike, not for those of [OpenAccounts], which the command useradmin uses, nor for
// [Accounts.FirstAdmin] and [Accounts.Import]. Each may be nil, must be safe for concurrent use, and only reads what it is given.
//
// A Before hook is asked once everything else about a request is right, and can refuse it: nothing has changed then. Its
// [*auth.FieldError] is shown to the client, with 400; any other error is 403 and says no more, and wraps
// [auth.ErrForbidden] in what Accounts returns. What it let through may still fail: a name can be taken in the meantime.
//
// An After hook is called once the change is committed, before the answer. It can't undo anything: its error is reported as
// an [auth.EventFault], with its text. Its ctx doesn't end with the request, but after ten seconds.
//
// The ctx has the request's values. None is called inside a transaction, which may run more than once, and none while
// anything is locked: a hook may ask the database and use Accounts, whose own hooks are then called in turn. A panic is an
// error; its value isn't told.
type Hooks struct {
	// BeforeRegister is about a user to be made, by the user or by an admin. It sees the password: to ask a service whether
	// it was stolen, for instance. An invitation's roles are not among n.Roles.
	BeforeRegister func(ctx context.Context, n NewAccount) error
	AfterRegister  func(ctx context.Context, made Account) error
	// BeforeLogin comes after the right password, so its refusal tells that the password is right. A user whom an
	// [Authenticator] knows is as that says.
	BeforeLogin func(ctx context.Context, user Account) error
	AfterLogin  func(ctx context.Context, user Account) error
	// BeforeUpdate is about a profile that its user changes, and about all that [Accounts.Change] does. Passwords and
	// sessions are no updates.
	BeforeUpdate func(ctx context.Context, u Update) error
	AfterUpdate  func(ctx context.Context, changed Account) error
	BeforeDelete func(ctx context.Context, user Account) error
	AfterDelete  func(ctx context.Context, gone Account) error
}

// Update is a change of a user that is about to be made.
type Update struct {
	User   Account // as it is
	Change AccountChange
}

// afterTimeout is for hooks whose request may be gone: what they do is done for the change, not for who asked for it.
const afterTimeout = 10 * time.Second

// before asks a hook that may refuse.
func before[T any](ctx context.Context, name string, hook func(context.Context, T) error, value T) error {
	err := callHook(ctx, hook, value)
	if field, ok := errors.AsType[*auth.FieldError](err); ok {
		return field
	}
	if err != nil {
		return fmt.Errorf("userauth: %s: %w: %w", name, auth.ErrForbidden, err)
	}
	return nil
}

// isRefusal reports whether err is a "no", such as a Before hook's.
func isRefusal(err error) bool {
	_, field := errors.AsType[*auth.FieldError](err)
	return field || errors.Is(err, auth.ErrForbidden)
}

// after tells a hook what was done to user.
func (a *Accounts) after(ctx context.Context, name string, hook func(context.Context, Account) error, user Account) {
	if hook == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterTimeout)
	defer cancel()
	if err := callHook(ctx, hook, user); err != nil {
		a.hookFailed(user, fmt.Errorf("%s: %w", name, err))
	}
}

// callHook turns a panic into an error: of a Before hook it must not pass for a yes, of an After hook it must not make a
// failure of what is done. Its value may hold a password.
func callHook[T any](ctx context.Context, hook func(context.Context, T) error, value T) (err error) {
	if hook == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic of type %T", v)
		}
	}()
	return hook(ctx, value)
}

// updating asks BeforeUpdate about a change that the user makes.
func (a *Accounts) updating(ctx context.Context, id int64, c AccountChange) error {
	if a.hooks.BeforeUpdate == nil {
		return nil
	}
	user, err := a.numbered(ctx, id)
	if err != nil {
		return err
	}
	return before(ctx, "BeforeUpdate", a.hooks.BeforeUpdate, Update{hooked(user), c})
}

// updated tells AfterUpdate of one. Who is gone again by then isn't told of.
func (a *Accounts) updated(ctx context.Context, id int64) {
	if a.hooks.AfterUpdate == nil {
		return
	}
	user, err := a.numbered(context.WithoutCancel(ctx), id)
	if errors.Is(err, store.ErrNotFound) {
		return
	}
	if err != nil {
		a.hookFailed(Account{ID: userID(id)}, fmt.Errorf("AfterUpdate: %w", err))
		return
	}
	a.after(ctx, "AfterUpdate", a.hooks.AfterUpdate, hooked(user))
}

func (a *Accounts) numbered(ctx context.Context, id int64) (*store.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	found, err := a.store.Accounts(ctx, []int64{id})
	if err != nil {
		return nil, err
	}
	if found[id] == nil {
		return nil, store.ErrNotFound
	}
	return found[id], nil
}

// hooked is accountOf with the ID by which an application knows the user.
func hooked(a *store.Account) Account {
	account := accountOf(a)
	if a.Realm == externalRealm {
		account.ID = a.Key
	}
	return account
}
