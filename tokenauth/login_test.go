package tokenauth_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// labNoLogin checks that a login request was answered with status and logged nobody in.
func labNoLogin(t *testing.T, name string, got labAnswer, status int) {
	t.Helper()
	if got.Status != status || len(got.Cookies) != 0 {
		t.Errorf("%s: got %d, cookies %v, want %d and none\n%.300s", name, got.Status, got.Cookies, status, got.Body)
	}
}

func labLogin(t *testing.T, name string, got labAnswer) {
	t.Helper()
	if got.Status != http.StatusSeeOther || len(got.Cookies) == 0 {
		t.Errorf("%s: got %d, cookies %v, want 303 and a login\n%.300s", name, got.Status, got.Cookies, got.Body)
	}
}

var rightToken = url.Values{"password": {labToken}}

func TestLoginForm(t *testing.T) {
	t.Parallel()
	t.Run("T-21 a wrong token, the right one, a megabyte", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		wrong := b.post("/auth/login", url.Values{"password": {`wrong"><b>`}})
		if labNoLogin(t, "wrong", wrong, http.StatusUnauthorized); strings.Contains(wrong.Body, "wrong") || !strings.Contains(wrong.Body, `role="alert"`) {
			t.Errorf("got a page that repeats what was typed, or no message:\n%s", wrong.Body)
		}
		labLogin(t, "right", b.post("/auth/login", rightToken))
		labNoLogin(t, "1 MiB", newLab(t).browser().post("/auth/login", url.Values{"password": {strings.Repeat("x", 1<<20)}}), http.StatusRequestEntityTooLarge)
	})
	t.Run("L-18 the field is a password, for password managers too, and of any length", func(t *testing.T) {
		t.Parallel()
		got := newLab(t).browser().navigate("/auth/login?next=/x")
		for _, want := range []string{`type="password"`, `autocomplete="current-password"`, `name="password"`, `method="post"`, `action="/auth/login"`, `name="next" value="/x"`, ">Token<"} {
			if !strings.Contains(got.Body, want) {
				t.Errorf("the form lacks %s", want)
			}
		}
		if strings.Contains(got.Body, "maxlength") || strings.Contains(got.Body, "<script") {
			t.Errorf("got %s", got.Body)
		}
	})
	t.Run("L-17 no page can be framed or kept", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.browser()
		for name, got := range map[string]labAnswer{
			"login": b.navigate("/auth/login"), "wrong": b.post("/auth/login", url.Values{"password": {"x"}}), "405": b.navigate("/auth/logout"), "404": b.navigate("/auth/other"),
			"401": b.navigate("/", bearing("WRONG")), "403": b.post("/auth/login", rightToken, with("Sec-Fetch-Site", "cross-site")),
		} {
			if h := got.Header; !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || !strings.Contains(h.Get("Cache-Control"), "no-store") ||
				h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
				t.Errorf("%s: got %d %v", name, got.Status, h)
			}
		}
	})
	t.Run("L-19 nothing from the address is shown, and the return path is escaped", func(t *testing.T) {
		t.Parallel()
		got := newLab(t).browser().navigate("/auth/login?error=%3Cb%3Eowned&message=owned&next=" + url.QueryEscape(`/x"><svg onload=alert(1)>{{7*7}}</title>`))
		if strings.Contains(got.Body, "owned") || strings.Contains(got.Body, "<svg") || strings.Contains(got.Body, ">49") || !strings.Contains(got.Body, "&#34;&gt;&lt;svg") {
			t.Errorf("got %s", got.Body[strings.Index(got.Body, "<main>"):])
		}
	})
	t.Run("F-01 large bodies are refused before they are held", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		labLogin(t, "small", l.browser().post("/auth/login", rightToken))
		for name, body := range map[string]string{"one field of 11 MiB": "password=" + strings.Repeat("x", 11<<20), "100,000 fields": strings.Repeat("a=b&", 100_000)} {
			source := &labCount{Reader: strings.NewReader(body)}
			got := l.browser().post("/auth/login", nil, func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(source), -1 })
			labNoLogin(t, name, got, http.StatusRequestEntityTooLarge)
			if source.n > 64<<10 {
				t.Errorf("%s: %d bytes were read", name, source.n)
			}
		}
		many := l.browser().post("/auth/login", nil, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx\r\n", 10_000) + "--b--"))
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		})
		labNoLogin(t, "multipart of 10,000 parts", many, http.StatusUnsupportedMediaType)
	})
	t.Run("F-03 a body that is shorter than it says, over the wire", func(t *testing.T) {
		t.Parallel()
		l := newLab(t).listen()
		for name, request := range map[string]string{
			"short":        "Content-Length: 1000\r\n\r\npassword=" + labToken,
			"broken chunk": "Transfer-Encoding: chunked\r\n\r\nzz\r\npassword=" + labToken + "\r\n0\r\n\r\n",
		} {
			answer := labRaw(t, l, "POST /auth/login HTTP/1.1\r\nHost: "+l.host+"\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"+request)
			if answer != "" && !strings.HasPrefix(answer, "HTTP/1.1 400") || strings.Contains(answer, "Set-Cookie") {
				t.Errorf("%s: got %.200q, want 400 and no cookie", name, answer)
			}
		}
	})
	t.Run("L-20 F-04 F-05 content types, encodings and charsets that aren't offered", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		form := rightToken.Encode()
		for _, c := range []struct {
			contentType, encoding, body string
			want                        int
		}{
			{"application/x-www-form-urlencoded; charset=utf-8", "", form, http.StatusSeeOther},
			{"application/x-www-form-urlencoded; charset=UTF-8", "", form, http.StatusSeeOther},
			{"application/x-www-form-urlencoded; charset=latin1", "", form, http.StatusBadRequest},
			{"application/x-www-form-urlencoded; charset=utf-16", "", form, http.StatusBadRequest},
			{"application/x-www-form-urlencoded", "gzip", form, http.StatusUnsupportedMediaType},
			{"application/x-www-form-urlencoded", "", "password=%ff%fe", http.StatusBadRequest},
			{"application/x-www-form-urlencoded", "", "password=%zz", http.StatusBadRequest},
			{"application/x-www-form-urlencoded", "", "password=" + labToken + ";x=1", http.StatusBadRequest},
			{"multipart/form-data; boundary=b", "", "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n" + labToken + "\r\n--b--\r\n", http.StatusUnsupportedMediaType},
			{"text/plain", "", `{"password":"` + labToken + `"}`, http.StatusUnsupportedMediaType}, // L-10
			{"text/plain", "", form, http.StatusUnsupportedMediaType},
			{"text/xml", "", "<password>" + labToken + "</password>", http.StatusUnsupportedMediaType},
			{"application/json; charset=utf-16", "", `{"password":"` + labToken + `"}`, http.StatusUnsupportedMediaType},
			{"", "", form, http.StatusUnsupportedMediaType},
			{";;", "", form, http.StatusUnsupportedMediaType},
			{"application/x-www-form-urlencoded; charset=\"", "", form, http.StatusUnsupportedMediaType},
		} {
			got := l.browser().do(http.MethodPost, "/auth/login", c.body, with("Content-Type", c.contentType), with("Content-Encoding", c.encoding))
			if name := c.contentType + " " + c.encoding + " " + c.body; c.want == http.StatusSeeOther {
				labLogin(t, name, got)
			} else if got.Status != c.want && !(strings.Contains(c.contentType, "json") && got.Status == http.StatusBadRequest) || len(got.Cookies) != 0 {
				t.Errorf("%s: got %d, cookies %v, want %d", name, got.Status, got.Cookies, c.want)
			}
		}
		labNoLogin(t, "no content type", l.browser().do(http.MethodPost, "/auth/login", form), http.StatusUnsupportedMediaType)
		labNoLogin(t, "two content types", l.browser().do(http.MethodPost, "/auth/login", form, with("Content-Type", "application/x-www-form-urlencoded", "text/plain")), http.StatusUnsupportedMediaType)
	})
	t.Run("L-11 L-21 a token in the query logs nobody in through the form", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		get := b.navigate("/auth/login?password=" + labToken + "&token=" + labToken)
		if labNoLogin(t, "GET", get, http.StatusOK); strings.Contains(get.Body, labToken) {
			t.Error("the page repeats the token")
		}
		labNoLogin(t, "POST with an empty body", b.post("/auth/login?password="+labToken+"&token="+labToken, nil), http.StatusUnauthorized)
		labNoLogin(t, "JSON", b.json(http.MethodPost, "/auth/login?password="+labToken, `{}`), http.StatusUnauthorized)
	})
	t.Run("L-22 a field that is given twice", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		labNoLogin(t, "right first", b.post("/auth/login", url.Values{"password": {labToken, "x"}}), http.StatusBadRequest)
		labNoLogin(t, "right last", b.post("/auth/login", url.Values{"password": {"x", labToken}}), http.StatusBadRequest)
		labNoLogin(t, "JSON", b.json(http.MethodPost, "/auth/login", `{"password":"x","password":"`+labToken+`"}`), http.StatusBadRequest)
		labLogin(t, "in the query too", b.post("/auth/login?password=x", rightToken))
	})
	t.Run("F-07 other fields are without effect", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.browser()
		labLogin(t, "login", b.post("/auth/login", url.Values{"password": {labToken}, "username": {"admin"}, "user_id": {"token:1"}, "guest": {"0123"}, "role": {"admin"}, "token": {"x"}, "flow": {"y"}}))
		labGuest(t, b.me().Identity)
	})
	t.Run("F-06 the same form twice is two logins, of which the last counts", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		b.logIn(labToken)
		before := b.copy()
		b.logIn(labToken)
		labRefused(t, "first", before.get("/"), http.StatusUnauthorized)
		labAdmitted(t, "second", b.get("/"))
	})
	t.Run("JSON: 200 for the right one, else 401, and strict", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		login := func(body string) labAnswer { return b.json(http.MethodPost, "/auth/login", body) }
		if got := login(`{"password":"` + labToken + `"}`); got.Status != http.StatusOK || len(got.Cookies) == 0 || got.location() != "" {
			t.Errorf("right: got %d, cookies %v", got.Status, got.Cookies)
		}
		wrong := login(`{"password":"wrong"}`)
		if labNoLogin(t, "wrong", wrong, http.StatusUnauthorized); strings.Contains(wrong.Body, "wrong") || !strings.Contains(wrong.Body, `"code":"unauthorized"`) {
			t.Errorf("wrong: got %s", wrong.Body)
		}
		for _, body := range []string{
			"", "null", "[]", `"x"`, "1", `{"password":1}`, `{"password":["` + labToken + `"]}`, `{"PASSWORD":"` + labToken + `"}`, `{"pa\u017f\u017fword":"` + labToken + `"}`, `{"token":"` + labToken + `"}`,
			`{"password":"` + labToken + `"}{}`, `{"password":"` + labToken + `","username":"x"}`, "\ufeff{}", "{\"password\":\"\xff\"}",
			`{"password":"` + labToken + `"`, strings.Repeat("[", 10_001),
		} {
			labNoLogin(t, body, login(body), http.StatusBadRequest)
		}
		labNoLogin(t, "5 MiB", login(`{"password":"`+strings.Repeat("x", 5<<20)+`"}`), http.StatusRequestEntityTooLarge)
	})
	t.Run("other methods and paths", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		for _, c := range []struct{ method, path, allow string }{
			{http.MethodPut, "/auth/login", "GET, POST, HEAD"}, {http.MethodDelete, "/auth/login", "GET, POST, HEAD"}, {http.MethodOptions, "/auth/login", "GET, POST, HEAD"},
			{http.MethodGet, "/auth/logout", "POST"}, {http.MethodHead, "/auth/logout", "POST"},
			{"post", "/auth/login", "GET, POST, HEAD"}, {"get", "/auth/logout", "POST"}, {"post", "/auth/logout", "POST"}, // L-14
		} {
			got := b.do(c.method, c.path, rightToken.Encode(), with("Content-Type", "application/x-www-form-urlencoded"))
			if got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != c.allow || len(got.Cookies) != 0 {
				t.Errorf("%s %s: got %d, Allow %q, cookies %v, want 405 and %q", c.method, c.path, got.Status, got.Header.Get("Allow"), got.Cookies, c.allow)
			}
		}
		for _, path := range []string{"/auth/", "/auth/Login", "/auth/login/", "/auth/register", "/auth/me"} {
			if got := b.get(path); got.Status != http.StatusNotFound {
				t.Errorf("%s: got %d, want 404", path, got.Status)
			}
		}
		labAdmitted(t, "still logged in (L-13)", b.get("/"))
	})
	t.Run("L-12 HEAD of the login page changes nothing", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		got := l.browser().do(http.MethodHead, "/auth/login?password="+labToken, "", navigating)
		if got.Status != http.StatusOK || got.Body != "" || len(got.Cookies) != 0 {
			t.Errorf("got %d, %d bytes, cookies %v", got.Status, len(got.Body), got.Cookies)
		}
	})
	t.Run("L-15 a method can't be overridden", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		for _, path := range []string{"/auth/logout?_method=POST", "/auth/login?_method=POST&password=" + labToken} {
			got := b.navigate(path, with("X-HTTP-Method-Override", "POST"), with("X-Method-Override", "POST"))
			if len(got.Cookies) != 0 {
				t.Errorf("%s: got %d, cookies %v", path, got.Status, got.Cookies)
			}
		}
		labAdmitted(t, "still logged in", b.get("/"))
	})
	t.Run("MountPath with an escape, and a router that strips it", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, at("https://app.example/a%40b"), func(c *tokenauth.Config) { c.Auth.MountPath = "/s%C3%A9same" })
		b := l.browser()
		got := b.navigate("/a%40b/x")
		if got.location() != "/a%40b/s%C3%A9same/login?next=%2Fa%2540b%2Fx" {
			t.Fatalf("got %d to %q", got.Status, got.location())
		}
		if got := b.navigate(got.location()); got.Status != http.StatusOK || !strings.Contains(got.Body, `action="/a%40b/s%C3%A9same/login"`) {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
		labLogin(t, "whole path", b.post("/a%40b/s%C3%A9same/login", rightToken))
		l = newLab(t, at("https://app.example/base"))
		l.Handler = http.StripPrefix("/base/auth", l.auth.Routes())
		labLogin(t, "stripped", l.browser().post("/base/auth/login", rightToken))
		l.Handler = http.StripPrefix("/base", l.auth.Routes())
		labLogin(t, "half stripped", l.browser().post("/base/auth/login", rightToken))
	})
}

// labCount counts what is read.
type labCount struct {
	io.Reader
	n int
}

func (c *labCount) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestFixationAndLoginCSRF(t *testing.T) {
	t.Parallel()
	t.Run("L-01 a cookie that was planted is not the one of the login", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		attacker := l.loggedIn()
		name, planted := attacker.loginCookie()
		for label, value := range map[string]string{"unknown": "attacker-known-value", "a real one": planted} {
			victim := l.browser()
			victim.setCookie(name, value)
			victim.logIn(labToken)
			if _, got := victim.loginCookie(); got == value || got == "" {
				t.Errorf("%s: the victim's cookie is %q", label, got)
			}
			thief := l.browser()
			thief.setCookie(name, value)
			labRefused(t, label, thief.get("/"), http.StatusUnauthorized)
			labAdmitted(t, label+": the victim", victim.get("/"))
		}
	})
	t.Run("L-02 logging in again leaves the old login behind", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, named(tokenauth.Token{Name: "reader", Token: labReader}))
		b := l.loggedIn()
		for _, word := range []string{labToken, labReader, labToken} {
			before := b.copy()
			labAdmitted(t, "before", before.get("/"))
			b.logIn(word)
			labRefused(t, "the old one", before.get("/"), http.StatusUnauthorized)
			labAdmitted(t, "the new one", b.get("/"))
		}
	})
	t.Run("L-03 L-04 L-05 L-06 L-07 who may log a browser in, out and act with its cookie", func(t *testing.T) {
		t.Parallel()
		const own = "https://app.example"
		for _, c := range []struct {
			name, site string
			origins    []string
			ok         bool
		}{
			{"own page", "same-origin", []string{own}, true},
			{"typed", "none", nil, true},
			{"own page without referrers (Origin: null)", "same-origin", []string{"null"}, true},
			{"no browser", "", nil, true},
			{"L-05 an old browser on our own page", "", []string{own}, true},
			{"L-03 another site", "cross-site", []string{"https://evil.example"}, false},
			{"L-03 another site without Origin", "cross-site", nil, false},
			{"L-04 a sibling", "same-site", []string{"https://other.app.example"}, false},
			{"L-05 an old browser on another site", "", []string{"https://evil.example"}, false},
			{"L-05 an old browser, Origin: null", "", []string{"null"}, false},
			{"a sandboxed frame", "cross-site", []string{"null"}, false},
			{"L-06 another scheme", "", []string{"http://app.example"}, false},
			{"L-06 another port", "", []string{"https://app.example:8443"}, false},
			{"L-06 another scheme that says same-origin", "same-origin", []string{"http://app.example"}, false},
			{"L-07 a suffix", "", []string{"https://app.example.evil.example"}, false},
			{"L-07 user information", "", []string{"https://app.example@evil.example"}, false},
			{"L-07 a path", "", []string{"https://evil.example/https://app.example"}, false},
			{"L-07 upper case", "", []string{"https://APP.EXAMPLE"}, false},
			{"L-07 two origins", "", []string{own, "https://evil.example"}, false},
			{"L-07 two origins, ours twice", "", []string{own, own}, false},
			{"an empty origin", "", []string{""}, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				l := newLab(t, at(own))
				options := []labOption{with("Sec-Fetch-Site"), with("Sec-Fetch-Mode"), with("Origin")}
				if c.site != "" {
					options = append(options, with("Sec-Fetch-Site", c.site), with("Sec-Fetch-Mode", "navigate"))
				}
				if c.origins != nil {
					options = append(options, with("Origin", c.origins...))
				}
				b := l.browser()
				b.logIn(labToken)
				put := b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`, options...)
				again := b.post("/auth/login", rightToken, options...)
				out := b.post("/auth/logout", nil, options...)
				if c.ok {
					labAdmitted(t, "PUT", put)
					labLogin(t, "login", again)
					if out.Status != http.StatusSeeOther {
						t.Errorf("logout: got %d, want 303", out.Status)
					}
					labRefused(t, "after the logout", b.get("/"), http.StatusUnauthorized)
					return
				}
				labRefused(t, "PUT", put, http.StatusForbidden)
				labNoLogin(t, "login", again, http.StatusForbidden)
				labNoLogin(t, "logout (L-13)", out, http.StatusForbidden)
				labAdmitted(t, "still logged in", b.get("/"))
				if events := l.eventsOf(auth.EventOrigin); len(events) != 3 || events[0].Status != http.StatusForbidden {
					t.Errorf("got events %+v, want three", events)
				}
			})
		}
	})
	t.Run("L-09 a TLS proxy that rewrites Host", func(t *testing.T) {
		t.Parallel()
		proxied := func(l *lab) labAnswer {
			b := l.browser()
			b.host = "127.0.0.1:8080"
			return b.post("/auth/login", rightToken, with("Sec-Fetch-Site"), with("Origin", "https://app.example"))
		}
		labLogin(t, "named", proxied(newLab(t, at("https://app.example"), func(c *tokenauth.Config) { c.Auth.AllowedHosts = []string{"127.0.0.1:8080"} })))
		labNoLogin(t, "not named", proxied(newLab(t, at("https://app.example"))), http.StatusForbidden)
		labNoLogin(t, "no PublicURL", proxied(newLab(t)), http.StatusForbidden)
	})
	t.Run("a login with a header that the guard asks instead of the cookie makes no circle (R-21)", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		basic := with("Authorization", "Basic eDp5") // a proxy's own, passed on
		target := "/x"
		b.post("/auth/login", rightToken, basic)
		for range 4 {
			got := b.navigate(target, basic)
			if got.Status == http.StatusOK {
				return
			}
			target = got.location()
		}
		t.Error("the browser is sent round in circles")
	})
}

func TestLogout(t *testing.T) {
	t.Parallel()
	t.Run("S-05 a copied cookie is worth nothing after the logout", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b, other := l.loggedIn(), l.loggedIn()
		thief := b.copy()
		labAdmitted(t, "the copy before", thief.get("/"))
		if got := b.json(http.MethodPost, "/auth/logout", ""); got.Status != http.StatusNoContent || got.Body != "" {
			t.Errorf("got %d %q, want 204", got.Status, got.Body)
		}
		got := thief.get("/")
		if labRefused(t, "replayed", got, http.StatusUnauthorized); len(got.Cookies) != 1 || got.Cookies[0].MaxAge >= 0 {
			t.Errorf("got cookies %v, want the deletion (C-13)", got.Cookies)
		}
		labAdmitted(t, "another browser", other.get("/"))
	})
	t.Run("S-05 with a header, the guest of an ended login isn't who the caller is", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.loggedIn()
		thief := b.copy()
		guest := b.me(bearing(labToken)).Identity.Username
		b.post("/auth/logout", nil)
		if got := thief.me(bearing(labToken)).Identity.Username; got == guest || got != l.browser().me(bearing(labToken)).Identity.Username {
			t.Errorf("got %s, want the API user", got)
		}
	})
	t.Run("S-06 twice, and without a login", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.loggedIn()
		thief := b.copy()
		for name, b := range map[string]*labBrowser{"logged in": b, "replayed": thief, "again": b, "anonymous": l.browser()} {
			if got := b.copy().post("/auth/logout", nil); got.Status != http.StatusSeeOther || got.location() != "/auth/login" {
				t.Errorf("%s: form: got %d to %q, want 303 to the login page", name, got.Status, got.location())
			}
			if got := b.json(http.MethodPost, "/auth/logout", ""); got.Status != http.StatusNoContent {
				t.Errorf("%s: got %d, want 204", name, got.Status)
			}
		}
		if events := l.eventsOf(auth.EventLogout); len(events) != 1 || !strings.HasPrefix(events[0].UserID, "token:") {
			t.Errorf("got logouts %+v, want one", events)
		}
	})
	t.Run("L-13 an image can't log anybody out", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		got := b.get("/auth/logout", with("Sec-Fetch-Mode", "no-cors"), with("Sec-Fetch-Dest", "image"), with("Sec-Fetch-Site", "cross-site"))
		if got.Status != http.StatusMethodNotAllowed || len(got.Cookies) != 0 {
			t.Errorf("got %d, cookies %v, want 405", got.Status, got.Cookies)
		}
		labAdmitted(t, "still logged in", b.get("/"))
	})
	t.Run("links to log in and out", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, at("https://app.example/base"))
		var links string
		l.Handler = l.auth.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			links = fmt.Sprint(auth.LoginURL(r.Context()), " ", auth.LogoutURL(r.Context()))
		}))
		l.browser().get("/base/x?token="+labToken+"&y=1", func(r *http.Request) { r.Host = "evil.example" })
		if want := "/base/auth/login?next=%2Fbase%2Fx%3Fy%3D1 /base/auth/logout"; links != want {
			t.Errorf("got %q, want %q", links, want)
		}
	})
}

// labRaw sends request as it is and gives the whole answer.
func labRaw(t *testing.T, l *lab, request string) string {
	t.Helper()
	conn, err := labDial(t, l)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, request)
	conn.CloseWrite()
	answer, _ := io.ReadAll(conn)
	return string(answer)
}
