package session_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

func tick(t *testing.T, e *engine) uint64 {
	t.Helper()
	n, err := e.Tick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What changes counts here at once, and elsewhere when the feed is next read; what changes nothing doesn't.
func TestTickCountsChanges(t *testing.T) { storetest.Each(t, testTickCountsChanges) }

func testTickCountsChanges(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	here := f.engine()
	there, _ := f.otherProcess()
	alice := user(t, here, "alice")
	token := login(t, here, alice)
	hash := hashOf(t, token)
	for _, step := range []struct {
		what    string
		change  func(tx *store.Tx) error
		changes uint64
	}{
		{"a permission", func(tx *store.Tx) error { return tx.Grant(alice, permission("a:b")) }, 1},
		{"nothing", func(*store.Tx) error { return nil }, 0},
		{"what was rolled back", func(tx *store.Tx) error { return errors.Join(tx.Grant(alice, permission("a:c")), store.ErrChanged) }, 0},
		{"a new session", func(tx *store.Tx) error { _, err := here.Begin(tx, store.Session{User: alice}); return err }, 0},
		{"a session's data", func(tx *store.Tx) error { return tx.SetSessionData(hash, alice, "{}") }, 1},
		{"a session's end", func(tx *store.Tx) error { _, err := tx.DeleteSession(hash); return err }, 1},
		{"a mark", func(tx *store.Tx) error { return tx.Mark("ended", hash, 1, 1) }, 0},
	} {
		before, beforeThere := tick(t, here), tick(t, there)
		if err := here.Write(t.Context(), step.change); err != nil && !errors.Is(err, store.ErrChanged) {
			t.Fatal(err)
		}
		if got := tick(t, here) - before; got != step.changes {
			t.Errorf("%s: got %d changes, want %d", step.what, got, step.changes)
		}
		eventually(t, "told elsewhere", func() bool { return tick(t, there)-beforeThere == step.changes })
	}
}

// A number is never older than a second: then the feed is asked first, and where it can't be, there is no number.
func TestTickIsNeverOld(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		here := f.engine()
		there, faults := f.otherProcess()
		alice := user(t, here, "alice")
		first := tick(t, there)
		faults.Heal()
		if tick(t, there); calls(faults, "SELECT") != 0 {
			t.Errorf("while memory is young it asks: %q", faults.Calls())
		}

		faults.Fail() // its polls fail from now on
		write(t, here, func(tx *store.Tx) error { return tx.Grant(alice, permission("a:b")) })
		time.Sleep(900 * time.Millisecond)
		if got := tick(t, there); got != first {
			t.Errorf("within the second: got %d, want %d", got, first)
		}
		time.Sleep(200 * time.Millisecond)
		if n, err := there.Tick(t.Context()); !errors.Is(err, errUnavailable) || n != 0 {
			t.Errorf("after it: got %d, %v, want %v", n, err, errUnavailable)
		}
		faults.Hang()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begin := time.Now()
		if n, err := there.Tick(ctx); !errors.Is(err, errUnavailable) || n != 0 {
			t.Errorf("while it hangs: got %d, %v, want %v", n, err, errUnavailable)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("it waited for %v", took)
		}
		faults.Heal()
		if got := tick(t, there); got != first+1 {
			t.Errorf("when the feed can be read again: got %d, want %d", got, first+1)
		}
		if err := there.Close(); err != nil {
			t.Error(err)
		}
		if n, err := there.Tick(t.Context()); !errors.Is(err, errUnavailable) || n != 0 {
			t.Errorf("closed: got %d, %v, want %v", n, err, errUnavailable)
		}
	})
}

// A commit of unknown outcome: no number until the feed was read after it.
func TestTickAfterAChangeOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine()
	alice := user(t, e, "alice")
	before := tick(t, e)
	f.faults.Fail()
	if err := e.Write(t.Context(), func(tx *store.Tx) error { return tx.Grant(alice, permission("a:b")) }); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	if n, err := e.Tick(t.Context()); !errors.Is(err, errUnavailable) {
		t.Errorf("got %d, %v, want %v", n, err, errUnavailable)
	}
	f.faults.Heal()
	if got := tick(t, e); got != before {
		t.Errorf("got %d, want %d: nothing was committed", got, before)
	}
}

func TestWatched(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		e := f.engine(func(c *config) { c.Cache = 1 })
		if got := e.Watched(); len(got) != 0 {
			t.Errorf("at first: got %d", len(got))
		}
		alice, bob := user(t, e, "alice"), user(t, e, "bob")
		tokens := []string{login(t, e, alice), login(t, e, alice), login(t, e, bob), login(t, e, bob)}
		want := func(when string, of ...string) {
			t.Helper()
			var hashes []string
			for _, s := range e.Watched() {
				hash := s.Hash()
				hashes = append(hashes, string(hash[:]))
			}
			var wanted []string
			for _, token := range of {
				hash := hashOf(t, token)
				wanted = append(wanted, string(hash[:]))
			}
			slices.Sort(hashes)
			slices.Sort(wanted)
			if !slices.Equal(hashes, wanted) {
				t.Errorf("%s: got %d hashes, want those of %d sessions", when, len(hashes), len(wanted))
			}
		}
		// The first is held while others push it out of memory, and found again: two values stand for one session.
		first := handle(t, e, tokens[0])
		_, stop1 := watching(first)
		_, stop2 := watching(handle(t, e, tokens[2]))
		want("two", tokens[0], tokens[2])
		find(t, e, tokens[1])
		_, stop3 := watching(handle(t, e, tokens[0]))
		want("one of them twice", tokens[0], tokens[2])
		stop1()
		want("once again", tokens[0], tokens[2])
		logout(t, e, tokens[2])
		synctest.Wait()
		want("after an end, though somebody watches still", tokens[0])
		stop2()
		stop3()
		want("when nobody watches any more")

		// One that was evicted, is watched, and is found again by another request.
		old := handle(t, e, tokens[0])
		find(t, e, tokens[1])
		find(t, e, tokens[3])
		_, stop4 := watching(old)
		_, stop5 := watching(handle(t, e, tokens[0]))
		want("an evicted one and its twin", tokens[0])
		stop4()
		stop5()
		want("at last")
	})
}
