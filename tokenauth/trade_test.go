package tokenauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// labTraded checks that a navigation was sent on to want with a new login cookie.
func labTraded(t *testing.T, name string, got labAnswer, want string) {
	t.Helper()
	if got.Status != http.StatusSeeOther || got.location() != want || len(got.Cookies) != 1 || got.reached() {
		t.Errorf("%s: got %d to %q, cookies %v, reached: %v, want 303 to %q and one cookie", name, got.Status, got.location(), got.Cookies, got.reached(), want)
	}
}

func TestTradeOfATokenInTheAddress(t *testing.T) {
	t.Parallel()
	t.Run("T-12 the token goes, everything else stays as it was, in order", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, at("https://app.example/base"))
		for query, want := range map[string]string{
			"token=T":                          "",
			"token=T&y=1":                      "?y=1",
			"y=1&token=T":                      "?y=1",
			"b=2&token=T&a=1&b=3":              "?b=2&a=1&b=3",
			"a=%2f%41+b&token=T&c=//x.example": "?a=%2f%41+b&c=//x.example",
			"%74oken=T&y=1":                    "?y=1",
			"tok%65n=T":                        "",
			"Token=x&token=T&tokens=y&token2=": "?Token=x&tokens=y&token2=",
			"&&token=T&":                       "?&&",
			"y&token=T&z=":                     "?y&z=",
		} {
			got := l.browser().navigate("/base/x/%79/😀?" + strings.Replace(query, "=T", "="+labToken, 1))
			labTraded(t, query, got, "/base/x/%79/😀"+want)
			if v := got.Header.Get("Referrer-Policy"); v != "no-referrer" {
				t.Errorf("%s: got Referrer-Policy %q", query, v)
			}
		}
	})
	t.Run("T-12 a browser that refuses cookies is not sent round in circles", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		target := "/x?token=" + labToken
		var seen []string
		for range 5 {
			got := l.browser().navigate(target) // a new one each time: it has kept nothing
			seen = append(seen, target)
			if got.Status == http.StatusOK {
				if strings.Contains(got.Body, "<form") && len(seen) == 3 {
					return
				}
				break
			}
			target = got.location()
		}
		t.Errorf("got %q, want the page, its clean address and the login form", seen)
	})
	t.Run("T-12 where no cookie can be set the page comes at once", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.browser()
		b.host = "192.0.2.1:8888" // http on a network, and InsecureHTTP isn't set
		got := b.navigate("/x?token=" + labToken)
		if labAdmitted(t, "navigating", got); len(got.Cookies) != 0 || got.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("got cookies %v, Referrer-Policy %q, want none and no-referrer", got.Cookies, got.Header.Get("Referrer-Policy"))
		}
		if events := l.eventsOf(auth.EventWarning); len(events) != 1 || !strings.Contains(events[0].Reason, "set PublicURL") {
			t.Errorf("got warnings %+v, want one that says why", events)
		}
	})
	t.Run("T-12 HEAD is a navigation too", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		got := l.browser().do(http.MethodHead, "/?token="+labToken+"&y=1", "", navigating)
		labTraded(t, "HEAD", got, "/?y=1")
	})
	t.Run("T-12 an old browser without fetch metadata", func(t *testing.T) {
		t.Parallel()
		got := newLab(t).browser().get("/?token="+labToken, with("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"))
		labTraded(t, "Accept alone", got, "/")
	})
	t.Run("a query with a semicolon, two tokens and a wrong one trade nothing", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		labTraded(t, "good", l.browser().navigate("/?token="+labToken), "/")
		for query, status := range map[string]int{
			"token=T;x=1": http.StatusSeeOther, "x=1;token=T": http.StatusSeeOther, "token=WRONG": http.StatusSeeOther, "token=": http.StatusSeeOther,
			"token=T&token=T": http.StatusUnauthorized, "token=T&token=": http.StatusUnauthorized,
		} {
			got := l.browser().navigate("/?" + strings.ReplaceAll(query, "=T", "="+labToken))
			if labRefused(t, query, got, status); len(got.Cookies) != 0 || strings.Contains(got.location(), labToken) {
				t.Errorf("%s: got cookies %v and location %q", query, got.Cookies, got.location())
			}
		}
	})
	t.Run("a link that is stale is cleaned for who is logged in", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		for _, query := range []string{"?token=WRONG&y=1", "?token=&y=1"} {
			if got := b.navigate("/" + query); got.location() != "/?y=1" || len(got.Cookies) != 0 {
				t.Errorf("%s: got %d to %q, cookies %v, want /?y=1", query, got.Status, got.location(), got.Cookies)
			}
		}
		labAdmitted(t, "semicolon", b.navigate("/?token=x;y=1"))
	})
	t.Run("a link works for a browser whose old login has ended", func(t *testing.T) {
		t.Parallel()
		for name, change := range map[string]func(*tokenauth.Config){
			"its lifetime is over":  func(c *tokenauth.Config) { c.Lifetime = time.Hour },
			"its token has expired": func(c *tokenauth.Config) { c.Tokens[0].Expires = c.Auth.Now().Add(time.Hour) },
		} {
			clock := newLabClock()
			l := newLab(t, clocked(clock), named(tokenauth.Token{Name: "short", Token: labReader}), change)
			b := l.loggedIn(labReader)
			labAdmitted(t, name+": before", b.get("/"))
			old := second(b.loginCookie())
			clock.advance(2 * time.Hour)
			labRefused(t, name+": the cookie", b.copy().get("/"), http.StatusUnauthorized)
			labAdmitted(t, name+": header", b.copy().get("/", bearing(labToken)))
			labTraded(t, name, b.navigate("/?token="+labToken), "/")
			if labAdmitted(t, name+": after", b.get("/")); second(b.loginCookie()) == old {
				t.Errorf("%s: the cookie is still the old one", name)
			}
		}
	})
	t.Run("T-13 no Referer leaves with the token", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		for name, got := range map[string]labAnswer{
			"trade": l.browser().navigate("/?token=" + labToken), "API": l.browser().get("/?token=" + labToken), "401": l.browser().get("/?token=WRONG"),
			"page of 401": l.browser().navigate("/?token=a&token=b"), "login page": l.browser().navigate("/auth/login?token=" + labToken),
			"redirect to it": l.browser().navigate("/?token=WRONG"), "semicolon": l.loggedIn().get("/?a;token=" + labToken),
		} {
			if v := got.Header.Get("Referrer-Policy"); v != "no-referrer" {
				t.Errorf("%s: got Referrer-Policy %q, want no-referrer", name, v)
			}
		}
	})
	t.Run("T-15 a path that begins like a host leads nowhere else", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		guarded := l.auth.CurrentUser(nil)(labReached(l.page)) // ServeMux would clean the path
		for _, target := range []string{"//evil.example/?token=T", `/\evil.example?token=T`, "/.//evil.example/?token=T", "http://evil.example/x?token=T", `/a/..//evil.example?token=T`, "///evil.example/%2f..?y=1&token=T"} {
			b := l.browser()
			b.lab = &lab{t: t, Handler: guarded, base: ""}
			got := b.navigate("/", func(r *http.Request) {
				r.RequestURI = strings.Replace(target, "=T", "="+labToken, 1)
				r.URL, _ = url.ParseRequestURI(r.RequestURI)
				if r.URL == nil {
					path, query, _ := strings.Cut(r.RequestURI, "?")
					r.URL = &url.URL{Path: path, RawQuery: query}
				}
			})
			want := "/"
			if strings.HasPrefix(target, "http://") {
				want = "/x"
			}
			labTraded(t, target, got, want)
		}
	})
	t.Run("T-16 the cookie is not the token", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.browser()
		b.navigate("/?token=" + labToken)
		_, value := b.loginCookie()
		for _, spelling := range labSpellings(labToken) {
			if strings.Contains(value, spelling) {
				t.Errorf("the cookie holds the token as %q", spelling)
			}
		}
		labRefused(t, "as a token", l.browser().get("/", bearing(value)), http.StatusUnauthorized)
		labRefused(t, "in the query", l.browser().get("/?token="+url.QueryEscape(value)), http.StatusUnauthorized)
		labRefused(t, "in the form", l.browser().post("/auth/login", url.Values{"password": {value}}), http.StatusUnauthorized)
		name, _ := b.loginCookie()
		labRefused(t, "the token as the cookie", l.browser().get("/", with("Cookie", name+"="+labToken)), http.StatusUnauthorized)
	})
	t.Run("a login by link is reported with the guest who came", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.browser()
		b.navigate("/?token=" + labToken)
		events := l.eventsOf(auth.EventLogin)
		if len(events) != 1 || events[0].Username != b.me().Identity.Username || events[0].UserID != "token:"+events[0].Username || events[0].Reason != "link" {
			t.Errorf("got %+v, want one login of %s", events, b.me().Identity.Username)
		}
	})
}

func second(_, b string) string { return b }
