package session

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ostiary/auth/internal/watch"
)

// A Session is one login in memory: 80 bytes, what its user is apart. Its methods answer from memory and never block.
type Session[I any] struct {
	user    *user[I]
	hash    [sha256.Size]byte
	bound   atomic.Pointer[bound[I]] // made when asked for, forgotten when out of use
	expires int64                    // Unix seconds, like seen
	seen    atomic.Int64
	checked atomic.Uint64 // the tick at which the database was asked for it
	stored  atomic.Uint32 // the last use that was handed on to be stored: Unix seconds, modulo 2^32
	state   atomic.Uint32
}

// The states of a session.
const (
	kept    uint32 = iota // in the cache
	evicted               // no longer: changes don't reach it, so it answers nothing by itself
	ended
)

// bound is the user's value for one session, and which value it was made of.
type bound[I any] struct {
	value I
	of    *I
}

// A user is what all sessions of a user share.
type user[I any] struct {
	engine  *Engine[I]
	id      int64
	topic   watch.Topic
	value   atomic.Pointer[I]
	checked atomic.Uint64 // the tick at which value was true
	changed atomic.Uint64 // the tick of the last change that concerned the user or one of the sessions

	// guarded by Engine.mu
	sessions int
	watched  map[*Session[I]]int // how often
}

// Hash is what the session is stored under.
func (s *Session[I]) Hash() [sha256.Size]byte { return s.hash }

// User is the id of the session's user.
func (s *Session[I]) User() int64 { return s.user.id }

// Expires is the session's absolute end.
func (s *Session[I]) Expires() time.Time { return time.Unix(s.expires, 0) }

// Current gives what the session stands for now. The error is Ended, Closed, or Unavailable while that can't be known.
func (s *Session[I]) Current() (*I, error) {
	e := s.user.engine
	s = s.twin()
	now, age := e.clock()
	switch {
	case s.state.Load() == ended || now >= s.expires:
		return nil, e.cfg.Ended
	case e.closed.Load():
		return nil, e.cfg.Closed
	case !e.freshAt(age):
		e.stale.Store(true) // whoever asks may wait to be told again
		return nil, e.cfg.Unavailable
	case !s.alive(now):
		// Only the database knows: another instance may have seen it in use, a change is being looked up, or it was evicted.
		e.recheckSoon(s)
		return nil, e.cfg.Unavailable
	}
	if id := s.value(); id != nil {
		return id, nil
	}
	return nil, e.cfg.Ended
}

// Watch calls changed after each change of what Current answers, until stop.
func (s *Session[I]) Watch(changed func()) (stop func()) {
	s = s.user.engine.pin(s)
	unwatch := s.user.topic.Watch(changed)
	return sync.OnceFunc(func() {
		unwatch()
		s.user.engine.unpin(s)
	})
}

// alive tells whether memory can answer for s: nothing has changed since the database was asked, and s is in its time.
func (s *Session[I]) alive(now int64) bool {
	u := s.user
	since := max(u.changed.Load(), u.engine.all.Load())
	return s.state.Load() == kept && s.checked.Load() >= since && u.checked.Load() >= since &&
		now < s.expires && now < s.seen.Load()+int64(u.engine.cfg.Idle/time.Second)
}

// value is the user's value bound to s; nil where the user is gone.
func (s *Session[I]) value() *I {
	of := s.user.value.Load()
	if of == nil {
		return nil
	}
	b := s.bound.Load()
	if b == nil || b.of != of {
		b = &bound[I]{value: s.user.engine.cfg.Bind(of, s), of: of}
		s.bound.Store(b)
		s.user.engine.hot.add(s)
	}
	return &b.value
}

// use notes that s is in use. It is stored later, and once a minute at most: nothing is written while a request waits.
func (s *Session[I]) use(now int64) {
	if s.seen.Load() >= now {
		return
	}
	raise(&s.seen, now)
	// Not by the minutes of the clock: all that are in use would be written in the same second of each.
	last, at := s.stored.Load(), uint32(now) // the difference is right whatever is cut off
	if at-last >= touchEvery && s.stored.CompareAndSwap(last, at) {
		s.user.engine.touch.add(s.hash, now)
	}
}

// twin is s, or what is in the cache in its place.
func (s *Session[I]) twin() *Session[I] {
	if s.state.Load() == evicted {
		if t := s.user.engine.cache.get(s.hash); t != nil {
			return t
		}
	}
	return s
}

// ringSize is how many sessions keep their bound value. A session that isn't among them costs one allocation more.
const ringSize = 1 << 14

// A ring remembers the sessions that were bound last, so that those before them can forget.
type ring[I any] struct {
	mu       sync.Mutex
	sessions []*Session[I]
	next     int
}

func (r *ring[I]) add(s *Session[I]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sessions) < ringSize {
		r.sessions = append(r.sessions, s)
		return
	}
	if old := r.sessions[r.next]; old != s {
		old.bound.Store(nil)
	}
	r.sessions[r.next] = s
	r.next = (r.next + 1) % ringSize
}
