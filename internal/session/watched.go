package session

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/ostiary/auth/internal/store"
)

// pin keeps what answers for s in the cache for as long as somebody watches.
func (e *Engine[I]) pin(s *Session[I]) *Session[I] {
	e.mu.Lock()
	if s.state.Load() == evicted {
		s = e.revive(s)
		e.doubt(s)
		defer e.WakeUp()
	}
	defer e.mu.Unlock()
	u := s.user
	if u.watched == nil {
		u.watched = map[*Session[I]]int{}
	}
	if u.watched[s]++; u.watched[s] == 1 && s.state.Load() == kept {
		e.cache.watch(s, 1)
	}
	e.watched[u] = struct{}{}
	return s
}

func (e *Engine[I]) unpin(s *Session[I]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := s.user
	if u.watched[s]--; u.watched[s] > 0 {
		return
	}
	if s.state.Load() == kept {
		e.cache.watch(s, -1)
	}
	if delete(u.watched, s); len(u.watched) == 0 {
		u.watched = nil
		delete(e.watched, u)
		e.release(u)
	}
}

// Watched gives the sessions that somebody watches and that haven't ended, each once, in no order.
func (e *Engine[I]) Watched() []*Session[I] {
	sessions := map[[sha256.Size]byte]*Session[I]{} // one that was evicted may be watched beside its twin
	e.mu.Lock()
	for u := range e.watched {
		for s := range u.watched {
			if s.state.Load() != ended {
				sessions[s.hash] = s
			}
		}
	}
	e.mu.Unlock()
	return slices.Collect(maps.Values(sessions))
}

// revive gives what is in the cache for an evicted session, or puts there what has to be looked up first. e.mu is held.
func (e *Engine[I]) revive(s *Session[I]) *Session[I] {
	if t := e.cache.get(s.hash); t != nil {
		return t
	}
	t := &Session[I]{user: e.record(s.user.id), hash: s.hash, expires: s.expires}
	t.seen.Store(s.seen.Load()) // checked stays 0: never
	e.insert(t)
	return t
}

// doubt has s compared with the database. e.mu is held.
func (e *Engine[I]) doubt(s *Session[I]) {
	if _, ok := e.pending[s]; !ok {
		e.pending[s] = false
	}
}

// recheckSoon doubts s and begins at once.
func (e *Engine[I]) recheckSoon(s *Session[I]) {
	e.mu.Lock()
	if s.state.Load() != ended {
		e.doubt(s)
	}
	e.mu.Unlock()
	e.WakeUp()
}

// WakeUp has the feed read at once. It doesn't wait for that.
func (e *Engine[I]) WakeUp() {
	select {
	case e.wake <- struct{}{}:
	default: // awake
	}
}

// suspectIdle has sessions with an open socket looked up that are past their time by what this process knows.
func (e *Engine[I]) suspectIdle() {
	now := e.cfg.Now().Unix()
	e.mu.Lock()
	defer e.unlock()
	for u := range e.watched {
		for s := range u.watched {
			switch {
			case s.state.Load() != kept:
			case now >= s.expires:
				e.drop(s, ended)
			case !s.alive(now):
				e.doubt(s)
			}
		}
	}
}

// recheckBatch is how many sessions are looked up at once at most, in one query: what a change concerns may be more of
// them than can be looked up in one turn.
const recheckBatch = 200

// recheck compares what is pending with the database, in few queries, and tells who watches. What couldn't be looked up
// stays pending; until then nobody is told more than "unavailable".
func (e *Engine[I]) recheck(ctx context.Context) {
	e.mu.Lock()
	sessions := slices.Collect(maps.Keys(e.pending))
	e.mu.Unlock()
	var failed []*Session[I] // they stay pending
	var failure error
	for began := e.mono(); len(sessions) > 0; {
		if e.mono()-began > int64(recheckTime) {
			if failure == nil {
				e.WakeUp() // the next turn goes on
			}
			break
		}
		batch := sessions[:min(len(sessions), e.batch)]
		if err := e.recheckSome(ctx, batch); err != nil {
			// In parts, then, down to single ones: neither a user who can't be looked up, nor more than there is time for, may
			// keep all others waiting.
			failure = err
			e.batch = max(1, len(batch)/2)
			if len(batch) == 1 {
				failed, sessions = append(failed, batch...), sessions[1:]
			}
			continue
		}
		e.batch = min(2*e.batch, recheckBatch)
		e.tellAll(batch)
		sessions = sessions[len(batch):]
	}
	if failure != nil {
		e.cfg.Log("looking up what has changed", failure)
	}
	e.tellDoubted(append(failed, sessions...))
}

func (e *Engine[I]) recheckSome(ctx context.Context, sessions []*Session[I]) error {
	hashes := make([][sha256.Size]byte, 0, len(sessions))
	users := map[int64]struct{}{}
	e.mu.Lock()
	start := e.tick.Load()
	for _, s := range sessions {
		hashes = append(hashes, s.hash)
		if u := e.users[s.user.id]; u == nil || !u.sure() { // nil: s was evicted, and the user forgotten with it
			users[s.user.id] = struct{}{}
		}
	}
	e.mu.Unlock()
	rows, values, err := e.lookUp(ctx, hashes, users)
	if err == nil {
		e.settle(sessions, rows, values, users, start)
	}
	return err
}

// tellAll tells those who watch the sessions' users.
func (e *Engine[I]) tellAll(sessions []*Session[I]) {
	e.mu.Lock()
	defer e.unlock()
	for _, s := range sessions {
		e.tellOf(s)
	}
}

// tellDoubted is tellAll for what is still to be looked up: once, however long that takes.
func (e *Engine[I]) tellDoubted(sessions []*Session[I]) {
	e.mu.Lock()
	defer e.unlock()
	for _, s := range sessions {
		if told, ok := e.pending[s]; ok && !told {
			e.pending[s] = true
			e.tellOf(s)
		}
	}
}

// tellOf tells those who watch the user of s. e.mu is held.
func (e *Engine[I]) tellOf(s *Session[I]) {
	e.tell(s.user)
	if u := e.users[s.user.id]; u != nil && u != s.user {
		e.tell(u) // s was evicted, and is watched through its twin
	}
}

func (e *Engine[I]) lookUp(ctx context.Context, hashes [][sha256.Size]byte, users map[int64]struct{}) (
	rows map[[sha256.Size]byte]store.Session, values map[int64]*I, err error,
) {
	if rows, err = e.cfg.DB.SessionsByHash(ctx, hashes); err != nil || len(users) == 0 {
		return rows, nil, err
	}
	ids := make([]int64, 0, len(users))
	for id := range users {
		ids = append(ids, id)
	}
	values, err = e.cfg.Load(ctx, ids)
	return rows, values, err
}

// settle takes over the answers. No change can have come between: the turn that runs this is the one that applies them.
func (e *Engine[I]) settle(sessions []*Session[I], rows map[[sha256.Size]byte]store.Session, values map[int64]*I, users map[int64]struct{}, start uint64) {
	for id := range users {
		e.learn(id, values[id], start)
	}
	now := e.cfg.Now().Unix()
	for _, s := range sessions {
		e.mu.Lock()
		delete(e.pending, s)
		e.mu.Unlock()
		if row, ok := rows[s.hash]; !ok {
			e.forget(s.hash)
		} else if t, sure := e.keep(&row, start, now); t != nil || !sure {
			continue
		}
		// What isn't in the cache has to learn it as well, or it would ask for ever.
		s.state.CompareAndSwap(evicted, ended)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for id := range users {
		if u := e.users[id]; u != nil {
			e.release(u) // whose sessions have all gone meanwhile
		}
	}
}

// notifyWatched tells everybody who watches anything to look again.
func (e *Engine[I]) notifyWatched() {
	e.mu.Lock()
	defer e.unlock()
	for u := range e.watched {
		e.tell(u)
	}
}
