package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
)

// listen tells when another instance has changed something, so that this one looks at once and not at its next poll, a
// quarter of a second later at most. It takes one connection of the pool. Nothing depends on it: while it fails, the
// polls go on.
func listen(ctx context.Context, db *sqlx.DB) <-chan struct{} {
	wake := make(chan struct{}, 1)
	go func() {
		for ctx.Err() == nil {
			if err := hear(ctx, db, wake); err != nil {
				select { // the database is away: not more than one attempt a second
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		}
	}()
	return wake
}

func hear(ctx context.Context, db *sqlx.DB, wake chan<- struct{}) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.Raw(func(driver any) error {
		pg := driver.(*stdlib.Conn).Conn()
		if _, err := pg.Exec(ctx, "LISTEN ostiary_feed"); err != nil {
			return err
		}
		for {
			if _, err := pg.WaitForNotification(ctx); err != nil {
				return err
			}
			select {
			case wake <- struct{}{}:
			default: // one is waiting already
			}
		}
	})
}
