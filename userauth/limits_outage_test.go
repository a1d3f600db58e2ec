package userauth_test

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/ostiary/auth/internal/store/storetest"
)

// B-16: the limits are kept in memory and ask nothing, so they hold while the database is gone: nobody is looked at beyond
// them, and whoever is within them gets 503, never in.
func TestLimitsHoldWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	db, faults := storetest.Open(t, filepath.Join(t.TempDir(), "app.db"))
	s := siteOver(t, db, clocked(newSiteClock())) // which stands still: who is limited stays so
	s.add("alice", nil)
	s.add("bob", nil)
	if got := lookedAt(t, 2*freeAccount, func(int) answer { return s.browser().login("alice", "wrong", elsewhere()) }); got != freeAccount {
		t.Fatalf("%d guesses were looked at, want %d", got, freeAccount)
	}
	s.faulty.Store(true)
	faults.Fail()
	refused(t, "the right password, limited", s.browser().login("alice", sitePassword, elsewhere()), http.StatusTooManyRequests)
	refused(t, "the right password", s.browser().login("bob", sitePassword, elsewhere()), http.StatusServiceUnavailable)
	refused(t, "a wrong one", s.browser().login("bob", "wrong", elsewhere()), http.StatusServiceUnavailable)
	faults.Heal()
	if n := s.count("sessions"); n != 0 {
		t.Errorf("got %d sessions, want none", n)
	}
	refused(t, "limited still", s.browser().login("alice", sitePassword, elsewhere()), http.StatusTooManyRequests)
	if got := s.browser().login("bob", sitePassword, elsewhere()); got.Status != http.StatusOK {
		t.Errorf("bob: got %d %s, want to be let in again", got.Status, got.Body)
	}
}
