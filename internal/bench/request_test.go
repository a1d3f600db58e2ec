package bench_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A writer is a ResponseWriter that is used again and again: its headers keep their map, so that no row pays for a new
// one and none inherits the headers of the turn before.
type writer struct {
	header http.Header
	status int
	bytes  int
}

func newWriter() *writer { return &writer{header: http.Header{}} }

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) { w.status = status }

func (w *writer) Write(p []byte) (int, error) {
	w.bytes += len(p)
	return len(p), nil
}

func (w *writer) reset() {
	clear(w.header)
	w.status, w.bytes = 0, 0
}

// serve gives an operation that sends r to h and expects a status.
func serve(h http.Handler, r *http.Request, status int) func() {
	w := newWriter()
	return func() {
		w.reset()
		h.ServeHTTP(w, r)
		if w.status != status {
			panic(fmt.Sprintf("got status %d, want %d", w.status, status))
		}
	}
}

const host = "127.0.0.1:8888"

// get makes a request as it comes in over loopback. The headers are pairs.
func get(tb testing.TB, path string, headers ...string) *http.Request {
	tb.Helper()
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8888}
	ctx := context.WithValue(context.Background(), http.LocalAddrContextKey, net.Addr(local))
	r := httptest.NewRequest(http.MethodGet, "http://"+host+path, nil).WithContext(ctx)
	r.RemoteAddr = "127.0.0.1:54321"
	r.Header.Set("User-Agent", "curl/8.5.0")
	r.Header.Set("Accept", "*/*")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}
