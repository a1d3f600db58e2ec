package store_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

func TestTouch(t *testing.T) { storetest.Each(t, testTouch) }

func testTouch(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	ann := addUser(t, d, "ann")
	a, b, gone := newSession(ann, "a", 100), newSession(ann, "b", 100), newSession(ann, "gone", 100)
	addSessions(t, d, a, b, gone)
	write(t, d, func(tx *store.Tx) error { _, err := tx.DeleteSession(gone.Hash); return err })
	before := head(t, d)
	if err := d.Touch(t.Context(), map[[32]byte]int64{a.Hash: 200, b.Hash: 50, gone.Hash: 300}); err != nil {
		t.Fatal(err)
	}
	a.Seen = 200 // b was seen later than that already
	got, err := d.SessionsByHash(t.Context(), [][32]byte{a.Hash, b.Hash, gone.Hash})
	if err != nil || len(got) != 2 || got[a.Hash] != a || got[b.Hash] != b { // V-04: what has ended doesn't come back
		t.Errorf("got %+v, %v", got, err)
	}
	if head(t, d) != before {
		t.Error("the feed tells of a touch")
	}
	faults.Fail()
	if err := d.Touch(t.Context(), nil); err != nil || len(faults.Calls()) != 0 {
		t.Errorf("of none: got %v and calls %q", err, faults.Calls())
	}
	wantError(t, "of one", d.Touch(t.Context(), map[[32]byte]int64{a.Hash: 300}), store.ErrUnavailable)
}

func TestPurge(t *testing.T) { storetest.Each(t, testPurge) }

func testPurge(t *testing.T, on storetest.Engine) {
	// now is 1000, and in the realm "userauth" who wasn't seen since 500 is idle; in "other" nobody is.
	sessions := map[string]struct {
		realm         string
		seen, expires int64
		ended         bool
	}{
		"live":                      {"userauth", 900, 2000, false},
		"expires in a second":       {"userauth", 900, 1001, false},
		"S-08: expires now":         {"userauth", 900, 1000, true},
		"has expired":               {"userauth", 900, 999, true},
		"idle":                      {"userauth", 499, 2000, true},
		"at the limit":              {"userauth", 500, 2000, false},
		"idle, in another realm":    {"other", 1, 2000, false},
		"expired, another realm":    {"other", 900, 1, true},
		"idle and expired":          {"userauth", 1, 1, true},
		"seen in the future":        {"userauth", 5000, math.MaxInt64, false},
		"expired, realm unheard of": {"third", 900, 1000, true},
	}
	for _, batch := range []int{0, 1, 2, 100, 1000} {
		t.Run(fmt.Sprint("batches of ", batch), func(t *testing.T) {
			t.Parallel()
			d, _, _ := open(t, on)
			ann := addUser(t, d, "ann")
			var live []string
			ended := 0
			for name, s := range sessions {
				row := newSession(ann, name, s.seen)
				row.Realm, row.Expires = s.realm, s.expires
				addSessions(t, d, row)
				if s.ended {
					ended++
				}
				if !s.ended || batch == 0 {
					live = append(live, name)
				}
			}
			total := 0
			for {
				n, err := d.Purge(t.Context(), map[string]int64{"userauth": 500, "other": 0}, 1000, batch)
				if err != nil || n > batch {
					t.Fatalf("got %d, %v, want at most %d", n, err, batch)
				}
				total += n
				if n < batch || batch == 0 {
					break
				}
			}
			if batch > 0 && total != ended {
				t.Errorf("got %d, want %d", total, ended)
			}
			slices.Sort(live)
			equal(t, "left", names(t, d, ann), live)
			if got := head(t, d); got != 0 {
				t.Errorf("the feed tells of %d", got)
			}
		})
	}
}

// S-20: while sessions are seen, none of them is purged, and none that has ended comes back.
func TestPurgeBesideTouches(t *testing.T) { storetest.Each(t, testPurgeBesideTouches) }

func testPurgeBesideTouches(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	other := openDB(t, base.Raw(t, map[storetest.Engine]string{storetest.SQLite: "?_pragma=busy_timeout(1000)"}[on]))
	ann := addUser(t, d, "ann")
	live := map[[32]byte]int64{}
	want := []string{}
	for i := range 10 {
		s, idle := newSession(ann, fmt.Sprintf("live%02d", i), 100), newSession(ann, fmt.Sprint("idle", i), 1)
		live[s.Hash] = 100
		want = append(want, fmt.Sprintf("live%02d", i))
		addSessions(t, d, s, idle)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for at := range int64(10) {
			seen := map[[32]byte]int64{}
			for hash := range live {
				seen[hash] = 100 + at
			}
			if err := other.Touch(t.Context(), seen); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for range 10 {
			if _, err := d.Purge(t.Context(), map[string]int64{"userauth": 100}, 1000, 3); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	equal(t, "left", names(t, d, ann), want)
}
