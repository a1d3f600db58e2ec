package page_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/page"
)

func navigation(method string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return r
}

var passwordField = page.Field{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password"}

// L-17, A-17, T-13: what every page and denial is sent with.
func TestHeadersForbidStoringFramingAndReferring(t *testing.T) {
	t.Parallel()
	answers := map[string]func(http.ResponseWriter){
		"the login page": func(w http.ResponseWriter) {
			page.WriteLogin(w, navigation("GET"), 200, page.Login{Fields: []page.Field{passwordField}})
		},
		"a problem as a page": func(w http.ResponseWriter) { page.WriteProblem(w, navigation("GET"), page.Problem{Status: 403}) },
		"a problem as JSON": func(w http.ResponseWriter) {
			page.WriteProblem(w, httptest.NewRequest("PUT", "/", nil), page.Problem{Status: 401})
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			w.Header().Set("Cache-Control", "public, max-age=60") // an outer handler's: overruled
			answer(w)
			for header, want := range map[string]string{
				"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Opener-Policy": "same-origin",
			} {
				if got := w.Header().Get(header); got != want {
					t.Errorf("%s: got %q, want %q", header, got, want)
				}
			}
			policy := w.Header().Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "style-src 'sha256-"} {
				if !strings.Contains(policy, want) {
					t.Errorf("policy %q lacks %q", policy, want)
				}
			}
			if strings.Contains(policy, "unsafe") {
				t.Errorf("policy %q", policy)
			}
			if !strings.Contains(w.Header().Get("Content-Type"), "charset=utf-8") {
				t.Errorf("content type %q", w.Header().Get("Content-Type"))
			}
		})
	}
}

// L-18: password managers and screen readers find their way.
func TestLoginFormIsUsable(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	page.WriteLogin(w, navigation("GET"), 401, page.Login{Action: "/auth/login", Next: "/x", Message: "Wrong.", Fields: []page.Field{
		{Name: "username", Label: "Username", Autocomplete: "username", Value: "ann"}, {Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password", Value: "typed"},
	}})
	body := w.Body.String()
	for _, want := range []string{
		`<html lang="en">`, `name="viewport"`, `<form method="post" action="/auth/login">`, `name="next" value="/x"`,
		`<label for="field-password">`, `id="field-password" name="password" type="password" autocomplete="current-password"`,
		`autocomplete="username"`, `value="ann"`, `role="alert"`, `aria-describedby="message"`, `<button type="submit">`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "maxlength", "onpaste", "typed", "http://", "https://"} {
		if strings.Contains(body, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if strings.Count(body, " autofocus") != 1 || !regexp.MustCompile(`name="password"[^>]* autofocus`).MatchString(body) {
		t.Error("want the focus on the first field that is empty")
	}
	if w.Code != 401 {
		t.Errorf("got %d, want 401", w.Code)
	}
}

// L-19, R-12, R-25: whatever a user can put into a page stays text.
func TestPagesEscape(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{
		`"><svg onload=alert(1)>`, `{{7*7}}`, `</title><script>alert(1)</script>`, `<b>`, `/base/x"><script>`, `javascript:alert(1)`, `'"--><!--`,
	} {
		t.Run(payload, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			page.WriteLogin(w, navigation("GET"), 200, page.Login{
				Title: payload, Action: "/auth/login", Next: payload, Message: payload, Note: payload, Submit: payload,
				Fields: []page.Field{{Name: "username", Label: payload, Value: payload}}, Links: []page.Link{{Text: payload, URL: payload}},
			})
			page.WriteProblem(w, navigation("GET"), page.Problem{Status: 400, Message: payload, LoginURL: payload, LogoutURL: payload, User: payload})
			body := w.Body.String()
			for _, never := range []string{"<svg", "<script", "<b>", "49", `href="javascript:`, `action="javascript:`} {
				if never == "49" && payload != `{{7*7}}` {
					continue
				}
				if strings.Contains(body, never) {
					t.Errorf("the page has %q", never)
				}
			}
		})
	}
}

func TestDisabledLoginHasNoForm(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	page.WriteLogin(w, navigation("GET"), 200, page.Login{Disabled: true, Note: "set PublicURL", Fields: []page.Field{passwordField}})
	if body := w.Body.String(); strings.Contains(body, "<form") || !strings.Contains(body, "set PublicURL") {
		t.Errorf("got %s", body)
	}
}

// a problem names what its status says, as JSON for programs and as a page for people.
func TestProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		status   int
		want     int
		wantCode string
	}{
		{"unknown callers", 401, 401, "unauthorized"},
		{"refused ones", 403, 403, "forbidden"},
		{"guessed too often", 429, 429, "too_many_requests"},
		{"an outage", 503, 503, "unavailable"},
		{"a status without words of its own", 418, 418, "i'm_a_teapot"},
		{"a forgotten status is no success", 0, 500, "internal_error"},
		{"a success is no problem", 200, 500, "internal_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			page.WriteProblem(w, httptest.NewRequest("PUT", "/", nil), page.Problem{Status: c.status})
			var got struct{ Error, Code string }
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Error == "" || got.Code != c.wantCode || w.Code != c.want {
				t.Errorf("got %d %s (%v), want %d %s", w.Code, w.Body, err, c.want, c.wantCode)
			}
			w = httptest.NewRecorder()
			page.WriteProblem(w, navigation("GET"), page.Problem{Status: c.status})
			if !strings.Contains(w.Body.String(), "<h1>") || w.Code != c.want {
				t.Errorf("page: got %d %s", w.Code, w.Body)
			}
			w = httptest.NewRecorder()
			page.WriteProblem(w, navigation("HEAD"), page.Problem{Status: c.status})
			if w.Body.Len() != 0 || w.Code != c.want {
				t.Errorf("HEAD: got %d and %d bytes", w.Code, w.Body.Len())
			}
		})
	}
}

// who gets a page, and who is sent to one.
func TestNegotiation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name              string
		method            string
		header            http.Header
		navigation, pages bool
	}{
		{"a navigation", "GET", http.Header{"Sec-Fetch-Mode": {"navigate"}}, true, true},
		{"a form's navigation", "POST", http.Header{"Sec-Fetch-Mode": {"navigate"}}, false, true},
		{"a fetch that takes HTML", "GET", http.Header{"Sec-Fetch-Mode": {"cors"}, "Accept": {"text/html"}}, false, false},
		{"an old browser", "GET", http.Header{"Accept": {"text/html,application/xhtml+xml;q=0.9"}}, true, true},
		{"HTML refused", "GET", http.Header{"Accept": {"text/html;q=0, */*"}}, false, false},
		{"curl", "GET", http.Header{"Accept": {"*/*"}}, false, false},
		{"nothing said", "GET", nil, false, false},
		{"metadata given twice", "GET", http.Header{"Sec-Fetch-Mode": {"navigate", "cors"}, "Accept": {"text/html"}}, false, false},
		{"curl with a form", "POST", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, false, true},
		{"curl that forgets its content type", "PATCH", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"*/*"}}, false, false},
		{"a form whose script wants JSON", "POST", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}, false, false},
		{"JSON", "POST", http.Header{"Content-Type": {"application/json"}, "Accept": {"text/html"}}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, "/", nil)
			r.Header = c.header
			if got := page.Navigation(r); got != c.navigation {
				t.Errorf("Navigation: got %v, want %v", got, c.navigation)
			}
			if got := page.WantsHTML(r); got != c.pages {
				t.Errorf("WantsHTML: got %v, want %v", got, c.pages)
			}
		})
	}
}

func TestWriteJSON(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	page.WriteJSON(w, 200, map[string]string{"a": "</script>"})
	if got := w.Body.String(); got != "{\"a\":\"\\u003c/script\\u003e\"}\n" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("got %q, %v", got, w.Header())
	}
	w = httptest.NewRecorder()
	w.Header().Set("Cache-Control", "private, no-store")
	page.WriteJSON(w, 200, 1)
	if got := w.Header().Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("got %q", got)
	}
	w = httptest.NewRecorder()
	page.WriteJSON(w, 200, func() {})
	if w.Code != 500 {
		t.Errorf("got %d for what can't be encoded, want 500", w.Code)
	}
}

// L-12, L-13, L-14, RS-16: pages are found by their exact path and method alone.
func TestRoutes(t *testing.T) {
	t.Parallel()
	say := func(what string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Said", what) }
	}
	h := page.Routes{"/login": {"GET": say("show"), "POST": say("login")}, "/logout": {"POST": say("logout")}}.At("/a@b", "/auth")
	for _, c := range []struct {
		method, path string
		status       int
		said, allow  string
	}{
		{"GET", "/a%40b/auth/login", 200, "show", ""},
		{"GET", "/auth/login", 200, "show", ""},
		{"GET", "/login", 200, "show", ""},
		{"HEAD", "/login", 200, "show", ""},
		{"POST", "/auth/login", 200, "login", ""},
		{"POST", "/auth/logout", 200, "logout", ""},
		{"GET", "/auth/logout", 405, "", "POST"},
		{"HEAD", "/auth/logout", 405, "", "POST"},
		{"get", "/auth/logout", 405, "", "POST"},
		{"post", "/auth/login", 405, "", "GET, POST, HEAD"},
		{"DELETE", "/auth/login", 405, "", "GET, POST, HEAD"},
		{"GET", "/auth//login", 404, "", ""},
		{"GET", "//login", 404, "", ""},
		{"GET", "/auth/Login", 404, "", ""},
		{"GET", "/auth/login/", 404, "", ""},
		{"GET", "/auth/../login", 404, "", ""},
		{"GET", "/auth", 404, "", ""},
		{"GET", "/authlogin", 404, "", ""},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "http://app.example"+c.path, nil)
			r.Method = c.method
			h.ServeHTTP(w, r)
			if w.Code != c.status || w.Header().Get("Said") != c.said || w.Header().Get("Allow") != c.allow {
				t.Errorf("got %d %q %q, want %d %q %q", w.Code, w.Header().Get("Said"), w.Header().Get("Allow"), c.status, c.said, c.allow)
			}
		})
	}
}
