package watch

import (
	"container/list"
	"sync"
)

// A Book keeps a Cell for each of many keys in bounded memory. A key that isn't there has the value that fresh derives
// from it: to read it takes no room, and eviction forgets changes, never the key. Cells that somebody watches stay. All methods may be called
// concurrently.
type Book[K comparable, V any] struct {
	limit int
	fresh func(K) V

	mu      sync.Mutex
	entries map[K]*list.Element // of *entry, the most recently used in front
	order   list.List
	closed  error
}

type entry[K comparable, V any] struct {
	key  K
	cell Cell[V]
}

// NewBook makes a book of at most limit cells beside those being watched.
func NewBook[K comparable, V any](limit int, fresh func(K) V) *Book[K, V] {
	return &Book[K, V]{limit: limit, fresh: fresh, entries: map[K]*list.Element{}}
}

// Load gives the value of k, or the error that ended k or the book.
func (b *Book[K, V]) Load(k K) (V, error) {
	b.mu.Lock()
	el, closed := b.entries[k], b.closed
	if el == nil {
		b.mu.Unlock()
		// Not kept: else strangers who each come once would push out what others have changed.
		return b.fresh(k), closed
	}
	b.order.MoveToFront(el)
	b.mu.Unlock()
	return el.Value.(*entry[K, V]).cell.Load()
}

// Update changes the value of k and tells who watches it.
func (b *Book[K, V]) Update(k K, change func(V) V) error {
	b.mu.Lock()
	cell := b.get(k)
	b.mu.Unlock()
	return cell.Update(change)
}

// End ends k with err, as far as the book remembers: after an eviction k is fresh again, so that an end that must last
// has to be kept elsewhere too.
func (b *Book[K, V]) End(k K, err error) {
	b.mu.Lock()
	cell := b.get(k)
	b.mu.Unlock()
	cell.End(err)
}

// Watch calls changed after each change of k until stop. It doesn't miss what happens to k in between by eviction: a
// watched cell isn't evicted.
func (b *Book[K, V]) Watch(k K, changed func()) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.get(k).Watch(changed)
}

// Close ends every key, those to come included, with err.
func (b *Book[K, V]) Close(err error) {
	b.mu.Lock()
	if b.closed == nil {
		b.closed = err
	}
	b.mu.Unlock()
	for _, cell := range b.cells() {
		cell.End(err)
	}
}

// Notify tells all who watch anything in the book to look again.
func (b *Book[K, V]) Notify() {
	for _, cell := range b.cells() {
		cell.Notify()
	}
}

func (b *Book[K, V]) cells() []*Cell[V] {
	b.mu.Lock()
	defer b.mu.Unlock()
	cells := make([]*Cell[V], 0, len(b.entries))
	for _, el := range b.entries {
		cells = append(cells, &el.Value.(*entry[K, V]).cell)
	}
	return cells
}

// Len tells how many cells the book holds.
func (b *Book[K, V]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries)
}

// get finds or makes the cell of k. b.mu is held.
func (b *Book[K, V]) get(k K) *Cell[V] {
	if el, ok := b.entries[k]; ok {
		b.order.MoveToFront(el)
		return &el.Value.(*entry[K, V]).cell
	}
	b.evict()
	e := &entry[K, V]{key: k}
	s := &state[V]{value: b.fresh(k), end: b.closed}
	e.cell.state.Store(s)
	b.entries[k] = b.order.PushFront(e)
	return &e.cell
}

// evict makes room for one more. A watched cell moves to the front instead, so that each call looks at few.
func (b *Book[K, V]) evict() {
	for tries := 0; len(b.entries) >= b.limit && tries < 8; tries++ {
		el := b.order.Back()
		if el == nil {
			return
		}
		e := el.Value.(*entry[K, V])
		if e.cell.Watched() {
			b.order.MoveToFront(el)
			continue
		}
		b.order.Remove(el)
		delete(b.entries, e.key)
	}
}
