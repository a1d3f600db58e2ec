package session

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

const (
	maxShards = 64
	samples   = 8 // sessions that are compared to find one to evict
)

// A cache holds sessions by their hash in bounded memory. It is cut into shards, so that requests don't wait for each
// other.
type cache[I any] struct {
	shards []shard[I]
	limit  int // of each shard
}

type shard[I any] struct {
	mu sync.RWMutex
	// By the first 8 bytes of the hash: a slot is half as large then. The hash itself is compared as well.
	sessions map[uint64]*Session[I]
	watched  int // so many of them; guarded by Engine.mu
}

func newCache[I any](limit int) *cache[I] {
	n := maxShards
	for n > 1 && limit/n < samples {
		n /= 2
	}
	c := &cache[I]{shards: make([]shard[I], n), limit: max(1, limit/n)}
	for i := range c.shards {
		c.shards[i].sessions = map[uint64]*Session[I]{}
	}
	return c
}

func (c *cache[I]) shard(hash *[sha256.Size]byte) (*shard[I], uint64) {
	return &c.shards[int(hash[sha256.Size-1])%len(c.shards)], binary.NativeEndian.Uint64(hash[:])
}

func (c *cache[I]) get(hash [sha256.Size]byte) *Session[I] {
	sh, key := c.shard(&hash)
	sh.mu.RLock()
	s := sh.sessions[key]
	sh.mu.RUnlock()
	// The whole hash decides. It is one of a secret that nobody can choose, so the time of the comparison tells nothing.
	if s == nil || s.hash != hash {
		return nil
	}
	return s
}

// put adds s, and gives what had to go for it, if anything. Engine.mu is held.
func (c *cache[I]) put(s *Session[I]) (gone []*Session[I]) {
	sh, key := c.shard(&s.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if old := sh.sessions[key]; old != nil && old != s {
		gone = append(gone, old)
		delete(sh.sessions, key)
	}
	for len(sh.sessions)-sh.watched >= c.limit { // more than one where sockets have closed
		old := sh.victim()
		gone = append(gone, old)
		_, k := c.shard(&old.hash)
		delete(sh.sessions, k)
	}
	sh.sessions[key] = s
	return gone
}

// watch counts sessions with an open socket, which come on top of the limit. Engine.mu is held.
func (c *cache[I]) watch(s *Session[I], n int) {
	sh, _ := c.shard(&s.hash)
	sh.watched += n
}

func (c *cache[I]) remove(s *Session[I]) {
	sh, key := c.shard(&s.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.sessions[key] == s {
		delete(sh.sessions, key)
	}
}

// victim is the longest unused of a few: a map is walked from a random place. One with an open socket stays, since changes
// have to reach it.
func (sh *shard[I]) victim() (oldest *Session[I]) {
	n := 0
	for _, s := range sh.sessions {
		if s.user.watched[s] > 0 {
			continue
		}
		if oldest == nil || s.seen.Load() < oldest.seen.Load() {
			oldest = s
		}
		if n++; n == samples {
			break
		}
	}
	return oldest
}

// size is how many sessions are held.
func (c *cache[I]) size() (n int) {
	for i := range c.shards {
		c.shards[i].mu.RLock()
		n += len(c.shards[i].sessions)
		c.shards[i].mu.RUnlock()
	}
	return n
}
