package auth_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth"
)

// A mistake in the Config is an error that names the field, when the guard is made.
func TestNewRefusesAConfig(t *testing.T) {
	t.Parallel()
	trusted := func(origins ...string) auth.Config { return auth.Config{TrustedOrigins: origins} }
	role := func(p auth.Permissions) auth.Config {
		return auth.Config{Roles: map[string]auth.Role{"good": {Permissions: auth.Permissions{"a": {"*"}}}, "editor": {Permissions: p}}}
	}
	for _, c := range []struct {
		name  string
		cfg   auth.Config
		names string
	}{
		{"a PublicURL without a scheme", auth.Config{PublicURL: "app.example"}, "PublicURL"},
		{"a PublicURL with a query", auth.Config{PublicURL: "https://app.example/?a=b"}, "PublicURL"},
		{"C-02 a PublicURL over http", auth.Config{PublicURL: "http://app.example"}, "PublicURL"},
		{"a PublicURL with a path that leads out", auth.Config{PublicURL: "https://app.example/a/../b"}, "PublicURL"},
		{"a PublicURL with a password", auth.Config{PublicURL: "https://admin:hunter2@app.example"}, "PublicURL"},
		{"JS105 (root's half): every origin", trusted("*"), "TrustedOrigins"},
		{"JS98 an origin with a path", trusted("https://trusted.example.com/path"), "TrustedOrigins"},
		{"JS98 two origins in one", trusted("https://trusted.example.com\nhttps://evil.com"), "TrustedOrigins"},
		{"JS100 an empty origin", trusted(""), "TrustedOrigins"},
		{"GO6 a pattern", trusted("https://a.com|https://b.com"), "TrustedOrigins"},
		{"GO6 an anchored pattern", trusted("^https://a.com|https://b.com$"), "TrustedOrigins"},
		{"W-05 a wildcard", trusted("https://a.com", "https://*.example"), "TrustedOrigins[1]"},
		{"an origin with userinfo", trusted("https://hunter2@a.com"), "TrustedOrigins"},
		{"an origin with its default port", trusted("https://a.com:443"), "TrustedOrigins"},
		{"an origin of another scheme", trusted("wss://a.com"), "TrustedOrigins"},
		{"an allowed host with a scheme", auth.Config{AllowedHosts: []string{"https://a.com"}}, "AllowedHosts"},
		{"every host", auth.Config{AllowedHosts: []string{"*"}}, "AllowedHosts"},
		{"a proxy that is a name", auth.Config{TrustedProxies: []string{"proxy.example"}}, "TrustedProxies"},
		{"an empty proxy", auth.Config{TrustedProxies: []string{"10.0.0.1", ""}}, "TrustedProxies"},
		{"a mount path without a slash", auth.Config{MountPath: "auth"}, "MountPath"},
		{"a mount path that leads out", auth.Config{MountPath: "/auth/../x"}, "MountPath"},
		{"a login path without a slash", auth.Config{LoginPath: "login"}, "LoginPath"},
		{"a login path on another host", auth.Config{LoginPath: "//evil.example/login"}, "LoginPath"},
		{"a login page by URL", auth.Config{LoginPath: "https://evil.example/login"}, "LoginPath"},
		{"a login path with a query", auth.Config{LoginPath: "/login?next=/"}, "LoginPath"},
		{"ZA10 (root's half): a role with an empty resource", role(auth.Permissions{"": {"read"}}), `Roles["editor"]`},
		{"ZA10 (root's half): a role with an empty action", role(auth.Permissions{"contents": {""}}), `Roles["editor"]`},
		{"A-04 a role with a star in the middle", role(auth.Permissions{"con*ts": {"read"}}), `Roles["editor"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, err := auth.New(c.cfg, guardPeople())
			if err == nil || a != nil {
				t.Fatalf("got %v, %v, want no Auth and an error", a, err)
			}
			if !strings.HasPrefix(err.Error(), "auth: Config: "+c.names) {
				t.Errorf("got error %q, which doesn't name %s", err, c.names)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("G-01 got error %q, which holds a password", err)
			}
		})
	}
}

func TestNewTakesAConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cfg  auth.Config
	}{
		{"the zero value", auth.Config{}},
		{"https", auth.Config{PublicURL: "https://app.example/base/"}},
		{"http on loopback", auth.Config{PublicURL: "http://127.0.0.1:8888"}},
		{"http on a network, on purpose", auth.Config{PublicURL: "http://lab.example:8888", InsecureHTTP: true}},
		{"everything", auth.Config{
			PublicURL: "https://app.example/a%40b/", MountPath: "/sso", LoginPath: "/welcome", TrustedOrigins: []string{"https://a.com", "http://localhost:8080"},
			TrustedProxies: []string{"10.0.0.0/8", "::1"}, AllowedHosts: []string{"backend:8080", "lab.example"}, Authorizer: auth.AllowAll{},
			Roles: map[string]auth.Role{"admin": {Permissions: auth.Permissions{"*": {"*"}}}}, Logger: slog.New(slog.DiscardHandler), MaxRefusals: -1, OutageGrace: -1,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if a, err := auth.New(c.cfg, guardPeople()); err != nil || a == nil {
				t.Errorf("got %v, %v", a, err)
			}
		})
	}
}

// V-07: what happens to a Config after New has no effect.
func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	cfg := auth.Config{
		PublicURL: "https://app.example", TrustedOrigins: []string{"https://trusted.example"}, AllowedHosts: []string{"backend.example"},
		TrustedProxies: []string{"192.0.2.1"}, Roles: map[string]auth.Role{"reader": {Permissions: auth.Permissions{"contents": {"read"}}}},
		Logger: slog.New(slog.DiscardHandler),
	}
	id := guardPerson("alice", "")
	id.Roles = []string{"reader", "admin"}
	backends := []auth.Backend{&guardFixed{id: id}}
	a, err := auth.New(cfg, backends...)
	if err != nil {
		t.Fatal(err)
	}
	cfg.TrustedOrigins[0], cfg.AllowedHosts[0], cfg.TrustedProxies[0] = "https://evil.example", "evil.example", "192.0.2.200"
	cfg.Roles["reader"].Permissions["contents"][0] = "*"
	cfg.Roles["reader"].Permissions["admin"] = []string{"*"}
	cfg.Roles["admin"] = auth.Role{Permissions: auth.Permissions{"*": {"*"}}}
	backends[0] = &guardFixed{err: auth.ErrNoCredentials}

	p := &guardProbe{}
	ask := func(need auth.Permissions, host, origin string, want int) {
		t.Helper()
		r := guardRequest("PUT", "/x", "Origin", origin)
		r.Host = host
		p.ask(t, a.CurrentUser(need)(p), r, want)
	}
	ask(guardReads, "app.example", "https://trusted.example", http.StatusOK)
	ask(guardReads, "backend.example", "https://app.example", http.StatusOK)
	ask(guardReads, "app.example", "https://evil.example", http.StatusForbidden)
	ask(guardReads, "evil.example", "https://app.example", http.StatusForbidden)
	ask(auth.Permissions{"contents": {"write"}}, "app.example", "https://app.example", http.StatusForbidden)
	ask(auth.Permissions{"admin": {"read"}}, "app.example", "https://app.example", http.StatusForbidden)
	r := guardRequest("GET", "/x", "X-Forwarded-For", "198.51.100.7")
	if got := auth.Address(a, r).String(); got != "198.51.100.7" {
		t.Errorf("got address %s, want what the trusted proxy says", got)
	}
}
