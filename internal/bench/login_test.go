package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/userauth"
)

const (
	atOnce        = 64 // logins at once
	loginPassword = "correct horse battery staple"
)

// newLoginDoor has users whose password takes that many passes to verify; 0: as many as by default. Session 0 is the first
// user's.
func newLoginDoor(tb testing.TB, users int, passes uint32) *door {
	tb.Helper()
	db := newDB(tb)
	ids := addUsers(tb, db, users, hashed(tb, loginPassword, passes))
	addSessions(tb, db, ids, 0, 1, time.Now(), time.Now().Add(time.Hour))
	return newDoor(tb, db, userauth.Config{})
}

// hashed is the hash of a password that takes that many passes to verify; 0: as many as by default.
func hashed(tb testing.TB, text string, passes uint32) string {
	tb.Helper()
	params := password.DefaultParams()
	if passes > 0 {
		params.Time = passes
	}
	hasher, err := password.NewHasher(password.Config{Params: params})
	if err != nil {
		tb.Fatal(err)
	}
	hash, err := hasher.Hash(tb.Context(), text)
	if err != nil {
		tb.Fatal(err)
	}
	return hash.Encoded()
}

// logIn is what the i-th user's login is answered. Everybody comes from an address of their own: guesses are limited by
// address as well.
func (d *door) logIn(ctx context.Context, i int) *httptest.ResponseRecorder {
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, username(i), loginPassword)
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+"/auth/login", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = fmt.Sprintf("192.0.2.%d:40000", i+1)
	w := httptest.NewRecorder()
	d.Routes().ServeHTTP(w, r)
	return w
}

// TestMemoryOfLogins: 64 logins at once, with all that belongs to a login, take no more memory than what may be hashed at
// once and 60 MiB.
func TestMemoryOfLogins(t *testing.T) {
	const mark = "BENCH_TEST_LOGINS" // set in the child process, whose memory no other test has touched
	if os.Getenv(mark) != "" {
		d := newLoginDoor(t, atOnce, 0)
		var done sync.WaitGroup
		var admitted atomic.Int64
		for i := range atOnce {
			done.Go(func() {
				if d.logIn(t.Context(), i).Code == http.StatusOK {
					admitted.Add(1)
				}
			})
		}
		done.Wait()
		fmt.Printf("\nadmitted=%d peak=%d\n", admitted.Load(), peakMemory(t)>>10)
		return
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("the peak of a process's memory is told by Linux only")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMemoryOfLogins$")
	cmd.Env = append(os.Environ(), mark+"=1")
	out, err := cmd.CombinedOutput()
	_, after, ok := strings.Cut(string(out), "\nadmitted=")
	if err != nil || !ok {
		t.Fatalf("%v\n%s", err, out)
	}
	var admitted, peak int
	if _, err := fmt.Sscanf(after, "%d peak=%d", &admitted, &peak); err != nil {
		t.Fatal(err)
	}
	budget := runtime.NumCPU()*19 + 60
	t.Logf("%d of %d admitted, %d MiB of %d", admitted, atOnce, peak, budget)
	if peak > budget {
		t.Errorf("got %d MiB at the peak, want at most %d", peak, budget)
	}
	if admitted < atOnce/2 { // a slow machine may give up on some
		t.Errorf("got %d logins admitted, want %d", admitted, atOnce)
	}
}

// peakMemory is the most memory that this process ever held, in KiB, but for the pages of the program's file: they are no
// login's, the kernel drops them at need, and there are more of them with each library that this module compares with.
func peakMemory(tb testing.TB) int { return status(tb, "VmHWM:") - status(tb, "RssFile:") }

// status is a line of the kernel's, in KiB.
func status(tb testing.TB, line string) (n int) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), line)
	if _, err := fmt.Sscan(after, &n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// TestLoginsQueue: no more hash at once than there are processors, no more wait than the queue holds, and who finds it
// full is told at once when to come again.
func TestLoginsQueue(t *testing.T) {
	const queue, beyond = 64, 16
	parallel := runtime.GOMAXPROCS(0)
	many := parallel + queue + beyond
	d := newLoginDoor(t, many, 30) // of which one takes long beside everything else here
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answers := make(chan *httptest.ResponseRecorder, many)
	var done sync.WaitGroup
	for i := range many {
		done.Go(func() { answers <- d.logIn(ctx, i) })
	}
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	most, admitted, refused := 0, 0, 0
	for refused < beyond/2 && admitted <= 2*parallel || most == 0 {
		select {
		case w := <-answers:
			switch w.Code {
			case http.StatusOK:
				admitted++
			case http.StatusServiceUnavailable:
				refused++
				if w.Header().Get("Retry-After") == "" {
					t.Error("a 503 without Retry-After")
				}
			default:
				t.Fatalf("got status %d: %s", w.Code, w.Body)
			}
		case <-look.C:
			most = max(most, hashing())
		}
	}
	// Some may be through before the last ones have come. None is refused because it has waited for too long.
	if admitted > 2*parallel {
		t.Errorf("%d were done before %d of %d were refused, want these refused at once", admitted, beyond/2, many)
	}
	for range 20 {
		<-look.C
		most = max(most, hashing())
	}
	cancel() // who waits gives up
	done.Wait()
	if most > parallel {
		t.Errorf("got up to %d hashed at once, want at most %d", most, parallel)
	}
}

// hashing counts the passwords that are being hashed.
func hashing() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "argon2.IDKey(")
}

// TestRequestsBesideLogins tells what others notice of 64 logins at once.
func TestRequestsBesideLogins(t *testing.T) {
	if !testing.Verbose() {
		t.Skip("to be read only: -v")
	}
	d := newLoginDoor(t, atOnce, 0)
	op := serve(routed(show, d.CurrentUser(required)), get(t, path, "Cookie", cookieOf(sessionToken(0))), http.StatusNoContent)
	repeat(op, 1000)
	stop := make(chan struct{})
	close(stop)
	alone := latencies(op, 10_000, stop)
	stop = make(chan struct{})
	var logins sync.WaitGroup
	for i := range atOnce {
		logins.Go(func() { d.logIn(t.Context(), i) })
	}
	go func() {
		logins.Wait()
		close(stop)
	}()
	beside := latencies(op, 0, stop)
	t.Logf("a request with a session: %s alone; %s beside %d logins", spreadOf(alone), spreadOf(beside), atOnce)
}

// latencies are how long op takes, at least so often and until stop.
func latencies(op func(), least int, stop <-chan struct{}) (took []time.Duration) {
	for {
		begin := time.Now()
		op()
		took = append(took, time.Since(begin))
		if len(took) < least {
			continue
		}
		select {
		case <-stop:
			return took
		default:
			runtime.Gosched() // as a server does, which waits for the next request
		}
	}
}

func spreadOf(took []time.Duration) string {
	slices.Sort(took)
	at := func(share float64) time.Duration {
		return took[int(share*float64(len(took)-1))].Round(100 * time.Nanosecond)
	}
	return fmt.Sprintf("p50 %s, p99 %s, most %s (of %d)", at(0.5), at(0.99), at(1), len(took))
}
