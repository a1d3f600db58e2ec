package limit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/limit"
)

// B-09: a hundred thousand names, addresses and devices leave no more than Config.Keys of each.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	l, _ := setup(t, func(cfg *limit.Config) { cfg.Keys = 1000 })
	for i := range 100_000 {
		a := limit.Attempt{Account: fmt.Sprint("nobody", i), Address: from(i)}
		if i%2 == 0 {
			a.Device = a.Account
		}
		l.Begin(a)
	}
	accounts, addresses, devices := l.Keys()
	if accounts != 1000 || addresses != 1000 || devices != 1000 {
		t.Errorf("got %d accounts, %d addresses, %d devices, want 1000 each", accounts, addresses, devices)
	}
}

func TestMemoryIsBoundedByDefault(t *testing.T) {
	t.Parallel()
	var c clock
	l := limit.New(limit.Config{Total: limit.Rate{Burst: 1e6, Every: time.Second}, Now: c.now})
	through(l, 20_000, func(i int) limit.Attempt { return limit.Attempt{Account: fmt.Sprint(i), Address: from(i)} })
	if accounts, addresses, _ := l.Keys(); accounts != 10_000 || addresses != 10_000 {
		t.Errorf("got %d accounts and %d addresses, want 10000 each", accounts, addresses)
	}
}

// B-09: guessing at other names doesn't push a limited one out, however many there are.
func TestALimitIsntFlushed(t *testing.T) {
	t.Parallel()
	l, _ := setup(t, func(cfg *limit.Config) { cfg.Keys = 100 })
	victim := func(int) limit.Attempt { return limit.Attempt{Account: "alice"} }
	through(l, 10, victim)
	through(l, 30_000, func(i int) limit.Attempt { return limit.Attempt{Account: fmt.Sprint(i)} })
	if got := through(l, 10, victim); got != 0 {
		t.Errorf("got %d guesses at a limited account after a flood of others, want 0", got)
	}
}

// Among those in their free attempts the one with the fewest goes: one attempt each doesn't push out two.
func TestTheWeakestGoesFirst(t *testing.T) {
	t.Parallel()
	l, _ := setup(t, func(cfg *limit.Config) { cfg.Keys = 64 })
	for i := range 32 {
		for range 2 {
			l.Begin(limit.Attempt{Account: fmt.Sprint("twice", i)})
		}
	}
	through(l, 500, func(i int) limit.Attempt { return limit.Attempt{Account: fmt.Sprint("once", i)} })
	kept := 0
	for i := range 32 { // the third attempt is the last free one only where two are remembered
		a := limit.Attempt{Account: fmt.Sprint("twice", i)}
		l.Begin(a)
		if _, ok := l.Peek(a); !ok {
			kept++
		}
	}
	// The sample is random, so a few of them go too. Were all entries alike, 500 evictions among 64 would leave none.
	if kept < 4 {
		t.Errorf("got %d of 32 remembered, want more than chance leaves", kept)
	}
}

// A refused attempt pushes nobody out: from a limited address the other tables can't be churned.
func TestRefusedAttemptsPushNobodyOut(t *testing.T) {
	t.Parallel()
	l, _ := setup(t, func(cfg *limit.Config) { cfg.Keys = 50 })
	through(l, 100, func(int) limit.Attempt { return limit.Attempt{Address: from(1)} })
	for i := range 50 {
		l.Begin(limit.Attempt{Account: fmt.Sprint(i), Address: from(100 + i/5)})
	}
	through(l, 10_000, func(i int) limit.Attempt { return limit.Attempt{Account: fmt.Sprint("x", i), Address: from(1)} })
	for i := range 50 {
		got := through(l, 10, func(int) limit.Attempt { return limit.Attempt{Account: fmt.Sprint(i)} })
		if got != 2 {
			t.Fatalf("account %d: got %d attempts, want the 2 that are left", i, got)
		}
	}
}

// In a table that is full of limited keys the new ones share one limit: fail closed, but not for ever.
func TestATableFullOfLimitedKeys(t *testing.T) {
	t.Parallel()
	l, c := setup(t, func(cfg *limit.Config) { cfg.Keys = 20 })
	for i := range 20 {
		through(l, 3, func(int) limit.Attempt { return limit.Attempt{Account: fmt.Sprint(i)} })
	}
	n := 0
	fresh := func(int) limit.Attempt { n++; return limit.Attempt{Account: fmt.Sprint("new", n)} }
	if got := through(l, 100, fresh); got != 3 {
		t.Errorf("got %d attempts at new accounts, want 3 together", got)
	}
	if accounts, _, _ := l.Keys(); accounts != 20 {
		t.Errorf("got %d accounts, want 20", accounts)
	}
	c.advance(time.Second)
	a := fresh(0)
	if _, ok := l.Begin(a); !ok {
		t.Error("the shared limit doesn't open again after its wait")
	}
	l.Succeed(a)
	if wait, ok := l.Begin(fresh(0)); ok || wait != 2*time.Second {
		t.Errorf("got %v, %v, want 2s, false: nothing is given back to the shared limit", wait, ok)
	}
	c.advance(2 * time.Minute)
	if got := through(l, 100, fresh); got != 100 {
		t.Errorf("got %d after the limited keys are forgotten, want 100", got)
	}
}

func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	l, c := setup(t, func(cfg *limit.Config) { cfg.Keys = 30 })
	var all sync.WaitGroup
	for g := range 100 {
		all.Go(func() {
			for i := range 100 {
				a := limit.Attempt{Account: fmt.Sprint(i % 50), Address: from(g % 40)}
				if g%3 == 0 {
					a.Device = fmt.Sprint(g)
				}
				if _, ok := l.Begin(a); ok && i%4 == 0 {
					l.Succeed(a)
				}
				l.Peek(a)
				l.Idle()
				c.advance(10 * time.Millisecond)
			}
		})
	}
	all.Wait()
	if accounts, addresses, devices := l.Keys(); max(accounts, addresses, devices) > 30 {
		t.Errorf("got %d accounts, %d addresses, %d devices, want at most 30 each", accounts, addresses, devices)
	}
}
