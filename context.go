package auth

import (
	"context"
	"errors"
	"net/http"
)

// A box is what a guard hands to the next handler: the request with its new context, who the caller is and what was
// decided, in one allocation. It never overrides Done and passes unknown keys on, so that contexts derived from it find
// the request's own cancellation and need no goroutine.
type box struct {
	context.Context // the request's; for a socket one that the session's end cancels
	req             http.Request
	guard           *guard
	member          *member   // who identified the caller
	id              *Identity // shared, read only; nil: optional identity, and there was none
	rule            *rule     // nil: nothing was demanded
	held            []bool    // what rule decided, where it is one of WebSocketAuth
	outer           *box      // of the guard of the same Auth around this one; nil: none
	socket          *socket   // that a guard, this one or one around it, has opened; nil: not a WebSocket
}

// boxKey is of a type of its own: no header, parameter or other package can put a box into a context.
type boxKey struct{}

func (b *box) Value(key any) any {
	if _, ok := key.(boxKey); ok {
		return b
	}
	return b.Context.Value(key)
}

func boxFrom(ctx context.Context) *box {
	if ctx == nil {
		return nil
	}
	b, _ := ctx.Value(boxKey{}).(*box)
	return b
}

// current is the identity as it stands now, by its session where it has one.
func (b *box) current() (*Identity, error) {
	if b.id == nil {
		return nil, ErrNoCredentials
	}
	return b.guard.current(b.id)
}

func (g *guard) current(id *Identity) (*Identity, error) {
	if id.Session == nil {
		return id, g.expired(id)
	}
	now, err := ask(id.Session)
	switch {
	case errors.Is(err, ErrSessionEnded), errors.Is(err, http.ErrServerClosed):
		return nil, err
	case err != nil:
		return nil, errors.Join(ErrUnavailable, err)
	case now == nil || now.ID != id.ID:
		// Fail closed: a session never passes to somebody else.
		return nil, ErrSessionEnded
	}
	return now, g.expired(now)
}

// ask turns a panic in a session into a fault: an open socket is checked on a goroutine that no server recovers, where a
// panic would end the process.
func ask(s Session) (id *Identity, err error) {
	defer func() {
		if v := recover(); v != nil {
			id, err = nil, fault(v)
		}
	}()
	return s.Current()
}

// expired is ErrSessionEnded at and after the fixed end.
func (g *guard) expired(id *Identity) error {
	if !id.Expires.IsZero() && !g.cfg.Now().Before(id.Expires) {
		return ErrSessionEnded
	}
	return nil
}

// lastKnown is for display: an outage doesn't make a caller nameless, the end of the session does.
func (b *box) lastKnown() *Identity {
	if b == nil || b.id == nil {
		return nil
	}
	id, err := b.current()
	if errors.Is(err, ErrUnavailable) {
		return b.id
	}
	if err != nil {
		return nil
	}
	return id
}

// UserFrom gives the user that a guard put in ctx, as it stands now; false where there is none or the session has ended.
func UserFrom(ctx context.Context) (User, bool) {
	if id := boxFrom(ctx).lastKnown(); id != nil {
		return id.User.named(), true
	}
	return User{}, false
}

// IdentityFrom gives a deep copy of the identity that a guard put in ctx, as it stands now and with the permissions of
// its roles; false where there is none or the session has ended. To decide on it, [Can] is better: it also says when the
// identity can't be checked.
func IdentityFrom(ctx context.Context) (Identity, bool) {
	b := boxFrom(ctx)
	if id := b.lastKnown(); id != nil {
		return b.guard.withRoles(id).clone(), true
	}
	return Identity{}, false
}

// CheckedPermissions gives what the guard of this handler checked: behind CurrentUser what was required, behind
// WebSocketAuth every required resource with those of its actions that are held. Without a guard it is nil, which holds
// nothing. The map is the caller's own.
func CheckedPermissions(ctx context.Context) Permissions {
	b := boxFrom(ctx)
	switch {
	case b == nil || b.rule == nil:
		return nil
	case b.rule.anyOf:
		return b.rule.permissions(b.held)
	}
	return b.rule.required()
}

// Can decides inside a handler whether the caller may do action on resource, by the Authorizer and the identity as it
// stands now. Without a guard or an identified user the answer is no. The error is [ErrSessionEnded], [ErrUnavailable]
// or the Authorizer's, and the answer no with it.
func Can(ctx context.Context, resource, action string) (bool, error) {
	b := boxFrom(ctx)
	if b == nil || b.id == nil {
		return false, nil
	}
	id, err := b.current()
	if err != nil {
		return false, err
	}
	ok, err := b.guard.may(ctx, id, resource, action)
	return ok && err == nil, err
}

// IdentifiedBy reports whether the caller was identified by a, a backend of the chain that guards this handler or that
// chain itself. Account pages ask it: they serve nobody whom another backend knows.
func IdentifiedBy(ctx context.Context, a Auth) bool {
	b := boxFrom(ctx)
	if b == nil || b.id == nil || a == nil {
		return false
	}
	g := a.guard()
	return b.guard == g || b.member.guard == g
}

// LoginURL gives the path of the login page for a link, with the way back to the request's own page; empty without a
// guard or a login page.
func LoginURL(ctx context.Context) string {
	b := boxFrom(ctx)
	if b == nil {
		return ""
	}
	return b.guard.loginURL(&b.req, b.guard.challenge(&b.req, nil, ErrNoCredentials).LoginPath)
}

// LogoutURL gives the path that a form posts to in order to log out; empty without a guard, or where the caller's
// backend has no login.
func LogoutURL(ctx context.Context) string {
	b := boxFrom(ctx)
	if b == nil || b.id == nil {
		return ""
	}
	return b.guard.logoutURL(&b.req, b.member)
}
