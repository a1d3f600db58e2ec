package userauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// invite makes an invitation as an application would, and gives its token.
func (s *site) invite(n userauth.NewInvitation) (made userauth.Invitation, token string) {
	s.t.Helper()
	made, token, err := s.users.Accounts().Invite(s.t.Context(), n)
	if err != nil {
		s.t.Fatal(err)
	}
	s.keepsSecret(token)
	return made, token
}

// invitations are the ids of those that can be used.
func (s *site) invitations() (ids []string) {
	s.t.Helper()
	all, err := s.users.Accounts().Invitations(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, i := range all {
		ids = append(ids, i.ID)
	}
	return ids
}

// spoiled is token with one character changed.
func spoiled(token string, at int) string {
	other := "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

// FU15
func TestRegisterByInvitation(t *testing.T) {
	t.Parallel()
	t.Run("FU15 by the form, as the page has it", func(t *testing.T) {
		t.Parallel()
		s := newSite(t) // registration is closed
		putRole(t, s.users.Accounts(), "editor", siteWrites)
		_, token := s.invite(userauth.NewInvitation{Roles: []string{"editor"}})
		link := s.users.InvitationURL(token)
		if link != "/auth/register?invitation="+token {
			t.Fatalf("got the link %q", link)
		}
		b := s.browser()
		page := b.navigate(link)
		for _, want := range []string{`<form method="post" action="/auth/register">`, `name="invitation" value="` + token + `"`} {
			if page.Status != http.StatusOK || !strings.Contains(page.Body, want) {
				t.Errorf("got %d, want %s in\n%s", page.Status, want, page.text())
			}
		}
		form := credentials("ann", sitePassword)
		form.Set("invitation", token)
		if got := b.post("/auth/register", form); got.Status != http.StatusSeeOther || got.location() != "/auth/login?next=%2F&done=registered" || len(got.Cookies) != 0 {
			t.Fatalf("got %d to %q, want 303 to the login page", got.Status, got.location())
		}
		b.logIn("ann", sitePassword)
		admitted(t, "what her role holds", b.json(http.MethodPut, "/api/contents/demo", `{"Text":"hers"}`))
		refused(t, "the link again", s.browser().navigate(link), http.StatusBadRequest)
		form.Set("username", "bob")
		refused(t, "the form again", s.browser().post("/auth/register", form), http.StatusBadRequest)
		if n := s.count("users"); n != 1 {
			t.Errorf("got %d users, want her alone", n)
		}
	})
	t.Run("FU15 by JSON, with the token in the body or in the link's query", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		_, token := s.invite(userauth.NewInvitation{})
		if got := s.browser().register("ann", sitePassword, token); got.Status != http.StatusCreated {
			t.Errorf("got %d %s, want 201", got.Status, got.Body)
		}
		_, token = s.invite(userauth.NewInvitation{})
		got := s.browser().json(http.MethodPost, s.users.InvitationURL(token), fmt.Sprintf(`{"username":"bob","password":%q}`, sitePassword))
		if got.Status != http.StatusCreated {
			t.Errorf("got %d %s, want 201", got.Status, got.Body)
		}
		_, token = s.invite(userauth.NewInvitation{})
		if got := s.browser().post(s.users.InvitationURL(token), credentials("eve", sitePassword)); got.Status != http.StatusSeeOther {
			t.Errorf("got %d, want 303", got.Status)
		}
		for _, name := range []string{"ann", "bob", "eve"} {
			s.in(name)
		}
	})
	t.Run("where it is open, too", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, open)
		putRole(t, s.users.Accounts(), "editor", siteWrites)
		_, token := s.invite(userauth.NewInvitation{Roles: []string{"editor"}})
		if got := s.browser().register("ann", sitePassword, token); got.Status != http.StatusCreated {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
		if account, err := s.users.Accounts().Get(t.Context(), "ann"); err != nil || !slices.Equal(account.Roles, []string{"editor"}) {
			t.Errorf("got %+v %v, want the role", account, err)
		}
		// A wrong one is no "open": whoever was invited would believe to have got what was promised.
		refused(t, "a wrong one", s.browser().register("bob", sitePassword, spoiled(token, 3)), http.StatusBadRequest)
	})
}

// FU15: an invitation that isn't one, or no longer, is 400, and the answer tells nobody which.
func TestInvitationsThatAreNone(t *testing.T) { onEngines(t, testInvitationsThatAreNone) }

func testInvitationsThatAreNone(t *testing.T) {
	clock := newSiteClock()
	s := newSite(t, clocked(clock))
	inviter := s.add("boss", auth.Permissions{"admin": {"*"}})
	s.add("chief", auth.Permissions{"admin": {"*"}})
	_, good := s.invite(userauth.NewInvitation{Expires: clock.now().Add(30 * 24 * time.Hour)})
	_, short := s.invite(userauth.NewInvitation{Expires: clock.now().Add(time.Hour)})
	withdrawn, gone := s.invite(userauth.NewInvitation{})
	_, orphan := s.invite(userauth.NewInvitation{By: inviter.ID})
	_, session := s.in("boss").session()
	if got := s.browser().navigate(s.users.InvitationURL(short)); got.Status != http.StatusOK {
		t.Fatalf("while it is good: got %d", got.Status)
	}
	if got := s.browser().navigate(s.users.InvitationURL(orphan)); got.Status != http.StatusOK {
		t.Fatalf("while its maker is there: got %d", got.Status)
	}
	clock.advance(time.Hour)
	if err := s.users.Accounts().DeleteInvitation(t.Context(), withdrawn.ID); err != nil {
		t.Fatal(err)
	}
	s.disable("boss")
	users := s.count("users")
	var want string
	for name, token := range map[string]string{
		"the first character changed": spoiled(good, 0), "one in the middle": spoiled(good, 20), "the last": spoiled(good, 42), // FU15
		"past its time": short, "withdrawn": gone, "of an admin who is disabled": orphan, "empty": "", "too short": good[:42], "too long": good + "A",
		"not of the alphabet": good[:42] + "=", "a name": "ann", "its id": withdrawn.ID, "NUL": "\x00", "a quote": `'`,
		"RS-14 a session's token": session,
	} {
		page := s.browser().navigate("/auth/register?invitation=" + url.QueryEscape(token))
		refused(t, name+", the page", page, http.StatusBadRequest)
		form := credentials("eve", sitePassword)
		form.Set("invitation", token)
		refused(t, name+", the form", s.browser().post("/auth/register", form), http.StatusBadRequest)
		if token == "" { // which the test's own JSON leaves out
			continue
		}
		got := s.browser().register("eve", sitePassword, token)
		if refused(t, name, got, http.StatusBadRequest); want == "" {
			want = got.Body
		}
		if got.Body != want {
			t.Errorf("%s: got %s, want %s", name, got.Body, want)
		}
	}
	for _, query := range []string{"?invitation=" + good + "&invitation=" + good, "?invitation=" + good + "&invitation="} {
		refused(t, "two", s.browser().navigate("/auth/register"+query), http.StatusBadRequest)
	}
	if n := s.count("users"); n != users {
		t.Errorf("got %d users, want %d", n, users)
	}
	{ // RS-14, the other way round
		b := s.browser()
		name, _ := s.in2(b, "ann", good).session()
		b.cookies[name] = good
		refused(t, "an invitation as a session", b.get("/"), http.StatusUnauthorized)
	}
}

// in2 registers with an invitation and logs in.
func (s *site) in2(b *browser, name, token string) *browser {
	s.t.Helper()
	if got := b.register(name, sitePassword, token); got.Status != http.StatusCreated {
		s.t.Fatalf("got %d %s", got.Status, got.Body)
	}
	b.logIn(name, sitePassword)
	return b
}

// RS-06, RS-07: to look at the link uses nothing up, and the page keeps its own address to itself.
func TestTheInvitationsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, at("https://app.example/base"))
	_, token := s.invite(userauth.NewInvitation{})
	link := s.users.InvitationURL(token)
	if want := "https://app.example/base/auth/register?invitation=" + token; link != want {
		t.Fatalf("got the link %q, want %q", link, want)
	}
	link = strings.TrimPrefix(link, "https://app.example")
	for range 5 {
		b := s.browser()
		head, page := b.do(http.MethodHead, link, "", navigating), b.navigate(link)
		if head.Status != http.StatusOK || page.Status != http.StatusOK {
			t.Fatalf("got %d, %d", head.Status, page.Status)
		}
		for _, h := range []http.Header{head.Header, page.Header} {
			if h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("got %v", h)
			}
		}
		// Where the browser follows the page instead of the header, it names the origin alone.
		if !strings.Contains(page.Body, `<meta name="referrer" content="strict-origin">`) || strings.Contains(page.Body, "same-origin\"") {
			t.Errorf("got %.600s", page.Body)
		}
		if n := strings.Count(page.Body, token); n != 1 {
			t.Errorf("the token stands %d times in the page, want once, in the form", n)
		}
		if strings.Contains(page.Body, "src=") || strings.Contains(page.Body, "url(") {
			t.Error("the page loads something")
		}
	}
	b := s.browser()
	form := credentials("ann", "x")
	form.Set("invitation", token)
	got := b.post("/base/auth/register", form)
	if refused(t, "a weak password", got, http.StatusBadRequest); !strings.Contains(got.Body, `value="`+token+`"`) {
		t.Errorf("the form has lost the invitation\n%s", got.text())
	}
	form.Set("password", sitePassword)
	form.Set("next", "/base/x")
	if got = b.post("/base/auth/register", form); got.Status != http.StatusSeeOther || strings.Contains(fmt.Sprint(got.Header), token) || got.location() != "/base/auth/login?next=%2Fbase%2Fx&done=registered" {
		t.Errorf("got %d %v, want 303 without the token", got.Status, got.Header)
	}
}

// RS-04, RS-05: of many who come with one link one gets in, and a name that is taken costs nobody the invitation.
func TestAnInvitationIsUsedOnce(t *testing.T) { onEngines(t, testAnInvitationIsUsedOnce) }

func testAnInvitationIsUsedOnce(t *testing.T) {
	s := newSite(t)
	_, token := s.invite(userauth.NewInvitation{})
	s.add("alice", nil)
	refused(t, "a taken name", s.browser().register("Alice", sitePassword, token), http.StatusConflict)
	statuses := make([]int, 10) // as many as may come before one has to wait
	var wg sync.WaitGroup
	for i := range statuses[1:] {
		wg.Go(func() {
			statuses[i] = s.browser().register(fmt.Sprint("user", i), sitePassword, token, elsewhere()).Status
		})
	}
	wg.Wait()
	counts := map[int]int{}
	for _, status := range statuses[:9] {
		counts[status]++
	}
	if counts[http.StatusCreated] != 1 || counts[http.StatusBadRequest] != 8 || s.count("users") != 2 || s.count("invitations") != 0 {
		t.Errorf("got %v, %d users, %d invitations, want one of 201 and 8 of 400", counts, s.count("users"), s.count("invitations"))
	}
}

// Who has a link can try names, but no faster than somebody without one; and a class behind one address isn't slowed down.
func TestInvitationsHaveALimitOfTheirOwn(t *testing.T) {
	t.Parallel()
	clock := newSiteClock()
	s := newSite(t, clocked(clock))
	s.add("alice", nil)
	for i := range 40 {
		_, token := s.invite(userauth.NewInvitation{})
		if got := s.browser().register(fmt.Sprint("pupil", i), sitePassword, token); got.Status != http.StatusCreated {
			t.Fatalf("pupil %d: got %d %s", i, got.Status, got.Body)
		}
	}
	_, token := s.invite(userauth.NewInvitation{})
	for range 10 {
		refused(t, "a taken name", s.browser().register("alice", sitePassword, token, elsewhere()), http.StatusConflict)
	}
	refused(t, "once more", s.browser().register("alice", sitePassword, token, elsewhere()), http.StatusTooManyRequests)
	clock.advance(time.Second)
	if got := s.browser().register("ann", sitePassword, token); got.Status != http.StatusCreated {
		t.Errorf("a second later: got %d %s", got.Status, got.Body)
	}
}

// A role may go after the invitation was made: it is left out, and the rest counts.
func TestAnInvitationsRoleIsGone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.users.Accounts()
	putRole(t, a, "editor", siteWrites)
	putRole(t, a, "gone, with a comma", auth.Permissions{"admin": {"*"}})
	made, token := s.invite(userauth.NewInvitation{Roles: []string{"gone, with a comma", "editor"}})
	if err := a.DeleteRole(t.Context(), "gone, with a comma"); err != nil {
		t.Fatal(err)
	}
	if len(made.Roles) != 2 {
		t.Errorf("got %+v", made)
	}
	b := s.in2(s.browser(), "ann", token)
	admitted(t, "what is left", b.json(http.MethodPut, "/api/contents/demo", `{"Text":"x"}`))
	refused(t, "what is gone", b.get("/admin"), http.StatusForbidden)
}

func TestInvite(t *testing.T) {
	t.Parallel()
	clock := newSiteClock()
	s := newSite(t, clocked(clock))
	a := s.users.Accounts()
	putRole(t, a, "editor", siteWrites)
	boss := s.add("boss", nil)
	now := clock.now().UTC().Truncate(time.Second)
	t.Run("what it gives", func(t *testing.T) {
		made, token := s.invite(userauth.NewInvitation{Roles: []string{"editor"}, Note: "Ann, for the summer", By: boss.ID})
		want := userauth.Invitation{ID: made.ID, Roles: []string{"editor"}, Note: "Ann, for the summer", By: "boss", Created: now, Expires: now.Add(7 * 24 * time.Hour)}
		if fmt.Sprint(made) != fmt.Sprint(want) || !regexp.MustCompile(`^[A-Z2-7]{20}$`).MatchString(made.ID) || !regexp.MustCompile(`^[\w-]{43}$`).MatchString(token) {
			t.Errorf("got %+v and a token of %d, want %+v", made, len(token), want)
		}
		all, err := a.Invitations(t.Context())
		if err != nil || len(all) != 1 || fmt.Sprint(all[0]) != fmt.Sprint(want) {
			t.Errorf("listed: got %+v %v, want %+v", all, err, want)
		}
		if strings.Contains(dump(t, s.db), token) { // RS-03
			t.Error("the token is in the database")
		}
	})
	before := s.count("invitations")
	for name, tc := range map[string]struct {
		n     userauth.NewInvitation
		field string
	}{
		"a role that doesn't exist":    {userauth.NewInvitation{Roles: []string{"editor", "nobody"}}, "roles"},
		"a role that can't exist":      {userauth.NewInvitation{Roles: []string{"\xff"}}, "roles"},
		"an end in the past":           {userauth.NewInvitation{Expires: now.Add(-time.Second)}, "expires"},
		"an end that is now":           {userauth.NewInvitation{Expires: now}, "expires"},
		"an end that is too far away":  {userauth.NewInvitation{Expires: now.Add(91 * 24 * time.Hour)}, "expires"},
		"a long note":                  {userauth.NewInvitation{Note: strings.Repeat("ä", 201)}, "note"},
		"a note that is no text":       {userauth.NewInvitation{Note: "\xff"}, "note"},
		"a note of two lines":          {userauth.NewInvitation{Note: "a\nb"}, "note"},
		"a note that ends where a NUL": {userauth.NewInvitation{Note: "a\x00b"}, "note"},
	} {
		_, token, err := a.Invite(t.Context(), tc.n)
		var field *auth.FieldError
		if !errors.As(err, &field) || field.Field != tc.field || token != "" {
			t.Errorf("%s: got %v, want an error that names %s", name, err, tc.field)
		}
	}
	for _, by := range []string{"user:99", "user:", "user:x"} {
		if _, _, err := a.Invite(t.Context(), userauth.NewInvitation{By: by}); !errors.Is(err, userauth.ErrNotFound) {
			t.Errorf("by %q: got %v, want ErrNotFound", by, err)
		}
	}
	if s.count("invitations") != before {
		t.Error("something was made")
	}
	if made, _ := s.invite(userauth.NewInvitation{By: "oidc:https://id.example#17"}); made.By != "" {
		t.Errorf("by another backend's user: got %q", made.By)
	}
	for _, id := range []string{"", "x", "\xff", "\x00", "%"} {
		if err := a.DeleteInvitation(t.Context(), id); !errors.Is(err, userauth.ErrNotFound) {
			t.Errorf("delete %q: got %v, want ErrNotFound", id, err)
		}
	}
}

func TestInvitationRoutes(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (s *site, admin, reader *browser) {
		s = newSite(t, at("https://app.example/base"))
		putRole(t, s.users.Accounts(), "editor", siteWrites)
		s.add("admin", auth.Permissions{"admin": {"*"}})
		s.add("reader", auth.Permissions{"admin": {"read"}})
		s.add("alice", siteWrites)
		return s, s.in("admin"), s.in("reader")
	}
	type made struct {
		userauth.Invitation
		URL string
	}
	t.Run("JSON", func(t *testing.T) {
		t.Parallel()
		s, admin, reader := start(t)
		got := admin.json(http.MethodPost, "/base/auth/invitations", `{"roles":["editor"],"note":"Ann"}`, to("app.example"))
		var one made
		if got.decode(t, &one); got.Status != http.StatusCreated || one.By != "admin" || one.Note != "Ann" || got.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("got %d %s %v", got.Status, got.Body, got.Header)
		}
		base, token, _ := strings.Cut(one.URL, "?invitation=")
		s.keepsSecret(token)
		if base != "https://app.example/base/auth/register" {
			t.Errorf("got the link %q", base)
		}
		var list struct {
			Items []userauth.Invitation
			Next  *string
		}
		got = reader.get("/base/auth/invitations")
		if got.decode(t, &list); got.Status != http.StatusOK || len(list.Items) != 1 || list.Items[0].ID != one.ID || list.Next == nil || strings.Contains(got.Body, token) {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
		if got := s.browser().register("ann", sitePassword, token); got.Status != http.StatusCreated {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
		if got := reader.get("/base/auth/invitations"); got.Body != `{"items":[],"next":""}`+"\n" {
			t.Errorf("afterwards: got %s", got.Body)
		}
		second, secondToken := s.invite(userauth.NewInvitation{})
		if got := admin.json(http.MethodDelete, "/base/auth/invitations/"+second.ID, ""); got.Status != http.StatusNoContent {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
		refused(t, "withdrawn", s.browser().register("bob", sitePassword, secondToken), http.StatusBadRequest)
		refused(t, "again", admin.json(http.MethodDelete, "/base/auth/invitations/"+second.ID, ""), http.StatusNotFound)
		events := s.eventsOf(auth.EventAdmin)
		if len(events) != 2 || events[0].Username != "admin" || events[0].Reason != `made an invitation with the roles ["editor"]` || events[1].Reason != fmt.Sprintf("withdrew invitation %q", second.ID) {
			t.Errorf("got events %+v", events)
		}
	})
	t.Run("JV09 JS60 each is for holders of the permission alone", func(t *testing.T) {
		t.Parallel()
		s, admin, reader := start(t)
		one, _ := s.invite(userauth.NewInvitation{})
		for name, c := range map[string]struct {
			b            *browser
			reads, write int
		}{
			"a stranger": {s.browser(), 401, 401}, "a user": {s.in("alice"), 403, 403}, "who only reads": {reader, 200, 403},
		} {
			if got := c.b.get("/base/auth/invitations"); got.Status != c.reads {
				t.Errorf("%s reads: got %d, want %d", name, got.Status, c.reads)
			}
			for _, request := range []string{"POST /invitations", "DELETE /invitations/" + one.ID, "POST /invitations/" + one.ID + "/delete"} {
				method, path, _ := strings.Cut(request, " ")
				if got := c.b.json(method, "/base/auth"+path, `{}`); got.Status != c.write {
					t.Errorf("%s, %s: got %d, want %d", name, request, got.Status, c.write)
				}
			}
		}
		if ids := s.invitations(); !slices.Equal(ids, []string{one.ID}) {
			t.Errorf("got %v, want nothing changed", ids)
		}
		// L-01: nor does a foreign page act for the admin.
		for _, path := range []string{"/invitations", "/invitations/" + one.ID + "/delete"} {
			refused(t, "a foreign page", admin.post("/base/auth"+path, url.Values{"days": {"7"}}, with("Sec-Fetch-Site", "cross-site")), http.StatusForbidden)
		}
		if ids := s.invitations(); !slices.Equal(ids, []string{one.ID}) {
			t.Errorf("got %v, want nothing changed", ids)
		}
	})
	t.Run("the page, without scripts", func(t *testing.T) {
		t.Parallel()
		s, admin, _ := start(t)
		page := admin.navigate("/base/auth/invitations")
		if page.Status != http.StatusOK || !strings.Contains(page.Body, "There are no invitations.") || strings.Contains(page.Body, "<script") {
			t.Fatalf("got %d\n%s", page.Status, page.text())
		}
		form := url.Values{"note": {`<b>Ann</b>`}, "roles": {"editor\r\n\r\n"}, "days": {"3"}}
		page = admin.post("/base/auth/invitations", form)
		link := regexp.MustCompile(`https://app\.example/base/auth/register\?invitation=[\w-]{43}`).FindString(page.Body)
		if page.Status != http.StatusCreated || link == "" || page.Header.Get("Cache-Control") != "private, no-store" {
			t.Fatalf("got %d %v\n%s", page.Status, page.Header, page.text())
		}
		if !strings.Contains(page.Body, `<p class="copy"><code><bdi>`+link+"</bdi></code></p>") {
			t.Errorf("the link isn't set apart, to be copied, in\n%s", page.text())
		}
		_, token, _ := strings.Cut(link, "=")
		s.keepsSecret(token)
		page = admin.navigate("/base/auth/invitations")
		for _, want := range []string{"&lt;b&gt;Ann&lt;/b&gt;", "editor", "admin", "/delete"} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("no %s in\n%s", want, page.text())
			}
		}
		if strings.Contains(page.Body, token) || strings.Contains(page.Body, "<b>") {
			t.Errorf("got\n%s", page.text())
		}
		action := regexp.MustCompile(`action="(/base/auth/invitations/[^"]+/delete)"`).FindStringSubmatch(page.Body)
		if got := admin.post(action[1], nil); got.Status != http.StatusSeeOther || got.location() != "/base/auth/invitations?done=withdrawn" || len(s.invitations()) != 0 {
			t.Errorf("got %d to %q, %v", got.Status, got.location(), s.invitations())
		}
		for field, value := range map[string]string{"roles": "nobody", "days": "0", "note": strings.Repeat("x", 201)} {
			wrong := url.Values{"note": {"kept"}, "roles": {"editor"}, "days": {"3"}}
			wrong.Set(field, value)
			page := admin.post("/base/auth/invitations", wrong)
			if refused(t, field, page, http.StatusBadRequest); !strings.Contains(page.Body, `role="alert"`) || !strings.Contains(page.Body, value) {
				t.Errorf("%s: got\n%s", field, page.text())
			}
		}
		for _, days := range []string{"91", "-1", "1.5", "x", "99999999999999999999"} {
			refused(t, days, admin.post("/base/auth/invitations", url.Values{"days": {days}}), http.StatusBadRequest)
		}
		if n := s.count("invitations"); n != 0 {
			t.Errorf("got %d invitations, want none", n)
		}
	})
	t.Run("JSON that can't be taken", func(t *testing.T) {
		t.Parallel()
		s, admin, _ := start(t)
		for body, field := range map[string]string{
			`{"roles":["nobody"]}`: "roles", `{"roles":"editor"}`: "roles", `{"note":1}`: "note", `{"expires":"tomorrow"}`: "expires", `{"expires":"2001-01-01T00:00:00Z"}`: "expires",
			`{"permissions":{"admin":["*"]}}`: "permissions", `{"by":"user:1"}`: "by", `{"created_by":"x"}`: "created_by", `[]`: "", ``: "",
		} {
			got := admin.json(http.MethodPost, "/base/auth/invitations", body)
			if refused(t, body, got, http.StatusBadRequest); !strings.Contains(got.Body, field) {
				t.Errorf("%s: got %s", body, got.Body)
			}
		}
		if n := s.count("invitations"); n != 0 {
			t.Errorf("got %d invitations, want none", n)
		}
		expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		got := admin.json(http.MethodPost, "/base/auth/invitations", fmt.Sprintf(`{"expires":%q}`, expires.Format(time.RFC3339)))
		var one made
		if err := json.Unmarshal([]byte(got.Body), &one); err != nil || got.Status != http.StatusCreated || !one.Expires.Equal(expires) {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
	})
	t.Run("RS-08 the link is of the configured address, whatever a request says", func(t *testing.T) {
		t.Parallel()
		_, admin, _ := start(t)
		got := admin.json(http.MethodPost, "/base/auth/invitations", `{}`, with("X-Forwarded-Host", "evil.example"), with("Forwarded", "host=evil.example"))
		if got.Status != http.StatusCreated || !strings.Contains(got.Body, `"url":"https://app.example/base/auth/register?`) || strings.Contains(got.Body, "evil") {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
		refused(t, "another Host", admin.json(http.MethodPost, "/base/auth/invitations", `{}`, to("evil.example")), http.StatusForbidden)
	})
}

// RS-03, X-08: who was an admin has no way back by an invitation; whatever else changes leaves invitations alone.
func TestInvitationsEndWithTheirMakersRights(t *testing.T) {
	onEngines(t, testInvitationsEndWithTheirMakersRights)
}

func testInvitationsEndWithTheirMakersRights(t *testing.T) {
	admin := auth.Permissions{"admin": {"*"}}
	change := func(c userauth.AccountChange) func(*testing.T, *userauth.Accounts) error {
		return func(t *testing.T, a *userauth.Accounts) error {
			_, err := a.Change(t.Context(), "boss", c)
			return err
		}
	}
	yes, teal := true, "teal"
	for _, tc := range []struct {
		name string
		act  func(*testing.T, *userauth.Accounts) error
		ends bool
	}{
		{"the role is taken away", change(userauth.AccountChange{RemoveRoles: []string{"admins"}}), true},
		{"the role loses it", func(t *testing.T, a *userauth.Accounts) error {
			r, err := a.Role(t.Context(), "admins")
			if err == nil {
				r.Permissions = auth.Permissions{"admin": {"read"}}
				_, err = a.PutRole(t.Context(), r)
			}
			return err
		}, true},
		{"the role goes", func(t *testing.T, a *userauth.Accounts) error { return a.DeleteRole(t.Context(), "admins") }, true},
		{"disabled", change(userauth.AccountChange{Disabled: &yes}), true},
		{"deleted", func(t *testing.T, a *userauth.Accounts) error { return a.Delete(t.Context(), "boss") }, true},
		{"a password from an admin", func(t *testing.T, a *userauth.Accounts) error {
			return a.SetPassword(t.Context(), "boss", otherPassword)
		}, true},
		{"held in another way before it is taken", change(userauth.AccountChange{Grant: admin, RemoveRoles: []string{"admins"}}), false},
		{"a colour", change(userauth.AccountChange{Profile: auth.UserUpdate{Color: &teal}}), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			a := s.users.Accounts()
			putRole(t, a, "admins", admin)
			chief, boss := s.add("chief", admin), s.add("boss", nil, "admins")
			_, token := s.invite(userauth.NewInvitation{By: boss.ID, Roles: []string{"admins"}})
			_, chiefs := s.invite(userauth.NewInvitation{By: chief.ID})
			_, nobodys := s.invite(userauth.NewInvitation{})
			if err := tc.act(t, a); err != nil {
				t.Fatal(err)
			}
			got := s.browser().register("eve", sitePassword, token)
			if tc.ends {
				refused(t, "his", got, http.StatusBadRequest)
			} else if got.Status != http.StatusCreated {
				t.Errorf("his: got %d %s", got.Status, got.Body)
			}
			for name, token := range map[string]string{"chief": chiefs, "nobody": nobodys} {
				if got := s.browser().register("by"+name, sitePassword, token); got.Status != http.StatusCreated {
					t.Errorf("of %s: got %d %s", name, got.Status, got.Body)
				}
			}
		})
	}
}
