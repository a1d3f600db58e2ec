package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

func TestSessionRoundTrip(t *testing.T) { storetest.Each(t, testSessionRoundTrip) }

func testSessionRoundTrip(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	ann := addUser(t, d, "ann")
	want := store.Session{
		Hash: [32]byte{0, 1, 2, 255}, ID: "Aa_-", User: ann, Realm: "oidc", Created: 1, Seen: 2, Expires: 1 << 40,
		Method: "password+totp", Address: "2001:db8::1", Agent: "a\x01b\n'\"%🦊", Issuer: "https://issuer", Subject: "sub", SID: "sid", Data: `{"a":"b"}`,
	}
	addSessions(t, d, want)
	faults.Heal()
	got, err := session(t.Context(), d, want.Hash)
	if err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if got := roundTrips(faults); got != 1 {
		t.Errorf("got %d round trips %q, want 1", got, faults.Calls())
	}
	_, err = session(t.Context(), d, [32]byte{0, 1, 2})
	wantError(t, "another hash", err, store.ErrNotFound)
}

func TestSessionsByHash(t *testing.T) { storetest.Each(t, testSessionsByHash) }

func testSessionsByHash(t *testing.T, on storetest.Engine) {
	d, faults, base := open(t, on)
	ann := addUser(t, d, "ann")
	var all []store.Session
	var hashes [][32]byte
	for i := range 450 {
		s := newSession(ann, fmt.Sprint(i), int64(i))
		all, hashes = append(all, s), append(hashes, s.Hash)
	}
	insertSessions(t, base, all[:401])
	faults.Heal()
	got, err := d.SessionsByHash(t.Context(), append(hashes, hashes[0]))
	if err != nil || len(got) != 401 {
		t.Fatalf("got %d, %v, want 401", len(got), err)
	}
	for _, s := range all[:401] {
		if got[s.Hash] != s {
			t.Errorf("got %+v, want %+v", got[s.Hash], s)
		}
	}
	if got := roundTrips(faults); got != 3 {
		t.Errorf("got %d round trips, want 3", got)
	}
	if got, err := d.SessionsByHash(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of none: got %v, %v", got, err)
	}
}

func TestAddSession(t *testing.T) { storetest.Each(t, testAddSession) }

func testAddSession(t *testing.T, on storetest.Engine) {
	for name, test := range map[string]struct {
		change func(tx *store.Tx, ann int64) error // after sessions a, b, c (seen in this order) of userauth, d of oidc
		s      func(ann int64) store.Session
		max    int
		want   error
		left   []string
	}{
		"no limit": {nil, func(ann int64) store.Session { return newSession(ann, "new", 50) }, 0, nil, []string{"a", "b", "c", "d", "new"}},
		"S-19: those not seen for the longest time go":            {nil, func(ann int64) store.Session { return newSession(ann, "new", 50) }, 2, nil, []string{"c", "d", "new"}},
		"a limit that isn't reached":                              {nil, func(ann int64) store.Session { return newSession(ann, "new", 50) }, 4, nil, []string{"a", "b", "c", "d", "new"}},
		"a limit of one":                                          {nil, func(ann int64) store.Session { return newSession(ann, "new", 50) }, 1, nil, []string{"d", "new"}},
		"the new one stays, though it was seen before the others": {nil, func(ann int64) store.Session { return newSession(ann, "new", -50) }, 2, nil, []string{"c", "d", "new"}},
		"a disabled user":                                         {func(tx *store.Tx, ann int64) error { return tx.SetDisabled(ann, true) }, func(ann int64) store.Session { return newSession(ann, "new", 50) }, 1, store.ErrNotFound, []string{"a", "b", "c", "d"}},
		"a deleted user":                                          {func(tx *store.Tx, ann int64) error { return tx.DeleteUser(ann) }, func(ann int64) store.Session { return newSession(ann, "new", 50) }, 1, store.ErrNotFound, nil},
		"a user who never was":                                    {nil, func(ann int64) store.Session { return newSession(99, "new", 50) }, 1, store.ErrNotFound, []string{"a", "b", "c", "d"}},
		"a hash that is there": {nil, func(ann int64) store.Session {
			s := newSession(ann, "new", 50)
			s.Hash = newSession(ann, "a", 0).Hash
			return s
		}, 1, store.ErrExists, []string{"a", "b", "c", "d"}},
		"an id that is there": {nil, func(ann int64) store.Session {
			s := newSession(ann, "new", 50)
			s.ID = "id-a"
			return s
		}, 1, store.ErrExists, []string{"a", "b", "c", "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := open(t, on)
			ann, bob := addUser(t, d, "ann"), addUser(t, d, "bob")
			other := newSession(ann, "d", 1)
			other.Realm = "oidc"
			addSessions(t, d, newSession(ann, "a", 10), newSession(ann, "b", 20), newSession(ann, "c", 30), other, newSession(bob, "bob's", 1))
			err := d.Write(t.Context(), func(tx *store.Tx) error {
				if test.change != nil {
					if err := test.change(tx, ann); err != nil {
						return err
					}
				}
				err := tx.AddSession(test.s(ann), test.max)
				wantError(t, "adding", err, test.want)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "sessions", names(t, d, ann), test.left)
			equal(t, "bob's", names(t, d, bob), []string{"bob's"})
		})
	}
}

func TestDeleteSessions(t *testing.T) { storetest.Each(t, testDeleteSessions) }

func testDeleteSessions(t *testing.T, on storetest.Engine) {
	hash := newSession(0, "b", 0).Hash
	for name, test := range map[string]struct {
		fn   func(tx *store.Tx) (int, error)
		n    int
		left []string // of ann: a, b of userauth, o, p, q of two providers
		bob  []string
	}{
		"by its hash":                     {one(func(tx *store.Tx) (bool, error) { return tx.DeleteSession(hash) }), 1, []string{"a", "o", "p", "q"}, []string{"x", "y"}},
		"by an unknown hash":              {one(func(tx *store.Tx) (bool, error) { return tx.DeleteSession([32]byte{}) }), 0, []string{"a", "b", "o", "p", "q"}, []string{"x", "y"}},
		"by its id":                       {one(func(tx *store.Tx) (bool, error) { return tx.DeleteSessionByID(1, "userauth", "id-b") }), 1, []string{"a", "o", "p", "q"}, []string{"x", "y"}},
		"S-16: by somebody else's id":     {one(func(tx *store.Tx) (bool, error) { return tx.DeleteSessionByID(2, "userauth", "id-b") }), 0, []string{"a", "b", "o", "p", "q"}, []string{"x", "y"}},
		"by an id of another realm":       {one(func(tx *store.Tx) (bool, error) { return tx.DeleteSessionByID(1, "oidc", "id-b") }), 0, []string{"a", "b", "o", "p", "q"}, []string{"x", "y"}},
		"by an empty id":                  {one(func(tx *store.Tx) (bool, error) { return tx.DeleteSessionByID(1, "userauth", "") }), 0, []string{"a", "b", "o", "p", "q"}, []string{"x", "y"}},
		"all of a realm":                  {func(tx *store.Tx) (int, error) { return tx.DeleteSessions(1, "userauth", nil) }, 2, []string{"o", "p", "q"}, []string{"x", "y"}},
		"all of all realms":               {func(tx *store.Tx) (int, error) { return tx.DeleteSessions(1, "", nil) }, 5, nil, []string{"x", "y"}},
		"all but one":                     {func(tx *store.Tx) (int, error) { return tx.DeleteSessions(1, "", &hash) }, 4, []string{"b"}, []string{"x", "y"}},
		"all but somebody else's":         {func(tx *store.Tx) (int, error) { return tx.DeleteSessions(2, "", &hash) }, 2, []string{"a", "b", "o", "p", "q"}, nil},
		"by subject and sid":              {func(tx *store.Tx) (int, error) { return tx.DeleteSessionsBySID("iss", "ann", "1") }, 1, []string{"a", "b", "p", "q"}, []string{"x", "y"}},
		"all of a subject":                {func(tx *store.Tx) (int, error) { return tx.DeleteSessionsBySID("iss", "ann", "") }, 2, []string{"a", "b", "q"}, []string{"x", "y"}},
		"by sid alone":                    {func(tx *store.Tx) (int, error) { return tx.DeleteSessionsBySID("iss", "", "2") }, 2, []string{"a", "b", "o", "q"}, []string{"y"}},
		"LO-09: a sid of another subject": {func(tx *store.Tx) (int, error) { return tx.DeleteSessionsBySID("iss", "bob", "1") }, 0, []string{"a", "b", "o", "p", "q"}, []string{"x", "y"}},
		"another issuer":                  {func(tx *store.Tx) (int, error) { return tx.DeleteSessionsBySID("iss3", "ann", "1") }, 0, []string{"a", "b", "o", "p", "q"}, []string{"x", "y"}},
		"neither subject nor sid":         {func(tx *store.Tx) (int, error) { return tx.DeleteSessionsBySID("iss", "", "") }, 0, []string{"a", "b", "o", "p", "q"}, []string{"x", "y"}},
		"no issuer, subject nor sid":      {func(tx *store.Tx) (int, error) { return tx.DeleteSessionsBySID("", "", "") }, 0, []string{"a", "b", "o", "p", "q"}, []string{"x", "y"}},
		"a wildcard is only a character":  {func(tx *store.Tx) (int, error) { return tx.DeleteSessionsBySID("iss", "%", "") }, 0, []string{"a", "b", "o", "p", "q"}, []string{"x", "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := open(t, on)
			ann, bob := addUser(t, d, "ann"), addUser(t, d, "bob")
			sso := func(user int64, name, issuer, subject, sid string) store.Session {
				s := newSession(user, name, 1)
				s.Realm, s.Issuer, s.Subject, s.SID = "oidc", issuer, subject, sid
				return s
			}
			addSessions(t, d, newSession(ann, "a", 10), newSession(ann, "b", 20), sso(ann, "o", "iss", "ann", "1"), sso(ann, "p", "iss", "ann", "2"),
				sso(ann, "q", "iss2", "ann", "1"), sso(bob, "x", "iss", "bob", "2"), newSession(bob, "y", 1))
			var n int
			write(t, d, func(tx *store.Tx) (err error) { n, err = test.fn(tx); return err })
			if n != test.n {
				t.Errorf("got %d, want %d", n, test.n)
			}
			equal(t, "ann's", names(t, d, ann), test.left)
			equal(t, "bob's", names(t, d, bob), test.bob)
		})
	}
}

func one(fn func(tx *store.Tx) (bool, error)) func(tx *store.Tx) (int, error) {
	return func(tx *store.Tx) (int, error) {
		ended, err := fn(tx)
		return map[bool]int{true: 1}[ended], err
	}
}

// D-13: of many who end one session at once, one is told that it did.
func TestSessionEndsOnce(t *testing.T) { storetest.Each(t, testSessionEndsOnce) }

func testSessionEndsOnce(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	ann := addUser(t, d, "ann")
	s := newSession(ann, "a", 1)
	addSessions(t, d, s)
	other := openDB(t, base.Raw(t, plainOptions))
	var mu sync.Mutex
	total := 0
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			var ended bool
			err := []*store.DB{d, other}[i%2].Write(t.Context(), func(tx *store.Tx) (err error) { ended, err = tx.DeleteSession(s.Hash); return err })
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if ended {
				total++
			}
		})
	}
	wg.Wait()
	if total != 1 || head(t, d) != 1 {
		t.Errorf("ended %d times, told %d times, want once", total, head(t, d))
	}
}

// D-04: however a context ends between asking and reading, nobody gets another one's row.
func TestCancelledReadsGiveNobodyElse(t *testing.T) {
	storetest.Each(t, testCancelledReadsGiveNobodyElse)
}

func testCancelledReadsGiveNobodyElse(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	sessions := map[int64]store.Session{}
	for i := range 4 {
		user := addUser(t, d, fmt.Sprint("u", i))
		sessions[user] = newSession(user, fmt.Sprint("s", i), 1)
		write(t, d, func(tx *store.Tx) error {
			return tx.Grant(user, []store.Permission{{Resource: fmt.Sprint(user), Action: "x"}})
		})
	}
	addSessions(t, d, slices.Collect(maps.Values(sessions))...)
	var wg sync.WaitGroup
	for user, s := range sessions {
		wg.Go(func() {
			for range 50 {
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				got, err := session(ctx, d, s.Hash)
				if err == nil && got != s || err != nil && got != (store.Session{}) {
					t.Errorf("got %+v, %v, want %+v", got, err, s)
				}
				all, err := d.Accounts(ctx, []int64{user})
				if err == nil && (len(all) != 1 || all[user].ID != user || len(all[user].Permissions) != 1 || all[user].Permissions[0].Resource != fmt.Sprint(user)) {
					t.Errorf("got %+v, want user %d", all[user], user)
				}
				if err != nil {
					wantError(t, "reading", err, store.ErrUnavailable)
				}
			}
		})
	}
	wg.Wait()
}

func TestSessionInATransaction(t *testing.T) { storetest.Each(t, testSessionInATransaction) }

func testSessionInATransaction(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	ann, bob := addUser(t, d, "ann"), addUser(t, d, "bob")
	want, other := newSession(ann, "a", 1), newSession(bob, "b", 1)
	want.Realm, want.Issuer, want.Subject, want.SID, want.Data = "oidc", "iss", "sub", "sid", `{"n":1}`
	want.Expires = 2 // has expired, which is for the caller to see
	addSessions(t, d, want, other)
	read := func(hash [32]byte) (s store.Session, err error) {
		err = d.Write(t.Context(), func(tx *store.Tx) (err error) { s, err = tx.Session(hash); return err })
		return s, err
	}
	if got, err := read(want.Hash); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := read([32]byte{1}); !errors.Is(err, store.ErrNotFound) || got != (store.Session{}) {
		t.Errorf("one that isn't there: got %+v, %v", got, err)
	}

	set := func(hash [32]byte, user int64, data string) func(tx *store.Tx) error {
		return func(tx *store.Tx) error { return tx.SetSessionData(hash, user, data) }
	}
	for _, data := range []string{`{"n":2,"🦊":"'\\"}`, `{"n":2,"🦊":"'\\"}`, ""} { // also what it was already
		equal(t, "told", told(t, d, set(want.Hash, ann, data)), []string{fmt.Sprint("user ", ann)})
		want.Data = data
		if got, err := read(want.Hash); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	for name, test := range map[string]struct {
		fn   func(tx *store.Tx) error
		want error
	}{
		"a session that isn't there": {set([32]byte{1}, ann, "x"), store.ErrNotFound},
		"somebody else's session":    {set(want.Hash, bob, "x"), store.ErrNotFound},
		"a text that can't be kept":  {set(want.Hash, ann, "a\x00"), store.ErrInvalid},
		"a session that has ended in the same transaction": {func(tx *store.Tx) error {
			if _, err := tx.DeleteSession(want.Hash); err != nil {
				return err
			}
			return tx.SetSessionData(want.Hash, ann, "x")
		}, store.ErrNotFound},
	} {
		before := head(t, d)
		wantError(t, name, d.Write(t.Context(), test.fn), test.want)
		if got := head(t, d); got != before {
			t.Errorf("%s: the feed tells of it", name)
		}
	}
	if got, err := read(want.Hash); err != nil || got != want {
		t.Errorf("afterwards: got %+v, %v, want %+v", got, err, want)
	}
	if got, err := read(other.Hash); err != nil || got != other {
		t.Errorf("the other's: got %+v, %v, want %+v", got, err, other)
	}
}
