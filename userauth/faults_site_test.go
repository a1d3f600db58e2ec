package userauth_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// faultBound is how long an answer may take at most while the database hangs: the library gives up after one second of
// reading and five of writing. The rest is for a busy machine.
const faultBound = 12 * time.Second

// faultSite is a site whose database can be broken. base is to reach it past the fault.
func faultSite(t testing.TB, change ...func(*userauth.Config)) (s *site, faults *storetest.Faults, base *storetest.Database) {
	t.Helper()
	base = storetest.Of(t).New(t)
	db, faults := base.Open(t)
	s = siteOver(t, db, change...)
	s.faulty.Store(true)
	t.Cleanup(faults.Heal) // or it couldn't be closed
	return s, faults, base
}

// faultOther is the site of another process: its own connections and memory over the same database.
func faultOther(t testing.TB, base *storetest.Database) *site {
	t.Helper()
	db, _ := base.Open(t)
	return siteOver(t, db)
}

// faultOpen is the site of a process over the file at path.
func faultOpen(t testing.TB, path string, change ...func(*userauth.Config)) *site {
	t.Helper()
	db, err := userauth.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return siteOver(t, db, change...)
}

// faultAt is the same session at another site: the cookie's name has the port in it.
func (b *browser) faultAt(s *site) *browser {
	_, token := b.session()
	return s.faultHolder(token)
}

// faultHolder is a browser that holds a session's token.
func (s *site) faultHolder(token string) *browser {
	b := s.browser()
	b.cookies["ostiary-user-"+s.host[strings.LastIndex(s.host, ":")+1:]] = token
	return b
}

// faultStreams adds a stream to s: it says "open", and its end is sent to the channel.
func (s *site) faultStreams(required auth.Permissions) <-chan error {
	ends := make(chan error, 10)
	s.Handler.(*http.ServeMux).Handle("GET /stream", s.users.CurrentUser(required)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		live, cancel := auth.Live(r.Context())
		defer cancel()
		io.WriteString(w, "open\n")
		http.NewResponseController(w).Flush()
		<-live.Done()
		ends <- context.Cause(live)
	})))
	return ends
}

// faultStream opens that stream, and returns when it is open.
func (b *browser) faultStream() {
	b.site.t.Helper()
	r, err := http.NewRequestWithContext(b.site.t.Context(), http.MethodGet, b.site.server.URL+"/stream", http.NoBody)
	if err != nil {
		b.site.t.Fatal(err)
	}
	r.Header.Set("Cookie", b.cookieHeader())
	res, err := b.site.server.Client().Do(r)
	if err != nil {
		b.site.t.Fatal(err)
	}
	b.site.t.Cleanup(func() { res.Body.Close() })
	line := make([]byte, len("open\n"))
	if _, err := io.ReadFull(res.Body, line); err != nil || res.StatusCode != http.StatusOK {
		b.site.t.Fatalf("the stream: got %d %q, %v", res.StatusCode, line, err)
	}
}

// A faultSocket is an open socket with somebody at its other end who reads at any time, as a browser does.
type faultSocket struct {
	*websocket.Conn
	code chan websocket.StatusCode
	at   time.Time // when it was closed; valid after code
}

// faultEnter enters the room; the handler there is blocked in Read.
func (b *browser) faultEnter() *faultSocket {
	b.site.t.Helper()
	conn, _ := b.enter()
	s := &faultSocket{Conn: conn, code: make(chan websocket.StatusCode, 1)}
	go func() {
		_, _, err := conn.Read(context.Background())
		s.at = time.Now()
		s.code <- websocket.CloseStatus(err)
	}()
	return s
}

// wantClosed waits for the end.
func (s *faultSocket) wantClosed(t testing.TB, name string, code websocket.StatusCode) {
	t.Helper()
	if got := received1(t, s.code); got != code {
		t.Errorf("%s: the socket was closed with %d, want %d", name, got, code)
	}
}

// wantOpen makes sure that it isn't closed: it answers a ping.
func (s *faultSocket) wantOpen(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		t.Errorf("got %v from a ping, want an open socket", err)
	}
}

// received1 waits for one value.
func received1[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

// faultRevoke ends things past the site, as another process does.
func faultRevoke(t testing.TB, base *storetest.Database, act func(*userauth.Accounts) error) {
	t.Helper()
	db, _ := base.Open(t)
	a, err := userauth.OpenAccountsWith(t.Context(), db, userauth.Policy{}, cheap(t))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := act(a); err != nil {
		t.Fatal(err)
	}
}

// faultNoLeaks fails the test if a goroutine is left when everything else is closed. Goroutines carry the labels of the one
// that started them, so that tests beside this one don't count.
func faultNoLeaks(t *testing.T) {
	t.Helper()
	pprof.SetGoroutineLabels(pprof.WithLabels(t.Context(), pprof.Labels("faults", t.Name())))
	own := regexp.MustCompile(`(?m)^(\d+) @[^\n]*\n# labels: [^\n]*` + regexp.QuoteMeta(strconv.Quote(t.Name())))
	t.Cleanup(func() {
		var profile bytes.Buffer
		for deadline := time.Now().Add(patience); ; runtime.Gosched() {
			profile.Reset()
			_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
			n := 0
			for _, m := range own.FindAllStringSubmatch(profile.String(), -1) {
				count, _ := strconv.Atoi(m[1])
				n += count
			}
			if n <= 1 { // this one
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d goroutines are left behind:\n%s", n-1, &profile)
			}
		}
	})
}

// faultUnavailable fails the test unless got is what an outage looks like.
func faultUnavailable(t testing.TB, name string, got answer) {
	t.Helper()
	refused(t, name, got, http.StatusServiceUnavailable)
	if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("%s: got Retry-After %q, want seconds", name, got.Header.Get("Retry-After"))
	}
	if clear := got.sessionCookie(); clear != nil && !strings.HasPrefix(name, "logout") {
		t.Errorf("%s: the browser is told to forget its session, which may be a good one", name)
	}
}

// faultPercentiles are the median and the 99th percentile.
func faultPercentiles(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	return fmt.Sprintf("p50 %s, p99 %s, most %s of %d", all[len(all)/2].Round(time.Millisecond), all[len(all)*99/100].Round(time.Millisecond),
		all[len(all)-1].Round(time.Millisecond), len(all))
}
