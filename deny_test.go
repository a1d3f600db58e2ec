package auth_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
)

// denySite is a guard of an application under /base with a login page, in front of p.
func denySite(t testing.TB, cfg auth.Config) (p *guardProbe, h http.Handler) {
	t.Helper()
	if cfg.PublicURL == "" {
		cfg.PublicURL = "https://app.example/base"
	}
	p = &guardProbe{}
	return p, guardNew(t, cfg, &guardLogin{Backend: guardPeople()}).CurrentUser(guardReads)(p)
}

func denyOnSite(r *http.Request) *http.Request {
	r.Host = "app.example"
	return r
}

// TestUnknownCallers is A-07: only a page navigation of an unknown caller is sent to the login page.
func TestUnknownCallers(t *testing.T) {
	t.Parallel()
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, c := range []struct {
		name, method string
		headers      []string
		want         int
		html         bool
	}{
		{"A-07 a navigation", "GET", []string{"Accept", browser, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none"}, 303, false},
		{"A-07 a navigation from another site", "GET", []string{"Accept", browser, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"}, 303, false},
		{"A-07 a navigation without metadata", "GET", []string{"Accept", browser}, 303, false},
		{"A-07 HEAD of a navigation", "HEAD", []string{"Accept", browser}, 303, false},
		{"JV04 JV05 (root's half): an API call", "GET", []string{"Accept", "application/json"}, 401, false},
		{"A-07 curl", "GET", []string{"Accept", "*/*"}, 401, false},
		{"A-07 no Accept at all", "GET", nil, 401, false},
		{"A-07 a fetch that accepts everything", "GET", []string{"Accept", "*/*", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"}, 401, false},
		{"A-07 a fetch that accepts pages", "GET", []string{"Accept", "text/html", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"}, 401, false},
		{"A-07 an image", "GET", []string{"Accept", "image/*", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-origin"}, 401, false},
		{"A-07 a page that is refused as a type", "GET", []string{"Accept", "text/html;q=0, application/json"}, 401, false},
		{"A-07 a form", "POST", []string{"Accept", browser, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin"}, 401, true},
		{"A-07 a script's upload", "PUT", []string{"Accept", "application/json"}, 401, false},
		{"JV60 DELETE", "DELETE", []string{"Accept", "text/html"}, 401, true},
		{"JS66 A-13 OPTIONS", "OPTIONS", nil, 401, false},
		{"A-12 a preflight", "OPTIONS", []string{"Access-Control-Request-Method", "PUT", "Origin", "https://evil.example", "Sec-Fetch-Mode", "cors"}, 401, false},
		{"A-18 a conditional request", "GET", []string{"Accept", "*/*", "If-None-Match", `"1"`}, 401, false},
		{"A-11 a probe", "GET", []string{"User-Agent", "kube-probe/1.30"}, 401, false},
		{"A-10 headers of proxies that rewrite", "GET", []string{"X-Original-Url", "/public/", "X-Rewrite-Url", "/public/", "X-Forwarded-Uri", "/public/"}, 401, false},
		{"L-15 a method override", "GET", []string{"X-Http-Method-Override", "OPTIONS"}, 401, false},
		{"W-18 an upgrade on a plain route", "GET", []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13", "Sec-Websocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}, 401, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, h := denySite(t, auth.Config{})
			request := func() *http.Request {
				r := guardRequest(c.method, "/base/x?a=1", c.headers...)
				if len(c.headers) == 0 || c.headers[0] != "Accept" {
					r.Header.Del("Accept")
				} else {
					r.Header.Set("Accept", c.headers[1])
				}
				return denyOnSite(r)
			}
			known := request()
			known.Header.Set("Test-User", "alice")
			p.ask(t, h, known, 200)
			resp := p.ask(t, h, request(), c.want)
			if c.want == 303 {
				if got, want := resp.Header.Get("Location"), "/base/auth/login?next=%2Fbase%2Fx%3Fa%3D1"; got != want {
					t.Errorf("got Location %q, want %q", got, want)
				}
				return
			}
			if got := resp.Header.Get("Location"); got != "" {
				t.Errorf("got Location %q, want none", got)
			}
			if got := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"); got != c.html {
				t.Errorf("got Content-Type %q, want a page: %t", resp.Header.Get("Content-Type"), c.html)
			}
			if !c.html {
				wantDenialJSON(t, resp, "unauthorized")
			}
		})
	}
}

// JV62 (root's half): what a route needs makes no difference to who isn't known.
func TestUnknownCallersAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, &guardLogin{Backend: guardPeople()})
	p := &guardProbe{}
	var answers []string
	for _, h := range []http.Handler{a.CurrentUser(nil)(p), a.CurrentUser(guardReads)(p), auth.RequireRole(a, "admin")(p), auth.RequireByMethod(a, "x", nil)(p)} {
		api, err := httputil.DumpResponse(p.ask(t, h, guardRequest("GET", "/x"), 401), true)
		if err != nil {
			t.Fatal(err)
		}
		page, err := httputil.DumpResponse(p.ask(t, h, guardNavigation("/x"), 303), true)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, string(api)+string(page))
	}
	for _, answer := range answers {
		if answer != answers[0] {
			t.Errorf("got\n%s, want\n%s", answer, answers[0])
		}
	}
}

// wantDenialJSON checks that an answer is {"error":…,"code":code}.
func wantDenialJSON(t testing.TB, resp *http.Response, code string) {
	t.Helper()
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("got Content-Type %q", got)
	}
	var body map[string]string
	text := guardBody(t, resp)
	if err := json.Unmarshal([]byte(text), &body); err != nil || len(body) != 2 || body["error"] == "" || body["code"] != code {
		t.Errorf("got body %s, want error and code %q", text, code)
	}
}

// denyRead makes a navigation of bytes as they come over the wire, so that targets are taken apart as a server does it.
func denyRead(t testing.TB, target, host string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nAccept: text/html\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// TestLoginRedirect is the guard's part of class R: where the login page is, and where it leads back to.
func TestLoginRedirect(t *testing.T) {
	t.Parallel()
	const base = "https://app.example/base"
	forwarded := []string{
		"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "javascript", "X-Forwarded-Prefix", "//evil.example",
		"Forwarded", "host=evil.example;proto=http",
	}
	for _, c := range []struct {
		name    string
		cfg     auth.Config
		host    string
		target  string
		headers []string
		login   string
		next    string
	}{
		{"JV18 (root's half): the page that was asked for", auth.Config{PublicURL: base}, "", "/base/", nil, "/base/auth/login", "/base/"},
		{"JV07 (root's half): at the root", auth.Config{PublicURL: "https://app.example"}, "", "/", nil, "/auth/login", "/"},
		{"JV07 (root's half): without a PublicURL", auth.Config{}, "", "/x", nil, "/auth/login", "/x"},
		{"LoginPath of the Config", auth.Config{PublicURL: base, LoginPath: "/welcome"}, "", "/base/x", nil, "/base/welcome", "/base/x"},
		{"the query is kept byte for byte", auth.Config{PublicURL: base}, "", "/base/x?b=%2f&a=1&a=2", nil, "/base/auth/login", "/base/x?b=%2f&a=1&a=2"},
		{"R-17 the path isn't cleaned", auth.Config{PublicURL: base}, "", "/base/files//a%2fb", nil, "/base/auth/login", "/base/files//a%2fb"},
		{"GO2 (root's half): a mount point that is escaped", auth.Config{PublicURL: "https://app.example/a%40b/"}, "", "/a%40b/x", nil, "/a%40b/auth/login", "/a%40b/x"},
		{"GO2 (root's half): a mount point in another spelling", auth.Config{PublicURL: "https://app.example/a%40b/"}, "", "/a@b/x", nil, "/a%40b/auth/login", "/a%40b/"},
		{"G-01 a token is left out", auth.Config{PublicURL: base}, "", "/base/x?a=1&token=S3CRET&b=2", nil, "/base/auth/login", "/base/x?a=1&b=2"},
		{"G-01 a token under an escaped name", auth.Config{PublicURL: base}, "", "/base/x?%74oken=S3CRET", nil, "/base/auth/login", "/base/x"},
		{"G-01 a token behind a semicolon", auth.Config{PublicURL: base}, "", "/base/x?a=1;token=S3CRET", nil, "/base/auth/login", "/base/x?a=1"},
		{"G-01 other secrets", auth.Config{PublicURL: base}, "", "/base/x?access_token=S3CRET&id_token=S3CRET&password=S3CRET&code=S3CRET&q=1", nil, "/base/auth/login", "/base/x?q=1"},
		{"R-27 a foreign Host", auth.Config{PublicURL: base}, "evil.example", "/base/x", nil, "/base/auth/login", "/base/x"},
		{"R-27 a foreign Host without a PublicURL", auth.Config{}, "evil.example", "/x", nil, "/auth/login", "/x"},
		{"R-28 forwarding headers", auth.Config{PublicURL: base}, "", "/base/x", forwarded, "/base/auth/login", "/base/x"},
		{"R-28 forwarding headers without a PublicURL", auth.Config{}, "", "/x", forwarded, "/auth/login", "/x"},
		{"R-28 forwarding headers of a trusted proxy", auth.Config{TrustedProxies: []string{"192.0.2.1"}}, "", "/x", forwarded, "/auth/login", "/x"},
		{"R-29 an absolute target", auth.Config{PublicURL: base}, "", "http://evil.example/base/private?a=1", nil, "/base/auth/login", "/base/private?a=1"},
		{"R-29 an absolute target without a path", auth.Config{PublicURL: base}, "", "http://evil.example", nil, "/base/auth/login", "/base/"},
		{"R-30 a path that browsers take for a host", auth.Config{PublicURL: base}, "", "//evil.example/..", nil, "/base/auth/login", "/base/"},
		{"R-30 the same at the root", auth.Config{PublicURL: "https://app.example"}, "", "//evil.example/x", nil, "/auth/login", "/"},
		{"R-30 a backslash", auth.Config{PublicURL: "https://app.example"}, "", `/\evil.example/`, nil, "/auth/login", "/"},
		{"R-30 a backslash below the mount point", auth.Config{PublicURL: base}, "", `/base/\evil.example/`, nil, "/base/auth/login", "/base/"},
		{"R-30 dots that lead out", auth.Config{PublicURL: base}, "", "/base/%2e%2e//evil.example", nil, "/base/auth/login", "/base/"},
		{"R-18 a path beside the mount point", auth.Config{PublicURL: base}, "", "/basement/x", nil, "/base/auth/login", "/base/"},
		{"R-26 an overlong path", auth.Config{PublicURL: base}, "", "/base/" + strings.Repeat("x", 4096), nil, "/base/auth/login", "/base/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{}
			h := guardNew(t, c.cfg, &guardLogin{Backend: guardPeople()}).CurrentUser(guardReads)(p)
			known := denyRead(t, c.target, "app.example", "Test-User", "alice")
			known.Host = "app.example" // also where the target names another
			p.ask(t, h, known, 200)
			location := p.ask(t, h, denyRead(t, c.target, cmp.Or(c.host, "app.example"), c.headers...), 303).Header.Get("Location")
			u, err := url.Parse(location)
			if err != nil {
				t.Fatal(err)
			}
			if u.IsAbs() || u.Host != "" || u.EscapedPath() != c.login || u.Query().Get("next") != c.next || len(u.Query()) != 1 {
				t.Errorf("got Location %q, want %s with next = %s", location, c.login, c.next)
			}
			if strings.Contains(location, "S3CRET") {
				t.Errorf("got Location %q, which holds a secret", location)
			}
		})
	}
	t.Run("without a login page a navigation is 401, as a page", func(t *testing.T) {
		t.Parallel()
		p := &guardProbe{}
		h := guardNew(t, auth.Config{}, guardPeople()).CurrentUser(nil)(p)
		p.ask(t, h, guardNavigation("/x", "Test-User", "alice"), 200)
		resp := p.ask(t, h, guardNavigation("/x"), 401)
		if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/html") {
			t.Errorf("got Content-Type %q", got)
		}
	})
	t.Run("a login page that a backend names with another host is only a path", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"//evil.example/login", `/\evil.example/login`, "\\\\evil.example/login"} {
			p := &guardProbe{}
			h := guardNew(t, auth.Config{}, &guardLogin{Backend: guardPeople(), path: path}).CurrentUser(nil)(p)
			resp := p.ask(t, h, guardNavigation("/x"), 303)
			if got := resp.Header.Get("Location"); !strings.HasPrefix(got, "/evil.example/login?") {
				t.Errorf("LoginPath %q: got Location %q", path, got)
			}
		}
	})
}

// TestDenialsTellNothing is A-29: who is refused learns the status, and no permission, role, backend or inner error.
func TestDenialsTellNothing(t *testing.T) {
	t.Parallel()
	const inner = `pq: SELECT hash FROM users: /var/lib/x.go:17 contents:write role-admin argon2id`
	for _, c := range []struct {
		name string
		err  error
		want int
		code string
	}{
		{"A-29 no credentials", fmt.Errorf("%s: %w", inner, auth.ErrNoCredentials), 401, "unauthorized"},
		{"A-29 invalid credentials", fmt.Errorf("%s: %w", inner, auth.ErrInvalidCredentials), 401, "unauthorized"},
		{"A-29 forbidden", fmt.Errorf("%s: %w", inner, auth.ErrForbidden), 403, "forbidden"},
		{"A-29 limited", fmt.Errorf("%s: %w", inner, &auth.LimitedError{RetryAfter: time.Minute}), 429, "too_many_requests"},
		{"A-29 an error of the database", errors.New(inner), 503, "unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := &guardFixed{id: guardPerson("alice", "contents:read")}
			h := guardNew(t, auth.Config{}, b).CurrentUser(guardReads)
			p := &guardProbe{}
			p.ask(t, h(p), guardRequest("GET", "/x"), 200)
			b.id, b.err = nil, c.err
			for _, r := range []*http.Request{guardRequest("GET", "/x"), guardNavigation("/x")} {
				resp := p.ask(t, h(p), r, c.want)
				dump, err := httputil.DumpResponse(resp, true)
				if err != nil {
					t.Fatal(err)
				}
				for word := range strings.FieldsSeq(inner) {
					if strings.Contains(string(dump), word) {
						t.Errorf("the answer holds %q:\n%s", word, dump)
					}
				}
			}
			wantDenialJSON(t, p.ask(t, h(p), guardRequest("GET", "/x"), c.want), c.code)
		})
	}
	t.Run("A-29 a lacking permission and a lacking role are told alike", func(t *testing.T) {
		t.Parallel()
		a := guardNew(t, auth.Config{}, guardPeople())
		p := &guardProbe{}
		p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x", "Test-User", "alice"), 200)
		var first string
		for _, h := range []http.Handler{
			a.CurrentUser(guardReads)(p), a.CurrentUser(auth.Permissions{"admin": {"write"}})(p), auth.RequireRole(a, "admin")(p),
			auth.RequireByMethod(a, "contents", nil)(p),
		} {
			resp := p.ask(t, h, guardRequest("GET", "/x", "Test-User", "bob"), 403)
			dump, err := httputil.DumpResponse(resp, true)
			if err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = string(dump)
			}
			if string(dump) != first {
				t.Errorf("got\n%s, want\n%s", dump, first)
			}
		}
	})
}

// A page that refuses somebody has a way to come as somebody else, where a logout helps.
func TestSigningOutOfARefusal(t *testing.T) {
	t.Parallel()
	const button = `<form method="post" action="/base/auth/logout"><button type="submit">Sign out</button></form>`
	cfg := auth.Config{PublicURL: "https://app.example/base"}
	newChain := func(t *testing.T) auth.Auth { // Two's pages lie elsewhere, and One has none
		sso := cfg
		sso.MountPath = "/sso"
		return guardNew(t, cfg, newChainPlugin(t, cfg, "One", ""), newChainPlugin(t, sso, "Two", "/sso/login"))
	}
	alone := func(id *auth.Identity, err error) func(t *testing.T) auth.Auth {
		return func(t *testing.T) auth.Auth {
			return guardNew(t, cfg, &guardLogin{Backend: &guardFixed{id: id, err: err}})
		}
	}
	bob, robot := guardPerson("bob", ""), guardPerson("robot", "")
	bob.User.DisplayName = `Bob <b>"B"</b>`
	bob.Explicit, robot.Explicit = false, true
	form := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Content-Type", "application/x-www-form-urlencoded"}
	for _, c := range []struct {
		name string
		auth func(*testing.T) auth.Auth
		r    *http.Request
		want int
		has  []string // nil: no form at all
	}{
		{"who came with the wrong account", alone(bob, nil), guardNavigation("/base/x"), 403,
			[]string{button, "You are signed in as <bdi>Bob &lt;b&gt;&#34;B&#34;&lt;/b&gt;</bdi>.", `<meta name="referrer" content="same-origin">`}},
		{"the backend's own logout, in a chain", newChain, guardNavigation("/base/x", "Two", "bob"), 403, []string{`action="/base/sso/logout"`}},
		{"a backend without a login", newChain, guardNavigation("/base/x", "One", "bob"), 403, nil},
		{"what was attached explicitly no logout takes back", alone(robot, nil), guardNavigation("/base/x"), 403, nil},
		{"who isn't told who it is", alone(nil, auth.ErrForbidden), guardNavigation("/base/x"), 403, nil},
		{"a form of this site", alone(bob, nil), guardRequest("POST", "/base/x", append(form, "Origin", "https://app.example")...), 403, []string{button}},
		{"a form of another site", alone(bob, nil), guardRequest("POST", "/base/x", append(form, "Origin", "https://evil.example")...), 403, nil},
		{"a stranger", alone(nil, auth.ErrInvalidCredentials), guardNavigation("/base/x"), 401, nil},
		{"a program", alone(bob, nil), guardRequest("GET", "/base/x"), 403, nil},
		{"a script", alone(bob, nil), guardRequest("GET", "/base/x", "Accept", "text/html", "Sec-Fetch-Mode", "cors"), 403, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{}
			a := c.auth(t)
			body, err := io.ReadAll(p.ask(t, a.CurrentUser(auth.Permissions{"admin": {"write"}})(p), denyOnSite(c.r), c.want).Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range c.has {
				if !strings.Contains(string(body), part) {
					t.Errorf("no %s in %s", part, body)
				}
			}
			if c.has == nil && strings.Contains(string(body), "<form") || strings.Contains(string(body), "Sign in<") && c.want == 403 {
				t.Errorf("got %s", body)
			}
		})
	}
}

// what a backend gives as challenge goes out as it is, only with a 401.
func TestWWWAuthenticate(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, &guardLogin{Backend: guardPeople(), name: "app"})
	p := &guardProbe{}
	h := a.CurrentUser(guardReads)(p)
	p.ask(t, h, guardRequest("GET", "/x", "Test-User", "alice"), 200)
	for _, c := range []struct {
		user string
		want int
		sent string
	}{
		{"", 401, `Bearer realm="app"`},
		{"mallory", 401, `Bearer realm="app"`},
		{"bob", 403, ""},
	} {
		resp := p.ask(t, h, guardRequest("GET", "/x", "Test-User", c.user), c.want)
		if got := strings.Join(resp.Header.Values("Www-Authenticate"), "|"); got != c.sent {
			t.Errorf("%q: got WWW-Authenticate %q, want %q", c.user, got, c.sent)
		}
	}
}

func TestCustomDeny(t *testing.T) {
	t.Parallel()
	type told struct {
		status int
		err    error
	}
	deny := func(t *testing.T, cfg auth.Config, write func(http.ResponseWriter, int)) (*guardProbe, http.Handler, *told) {
		last := &told{}
		cfg.Deny = func(w http.ResponseWriter, r *http.Request, status int, err error) {
			*last = told{status, err}
			write(w, status)
		}
		p := &guardProbe{}
		return p, guardNew(t, cfg, &guardLogin{Backend: guardPeople(), name: "app"}).CurrentUser(guardReads)(p), last
	}
	t.Run("it renders, and is told why", func(t *testing.T) {
		t.Parallel()
		p, h, last := deny(t, auth.Config{}, func(w http.ResponseWriter, status int) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(status)
			io.WriteString(w, "go away")
		})
		p.ask(t, h, guardRequest("GET", "/x", "Test-User", "alice"), 200)
		for _, c := range []struct {
			user string
			want int
			err  error
		}{
			{"", 401, auth.ErrNoCredentials}, {"mallory", 401, auth.ErrInvalidCredentials}, {"bob", 403, auth.ErrForbidden},
		} {
			resp := p.ask(t, h, guardRequest("GET", "/x", "Test-User", c.user), c.want)
			if last.status != c.want || !errors.Is(last.err, c.err) {
				t.Errorf("%q: Deny was told %d, %v, want %d, %v", c.user, last.status, last.err, c.want, c.err)
			}
			if got := guardBody(t, resp); got != "go away" {
				t.Errorf("got body %q", got)
			}
			if got := resp.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("A-17 got Cache-Control %q, want the guard's headers set before", got)
			}
			if got := resp.Header.Get("Www-Authenticate") != ""; got != (c.want == 401) {
				t.Errorf("%q: got WWW-Authenticate: %t", c.user, got)
			}
		}
	})
	t.Run("a navigation to the login page isn't its business", func(t *testing.T) {
		t.Parallel()
		p, h, last := deny(t, auth.Config{}, func(w http.ResponseWriter, status int) { w.WriteHeader(status) })
		p.ask(t, h, guardNavigation("/x"), 303)
		if last.status != 0 {
			t.Errorf("Deny was told %d", last.status)
		}
	})
	t.Run("where it writes nothing, an empty answer of that status is sent", func(t *testing.T) {
		t.Parallel()
		p, h, _ := deny(t, auth.Config{}, func(http.ResponseWriter, int) {})
		for user, want := range map[string]int{"": 401, "mallory": 401, "bob": 403, "alice": 200} {
			resp := p.ask(t, h, guardRequest("GET", "/x", "Test-User", user), want)
			if body := guardBody(t, resp); want != 200 && body != "" {
				t.Errorf("%q: got body %q", user, body)
			}
		}
	})
	t.Run("where it writes a body alone, the status is sent with it", func(t *testing.T) {
		t.Parallel()
		p, h, _ := deny(t, auth.Config{}, func(w http.ResponseWriter, _ int) { io.WriteString(w, "go away") })
		for user, want := range map[string]int{"": 401, "bob": 403} {
			resp := p.ask(t, h, guardRequest("GET", "/x", "Test-User", user), want)
			if body := guardBody(t, resp); body != "go away" {
				t.Errorf("%q: got body %q", user, body)
			}
		}
	})
	t.Run("where it flushes or sends an informational status first, the status isn't 200", func(t *testing.T) {
		t.Parallel()
		for name, first := range map[string]func(http.ResponseWriter) error{
			"flush": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
			"hints": func(w http.ResponseWriter) error { w.WriteHeader(http.StatusEarlyHints); return nil },
		} {
			p, h, _ := deny(t, auth.Config{}, func(w http.ResponseWriter, _ int) {
				if err := first(w); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				io.WriteString(w, "go away")
			})
			server := httptest.NewServer(h)
			defer server.Close()
			resp, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != 401 || p.calls.Load() != 0 {
				t.Errorf("%s: got %d and %d calls of the handler, want 401 and none", name, resp.StatusCode, p.calls.Load())
			}
		}
	})
	t.Run("it may answer with another status", func(t *testing.T) {
		t.Parallel()
		p, h, _ := deny(t, auth.Config{}, func(w http.ResponseWriter, _ int) { w.WriteHeader(404) })
		p.ask(t, h, guardRequest("GET", "/x", "Test-User", "bob"), 404)
	})
	t.Run("it renders the guard's other refusals", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			backend auth.Backend
			want    int
			err     error
		}{
			{&guardFixed{err: errors.New("down")}, 503, nil},
			{&guardFixed{}, 500, nil},
			{&guardFixed{err: &auth.LimitedError{RetryAfter: time.Second}}, 429, nil},
			{&guardFixed{err: auth.ErrForbidden}, 403, auth.ErrForbidden},
		} {
			var got int
			a := guardNew(t, auth.Config{Deny: func(w http.ResponseWriter, _ *http.Request, status int, err error) {
				got = status
				if err == nil || c.err != nil && !errors.Is(err, c.err) {
					t.Errorf("%d: Deny was told %v", status, err)
				}
			}}, c.backend)
			p := &guardProbe{}
			p.ask(t, a.CurrentUser(nil)(p), guardRequest("GET", "/x"), c.want)
			if got != c.want {
				t.Errorf("Deny was told %d, want %d", got, c.want)
			}
		}
	})
}
