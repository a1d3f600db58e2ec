package session

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// touches are last uses that the database doesn't have yet, by session.
type touches struct {
	mu   sync.Mutex
	seen map[[sha256.Size]byte]int64
}

func (t *touches) add(hash [sha256.Size]byte, now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[[sha256.Size]byte]int64{}
	}
	t.seen[hash] = max(t.seen[hash], now)
}

func (t *touches) take() map[[sha256.Size]byte]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := t.seen
	t.seen = nil
	return seen
}

// touchBatch is how many last uses one transaction stores: after an outage there may be more than it has time for.
const touchBatch = 1000

// storeTouches stores them all. It updates rows and never makes one: a session that has ended meanwhile stays ended. What
// can't be stored is kept for the next time.
func (e *Engine[I]) storeTouches(ctx context.Context) error {
	seen := e.touch.take()
	batch := make(map[[sha256.Size]byte]int64, min(len(seen), touchBatch))
	for len(seen) > 0 {
		clear(batch)
		for hash, at := range seen {
			if batch[hash] = at; len(batch) == touchBatch {
				break
			}
		}
		if err := e.cfg.DB.Touch(ctx, batch); err != nil {
			for hash, at := range seen {
				e.touch.add(hash, at)
			}
			return err
		}
		for hash := range batch {
			delete(seen, hash)
		}
	}
	return nil
}

// tidy stores last uses every second, and removes what has ended from time to time, a few rows in each transaction, so
// that no login waits for it.
func (e *Engine[I]) tidy(ctx context.Context) {
	second, janitor := time.NewTicker(time.Second), time.NewTicker(janitorEvery)
	defer second.Stop()
	defer janitor.Stop()
	for {
		var err error
		doing := "storing last uses"
		select {
		case <-ctx.Done():
			return
		case <-second.C:
			err = e.storeTouches(ctx)
		case <-janitor.C:
			doing, err = "removing ended sessions", e.purge(ctx)
		}
		if err != nil && ctx.Err() == nil {
			e.cfg.Log(doing, err)
		}
	}
}

func (e *Engine[I]) purge(ctx context.Context) error {
	now := e.cfg.Now().Unix()
	idle := map[string]int64{e.cfg.Realm: now - int64(e.cfg.Idle/time.Second) - purgeSlack}
	for n := purgeBatch; n == purgeBatch; {
		var err error
		if n, err = e.cfg.DB.Purge(ctx, idle, now, purgeBatch); err != nil {
			return err
		}
	}
	for n := purgeBatch; n == purgeBatch; {
		var err error
		if n, err = e.cfg.DB.TrimFeed(ctx, now-int64(feedAge/time.Second), feedKeep, purgeBatch); err != nil {
			return err
		}
	}
	return nil
}
