package userauth

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
)

// load gives what users are now. Who is missing is gone or disabled, and has no session any more.
func (b *backend) load(ctx context.Context, ids []int64) (map[int64]*auth.Identity, error) {
	accounts, err := b.store.Accounts(ctx, ids)
	if err != nil {
		return nil, err
	}
	shared, err := b.sharedPermissions(ctx)
	if err != nil {
		return nil, err
	}
	identities := make(map[int64]*auth.Identity, len(accounts))
	for id, account := range accounts {
		if account.Disabled || account.Realm != localRealm && len(b.authenticators) == 0 {
			continue // nobody vouches any more for whom the authenticators did
		}
		identity, err := identityOf(account, b.defaultRoles, shared)
		if err != nil {
			// One broken row must not be an outage for all who are looked up with it. Its owner is logged out: the next login
			// writes it anew.
			auth.Report(b.auth, nil, auth.Event{Kind: auth.EventFault, UserID: userID(id), Reason: err.Error()})
			continue
		}
		identities[id] = identity
	}
	return identities, nil
}

// sharedPermissions are those of the default roles.
func (b *backend) sharedPermissions(ctx context.Context) ([]store.Permission, error) {
	if len(b.defaultRoles) == 0 {
		return nil, nil
	}
	roles, err := b.store.Roles(ctx)
	if err != nil {
		return nil, err
	}
	var held []store.Permission
	for _, role := range roles {
		if slices.Contains(b.defaultRoles, role.Name) {
			held = append(held, role.Permissions...)
		}
	}
	return held, nil
}

// identityOf is what all sessions of a user share. Every user has the default roles, and holds what is shared.
func identityOf(a *store.Account, defaultRoles []string, shared []store.Permission) (*auth.Identity, error) {
	roles := slices.Concat(a.Roles, defaultRoles)
	slices.Sort(roles)
	id := &auth.Identity{
		ID:          userID(a.ID),
		User:        userOf(a),
		Permissions: permissionsOf(slices.Concat(a.Permissions, a.RolePermissions, shared)),
		Roles:       slices.Compact(roles),
	}
	if a.Realm == localRealm {
		return id, nil
	}
	return id, withClaims(id, a)
}

// bind is the identity of one session.
func bind(user *auth.Identity, s *session.Session[auth.Identity]) auth.Identity {
	id := *user
	id.Session, id.Expires = s, s.Expires()
	return id
}

// claims are what an authenticator said of a user at the last login.
type claims struct {
	User         plainUser           `json:"user"`
	Permissions  map[string][]string `json:"permissions,omitempty"`
	Roles        []string            `json:"roles,omitempty"`
	Unrestricted bool                `json:"unrestricted,omitempty"`
}

// plainUser is stored field by field: [auth.User]'s own JSON is for clients.
type plainUser auth.User

func claimsOf(id *auth.Identity) (string, error) {
	c := claims{User: plainUser(id.User), Permissions: id.Permissions, Roles: id.Roles, Unrestricted: id.Unrestricted}
	text, err := json.Marshal(c)
	return string(text), err
}

// withClaims adds what the authenticator said. The profile is the authenticator's where the user hasn't changed it here.
func withClaims(id *auth.Identity, a *store.Account) error {
	i := slices.IndexFunc(a.Externals, func(e store.External) bool { return e.Issuer == externalRealm })
	if i < 0 {
		return fmt.Errorf("user %d has no claims", a.ID)
	}
	var c claims
	if err := json.Unmarshal([]byte(a.Externals[i].Claims), &c); err != nil {
		return fmt.Errorf("claims of user %d: %w", a.ID, err)
	}
	if c.User.Username == "" {
		return fmt.Errorf("claims of user %d: no username", a.ID)
	}
	id.ID = a.Externals[i].Subject
	id.User = auth.Overlay(auth.User(c.User), id.User)
	id.Unrestricted = c.Unrestricted
	for resource, actions := range c.Permissions {
		all := slices.Concat(id.Permissions[resource], actions)
		slices.Sort(all)
		id.Permissions[resource] = slices.Compact(all)
	}
	id.Roles = append(id.Roles, c.Roles...)
	slices.Sort(id.Roles)
	id.Roles = slices.Compact(id.Roles)
	return nil
}
