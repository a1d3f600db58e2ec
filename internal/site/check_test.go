package site_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/site"
)

// The deployments of the tables below.
var (
	local   = site.Config{}
	public  = site.Config{PublicURL: "https://app.example/base"}
	proxied = site.Config{PublicURL: "https://app.example", AllowedHosts: []string{"127.0.0.1:8080", "Backend.Internal"}}
	trusts  = site.Config{PublicURL: "https://app.example", TrustedOrigins: []string{"https://trusted.example.com", "https://a.com", "https://b.com"}}
	bare    = site.Config{TrustedOrigins: []string{"https://trusted"}}
)

// TestOrigin asks each case as a PUT and as a handshake, proved by a cookie and not at all: the verdict is the same.
func TestOrigin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		site   site.Config
		host   string
		origin []string
		fetch  string // Sec-Fetch-Site
		tls    bool
		want   error
	}{
		{"L-05: a browser's own origin", public, "app.example", []string{"https://app.example"}, "", false, nil},
		{"JS95: a browser's own origin with fetch metadata", public, "app.example", []string{"https://app.example"}, "same-origin", false, nil},
		{"L-05: W-04: no browser sends neither header", public, "app.example", nil, "", false, nil},
		{"fetch metadata alone, same-origin", public, "app.example", nil, "same-origin", false, nil},
		{"fetch metadata alone, typed by the user", public, "app.example", nil, "none", false, nil},
		{"L-03: JS93: fetch metadata alone, cross-site", public, "app.example", nil, "cross-site", false, site.ErrOrigin},
		{"L-04: fetch metadata alone, same-site", public, "app.example", nil, "same-site", false, site.ErrOrigin},
		{"L-04: a sibling subdomain", public, "app.example", []string{"https://other.app.example"}, "same-site", false, site.ErrOrigin},
		{"fetch metadata that no browser sends", public, "app.example", nil, "junk", false, site.ErrOrigin},
		{"L-05: W-03: a foreign origin", public, "app.example", []string{"https://evil.example"}, "", false, site.ErrOrigin},
		{"a foreign origin that claims same-origin", public, "app.example", []string{"https://evil.example"}, "same-origin", false, site.ErrOrigin},
		{"L-05: W-04: the opaque origin", public, "app.example", []string{"null"}, "", false, site.ErrOrigin},
		{"L-05: the opaque origin of a sandboxed frame", public, "app.example", []string{"null"}, "cross-site", false, site.ErrOrigin},
		{"L-05: the opaque origin, typed by the user", public, "app.example", []string{"null"}, "none", false, site.ErrOrigin},
		{"L-06: W-04: the other scheme", public, "app.example", []string{"http://app.example"}, "", false, site.ErrOrigin},
		{"L-06: the other scheme with fetch metadata", public, "app.example", []string{"http://app.example"}, "same-origin", false, site.ErrOrigin},
		{"L-06: W-04: another port", public, "app.example", []string{"https://app.example:8443"}, "", false, site.ErrOrigin},
		{"the default port spelled out", public, "app.example", []string{"https://app.example:443"}, "", false, site.ErrOrigin},
		{"L-07: W-04: a longer host", public, "app.example", []string{"https://app.example.evil.example"}, "", false, site.ErrOrigin},
		{"L-07: userinfo", public, "app.example", []string{"https://app.example@evil.example"}, "", false, site.ErrOrigin},
		{"L-07: userinfo before the own host", public, "app.example", []string{"https://evil.example@app.example"}, "", false, site.ErrOrigin},
		{"L-07: the own origin as a path", public, "app.example", []string{"https://evil.example/https://app.example"}, "", false, site.ErrOrigin},
		{"L-07: an upper-case host", public, "app.example", []string{"https://APP.EXAMPLE"}, "", false, site.ErrOrigin},
		{"W-04: all upper case", public, "app.example", []string{"HTTPS://APP.EXAMPLE"}, "", false, site.ErrOrigin},
		{"L-07: W-04: two origins", public, "app.example", []string{"https://app.example", "https://evil.example"}, "", false, site.ErrOrigin},
		{"L-07: the own origin twice", public, "app.example", []string{"https://app.example", "https://app.example"}, "", false, site.ErrOrigin},
		{"W-04: JS105: an empty origin", public, "app.example", []string{""}, "", false, site.ErrOrigin},
		{"an empty origin that claims same-origin", public, "app.example", []string{""}, "same-origin", false, site.ErrOrigin},
		{"the own origin with its mount point", public, "app.example", []string{"https://app.example/base"}, "", false, site.ErrOrigin},
		{"the own origin with a slash", public, "app.example", []string{"https://app.example/"}, "", false, site.ErrOrigin},

		{"JS96: a trusted origin", trusts, "app.example", []string{"https://trusted.example.com"}, "cross-site", false, nil},
		{"JS98: a trusted origin with a path", trusts, "app.example", []string{"https://trusted.example.com/path"}, "cross-site", false, site.ErrOrigin},
		{"JS99: a trusted origin's other scheme", trusts, "app.example", []string{"http://trusted.example.com"}, "cross-site", false, site.ErrOrigin},
		{"JS99: a trusted origin's sibling", trusts, "app.example", []string{"https://other.example.com"}, "cross-site", false, site.ErrOrigin},
		{"JS99: a trusted origin cut short", trusts, "app.example", []string{"https://trusted.example.co"}, "cross-site", false, site.ErrOrigin},
		{"JS100: an empty list trusts nobody", public, "app.example", []string{"https://trusted.example.com"}, "cross-site", false, site.ErrOrigin},
		{"JS102: the first of two", trusts, "app.example", []string{"https://a.com"}, "cross-site", false, nil},
		{"JS102: the second of two", trusts, "app.example", []string{"https://b.com"}, "cross-site", false, nil},
		{"JS102: one of two made longer", trusts, "app.example", []string{"https://a.comevil"}, "cross-site", false, site.ErrOrigin},
		{"JS103: a trusted name as a prefix", bare, "localhost", []string{"https://trusted.example.com"}, "cross-site", false, site.ErrOrigin},
		{"a trusted origin to a site without a PublicURL", bare, "localhost", []string{"https://trusted"}, "cross-site", false, nil},
		{"a trusted origin twice", trusts, "app.example", []string{"https://a.com", "https://a.com"}, "cross-site", false, site.ErrOrigin},

		{"without a PublicURL, the Host over http", local, "127.0.0.1:8888", []string{"http://127.0.0.1:8888"}, "", false, nil},
		{"without a PublicURL, the Host behind a TLS proxy", local, "localhost", []string{"https://localhost"}, "", false, nil},
		{"without a PublicURL, another port", local, "127.0.0.1:8888", []string{"http://127.0.0.1:9999"}, "", false, site.ErrOrigin},
		{"without a PublicURL, another port of the same site", local, "127.0.0.1:8888", []string{"http://127.0.0.1:9999"}, "same-site", false, site.ErrOrigin},
		{"without a PublicURL, another loopback name", local, "127.0.0.1:8888", []string{"http://localhost:8888"}, "", false, site.ErrOrigin},
		{"without a PublicURL, over TLS", local, "app.example", []string{"https://app.example"}, "", true, nil},
		{"L-06: without a PublicURL, http to TLS", local, "app.example", []string{"http://app.example"}, "", true, site.ErrOrigin},
		{"without a PublicURL, the opaque origin", local, "localhost", []string{"null"}, "", false, site.ErrOrigin},
		{"without a PublicURL, userinfo", local, "localhost", []string{"http://x@localhost"}, "", false, site.ErrOrigin},
		{"without a PublicURL, upper case", local, "localhost", []string{"http://LOCALHOST"}, "", false, site.ErrOrigin},
		{"without a PublicURL, a path", local, "localhost", []string{"http://localhost/"}, "", false, site.ErrOrigin},
		{"without a PublicURL, no host at all", local, "", []string{"https://"}, "", true, site.ErrOrigin},
		{"without a PublicURL, own origin but cross-site", local, "localhost", []string{"http://localhost"}, "cross-site", false, site.ErrOrigin},

		{"L-09: a rewritten Host that is allowed", proxied, "127.0.0.1:8080", []string{"https://app.example"}, "", false, nil},
		{"L-09: a rewritten Host without AllowedHosts", public, "127.0.0.1:8080", []string{"https://app.example"}, "", false, site.ErrHost},
		{"L-09: a rewritten Host without a PublicURL", local, "127.0.0.1:8080", []string{"https://app.example"}, "", false, site.ErrOrigin},
		{"L-09: the allowed Host isn't an origin", proxied, "127.0.0.1:8080", []string{"http://127.0.0.1:8080"}, "", false, site.ErrOrigin},
		{"L-09: a rewritten Host and a foreign origin", proxied, "127.0.0.1:8080", []string{"https://evil.example"}, "", false, site.ErrOrigin},

		{"W-06: a rebound name with a PublicURL", public, "evil.example", []string{"https://evil.example"}, "same-origin", false, site.ErrHost},
		{"W-06: a rebound name without one", local, "evil.example", []string{"http://evil.example"}, "same-origin", false, site.ErrHost},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.site)
			for _, method := range []string{"PUT", "POST", "DELETE", "PROPFIND", "GET"} {
				for _, p := range []site.Proof{site.None, site.Ambient} {
					r := request(method, c.host, c.origin...)
					r.Header.Set("Cookie", "session=x")
					if c.fetch != "" {
						r.Header.Set("Sec-Fetch-Site", c.fetch)
					}
					if c.tls {
						r.TLS = new(tls.ConnectionState)
					}
					handshake := method == "GET"
					if got := s.Check(r, p, handshake); !errors.Is(got, c.want) {
						t.Errorf("%s, proof %d: got %v, want %v", method, p, got, c.want)
					}
					if r.Method != method {
						t.Errorf("Check left method %s", r.Method)
					}
					if got := s.Check(r, site.Explicit, handshake); got != nil {
						t.Errorf("%s, explicit: got %v, want nil", method, got) // JS90
					}
				}
			}
		})
	}
}

// L-05: a form on a page of our own with Referrer-Policy: no-referrer has no origin to show; a handshake always has.
func TestOriginHiddenByReferrerPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t, public)
	for _, p := range []site.Proof{site.None, site.Ambient} {
		r := request("POST", "app.example", "null")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if got := s.Check(r, p, false); got != nil {
			t.Errorf("form, proof %d: got %v, want nil", p, got)
		}
		r.Method = "GET"
		if got := s.Check(r, p, true); !errors.Is(got, site.ErrOrigin) {
			t.Errorf("handshake, proof %d: got %v, want %v", p, got, site.ErrOrigin)
		}
	}
}

// JS92: a link from a foreign page may open a page.
func TestSafeMethodsPassTheOriginRule(t *testing.T) {
	t.Parallel()
	s := newSite(t, public)
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		r := request(method, "app.example", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if got := s.Check(r, site.Ambient, false); got != nil {
			t.Errorf("%s: got %v, want nil", method, got)
		}
	}
	for _, method := range []string{"get", "TRACE", ""} {
		r := request("GET", "app.example", "https://evil.example")
		r.Method = method
		if got := s.Check(r, site.Ambient, false); got != site.ErrOrigin {
			t.Errorf("%q: got %v, want %v", method, got, site.ErrOrigin)
		}
	}
}

func TestTwoSecFetchSiteHeadersAreRefused(t *testing.T) {
	t.Parallel()
	r := request("PUT", "app.example")
	r.Header["Sec-Fetch-Site"] = []string{"same-origin", "cross-site"}
	if got := newSite(t, public).Check(r, site.Ambient, false); got != site.ErrOrigin {
		t.Errorf("got %v, want %v", got, site.ErrOrigin)
	}
}

func TestJunkHeadersBuyNoExemption(t *testing.T) {
	t.Parallel()
	s := newSite(t, public)
	for _, name := range []string{"Authorization", "X-Requested-With", "X-Forwarded-Host", "Sec-Fetch-Mode", "Referer", "X-Xsrftoken"} {
		r := request("PUT", "app.example", "https://evil.example")
		r.Header.Set(name, "https://app.example")
		if got := s.Check(r, site.Ambient, false); got != site.ErrOrigin {
			t.Errorf("%s: got %v, want %v", name, got, site.ErrOrigin)
		}
	}
}

func TestHostRule(t *testing.T) {
	t.Parallel()
	const (
		get = iota
		put
		handshake
	)
	type verdicts struct{ get, put, handshake error } // by what is asked
	pass, refuse := verdicts{}, verdicts{site.ErrHost, site.ErrHost, site.ErrHost}
	strangersRead := verdicts{nil, site.ErrHost, site.ErrHost}
	httpOn := func(url string) site.Config { return site.Config{PublicURL: url, InsecureHTTP: true} }

	for _, c := range []struct {
		name          string
		site          site.Config
		host          string
		tls, noCookie bool
		ambient, none verdicts
	}{
		{"the public host", public, "app.example", false, false, pass, pass},
		{"the public host with its default port", public, "app.example:443", false, false, pass, pass},
		{"the public host in another case", public, "App.Example", false, false, pass, pass},
		{"the public host on another port", public, "app.example:8443", false, false, refuse, strangersRead},
		{"the public host on the other scheme's port", public, "app.example:80", false, false, refuse, strangersRead},
		{"the public host with a final dot", public, "app.example.", false, false, refuse, strangersRead},
		{"a host with the Kelvin sign for a k", httpOn("http://kelvin.example"), "\u212aelvin.example", false, false, refuse, strangersRead},
		{"W-06: a foreign host", public, "evil.example", false, false, refuse, strangersRead},
		{"a foreign host over TLS", public, "evil.example", true, false, refuse, strangersRead},
		{"a foreign host without a cookie", public, "evil.example", false, true, refuse, strangersRead},
		{"no host", public, "", false, false, refuse, strangersRead},
		{"loopback isn't the public host", public, "localhost", false, false, refuse, strangersRead},
		{"a host that contains the public one", public, "app.example.evil.example", false, false, refuse, strangersRead},
		{"a public host with a port", site.Config{PublicURL: "https://app.example:8443"}, "app.example:8443", false, false, pass, pass},
		{"a public host without its port", site.Config{PublicURL: "https://app.example:8443"}, "app.example", false, false, refuse, strangersRead},
		{"an http public host with its default port", httpOn("http://lab.example"), "lab.example:80", false, false, pass, pass},
		{"a loopback PublicURL", site.Config{PublicURL: "http://127.0.0.1:8888"}, "127.0.0.1:8888", false, false, pass, pass},
		{"another spelling of a loopback PublicURL", site.Config{PublicURL: "http://127.0.0.1:8888"}, "localhost:8888", false, false, refuse, strangersRead},
		{"an allowed host with its port", proxied, "127.0.0.1:8080", false, false, pass, pass},
		{"an allowed host on another port", proxied, "127.0.0.1:8081", false, false, refuse, strangersRead},
		{"an allowed host on any port", proxied, "backend.internal:9000", false, false, pass, pass},
		{"an allowed host without a port", proxied, "backend.internal", false, false, pass, pass},
		{"an allowed host with a junk port", proxied, "backend.internal:9:9", false, false, refuse, strangersRead},
		{"an allowed host's sub-domain", proxied, "evil.backend.internal", false, false, refuse, strangersRead},
		{"an allowed IPv6 address", site.Config{PublicURL: "https://app.example", AllowedHosts: []string{"[2001:DB8::1]"}}, "[2001:db8::1]:8080", false, false, pass, pass},

		{"without a PublicURL, a loopback name", local, "localhost:8888", false, false, pass, pass},
		{"without a PublicURL, an IPv4 address", local, "192.0.2.7:8888", false, false, pass, pass},
		{"without a PublicURL, an IPv6 address", local, "[2001:db8::7]:8888", false, false, pass, pass},
		{"W-06: without a PublicURL, a name", local, "evil.example", false, false, refuse, strangersRead},
		{"without a PublicURL, a name that begins like an address", local, "127.0.0.1.evil.example", false, false, refuse, strangersRead},
		{"without a PublicURL, a name over TLS", local, "app.example", true, false, pass, pass},
		{"without a PublicURL, an allowed name", site.Config{AllowedHosts: []string{"lab.example"}}, "lab.example:8888", false, false, pass, pass},
		{"without a PublicURL, a name and no cookie", local, "lab.example", false, true, verdicts{nil, nil, site.ErrHost}, strangersRead},
		{"without a PublicURL, no host", local, "", false, false, refuse, strangersRead},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.site)
			for p, want := range map[site.Proof]verdicts{site.Ambient: c.ambient, site.None: c.none, site.Explicit: pass} {
				for kind, want := range []error{want.get, want.put, want.handshake} {
					r := request([]string{"GET", "PUT", "GET"}[kind], c.host)
					if !c.noCookie {
						r.Header.Set("Cookie", "session=x")
					}
					if c.tls {
						r.TLS = new(tls.ConnectionState)
					}
					if got := s.Check(r, p, kind == handshake); got != want {
						t.Errorf("proof %d, kind %d of %v: got %v, want %v", p, kind, []int{get, put, handshake}, got, want)
					}
				}
			}
		})
	}
}

func TestCheckAllocates(t *testing.T) {
	for _, c := range []struct {
		name      string
		site      site.Config
		host      string
		tls       bool
		method    string
		handshake bool
		max       float64
	}{
		{"nothing on a GET of the public host", proxied, "app.example", false, "GET", false, 0},
		{"nothing on a GET of an allowed host", proxied, "backend.internal:8080", false, "GET", false, 0},
		{"nothing on a GET of a loopback name", local, "localhost:8888", false, "GET", false, 0},
		{"nothing on a GET of an IPv4 address", local, "127.0.0.1:8888", false, "GET", false, 0},
		{"nothing on a GET of an IPv6 address", local, "[::1]:8888", false, "GET", false, 0},
		{"nothing on a GET over TLS", local, "app.example", true, "GET", false, 0},
		{"nothing on a PUT", public, "app.example", false, "PUT", false, 0},
		{"one request on a handshake", public, "app.example", false, "GET", true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, c.site)
			r := request(c.method, c.host)
			r.Header.Set("Cookie", "session=x")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if c.tls {
				r.TLS = new(tls.ConnectionState)
			}
			var err error
			if got := testing.AllocsPerRun(100, func() { err = s.Check(r, site.Ambient, c.handshake) }); got > c.max {
				t.Errorf("%v allocations, want at most %v", got, c.max)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func BenchmarkCheckGET(b *testing.B) {
	s := newSite(b, public)
	r := request("GET", "app.example")
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Check(r, site.Ambient, false); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzCheck holds Check against the one sentence that matters: what a browser sends for a foreign page is refused.
func FuzzCheck(f *testing.F) {
	f.Add(0, "app.example", "https://app.example", "same-origin", "PUT", false, true, false)
	f.Add(1, "127.0.0.1:8888", "http://127.0.0.1:8888", "", "POST", false, false, true)
	f.Add(2, "App.Example:443", "https://trusted.example.com", "cross-site", "GET", true, false, true)
	f.Add(3, "[::1]:80", "null", "junk", "", true, false, false)
	f.Add(0, "::%", "https://[::1", "none", "DELETE", true, true, true)
	configs := []site.Config{public, local, trusts, proxied}
	f.Fuzz(func(t *testing.T, n int, host, origin, fetch, method string, handshake, overTLS, ambient bool) {
		c := configs[uint(n)%uint(len(configs))]
		r := &http.Request{Method: method, Host: host, Header: http.Header{"Origin": {origin}, "Cookie": {"a=b"}}}
		if fetch != "" {
			r.Header.Set("Sec-Fetch-Site", fetch)
		}
		if overTLS {
			r.TLS = new(tls.ConnectionState)
		}
		p := site.None
		if ambient {
			p = site.Ambient
		}
		s := newSite(t, c)
		_, _, _ = site.Loopback(host), site.LoopbackAddr(host), s.Cookies(r)
		err := s.Check(r, p, handshake)
		if err != nil || !handshake && slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, method) {
			return
		}
		good := slices.Clone(c.TrustedOrigins)
		hosts := []string{"app.example", "app.example:443", "127.0.0.1:8080"}
		if c.PublicURL != "" {
			good = append(good, "https://app.example")
			if h := strings.ToLower(host); !slices.Contains(hosts, h) && !strings.HasPrefix(h, "backend.internal") {
				t.Errorf("host %q passed", host)
			}
		} else {
			good = append(good, "https://"+host, "http://"+host)
			if strings.HasSuffix(host, ".example") && !overTLS {
				t.Errorf("host %q passed", host)
			}
		}
		if hidden := origin == "null" && fetch == "same-origin" && !handshake; !hidden && !slices.Contains(good, origin) {
			t.Errorf("origin %q passed for host %q", origin, host)
		}
		if cross := fetch != "" && fetch != "same-origin" && fetch != "none"; cross && c.PublicURL == "" {
			t.Errorf("Sec-Fetch-Site %q passed with origin %q", fetch, origin)
		}
	})
}
