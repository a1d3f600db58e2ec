package oidcauth

import (
	"context"
	"sync"
	"time"
)

const (
	refreshers   = 4               // at once, of this process, for each provider: a slow one must not hold up the others
	maxWanted    = 10_000          // sessions of a provider that wait for their turn; one that finds no room is wanted again at its next request
	watchedEvery = 5 * time.Second // between two looks at the sessions with open sockets
	// closeGrace is how long Close lets refreshes go on that are under way: a new refresh token may be on its way to us, and
	// the old one be worth nothing any more.
	closeGrace = 3 * time.Second
)

// A refresher keeps sessions true to what the provider says, by their refresh tokens. A session is refreshed when most of its
// access token's time is over and it is in use: by a request, which doesn't wait for it, or an open socket. Of all instances
// one does it: the session's row says until when it is taken.
type refresher struct {
	b       *backend
	ctx     context.Context // of what is under way
	cancel  context.CancelFunc
	closing chan struct{} // closed when nothing new is to begin
	done    sync.WaitGroup

	mu     sync.Mutex
	closed bool
	wanted map[[32]byte]struct{}
	queues map[string]chan [32]byte // by issuer; none: no refresh tokens are kept
}

// startRefreshing begins to, where refresh tokens are kept.
func (b *backend) startRefreshing() {
	f := &refresher{b: b, closing: make(chan struct{}), wanted: map[[32]byte]struct{}{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	b.refresher = f
	if b.refreshKeys == nil {
		return
	}
	f.queues = map[string]chan [32]byte{}
	for _, p := range b.providers {
		queue := make(chan [32]byte, maxWanted)
		f.queues[p.Issuer] = queue
		for range refreshers {
			f.done.Go(func() { f.run(queue) })
		}
	}
	f.done.Go(f.watch)
}

func (b *backend) stopRefreshing() {
	f := b.refresher
	if f == nil {
		return
	}
	f.mu.Lock()
	again := f.closed
	f.closed = true
	f.mu.Unlock()
	if again {
		return
	}
	close(f.closing)
	late := time.AfterFunc(closeGrace, f.cancel)
	defer late.Stop()
	f.done.Wait()
	f.cancel()
}

// used notes that the session of p is in use. It never blocks.
func (f *refresher) used(p *person) {
	if p.due == 0 || f.queues == nil || f.b.now().Unix() < p.due {
		return
	}
	who, _ := f.b.personOf(p.id.ID)
	queue := f.queues[who.issuer] // nil, which takes nothing, of a provider that isn't here
	hash := p.session.Hash()
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.wanted[hash]; ok {
		return
	}
	select {
	case queue <- hash:
		f.wanted[hash] = struct{}{}
	default: // full
	}
}

// watch wants the sessions that have an open socket and make no request.
func (f *refresher) watch() {
	tick := time.NewTicker(watchedEvery)
	defer tick.Stop()
	for {
		select {
		case <-f.closing:
			return
		case <-tick.C:
		}
		for _, s := range f.b.engine.Watched() {
			if p, err := s.Current(); err == nil && p.id.ID != "" {
				f.used(p)
			}
		}
	}
}

func (f *refresher) run(queue <-chan [32]byte) {
	for {
		select {
		case <-f.closing:
			return
		case hash := <-queue:
			if err := f.refresh(hash); err != nil && f.ctx.Err() == nil {
				f.b.logger.Warn("auth: refreshing a session", "error", err)
			}
			f.mu.Lock()
			delete(f.wanted, hash)
			f.mu.Unlock()
		}
	}
}

// begin runs what nobody waits for but Close. After Close it runs nothing.
func (f *refresher) begin(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.done.Go(do)
	}
}
