package oidcauth

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/limit"
)

// bearers are the access tokens that are known.
type bearers struct {
	b      *backend
	taken  bool      // some provider's are
	opaque *provider // to be asked about tokens that name no issuer; nil: there is none
	cache  *cache[*verified]
	people *cache[*local]
	proofs *usedProofs
	wrong  *limit.Limiter // tokens that a provider was asked about in vain

	began  time.Time
	synced atomic.Int64 // when the database was last known for all that is open, in nanoseconds since began
	closed atomic.Bool
	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	held    map[*verified]*holding
	flights map[string]*flight
}

// A holding is what a token has open.
type holding struct {
	open   int
	asking bool // the provider, on behalf of what is open

	// What [verified.Current] was when who watches was last told.
	id  *auth.Identity
	err error
}

const (
	sweepEvery = 250 * time.Millisecond
	staleAfter = time.Second     // what is open can't rely on what the database said longer ago
	askSlack   = 2 * time.Second // for a provider's answer about what is open
	maxProofs  = 100_000         // DPoP proofs of the last minutes, at about 150 bytes each
)

// startBearers begins to watch over the tokens that have something open.
func (b *backend) startBearers(cfg Config) {
	s := &bearers{
		b: b, cache: newCache[*verified](cfg.CacheTokens), people: newCache[*local](cfg.CacheTokens),
		proofs: newUsedProofs(maxProofs), wrong: limit.New(wrongTokenLimits(cfg.Auth.Now)), began: time.Now(),
		held: map[*verified]*holding{}, flights: map[string]*flight{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, p := range b.providers {
		if p.API != nil {
			s.taken = true
			if p.API.Introspect {
				s.opaque = p
			}
		}
	}
	b.bearers = s
	if s.taken {
		s.done.Go(s.sweepOften)
	}
}

func (b *backend) stopBearers() {
	s := b.bearers
	if s == nil {
		return
	}
	s.mu.Lock()
	closed := s.closed.Swap(true) // under the lock: no flight begins behind it
	s.mu.Unlock()
	if closed {
		return
	}
	s.cancel()
	s.done.Wait()
	for _, e := range s.open() {
		e.topic.Notify()
	}
}

// fresh tells whether what the database says of all that is open is true up to a second ago.
func (s *bearers) fresh() bool {
	return int64(time.Since(s.began))-s.synced.Load() <= int64(staleAfter)
}

// hold notes that e has opened something. What the next sweep finds is told, whatever it is: it may have changed meanwhile.
func (s *bearers) hold(e *verified) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[e]
	if h == nil {
		h = &holding{}
		s.held[e] = h
	}
	h.open++
}

func (s *bearers) release(e *verified) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[e]; h != nil {
		if h.open--; h.open == 0 {
			delete(s.held, e)
		}
	}
}

// open gives the tokens that have something open.
func (s *bearers) open() []*verified {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*verified, 0, len(s.held))
	for e := range s.held {
		list = append(list, e)
	}
	return list
}

func (s *bearers) sweepOften() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			s.sweep()
		}
	}
}

// sweep looks at the tokens that have something open: whether their owners are still who they were, and the tokens still good.
// It never waits for a provider.
func (s *bearers) sweep() {
	at := int64(time.Since(s.began))
	list := s.open()
	tick, err := s.b.engine.Tick(s.ctx)
	if err == nil {
		var changed []*verified
		for _, e := range list {
			if !e.known(tick) {
				changed = append(changed, e)
			}
		}
		if len(changed) > 0 {
			err = s.look(s.ctx, tick, changed...)
		}
	}
	if err == nil {
		s.synced.Store(at)
	}
	now := s.b.now().Unix()
	for _, e := range list {
		// Ahead of need: a provider that takes its time to answer must not put what is open in doubt.
		if e.text != "" && now >= e.says.Load().until-int64(e.provider.API.IntrospectEvery/time.Second)/4 {
			s.askAgain(e)
		}
		if s.differs(e) {
			e.topic.Notify()
		}
	}
}

// differs tells whether e is another than who watches was told last.
func (s *bearers) differs(e *verified) bool {
	id, err := e.Current()
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[e]
	if h == nil || h.id == id && errors.Is(err, h.err) {
		return false
	}
	h.id, h.err = id, err
	return true
}

var _ auth.Session = (*verified)(nil)
