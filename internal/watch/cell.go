package watch

import "sync/atomic"

// A Cell holds a value that changes and at some time ends, and tells who watches. Its zero value holds the zero V. All
// methods may be called concurrently; Load doesn't lock.
type Cell[V any] struct {
	Topic
	state atomic.Pointer[state[V]]
}

type state[V any] struct {
	value V
	end   error
}

// Load gives the value, or the error that ended the cell.
func (c *Cell[V]) Load() (V, error) {
	s := c.state.Load()
	if s == nil {
		var zero V
		return zero, nil
	}
	return s.value, s.end
}

// Update replaces the value by what change makes of it, and tells who watches. An ended cell stays as it is. change may
// be called more than once.
func (c *Cell[V]) Update(change func(V) V) error {
	for {
		old := c.state.Load()
		if old == nil {
			old = &state[V]{}
			if !c.state.CompareAndSwap(nil, old) {
				continue
			}
		}
		if old.end != nil {
			return old.end
		}
		if c.state.CompareAndSwap(old, &state[V]{value: change(old.value)}) {
			c.Notify()
			return nil
		}
	}
}

// End makes every later Load fail with err, and tells who watches. The first end counts.
func (c *Cell[V]) End(err error) {
	for {
		old := c.state.Load()
		if old != nil && old.end != nil {
			return
		}
		if c.state.CompareAndSwap(old, &state[V]{end: err}) {
			c.Notify()
			return
		}
	}
}
