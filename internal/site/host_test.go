package site_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/site"
)

func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		// JS106
		"localhost:8888": true,
		"127.0.0.1:8888": true,
		"[::1]:8888":     true,
		"evil.example":   false,

		"localhost": true, "LocalHost": true, "app.localhost:80": true, "127.0.0.1": true, "127.9.8.7": true,
		"[::1]": true, "::1": true, "[0:0:0:0:0:0:0:1]": true, "[::ffff:127.0.0.1]:80": true,

		"": false, ":80": false, ".localhost": false, "a..localhost": false, "evil.example/.localhost": false,
		"localhost.": false, "localhost.evil.example": false, "notlocalhost": false, "x@localhost": false,
		"localhost:": false, "localhost:x": false, "localhost:0": false, "localhost:80:80": false, "localhost:65536": false,
		"127.0.0.1.evil.example": false, "127.1": false, "0x7f.0.0.1": false, "2130706433": false, "127.0.0.01": false,
		"0.0.0.0": false, "128.0.0.1": false, "[::]": false, "[::1": false, "[::1]x": false, "[::1]80": false, "]": false,
		"[127.0.0.1]": false, "[::1%25lo]": false, "::1%lo": false, "[localhost]": false, "[]": false, "[": false,
		"192.0.2.1": false, "[2001:db8::1]:80": false, "\u212aocalhost": false, "localhoſt": false,
	} {
		if got := site.Loopback(host); got != want {
			t.Errorf("Loopback(%q) = %t, want %t", host, got, want)
		}
	}
}

func TestLoopbackAddr(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:1234": true, "127.3.2.1:1": true, "[::1]:1234": true, "[::1%lo]:1234": true,
		"127.0.0.1": true, "::1": true, "[::ffff:127.0.0.1]:80": true,
		"": false, "@": false, "/run/app.sock": false, "localhost:80": false, "pipe": false, "0.0.0.0:80": false,
		"[::]:80": false, "192.0.2.1:80": false, "[2001:db8::1]:80": false, "127.0.0.1.evil.example:80": false,
	} {
		if got := site.LoopbackAddr(addr); got != want {
			t.Errorf("LoopbackAddr(%q) = %t, want %t", addr, got, want)
		}
	}
}

// C-02: over http only this machine gets a cookie.
func TestCookies(t *testing.T) {
	t.Parallel()
	insecure := site.Config{InsecureHTTP: true, AllowedHosts: []string{"lab.example"}}
	insecurePublic := site.Config{InsecureHTTP: true, PublicURL: "http://lab.example:8888"}
	for _, c := range []struct {
		name string
		site site.Config
		host string
		tls  bool
		says string // in the error; "" where the cookie may be set
	}{
		{"an https PublicURL", public, "127.0.0.1:8080", false, ""},
		{"TLS on this connection", local, "app.example", true, ""},
		{"a loopback address", local, "127.0.0.1:8888", false, ""},
		{"a loopback name", local, "localhost:8888", false, ""},
		{"another host", local, "app.example", false, "set PublicURL"},
		{"an IP address", local, "192.0.2.1", false, "set PublicURL"},
		{"an allowed host", site.Config{AllowedHosts: []string{"lab.example"}}, "lab.example", false, "set PublicURL"},
		{"another host than a loopback PublicURL's", site.Config{PublicURL: "http://localhost:8888"}, "evil.example", false, "set PublicURL"},
		{"InsecureHTTP: an IP address", insecure, "192.0.2.1:8888", false, ""},
		{"InsecureHTTP: an allowed host", insecure, "lab.example:8888", false, ""},
		{"InsecureHTTP: the public host", insecurePublic, "lab.example:8888", false, ""},
		{"InsecureHTTP: another host", insecure, "evil.example", false, "set PublicURL"},
		{"InsecureHTTP: another port than the public one", insecurePublic, "lab.example", false, "AllowedHosts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := request("POST", c.host)
			r.Header.Set("X-Forwarded-Proto", "https") // C-03
			if c.tls {
				r.TLS = new(tls.ConnectionState)
			}
			err := newSite(t, c.site).Cookies(r)
			if got, want := err == nil, c.says == ""; got != want {
				t.Fatalf("got %v, want a cookie: %t", err, want)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q doesn't say %q", err, c.says)
			}
		})
	}
}
