package cookie_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/cookie"
)

var session = cookie.Spec{Base: "session"}

// request returns a request to host with a Cookie header for each of lines.
func request(host string, lines ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = host
	if lines != nil {
		r.Header["Cookie"] = lines
	}
	return r
}

// TestOnTheWire pins the headers of cases C-01, C-02, C-12, C-17, C-18 and vectors JV30, JS54, JS56, FU24.
func TestOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spec  cookie.Spec
		host  string
		https bool
		set   string
		del   string
	}{
		{
			"C-01, FU24: https", session, "app.example", true,
			"__Host-session=V; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		},
		{
			"JS54: https behind a proxy carries no port", session, "127.0.0.1:8080", true,
			"__Host-session=V; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		},
		{
			"C-02, JV30: http", session, "127.0.0.1:8888", false,
			"session-8888=V; Path=/; HttpOnly; SameSite=Lax",
			"session-8888=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		},
		{
			"C-18: another port is another name", session, "127.0.0.1:9090", false,
			"session-9090=V; Path=/; HttpOnly; SameSite=Lax",
			"session-9090=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		},
		{
			"C-17: kept by the browser for a while", cookie.Spec{Base: "session", MaxAge: 90*time.Minute + 999*time.Millisecond}, "localhost", false,
			"session-80=V; Path=/; Max-Age=5400; HttpOnly; SameSite=Lax",
			"session-80=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		},
		{
			"less than a second isn't for ever", cookie.Spec{Base: "session", MaxAge: time.Millisecond}, "[::1]:8888", false,
			"session-8888=V; Path=/; Max-Age=1; HttpOnly; SameSite=Lax",
			"session-8888=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		},
		{
			"a negative age is no deletion", cookie.Spec{Base: "session", MaxAge: -time.Second}, "[::1]", false,
			"session-80=V; Path=/; HttpOnly; SameSite=Lax",
			"session-80=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := request(c.host)
			if got := c.spec.Set(r, c.https, "V").String(); got != c.set {
				t.Errorf("Set\n got %s\nwant %s", got, c.set)
			}
			if got := c.spec.Delete(r, c.https).String(); got != c.del {
				t.Errorf("Delete\n got %s\nwant %s", got, c.del)
			}
		})
	}
}

// A Host of any shape leads to a name that net/http writes and Read finds again.
func TestEveryHostLeadsToAName(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"": "session-80", "localhost": "session-80", "localhost:": "session-80", "localhost:1": "session-1",
		"[::1]:65535": "session-65535", "[::1]": "session-80", "::1": "session-80", "a:b:80": "session-80",
		"localhost:80;x": "session-80", "localhost:123456": "session-80", "localhost: 80": "session-80", "]:8080": "session-8080",
	} {
		c := session.Set(request(host), false, "V")
		if c.Name != want {
			t.Errorf("Host %q: name %q, want %q", host, c.Name, want)
		}
		if c.String() == "" {
			t.Errorf("Host %q: net/http won't write %q", host, c.Name)
		}
		if got, n := session.Read(request(host, c.Name+"=V"), false); got != "V" || n != 1 {
			t.Errorf("Host %q: Read = %q, %d", host, got, n)
		}
	}
}

func TestValidBase(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"session", "ostiary", "a", "my_app.session~2", "_Host-x", "Host-x", strings.Repeat("x", 64)} {
		if err := cookie.ValidBase(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", " ", "a b", "a=b", "a;b", "a,b", `a"b`, "a/b", "a\x00", "a\n", "é", "a:b", "(a)", "[a]", "a@b", "{a}", "\x7f",
		"__Host-x", "__host-x", "__HOST-", "__Secure-x", "__secure-x", "__Http-x", "__hTTP-x", strings.Repeat("x", 65),
	} {
		if cookie.ValidBase(name) == nil {
			t.Errorf("%q is taken as a name", name)
		}
	}
}
