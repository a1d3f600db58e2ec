package userauth_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// The password of everybody in these tests, and the one that it is changed to.
const (
	sitePassword = "purple-otter-crosses-43"
	nextPassword = "brass-kettle-sings-77"
)

// The permissions of a reader and of a writer.
var (
	siteReads  = auth.Permissions{"contents": {"read"}}
	siteWrites = auth.Permissions{"contents": {"read", "write"}}
)

// A site is a small application behind userauth: a page, notes that are read and written, a room, /api/me. Every guarded
// handler says in the answer's header that it was reached. Hashes cost next to nothing. Its log is searched for secrets
// when the test is over, and so is every answer (S-22).
type site struct {
	t     testing.TB
	users *userauth.Auth
	db    *sqlx.DB
	http.Handler
	base    string // where the application is mounted, decoded
	host    string // what browsers put into Host
	server  *httptest.Server
	faulty  atomic.Bool // answers of 5xx are expected
	reached atomic.Int64
	room

	mu      sync.Mutex
	log     bytes.Buffer
	secrets []string
	events  []auth.Event
	notes   map[string]string
}

// newSite starts a site over a new database, or what change makes of that.
func newSite(t testing.TB, change ...func(*userauth.Config)) *site {
	t.Helper()
	return siteOver(t, siteDB(t), change...)
}

// onEngines runs test once for each engine: newSite and newAccounts make their databases there.
func onEngines(t *testing.T, test func(*testing.T)) {
	storetest.Each(t, func(t *testing.T, _ storetest.Engine) { test(t) })
}

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// siteDB is a new database as userauth.OpenSQLite makes one, but for waiting until the disk has what was written: on a busy
// machine that takes longer than all else here. In onEngines it is one of the engine.
func siteDB(t testing.TB) *sqlx.DB {
	t.Helper()
	if on := storetest.Of(t); on != storetest.SQLite {
		db, _ := on.New(t).Open(t)
		return db
	}
	db, err := sqlx.Open("sqlite", "file://"+(&url.URL{Path: filepath.Join(t.TempDir(), "app.db")}).EscapedPath()+"?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(OFF)&_pragma=foreign_keys(1)&_txlock=immediate&_dqs=0")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	t.Cleanup(func() { db.Close() })
	return db
}

var siteCost = password.Params{Memory: 8, Time: 1, Threads: 1}

// siteOver starts a site over db: a second one is another process, or the same after a restart.
func siteOver(t testing.TB, db *sqlx.DB, change ...func(*userauth.Config)) *site {
	t.Helper()
	s := &site{t: t, db: db, room: newRoom(), notes: map[string]string{"demo": "hello"}, secrets: []string{sitePassword, nextPassword}}
	cfg := userauth.Config{DB: db}
	cfg.Auth.Logger = slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Auth.OnEvent = s.onEvent
	for _, f := range change {
		f(&cfg)
	}
	a, err := userauth.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	userauth.UseHasher(a, cheap(t), siteCost)
	public, err := url.Parse(cfg.Auth.PublicURL)
	if err != nil {
		t.Fatal(err)
	}
	s.users, s.base, s.host = a, strings.TrimSuffix(public.Path, "/"), cmp.Or(public.Host, "127.0.0.1:8888")
	s.Handler = s.routes(a)
	t.Cleanup(func() {
		a.Close()
		s.checkLog()
	})
	return s
}

func (s *site) routes(a auth.Plugin) *http.ServeMux {
	both := auth.Permissions{"contents": {"read", "write"}}
	mux := http.NewServeMux()
	mux.Handle(s.base+"/", a.CurrentUser(nil)(s.reach(s.page)))
	mux.Handle(s.base+"/api/me", auth.Me(a))
	mux.Handle("GET "+s.base+"/api/contents/{name}", a.CurrentUser(siteReads)(s.reach(s.getNote)))
	mux.Handle("OPTIONS "+s.base+"/api/contents/{name}", a.CurrentUser(siteReads)(s.reach(s.getNote)))
	mux.Handle("PUT "+s.base+"/api/contents/{name}", a.CurrentUser(both)(s.reach(s.putNote)))
	mux.Handle("GET "+s.base+"/api/room/{name}", a.WebSocketAuth(both)(http.HandlerFunc(s.enterRoom)))
	mux.Handle("GET "+s.base+"/admin", a.CurrentUser(auth.Permissions{"admin": {"read"}})(s.reach(s.page)))
	mux.Handle("GET "+s.base+"/club", auth.RequireRole(a, "A", "B")(s.reach(s.page)))
	mux.HandleFunc("GET "+s.base+"/public", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "public") })
	mux.Handle(s.base+"/auth/", a.Routes())
	return mux
}

// reach marks the answer of a guarded handler.
func (s *site) reach(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.reached.Add(1)
		w.Header().Set("Reached", "yes")
		next(w, r)
	})
}

func (s *site) page(w http.ResponseWriter, r *http.Request) {
	user, _ := auth.UserFrom(r.Context())
	io.WriteString(w, "page of "+user.Username)
}

func (s *site) getNote(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	json.NewEncoder(w).Encode(map[string]string{"name": name, "text": s.note(name)})
}

func (s *site) putNote(w http.ResponseWriter, r *http.Request) {
	var note struct{ Text string }
	if err := json.NewDecoder(r.Body).Decode(&note); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.setNote(r.PathValue("name"), note.Text)
}

func (s *site) note(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notes[name]
}

func (s *site) setNote(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes[name] = text
}

func (s *site) onEvent(_ context.Context, e auth.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// eventsOf gives the events of one kind so far.
func (s *site) eventsOf(kind auth.EventKind) (found []auth.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// Write is the log's.
func (s *site) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *site) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// keepsSecret adds to what the log must not hold.
func (s *site) keepsSecret(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, secrets...)
}

// checkLog is the oracle of every test here (G-01): no secret in the log, plain, URL-encoded or in base64.
func (s *site) checkLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.secrets {
		for _, spelling := range siteSpellings(secret) {
			if bytes.Contains(s.log.Bytes(), []byte(spelling)) {
				s.t.Errorf("the log holds the secret %q as %q:\n%s", secret, spelling, s.log.String())
			}
		}
	}
}

// siteSpellings are the forms in which a secret may leak.
func siteSpellings(s string) []string {
	all := []string{s, url.QueryEscape(s), url.PathEscape(s)}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		all = append(all, e.EncodeToString([]byte(s)))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// add makes a user with sitePassword.
func (s *site) add(name string, p auth.Permissions, roles ...string) userauth.Account {
	s.t.Helper()
	account, err := s.users.Accounts().Add(s.t.Context(), userauth.NewAccount{Username: name, Password: sitePassword, Permissions: p, Roles: roles})
	if err != nil {
		s.t.Fatal(err)
	}
	return account
}

// change is one that an admin makes in this process.
func (s *site) change(name string, c userauth.AccountChange) {
	s.t.Helper()
	if _, err := s.users.Accounts().Change(s.t.Context(), name, c); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) disable(name string) {
	s.t.Helper()
	yes := true
	s.change(name, userauth.AccountChange{Disabled: &yes})
}

// count gives the number of rows in a table.
func (s *site) count(table string) (n int) {
	s.t.Helper()
	if err := s.db.GetContext(s.t.Context(), &n, "SELECT COUNT(*) FROM auth_"+table); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// A siteClock is a clock that a test turns.
type siteClock struct{ nanos atomic.Int64 }

func newSiteClock() *siteClock {
	c := &siteClock{}
	c.nanos.Store(time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC).UnixNano())
	return c
}

func (c *siteClock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *siteClock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// Options of sites.
func at(publicURL string) func(*userauth.Config) {
	return func(c *userauth.Config) { c.Auth.PublicURL = publicURL }
}

func clocked(c *siteClock) func(*userauth.Config) {
	return func(cfg *userauth.Config) { cfg.Auth.Now = c.now }
}
