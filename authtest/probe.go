package authtest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// patience is how long a handler may take to return, and anything in the suite that should take no time.
const patience = 10 * time.Second

// ask sends requests without credentials, and says how the first one was answered that wasn't refused; empty: all were.
func (rt *route) ask(method string, public publicRoutes) string {
	if rt.chain.optionalOnly() {
		return "is behind OptionalUser, which lets everybody through" // whatever the Host rule says to these requests
	}
	if answer := rt.probe(rt.request(method)); answer != "" {
		return answer
	}
	// Headers that have talked guards out of their duty elsewhere: the address before a rewrite, a health check.
	r := rt.request(method)
	for _, name := range []string{"X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Uri"} {
		r.Header.Set(name, public.path())
	}
	r.Header.Set("User-Agent", "kube-probe/1.30")
	if answer := rt.probe(r); answer != "" {
		return answer + " with headers that claim another address"
	}
	for _, spelling := range spellings(rt.path) {
		r := rt.request(method)
		u, err := url.Parse("http://localhost" + spelling)
		if err != nil {
			continue
		}
		r.URL.Path, r.URL.RawPath, r.RequestURI = u.Path, u.RawPath, spelling
		if !rt.reaches(r) {
			continue
		}
		if answer := rt.probe(r); answer != "" {
			return fmt.Sprintf("%s when it is spelled %q", answer, spelling)
		}
	}
	return ""
}

// spellings are other ways to write p. A guard that compares paths by itself may read them otherwise than the router.
func spellings(p string) []string {
	list := []string{"/" + p, "/." + p, p + "/", p + ";x", p + "%2f..%2fpublic", strings.ToUpper(p)}
	if len(p) > 1 {
		list = append(list, fmt.Sprintf("/%%%02x%s", p[1], p[2:]))
	}
	return list
}

// request is one from an address that nobody has, to a host that a guard without a PublicURL accepts, as an API client
// sends it.
func (rt *route) request(method string) *http.Request {
	host := rt.host
	if host == "" {
		host = "localhost"
	}
	u, err := url.Parse("http://localhost" + rt.path)
	if err != nil {
		u = &url.URL{Path: rt.path}
	}
	u.Scheme, u.Host = "", ""
	return &http.Request{
		Method: method, URL: u, RequestURI: rt.path, Host: host, RemoteAddr: "192.0.2.1:1234",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Accept": {"application/json"}}, Body: http.NoBody,
	}
}

// probe says how r was answered; empty: with 401 or 403.
func (rt *route) probe(r *http.Request) string {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// A stream would go on for ever: the client leaves as soon as it knows the status.
	w := &statusWriter{header: http.Header{}, answered: cancel}
	returned := make(chan any, 1)
	go func() {
		defer func() { returned <- recover() }()
		rt.router.ServeHTTP(w, r.WithContext(ctx))
	}()
	select {
	case panicked := <-returned:
		if panicked != nil {
			return fmt.Sprintf("panics with %v", panicked)
		}
	case <-time.After(patience):
		return "doesn't return"
	}
	switch status := w.result(); status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ""
	default:
		return fmt.Sprintf("answers %d", status)
	}
}

// A statusWriter keeps the status alone.
type statusWriter struct {
	header   http.Header
	answered func()

	mu     sync.Mutex
	status int
}

func (w *statusWriter) Header() http.Header { return w.header }

func (w *statusWriter) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		return // one before the answer, such as 103
	}
	w.mu.Lock()
	if w.status == 0 {
		w.status = status
	}
	w.mu.Unlock()
	w.answered()
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(p), nil
}

// Flush implements [http.Flusher], which streams ask for.
func (w *statusWriter) Flush() { w.WriteHeader(http.StatusOK) }

// result is what net/http makes of it: a handler that writes nothing answers 200.
func (w *statusWriter) result() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
