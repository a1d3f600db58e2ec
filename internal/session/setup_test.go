package session_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

var (
	errEnded       = errors.New("ended")
	errUnavailable = errors.New("unavailable")
	errClosed      = errors.New("closed")
)

// A person is what these engines keep.
type person struct {
	id      int64
	name    string
	holds   string // permissions, "resource:action" with spaces between
	session *session.Session[person]
}

type (
	engine  = session.Engine[person]
	config  = session.Config[person]
	sess    = session.Session[person]
	people  = map[int64]*person
	ctxt    = context.Context
	loading = func(ctx context.Context, ids []int64) (people, error)
)

// A clock stands still until a test moves it.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(2e9, 0).Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// A fixture is one database, which can be broken, and what engines over it share.
type fixture struct {
	t      testing.TB
	base   *storetest.Database
	db     *store.DB
	faults *storetest.Faults
	clock  *clock // nil: lifetimes go by the time, which in a bubble is a test's own as well
}

// setup is over SQLite.
func setup(t testing.TB) *fixture {
	t.Helper()
	return setupOn(t, storetest.SQLite)
}

func setupOn(t testing.TB, on storetest.Engine) *fixture {
	t.Helper()
	f := &fixture{t: t, base: on.New(t), clock: new(clock)}
	f.db, f.faults = f.open()
	return f
}

// bubble runs a test in which time passes only while everybody waits.
func bubble(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t)
		f.clock = nil
		// A bubble in which something waits for ever would go on polling.
		stuck := time.AfterFunc(3*time.Hour, func() { panic(t.Name() + " is stuck") })
		defer stuck.Stop()
		test(t, f)
	})
}

// open opens the database once more.
func (f *fixture) open() (*store.DB, *storetest.Faults) {
	f.t.Helper()
	db, faults := f.base.Open(f.t)
	d, err := store.Open(f.t.Context(), db)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { d.Close() })
	return d, faults
}

// stored reads a session that the database has.
func stored(ctx context.Context, db *store.DB, hash [32]byte) (store.Session, error) {
	all, err := db.SessionsByHash(ctx, [][32]byte{hash})
	if s, ok := all[hash]; ok || err != nil {
		return s, err
	}
	return store.Session{}, store.ErrNotFound
}

// loader reads people as a backend would: who is disabled isn't there.
func loader(db *store.DB) loading {
	return func(ctx context.Context, ids []int64) (people, error) {
		accounts, err := db.Accounts(ctx, ids)
		if err != nil {
			return nil, err
		}
		all := people{}
		for id, a := range accounts {
			if a.Disabled {
				continue
			}
			var holds []string
			for _, p := range slices.Concat(a.Permissions, a.RolePermissions) {
				holds = append(holds, p.Resource+":"+p.Action)
			}
			all[id] = &person{id: id, name: a.DisplayName, holds: strings.Join(holds, " ")}
		}
		return all, nil
	}
}

// config is that of an engine over the fixture's database.
func (f *fixture) config(change ...func(*config)) config {
	cfg := config{
		DB: f.db, Realm: "userauth",
		Bind: func(user *person, s *sess) person { p := *user; p.session = s; return p },
		Idle: time.Hour, Lifetime: 24 * time.Hour, PerUser: 100, Cache: 1000,
		Ended: errEnded, Unavailable: errUnavailable, Closed: errClosed,
	}
	if f.clock != nil {
		cfg.Now = f.clock.now
	}
	for _, c := range change {
		c(&cfg)
	}
	if cfg.Load == nil {
		cfg.Load = loader(cfg.DB)
	}
	return cfg
}

// engine starts one, which ends with the test.
func (f *fixture) engine(change ...func(*config)) *engine {
	f.t.Helper()
	e, err := session.New(f.t.Context(), f.config(change...))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		f.faults.Heal()
		e.Close()
	})
	return e
}

// otherProcess gives an engine with connections of its own to the same database.
func (f *fixture) otherProcess(change ...func(*config)) (*engine, *storetest.Faults) {
	f.t.Helper()
	db, faults := f.open()
	return f.engine(append([]func(*config){func(c *config) { c.DB = db }}, change...)...), faults
}

// write is Write that must work.
func write(t testing.TB, e *engine, change func(tx *store.Tx) error) {
	t.Helper()
	err := e.Write(t.Context(), change)
	// A thousand readers in a busy loop can keep a writer from its connection for longer than it waits.
	for try := 0; errors.Is(err, context.DeadlineExceeded) && try < 10; try++ {
		err = e.Write(t.Context(), change)
	}
	if err != nil {
		t.Fatalf("writing: %v", err)
	}
}

// user adds one who is called name.
func user(t testing.TB, e *engine, name string) (id int64) {
	t.Helper()
	write(t, e, func(tx *store.Tx) (err error) {
		id, err = tx.AddUser(store.User{Username: name, Key: name, Profile: store.Profile{DisplayName: name}})
		return err
	})
	return id
}

// login begins a session.
func login(t testing.TB, e *engine, user int64) (token string) {
	t.Helper()
	write(t, e, func(tx *store.Tx) (err error) {
		token, err = e.Begin(tx, store.Session{User: user, Method: "password"})
		return err
	})
	return token
}

// logout ends the session of token.
func logout(t testing.TB, e *engine, token string) {
	t.Helper()
	write(t, e, func(tx *store.Tx) error {
		ended, err := tx.DeleteSession(hashOf(t, token))
		if err == nil && !ended {
			err = errors.New("there was no session to end")
		}
		return err
	})
}

func hashOf(t testing.TB, token string) [32]byte {
	t.Helper()
	hash, ok := session.HashOf(token)
	if !ok {
		t.Fatal("not a token")
	}
	return hash
}

// ask is Find, once more where the machine was too slow for its time limit.
func ask(t testing.TB, e *engine, token string) (*person, error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		begin := time.Now()
		p, err := e.Find(t.Context(), token)
		if !errors.Is(err, errUnavailable) || time.Since(begin) < 900*time.Millisecond || time.Now().After(deadline) {
			return p, err
		}
	}
}

// find is Find that must admit.
func find(t testing.TB, e *engine, token string) *person {
	t.Helper()
	p, err := ask(t, e, token)
	if err != nil {
		t.Fatalf("finding a session that lives: %v", err)
	}
	return p
}

// handle is what stands behind token.
func handle(t testing.TB, e *engine, token string) *sess {
	t.Helper()
	return find(t, e, token).session
}

// refused wants Find to fail with want, and to give nobody.
func refused(t testing.TB, e *engine, token string, want error) {
	t.Helper()
	find := ask
	if want == errUnavailable {
		find = func(t testing.TB, e *engine, token string) (*person, error) { return e.Find(t.Context(), token) }
	}
	if p, err := find(t, e, token); !errors.Is(err, want) || p != nil {
		t.Errorf("Find gives %v, %v, want nobody and %v", p, err, want)
	}
}

// current wants Current of s to fail with want, or, where that is nil, to give somebody.
func current(t testing.TB, s *sess, want error) {
	t.Helper()
	if p, err := s.Current(); !errors.Is(err, want) || (p == nil) != (want != nil) {
		t.Errorf("Current gives %v, %v, want %v", p, err, want)
	}
}

// A watch counts what it is told, and can be waited for.
type watch struct {
	told atomic.Int64
	c    chan struct{}
}

func watching(s *sess) (w *watch, stop func()) {
	w = &watch{c: make(chan struct{}, 1)}
	return w, s.Watch(func() {
		w.told.Add(1)
		select {
		case w.c <- struct{}{}:
		default:
		}
	})
}

// patience is for what happens soon: only a test that fails waits for so long.
const patience = 30 * time.Second

// until waits until ok holds, looking again each time that something is told.
func (w *watch) until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-w.c:
		case <-deadline:
			t.Fatalf("told %d times, and still not %s", w.told.Load(), what)
		}
	}
}

// eventually waits until ok holds, where nothing tells.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("still not %s", what)
		}
	}
}

// currentIs tells whether Current fails with want, or, where that is nil, doesn't fail.
func currentIs(s *sess, want error) func() bool {
	return func() bool { _, err := s.Current(); return errors.Is(err, want) }
}

func permission(text string) []store.Permission {
	resource, action, ok := strings.Cut(text, ":")
	if !ok {
		panic(fmt.Sprintf("%q is no permission", text))
	}
	return []store.Permission{{Resource: resource, Action: action}}
}

// raw opens the database as one who writes to it past the store.
func (f *fixture) raw() *sqlx.DB {
	f.t.Helper()
	db, _ := f.base.Open(f.t)
	return db
}

func exec(t testing.TB, db *sqlx.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), db.Rebind(query), args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// number is the one number that query gives.
func number(t testing.TB, db *sqlx.DB, query string, args ...any) (n int64) {
	t.Helper()
	if err := db.GetContext(t.Context(), &n, db.Rebind(query), args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// calls counts the calls that begin so, since the database's mode was set.
func calls(faults *storetest.Faults, begin string) (n int) {
	for _, c := range faults.Calls() {
		if strings.HasPrefix(c, begin) {
			n++
		}
	}
	return n
}

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
