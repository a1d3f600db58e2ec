package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// open gives a new store, what breaks it, and its database.
func open(t *testing.T, on storetest.Engine) (*store.DB, *storetest.Faults, *storetest.Database) {
	t.Helper()
	base := on.New(t)
	db, faults := base.Open(t)
	return openDB(t, db), faults, base
}

// session reads a whole one.
func session(ctx context.Context, d *store.DB, hash [32]byte) (store.Session, error) {
	all, err := d.SessionsByHash(ctx, [][32]byte{hash})
	if s, ok := all[hash]; ok || err != nil {
		return s, err
	}
	return store.Session{}, store.ErrNotFound
}

func openDB(t *testing.T, db *sqlx.DB) *store.DB {
	t.Helper()
	d, err := store.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return d
}

// raw opens a SQLite file as an application might that has options of its own.
func raw(t *testing.T, path, options string) *sqlx.DB {
	t.Helper()
	return (&storetest.Database{On: storetest.SQLite, Path: path}).Raw(t, options)
}

// roundTrips counts calls. What MySQL's driver prepares for one use, as it does unless its options say otherwise, counts
// once.
func roundTrips(faults *storetest.Faults) (n int) {
	for _, call := range faults.Calls() {
		if !strings.HasPrefix(call, "prepare ") {
			n++
		}
	}
	return n
}

// write is Write that must work.
func write(t *testing.T, d *store.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := d.Write(t.Context(), fn); err != nil {
		t.Fatalf("writing: %v", err)
	}
}

// addUser adds a user who is called key in the realm "".
func addUser(t *testing.T, d *store.DB, key string) (id int64) {
	t.Helper()
	write(t, d, func(tx *store.Tx) (err error) {
		id, err = tx.AddUser(store.User{Username: strings.ToUpper(key), Key: key, Hash: "hash of " + key, Created: 100, PasswordAt: 100})
		return err
	})
	return id
}

// newSession is a session whose hash and id come from its name.
func newSession(user int64, name string, seen int64) store.Session {
	return store.Session{
		Hash: sha256.Sum256([]byte(name)), ID: "id-" + name, User: user, Realm: "userauth",
		Created: 1000, Seen: seen, Expires: 5000, Method: "password", Address: "192.0.2.7", Agent: "test",
	}
}

// addSessions stores sessions without a limit.
func addSessions(t *testing.T, d *store.DB, sessions ...store.Session) {
	t.Helper()
	write(t, d, func(tx *store.Tx) error {
		for _, s := range sessions {
			if err := tx.AddSession(s, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// insertSessions is addSessions for many, in one statement.
func insertSessions(t *testing.T, base *storetest.Database, sessions []store.Session) {
	t.Helper()
	var args []any
	for _, s := range sessions {
		args = append(args, s.Hash[:], s.ID, s.User, s.Realm, s.Created, s.Seen, s.Expires, s.Method, s.Address, s.Agent, s.Issuer, s.Subject, s.SID, s.Data)
	}
	row := "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	base.Exec(t, "INSERT INTO auth_sessions VALUES "+row+strings.Repeat(", "+row, len(sessions)-1), args...)
}

// names gives the ids of the user's sessions, sorted.
func names(t *testing.T, d *store.DB, user int64) (list []string) {
	t.Helper()
	sessions, err := d.SessionsOf(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		list = append(list, strings.TrimPrefix(s.ID, "id-"))
	}
	slices.Sort(list)
	return list
}

// account reads an account that must be there.
func account(t *testing.T, d *store.DB, id int64) *store.Account {
	t.Helper()
	all, err := d.Accounts(t.Context(), []int64{id})
	if err != nil || all[id] == nil {
		t.Fatalf("account %d: got %v, %v", id, all[id], err)
	}
	return all[id]
}

// head is the number of the newest entry of the feed.
func head(t *testing.T, d *store.DB) int64 {
	t.Helper()
	n, _, err := d.Feed(t.Context(), 1<<62, 1)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// told runs fn in a transaction and says what the feed tells of it.
func told(t *testing.T, d *store.DB, fn func(tx *store.Tx) error) (list []string) {
	t.Helper()
	before := head(t, d)
	write(t, d, fn)
	_, changes, err := d.Feed(t.Context(), before+1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.Session == nil {
			list = append(list, fmt.Sprintf("user %d", c.User))
		} else {
			list = append(list, fmt.Sprintf("user %d session %.4x", c.User, c.Session))
		}
	}
	return list
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func TestMain(m *testing.M) {
	child, url, ok := strings.Cut(os.Getenv("STORE_TEST_CHILD"), ":")
	if !ok {
		os.Exit(storetest.Main(m))
	}
	if err := children[child](context.Background(), url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
