package tokenauth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// startupError starts with a configuration that must be refused, and checks that the error names the field and no secret.
func startupError(t *testing.T, name, field string, cfg tokenauth.Config, secrets ...string) {
	t.Helper()
	a, err := tokenauth.New(t.Context(), cfg)
	if err == nil || a != nil {
		t.Errorf("%s: got %v and no error, want one that names %s", name, a, field)
		return
	}
	if !strings.HasPrefix(err.Error(), "tokenauth: ") || !strings.Contains(err.Error(), field) {
		t.Errorf("%s: got %q, want an error of tokenauth that names %s", name, err, field)
	}
	for _, secret := range secrets {
		if secret = strings.TrimSpace(secret); len(secret) > 1 && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error repeats %q: %v", name, secret, err)
		}
	}
}

func TestStartUpErrors(t *testing.T) {
	t.Parallel()
	password := func(c tokenauth.Config) tokenauth.Config { c.Mode = tokenauth.PasswordMode; return c }
	for name, cfg := range map[string]tokenauth.Config{
		"JS12 password mode with a hash": password(tokenauth.Config{PasswordHash: labCheapHash}), "JS12 token mode with a token": {Token: labToken},
		"everything": password(tokenauth.Config{Auth: auth.Config{PublicURL: "https://app.example/base", MountPath: "/in"}, PasswordHash: labCheapHash, CookieName: "c", Guests: 1, Lifetime: time.Minute,
			Tokens: []tokenauth.Token{{Name: "a", Token: "1"}, {Name: "b", Token: "2", Permissions: auth.Permissions{"x": {"*"}}}}}),
	} {
		if a, err := tokenauth.New(t.Context(), cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			a.Close()
		}
	}
	two := func(a, b tokenauth.Token) tokenauth.Config {
		return tokenauth.Config{Token: labToken, Tokens: []tokenauth.Token{a, b}}
	}
	for _, c := range []struct {
		name, field string
		cfg         tokenauth.Config
		secret      string
	}{
		{"JS12 password mode with neither", "Password", password(tokenauth.Config{}), ""},
		{"both a password and a hash", "PasswordHash", password(tokenauth.Config{Password: labPassword, PasswordHash: labCheapHash}), labPassword},
		{"a password in token mode", "Password", tokenauth.Config{Password: labPassword}, labPassword},
		{"a hash in token mode", "Password", tokenauth.Config{PasswordHash: labCheapHash}, labCheapHash},
		{"a token in password mode", "Token", password(tokenauth.Config{Token: labToken, Password: labPassword}), labToken},
		{"T-01 a token of blanks", "Token", tokenauth.Config{Token: "   "}, ""},
		{"T-01 a token with a blank", "Token", tokenauth.Config{Token: "s3cret word"}, "s3cret"},
		{"T-01 a token with a newline", "Token", tokenauth.Config{Token: "s3cret\n"}, "s3cret"},
		{"a token beyond ASCII", "Token", tokenauth.Config{Token: "s3crét"}, "s3cr"},
		{"a token with a NUL", "Token", tokenauth.Config{Token: "s3cret\x00"}, "s3cret"},
		{"an unknown mode", "Mode", tokenauth.Config{Mode: 7}, ""},
		{"a negative lifetime", "Lifetime", tokenauth.Config{Lifetime: -1}, ""},
		{"a negative number of guests", "Guests", tokenauth.Config{Guests: -1}, ""},
		{"a cookie's name with a prefix", "CookieName", tokenauth.Config{CookieName: "__Host-x"}, ""},
		{"a cookie's name with a blank", "CookieName", tokenauth.Config{CookieName: "a b"}, ""},
		{"a PublicURL without a scheme", "PublicURL", tokenauth.Config{Auth: auth.Config{PublicURL: "app.example"}}, ""},
		{"C-02 an http PublicURL that isn't loopback", "PublicURL", tokenauth.Config{Auth: auth.Config{PublicURL: "http://app.example"}}, ""},
		{"a MountPath with dots", "MountPath", tokenauth.Config{Auth: auth.Config{MountPath: "/a/../b"}}, ""},
		{"a MountPath without a slash", "MountPath", tokenauth.Config{Auth: auth.Config{MountPath: "auth"}}, ""},
		{"an origin with a wildcard", "TrustedOrigins", tokenauth.Config{Auth: auth.Config{TrustedOrigins: []string{"*"}}}, ""},
		{"a proxy that is no address", "TrustedProxies", tokenauth.Config{Auth: auth.Config{TrustedProxies: []string{"proxy"}}}, ""},
		{"a host that is none", "AllowedHosts", tokenauth.Config{Auth: auth.Config{AllowedHosts: []string{"a b"}}}, ""},
		{"a role with a bad grant", "Roles", tokenauth.Config{Auth: auth.Config{Roles: map[string]auth.Role{"r": {Permissions: auth.Permissions{"": {"x"}}}}}}, ""},
		{"a named token that is empty", "Tokens[0]: Token", tokenauth.Config{Tokens: []tokenauth.Token{{Name: "ci"}}}, ""},
		{"a named token with a blank", "Tokens[0]: Token", tokenauth.Config{Tokens: []tokenauth.Token{{Name: "ci", Token: "s3cret word"}}}, "s3cret"},
		{"a named token without a name", "Tokens[0]", tokenauth.Config{Tokens: []tokenauth.Token{{Token: "s3cret"}}}, "s3cret"},
		{"a name twice", "Tokens[1]", two(tokenauth.Token{Name: "ci", Token: "s3cret"}, tokenauth.Token{Name: "ci", Token: "s4cret"}), "s4cret"},
		{"a token twice", "Tokens[1]", two(tokenauth.Token{Name: "ci", Token: "s3cret"}, tokenauth.Token{Name: "cd", Token: "s3cret"}), "s3cret"},
		{"the shared token again", "Tokens[1]", two(tokenauth.Token{Name: "ci", Token: "s3cret"}, tokenauth.Token{Name: "cd", Token: labToken}), labToken},
		{"a grant without actions", "Tokens[0]", tokenauth.Config{Tokens: []tokenauth.Token{{Name: "ci", Token: "s3cret", Permissions: auth.Permissions{"": {"x"}}}}}, "s3cret"},
	} {
		startupError(t, c.name, c.field, c.cfg, c.secret)
	}
}

// JS32, PH-03 to PH-11: what is no hash is an error that doesn't repeat it.
func TestBadPasswordHashes(t *testing.T) {
	t.Parallel()
	const salt, tag = "c29tZXNhbHRzb21l", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	phc := func(variant, version, params string) string {
		return "$" + variant + "$" + version + "$" + params + "$" + salt + "$" + tag
	}
	good := phc("argon2id", "v=19", "m=65536,t=2,p=1")
	if _, err := tokenauth.New(t.Context(), tokenauth.Config{Mode: tokenauth.PasswordMode, PasswordHash: good}); err != nil {
		t.Fatalf("%s: %v", good, err)
	}
	hashes := []string{
		"sha1::", "nope:aa:bb", "a:b", "hunter2hunter2", "sha1:salt:abc", "sha1::a68df677475c2b47b6e86d0467eec97ac5f4b85a", // JS32
		"argon2:", "argon2:hunter2", "$", "$$$$$", " ", good + "\n", " " + good, good + "$", // PH-08
		phc("argon2id", "v=19", "m=65536,t=0,p=1"), phc("argon2id", "v=19", "m=65536,t=2,p=0"), // PH-03
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$", "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$AA", "$argon2id$v=19$m=65536,t=2,p=1$$" + tag, // PH-04 PH-05
	}
	for _, params := range []string{
		"m=4294967295,t=2,p=1", "m=1073741824,t=2,p=1", "m=65536,t=4294967295,p=1", "m=65536,t=2,p=255", "m=65536,t=2,p=256", "m=18446744073709551617,t=2,p=1", // PH-06
		"m=+65536,t=2,p=1", "m=065536,t=2,p=1", "m= 65536,t=2,p=1", "m=6e4,t=2,p=1", "m=0x10000,t=2,p=1", "m=-1,t=2,p=1", // PH-07
		"t=2,m=65536,p=1", "t=2,p=1", "m=65536,m=65536,t=2,p=1", "m=65536,t=2,p=1,keyid=x", "m=65536,t=2,p=1,data=x", // PH-08
	} {
		hashes = append(hashes, phc("argon2id", "v=19", params))
	}
	for _, version := range []string{"v=16", "v=20", "v=", ""} { // PH-09
		hashes = append(hashes, phc("argon2id", version, "m=65536,t=2,p=1"))
	}
	hashes = append(hashes, strings.Replace(good, "$v=19", "", 1))
	for _, variant := range []string{"argon2d", "Argon2id", "2b", "scrypt", "pbkdf2-sha256"} { // PH-10
		hashes = append(hashes, phc(variant, "v=19", "m=65536,t=2,p=1"))
	}
	hashes = append(hashes, "{SSHA}c2FsdHNhbHQ=", "5f4dcc3b5aa765d61d8327deb882cf99",
		good+"=", strings.Replace(good, "+", "-", 1)+"_", good[:len(good)-1]+"d", good[:len(good)-8]+"\n"+good[len(good)-8:]) // PH-11
	for _, hash := range hashes {
		startupError(t, fmt.Sprintf("%q", hash), "PasswordHash", tokenauth.Config{Mode: tokenauth.PasswordMode, PasswordHash: hash}, hash, "hunter2", salt)
	}
}

func TestGeneratedToken(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 3 {
		l := newLab(t, func(c *tokenauth.Config) { c.Token = "" })
		start, err := url.Parse(l.auth.StartURL("http://127.0.0.1:8888/"))
		if err != nil {
			t.Fatal(err)
		}
		token := start.Query().Get("token")
		l.keepsSecret(token)
		if len(token) != 48 || strings.Trim(token, "0123456789abcdef") != "" || seen[token] {
			t.Errorf("T-01 JS12: got the token %q, want 192 random bits", token)
		}
		seen[token] = true
		labRefused(t, "T-01 nobody is let in without it", l.browser().get("/"), http.StatusUnauthorized)
		labAdmitted(t, "with it", l.browser().get("/", bearing(token)))
		if got, want := l.auth.StartURL("/?note=a"), "/?note=a&token="+token; got != want {
			t.Errorf("an address with a query: got %q, want %q", got, want)
		}
		labTraded(t, "the start URL", l.browser().navigate(start.RequestURI()), "/")
		if l.logged() != "" && strings.Contains(l.logged(), "warning") {
			t.Errorf("got the log %s, want no warning", l.logged())
		}
	}
	given := newLab(t)
	if got := given.auth.StartURL("http://127.0.0.1:8888/"); got != "http://127.0.0.1:8888/" {
		t.Errorf("a given token: got %q, want it printed nowhere", got)
	}
}

// T-01 and the environment. Not parallel: it is set.
func TestTokenOfTheEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	admits := func(name, token string, change ...func(*tokenauth.Config)) {
		t.Helper()
		l := newLab(t, append([]func(*tokenauth.Config){func(c *tokenauth.Config) { c.Token = "" }}, change...)...)
		labAdmitted(t, name, l.browser().get("/", bearing(token)))
		if got := l.auth.StartURL("/"); got != "/" {
			t.Errorf("%s: got the start URL %q, want it without the token", name, got)
		}
	}
	const a, b = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	t.Setenv("AUTH_TOKEN", a)
	t.Setenv("AUTH_TOKEN_FILE", file)
	write(b + "\n")
	admits("AUTH_TOKEN", a)
	admits("Config.Token comes first", labToken, func(c *tokenauth.Config) { c.Token = labToken })
	admits("password mode doesn't look", labReader, cheaply, named(tokenauth.Token{Name: "x", Token: labReader}))
	for name, value := range map[string]string{"a blank": " ", "a newline": a + "\n", "a tab": "\t"} {
		t.Setenv("AUTH_TOKEN", value)
		startupError(t, "T-01 AUTH_TOKEN of "+name, "Token", tokenauth.Config{}, value)
	}
	t.Setenv("AUTH_TOKEN", "")
	admits("AUTH_TOKEN_FILE", b)
	for name, content := range map[string]string{"empty": "", "a newline": "\n", "two newlines": b + "\n\n", "blanks": "  \n", "two lines": b + "\n" + a, "a blank in front": " " + b} {
		write(content)
		startupError(t, "AUTH_TOKEN_FILE: "+name, "Token", tokenauth.Config{}, a, b)
	}
	t.Setenv("AUTH_TOKEN_FILE", filepath.Join(t.TempDir(), "none"))
	startupError(t, "no such file", "AUTH_TOKEN_FILE", tokenauth.Config{})
	t.Setenv("AUTH_TOKEN_FILE", "")
	labRefused(t, "T-01 unset: a generated one, never everybody", newLab(t, func(c *tokenauth.Config) { c.Token = "" }).browser().get("/", bearing("")), http.StatusUnauthorized)
}

// T-23: what can be guessed is warned about, and not shown.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*tokenauth.Config)
		warns  bool
	}{
		{"a token of 3", func(c *tokenauth.Config) { c.Token = "q7z" }, true},
		{"a token of 31", func(c *tokenauth.Config) { c.Token = labToken[:31] }, true},
		{"a token of 32", func(c *tokenauth.Config) { c.Token = labToken[:32] }, false},
		{"a password of 14", func(c *tokenauth.Config) {
			sharedPassword(c)
			c.Password = "ünïcödé-würd-ö"
		}, true},
		{"a password of 15", func(c *tokenauth.Config) {
			sharedPassword(c)
			c.Password = "ünïcödé-würd-öö"
		}, false},
	} {
		l := newLab(t, c.change)
		events := l.eventsOf(auth.EventWarning)
		if (len(events) == 1) != c.warns || c.warns && !strings.Contains(events[0].Reason, "guessed") || c.warns != strings.Contains(l.logged(), "level=WARN") {
			t.Errorf("%s: got %+v and the log %q", c.name, events, l.logged())
		}
		if strings.Contains(l.logged(), "q7z") || strings.Contains(l.logged(), "würd") {
			t.Errorf("%s: the log holds the secret: %s", c.name, l.logged())
		}
	}
}

// V-07: what the caller does with its configuration afterwards changes nothing.
func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	var cfg *tokenauth.Config
	grants := auth.Permissions{"contents": {"read"}}
	roles := []string{"none"}
	l := newLab(t, func(c *tokenauth.Config) {
		cfg = c
		c.Auth.Roles = map[string]auth.Role{"none": {Permissions: auth.Permissions{"other": {"read"}}}}
		c.Auth.TrustedOrigins = []string{"https://a.example"}
		c.Tokens = []tokenauth.Token{{Name: "reader", Token: labReader, Permissions: grants, Roles: roles}}
	})
	b := l.browser()
	put := func(options ...labOption) labAnswer {
		return b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`, append(options, bearing(labReader))...)
	}
	labRefused(t, "before", put(), http.StatusForbidden)
	grants["contents"][0] = "*"
	grants["*"] = []string{"*"}
	roles[0] = "admin"
	cfg.Auth.Roles["admin"] = auth.Role{Permissions: auth.Permissions{"*": {"*"}}}
	cfg.Auth.Roles["none"].Permissions["contents"] = []string{"*"}
	cfg.Auth.TrustedOrigins[0] = "https://evil.example"
	cfg.Tokens[0].Token = "another"
	cfg.Tokens[0].Expires = time.Now().Add(-time.Hour)
	cfg.Token, cfg.Lifetime = "another", time.Nanosecond
	labRefused(t, "after", put(), http.StatusForbidden)
	labAdmitted(t, "reads", b.get("/api/contents/demo", bearing(labReader)))
	labRefused(t, "another token", b.get("/", bearing("another")), http.StatusUnauthorized)
	labRefused(t, "another origin", l.loggedIn().json(http.MethodPut, "/api/contents/demo", `{}`, with("Origin", "https://evil.example")), http.StatusForbidden)
	labAdmitted(t, "the trusted origin", l.loggedIn().json(http.MethodPut, "/api/contents/demo", `{"text":"y"}`, with("Origin", "https://a.example"), with("Sec-Fetch-Site", "cross-site")))
}

// G-02: whatever prints a configuration, a token or an Auth shows no secret.
func TestRedaction(t *testing.T) {
	t.Parallel()
	token := tokenauth.Token{Name: "ci", Token: labReader, Roles: []string{"r"}}
	cfg := tokenauth.Config{Token: labToken, Password: labPassword, PasswordHash: labCheapHash, Tokens: []tokenauth.Token{token}}
	a, err := tokenauth.New(t.Context(), tokenauth.Config{Tokens: []tokenauth.Token{token}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	generated, _ := url.Parse(a.StartURL("/"))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+labReader)
	id, err := a.Identify(r)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{labToken, labPassword, labReader, labCheapHash, generated.Query().Get("token")}
	for name, v := range map[string]any{
		"Config": cfg, "*Config": &cfg, "Token": token, "*Token": &token, "[]Token": cfg.Tokens, "in a struct": struct{ C tokenauth.Config }{cfg}, "in a map": map[string]any{"c": cfg, "t": token},
		"*Auth": a, "Identity": *id, "*Identity": id, "error": fmt.Errorf("%v", cfg),
	} {
		var said bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			fmt.Fprintf(&said, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err != nil && name != "*Auth" && name != "error" {
			t.Errorf("%s: as JSON: %v", name, err)
		}
		said.Write(text)
		slog.New(slog.NewTextHandler(&said, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&said, nil)).Info("x", "v", v, slog.Group("g", "v", v))
		for _, secret := range secrets {
			for _, spelling := range append(labSpellings(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)) {
				if strings.Contains(said.String(), spelling) {
					t.Errorf("%s shows %q:\n%s", name, spelling, said.String())
				}
			}
		}
		if (strings.HasSuffix(name, "Config") || name == "*Auth") && strings.Count(said.String(), "[redacted]") < 8 {
			t.Errorf("%s: got %s, want [redacted]", name, said.String())
		}
	}
}

// V-08: what was never made is an error, not a panic.
func TestZeroValues(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]auth.Backend{"nil": (*tokenauth.Auth)(nil), "zero": &tokenauth.Auth{}} {
		func() {
			defer func() {
				if v := recover(); v != nil {
					t.Errorf("%s: panic: %v", name, v)
				}
			}()
			if _, err := auth.New(auth.Config{}, b); err == nil {
				t.Errorf("%s: no error", name)
			}
		}()
	}
}

func TestLoginPageNamesTheAddressToSignInAt(t *testing.T) {
	t.Parallel()
	const public = "https://app.example"
	b := newLab(t, func(c *tokenauth.Config) { c.Auth.PublicURL = public }).browser()
	for host, want := range map[string]bool{"app.example": false, "127.0.0.1:8888": true} {
		b.host = host
		if got := b.navigate("/auth/login"); got.Status != http.StatusOK || strings.Contains(got.Body, "sign in at: "+public) != want {
			t.Errorf("%s: got %d %s, want the address named: %v", host, got.Status, got.Body, want)
		}
	}
}
