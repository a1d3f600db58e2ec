package auth_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/watch"
)

// This file has the server of all tests whose names begin with TestWS, and wsclient_test.go their client.

// wsOptions says what server a test needs. The zero value is a route that wants contents:read or contents:write, for the
// people of wsPeople, and greets whoever gets in.
type wsOptions struct {
	cfg      auth.Config
	auth     auth.Auth // nil: made of cfg and backend
	backend  auth.Backend
	required auth.Permissions // nil: wsContentsRW, but for a test that says any
	any      bool
	handler  http.HandlerFunc
	guards   func(auth.Auth) []func(http.Handler) http.Handler // instead of WebSocketAuth(required), outermost first
	wrap     func(http.Handler) http.Handler                   // around the guard
	tls, h2c bool
	cert     tls.Certificate // for tls in a bubble, made outside
}

// wsSite is a server with one guarded WebSocket route.
type wsSite struct {
	dial     func() (net.Conn, error)
	server   *httptest.Server // nil in a bubble
	tls      *tls.Config
	runs     atomic.Int64       // how often the guarded handler was reached
	held     chan time.Duration // how long each request held the server
	statuses chan wsStatus      // of requests that were answered without an upgrade
	requests sync.WaitGroup     // under way
}

type wsStatus struct {
	method, proto string
	status        int
}

func wsGuard(t testing.TB, cfg auth.Config, backend auth.Backend) auth.Auth {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a, err := auth.New(cfg, backend)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wsHandler is the guarded route of o, watched by s.
func (s *wsSite) wsHandler(t testing.TB, o wsOptions) http.Handler {
	t.Helper()
	if o.backend == nil {
		o.backend = wsPeople()
	}
	if o.auth == nil {
		o.auth = wsGuard(t, o.cfg, o.backend)
	}
	if o.required == nil && !o.any {
		o.required = wsContentsRW
	}
	if o.handler == nil {
		o.handler = wsGreet
	}
	if o.guards == nil {
		o.guards = func(a auth.Auth) []func(http.Handler) http.Handler {
			return []func(http.Handler) http.Handler{a.WebSocketAuth(o.required)}
		}
	}
	s.held, s.statuses = make(chan time.Duration, 10_000), make(chan wsStatus, 10_000)
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.runs.Add(1)
		o.handler(w, r)
	})
	guards := o.guards(o.auth)
	for i := len(guards) - 1; i >= 0; i-- {
		h = guards[i](h)
	}
	if o.wrap != nil {
		h = o.wrap(h)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		seen := &wsSeen{ResponseWriter: w}
		s.requests.Add(1)
		defer func() {
			defer s.requests.Done()
			s.held <- time.Since(start)
			if seen.status != 0 && seen.status != http.StatusSwitchingProtocols {
				s.statuses <- wsStatus{r.Method, r.Proto, seen.status}
			}
		}()
		h.ServeHTTP(seen, r)
	})
}

// wsSeen notices the status of an answer.
type wsSeen struct {
	http.ResponseWriter
	status int
}

func (w *wsSeen) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *wsSeen) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func wsServe(t testing.TB, o wsOptions) *wsSite {
	t.Helper()
	s := &wsSite{}
	s.server = httptest.NewUnstartedServer(s.wsHandler(t, o))
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if o.h2c {
		s.server.Config.Protocols = new(http.Protocols)
		s.server.Config.Protocols.SetUnencryptedHTTP2(true)
	}
	if o.tls {
		s.server.StartTLS()
		s.tls = &tls.Config{RootCAs: s.server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com", MinVersion: tls.VersionTLS12}
	} else {
		s.server.Start()
	}
	t.Cleanup(s.server.Close)
	s.dial = func() (net.Conn, error) { return net.Dial("tcp", s.addr()) }
	return s
}

// wsServePipes serves over net.Pipe, which works in a bubble of testing/synctest. A pipe holds nothing: a write waits for
// its reader.
func wsServePipes(t testing.TB, o wsOptions) *wsSite {
	t.Helper()
	s := &wsSite{}
	l := &wsPipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: s.wsHandler(t, o), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Hour}
	var listener net.Listener = l
	if o.tls {
		listener = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{o.cert}, MinVersion: tls.VersionTLS13})
		roots := x509.NewCertPool()
		roots.AddCert(o.cert.Leaf)
		s.tls = &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS13}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
		s.requests.Wait() // in a bubble no time passes after the test
	})
	s.dial = l.dial
	return s
}

// wsCert is a certificate for example.com.
func wsCert(t testing.TB) tls.Certificate {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	cert := server.TLS.Certificates[0]
	cert.Leaf = server.Certificate()
	return cert
}

type wsPipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *wsPipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *wsPipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *wsPipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (l *wsPipes) dial() (net.Conn, error) {
	client, server := net.Pipe()
	l.conns <- server
	return client, nil
}

func (s *wsSite) addr() string { return s.server.Listener.Addr().String() }

// raw connects without a word.
func (s *wsSite) raw(t testing.TB) *wsConn {
	t.Helper()
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	if s.tls != nil {
		c = tls.Client(c, s.tls)
	}
	return newWSConn(t, c)
}

func (s *wsSite) wantStatus(t testing.TB, request string, status int) *http.Response {
	t.Helper()
	runs := s.runs.Load()
	c := s.raw(t)
	c.send(request)
	res := c.response()
	if res.StatusCode != status {
		t.Errorf("got status %d, want %d", res.StatusCode, status)
	}
	if got := s.runs.Load() - runs; got != 0 {
		t.Errorf("the handler ran %d times for a refused caller", got)
	}
	_ = c.Close()
	return res
}

func (s *wsSite) wantClose(t testing.TB, request string, want websocket.StatusCode) {
	t.Helper()
	runs := s.runs.Load()
	c := s.shake(t, request)
	res := c.wantSwitch()
	if got := res.Header.Get("Sec-Websocket-Protocol"); got != "" {
		t.Errorf("got subprotocol %q, want none", got)
	}
	if got, reason := c.closeFrame(); got != want {
		t.Errorf("got close code %d %q, want %d", got, reason, want)
	}
	c.answerClose(want)
	c.wantEnd()
	if got := s.runs.Load() - runs; got != 0 {
		t.Errorf("the handler ran %d times for a refused caller", got)
	}
}

// shake sends a handshake and waits for all of its answer, up to the end of the first frame. On a machine that is too
// busy the time for a refusal can be over before it was written. Only then: once more.
func (s *wsSite) shake(t testing.TB, request string) (c *wsConn) {
	t.Helper()
	for range 10 {
		c = s.raw(t)
		start := time.Now()
		c.send(request)
		if c.answered() || time.Since(start) < 250*time.Millisecond {
			break
		}
	}
	return c
}

// wantOpen expects wsGreet, and leaves.
func (s *wsSite) wantOpen(t testing.TB, request string) {
	t.Helper()
	runs := s.runs.Load()
	c := s.raw(t)
	c.send(request)
	c.wantWelcome()
	if got := s.runs.Load() - runs; got != 1 {
		t.Errorf("the handler ran %d times, want once", got)
	}
	_ = c.Close()
}

// client opens a socket as the WebSocket library does.
func (s *wsSite) client(t testing.TB, user string) *websocket.Conn {
	t.Helper()
	opts := &websocket.DialOptions{HTTPHeader: http.Header{"Test-User": {user}}}
	url := strings.Replace(s.server.URL, "http", "ws", 1)
	if s.tls != nil {
		opts.HTTPClient = s.server.Client()
	}
	conn, _, err := websocket.Dial(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// wsGreet greets, and stays until the client leaves.
func wsGreet(w http.ResponseWriter, r *http.Request) {
	conn, err := auth.Accept(w, r, nil)
	if err != nil {
		return
	}
	if conn.Write(r.Context(), websocket.MessageText, []byte("welcome")) == nil {
		_, _, _ = conn.Read(r.Context())
	}
}

// wsIdentity is somebody who may read and write contents.
func wsIdentity(name string) *auth.Identity {
	return &auth.Identity{ID: "user:" + name, User: auth.User{Username: name}, Permissions: wsContentsRW.Clone()}
}

func wsPeople() auth.Backend {
	ids := map[string]*auth.Identity{}
	for name, permissions := range map[string]auth.Permissions{
		"alice": wsContentsRW, "explicit": wsContentsRW, "reader": {"contents": {"read"}}, "nothing": nil, "root": nil,
		"holds-b": {"b": {"y"}}, "holds-c": {"c": {"z"}},
	} {
		ids[name] = &auth.Identity{
			ID: "user:" + name, User: auth.User{Username: name}, Permissions: permissions,
			Explicit: name == "explicit", Unrestricted: name == "root",
		}
	}
	return byHeader(ids)
}

// wsResponder counts its effects, and has a login page.
type wsResponder struct {
	auth.Backend
	calls atomic.Int64
}

func (b *wsResponder) Respond(*http.Request, *auth.Identity) (auth.Effects, error) {
	b.calls.Add(1)
	return auth.Effects{}, nil
}

func (b *wsResponder) Challenge(*http.Request, error) auth.Challenge {
	return auth.Challenge{LoginPath: "/auth/login"}
}

// wsSession is a session that can change, end, and fall silent.
type wsSession struct {
	watch.Topic
	mu          sync.Mutex
	id          *auth.Identity
	err         error
	beforeWatch func() // called once, before the first Watch begins
}

func newWSSession(id auth.Identity) (*wsSession, *auth.Identity) {
	s := &wsSession{}
	id.Session = s
	s.id = &id
	return s, &id
}

func (s *wsSession) Current() (*auth.Identity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id, s.err
}

func (s *wsSession) Watch(changed func()) func() {
	s.mu.Lock()
	before := s.beforeWatch
	s.beforeWatch = nil
	s.mu.Unlock()
	if before != nil {
		before()
	}
	return s.Topic.Watch(changed)
}

// set makes Current fail, or answer again.
func (s *wsSession) set(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	s.Notify()
}

func (s *wsSession) change(f func(*auth.Identity)) {
	s.mu.Lock()
	c := *s.id
	c.Permissions = c.Permissions.Clone()
	f(&c)
	s.id = &c
	s.mu.Unlock()
	s.Notify()
}

// wsOf is a backend that knows one user, whoever asks.
func wsOf(id *auth.Identity) auth.Backend {
	return auth.BackendFunc(func(*http.Request) (*auth.Identity, error) { return id, nil })
}
