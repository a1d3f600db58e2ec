package noauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/ostiary/auth"
	"github.com/ostiary/auth/noauth"
)

// A laptop is a small application behind noauth. Its guarded handlers say in the answer's header that they were reached.
type laptop struct {
	t    *testing.T
	auth *noauth.Auth
	http.Handler
	log     bytes.Buffer
	events  []auth.Event
	checked chan auth.Permissions // of each room entered
}

func newLaptop(t *testing.T, cfg noauth.Config) *laptop {
	t.Helper()
	l := &laptop{t: t, checked: make(chan auth.Permissions, 10)}
	cfg.Auth.Logger = slog.New(slog.NewTextHandler(&l.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg.Auth.OnEvent = func(_ context.Context, e auth.Event) {
		if e.Kind == auth.EventWarning {
			l.events = append(l.events, e)
		}
	}
	a, err := noauth.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	l.auth = a
	reached := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Reached", r.Method)
		fmt.Fprint(w, "the page")
	})
	mux := http.NewServeMux()
	mux.Handle("/", a.CurrentUser(nil)(reached))
	mux.Handle("/api/contents/demo", a.CurrentUser(auth.Permissions{"contents": {"read", "write"}})(reached))
	mux.Handle("/api/me", auth.Me(a))
	mux.Handle("/auth/", a.Routes())
	mux.Handle("/api/room/demo", a.WebSocketAuth(auth.Permissions{"contents": {"write", "read"}, "kernels": {"execute"}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := auth.Accept(w, r, nil)
		if err != nil {
			return
		}
		l.checked <- auth.CheckedPermissions(r.Context())
		conn.Read(r.Context())
	})))
	l.Handler = mux
	return l
}

type laptopOption func(*http.Request)

func header(name string, values ...string) laptopOption {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}
func host(name string) laptopOption { return func(r *http.Request) { r.Host = name } }
func peer(addr string) laptopOption { return func(r *http.Request) { r.RemoteAddr = addr } }
func listening(addr net.Addr) laptopOption {
	return func(r *http.Request) {
		*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, addr))
	}
}

type laptopAnswer struct {
	*http.Response
	body string
}

// do sends a request from this machine to this machine, changed by options.
func (l *laptop) do(method, target, body string, options ...laptopOption) laptopAnswer {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:8888", "127.0.0.1:50000"
	listening(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8888})(r)
	r.Header.Set("Accept", "application/json")
	for _, f := range options {
		f(r)
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return laptopAnswer{w.Result(), w.Body.String()}
}

func (l *laptop) get(target string, options ...laptopOption) laptopAnswer {
	return l.do(http.MethodGet, target, "", options...)
}

func (a laptopAnswer) me(t *testing.T) auth.JupyterUser {
	t.Helper()
	var m struct{ Identity auth.JupyterUser }
	if err := json.Unmarshal([]byte(a.body), &m); err != nil || a.StatusCode != http.StatusOK || m.Identity.Username == "" {
		t.Fatalf("got %d %s, want an identity", a.StatusCode, a.body)
	}
	return m.Identity
}

func (a laptopAnswer) reached() bool { return a.Header.Get("Reached") != "" }

func letIn(t *testing.T, name string, got laptopAnswer) {
	t.Helper()
	if got.StatusCode != http.StatusOK || !got.reached() {
		t.Errorf("%s: got %d, reached: %v, want 200", name, got.StatusCode, got.reached())
	}
}

func kept(t *testing.T, name string, got laptopAnswer, status int) {
	t.Helper()
	if got.StatusCode != status || got.reached() || strings.Contains(got.body, "identity") {
		t.Errorf("%s: got %d, reached: %v, want %d\n%.200s", name, got.StatusCode, got.reached(), status, got.body)
	}
}

func TestEverybodyIsLetIn(t *testing.T) {
	t.Parallel()
	l := newLaptop(t, noauth.Config{User: auth.User{Username: "me", Name: "Me Myself"}})
	t.Run("JV03 a navigation gets the page, and no login", func(t *testing.T) {
		got := l.get("/", header("Accept", "text/html"), header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Site", "none"))
		if letIn(t, "navigating", got); got.body != "the page" || len(got.Cookies()) != 0 {
			t.Errorf("got %s, cookies %v", got.body, got.Cookies())
		}
	})
	t.Run("JV06 a note is read", func(t *testing.T) { letIn(t, "reading", l.get("/api/contents/demo")) })
	t.Run("JS67 OPTIONS is the handler's", func(t *testing.T) {
		if got := l.do(http.MethodOptions, "/api/contents/demo", ""); got.Header.Get("Reached") != http.MethodOptions {
			t.Errorf("got %d %v", got.StatusCode, got.Header)
		}
	})
	t.Run("JV56 it is the configured user, each time and in each browser", func(t *testing.T) {
		for _, agent := range []string{"one", "one", "two"} {
			got := l.get("/api/me", header("User-Agent", agent))
			if u := got.me(t); u.Username != "me" || u.Name != "Me Myself" || u.DisplayName != "Me Myself" || u.Initials != nil || len(got.Cookies()) != 0 {
				t.Errorf("got %s and cookies %v", got.body, got.Cookies())
			}
		}
	})
	t.Run("the zero configuration has a user too", func(t *testing.T) {
		if u := newLaptop(t, noauth.Config{}).get("/api/me").me(t); u.Username != "user" {
			t.Errorf("got %q, want user", u.Username)
		}
	})
	t.Run("T-28 no header makes it somebody else", func(t *testing.T) {
		for name, values := range map[string][]string{
			"Authorization": {"Bearer x", "Basic eDp5"}, "X-User": {"admin"}, "Remote-User": {"admin"}, "X-Webauth-User": {"admin"}, "Test-User": {"admin"}, "Cookie": {"ostiary-guest-8888=" + strings.Repeat("A", 26)},
		} {
			got := l.get("/api/me?token=x&user=admin", header(name, values...))
			if u := got.me(t); u.Username != "me" || len(got.Cookies()) != 0 {
				t.Errorf("%s: got %s and cookies %v", name, got.body, got.Cookies())
			}
		}
	})
	t.Run("its profile can be changed, for everybody", func(t *testing.T) {
		t.Parallel()
		l := newLaptop(t, noauth.Config{User: auth.User{Username: "me"}})
		got := l.do(http.MethodPatch, "/api/me", `{"name":"Other","color":"red"}`, header("Content-Type", "application/json"), header("Sec-Fetch-Site", "same-origin"))
		if u := l.get("/api/me").me(t); got.StatusCode != http.StatusOK || u.Name != "Other" || *u.Color != "red" || u.Username != "me" {
			t.Errorf("got %d, then %+v", got.StatusCode, u)
		}
	})
	t.Run("there is nothing to log in to", func(t *testing.T) {
		for _, path := range []string{"/auth/", "/auth/login", "/auth/logout"} {
			if got := l.get(path); got.StatusCode != http.StatusNotFound {
				t.Errorf("%s: got %d, want 404", path, got.StatusCode)
			}
		}
		var links string
		guarded := l.auth.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			links = auth.LoginURL(r.Context()) + auth.LogoutURL(r.Context())
		}))
		(&laptop{t: t, Handler: guarded}).get("/")
		if links != "" {
			t.Errorf("got links %q", links)
		}
	})
}

// T-27: what isn't certainly from this machine to this machine is 403.
func TestOnlyThisMachine(t *testing.T) {
	t.Parallel()
	tcp := func(addr string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	foreign := map[string]bool{
		"JS106 a foreign name (rebinding)": true, "a foreign name with the port": true, "a name that begins with ours": true,
		"a name that ends with ours": true, "a name that looks like an address": true, "no Host": true,
	}
	for _, shared := range []bool{false, true} {
		l := newLaptop(t, noauth.Config{Shared: shared})
		remote := newLaptop(t, noauth.Config{Shared: shared, AllowRemote: true})
		letIn(t, "as it is", l.get("/"))
		for name, options := range map[string][]laptopOption{
			"localhost":             {host("localhost:8888")},
			"a name below it":       {host("notes.localhost:8888")},
			"upper case":            {host("LOCALHOST")},
			"IPv6":                  {host("[::1]:8888"), peer("[::1]:5"), listening(tcp("[::1]:8888"))},
			"IPv4 in IPv6":          {peer("[::ffff:127.0.0.1]:5"), listening(tcp("[::ffff:127.0.0.1]:8888"))},
			"another of the net":    {host("127.0.0.2"), peer("127.9.9.9:5"), listening(tcp("127.0.0.2:80"))},
			"an address of its own": {listening(laptopAddr("127.0.0.1:8888"))},
			"a harmless header":     {header("X-Requested-With", "x"), header("Forwarding", "x")},
		} {
			letIn(t, name, l.get("/", options...))
		}
		for name, options := range map[string][]laptopOption{
			"from elsewhere":                     {peer("192.0.2.1:5")},
			"from elsewhere, IPv6":               {peer("[2001:db8::1]:5")},
			"from a private net":                 {peer("10.0.0.1:5")},
			"from a Unix socket":                 {peer("@")},
			"from nowhere":                       {peer("")},
			"from a name":                        {peer("localhost:5")},
			"to another address":                 {listening(tcp("192.0.2.9:8888"))},
			"to another address, from itself":    {listening(tcp("192.0.2.9:8888")), peer("192.0.2.9:5")},
			"to another address of its own kind": {listening(laptopAddr("192.0.2.9:8888"))},
			"to all addresses":                   {listening(tcp("0.0.0.0:8888"))},
			"to a Unix socket":                   {listening(&net.UnixAddr{Name: "/tmp/127.0.0.1:8888", Net: "unix"})},
			"to a nil address":                   {listening((*net.TCPAddr)(nil))},
			"to an unknown address":              {func(r *http.Request) { *r = *r.WithContext(context.Background()) }},
			"JS106 a foreign name (rebinding)":   {host("evil.example")},
			"a foreign name with the port":       {host("evil.example:8888")},
			"a name that begins with ours":       {host("localhost.evil.example:8888")},
			"a name that ends with ours":         {host("evillocalhost:8888")},
			"a name that looks like an address":  {host("127.0.0.1.evil.example")},
			"this machine's other address":       {host("192.0.2.9:8888")},
			"all addresses":                      {host("0.0.0.0:8888")},
			"no Host":                            {host("")},
			"X-Forwarded-For":                    {header("X-Forwarded-For", "127.0.0.1")},
			"X-Forwarded-For, empty":             {header("X-Forwarded-For", "")},
			"X-Forwarded-Proto":                  {header("X-Forwarded-Proto", "https")},
			"X-Forwarded-Host":                   {header("X-Forwarded-Host", "localhost")},
			"X-Forwarded-Prefix":                 {header("X-Forwarded-Prefix", "/x")},
			"X-Real-IP":                          {header("X-Real-IP", "127.0.0.1")},
			"Forwarded":                          {header("Forwarded", "for=127.0.0.1")},
			"Via":                                {header("Via", "1.1 x")},
		} {
			kept(t, name, l.get("/", options...), http.StatusForbidden)
			kept(t, name+" at api/me", l.get("/api/me", options...), http.StatusForbidden)
			// AllowRemote lifts where a request comes from, not what it may call this server (DNS rebinding).
			if got, want := remote.get("/", options...).reached(), !foreign[name]; got != want {
				t.Errorf("AllowRemote, %s: let in %v, want %v", name, got, want)
			}
		}
	}
}

// laptopAddr is a listener's own kind of address.
type laptopAddr string

func (a laptopAddr) Network() string { return "own" }
func (a laptopAddr) String() string  { return string(a) }

// JS106, over real connections.
func TestHostAndProxyHeadersOnTheWire(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newLaptop(t, noauth.Config{}))
	defer server.Close()
	for _, c := range []struct {
		host, name, value string
		want              int
	}{
		{"localhost:8888", "", "", 200}, {"127.0.0.1:8888", "", "", 200}, {"[::1]:8888", "", "", 200}, {"evil.example", "", "", 403},
		{"127.0.0.1:8888", "X-Forwarded-For", "127.0.0.1", 403}, {"127.0.0.1:8888", "X-Forwarded-Proto", "https", 403}, {"127.0.0.1:8888", "Forwarded", "for=127.0.0.1", 403}, {"127.0.0.1:8888", "Via", "1.1 x", 403},
		{"127.0.0.1:8888", "via", "1.1 x", 403}, {"127.0.0.1:8888", "x-forwarded-anything", "x", 403},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		if c.name != "" {
			r.Header[c.name] = []string{c.value}
		}
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("Host %s, %s %s: got %d, want %d", c.host, c.name, c.value, res.StatusCode, c.want)
		}
	}
}

func TestOriginRuleHoldsAllTheSame(t *testing.T) {
	t.Parallel()
	for _, cfg := range []noauth.Config{{}, {Shared: true}, {AllowRemote: true}, {AllowRemote: true, Auth: auth.Config{PublicURL: "http://127.0.0.1:8888"}}} {
		l := newLaptop(t, cfg)
		put := func(options ...laptopOption) laptopAnswer {
			return l.do(http.MethodPut, "/api/contents/demo", "", options...)
		}
		letIn(t, "own page", put(header("Sec-Fetch-Site", "same-origin"), header("Origin", "http://127.0.0.1:8888")))
		letIn(t, "no browser", put())
		for name, options := range map[string][]laptopOption{
			"another site":       {header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.example")},
			"a sibling":          {header("Sec-Fetch-Site", "same-site")},
			"an old browser":     {header("Origin", "https://evil.example")},
			"another port":       {header("Origin", "http://127.0.0.1:9999")},
			"null":               {header("Origin", "null")},
			"two":                {header("Origin", "http://127.0.0.1:8888", "https://evil.example")},
			"with a junk header": {header("Sec-Fetch-Site", "cross-site"), header("Authorization", "Bearer x")},
		} {
			kept(t, fmt.Sprintf("%+v: %s", cfg, name), put(options...), http.StatusForbidden)
		}
	}
}

func TestGuests(t *testing.T) {
	t.Parallel()
	moons, err := os.ReadFile("../internal/guest/moons.txt")
	if err != nil {
		t.Fatal(err)
	}
	cookieOf := func(a laptopAnswer) laptopOption {
		return header("Cookie", a.Cookies()[0].Name+"="+a.Cookies()[0].Value)
	}
	t.Run("JV44 each browser is a guest of its own", func(t *testing.T) {
		t.Parallel()
		l := newLaptop(t, noauth.Config{Shared: true})
		one, two := l.get("/api/me"), l.get("/api/me")
		if one.me(t).Username == two.me(t).Username {
			t.Errorf("both are %s", one.me(t).Username)
		}
		for _, a := range []laptopAnswer{one, two} {
			u := a.me(t)
			moon, _ := strings.CutPrefix(u.Name, "Anonymous ")
			if len(a.Cookies()) != 1 || !slices.Contains(strings.Fields(string(moons)), moon) || u.DisplayName != u.Name || *u.Initials != "A"+moon[:1] || !regexp.MustCompile("^#[0-9a-f]{6}$").MatchString(*u.Color) {
				t.Errorf("got %s and cookies %v", a.body, a.Cookies())
			}
			again := l.get("/api/me", cookieOf(a))
			if again.body != a.body || len(again.Cookies()) != 0 {
				t.Errorf("with its cookie: got %s and cookies %v, want %s and none", again.body, again.Cookies(), a.body)
			}
		}
	})
	t.Run("C-01 C-02 C-18 the cookie", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			cfg     noauth.Config
			options []laptopOption
			want    string // the cookie's name; empty: none can be set
			secure  bool
		}{
			"loopback":     {noauth.Config{}, nil, "ostiary-guest-8888", false},
			"another port": {noauth.Config{}, []laptopOption{host("localhost:9090")}, "ostiary-guest-9090", false},
			"https":        {noauth.Config{AllowRemote: true, Auth: auth.Config{PublicURL: "https://app.example"}}, []laptopOption{host("app.example")}, "__Host-ostiary-guest", true},
			"CookieName":   {noauth.Config{CookieName: "who"}, nil, "who-8888", false},
			"a network":    {noauth.Config{AllowRemote: true}, []laptopOption{host("192.0.2.1:8888")}, "", false},
		} {
			c.cfg.Shared = true
			got := newLaptop(t, c.cfg).get("/", c.options...)
			letIn(t, name, got)
			if c.want == "" {
				if len(got.Cookies()) != 0 {
					t.Errorf("%s: got %v, want none", name, got.Cookies())
				}
				continue
			}
			if k := got.Cookies()[0]; k.Name != c.want || k.Secure != c.secure || !k.HttpOnly || k.Path != "/" || k.SameSite != http.SameSiteLaxMode || k.Domain != "" || k.MaxAge < 3600 {
				t.Errorf("%s: got %v, want %s", name, k, c.want)
			}
			if cc := got.Header.Get("Cache-Control"); cc != "private, no-store" { // C-19
				t.Errorf("%s: got Cache-Control %q", name, cc)
			}
		}
	})
	t.Run("who sees a guest's name can't become that guest", func(t *testing.T) {
		t.Parallel()
		l := newLaptop(t, noauth.Config{Shared: true})
		first := l.get("/api/me")
		victim, k := first.me(t), first.Cookies()[0]
		if strings.Contains(k.Value, victim.Username) || strings.Contains(first.body, k.Value) {
			t.Errorf("the cookie %q and the username %q show each other", k.Value, victim.Username)
		}
		for _, value := range []string{victim.Username, strings.ToUpper(victim.Username), victim.Username[:26], strings.ToLower(k.Value), k.Value[:25], k.Value + "A", `"` + k.Value + `"`, "", "x", strings.Repeat("1", 26), k.Value[:25] + "\xff"} {
			got := l.get("/api/me", header("Cookie", k.Name+"="+value))
			if got.me(t).Username == victim.Username || len(got.Cookies()) != 1 || got.Cookies()[0].Value == value {
				t.Errorf("%q: got %s and cookies %v, want a new guest", value, got.body, got.Cookies())
			}
		}
		kept(t, "C-05 twice", l.get("/", header("Cookie", k.Name+"="+k.Value+"; "+k.Name+"="+k.Value)), http.StatusUnauthorized)
	})
	t.Run("a profile belongs to its browser, and falls back when it is pushed out of memory", func(t *testing.T) {
		t.Parallel()
		l := newLaptop(t, noauth.Config{Shared: true, Guests: 3})
		first := l.get("/api/me")
		cookie := cookieOf(first)
		patch := l.do(http.MethodPatch, "/api/me", `{"name":"Ann","avatar_url":"/a.png"}`, cookie, header("Content-Type", "application/json"))
		if u := l.get("/api/me", cookie).me(t); patch.StatusCode != http.StatusOK || u.Name != "Ann" || *u.AvatarURL != "/a.png" {
			t.Errorf("got %d, then %+v", patch.StatusCode, u)
		}
		for range 10 {
			other := l.get("/api/me")
			if u := other.me(t); u.Name == "Ann" {
				t.Error("another guest is Ann")
			}
			l.do(http.MethodPatch, "/api/me", `{"name":"Bob"}`, cookieOf(other), header("Content-Type", "application/json"))
		}
		if got := l.get("/api/me", cookie); got.body != first.body {
			t.Errorf("got %s, want %s", got.body, first.body)
		}
	})
	t.Run("a guest looks the same after a restart", func(t *testing.T) {
		t.Parallel()
		first := newLaptop(t, noauth.Config{Shared: true}).get("/api/me")
		if got := newLaptop(t, noauth.Config{Shared: true}).get("/api/me", cookieOf(first)); got.body != first.body {
			t.Errorf("got %s, want %s", got.body, first.body)
		}
	})
	t.Run("G-02 printing an identity doesn't show the guest's secret", func(t *testing.T) {
		t.Parallel()
		l := newLaptop(t, noauth.Config{Shared: true})
		k := l.get("/").Cookies()[0]
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host, r.RemoteAddr = "127.0.0.1:8888", "127.0.0.1:5"
		listening(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})(r)
		r.Header.Set("Cookie", k.Name+"="+k.Value)
		id, err := l.auth.Identify(r)
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&said, verb+" "+verb+" "+verb+"\n", id, *id, id.Session)
		}
		slog.New(slog.NewTextHandler(&said, nil)).Info("x", "id", id, "value", *id, "session", id.Session)
		slog.New(slog.NewJSONHandler(&said, nil)).Info("x", "id", id, "value", *id, "session", id.Session)
		if strings.Contains(said.String(), k.Value) || strings.Contains(said.String(), fmt.Sprintf("%x", k.Value)) {
			t.Errorf("got %s, which holds the cookie %s", said.String(), k.Value)
		}
	})
}

func TestRooms(t *testing.T) {
	t.Parallel()
	dial := func(t *testing.T, server *httptest.Server, h http.Header) (*websocket.Conn, int) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		conn, res, err := websocket.Dial(ctx, server.URL+"/api/room/demo", &websocket.DialOptions{HTTPHeader: h})
		if err != nil {
			if res == nil {
				t.Fatal(err)
			}
			return nil, res.StatusCode
		}
		t.Cleanup(func() { conn.CloseNow() })
		return conn, res.StatusCode
	}
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprint("JS70 the room opens with everything, shared: ", shared), func(t *testing.T) {
			t.Parallel()
			l := newLaptop(t, noauth.Config{Shared: shared})
			server := httptest.NewServer(l)
			defer server.Close()
			conn, status := dial(t, server, http.Header{"Origin": {server.URL}})
			if conn == nil {
				t.Fatalf("got %d, want 101", status)
			}
			got := <-l.checked
			if !slices.Equal(got["contents"], []string{"write", "read"}) || !slices.Equal(got["kernels"], []string{"execute"}) || len(got) != 2 {
				t.Errorf("got %v, want all, in the order asked", got)
			}
			for name, h := range map[string]http.Header{
				"a foreign page": {"Origin": {"https://evil.example"}}, "null": {"Origin": {"null"}}, "past a proxy": {"Origin": {server.URL}, "Via": {"1.1 x"}}, "forwarded": {"X-Forwarded-For": {"127.0.0.1"}},
			} {
				if conn, status := dial(t, server, h); conn != nil || status != http.StatusForbidden {
					t.Errorf("%s: got %d, want 403 before the upgrade", name, status)
				}
			}
			start := time.Now()
			l.auth.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			_, _, err := conn.Read(ctx)
			// The guard cuts who can't be told within 250 ms, which on a busy machine may be anybody.
			tooLate := ctx.Err() == nil && time.Since(start) >= 250*time.Millisecond
			if code := websocket.CloseStatus(err); code != websocket.StatusGoingAway && !(code == -1 && tooLate) {
				t.Errorf("after Close: got %v, want 1001", err)
			}
			kept(t, "after Close", l.get("/"), http.StatusServiceUnavailable)
			if conn, status := dial(t, server, http.Header{"Origin": {server.URL}}); conn != nil || status != http.StatusServiceUnavailable {
				t.Errorf("after Close: got %d, want 503 before the upgrade", status)
			}
			if len(l.checked) != 0 {
				t.Error("the handler ran for one that was refused")
			}
		})
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	t.Run("JS08 T-27 AllowRemote is loud, and http on a network an error without InsecureHTTP", func(t *testing.T) {
		t.Parallel()
		cfg := noauth.Config{AllowRemote: true, Auth: auth.Config{PublicURL: "http://lab.example:8888", InsecureHTTP: true}}
		l := newLaptop(t, cfg)
		if len(l.events) != 1 || !strings.Contains(l.events[0].Reason, "everybody who can reach this server is let in") || !strings.Contains(l.log.String(), "level=WARN") {
			t.Errorf("got %+v and the log %q, want a warning", l.events, l.log.String())
		}
		letIn(t, "from elsewhere", l.get("/", peer("192.0.2.1:5"), host("lab.example:8888"), header("X-Forwarded-For", "192.0.2.1")))
		cfg.Auth.InsecureHTTP = false
		if _, err := noauth.New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "PublicURL") {
			t.Errorf("got %v, want an error that names PublicURL", err)
		}
		if quiet := newLaptop(t, noauth.Config{}); len(quiet.events) != 0 || quiet.log.Len() != 0 {
			t.Errorf("without it: got %+v and %q", quiet.events, quiet.log.String())
		}
	})
	t.Run("errors name the field", func(t *testing.T) {
		t.Parallel()
		for field, cfg := range map[string]noauth.Config{
			"PublicURL": {Auth: auth.Config{PublicURL: "x"}}, "CookieName": {CookieName: "a b"}, "Guests": {Guests: -1}, "TrustedOrigins": {Auth: auth.Config{TrustedOrigins: []string{"*"}}},
			"MountPath": {Auth: auth.Config{MountPath: "x"}}, "TrustedProxies": {Auth: auth.Config{TrustedProxies: []string{"x"}}},
		} {
			if a, err := noauth.New(t.Context(), cfg); err == nil || a != nil || !strings.HasPrefix(err.Error(), "noauth: ") || !strings.Contains(err.Error(), field) {
				t.Errorf("%s: got %v, %v", field, a, err)
			}
		}
	})
	t.Run("V-07 V-08 a configuration that changes, and values that New didn't make", func(t *testing.T) {
		t.Parallel()
		origins := []string{"https://a.example"}
		l := newLaptop(t, noauth.Config{Auth: auth.Config{TrustedOrigins: origins}})
		origins[0] = "https://evil.example"
		kept(t, "another origin", l.do(http.MethodPut, "/", "", header("Origin", "https://evil.example")), http.StatusForbidden)
		letIn(t, "the trusted one", l.do(http.MethodPut, "/", "", header("Origin", "https://a.example"), header("Sec-Fetch-Site", "cross-site")))
		for name, b := range map[string]auth.Backend{"nil": (*noauth.Auth)(nil), "zero": &noauth.Auth{}} {
			if _, err := auth.New(auth.Config{}, b); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}
