package main

import (
	"context"

	"github.com/ostiary/auth/userauth"
)

const helpSessions = `Lists a user's logins, the newest first: id, when it began, when it was last used, how and from where.
What stands here isn't enough to use a session.

  useradmin sessions ann
  useradmin sessions ann -json`

func sessions(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		all, err := a.Sessions(ctx, c.operands[0])
		if err != nil {
			return err
		}
		if c.json {
			return writeArray(c.stdout, all)
		}
		var rows [][]string
		for _, s := range all {
			method := s.Method
			if s.By != "" {
				method += " by " + s.By
			}
			rows = append(rows, []string{
				shown(s.ID), shownTime(s.Created), shownTime(s.Seen), dash(escape(method)), dash(escape(s.Address)), dash(escape(s.Agent)),
			})
		}
		return table(c.stdout, rows)
	})
}

const helpLogout = `Ends all of a user's sessions. The user may log in again: disable prevents that. API tokens stay.

  useradmin logout ann`

func logout(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		n, err := a.EndSessions(ctx, c.operands[0])
		if err != nil {
			return err
		}
		return c.say("ended %d sessions of %s", n, shown(c.operands[0]))
	})
}
