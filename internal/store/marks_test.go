package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

func once(t *testing.T, d *store.DB, realm, about string, expires int64) (first bool) {
	t.Helper()
	write(t, d, func(tx *store.Tx) (err error) {
		first, err = tx.Once(realm, sha256.Sum256([]byte(about)), expires)
		return err
	})
	return first
}

func mark(t *testing.T, d *store.DB, realm, about string, value, expires int64) {
	t.Helper()
	write(t, d, func(tx *store.Tx) error { return tx.Mark(realm, sha256.Sum256([]byte(about)), value, expires) })
}

// marked gives "value", or "" where there is no mark.
func marked(t *testing.T, d *store.DB, realm, about string) (value string) {
	t.Helper()
	write(t, d, func(tx *store.Tx) error {
		n, is, err := tx.Marked(realm, sha256.Sum256([]byte(about)))
		if value = ""; is {
			value = fmt.Sprint(n)
		}
		return err
	})
	return value
}

// O-01, LO-06: what may happen once happens once, in each realm, also where its time is over.
func TestOnce(t *testing.T) { storetest.Each(t, testOnce) }

func testOnce(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	before := head(t, d)
	for _, step := range []struct {
		what, realm, about string
		expires            int64
		want               bool
	}{
		{"the first time", "state", "a", 1000, true},
		{"the second time", "state", "a", 1000, false},
		{"with another end", "state", "a", 5000, false},
		{"another thing", "state", "b", 1000, true},
		{"in another realm", "jti", "a", 1000, true},
		{"in a realm with another case", "STATE", "a", 1000, true},
		{"what was over when it was marked", "state", "old", -1, true},
		{"and comes again", "state", "old", -1, false},
	} {
		if got := once(t, d, step.realm, step.about, step.expires); got != step.want {
			t.Errorf("%s: got first %v, want %v", step.what, got, step.want)
		}
	}
	// A transaction goes on after it was told that something isn't the first time.
	write(t, d, func(tx *store.Tx) error {
		again, err1 := tx.Once("state", sha256.Sum256([]byte("a")), 1000)
		next, err2 := tx.Once("state", sha256.Sum256([]byte("c")), 1000)
		if again || !next {
			t.Errorf("in one transaction: got first %v and %v, want false and true", again, next)
		}
		return errors.Join(err1, err2)
	})
	if once(t, d, "state", "c", 1000) {
		t.Error("what came after a refusal wasn't stored")
	}
	if got := head(t, d); got != before {
		t.Errorf("the feed tells of %d changes", got-before)
	}
	// What was rolled back hasn't happened.
	err := d.Write(t.Context(), func(tx *store.Tx) error {
		if first, err := tx.Once("state", sha256.Sum256([]byte("rolled back")), 1000); !first || err != nil {
			t.Errorf("got %v, %v", first, err)
		}
		return store.ErrChanged
	})
	wantError(t, "a transaction that refuses", err, store.ErrChanged)
	if !once(t, d, "state", "rolled back", 1000) {
		t.Error("what was rolled back counts")
	}
	wantError(t, "a realm that can't be stored", d.Write(t.Context(), func(tx *store.Tx) error {
		first, err := tx.Once("a\x00", [32]byte{}, 1000)
		if first {
			t.Error("it is told to be the first")
		}
		return err
	}), store.ErrInvalid)
}

// Of many who ask at once, in two processes, one is told that it is the first.
func TestOnceAmongMany(t *testing.T) { storetest.Each(t, testOnceAmongMany) }

func testOnceAmongMany(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	other := openDB(t, base.Raw(t, plainOptions))
	var total atomic.Int32
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			var first bool
			err := []*store.DB{d, other}[i%2].Write(t.Context(), func(tx *store.Tx) (err error) {
				first, err = tx.Once("jti", [32]byte{1}, 1000)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if first {
				total.Add(1)
			}
		})
	}
	wg.Wait()
	if got := total.Load(); got != 1 {
		t.Errorf("%d were the first, want 1", got)
	}
}

func TestMark(t *testing.T) { storetest.Each(t, testMark) }

func testMark(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	before := head(t, d)
	if got := marked(t, d, "ended", "sid"); got != "" {
		t.Errorf("before: got %q", got)
	}
	for _, step := range []struct {
		what           string
		value, expires int64
		want           string
	}{
		{"at first", 100, 1000, "100"},
		{"the same again", 100, 1000, "100"},
		{"a larger value with an earlier end", 200, 900, "200"},
		{"a smaller value with a later end", 50, 2000, "200"},
	} {
		mark(t, d, "ended", "sid", step.value, step.expires)
		if got := marked(t, d, "ended", "sid"); got != step.want {
			t.Errorf("%s: got %q, want %q", step.what, got, step.want)
		}
	}
	mark(t, d, "ended", "negative", -5, 1)
	for about, want := range map[[2]string]string{{"ended", "other"}: "", {"other", "sid"}: "", {"ended", "negative"}: "-5"} {
		if got := marked(t, d, about[0], about[1]); got != want {
			t.Errorf("%q: got %q, want %q", about, got, want)
		}
	}
	if once(t, d, "ended", "sid", 1) {
		t.Error("what is marked has happened")
	}
	mark(t, d, "other", "sid", 7, 5000)
	mark(t, d, "other", "sid", 900, 5000)
	if got := marked(t, d, "ended", "sid"); got != "200" {
		t.Errorf("after marks of another realm: got %q, want 200", got)
	}
	// The later end counts: one second earlier the mark is there, at it the purge takes it.
	for _, at := range []struct {
		now  int64
		n    int
		left string
	}{{1999, 1, "200"}, {2000, 1, ""}} { // "negative" goes first
		if n, err := d.Purge(t.Context(), nil, at.now, 10); err != nil || n != at.n {
			t.Errorf("purging at %d: got %d, %v, want %d", at.now, n, err, at.n)
		}
		if got := marked(t, d, "ended", "sid"); got != at.left {
			t.Errorf("purged at %d: got %q, want %q", at.now, got, at.left)
		}
	}
	if got := head(t, d); got != before {
		t.Errorf("the feed tells of %d changes", got-before)
	}
}

// Marks go when they are over, in batches with the sessions, and those that aren't stay.
func TestPurgeMarks(t *testing.T) { storetest.Each(t, testPurgeMarks) }

func testPurgeMarks(t *testing.T, on storetest.Engine) {
	for _, batch := range []int{0, 1, 7, 1000} {
		t.Run(fmt.Sprint("batches of ", batch), func(t *testing.T) {
			t.Parallel()
			d, _, base := open(t, on)
			ann := addUser(t, d, "ann")
			session := newSession(ann, "expired", 1)
			session.Expires = 1000
			addSessions(t, d, session, newSession(ann, "live", 900))
			const realms, each = 2, 210 // more than one statement takes
			var args []any
			for i := range realms * each {
				hash := sha256.Sum256(fmt.Append(nil, i/realms)) // the same in both realms
				args = append(args, fmt.Sprint("realm", i%realms), hash[:], 1, 1000)
			}
			base.Exec(t, "INSERT INTO auth_marks VALUES (?, ?, ?, ?)"+strings.Repeat(", (?, ?, ?, ?)", realms*each-1), args...)
			mark(t, d, "realm0", "a second more", 7, 1001)
			total := 0
			for {
				n, err := d.Purge(t.Context(), map[string]int64{"userauth": 0}, 1000, batch)
				if err != nil || n > batch {
					t.Fatalf("got %d, %v, want at most %d", n, err, batch)
				}
				total += n
				if n < batch || batch == 0 {
					break
				}
			}
			if want := realms*each + 1; batch > 0 && total != want {
				t.Errorf("got %d, want %d", total, want)
			}
			if got := marked(t, d, "realm0", "a second more"); got != "7" {
				t.Errorf("what isn't over: got %q", got)
			}
			if got := marked(t, d, "realm1", "0"); (got == "") != (batch > 0) {
				t.Errorf("what is over: got %q", got)
			}
			want := []string{"live"}
			if batch == 0 {
				want = []string{"expired", "live"}
			}
			equal(t, "sessions", names(t, d, ann), want)
		})
	}
}

// A database of the version before has what it had, and can hold marks.
func TestMarksComeToAnOlderDatabase(t *testing.T) { storetest.Each(t, testMarksComeToAnOlderDatabase) }

func testMarksComeToAnOlderDatabase(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	ann := addUser(t, d, "ann")
	base.Exec(t, "DROP TABLE auth_marks")
	base.Exec(t, "DELETE FROM auth_schema_migrations WHERE version = 4")
	if on == storetest.MySQL {
		base.Exec(t, "DELETE FROM auth_schema_steps WHERE version = 4")
	}
	db := base.Raw(t, plainOptions)
	todo, err := store.Pending(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "pending", todo, []string{"0004_marks"})
	d = openDB(t, db)
	if got := account(t, d, ann).Key; got != "ann" {
		t.Errorf("got %q", got)
	}
	if !once(t, d, "state", "a", 1) || once(t, d, "state", "a", 1) {
		t.Error("it doesn't hold marks")
	}
}

// LO-10, LO-14, D-01: whichever call fails, nobody is told "the first" who isn't, and nobody "not marked" of what is.
func TestMarksFailClosed(t *testing.T) { storetest.Each(t, testMarksFailClosed) }

func testMarksFailClosed(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	mark(t, d, "ended", "sid", 7, 1000)
	for mode, set := range map[string]func(int){"fails": faults.FailAt, "answer lost": faults.LoseAt} {
		for k := 1; ; k++ {
			set(k)
			var first, is bool
			err := d.Write(t.Context(), func(tx *store.Tx) (err error) {
				if first, err = tx.Once("ended", sha256.Sum256([]byte("sid")), 1000); first {
					t.Errorf("call %d %s: told to be the first", k, mode)
				}
				if err != nil {
					return err
				}
				if _, is, err = tx.Marked("ended", sha256.Sum256([]byte("sid"))); err == nil && !is {
					t.Errorf("call %d %s: told not to be marked", k, mode)
				}
				return err
			})
			broken := faults.Broken()
			faults.Heal()
			if broken == 0 {
				break
			}
			if err == nil && mode == "answer lost" {
				continue // what was lost was that there are no more rows
			}
			wantError(t, fmt.Sprintf("call %d %s", k, mode), err, store.ErrUnavailable)
		}
	}
	var ctx, cancel = context.WithCancel(t.Context())
	cancel()
	wantError(t, "a context that has ended", d.Write(ctx, func(*store.Tx) error { return nil }), store.ErrUnavailable)
}
