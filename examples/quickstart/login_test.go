package main_test

import (
	"regexp"
	"strings"
	"testing"
)

// JV18: the login page lives below the path of the public URL, and so does everything that it leads to.
func TestTheLoginPageBelowAPath(t *testing.T) {
	t.Parallel()
	p, _ := startUsers(t, "-public-url", "http://localhost:8888/foo")
	p.base = "http://" + listenAddress(p)
	navigate := append([]string{"Host: localhost:8888"}, navigation...)
	for path, want := range map[string]int{"/auth/login": 404, "/foo/auth/login": 200, "/foo/": 303} {
		a := p.do(request{path: path, headers: navigate})
		if a.status != want {
			t.Errorf("GET %s: got %d, want %d", path, a.status, want)
		}
		if where := a.header.Get("Location"); want == 303 && !strings.HasPrefix(where, "/foo/auth/login") {
			t.Errorf("GET %s leads to %s", path, where)
		}
	}
	pages := []string{p.do(request{path: "/foo/auth/login", headers: navigate}).body}
	cookie := p.logInBelow("/foo", "Host: localhost:8888")
	for _, page := range []string{"/foo/", "/foo/auth/me", "/foo/auth/password", "/foo/auth/sessions"} {
		a := p.do(request{path: page, headers: append(cookie, navigate...)})
		if a.status != 200 {
			t.Errorf("GET %s: got %d", page, a.status)
		}
		pages = append(pages, a.body)
	}
	for _, body := range pages {
		links := regexp.MustCompile(`(?:href|action|src)="([^"]*)"`).FindAllStringSubmatch(body, -1)
		if len(links) == 0 {
			t.Errorf("no link in %s", body)
		}
		for _, link := range links {
			if !strings.HasPrefix(link[1], "/foo/") && !strings.HasPrefix(link[1], "#") && link[1] != "/foo" {
				t.Errorf("a link leads to %s", link[1])
			}
		}
	}
}

func (p *program) logInBelow(base string, headers ...string) []string {
	p.t.Helper()
	root := p.base
	p.base += base
	defer func() { p.base = root }()
	return p.logInAs("admin", adminPassword, headers...)
}

// What is sent to the routes of an account, and can't be meant, gets an answer that says so, and no session.
func TestBadLogins(t *testing.T) {
	t.Parallel()
	p, accounts := startUsers(t)
	const form = "Content-Type: application/x-www-form-urlencoded"
	for name, tc := range map[string]struct {
		contentType, body string
		status            int
		says              string
	}{
		"FU01 an empty object":      {sendsJSON, `{}`, 400, "username"},
		"FU01 no username":          {sendsJSON, `{"password":"x"}`, 400, "username"},
		"FU01 no password":          {sendsJSON, `{"username":"admin"}`, 400, "password"},
		"no JSON":                   {sendsJSON, `username=admin`, 400, "JSON"},
		"a number for a password":   {sendsJSON, `{"username":"admin","password":1}`, 400, "password"},
		"an unknown field":          {sendsJSON, `{"username":"admin","password":"x","admin":true}`, 400, "admin"},
		"a field in another case":   {sendsJSON, `{"Username":"admin","password":"x"}`, 400, "Username"},
		"a username twice":          {sendsJSON, `{"username":"admin","username":"x","password":"x"}`, 400, "username"},
		"a password that is a book": {sendsJSON, `{"username":"admin","password":"` + strings.Repeat("x", 300) + `"}`, 400, "password"},
		"a body that is too large":  {sendsJSON, `{"username":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too large"},
		"a wrong password":          {sendsJSON, `{"username":"admin","password":"x"}`, 401, "not right"},
		"an unknown user":           {sendsJSON, `{"username":"eve","password":"x"}`, 401, "not right"},
		"a name that nobody has":    {sendsJSON, `{"username":"a\u0000b","password":"x"}`, 401, "not right"},
		"a form without a password": {form, `username=admin`, 400, "password"},
		"a form with two names":     {form, `username=admin&username=x&password=x`, 400, "username"},
		"a form with a wrong one":   {form, `username=admin&password=x`, 401, "not right"},
		"a text":                    {"Content-Type: text/plain", `hello`, 415, ""},
		"nothing at all":            {"X-Nothing: at all", ``, 415, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := p.do(request{method: "POST", path: "/auth/login", body: tc.body, headers: append([]string{tc.contentType}, asAPI...)})
			if a.status != tc.status || !strings.Contains(a.body, tc.says) {
				t.Errorf("got %d %.200s, want %d and %q", a.status, a.body, tc.status, tc.says)
			}
			if len(a.cookies()) > 0 {
				t.Errorf("it sets %v", a.cookies())
			}
			if !strings.Contains(a.body, `"error":`) || !strings.Contains(a.body, `"code":`) {
				t.Errorf("not told as JSON: %.200s", a.body)
			}
		})
	}
	for path, methods := range map[string]string{
		"/auth/login": "PUT DELETE PATCH", "/auth/logout": "GET PUT", "/auth/me": "PUT DELETE", "/auth/password": "PUT PATCH", "/auth/sessions": "POST PUT",
	} {
		for method := range strings.FieldsSeq(methods) {
			if a := p.do(request{method: method, path: path}); a.status != 405 || a.header.Get("Allow") == "" {
				t.Errorf("%s %s: got %d %v, want 405 and Allow", method, path, a.status, a.header)
			}
		}
	}
	if sessions, err := accounts.Sessions(t.Context(), "admin"); err != nil || len(sessions) != 0 {
		t.Errorf("there are sessions now: %v, %v", sessions, err)
	}
}
