package store_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// Who listens hears of each transaction that tells something, when it is committed, and of no other.
func TestNotify(t *testing.T) {
	t.Parallel()
	on := storetest.Postgres
	on.Need(t)
	d, _, base := open(t, on)
	ann := addUser(t, d, "ann")
	conn, err := pgx.Connect(t.Context(), base.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	exec := func(query string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	exec("LISTEN ostiary_feed")
	refused := errors.New("refused")
	err = d.Write(t.Context(), func(tx *store.Tx) error { tx.SetDisabled(ann, true); return refused })
	wantError(t, "refused", err, refused)
	addUser(t, d, "bob") // nobody has him in memory
	for range 3 {
		write(t, d, func(tx *store.Tx) error { tx.SetDisabled(ann, true); return tx.SetDisabled(ann, false) })
	}
	exec("NOTIFY ostiary_feed, 'end'") // behind all that were committed before
	for n := 0; ; n++ {
		got, err := conn.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Payload == "end" {
			if n != 3 {
				t.Errorf("was told %d times, want 3", n)
			}
			break
		}
	}
}
