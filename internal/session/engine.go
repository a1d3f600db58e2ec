// Package session is the one engine behind logins that last. A session is an opaque random token in a browser's cookie,
// its hash in a database, and in memory what the token stands for, so that a request costs a map look-up.
//
// Memory is kept true by the store's feed of changes. Every instance polls it; a change of this process is applied before
// [Engine.Write] returns. Nobody is admitted on a state older than a second: then the feed is asked first, and when it
// can't be asked the answer is "unavailable", neither yes nor no. Every error fails closed.
//
// The engine is generic over what it keeps, so that it never imports the package whose identities it serves.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ostiary/auth/internal/store"
)

const (
	staleAfter   = time.Second            // a state older than this admits nobody
	pollEvery    = 250 * time.Millisecond // so that a change elsewhere acts here well within the second
	readTimeout  = time.Second            // for a request that waits for the database
	recheckTime  = readTimeout / 4        // after which looking up what is watched lets the feed be read again
	touchEvery   = 60                     // seconds between two writes of a session's last use
	janitorEvery = 10 * time.Minute
	feedAge      = time.Hour // an instance that was away for longer starts with an empty cache
	feedKeep     = 1000
	purgeBatch   = 500
	// A last use may be in some instance's memory for this long before it is stored: what is idle by the stored time
	// alone is purged only after it.
	purgeSlack = 2 * touchEvery
)

// Config configures an [Engine]. All fields but those with a default are required.
type Config[I any] struct {
	DB *store.DB
	// Realm separates the sessions of several engines over one database.
	Realm string
	// Load gives what users are now, by id. One who is missing is gone or may not be logged in: the sessions end.
	// The values are shared and read only.
	Load func(ctx context.Context, users []int64) (map[int64]*I, error)
	// Bind makes of a user's value what [Engine.Find] returns for one session.
	Bind func(user *I, s *Session[I]) I
	// Idle ends a session that long after its last use, Lifetime that long after its begin, whatever its use. The last
	// use is stored once a minute at most, so that another instance may end it up to a minute early.
	Idle, Lifetime time.Duration
	// PerUser is how many sessions a user can have; beyond it the longest unused ends.
	PerUser int
	// Cache is how many sessions are kept in memory beside those with an open socket.
	Cache int
	// Wake has the feed read at once for each value received, besides the polling, which goes on. Nil or closed: polling
	// only.
	Wake <-chan struct{}
	// Now tells the time for lifetimes. Nil: time.Now. How old a state is goes by the monotonic clock.
	Now func() time.Time
	// Ended, Unavailable and Closed are what the errors of Find and Current wrap or are.
	Ended, Unavailable, Closed error
	// Log is told of failures that no caller sees. Nil: nobody.
	Log func(doing string, err error)
	// Also is another engine over the same database: it has caught up with a change when Write returns, and Wake wakes it
	// too. Nil: there is none.
	Also Also
}

// Also is what an engine has another one do.
type Also interface {
	CatchUp(ctx context.Context)
	WakeUp()
}

// An Engine serves the sessions of one realm. All methods may be called concurrently.
type Engine[I any] struct {
	cfg    Config[I]
	began  time.Time    // the zero of the monotonic clock
	real   bool         // lifetimes go by the real time
	synced atomic.Int64 // when the feed was last read, by mono
	floor  atomic.Int64 // a reading from before it doesn't count
	stale  atomic.Bool  // somebody was told that nothing is known, and nobody yet that all is known again
	closed atomic.Bool
	tick   atomic.Uint64 // counts the changes applied
	all    atomic.Uint64 // the tick of the last change that concerned everybody
	cache  *cache[I]
	hot    ring[I]
	touch  touches

	// mu guards what follows and keeps the order of changes: nothing is taken into memory while one is applied. It may
	// be held while a shard of the cache is locked, never the other way round.
	mu      sync.Mutex
	users   map[int64]*user[I]
	watched map[*user[I]]struct{}
	pending map[*Session[I]]bool // to be compared with the database; true: who watches knows that
	recent  recent
	flights map[[sha256.Size]byte]*flight[I]
	told    map[*user[I]]struct{} // see unlock

	feed   feed
	batch  int // how many sessions are looked up at once; of the turn that runs
	wake   chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// New starts an engine; the database must answer. ctx is for start-up only. [Engine.Close] ends its goroutines.
func New[I any](ctx context.Context, cfg Config[I]) (*Engine[I], error) {
	real := cfg.Now == nil
	if real {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = func(string, error) {}
	}
	e := &Engine[I]{
		cfg: cfg, began: time.Now(), real: real, cache: newCache[I](cfg.Cache),
		users: map[int64]*user[I]{}, watched: map[*user[I]]struct{}{}, pending: map[*Session[I]]bool{},
		flights: map[[sha256.Size]byte]*flight[I]{}, batch: recheckBatch, wake: make(chan struct{}, 1),
	}
	e.tick.Store(1) // zero is "never"
	sent := e.mono()
	if err := e.reset(ctx); err != nil {
		return nil, fmt.Errorf("session: start: %w", err)
	}
	e.synced.Store(sent)
	run, cancel := context.WithCancel(context.Background()) //nolint:gosec // Close calls it
	e.cancel = cancel
	e.done.Go(func() { e.poll(run) })
	e.done.Go(func() { e.tidy(run) })
	return e, nil
}

// Close ends the engine: open sockets learn it, later calls fail. Last uses not yet stored are stored, if the database
// takes them within a second.
func (e *Engine[I]) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	e.cancel()
	e.notifyWatched()
	e.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	return e.storeTouches(ctx)
}

// mono is the age of the engine. Unlike the wall clock it can't be set back.
func (e *Engine[I]) mono() int64 { return int64(time.Since(e.began)) }

// clock gives the time for lifetimes, in Unix seconds, and the age of the engine. It reads the clock once for both where
// it can: that is a good part of what a request costs.
func (e *Engine[I]) clock() (now, age int64) {
	t := time.Now()
	age = int64(t.Sub(e.began))
	if !e.real {
		t = e.cfg.Now()
	}
	return t.Unix(), age
}

// fresh tells whether memory is true up to a second ago.
func (e *Engine[I]) fresh() bool { return e.freshAt(e.mono()) }

func (e *Engine[I]) freshAt(age int64) bool { return age-e.synced.Load() <= int64(staleAfter) }

// Find gives what the session of token stands for. The error is Ended where there is no such session, now or any more,
// and wraps Unavailable where that can't be known. It doesn't allocate for a session in recent use.
func (e *Engine[I]) Find(ctx context.Context, token string) (*I, error) {
	hash, ok := hashOf(token)
	if !ok {
		return nil, e.cfg.Ended // no look-up for what can't be a token
	}
	if e.closed.Load() {
		return nil, e.cfg.Unavailable
	}
	now, age := e.clock()
	if !e.freshAt(age) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout) // for a look-up after it as well
		defer cancel()
		if err := e.sync(ctx); err != nil {
			return nil, fmt.Errorf("%w: feed: %w", e.cfg.Unavailable, err)
		}
		now, _ = e.clock() // it has waited
	}
	if s := e.cache.get(hash); s != nil && s.alive(now) {
		if id := s.value(); id != nil {
			s.use(now)
			return id, nil
		}
	}
	s, err := e.load(ctx, hash, now)
	if err != nil {
		return nil, err
	}
	id := s.value()
	if id == nil {
		return nil, e.cfg.Ended
	}
	s.use(now)
	return id, nil
}

// Tick gives the number of changes that this process has applied, once memory is at most a second old; where that can't
// be, the error wraps Unavailable. Whoever remembers something of the database that the engine doesn't know compares it:
// what was read after one call is as true as the engine's own memory while later calls give the same number. Every change
// that the feed tells of counts, whomever it concerns.
func (e *Engine[I]) Tick(ctx context.Context) (uint64, error) {
	if e.closed.Load() {
		return 0, e.cfg.Unavailable
	}
	if !e.fresh() {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		if err := e.sync(ctx); err != nil {
			return 0, fmt.Errorf("%w: feed: %w", e.cfg.Unavailable, err)
		}
	}
	return e.tick.Load(), nil
}

// Write changes the database and applies the change here: when it returns without an error, this process acts on it, and
// every other within a second.
func (e *Engine[I]) Write(ctx context.Context, change func(tx *store.Tx) error) error {
	err := e.cfg.DB.Write(ctx, change)
	if err != nil && !errors.Is(err, store.ErrUnavailable) {
		return err // nothing was changed
	}
	e.CatchUp(ctx)
	if e.cfg.Also != nil {
		e.cfg.Also.CatchUp(ctx)
	}
	return err
}

// CatchUp applies here what was committed before the call, whoever made it. Where that can't be read, nobody is admitted
// before it has been.
func (e *Engine[I]) CatchUp(ctx context.Context) {
	since := e.mono()
	sync, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	if e.sync(sync) != nil && e.synced.Load() <= since { // not "<": a clock may be coarse
		e.distrust() // fail closed: something may be committed that this process hasn't seen
	}
}

// Begin adds a session for s.User to tx and gives its token, which is nowhere else: the database holds its hash. The
// caller sets User and what describes the login, and Expires where it is to end before Lifetime has passed; Begin sets the
// rest. A user who is gone or disabled is
// [store.ErrNotFound].
func (e *Engine[I]) Begin(tx *store.Tx, s store.Session) (token string, err error) {
	token = NewToken()
	hash, _ := hashOf(token)
	now := e.cfg.Now().Unix()
	s.Hash, s.ID, s.Realm = hash, rand.Text()[:20], e.cfg.Realm
	s.Created, s.Seen = now, now
	if last := now + int64(e.cfg.Lifetime/time.Second); s.Expires == 0 || s.Expires > last {
		s.Expires = last
	}
	if err := tx.AddSession(s, e.cfg.PerUser); err != nil {
		return "", err
	}
	return token, nil
}

// List gives the sessions of a user in this realm that haven't ended, the newest first.
func (e *Engine[I]) List(ctx context.Context, user int64) ([]store.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := e.cfg.DB.SessionsOf(ctx, user)
	if err != nil {
		return nil, err
	}
	now := e.cfg.Now().Unix()
	live := rows[:0]
	for _, row := range rows {
		if e.living(&row, now) {
			live = append(live, row)
		}
	}
	return live, nil
}

// living is the one rule of what a stored session is worth: at and after its end it has ended.
func (e *Engine[I]) living(row *store.Session, now int64) bool {
	return row.Realm == e.cfg.Realm && now < row.Expires && now < row.Seen+int64(e.cfg.Idle/time.Second)
}

// tokenBytes is the entropy of a token: 256 bits, where ASVS 7.2.3 asks for 128.
const tokenBytes = 32

// tokenLen is its length as text.
const tokenLen = (tokenBytes*8 + 5) / 6

// NewToken makes what nobody guesses and [HashOf] takes.
func NewToken() string {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HashOf gives the hash under which what token stands for is stored; ok is false for what can't be a token.
func HashOf(token string) (hash [sha256.Size]byte, ok bool) { return hashOf(token) }

// hashOf hashes the text, not the bytes that it encodes: a second spelling of the same bytes is another token.
func hashOf(token string) (hash [sha256.Size]byte, ok bool) {
	if len(token) != tokenLen {
		return hash, false
	}
	var text [tokenLen]byte
	for i := range text {
		c := token[i]
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return hash, false
		}
		text[i] = c
	}
	return sha256.Sum256(text[:]), true
}
