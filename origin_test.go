package auth_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/ostiary/auth"
)

// originCookie is a backend whose callers are proved by what a browser attaches by itself.
var originCookie = auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
	c, err := r.Cookie("session")
	if err != nil {
		return nil, auth.ErrNoCredentials
	}
	return guardPerson(c.Value, "contents:read,write"), nil
})

// originHeader is a backend whose callers attach their credential themselves.
var originHeader = auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, auth.ErrNoCredentials
	}
	id := guardPerson(name, "contents:read,write")
	id.Explicit = true
	return id, nil
})

var originWrites = auth.Permissions{"contents": {"read", "write"}}

// originRequest is a PUT of a caller with a cookie. An Origin of "-" is none, one with a blank in it two headers.
func originRequest(host, origin, fetchSite string) *http.Request {
	r := guardRequest("PUT", "/x", "Cookie", "session=alice")
	r.Host = host
	originHeaders(r.Header, origin, fetchSite)
	return r
}

func originHeaders(h http.Header, origin, fetchSite string) {
	if origin != "-" {
		h["Origin"] = strings.Split(origin, " ")
	}
	if fetchSite != "" {
		h.Set("Sec-Fetch-Site", fetchSite)
	}
}

// originDial opens a handshake with a cookie at srv under host. It gives the status of the answer: 101 for an open socket,
// which the handler has greeted.
func originDial(t testing.TB, srv *httptest.Server, host string, header http.Header) int {
	t.Helper()
	conn, resp, err := websocket.Dial(t.Context(), srv.URL, &websocket.DialOptions{Host: host, HTTPHeader: header})
	if err != nil {
		if resp == nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	defer conn.CloseNow()
	if _, greeting, err := conn.Read(t.Context()); err != nil || string(greeting) != guardedText {
		t.Errorf("got %q, %v of an open socket, want the handler's greeting", greeting, err)
	}
	return resp.StatusCode
}

// originGreets is the handler of the tests' sockets.
func originGreets(p *guardProbe) http.Handler {
	p.do = func(w http.ResponseWriter, r *http.Request) {
		conn, err := auth.Accept(w, r, nil)
		if err != nil {
			return
		}
		conn.Write(r.Context(), websocket.MessageText, []byte(guardedText))
	}
	return p
}

// TestOrigin asks each case as a PUT and as a handshake: one list holds for both.
func TestOrigin(t *testing.T) {
	t.Parallel()
	app := auth.Config{PublicURL: "https://app.example"}
	trusts := auth.Config{PublicURL: "https://app.example", TrustedOrigins: []string{"https://trusted.example.com"}}
	ab := auth.Config{TrustedOrigins: []string{"https://a.com", "https://b.com"}}
	short := auth.Config{TrustedOrigins: []string{"https://trusted"}}
	proxied := auth.Config{PublicURL: "https://app.example", AllowedHosts: []string{"127.0.0.1:8080"}}
	const local = "127.0.0.1:8888"
	for _, c := range []struct {
		name   string
		cfg    auth.Config
		host   string
		origin string
		fetch  string
		ok     bool
	}{
		{"JS95 (root's half): own origin passes without a form token", app, "app.example", "https://app.example", "same-origin", true},
		{"L-05 own origin, old browser", app, "app.example", "https://app.example", "", true},
		{"L-05 neither header: no browser, judged by its credential", app, "app.example", "-", "", true},
		{"JS93 (root's half): cross-site", app, "app.example", "-", "cross-site", false},
		{"JS93 (root's half): cross-site with an origin", app, "app.example", "https://evil.example", "cross-site", false},
		{"L-04 a sibling subdomain", app, "app.example", "https://other.app.example", "same-site", false},
		{"L-04 a sibling subdomain without an origin", app, "app.example", "-", "same-site", false},
		{"L-05 a foreign origin, old browser", app, "app.example", "https://evil.example", "", false},
		{"L-05 the opaque origin", app, "app.example", "null", "", false},
		{"L-05 the opaque origin of a sandboxed frame", app, "app.example", "null", "cross-site", false},
		{"L-06 another port", app, "app.example", "https://app.example:8443", "", false},
		{"L-06 another scheme", app, "app.example", "http://app.example", "", false},
		{"L-06 another scheme that claims to be the same origin", app, "app.example", "http://app.example", "same-origin", false},
		{"L-07 a longer host", app, "app.example", "https://app.example.evil.example", "", false},
		{"L-07 userinfo", app, "app.example", "https://app.example@evil.example", "", false},
		{"L-07 own origin in a path", app, "app.example", "https://evil.example/https://app.example", "", false},
		{"L-07 upper case", app, "app.example", "https://APP.EXAMPLE", "", false},
		{"L-07 two origins", app, "app.example", "https://app.example https://evil.example", "", false},
		{"L-07 own origin twice", app, "app.example", "https://app.example https://app.example", "", false},
		{"JS105 (root's half): an empty origin", app, "app.example", "", "", false},
		{"an empty origin that claims to be the same", app, "app.example", "", "same-origin", false},
		{"junk metadata buys no exemption", app, "app.example", "-", "junk", false},

		{"JS96 a trusted origin", trusts, "app.example", "https://trusted.example.com", "cross-site", true},
		{"JS98 a trusted origin with a path", trusts, "app.example", "https://trusted.example.com/path", "cross-site", false},
		{"JS99 another scheme", trusts, "app.example", "http://trusted.example.com", "cross-site", false},
		{"JS99 another host", trusts, "app.example", "https://other.example.com", "cross-site", false},
		{"JS99 a shorter host", trusts, "app.example", "https://trusted.example.co", "cross-site", false},
		{"JS100 no trusted origins", app, "app.example", "https://trusted.example.com", "cross-site", false},
		{"JS102 the first of two", ab, local, "https://a.com", "cross-site", true},
		{"JS102 the second of two", ab, local, "https://b.com", "cross-site", true},
		{"JS102 a longer host", ab, local, "https://a.comevil", "cross-site", false},
		{"JS103 a full match, never a prefix", short, local, "https://trusted.example.com", "cross-site", false},

		{"L-09 a proxy that rewrites Host to an allowed one", proxied, "127.0.0.1:8080", "https://app.example", "", true},
		{"L-09 the host of PublicURL beside it", proxied, "app.example", "https://app.example", "", true},
		{"L-09 a Host that isn't allowed", app, "127.0.0.1:8080", "https://app.example", "", false},
		{"L-09 a foreign origin is no better behind a proxy", proxied, "127.0.0.1:8080", "https://evil.example", "", false},
		{"L-09 a rewritten Host is no origin", proxied, "127.0.0.1:8080", "http://127.0.0.1:8080", "", false},

		{"without a PublicURL: loopback", auth.Config{}, "localhost:8888", "http://localhost:8888", "same-origin", true},
		{"without a PublicURL: an IP address", auth.Config{}, "192.0.2.7:8888", "http://192.0.2.7:8888", "same-origin", true},
		{"W-06 without a PublicURL: a name that was rebound", auth.Config{}, "evil.example:8888", "http://evil.example:8888", "same-origin", false},
		{"W-06 a rebound name without headers", auth.Config{}, "evil.example:8888", "-", "", false},
		{"a name that the operator allows", auth.Config{AllowedHosts: []string{"lab.example"}}, "lab.example:8888", "http://lab.example:8888", "same-origin", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := guardNew(t, c.cfg, originCookie)
			p := &guardProbe{}
			want := 403
			if c.ok {
				want = 200
			}
			resp := p.ask(t, a.CurrentUser(originWrites)(p), originRequest(c.host, c.origin, c.fetch), want)
			if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("A-14 got Access-Control-Allow-Origin %q: CORS is another layer's", got)
			}

			p = &guardProbe{}
			srv := httptest.NewServer(a.WebSocketAuth(originWrites)(originGreets(p)))
			defer srv.Close()
			header := http.Header{"Cookie": {"session=alice"}}
			originHeaders(header, c.origin, c.fetch)
			wantUpgrade, wantCalls := 403, int64(0)
			if c.ok {
				wantUpgrade, wantCalls = 101, 1
			}
			if got := originDial(t, srv, c.host, header); got != wantUpgrade {
				t.Errorf("handshake: got %d, want %d", got, wantUpgrade)
			}
			if got := p.calls.Load(); got != wantCalls {
				t.Errorf("handshake: got %d calls of the handler, want %d", got, wantCalls)
			}
		})
	}
}

// What a foreign page may not do depends on what proved the caller, and on whether something can change.
func TestOriginByProof(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{PublicURL: "https://app.example"}, originHeader, originCookie)
	for _, c := range []struct {
		name, method, credential string
		headers                  []string
		want                     int
	}{
		{"JS92 (root's half): a link on another site to a page", "GET", "cookie", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"HEAD from another site", "HEAD", "cookie", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"OPTIONS from another site", "OPTIONS", "cookie", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"JS93 (root's half): PUT from another site", "PUT", "cookie", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"POST from another site", "POST", "cookie", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"A-16 an unknown method from another site", "PROPFIND", "cookie", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"L-14 a method in lower case is no safe one", "get", "cookie", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"JS90 PUT from another site with the credential attached", "PUT", "header", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 200},
		{"an attached credential beside a cookie proves it", "PUT", "both", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"PUT from another site by nobody is refused like one by somebody", "PUT", "", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"PUT by nobody", "PUT", "", nil, 401},
		{"GET by nobody from another site", "GET", "", []string{"Sec-Fetch-Site", "cross-site"}, 401},
		{"a form on a page without referrers", "POST", "cookie", []string{"Origin", "null", "Sec-Fetch-Site", "same-origin"}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := guardRequest(c.method, "/x", c.headers...)
			r.Host = "app.example"
			if c.credential == "cookie" || c.credential == "both" {
				r.Header.Set("Cookie", "session=alice")
			}
			if c.credential == "header" || c.credential == "both" {
				r.Header.Set("Authorization", "Bearer alice")
			}
			p := &guardProbe{}
			p.ask(t, a.CurrentUser(nil)(p), r, c.want)
		})
	}
}

// JS105 (root's half): the handshakes of a browser, of one that hides its origin, and of no browser.
func TestHandshakeOrigins(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, originHeader, originCookie)
	p := &guardProbe{}
	srv := httptest.NewServer(a.WebSocketAuth(nil)(originGreets(p)))
	defer srv.Close()
	u, _ := url.Parse(srv.URL)
	for _, c := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"own origin", http.Header{"Cookie": {"session=alice"}, "Origin": {srv.URL}}, 101},
		{"JS105 (root's half): a cookie and no Origin at all", http.Header{"Cookie": {"session=alice"}}, 101},
		{"JS105 (root's half): a cookie and an empty Origin", http.Header{"Cookie": {"session=alice"}, "Origin": {""}}, 403},
		{"W-03 a cookie from another site", http.Header{"Cookie": {"session=alice"}, "Origin": {"https://evil.example"}}, 403},
		{"no credential from another site: 403 like one with a cookie", http.Header{"Origin": {"https://evil.example"}}, 403},
		{"W-04 an attached credential and no Origin", http.Header{"Authorization": {"Bearer alice"}}, 101},
		{"an attached credential from another site", http.Header{"Authorization": {"Bearer alice"}, "Origin": {"https://evil.example"}}, 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := p.calls.Load()
			if got := originDial(t, srv, u.Host, c.header); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
			if got := p.calls.Load() - before; (got == 1) != (c.want == 101) {
				t.Errorf("got %d calls of the handler", got)
			}
		})
	}
}

// Without a PublicURL cookies count only under names that can't be rebound to this server.
func TestHostOfCookies(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{AllowedHosts: []string{"lab.example", "proxy.example:8443"}}, originHeader, originCookie)
	for _, c := range []struct {
		name, host string
		tls        bool
		want       int
	}{
		{"localhost", "localhost:8888", false, 200},
		{"a name below localhost", "app.localhost", false, 200},
		{"the loopback address", "127.0.0.1", false, 200},
		{"IPv6 loopback", "[::1]:8888", false, 200},
		{"an address on the network", "192.0.2.7:8888", false, 200},
		{"an allowed name on any port", "lab.example:1234", false, 200},
		{"an allowed name in another case", "LAB.example", false, 200},
		{"an allowed name on its port", "proxy.example:8443", false, 200},
		{"an allowed name on another port", "proxy.example:8444", false, 403},
		{"another name", "evil.example", false, 403},
		{"a name that begins like an allowed one", "lab.example.evil.example", false, 403},
		{"a name that begins like localhost", "localhost.evil.example", false, 403},
		{"another name over TLS: a certificate can't be rebound", "app.example", true, 200},
		{"A-23 no Host", "", false, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{}
			h := a.CurrentUser(nil)(p)
			r := guardRequest("GET", "/x", "Cookie", "session=alice")
			r.Host = c.host
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			p.ask(t, h, r, c.want)
			explicit := guardRequest("PUT", "/x", "Authorization", "Bearer alice")
			explicit.Host = c.host
			p.ask(t, h, explicit, 200) // no page makes a browser attach it
		})
	}
}
