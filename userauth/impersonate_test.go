package userauth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

var siteAdmins = auth.Permissions{"admin": {"read", "write"}}

// impersonating is a site where boss, who is one of two admins, acts as alice.
func impersonating(t *testing.T, change ...func(*userauth.Config)) (s *site, b *browser) {
	t.Helper()
	s = newSite(t, change...)
	s.add("boss", nil)
	s.change("boss", userauth.AccountChange{Grant: siteAdmins})
	s.add("chief", siteAdmins)
	s.add("alice", siteReads)
	b = s.in("boss")
	b.actAs("alice")
	return s, b
}

func (b *browser) actAs(name string) {
	b.site.t.Helper()
	got := b.post("/auth/users/"+name+"/impersonate", nil)
	if got.Status != http.StatusSeeOther || got.location() != "/auth/me" || got.sessionCookie() == nil {
		b.site.t.Fatalf("acting as %s: got %d to %q %s", name, got.Status, got.location(), got.text())
	}
	if is := b.me().Identity.Username; is != name {
		b.site.t.Fatalf("acting as %s: got %s", name, is)
	}
}

func TestImpersonation(t *testing.T) {
	t.Parallel()
	t.Run("there and back", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("boss", siteAdmins)
		s.add("alice", siteReads)
		b := s.in("boss")
		before := b.copy()
		page := b.navigate("/auth/users/alice")
		if !strings.Contains(page.Body, `action="/auth/users/alice/impersonate"`) {
			t.Errorf("the user's page has no button\n%s", page.text())
		}
		b.actAs("alice")
		admitted(t, "what alice may", b.get("/api/contents/demo"))
		refused(t, "what alice may not", b.json(http.MethodPut, "/api/contents/demo", `{"Text":"x"}`), http.StatusForbidden)
		refused(t, "what boss may", b.get("/auth/users"), http.StatusForbidden)
		refused(t, "boss's own session, wherever its cookie is", before.get("/"), http.StatusUnauthorized)
		page = b.navigate("/auth/me")
		for _, want := range []string{"You are <bdi>boss</bdi>, acting as <bdi>alice</bdi>", ">Stop</button>", "This user signs in as alice."} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("no %s in\n%s", want, page.Body[strings.Index(page.Body, "<body"):])
			}
		}
		if strings.Contains(page.Body, `action="/auth/me"`) || strings.Contains(page.Body, "/auth/password") {
			t.Errorf("the page offers what is refused\n%s", page.text())
		}
		acting := b.copy()
		if got := b.post("/auth/logout", nil); got.Status != http.StatusSeeOther || got.location() != "/auth/login" {
			t.Errorf("stop: got %d to %q", got.Status, got.location())
		}
		refused(t, "afterwards", acting.get("/"), http.StatusUnauthorized)
		if n := s.count("sessions"); n != 0 {
			t.Errorf("got %d sessions, want none", n)
		}
		events := s.eventsOf(auth.EventImpersonation)
		if len(events) != 2 || events[0].UserID != "user:1" || events[0].Username != "boss" || events[0].Reason != `acts as user:2 "alice"` ||
			events[1].UserID != "user:1" || events[1].Username != "boss" || events[1].Reason != `no longer acts as user:2 "alice"` {
			t.Errorf("got events %+v", events)
		}
		if got := len(s.eventsOf(auth.EventLogout)); got != 0 {
			t.Errorf("got %d logouts of alice's", got)
		}
	})
	t.Run("by JSON", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("boss", siteAdmins)
		s.add("alice", siteReads)
		b := s.in("boss")
		if got := b.json(http.MethodPost, "/auth/users/ALICE/impersonate", ""); got.Status != http.StatusOK || b.me().Identity.Username != "alice" {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
		if got := b.json(http.MethodPost, "/auth/logout", ""); got.Status != http.StatusNoContent {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
	})
	t.Run("it is seen in the user's sessions, where the user can end it", func(t *testing.T) {
		t.Parallel()
		s, b := impersonating(t)
		alice := s.in("alice")
		var list struct{ Items []userauth.Session }
		alice.get("/auth/sessions").decode(t, &list)
		var id string
		for _, session := range list.Items {
			if session.By == "boss" && session.Method == "impersonation" {
				id = session.ID
			}
		}
		if len(list.Items) != 2 || id == "" {
			t.Fatalf("got %+v, want boss in one of two", list.Items)
		}
		if page := alice.navigate("/auth/sessions"); !strings.Contains(page.Body, "by admin boss") {
			t.Errorf("got\n%s", page.text())
		}
		if page := s.in("chief").navigate("/auth/users/alice"); !strings.Contains(page.Body, "by admin boss") {
			t.Errorf("an admin's view: got\n%s", page.text())
		}
		if all, err := s.users.Accounts().Sessions(t.Context(), "alice"); err != nil || len(all) != 2 || all[0].By+all[1].By != "boss" {
			t.Errorf("got %+v %v", all, err)
		}
		if got := alice.json(http.MethodDelete, "/auth/sessions/"+id, ""); got.Status != http.StatusNoContent {
			t.Errorf("got %d", got.Status)
		}
		refused(t, "afterwards", b.get("/"), http.StatusUnauthorized)
		admitted(t, "alice", alice.get("/"))
	})
	t.Run("it lasts an hour", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		_, b := impersonating(t, clocked(clock))
		clock.advance(time.Hour - time.Second)
		admitted(t, "in its last second", b.get("/"))
		clock.advance(time.Second)
		refused(t, "at its end", b.get("/"), http.StatusUnauthorized)
	})
	t.Run("or less, where sessions do", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		_, b := impersonating(t, clocked(clock), func(c *userauth.Config) { c.Lifetime = time.Minute })
		clock.advance(time.Minute)
		refused(t, "at its end", b.get("/"), http.StatusUnauthorized)
	})
}

// Who acts as somebody is kept away from what would outlast it or hide it, and from the account altogether.
func TestImpersonationIsKeptAway(t *testing.T) {
	t.Parallel()
	s, b := impersonating(t)
	alice := s.in("alice")
	var list struct{ Items []userauth.Session }
	alice.get("/auth/sessions").decode(t, &list)
	link := s.link("alice", "alice at corp")
	before, sessions := dump(t, s.db), s.count("sessions")
	if got := b.get("/auth/me"); got.Status != http.StatusOK {
		t.Errorf("the profile: got %d", got.Status)
	}
	for _, request := range []string{
		"GET /auth/password", "POST /auth/password", "GET /auth/sessions", "DELETE /auth/sessions", "POST /auth/sessions/end",
		"DELETE /auth/sessions/" + list.Items[0].ID, "POST /auth/sessions/" + list.Items[1].ID + "/end", "PATCH /auth/me", "POST /auth/me", "PATCH /api/me",
		"GET /auth/tokens", "POST /auth/tokens", "DELETE /auth/tokens/x", "POST /auth/tokens/x/end",
		"GET /auth/links", "DELETE /auth/links/" + link.ID, "POST /auth/links/" + link.ID + "/end",
		"POST /auth/users/chief/impersonate", "GET /auth/users", "GET /auth/invitations", "POST /auth/invitations",
	} {
		method, path, _ := strings.Cut(request, " ")
		body := `{"current":"` + sitePassword + `","new":"` + nextPassword + `"}`
		if strings.HasSuffix(path, "/me") {
			body = `{"name":"Mallory"}`
		}
		refused(t, request, b.json(method, path, body), http.StatusForbidden)
		if method == http.MethodPost {
			form := url.Values{"current": {sitePassword}, "new": {nextPassword}, "name": {"Mallory"}}
			refused(t, request+" by a form", b.post(path, form), http.StatusForbidden)
		}
	}
	if got := dump(t, s.db); got != before || s.count("sessions") != sessions {
		t.Errorf("something has changed:\n%s\nwant\n%s", got, before)
	}
	admitted(t, "alice", alice.get("/"))
	if got := alice.json(http.MethodPatch, "/auth/me", `{"name":"Al"}`); got.Status != http.StatusOK {
		t.Errorf("alice herself: got %d %s", got.Status, got.Body)
	}
}

func TestWhoCanBeActedAs(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*site, *browser) {
		s := newSite(t, func(c *userauth.Config) {
			c.Auth.Roles = map[string]auth.Role{"operator": {Permissions: auth.Permissions{"adm*": {"*"}}}}
		})
		a := s.users.Accounts()
		putRole(t, a, "operator", nil)
		putRole(t, a, "watcher", auth.Permissions{"admin": {"read"}})
		s.add("boss", siteAdmins)
		s.add("alice", siteReads)
		return s, s.in("boss")
	}
	yes := true
	for name, spoil := range map[string]func(s *site){
		"who is disabled":                             func(s *site) { s.change("alice", userauth.AccountChange{Disabled: &yes}) },
		"who holds admin:write":                       func(s *site) { s.change("alice", userauth.AccountChange{Grant: auth.Permissions{"admin": {"write"}}}) },
		"who holds admin:read":                        func(s *site) { s.change("alice", userauth.AccountChange{Grant: auth.Permissions{"admin": {"read"}}}) },
		"who holds everything":                        func(s *site) { s.change("alice", userauth.AccountChange{Grant: auth.Permissions{"*": {"*"}}}) },
		"who holds it by a role":                      func(s *site) { s.change("alice", userauth.AccountChange{AddRoles: []string{"watcher"}}) },
		"who holds it by a role of the configuration": func(s *site) { s.change("alice", userauth.AccountChange{AddRoles: []string{"operator"}}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, b := start(t)
			other := s.in("boss")
			other.actAs("alice") // the good case
			spoil(s)
			refused(t, "who acts as such a one already", other.get("/"), http.StatusUnauthorized)
			before := s.count("sessions")
			got := b.json(http.MethodPost, "/auth/users/alice/impersonate", "")
			refused(t, name, got, http.StatusForbidden)
			refused(t, name+", by the form", b.post("/auth/users/alice/impersonate", nil), http.StatusForbidden)
			if n := s.count("sessions"); n != before {
				t.Errorf("got %d sessions, want %d", n, before)
			}
			admitted(t, "boss", b.get("/"))
			if n := len(s.eventsOf(auth.EventImpersonation)); n != 1 {
				t.Errorf("got %d impersonations, want the good one alone", n)
			}
		})
	}
	t.Run("nobody as oneself, nobody as who isn't there", func(t *testing.T) {
		t.Parallel()
		_, b := start(t)
		refused(t, "oneself", b.json(http.MethodPost, "/auth/users/boss/impersonate", ""), http.StatusForbidden)
		refused(t, "nobody", b.json(http.MethodPost, "/auth/users/nobody/impersonate", ""), http.StatusNotFound)
		refused(t, "who can't be", b.json(http.MethodPost, "/auth/users/a%2Fb/impersonate", ""), http.StatusNotFound)
		admitted(t, "boss", b.get("/"))
	})
	t.Run("only holders of admin:write do, from a browser, and no foreign page", func(t *testing.T) {
		t.Parallel()
		s, b := start(t)
		s.add("watcher", nil, "watcher")
		refused(t, "who only reads", s.in("watcher").json(http.MethodPost, "/auth/users/alice/impersonate", ""), http.StatusForbidden)
		refused(t, "a user", s.in("alice").json(http.MethodPost, "/auth/users/boss/impersonate", ""), http.StatusForbidden)
		refused(t, "a stranger", s.browser().json(http.MethodPost, "/auth/users/alice/impersonate", ""), http.StatusUnauthorized)
		refused(t, "a foreign page", b.post("/auth/users/alice/impersonate", nil, with("Sec-Fetch-Site", "cross-site")), http.StatusForbidden)
		refused(t, "by a link", b.navigate("/auth/users/alice/impersonate"), http.StatusMethodNotAllowed)
		admitted(t, "boss", b.get("/"))
		s.add("opal", nil, "operator")
		s.in("opal").actAs("alice") // by a role of the configuration
	})
	t.Run("K-04 not with an API token, whatever cookie is beside it", func(t *testing.T) {
		t.Parallel()
		s, b := start(t)
		token := bearing(s.everything("boss"))
		if got := b.get("/auth/users", token); got.Status != http.StatusOK {
			t.Fatalf("got %d, want an admin", got.Status)
		}
		for _, c := range []*browser{b, s.browser()} {
			refused(t, "a token", c.json(http.MethodPost, "/auth/users/alice/impersonate", "", token), http.StatusForbidden)
		}
		admitted(t, "boss", b.get("/"))
	})
	t.Run("not who comes by another backend", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		other := auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
			if r.Header.Get("Authorization")+r.Header.Get("Proxy-User") == "" {
				return nil, auth.ErrNoCredentials
			}
			return &auth.Identity{ID: "sso:1", User: auth.User{Username: "root"}, Permissions: siteAdmins, Explicit: true}, nil
		})
		if _, err := auth.New(auth.Config{Logger: slog.New(slog.DiscardHandler)}, other, s.users); err != nil {
			t.Fatal(err)
		}
		b := s.in("boss") // whose cookie is there as well
		for _, key := range []option{with("Authorization", "Bearer x"), with("Proxy-User", "root")} {
			if got := b.get("/auth/users", key); got.Status != http.StatusOK {
				t.Fatalf("got %d, want an admin", got.Status)
			}
			refused(t, "another backend's admin", b.json(http.MethodPost, "/auth/users/alice/impersonate", "", key), http.StatusForbidden)
		}
		admitted(t, "boss", b.get("/"))
	})
}

// What ends an admin's rights ends what rests on them, with the same commit: in this process at once.
func TestImpersonationEndsWithItsGround(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	role := func(s *site, p auth.Permissions) {
		a := s.users.Accounts()
		r, err := a.Role(s.t.Context(), "lead")
		if err == nil {
			r.Permissions = p
			_, err = a.PutRole(s.t.Context(), r)
		}
		if err != nil {
			s.t.Error(err)
		}
	}
	must := func(s *site, err error) {
		if err != nil {
			s.t.Error(err)
		}
	}
	for name, end := range map[string]func(s *site){
		"the admin is disabled":           func(s *site) { s.change("boss", userauth.AccountChange{Disabled: &yes}) },
		"the admin is deleted":            func(s *site) { must(s, s.users.Accounts().Delete(s.t.Context(), "boss")) },
		"the admin's role is taken":       func(s *site) { s.change("boss", userauth.AccountChange{RemoveRoles: []string{"lead"}}) },
		"the role loses admin:write":      func(s *site) { role(s, auth.Permissions{"admin": {"read"}}) },
		"the role is deleted":             func(s *site) { must(s, s.users.Accounts().DeleteRole(s.t.Context(), "lead")) },
		"the admin gets another password": func(s *site) { must(s, s.users.Accounts().SetPassword(s.t.Context(), "boss", nextPassword)) },
		"the admin is signed out":         func(s *site) { _, err := s.users.Accounts().EndSessions(s.t.Context(), "boss"); must(s, err) },
		"the admin signs out elsewhere":   func(s *site) { s.in("boss").json(http.MethodDelete, "/auth/sessions", "") },
		"the admin sets another password": func(s *site) {
			s.in("boss").json(http.MethodPost, "/auth/password", `{"current":"`+sitePassword+`","new":"`+nextPassword+`"}`)
		},
		"the admin acts as somebody else": func(s *site) { s.in("boss").actAs("bob") },
		"the user is disabled":            func(s *site) { s.change("alice", userauth.AccountChange{Disabled: &yes}) },
		"the user is deleted":             func(s *site) { must(s, s.users.Accounts().Delete(s.t.Context(), "alice")) },
		"the user becomes an admin":       func(s *site) { s.change("alice", userauth.AccountChange{AddRoles: []string{"lead"}}) },
		"the user's role becomes an admin": func(s *site) {
			s.change("alice", userauth.AccountChange{Grant: auth.Permissions{"admin": {"read"}}, Disabled: &no})
		},
		"the user sets another password": func(s *site) {
			s.in("alice").json(http.MethodPost, "/auth/password", `{"current":"`+sitePassword+`","new":"`+nextPassword+`"}`)
		},
		"the user signs out elsewhere": func(s *site) { s.in("alice").json(http.MethodDelete, "/auth/sessions", "") },
		"the user is signed out":       func(s *site) { _, err := s.users.Accounts().EndSessions(s.t.Context(), "alice"); must(s, err) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			putRole(t, s.users.Accounts(), "lead", siteAdmins)
			s.add("boss", nil, "lead")
			s.add("chief", siteAdmins)
			s.add("alice", siteWrites)
			s.add("bob", nil)
			b := s.in("boss")
			b.actAs("alice")
			chief := s.in("chief")
			chief.actAs("bob")
			s.change("bob", userauth.AccountChange{Grant: siteReads}) // what concerns nobody's rights as an admin ends nothing
			admitted(t, "before", b.get("/"))
			end(s)
			refused(t, "afterwards", b.get("/"), http.StatusUnauthorized)
			admitted(t, "another admin who acts as another", chief.get("/"))
		})
	}
}

// Of an impersonation and the end of its ground at once, the second one sees the first: none is left over.
func TestImpersonationAndItsEndAtOnce(t *testing.T) { onEngines(t, testImpersonationAndItsEndAtOnce) }

func testImpersonationAndItsEndAtOnce(t *testing.T) {
	for name, end := range map[string]userauth.AccountChange{
		"the admin loses the right": {Revoke: siteAdmins}, "the user gets it": {Grant: siteAdmins},
	} {
		s := newSite(t)
		s.add("chief", siteAdmins)
		s.add("boss", siteAdmins)
		s.add("alice", nil)
		whom := "boss"
		if len(end.Grant) > 0 {
			whom = "alice"
		}
		var wg sync.WaitGroup
		browsers := make([]*browser, 4)
		for i := range browsers {
			browsers[i] = s.in("boss")
			wg.Go(func() { browsers[i].json(http.MethodPost, "/auth/users/alice/impersonate", "") })
		}
		wg.Go(func() { s.change(whom, end) })
		wg.Wait()
		var acting int
		if err := s.db.GetContext(t.Context(), &acting, "SELECT COUNT(*) FROM auth_sessions WHERE issuer = 'impersonation'"); err != nil || acting != 0 {
			t.Errorf("%s: %d impersonations are left, %v", name, acting, err)
		}
		for _, b := range browsers {
			if got := b.get("/"); got.reached() && strings.Contains(got.Body, "alice") {
				t.Errorf("%s: got %s", name, got.Body)
			}
		}
	}
}

// An admin of an authenticator's whom that says less of at the next login, and whose claims can't be read any more.
func TestImpersonationByAnAuthenticatorsUser(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	held := siteAdmins
	s := newSite(t, func(c *userauth.Config) {
		c.Authenticators = []userauth.Authenticator{userauth.AuthenticatorFunc(func(context.Context, string, string) (*auth.Identity, error) {
			mu.Lock()
			defer mu.Unlock()
			return &auth.Identity{ID: "ldap:7", User: auth.User{Username: "lea"}, Permissions: held}, nil
		})}
	})
	s.add("alice", siteReads)
	b := s.in("lea")
	b.actAs("alice")
	if events := s.eventsOf(auth.EventImpersonation); len(events) != 1 || events[0].UserID != "ldap:7" || events[0].Username != "lea" {
		t.Errorf("got events %+v", events)
	}
	s.in("alice") // somebody else's login ends nothing
	admitted(t, "before", b.get("/"))
	mu.Lock()
	held = siteReads
	mu.Unlock()
	s.in("lea")
	refused(t, "after the next login", b.get("/"), http.StatusUnauthorized)
}

// What the row says by whom is read by nobody else's leave: spoiled, it still is no session of the user's own.
func TestImpersonationWhoseDataIsSpoiled(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "{", "{}", `{"id":"user:3","username":"alice"}`, `[]`} {
		s, b := impersonating(t)
		if _, err := s.db.ExecContext(t.Context(), "UPDATE auth_sessions SET data = ? WHERE issuer = 'impersonation'", data); err != nil {
			t.Fatal(err)
		}
		refused(t, fmt.Sprintf("%q", data), b.json(http.MethodDelete, "/auth/sessions", ""), http.StatusForbidden)
		if all, err := s.users.Accounts().Sessions(t.Context(), "alice"); err != nil || len(all) != 1 || all[0].By != "user:1" {
			t.Errorf("%q: got %+v %v, want the admin's ID", data, all, err)
		}
	}
}
