package password_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ostiary/auth/internal/password"
)

const plenty = 1 << 40 // room that is never used up

func noCollect() {}

// queued lets somebody wait at g, who tells at done whether a turn came.
func queued(ctx context.Context, g *password.Gate, cost int64) (done chan error) {
	done = make(chan error, 1)
	go func() { done <- password.Enter(g, ctx, cost) }()
	synctest.Wait()
	return done
}

// PH-14
func TestOnlySoManyRunAndWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := password.NewGate(2, 3, plenty, noCollect)
		var turns []chan error
		for range 5 {
			turns = append(turns, queued(t.Context(), g, 1))
		}
		if got := len(turns[0]) + len(turns[1]); got != 2 {
			t.Fatalf("got %d running, want 2", got)
		}
		if err := password.Enter(g, t.Context(), 1); !errors.Is(err, password.ErrBusy) {
			t.Errorf("got %v with a full queue, want ErrBusy at once", err)
		}
		for i := 2; i < 5; i++ {
			if len(turns[i]) != 0 {
				t.Errorf("number %d runs beside two others", i)
			}
			password.Leave(g, 1)
			synctest.Wait()
			if len(turns[i]) != 1 {
				t.Errorf("number %d has no turn when one is free: not first come first served", i)
			}
		}
	})
}

// PH-14, PH-15: whoever goes away leaves the queue, and gives the turn back that came in the same moment.
func TestTheCancelledLeaveTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := password.NewGate(1, 2, plenty, noCollect)
		queued(t.Context(), g, 1)
		ctx, cancel := context.WithCancel(t.Context())
		gone, stays := queued(ctx, g, 1), queued(t.Context(), g, 1)
		cancel()
		synctest.Wait()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		next := queued(t.Context(), g, 1) // the place in the queue is free again
		password.Leave(g, 1)
		synctest.Wait()
		if len(stays) != 1 || len(next) != 0 {
			t.Error("the turn went to the wrong one")
		}
		if err := password.Enter(g, ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v with a done context, want context.Canceled", err)
		}
	})
}

// PH-14, PH-15: with everybody coming, going and giving up at once, no turn is lost and none is given twice.
func TestGateUnderLoad(t *testing.T) {
	t.Parallel()
	const parallel = 3
	var running, most atomic.Int64
	g := password.NewGate(parallel, 1000, 40, noCollect)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			for range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%2 == 0 {
					go cancel()
				}
				cost := rand.Int64N(50) + 1
				if password.Enter(g, ctx, cost) == nil {
					if now := running.Add(1); now > most.Load() {
						most.Store(now)
					}
					running.Add(-1)
					password.Leave(g, cost)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if got := most.Load(); got > parallel {
		t.Errorf("got %d at once, want at most %d", got, parallel)
	}
	for range parallel { // and all turns are back
		if err := password.Enter(g, t.Context(), 1); err != nil {
			t.Error(err)
		}
	}
}

// Where a hash wouldn't fit beside the garbage of finished ones, that is collected first, and not before.
func TestGarbageIsCollectedWhenItIsInTheWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		collections := 0
		g := password.NewGate(2, 8, 40, func() { collections++ })
		var got []int
		for range 9 { // 4 of 10 fit into 40
			if err := password.Enter(g, t.Context(), 10); err != nil {
				t.Fatal(err)
			}
			got = append(got, collections)
			password.Leave(g, 10)
		}
		if want := []int{0, 0, 0, 0, 1, 1, 1, 1, 2}; !slices.Equal(got, want) {
			t.Errorf("got collections %v before each hash, want %v", got, want)
		}
	})
}

// What is left behind while a collection runs isn't taken for collected.
func TestGarbageOfACollectionInProgressStillCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		collections := 0
		finish := make(chan struct{})
		g := password.NewGate(2, 8, 40, func() { collections++; <-finish })
		queued(t.Context(), g, 20)
		queued(t.Context(), g, 20)
		password.Leave(g, 20)
		next := queued(t.Context(), g, 20) // collects the first one's 20
		password.Leave(g, 20)              // which may come too late for that
		last := queued(t.Context(), g, 20)
		if collections != 1 || len(next)+len(last) != 0 {
			t.Fatalf("got %d collections and %d turns, want 1 and 0", collections, len(next)+len(last))
		}
		finish <- struct{}{}
		synctest.Wait()
		if collections != 2 || len(next) != 1 || len(last) != 0 {
			t.Fatalf("got %d collections, turns %d and %d, want 2, 1 and 0", collections, len(next), len(last))
		}
		finish <- struct{}{}
		synctest.Wait()
		if len(last) != 1 {
			t.Error("the last one has no turn after the second collection")
		}
	})
}

// A stored hash may ask for more memory than there is room: it has its turn alone, and nobody overtakes it for ever.
func TestAHashLargerThanTheRoomRunsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		collections := 0
		g := password.NewGate(2, 8, 40, func() { collections++ })
		queued(t.Context(), g, 10)
		large := queued(t.Context(), g, 100)
		small := queued(t.Context(), g, 10)
		if len(large)+len(small) != 0 {
			t.Error("somebody runs beside or before the large one")
		}
		password.Leave(g, 10)
		synctest.Wait()
		if len(large) != 1 || len(small) != 0 || collections != 1 {
			t.Errorf("got turns %d and %d, %d collections, want the large one alone, after one collection", len(large), len(small), collections)
		}
		password.Leave(g, 100)
		synctest.Wait()
		if len(small) != 1 || collections != 2 {
			t.Errorf("got %d turns, %d collections, want the small one's, after the large one's garbage is gone", len(small), collections)
		}
	})
}

// PH-14: all three methods take turns.
func TestEveryMethodTakesTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := password.NewHasher(password.Config{Params: password.Params{Memory: 64, Time: 1, Threads: 1}, Parallel: 1, Queue: 1})
		if err != nil {
			t.Fatal(err)
		}
		stored := mustParse(t, "$argon2id$v=19$m=8,t=1,p=1$"+salt8+"$"+tag32)
		ctx, cancel := context.WithCancel(t.Context())
		queued(ctx, h.Gate(), 64)
		waits := queued(ctx, h.Gate(), 64)
		methods := map[string]func(context.Context) error{
			"Hash":   func(ctx context.Context) error { _, err := h.Hash(ctx, "x"); return err },
			"Verify": func(ctx context.Context) error { _, err := h.Verify(ctx, stored, "x"); return err },
			"Decoy":  func(ctx context.Context) error { return h.Decoy(ctx, "x") },
		}
		for name, do := range methods {
			if err := do(ctx); !errors.Is(err, password.ErrBusy) {
				t.Errorf("%s: got %v, want ErrBusy", name, err)
			}
		}
		cancel()
		<-waits
		for name, do := range methods {
			if err := do(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s with a done context: got %v, want context.Canceled", name, err)
			}
		}
		password.Leave(h.Gate(), 64)
		for name, do := range methods {
			if err := do(t.Context()); err != nil {
				t.Errorf("%s when the turn is free: got %v", name, err)
			}
		}
	})
}
