package auth_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// contentsRW is what most routes of these tests require.
var wsContentsRW = auth.Permissions{"contents": {"read", "write"}}

func TestWSRefusalByCloseCode(t *testing.T) {
	t.Parallel()
	longText := strings.Repeat("the database at 10.0.0.7 said \xff\xfe no; ", 20)
	site := wsServe(t, wsOptions{
		backend: auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
			if r.Header.Get("Test-User") == "wrong" {
				return nil, fmt.Errorf("%s: %w", longText, auth.ErrInvalidCredentials)
			}
			return wsPeople().Identify(r)
		}),
		required: auth.Permissions{"a": {"x"}, "b": {"y"}},
	})
	const stranger, forbidden = "authentication required", "permission denied"
	for _, tc := range []struct {
		name, user string
		code       websocket.StatusCode // 0: opens
		reason     string
	}{
		{"W-07 a caller who holds one of the permissions is let in", "holds-b", 0, ""},
		{"W-07 a caller who holds all of the permissions is let in", "root", 0, ""},
		{"W-01 a stranger gets 1008", "", websocket.StatusPolicyViolation, stranger},
		{"W-07 a caller who holds nothing gets 1008", "nothing", websocket.StatusPolicyViolation, forbidden},
		{"W-07 a caller who holds another permission gets 1008", "holds-c", websocket.StatusPolicyViolation, forbidden},
		{"W-14 a wrong credential gets 1008 and no word of why", "wrong", websocket.StatusPolicyViolation, stranger},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := site.runs.Load()
			// Offered, and never taken from who is refused: a subprotocol (it may hold a token) and compression.
			c := site.shake(t, wsHandshake("/", "Test-User: "+tc.user, "Sec-WebSocket-Protocol: a, token.X",
				"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"))
			res := c.response()
			if res.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("got status %d, want 101", res.StatusCode)
			}
			for _, name := range []string{"Sec-Websocket-Protocol", "Sec-Websocket-Extensions"} {
				if got := res.Header.Values(name); got != nil {
					t.Errorf("got %s %q, want none", name, got)
				}
			}
			if tc.code == 0 {
				if op, data := c.frame(); op != wsText || string(data) != "welcome" {
					t.Fatalf("got frame %d %q, want the welcome", op, data)
				}
				if got := site.runs.Load() - before; got != 1 {
					t.Errorf("the handler ran %d times, want once", got)
				}
				return
			}
			// The very first frame is the close frame: nothing is sent before.
			code, reason := c.closeFrame()
			if code != tc.code || reason != tc.reason {
				t.Errorf("got %d %q, want %d %q", code, reason, tc.code, tc.reason)
			}
			if len(reason) > 123 || !utf8.ValidString(reason) {
				t.Errorf("reason of %d bytes, want at most 123 of UTF-8", len(reason))
			}
			c.answerClose(code)
			c.wantEnd()
			if got := site.runs.Load() - before; got != 0 {
				t.Errorf("the handler ran %d times for a refused caller", got)
			}
		})
	}
}

func TestWSRefusalOfAnyIdentifiedUser(t *testing.T) {
	t.Parallel()
	site := wsServe(t, wsOptions{any: true})
	t.Run("a known caller is let in", func(t *testing.T) {
		site.wantOpen(t, wsHandshake("/", "Test-User: nothing"))
	})
	t.Run("W-08 JS68 nil requires a user: a stranger gets 1008", func(t *testing.T) {
		site.wantClose(t, wsHandshake("/"), websocket.StatusPolicyViolation)
	})
	t.Run("W-08 an empty requirement is no requirement that can be meant", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		wsGuard(t, auth.Config{}, wsPeople()).WebSocketAuth(auth.Permissions{})
	})
}

func TestWSRefusalBeforeTheUpgrade(t *testing.T) {
	t.Parallel()
	var outcome atomic.Pointer[func() (*auth.Identity, error)]
	site := wsServe(t, wsOptions{
		backend: auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) { return (*outcome.Load())() }),
	})
	for _, tc := range []struct {
		name    string
		outcome func() (*auth.Identity, error)
		status  int
		header  string
	}{
		{"an identity opens", func() (*auth.Identity, error) { return wsIdentity("alice"), nil }, 101, ""},
		{"W-16 an outage is 503, not 1008 and not open", func() (*auth.Identity, error) { return nil, errors.New("no route to host") }, 503, "Retry-After"},
		{"W-16 an outage by name is 503", func() (*auth.Identity, error) { return nil, auth.ErrUnavailable }, 503, "Retry-After"},
		{"a backend's ErrForbidden is 403", func() (*auth.Identity, error) { return nil, auth.ErrForbidden }, 403, ""},
		{"a wrapped ErrForbidden is 403", func() (*auth.Identity, error) { return nil, fmt.Errorf("foreign host: %w", auth.ErrForbidden) }, 403, ""},
		{"too many guesses are 429", func() (*auth.Identity, error) { return nil, &auth.LimitedError{RetryAfter: time.Second} }, 429, "Retry-After"},
		{"no identity and no error is 500", func() (*auth.Identity, error) { return nil, nil }, 500, ""},
		{"an identity without an ID is 500", func() (*auth.Identity, error) { return &auth.Identity{}, nil }, 500, ""},
		{"a panic is 500", func() (*auth.Identity, error) { panic("secret") }, 500, ""},
		{"an identity whose session can't be checked is 503", func() (*auth.Identity, error) {
			s, id := newWSSession(*wsIdentity("alice"))
			s.set(auth.ErrUnavailable)
			return id, nil
		}, 101, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			outcome.Store(&tc.outcome)
			if tc.status == http.StatusSwitchingProtocols {
				site.wantOpen(t, wsHandshake("/"))
				return
			}
			res := site.wantStatus(t, wsHandshake("/"), tc.status)
			if tc.header != "" && res.Header.Get(tc.header) == "" {
				t.Errorf("no %s", tc.header)
			}
		})
	}
}

// TestWSOrigin asks everything with a credential that a browser attaches by itself, and without any.
func TestWSOrigin(t *testing.T) {
	t.Parallel()
	public := wsServe(t, wsOptions{cfg: auth.Config{
		PublicURL:      "https://app.example",
		TrustedOrigins: []string{"https://trusted.example.com", "https://a.com", "https://b.com"},
	}})
	local := wsServe(t, wsOptions{})
	const own = "Origin: https://app.example"
	crossSite := "Sec-Fetch-Site: cross-site"
	for _, tc := range []struct {
		name   string
		site   *wsSite
		host   string
		header []string
		pass   bool
	}{
		{"JS105 W-04 the own origin passes", public, "app.example", []string{own}, true},
		{"W-21 the own origin needs no form token", public, "app.example", []string{own, "Sec-Fetch-Site: same-origin"}, true},
		{"JS105 W-04 an absent origin is no browser's", public, "app.example", nil, true},
		{"W-03 a foreign origin", public, "app.example", []string{"Origin: https://evil.example"}, false},
		{"W-21 a form token buys nothing", public, "app.example", []string{"Origin: https://evil.example", "X-XSRFToken: x", "X-CSRF-Token: x", "Cookie: _xsrf=x"}, false},
		{"a junk header buys nothing", public, "app.example", []string{"Origin: https://evil.example", "X-Requested-With: XMLHttpRequest", "X-Junk: 1"}, false},
		{"JS105 W-04 an empty origin", public, "app.example", []string{"Origin: "}, false},
		{"W-04 the opaque origin", public, "app.example", []string{"Origin: null"}, false},
		{"W-04 the opaque origin that claims same-origin", public, "app.example", []string{"Origin: null", "Sec-Fetch-Site: same-origin"}, false},
		{"W-04 another port", public, "app.example", []string{"Origin: https://app.example:8443"}, false},
		{"W-04 the other scheme", public, "app.example", []string{"Origin: http://app.example"}, false},
		{"W-04 a longer host", public, "app.example", []string{"Origin: https://app.example.evil.example"}, false},
		{"W-04 upper case", public, "app.example", []string{"Origin: HTTPS://APP.EXAMPLE"}, false},
		{"W-04 two origins, the own one first", public, "app.example", []string{own, "Origin: https://evil.example"}, false},
		{"W-04 two origins, the own one last", public, "app.example", []string{"Origin: https://evil.example", own}, false},
		{"W-06 a rebound name with its own origin", public, "evil.example", []string{"Origin: https://evil.example"}, false},
		{"W-06 a rebound name with the site's origin", public, "evil.example", []string{own}, false},
		{"JS96 a trusted origin passes", public, "app.example", []string{"Origin: https://trusted.example.com", crossSite}, true},
		{"JS98 a trusted origin with a path", public, "app.example", []string{"Origin: https://trusted.example.com/path", crossSite}, false},
		{"JS99 a trusted origin's other scheme", public, "app.example", []string{"Origin: http://trusted.example.com", crossSite}, false},
		{"JS99 a trusted origin's sibling", public, "app.example", []string{"Origin: https://other.example.com", crossSite}, false},
		{"JS99 a trusted origin cut short", public, "app.example", []string{"Origin: https://trusted.example.co", crossSite}, false},
		{"JS102 the first of two trusted origins passes", public, "app.example", []string{"Origin: https://a.com", crossSite}, true},
		{"JS102 the second of two trusted origins passes", public, "app.example", []string{"Origin: https://b.com", crossSite}, true},
		{"JS102 a trusted origin made longer", public, "app.example", []string{"Origin: https://a.comevil", crossSite}, false},
		{"without a PublicURL the Host's origin passes", local, local.addr(), []string{"Origin: http://" + local.addr()}, true},
		{"JS100 without trusted origins nobody is", local, local.addr(), []string{"Origin: https://trusted.example.com", crossSite}, false},
		{"W-06 without a PublicURL a rebound name with its own origin", local, "evil.example", []string{"Origin: http://evil.example"}, false},
		{"W-06 without a PublicURL a rebound name without an origin", local, "evil.example", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			header := append([]string{"Host: " + tc.host}, tc.header...)
			alice, stranger := wsHandshake("/", append(header, "Test-User: alice")...), wsHandshake("/", header...)
			if tc.pass {
				tc.site.wantOpen(t, alice)
				tc.site.wantClose(t, stranger, websocket.StatusPolicyViolation)
				return
			}
			// Strangers and wrong credentials too: 1008 for them alone would tell a foreign page who is logged in.
			for _, request := range []string{alice, stranger, wsHandshake("/", append(header, "Test-User: nobody")...)} {
				if res := tc.site.wantStatus(t, request, http.StatusForbidden); res.Header.Get("Upgrade") != "" {
					t.Error("an upgrade was offered")
				}
			}
			// No page can attach what it doesn't know: a credential that the caller attached itself passes.
			if !strings.Contains(tc.host, "evil") {
				tc.site.wantOpen(t, wsHandshake("/", append(header, "Test-User: explicit")...))
			}
		})
	}
	for _, origin := range []string{"*", "https://*", "https://*.example", "*.example", "app.example", "https://trusted.example.com/path", "", "https://a.com\nhttps://evil.com"} {
		t.Run(fmt.Sprintf("W-05 JS98 JS100 JS105 trusting %q is an error from New", origin), func(t *testing.T) {
			if _, err := auth.New(auth.Config{TrustedOrigins: []string{origin}}, wsPeople()); err == nil {
				t.Error("got no error")
			}
		})
	}
}

// A page must not learn from the kind of the refusal whether its visitor is logged in.
func TestWSForeignPageCannotTellWhoIsLoggedIn(t *testing.T) {
	t.Parallel()
	site := wsServe(t, wsOptions{})
	origin := "Origin: https://evil.example"
	var answers []string
	for _, user := range []string{"", "alice", "nobody", "nothing"} {
		c := site.raw(t)
		c.send(wsHandshake("/", origin, "Test-User: "+user))
		res := c.response()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		res.Header.Del("Date")
		answers = append(answers, fmt.Sprintf("%s %v %s", res.Status, res.Header, body))
	}
	for _, got := range answers {
		if got != answers[0] {
			t.Errorf("got %s\nwant %s", got, answers[0])
		}
	}
}

// TestWSNoHandshake: who the caller is comes first, then what is wrong with the handshake.
func TestWSNoHandshake(t *testing.T) {
	t.Parallel()
	backend := &wsResponder{Backend: wsPeople()}
	site := wsServe(t, wsOptions{backend: backend})
	edit := func(from, to string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, from) {
				panic(from)
			}
			return strings.Replace(s, from, to, 1)
		}
	}
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, tc := range []struct {
		name   string
		edit   func(string) string
		status int
		header string // that tells an admitted caller what is missing
	}{
		{"a handshake opens", func(s string) string { return s }, 101, ""},
		{"a handshake in other words opens", func(s string) string {
			return edit("Connection: Upgrade", "connection: keep-alive , uPGRADE")(edit("Upgrade: websocket", "UPGRADE: foo, WebSocket")(s))
		}, 101, ""},
		{"W-02 W-19 a plain GET", edit("Connection: Upgrade\r\nUpgrade: websocket\r\n", ""), 426, "Upgrade: websocket"},
		{"W-02 no Upgrade header", edit("Upgrade: websocket\r\n", ""), 426, "Connection: Upgrade"},
		{"W-02 another protocol", edit("Upgrade: websocket\r\n", "Upgrade: h2c\r\n"), 426, "Upgrade: websocket"},
		{"W-02 no Connection header", edit("Connection: Upgrade\r\n", ""), 426, "Connection: Upgrade"},
		{"W-02 HTTP/1.0", edit("HTTP/1.1", "HTTP/1.0"), 426, "Upgrade: websocket"},
		{"W-02 another version", edit("Version: 13", "Version: 12"), 400, "Sec-WebSocket-Version: 13"},
		{"W-02 a version too many", edit("Version: 13", "Version: 13, 8"), 400, "Sec-WebSocket-Version: 13"},
		{"W-02 no version", edit("Sec-WebSocket-Version: 13\r\n", ""), 400, "Sec-WebSocket-Version: 13"},
		{"W-02 no key", edit(key, ""), 400, ""},
		{"W-02 an empty key", edit(key, "Sec-WebSocket-Key: \r\n"), 400, ""},
		{"W-02 two keys", edit(key, key+key), 400, ""},
		{"W-02 a short key", edit(key, "Sec-WebSocket-Key: c2hvcnQ=\r\n"), 400, ""},
		{"W-02 a key that isn't base64", edit(key, "Sec-WebSocket-Key: ????????????????????????\r\n"), 400, ""},
		{"W-02 POST", edit("GET ", "POST "), 405, "Allow: GET"},
		{"W-02 HEAD", edit("GET ", "HEAD "), 405, "Allow: GET"},
		{"W-17 CONNECT", edit("GET / ", "CONNECT 127.0.0.1:80 "), 405, "Allow: GET"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			request := func(user string) string { return tc.edit(wsHandshake("/", "Test-User: "+user)) }
			if tc.status == http.StatusSwitchingProtocols {
				site.wantOpen(t, request("alice"))
				return
			}
			effects := backend.calls.Load()
			res := site.wantStatus(t, request("alice"), tc.status)
			if name, value, ok := strings.Cut(tc.header, ": "); ok && res.Header.Get(name) != value {
				t.Errorf("got %s %q, want %q", name, res.Header.Get(name), value)
			}
			res = site.wantStatus(t, request(""), http.StatusUnauthorized)
			if res.Header.Get("Location") != "" {
				t.Error("a stranger on a WebSocket route is redirected")
			}
			site.wantStatus(t, request("nothing"), http.StatusForbidden)
			site.wantStatus(t, request("nobody"), http.StatusUnauthorized)
			if got := backend.calls.Load() - effects; got != 0 {
				t.Errorf("the backend had %d effects on no handshake, want none", got)
			}
		})
	}
	t.Run("W-19 a navigation of a stranger isn't sent to the login page", func(t *testing.T) {
		request := "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n\r\n"
		res := site.wantStatus(t, request, http.StatusUnauthorized)
		if got := res.Header.Get("Location"); got != "" {
			t.Errorf("got Location %q", got)
		}
	})
	t.Run("a cross-origin POST is 403 before all else", func(t *testing.T) {
		site.wantStatus(t, edit("GET ", "POST ")(wsHandshake("/", "Test-User: alice", "Origin: https://evil.example")), http.StatusForbidden)
	})
	t.Run("W-12 a handshake that comes byte by byte opens", func(t *testing.T) {
		c := site.raw(t)
		for _, b := range []byte(wsHandshake("/", "Test-User: alice")) {
			if _, err := c.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		c.wantWelcome()
	})
}

// W-18: the weaker any-of rule of WebSocket routes belongs to the route, not to a header of the request.
func TestWSUpgradeHeaderOnPlainRoute(t *testing.T) {
	t.Parallel()
	var runs atomic.Int64
	a := wsGuard(t, auth.Config{}, wsPeople())
	server := httptest.NewServer(a.CurrentUser(auth.Permissions{"a": {"x"}, "b": {"y"}})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { runs.Add(1) })))
	t.Cleanup(server.Close)
	for _, tc := range []struct {
		name, user string
		status     int
	}{
		{"W-18 who holds all is served", "root", 200},
		{"W-18 who holds one of two isn't, with the headers of a handshake", "holds-b", 403},
		{"W-18 a stranger gets 401 and no upgrade", "", 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := runs.Load()
			c := wsConnect(t, server.Listener.Addr().String(), nil)
			c.send(wsHandshake("/", "Test-User: "+tc.user))
			if got := c.response().StatusCode; got != tc.status {
				t.Errorf("got %d, want %d", got, tc.status)
			}
			if got := runs.Load() - before; (got == 1) != (tc.status == 200) {
				t.Errorf("the handler ran %d times", got)
			}
		})
	}
}

// W-17: HTTP/2 has its own handshake (RFC 8441), which the WebSocket library can't speak: refused, after the credentials
// were judged. net/http takes it only in a process that was started with GODEBUG=http2xconnect=1.
func TestWSExtendedConnect(t *testing.T) {
	t.Parallel()
	if !strings.Contains(os.Getenv("GODEBUG"), "http2xconnect=1") {
		exe, err := os.Executable()
		if err != nil {
			t.Skip(err)
		}
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestWSExtendedConnect$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=http2xconnect=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("W-17_Extended_CONNECT_of_a_stranger")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	site := wsServe(t, wsOptions{h2c: true})
	for _, tc := range []struct {
		name, user string
		status     int
	}{
		{"W-17 Extended CONNECT of an admitted caller is 405", "alice", 405},
		{"W-17 Extended CONNECT of a stranger is 401", "", 401},
		{"W-17 Extended CONNECT of a wrong credential is 401", "nobody", 401},
		{"W-17 Extended CONNECT without the permission is 403", "nothing", 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := site.raw(t)
			c.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + wsH2Frame(4, 0, 0, ""))
			var block strings.Builder
			for _, field := range []string{":method CONNECT", ":protocol websocket", ":scheme http", ":path /", ":authority 127.0.0.1",
				"sec-websocket-version 13", "test-user " + tc.user} {
				name, value, _ := strings.Cut(field, " ")
				fmt.Fprintf(&block, "\x00%c%s%c%s", len(name), name, len(value), value) // a literal (RFC 7541 section 6.2.2)
			}
			const endHeaders = 4
			c.send(wsH2Frame(1, endHeaders, 1, block.String()))
			got := wsWait(t, site.statuses)
			if got.status != tc.status || got.proto != "HTTP/2.0" || got.method != http.MethodConnect {
				t.Errorf("got %+v, want %d for CONNECT over HTTP/2.0", got, tc.status)
			}
			if n := site.runs.Load(); n != 0 {
				t.Errorf("the handler ran %d times", n)
			}
		})
	}
}

func TestWSQueryToken(t *testing.T) {
	t.Parallel()
	const token, bad = "tk-7d2e80c1f04b4d1f9d0a2b", "bad-7d2e80c1f04b4d1f9d0a2"
	var logged wsBuffer
	logger := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := tokenauth.New(t.Context(), tokenauth.Config{Token: token, Auth: auth.Config{Logger: logger}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	site := wsServe(t, wsOptions{auth: a})
	t.Run("W-09 JS113 the token in the query opens, from any page", func(t *testing.T) {
		site.wantOpen(t, wsHandshake("/?token="+token))
		site.wantOpen(t, wsHandshake("/?token="+token, "Origin: https://notebook.example"))
	})
	t.Run("W-09 a wrong token gets 1008", func(t *testing.T) {
		site.wantClose(t, wsHandshake("/?token="+bad), websocket.StatusPolicyViolation)
	})
	t.Run("T-07 a token given twice gets 1008", func(t *testing.T) {
		site.wantClose(t, wsHandshake("/?token="+bad+"&token="+token), websocket.StatusPolicyViolation)
		site.wantClose(t, wsHandshake("/?token="+token+"&token="+bad), websocket.StatusPolicyViolation)
	})
	t.Run("W-20 T-26 a token among the subprotocols is neither taken nor echoed", func(t *testing.T) {
		site.wantClose(t, wsHandshake("/", "Sec-WebSocket-Protocol: v1.token.websocket.jupyter.org."+token), websocket.StatusPolicyViolation)
	})
	t.Run("W-09 no token is logged", func(t *testing.T) {
		if got := logged.String(); strings.Contains(got, token) || strings.Contains(got, bad) {
			t.Errorf("a token is in the log:\n%s", got)
		}
	})
}

// In a bubble, where time passes only when everybody waits, the hold of a refusal is exact.
func TestWSMaxRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		max   int
		holds int // handshakes that are accepted at once
	}{
		{"0 means the default", 0, 3},
		{"1 is one", 1, 1},
		{"2 are two", 2, 2},
		{"negative is none", -1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				site := wsServePipes(t, wsOptions{cfg: auth.Config{MaxRefusals: tc.max}})
				site.wantOpen(t, wsHandshake("/", "Test-User: alice"))
				runs := site.runs.Load()
				for range 2 { // once more when the first ones are gone: their places are free again
					var silent []*wsConn
					for range tc.holds {
						c := site.raw(t)
						c.send(wsHandshake("/"))
						if res := c.response(); res.StatusCode != http.StatusSwitchingProtocols {
							t.Fatalf("got %d, want 101", res.StatusCode)
						}
						if code, _ := c.closeFrame(); code != websocket.StatusPolicyViolation {
							t.Errorf("got %d, want 1008", code)
						}
						silent = append(silent, c)
					}
					if tc.max != 0 {
						site.wantStatus(t, wsHandshake("/"), http.StatusUnauthorized)
						site.wantStatus(t, wsHandshake("/", "Test-User: nobody"), http.StatusUnauthorized)
						site.wantStatus(t, wsHandshake("/", "Test-User: nothing"), http.StatusForbidden)
						site.wantOpen(t, wsHandshake("/", "Test-User: alice"))
						runs++
					}
					start := time.Now()
					for _, c := range silent {
						c.wantEnd()
					}
					if got := time.Since(start); tc.holds > 0 && got != 250*time.Millisecond {
						t.Errorf("silent clients were held for %v, want 250ms", got)
					}
					synctest.Wait()
				}
				if got := site.runs.Load(); got != runs {
					t.Errorf("the handler ran %d times, want %d", got, runs)
				}
			})
		})
	}
}

// A slow Deny must not count as a refusal under way: it holds no accepted handshake.
func TestWSPlainRefusalsTakeNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		site := wsServePipes(t, wsOptions{cfg: auth.Config{MaxRefusals: 1, Deny: func(w http.ResponseWriter, r *http.Request, status int, err error) {
			<-release
		}}})
		first := site.raw(t)
		first.send(wsHandshake("/"))
		if got := first.response().StatusCode; got != http.StatusSwitchingProtocols {
			t.Fatalf("got %d, want 101", got)
		}
		plain := site.raw(t)
		plain.send(wsHandshake("/"))
		synctest.Wait() // in Deny
		if code, _ := first.closeFrame(); code != websocket.StatusPolicyViolation {
			t.Errorf("got %d, want 1008", code)
		}
		first.answerClose(websocket.StatusPolicyViolation)
		first.wantEnd()
		synctest.Wait()
		site.wantClose(t, wsHandshake("/"), websocket.StatusPolicyViolation)
		close(release)
		if got := plain.response().StatusCode; got != http.StatusUnauthorized {
			t.Errorf("got %d, want 401", got)
		}
	})
}

func TestWSRefusalHoldsNobodyLong(t *testing.T) {
	t.Parallel()
	cert := wsCert(t)
	for _, tc := range []struct {
		name string
		play func(t *testing.T, c *wsConn)
	}{
		{"W-11 a client that reads and doesn't answer", func(t *testing.T, c *wsConn) {
			c.wantSwitch()
			if code, _ := c.closeFrame(); code != websocket.StatusPolicyViolation {
				t.Errorf("got %d, want 1008", code)
			}
			c.wantEnd()
		}},
		{"W-11 a client that never reads the close frame", func(t *testing.T, c *wsConn) { c.wantSwitch() }},
		{"W-11 a client that never reads at all", func(t *testing.T, c *wsConn) {}},
		{"W-13 a client that stops in the middle of a huge frame", func(t *testing.T, c *wsConn) {
			c.wantSwitch()
			c.closeFrame()
			c.send("\x82\xff\x00\x00\x00\x00\x06\x40\x00\x00abcd") // 100 MiB
		}},
		{"W-13 a client that sends pings and reads no pong", func(t *testing.T, c *wsConn) {
			c.wantSwitch()
			c.closeFrame()
			c.send(string(wsFrame(wsPing, []byte("x"))))
		}},
		{"W-15 a client that sends a compressed message", func(t *testing.T, c *wsConn) {
			c.wantSwitch()
			c.closeFrame()
			frame := wsFrame(wsText, []byte("\x4a\x4c\x04\x42\x00"))
			frame[0] |= 0x40 // RSV1
			c.send(string(frame))
			go func() { _, _ = io.Copy(io.Discard, c.br) }()
		}},
		{"a client that answers in two halves", func(t *testing.T, c *wsConn) {
			c.wantSwitch()
			c.closeFrame()
			c.send("\x88")
		}},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, over TLS: %v", tc.name, secure), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					site := wsServePipes(t, wsOptions{tls: secure, cert: cert})
					site.wantOpen(t, wsHandshake("/", "Test-User: alice"))
					wsWait(t, site.held)
					runs := site.runs.Load()
					c := site.raw(t)
					c.send(wsHandshake("/", "Sec-WebSocket-Extensions: permessage-deflate"))
					tc.play(t, c)
					if got := wsWait(t, site.held); got > 250*time.Millisecond {
						t.Errorf("held for %v, want at most 250ms", got)
					}
					if got := site.runs.Load(); got != runs {
						t.Error("the handler ran for a refused caller")
					}
				})
			})
		}
	}
}

// Middleware around the guard can hide that a connection may be taken over. 101 must not be sent then.
func TestWSWriterWithoutHijacker(t *testing.T) {
	t.Parallel()
	site := wsServe(t, wsOptions{wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(struct{ http.ResponseWriter }{w}, r) })
	}})
	for _, tc := range []struct {
		name, user string
		status     int
	}{
		{"an admitted caller learns that the server can't", "alice", http.StatusInternalServerError},
		{"a stranger gets 401", "", http.StatusUnauthorized},
		{"a caller without the permission gets 403", "nothing", http.StatusForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := site.raw(t)
			c.send(wsHandshake("/", "Test-User: "+tc.user))
			if got := c.response().StatusCode; got != tc.status {
				t.Errorf("got %d, want %d", got, tc.status)
			}
		})
	}
}
