package userauth_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// processHold ends the sessions of the user "held" in a transaction that it commits when its input ends.
func processHold(t *testing.T, path string, ready func(string)) {
	db, err := userauth.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	account, err := st.AccountByKey(t.Context(), "", "held")
	if err != nil {
		t.Fatal(err)
	}
	err = st.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.DeleteSessions(account.ID, "", nil)
		ready("held")
		untilInputEnds()
		return err
	})
	if err := errors.Join(err, st.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// processLock has the write lock until its input ends.
func processLock(t *testing.T, path string, ready func(string)) {
	db, err := userauth.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ready("locked")
	untilInputEnds()
	if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// A transaction that ends sessions is held open, by another process, while one of this process ends others: neither is
// lost, and what each has ended ends only when it is committed.
func TestNoEndIsLostBehindATransactionThatIsHeldOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	s := faultOpen(t, path).listen()
	sockets, browsers := processTwo(t, s)
	holder := startProcess(t, "hold", path)
	db, faults := storetest.Open(t, path) // tells when it begins to wait
	admin := accountsIn(t, db)
	faults.Heal()
	done := make(chan error, 1)
	go func() {
		_, err := admin.EndSessions(context.Background(), "other")
		done <- err
	}()
	eventually(t, "the second one waits", func() bool { return slices.Contains(faults.Calls(), "begin") })
	for name, b := range browsers {
		admitted(t, name+" before a commit", b.get("/api/contents/demo"))
	}
	holder.finish(t)
	if err := received1(t, done); err != nil {
		t.Fatal(err)
	}
	processBothEnd(t, s, sockets, browsers)
}

// The same where this process holds the transaction and another one's user ends sessions.
func TestNoEndOfAnotherProcessIsLostBehindATransactionThatIsHeldOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	s := faultOpen(t, path).listen()
	sockets, browsers := processTwo(t, s)
	child := startProcess(t, "serve", path)
	there := s.in("other").faultAt(child.site(t))
	held, err := s.users.Accounts().Get(t.Context(), "held")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	err = userauth.WriteIn(t.Context(), s.users, func(tx *store.Tx) error {
		go func() { ended <- there.json("DELETE", "/auth/sessions", "").Status }()
		for name, b := range browsers {
			admitted(t, name+" before a commit", b.get("/api/contents/demo"))
		}
		_, err := tx.DeleteSessions(userNumber(t, held), "", nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if status := received1(t, ended); status != http.StatusNoContent {
		t.Fatalf("the other process: got %d, want 204", status)
	}
	processBothEnd(t, s, sockets, browsers)
	child.finish(t)
}

// processTwo are the users "held" and "other", each with a socket.
func processTwo(t *testing.T, s *site) (map[string]*faultSocket, map[string]*browser) {
	t.Helper()
	sockets, browsers := map[string]*faultSocket{}, map[string]*browser{}
	for _, name := range []string{"held", "other"} {
		s.add(name, siteWrites)
		browsers[name] = s.in(name)
		sockets[name] = browsers[name].faultEnter()
	}
	return sockets, browsers
}

func processBothEnd(t *testing.T, s *site, sockets map[string]*faultSocket, browsers map[string]*browser) {
	t.Helper()
	for name, socket := range sockets {
		socket.wantClosed(t, name, websocket.StatusPolicyViolation)
		refused(t, name, browsers[name].get("/api/contents/demo"), http.StatusUnauthorized)
	}
	var feed struct{ Rows, First, Last, Head int }
	err := s.db.GetContext(t.Context(), &feed, "SELECT COUNT(*) AS 'rows', MIN(seq) AS 'first', MAX(seq) AS 'last', "+
		"(SELECT value FROM auth_counters WHERE name = 'feed') AS 'head' FROM auth_feed")
	if err != nil || feed.Last-feed.First+1 != feed.Rows || feed.Head != feed.Last {
		t.Errorf("the feed has a gap: %+v, %v", feed, err)
	}
}

// D-07: another process holds the write lock. What only reads works; the rest is 503 after a few seconds, never 401; then
// everything works again.
func TestALockedDatabaseIsAnOutageOfWritingAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	s, other := faultOpen(t, path), faultOpen(t, path)
	s.faulty.Store(true)
	s.add("ann", siteWrites)
	known, cold := s.in("ann"), other.in("ann").faultAt(s)
	before := dump(t, s.db)
	locker := startProcess(t, "lock", path)
	admitted(t, "a session in memory", known.get("/api/contents/demo"))
	admitted(t, "a session in the database", cold.get("/api/contents/demo"))
	refused(t, "a wrong password", s.browser().login("ann", "wrong"+sitePassword), http.StatusUnauthorized)
	var asking sync.WaitGroup
	for name, ask := range map[string]func(b *browser) answer{
		"login":                  func(b *browser) answer { return s.browser().login("ann", sitePassword) },
		"logout":                 func(b *browser) answer { return b.json("POST", "/auth/logout", "") },
		"a change of profile":    func(b *browser) answer { return b.json("PATCH", "/auth/me", `{"name":"New"}`) },
		"the end of all others":  func(b *browser) answer { return b.json("DELETE", "/auth/sessions", "") },
		"the end of one session": func(b *browser) answer { return b.json("DELETE", "/auth/sessions/x", "") },
		"a change of password": func(b *browser) answer {
			return b.json("POST", "/auth/password", `{"current":"`+sitePassword+`","new":"`+nextPassword+`"}`)
		},
	} {
		asking.Go(func() {
			began := time.Now()
			faultUnavailable(t, name, ask(known.copy()))
			if took := time.Since(began); took > faultBound {
				t.Errorf("%s took %s", name, took)
			}
		})
	}
	asking.Wait()
	admitted(t, "a session in the end", known.get("/api/contents/demo"))
	if got := dump(t, s.db); got != before {
		t.Errorf("the database has changed: %s", got)
	}
	locker.finish(t)
	s.faulty.Store(false)
	s.in("ann")
	if got := known.json("POST", "/auth/logout", ""); got.Status != http.StatusNoContent {
		t.Errorf("logout afterwards: got %d, want 204", got.Status)
	}
}
