// Package storetest gives tests of what stands on the store databases of each engine, which can be broken while they are
// in use.
//
// A test binary that uses servers' databases drops them at its end: os.Exit(storetest.Main(m)) in its TestMain.
package storetest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
)

// ErrInjected is what a call fails with that was made to fail.
var ErrInjected = errors.New("storetest: injected fault")

// Faults breaks the database that [Open] gave. It counts and can break every call to the driver: to connect, ping,
// prepare, begin, execute, query, fetch a row and commit. A rollback and a close always work, as a server rolls back when
// a connection is lost. It is safe for concurrent use.
type Faults struct {
	mu      sync.Mutex
	mode    mode
	at      int // which call is broken, 1 for the next; 0: all
	count   int // calls since the mode was set
	broken  int // of these
	calls   []string
	err     error  // what a broken call fails with
	begin   string // of the statement that waits, and for what: of pausing
	during  func()
	reached chan struct{} // closed by the first call that is broken
	release chan struct{} // closed by the next mode
}

type mode int

const (
	healthy mode = iota
	failing
	hanging
	losing
	pausing
)

// Open opens the SQLite database in path with the settings of store.OpenSQLite, and what can break it. Both end with the
// test. No other connection of this process may have the file open yet. Only it doesn't wait until the disk has what was
// written, for which a busy machine may take longer than a test.
func Open(t testing.TB, path string) (*sqlx.DB, *Faults) {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(full, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the test names the file
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	base, err := sqlite.NewConnector("file://" + (&url.URL{Path: full}).EscapedPath() + "?_pragma=busy_timeout(1000)" +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=foreign_keys(1)&_txlock=immediate&_dqs=0")
	if err != nil {
		t.Fatal(err)
	}
	return open(t, base, "sqlite")
}

// connections is how many one pool has at most: several test binaries share a server.
const connections = 8

// open wraps a driver.
func open(t testing.TB, base driver.Connector, name string) (*sqlx.DB, *Faults) {
	faults := &Faults{err: ErrInjected, reached: make(chan struct{}), release: make(chan struct{})}
	db := sql.OpenDB(connector{base, faults, name == "mysql"})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	t.Cleanup(func() {
		faults.Heal() // or a call that hangs would never end
		_ = db.Close()
	})
	return sqlx.NewDb(db, name), faults
}

// Fail makes every call fail at once.
func (f *Faults) Fail() { f.set(failing, 0) }

// FailAt makes the k-th call from now fail, without reaching the database; 1 is the next. The others work.
func (f *Faults) FailAt(k int) { f.set(failing, k) }

// LoseAt makes the k-th call from now work, but fail to say so: the connection is lost while the answer is on its way.
func (f *Faults) LoseAt(k int) { f.set(losing, k) }

// Hang makes every call wait until its context ends, and fail. What hangs when the mode changes fails then.
func (f *Faults) Hang() { f.set(hanging, 0) }

// HangAt makes the k-th call from now hang. The others work.
func (f *Faults) HangAt(k int) { f.set(hanging, k) }

// PauseOn makes the next statement that begins so wait while during runs. All calls work.
func (f *Faults) PauseOn(begin string, during func()) {
	f.set(pausing, 0)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begin, f.during = begin, during
}

// With has calls that are broken fail with err instead of [ErrInjected].
func (f *Faults) With(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// Heal makes everything work again.
func (f *Faults) Heal() { f.set(healthy, 0) }

func (f *Faults) set(m mode, at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.release)
	f.reached, f.release = make(chan struct{}), make(chan struct{})
	f.mode, f.at, f.count, f.broken, f.calls, f.during = m, at, 0, 0, nil, nil
}

// Broken is how many calls were broken since the mode was set. 0 after FailAt(k): there were fewer than k calls.
func (f *Faults) Broken() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken
}

// Reached is closed when the first call was broken since the mode was set: after Hang, one hangs then.
func (f *Faults) Reached() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reached
}

// Calls gives the calls since the mode was set, fetched rows apart: "connect", "ping", "begin", "commit", "prepare "
// with the statement, or the statement that was run.
func (f *Faults) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// fetch is the name of a call that isn't told.
const fetch = ""

// call runs do, or breaks it. drop, if not nil, is for what do gave and nobody got.
func call[T any](ctx context.Context, f *Faults, name string, do func() (T, error), drop func(T) error) (T, error) {
	f.mu.Lock()
	f.count++
	if name != fetch {
		f.calls = append(f.calls, name)
	}
	m, release, during, broken := f.mode, f.release, f.during, f.err
	if f.at > 0 && f.at != f.count || m == pausing && (f.broken > 0 || f.during == nil || !strings.HasPrefix(name, f.begin)) {
		m = healthy
	}
	if m != healthy {
		if f.broken++; f.broken == 1 {
			close(f.reached)
		}
	}
	f.mu.Unlock()
	var zero T
	switch m {
	case failing:
		return zero, broken
	case hanging:
		select {
		case <-ctx.Done():
			return zero, ctx.Err()
		case <-release:
			return zero, broken
		}
	case pausing:
		during()
	case losing:
		got, err := do()
		if err != nil {
			return zero, err
		}
		if drop != nil {
			_ = drop(got)
		}
		return zero, broken
	}
	return do()
}
