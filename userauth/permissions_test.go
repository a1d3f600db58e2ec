package userauth_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

func (s *site) role(name string, p auth.Permissions) {
	s.t.Helper()
	putRole(s.t, s.users.Accounts(), name, p)
}

func TestPermissions(t *testing.T) { onEngines(t, testPermissions) }

func testPermissions(t *testing.T) {
	t.Run("JV37 a reader doesn't write", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", siteReads)
		b := s.in("ann")
		refused(t, "PUT", b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`), http.StatusForbidden)
		if s.note("demo") != "hello" {
			t.Errorf("the note is %q", s.note("demo"))
		}
		admitted(t, "GET", b.get("/api/contents/demo"))
	})
	t.Run("ZA02 ZA03 a role's permissions and direct grants count alike", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.role("boss", auth.Permissions{"admin": {"read"}})
		s.add("ann", siteReads, "boss")
		asked := 0
		mux := s.routes(s.users)
		mux.Handle("/predicate", auth.RequireFunc(s.users, func(_ *http.Request, id auth.Identity) (bool, error) {
			asked++
			return id.User.Username == "ann", nil
		})(s.reach(s.page)))
		s.Handler = mux
		b := s.in("ann")
		for _, path := range []string{"/admin", "/api/contents/demo", "/predicate"} {
			admitted(t, path, b.get(path))
			refused(t, path+" by a stranger", s.browser().get(path), http.StatusUnauthorized)
		}
		if asked != 1 {
			t.Errorf("the predicate was asked %d times, want once: not for a stranger", asked)
		}
	})
	t.Run("ZA17 any of some roles", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		for _, role := range []string{"A", "B", "C", "b"} {
			s.role(role, nil)
		}
		s.add("ann", nil, "B")
		s.add("carl", nil, "C", "b")
		admitted(t, "who has one", s.in("ann").get("/club"))
		refused(t, "who has another", s.in("carl").get("/club"), http.StatusForbidden)
		refused(t, "a stranger", s.browser().get("/club"), http.StatusUnauthorized)
	})
	t.Run("ZA12 no action twice", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.role("reader", siteReads)
		s.role("writer", siteWrites)
		s.add("ann", nil, "reader", "writer")
		got := s.in("ann").get(`/api/me?permissions={"contents":["read","write"]}`)
		var m me
		if got.decode(t, &m); fmt.Sprint(m.Permissions["contents"]) != "[read write]" {
			t.Errorf("got %s", got.Body)
		}
	})
	t.Run("default roles are everybody's, as they stand", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, func(c *userauth.Config) { c.DefaultRoles = []string{"everybody"} })
		s.add("ann", nil)
		b := s.in("ann")
		refused(t, "before there is such a role", b.get("/api/contents/demo"), http.StatusForbidden)
		s.role("everybody", siteReads)
		admitted(t, "with it", b.get("/api/contents/demo"))
		if err := s.users.Accounts().DeleteRole(t.Context(), "everybody"); err != nil {
			t.Fatal(err)
		}
		refused(t, "without it again", b.get("/api/contents/demo"), http.StatusForbidden)
	})
	t.Run("S-13 what is given and taken counts at the next request", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.role("writer", siteWrites)
		s.add("ann", nil)
		b := s.in("ann")
		put := func() answer { return b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`) }
		refused(t, "before", put(), http.StatusForbidden)
		s.change("ann", userauth.AccountChange{Grant: siteWrites})
		admitted(t, "granted", put())
		s.change("ann", userauth.AccountChange{Revoke: auth.Permissions{"contents": {"write"}}})
		refused(t, "revoked", put(), http.StatusForbidden)
		s.change("ann", userauth.AccountChange{AddRoles: []string{"writer"}})
		admitted(t, "by a role", put())
		role, err := s.users.Accounts().PutRole(t.Context(), userauth.Role{Name: "writer", Permissions: siteReads, Version: 1})
		if err != nil {
			t.Fatal(err)
		}
		refused(t, "by a role that holds less", put(), http.StatusForbidden)
		role.Permissions = siteWrites
		if _, err := s.users.Accounts().PutRole(t.Context(), role); err != nil {
			t.Fatal(err)
		}
		admitted(t, "by a role that holds more", put())
		s.change("ann", userauth.AccountChange{RemoveRoles: []string{"writer"}})
		refused(t, "without the role", put(), http.StatusForbidden)
	})
	t.Run("X-12 what a handler gets widens no grant", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", siteReads)
		s.Handler = s.routes(s.users)
		b := s.in("ann")
		s.Handler.(*http.ServeMux).Handle("/widen", s.users.CurrentUser(siteReads)(s.reach(func(_ http.ResponseWriter, r *http.Request) {
			id, _ := auth.IdentityFrom(r.Context())
			id.Permissions["contents"] = append(id.Permissions["contents"], "write")
			id.Permissions["admin"] = []string{"*"}
			clear(auth.CheckedPermissions(r.Context()))
		})))
		admitted(t, "widen", b.get("/widen"))
		refused(t, "write", b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`), http.StatusForbidden)
		refused(t, "admin", b.get("/admin"), http.StatusForbidden)
		admitted(t, "read", b.get("/api/contents/demo"))
	})
}

// whatever proves a caller, and whatever is held: 401, 403 or 200, exactly.
func TestMatrix(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	route := http.NewServeMux()
	route.Handle("/", s.users.CurrentUser(auth.Permissions{"doc": {"a", "b"}})(s.reach(s.page)))
	routes := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/matrix" {
			route.ServeHTTP(w, r)
			return
		}
		routes.ServeHTTP(w, r)
	})
	for name, held := range map[string][]string{"none": nil, "a": {"a"}, "ab": {"a", "b"}, "ba": {"b", "a"}, "bc": {"b", "c"}, "star": {"*"}} {
		p := auth.Permissions{}
		if held != nil {
			p["doc"] = held
		}
		s.add(name, p)
		good := s.in(name)
		ended := s.in(name)
		old := ended.copy()
		ended.json(http.MethodPost, "/auth/logout", "")
		want := http.StatusForbidden
		if name == "ab" || name == "ba" || name == "star" {
			want = http.StatusOK
		}
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
			if got := good.json(method, "/matrix", ""); got.Status != want || got.reached() != (want == http.StatusOK) {
				t.Errorf("%s, %s: got %d, reached %v, want %d", method, name, got.Status, got.reached(), want)
			}
			refused(t, "no credential", s.browser().json(method, "/matrix", ""), http.StatusUnauthorized)
			refused(t, "an ended one", old.copy().json(method, "/matrix", ""), http.StatusUnauthorized)
			refused(t, "a wrong one", s.browser().json(method, "/matrix", "", with("Cookie", "ostiary-user-8888=x")), http.StatusUnauthorized)
			// K-12: a header decides alone, and junk in it buys no exemption from the origin rule.
			refused(t, "a header beside the cookie", good.copy().json(method, "/matrix", "", with("Authorization", "Bearer x")), http.StatusUnauthorized)
		}
	}
}
