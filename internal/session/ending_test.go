package session_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// endings are all ways in which the session of token, which is alice's, ends.
var endings = []struct {
	name string
	how  func(tx *store.Tx, alice int64, row store.Session) error
}{
	{"S-05 logout", func(tx *store.Tx, _ int64, row store.Session) error {
		_, err := tx.DeleteSession(row.Hash)
		return err
	}},
	{"S-05 ended by its public id", func(tx *store.Tx, alice int64, row store.Session) error {
		_, err := tx.DeleteSessionByID(alice, "userauth", row.ID)
		return err
	}},
	{"S-11 a new password and a new session", func(tx *store.Tx, alice int64, _ store.Session) error {
		if err := tx.ReplacePassword(alice, "another hash", 1); err != nil {
			return err
		}
		_, err := tx.DeleteSessions(alice, "", nil)
		return err
	}},
	{"S-12 alice is disabled", func(tx *store.Tx, alice int64, _ store.Session) error { return tx.SetDisabled(alice, true) }},
	{"S-12 alice is deleted", func(tx *store.Tx, alice int64, _ store.Session) error { return tx.DeleteUser(alice) }},
	{"S-17 an admin ends all of hers", func(tx *store.Tx, alice int64, _ store.Session) error {
		_, err := tx.DeleteSessions(alice, "", nil)
		return err
	}},
	{"the provider ends it", func(tx *store.Tx, _ int64, row store.Session) error {
		_, err := tx.DeleteSessionsBySID(row.Issuer, row.Subject, row.SID)
		return err
	}},
}

// beginAt is login at a provider.
func beginAt(t *testing.T, e *engine, user int64, sid string) (token string) {
	t.Helper()
	write(t, e, func(tx *store.Tx) (err error) {
		token, err = e.Begin(tx, store.Session{User: user, Issuer: "https://op", Subject: "alice", SID: sid})
		return err
	})
	return token
}

// A session that ends is refused in the same process at once, and what it has opened is told before Write returns.
func TestEndedHereAtOnce(t *testing.T) { storetest.Each(t, testEndedHereAtOnce) }

func testEndedHereAtOnce(t *testing.T, on storetest.Engine) {
	for _, tc := range endings {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := setupOn(t, on)
			e := f.engine()
			alice, bob := user(t, e, "alice"), user(t, e, "bob")
			token, bobs := beginAt(t, e, alice, "1"), login(t, e, bob)
			row, err := stored(t.Context(), f.db, hashOf(t, token))
			if err != nil {
				t.Fatal(err)
			}
			s, other := handle(t, e, token), handle(t, e, bobs)
			w, stop := watching(s)
			defer stop()
			wb, stop := watching(other)
			defer stop()
			write(t, e, func(tx *store.Tx) error { return tc.how(tx, alice, row) })
			if got := w.told.Load(); got == 0 {
				t.Error("who watches it isn't told")
			}
			current(t, s, errEnded)
			refused(t, e, token, errEnded)
			f.faults.Fail() // from memory it is known as well
			current(t, s, errEnded)
			f.faults.Heal()
			current(t, other, nil)
			find(t, e, bobs)
			if got := wb.told.Load(); got != 0 {
				t.Errorf("who watches bob's is told %d times", got)
			}
		})
	}
}

// Within a second it ends in every other process. The bubble's time is exact: no luck, and no slow machine, is in it.
func TestEndedElsewhereWithinASecond(t *testing.T) {
	t.Parallel()
	for _, tc := range endings {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, f *fixture) {
				here := f.engine()
				there, _ := f.otherProcess()
				alice, bob := user(t, here, "alice"), user(t, here, "bob")
				token, bobs := beginAt(t, here, alice, "1"), login(t, here, bob)
				row, err := stored(t.Context(), f.db, hashOf(t, token))
				if err != nil {
					t.Fatal(err)
				}
				s := handle(t, there, token)
				find(t, there, bobs)
				_, stop := watching(s)
				defer stop()
				told := time.Time{}
				defer s.Watch(func() { told = time.Now() })()
				time.Sleep(1700 * time.Millisecond) // not in step with the polls
				ended := time.Now()
				write(t, here, func(tx *store.Tx) error { return tc.how(tx, alice, row) })
				for time.Since(ended) < time.Second {
					if p, err := there.Find(t.Context(), token); err != nil {
						if p != nil || !errors.Is(err, errEnded) {
							t.Fatalf("got %v, %v, want nobody and %v", p, err, errEnded)
						}
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				refused(t, there, token, errEnded)
				current(t, s, errEnded)
				if after := told.Sub(ended); after < 0 || after > 300*time.Millisecond {
					t.Errorf("told %v after the end, want within a poll's 250 ms", after)
				}
				find(t, there, bobs)
			})
		})
	}
}

// S-16: all the others end, and nobody else's.
func TestEndingTheOthersKeepsTheOneThatAsks(t *testing.T) {
	storetest.Each(t, testEndingTheOthersKeepsTheOneThatAsks)
}

func testEndingTheOthersKeepsTheOneThatAsks(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine()
	alice, bob := user(t, e, "alice"), user(t, e, "bob")
	mine, bobs := login(t, e, alice), login(t, e, bob)
	others := []string{login(t, e, alice), login(t, e, alice)}
	for _, token := range append(others, mine, bobs) {
		find(t, e, token)
	}
	s := handle(t, e, mine)
	_, stop := watching(s)
	defer stop()
	hash := hashOf(t, mine)
	write(t, e, func(tx *store.Tx) error { _, err := tx.DeleteSessions(alice, "userauth", &hash); return err })
	for _, token := range others {
		refused(t, e, token, errEnded)
	}
	current(t, s, nil) // at once: it was looked up before Write returned
	find(t, e, mine)
	find(t, e, bobs)
	if list, err := e.List(t.Context(), alice); err != nil || len(list) != 1 || list[0].Hash != hash {
		t.Errorf("the list is %v, %v, want the one session", list, err)
	}
}

// S-13, S-18: what a user holds changes at once, in the session that there is.
func TestWhatAUserHoldsChangesAtOnce(t *testing.T) {
	storetest.Each(t, testWhatAUserHoldsChangesAtOnce)
}

func testWhatAUserHoldsChangesAtOnce(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine()
	alice := user(t, e, "alice")
	write(t, e, func(tx *store.Tx) error { return tx.Grant(alice, permission("contents:write")) })
	token := login(t, e, alice)
	s := handle(t, e, token)
	w, stop := watching(s)
	defer stop()
	name := "Alice L."
	for _, step := range []struct {
		what   string
		change func(tx *store.Tx) error
		want   person
	}{
		{"more", func(tx *store.Tx) error { return tx.Grant(alice, permission("contents:read")) }, person{name: "alice", holds: "contents:read contents:write"}},
		{"less", func(tx *store.Tx) error { return tx.Revoke(alice, permission("contents:write")) }, person{name: "alice", holds: "contents:read"}},
		{"nothing", func(tx *store.Tx) error { return tx.Revoke(alice, permission("contents:read")) }, person{name: "alice"}},
		{"another name", func(tx *store.Tx) error { return tx.UpdateProfile(alice, store.ProfileUpdate{DisplayName: &name}) }, person{name: name}},
	} {
		before := w.told.Load()
		write(t, e, step.change)
		step.want.id, step.want.session = alice, s
		if got := find(t, e, token); *got != step.want {
			t.Errorf("%s: found %+v, want %+v", step.what, *got, step.want)
		}
		if got, err := s.Current(); err != nil || *got != step.want {
			t.Errorf("%s: what is open has %+v, %v, want %+v", step.what, got, err, step.want)
		}
		if w.told.Load() == before {
			t.Errorf("%s: not told", step.what)
		}
	}
}

// S-13: a role's change reaches everybody who has it, in all processes.
func TestARoleReachesEverybody(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		here := f.engine()
		there, _ := f.otherProcess()
		var version int64
		role := func(permissions string) func(tx *store.Tx) error {
			return func(tx *store.Tx) (err error) {
				version, err = tx.PutRole(store.Role{Name: "editor", Permissions: permission(permissions)}, version)
				return err
			}
		}
		write(t, here, role("contents:read"))
		const n = 250 // more than are looked up at once
		var open, closed []*sess
		var tokens []string
		var watches []*watch
		write(t, here, func(tx *store.Tx) error {
			for i := range n {
				id, err := tx.AddUser(store.User{Key: strconv.Itoa(i)})
				if err != nil {
					return err
				}
				if err := tx.AddRoles(id, []string{"editor"}); err != nil {
					return err
				}
				token, err := here.Begin(tx, store.Session{User: id})
				if err != nil {
					return err
				}
				tokens = append(tokens, token)
			}
			return nil
		})
		for i, token := range tokens {
			s := handle(t, there, token)
			if i%2 == 0 {
				closed = append(closed, s)
				continue
			}
			w, stop := watching(s)
			defer stop()
			open, watches = append(open, s), append(watches, w)
		}
		hold := func(what, want string) {
			t.Helper()
			for i, s := range open {
				if got, err := s.Current(); err != nil || got.holds != want {
					t.Fatalf("%s: what is open, number %d, holds %v, %v, want %q", what, i, got, err, want)
				}
				if watches[i].told.Swap(0) == 0 {
					t.Fatalf("%s: number %d isn't told", what, i)
				}
			}
			for _, e := range []*engine{here, there} {
				for i, token := range tokens {
					if got := find(t, e, token); got.holds != want {
						t.Fatalf("%s: found number %d to hold %q, want %q", what, i, got.holds, want)
					}
				}
			}
		}
		for _, step := range []struct {
			what, want string
			change     func(tx *store.Tx) error
		}{
			{"the role holds something else", "contents:write", role("contents:write")},
			{"the role is gone", "", func(tx *store.Tx) error { return tx.DeleteRole("editor") }},
		} {
			write(t, here, step.change)
			for _, token := range tokens[:10] { // here at once
				if got := find(t, here, token); got.holds != step.want {
					t.Errorf("%s: holds %q here, want %q", step.what, got.holds, step.want)
				}
			}
			time.Sleep(time.Second)
			hold(step.what, step.want)
		}
		if len(closed) == 0 {
			t.Fatal("nothing was without an open socket")
		}
	})
}

// S-14, S-15
func TestAUserOfTheSameNameIsAnother(t *testing.T) {
	storetest.Each(t, testAUserOfTheSameNameIsAnother)
}

func testAUserOfTheSameNameIsAnother(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine()
	first := user(t, e, "alice")
	write(t, e, func(tx *store.Tx) error { return tx.Grant(first, permission("contents:write")) })
	token := login(t, e, first)
	s := handle(t, e, token)
	_, stop := watching(s)
	defer stop()
	write(t, e, func(tx *store.Tx) error { return tx.DeleteUser(first) })
	second := user(t, e, "alice")
	if second == first {
		t.Fatalf("the id %d is given again", first)
	}
	theirs := login(t, e, second)
	for _, e := range []*engine{e, f.engine()} {
		refused(t, e, token, errEnded)
		if got := find(t, e, theirs); got.id != second || got.holds != "" {
			t.Errorf("found %+v, want the second alice, who holds nothing", got)
		}
	}
	current(t, s, errEnded)
}

// A session whose row somebody gave to another user is not the first user's any more.
func TestARowOfAnotherUser(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine()
	alice, bob := user(t, e, "alice"), user(t, e, "bob")
	token := login(t, e, alice)
	s := handle(t, e, token)
	exec(t, f.raw(), "UPDATE auth_sessions SET user_id = ?", bob)
	write(t, e, func(tx *store.Tx) error { return tx.Grant(alice, permission("contents:write")) })
	if got := find(t, e, token); got.id != bob || got.holds != "" {
		t.Errorf("found %+v, want bob, who holds nothing", got)
	}
	if got, err := s.Current(); err == nil && got.id == alice {
		t.Errorf("what was alice's is %+v", got)
	}
}

// S-24, S-25
func TestRealmsDoNotCross(t *testing.T) { storetest.Each(t, testRealmsDoNotCross) }

func testRealmsDoNotCross(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	users := f.engine()
	oidc := f.engine(func(c *config) { c.Realm = "oidc" })
	alice := user(t, users, "alice")
	one, two := login(t, users, alice), login(t, oidc, alice)
	for range 2 { // from the database, and after it
		find(t, users, one)
		find(t, oidc, two)
		refused(t, users, two, errEnded)
		refused(t, oidc, one, errEnded)
	}
	for e, want := range map[*engine]string{users: "userauth", oidc: "oidc"} {
		if list, err := e.List(t.Context(), alice); err != nil || len(list) != 1 || list[0].Realm != want {
			t.Errorf("the list of %s is %v, %v, want its one session", want, list, err)
		}
	}
	write(t, users, func(tx *store.Tx) error { _, err := tx.DeleteSessions(alice, "userauth", nil); return err })
	refused(t, users, one, errEnded)
	find(t, oidc, two)
}

// S-18
func TestStrangersLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine()
	raw := f.raw()
	for i := range 2000 {
		if p, err := e.Find(t.Context(), strings.Repeat("A", 38)+"-"+string([]byte{'a' + byte(i/676), 'a' + byte(i/26%26), 'a' + byte(i%26), 'A'})); err != errEnded || p != nil {
			t.Fatalf("got %v, %v, want %v", p, err, errEnded)
		}
	}
	if got := e.Sizes(); got.Cached+got.Users+got.Pending+got.Flights+got.Touches != 0 {
		t.Errorf("it remembers %+v", got)
	}
	if got := number(t, raw, "SELECT COUNT(*) FROM auth_sessions"); got != 0 {
		t.Errorf("there are %d sessions", got)
	}
}

// S-19: beyond the limit the longest unused ends, and is told.
func TestSessionsOfOneUserAreBounded(t *testing.T) {
	storetest.Each(t, testSessionsOfOneUserAreBounded)
}

func testSessionsOfOneUserAreBounded(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine(func(c *config) { c.PerUser = 5 })
	alice, bob := user(t, e, "alice"), user(t, e, "bob")
	bobs := login(t, e, bob)
	var tokens []string
	for range 5 {
		tokens = append(tokens, login(t, e, alice))
		f.clock.advance(time.Second)
	}
	s := handle(t, e, tokens[0])
	w, stop := watching(s)
	defer stop()
	for range 60 {
		tokens = append(tokens, login(t, e, alice))
		f.clock.advance(time.Second)
	}
	if w.told.Load() == 0 {
		t.Error("not told")
	}
	current(t, s, errEnded)
	for i, token := range tokens {
		if i < len(tokens)-5 {
			refused(t, e, token, errEnded)
		} else {
			find(t, e, token)
		}
	}
	find(t, e, bobs)
	if got := number(t, f.raw(), "SELECT COUNT(*) FROM auth_sessions WHERE user_id = ?", alice); got != 5 {
		t.Errorf("alice has %d sessions, want 5", got)
	}
}

// S-12: who is gone or disabled gets none.
func TestNoSessionForWhoMayNotLogIn(t *testing.T) { storetest.Each(t, testNoSessionForWhoMayNotLogIn) }

func testNoSessionForWhoMayNotLogIn(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	e := f.engine()
	alice := user(t, e, "alice")
	write(t, e, func(tx *store.Tx) error { return tx.SetDisabled(alice, true) })
	for name, id := range map[string]int64{"disabled": alice, "gone": alice + 1} {
		err := e.Write(t.Context(), func(tx *store.Tx) error {
			token, err := e.Begin(tx, store.Session{User: id})
			if token != "" {
				t.Errorf("%s: got a token", name)
			}
			return err
		})
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v, want %v", name, err, store.ErrNotFound)
		}
	}
	if got := number(t, f.raw(), "SELECT COUNT(*) FROM auth_sessions"); got != 0 {
		t.Errorf("there are %d sessions", got)
	}
}

// S-26: neither "no" nor "don't know" is remembered.
func TestNoAnswerButYesIsRemembered(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine()
	alice := user(t, e, "alice")
	unknown := strings.Repeat("x", 43)
	refused(t, e, unknown, errEnded)
	write(t, e, func(tx *store.Tx) error {
		return tx.AddSession(store.Session{Hash: hashOf(t, unknown), ID: "id", User: alice, Realm: "userauth", Seen: 2e9, Expires: 2e9 + 60}, 0)
	})
	if got := find(t, e, unknown); got.id != alice {
		t.Errorf("found %+v, want alice", got)
	}
	token := login(t, e, alice)
	f.faults.Fail()
	refused(t, e, token, errUnavailable)
	f.faults.Heal()
	if got := find(t, e, token); got.id != alice {
		t.Errorf("found %+v, want alice", got)
	}
	broken := errors.New("broken")
	failing := true
	other := f.engine(func(c *config) {
		load := loader(f.db)
		c.Load = func(ctx ctxt, ids []int64) (people, error) {
			if failing {
				return people{alice: {id: alice}}, broken
			}
			return load(ctx, ids)
		}
	})
	if p, err := other.Find(t.Context(), token); p != nil || !errors.Is(err, errUnavailable) || !errors.Is(err, broken) {
		t.Errorf("got %v, %v, want nobody, %v and %v", p, err, errUnavailable, broken)
	}
	if got := other.Sizes(); got.Users+got.Cached+got.Flights != 0 {
		t.Errorf("it remembers %+v", got)
	}
	failing = false
	find(t, other, token)
}
