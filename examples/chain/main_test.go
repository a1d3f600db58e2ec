package main

import (
	"context"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/examples/internal/curl"
	"github.com/ostiary/auth/userauth"
)

const (
	adminPassword = "correct-horse-battery"
	token         = "robots-have-no-password-43aef1"
	patience      = 10 * time.Second // for what takes a second at most on a machine with nothing else to do
)

func newStand(t *testing.T, public string) (*server, pretence) {
	t.Helper()
	pretended, err := pretend(public)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pretended.Close)
	db, err := userauth.OpenSQLite(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s, err := newServer(t.Context(), settings{
		auth: auth.Config{PublicURL: public, Logger: slog.New(slog.DiscardHandler)}, db: db, providers: pretended.providers(),
		adminPassword: adminPassword, token: token,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, pretended
}

func TestSession(t *testing.T) {
	t.Parallel()
	s, _ := newStand(t, "http://127.0.0.1:8080")
	curl.Play(t, "main.go", routes(s.chain, s.users, s.sso), map[string]string{"AUTH_TOKEN": token})
}

func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	nobody := authtest.Nobody()
	authtest.Audit(t, routes(nobody, nobody, nobody), "* /auth/*", "* /sso/*")
}

// A browser follows redirects, to the providers and back, and keeps cookies.
type browser struct {
	t   *testing.T
	url string
	*http.Client
}

// transport is the tests' own: a server of httptest that closes also closes the idle connections of the default one, on which
// another test may be waiting for its answer.
var transport = &http.Transport{}

// newBrowser gives a way to make browsers, and the providers.
func start(t *testing.T) (newBrowser func() *browser, s *server, providers pretence) {
	t.Helper()
	listening := httptest.NewUnstartedServer(nil)
	public := "http://" + listening.Listener.Addr().String()
	s, providers = newStand(t, public)
	listening.Config.Handler = routes(s.chain, s.users, s.sso)
	listening.Start()
	t.Cleanup(listening.Close)
	return func() *browser {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		return &browser{t, public, &http.Client{Transport: transport, Jar: jar, Timeout: 30 * time.Second}}
	}, s, providers
}

// send gives the answer at the end of all redirects. Headers are pairs.
func (b *browser) send(method, target, body string, headers ...string) (status int, at *url.URL, text string) {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.url + target
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Request.URL, string(all)
}

func (b *browser) open(path string) (status int, at *url.URL, text string) {
	b.t.Helper()
	return b.send(http.MethodGet, path, "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate")
}

func (b *browser) post(target string, form url.Values) (status int, at *url.URL, text string) {
	b.t.Helper()
	return b.send(http.MethodPost, target, form.Encode(), "Accept", "text/html", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
}

// status is the answer to an API call.
func (b *browser) status(method, path string) int {
	b.t.Helper()
	status, _, _ := b.send(method, path, "")
	return status
}

// signIn chooses who to be on the provider's page, to which the request has led, and gives where that ends.
func (b *browser) signIn(name string, page string) (status int, at *url.URL, text string) {
	b.t.Helper()
	action := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(page)
	transaction := regexp.MustCompile(`name="transaction" value="([^"]+)"`).FindStringSubmatch(page)
	if action == nil || transaction == nil {
		b.t.Fatalf("no page of a provider: %s", page)
	}
	return b.post(action[1], url.Values{"transaction": {transaction[1]}, "user": {name}})
}

// in signs in at a provider, by the links of the login page.
func (b *browser) in(provider, name string) *browser {
	b.t.Helper()
	_, at, page := b.open("/")
	if at.Path != "/auth/login" || !strings.Contains(page, `href="/sso/login/`+provider+`?next=%2F"`) {
		b.t.Fatalf("the login page is at %s: %s", at, page)
	}
	_, _, page = b.open("/sso/login/" + provider + "?next=%2F")
	status, at, page := b.signIn(name, page)
	if status != http.StatusOK || at.Path != "/" || !strings.Contains(page, "Hello, ") {
		b.t.Fatalf("%s of %s: got %d at %s: %s", name, provider, status, at, page)
	}
	return b
}

// asAdmin signs in as the local admin.
func (b *browser) asAdmin() *browser {
	b.t.Helper()
	status, at, page := b.post("/auth/login", url.Values{"username": {"admin"}, "password": {adminPassword}, "next": {"/"}})
	if status != http.StatusOK || at.Path != "/" || !strings.Contains(page, "<code>user:") {
		b.t.Fatalf("the admin: got %d at %s: %s", status, at, page)
	}
	return b
}

// An admin whom a provider names manages the local users, and has no account among them.
func TestAdminOfTheProvider(t *testing.T) {
	t.Parallel()
	newBrowser, s, providers := start(t)
	alice := newBrowser().in("corp", "alice")
	if _, _, page := alice.open("/"); !strings.Contains(page, providers.corp.Issuer()+"#alice") || !strings.Contains(page, `href="/auth/users"`) || strings.Contains(page, `href="/auth/me"`) {
		t.Errorf("her page: %s", page)
	}
	status, _, text := alice.send(http.MethodPost, "/auth/users", `{"username":"carol","password":"brass-kettle-sings-77"}`, "Content-Type", "application/json")
	if status != http.StatusCreated {
		t.Errorf("making a user: got %d %s", status, text)
	}
	if got := alice.status(http.MethodGet, "/auth/users/carol"); got != http.StatusOK {
		t.Errorf("looking at a user: got %d", got)
	}
	if got := alice.status(http.MethodPut, "/board"); got != http.StatusOK {
		t.Errorf("writing: got %d", got)
	}
	for _, path := range []string{"/auth/me", "/auth/password", "/auth/sessions", "/auth/tokens", "/auth/links"} {
		if got := alice.status(http.MethodGet, path); got != http.StatusForbidden {
			t.Errorf("%s: got %d, want 403", path, got)
		}
	}
	others := map[string]*browser{
		"bob of Corp": newBrowser().in("corp", "bob"), "alice of Partner": newBrowser().in("partner", "alice"),
	}
	for name, b := range others {
		if got := b.status(http.MethodGet, "/auth/users"); got != http.StatusForbidden {
			t.Errorf("%s: the users: got %d, want 403", name, got)
		}
		if got := b.status(http.MethodPut, "/board"); got != http.StatusForbidden {
			t.Errorf("%s: writing: got %d, want 403", name, got)
		}
	}
	if got := others["bob of Corp"].status(http.MethodGet, "/board"); got != http.StatusOK {
		t.Errorf("bob of Corp reads: got %d", got)
	}
	if got := others["alice of Partner"].status(http.MethodGet, "/board"); got != http.StatusForbidden {
		t.Errorf("alice of Partner reads: got %d, want 403", got)
	}
	if users, _, err := s.users.Accounts().List(t.Context(), "", "", 0); err != nil || len(users) != 2 {
		t.Errorf("the users are %+v, %v, want admin and carol", users, err)
	}
}

// The local admin links a sign-in, and then signs in by it: as the local admin, not as whom the provider knows.
func TestLinking(t *testing.T) {
	t.Parallel()
	newBrowser, _, providers := start(t)
	admin := newBrowser().asAdmin()
	_, _, page := admin.open("/auth/links")
	if !strings.Contains(page, `href="/sso/link/corp?next=%2Fauth%2Flinks"`) {
		t.Fatalf("no way to link: %s", page)
	}
	if _, _, page = admin.open("/sso/link/corp?next=%2Fauth%2Flinks"); !strings.Contains(page, `action="/sso/link/corp"`) {
		t.Fatalf("no question: %s", page)
	}
	_, _, page = admin.post("/sso/link/corp", url.Values{"next": {"/auth/links"}})
	onward := regexp.MustCompile(`href="(http[^"]+)"`).FindStringSubmatch(page) // where browsers go by themselves
	if onward == nil {
		t.Fatalf("no way on: %s", page)
	}
	_, _, page = admin.open(html.UnescapeString(onward[1]))
	status, at, page := admin.signIn("bob", page)
	if status != http.StatusOK || at.Path != "/auth/links" || !strings.Contains(page, "Corp") || !strings.Contains(page, "bob") {
		t.Fatalf("linking ends with %d at %s: %s", status, at, page)
	}
	later := newBrowser().in("corp", "bob")
	if _, _, page := later.open("/"); !strings.Contains(page, "Hello, admin") || !strings.Contains(page, "<code>user:1</code>") {
		t.Errorf("signed in by the link: %s", page)
	}
	if got := later.status(http.MethodGet, "/auth/me"); got != http.StatusOK {
		t.Errorf("the account: got %d", got)
	}
	room := later.dial("/live")
	elsewhere := newBrowser().in("partner", "bob")
	for _, d := range providers.corp.Logout(t.Context(), "bob") {
		if d.Status != http.StatusOK {
			t.Fatalf("the provider's logout was answered with %d %s", d.Status, d.Body)
		}
	}
	gone(t, room)
	again, late := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer again.Stop()
	for later.status(http.MethodGet, "/api/me") != http.StatusUnauthorized {
		select {
		case <-again.C:
		case <-late:
			t.Fatal("the session goes on after the provider has ended it")
		}
	}
	if got := admin.status(http.MethodGet, "/api/me"); got != http.StatusOK {
		t.Errorf("the session by password: got %d", got)
	}
	if got := elsewhere.status(http.MethodGet, "/api/me"); got != http.StatusOK {
		t.Errorf("the partner's bob: got %d", got)
	}
}

// Signing out here ends the session here, what it has open, and the one at the provider.
func TestSignOut(t *testing.T) {
	t.Parallel()
	newBrowser, _, _ := start(t)
	alice := newBrowser().in("corp", "alice")
	room := alice.dial("/live")
	_, _, page := alice.open("/")
	if !strings.Contains(page, `action="/sso/logout"`) {
		t.Fatalf("no way out: %s", page)
	}
	for _, target := range []string{"/", "/auth/users"} { // the latter is a page of userauth's
		resp, err := alice.Get(alice.url + target)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		// Browsers would hold it against the provider's logout, to which the form's answer redirects.
		if policy := resp.Header.Get("Content-Security-Policy"); resp.StatusCode != http.StatusOK || strings.Contains(policy, "form-action") {
			t.Errorf("%s: got %d under %q, want a page from which a form may lead away", target, resp.StatusCode, policy)
		}
	}
	status, at, page := alice.post("/sso/logout", nil)
	if status != http.StatusOK || at.Path != "/sso/logged-out" || !strings.Contains(page, "You are signed out here.") {
		t.Errorf("got %d at %s: %s", status, at, page)
	}
	gone(t, room)
	if got := alice.status(http.MethodGet, "/api/me"); got != http.StatusUnauthorized {
		t.Errorf("here: got %d, want 401", got)
	}
	if _, at, page := alice.open("/sso/login/corp"); at.Path != "/authorize" || !strings.Contains(page, "choose who you are") {
		t.Errorf("the provider asks nothing: at %s %s", at, page)
	}
	_, _, page = alice.open("/sso/login") // two providers: a choice
	if !strings.Contains(page, `href="/sso/login/corp?`) || !strings.Contains(page, `href="/sso/login/partner?`) {
		t.Errorf("the choice: %s", page)
	}
}

func TestIssuers(t *testing.T) {
	t.Setenv("OUR_OWN_CLIENT_ID", "id")
	t.Setenv("OUR_OWN_CLIENT_SECRET", "secret")
	i, err := parseIssuer("our-own=https://id.example/realm?a=b")
	if err != nil {
		t.Fatal(err)
	}
	got := own([]issuer{i})
	if p := got[0]; len(got) != 1 || p.Name != "our-own" || p.Issuer != "https://id.example/realm?a=b" || p.ClientID != "id" || p.ClientSecret != "secret" {
		t.Errorf("got %+v", got)
	}
	for _, text := range []string{"", "corp", "=https://id.example", "corp="} {
		if i, err := parseIssuer(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, i)
		}
	}
}

func (b *browser) dial(path string) *websocket.Conn {
	b.t.Helper()
	conn, resp, err := websocket.Dial(b.t.Context(), "ws"+strings.TrimPrefix(b.url, "http")+path, &websocket.DialOptions{
		HTTPClient: b.Client, HTTPHeader: http.Header{"Origin": {b.url}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	b.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// gone waits until the server has closed the socket, since the session has ended.
func gone(t *testing.T, conn *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the socket ends with %v, want 1008", err)
	}
}
