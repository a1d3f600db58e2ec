package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

const helpAdd = `Makes a user, and the database if there is none. A password has at least 15 characters and is
none of the common ones. Without roles and permissions a user may do what any user may.

  useradmin add ann
  useradmin add ann -role editor -role 'guest, paying' -permissions 'contents:read,write admin:*'
  printf %s "$PASSWORD" | useradmin add ann -password-stdin
  useradmin add backup -no-password -permissions 'contents:read'`

func add(ctx context.Context, c *call) error {
	permissions, err := parsePermissions(c.permissions)
	if err != nil {
		return err
	}
	if c.noPassword && c.passwordStdin {
		return usage("-no-password and -password-stdin: want one of them")
	}
	if _, err := c.database(); err != nil { // before anybody types a password for nothing
		return err
	}
	pass := ""
	if !c.noPassword {
		if pass, err = c.newPassword(ctx); err != nil {
			return err
		}
	}
	return c.change(ctx, func(a *userauth.Accounts) error {
		account, err := a.Add(ctx, userauth.NewAccount{Username: c.operands[0], Password: pass, Roles: c.roles, Permissions: permissions})
		if err != nil {
			return err
		}
		return c.say("added %s", shown(account.Username))
	})
}

const helpDelete = `Removes a user with roles, permissions, sessions and API tokens. It asks nothing. A later user of the same
name is another one. To keep somebody out for a time, use disable.

  useradmin delete ann`

func remove(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		if err := a.Delete(ctx, c.operands[0]); err != nil {
			return err
		}
		return c.say("deleted %s", shown(c.operands[0]))
	})
}

//nolint:gosec // a help text, no password
const helpSetPassword = `Gives a user another password and ends all of the user's sessions, API tokens and links to sign-ins at providers.

  useradmin set-password ann
  printf %s "$PASSWORD" | useradmin set-password ann -password-stdin`

func setPassword(ctx context.Context, c *call) error {
	if _, err := c.existing(); err != nil {
		return err
	}
	pass, err := c.newPassword(ctx)
	if err != nil {
		return err
	}
	return c.use(ctx, func(a *userauth.Accounts) error {
		if err := a.SetPassword(ctx, c.operands[0], pass); err != nil {
			return err
		}
		return c.say("changed the password of %s, and ended all sessions and tokens", shown(c.operands[0]))
	})
}

const helpVerifyPassword = `The exit code is 0 if the password is the user's, and 1 if it isn't or can't be verified. It says
nothing of whether the user is disabled.

  useradmin verify-password ann
  printf %s "$PASSWORD" | useradmin verify-password ann -password-stdin`

func verifyPassword(ctx context.Context, c *call) error {
	if _, err := c.existing(); err != nil {
		return err
	}
	pass, err := c.password(ctx, "Password: ")
	if err != nil {
		return err
	}
	return c.use(ctx, func(a *userauth.Accounts) error {
		right, err := a.VerifyPassword(ctx, c.operands[0], pass)
		if err == nil && !right {
			err = errors.New("the password is wrong")
		}
		return err
	})
}

const helpDisable = `Keeps a user out, and ends all of the user's sessions and API tokens. Everything else of the user's stays.

  useradmin disable ann`

func disable(ctx context.Context, c *call) error {
	disabled := true
	return c.changeAccount(ctx, userauth.AccountChange{Disabled: &disabled}, func(account userauth.Account) error {
		return c.say("disabled %s, and ended all sessions and tokens", shown(account.Username))
	})
}

const helpEnable = `Lets a disabled user log in again. Sessions and tokens from before stay ended.

  useradmin enable ann`

func enable(ctx context.Context, c *call) error {
	disabled := false
	return c.changeAccount(ctx, userauth.AccountChange{Disabled: &disabled}, func(account userauth.Account) error {
		return c.say("enabled %s", shown(account.Username))
	})
}

// changeAccount changes the user that the first operand names.
func (c *call) changeAccount(ctx context.Context, change userauth.AccountChange, then func(userauth.Account) error) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		account, err := a.Change(ctx, c.operands[0], change)
		if err != nil {
			return err
		}
		return then(account)
	})
}

func (c *call) say(format string, args ...any) error {
	_, err := fmt.Fprintf(c.stdout, format+"\n", args...)
	return err
}

func parsePermissions(s string) (auth.Permissions, error) {
	p, err := auth.ParsePermissions(s)
	if err != nil {
		return nil, usage("%s", strings.TrimPrefix(err.Error(), "auth: "))
	}
	return p, nil
}
