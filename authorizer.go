package auth

import (
	"context"
	"maps"
	"slices"
)

// An Authorizer decides what an identity may do. The default reads the permission map: see [Config.Authorizer].
type Authorizer interface {
	// Authorize reports whether id may do action on resource. id is shared: read only; its Permissions include those of
	// its roles. ctx ends when the client leaves. An error is 503. It may be called concurrently.
	Authorize(ctx context.Context, id *Identity, resource, action string) (bool, error)
}

// AllowAll is an [Authorizer] that lets every identified user do everything.
type AllowAll struct{}

// Authorize says yes.
func (AllowAll) Authorize(context.Context, *Identity, string, string) (bool, error) { return true, nil }

// A Role is a named set of permissions. Its name alone grants nothing.
type Role struct {
	Description string
	Permissions Permissions
}

// holds is the default decision: 0 allocations, no error.
func (g *guard) holds(id *Identity, resource, action string) bool {
	if id.Unrestricted || id.Permissions.Has(resource, action) {
		return true
	}
	for _, role := range id.Roles {
		if g.roles[role].Permissions.Has(resource, action) {
			return true
		}
	}
	return false
}

// may decides by the application's Authorizer, or by the permission map.
func (g *guard) may(ctx context.Context, id *Identity, resource, action string) (bool, error) {
	if g.cfg.Authorizer == nil {
		return g.holds(id, resource, action), nil
	}
	return g.cfg.Authorizer.Authorize(ctx, g.withRoles(id), resource, action)
}

// Held gives what id holds, with the permissions that [Config.Roles] adds: those of a's guard, or of the chain that a is
// in. It is for backends that derive one identity from another, as an API token's from its owner's, and must hand on no
// more than that. The result may be shared: read only. Unrestricted and an [Authorizer] stand beside it.
func Held(a Auth, id *Identity) Permissions { return a.guard().top().withRoles(id).Permissions }

// withRoles is id with the permissions of its roles among its own; id itself where there are none.
func (g *guard) withRoles(id *Identity) *Identity {
	if len(g.roles) == 0 || len(id.Roles) == 0 {
		return id
	}
	c := *id
	c.Permissions = id.Permissions.Clone()
	if c.Permissions == nil {
		c.Permissions = Permissions{}
	}
	for _, role := range id.Roles {
		for _, resource := range slices.Sorted(maps.Keys(g.roles[role].Permissions)) {
			c.Permissions.add(resource, g.roles[role].Permissions[resource])
		}
	}
	return &c
}
