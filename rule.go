package auth

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A rule is what a route demands of an identified user. It never changes once the route is built.
type rule struct {
	needs []need // in the order of their resources, so that decisions are asked for in a stable order
	anyOf bool   // WebSocketAuth: one permission is enough; else all are needed
	// forbidden is ErrForbidden with what is needed, for the log: whoever reads that knows what to grant. It is made once, since
	// refusals may come in floods. Nil: no permission is needed.
	forbidden error
	// check is asked on top; nil: nothing more. It backs RequireRole, RequireFunc and RequireByMethod.
	check func(g *guard, r *http.Request, id *Identity) (bool, error)
}

type need struct {
	resource string
	actions  []string
}

// newRule copies required into a rule. It panics on a requirement that can't be meant: it runs while routes are wired,
// and an empty list that an application computed must never come to mean "allow".
func newRule(required Permissions, anyOf bool) rule {
	u := rule{anyOf: anyOf}
	if required == nil {
		return u
	}
	if len(required) == 0 {
		panic("auth: required permissions are empty; nil asks for any identified user")
	}
	var list []string
	for _, resource := range slices.Sorted(maps.Keys(required)) {
		actions := slices.Clone(required[resource])
		mustName("resource", resource)
		if len(actions) == 0 {
			panic(fmt.Sprintf("auth: required resource %q has no actions", resource))
		}
		for i, action := range actions {
			mustName("action", action)
			if slices.Contains(actions[:i], action) {
				panic(fmt.Sprintf("auth: required action %q on %q is doubled", action, resource))
			}
		}
		u.needs = append(u.needs, need{resource, actions})
		for _, action := range actions {
			list = append(list, resource+":"+action)
		}
	}
	needs := "needs"
	if anyOf && len(list) > 1 {
		needs = "needs one of"
	}
	u.forbidden = fmt.Errorf("%w: %s %s", ErrForbidden, needs, strings.Join(list, ", "))
	return u
}

func mustName(kind, name string) {
	switch {
	case name == "":
		panic(fmt.Sprintf("auth: required %s is empty", kind))
	case strings.Contains(name, "*"):
		panic(fmt.Sprintf("auth: required %s %q has a *: a requirement is exact", kind, name))
	}
}

// required is the requirement as a map of its own: empty, not nil, where any identified user will do.
func (u *rule) required() Permissions {
	p := make(Permissions, len(u.needs))
	for _, n := range u.needs {
		p[n.resource] = slices.Clone(n.actions)
	}
	return p
}

// permissions is what a WebSocket handler learns of a decision: every required resource with those of its actions that
// are held, in the order required. It is a map of its own.
func (u *rule) permissions(held []bool) Permissions {
	p := make(Permissions, len(u.needs))
	for _, n := range u.needs {
		actions := make([]string, 0, len(n.actions))
		for i, action := range n.actions {
			if held[i] {
				actions = append(actions, action)
			}
		}
		p[n.resource], held = actions, held[len(n.actions):]
	}
	return p
}

// decide is the decision on a request: nil, ErrForbidden, or the error of who had to be asked. Where one permission is
// enough, held says of each required action in turn whether it is allowed: each open socket keeps that, so it is small.
func (u *rule) decide(ctx context.Context, g *guard, r *http.Request, id *Identity) (held []bool, err error) {
	// A panic of who is asked is no answer. It would also end the process where an open socket or stream is checked, on a
	// goroutine that no server recovers.
	defer func() {
		if v := recover(); v != nil {
			held, err = nil, fault(v)
		}
	}()
	if u.anyOf {
		held, err = u.any(ctx, g, id)
	} else {
		err = u.all(ctx, g, id)
	}
	if err == nil && u.check != nil {
		var ok bool
		if ok, err = u.check(g, r, id); err == nil && !ok {
			err = ErrForbidden
		}
	}
	if err == nil && (g.cfg.Authorizer != nil || u.check != nil) {
		// The application's code may have taken long: nothing runs for a client that has left.
		err = ctx.Err()
	}
	return held, err
}

func (u *rule) all(ctx context.Context, g *guard, id *Identity) error {
	for i := range u.needs {
		for _, action := range u.needs[i].actions {
			ok, err := g.may(ctx, id, u.needs[i].resource, action)
			if err != nil {
				return err
			}
			if !ok {
				return ErrForbidden
			}
		}
	}
	return nil
}

// any asks about all, so that the handler learns which are held.
func (u *rule) any(ctx context.Context, g *guard, id *Identity) (held []bool, err error) {
	for _, n := range u.needs {
		for _, action := range n.actions {
			ok, err := g.may(ctx, id, n.resource, action)
			if err != nil {
				return nil, err
			}
			held = append(held, ok)
		}
	}
	if len(u.needs) > 0 && !slices.Contains(held, true) {
		return nil, ErrForbidden
	}
	return held, nil
}
