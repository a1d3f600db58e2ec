package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
)

// The helpers of the tests of the guard. Their names begin with "guard".

// guardedText is what the handlers behind a guard answer. No refusal may hold it.
const guardedText = "what the guard protects"

// guardHost is the Host of the tests' requests: a loopback name, so that cookies count without a PublicURL.
const guardHost = "127.0.0.1:8888"

// guardProbe is the handler behind a guard. It counts how often it was reached.
type guardProbe struct {
	calls atomic.Int64
	do    http.HandlerFunc // nil: answer guardedText
}

func (p *guardProbe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.calls.Add(1)
	if p.do != nil {
		p.do(w, r)
		return
	}
	io.WriteString(w, guardedText)
}

// ask sends r to h, the guard in front of p. It wants the status, and p reached exactly where that is 200.
func (p *guardProbe) ask(t testing.TB, h http.Handler, r *http.Request, want int) *http.Response {
	t.Helper()
	before := p.calls.Load()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != want {
		t.Errorf("%s %s: got %d, want %d; body %.200q", r.Method, r.URL, w.Code, want, w.Body)
	}
	wantCalls := int64(0)
	if want == http.StatusOK {
		wantCalls = 1
	}
	if got := p.calls.Load() - before; got != wantCalls {
		t.Errorf("%s %s: got %d calls of the handler, want %d", r.Method, r.URL, got, wantCalls)
	}
	if want != http.StatusOK && strings.Contains(w.Body.String(), guardedText) {
		t.Errorf("%s %s: the refusal holds what the guard protects", r.Method, r.URL)
	}
	return w.Result()
}

// guardNew makes an Auth that logs nowhere unless cfg has a logger.
func guardNew(t testing.TB, cfg auth.Config, backends ...auth.Backend) auth.Auth {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a, err := auth.New(cfg, backends...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// guardRequest makes an API request with headers given as name, value, name, value.
func guardRequest(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = guardHost
	r.Header.Set("Accept", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	return r
}

// guardNavigation is what a browser sends for a page that its user asked for.
func guardNavigation(target string, headers ...string) *http.Request {
	r := guardRequest("GET", target, headers...)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "none")
	return r
}

// guardPerson is an identity that byHeader can give, with the grant written as ParsePermissions reads it.
func guardPerson(name, grant string) *auth.Identity {
	p, err := auth.ParsePermissions(grant)
	if err != nil {
		panic(err)
	}
	return &auth.Identity{ID: "test:" + name, User: auth.User{Username: name}, Permissions: p}
}

// guardPeople are the callers of most tests: alice reads contents, bob holds nothing.
func guardPeople() auth.Backend {
	return byHeader(map[string]*auth.Identity{"alice": guardPerson("alice", "contents:read"), "bob": guardPerson("bob", "")})
}

// guardFixed is a backend that always answers the same, and counts how often it was asked.
type guardFixed struct {
	id    *auth.Identity
	err   error
	asked atomic.Int64
}

func (b *guardFixed) Identify(*http.Request) (*auth.Identity, error) {
	b.asked.Add(1)
	return b.id, b.err
}

// guardReads is what most routes of the tests need.
var guardReads = auth.Permissions{"contents": {"read"}}

// TestIdentifyOutcomes is DESIGN §2.1 for one backend; chain_test.go has the same with others around it.
func TestIdentifyOutcomes(t *testing.T) {
	t.Parallel()
	alice := guardPerson("alice", "contents:read")
	ended := guardPerson("alice", "contents:read")
	ended.Expires = time.Now().Add(-time.Second)
	endedExplicit := *ended
	endedExplicit.Explicit = true
	for _, c := range []struct {
		name string
		id   *auth.Identity
		err  error
		want int
	}{
		{"an identity is let in", alice, nil, 200},
		{"no credentials is 401", nil, auth.ErrNoCredentials, 401},
		{"wrapped no credentials is 401", nil, fmt.Errorf("x: %w", auth.ErrNoCredentials), 401},
		{"invalid credentials are 401", nil, auth.ErrInvalidCredentials, 401},
		{"known not to be allowed here is 403", nil, auth.ErrForbidden, 403},
		{"A-20 unavailable is 503, never 401", nil, auth.ErrUnavailable, 503},
		{"A-20 an error of the database is 503, never 401", nil, errors.New("connection refused"), 503},
		{"an ended session that the backend tells as such is 503: it must say no credentials", nil, auth.ErrSessionEnded, 503},
		{"guessed too often is 429", nil, &auth.LimitedError{RetryAfter: 1500 * time.Millisecond}, 429},
		{"invalid wins over no credentials where an error wraps both", nil, errors.Join(auth.ErrNoCredentials, auth.ErrInvalidCredentials), 401},
		{"A-06 an identity beside an error is none", alice, auth.ErrNoCredentials, 401},
		{"A-06 an identity beside a fault is none", alice, errors.New("connection refused"), 503},
		{"JS04 A-06 no identity without an error is a fault of the backend", nil, nil, 500},
		{"JS04 A-06 an identity without an ID is a fault of the backend", &auth.Identity{User: auth.User{Username: "u"}}, nil, 500},
		{"JS04 an identity without a username is a fault of the backend", &auth.Identity{ID: "x", User: auth.User{Name: "user.name"}}, nil, 500},
		{"A-06 an empty unrestricted identity is a fault of the backend", &auth.Identity{Unrestricted: true}, nil, 500},
		{"an ambient identity past its end is unknown", ended, nil, 401},
		{"an explicit identity past its end is refused", &endedExplicit, nil, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := guardNew(t, auth.Config{}, &guardFixed{id: c.id, err: c.err})
			p := &guardProbe{}
			for _, h := range []http.Handler{a.CurrentUser(nil)(p), a.CurrentUser(guardReads)(p)} {
				resp := p.ask(t, h, guardRequest("GET", "/x"), c.want)
				retry := map[int]string{429: "2", 503: "1"}[c.want]
				if got := resp.Header.Get("Retry-After"); got != retry {
					t.Errorf("got Retry-After %q, want %q", got, retry)
				}
			}
		})
	}
}

// A backend that panics has not answered: 500, and the next request finds everything as it was.
func TestPanicInBackendIsAFault(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	b := auth.BackendFunc(func(*http.Request) (*auth.Identity, error) {
		if broken.Load() {
			panic("correct horse")
		}
		return guardPerson("alice", "contents:read"), nil
	})
	var last auth.Event
	a := guardNew(t, auth.Config{OnEvent: func(_ context.Context, e auth.Event) { last = e }}, b)
	p := &guardProbe{}
	h := a.CurrentUser(nil)(p)
	p.ask(t, h, guardRequest("GET", "/x"), 200)
	broken.Store(true)
	resp := p.ask(t, h, guardRequest("GET", "/x"), 500)
	if body := guardBody(t, resp); strings.Contains(body, "goroutine") || strings.Contains(body, "correct horse") {
		t.Errorf("A-29 the answer tells what went wrong inside: %q", body)
	}
	if last.Kind != auth.EventFault || !strings.Contains(last.Reason, "guard_test.go") {
		t.Errorf("got event %q, reason %q, want a fault with the place of the panic", last.Kind, last.Reason)
	}
	if strings.Contains(last.Reason, "correct horse") {
		t.Error("G-01 the value of a panic, which may hold a credential, is in the event")
	}
	broken.Store(false)
	p.ask(t, h, guardRequest("GET", "/x"), 200)

	t.Run("http.ErrAbortHandler keeps its meaning", func(t *testing.T) {
		a := guardNew(t, auth.Config{}, auth.BackendFunc(func(*http.Request) (*auth.Identity, error) { panic(http.ErrAbortHandler) }))
		p := &guardProbe{}
		defer func() {
			if got := recover(); got != http.ErrAbortHandler {
				t.Errorf("got panic %v, want http.ErrAbortHandler", got)
			}
			if got := p.calls.Load(); got != 0 {
				t.Errorf("got %d calls of the handler, want 0", got)
			}
		}()
		a.CurrentUser(nil)(p).ServeHTTP(httptest.NewRecorder(), guardRequest("GET", "/x"))
	})
}

func guardBody(t testing.TB, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestMatrix is A-01: every credential against every grant, for a requirement of two permissions.
func TestMatrix(t *testing.T) {
	t.Parallel()
	expired := guardPerson("expired", "r:a,b")
	expired.Expires = time.Now().Add(-time.Hour)
	a := guardNew(t, auth.Config{}, byHeader(map[string]*auth.Identity{
		"none": guardPerson("none", ""), "a": guardPerson("a", "r:a"), "ab": guardPerson("ab", "r:a,b"), "bc": guardPerson("bc", "r:b,c"),
		"ba": guardPerson("ba", "r:b,a"), "split": guardPerson("split", "r:a q:b"), "all": guardPerson("all", "r:*"), "expired": expired,
	}))
	anybody, one, two := a.CurrentUser(nil), a.CurrentUser(auth.Permissions{"r": {"a"}}), a.CurrentUser(auth.Permissions{"r": {"a", "b"}})
	for _, c := range []struct {
		name, credential string
		wantAnybody      int
		wantOne, wantTwo int
	}{
		{"A-01 both permissions", "ab", 200, 200, 200},
		{"A-01 one of two", "a", 200, 200, 403},
		{"A-01 the other and a third", "bc", 200, 403, 403},
		{"A-01 no permission", "none", 200, 403, 403},
		{"A-03 the order of what is held doesn't matter", "ba", 200, 200, 200},
		{"an action on another resource doesn't count", "split", 200, 200, 403},
		{"every action", "all", 200, 200, 200},
		{"A-01 no credential", "", 401, 401, 401},
		{"A-01 bad credential", "mallory", 401, 401, 401},
		{"A-01 expired credential", "expired", 401, 401, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{}
			for i, m := range []func(http.Handler) http.Handler{anybody, one, two} {
				r := guardRequest("GET", "/x")
				if c.credential != "" {
					r.Header.Set("Test-User", c.credential)
				}
				p.ask(t, m(p), r, []int{c.wantAnybody, c.wantOne, c.wantTwo}[i])
			}
		})
	}
}

// JS23: one function is all that a backend needs.
func TestBackendFunc(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
		name := r.Header.Get("test-user")
		if name == "" {
			return nil, auth.ErrNoCredentials
		}
		return &auth.Identity{ID: "test:" + name, User: auth.User{Username: name}}, nil
	}))
	for _, c := range []struct {
		name string
		r    *http.Request
		want int
	}{
		{"JS23 with the header", guardRequest("GET", "/api/me", "Test-User", "pinecone"), 200},
		{"JS23 without the header", guardRequest("GET", "/api/me"), 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			auth.Me(a).ServeHTTP(w, c.r)
			if w.Code != c.want {
				t.Fatalf("got %d, want %d", w.Code, c.want)
			}
			if got := strings.Contains(w.Body.String(), `"username":"pinecone"`); got != (c.want == 200) {
				t.Errorf("got body %s", w.Body)
			}
		})
	}
}

// V-01, V-02: many callers at once get each their own answer, and nothing is left behind.
func TestManyRequestsAtOnce(t *testing.T) {
	before := runtime.NumGoroutine()
	a := guardNew(t, auth.Config{Roles: map[string]auth.Role{"r": {Permissions: auth.Permissions{"kernels": {"*"}}}}}, guardPeople(), &meStore{Backend: guardPeople()})
	var mu sync.Mutex
	seen := map[string]int{}
	h := a.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom(r.Context())
		if user.Username != r.Header.Get("Test-User") {
			t.Errorf("got user %q for the request of %q", user.Username, r.Header.Get("Test-User"))
		}
		mu.Lock()
		seen[user.Username]++
		mu.Unlock()
	}))
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			for j := range 100 {
				r := guardRequest("GET", "/x", "Test-User", []string{"alice", "bob", "mallory", ""}[(i+j)%4])
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if want := []int{200, 200, 401, 401}[(i+j)%4]; w.Code != want {
					t.Errorf("got %d, want %d", w.Code, want)
				}
			}
		})
	}
	wg.Wait()
	if seen["alice"] != 2500 || seen["bob"] != 2500 || len(seen) != 2 {
		t.Errorf("got %v, want alice and bob 2,500 times each", seen)
	}
	// Not parallel: the count is the process's. Other tests' goroutines may end meanwhile, none may begin. One that has
	// told the group that it is done may still be on its way out.
	wsUntil(t, fmt.Sprintf("V-02 the goroutines are back to %d", before), func() bool { return runtime.NumGoroutine() <= before })
}
