package tokenauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/ostiary/auth/tokenauth"
)

const redirectsRoot = "/base/"

// redirectsSafe checks that a browser that is at https://app.example/base stays there.
func redirectsSafe(t *testing.T, next, location string) {
	t.Helper()
	// As the URL standard has it: tabs and newlines go, backslashes are slashes.
	browsers := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.Trim(location, "\x00\x01\x1f "))
	base, _ := url.Parse("https://app.example/base/auth/login")
	u, err := base.Parse(browsers)
	if err != nil || u.Scheme != "https" || u.Host != "app.example" || u.User != nil || u.Path != "/base" && !strings.HasPrefix(u.Path, "/base/") {
		t.Errorf("next=%q leads to %q, which a browser takes for %v (%v)", next, location, u, err)
	}
}

func redirectsLab(t *testing.T) *lab { return newLab(t, at("https://app.example/base")) }

func TestReturnPathsOfALogin(t *testing.T) {
	t.Parallel()
	long := redirectsRoot + strings.Repeat("x", 64<<10)
	for _, c := range []struct {
		id   string
		next []string
		want string // empty: kept as it is
	}{
		{"R-01 protocol-relative", []string{"//evil.example", "///evil.example", "////evil.example", "//evil.example:443", "//[::1]/", "//%65vil.example"}, redirectsRoot},
		{"R-02 backslashes", []string{`/\evil.example`, `/\/evil.example`, `\\evil.example`, `\/evil.example`, `https:\\evil.example`, `https:/\evil.example`}, redirectsRoot},
		{"R-03 cleaning would arm it", []string{`/./\evil.example`, `/base/../\evil.example`, `/base/./\evil.example`}, redirectsRoot},
		{"R-04 tabs", []string{"/\t/evil.example", "/\t\\evil.example"}, redirectsRoot},
		{"R-05 line ends", []string{"/\n/evil.example", "/\r/evil.example", "/\r\n/evil.example", "/base/x\r\nSet-Cookie: a=b"}, redirectsRoot},
		{"R-06 leading control characters and blanks", []string{"\t//evil.example", " //evil.example", "\x01//evil.example", "\x1f//evil.example", " /base/x"}, redirectsRoot},
		{"R-07 other origins", []string{"https://evil.example", "https:///evil.example", "http:evil.example", "HTTPS://EVIL.EXAMPLE", "https:evil.example"}, redirectsRoot},
		{"R-08 user information", []string{"https://app.example@evil.example", "//app.example@evil.example", "https://app.example:x@evil.example"}, redirectsRoot},
		{"R-09 parts of hosts", []string{"https://app.example.evil.example", "https://app.example%2eevil.example", `https://evil.example\.app.example`, "https://app.example./base/x"}, redirectsRoot},
		{"R-10 where parsers differ", []string{`https://evil.example\@app.example`, "https://evil.example#@app.example", "https://evil.example?@app.example", `//evil.example\app.example`}, redirectsRoot},
		{"R-11 other scripts", []string{"//evil。example", "//ｅvil.example", "https://app.example。evil.example"}, redirectsRoot},
		{"R-12 schemes that run", []string{"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "\x00javascript:alert(1)", "data:text/html,x", "vbscript:x", "about:blank", "blob:https://app.example/x"}, redirectsRoot},
		{"R-13 numbers for hosts", []string{"http://2130706433/", "//0x7f.1/", "//017700000001/"}, redirectsRoot},
		{"R-14 another scheme", []string{"http://app.example/base/x"}, redirectsRoot},
		{"R-15 another port", []string{"https://app.example:8443/"}, redirectsRoot},
		{"the own origin, spelled out", []string{"https://app.example/base/x"}, redirectsRoot},
		{"R-16 good values are kept byte by byte", []string{"/base/x?y=//evil.example", "/base/x#a", "/base/a%2fb", "/base/😀", "/base/a?q=http://z", "/base/?a=1&b=%26"}, ""},
		{"R-17 good values are not cleaned", []string{"/base/x//y", "/base/files//a"}, ""},
		{"R-18 the mount point is compared by elements", []string{"/basement/x", "/base/../other", "/other/x", "/", "/Base/x", "/base%2fx", "/bas%65/x"}, redirectsRoot},
		{"R-18 the mount point itself", []string{"/base"}, ""},
		{"R-20 relative values", []string{"evil.example", "@evil.example", "x", "../x", "?a=b", "#x", ""}, redirectsRoot},
		{"R-21 the login and logout pages", []string{"/base/auth/login?next=/base/auth/login", "/base/auth/logout", "/base/auth/login", "/base//auth/login", "/base/auth/%6cogin", "/base/auth/login/"}, redirectsRoot},
		{"R-26 overlong", []string{long, long + "?" + strings.Repeat("y", 1<<10)}, redirectsRoot},
	} {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			l := redirectsLab(t)
			for _, next := range c.next {
				want := c.want
				if want == "" {
					want = next
				}
				ask := "/base/auth/login?next=" + url.QueryEscape(next)
				answers := map[string]labAnswer{
					"query":           l.browser().post(ask, rightToken),
					"R-24 logged in":  l.loggedIn().navigate(ask),
					"R-24 logged in ": l.loggedIn().do(http.MethodHead, ask, ""),
				}
				if len(next) < 10<<10 { // the form has a limit of its own
					answers["R-23 form"] = l.browser().post("/base/auth/login", url.Values{"password": {labToken}, "next": {next}})
				}
				for how, got := range answers {
					if got.Status != http.StatusSeeOther || got.location() != want { // 303, so that no browser posts the password on
						t.Errorf("%s: next=%.200q: got %d to %.200q, want 303 to %.200q", how, next, got.Status, got.location(), want)
					}
					redirectsSafe(t, next, got.location())
				}
				if got := l.browser().navigate(ask); got.Status != http.StatusOK || strings.Contains(got.Body, "evil.example") && want == redirectsRoot {
					t.Errorf("next=%.200q: the form repeats it (R-12): %d", next, got.Status)
				}
			}
		})
	}
}

// every line of the corpus, as it is and unescaped.
func TestRedirectCorpus(t *testing.T) {
	t.Parallel()
	corpus, err := os.ReadFile("../internal/returnpath/testdata/redirects.tsv")
	if err != nil {
		t.Fatal(err)
	}
	l := redirectsLab(t)
	lines := 0
	for line := range strings.Lines(string(corpus)) {
		field, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		var payload string
		if json.Unmarshal([]byte(field), &payload) != nil {
			continue // the heading
		}
		lines++
		unescaped, _ := url.QueryUnescape(payload)
		for _, next := range []string{payload, unescaped} {
			got := l.browser().post("/base/auth/login?next="+url.QueryEscape(next), rightToken)
			if got.Status != http.StatusSeeOther {
				t.Errorf("%q: got %d, want 303", next, got.Status)
			}
			redirectsSafe(t, next, got.location())
		}
	}
	if lines < 100 {
		t.Errorf("got %d lines of the corpus, want more than 100", lines)
	}
}

func TestReturnPathRules(t *testing.T) {
	t.Parallel()
	t.Run("R-19 a prefix that is stripped leaves no host behind", func(t *testing.T) {
		t.Parallel()
		l := redirectsLab(t)
		l.Handler = http.StripPrefix("/base", l.auth.Routes())
		got := l.browser().post("/base/auth/login?next="+url.QueryEscape("/base//evil.example"), rightToken)
		if got.location() != "/base//evil.example" { // below the mount point: not a host
			t.Errorf("got %d to %q", got.Status, got.location())
		}
		redirectsSafe(t, "/base//evil.example", got.location())
	})
	t.Run("R-22 the first of two counts, the form's before the query's", func(t *testing.T) {
		t.Parallel()
		l := redirectsLab(t)
		for _, c := range []struct {
			query string
			form  []string
			want  string
		}{
			{"?next=/base/ok&next=//evil.example", nil, "/base/ok"},
			{"?next=//evil.example&next=/base/ok", nil, redirectsRoot},
			{"?next=//evil.example", []string{"/base/form"}, "/base/form"},
			{"?next=/base/ok", []string{"//evil.example"}, redirectsRoot},
			{"", []string{"/base/ok", "//evil.example"}, "/base/ok"},
		} {
			got := l.browser().post("/base/auth/login"+c.query, url.Values{"password": {labToken}, "next": c.form})
			if got.location() != c.want {
				t.Errorf("%s %q: got %q, want %q", c.query, c.form, got.location(), c.want)
			}
		}
	})
	t.Run("R-25 a failed login keeps the way back, escaped", func(t *testing.T) {
		t.Parallel()
		b := redirectsLab(t).browser()
		const next = `/base/x"><script>alert(1)</script>`
		got := b.post("/base/auth/login", url.Values{"password": {"wrong"}, "next": {next}})
		if got.Status != http.StatusUnauthorized || strings.Contains(got.Body, "<script") || !strings.Contains(got.Body, `value="/base/x&#34;&gt;&lt;script&gt;`) {
			t.Errorf("got %d %s", got.Status, got.Body[strings.Index(got.Body, "<main>"):])
		}
		if got := b.post("/base/auth/login", url.Values{"password": {labToken}, "next": {next}}); got.location() != next {
			t.Errorf("got %q, want %q", got.location(), next)
		}
	})
	t.Run("R-26 a megabyte for a return path", func(t *testing.T) {
		t.Parallel()
		b := redirectsLab(t).browser()
		got := b.post("/base/auth/login?next=/base/"+strings.Repeat("x", 1<<20), rightToken)
		if got.Status != http.StatusSeeOther || got.location() != redirectsRoot {
			t.Errorf("got %d to %.100q", got.Status, got.location())
		}
		far := b.lab.browser().navigate("/base/" + strings.Repeat("x", 64<<10))
		if labRefused(t, "navigating", far, http.StatusSeeOther); far.location() != "/base/auth/login?next=%2Fbase%2F" {
			t.Errorf("got %.100q", far.location())
		}
	})
	t.Run("R-27 R-28 neither Host nor a forwarding header shows in a redirect", func(t *testing.T) {
		t.Parallel()
		for _, proxies := range [][]string{nil, {"192.0.2.0/24"}} {
			for name, public := range map[string]string{"PublicURL": "https://app.example", "none": ""} {
				l := newLab(t, at(public), func(c *tokenauth.Config) { c.Auth.TrustedProxies = proxies })
				lie := func(r *http.Request) {
					for name, value := range map[string]string{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "javascript", "Forwarded": "host=evil.example;proto=http", "X-Original-Url": "//evil.example", "X-Forwarded-Prefix": "//evil.example"} {
						r.Header.Set(name, value)
					}
				}
				for what, got := range map[string]labAnswer{
					"login page": l.browser().navigate("/x", lie, to("evil.example")), "trade": l.browser().navigate("/x?token="+labToken, lie), "login": l.browser().post("/auth/login", rightToken, lie),
					"logout": l.loggedIn().post("/auth/logout", nil, lie),
				} {
					if got.Status != http.StatusSeeOther || strings.Contains(got.location(), "evil") || !strings.HasPrefix(got.location(), "/") {
						t.Errorf("%s, %s: got %d to %q", name, what, got.Status, got.location())
					}
				}
			}
		}
	})
	t.Run("R-29 an absolute request target", func(t *testing.T) {
		t.Parallel()
		l := redirectsLab(t).listen()
		answer := labRaw(t, l, "GET http://evil.example/base/private HTTP/1.1\r\nHost: app.example\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 303") || !strings.Contains(answer, "\r\nLocation: /base/auth/login?next=%2Fbase%2Fprivate\r\n") {
			t.Errorf("got %.400q", answer)
		}
	})
	t.Run("R-30 a path that looks like a host is no way back", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		l.Handler = l.auth.CurrentUser(nil)(labReached(l.page)) // ServeMux would clean the path
		for _, target := range []string{"//evil.example/..", `/\evil.example/`, "//evil.example", "/.//evil.example"} {
			got := l.browser().navigate("/", func(r *http.Request) {
				r.RequestURI, r.URL = target, &url.URL{Path: target}
			})
			if labRefused(t, target, got, http.StatusSeeOther); got.location() != "/auth/login?next=%2F" {
				t.Errorf("%s: got %q", target, got.location())
			}
		}
	})
	t.Run("T-12 the way back to the login page holds no secret", func(t *testing.T) {
		t.Parallel()
		got := newLab(t).browser().navigate("/x?a=1&token=WRONG&password=hunter2&b=2&access_token=zzz")
		if got.location() != "/auth/login?next="+url.QueryEscape("/x?a=1&b=2") {
			t.Errorf("got %q", got.location())
		}
	})
}
