package bench_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jackc/pgx/v5"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

var revocations = flag.Int("revocations", 2, "how many sessions TestRevocation ends in each case; its percentiles are meant for some hundred")

// TestRevocation ends sessions at one instance and looks how long another one over the same database still admits them,
// and how long their sockets there stay open: of each engine, alone and beside load. Nobody may be admitted who comes a
// second after the end was confirmed, however slow the machine is.
func TestRevocation(t *testing.T) {
	for _, c := range []struct {
		name  string
		on    storetest.Engine
		wakes bool // the other instance listens to the server
	}{
		{"sqlite", storetest.SQLite, false},
		{"postgres", storetest.Postgres, false},
		{"postgres, with Wake", storetest.Postgres, true},
		{"mysql", storetest.MySQL, false},
	} {
		for _, load := range []bool{false, true} {
			name := c.name + ", alone"
			if load {
				name = c.name + ", beside load"
			}
			t.Run(name, func(t *testing.T) {
				base := c.on.New(t)
				here := newDoor(t, inUse(t, open(t, base), *revocations+loadSessions), userauth.Config{})
				var wake <-chan struct{}
				if c.wakes {
					wake = listen(t, base.URL)
				}
				there := newDoor(t, open(t, base), userauth.Config{Wake: wake})
				if load {
					stop := underLoad(t, base, there)
					defer stop()
				}
				took, refused, closed := revoke(t, here, there)
				t.Logf("from a logout's answer at one instance until another one refuses: %s; until it has closed the socket: %s; the logout itself: %s",
					spreadOf(refused), spreadOf(closed), spreadOf(took))
			})
		}
	}
}

// revoke ends sessions here, and tells how long that took, and how long after it each was refused there and its socket there
// closed: 0 if before.
func revoke(t *testing.T, here, there *door) (took, refused, closed []time.Duration) {
	t.Helper()
	server := httptest.NewServer(there.WebSocketAuth(required)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := auth.Accept(w, r, nil)
		if err != nil {
			return // it has answered
		}
		_, _, _ = conn.Read(r.Context()) // until it is closed
	})))
	defer server.Close()

	for i := range *revocations {
		cookie := cookieOf(sessionToken(loadSessions + i))
		ended := watchSocket(t, server.URL, cookie)
		// At any moment between two looks at the feed, not just after one.
		<-time.After(rand.N(250 * time.Millisecond))
		logout := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+host+"/auth/logout", nil)
		logout.Header.Set("Cookie", cookie)
		begin := time.Now()
		w := newWriter()
		here.Routes().ServeHTTP(w, logout)
		confirmed := time.Now()
		if w.status != http.StatusNoContent {
			t.Fatalf("logout: got status %d, want 204", w.status)
		}
		if _, err := here.Identify(get(t, "/", "Cookie", cookie)); !errors.Is(err, auth.ErrNoCredentials) {
			t.Fatalf("got %v at the instance that ended the session, want it to be refused at once", err)
		}
		came, refusedAt := lastAdmitted(t, there, cookie)
		if late := came.Sub(confirmed); late >= time.Second {
			t.Errorf("admitted somebody who came %s after the end was confirmed", late)
		}
		took = append(took, confirmed.Sub(begin))
		refused = append(refused, refusedAt.Sub(confirmed))
		closed = append(closed, max(0, (<-ended).Sub(confirmed)))
	}
	return took, refused, closed
}

const (
	loadSessions = 4
	writeEvery   = 5 * time.Millisecond
)

// underLoad keeps the machine busy until stop: requests at the instance that is looked at, requests at a third one that
// remembers one session and asks the database about the others, and sessions that come and go, of all which the feed tells.
func underLoad(t *testing.T, base *storetest.Database, there *door) (stop func()) {
	t.Helper()
	third := newDoor(t, open(t, base), userauth.Config{CacheSessions: 1})
	st := openStore(t, open(t, base))
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	ask := func(d *door, from, to int) {
		var requests []*http.Request
		for i := from; i < to; i++ {
			requests = append(requests, get(t, path, "Cookie", cookieOf(sessionToken(i))))
		}
		busy.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := d.Identify(requests[i%len(requests)]); err != nil && !errors.Is(err, auth.ErrUnavailable) {
					t.Errorf("a request beside: %v", err)
				}
				runtime.Gosched() // as a server does, which waits for the next request
			}
		})
	}
	ask(there, 0, loadSessions)
	ask(third, 0, 2)
	ask(third, 2, loadSessions)
	busy.Go(func() {
		pause := time.NewTicker(writeEvery)
		defer pause.Stop()
		now := time.Now().Unix()
		s := store.Session{Hash: sha256.Sum256([]byte("comes and goes")), ID: "comes and goes", User: 1, Realm: "userauth", Created: now, Seen: now, Expires: now + 3600}
		for ctx.Err() == nil {
			err := st.Write(ctx, func(tx *store.Tx) error {
				if err := tx.AddSession(s, 0); err != nil {
					return err
				}
				_, err := tx.DeleteSession(s.Hash)
				return err
			})
			if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("a session beside: %v", err)
			}
			<-pause.C
		}
	})
	return func() {
		cancel()
		busy.Wait()
	}
}

// listen tells when PostgreSQL has a change. It listens when it returns.
func listen(t *testing.T, url string) <-chan struct{} {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "LISTEN ostiary_feed"); err != nil {
		t.Fatal(err)
	}
	wake, over := make(chan struct{}, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(over)
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		for {
			if _, err := conn.WaitForNotification(ctx); err != nil {
				if ctx.Err() == nil {
					t.Errorf("listening: %v", err)
				}
				return
			}
			select {
			case wake <- struct{}{}:
			default: // one is waiting already
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-over
	})
	return wake
}

// lastAdmitted asks until the session is refused. It gives when the last one came who was admitted, zero if nobody was,
// and when the first was refused.
func lastAdmitted(tb testing.TB, d *door, cookie string) (came, refused time.Time) {
	tb.Helper()
	r := get(tb, "/", "Cookie", cookie)
	pause := time.NewTicker(200 * time.Microsecond)
	defer pause.Stop()
	for {
		start := time.Now()
		_, err := d.Identify(r)
		switch {
		case err == nil:
			came = start
		case errors.Is(err, auth.ErrNoCredentials):
			return came, time.Now()
		case !errors.Is(err, auth.ErrUnavailable): // a machine too slow to look at the feed admits nobody meanwhile
			tb.Fatal(err)
		}
		<-pause.C
	}
}

// watchSocket opens a WebSocket and tells when it is closed.
func watchSocket(tb testing.TB, url, cookie string) <-chan time.Time {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Host: host, HTTPHeader: http.Header{"Cookie": {cookie}}})
	if err != nil {
		tb.Fatal(err)
	}
	ended := make(chan time.Time, 1)
	go func() {
		defer cancel()
		_, _, err := conn.Read(ctx)
		ended <- time.Now()
		if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			tb.Errorf("the socket ended with %v, want code 1008", err)
		}
	}()
	return ended
}
