package page_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/page"
)

// accountRoutes have handlers that tell which route was reached, and with which path values.
func accountRoutes() page.Routes {
	say := func(what string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Said", what+" id="+r.PathValue("id")+" name="+r.PathValue("name"))
		}
	}
	return page.Routes{
		"/sessions":              {"GET": say("list"), "DELETE": say("end all")},
		"/sessions/{id}":         {"DELETE": say("end")},
		"/sessions/new":          {"GET": say("new")},
		"/users/{name}":          {"GET": say("user"), "PATCH": say("change")},
		"/users/{name}/password": {"POST": say("set password")},
		"/keys/{name}/x/{id}":    {"GET": say("key")},
	}
}

// L-14, A-09, A-10: an element in braces stands for exactly one element of the path, and no other spelling reaches it.
func TestRoutePatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, path string
		status             int
		said, allow        string
	}{
		{"an element", "DELETE", "/auth/sessions/x", 200, "end id=x name=", ""},
		{"with the base path", "DELETE", "/a%40b/auth/sessions/x", 200, "end id=x name=", ""},
		{"with everything stripped", "DELETE", "/sessions/x", 200, "end id=x name=", ""},
		{"an element inside", "POST", "/auth/users/ann/password", 200, "set password id= name=ann", ""},
		{"two elements", "GET", "/auth/keys/ann/x/7", 200, "key id=7 name=ann", ""},
		{"GET serves HEAD", "HEAD", "/auth/users/ann", 200, "user id= name=ann", ""},
		{"the element is decoded, once", "GET", "/auth/users/%C3%A4%20%2541", 200, "user id= name=ä %41", ""},
		{"what a pattern looks like", "GET", "/auth/users/%7Bname%7D", 200, "user id= name={name}", ""},
		{"an element with a sign that means something elsewhere", "GET", "/auth/users/a;b=c:d", 200, "user id= name=a;b=c:d", ""},
		{"an element of dots that mean nothing", "GET", "/auth/users/...", 200, "user id= name=...", ""},
		{"a backslash is no separator", "GET", `/auth/users/a%5Cb`, 200, `user id= name=a\b`, ""},
		{"a query is none of the path", "GET", "/auth/users/ann?/password", 200, "user id= name=ann", ""},
		{"the path without braces wins", "GET", "/auth/sessions/new", 200, "new id= name=", ""},
		{"the path without braces wins for all methods", "DELETE", "/auth/sessions/new", 405, "", "GET, HEAD"},

		{"another method", "GET", "/auth/sessions/x", 405, "", "DELETE"},
		{"a lower-case method", "delete", "/auth/sessions/x", 405, "", "DELETE"},
		{"another method where GET is one", "DELETE", "/auth/users/ann", 405, "", "GET, PATCH, HEAD"},

		{"an empty element", "DELETE", "/auth/sessions/", 404, "", ""},
		{"an empty element inside", "POST", "/auth/users//password", 404, "", ""},
		{"two elements for one", "DELETE", "/auth/sessions/a/b", 404, "", ""},
		{"a slash behind", "DELETE", "/auth/sessions/x/", 404, "", ""},
		{"an encoded slash", "DELETE", "/auth/sessions/a%2Fb", 404, "", ""},
		{"an encoded slash that makes another route", "POST", "/auth/users/ann%2fpassword", 404, "", ""},
		{"a dot", "DELETE", "/auth/sessions/.", 404, "", ""},
		{"an encoded dot", "DELETE", "/auth/sessions/%2e", 404, "", ""},
		{"two dots", "DELETE", "/auth/sessions/..", 404, "", ""},
		{"two encoded dots", "DELETE", "/auth/sessions/%2e%2e", 404, "", ""},
		{"two dots inside", "POST", "/auth/users/../password", 404, "", ""},
		{"a way back", "GET", "/x/../users/ann", 404, "", ""},
		{"an encoded way back", "GET", "/auth/x/%2e%2e/users/ann", 404, "", ""},
		{"a dot before", "GET", "/./users/ann", 404, "", ""},
		{"two slashes before", "DELETE", "//sessions/x", 404, "", ""},
		{"two slashes below the mount path", "DELETE", "/auth//sessions/x", 404, "", ""},
		{"two slashes inside", "DELETE", "/auth/sessions//x", 404, "", ""},
		{"upper case", "GET", "/auth/Users/ann", 404, "", ""},
		{"a parameter of the element before", "GET", "/auth/users;/ann", 404, "", ""},
		{"a longer element before", "GET", "/auth/usersx/ann", 404, "", ""},
		{"an element before", "GET", "/auth/public/users/ann", 404, "", ""},
		{"another prefix", "DELETE", "/authsessions/x", 404, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "http://app.example"+c.path, nil)
			r.Method = c.method
			accountRoutes().At("/a@b", "/auth").ServeHTTP(w, r)
			if got := w.Header(); w.Code != c.status || got.Get("Said") != c.said || got.Get("Allow") != c.allow {
				t.Errorf("got %d %q %q, want %d %q %q", w.Code, got.Get("Said"), got.Get("Allow"), c.status, c.said, c.allow)
			}
			if w.Header().Get("Location") != "" {
				t.Errorf("redirected to %q", w.Header().Get("Location"))
			}
		})
	}
}

func TestMalformedPatternsPanic(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		paths []string
	}{
		{"no name", []string{"/sessions/{}"}},
		{"open at the end", []string{"/sessions/{id"}},
		{"never opened", []string{"/sessions/id}"}},
		{"text before", []string{"/sessions/x{id}"}},
		{"text behind", []string{"/sessions/{id}x"}},
		{"two in one element", []string{"/sessions/{id}{name}"}},
		{"braces in braces", []string{"/sessions/{{id}}"}},
		{"the same name twice", []string{"/users/{id}/keys/{id}"}},
		{"the rest of the path", []string{"/sessions/{id...}"}},
		{"the end of the path", []string{"/sessions/{$}"}},
		{"a slash in braces", []string{"/sessions/{a/b}"}},
		{"an empty element", []string{"/users//{id}"}},
		{"a slash behind", []string{"/sessions/{id}/"}},
		{"no slash before", []string{"sessions/{id}"}},
		{"two names for one path", []string{"/sessions/{id}", "/sessions/{name}"}},
		{"two patterns for one path", []string{"/users/{name}", "/{kind}/ann"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			routes := page.Routes{"/login": {}}
			for _, path := range c.paths {
				routes[path] = map[string]http.HandlerFunc{}
			}
			defer func() {
				if recover() == nil {
					t.Errorf("%q: no panic", c.paths)
				}
			}()
			routes.At("", "/auth")
		})
	}
}

// Whatever the path: a handler of a pattern is reached by the path that the pattern spells, and by no other.
func FuzzRoutePatterns(f *testing.F) {
	for _, path := range []string{
		"/auth/sessions/x", "/sessions/a%2Fb", "/auth/users/..", "//sessions/x", "/a@b/auth/users/%2e%2E/password", "/auth/sessions/\x00", "/auth/keys/x/x/y",
	} {
		f.Add(path)
	}
	var route, id, name string
	routes := page.Routes{}
	for path := range accountRoutes() {
		routes[path] = map[string]http.HandlerFunc{"GET": func(_ http.ResponseWriter, r *http.Request) {
			route, id, name = path, r.PathValue("id"), r.PathValue("name")
		}}
	}
	h := routes.At("/a@b", "/auth")
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Skip()
		}
		route = ""
		h.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: "GET", URL: u, Header: http.Header{}})
		if !strings.Contains(route, "{") {
			return
		}
		spelled := strings.NewReplacer("{id}", id, "{name}", name).Replace(route)
		if u.Path != spelled && u.Path != "/auth"+spelled && u.Path != "/a@b/auth"+spelled {
			t.Errorf("%q reached %s with id %q and name %q", path, route, id, name)
		}
		for _, value := range []string{id, name} {
			if strings.Contains(value, "/") || value == "." || value == ".." || value == "" && strings.Count(route, "{") == 2 {
				t.Errorf("%q reached %s with the element %q", path, route, value)
			}
		}
	})
}
