package password

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// slack is the garbage that may lie about beside the hashes that run, in KiB: one block of the default size. More
// would mean fewer collections and a larger process; measured, it isn't even faster, since memory that was just used
// is cheaper than fresh memory. It leaves 40 MiB of the budget (60 MiB beside what runs) to the allocator, whose holes
// can be as large as a block, and to the rest of the program.
const slack = 20 << 10

// A gate lets hashes run a few at a time, first come first served, in bounded memory.
//
// Each hash leaves its block of memory (19 MiB by default) to the garbage collector, which on its own lets as much
// garbage gather as there is live memory: a burst of logins could then take twice what runs at once, or far more in
// a process that holds much else. So the gate counts what finished hashes left, and collects when the next one
// wouldn't fit beside it. It can't see the collections that come by themselves, so it errs towards collecting.
type gate struct {
	collect func() // returns when all that was garbage at its call is free again
	queue   int    // how many may wait
	room    int64  // KiB for used and garbage together

	mu         sync.Mutex
	slots      int   // how many more may run
	used       int64 // KiB that running hashes hold
	garbage    int64 // KiB that finished ones left since the last collection
	collecting bool
	waiting    []*turn
}

type turn struct {
	cost int64
	come chan struct{} // closed when it is this one's turn
}

func newGate(parallel, queue int, room int64, collect func()) *gate {
	return &gate{collect: collect, queue: queue, room: room, slots: parallel}
}

// enter waits for a turn for a hash that takes cost KiB. Without an error it must be followed by leave.
func (g *gate) enter(ctx context.Context, cost int64) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("password: waiting to hash: %w", err)
	}
	t := &turn{cost: cost, come: make(chan struct{})}
	g.mu.Lock()
	if len(g.waiting) >= g.queue {
		g.mu.Unlock()
		return ErrBusy
	}
	g.waiting = append(g.waiting, t)
	g.settle()
	g.mu.Unlock()

	select {
	case <-t.come:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, t); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	} else { // its turn came in the same moment, and nothing has been allocated
		g.slots++
		g.used -= cost
	}
	g.settle()
	return fmt.Errorf("password: waiting to hash: %w", ctx.Err())
}

// leave ends a turn. What the hash held is garbage from here on.
func (g *gate) leave(cost int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slots++
	g.used -= cost
	g.garbage += cost
	g.settle()
}

// settle gives everybody at the head of the queue who fits their turn, and has garbage collected where only that is
// in the way. Who calls it holds mu, and calls it after every change.
func (g *gate) settle() {
	for len(g.waiting) > 0 && g.fits(g.waiting[0].cost, g.garbage) {
		t := g.waiting[0]
		g.waiting = slices.Delete(g.waiting, 0, 1)
		g.slots--
		g.used += t.cost
		close(t.come)
	}
	if !g.collecting && len(g.waiting) > 0 && g.fits(g.waiting[0].cost, 0) {
		g.collecting = true
		go g.sweep(g.garbage) // in nobody's time: neither who leaves nor who may yet give up waits for it
	}
}

// sweep collects and takes off what was garbage before. What was left behind meanwhile stays on the account: the
// collector may have seen it in use.
func (g *gate) sweep(dead int64) {
	g.collect()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.collecting = false
	g.garbage -= dead
	g.settle()
}

// fits reports whether a hash may run beside the running ones and that much garbage. One that is larger than the room
// may when it has all of it, so that it does come to its turn.
func (g *gate) fits(cost, garbage int64) bool {
	return g.slots > 0 && (g.used+garbage+cost <= g.room || g.used+garbage == 0)
}
