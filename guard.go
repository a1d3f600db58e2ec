package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"github.com/ostiary/auth/internal/clientip"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/site"
)

// A guard is the one place that enforces. It is immutable but for its parent and its counters.
type guard struct {
	cfg       Config // with defaults
	site      *site.Site
	mount     returnpath.Mount // of the application
	mountPath string           // of the backend's routes below it
	loginPath string
	proxies   clientip.Proxies
	roles     map[string]Role
	members   []*member
	vary      []string

	parent   atomic.Pointer[guard] // the chain that adopted this guard
	refusals atomic.Int64          // refused handshakes being closed
	log      throttle
}

func (g *guard) guard() *guard { return g }

// top is the guard that decides: the chain where this one was adopted. It is asked for at each request, so that routes
// built before the chain follow it too.
func (g *guard) top() *guard {
	if p := g.parent.Load(); p != nil {
		return p
	}
	return g
}

func (g *guard) CurrentUser(required Permissions) func(http.Handler) http.Handler {
	return g.middleware(newRule(required, false), kindHTTP)
}

func (g *guard) WebSocketAuth(required Permissions) func(http.Handler) http.Handler {
	return g.middleware(newRule(required, true), kindSocket)
}

// OptionalUser is middleware that lets every caller through and puts the user into the context if there is one. A wrong
// credential that was offered on purpose is 401 here too, and a backend that can't tell 503: neither is nobody.
func OptionalUser(a Auth) func(http.Handler) http.Handler {
	return a.guard().middleware(rule{}, kindOptional)
}

type kind int

const (
	kindHTTP kind = iota
	kindOptional
	kindSocket
)

func (g *guard) middleware(u rule, k kind) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("auth: nil handler behind a guard")
		}
		return &route{guard: g, rule: u, kind: k, next: next}
	}
}

// A route is a handler behind a guard. Nothing else calls a guarded handler.
type route struct {
	guard *guard // that built it; its top decides
	rule  rule
	kind  kind
	next  http.Handler
}

// Guards tells authtest's route audit what this handler is, and what it guards.
func (t *route) Guards() (websocket, optional bool, next http.Handler) {
	return t.kind == kindSocket, t.kind == kindOptional, t.next
}

func (t *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g := t.guard.top()
	c := g.who(r)
	if c.outer == nil {
		g.hygiene(w.Header(), r)
	}
	if t.kind == kindSocket {
		c.socket = true
		t.serveSocket(g, w, r, c)
		return
	}
	if c.err != nil && !c.unknown() {
		g.refuse(w, r, c)
		return
	}
	// The origin is judged after Identify, by what proved the identity, and before any decision or effect.
	if err := g.site.Check(r, c.proof, false); err != nil {
		g.refuse(w, r, c.with(fmt.Errorf("%w: %w", errOrigin, err)))
		return
	}
	switch {
	case t.kind == kindOptional:
	case c.err != nil:
		g.refuse(w, r, c)
		return
	default:
		if _, err := t.rule.decide(r.Context(), g, r, c.id); err != nil {
			g.refuse(w, r, c.with(t.rule.decision(err)))
			return
		}
	}
	if g.effects(w, r, c) {
		return
	}
	b := &box{Context: r.Context(), outer: c.outer, guard: g, member: c.member, id: c.id}
	if t.kind != kindOptional {
		b.rule = &t.rule
	}
	b.req = *r.WithContext(b)
	if c.outer != nil && c.outer.socket != nil && !t.join(g, w, r, c, b) {
		return
	}
	t.next.ServeHTTP(w, &b.req)
}

// A caller is the answer to "who is this?".
type caller struct {
	id     *Identity
	member *member // who identified or refused the caller; nil where nobody knew
	err    error   // nil exactly where id isn't
	proof  site.Proof
	outer  *box // of an outer guard of the same Auth, which knew the caller; nil: none
	socket bool // asks for a WebSocket route, which has no page to come back to
}

// unknown: every backend said that it sees no credential.
func (c caller) unknown() bool { return c.member == nil && errors.Is(c.err, ErrNoCredentials) }

func proofOf(id *Identity) site.Proof {
	switch {
	case id == nil:
		return site.None
	case id.Explicit:
		return site.Explicit
	}
	return site.Ambient
}

func (c caller) with(err error) caller {
	c.err = err
	return c
}

// who asks an outer guard of the same Auth, then the backends in their order.
func (g *guard) who(r *http.Request) caller {
	if b := boxFrom(r.Context()); b != nil && b.guard == g {
		id, err := b.current()
		if errors.Is(err, ErrNoCredentials) || errors.Is(err, ErrSessionEnded) {
			return caller{err: ErrNoCredentials, outer: b}
		}
		// What proved the identity of this request is what the outer guard saw, not what the session says now.
		return caller{id: id, member: b.member, err: err, proof: proofOf(b.id), outer: b}
	}
	for _, m := range g.members {
		id, err := m.identify(r)
		if err == nil {
			err = g.sound(id)
		}
		switch {
		case err == nil:
			return caller{id: id, member: m, proof: proofOf(id)}
		case errors.Is(err, ErrInvalidCredentials), errors.Is(err, ErrForbidden), !errors.Is(err, ErrNoCredentials):
			// Fail closed: only "none of my kind" continues. Asking on after a wrong credential would serve the caller as
			// somebody else than claimed; after a fault, as nobody.
			return caller{member: m, err: err}
		}
	}
	return caller{err: ErrNoCredentials}
}

// sound checks an identity that a backend returned without an error.
func (g *guard) sound(id *Identity) error {
	switch {
	case id == nil:
		return fmt.Errorf("%w: no identity and no error", errBackend)
	case id.ID == "" || id.User.Username == "":
		return fmt.Errorf("%w: identity without an ID or a username", errBackend)
	case g.expired(id) == nil:
		return nil
	case id.Explicit:
		return ErrInvalidCredentials
	}
	return ErrNoCredentials // gone stale
}

// identify turns a panic in a backend into a fault, so that it can't pass for an answer.
func (m *member) identify(r *http.Request) (id *Identity, err error) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			id, err = nil, fault(v)
		}
	}()
	return m.backend.Identify(r)
}

// fault is a panic as an error. Its value may hold a credential: only its type and the stack are told.
func fault(v any) error {
	return fmt.Errorf("%w: panic of type %T: %s", errBackend, v, debug.Stack())
}

// decision is the error of a decision: refused, or impossible to make now. Whoever decides can't make a known caller
// unknown.
func (u *rule) decision(err error) error {
	switch {
	case errors.Is(err, ErrForbidden) && u.forbidden != nil:
		return u.forbidden
	case errors.Is(err, ErrForbidden):
		return ErrForbidden
	case errors.Is(err, errBackend):
		return err
	}
	return fmt.Errorf("%w: %v", ErrUnavailable, err)
}

// effects applies what the caller's backend has to say after admission, and reports whether that was the answer.
func (g *guard) effects(w http.ResponseWriter, r *http.Request, c caller) (done bool) {
	if c.id == nil || c.outer != nil || c.member.responder == nil {
		return false
	}
	e, err := c.member.responder.Respond(r, c.id)
	if err != nil {
		g.refuse(w, r, c.with(fmt.Errorf("%w: %v", ErrUnavailable, err)))
		return true
	}
	for _, cookie := range e.SetCookies {
		http.SetCookie(w, cookie)
	}
	if e.RedirectTo == "" || !page.Navigation(r) {
		return false
	}
	returnpath.Redirect(w, g.mount.Safe(e.RedirectTo))
	return true
}

// UpdateUser implements [Auth].
func (g *guard) UpdateUser(ctx context.Context, update UserUpdate) (User, error) {
	b := boxFrom(ctx)
	if b == nil || b.guard != g.top() {
		return User{}, ErrNoGuard
	}
	id, err := b.current()
	if err != nil {
		return User{}, err
	}
	if b.member.profiles == nil {
		return User{}, fmt.Errorf("auth: UpdateUser: %w", errors.ErrUnsupported)
	}
	if err := update.Validate(); err != nil {
		return User{}, err
	}
	if update.Empty() {
		return id.User.named(), nil
	}
	// Whose profile it is comes from the guard, never from the update: nobody writes another's.
	owner := id.clone()
	owner.User = id.User // without names that only fall back: a store that keeps them would freeze them
	owner.Session = id.Session
	user, err := b.member.profiles.StoreProfile(ctx, owner, update)
	if err != nil {
		return User{}, fmt.Errorf("auth: UpdateUser: %w", err)
	}
	g.top().report(&b.req, Event{Kind: EventUpdated, UserID: id.ID, Username: id.User.Username})
	return user.named(), nil
}
