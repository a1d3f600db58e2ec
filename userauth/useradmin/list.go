package main

import (
	"context"

	"github.com/ostiary/auth/userauth"
)

const helpList = `Lists all users by name, with the roles and the permissions that they hold beside them, or only those
whose names contain what is searched for. However many there are, it holds a thousand at a time.

  useradmin list
  useradmin list -search @example.com
  useradmin list -json`

func list(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		if !c.json {
			return eachPage(ctx, a, c.search, func(page []userauth.Account) error { return table(c.stdout, accountRows(page)) })
		}
		out := array{w: c.stdout}
		err := eachPage(ctx, a, c.search, func(page []userauth.Account) error {
			for _, account := range page {
				if err := out.add(account); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return out.end()
	})
}

// eachPage goes through the users that search finds, a page at a time.
func eachPage(ctx context.Context, a *userauth.Accounts, search string, show func([]userauth.Account) error) error {
	for after := ""; ; {
		page, next, err := a.List(ctx, search, after, 1000)
		if err != nil {
			return err
		}
		if err := show(page); err != nil || next == "" {
			return err
		}
		after = next
	}
}

func accountRows(page []userauth.Account) [][]string {
	var rows [][]string
	for _, account := range page {
		state := ""
		if account.Disabled {
			state = "disabled"
		}
		rows = append(rows, []string{
			shown(account.Username), dash(shownAll(account.Roles)), dash(escape(account.Permissions.String())), shownTime(account.Created), state,
		})
	}
	return rows
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
