package auth_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
)

// These tests aren't parallel: they count what the process has.

// W-11: strangers who open a handshake and then do nothing hold the server for 250 ms each, and all at once.
func TestWSLoadSilentClients(t *testing.T) {
	const clients = 200
	for _, over := range []string{"TCP", "TLS"} {
		t.Run(fmt.Sprintf("W-11 %d silent clients over %s", clients, over), func(t *testing.T) {
			site := wsServe(t, wsOptions{tls: over == "TLS"})
			site.wantOpen(t, wsHandshake("/", "Test-User: alice"))
			wsWait(t, site.held)
			var conns []*wsConn
			for range clients {
				c := site.raw(t)
				if c, ok := c.Conn.(interface{ Handshake() error }); ok {
					if err := c.Handshake(); err != nil {
						t.Fatal(err)
					}
				}
				conns = append(conns, c)
			}
			lag := wsMeasureLag(t)
			for _, c := range conns {
				c.send(wsHandshake("/"))
			}
			late := wsWantHeld(t, site, clients, lag)
			told := 0
			for _, c := range conns {
				if answer, err := io.ReadAll(c.br); err == nil && bytes.Contains(answer, []byte("\x88\x19\x03\xf0authentication required")) {
					told++
				}
			}
			if told < wsNearly(clients) && late < wsTooLate {
				t.Errorf("%d of %d were told, want all", told, clients)
			}
			if got := site.runs.Load(); got != 1 {
				t.Errorf("the handler ran %d times for refused callers", got-1)
			}
		})
	}
}

// W-13: what a refused client goes on to send is thrown away, not kept.
func TestWSLoadFloods(t *testing.T) {
	const clients = 20
	for _, tc := range []struct {
		name  string
		over  string
		flood func() []byte
	}{
		{"W-13 messages over TCP", "TCP", func() []byte { return wsFrame(wsBinary, make([]byte, 100)) }},
		{"W-13 messages over TLS", "TLS", func() []byte { return wsFrame(wsBinary, make([]byte, 100)) }},
		{"W-13 pings over TCP", "TCP", func() []byte { return wsFrame(wsPing, make([]byte, 100)) }},
		{"W-13 one huge message over TCP", "TCP", func() []byte { return []byte("\x82\xff\x00\x00\x00\x00\x06\x40\x00\x00abcd") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			site := wsServe(t, wsOptions{tls: tc.over == "TLS"})
			site.wantOpen(t, wsHandshake("/", "Test-User: alice"))
			wsWait(t, site.held)
			heap := wsHeap()
			lag := wsMeasureLag(t)
			var all sync.WaitGroup
			var sent atomic.Int64
			for range clients {
				c := site.raw(t)
				c.send(wsHandshake("/"))
				all.Go(func() {
					data := tc.flood()
					for {
						n, err := c.Write(data)
						sent.Add(int64(n))
						if err != nil {
							return
						}
						if n < 50 { // the huge one's head was sent; go on with its data
							data = make([]byte, 1<<14)
						}
					}
				})
			}
			wsWantHeld(t, site, clients, lag)
			all.Wait() // cut off: no flood goes on
			grown := int64(wsHeap()) - int64(heap)
			t.Logf("%d MiB were sent; the heap grew by %d KiB", sent.Load()>>20, grown>>10)
			if grown > 8<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
			if got := site.runs.Load(); got != 1 {
				t.Errorf("the handler ran %d times for refused callers", got-1)
			}
		})
	}
}

// A peer that never reads can't hold a socket open past the end of its session, not even where TLS wants to say goodbye.
func TestWSLoadEndOfClientsThatDoNotRead(t *testing.T) {
	const clients = 20
	for _, over := range []string{"TCP", "TLS"} {
		t.Run(fmt.Sprintf("W-10 %d clients over %s", clients, over), func(t *testing.T) {
			session, id := newWSSession(*wsIdentity("alice"))
			ended := make(chan time.Time, clients)
			stuck := make(chan struct{}, clients)
			site := wsServe(t, wsOptions{tls: over == "TLS", backend: wsOf(id), handler: func(w http.ResponseWriter, r *http.Request) {
				conn, err := auth.Accept(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				// More than all buffers between here and the client hold.
				const chunk, total = 1 << 20, 64 << 20
				var once sync.Once
				for n := 0; n < total; n += chunk {
					late := time.AfterFunc(100*time.Millisecond, func() { once.Do(func() { stuck <- struct{}{} }) })
					err := conn.Write(context.Background(), websocket.MessageBinary, make([]byte, chunk))
					late.Stop()
					if err != nil {
						ended <- time.Now()
						<-r.Context().Done()
						return
					}
				}
				t.Error("nothing was in the way of 64 MiB")
			}})
			for range clients {
				site.raw(t).send(wsHandshake("/"))
			}
			for range clients {
				wsWait(t, stuck)
			}
			lag := wsMeasureLag(t)
			start := time.Now()
			session.set(auth.ErrSessionEnded)
			var took []time.Duration
			for range clients {
				took = append(took, wsWait(t, ended).Sub(start))
				wsWait(t, site.held)
			}
			wsWantShort(t, took, lag)
			wsUntil(t, "nobody watches any more", func() bool { return session.Len() == 0 })
		})
	}
}

// W-11: at most MaxRefusals are under way; the others get the plain answer, which holds nothing.
func TestWSLoadMaxRefusals(t *testing.T) {
	const clients, places = 1000, 100
	before := runtime.NumGoroutine()
	var underWay, most atomic.Int64
	site := wsServe(t, wsOptions{
		cfg: auth.Config{MaxRefusals: places},
		wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h := &wsHijacked{ResponseWriter: w, hijacked: func(conn net.Conn) net.Conn {
					n := underWay.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					return &wsClosing{Conn: conn, closes: sync.OnceFunc(func() { underWay.Add(-1) })}
				}}
				next.ServeHTTP(h, r)
			})
		},
	})
	site.wantOpen(t, wsHandshake("/", "Test-User: alice"))
	wsWait(t, site.held)
	var accepted, plain, cut atomic.Int64
	var all sync.WaitGroup
	lag := wsMeasureLag(t)
	for range clients {
		all.Go(func() {
			c, err := site.dial()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, wsHandshake("/"))
			br := bufio.NewReader(c)
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				cut.Add(1)
				return
			}
			switch res.StatusCode {
			case http.StatusSwitchingProtocols:
				accepted.Add(1)
				_, _ = io.Copy(io.Discard, br) // silent, until it is cut
			case http.StatusUnauthorized:
				plain.Add(1)
			default:
				t.Errorf("got %d", res.StatusCode)
			}
		})
	}
	all.Wait()
	if n, late := int(cut.Load()), lag(); clients-n < wsNearly(clients) && late < wsTooLate {
		t.Errorf("%d were cut off without an answer", n)
	}
	t.Logf("%d were accepted and closed, at most %d at once; %d got 401", accepted.Load(), most.Load(), plain.Load())
	if got := most.Load(); got > places {
		t.Errorf("%d refusals were under way, want at most %d", got, places)
	}
	if accepted.Load() < places {
		t.Errorf("%d were accepted, want at least %d", accepted.Load(), places)
	}
	if got := site.runs.Load(); got != 1 {
		t.Errorf("the handler ran %d times for refused callers", got-1)
	}
	site.wantClose(t, wsHandshake("/"), websocket.StatusPolicyViolation) // there is a place again
	site.server.Close()
	wsUntil(t, "V-02 the goroutines are back to the baseline", func() bool { return runtime.NumGoroutine() <= before })
}

// wsHijacked tells when an answer begins and when a connection is taken over, which it may replace.
type wsHijacked struct {
	http.ResponseWriter
	writes   func() // nil: nobody asks
	hijacked func(net.Conn) net.Conn
}

func (w *wsHijacked) WriteHeader(status int) {
	if w.writes != nil {
		w.writes()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *wsHijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.hijacked != nil {
		conn = w.hijacked(conn)
	}
	return conn, rw, err
}

// wsClosing tells when a connection is closed.
type wsClosing struct {
	net.Conn
	closes func()
}

func (c *wsClosing) Close() error {
	c.closes()
	return c.Conn.Close()
}

func (w *wsHijacked) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// V-02: after thousands of requests of every kind no goroutine and no watcher is left.
func TestWSLoadLeavesNothing(t *testing.T) {
	requests, workers := 10_000, 50
	if testing.Short() || wsRace() {
		requests = 2_000
	}
	before := runtime.NumGoroutine()
	session, id := newWSSession(*wsIdentity("alice"))
	people := wsPeople()
	site := wsServe(t, wsOptions{
		cfg: auth.Config{MaxRefusals: 20},
		backend: auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
			switch r.Header.Get("Test-User") {
			case "live":
				return id, nil
			case "outage":
				return nil, auth.ErrUnavailable
			}
			return people.Identify(r)
		}),
	})
	kinds := []string{
		wsHandshake("/", "Test-User: live"), wsHandshake("/"), wsHandshake("/", "Test-User: nothing"), wsHandshake("/", "Test-User: outage"),
		wsHandshake("/", "Test-User: live", "Origin: https://evil.example"), "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTest-User: live\r\n\r\n",
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)); i <= requests; i = int(next.Add(1)) {
				c, err := site.dial()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(c, kinds[i%len(kinds)])
				if i%3 > 0 { // others leave before the answer
					_, _ = c.Read(make([]byte, 1))
				}
				_ = c.Close()
			}
		})
	}
	all.Wait()
	wsUntil(t, "nobody watches any more", func() bool { return session.Len() == 0 })
	session.set(auth.ErrSessionEnded)
	site.server.Close()
	wsUntil(t, fmt.Sprintf("V-02 the goroutines are back to %d", before), func() bool { return runtime.NumGoroutine() <= before })
}

// The budget of an open socket, beside the same server without us: no goroutine, and at most 1.6 KB of heap.
func TestWSLoadIdleSockets(t *testing.T) {
	const sockets, budget = 1000, 1600
	_, id := newWSSession(*wsIdentity("alice"))
	a := wsGuard(t, auth.Config{}, wsOf(id))
	plain := func(in func()) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.CloseNow() }()
			in()
			_, _, _ = conn.Read(r.Context())
		})
	}
	wsIdle(t, sockets, plain) // what the runtime keeps of each goroutine for the next is there from here on
	oursG, oursHeap := wsIdle(t, sockets, func(in func()) http.Handler {
		return a.WebSocketAuth(wsContentsRW)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := auth.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			in()
			_, _, _ = conn.Read(r.Context())
		}))
	})
	plainG, plainHeap := wsIdle(t, sockets, plain)
	t.Logf("%d idle sockets: %d goroutines and %d bytes of heap each with us, %d and %d without", sockets, oursG, oursHeap, plainG, plainHeap)
	// A few of the process's own may come and go meanwhile; a goroutine for each socket would be a thousand.
	if oursG > plainG+sockets/100 {
		t.Errorf("%d goroutines, want no more than the %d of a server without us", oursG, plainG)
	}
	if wsRace() {
		return // the race detector's own bytes are in the figures
	}
	if got := oursHeap - plainHeap; got > budget {
		t.Errorf("%d bytes of ours for each socket, want at most %d", got, budget)
	}
}

// wsIdle opens sockets to a handler, which calls in once it is in, and measures what they cost when nothing happens.
func wsIdle(t *testing.T, sockets int, handler func(in func()) http.Handler) (goroutines, heapEach int) {
	t.Helper()
	var in sync.WaitGroup
	in.Add(sockets)
	server := httptest.NewServer(handler(in.Done))
	conns := make([]net.Conn, sockets)
	g, heap := runtime.NumGoroutine(), wsHeap()
	answer := make([]byte, 4096)
	for i := range conns {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c
		if _, err := io.WriteString(c, wsHandshake("/")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(answer); err != nil {
			t.Fatal(err)
		}
	}
	in.Wait()
	wsUntil(t, "the goroutines settle", func() bool { return runtime.NumGoroutine()-g <= sockets })
	goroutines, heapEach = runtime.NumGoroutine()-g, (int(wsHeap())-int(heap))/sockets
	for _, c := range conns {
		_ = c.Close()
	}
	server.Close()
	wsUntil(t, "the goroutines end", func() bool { return runtime.NumGoroutine() < g })
	return goroutines, heapEach
}

func wsHeap() uint64 {
	var m runtime.MemStats
	for range 3 { // what has a finalizer, and what pools keep, takes more than one
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func wsRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}

// wsTooLate is a lag with which honest clients may be cut off for being silent: all that they and the server have to do
// within 250 ms takes several turns.
const wsTooLate = 50 * time.Millisecond

// wsNearly is how many of n honest clients must get their answer all the same: that this process is late isn't seen where
// only one of its threads has to wait.
func wsNearly(n int) int { return n - n/20 }

// wsMeasureLag measures until it is asked how much later than wanted this process gets to run. On a busy machine nothing
// here can be blamed for that; the exact limits are asked of the bubbles.
func wsMeasureLag(t testing.TB) func() time.Duration {
	t.Helper()
	stop, most := make(chan struct{}), make(chan time.Duration)
	go func() {
		var worst time.Duration
		for {
			const step = time.Millisecond
			start := time.Now()
			timer := time.NewTimer(step)
			select {
			case <-timer.C:
				worst = max(worst, time.Since(start)-step)
			case <-stop:
				timer.Stop()
				most <- worst
				return
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-most
	}
}

// wsWantHeld expects n requests to have held the server about as shortly as a refusal may.
func wsWantHeld(t testing.TB, site *wsSite, n int, lag func() time.Duration) (late time.Duration) {
	t.Helper()
	var held []time.Duration
	for range n {
		held = append(held, wsWait(t, site.held))
	}
	return wsWantShort(t, held, lag)
}

func wsWantShort(t testing.TB, took []time.Duration, lag func() time.Duration) (late time.Duration) {
	t.Helper()
	slices.Sort(took)
	late = lag()
	longest := took[len(took)-1]
	t.Logf("p50 %v, p99 %v, max %v; this process was late by up to %v", took[len(took)/2].Round(time.Millisecond),
		took[len(took)*99/100].Round(time.Millisecond), longest.Round(time.Millisecond), late.Round(time.Millisecond))
	// The limit is 250 ms, which the tests in bubbles hold to the millisecond. What must not happen here is that somebody is
	// held for the 5 s of the WebSocket library or of TLS.
	if limit := 2*time.Second + 4*late; longest > limit {
		t.Errorf("held for %v, want at most %v", longest, limit)
	}
	return late
}
