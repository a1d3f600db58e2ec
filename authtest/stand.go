package authtest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
)

// A stand holds one backend for the test of one rule, behind a real server: what a request looks like on arrival isn't
// made up.
type stand struct {
	t    testing.TB
	rule rule
	// patience is how long anything may take that should take no time.
	patience time.Duration
	Subject
	cfg    auth.Config
	server *httptest.Server
	client *http.Client
	guard  auth.Auth
	logged lockedBuffer

	mu       sync.Mutex
	handler  http.Handler
	received []func(*http.Request) // the Receive of each request that has one
}

func newStand(t testing.TB, r rule, patience time.Duration, setup func(testing.TB, auth.Config) Subject) *stand {
	t.Helper()
	s := &stand{t: t, rule: r, patience: patience}
	s.server = httptest.NewServer(http.HandlerFunc(s.arrived))
	t.Cleanup(func() {
		s.server.CloseClientConnections()
		s.server.Close()
	})
	s.client = &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(s.client.CloseIdleConnections)
	s.cfg = auth.Config{
		PublicURL: s.server.URL,
		Logger:    slog.New(slog.NewTextHandler(&s.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	s.Subject = setup(t, s.cfg)
	if s.Backend == nil || !s.Open && !s.Good.given() {
		t.Fatal("authtest: the Subject has no Backend, or no Good credential and isn't Open")
	}
	var err error
	if a, ok := s.Backend.(auth.Auth); ok {
		s.guard = a
	} else if s.guard, err = auth.New(s.cfg, s.Backend); err != nil {
		t.Fatalf("authtest: a guard over the backend: %v", err)
	}
	return s
}

// fail says what is wrong and which rule that breaks.
func (s *stand) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf(format+"\nrule: "+s.rule.text, args...)
}

func (s *stand) need(there bool, what string) {
	s.t.Helper()
	if !there {
		s.t.Skip("the Subject has no " + what)
	}
}

// receiveHeader carries the number of a Receive from the client to the server. The backend never sees it.
const receiveHeader = "Authtest-Receive"

func (s *stand) arrived(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	handler := s.handler
	var receive func(*http.Request)
	if i, err := strconv.Atoi(r.Header.Get(receiveHeader)); err == nil {
		receive = s.received[i]
	}
	s.mu.Unlock()
	r.Header.Del(receiveHeader)
	if receive != nil {
		receive(r)
	}
	handler.ServeHTTP(w, r)
}

func (s *stand) serve(h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

// request is one of an API client that carries c.
func (s *stand) request(method string, c Credential) *http.Request {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), s.patience)
	s.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, s.server.URL+"/authtest/page?q=1", nil)
	if err != nil {
		s.t.Fatal(err) // unreachable: nothing in it can be wrong
	}
	r.Header.Set("Accept", "application/json")
	if c.Send != nil {
		c.Send(r)
	}
	if c.Receive != nil {
		s.mu.Lock()
		s.received = append(s.received, c.Receive)
		r.Header.Set(receiveHeader, strconv.Itoa(len(s.received)-1))
		s.mu.Unlock()
	}
	return r
}

// An answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s *stand) do(r *http.Request) answer {
	s.t.Helper()
	resp, err := s.client.Do(r)
	if err != nil {
		s.fail("a request was not answered: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.fail("an answer broke off: %v", err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// onArrival sends r and calls f with it as the server gets it.
func (s *stand) onArrival(r *http.Request, f func(*http.Request)) {
	s.t.Helper()
	panicked := make(chan any, 1)
	s.serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer func() { panicked <- recover() }()
		f(r)
	}))
	s.do(r)
	if v := <-panicked; v != nil {
		s.fail("the backend panics: %v", v)
	}
}

// wait waits for what is about to happen.
func wait[T any](s *stand, c <-chan T, what string) T {
	s.t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(s.patience):
		s.fail("%s: not within %s", what, s.patience)
		panic("unreachable")
	}
}

// A lockedBuffer is a log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
