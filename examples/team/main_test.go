package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/examples/internal/curl"
	"github.com/ostiary/auth/internal/store/storetest"
)

const (
	public   = "http://127.0.0.1:8080"
	password = "correct-horse-battery"
	patience = 20 * time.Second // for what takes a second at most on a machine with nothing else to do
)

// A team is two instances over one PostgreSQL, each with connections of its own, behind a load balancer.
type team struct {
	balancer  http.Handler
	instances [2]*httptest.Server
}

func start(t *testing.T) *team {
	t.Helper()
	storetest.Postgres.Need(t)
	t.Setenv("AUTH_ADMIN_PASSWORD", password)
	url := storetest.Postgres.New(t).URL
	var s team
	var addrs []string
	for i := range s.instances {
		db, err := sqlx.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
		t.Cleanup(stop)
		users, err := newUsers(ctx, db, listen(ctx, db), auth.Config{
			PublicURL: public, TrustedProxies: []string{"127.0.0.1/32"}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = users.Close() })
		s.instances[i] = httptest.NewServer(routes(users))
		t.Cleanup(s.instances[i].Close)
		addrs = append(addrs, s.instances[i].Listener.Addr().String())
	}
	s.balancer = balancer(addrs...)
	return &s
}

func TestSession(t *testing.T) {
	curl.Play(t, "main.go", start(t).balancer, nil)
}

// signIn gives the cookie of a new session, which instance i has made.
func (s *team) signIn(t *testing.T, i int) string {
	t.Helper()
	r := s.request(t, i, http.MethodPost, "/auth/login", "")
	resp := s.send(t, r)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("login: got %d", resp.StatusCode)
	}
	for _, c := range resp.Cookies() {
		if !strings.HasSuffix(c.Name, "-device") {
			return c.Name + "=" + c.Value
		}
	}
	t.Fatal("login: no cookie")
	return ""
}

// request is one that the balancer hands to instance i.
func (s *team) request(t *testing.T, i int, method, path, cookie string) *http.Request {
	t.Helper()
	body := ""
	if method == http.MethodPost {
		body = `{"username":"admin","password":"` + password + `"}`
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.instances[i].URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = strings.TrimPrefix(public, "http://")
	r.Header.Set("Content-Type", "application/json")
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return r
}

func (s *team) send(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

// board is the status with which instance i answers who has cookie.
func (s *team) board(t *testing.T, i int, cookie string) int {
	t.Helper()
	return s.send(t, s.request(t, i, http.MethodGet, "/board", cookie)).StatusCode
}

// Who signs out at one instance is signed out at the other as well, and what was open there ends.
func TestSignOutReachesTheOtherInstance(t *testing.T) {
	s := start(t)
	leaves, stays := s.signIn(t, 0), s.signIn(t, 0)
	for i := range s.instances {
		for _, cookie := range []string{leaves, stays} {
			if got := s.board(t, i, cookie); got != http.StatusOK {
				t.Fatalf("instance %d: got %d before", i, got)
			}
		}
	}
	ended, goesOn := s.open(t, 1, leaves), s.open(t, 1, stays)
	echo(t, ended)
	if got := s.send(t, s.request(t, 0, http.MethodPost, "/auth/logout", leaves)).StatusCode; got != http.StatusNoContent {
		t.Fatalf("logout: got %d", got)
	}
	if got := s.board(t, 0, leaves); got != http.StatusUnauthorized {
		t.Errorf("the instance that was asked: got %d", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := ended.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the socket at the other instance: %v, want it closed with 1008", err)
	}
	if got := s.board(t, 1, leaves); got != http.StatusUnauthorized {
		t.Errorf("the other instance: got %d", got)
	}
	echo(t, goesOn)
	for i := range s.instances {
		if got := s.board(t, i, stays); got != http.StatusOK {
			t.Errorf("instance %d: the other session: got %d", i, got)
		}
	}
}

func (s *team) open(t *testing.T, i int, cookie string) *websocket.Conn {
	t.Helper()
	r := s.request(t, i, http.MethodGet, "/live", cookie)
	r.Header.Set("Origin", public)
	conn, resp, err := websocket.Dial(t.Context(), r.URL.String(), &websocket.DialOptions{HTTPHeader: r.Header, Host: r.Host})
	if resp != nil && resp.Body != nil {
		defer func() { _ = resp.Body.Close() }()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func echo(t *testing.T, conn *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, []byte("here")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := conn.Read(ctx); err != nil || string(got) != "here" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestEveryRouteIsGuarded(t *testing.T) {
	authtest.Audit(t, routes(authtest.Nobody()), "* /auth/*")
}

func TestAnInstanceNeedsADatabaseThatIsNamed(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop() // should it start after all, it ends
	if err := instance(ctx, "127.0.0.1:0", public, ""); err == nil || !strings.Contains(err.Error(), "AUTH_DB_URI") {
		t.Errorf("got %v, want what to set", err)
	}
}
