package session

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/ostiary/auth/internal/store"
)

// feedBatch is how many changes are read at once.
const feedBatch = 1000

// A feed is how far this process has applied the changes. Only one goroutine at a time reads and applies: the one that
// runs the turn.
type feed struct {
	cursor, mark int64 // the last change applied; 0: none yet

	mu            sync.Mutex
	running, next *turn
}

// A turn is one reading of the feed, for all who asked before it began.
type turn struct {
	done chan struct{}
	err  error
}

// sync applies what was committed before it was called.
func (e *Engine[I]) sync(ctx context.Context) error {
	f := &e.feed
	f.mu.Lock()
	if f.next == nil {
		f.next = &turn{done: make(chan struct{})}
	}
	t := f.next // one that runs already may have read too early
	if f.running == nil {
		f.running, f.next = t, nil
		go e.run(t)
	}
	f.mu.Unlock()
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run runs a turn and those that were asked for meanwhile. It has its own time limit, so that nobody's leaving ends what
// others wait for.
func (e *Engine[I]) run(t *turn) {
	for t != nil {
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		t.err = e.advance(ctx)
		cancel()
		close(t.done)
		e.feed.mu.Lock()
		t, e.feed.next = e.feed.next, nil
		e.feed.running = t
		e.feed.mu.Unlock()
	}
}

// advance reads the feed to its head and applies it.
func (e *Engine[I]) advance(ctx context.Context) error {
	for {
		sent := e.mono() // the answer is at least this old
		head, changes, err := e.cfg.DB.Feed(ctx, e.feed.cursor, feedBatch)
		if err != nil {
			return err
		}
		changes, ok := e.follows(head, changes)
		if !ok {
			// The database was restored from a backup, or this process was away for longer than the feed reaches back.
			if err := e.reset(ctx); err != nil {
				return err
			}
			continue
		}
		e.apply(changes)
		if e.feed.cursor >= head {
			if sent >= e.floor.Load() {
				e.synced.Store(sent) // what is still to be looked up answers nothing meanwhile
			}
			e.recheck(ctx)
			return nil
		}
		if len(changes) == 0 {
			return fmt.Errorf("the feed's head is %d and nothing follows %d", head, e.feed.cursor)
		}
	}
}

// follows gives the changes after the cursor. It is false unless they follow the last one applied without a gap.
func (e *Engine[I]) follows(head int64, changes []store.Change) ([]store.Change, bool) {
	next := e.feed.cursor
	if next > 0 {
		// The last one applied has to be there as it was: a restored database may have grown past it since.
		if head < next || len(changes) == 0 || changes[0].Seq != next || changes[0].Mark != e.feed.mark {
			return nil, false
		}
		changes = changes[1:]
	}
	for _, c := range changes {
		if next++; c.Seq != next {
			return nil, false
		}
	}
	return changes, true
}

// reset puts the cursor at the head and trusts nothing in memory any more.
func (e *Engine[I]) reset(ctx context.Context) error {
	head, _, err := e.cfg.DB.Feed(ctx, 1<<62, 1)
	if err != nil {
		return err
	}
	var mark int64
	if head > 0 {
		_, changes, err := e.cfg.DB.Feed(ctx, head, 1)
		if err != nil {
			return err
		}
		if len(changes) == 0 || changes[0].Seq != head {
			return fmt.Errorf("the feed's head is %d and isn't there", head)
		}
		mark = changes[0].Mark
	}
	e.feed.cursor, e.feed.mark = head, mark
	e.mu.Lock()
	defer e.unlock()
	e.changed(store.Change{})
	return nil
}

// apply makes memory distrust what the changes concern. What has an open socket is looked up by recheck, the rest when it
// is next asked for.
func (e *Engine[I]) apply(changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	e.mu.Lock()
	defer e.unlock()
	for _, c := range changes {
		e.changed(c)
		e.feed.cursor, e.feed.mark = c.Seq, c.Mark
	}
}

// changed applies one change. e.mu is held.
func (e *Engine[I]) changed(c store.Change) {
	tick := e.tick.Add(1)
	e.recent.add(tick, c.User)
	switch {
	case c.User == 0:
		e.all.Store(tick)
		for u := range e.watched {
			e.suspect(u)
		}
	case len(c.Session) == sha256.Size:
		// One session has ended: what else the user has stays as it is.
		if s := e.cache.get([sha256.Size]byte(c.Session)); s != nil {
			e.drop(s, ended)
		}
	default:
		if u := e.users[c.User]; u != nil {
			u.changed.Store(tick)
			e.suspect(u)
		}
	}
}

// suspect has everything of u that is open looked up. e.mu is held.
func (e *Engine[I]) suspect(u *user[I]) {
	for s := range u.watched {
		e.doubt(s)
	}
}

// distrust makes memory too old to admit anybody, until a reading of the feed that begins after now.
func (e *Engine[I]) distrust() {
	now := e.mono()
	e.floor.Store(now)
	e.synced.Store(now - 2*int64(staleAfter))
	e.stale.Store(true)
	e.notifyWatched()
}

// poll keeps memory true, and tells open sockets when it can't.
func (e *Engine[I]) poll(ctx context.Context) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	wake := e.cfg.Wake
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case _, open := <-wake:
			if !open {
				wake = nil // a closed channel would be received from without end
			} else if e.cfg.Also != nil {
				e.cfg.Also.WakeUp()
			}
		case <-ticker.C:
		}
		if n%4 == 0 {
			e.suspectIdle()
		}
		wait, cancel := context.WithTimeout(ctx, readTimeout)
		err := e.sync(wait)
		cancel()
		if err != nil && ctx.Err() == nil && !e.stale.Load() {
			e.cfg.Log("reading the feed", err)
		}
		// Those who wait for it learn both that nothing is known any more, and that all is known again.
		if stale := !e.fresh(); e.stale.Swap(stale) != stale {
			e.notifyWatched()
		}
	}
}

// recentSize is how far back a look-up under way can be compared with the changes since it began.
const recentSize = 256

// recent are the last changes applied.
type recent [recentSize]struct {
	tick uint64
	user int64
}

func (r *recent) add(tick uint64, user int64) {
	r[tick%recentSize].tick, r[tick%recentSize].user = tick, user
}

// touched tells whether a change between the ticks, the first one excluded, may have concerned the user.
func (r *recent) touched(user int64, after, until uint64) bool {
	if until-after >= recentSize {
		return true
	}
	for tick := after + 1; tick <= until; tick++ {
		if c := r[tick%recentSize]; c.tick != tick || c.user == user || c.user == 0 {
			return true
		}
	}
	return false
}
