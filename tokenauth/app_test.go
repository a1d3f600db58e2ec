package tokenauth_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// The shared token and the shared password of these tests.
const (
	labToken    = "6fd1f5c6a3be4f0a9c27b8d05e13f4a2b69c7d80e1f2a3b4"
	labPassword = "purple-otter-crosses-43"
)

// labPatience is how long anything may take that should take no time, on a machine that is busy with other things.
const labPatience = 30 * time.Second

// A lab is a small application behind tokenauth: pages, notes that are read and written, a room, /api/me. Every guarded
// handler says in the answer's header that it was reached. Its log is searched for secrets when the test is over.
type lab struct {
	t    *testing.T
	auth *tokenauth.Auth
	http.Handler
	base string // where the application is mounted, decoded
	host string // what browsers put into Host

	server *httptest.Server // once listen was called
	url    string           // of the server, once there is one
	client *http.Client     // that reaches it; nil: the default one
	rooms  atomic.Int64     // how often the room's handler ran
	left   chan labLeft     // one for each room handler that returned

	mu      sync.Mutex
	log     bytes.Buffer
	secrets []string
	events  []auth.Event
	notes   map[string]string
}

// labLeft is how a room's handler saw its end: the code in Read's error, and the context at that moment.
type labLeft struct {
	code  websocket.StatusCode
	cause error // of the context, nil while it isn't done
}

// newLab starts a lab with the shared token, or what change makes of that.
func newLab(t *testing.T, change ...func(*tokenauth.Config)) *lab {
	t.Helper()
	l := &lab{t: t, left: make(chan labLeft, 100), notes: map[string]string{"demo": "hello"}, secrets: []string{labToken, labPassword}}
	cfg := tokenauth.Config{Token: labToken}
	for _, f := range change {
		f(&cfg)
	}
	if cfg.Auth.Logger == nil {
		cfg.Auth.Logger = slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if cfg.Auth.OnEvent == nil {
		cfg.Auth.OnEvent = l.onEvent
	}
	a, err := tokenauth.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	public, err := url.Parse(cfg.Auth.PublicURL)
	if err != nil {
		t.Fatal(err)
	}
	l.auth, l.base, l.host = a, strings.TrimSuffix(public.Path, "/"), cmp.Or(public.Host, "127.0.0.1:8888")
	l.Handler = l.routes(a, cmp.Or(cfg.Auth.MountPath, "/auth"))
	t.Cleanup(func() {
		a.Close()
		l.checkLog()
	})
	return l
}

func (l *lab) routes(a *tokenauth.Auth, mountPath string) http.Handler {
	read, both := auth.Permissions{"contents": {"read"}}, auth.Permissions{"contents": {"read", "write"}}
	mux := http.NewServeMux()
	mux.Handle(l.base+"/", a.CurrentUser(nil)(labReached(l.page)))
	mux.Handle(l.base+"/api/me", auth.Me(a))
	mux.Handle("GET "+l.base+"/api/contents/{name}", a.CurrentUser(read)(labReached(l.getNote)))
	mux.Handle("PUT "+l.base+"/api/contents/{name}", a.CurrentUser(both)(labReached(l.putNote)))
	mux.Handle("GET "+l.base+"/api/room/{name}", a.WebSocketAuth(both)(http.HandlerFunc(l.room)))
	mux.HandleFunc("GET "+l.base+"/public", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "public") })
	mountPath, err := url.PathUnescape(mountPath)
	if err != nil {
		l.t.Fatal(err)
	}
	mux.Handle(l.base+mountPath+"/", a.Routes())
	return mux
}

// labReached marks the answer of a guarded handler.
func labReached(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Reached", "yes")
		next(w, r)
	})
}

func (l *lab) page(w http.ResponseWriter, r *http.Request) {
	user, _ := auth.UserFrom(r.Context())
	io.WriteString(w, "page of "+user.Username)
}

func (l *lab) getNote(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	json.NewEncoder(w).Encode(map[string]string{"name": r.PathValue("name"), "text": l.notes[r.PathValue("name")]})
}

func (l *lab) putNote(w http.ResponseWriter, r *http.Request) {
	var note struct{ Text string }
	if err := json.NewDecoder(r.Body).Decode(&note); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes[r.PathValue("name")] = note.Text
}

func (l *lab) note(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.notes[name]
}

// room welcomes who enters and then listens until the socket ends.
func (l *lab) room(w http.ResponseWriter, r *http.Request) {
	l.rooms.Add(1)
	conn, err := auth.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"notes"}})
	if err != nil {
		return
	}
	user, _ := auth.UserFrom(r.Context())
	welcome, _ := json.Marshal(map[string]any{
		"type": "welcome", "user": user.Jupyter(), "permissions": auth.CheckedPermissions(r.Context()), "text": l.note(r.PathValue("name")),
	})
	if conn.Write(r.Context(), websocket.MessageText, welcome) != nil {
		return
	}
	for {
		if _, _, err = conn.Read(r.Context()); err != nil {
			l.left <- labLeft{websocket.CloseStatus(err), context.Cause(r.Context())}
			return
		}
	}
}

func (l *lab) onEvent(_ context.Context, e auth.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// eventsOf gives the events of one kind so far.
func (l *lab) eventsOf(kind auth.EventKind) (found []auth.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// Write is the log's.
func (l *lab) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func (l *lab) logged() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.String()
}

// keepsSecret adds to what the log must not hold.
func (l *lab) keepsSecret(secrets ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secrets = append(l.secrets, secrets...)
}

// checkLog is the oracle of every test here (G-01): no secret in the log, plain, URL-encoded or in base64.
func (l *lab) checkLog() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, secret := range l.secrets {
		for _, spelling := range labSpellings(secret) {
			if spelling != "" && bytes.Contains(l.log.Bytes(), []byte(spelling)) {
				l.t.Errorf("the log holds the secret %q as %q:\n%s", secret, spelling, l.log.String())
			}
		}
	}
}

// labSpellings are the forms in which a secret may leak.
func labSpellings(s string) []string {
	escaped := ""
	for i := range len(s) {
		escaped += "%" + strings.ToUpper(hexByte(s[i]))
	}
	all := []string{s, url.QueryEscape(s), url.PathEscape(s), escaped, strings.ToLower(escaped)}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		all = append(all, e.EncodeToString([]byte(s)))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func hexByte(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}

// listen serves the lab on loopback, for sockets. Browsers made before don't know its address.
func (l *lab) listen() *lab {
	l.server = httptest.NewServer(l)
	l.t.Cleanup(l.server.Close)
	l.host, l.url = l.server.Listener.Addr().String(), l.server.URL
	return l
}

// A labBrowser keeps cookies, as one browser does.
type labBrowser struct {
	lab     *lab
	host    string
	tls     bool
	from    string // its address
	mu      sync.Mutex
	cookies map[string]string
}

func (l *lab) browser() *labBrowser {
	return &labBrowser{lab: l, host: l.host, from: "192.0.2.7:50000", cookies: map[string]string{}}
}

// loggedIn is a browser that has posted the shared token, or word.
func (l *lab) loggedIn(word ...string) *labBrowser {
	l.t.Helper()
	b := l.browser()
	b.logIn(append(word, labToken)[0])
	return b
}

func (b *labBrowser) logIn(word string) {
	b.lab.t.Helper()
	if got := b.post(b.path("/auth/login"), url.Values{"password": {word}}); got.Status != http.StatusSeeOther {
		b.lab.t.Fatalf("login: got %d %s, want 303", got.Status, got.Body)
	}
}

// path is p below the application's mount point, as browsers send it.
func (b *labBrowser) path(p string) string { return (&url.URL{Path: b.lab.base}).EscapedPath() + p }

func (b *labBrowser) setCookie(name, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cookies[name] = value
}

// loginCookie is the name and value of the login cookie; empty where the browser has none.
func (b *labBrowser) loginCookie() (name, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, value := range b.cookies {
		if strings.Contains(name, "ostiary-token") && !strings.Contains(name, "-device") {
			return name, value
		}
	}
	return "", ""
}

func (b *labBrowser) deviceCookie() (name, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, value := range b.cookies {
		if strings.Contains(name, "-device") {
			return name, value
		}
	}
	return "", ""
}

// copy is another client with the same cookies: a thief, or the browser's own tab before something changed.
func (b *labBrowser) copy() *labBrowser {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &labBrowser{lab: b.lab, host: b.host, tls: b.tls, from: b.from, cookies: maps.Clone(b.cookies)}
}

func (b *labBrowser) cookieHeader() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		pairs = append(pairs, name+"="+b.cookies[name])
	}
	return strings.Join(pairs, "; ")
}

func (b *labBrowser) take(cookies []*http.Cookie) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range cookies {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
		b.lab.keepsSecret(c.Value)
	}
}

// A labAnswer is what came back.
type labAnswer struct {
	Status  int
	Header  http.Header
	Body    string
	Cookies []*http.Cookie
}

// reached reports whether the guarded handler ran.
func (a labAnswer) reached() bool { return a.Header.Get("Reached") != "" }

func (a labAnswer) location() string { return a.Header.Get("Location") }

// labMe is the answer of /api/me.
type labMe struct {
	Identity    auth.JupyterUser
	Permissions map[string][]string
}

func (a labAnswer) me(t *testing.T) labMe {
	t.Helper()
	var m labMe
	if a.Status != http.StatusOK {
		t.Fatalf("got %d %s, want 200", a.Status, a.Body)
	}
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil || m.Identity.Username == "" {
		t.Fatalf("got %s, want an identity (%v)", a.Body, err)
	}
	return m
}

// A labOption changes a request before it is sent.
type labOption func(*http.Request)

// with sets a header, to several lines where there are several values; to none: without it.
func with(name string, values ...string) labOption {
	return func(r *http.Request) {
		if len(values) == 0 {
			delete(r.Header, name)
			return
		}
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
}

// bearing sends a token in the header, as API clients do.
func bearing(token string) labOption { return with("Authorization", "Bearer "+token) }

// labAddress is another address each time, so that a test of many wrong tokens isn't one of the limits.
func labAddress() string {
	n := labAddresses.Add(1)
	return fmt.Sprintf("198.%d.%d.%d:4711", 18+n>>16&1, n>>8&255, n&255)
}

var labAddresses atomic.Uint32

func to(host string) labOption      { return func(r *http.Request) { r.Host = host } }
func from(address string) labOption { return func(r *http.Request) { r.RemoteAddr = address } }

// navigating makes it what a browser sends for a click on a link of its own.
func navigating(r *http.Request) {
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "none")
}

// do sends a request with the browser's cookies and takes those of the answer.
func (b *labBrowser) do(method, target, body string, options ...labOption) labAnswer {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = b.host, b.from
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
	b.lab.ServeHTTP(w, r)
	res := w.Result()
	cookies := res.Cookies()
	b.take(cookies)
	return labAnswer{res.StatusCode, res.Header, w.Body.String(), cookies}
}

func (b *labBrowser) get(target string, options ...labOption) labAnswer {
	return b.do(http.MethodGet, target, "", options...)
}

func (b *labBrowser) navigate(target string, options ...labOption) labAnswer {
	return b.do(http.MethodGet, target, "", append([]labOption{navigating}, options...)...)
}

// post sends a form as the browser does from a page of the same origin.
func (b *labBrowser) post(target string, form url.Values, options ...labOption) labAnswer {
	return b.do(http.MethodPost, target, form.Encode(), append([]labOption{
		navigating, with("Sec-Fetch-Site", "same-origin"), with("Content-Type", "application/x-www-form-urlencoded"),
	}, options...)...)
}

func (b *labBrowser) json(method, target, body string, options ...labOption) labAnswer {
	return b.do(method, target, body, append([]labOption{with("Content-Type", "application/json")}, options...)...)
}

func (b *labBrowser) me(options ...labOption) labMe {
	b.lab.t.Helper()
	return b.get(b.path("/api/me"), options...).me(b.lab.t)
}

// dial opens a WebSocket with the browser's cookies and its page's own Origin. status is that of a refused upgrade.
func (b *labBrowser) dial(target string, options ...labOption) (conn *websocket.Conn, status int) {
	b.lab.t.Helper()
	header := http.Header{"Origin": {"http://" + b.lab.host}}
	if c := b.cookieHeader(); c != "" {
		header.Set("Cookie", c)
	}
	r := &http.Request{Header: header}
	for _, f := range options {
		f(r)
	}
	ctx, cancel := context.WithTimeout(b.lab.t.Context(), labPatience)
	defer cancel()
	for try := 1; ; try++ {
		start := time.Now()
		conn, res, err := websocket.Dial(ctx, b.lab.url+target, &websocket.DialOptions{
			HTTPClient: b.lab.client, HTTPHeader: header, Subprotocols: header.Values("Sec-WebSocket-Protocol"),
		})
		switch {
		case err == nil:
			b.lab.t.Cleanup(func() { conn.CloseNow() })
			return conn, http.StatusSwitchingProtocols
		case res != nil:
			return nil, res.StatusCode
		case try == 10 || time.Since(start) < labHold:
			b.lab.t.Fatal(err)
		}
	}
}

// labHold is how long the guard waits for a client that it refuses. On a busy machine that can be over before the client
// was told anything: only then a handshake is sent again.
const labHold = 250 * time.Millisecond

// refused opens a WebSocket that is closed at once, and gives the code.
func (b *labBrowser) refused(target string, options ...labOption) (code websocket.StatusCode) {
	b.lab.t.Helper()
	for range 10 {
		start := time.Now()
		conn, status := b.dial(target, options...)
		if conn == nil {
			b.lab.t.Fatalf("%s: got %d, want 101 and the end", target, status)
		}
		if code = labClosed(b.lab.t, conn); code != -1 || time.Since(start) < labHold {
			break
		}
	}
	return code
}

// labWelcome is the room's first message.
type labWelcome struct {
	Type        string
	User        map[string]any
	Permissions map[string][]string
	Text        string
}

// enter opens the room and waits for the welcome.
func (b *labBrowser) enter(target string, options ...labOption) (*websocket.Conn, labWelcome) {
	b.lab.t.Helper()
	conn, status := b.dial(target, options...)
	if conn == nil {
		b.lab.t.Fatalf("handshake: got %d, want 101", status)
	}
	ctx, cancel := context.WithTimeout(b.lab.t.Context(), labPatience)
	defer cancel()
	_, message, err := conn.Read(ctx)
	if err != nil {
		b.lab.t.Fatalf("the first message: %v", err)
	}
	var w labWelcome
	if err := json.Unmarshal(message, &w); err != nil {
		b.lab.t.Fatal(err)
	}
	return conn, w
}

// labClosed waits for the server to close conn and gives the code.
func labClosed(t *testing.T, conn *websocket.Conn) websocket.StatusCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), labPatience)
	defer cancel()
	_, message, err := conn.Read(ctx)
	if err == nil {
		t.Fatalf("got the message %q, want the end", message)
	}
	return websocket.CloseStatus(err)
}

// labStillOpen makes sure that conn isn't closed: the room echoes nothing, but answers a ping.
func labStillOpen(t *testing.T, conn *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), labPatience)
	defer cancel()
	ctx = conn.CloseRead(ctx)
	if err := conn.Ping(ctx); err != nil {
		t.Errorf("got %v from a ping, want an open socket", err)
	}
}

// left waits for a room's handler to end.
func (l *lab) leftRoom() labLeft {
	l.t.Helper()
	select {
	case e := <-l.left:
		return e
	case <-time.After(labPatience):
		l.t.Fatal("the room's handler is still running")
		return labLeft{}
	}
}

// A labClock is a clock that a test turns.
type labClock struct{ nanos atomic.Int64 }

func newLabClock() *labClock {
	c := &labClock{}
	c.nanos.Store(time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC).UnixNano())
	return c
}

func (c *labClock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *labClock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// Options of labs.
func at(publicURL string) func(*tokenauth.Config) {
	return func(c *tokenauth.Config) { c.Auth.PublicURL = publicURL }
}

func clocked(c *labClock) func(*tokenauth.Config) {
	return func(cfg *tokenauth.Config) { cfg.Auth.Now = c.now }
}

// frozen lets no time pass: how many guesses get through mustn't depend on how long they take here.
func frozen(cfg *tokenauth.Config) { cfg.Auth.Now = newLabClock().now }

func sharedPassword(c *tokenauth.Config) {
	c.Mode, c.Token, c.Password = tokenauth.PasswordMode, "", labPassword
}

// cheaply is like sharedPassword with a hash of labPassword that takes 64 KiB instead of 19 MiB, for tests that are not
// about its cost.
func cheaply(c *tokenauth.Config) {
	c.Mode, c.Token = tokenauth.PasswordMode, ""
	c.PasswordHash = labCheapHash
}

// labCheapHash is labPassword's, with 64 KiB and one pass.
const labCheapHash = "$argon2id$v=19$m=64,t=1,p=1$b3N0aWFyeS1sYWItc2FsdA$R6aGgMK3NNqCLCi9H8G0RMZ4RJVJvruWPBIQJsqtfd0"

func named(tokens ...tokenauth.Token) func(*tokenauth.Config) {
	return func(c *tokenauth.Config) { c.Tokens = append(c.Tokens, tokens...) }
}

func labDial(t *testing.T, l *lab) (*net.TCPConn, error) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: labPatience}).DialContext(t.Context(), "tcp", l.host)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), conn.SetDeadline(time.Now().Add(labPatience))
}

// labEventually waits until what is so.
func labEventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(labPatience)
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
