package store_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

const tokens = "userauth-token"

func newToken(user int64, name string) store.Session {
	s := newSession(user, name, 0)
	s.Realm = tokens
	return s
}

func TestSessionsIn(t *testing.T) { storetest.Each(t, testSessionsIn) }

func testSessionsIn(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	ann, bob, eve := addUser(t, d, "ann"), addUser(t, d, "bob"), addUser(t, d, "eve")
	a, b, other := newToken(ann, "a"), newToken(bob, "b"), newToken(eve, "e")
	a.Data, b.Expires = `{"name":"x"}`, 0 // expired
	addSessions(t, d, a, b, other, newSession(ann, "login", 1))
	for _, tc := range []struct {
		name  string
		users []int64
		want  []store.Session
	}{
		{"two users' in one realm", []int64{ann, bob}, []store.Session{a, b}},
		{"nobody's", nil, nil},
		{"those of nobody there", []int64{99}, nil},
	} {
		got, err := d.SessionsIn(t.Context(), tokens, tc.users)
		slices.SortFunc(got, func(a, b store.Session) int { return cmp.Compare(a.ID, b.ID) })
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %+v, %v, want %+v", tc.name, got, err, tc.want)
		}
	}
	var many []int64
	var all []store.Session
	for i := range 450 {
		user := addUser(t, d, fmt.Sprint("u", i))
		many, all = append(many, user), append(all, newToken(user, fmt.Sprint(i)))
	}
	insertSessions(t, base, all)
	if got, err := d.SessionsIn(t.Context(), tokens, many); err != nil || len(got) != 450 {
		t.Errorf("of many: got %d, %v, want 450", len(got), err)
	}
}

func TestAddToken(t *testing.T) { storetest.Each(t, testAddToken) }

func testAddToken(t *testing.T, on storetest.Engine) {
	t.Run("it tells the owner's change, and ends no other", func(t *testing.T) {
		t.Parallel()
		d, _, _ := open(t, on)
		ann := addUser(t, d, "ann")
		addSessions(t, d, newSession(ann, "login", 1))
		a, b := newToken(ann, "a"), newToken(ann, "b")
		equal(t, "told", told(t, d, func(tx *store.Tx) error { return tx.AddToken(a, 2, 1000) }), []string{fmt.Sprint("user ", ann)})
		write(t, d, func(tx *store.Tx) error { return tx.AddToken(b, 2, 1000) })
		wantError(t, "one too many", d.Write(t.Context(), func(tx *store.Tx) error { return tx.AddToken(newToken(ann, "c"), 2, 1000) }), store.ErrFull)
		equal(t, "left", names(t, d, ann), []string{"a", "b", "login"})
	})
	t.Run("in the place of those that have expired, so that whoever makes many doesn't fill the table", func(t *testing.T) {
		t.Parallel()
		d, _, _ := open(t, on)
		ann, bob := addUser(t, d, "ann"), addUser(t, d, "bob")
		long := newToken(ann, "long")
		long.Expires = 9000
		addSessions(t, d, newSession(ann, "login", 1), newToken(bob, "b"), newToken(ann, "a"), long)
		write(t, d, func(tx *store.Tx) error { return tx.AddToken(newToken(ann, "c"), 3, 4999) }) // the last second of a
		wantError(t, "one too many", d.Write(t.Context(), func(tx *store.Tx) error { return tx.AddToken(newToken(ann, "d"), 3, 4999) }), store.ErrFull)
		equal(t, "left", names(t, d, ann), []string{"a", "c", "login", "long"})
		write(t, d, func(tx *store.Tx) error { return tx.AddToken(newToken(ann, "d"), 3, 5000) })
		equal(t, "left of hers", names(t, d, ann), []string{"d", "login", "long"})
		equal(t, "left of his", names(t, d, bob), []string{"b"})
	})
	t.Run("for nobody who is gone or disabled", func(t *testing.T) {
		t.Parallel()
		d, _, _ := open(t, on)
		ann := addUser(t, d, "ann")
		write(t, d, func(tx *store.Tx) error { return tx.AddToken(newToken(ann, "a"), 2, 0) })
		write(t, d, func(tx *store.Tx) error { return tx.SetDisabled(ann, true) })
		for name, user := range map[string]int64{"disabled": ann, "gone": 99} {
			got := told(t, d, func(tx *store.Tx) error {
				wantError(t, name, tx.AddToken(newToken(user, "b"), 2, 0), store.ErrNotFound)
				return nil
			})
			if len(got) != 0 {
				t.Errorf("%s: told %q", name, got)
			}
		}
		equal(t, "left", names(t, d, ann), []string{"a"})
	})
	t.Run("many at once never are more than there may be", func(t *testing.T) {
		t.Parallel()
		d, _, _ := open(t, on)
		ann := addUser(t, d, "ann")
		var made atomic.Int64
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				err := d.Write(t.Context(), func(tx *store.Tx) error { return tx.AddToken(newToken(ann, fmt.Sprint(i)), 5, 0) })
				if err == nil {
					made.Add(1)
				} else {
					wantError(t, "another", err, store.ErrFull)
				}
			})
		}
		all.Wait()
		if n := len(names(t, d, ann)); n != 5 || made.Load() != 5 {
			t.Errorf("got %d tokens, %d made, want 5", n, made.Load())
		}
	})
}

func TestHasSession(t *testing.T) { storetest.Each(t, testHasSession) }

func testHasSession(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	s := newSession(addUser(t, d, "ann"), "a", 1)
	addSessions(t, d, s)
	write(t, d, func(tx *store.Tx) error {
		has, err := tx.HasSession(s.Hash)
		if !has || err != nil {
			t.Errorf("got %t, %v, want it", has, err)
		}
		if _, err := tx.DeleteSession(s.Hash); err != nil {
			return err
		}
		if has, err := tx.HasSession(s.Hash); has || err != nil {
			t.Errorf("ended in the same transaction: got %t, %v", has, err)
		}
		return nil
	})
}
