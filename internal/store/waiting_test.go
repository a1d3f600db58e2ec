package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// Writers of one store wait for each other without troubling the database, and no longer than their context.
func TestWaitingToWrite(t *testing.T) { storetest.Each(t, testWaitingToWrite) }

func testWaitingToWrite(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	ann := addUser(t, d, "ann")
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := d.Write(t.Context(), func(tx *store.Tx) error { close(inside); <-leave; return tx.SetDisabled(ann, true) })
		if err != nil {
			t.Error(err)
		}
	})
	<-inside
	faults.Heal() // forgets the calls so far
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := d.Write(ctx, func(tx *store.Tx) error { t.Error("fn ran"); return nil })
	wantError(t, "writing", err, store.ErrUnavailable)
	wantError(t, "writing", err, context.Canceled)
	equal(t, "calls of the one that waited", faults.Calls(), nil)
	const more = 5 // fewer than there are connections
	var started sync.WaitGroup
	started.Add(more)
	for range more {
		wg.Go(func() {
			started.Done()
			if err := d.Write(t.Context(), func(tx *store.Tx) error { return tx.SetDisabled(ann, false) }); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	for range 1000 {
		runtime.Gosched() // gives those who don't wait the time to show it
	}
	close(leave)
	wg.Wait()
	open, commits := 1, 0
	for _, call := range faults.Calls() {
		switch call {
		case "begin":
			open++
		case "commit":
			open--
			commits++
		}
		if open > 1 {
			t.Fatalf("one began before another had ended: %q", faults.Calls())
		}
	}
	if commits != 1+more {
		t.Errorf("got %d commits, want %d", commits, 1+more)
	}
}

// D-14: with one connection nothing waits for itself.
func TestOneConnection(t *testing.T) { storetest.Each(t, testOneConnection) }

func testOneConnection(t *testing.T, on storetest.Engine) {
	db, _ := on.New(t).Open(t)
	db.SetMaxOpenConns(1)
	d := openDB(t, db)
	var ids []int64
	for i := range 5 {
		ids = append(ids, addUser(t, d, fmt.Sprint("u", i)))
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			id := ids[i%len(ids)]
			s := newSession(id, fmt.Sprint("s", i), int64(i))
			read := []func() error{
				func() error { _, err := session(t.Context(), d, s.Hash); return err },
				func() error { _, err := d.Accounts(t.Context(), ids); return err },
				func() error { _, err := d.AccountsAfter(t.Context(), "", "u", "", 10); return err },
				func() error { _, _, err := d.Feed(t.Context(), 0, 10); return err },
			}
			if i%5 == 0 {
				read[0] = func() error { return d.Write(t.Context(), func(tx *store.Tx) error { return tx.AddSession(s, 0) }) }
				read[1] = func() error { return d.Touch(t.Context(), map[[32]byte]int64{s.Hash: 2000}) }
			}
			if err := read[i%len(read)](); err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if got := db.Stats().InUse; got != 0 {
		t.Errorf("%d connections are still in use", got)
	}
}
