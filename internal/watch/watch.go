// Package watch tells those who wait for something in memory, such as a user's session, that it has changed.
//
// A [Topic] is what can change. It says that there was a change, never which one: who is told looks again, and so can't
// act on a state that is already old. Nothing is queued and no goroutine runs.
package watch

import "sync"

// Topic holds the watchers of one thing. The zero value is ready and has 16 bytes; a Topic must not be copied after first
// use and is safe for concurrent use.
type Topic struct {
	mu    sync.Mutex
	first *watcher
}

// watcher is an element of the topic's list; linked both ways, so that it is taken out without a search. One without a
// func is the place of a Notify that is under way.
type watcher struct {
	next, prev *watcher
	changed    func()
}

// Watch has changed called at every [Topic.Notify] that begins after Watch has returned, until stop is called. To miss
// nothing, watch first and look at the state then.
//
// changed runs on the goroutine of Notify, possibly several times at once, and holds up the watchers after it, so it must
// not block; it may call anything of the same Topic. stop may be called any number of times, also by changed. It doesn't
// wait: a call of changed that Notify has begun may still be running when stop returns, but no new one begins.
func (t *Topic) Watch(changed func()) (stop func()) {
	w := &watcher{changed: changed}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.insert(w, nil)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if w.changed != nil {
			t.remove(w)
			w.changed = nil // a stop that is kept must not keep what changed refers to
		}
	}
}

// Notify calls the func of each watcher, in no order that callers may rely on. It costs the watchers of this Topic only.
// Who begins or stops to watch meanwhile doesn't disturb it.
func (t *Topic) Notify() {
	t.mu.Lock()
	defer t.mu.Unlock() // also where changed panics
	if t.first == nil {
		return
	}
	// The lock isn't held while changed runs, so the list may look different after each call. A place of our own in
	// the list survives that, and needs no copy of the list, in which stopped watchers would still be called. New
	// watchers go to the front, behind us: this ends.
	place := new(watcher)
	t.insert(place, nil)
	defer t.remove(place)
	for w := place.next; w != nil; w = place.next {
		t.remove(place)
		t.insert(place, w)
		if w.changed != nil {
			t.call(w.changed)
		}
	}
}

// call runs changed without the lock and has it again afterwards, whatever changed does.
func (t *Topic) call(changed func()) {
	t.mu.Unlock()
	defer t.mu.Lock()
	changed()
}

// Watched reports whether anybody watches.
func (t *Topic) Watched() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := t.first; w != nil; w = w.next {
		if w.changed != nil {
			return true
		}
	}
	return false
}

// Len returns the number of watchers. It counts them.
func (t *Topic) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for w := t.first; w != nil; w = w.next {
		if w.changed != nil {
			n++
		}
	}
	return n
}

// insert puts w behind prev, or to the front where that is nil. The lock is held.
func (t *Topic) insert(w, prev *watcher) {
	next := &t.first
	if prev != nil {
		next = &prev.next
	}
	w.prev, w.next = prev, *next
	if w.next != nil {
		w.next.prev = w
	}
	*next = w
}

// remove takes w out. The lock is held.
func (t *Topic) remove(w *watcher) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		t.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
}
