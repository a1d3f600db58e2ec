package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// D-05: killed at any moment, what is there is whole, and what was told as done is there.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "auth.db")
	db, err := store.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := openDB(t, db)
	done := 0
	for round := range 5 {
		cmd, out, _ := start(t, "count", "sqlite:"+path)
		for range 3 + round {
			if !out.Scan() {
				t.Fatal("the child has ended by itself")
			}
			done++
			if _, err := d.AccountByKey(t.Context(), "", out.Text()); err != nil {
				t.Errorf("%s was told, but: %v", out.Text(), err)
			}
		}
		cmd.Process.Kill()
		for out.Scan() {
			done++
		}
		cmd.Wait()
	}
	all, err := d.AccountsAfter(t.Context(), "", "", "", 1000)
	if err != nil || len(all) < done || len(all) > done+5 {
		t.Errorf("got %d users, %v, want %d and at most one more a kill", len(all), err, done)
	}
	for _, a := range all {
		if len(a.Permissions) != 1 || len(names(t, d, a.ID)) != 1 {
			t.Errorf("half a user: %+v", a)
		}
	}
	var check string
	if err := db.GetContext(t.Context(), &check, "PRAGMA integrity_check"); err != nil || check != "ok" {
		t.Errorf("integrity: %s %v", check, err)
	}
	addUser(t, d, "after all")
}

// D-06: a full disk and a file that may only be read. Nothing is half written, reads go on, and nothing waits.
func TestFullAndReadOnly(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]string{
		"full":      "?_pragma=max_page_count(1)", // SQLite takes as many as there are
		"read-only": "?mode=ro",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good, _, base := open(t, storetest.SQLite)
			ann := addUser(t, good, "ann")
			bad := openDB(t, base.Raw(t, options))
			before := head(t, good)
			err := bad.Write(t.Context(), func(tx *store.Tx) error {
				for i := range 1000 {
					tx.Grant(ann, []store.Permission{{Resource: fmt.Sprint(i, strings.Repeat("x", 1000)), Action: "b"}}) // lets the error pass
				}
				return nil
			})
			wantError(t, "writing", err, store.ErrUnavailable)
			if got := account(t, bad, ann); len(got.Permissions) != 0 || head(t, good) != before {
				t.Errorf("got %d permissions, feed %d, want nothing new", len(got.Permissions), head(t, good))
			}
			addUser(t, good, "bob")
		})
	}
}

// D-07: another program keeps the lock. Reads go on, writes give up in time, and all is well when the lock is gone.
func TestLockedByAnotherProgram(t *testing.T) {
	t.Parallel()
	d, _, base := open(t, storetest.SQLite)
	ann := addUser(t, d, "ann")
	_, out, release := start(t, "hold", base.URL)
	if !out.Scan() {
		t.Fatal("the child has ended")
	}
	began := time.Now()
	err := d.Write(t.Context(), func(tx *store.Tx) error { t.Error("fn ran"); return nil })
	wantError(t, "writing", err, store.ErrUnavailable)
	if took := time.Since(began); took > store.WriteTimeout+10*time.Second || took < store.WriteTimeout/2 {
		t.Errorf("gave up after %v, want about %v", took, store.WriteTimeout)
	}
	if account(t, d, ann).Key != "ann" {
		t.Error("can't read")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, "writing after the context's end", d.Write(ctx, func(*store.Tx) error { return nil }), store.ErrUnavailable)
	release.Close()
	write(t, d, func(tx *store.Tx) error { return tx.SetDisabled(ann, true) })
}
