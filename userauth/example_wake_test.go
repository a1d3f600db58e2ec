package userauth_test

import (
	"context"
	"log"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/userauth"
)

// Several instances over one PostgreSQL, each of which learns of the others' changes within milliseconds.
func ExampleConfig_wake() {
	ctx, url := context.Background(), "postgres://app@db.example/app"
	wake := make(chan struct{}, 1)
	go listen(ctx, url, wake)
	users, err := userauth.New(ctx, userauth.Config{DB: sqlx.MustOpen("pgx", url), Wake: wake})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close()
}

// listen passes notifications on. While it is away, changes are read four times a second, as without it.
func listen(ctx context.Context, url string, wake chan<- struct{}) {
	for ; ctx.Err() == nil; time.Sleep(time.Second) {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			continue
		}
		if _, err = conn.Exec(ctx, "LISTEN ostiary_feed"); err == nil {
			for err == nil {
				if _, err = conn.WaitForNotification(ctx); err == nil {
					select {
					case wake <- struct{}{}:
					default: // one is waiting already
					}
				}
			}
		}
		_ = conn.Close(ctx)
	}
}
