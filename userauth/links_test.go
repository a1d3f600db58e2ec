package userauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

const corp = "https://id.corp.example"

// link has the user linked as if by an own act.
func (s *site) link(name, subject string) userauth.Link {
	s.t.Helper()
	links, r := s.users.Links(), s.in(name).request()
	session, err := links.LoggedIn(r)
	if err == nil {
		err = links.Link(s.t.Context(), r, session, corp, subject)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range s.links(name) {
		if l.Issuer == corp && l.Subject == subject {
			return l
		}
	}
	s.t.Fatalf("%s has no link to %q", name, subject)
	return userauth.Link{}
}

func (s *site) links(name string) []userauth.Link {
	s.t.Helper()
	links, err := s.users.Links().List(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return links
}

// request is one with the browser's cookies, as a provider's way back has it.
func (b *browser) request(options ...option) *http.Request {
	r := httptest.NewRequestWithContext(b.site.t.Context(), http.MethodGet, "http://"+b.site.host+"/sso/callback/corp", nil)
	r.Header.Set("Cookie", b.cookieHeader())
	for _, o := range options {
		o(r)
	}
	return r
}

// signIn signs in as the provider's person, and keeps the cookie.
func (b *browser) signIn(subject, sid string) error {
	s := b.site
	cookies, err := s.users.Links().SignIn(s.t.Context(), b.request(), corp, subject, sid, time.Now())
	b.take(cookies)
	return err
}

func TestLinks(t *testing.T) { onEngines(t, testLinks) }

func testLinks(t *testing.T) {
	s := newSite(t)
	s.add("alice", siteReads)
	s.add("bob", nil)
	made := s.link("alice", "a-17")
	if made.ByRule || made.Linked.IsZero() || s.link("alice", "a-17").ID != made.ID || len(s.links("alice")) != 1 {
		t.Errorf("got %+v, and twice %+v", made, s.links("alice"))
	}
	b := s.browser()
	if err := b.signIn("a-17", "s1"); err != nil {
		t.Fatal(err)
	}
	admitted(t, "signed in", b.get("/api/contents/demo"))
	if got := b.me().Identity.Username; got != "alice" {
		t.Errorf("signed in as %q", got)
	}
	if events := s.eventsOf(auth.EventLogin); events[len(events)-1].UserID != "user:1" || events[len(events)-1].Reason != "oidc" {
		t.Errorf("got %+v", events)
	}
	old := b.copy()
	if err := b.signIn("a-17", "s2"); err != nil {
		t.Fatal(err)
	}
	refused(t, "L-02: the session that the browser had", old.get("/"), http.StatusUnauthorized)
	for name, subject := range map[string]string{"another subject": "a-18", "another case": "A-17", "with a blank": "a-17 ", "no subject": "", "with a NUL": "a-17\x00"} {
		if err := s.browser().signIn(subject, ""); !errors.Is(err, auth.ErrNoCredentials) {
			t.Errorf("%s: got %v, want ErrNoCredentials", name, err)
		}
	}
	if _, err := s.users.Links().SignIn(t.Context(), s.browser().request(), corp+"/", "a-17", "", time.Now()); !errors.Is(err, auth.ErrNoCredentials) {
		t.Errorf("another issuer: got %v, want ErrNoCredentials", err)
	}
	// What a link is stored under is no issuer: nobody gets in by naming it.
	if _, err := s.users.Links().SignIn(t.Context(), s.browser().request(), "link "+corp, "a-17", "", time.Now()); !errors.Is(err, auth.ErrNoCredentials) {
		t.Errorf("the name in the database: got %v, want ErrNoCredentials", err)
	}
	if err := s.users.Links().Unlink(t.Context(), "alice", corp, "a-17"); err != nil {
		t.Fatal(err)
	}
	refused(t, "unlinked", b.get("/"), http.StatusUnauthorized)
	if err := b.signIn("a-17", ""); !errors.Is(err, auth.ErrNoCredentials) {
		t.Errorf("unlinked: got %v, want ErrNoCredentials", err)
	}
}

// RS-20: what one account has, or has had, no other gets but by its own act.
func TestLinksBelongToOneAccount(t *testing.T) { onEngines(t, testLinksBelongToOneAccount) }

func testLinksBelongToOneAccount(t *testing.T) {
	s := newSite(t)
	s.add("alice", nil)
	s.add("bob", nil)
	s.link("alice", "a-17")
	r := s.in("bob").request()
	session, err := s.users.Links().LoggedIn(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.users.Links().Link(t.Context(), r, session, corp, "a-17"); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("taking it over: got %v, want ErrForbidden", err)
	}
	if len(s.links("alice")) != 1 || len(s.links("bob")) != 0 {
		t.Errorf("alice has %+v, bob has %+v", s.links("alice"), s.links("bob"))
	}
	if err := s.users.Accounts().Delete(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	if err := s.browser().signIn("a-17", ""); !errors.Is(err, auth.ErrNoCredentials) {
		t.Errorf("of a deleted account: got %v, want ErrNoCredentials", err)
	}
	if err := s.users.Links().Link(t.Context(), r, session, corp, "a-17"); err != nil {
		t.Errorf("then it is free: got %v", err)
	}
	for n := len(s.links("bob")); n < 20; n++ {
		if err := s.users.Links().Link(t.Context(), r, session, corp, fmt.Sprint("b-", n)); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		s.users.Links().Link(t.Context(), r, session, corp, "one more"),
		s.users.Links().LinkAs(t.Context(), "bob", corp, "one more"),
		s.users.Links().Link(t.Context(), r, session, corp, ""),
		s.users.Links().Link(t.Context(), r, session, "", "x"),
		s.users.Links().Link(t.Context(), r, session, corp, strings.Repeat("x", 2000)),
		s.users.Links().Link(t.Context(), r, session, corp, "\xff"),
	} {
		if !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("got %v, want ErrForbidden", err)
		}
	}
	if n := len(s.links("bob")); n != 20 {
		t.Errorf("bob has %d links", n)
	}
	if err := s.users.Links().Link(t.Context(), r, session, corp, "a-17"); err != nil {
		t.Errorf("one of the twenty again: got %v", err)
	}
}

func TestOwnLinks(t *testing.T) {
	t.Parallel()
	withCorp := func(c *userauth.Config) {
		c.Providers = []userauth.Provider{{Title: "Corp <&>", Issuer: corp, LoginPath: "/sso/login/corp", LinkPath: "/sso/link/corp"}, {Title: "Other", LoginPath: "/sso/login/other"}}
	}
	t.Run("listing and unlinking", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.add("bob", nil)
		made, other := s.link("alice", "a-17"), s.link("bob", "b-3")
		b := s.in("alice")
		var list struct {
			Items []userauth.Link
			Next  *string
		}
		got := b.get("/auth/links")
		if got.decode(t, &list); list.Next == nil || len(list.Items) != 1 || list.Items[0] != made {
			t.Errorf("got %s, want %+v", got.Body, made)
		}
		refused(t, "another's", b.delete("/auth/links/"+other.ID), http.StatusNotFound)
		refused(t, "none", b.delete("/auth/links/x"), http.StatusNotFound)
		refused(t, "nobody", s.browser().delete("/auth/links/"+made.ID), http.StatusUnauthorized)
		token := s.everything("alice")
		refused(t, "an API token that lists", s.browser().get("/auth/links", bearing(token)), http.StatusForbidden)
		refused(t, "an API token that unlinks", s.browser().json(http.MethodDelete, "/auth/links/"+made.ID, "", bearing(token)), http.StatusForbidden)
		if len(s.links("alice")) != 1 || len(s.links("bob")) != 1 {
			t.Fatal("something has been unlinked")
		}
		if got := b.delete("/auth/links/" + made.ID); got.Status != http.StatusNoContent {
			t.Errorf("got %d %s, want 204", got.Status, got.Body)
		}
		if got := b.get("/auth/links"); !strings.Contains(got.Body, `"items":[]`) {
			t.Errorf("got %s", got.Body)
		}
		if events := s.eventsOf(auth.EventUnlinked); len(events) != 1 || events[0].UserID != "user:1" || events[0].Reason != `"a-17" of `+corp {
			t.Errorf("G-05: got %+v", events)
		}
	})
	t.Run("by whom it began, a session ends with the link", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		made := s.link("alice", "a-17")
		b := s.browser()
		if err := b.signIn("a-17", ""); err != nil {
			t.Fatal(err)
		}
		if got := b.post("/auth/links/"+made.ID+"/end", nil); got.Status != http.StatusSeeOther || got.location() != "/auth/login" || len(got.Cookies) != 1 || got.Cookies[0].MaxAge >= 0 {
			t.Errorf("got %d to %q with %v", got.Status, got.location(), got.Cookies)
		}
	})
	t.Run("nobody locks himself out", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		if _, err := s.users.Accounts().Add(t.Context(), userauth.NewAccount{Username: "carol"}); err != nil {
			t.Fatal(err)
		}
		for _, subject := range []string{"c-1", "c-2"} {
			if err := s.users.Links().LinkAs(t.Context(), "carol", corp, subject); err != nil {
				t.Fatal(err)
			}
		}
		b := s.browser()
		if err := b.signIn("c-1", ""); err != nil {
			t.Fatal(err)
		}
		list := s.links("carol")
		if got := b.delete("/auth/links/" + list[1].ID); got.Status != http.StatusNoContent {
			t.Errorf("one of two: got %d %s", got.Status, got.Body)
		}
		got := b.delete("/auth/links/" + list[0].ID)
		if refused(t, "the last", got, http.StatusConflict); !strings.Contains(got.Body, `"only_way"`) || len(s.links("carol")) != 1 {
			t.Errorf("got %s, and %+v are left", got.Body, s.links("carol"))
		}
		admitted(t, "afterwards", b.get("/"))
		if err := s.users.Links().Unlink(t.Context(), "carol", corp, "c-1"); err != nil {
			t.Errorf("by an admin: %v", err)
		}
	})
	t.Run("pages", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, withCorp)
		s.add("alice", nil)
		made := s.link("alice", `<i>"`)
		b := s.in("alice")
		page := b.navigate("/auth/links")
		for _, want := range []string{
			"Corp &lt;&amp;&gt;", "&lt;i&gt;&#34;", `action="/auth/links/` + made.ID + `/end"`, `href="/sso/link/corp?next=%2Fauth%2Flinks"`, `href="/auth/links" aria-current="page"`,
		} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("no %s in %s", want, page.text())
			}
		}
		if strings.Contains(page.Body, "/sso/link/other") || strings.Contains(page.Body, corp) {
			t.Errorf("got %s", page.text())
		}
		s.in("alice")
		for path, want := range map[string]string{"/auth/password": "Linked sign-ins stay", "/auth/sessions": "API tokens and sign-ins, which stay"} {
			if page := b.navigate(path); !strings.Contains(page.Body, want) {
				t.Errorf("%s: no %q in %s", path, want, page.text())
			}
		}
		login := s.browser().navigate("/auth/login?next=%2Fx%3Fa%3Db%26c")
		for _, want := range []string{`href="/sso/login/corp?next=%2Fx%3Fa%3Db%26c"`, `href="/sso/login/other?next=%2Fx%3Fa%3Db%26c"`, "Sign in with Corp &lt;&amp;&gt;", `name="password"`} {
			if !strings.Contains(login.Body, want) {
				t.Errorf("no %s in %s", want, login.text())
			}
		}
		if plain := newSite(t).browser().navigate("/auth/login"); strings.Contains(plain.Body, "Sign in with") {
			t.Errorf("without providers: %s", plain.text())
		}
		without := newSite(t)
		without.add("alice", nil)
		if got := without.in("alice").navigate("/auth/me"); strings.Contains(got.Body, "/auth/links") {
			t.Errorf("without providers: %s", got.text())
		}
	})
}

func TestProvidersThatCantBeMeant(t *testing.T) {
	t.Parallel()
	good := userauth.Provider{Title: "Corp", LoginPath: "/sso/login/corp", LinkPath: "/sso/link/corp"}
	newSite(t, func(c *userauth.Config) { c.Providers = []userauth.Provider{good} })
	for field, spoil := range map[string]func(*userauth.Provider){
		"Title":     func(p *userauth.Provider) { p.Title = "" },
		"LoginPath": func(p *userauth.Provider) { p.LoginPath = "" },
		"LoginPath: returnpath: parsing mount path \"https": func(p *userauth.Provider) { p.LoginPath = "https://evil.example/" },
		"LoginPath: returnpath: parsing mount path \"//e":   func(p *userauth.Provider) { p.LoginPath = "//evil.example/" },
		"LinkPath": func(p *userauth.Provider) { p.LinkPath = "/a/../b" },
	} {
		p := good
		spoil(&p)
		_, err := userauth.New(t.Context(), userauth.Config{DB: siteDB(t), Providers: []userauth.Provider{p}})
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v, want an error that names it", field, err)
		}
	}
}

// A link whose row can't be read is taken for one that nobody has made by an own act.
func TestLinksThatCantBeRead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("alice", nil)
	s.add("boss", siteAdmins)
	s.link("alice", "a-17")
	s.link("boss", "b-1")
	if err := s.browser().signIn("b-1", ""); err != nil {
		t.Fatal(err)
	}
	for _, claims := range []string{"", "null", "[]", `{"linked":"x"}`, `{"linked":1,"by_rule":true}`} {
		if _, err := s.db.ExecContext(t.Context(), "UPDATE auth_externals SET claims = ?", claims); err != nil {
			t.Fatal(err)
		}
		if err := s.browser().signIn("b-1", ""); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%q: an admin: got %v, want ErrForbidden", claims, err)
		}
		if err := s.browser().signIn("a-17", ""); err != nil {
			t.Errorf("%q: a user: got %v", claims, err)
		}
		if l := s.links("boss"); len(l) != 1 || !l[0].ByRule {
			t.Errorf("%q: got %+v", claims, l)
		}
	}
}

// W-16: while the database can't be asked nobody is linked or signed in, and nobody is told to have no account.
func TestLinksWithoutADatabase(t *testing.T) {
	t.Parallel()
	s, faults, _ := faultSite(t)
	s.add("alice", nil)
	s.link("alice", "a-17")
	r := s.in("alice").request()
	session, err := s.users.Links().LoggedIn(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.browser().signIn("a-17", ""); err != nil {
		t.Fatal(err)
	}
	faults.Fail()
	links := s.users.Links()
	_, loggedIn := links.LoggedIn(r)
	_, list := links.List(t.Context(), "alice")
	_, signIn := links.SignIn(t.Context(), s.browser().request(), corp, "a-17", "", time.Now())
	for what, err := range map[string]error{
		"LoggedIn": loggedIn, "List": list, "SignIn": signIn,
		"Link":   links.Link(t.Context(), r, session, corp, "more"),
		"LinkAs": links.LinkAs(t.Context(), "alice", corp, "more"),
		"Unlink": links.Unlink(t.Context(), "alice", corp, "a-17"),
	} {
		if !errors.Is(err, auth.ErrUnavailable) || errors.Is(err, auth.ErrNoCredentials) || errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s: got %v, want ErrUnavailable", what, err)
		}
	}
	faults.Heal()
	eventually(t, "it goes on", func() bool { return s.browser().signIn("a-17", "") == nil })
	if n := len(s.links("alice")); n != 1 {
		t.Errorf("got %d links, want the one", n)
	}
}
