package auth

import (
	"net/http"
	"slices"
)

// RequireRole is middleware that lets a caller through who has any of the named roles, or whose identity is
// Unrestricted. It panics without a name, or with an empty one. Prefer permissions: a role's name says who somebody is,
// not what they may do.
func RequireRole(a Auth, anyOf ...string) func(http.Handler) http.Handler {
	if len(anyOf) == 0 || slices.Contains(anyOf, "") {
		panic("auth: RequireRole without a role")
	}
	names := slices.Clone(anyOf)
	return require(a, func(_ *guard, _ *http.Request, id *Identity) (bool, error) {
		return id.Unrestricted || slices.ContainsFunc(id.Roles, func(have string) bool { return slices.Contains(names, have) }), nil
	})
}

// RequireFunc is middleware that lets an identified caller through for whom ok says yes. The identity is a copy with the
// permissions of its roles. An error is 503. ok is not asked about unknown callers; it is asked again when a stream of
// [Live] checks its session, and may be called concurrently.
func RequireFunc(a Auth, ok func(*http.Request, Identity) (bool, error)) func(http.Handler) http.Handler {
	if ok == nil {
		panic("auth: RequireFunc without a function")
	}
	return require(a, func(g *guard, r *http.Request, id *Identity) (bool, error) {
		return ok(r, g.withRoles(id).clone())
	})
}

// MethodActions maps request methods to the action that each needs.
type MethodActions map[string]string

func defaultMethodActions() MethodActions {
	return MethodActions{
		http.MethodGet: "read", http.MethodHead: "read", http.MethodOptions: "read",
		http.MethodPost: "write", http.MethodPut: "write", http.MethodPatch: "write",
		http.MethodDelete: "delete",
	}
}

// RequireByMethod is middleware that lets a caller through who may do to resource what the request's method means. With
// a nil m, GET, HEAD and OPTIONS read, POST, PUT and PATCH write, and DELETE deletes. A method that isn't there is 403
// for everybody. It panics on a malformed resource or action, or an empty m.
func RequireByMethod(a Auth, resource string, m MethodActions) func(http.Handler) http.Handler {
	if m == nil {
		m = defaultMethodActions()
	}
	if len(m) == 0 {
		panic("auth: RequireByMethod without methods")
	}
	rules := make(map[string]rule, len(m))
	for method, action := range m {
		rules[method] = newRule(Permissions{resource: {action}}, false)
	}
	g := a.guard()
	return func(next http.Handler) http.Handler {
		byMethod := make(map[string]http.Handler, len(rules))
		for method, u := range rules {
			byMethod[method] = g.middleware(u, kindHTTP)(next)
		}
		// Fail closed: an unknown method passes no rule.
		other := require(a, func(*guard, *http.Request, *Identity) (bool, error) { return false, nil })(next)
		return &methodRoute{byMethod, other, next}
	}
}

// A methodRoute chooses the guard by the request's method. Every choice is a guard.
type methodRoute struct {
	byMethod map[string]http.Handler
	other    http.Handler
	next     http.Handler // behind each of them
}

func (t *methodRoute) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := t.byMethod[r.Method]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	t.other.ServeHTTP(w, r)
}

// Guards tells authtest's route audit what this handler is, and what it guards.
func (t *methodRoute) Guards() (websocket, optional bool, next http.Handler) {
	return false, false, t.next
}

func require(a Auth, check func(*guard, *http.Request, *Identity) (bool, error)) func(http.Handler) http.Handler {
	return a.guard().middleware(rule{check: check}, kindHTTP)
}
