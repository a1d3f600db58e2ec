package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/ostiary/auth/userauth"
)

const helpInvite = `Prints a link with which somebody can make one account, and nothing else. Whoever has the link
can use it: send it to nobody but whom it is for. It isn't shown again. It ends after 7 days unless
-expires says otherwise. Without -url it is the path that belongs behind the application's address.

  useradmin invite -url https://app.example/auth -role editor -note 'Ann, for the summer'
  useradmin invite -expires 12h`

func invite(ctx context.Context, c *call) error {
	base, err := pagesAt(c.url)
	if err != nil {
		return err
	}
	return c.use(ctx, func(a *userauth.Accounts) error {
		n := userauth.NewInvitation{Roles: c.roles, Note: c.note}
		if c.expires != 0 {
			n.Expires = time.Now().Add(c.expires)
		}
		_, token, err := a.Invite(ctx, n)
		if err != nil {
			return err
		}
		return c.say("%s/register?invitation=%s", base, url.QueryEscape(token))
	})
}

// pagesAt is where browsers find the pages. No error repeats it.
func pagesAt(raw string) (string, error) {
	if raw == "" {
		return "/auth", nil // where they are unless the application says otherwise
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.ContainsAny(raw, "?# ") {
		return "", usage("-url: want the address of the pages, as https://app.example/auth")
	}
	return strings.TrimSuffix(raw, "/"), nil
}

const helpInviteList = `Lists the invitations that can still be used, the newest first: id, for whom, roles, who made it,
and its end. The links themselves are nowhere.

  useradmin invite list
  useradmin invite list -json`

func inviteList(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		all, err := a.Invitations(ctx)
		if err != nil {
			return err
		}
		if c.json {
			return writeArray(c.stdout, all)
		}
		var rows [][]string
		for _, i := range all {
			rows = append(rows, []string{shown(i.ID), dash(escape(i.Note)), dash(shownAll(i.Roles)), dash(escape(i.By)), shownTime(i.Expires)})
		}
		return table(c.stdout, rows)
	})
}

const helpInviteDelete = `Withdraws an invitation, by the id that the list shows. Its link is worth nothing from then on.

  useradmin invite delete K7TWJ4Q2ZP3XN5M6RBVC`

func inviteDelete(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		if err := a.DeleteInvitation(ctx, c.operands[0]); err != nil {
			return err
		}
		return c.say("withdrew the invitation %s", shown(c.operands[0]))
	})
}
