package oidcauth

import "sync"

// A cache holds what is known by a text in bounded memory: verified tokens by all of theirs, so that what isn't byte for byte the
// same is another token. It has two halves; when the young one is full the old one is let go, so that what is in use stays
// without any order being kept.
type cache[V comparable] struct {
	limit int // of each half

	mu         sync.RWMutex
	young, old map[string]V
}

func newCache[V comparable](limit int) *cache[V] {
	return &cache[V]{limit: max(1, limit/2), young: map[string]V{}, old: map[string]V{}}
}

func (c *cache[V]) get(text string) (v V, ok bool) {
	c.mu.RLock()
	v, ok = c.young[text]
	young := ok
	if !young {
		v, ok = c.old[text]
	}
	c.mu.RUnlock()
	if ok && !young {
		c.put(text, v)
	}
	return v, ok
}

// put keeps v and gives it back.
func (c *cache[V]) put(text string, v V) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.young[text]; !there && len(c.young) >= c.limit {
		c.old, c.young = c.young, make(map[string]V, c.limit)
	}
	c.young[text] = v
	delete(c.old, text)
	return v
}

// remove lets go of v, unless something else is kept in its place by now.
func (c *cache[V]) remove(text string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, half := range []map[string]V{c.young, c.old} {
		if half[text] == v {
			delete(half, text)
		}
	}
}
