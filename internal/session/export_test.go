package session

import (
	"context"
	"crypto/sha256"

	"github.com/ostiary/auth/internal/store"
)

// Sizes is how much an engine remembers.
type Sizes struct{ Cached, Watched, Users, UsersWatched, Pending, Flights, Touches int }

// Sizes gives them as of one moment.
func (e *Engine[I]) Sizes() Sizes {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Sizes{Cached: e.cache.size(), Users: len(e.users), UsersWatched: len(e.watched), Pending: len(e.pending), Flights: len(e.flights)}
	for i := range e.cache.shards {
		s.Watched += e.cache.shards[i].watched
	}
	e.touch.mu.Lock()
	defer e.touch.mu.Unlock()
	s.Touches = len(e.touch.seen)
	return s
}

// ReadBut reads the session of token as a request does, with do between the answers of the database and their use.
// taken tells whether memory took it over, and joined whether others could have joined the look-up after that.
func (e *Engine[I]) ReadBut(ctx context.Context, token string, do func()) (s *Session[I], taken, joined bool, err error) {
	hash, _ := hashOf(token)
	e.mu.Lock()
	e.flights[hash] = &flight[I]{done: make(chan struct{})}
	e.mu.Unlock()
	start := e.tick.Load()
	row, err := e.cfg.DB.Live(ctx, hash)
	if err != nil {
		return nil, false, false, err
	}
	if !e.known(row.User) {
		values, err := e.cfg.Load(ctx, []int64{row.User})
		if err != nil || !e.learn(row.User, values[row.User], start) {
			return nil, false, false, err
		}
	}
	do()
	s, taken = e.keep(&row, start, e.cfg.Now().Unix())
	e.mu.Lock()
	defer e.mu.Unlock()
	_, joined = e.flights[hash]
	delete(e.flights, hash)
	return s, taken, joined, nil
}

// LearnBut reads a user as a request does, with do between the answer of the database and its use. taken tells whether
// memory took it over.
func (e *Engine[I]) LearnBut(ctx context.Context, user int64, do func()) (taken bool, err error) {
	start := e.tick.Load()
	values, err := e.cfg.Load(ctx, []int64{user})
	if err != nil {
		return false, err
	}
	do()
	return e.learn(user, values[user], start), nil
}

// Fill takes n sessions into memory as if they had been looked up, perUser for each user. Token i is Filled(i).
func (e *Engine[I]) Fill(n, perUser int, value *I, now int64) {
	for i := range n {
		row := store.Session{Hash: sha256.Sum256([]byte(Filled(i))), User: int64(1 + i/perUser), Realm: e.cfg.Realm, Seen: now, Expires: now + 1e6}
		start := e.tick.Load()
		if i%perUser == 0 {
			e.learn(row.User, value, start)
		}
		e.keep(&row, start, now)
	}
}

// Filled is the token of a session that Fill has made.
func Filled(i int) string {
	token := []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	for at := len(token) - 1; i > 0; at, i = at-1, i/10 {
		token[at] = byte('0' + i%10)
	}
	return string(token)
}

// StoreTouches and Purge do what is done from time to time.
func (e *Engine[I]) StoreTouches(ctx context.Context) error { return e.storeTouches(ctx) }
func (e *Engine[I]) Purge(ctx context.Context) error        { return e.purge(ctx) }

// MaxFlights is how many look-ups there can be at once.
const MaxFlights = maxFlights
