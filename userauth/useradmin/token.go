package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ostiary/auth/userauth"
)

//nolint:gosec // a help text, no credential
const helpTokenAdd = `Makes an API token with which a program acts for the user, and prints it, alone: it isn't shown again,
and whoever has it can use it. It holds what the user holds at the time, within -permissions where that is given. For
a service make a user of its own, who has no password. Without -expires it has no end but revoking.

  useradmin token add ann -name 'backup script' -permissions 'contents:read' -expires 90d
  useradmin add ci -no-password -permissions 'contents:read,write'
  useradmin token add ci -name 'build server' -json`

func tokenAdd(ctx context.Context, c *call) error {
	n := userauth.NewToken{Name: c.name}
	if c.permissions != "" {
		var err error
		if n.Permissions, err = parsePermissions(c.permissions); err != nil {
			return err
		}
	}
	if c.expires != 0 {
		n.Expires = time.Now().Add(c.expires)
	}
	return c.use(ctx, func(a *userauth.Accounts) error {
		made, text, err := a.AddToken(ctx, c.operands[0], n)
		if err != nil {
			return err
		}
		if c.json {
			data, err := json.Marshal(struct {
				Text string `json:"token"`
				userauth.Token
			}{text, made})
			if err != nil {
				return err
			}
			return c.say("%s", escape(string(data)))
		}
		return c.say("%s", text)
	})
}

//nolint:gosec // a help text, no credential
const helpTokenList = `Lists a user's API tokens, the newest first: id, name, what it is limited to, when it was made, when it
was last used, and its end. The tokens themselves are nowhere.

  useradmin token list ann
  useradmin token list ann -json`

func tokenList(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		all, err := a.Tokens(ctx, c.operands[0])
		if err != nil {
			return err
		}
		if c.json {
			return writeArray(c.stdout, all)
		}
		var rows [][]string
		for _, t := range all {
			limit := "everything"
			if t.Permissions != nil {
				limit = dash(escape(t.Permissions.String()))
			}
			rows = append(rows, []string{shown(t.ID), shown(t.Name), limit, shownTime(t.Created), timeOrDash(t.Used), timeOrDash(t.Expires)})
		}
		return table(c.stdout, rows)
	})
}

//nolint:gosec // a help text, no credential
const helpTokenDelete = `Revokes an API token by its id, and ends what it has open. useradmin token list shows the ids.

  useradmin token delete ann 4QZ2K6ZBMKXFH7J3W5AY`

func tokenDelete(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		if err := a.DeleteToken(ctx, c.operands[0], c.operands[1]); err != nil {
			return err
		}
		return c.say("revoked the token %s of %s", shown(c.operands[1]), shown(c.operands[0]))
	})
}

func timeOrDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return shownTime(t)
}
