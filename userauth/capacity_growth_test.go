package userauth_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/ostiary/auth/userauth"
)

// S-18: anonymous requests and failed logins leave no row behind, whatever limits them.
func TestStrangersLeaveNoRows(t *testing.T) {
	t.Parallel()
	n := 2000 / faultStep(4)
	if faultLong {
		n = 100_000
	}
	clock := newSiteClock()
	s := newSite(t, clocked(clock))
	s.add("ann", siteWrites)
	before, size := dump(t, s.db), capacityRows(t, s)
	failed := map[int]int{}
	for i := range n {
		stranger := s.browser()
		if i%2 == 0 { // with a cookie that could be one
			stranger = s.faultHolder(fmt.Sprintf("%043d", i))
		}
		if got := stranger.get("/api/contents/demo"); got.Status != http.StatusUnauthorized {
			t.Fatalf("got %d, want 401", got.Status)
		}
		name := "ann"
		if i%3 > 0 {
			name = fmt.Sprint("nobody", i)
		}
		clock.advance(100 * time.Millisecond) // the total of all guesses
		failed[s.browser().login(name, "wrong"+sitePassword, elsewhere()).Status]++
	}
	if failed[http.StatusUnauthorized] < n/2 || failed[http.StatusUnauthorized]+failed[http.StatusTooManyRequests] != n {
		t.Errorf("the logins were answered with %v", failed)
	}
	if dump(t, s.db) != before {
		t.Error("the database has changed")
	}
	if got := capacityRows(t, s); got != size {
		t.Errorf("the database went from %d rows to %d", size, got)
	}
}

// capacityRows is how many rows there are in all tables.
func capacityRows(t testing.TB, s *site) (n int) {
	t.Helper()
	var tables []string
	if err := s.db.SelectContext(t.Context(), &tables, "SELECT substr(name, 6) FROM sqlite_master WHERE type = 'table'"); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		n += s.count(table)
	}
	return n
}

// S-19: however often a user logs in, there are at most SessionsPerUser sessions: the longest unused one ends.
func TestLoginsOfOneUserAreBounded(t *testing.T) {
	t.Parallel()
	n, most := 150/faultStep(3), 20
	if faultLong {
		n, most = 10_000, 100
	}
	clock := newSiteClock()
	s := newSite(t, clocked(clock), func(c *userauth.Config) { c.SessionsPerUser = most })
	s.add("ann", siteWrites)
	s.add("bob", siteWrites)
	bob := s.in("bob")
	var last []*browser
	for range n {
		clock.advance(time.Second)
		last = append(last, s.in("ann"))
		last = last[max(0, len(last)-most-1):]
	}
	if got := s.count("sessions"); got != most+1 {
		t.Errorf("got %d sessions, want %d of one user and one of another", got, most)
	}
	refused(t, "the first of the last", last[0].get("/"), http.StatusUnauthorized)
	for _, b := range append(last[1:], bob) {
		admitted(t, "a later one", b.get("/"))
	}
	// The longest unused goes, not the oldest.
	clock.advance(2 * time.Minute)
	admitted(t, "the oldest", last[1].get("/"))
	eventually(t, "its last use is stored", func() bool {
		var seen int64
		return s.db.GetContext(t.Context(), &seen, "SELECT MAX(seen_at) FROM auth_sessions") == nil && seen == clock.now().Unix()
	})
	s.in("ann")
	admitted(t, "the oldest", last[1].get("/"))
	refused(t, "the longest unused", last[2].get("/"), http.StatusUnauthorized)
}
