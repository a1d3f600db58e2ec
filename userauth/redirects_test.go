package userauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// where a login leads to. A sample of each kind: internal/returnpath has the rest.
func TestReturnPaths(t *testing.T) {
	t.Parallel()
	const root = "/base/"
	s := newSite(t, at("https://app.example/base"))
	s.add("alice", nil)
	in := s.in("alice")
	for next, want := range map[string]string{
		"//evil.example": root, "///evil.example": root, "//[::1]/": root, "//%65vil.example": root,
		`/\evil.example`: root, `\\evil.example`: root, `https:\\evil.example`: root,
		`/./\evil.example`: root, `/base/../\evil.example`: root,
		"/\t/evil.example": root, "/\t\\evil.example": root, "/\n/evil.example": root, "/\r\n/evil.example": root,
		"\t//evil.example": root, " //evil.example": root, "\x01//evil.example": root,
		"https://evil.example": root, "https:///evil.example": root, "https:evil.example": root,
		"https://app.example@evil.example": root, "//app.example@evil.example": root,
		"https://app.example.evil.example": root, "https://app.example/base/x": root,
		`https://evil.example\@app.example`: root, `//evil.example\app.example`: root,
		"//evil\u3002example": root, "//ｅvil.example": root,
		"javascript:alert(1)": root, "data:text/html,x": root, "\x00javascript:alert(1)": root,
		"http://2130706433/": root, "//0x7f.1/": root,
		"http://app.example/base/x": root, "https://app.example:8443/base/x": root,
		"/base/x?y=//evil.example": "/base/x?y=//evil.example", "/base/x#a": "/base/x#a", "/base/a%2fb": "/base/a%2fb", "/base/😀": "/base/😀",
		"/base/x//y": "/base/x//y", "/base/files//a": "/base/files//a",
		"/basement/x": root, "/base": "/base", "/base/../other": root, "/other/x": root,
		"/base//evil.example": "/base//evil.example",                                                         // under the mount point, and never stripped
		"evil.example":        root, "@evil.example": root, "../x": root, "?a=b": root, "#x": root, "": root,
		"/base/auth/login?next=/base/auth/login": root, "/base/auth/logout": root, "/base/auth/./login": root,
		"/base/" + strings.Repeat("x", 64<<10): root,
	} {
		stranger := s.browser()
		form := credentials("alice", sitePassword)
		form.Set("next", next)
		overlong := len(next) > 16<<10
		if got := stranger.post("/base/auth/login", form); !overlong && (got.Status != http.StatusSeeOther || got.location() != want) {
			t.Errorf("%.80q: got %d to %q, want %q", next, got.Status, got.location(), want)
		} else if overlong && got.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%.80q: got %d, want 413", next, got.Status)
		}
		query := "?" + url.Values{"next": {next}}.Encode()
		if got := in.navigate("/base/auth/login" + query); got.Status != http.StatusSeeOther || got.location() != want {
			t.Errorf("%.80q, logged in already: got %d to %q, want %q", next, got.Status, got.location(), want)
		}
		// what the form carries is what would be used, and is asked again when it comes back.
		page := s.browser().navigate("/base/auth/login" + query)
		if page.Status != http.StatusOK || strings.Contains(page.Body, "evil") && want == root || strings.Contains(page.Body, "javascript") {
			t.Errorf("%.80q: got %d\n%s", next, page.Status, page.text())
		}
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	t.Run("JV18 all pages are under the mount point", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, at("https://app.example/foo"))
		s.add("alice", nil)
		if got := s.browser().navigate("/auth/login"); got.Status != http.StatusNotFound {
			t.Errorf("outside: got %d, want 404", got.Status)
		}
		if got := s.browser().navigate("/foo/"); got.Status != http.StatusSeeOther || got.location() != "/foo/auth/login?next=%2Ffoo%2F" {
			t.Errorf("got %d to %q", got.Status, got.location())
		}
		b := s.in("alice")
		for path, who := range map[string]*browser{"/login": s.browser(), "/me": b, "/password": b, "/sessions": b} {
			got := who.navigate("/foo/auth" + path)
			if got.Status != http.StatusOK {
				t.Errorf("%s: got %d", path, got.Status)
			}
			for _, attribute := range []string{`href="`, `action="`, `src="`} {
				for _, rest := range strings.Split(got.Body, attribute)[1:] {
					if link, _, _ := strings.Cut(rest, `"`); strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "/foo/") || strings.Contains(link, ":") {
						t.Errorf("%s: the page leads to %q", path, link)
					}
				}
			}
		}
		if got := b.post("/foo/auth/logout", nil); got.location() != "/foo/auth/login" {
			t.Errorf("logout: got %q", got.location())
		}
	})
	t.Run("R-22 two return paths: the first of the form's", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		form := credentials("alice", sitePassword)
		form["next"] = []string{"/first", "//evil.example"}
		if got := s.browser().post("/auth/login?next=/query", form); got.location() != "/first" {
			t.Errorf("got %q, want /first", got.location())
		}
	})
	t.Run("R-25 a wrong password keeps it", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		form := credentials("alice", "wrong")
		form.Set("next", `/x"><script>`)
		if got := s.browser().post("/auth/login", form); strings.Contains(got.Body, "<script>") || !strings.Contains(got.Body, `value="/x&#34;&gt;&lt;script&gt;"`) {
			t.Errorf("got\n%s", got.text())
		}
	})
	t.Run("R-27 R-28 R-29 no header makes a redirect lead elsewhere", func(t *testing.T) {
		t.Parallel()
		for _, publicURL := range []string{"", "https://app.example"} {
			s := newSite(t, at(publicURL))
			for name, options := range map[string][]option{
				"Host":             {to("evil.example")},
				"X-Forwarded-Host": {with("X-Forwarded-Host", "evil.example"), with("X-Forwarded-Proto", "javascript")},
				"Forwarded":        {with("Forwarded", "host=evil.example;proto=http")},
			} {
				if got := s.browser().navigate("/x", options...); got.location() != "/auth/login?next=%2Fx" {
					t.Errorf("%s: got %d to %q", name, got.Status, got.location())
				}
			}
		}
	})
	t.Run("R-30 a path that is reflected is safe when it comes back", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		guarded := s.users.CurrentUser(nil)(s.reach(s.page))
		routes := s.Handler
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/auth/") {
				routes.ServeHTTP(w, r)
				return
			}
			guarded.ServeHTTP(w, r)
		})
		for _, target := range []string{"//evil.example/..", `/\evil.example/`, "//evil.example"} {
			got := s.browser().navigate("/", func(r *http.Request) { r.RequestURI, r.URL = target, &url.URL{Path: target} })
			location, err := url.Parse(got.location())
			if err != nil || location.Path != "/auth/login" || location.Host != "" {
				t.Fatalf("%s: got %d to %q", target, got.Status, got.location())
			}
			form := credentials("alice", sitePassword)
			form.Set("next", location.Query().Get("next"))
			if got := s.browser().post("/auth/login", form); got.location() != "/" {
				t.Errorf("%s: followed after the login: got %q, want /", target, got.location())
			}
		}
	})
	t.Run("L-11 a login page asked for by HEAD", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		if got := s.browser().do(http.MethodHead, "/auth/login", ""); got.Status != http.StatusOK || got.Body != "" || fmt.Sprint(got.Cookies) != "[]" {
			t.Errorf("got %d %q %v", got.Status, got.Body, got.Cookies)
		}
	})
}
