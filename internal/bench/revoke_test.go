package bench_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

var revocations = flag.Int("revocations", 8, "how many sessions TestRevocation ends; its percentiles are meant for some hundred")

// TestRevocation ends sessions at one instance and looks how long another one over the same database still admits them,
// and how long their sockets there stay open. Nobody may be admitted who comes a second after the end was confirmed,
// however slow the machine is.
func TestRevocation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.db")
	here := newDoor(t, inUse(t, openDB(t, file), *revocations), userauth.Config{})
	there := newDoor(t, openDB(t, file), userauth.Config{})
	server := httptest.NewServer(there.WebSocketAuth(required)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := auth.Accept(w, r, nil)
		if err != nil {
			return // it has answered
		}
		_, _, _ = conn.Read(r.Context()) // until it is closed
	})))
	defer server.Close()

	var refused, closed []time.Duration
	for i := range *revocations {
		cookie := cookieOf(sessionToken(i))
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
		refused = append(refused, refusedAt.Sub(begin))
		closed = append(closed, (<-ended).Sub(begin))
	}
	t.Logf("from the logout at one instance until another one refuses: %s; until it has closed the socket: %s", spreadOf(refused), spreadOf(closed))
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
