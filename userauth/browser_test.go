package userauth_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
)

// patience is how long a test waits for what should take no time.
const patience = 20 * time.Second

// A browser keeps cookies, as one browser does.
type browser struct {
	site    *site
	host    string
	tls     bool
	address string
	mu      sync.Mutex
	cookies map[string]string
}

func (s *site) browser() *browser {
	return &browser{site: s, host: s.host, tls: strings.HasSuffix(s.host, ".example"), address: "192.0.2.7:50000", cookies: map[string]string{}}
}

// in is a browser in which name has logged in.
func (s *site) in(name string) *browser {
	s.t.Helper()
	b := s.browser()
	b.logIn(name, sitePassword)
	return b
}

func (b *browser) logIn(name, pass string) {
	b.site.t.Helper()
	if got := b.login(name, pass); got.Status != http.StatusOK {
		b.site.t.Fatalf("%s logs in: got %d %s, want 200", name, got.Status, got.text())
	}
}

// login posts JSON, as a page's script does.
func (b *browser) login(name, pass string, options ...option) answer {
	body, _ := json.Marshal(map[string]string{"username": name, "password": pass})
	return b.json(http.MethodPost, b.path("/auth/login"), string(body), options...)
}

// path is p below the application's mount point, as browsers send it.
func (b *browser) path(p string) string { return (&url.URL{Path: b.site.base}).EscapedPath() + p }

// session is the name and value of the session cookie; empty where the browser has none.
func (b *browser) session() (name, value string) { return b.cookie(false) }

// device is the name and value of the device cookie.
func (b *browser) device() (name, value string) { return b.cookie(true) }

func (b *browser) cookie(device bool) (name, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, value := range b.cookies {
		if strings.Contains(name, "ostiary-user") && strings.Contains(name, "-device") == device {
			return name, value
		}
	}
	return "", ""
}

// copy is another client with the same cookies: a thief, or the browser's own tab before something changed.
func (b *browser) copy() *browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &browser{site: b.site, host: b.host, tls: b.tls, address: b.address, cookies: maps.Clone(b.cookies)}
}

// at is the same client at another site.
func (b *browser) at(s *site) *browser {
	c := b.copy()
	c.site, c.host = s, s.host
	return c
}

func (b *browser) cookieHeader() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		pairs = append(pairs, name+"="+b.cookies[name])
	}
	return strings.Join(pairs, "; ")
}

func (b *browser) take(cookies []*http.Cookie) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range cookies {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
		b.site.keepsSecret(c.Value)
	}
}

// An answer is what came back.
type answer struct {
	Status  int
	Header  http.Header
	Body    string
	Cookies []*http.Cookie
}

// reached reports whether the guarded handler ran.
func (a answer) reached() bool { return a.Header.Get("Reached") != "" }

// text is the body for a failed test to show, without a page's head.
func (a answer) text() string {
	if _, main, ok := strings.Cut(a.Body, "<main"); ok {
		return main
	}
	return a.Body
}

func (a answer) location() string { return a.Header.Get("Location") }

// sessionCookie is the session cookie that the answer sets or deletes; nil: neither.
func (a answer) sessionCookie() *http.Cookie {
	for _, c := range a.Cookies {
		if !strings.Contains(c.Name, "-device") {
			return c
		}
	}
	return nil
}

func (a answer) decode(t testing.TB, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), to); err != nil {
		t.Fatalf("got %d %s: %v", a.Status, a.Body, err)
	}
}

// me is the answer of /api/me.
type me struct {
	Identity    auth.JupyterUser
	Permissions map[string][]string
}

func (b *browser) me() (m me) {
	b.site.t.Helper()
	b.get(b.path("/api/me")).decode(b.site.t, &m)
	return m
}

// refused fails the test unless got is a refusal of that status: the handler wasn't reached and nobody was logged in.
func refused(t testing.TB, name string, got answer, status int) {
	t.Helper()
	c := got.sessionCookie()
	if got.Status != status || got.reached() || c != nil && c.MaxAge >= 0 {
		t.Errorf("%s: got %d, reached: %v, cookies %v, want %d, no handler and no session\n%.300s", name, got.Status, got.reached(), got.Cookies, status, got.text())
	}
	if cache := got.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("%s: got Cache-Control %q, want no-store", name, cache)
	}
}

// admitted fails the test unless the guarded handler was reached.
func admitted(t testing.TB, name string, got answer) {
	t.Helper()
	if got.Status != http.StatusOK || !got.reached() {
		t.Errorf("%s: got %d, reached: %v, want 200 from the handler\n%.300s", name, got.Status, got.reached(), got.text())
	}
}

// An option changes a request before it is sent.
type option func(*http.Request)

// with sets a header, to several lines where there are several values; to none: without it.
func with(name string, values ...string) option {
	return func(r *http.Request) {
		if len(values) == 0 {
			delete(r.Header, name)
			return
		}
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
}

func to(host string) option      { return func(r *http.Request) { r.Host = host } }
func from(address string) option { return func(r *http.Request) { r.RemoteAddr = address } }

// elsewhere is another address each time, so that a test of many wrong passwords isn't one of the limits.
func elsewhere() option {
	n := elsewheres.Add(1)
	return from(fmt.Sprintf("198.%d.%d.%d:4711", 18+n>>16&1, n>>8&255, n&255))
}

var elsewheres atomic.Uint32

// navigating makes it what a browser sends for a click on a link of its own.
func navigating(r *http.Request) {
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "none")
}

// do sends a request with the browser's cookies and takes those of the answer.
func (b *browser) do(method, target, body string, options ...option) answer {
	b.site.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = b.host, b.address
	if b.tls {
		r.TLS = &tls.ConnectionState{}
	}
	r.Header.Set("Accept", "application/json")
	if c := b.cookieHeader(); c != "" {
		r.Header.Set("Cookie", c)
	}
	for _, f := range options {
		f(r)
	}
	w := httptest.NewRecorder()
	b.site.ServeHTTP(w, r)
	res := w.Result()
	got := answer{res.StatusCode, res.Header, w.Body.String(), res.Cookies()}
	b.take(got.Cookies)
	b.check(method+" "+target, got)
	return got
}

// check is the oracle of every answer: no fault that nobody expects, and no secret in it (S-22).
func (b *browser) check(request string, got answer) {
	b.site.t.Helper()
	if got.Status >= http.StatusInternalServerError && !b.site.faulty.Load() {
		b.site.t.Errorf("%.100s: got %d %s", request, got.Status, got.text())
	}
	text := got.Body
	for name, values := range got.Header {
		if name != "Set-Cookie" {
			text += "\n" + strings.Join(values, "\n")
		}
	}
	_, session := b.session()
	for _, secret := range []string{session, sitePassword, nextPassword} {
		if secret != "" && strings.Contains(text, secret) {
			b.site.t.Errorf("%.100s: the answer tells %q: %v\n%s", request, secret, got.Header, got.text())
		}
	}
}

func (b *browser) get(target string, options ...option) answer {
	b.site.t.Helper()
	return b.do(http.MethodGet, target, "", options...)
}

func (b *browser) navigate(target string, options ...option) answer {
	b.site.t.Helper()
	return b.do(http.MethodGet, target, "", append([]option{navigating}, options...)...)
}

// post sends a form as the browser does from a page of the same origin.
func (b *browser) post(target string, form url.Values, options ...option) answer {
	b.site.t.Helper()
	return b.do(http.MethodPost, target, form.Encode(), append([]option{
		navigating, with("Sec-Fetch-Site", "same-origin"), with("Content-Type", "application/x-www-form-urlencoded"),
	}, options...)...)
}

func (b *browser) json(method, target, body string, options ...option) answer {
	b.site.t.Helper()
	return b.do(method, target, body, append([]option{with("Content-Type", "application/json"), with("Sec-Fetch-Site", "same-origin")}, options...)...)
}

// eventually waits until what is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			t.Fatalf("still not so: %s", what)
		case <-tick.C:
		}
	}
}
