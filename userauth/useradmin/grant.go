package main

import (
	"context"
	"slices"
	"strings"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

const helpGrant = `Gives a user permissions or roles beside what the user holds. A * is every action, or the end of a
resource's name.

  useradmin grant ann 'contents:read,write kernels:execute'
  useradmin grant ann 'contents/public*:read' -role editor`

func grant(ctx context.Context, c *call) error {
	permissions, err := c.grants()
	if err != nil {
		return err
	}
	change := userauth.AccountChange{Grant: permissions, AddRoles: c.roles}
	return c.changeAccount(ctx, change, c.holds)
}

const helpRevoke = `Takes permissions or roles from a user: what was granted by these very names. If something else still
covers one (contents:* covers contents:read, and so may a role), the last line says so.

  useradmin revoke ann 'contents:write'
  useradmin revoke ann -role editor`

func revoke(ctx context.Context, c *call) error {
	permissions, err := c.grants()
	if err != nil {
		return err
	}
	change := userauth.AccountChange{Revoke: permissions, RemoveRoles: c.roles}
	return c.use(ctx, func(a *userauth.Accounts) error {
		roles, err := a.Roles(ctx) // first: behind a change nothing may fail that isn't the change
		if err != nil {
			return err
		}
		account, err := a.Change(ctx, c.operands[0], change)
		if err != nil {
			return err
		}
		if err := c.holds(account); err != nil {
			return err
		}
		if left := covered(permissions, account, roles); len(left) > 0 {
			return c.say("still held through a wildcard or a role: %s", escape(left.String()))
		}
		return nil
	})
}

// grants are the permissions among the operands.
func (c *call) grants() (auth.Permissions, error) {
	permissions, err := parsePermissions(strings.Join(c.operands[1:], " "))
	if err == nil && len(permissions) == 0 && len(c.roles) == 0 {
		err = usage("want permissions or -role")
	}
	return permissions, err
}

// holds says what the user holds now.
func (c *call) holds(account userauth.Account) error {
	return c.say("%s: permissions %s, roles %s", shown(account.Username), dash(escape(account.Permissions.String())), dash(shownAll(account.Roles)))
}

// covered is the part of p that the account still holds.
func covered(p auth.Permissions, account userauth.Account, roles []userauth.Role) auth.Permissions {
	grants := []auth.Permissions{account.Permissions}
	for _, role := range roles {
		if slices.Contains(account.Roles, role.Name) {
			grants = append(grants, role.Permissions)
		}
	}
	left := auth.Permissions{}
	for resource, actions := range p {
		for _, action := range actions {
			if slices.ContainsFunc(grants, func(g auth.Permissions) bool { return g.Has(resource, action) }) {
				left[resource] = append(left[resource], action)
			}
		}
	}
	return left
}
