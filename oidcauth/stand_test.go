package oidcauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// A stand is an application behind oidcauth, with a provider.
type stand struct {
	*oidcauth.Auth
	t       testing.TB
	url     string // of the application
	op      *oidctest.Provider
	db      *sqlx.DB
	reached atomic.Int64 // how often a guarded handler ran
	server  *httptest.Server
	cfg     oidcauth.Config              // that Auth was made with
	serves  atomic.Pointer[http.Handler] // whoever is reached at url
	sid     string                       // of alice's session at the provider

	mu     sync.Mutex
	events []auth.Event
	logged strings.Builder
}

const (
	clientID     = "app"
	clientSecret = "a secret: with %, + and ü"
	audience     = "https://api.example"
)

// sealKey is a key for refresh tokens.
func sealKey(of string) []byte {
	key := sha256.Sum256([]byte(of))
	return key[:]
}

// A plan is what a stand is made of.
type plan struct {
	cfg       oidcauth.Config   // DB, Providers and Auth.PublicURL are filled in
	provider  oidcauth.Provider // likewise Name, Issuer, ClientID and ClientSecret
	client    oidctest.Client
	op        oidctest.Config
	given     *oidctest.Provider // in place of one of its own
	providers []oidcauth.Provider
	path      string // of the public URL

	withoutFrame bool // the client has no front-channel logout

	prepare func(*stand, *oidcauth.Config)          // the last thing before New
	wrap    func(*stand, http.Handler) http.Handler // what serves in the end
}

// newStand starts an application with one provider, whose user alice is signed in there.
func newStand(t testing.TB, change func(*plan)) *stand {
	t.Helper()
	s := &stand{t: t}
	server := httptest.NewUnstartedServer(nil)
	s.server = server
	s.url = "http://" + server.Listener.Addr().String()
	pl := plan{}
	if change != nil {
		change(&pl)
	}
	s.url += pl.path
	mount := pl.cfg.Auth.MountPath
	if mount == "" {
		mount = "/auth"
	}
	base := s.url + mount
	pl.client.ID, pl.client.RedirectURIs = clientID, []string{base + "/callback/corp"}
	pl.client.PostLogoutRedirectURIs = []string{base + "/logged-out"}
	pl.client.BackchannelLogoutURI, pl.client.FrontchannelLogoutURI = base+"/backchannel-logout/corp", base+"/frontchannel-logout/corp"
	if pl.withoutFrame {
		pl.client.FrontchannelLogoutURI = ""
	}
	if pl.client.Auth == "" && pl.client.Key == nil {
		pl.client.Secret = clientSecret
	}
	if s.op = pl.given; s.op == nil {
		pl.op.Clients = append([]oidctest.Client{pl.client}, pl.op.Clients...)
		op, err := oidctest.New(pl.op)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(op.Close)
		s.op = op
	} else if err := s.op.SetClient(pl.client); err != nil {
		t.Fatal(err)
	}
	if pl.cfg.DB == nil {
		db, err := oidcauth.OpenSQLite(filepath.Join(t.TempDir(), "test.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		pl.cfg.DB = db
	}
	s.db = pl.cfg.DB
	p := pl.provider
	if p.Name == "" {
		p.Name = "corp"
	}
	if p.Issuer == "" {
		p.Issuer = s.op.Issuer()
	}
	p.ClientID, p.ClientSecret = clientID, pl.client.Secret
	pl.cfg.Providers = append([]oidcauth.Provider{p}, pl.providers...)
	pl.cfg.Auth.PublicURL = s.url
	pl.cfg.Auth.Logger = slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
	hook := pl.cfg.Auth.OnEvent
	pl.cfg.Auth.OnEvent = func(ctx context.Context, e auth.Event) {
		s.mu.Lock()
		s.events = append(s.events, e)
		s.mu.Unlock()
		if hook != nil {
			hook(ctx, e)
		}
	}
	if pl.prepare != nil {
		pl.prepare(s, &pl.cfg)
	}
	a, err := oidcauth.New(t.Context(), pl.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	s.Auth, s.cfg = a, pl.cfg
	application := s.handler(pl.path, mount)
	if pl.wrap != nil {
		application = pl.wrap(s, application)
	}
	s.serves.Store(&application)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.serves.Load()).ServeHTTP(w, r) })
	server.Start()
	t.Cleanup(server.Close)
	s.sid = s.op.SignIn("alice")
	return s
}

// Write takes the log.
func (s *stand) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged.Write(line)
}

func (s *stand) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged.String()
}

// eventsOf gives the events of a kind.
func (s *stand) eventsOf(kind auth.EventKind) (found []auth.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// count is how many events of a kind there were.
func (s *stand) count(kind auth.EventKind) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func (s *stand) handler(path, mount string) http.Handler { return s.behind(s.Auth, path, mount) }

// behind is the application behind a.
func (s *stand) behind(a *oidcauth.Auth, path, mount string) http.Handler {
	read, write := auth.Permissions{"contents": {"read"}}, auth.Permissions{"contents": {"write"}}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.reached.Add(1)
		id, _ := auth.IdentityFrom(r.Context())
		_ = json.NewEncoder(w).Encode(map[string]any{"id": id.ID, "username": id.User.Username, "name": id.User.Name, "roles": id.Roles})
	})
	mux := http.NewServeMux()
	mux.Handle(path+mount+"/", a.Routes())
	mux.Handle(path+"/", a.CurrentUser(nil)(hello))
	mux.Handle(path+"/api/me", auth.Me(a))
	mux.Handle(path+"/api/contents/{name}", a.CurrentUser(read)(hello))
	mux.Handle("PUT "+path+"/api/contents/{name}", a.CurrentUser(write)(hello))
	mux.Handle(path+"/optional", auth.OptionalUser(a)(hello))
	mux.Handle(path+"/room", a.WebSocketAuth(auth.Permissions{"contents": {"read", "write"}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := auth.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		s.reached.Add(1)
		for {
			kind, data, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if err := conn.Write(r.Context(), kind, data); err != nil {
				return
			}
		}
	})))
	return mux
}

// transport is the tests' own: a server of httptest that closes also closes the idle connections of the default one, on which
// another test may be waiting for its answer.
var transport = &http.Transport{}

// A browser keeps cookies and follows no redirect by itself.
type browser struct {
	t      testing.TB
	s      *stand
	jar    *cookiejar.Jar
	client *http.Client
}

func (s *stand) browser() *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{t: s.t, s: s, jar: jar, client: &http.Client{
		Transport: transport, Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// An answer is a response that was read.
type answer struct {
	*http.Response
	body string
}

// do sends a request; headers are pairs.
func (b *browser) do(method, target, body string, headers ...string) answer {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.s.url + target
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp, string(text)}
}

// open navigates to a page, as a browser says it.
func (b *browser) open(target string, headers ...string) answer {
	b.t.Helper()
	return b.do("GET", target, "", append([]string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate"}, headers...)...)
}

// leave begins a login and gives the provider's address.
func (b *browser) leave(path string) string {
	b.t.Helper()
	a := b.open(path)
	if a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("GET %s: got %d %s, want a redirect to the provider", path, a.StatusCode, a.body)
	}
	return a.Header.Get("Location")
}

// back is where the provider sends the browser, which has left for it.
func (b *browser) back(leave string) string {
	b.t.Helper()
	a := b.open(leave)
	location := a.Header.Get("Location")
	if a.StatusCode/100 != 3 || !strings.HasPrefix(location, b.s.url) {
		b.t.Fatalf("the provider answers %d to %q %s", a.StatusCode, location, a.body)
	}
	return location
}

// login logs in and gives the last answer, which redirects into the application.
func (b *browser) login(path string) answer {
	b.t.Helper()
	return b.open(b.back(b.leave(path)))
}

// mustLogin is login that has to succeed.
func (b *browser) mustLogin() *browser {
	b.t.Helper()
	if a := b.login("/auth/login"); a.StatusCode != http.StatusSeeOther || !b.in() {
		b.t.Fatalf("the login ends with %d %s", a.StatusCode, a.body)
	}
	return b
}

// in tells whether the browser is logged in.
func (b *browser) in() bool {
	b.t.Helper()
	before := b.s.reached.Load()
	a := b.do("GET", "/api", "")
	in := a.StatusCode == http.StatusOK
	if reached := b.s.reached.Load() != before; in != reached {
		b.t.Fatalf("GET /api: got %d, handler reached: %v", a.StatusCode, reached)
	}
	return in
}

// session gives the session cookie, "" for none.
func (b *browser) session() string {
	u, _ := url.Parse(b.s.url)
	for _, c := range b.jar.Cookies(u) {
		if strings.HasPrefix(c.Name, "ostiary-oidc-") && !strings.Contains(c.Name, "-flow-") && !strings.Contains(c.Name, "-bye") {
			return c.Value
		}
	}
	return ""
}

// flows counts the attempts that the browser has cookies of.
func (b *browser) flows() (n int) {
	u, _ := url.Parse(b.s.url)
	for _, c := range b.jar.Cookies(u) {
		if strings.Contains(c.Name, "-flow-") {
			n++
		}
	}
	return n
}

// dial opens a WebSocket; headers are pairs.
func (b *browser) dial(path string, headers ...string) *websocket.Conn {
	b.t.Helper()
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	conn, _, err := websocket.Dial(b.t.Context(), "ws"+strings.TrimPrefix(b.s.url, "http")+path, &websocket.DialOptions{HTTPClient: b.client, HTTPHeader: h})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// closed waits until the socket is closed and gives its code.
func closed(t testing.TB, conn *websocket.Conn, within time.Duration) websocket.StatusCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	_, _, err := conn.Read(ctx)
	if code := websocket.CloseStatus(err); code != -1 {
		return code
	}
	t.Fatalf("the socket wasn't closed within %s: %v", within, err)
	return 0
}

// cookie gives the session cookie's name and value.
func (b *browser) cookie() (name, value string) {
	b.t.Helper()
	u, _ := url.Parse(b.s.url)
	for _, c := range b.jar.Cookies(u) {
		if c.Value == b.session() {
			return c.Name, c.Value
		}
	}
	b.t.Fatal("the browser has no session cookie")
	return "", ""
}

// keep puts a cookie into the browser.
func (b *browser) keep(name, value string) {
	u, _ := url.Parse(b.s.url)
	b.jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// told is everything that the hook for events has got, as a text.
func (s *stand) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%+v", s.events)
}

// rows counts those of a table.
func (s *stand) rows(table string) (n int) {
	s.t.Helper()
	if err := s.db.GetContext(s.t.Context(), &n, "SELECT COUNT(*) FROM "+table); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// status checks that of an answer.
func status(t *testing.T, doing string, got answer, want int) {
	t.Helper()
	if got.StatusCode != want {
		t.Errorf("%s: got %d %q %s, want %d", doing, got.StatusCode, got.Header.Get("Location"), got.body, want)
	}
}

// reach is within what time a session's end has reached everything that it opened, wherever: a second, and what a busy machine
// adds to it.
const reach = 5 * time.Second

// writers is a plan in which the provider's permissions count, and alice and bob may write.
func writers(pl *plan) {
	pl.provider.Mapping.Permissions = []string{"permissions"}
	pl.op.Users = oidctest.People()
	for _, u := range pl.op.Users {
		u.Claims["permissions"] = []string{"contents:read", "contents:write"}
	}
}

// room opens a socket that works.
func (b *browser) room() *websocket.Conn {
	b.t.Helper()
	conn := b.dial("/room")
	echoes(b.t, conn)
	return conn
}

// echoes checks that the room still answers.
func echoes(t testing.TB, conn *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Errorf("the socket has ended: %v", err)
		return
	}
	if _, got, err := conn.Read(ctx); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}
