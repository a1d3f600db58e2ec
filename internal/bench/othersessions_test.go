package bench_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"
)

// newSCS is scs' session manager over a store, and the check of the others behind its middleware: the session names the
// user, what the user may is in memory. It keeps tokens hashed, as the others do. It gives a cookie with each call.
func newSCS(tb testing.TB, store scs.Store, idle time.Duration) (guard func(http.Handler) http.Handler, login func() string) {
	tb.Helper()
	m := scs.New()
	if store != nil {
		m.Store = store
	}
	m.HashTokenInStore, m.IdleTimeout = true, idle
	m.ErrorFunc = func(_ http.ResponseWriter, _ *http.Request, err error) { panic(err) }
	users := map[string]*handUser{"editor": {name: "editor", permissions: granted}}
	check := checkUser(func(r *http.Request) *handUser { return users[m.GetString(r.Context(), "user")] })
	guard = func(next http.Handler) http.Handler { return m.LoadAndSave(check(next)) }
	login = func() string {
		w := newWriter()
		m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m.Put(r.Context(), "user", "editor")
			w.WriteHeader(http.StatusNoContent)
		})).ServeHTTP(w, get(tb, path))
		return onlyCookie(tb, w)
	}
	return guard, login
}

// newGorilla is gorilla's CookieStore, signed and encrypted: the cookie itself says who it is, so nothing is looked up
// and nothing can be ended.
func newGorilla(tb testing.TB) (guard func(http.Handler) http.Handler, login func() string) {
	tb.Helper()
	key := []byte("0123456789abcdef0123456789abcdef")
	store := sessions.NewCookieStore(key, key)
	users := map[string]*handUser{"editor": {name: "editor", permissions: granted}}
	guard = checkUser(func(r *http.Request) *handUser {
		s, err := store.Get(r, "session")
		if err != nil {
			return nil
		}
		name, _ := s.Values["user"].(string)
		return users[name]
	})
	login = func() string {
		w, r := newWriter(), get(tb, path)
		s, err := store.New(r, "session")
		if err != nil {
			tb.Fatal(err)
		}
		s.Values["user"] = "editor"
		if err := s.Save(r, w); err != nil {
			tb.Fatal(err)
		}
		return onlyCookie(tb, w)
	}
	return guard, login
}

func onlyCookie(tb testing.TB, w *writer) string {
	tb.Helper()
	cookies := (&http.Response{Header: w.header}).Cookies()
	if len(cookies) != 1 {
		tb.Fatalf("got %d cookies, want 1", len(cookies))
	}
	return cookies[0].Name + "=" + cookies[0].Value
}

// checkUser admits whom find knows and who may read and write contents. The user isn't put into the context: the session
// is there already.
func checkUser(find func(*http.Request) *handUser) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user := find(r)
			if user == nil || user.name == "" {
				handRefuse(w, http.StatusUnauthorized)
				return
			}
			for _, action := range []string{"read", "write"} {
				if !slices.Contains(user.permissions["contents"], action) {
					handRefuse(w, http.StatusForbidden)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
