package main

import (
	"context"
	"slices"
	"strings"

	"github.com/ostiary/auth/userauth"
)

const helpRoleSet = `Makes a role, or replaces what it holds: everybody who has it holds that instead within a second.
'' is no permission at all. It makes the database if there is none.

  useradmin role set editor 'contents:read,write' 'kernels:*' -description 'writes and runs'
  useradmin role set visitor ''`

func roleSet(ctx context.Context, c *call) error {
	permissions, err := parsePermissions(strings.Join(c.operands[1:], " "))
	if err != nil {
		return err
	}
	return c.change(ctx, func(a *userauth.Accounts) error {
		roles, err := a.Roles(ctx)
		if err != nil {
			return err
		}
		role := userauth.Role{Name: c.operands[0]}
		if i := slices.IndexFunc(roles, func(r userauth.Role) bool { return r.Name == role.Name }); i >= 0 {
			role = roles[i] // with its version: what somebody else stores meanwhile isn't overwritten
		}
		role.Permissions = permissions
		if c.description != nil {
			role.Description = *c.description
		}
		if role, err = a.PutRole(ctx, role); err != nil {
			return err
		}
		return c.say("role %s: %s", shown(role.Name), dash(escape(role.Permissions.String())))
	})
}

const helpRoleList = `Lists all roles with what they hold.

  useradmin role list
  useradmin role list -json`

func roleList(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		roles, err := a.Roles(ctx)
		if err != nil {
			return err
		}
		if c.json {
			return writeArray(c.stdout, roles)
		}
		var rows [][]string
		for _, role := range roles {
			rows = append(rows, []string{shown(role.Name), dash(escape(role.Permissions.String())), escape(role.Description)})
		}
		return table(c.stdout, rows)
	})
}

const helpRoleDelete = `Removes a role and takes it from everybody who has it.

  useradmin role delete editor`

func roleDelete(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		if err := a.DeleteRole(ctx, c.operands[0]); err != nil {
			return err
		}
		return c.say("deleted the role %s", shown(c.operands[0]))
	})
}
