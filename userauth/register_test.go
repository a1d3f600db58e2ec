package userauth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

func open(c *userauth.Config) { c.Registration = userauth.RegistrationOpen }

// register posts JSON. Fields that aren't strings are the test's to write.
func (b *browser) register(name, pass, invitation string, options ...option) answer {
	fields := map[string]string{"username": name, "password": pass}
	if invitation != "" {
		fields["invitation"] = invitation
	}
	body, _ := json.Marshal(fields)
	return b.json(http.MethodPost, b.path("/auth/register"), string(body), options...)
}

func TestRegister(t *testing.T) {
	t.Parallel()
	t.Run("by JSON", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, open)
		b := s.browser()
		got := b.register("Zoë", sitePassword, "")
		if got.Status != http.StatusCreated || len(got.Cookies) != 0 { // S-23
			t.Fatalf("got %d %s, cookies %v, want 201 and no session", got.Status, got.Body, got.Cookies)
		}
		var user auth.User
		if got.decode(t, &user); user.Username != "Zoë" || user.Anonymous {
			t.Errorf("got %s", got.Body)
		}
		b.logIn("zoë", sitePassword)
		if got := b.me(); got.Identity.Username != "Zoë" {
			t.Errorf("got %+v", got)
		}
		if events := s.eventsOf(auth.EventRegistered); len(events) != 1 || events[0].UserID != "user:1" || events[0].Username != "Zoë" { // G-05
			t.Errorf("got events %+v", events)
		}
	})
	t.Run("by the form, there and back", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, open)
		b := s.browser()
		login := b.navigate("/auth/login?next=/notes")
		if !strings.Contains(login.Body, `href="/auth/register?next=%2Fnotes"`) {
			t.Errorf("the login page doesn't lead there\n%s", login.text())
		}
		got := b.navigate("/auth/register?next=/notes")
		if got.Status != http.StatusOK || strings.Contains(got.Body, "<script") || strings.Contains(got.Body, "maxlength") {
			t.Errorf("got %d\n%s", got.Status, got.text())
		}
		for _, want := range []string{
			`<form method="post" action="/auth/register">`, `name="next" value="/notes"`, `name="username" type="text"`, `name="password" type="password"`,
			`autocomplete="username"`, `autocomplete="new-password"`, `At least 15 characters`, `href="/auth/login?next=%2Fnotes"`, // L-18
		} {
			if !strings.Contains(got.Body, want) {
				t.Errorf("no %s in\n%s", want, got.text())
			}
		}
		form := credentials("ann", sitePassword)
		form.Set("next", "/notes")
		if got = b.post("/auth/register", form); got.Status != http.StatusSeeOther || got.location() != "/auth/login?next=%2Fnotes&done=registered" || len(got.Cookies) != 0 {
			t.Fatalf("got %d to %q, cookies %v, want 303 to the login page", got.Status, got.location(), got.Cookies)
		}
		if got = b.navigate(got.location()); !strings.Contains(got.Body, "Your account is ready") || !strings.Contains(got.Body, `value="/notes"`) {
			t.Errorf("got %d\n%s", got.Status, got.text())
		}
		form.Del("username")
		form.Set("username", "ann")
		if got = b.post("/auth/login", form); got.Status != http.StatusSeeOther || got.location() != "/notes" {
			t.Errorf("the login: got %d to %q", got.Status, got.location())
		}
	})
	t.Run("S-23 the session of who used this browser before is nobody else's business", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, open)
		s.add("alice", nil)
		b := s.in("alice")
		if got := b.register("bob", sitePassword, ""); got.Status != http.StatusCreated || len(got.Cookies) != 0 {
			t.Fatalf("got %d, cookies %v", got.Status, got.Cookies)
		}
		if got := b.me().Identity.Username; got != "alice" || s.count("sessions") != 1 {
			t.Errorf("got %q with %d sessions, want alice and hers", got, s.count("sessions"))
		}
	})
	t.Run("default roles are all that a newcomer gets", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, open, func(c *userauth.Config) { c.DefaultRoles = []string{"reader"} })
		putRole(t, s.users.Accounts(), "reader", siteReads)
		putRole(t, s.users.Accounts(), "editor", siteWrites)
		b := s.browser()
		if got := b.register("ann", sitePassword, ""); got.Status != http.StatusCreated {
			t.Fatalf("got %d %s", got.Status, got.Body)
		}
		b.logIn("ann", sitePassword)
		admitted(t, "reading", b.get("/api/contents/demo"))
		refused(t, "writing", b.json(http.MethodPut, "/api/contents/demo", `{"Text":"x"}`), http.StatusForbidden)
		refused(t, "administering", b.get("/admin"), http.StatusForbidden)
		if account, err := s.users.Accounts().Get(t.Context(), "ann"); err != nil || len(account.Roles)+len(account.Permissions) != 0 {
			t.Errorf("got %+v %v, want nothing of her own", account, err)
		}
	})
}

// JV12, RS-16: closed is what it is unless somebody says otherwise, and no spelling of the path is another door.
func TestRegistrationIsClosed(t *testing.T) {
	t.Parallel()
	body := fmt.Sprintf(`{"username":"eve","password":%q}`, sitePassword)
	form := credentials("eve", sitePassword)
	closed, opened := newSite(t), newSite(t, open)
	if got := opened.browser().json(http.MethodPost, "/auth/register", body); got.Status != http.StatusCreated {
		t.Fatalf("where it is open: got %d %s", got.Status, got.Body)
	}
	b := closed.browser()
	got := b.json(http.MethodPost, "/auth/register", body)
	if refused(t, "JSON", got, http.StatusForbidden); !strings.Contains(got.Body, `"code":"forbidden"`) {
		t.Errorf("got %s", got.Body)
	}
	refused(t, "form", b.post("/auth/register", form), http.StatusForbidden)
	refused(t, "the page", b.navigate("/auth/register"), http.StatusForbidden)
	refused(t, "HEAD", b.do(http.MethodHead, "/auth/register", ""), http.StatusForbidden)
	refused(t, "no body at all", b.do(http.MethodPost, "/auth/register", ""), http.StatusForbidden)
	refused(t, "no JSON", b.json(http.MethodPost, "/auth/register", "{"), http.StatusForbidden)
	if got := b.navigate("/auth/login"); strings.Contains(got.Body, "register") {
		t.Errorf("the login page leads there\n%s", got.text())
	}
	for _, path := range []string{"//register", "/Register", "/REGISTER", "/register/", "/%72egister/", "/register/x", "/register;x"} {
		r := httptest.NewRequest(http.MethodPost, "/auth/login", strings.NewReader(body))
		r.Host, r.URL.Path = closed.host, "/auth"+path // as no router would clean it
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if closed.users.Routes().ServeHTTP(w, r); w.Code != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, w.Code)
		}
	}
	refused(t, "PUT", b.json(http.MethodPut, "/auth/register", body), http.StatusMethodNotAllowed)
	if n := closed.count("users"); n != 0 {
		t.Errorf("got %d users, want none", n)
	}
	if events := closed.eventsOf(auth.EventRefused); len(events) != 6 || events[0].Status != http.StatusForbidden {
		t.Errorf("G-05: got events %+v", events)
	}
}

// FU06, FU07, RS-15, U-02, U-03, P-08: what can't be taken is 400, names the field, and makes nobody.
func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, open, func(c *userauth.Config) { c.Policy.BlockedWords = []string{"Ostiary"} })
	and := func(more string) string {
		return fmt.Sprintf(`{"username":"eve","password":%q,%s}`, sitePassword, more)
	}
	named := func(name string) string {
		body, _ := json.Marshal(map[string]string{"username": name, "password": sitePassword})
		return string(body)
	}
	protected := func(pass string) string {
		body, _ := json.Marshal(map[string]string{"username": "constantinople", "password": pass})
		return string(body)
	}
	for body, field := range map[string]string{
		`{}`: "username", fmt.Sprintf(`{"password":%q}`, sitePassword): "username", `{"username":"eve"}`: "password", // FU06
		`{"username":null,"password":"x"}`: "username", `{"username":1,"password":"x"}`: "username",
		named("ev\u200be"): "username", named(""): "username", named("a/b"): "username", named("ａｄｍｉｎ"): "username", named("ⓐⓓⓜⓘⓝ"): "username",
		named("𝐚𝐝𝐦𝐢𝐧"): "username", named("ﬁona"): "username", named("\u212a"): "username", named("\u212b"): "username", named(strings.Repeat("x", 65)): "username",
		named("ADM\u0130N"): "username", named("аdmin"): "username", named("eve\u0000"): "username", named("eve\r\nx"): "username", // U-03
		protected("fourteen-runes"): "password", protected(""): "password", protected(strings.Repeat("ä", 257)): "password", // FU07
		protected("constantinople1"): "password", protected("password1111111"): "password", protected("Ostiary12345678"): "password", // P-08
		and(`"permissions":{"admin":["write"]}`): "permissions", and(`"roles":["admin"]`): "roles", and(`"is_admin":1`): "is_admin", // RS-15
		and(`"id":1`): "id", and(`"disabled":false`): "disabled", and(`"email_verified":1`): "email_verified", and(`"PERMISSIONS":{}`): "PERMISSIONS",
		and(`"permi\u017f\u017fions":{}`): "permi", and(`"Username":"eve"`): "Username", and(`"username":"eve"`): "username",
	} {
		got := s.browser().json(http.MethodPost, "/auth/register", body, elsewhere())
		if refused(t, body, got, http.StatusBadRequest); !strings.Contains(got.Body, field) {
			t.Errorf("%.80s: got %s, want %s in it", body, got.Body, field)
		}
	}
	for _, field := range []string{"permissions", "roles", "is_admin", "id", "disabled", "email_verified", "PERMISSIONS", "permiſſions"} {
		form := credentials("eve", sitePassword)
		form.Set(field, "1")
		got := s.browser().post("/auth/register", form, elsewhere())
		if refused(t, field, got, http.StatusBadRequest); !strings.Contains(got.Body, field) {
			t.Errorf("%s: got %s", field, got.text())
		}
	}
	for name, request := range map[string]func() answer{
		"F-01 too large":    func() answer { return s.browser().json("POST", "/auth/register", named(strings.Repeat("x", 1<<20))) },
		"L-10 JSON as text": func() answer { return s.browser().json("POST", "/auth/register", named("eve"), withType("text/plain")) },
		"L-22 two names in a form": func() answer {
			return s.browser().post("/auth/register", url.Values{"username": {"eve", "bob"}, "password": {sitePassword}})
		},
		"L-21 in the query": func() answer { return s.browser().post("/auth/register?username=eve&password=x", nil) },
	} {
		if got := request(); got.Status < 400 || got.Status >= 500 {
			t.Errorf("%s: got %d %s", name, got.Status, got.text())
		}
	}
	if n := s.count("users"); n != 0 {
		t.Errorf("got %d users, want none", n)
	}
	if got := s.browser().register("eve", sitePassword, ""); got.Status != http.StatusCreated {
		t.Errorf("and a good one: got %d %s", got.Status, got.Body)
	}
	// In the words of the form, with the name that was typed and without the password.
	got := s.browser().post("/auth/register", credentials("ann", "fourteen-runes"), elsewhere())
	if refused(t, "form", got, http.StatusBadRequest); !strings.Contains(got.Body, "Password: ") || !strings.Contains(got.Body, `value="ann"`) || strings.Contains(got.Body, "fourteen-runes") {
		t.Errorf("got\n%s", got.text())
	}
}

func withType(t string) option { return with("Content-Type", t) }

// FU08, U-01, U-12, RS-01, F-06: a name is taken in every spelling, the answer is one, and its owner doesn't notice.
func TestTheNameIsTaken(t *testing.T) { onEngines(t, testTheNameIsTaken) }

func testTheNameIsTaken(t *testing.T) {
	s := newSite(t, open)
	s.add("alice", siteReads)
	s.add("straße", nil)
	before := dump(t, s.db)
	var want string
	for _, name := range []string{"alice", "ALICE", "Alice", "strasse", "STRASSE"} {
		got := s.browser().register(name, nextPassword, "", elsewhere())
		refused(t, name, got, http.StatusConflict)
		if answer := fmt.Sprint(got.Header, got.Body); want != "" && answer != want {
			t.Errorf("%s: got %s, want %s", name, answer, want)
		} else {
			want = answer
		}
		page := s.browser().post("/auth/register", credentials(name, nextPassword), elsewhere())
		if refused(t, name, page, http.StatusConflict); !strings.Contains(page.Body, `role="alert"`) || strings.Contains(page.Body, nextPassword) {
			t.Errorf("%s: got\n%s", name, page.text())
		}
	}
	if got := dump(t, s.db); got != before {
		t.Errorf("the database has changed:\n%s\nwant\n%s", got, before)
	}
	if got := s.browser().login("alice", sitePassword); got.Status != http.StatusOK {
		t.Errorf("her login: got %d", got.Status)
	}
}

// U-17, RS-17: of many who come at once with one name one gets it, and none is an admin for being the first.
func TestManyRegisterAtOnce(t *testing.T) { onEngines(t, testManyRegisterAtOnce) }

func testManyRegisterAtOnce(t *testing.T) {
	s := newSite(t, open)
	names := []string{"bob", "Bob", "ann", "ANN", "eve"}
	statuses := make([]int, 20)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() { statuses[i] = s.browser().register(names[i%len(names)], sitePassword, "", elsewhere()).Status })
	}
	wg.Wait()
	counts := map[int]int{}
	for _, status := range statuses {
		counts[status]++
	}
	if counts[http.StatusCreated] != 3 || counts[http.StatusConflict] != 17 || s.count("users") != 3 {
		t.Errorf("got %v and %d users, want 3 of 201 and 17 of 409", counts, s.count("users"))
	}
	if s.count("user_permissions")+s.count("user_roles") != 0 {
		t.Error("somebody holds something")
	}
	b := s.in("bob")
	refused(t, "the first one", b.get("/admin"), http.StatusForbidden)
}

// A foreign page makes nobody register, and a page that can't be signed in at takes no password.
func TestRegisterIsForPagesOfThisSite(t *testing.T) {
	t.Parallel()
	s := newSite(t, open)
	for name, o := range map[string]option{
		"a foreign page": with("Sec-Fetch-Site", "cross-site"), "another page of the domain": with("Sec-Fetch-Site", "same-site"),
		"a foreign origin": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.example") },
	} {
		b := s.browser()
		refused(t, name, b.post("/auth/register", credentials("eve", sitePassword), o), http.StatusForbidden)
		refused(t, name, b.register("eve", sitePassword, "", o), http.StatusForbidden)
	}
	refused(t, "a foreign name for this machine", s.browser().register("eve", sitePassword, "", to("evil.example")), http.StatusForbidden)
	got := s.browser().register("eve", sitePassword, "", to("192.0.2.1:8888"))
	if refused(t, "over plain http, on a network", got, http.StatusForbidden); !strings.Contains(got.Body, "Nobody can register here: ") {
		t.Errorf("got %s", got.Body)
	}
	if n := s.count("users"); n != 0 || len(s.eventsOf(auth.EventOrigin)) == 0 {
		t.Errorf("got %d users, events %v", n, s.eventsOf(auth.EventOrigin))
	}
}

// Strangers make a few accounts, then wait longer each time, wherever the time goes; and in total there is an end as well.
func TestRegistrationsAreLimited(t *testing.T) {
	t.Parallel()
	made := func(s *site, n int, name string, options func(int) option) (created int) {
		for i := range n {
			switch got := s.browser().register(fmt.Sprint(name, i), sitePassword, "", options(i)); got.Status {
			case http.StatusCreated, http.StatusConflict:
				created++
			case http.StatusTooManyRequests:
				if got.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			default:
				t.Fatalf("got %d %s", got.Status, got.Body)
			}
		}
		return created
	}
	t.Run("from one address", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, open, clocked(clock))
		here := func(int) option { return from("203.0.113.9:1") }
		if got := made(s, 30, "user", here); got != 20 {
			t.Errorf("%d were made, want 20", got)
		}
		if s.count("users") != 20 || len(s.eventsOf(auth.EventLimited)) != 10 {
			t.Errorf("got %d users and %d events", s.count("users"), len(s.eventsOf(auth.EventLimited)))
		}
		page := s.browser().post("/auth/register", credentials("ann", sitePassword), here(0))
		if refused(t, "form", page, http.StatusTooManyRequests); !strings.Contains(page.Body, "Too many attempts") {
			t.Errorf("got %s", page.text())
		}
		if got := made(s, 1, "elsewhere", func(int) option { return elsewhere() }); got != 1 {
			t.Error("another address waits as well")
		}
		clock.advance(10 * time.Second)
		if got := made(s, 2, "later", here); got != 1 {
			t.Errorf("%d after the wait, want 1", got)
		}
		// Names that are taken are found out no faster.
		clock.advance(48 * time.Hour)
		s.add("alice", nil)
		if got := made(s, 30, "user", here); got != 20 {
			t.Errorf("%d taken names were told, want 20", got)
		}
	})
	t.Run("what can't be taken counts nothing", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, open)
		for range 40 {
			refused(t, "a weak password", s.browser().register("ann", "x", "", from("203.0.113.9:1")), http.StatusBadRequest)
		}
		if got := s.browser().register("ann", sitePassword, "", from("203.0.113.9:1")); got.Status != http.StatusCreated {
			t.Errorf("got %d", got.Status)
		}
	})
	t.Run("in total", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, open, clocked(clock))
		s.add("taken0", nil)
		if got := made(s, 510, "taken", func(int) option { return elsewhere() }); got != 500 {
			t.Errorf("%d were looked at, want 500", got)
		}
		clock.advance(10 * time.Second)
		if got := made(s, 3, "more", func(int) option { return elsewhere() }); got != 1 {
			t.Errorf("%d ten seconds later, want 1", got)
		}
	})
}

// RS-20: beside somebody who knows names of their own, strangers can't take one.
func TestOpenRegistrationAndAuthenticators(t *testing.T) {
	t.Parallel()
	knows := userauth.AuthenticatorFunc(nil)
	for name, tc := range map[string]struct {
		cfg  userauth.Config
		want string
	}{
		"open beside authenticators": {userauth.Config{Registration: userauth.RegistrationOpen, Authenticators: []userauth.Authenticator{knows}}, "Authenticators"},
		"another number":             {userauth.Config{Registration: 2}, "Registration"},
		"a negative one":             {userauth.Config{Registration: -1}, "Registration"},
	} {
		tc.cfg.DB = siteDB(t)
		if a, err := userauth.New(t.Context(), tc.cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, tc.want)
			if a != nil {
				a.Close()
			}
		}
	}
	closed := userauth.Config{DB: siteDB(t), Authenticators: []userauth.Authenticator{knows}}
	a, err := userauth.New(t.Context(), closed)
	if err != nil {
		t.Fatalf("closed: %v", err)
	}
	a.Close()
}
