package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// plainOptions are of an application that has thought of nothing.
const plainOptions = ""

func TestWriteIsWholeOrNothing(t *testing.T) { storetest.Each(t, testWriteIsWholeOrNothing) }

func testWriteIsWholeOrNothing(t *testing.T, on storetest.Engine) {
	refused := errors.New("refused")
	for name, fn := range map[string]func(tx *store.Tx) error{
		"fn refuses": func(tx *store.Tx) error { return refused },
		"fn fails after an answer of the store's": func(tx *store.Tx) error {
			if _, err := tx.AddUser(store.User{Key: "ann"}); !errors.Is(err, store.ErrExists) {
				t.Errorf("got %v, want ErrExists", err)
			}
			return refused
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := open(t, on)
			ann := addUser(t, d, "ann")
			before := head(t, d)
			err := d.Write(t.Context(), func(tx *store.Tx) error {
				if err := tx.SetDisabled(ann, true); err != nil {
					return err
				}
				return fn(tx)
			})
			if err != refused {
				t.Errorf("got %v, want fn's own error", err)
			}
			if account(t, d, ann).Disabled || head(t, d) != before {
				t.Error("something has changed")
			}
		})
	}
	t.Run("fn panics", func(t *testing.T) {
		t.Parallel()
		d, _, _ := open(t, on)
		ann := addUser(t, d, "ann")
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			d.Write(t.Context(), func(tx *store.Tx) error { tx.SetDisabled(ann, true); panic("in fn") })
		}()
		if account(t, d, ann).Disabled {
			t.Error("something has changed")
		}
		addUser(t, d, "bob") // the next one doesn't wait
	})
	t.Run("an answer can be passed over", func(t *testing.T) {
		t.Parallel()
		d, _, _ := open(t, on)
		ann := addUser(t, d, "ann")
		write(t, d, func(tx *store.Tx) error {
			_, err := tx.AddUser(store.User{Key: "ann"})
			wantError(t, "adding ann again", err, store.ErrExists)
			return tx.SetDisabled(ann, true)
		})
		if !account(t, d, ann).Disabled {
			t.Error("what was written is lost")
		}
	})
}

// D-03: whichever call fails, and whether it fails before or after it worked, a transaction is whole, and an error is
// never an answer. fn lets errors pass here, which must not matter.
func TestWriteWithEachCallBroken(t *testing.T) { storetest.Each(t, testWriteWithEachCallBroken) }

func testWriteWithEachCallBroken(t *testing.T, on storetest.Engine) {
	for name, errorsPass := range map[string]bool{"fn returns errors": false, "fn lets errors pass": true} {
		for breaks := range []string{"before", "after", "hanging"} {
			t.Run(fmt.Sprintf("%s %d", name, breaks), func(t *testing.T) {
				t.Parallel()
				d, faults, _ := open(t, on)
				k, broken := 1, 1
				for ; broken > 0; k++ {
					key := fmt.Sprintf("u%d", k)
					ctx, cancel := context.WithCancel(t.Context())
					switch breaks {
					case 0:
						faults.FailAt(k)
					case 1:
						faults.LoseAt(k)
					case 2:
						faults.HangAt(k)
						reached := faults.Reached()
						go func() {
							select {
							case <-reached:
								cancel()
							case <-ctx.Done():
							}
						}()
					}
					err := d.Write(ctx, func(tx *store.Tx) error {
						id, err := tx.AddUser(store.User{Username: key, Key: key})
						for _, next := range []func() error{
							func() error { return tx.Grant(id, []store.Permission{{Resource: "a", Action: "b"}}) },
							func() error { return tx.AddSession(newSession(id, key, 1), 0) },
							func() error { _, err := tx.DeleteSession(newSession(id, key, 1).Hash); return err },
						} {
							if err == nil || errorsPass {
								err = errors.Join(err, next())
							}
						}
						if errorsPass {
							return nil
						}
						return err
					})
					cancel()
					broken = faults.Broken()
					calls := faults.Calls()
					faults.Heal()
					if broken > 0 && breaks != 1 || err != nil {
						if breaks == 2 && err == nil {
							t.Fatalf("call %d: nothing failed", k)
						}
						wantError(t, fmt.Sprintf("call %d", k), err, store.ErrUnavailable)
					}
					a, err2 := d.AccountByKey(t.Context(), "", key)
					switch {
					case err == nil:
						if err2 != nil || len(a.Permissions) != 1 || 2*a.ID != head(t, d) {
							t.Fatalf("call %d: it worked, but there is %v, %v, feed %d", k, a, err2, head(t, d))
						}
					case err2 == nil && calls[len(calls)-1] != "commit":
						t.Fatalf("call %d failed with %v, but there is %v", k, err, a)
					case err2 == nil:
						if len(a.Permissions) != 1 { // nobody knows, but it is whole
							t.Fatalf("call %d: there is half of it: %v", k, a)
						}
					}
				}
				if k < 12 {
					t.Errorf("only %d calls were broken", k-1)
				}
			})
		}
	}
}

// Who gives up between the last statement and the commit learns that, and not only that it was too late to commit.
func TestWriteGivenUpBeforeTheCommit(t *testing.T) {
	storetest.Each(t, testWriteGivenUpBeforeTheCommit)
}

func testWriteGivenUpBeforeTheCommit(t *testing.T, on storetest.Engine) {
	db, _ := on.New(t).Open(t)
	d := openDB(t, db)
	ctx, giveUp := context.WithCancel(t.Context())
	err := d.Write(ctx, func(*store.Tx) error {
		giveUp()
		for db.Stats().InUse > 0 { // until database/sql has rolled back by itself
			runtime.Gosched()
		}
		return nil
	})
	if wantError(t, "given up", err, store.ErrUnavailable); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it to wrap context.Canceled", err)
	}
	addUser(t, d, "ann") // the next one doesn't wait
}

// of many changes at once none is lost, in one process or in several, whatever the application's DSN says; and the
// feed has their numbers without a gap. D-12: also where MySQL counts the rows found instead of those changed.
func TestWritesAtOnce(t *testing.T) { storetest.Each(t, testWritesAtOnce) }

func testWritesAtOnce(t *testing.T, on storetest.Engine) {
	for name, options := range map[storetest.Engine]map[string]string{
		storetest.SQLite: {
			"with our options":                 "?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_txlock=immediate",
			"deferred, with a write-ahead log": "?_pragma=journal_mode(WAL)",
			"with no option":                   plainOptions,
		},
		storetest.Postgres: {
			"with no option":              plainOptions,
			"serializable by default":     "?default_transaction_isolation=serializable",
			"repeatable read by default":  "?default_transaction_isolation=repeatable%20read",
			"without prepared statements": "?default_query_exec_mode=simple_protocol",
		},
		storetest.MySQL: {
			"with no option":              plainOptions,
			"serializable by default":     "?tx_isolation='SERIALIZABLE'",
			"read committed by default":   "?tx_isolation='READ-COMMITTED'",
			"without prepared statements": "?interpolateParams=true&charset=latin1",
			"counting rows found":         "?clientFoundRows=true&sql_mode=''",
		},
	}[on] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := on.Empty(t)
			first := openDB(t, base.Raw(t, options))
			stores := []*store.DB{first, openDB(t, base.Raw(t, options)), openDB(t, base.Raw(t, options))}
			ann := addUser(t, first, "ann")
			before := head(t, first)
			const each, changes = 2, 3
			var runs atomic.Int64
			var wg sync.WaitGroup
			for i, d := range stores {
				for j := range each {
					wg.Go(func() {
						for k := range changes {
							p := store.Permission{Resource: fmt.Sprint(i, j), Action: fmt.Sprint(k)}
							err := d.Write(t.Context(), func(tx *store.Tx) error {
								runs.Add(1)
								if _, err := tx.Account(ann); err != nil { // first it reads, as a check would
									return err
								}
								return tx.Grant(ann, []store.Permission{p})
							})
							if err != nil {
								t.Errorf("%d %d %d: %v", i, j, k, err)
							}
						}
					})
				}
			}
			wg.Wait()
			if got, want := len(account(t, first, ann).Permissions), len(stores)*each*changes; got != want {
				t.Errorf("got %d permissions, want %d", got, want)
			}
			// Who runs has the lock: nobody reads first and then finds that somebody else has written. Without a
			// write-ahead log a commit has to wait for readers, and may be given up.
			if got, want := runs.Load(), int64(len(stores)*each*changes); got != want && (on != storetest.SQLite || options != plainOptions) {
				t.Errorf("ran %d times, want %d", got, want)
			}
			newest, list, err := first.Feed(t.Context(), before+1, 1000)
			if err != nil || newest != before+int64(len(list)) || len(list) != len(stores)*each*changes {
				t.Fatalf("feed: head %d, %d entries after %d, %v", newest, len(list), before, err)
			}
			for i, c := range list {
				if c.Seq != before+1+int64(i) || c.User != ann {
					t.Fatalf("entry %d: got %+v", i, c)
				}
			}
		})
	}
}

// A transaction that is open while another store commits loses nothing, nor does the other.
func TestWriteHeldOpen(t *testing.T) { storetest.Each(t, testWriteHeldOpen) }

func testWriteHeldOpen(t *testing.T, on storetest.Engine) {
	base := on.Empty(t)
	options := map[storetest.Engine]string{storetest.SQLite: "?_pragma=journal_mode(WAL)"}[on] // without it the first commit might have to be tried again
	a, b := openDB(t, base.Raw(t, options)), openDB(t, base.Raw(t, options))
	ann := addUser(t, a, "ann")
	other := make(chan error)
	var once sync.Once
	write(t, a, func(tx *store.Tx) error {
		if err := tx.Grant(ann, []store.Permission{{Resource: "a", Action: "first"}}); err != nil {
			return err
		}
		once.Do(func() {
			entered := make(chan struct{})
			go func() {
				close(entered)
				other <- b.Write(t.Context(), func(tx *store.Tx) error {
					got, err := tx.Account(ann)
					if err != nil || len(got.Permissions) != 1 {
						t.Errorf("the second one began before the first had ended: %v %v", got, err)
					}
					return tx.Grant(ann, []store.Permission{{Resource: "a", Action: "second"}})
				})
			}()
			<-entered
		})
		return nil
	})
	if err := <-other; err != nil {
		t.Fatal(err)
	}
	equal(t, "permissions", account(t, a, ann).Permissions, []store.Permission{{"a", "first"}, {"a", "second"}})
}
