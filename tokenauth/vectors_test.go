package tokenauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// labMoons are the names that guests can have.
func labMoons(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../internal/guest/moons.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

// labGuest checks that u looks like a guest: "Anonymous Callisto", AC, a colour.
func labGuest(t *testing.T, u auth.JupyterUser) {
	t.Helper()
	moon, ok := strings.CutPrefix(u.Name, "Anonymous ")
	if !ok || !slices.Contains(labMoons(t), moon) || u.DisplayName != u.Name {
		t.Errorf("got name %q and display_name %q, want Anonymous and a moon in both", u.Name, u.DisplayName)
	}
	if u.Initials == nil || *u.Initials != "A"+moon[:1] {
		t.Errorf("got initials %v, want A%s", u.Initials, moon[:1])
	}
	if u.Color == nil || !regexp.MustCompile(`^#[0-9a-f]{6}$`).MatchString(*u.Color) {
		t.Errorf("got color %v, want one", u.Color)
	}
}

func TestUnknownCallers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if got := l.browser().get("/", bearing(labToken)); got.Status != http.StatusOK || !got.reached() {
		t.Fatalf("with the token: got %d, want 200", got.Status)
	}
	t.Run("JS75 api/me without a credential is challenged", func(t *testing.T) {
		got := l.browser().get("/api/me")
		if got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") != `Bearer realm="ostiary"` {
			t.Errorf("got %d and %q, want 401 and a challenge without an error", got.Status, got.Header["Www-Authenticate"])
		}
	})
	t.Run("JV04 an API call is told 401 in JSON and not sent anywhere", func(t *testing.T) {
		got := l.browser().get("/")
		if got.Status != http.StatusUnauthorized || got.reached() || got.location() != "" || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
			t.Errorf("got %d, reached %v, %v", got.Status, got.reached(), got.Header)
		}
	})
	t.Run("JV07 a navigation is sent to the login page", func(t *testing.T) {
		got := l.browser().navigate("/")
		if got.Status != http.StatusSeeOther || got.reached() || got.location() != "/auth/login?next=%2F" {
			t.Errorf("got %d to %q, want 303 to /auth/login?next=%%2F", got.Status, got.location())
		}
	})
	t.Run("a navigation to a WebSocket route is 401, not a redirect", func(t *testing.T) {
		got := l.browser().navigate("/api/room/demo")
		if got.Status != http.StatusUnauthorized || got.location() != "" || l.rooms.Load() != 0 {
			t.Errorf("got %d to %q, want 401", got.Status, got.location())
		}
	})
	t.Run("a wrong credential is 401 for a navigation too", func(t *testing.T) {
		got := l.browser().navigate("/", bearing("WRONG"))
		if got.Status != http.StatusUnauthorized || got.reached() || got.location() != "" {
			t.Errorf("got %d to %q, want 401", got.Status, got.location())
		}
		if want := `Bearer realm="ostiary", error="invalid_token"`; got.Header.Get("WWW-Authenticate") != want {
			t.Errorf("got %q, want %q", got.Header["Www-Authenticate"], want)
		}
	})
	t.Run("an OPTIONS request is guarded like any other", func(t *testing.T) {
		if got := l.browser().do(http.MethodOptions, "/", "", bearing(labToken)); !got.reached() {
			t.Errorf("with the token: got %d, want the handler", got.Status)
		}
		if got := l.browser().do(http.MethodOptions, "/", ""); got.Status != http.StatusUnauthorized || got.reached() {
			t.Errorf("got %d, want 401", got.Status)
		}
	})
}

func TestTokensOnARequest(t *testing.T) {
	t.Parallel()
	t.Run("JV08 a token link logs the browser in and goes on to the clean address", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		got := b.navigate("/?token=" + labToken)
		if got.Status != http.StatusSeeOther || got.location() != "/" || got.reached() {
			t.Errorf("got %d to %q, want 303 to /", got.Status, got.location())
		}
		if got := b.navigate("/"); got.Status != http.StatusOK || !got.reached() {
			t.Errorf("with the cookie: got %d, want 200", got.Status)
		}
	})
	t.Run("JV30 the cookie's attributes", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			tls          bool
			host, cookie string
		}{
			"plain http on loopback": {false, "127.0.0.1:8888", "ostiary-token-8888"},
			"http without a port":    {false, "localhost", "ostiary-token-80"},
			"https":                  {true, "lab.example", "__Host-ostiary-token"},
		} {
			b := newLab(t).browser()
			b.tls, b.host = c.tls, c.host
			got := b.navigate("/?token=" + labToken)
			if got.Status != http.StatusSeeOther || len(got.Cookies) != 1 {
				t.Fatalf("%s: got %d and cookies %v, want 303 and one", name, got.Status, got.Cookies)
			}
			cookie := got.Cookies[0]
			if cookie.Name != c.cookie || cookie.Secure != c.tls || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
				t.Errorf("%s: got %v, want %s", name, cookie, c.cookie)
			}
			if strings.Contains(cookie.Value, labToken) {
				t.Errorf("%s: the cookie holds the token", name)
			}
		}
	})
	t.Run("JV34 the scheme token", func(t *testing.T) {
		t.Parallel()
		newLab(t).browser().me(with("Authorization", "token "+labToken))
	})
	t.Run("JS41 Basic, and a token glued to its scheme", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		b.me(with("Authorization", "token "+labToken))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth("x", labToken)
		for _, value := range []string{r.Header.Get("Authorization"), "token" + labToken} {
			if got := b.get("/", with("Authorization", value)); got.Status != http.StatusUnauthorized || got.reached() {
				t.Errorf("%s: got %d, want 401", value, got.Status)
			}
		}
	})
	t.Run("JS42 a token in an API call's query admits and redirects nowhere", func(t *testing.T) {
		t.Parallel()
		got := newLab(t).browser().get("/api/me?token=" + labToken)
		if got.me(t); len(got.Cookies) != 0 || got.location() != "" {
			t.Errorf("got cookies %v and location %q, want neither", got.Cookies, got.location())
		}
	})
	t.Run("JS44 an empty token in the query does no harm to the header", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		if got := b.get("/api/me?token=", with("Authorization", "token "+labToken)); got.Status != http.StatusOK {
			t.Errorf("got %d, want 200", got.Status)
		}
	})
	t.Run("JS45 two tokens in the query are refused", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		if got := b.get("/?token=" + labToken); !got.reached() {
			t.Fatalf("one: got %d, want 200", got.Status)
		}
		if got := b.get("/?token=WRONG&token=" + labToken); got.Status != http.StatusUnauthorized || got.reached() {
			t.Errorf("got %d, want 401", got.Status)
		}
	})
	t.Run("JS46 blanks are not trimmed", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		if got := b.get("/?token=%20" + labToken + "%20"); got.Status != http.StatusUnauthorized || got.reached() {
			t.Errorf("got %d, want 401", got.Status)
		}
	})
	t.Run("JS47 the guard reads no body", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		if got := b.post("/", url.Values{"token": {labToken}}, bearing(labToken)); !got.reached() {
			t.Fatalf("with the token in the header: got %d, want 200", got.Status)
		}
		body := &labBody{Reader: strings.NewReader("token=" + labToken)}
		got := b.post("/", nil, func(r *http.Request) { r.Body = body })
		if got.Status != http.StatusUnauthorized || got.reached() || body.read {
			t.Errorf("got %d, body read: %v, want 401 and an untouched body", got.Status, body.read)
		}
	})
	t.Run("JV31 a wrong token in the query counts as none", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		if got, want := b.me2("/api/me?token=WRONG").Identity.Username, b.me().Identity.Username; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("JV32 a right token in the query doesn't make somebody else of a browser", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		want := b.me().Identity.Username
		got := b.get("/api/me?token=" + labToken)
		if got.me(t).Identity.Username != want || len(got.Cookies) != 0 {
			t.Errorf("got %s and cookies %v, want %q and none", got.Body, got.Cookies, want)
		}
		if got := b.navigate("/?token=" + labToken); got.location() != "/" || len(got.Cookies) != 0 {
			t.Errorf("navigating: got %d to %q, cookies %v, want / and none", got.Status, got.location(), got.Cookies)
		}
		if got := b.me().Identity.Username; got != want {
			t.Errorf("afterwards: got %q, want %q", got, want)
		}
	})
	t.Run("JS49 a header beside the cookie: the browser's guest, and no cross-site rule", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.loggedIn()
		got := b.get("/api/me", with("Authorization", "token "+labToken))
		if got.me(t).Identity.Username != b.me().Identity.Username || len(got.Cookies) != 0 {
			t.Errorf("got %s and cookies %v", got.Body, got.Cookies)
		}
		put := b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`, with("Authorization", "token "+labToken), with("Sec-Fetch-Site", "cross-site"))
		if put.Status != http.StatusOK || l.note("demo") != "x" {
			t.Errorf("got %d, want 200", put.Status)
		}
	})
	t.Run("JS50 an empty token is none in password mode", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, cheaply)
		if got := l.loggedIn(labPassword).get("/"); !got.reached() {
			t.Fatalf("logged in: got %d, want 200", got.Status)
		}
		for name, o := range map[string]labOption{
			"query":  func(r *http.Request) { r.URL.RawQuery = "token=" },
			"header": with("Authorization", "token "),
		} {
			if got := l.browser().get("/", o); got.Status != http.StatusUnauthorized || got.reached() {
				t.Errorf("%s: got %d, want 401", name, got.Status)
			}
		}
	})
	t.Run("JS90 a header's caller is not subject to the cross-site rule", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		got := l.browser().json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`, with("Authorization", "token "+labToken), with("Sec-Fetch-Site", "cross-site"))
		if got.Status != http.StatusOK || l.note("demo") != "x" {
			t.Errorf("got %d, want 200", got.Status)
		}
	})
}

// labBody notices that it is read.
type labBody struct {
	io.Reader
	read bool
}

func (b *labBody) Read(p []byte) (int, error) {
	b.read = true
	return b.Reader.Read(p)
}

func (b *labBody) Close() error { return nil }

// me2 is /api/me under another target.
func (b *labBrowser) me2(target string) labMe {
	b.lab.t.Helper()
	return b.get(target).me(b.lab.t)
}

// JS34: the token comes from a file whose trailing newline is trimmed.
func TestTokenFile(t *testing.T) {
	for name, content := range map[string]string{"no newline": labToken, "a newline": labToken + "\n", "CRLF": labToken + "\r\n"} {
		t.Run("JS34 "+name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AUTH_TOKEN", "")
			t.Setenv("AUTH_TOKEN_FILE", file)
			b := newLab(t, func(c *tokenauth.Config) { c.Token = "" }).browser()
			b.me(with("Authorization", "token "+labToken))
			if got := b.get("/", bearing("x"+labToken)); got.Status != http.StatusUnauthorized || got.reached() {
				t.Errorf("another token: got %d, want 401", got.Status)
			}
		})
	}
}

func TestLoginLogoutAndCookies(t *testing.T) {
	t.Parallel()
	t.Run("JV47 T-17 a restart ends the login, with a new token and with the same", func(t *testing.T) {
		t.Parallel()
		for name, given := range map[string]string{"generated": "", "the same": labToken} {
			config := func(c *tokenauth.Config) { c.Token = given }
			l := newLab(t, config)
			start, err := url.Parse(l.auth.StartURL("/"))
			if err != nil {
				t.Fatal(err)
			}
			b := l.loggedIn(append(start.Query()["token"], labToken)[0])
			if got := b.get("/"); !got.reached() {
				t.Fatalf("%s: before: got %d, want 200", name, got.Status)
			}
			b.lab = newLab(t, config)
			if got := b.copy().get("/"); got.Status != http.StatusUnauthorized || got.reached() {
				t.Errorf("%s: got %d, want 401", name, got.Status)
			}
		}
	})
	t.Run("JS17 the form takes the token, and its cookie alone is enough", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		got := b.post("/auth/login", url.Values{"password": {labToken}})
		if got.Status != http.StatusSeeOther || got.location() != "/" {
			t.Errorf("got %d to %q, want 303 to /", got.Status, got.location())
		}
		labGuest(t, b.me().Identity)
	})
	t.Run("JS18 a wrong token gets the form again, without what was typed", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		got := b.post("/auth/login", url.Values{"password": {"incorrect"}})
		if got.Status != http.StatusUnauthorized || len(got.Cookies) != 0 || !strings.Contains(got.Body, "<form") || strings.Contains(got.Body, "incorrect") {
			t.Errorf("got %d, cookies %v\n%s", got.Status, got.Cookies, got.Body)
		}
	})
	t.Run("JS20 a login form changes no password", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		for _, step := range []struct {
			form url.Values
			want int
		}{
			{url.Values{"password": {labToken}, "new_password": {"another-one-for-all"}}, http.StatusSeeOther},
			{url.Values{"password": {"another-one-for-all"}}, http.StatusUnauthorized},
			{url.Values{"password": {labToken}}, http.StatusSeeOther},
		} {
			if got := b.post("/auth/login", step.form); got.Status != step.want {
				t.Errorf("%v: got %d, want %d", step.form, got.Status, step.want)
			}
		}
	})
	t.Run("JS21 logout deletes the cookie, and its copy is worth nothing", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		thief, name := b.copy(), first(b.loginCookie())
		thief.me()
		got := b.post("/auth/logout", nil)
		if got.Status != http.StatusSeeOther || got.location() != "/auth/login" || len(got.Cookies) != 1 {
			t.Fatalf("got %d to %q, cookies %v", got.Status, got.location(), got.Cookies)
		}
		if c := got.Cookies[0]; c.Name != name || c.Path != "/" || c.MaxAge >= 0 || c.Value != "" {
			t.Errorf("got %v, want the deletion of %s", c, name)
		}
		if got := thief.get("/"); got.Status != http.StatusUnauthorized || got.reached() {
			t.Errorf("replayed: got %d, want 401", got.Status)
		}
	})
	t.Run("JS22 a browser is one guest, and API clients are another", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b, api := l.browser(), l.browser()
		if got := b.navigate("/?token=" + labToken); got.Status != http.StatusSeeOther {
			t.Fatalf("got %d, want 303", got.Status)
		}
		one, two := b.me().Identity, b.me().Identity
		three, four := api.me(with("Authorization", "token "+labToken)).Identity, api.me(with("Authorization", "token "+labToken)).Identity
		if one.Username != two.Username || three.Username != four.Username || one.Username == three.Username {
			t.Errorf("got %q, %q and %q, %q, want the same twice each", one.Username, two.Username, three.Username, four.Username)
		}
		labGuest(t, three)
	})
	t.Run("JS51 an invalid cookie is deleted, and none isn't", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		good := l.loggedIn()
		good.me()
		name := first(good.loginCookie())
		b := l.browser()
		if got := b.get("/api/me", with("Cookie", name+"=garbage")); got.Status != http.StatusUnauthorized || len(got.Cookies) != 1 || got.Cookies[0].Name != name || got.Cookies[0].MaxAge >= 0 {
			t.Errorf("garbage: got %d, cookies %v, want 401 and the deletion of %s", got.Status, got.Cookies, name)
		}
		if got := b.get("/api/me"); got.Status != http.StatusUnauthorized || len(got.Cookies) != 0 {
			t.Errorf("none: got %d, cookies %v, want 401 alone", got.Status, got.Cookies)
		}
		if got := good.get("/", bearing("WRONG")); got.Status != http.StatusUnauthorized || len(got.Cookies) != 0 {
			t.Errorf("a wrong header beside a valid cookie: got %d, cookies %v, want 401 and no cookie lost", got.Status, got.Cookies)
		}
		good.me()
	})
	t.Run("JS54 what https is", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			public, host, proto string
			tls                 bool
			cookie              string
		}{
			"http on loopback": {"", "127.0.0.1:8888", "", false, "ostiary-token-8888"},
			"https":            {"", "lab.example", "", true, "__Host-ostiary-token"},
			"http behind a TLS proxy with a PublicURL": {"https://lab.example", "lab.example", "", false, "__Host-ostiary-token"},
			"a header says https, PublicURL nothing":   {"", "127.0.0.1:8888", "https", false, "ostiary-token-8888"},
			"a header says http, PublicURL https":      {"https://lab.example", "lab.example", "http", false, "__Host-ostiary-token"},
		} {
			l := newLab(t, at(c.public))
			b := l.browser()
			b.host, b.tls = c.host, c.tls
			options := []labOption{}
			if c.proto != "" {
				options = append(options, with("X-Forwarded-Proto", c.proto))
			}
			if got := b.post("/auth/login", url.Values{"password": {labToken}}, options...); got.Status != http.StatusSeeOther {
				t.Fatalf("%s: got %d, want 303", name, got.Status)
			} else {
				for _, set := range got.Cookies {
					if !set.HttpOnly || set.Secure != strings.HasPrefix(c.cookie, "__Host-") {
						t.Errorf("%s: got %v", name, set)
					}
				}
			}
			if got := first(b.loginCookie()); got != c.cookie {
				t.Errorf("%s: got %q, want %q", name, got, c.cookie)
			}
			b.me()
		}
	})
	t.Run("JS56 below a path the deletion repeats what was set", func(t *testing.T) {
		t.Parallel()
		b := newLab(t, at("https://lab.example/foo/")).loggedIn()
		thief, name := b.copy(), first(b.loginCookie())
		thief.me()
		got := b.post("/foo/auth/logout", nil)
		if len(got.Cookies) != 1 || got.location() != "/foo/auth/login" {
			t.Fatalf("got %d to %q, cookies %v", got.Status, got.location(), got.Cookies)
		}
		if c := got.Cookies[0]; c.Name != name || c.Path != "/" || !c.Secure || c.MaxAge >= 0 {
			t.Errorf("got %v, want the deletion of %s", c, name)
		}
		if got := thief.get("/foo/"); got.Status != http.StatusUnauthorized || got.reached() {
			t.Errorf("got %d, want 401", got.Status)
		}
	})
}

func first(a, _ string) string { return a }

func TestGuestsLook(t *testing.T) {
	t.Parallel()
	t.Run("JV45 two browsers are two guests, each the same again", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		var names []string
		for range 2 {
			b := l.browser()
			b.navigate("/?token=" + labToken)
			one, two := b.me().Identity, b.me().Identity
			labGuest(t, one)
			if one.Username != two.Username || one.Name != two.Name {
				t.Errorf("got %v, then %v", one, two)
			}
			names = append(names, one.Username)
		}
		if names[0] == names[1] {
			t.Errorf("both are %q", names[0])
		}
	})
	t.Run("JV51 two answers of api/me are identical", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		if one, two := b.get("/api/me").Body, b.get("/api/me").Body; one != two || one == "" {
			t.Errorf("got %s, then %s", one, two)
		}
	})
	t.Run("the six keys, and the updatable fields inside permissions", func(t *testing.T) {
		t.Parallel()
		var answer map[string]map[string]any
		body := newLab(t).loggedIn().get(`/api/me?permissions={"contents":["read","write"]}`).Body
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		if len(answer) != 2 || len(answer["identity"]) != 6 || len(answer["permissions"]) != 2 || answer["identity"]["avatar_url"] != nil {
			t.Errorf("got %s", body)
		}
	})
}

// JS15, GO1, GO2, over real connections: what counts is the Location on the wire.
func TestReturnPathsBelowAnEscapedMount(t *testing.T) {
	t.Parallel()
	const root = "/a%40b/"
	l := newLab(t, at("https://lab.example/a%40b/"))
	server := httptest.NewServer(l)
	defer server.Close()
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for next, want := range map[string]string{
		`\\tree`: root, "//some-host": root, "//host/a%40b/tree": root, "https://google.com": root,
		"/absolute/not/base_url": root, "https:///a%40b/extra/slash": root, "///google.com": root, // JS15
		"/a%40b/tree//something": "/a%40b/tree//something",                               // GO1
		"/a%40b/tree":            "/a%40b/tree", "/a@b/tree": root, "/a%40bc/tree": root, // GO2
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/a%40b/auth/login?next="+url.QueryEscape(next), strings.NewReader("password="+labToken))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "lab.example"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("next=%s: got %d to %q, want 303 to %q", next, res.StatusCode, got, want)
		}
	}
}

// JS108, JS109: a secret in an address is neither logged nor repeated.
func TestSecretsInAddresses(t *testing.T) {
	t.Parallel()
	l := newLab(t).listen()
	b := l.browser()
	targets := []string{"/path?token=secret123&normal=value", "/path?password=pw-9f1c4e&token=tk-7d2e80", "/api/room/demo?password=pw-9f1c4e&token=tk-7d2e80"}
	var said []string
	for _, target := range targets {
		for _, got := range []labAnswer{b.get(target), b.navigate(target), b.get(target, bearing("WRONG"))} {
			if got.Status != http.StatusUnauthorized && got.Status != http.StatusSeeOther || got.reached() {
				t.Errorf("%s: got %d, want 401 or 303", target, got.Status)
			}
			said = append(said, got.Body, got.location())
		}
	}
	if code := b.refused(targets[2]); code != 1008 {
		t.Errorf("the handshake: got %d, want 1008", code)
	}
	for _, secret := range []string{"secret123", "pw-9f1c4e", "tk-7d2e80"} {
		if strings.Contains(l.logged(), secret) {
			t.Errorf("%s is in the log:\n%s", secret, l.logged())
		}
		if answers := strings.Join(said, "\n"); strings.Contains(answers, secret) {
			t.Errorf("%s is in an answer:\n%s", secret, answers)
		}
	}
	if !strings.Contains(l.logged(), "path=/path") {
		t.Errorf("nothing was logged of these requests: this test would pass whatever is\n%s", l.logged())
	}
}
