package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/examples/internal/curl"
)

func TestSession(t *testing.T) {
	t.Parallel()
	h, err := newHandler(auth.Config{PublicURL: "http://127.0.0.1:8080"}, []string{"127.0.0.1"}, []string{"ada"})
	if err != nil {
		t.Fatal(err)
	}
	curl.Play(t, "main.go", h, nil)
}

func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	authtest.Audit(t, routes(authtest.Nobody()))
}

// The proxy of these tests, and somebody who isn't it.
const (
	proxyAddr    = "192.0.2.10:40100"
	strangerAddr = "192.0.2.99:40100"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sent := func(from, name string) authtest.Credential {
		return authtest.Credential{
			Send:    func(r *http.Request) { r.Header.Set(userHeader, name) },
			Receive: func(r *http.Request) { r.RemoteAddr = from },
		}
	}
	authtest.TestBackend(t, func(t testing.TB, _ auth.Config) authtest.Subject {
		b, err := newProxyHeader([]string{"192.0.2.10"}, map[string]auth.Permissions{"ada": {"note": {"write"}}})
		if err != nil {
			t.Fatal(err)
		}
		return authtest.Subject{
			Backend: b,
			Good:    sent(proxyAddr, "ada"),
			Other:   sent(proxyAddr, "bob"),
			Wrong:   []authtest.Credential{sent(strangerAddr, "ada"), sent(proxyAddr, "ada, bob"), sent(proxyAddr, "")},
			Holds:   auth.Permissions{"note": {"write"}},
			Lacks:   auth.Permissions{"note": {"delete"}},
		}
	})
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	b, err := newProxyHeader([]string{"192.0.2.10", "2001:db8::/64"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		remote string
		header http.Header
		want   error
	}{
		{"the header from the proxy is believed", proxyAddr, http.Header{userHeader: {"ada"}}, nil},
		{"an IPv4 address in IPv6 is the same", "[::ffff:192.0.2.10]:1", http.Header{userHeader: {"ada"}}, nil},
		{"a prefix is believed", "[2001:db8::7]:1", http.Header{userHeader: {"ada"}}, nil},
		{"the proxy without a header has logged nobody in", proxyAddr, nil, auth.ErrNoCredentials},
		{"from anywhere else it is a false claim", strangerAddr, http.Header{userHeader: {"ada"}}, auth.ErrInvalidCredentials},
		{"a forwarded address is no address", strangerAddr, http.Header{userHeader: {"ada"}, "X-Forwarded-For": {"192.0.2.10"}, "X-Real-Ip": {"192.0.2.10"}, "Forwarded": {"for=192.0.2.10"}}, auth.ErrInvalidCredentials},
		{"a Unix socket has none", "@", http.Header{userHeader: {"ada"}}, auth.ErrInvalidCredentials},
		{"two names are none", proxyAddr, http.Header{userHeader: {"ada", "ada"}}, auth.ErrInvalidCredentials},
		{"a joined list is no name", proxyAddr, http.Header{userHeader: {"ada,bob"}}, auth.ErrInvalidCredentials},
		{"nor is an empty one", proxyAddr, http.Header{userHeader: {""}}, auth.ErrInvalidCredentials},
		{"another case is another spelling", proxyAddr, http.Header{userHeader: {"Ada"}}, auth.ErrInvalidCredentials},
		{"A-21 the header is named in Connection", proxyAddr, http.Header{userHeader: {"ada"}, "Connection": {"close, x-forwarded-user"}}, auth.ErrInvalidCredentials},
		{"A-21 Connection made the proxy drop the header", proxyAddr, http.Header{"Connection": {"close, X-Forwarded-User"}}, auth.ErrNoCredentials},
		{"A-21 what else Connection says doesn't matter", proxyAddr, http.Header{userHeader: {"ada"}, "Connection": {"keep-alive, Upgrade"}}, nil},
		{"A-22 underscores spell another header", proxyAddr, http.Header{"X_Forwarded_User": {"ada"}}, auth.ErrNoCredentials},
		{"A-22 and don't change ours", proxyAddr, http.Header{userHeader: {"ada"}, "X_Forwarded_User": {"root"}}, nil},
		{"T-28 no other header says who it is", proxyAddr, http.Header{"Authorization": {"Bearer x"}, "X-User": {"admin"}, "Remote-User": {"admin"}}, auth.ErrNoCredentials},
		{"T-28 nor changes who it is", proxyAddr, http.Header{userHeader: {"ada"}, "Authorization": {"Bearer x"}, "X-User": {"admin"}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", "/note", nil)
			r.RemoteAddr = tc.remote
			if tc.header != nil {
				r.Header = tc.header
			}
			id, err := b.Identify(r)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got error %v, want %v", err, tc.want)
			}
			if tc.want == nil && (id == nil || id.ID != "proxy:ada" || id.User.Username != "ada") {
				t.Errorf("got %+v, want proxy:ada", id)
			}
		})
	}
}

func TestMistakesAreErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, publicURL string
		proxies         []string
		good            bool
	}{
		{"a proxy and a public URL", "https://app.example", []string{"10.0.0.7"}, true},
		{"no proxy", "https://app.example", nil, false},
		{"a name for a proxy", "https://app.example", []string{"proxy.example"}, false},
		{"everybody for a proxy", "https://app.example", []string{"0.0.0.0/0"}, false},
		{"no public URL", "", []string{"10.0.0.7"}, false},
		{"a public URL that can't be", "app.example", []string{"10.0.0.7"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := newHandler(auth.Config{PublicURL: tc.publicURL}, tc.proxies, nil); (err == nil) != tc.good {
				t.Errorf("got error %v, want one: %v", err, !tc.good)
			}
		})
	}
}
