package site_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/site"
)

func TestPublicURLIsCanonical(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, given, url, path string }{
		{"none", "", "", ""},
		{"a plain https address", "https://app.example", "https://app.example", ""},
		{"a slash at the root is dropped", "https://app.example/", "https://app.example", ""},
		{"scheme and host are folded", "HTTPS://App.Example/Base", "https://app.example/Base", "/Base"},
		{"https's default port is dropped", "https://app.example:443/base/", "https://app.example/base", "/base"},
		{"http's default port is dropped", "http://localhost:80", "http://localhost", ""},
		{"another scheme's default port is kept", "https://app.example:80", "https://app.example:80", ""},
		{"a path stays as it was given (JS15)", "https://app.example/a%40b/", "https://app.example/a%40b", "/a%40b"},
		{"an @ in the path is no userinfo", "https://app.example/a@b", "https://app.example/a@b", "/a@b"},
		{"JS56: a path ends without its slash", "http://127.0.0.1:8888/foo/", "http://127.0.0.1:8888/foo", "/foo"},
		{"IPv6", "https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x", "/x"},
		{"http on the IPv6 loopback", "http://[::1]:8888", "http://[::1]:8888", ""},
		{"http on a name below localhost", "http://app.localhost", "http://app.localhost", ""},
		{"Punycode", "https://xn--bcher-kva.example", "https://xn--bcher-kva.example", ""},
		{"a label that only looks like a number", "https://app.0xyz", "https://app.0xyz", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, site.Config{PublicURL: c.given})
			if got := s.PublicURL(); got != c.url {
				t.Errorf("PublicURL() = %q, want %q", got, c.url)
			}
			if got := s.Path(); got != c.path {
				t.Errorf("Path() = %q, want %q", got, c.path)
			}
		})
	}
}

func TestNewRefusesAPublicURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, given string }{
		{"without a scheme", "app.example"},
		{"without a scheme but with a port", "app.example:443"},
		{"of another scheme", "ftp://app.example"},
		{"relative to a scheme", "//app.example"},
		{"with one slash", "https:/app.example"},
		{"without a host", "https://"},
		{"without a host but with a path", "https:///base"},
		{"without a host but with a port", "https://:443"},
		{"with userinfo", "https://admin:hunter2@app.example"},
		{"with an empty userinfo", "https://@app.example"},
		{"with a query", "https://app.example/?a=b"},
		{"with an empty query", "https://app.example?"},
		{"with a fragment", "https://app.example/#a"},
		{"with an empty port", "https://app.example:/"},
		{"with port 0", "https://app.example:0"},
		{"with a port too large", "https://app.example:65536"},
		{"with a port in another spelling", "https://app.example:0443"},
		{"with a port that is no number", "https://app.example:https"},
		{"with white space", "https://app.example /"},
		{"with white space before it", " https://app.example"},
		{"with a line break", "https://app.example\n"},
		{"with a backslash", `https://app.example\base`},
		{"with an encoded host", "https://app%2eexample"},
		{"with a host in another script", "https://bücher.example"},
		{"with an empty label", "https://app..example"},
		{"with a wildcard", "https://*.example"},
		{"with a short IPv4 address", "https://127.1"},
		{"with a hexadecimal IPv4 address", "https://0x7f000001"},
		{"with a decimal IPv4 address", "https://2130706433"},
		{"with an octal IPv4 address", "https://0177.0.0.1"},
		{"with IPv6 out of brackets", "https://::1"},
		{"with IPv6 of another spelling", "https://[0:0:0:0:0:0:0:1]"},
		{"with a mapped address", "https://[::ffff:127.0.0.1]"},
		{"with a zone", "https://[fe80::1%25eth0]"},
		{"with an open bracket", "https://[::1"},
		{"with a path that redirects could take for a host", "https://app.example//evil.example"},
		{"with an empty element", "https://app.example/a//b"},
		{"with two slashes at the end", "https://app.example/a//"},
		{"with a dot element", "https://app.example/a/../b"},
		{"with an encoded dot element", "https://app.example/a/%2E%2e/b"},
		{"with a broken percent-encoding", "https://app.example/a%4"},
		{"with an unencoded character", "https://app.example/ä"},
		{"with a quote in the path", `https://app.example/"`},
		{"over http on a network (C-02)", "http://app.example"},
		{"over http on an IP address", "http://192.0.2.1:8080"},
		{"over http on a name that begins like localhost", "http://localhost.evil.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := site.New(site.Config{PublicURL: c.given})
			if err == nil {
				t.Fatalf("New took %q", c.given)
			}
			if got := err.Error(); !strings.HasPrefix(got, `PublicURL: "`) {
				t.Errorf("error %q doesn't name the field and the value", got)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q holds the password", err)
			}
		})
	}
}

func TestInsecureHTTPAllowsHTTPOnANetwork(t *testing.T) {
	t.Parallel()
	s := newSite(t, site.Config{PublicURL: "http://lab.example:8888", InsecureHTTP: true})
	if got, want := s.PublicURL(), "http://lab.example:8888"; got != want {
		t.Errorf("PublicURL() = %q, want %q", got, want)
	}
}

// The error for the n-th entry has to say which.
func TestNewRefusesATrustedOrigin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, given string }{
		{"that is empty (JS100)", ""},
		{"that is a star (JS105)", "*"},
		{"W-05: with a wildcard label", "https://*.example"},
		{"W-05: with a wildcard in a label", "https://*example.com"},
		{"W-05: without a scheme", "app.example"},
		{"that is the opaque origin", "null"},
		{"of another scheme", "wss://app.example"},
		{"with a path (JS98)", "https://trusted.example.com/path"},
		{"with a slash", "https://app.example/"},
		{"with a second origin on a second line (JS98)", "https://trusted.example.com\nhttps://evil.com"},
		{"that is a pattern (GO6)", "https://a.com|https://b.com"},
		{"that is an anchored pattern (GO6)", "^https://a.com|https://b.com$"},
		{"with a dot that means any character", `https://a\.com`},
		{"with userinfo", "https://app.example@evil.example"},
		{"with https's default port", "https://app.example:443"},
		{"with http's default port", "http://app.example:80"},
		{"with an upper-case host", "https://App.example"},
		{"with an upper-case scheme", "HTTPS://app.example"},
		{"with white space", "https://app.example "},
		{"with a query", "https://app.example?"},
		{"with a fragment", "https://app.example#"},
		{"with an IPv6 address in another spelling", "https://[::0001]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := site.New(site.Config{TrustedOrigins: []string{"https://a.com", c.given}})
			if err == nil {
				t.Fatalf("New took %q", c.given)
			}
			if got := err.Error(); !strings.HasPrefix(got, `TrustedOrigins[1]: "`) {
				t.Errorf("error %q doesn't name the entry and the value", got)
			}
		})
	}
	newSite(t, site.Config{TrustedOrigins: []string{"https://trusted", "http://localhost:8080", "https://[2001:db8::1]"}})
}

func TestNewRefusesAnAllowedHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, given string }{
		{"that is empty", ""},
		{"that is a star", "*"},
		{"with a wildcard", "*.example"},
		{"that begins with a dot", ".example"},
		{"with a scheme", "https://app.example"},
		{"with a path", "app.example/"},
		{"with userinfo", "a@app.example"},
		{"with a port that is a star", "app.example:*"},
		{"with an empty port", "app.example:"},
		{"that is only a port", ":8080"},
		{"with white space", "app.example, b.example"},
		{"that is an IPv6 address out of brackets", "::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := site.New(site.Config{AllowedHosts: []string{c.given}})
			if err == nil {
				t.Fatalf("New took %q", c.given)
			}
			if got := err.Error(); !strings.HasPrefix(got, `AllowedHosts[0]: "`) {
				t.Errorf("error %q doesn't name the entry and the value", got)
			}
		})
	}
}

func TestNewCopiesItsLists(t *testing.T) {
	t.Parallel()
	c := site.Config{PublicURL: "https://app.example", TrustedOrigins: []string{"https://a.com"}, AllowedHosts: []string{"b.com"}}
	s := newSite(t, c)
	c.TrustedOrigins[0], c.AllowedHosts[0] = "https://evil.example", "evil.example"
	r := request("PUT", "evil.example", "https://evil.example")
	if s.Check(r, site.Ambient, false) == nil {
		t.Error("a change of the caller's lists reached the Site")
	}
}

// C-03: headers say nothing about https.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, url string
		tls, want bool
	}{
		{"an https PublicURL decides on a plain connection", "https://app.example", false, true},
		{"an http PublicURL decides on a TLS connection", "http://localhost:8080", true, false},
		{"without one, TLS on this connection is https", "", true, true},
		{"without one, a header makes no https", "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, site.Config{PublicURL: c.url})
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("X-Forwarded-Proto", "https")
			r.Header.Set("Forwarded", "proto=https")
			if c.tls {
				r.TLS = new(tls.ConnectionState)
			}
			if got := s.HTTPS(r); got != c.want {
				t.Errorf("HTTPS = %t, want %t", got, c.want)
			}
		})
	}
}

func newSite(t testing.TB, c site.Config) *site.Site {
	t.Helper()
	s, err := site.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// request returns a request for host with an Origin header for each of origins.
func request(method, host string, origins ...string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	r.Host = host
	for _, o := range origins {
		r.Header.Add("Origin", o)
	}
	return r
}
