package authtest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/go-chi/chi/v5"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
)

// findings is the test of somebody whose router is audited.
type findings struct {
	testing.TB
	list []string
}

func (f *findings) Helper() {}
func (f *findings) Errorf(format string, args ...any) {
	f.list = append(f.list, fmt.Sprintf(format, args...))
}

// auditOf runs an audit and compares the findings: one for each want, each containing all words of it.
func auditOf(t *testing.T, h http.Handler, public []string, want ...string) {
	t.Helper()
	f := &findings{TB: t}
	authtest.Audit(f, h, public...)
	if len(f.list) != len(want) {
		t.Fatalf("got %d findings, want %d:\n%s", len(f.list), len(want), strings.Join(f.list, "\n"))
	}
	for i, words := range want {
		for _, word := range strings.Split(words, " … ") {
			if !strings.Contains(f.list[i], word) {
				t.Errorf("finding %d: got %q, want it to say %q", i, f.list[i], word)
			}
		}
	}
}

func plain(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// logging is a middleware that hides what it wraps.
func logging(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
}

func openSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err == nil {
		_ = conn.CloseNow()
	}
}

func TestAuditOfChi(t *testing.T) {
	t.Parallel()
	a := authtest.Nobody()
	read := auth.Permissions{"contents": {"read"}}
	for _, tc := range []struct {
		name   string
		routes func(chi.Router)
		public []string
		want   []string
	}{
		{"JS72 a plain handler is reported", func(r chi.Router) { r.Get("/plain", plain) }, nil, []string{"GET /plain answers 204"}},
		{"JS72 a plain handler that is declared public isn't", func(r chi.Router) { r.Get("/plain", plain) }, []string{"GET /plain"}, nil},
		{"JS72 CurrentUser(nil) isn't", func(r chi.Router) { r.With(a.CurrentUser(nil)).Get("/x", plain) }, nil, nil},
		{"JS72 CurrentUser(contents:read) isn't", func(r chi.Router) { r.With(a.CurrentUser(read)).Get("/x", plain) }, nil, nil},
		{"JS72 a guard inside a logging middleware isn't", func(r chi.Router) { r.With(logging, a.CurrentUser(read)).Get("/x", plain) }, nil, nil},
		{"JS72 a guard around a logging middleware isn't", func(r chi.Router) { r.With(a.CurrentUser(read), logging).Get("/x", plain) }, nil, nil},
		{"JS71 a WebSocket handler without a guard is reported", func(r chi.Router) { r.Get("/room/{name}", openSocket) }, nil, []string{"GET /room/{name} answers 426"}},
		{"JS71 a WebSocketAuth beside r.Use(CurrentUser) is well placed", func(r chi.Router) {
			r.With(a.WebSocketAuth(read)).Get("/room/{name}", openSocket)
			r.Group(func(r chi.Router) { r.Use(a.CurrentUser(nil)); r.Get("/x", plain) })
		}, nil, nil},
		{"JS71 a WebSocketAuth below r.Use(CurrentUser) is reported", func(r chi.Router) {
			r.Use(a.CurrentUser(nil))
			r.With(a.WebSocketAuth(read)).Get("/room/{name}", openSocket)
		}, nil, []string{"GET /room/{name} is a WebSocketAuth below a CurrentUser"}},
		{"JS71 also when a logging middleware stands between", func(r chi.Router) {
			r.Use(a.CurrentUser(nil), logging)
			r.Route("/api", func(r chi.Router) {
				r.Handle("/room/{name}", a.WebSocketAuth(read)(http.HandlerFunc(openSocket)))
			})
		}, nil, []string{"GET … ,PUT … /api/room/{name} is a WebSocketAuth below a CurrentUser"}},
		{"JS71 also below RequireByMethod", func(r chi.Router) {
			r.With(auth.RequireByMethod(a, "contents", nil), a.WebSocketAuth(read)).Get("/room", openSocket)
		}, nil, []string{"GET /room is a WebSocketAuth below a CurrentUser"}},
		{"OptionalUser lets everybody through", func(r chi.Router) { r.With(auth.OptionalUser(a)).Post("/x", plain) }, nil, []string{"POST /x is behind OptionalUser"}},
		{"a guard below OptionalUser guards", func(r chi.Router) { r.With(auth.OptionalUser(a), a.CurrentUser(nil)).Post("/x", plain) }, nil, nil},
		{"a method that was forgotten is named", func(r chi.Router) {
			r.With(a.CurrentUser(nil)).Get("/x", plain)
			r.Delete("/x", plain)
		}, nil, []string{"DELETE /x answers 204"}},
		{"404 is an answer", func(r chi.Router) { r.Get("/x", http.NotFound) }, nil, []string{"GET /x answers 404"}},
		{"a redirect is an answer", func(r chi.Router) { r.Get("/x", http.RedirectHandler("/login", http.StatusSeeOther).ServeHTTP) }, nil, []string{"GET /x answers 303"}},
		{"a panic is an answer", func(r chi.Router) { r.Get("/x", func(http.ResponseWriter, *http.Request) { panic("boom") }) }, nil, []string{"GET /x panics with boom"}},
		{"silence is an answer", func(r chi.Router) { r.Get("/x", func(http.ResponseWriter, *http.Request) {}) }, nil, []string{"GET /x answers 200"}},
		{"a stream is left as soon as it answers", func(r chi.Router) {
			r.Get("/x", func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
		}, nil, []string{"GET /x answers 200"}},
		{"parameters, also with expressions, and the rest of a path are made up", func(r chi.Router) {
			r.Get(`/a/{id:[0-9]{3}}/{kind:(red|blue)}-{x}/*`, plain)
		}, nil, []string{`GET /a/{id:[0-9]{3}}/{kind:(red|blue)}-{x}/* answers 204`}},
		{"an expression that nothing is found for fails loudly", func(r chi.Router) { r.Get(`/{id:\b}`, plain) }, nil, []string{`no value found`}},
		{"a handler mounted below is asked as one route", func(r chi.Router) { r.Mount("/auth", http.NotFoundHandler()) }, []string{"* /auth/*"}, nil},
		{"routers inside routers are followed", func(r chi.Router) {
			r.Route("/a", func(r chi.Router) { r.Mount("/b", chiWith("/c/{id}", plain)) })
		}, nil, []string{"GET /a/b/c/{id} answers 204"}},
		{"a ServeMux inside is followed as far as it is reached", func(r chi.Router) {
			mux := http.NewServeMux()
			mux.HandleFunc("PUT /api/x", plain)
			mux.HandleFunc("PUT /elsewhere", plain)
			r.Method("PUT", "/api/*", mux)
		}, nil, []string{"PUT /api/x answers 204"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := chi.NewRouter()
			tc.routes(r)
			auditOf(t, r, tc.public, tc.want...)
		})
	}
}

func chiWith(pattern string, h http.HandlerFunc) http.Handler {
	r := chi.NewRouter()
	r.Get(pattern, h)
	return r
}

func TestAuditOfServeMux(t *testing.T) {
	t.Parallel()
	a := authtest.Nobody()
	user := a.CurrentUser(nil)
	socket := a.WebSocketAuth(nil)
	for _, tc := range []struct {
		name   string
		routes func(*http.ServeMux)
		public []string
		want   []string
	}{
		{"JS72 a plain handler is reported", func(m *http.ServeMux) { m.HandleFunc("GET /plain", plain) }, nil, []string{"GET /plain answers 204"}},
		{"JS72 a guarded one isn't", func(m *http.ServeMux) { m.Handle("GET /x/{id}", user(logging(http.HandlerFunc(plain)))) }, nil, nil},
		{"a pattern without a method is asked with all, unknown ones too", func(m *http.ServeMux) { m.HandleFunc("/plain", plain) }, nil, []string{"GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS,TRACE,AUDIT /plain answers 204"}},
		{"a guard that lists methods is found out", func(m *http.ServeMux) {
			m.HandleFunc("/x", func(w http.ResponseWriter, r *http.Request) {
				if slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}, r.Method) {
					user(http.HandlerFunc(plain)).ServeHTTP(w, r)
				}
			})
		}, nil, []string{"AUDIT /x answers 200"}},
		{"every kind of pattern is found", func(m *http.ServeMux) {
			for _, pattern := range []string{"/", "/{$}", "/a/{id}", "/a/{id}/b/{$}", "/files/{path...}", "/dir/", "POST host.example/h/{x}", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9"} {
				m.Handle(pattern, user(http.HandlerFunc(plain)))
			}
			m.HandleFunc("PATCH host.example/a/{id}/z", plain)
		}, nil, []string{"PATCH host.example/a/{id}/z answers 204"}},
		{"JS71 a WebSocketAuth behind CurrentUser is reported", func(m *http.ServeMux) { m.Handle("GET /room", user(socket(http.HandlerFunc(openSocket)))) }, nil, []string{"GET /room is a WebSocketAuth below a CurrentUser"}},
		{"JS71 also behind RequireByMethod", func(m *http.ServeMux) {
			m.Handle("GET /room", auth.RequireByMethod(a, "room", nil)(socket(http.HandlerFunc(openSocket))))
		}, nil, []string{"GET /room is a WebSocketAuth below a CurrentUser"}},
		{"JS71 also in a router behind it", func(m *http.ServeMux) {
			r := chi.NewRouter()
			r.With(socket).Get("/api/room", openSocket)
			r.With(socket).Get("/unreachable", openSocket)
			m.Handle("/api/", user(r))
		}, nil, []string{"GET /api/room is a WebSocketAuth below a CurrentUser"}},
		{"a ServeMux inside is followed", func(m *http.ServeMux) {
			inner := http.NewServeMux()
			inner.HandleFunc("GET /api/x", plain)
			m.Handle("/api/", inner)
		}, nil, []string{"GET /api/x answers 204"}},
		{"an empty one is a mistake", func(*http.ServeMux) {}, nil, []string{"no patterns"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := http.NewServeMux()
			tc.routes(m)
			auditOf(t, m, tc.public, tc.want...)
		})
	}
}

func TestAuditOfPublicRoutes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		public []string
		want   []string
	}{
		{"each by its own name", []string{"GET /public/a", "* /publicx"}, nil},
		{"a subtree covers what is below, not what begins alike (A-10)", []string{"* /public/*"}, []string{"/publicx answers"}},
		{"another method isn't covered", []string{"POST /public/a", "* /publicx"}, []string{"GET /public/a answers", "\"POST /public/a\" covers no route"}},
		{"an entry without a route fails", []string{"* /public/*", "* /publicx", "GET /gone"}, []string{"\"GET /gone\" covers no route"}},
		{"a malformed entry fails", []string{"* /public/*", "* /publicx", "/healthz"}, []string{"want a method"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := chi.NewRouter()
			r.Get("/public/a", plain)
			r.Get("/publicx", plain)
			r.With(authtest.Nobody().CurrentUser(nil)).Get("/admin", plain)
			auditOf(t, r, tc.public, tc.want...)
		})
	}
}

// The guards that people write by hand, around a router instead of in it.
func TestAuditFindsOutHomeMadeGuards(t *testing.T) {
	t.Parallel()
	user := authtest.Nobody().CurrentUser(nil)
	// exempt is a middleware that guards all but what open says.
	exempt := func(open func(*http.Request) bool) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			guarded := user(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if open(r) {
					next.ServeHTTP(w, r)
				} else {
					guarded.ServeHTTP(w, r)
				}
			})
		}
	}
	for _, tc := range []struct {
		name string
		open func(*http.Request) bool
		want []string
		// cleaned: chi doesn't route the spelling that this guard reads otherwise, a ServeMux does.
		cleaned bool
	}{
		{"one that opens nothing is good", func(*http.Request) bool { return false }, nil, false},
		{"A-09 one that looks at the path's raw beginning", func(r *http.Request) bool { return !strings.HasPrefix(r.URL.EscapedPath(), "/admin/") }, []string{"spelled"}, true},
		{"A-10 one that looks for the public path anywhere", func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/public") }, []string{"spelled"}, false},
		{"A-10 one that believes X-Original-URL", func(r *http.Request) bool { return r.Header.Get("X-Original-URL") == "/healthz" }, []string{"claim another address"}, false},
		{"A-11 one that lets health checks through", func(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "kube-probe/") }, []string{"claim another address"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m, r := http.NewServeMux(), chi.NewRouter()
			m.Handle("GET /admin/{name}", exempt(tc.open)(http.HandlerFunc(plain)))
			r.Use(exempt(tc.open))
			r.Get("/admin/{name}", plain)
			auditOf(t, m, nil, tc.want...)
			if !tc.cleaned {
				auditOf(t, r, nil, tc.want...)
			}
		})
	}
}

func TestAuditOfWhatIsNoRouter(t *testing.T) {
	t.Parallel()
	auditOf(t, http.HandlerFunc(plain), nil, "http.HandlerFunc is neither")
	auditOf(t, chi.NewRouter(), nil, "no routes")
}

func TestAuditOfARouterBehindAGuard(t *testing.T) {
	t.Parallel()
	a := authtest.Nobody()
	m := http.NewServeMux()
	m.HandleFunc("GET /x", plain)
	m.Handle("GET /room", a.WebSocketAuth(nil)(http.HandlerFunc(openSocket)))
	auditOf(t, a.CurrentUser(nil)(m), nil, "GET /room is a WebSocketAuth below")
}

// Where net/http changes inside, the audit must say so and not find nothing.
func TestAuditKnowsTheServeMuxThatItReads(t *testing.T) {
	t.Parallel()
	m := http.NewServeMux()
	m.HandleFunc("GET /x", plain)
	got, err := authtest.PatternsOf(m)
	if want := []string{"GET /x"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q and error %v, want %q", got, err, want)
	}
	type pattern struct{ text string }
	type routingNode struct{ pattern *pattern }
	for name, mux := range map[string]any{
		"no tree":           &struct{ routes []string }{},
		"another tree":      &struct{ tree []string }{},
		"another pattern":   &struct{ tree routingNode }{routingNode{&pattern{"GET /x"}}},
		"an empty ServeMux": &http.ServeMux{},
	} {
		if got, err := authtest.PatternsOf(mux); err == nil {
			t.Errorf("%s: got %q and no error", name, got)
		}
	}
}
