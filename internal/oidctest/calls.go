package oidctest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// maxBody bounds what any endpoint reads.
const maxBody = 1 << 20

// A Call is a request as it reached an endpoint.
type Call struct {
	Time   time.Time // by the provider's clock
	Method string
	Host   string // the name by which the provider was asked
	URL    *url.URL
	Header http.Header
	Body   string
	Form   url.Values // the body where it is a form, else the query
}

type callLog struct {
	mu     sync.Mutex
	byName map[string][]Call
}

// add logs r and leaves its body to be read again. It answers itself, and returns false, where that is too large.
func (l *callLog) add(name string, now time.Time, w http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "body too large or broken off", http.StatusRequestEntityTooLarge)
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	call := Call{Time: now, Method: r.Method, Host: r.Host, URL: r.URL, Header: r.Header.Clone(), Body: string(body),
		Form: r.URL.Query()}
	if len(body) > 0 {
		call.Form, _ = url.ParseQuery(string(body)) // what can't be read isn't there; the endpoint refuses it
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byName == nil {
		l.byName = map[string][]Call{}
	}
	l.byName[name] = append(l.byName[name], call)
	return true
}

// Calls returns the requests to an endpoint since the start or Reset, in order: "discovery", "jwks", "authorize", "login",
// "token", "userinfo", "introspect", "revoke", "par", "end_session", and "other" for any other path.
func (p *Provider) Calls(endpoint string) []Call {
	p.calls.mu.Lock()
	defer p.calls.mu.Unlock()
	return slices.Clone(p.calls.byName[endpoint])
}

// Reset empties the log of calls, and nothing else.
func (p *Provider) Reset() {
	p.calls.mu.Lock()
	defer p.calls.mu.Unlock()
	p.calls.byName = nil
}
