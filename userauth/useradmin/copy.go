package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/dburl"
	"github.com/ostiary/auth/internal/store"
)

const helpCopy = `Copies users, roles, invitations, sessions, tokens and secrets to an empty database, whose tables it makes, and prints
how many rows each table has. All is copied or nothing, and counted on both sides; who is logged in stays so. Stop the servers
before: if one writes meanwhile, nothing is copied. They go on with the new database.

  useradmin copy -from sqlite:app.db -to 'postgres://app@db.example/app'

A password in a URL can be read by others of this machine while the program runs. For PostgreSQL it may stand in
~/.pgpass instead, and the database to copy may be named by AUTH_DB_URI.`

func copyAll(ctx context.Context, c *call) error {
	c.db = cmp.Or(c.from, c.db)
	from, err := c.existing()
	if err != nil {
		return err
	}
	if c.to == "" {
		return usage("no -to: where is all this to be copied?")
	}
	to, err := dburl.Parse(c.to)
	if err != nil {
		return usage("-to: %w", err)
	}
	return withDatabase(ctx, from.Open, func(source *sqlx.DB) error {
		return withDatabase(ctx, to.Open, func(target *sqlx.DB) error {
			done, err := store.Copy(ctx, source, target)
			if err != nil {
				return err
			}
			var rows [][]string
			for _, t := range done {
				rows = append(rows, []string{strings.TrimPrefix(t.Table, "auth_"), strconv.FormatInt(t.Rows, 10)})
			}
			if err := table(c.stdout, rows); err != nil {
				return fmt.Errorf("all is copied, but: %w", err)
			}
			return nil
		})
	})
}
