package store_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// eachServer runs test on the engines that have a server.
func eachServer(t *testing.T, test func(t *testing.T, on storetest.Engine)) {
	storetest.Each(t, func(t *testing.T, on storetest.Engine) {
		if on != storetest.SQLite {
			test(t, on)
		}
	})
}

// A stateError is an error of PostgreSQL's, as its drivers give it.
type stateError string

func (e stateError) Error() string    { return "server error" }
func (e stateError) SQLState() string { return string(e) }

// Whichever call of a transaction meets a deadlock, or loses its connection, it is run again as a whole; but not if the
// connection is lost during the commit, of which nobody can say whether it happened.
func TestWriteIsRunAgain(t *testing.T) { eachServer(t, testWriteIsRunAgain) }

func testWriteIsRunAgain(t *testing.T, on storetest.Engine) {
	for name, test := range map[string]struct {
		postgres, mysql error
		atCommit        bool // is run again even then: the server says that it didn't happen
	}{
		"a deadlock":              {stateError("40P01"), errors.New("Error 1213 (40001): Deadlock found when trying to get lock; try restarting transaction"), true},
		"a serialization failure": {stateError("40001"), errors.New("Error 1213 (40001): WSREP detected deadlock/conflict"), true},
		"a lock that takes long":  {stateError("55P03"), errors.New("Error 1205 (HY000): Lock wait timeout exceeded"), true},
		"the connection is reset": {io.ErrUnexpectedEOF, errors.New("invalid connection"), false},
		"the server shuts down":   {stateError("57P01"), errors.New("Error 1053 (08S01): Server shutdown in progress"), false},
		"a bad connection":        {driver.ErrBadConn, driver.ErrBadConn, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, faults, _ := open(t, on)
			faults.With(map[storetest.Engine]error{storetest.Postgres: test.postgres, storetest.MySQL: test.mysql}[on])
			for breaks, set := range map[string]func(int){"before": faults.FailAt, "after": faults.LoseAt} {
				for k := 1; ; k++ {
					set(k)
					runs := 0
					var ann int64
					err := d.Write(t.Context(), func(tx *store.Tx) (err error) {
						runs++
						if ann, err = tx.AddUser(store.User{Key: fmt.Sprint(breaks, k)}); err != nil {
							return err
						}
						return errors.Join(tx.SetDisabled(ann, true), tx.Grant(ann, []store.Permission{{"a", "b"}}))
					})
					broken, calls := faults.Broken(), faults.Calls()
					faults.Heal()
					if broken == 0 {
						break
					}
					atCommit := calls[len(calls)-1] == "commit" && runs == 1
					if err != nil && atCommit && !test.atCommit {
						wantError(t, "a commit of which nobody knows", err, store.ErrUnavailable)
						continue
					}
					if breaks == "after" && test.atCommit && errors.Is(err, store.ErrExists) {
						continue // no server says that of what it has committed
					}
					if err != nil {
						t.Errorf("%s call %d: got %v after %d runs, the last call %q", breaks, k, err, runs, calls[len(calls)-1])
						continue
					}
					a, err := d.AccountByKey(t.Context(), "", fmt.Sprint(breaks, k))
					if err != nil || a.ID != ann || !a.Disabled || len(a.Permissions) != 1 {
						t.Errorf("%s call %d: got %+v, %v", breaks, k, a, err)
					}
				}
			}
		})
	}
}

// A server that ends the connections of a transaction, as a restart does, costs a second run.
func TestWriteSurvivesKilledConnections(t *testing.T) {
	eachServer(t, testWriteSurvivesKilledConnections)
}

func testWriteSurvivesKilledConnections(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	ann := addUser(t, d, "ann")
	for round := range 3 {
		p := store.Permission{Resource: fmt.Sprint(round), Action: "x"}
		runs := 0
		write(t, d, func(tx *store.Tx) error {
			if runs++; runs == 1 {
				if err := tx.Grant(ann, []store.Permission{{"lost", "x"}}); err != nil {
					return err
				}
				if err := base.Disconnect(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			}
			return tx.Grant(ann, []store.Permission{p})
		})
		if runs != 2 {
			t.Errorf("round %d: ran %d times, want 2", round, runs)
		}
		if err := base.Disconnect(t.Context()); err != nil { // those of the pool, for what is read
			t.Fatal(err)
		}
		if got := account(t, d, ann).Permissions; len(got) != round+1 || got[round] != p {
			t.Errorf("round %d: got %v", round, got)
		}
	}
}

// The lock that makes a transaction the only writer is a server's, so that no setting of one program's matters: whoever
// gives up waiting for it tries again.
func TestWaitingForTheLock(t *testing.T) { eachServer(t, testWaitingForTheLock) }

func testWaitingForTheLock(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	ann := addUser(t, d, "ann")
	impatient := openDB(t, base.Raw(t, map[storetest.Engine]string{
		storetest.Postgres: "?lock_timeout=20", storetest.MySQL: "?innodb_lock_wait_timeout=1",
	}[on]))
	inside, leave := make(chan struct{}), make(chan struct{})
	var entered atomic.Bool
	done := make(chan error)
	go func() {
		done <- d.Write(t.Context(), func(tx *store.Tx) error {
			close(inside)
			<-leave
			return tx.SetDisabled(ann, !entered.Load())
		})
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan error)
	go func() {
		waits <- impatient.Write(ctx, func(tx *store.Tx) error { entered.Store(true); return nil })
	}()
	cancel()
	wantError(t, "waiting", <-waits, store.ErrUnavailable)
	go func() {
		waits <- impatient.Write(t.Context(), func(tx *store.Tx) error {
			entered.Store(true)
			a, err := tx.Account(ann)
			if err == nil && !a.Disabled {
				err = errors.New("began before the other had ended")
			}
			return err
		})
	}()
	close(leave)
	if err := errors.Join(<-done, <-waits); err != nil {
		t.Error(err)
	}
	if !account(t, d, ann).Disabled {
		t.Error("the second one was inside before the first had ended")
	}
}

// Settings of a server or of a connection with which this package would break its promises are refused at the start.
func TestSettingsThatAreRefused(t *testing.T) { eachServer(t, testSettingsThatAreRefused) }

func testSettingsThatAreRefused(t *testing.T, on storetest.Engine) {
	_, _, base := open(t, on) // the good case
	for options, says := range map[storetest.Engine]map[string]string{
		storetest.Postgres: {"?client_encoding=LATIN1": "client_encoding = LATIN1"},
		storetest.MySQL:    {"?autocommit=0": "autocommit = OFF", "?tx_isolation='READ-UNCOMMITTED'": "READ-UNCOMMITTED"},
	}[on] {
		d, err := store.Open(t.Context(), base.Raw(t, options))
		wantError(t, options, err, store.ErrSchema)
		if d != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, %v, want an error that says %q", options, d, err, says)
		}
	}
}

// D-06: of a database that may only be read, what is there can be read; nothing is written, nor said to be.
func TestReadOnlyServer(t *testing.T) { eachServer(t, testReadOnlyServer) }

func testReadOnlyServer(t *testing.T, on storetest.Engine) {
	good, _, base := open(t, on)
	ann := addUser(t, good, "ann")
	bad := openDB(t, base.Raw(t, map[storetest.Engine]string{
		storetest.Postgres: "?default_transaction_read_only=on", storetest.MySQL: "?tx_read_only=1",
	}[on]))
	err := bad.Write(t.Context(), func(tx *store.Tx) error { tx.SetDisabled(ann, true); return nil })
	wantError(t, "writing", err, store.ErrUnavailable)
	if account(t, bad, ann).Disabled || head(t, good) != 0 {
		t.Error("something has changed")
	}
}

// D-01: without a server the answer is "unavailable", at once.
func TestNoServer(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"pgx":   "postgres://nobody:secret@127.0.0.1:1/none",
		"mysql": "nobody:secret@tcp(127.0.0.1:1)/none",
	} {
		db, err := sqlx.Open(name, url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		_, err = store.Open(t.Context(), db)
		wantError(t, name, err, store.ErrUnavailable)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is told: %v", name, err)
		}
	}
}
