// Package auth guards net/http handlers against one small interface, whatever tells who the caller is.
//
// A server protects its routes once, with an [Auth]; each deployment chooses the backend by choosing a sub-package: noauth
// (a laptop), tokenauth (a shared token), userauth (users in a database) or oidcauth (an OpenID Provider), or anything else
// that implements the one method of [Backend]. No route changes.
//
//	a, err := tokenauth.New(ctx, tokenauth.Config{Token: token})
//	r.Mount("/auth", a.Routes())
//	r.With(a.CurrentUser(auth.Permissions{"contents": {"read"}})).Get("/contents/{name}", show)
//	r.With(a.WebSocketAuth(auth.Permissions{"contents": {"read", "write"}})).Get("/room/{name}", room)
//
// Most servers need only [Auth], [Accept], [UserFrom] and [CheckedPermissions].
//
// It fails closed. A backend only says who the caller is and what that caller holds; one guard in this package decides,
// and it alone calls the next handler. A backend that can't tell is 503, never "nobody" and never "come in".
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// Auth guards handlers. It is sealed: made by [New], or a type that embeds one, so that every Auth is the same guard.
// All methods may be called concurrently.
type Auth interface {
	// CurrentUser is middleware that lets a caller through who holds all of the required permissions; nil asks for any
	// identified user. An unknown caller gets 401, or is sent to the login page when navigating; one who lacks a
	// permission gets 403. The required map is copied; a requirement that can't be meant (empty, not nil; an empty name;
	// a resource without actions; a doubled action; a "*") panics here, when the route is built.
	CurrentUser(required Permissions) func(http.Handler) http.Handler
	// WebSocketAuth is middleware for WebSocket routes. It lets a caller through who holds any of the required
	// permissions; the handler learns which from [CheckedPermissions] and accepts the socket with [Accept]. A refused
	// handshake is accepted and closed at once with code 1008, so that a page's script can tell a refusal from a broken
	// network; the handler doesn't run. A foreign page's is 403 and an outage 503, before the upgrade. The socket ends
	// with the session. Requirements are treated as in CurrentUser. Put it beside a router's CurrentUser, not below: that
	// one would answer strangers with 401 first.
	WebSocketAuth(required Permissions) func(http.Handler) http.Handler
	// UpdateUser changes the profile of the user that the guard put in ctx, and returns it. The error is [ErrNoGuard]
	// when ctx comes from no guard of this Auth, wraps [errors.ErrUnsupported] when the user's backend keeps no
	// profiles, and is a [*FieldError] for a value that can't be taken.
	UpdateUser(ctx context.Context, update UserUpdate) (User, error)

	guard() *guard
}

// Plugin is what every sub-package's *Auth is: a guard of its own and a backend for the guard of a chain.
type Plugin interface {
	Auth
	Backend
	// Routes serves the backend's pages and API. Mount it at [Config.MountPath].
	Routes() http.Handler
	// Close ends what the backend has open and its goroutines. Sockets close with code 1001.
	Close() error
}

// New makes a guard that asks backends in the order given. A backend that is an [Auth] itself is adopted: guards that it
// built, before or after, then ask all of these backends and follow this Config. No backend, a nil one, one that was
// adopted before or built with another PublicURL, and a bad setting are errors.
func New(cfg Config, backends ...Backend) (Auth, error) {
	g, err := newGuard(cfg)
	if err != nil {
		return nil, err
	}
	// An empty list is an error, not a guard that refuses or admits everybody.
	if len(backends) == 0 {
		return nil, errors.New("auth: New: no backend")
	}
	for i, b := range backends {
		if isNil(b) || hollow(b) {
			return nil, fmt.Errorf("auth: New: backend %d is nil", i)
		}
		g.members = append(g.members, newMember(b))
	}
	g.vary = varyValue(g.members)
	if err := g.adopt(); err != nil {
		return nil, err
	}
	return g, nil
}

// adopt makes g the parent of its members' own guards, of all or of none.
func (g *guard) adopt() error {
	for i, m := range g.members {
		if m.guard == nil {
			continue
		}
		err := m.guard.adoptable(g)
		if err == nil && !m.guard.parent.CompareAndSwap(nil, g) {
			err = errors.New("is in a chain already")
		}
		if err != nil {
			for _, done := range g.members[:i] {
				if done.guard != nil {
					done.guard.parent.CompareAndSwap(g, nil)
				}
			}
			return fmt.Errorf("auth: New: backend %d: %w", i, err)
		}
	}
	return nil
}

func (g *guard) adoptable(parent *guard) error {
	// Two public addresses would mean two cookie names, origins and mount points for one application.
	if g.site.PublicURL() != parent.site.PublicURL() {
		return fmt.Errorf("was built with PublicURL %q, the chain has %q", g.site.PublicURL(), parent.site.PublicURL())
	}
	return nil
}

// isNil also finds a nil pointer, map or func inside the interface, which would panic at the first request.
func isNil(b Backend) bool {
	if b == nil {
		return true
	}
	switch v := reflect.ValueOf(b); v.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan, reflect.Interface:
		return v.IsNil()
	}
	return false
}

// hollow finds the zero value of a type that embeds an Auth, such as new(tokenauth.Auth): there is nothing whose guard it
// could promote.
func hollow(b Backend) (yes bool) {
	a, ok := b.(Auth)
	if !ok {
		return false
	}
	defer func() { yes = yes || recover() != nil }()
	return a.guard() == nil
}

// A member is a backend of a guard, with what else it can do.
type member struct {
	backend    Backend
	guard      *guard // the backend's own guard; nil where it is no Auth
	responder  Responder
	challenger Challenger
	profiles   ProfileStore
}

func newMember(b Backend) *member {
	m := &member{backend: b}
	if a, ok := b.(Auth); ok {
		m.guard = a.guard()
	}
	m.responder, _ = b.(Responder)
	m.challenger, _ = b.(Challenger)
	m.profiles, _ = b.(ProfileStore)
	return m
}

// varyValue is the line of Vary that all answers of a guard share. It has no room behind it, so that a handler's Add
// makes a copy.
func varyValue(members []*member) []string {
	vary := []string{"Cookie", "Authorization"}
	for _, m := range members {
		if v, ok := m.backend.(Varier); ok {
			for _, name := range v.Vary() {
				if name = http.CanonicalHeaderKey(name); !slices.Contains(vary, name) {
					vary = append(vary, name)
				}
			}
		}
	}
	return []string{strings.Join(vary, ", ")}
}
