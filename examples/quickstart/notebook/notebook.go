// Package notebook is the application of the quickstart: notes that people edit together. It is written against
// [auth.Auth] alone, so that every backend, or a chain of them, guards it without a change.
//
//	GET             /                     the page                      any identified user
//	GET, PATCH      /api/me               auth.Me                       any identified user
//	GET             /api/contents/{name}  {"name","text"}, 404          contents:read
//	PUT             /api/contents/{name}  {"text"}                      contents:read and contents:write
//	DELETE          /api/contents/{name}  204, 404                      contents:delete
//	GET             /api/stream/{name}    server-sent events {"text"}   contents:read
//	GET             /api/room/{name}      WebSocket                     contents:read or contents:write
//	*               /auth/*               the backend's own routes
//	GET             /healthz              200                           public
//
// A socket is first sent {"type":"welcome","user","permissions","text"}: the text where it may read. It sends
// {"type":"edit","text"} where it may write, and every socket that may read gets that back with "user". A PUT arrives in
// the same way. A DELETE empties the note for those who have it open; the next edit makes it anew. A socket that asks
// with ?people=1 and may read also gets {"type":"people","users"} whenever somebody comes, goes or is renamed; others
// don't, so that a client that knows nothing of it isn't disturbed.
//
// What is no such message closes the socket: 1003 when binary, 1007 when malformed, 1009 when too large, 1013 when no
// more notes can be made. A client that falls behind by too many messages is cut off.
package notebook

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/ostiary/auth"
)

// The bounds of what people can make the server keep. Nothing is stored on disk.
const (
	maxNotes = 1000
	maxText  = 64 << 10 // bytes
	maxName  = 64       // characters
	// maxMessage is a body or a socket's message: every byte of the text may be written as an escape of six.
	maxMessage = 6*maxText + 1<<10
)

// Config is what the notebook stands on.
type Config struct {
	Auth   auth.Auth    // guards it
	Routes http.Handler // of its backend: a login page
	// Base is the path at which browsers reach the application, as they spell it: that of the public URL, without a
	// trailing slash.
	Base string
	// Account is the page, below Base, on which people look after their account. Empty: there is none.
	Account string
	// SignOut are the origins, beside this one, that signing out leads a browser to: those of providers. A page's policy has
	// to name where its forms lead, redirects included.
	SignOut []string
}

type notebook struct {
	Config
	notes notes
}

// Handler serves the application.
func Handler(cfg Config) http.Handler {
	a := cfg.Auth
	n := &notebook{Config: cfg, notes: notes{byName: map[string]*note{}}}
	reader := a.CurrentUser(auth.Permissions{"contents": {"read"}})
	writer := a.CurrentUser(auth.Permissions{"contents": {"read", "write"}})
	deleter := a.CurrentUser(auth.Permissions{"contents": {"delete"}})
	member := a.WebSocketAuth(auth.Permissions{"contents": {"read", "write"}})

	r := chi.NewRouter()
	r.Use(below(n.Base), middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "not_found", "There is nothing at this address.")
	})
	r.MethodNotAllowed(methodNotAllowed)

	r.With(a.CurrentUser(nil)).Get("/", n.page)
	r.Get("/static/{file}", serveStatic)
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })

	r.Handle("/api/me", n.announce(auth.Me(a)))
	r.With(reader).Get("/api/contents/{name}", n.show)
	r.With(writer).Put("/api/contents/{name}", n.save)
	r.With(deleter).Delete("/api/contents/{name}", n.remove)
	r.With(reader).Get("/api/stream/{name}", n.stream)
	r.With(member).Get("/api/room/{name}", n.room)
	r.Handle("/auth/me", n.announce(n.Routes))
	r.Mount("/auth", n.Routes)
	return r
}

// below has the router see what follows base in the path. The request stays as it is: the guard needs the address that
// the browser shows. It is routed in its escaped form, so that an encoded slash in a name is no separator.
func below(base string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			path, ok := strings.CutPrefix(r.URL.EscapedPath(), base)
			if ok && path == "" {
				path = "/"
			}
			if !ok || path[0] != '/' {
				path = "/\x00" // no route has that
			}
			chi.RouteContext(r.Context()).RoutePath = path
			next.ServeHTTP(w, r)
		})
	}
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	routing := chi.RouteContext(r.Context())
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} { // all that there are beside /api/me
		if routing.Routes.Match(chi.NewRouteContext(), method, routing.RoutePath) {
			allow = append(allow, method)
		}
	}
	if slices.Contains(allow, http.MethodGet) {
		allow = append(allow, http.MethodHead)
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	fail(w, http.StatusMethodNotAllowed, "method_not_allowed", "This address can't be used in that way.")
}

// noteName gives the name in the address. Where it is none, the answer is given.
func noteName(w http.ResponseWriter, r *http.Request) (name string, ok bool) {
	name, err := url.PathUnescape(chi.URLParam(r, "name"))
	if err != nil || !validName(name) {
		fail(w, http.StatusBadRequest, "bad_name", "name: want 1 to 64 printable characters, no slash or backslash.")
		return "", false
	}
	return name, true
}

// validName refuses what looks like another name, or like none: names are shown to people, and typed by them.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && utf8.ValidString(name) && utf8.RuneCountInString(name) <= maxName &&
		name == strings.TrimSpace(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || !unicode.IsPrint(r) })
}
