package returnpath_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/returnpath"
)

// exchange sends one request as written and returns the head of the answer as it came over the wire: a client library
// would clean up what these tests look for.
func exchange(t *testing.T, h http.Handler, request string) string {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	head, body, found := strings.Cut(string(answer), "\r\n\r\n")
	if !found || body != "" {
		t.Fatalf("got %q, want a head without a body", answer)
	}
	return head
}

// location returns the Location of the raw head, which must have one, and status 303.
func location(t *testing.T, head string) string {
	t.Helper()
	status, fields, _ := strings.Cut(head, "\r\n")
	if want := "HTTP/1.1 303 See Other"; status != want {
		t.Errorf("got status %q, want %q (R-31)", status, want)
	}
	// neither end-of-line character may occur but as the end of a field.
	if rest := strings.ReplaceAll(head, "\r\n", ""); strings.ContainsAny(rest, "\r\n") {
		t.Errorf("got a bare line end in %q", head)
	}
	var found []string
	for field := range strings.SplitSeq(fields, "\r\n") {
		if value, ok := strings.CutPrefix(field, "Location: "); ok {
			found = append(found, value)
		}
	}
	if len(found) != 1 {
		t.Fatalf("got Locations %q, want one", found)
	}
	return found[0]
}

func TestTheLocationOnTheWire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ mount, next, want string }{
		"R-01 protocol-relative":                {"/base", "//evil.example", "/base/"},
		"R-03 cleaning would arm it":            {"/base", `/./\evil.example`, "/base/"},
		"R-03 cleaning would arm it at root":    {"", `/./\evil.example`, "/"},
		"R-03 behind the mount point":           {"/base", `/base/../\evil.example`, "/base/"},
		"R-04 a tab":                            {"", "/\t/evil.example", "/"},
		"R-05 a newline":                        {"", "/\n/evil.example", "/"},
		"R-05 a carriage return":                {"", "/\r/evil.example", "/"},
		"R-05 both":                             {"", "/\r\n/evil.example", "/"},
		"R-05 a field of its own":               {"/base", "/base/x\r\nSet-Cookie: a=b", "/base/"},
		"R-16 non-ASCII":                        {"/base", "/base/😀?a=é#ü", "/base/😀?a=é#ü"},
		"R-17 doubled slashes":                  {"/base", "/base/x//y", "/base/x//y"},
		"R-17 doubled slashes before a file":    {"/base", "/base/files//a", "/base/files//a"},
		"R-26 a value that would fill a header": {"/base", "/base/" + strings.Repeat("x", 64<<10), "/base/"},
		"dots behind a trailing space":          {"/base", "/base/.. ", "/base/"},
		"GO1":                                   {"/a%40b/", "/a%40b/tree//something", "/a%40b/tree//something"},
		"GO2 the encoded path":                  {"/a%40b/", "/a%40b/tree", "/a%40b/tree"},
		"GO2 the decoded path":                  {"/a%40b/", "/a@b/tree", "/a%40b/"},
		"GO2 a longer element":                  {"/a%40b/", "/a%40bc/tree", "/a%40b/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mount(t, c.mount)
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				returnpath.Redirect(w, m.Safe(r.URL.Query().Get("next")))
			})
			head := exchange(t, h, "POST "+m.Join("/auth/login")+"?next="+url.QueryEscape(c.next)+
				" HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			got := location(t, head)
			if got != c.want {
				t.Errorf("got Location %q, want %q", got, c.want)
			}
			if target, same := resolve(got); !same || !strings.HasPrefix(target, m.Root()) {
				t.Errorf("a browser goes to %q (same origin: %t), want it under %q", target, same, m.Root())
			}
		})
	}
}

// JS15, all seven in a row.
func TestJupytersBadTargetsOnTheWire(t *testing.T) {
	t.Parallel()
	m := mount(t, "/a%40b/")
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		returnpath.Redirect(w, m.Safe(r.URL.Query().Get("next")))
	})
	for _, next := range []string{`\\tree`, "//some-host", "//host/a%40b/tree", "https://google.com",
		"/absolute/not/base_url", "https:///a%40b/extra/slash", "///google.com"} {
		head := exchange(t, h, "POST /a%40b/auth/login?next="+url.QueryEscape(next)+
			" HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		if got := location(t, head); got != "/a%40b/" {
			t.Errorf("next %q: got Location %q, want /a%%40b/", next, got)
		}
	}
}

// The way of a visitor without a session: to the login page with the page that was asked for, and from there back.
func TestTheRequestsOwnPathAsReturnPath(t *testing.T) {
	t.Parallel()
	m := mount(t, "/base")
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		returnpath.Redirect(w, m.Join("/auth/login")+"?next="+url.QueryEscape(m.Request(r, "token")))
	})
	for name, c := range map[string]struct{ target, want string }{
		"a page":                              {"/base/private?a=b&c", "/base/private?a=b&c"},
		"R-28 the bare mount point":           {"/base", "/base"},
		"R-29 an absolute-form target":        {"http://evil.example/base/private?x", "/base/private?x"},
		"R-29 an absolute form with userinfo": {"http://a:b@evil.example/base/private", "/base/private"},
		"R-29 an absolute form without path":  {"http://evil.example", "/base/"},
		"R-29 an absolute form with a query":  {"http://evil.example?/base/x", "/base/"},
		"R-30 a path that begins a host":      {"//evil.example/..", "/base/"},
		"R-30 a host behind a backslash":      {`/\evil.example/`, "/base/"},
		"R-30 a host behind the absolute":     {"http://app.example//evil.example", "/base/"},
		"R-17 doubled slashes":                {"/base/x//y", "/base/x//y"},
		"R-16 the encoding is kept":           {"/base/a%2fb%2Fc", "/base/a%2fb%2Fc"},
		"T-12 the token is not handed on":     {"/base/x?token=GOOD&y=1", "/base/x?y=1"},
		"T-12 nothing but the token":          {"/base/x?%74oken=GOOD", "/base/x"},
		"an empty query is kept":              {"/base/x?", "/base/x?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// these headers have no say.
			head := exchange(t, h, "GET "+c.target+" HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n"+
				"X-Forwarded-Proto: javascript\r\nForwarded: host=evil.example;proto=http\r\nConnection: close\r\n\r\n")
			if got, want := location(t, head), "/base/auth/login?next="+url.QueryEscape(c.want); got != want {
				t.Errorf("got Location %q, want %q", got, want)
			}
		})
	}
}

func TestRequestOfRequestsThatNeverWereOnAWire(t *testing.T) {
	t.Parallel()
	m := mount(t, "/base")
	for name, c := range map[string]struct {
		r    *http.Request
		want string
	}{
		"the URL when there is no request line": {&http.Request{URL: &url.URL{Path: "/base/a b", RawQuery: "token=x&y"}}, "/base/a%20b?y"},
		"no path at all":                        {&http.Request{URL: &url.URL{}}, "/base/"},
		"an opaque URL":                         {&http.Request{URL: &url.URL{Scheme: "http", Opaque: "//evil.example/base"}}, "/base/"},
		"the asterisk form":                     {&http.Request{RequestURI: "*", URL: &url.URL{Path: "*"}}, "/base/"},
		"the authority form":                    {&http.Request{RequestURI: "evil.example:443", URL: &url.URL{}}, "/base/"},
		"a prefix that was stripped":            {&http.Request{RequestURI: "/base//evil.example", URL: &url.URL{Path: "//evil.example"}}, "/base//evil.example"},
	} {
		if got := m.Request(c.r, "token"); got != c.want {
			t.Errorf("%s: Request = %q, want %q", name, got, c.want)
		}
	}
}

func TestRedirectIsTheLastLineOfDefence(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"", "x", "//evil.example", `/\evil.example`, `\\evil.example`, "https://evil.example/",
		"javascript:alert(1)", "/\t/evil.example", "/x\r\nSet-Cookie: a=b", "/x\n", "/x?\x00", "/\x7f/evil.example", " //evil.example"} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { returnpath.Redirect(w, target) })
		if got := location(t, exchange(t, h, "GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n")); got != "/" {
			t.Errorf("Redirect(%q) sent Location %q, want /", target, got)
		}
	}
}

func TestRedirectIsNeitherStoredNorTellsWhereItCameFrom(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://evil.example")
		w.Header().Set("Cache-Control", "public")
		returnpath.Redirect(w, "/x")
	})
	head := exchange(t, h, "GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n")
	location(t, head)
	_, fields, _ := strings.Cut(head, "\r\n")
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(fields + "\r\n\r\n"))).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Location": "/x", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
	} {
		if got := header[name]; fmt.Sprint(got) != fmt.Sprint([]string{want}) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
