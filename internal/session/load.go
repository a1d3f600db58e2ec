package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/ostiary/auth/internal/store"
)

// maxFlights bounds the look-ups under way: with a slow database strangers' cookies must not pile up in memory.
const maxFlights = 1024

// maxReads is how often a look-up starts again because a change came between.
const maxReads = 8

var (
	errBusy   = errors.New("too many look-ups")
	errMoving = errors.New("changes faster than it can be read")
)

// A flight is one look-up that many requests may wait for.
type flight[I any] struct {
	done    chan struct{}
	session *Session[I]
	err     error
	left    bool // whoever asked the database has gone; it wasn't told
}

// load asks the database for a session, once for all who want it at the moment.
func (e *Engine[I]) load(ctx context.Context, hash [sha256.Size]byte, now int64) (*Session[I], error) {
	request := ctx
	ctx, cancel := context.WithTimeout(request, readTimeout)
	defer cancel()
	for {
		e.mu.Lock()
		f := e.flights[hash]
		if f == nil {
			if len(e.flights) >= maxFlights {
				e.mu.Unlock()
				return nil, fmt.Errorf("%w: %w", e.cfg.Unavailable, errBusy)
			}
			f = &flight[I]{done: make(chan struct{})}
			e.flights[hash] = f
			e.mu.Unlock()
			return e.lead(ctx, request, f, hash, now)
		}
		e.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", e.cfg.Unavailable, ctx.Err())
		}
		if !f.left {
			return f.session, f.err
		}
	}
}

// Refresh asks the database for s again: for whoever has just changed its user and goes on with the same request. Others
// learn of a change when they next ask.
func (e *Engine[I]) Refresh(ctx context.Context, s *Session[I]) error {
	_, err := e.load(ctx, s.hash, e.cfg.Now().Unix())
	return err
}

// lead asks for all who wait. request is ctx without the time limit of a look-up.
func (e *Engine[I]) lead(ctx, request context.Context, f *flight[I], hash [sha256.Size]byte, now int64) (*Session[I], error) {
	f.left = true // also if the database's driver panics
	defer func() {
		e.mu.Lock()
		if e.flights[hash] == f {
			delete(e.flights, hash)
		}
		e.mu.Unlock()
		close(f.done)
	}()
	f.session, f.err = e.read(ctx, hash, now)
	f.left = f.err != nil && request.Err() != nil // by a deadline of its own as well: others may have more time
	return f.session, f.err
}

// read gives the session as the database has it. No error is ever remembered.
func (e *Engine[I]) read(ctx context.Context, hash [sha256.Size]byte, now int64) (*Session[I], error) {
	for range maxReads {
		start := e.tick.Load()
		row, err := e.cfg.DB.Live(ctx, hash)
		if errors.Is(err, store.ErrNotFound) {
			e.forget(hash)
			return nil, e.cfg.Ended
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", e.cfg.Unavailable, err)
		}
		// What has ended by its own times is refused before its user is looked up: the time that takes would tell whoever
		// tries cookies that this one was somebody's. Memory may know of a later use than the database does.
		if e.cache.get(hash) == nil && !e.living(&row, now) {
			return nil, e.cfg.Ended
		}
		if !e.known(row.User) {
			values, err := e.cfg.Load(ctx, []int64{row.User})
			if err != nil {
				return nil, fmt.Errorf("%w: %w", e.cfg.Unavailable, err)
			}
			if !e.learn(row.User, values[row.User], start) {
				continue
			}
		}
		s, sure := e.keep(&row, start, now)
		if !sure {
			continue
		}
		if s == nil {
			return nil, e.cfg.Ended
		}
		return s, nil
	}
	return nil, fmt.Errorf("%w: %w", e.cfg.Unavailable, errMoving)
}

// known tells whether memory holds what the user is now.
func (e *Engine[I]) known(id int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := e.users[id]
	return u != nil && u.sure()
}

func (u *user[I]) sure() bool {
	return u.checked.Load() >= max(u.changed.Load(), u.engine.all.Load())
}

// learn takes over what a user was at the tick start; nil: gone. It is false where a change came between, which the
// database may not have told yet.
func (e *Engine[I]) learn(id int64, value *I, start uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.recent.touched(id, start, e.tick.Load()) {
		return false
	}
	u := e.record(id)
	if start >= u.checked.Load() {
		u.value.Store(value)
		u.checked.Store(start)
	}
	return true
}

// record finds or makes the record of a user. e.mu is held.
func (e *Engine[I]) record(id int64) *user[I] {
	u := e.users[id]
	if u == nil {
		u = &user[I]{engine: e, id: id}
		e.users[id] = u
	}
	return u
}

// keep takes over a row that was read after the tick start. It is not sure where a change came between; the session is nil
// where it has ended.
func (e *Engine[I]) keep(row *store.Session, start uint64, now int64) (s *Session[I], sure bool) {
	e.mu.Lock()
	defer e.unlock()
	u := e.users[row.User]
	if u == nil || !u.sure() || e.recent.touched(row.User, start, e.tick.Load()) {
		if u != nil {
			e.release(u) // who may have been learnt for this row alone
		}
		return nil, false
	}
	// Who asks from now on may do so after a change that this look-up doesn't see, so nobody joins it any more.
	delete(e.flights, row.Hash)
	s = e.cache.get(row.Hash)
	if s != nil && s.user != u {
		e.drop(s, evicted)
		s = nil
	}
	if !e.stillLiving(row, s, now) || u.value.Load() == nil {
		if s != nil {
			e.drop(s, ended)
		}
		e.release(u)
		return nil, true
	}
	if s == nil {
		s = &Session[I]{user: u, hash: row.Hash, expires: row.Expires}
		s.seen.Store(row.Seen)
		s.stored.Store(uint32(row.Seen)) // see use
		e.insert(s)
	}
	raise(&s.seen, row.Seen)
	s.checked.Store(start)
	return s, true
}

// stillLiving also counts what memory knows of the last use and the database doesn't yet.
func (e *Engine[I]) stillLiving(row *store.Session, s *Session[I], now int64) bool {
	r := *row
	if s != nil {
		r.Seen = max(r.Seen, s.seen.Load())
	}
	return e.living(&r, now)
}

// insert adds s to the cache; what had to go for it is evicted. e.mu is held.
func (e *Engine[I]) insert(s *Session[I]) {
	s.user.sessions++
	for _, old := range e.cache.put(s) {
		e.leave(old, evicted)
	}
}

// drop takes s out of the cache. e.mu is held.
func (e *Engine[I]) drop(s *Session[I], state uint32) {
	e.cache.remove(s)
	e.leave(s, state)
}

func (e *Engine[I]) leave(s *Session[I], state uint32) {
	if s.state.Swap(state) != kept {
		return
	}
	if s.user.watched[s] > 0 {
		e.cache.watch(s, -1)
	}
	s.bound.Store(nil)
	delete(e.pending, s)
	s.user.sessions--
	e.release(s.user)
	e.tell(s.user)
}

// release forgets a user who has no session here any more. e.mu is held.
func (e *Engine[I]) release(u *user[I]) {
	if u.sessions == 0 && len(u.watched) == 0 && e.users[u.id] == u {
		delete(e.users, u.id)
	}
}

// tell has those who watch u told once e.mu is free: they may call back. e.mu is held.
func (e *Engine[I]) tell(u *user[I]) {
	if len(u.watched) == 0 {
		return
	}
	if e.told == nil {
		e.told = map[*user[I]]struct{}{}
	}
	e.told[u] = struct{}{} // once, however many sessions of u are concerned
}

// unlock frees e.mu and tells who has to be told.
func (e *Engine[I]) unlock() {
	told := e.told
	e.told = nil
	e.mu.Unlock()
	for u := range told {
		u.topic.Notify()
	}
}

// forget ends a session that the database doesn't have.
func (e *Engine[I]) forget(hash [sha256.Size]byte) {
	e.mu.Lock()
	defer e.unlock()
	if s := e.cache.get(hash); s != nil {
		e.drop(s, ended)
	}
}

// raise sets v to at least n.
func raise(v interface {
	Load() int64
	CompareAndSwap(old, new int64) bool
}, n int64) {
	for old := v.Load(); old < n && !v.CompareAndSwap(old, n); old = v.Load() {
	}
}
