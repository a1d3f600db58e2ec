package userauth_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// adminSite has root, who may administer, rita, who may only look, ben, who holds nothing, and alice, who has the role
// editor and the session in the browser.
func adminSite(t testing.TB, change ...func(*userauth.Config)) (s *site, alice *browser) {
	t.Helper()
	s = newSite(t, change...)
	s.role("editor", siteWrites)
	s.add("root", auth.Permissions{"contents": {"*"}, "admin": {"*"}})
	s.add("rita", auth.Permissions{"admin": {"read"}})
	s.add("ben", nil)
	s.add("alice", siteReads, "editor")
	return s, s.in("alice")
}

// An adminRequest is one to a route of the administration that works from the set-up of adminSite.
type adminRequest struct {
	method, path, body string
	form               url.Values // instead of a body, where it isn't nil
	status             int
}

func (a adminRequest) String() string {
	if a.form != nil {
		return a.method + " " + a.path + " by a form"
	}
	return a.method + " " + a.path
}

func (a adminRequest) reads() bool {
	return a.method == http.MethodGet && !strings.HasSuffix(a.path, "/delete")
}

func (a adminRequest) send(b *browser, options ...option) answer {
	b.site.t.Helper()
	switch {
	case a.form != nil:
		return b.post(a.path, a.form, options...)
	case a.body != "":
		return b.json(a.method, a.path, a.body, options...)
	}
	return b.do(a.method, a.path, "", options...)
}

// adminRequests are all routes of the administration.
func adminRequests() []adminRequest {
	return []adminRequest{
		{"GET", "/auth/users", "", nil, 200},
		{"POST", "/auth/users", `{"username":"bob","password":"` + sitePassword + `","permissions":{"contents":["read"]}}`, nil, 201},
		{"POST", "/auth/users", "", url.Values{"username": {"bob"}}, 303},
		{"GET", "/auth/users/alice", "", nil, 200},
		{"PATCH", "/auth/users/alice", `{"name":"Alice Example","grant":{"contents":["delete"]},"remove_roles":["editor"],"disabled":true}`, nil, 200},
		{"DELETE", "/auth/users/alice", "", nil, 204},
		{"POST", "/auth/users/alice/edit", "", url.Values{"name": {"Alice"}}, 303},
		{"GET", "/auth/users/alice/delete", "", nil, 200},
		{"POST", "/auth/users/alice/delete", "", url.Values{}, 303},
		{"POST", "/auth/users/alice/password", `{"password":"` + nextPassword + `"}`, nil, 204},
		{"POST", "/auth/users/alice/password", "", url.Values{"password": {nextPassword}}, 303},
		{"DELETE", "/auth/users/alice/sessions", "", nil, 204},
		{"POST", "/auth/users/alice/sessions/end", "", url.Values{}, 303},
		{"GET", "/auth/roles", "", nil, 200},
		{"POST", "/auth/roles", "", url.Values{"name": {"viewer"}, "permissions": {"contents:read"}}, 303},
		{"GET", "/auth/roles/editor", "", nil, 200},
		{"PUT", "/auth/roles/viewer", `{"description":"looks","permissions":{"contents":["read"]}}`, nil, 201},
		{"PUT", "/auth/roles/editor", `{"permissions":{"contents":["read"]},"version":1}`, nil, 200},
		{"DELETE", "/auth/roles/editor", "", nil, 204},
		{"POST", "/auth/roles/editor/edit", "", url.Values{"permissions": {"contents:read"}, "version": {"1"}}, 303},
		{"GET", "/auth/roles/editor/delete", "", nil, 200},
		{"POST", "/auth/roles/editor/delete", "", url.Values{}, 303},
	}
}

// JS60, JS61, JV09, JV12, FU13: who isn't let in changes nothing, and who is gets what is asked for.
func TestAdminRoutes(t *testing.T) {
	t.Parallel()
	for _, request := range adminRequests() {
		t.Run(request.String(), func(t *testing.T) {
			t.Parallel()
			s, _ := adminSite(t)
			ben, rita, root := s.in("ben"), s.in("rita"), s.in("root")
			before := dump(t, s.db)
			api := with("Accept", "application/json")
			refused(t, "nobody", request.send(s.browser(), api, with("Sec-Fetch-Mode", "cors")), http.StatusUnauthorized)
			refused(t, "who holds nothing", request.send(ben), http.StatusForbidden)
			if !request.reads() {
				refused(t, "who may only look", request.send(rita), http.StatusForbidden)
			} else if got := request.send(rita); got.Status != request.status {
				t.Errorf("who may only look: got %d %s", got.Status, got.text())
			}
			for _, method := range []string{"GETX", "PROPFIND", "PUT", "POST", "PATCH", "DELETE"} {
				if got := ben.do(method, request.path, "{}", with("Sec-Fetch-Site", "same-origin")); got.Status != 403 && got.Status != 405 {
					t.Errorf("%s by who holds nothing: got %d", method, got.Status)
				}
			}
			if got := dump(t, s.db); got != before {
				t.Errorf("refused requests have changed\n%s\nto\n%s", before, got)
			}
			if n := len(s.eventsOf(auth.EventAdmin)); n != 0 {
				t.Errorf("%d acts are reported, want none", n)
			}
			got := request.send(root)
			if got.Status != request.status {
				t.Errorf("an admin: got %d %s, want %d", got.Status, got.text(), request.status)
			}
			changes := request.method != http.MethodGet
			if (dump(t, s.db) != before) != changes {
				t.Errorf("an admin: the database has changed: %t, want %t", !changes, changes)
			}
			if events := s.eventsOf(auth.EventAdmin); changes && (len(events) != 1 || events[0].UserID != "user:1" || events[0].Username != "root" || events[0].Reason == "") { // G-05
				t.Errorf("got events %+v, want what root has done", events)
			}
			if got.Status == http.StatusNoContent && got.Body != "" || got.Header.Get("Vary") == "" || !strings.Contains(got.Header.Get("Cache-Control"), "no-store") {
				t.Errorf("got headers %v and %q", got.Header, got.Body)
			}
		})
	}
}

// L-03 to L-07: a page of another site changes nothing with an admin's cookie.
func TestForeignPagesAdministerNothing(t *testing.T) {
	t.Parallel()
	for name, o := range foreign() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := adminSite(t)
			root := s.in("root")
			before := dump(t, s.db)
			for _, request := range adminRequests() {
				if request.method != http.MethodGet {
					refused(t, request.String(), request.send(root, with("Sec-Fetch-Site"), o), http.StatusForbidden)
				}
			}
			if dump(t, s.db) != before {
				t.Error("something has changed")
			}
			if got := root.get("/auth/users"); got.Status != http.StatusOK {
				t.Errorf("afterwards: got %d", got.Status)
			}
		})
	}
}

// A slowBody is a body whose sender does something before sending it.
type slowBody struct {
	io.Reader
	before func()
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.before != nil {
		b.before()
		b.before = nil
	}
	return b.Reader.Read(p)
}

// X-08, S-13: who isn't an admin any more when the body has arrived changes nothing.
func TestRightsAreAskedForAgainBehindTheBody(t *testing.T) {
	t.Parallel()
	for _, request := range adminRequests() {
		if request.body == "" && len(request.form) == 0 {
			continue
		}
		for how, change := range map[string]userauth.AccountChange{
			"demoted":  {Revoke: auth.Permissions{"admin": {"*"}}},
			"disabled": {Disabled: new(true)},
		} {
			t.Run(request.String()+", "+how, func(t *testing.T) {
				t.Parallel()
				s, _ := adminSite(t)
				s.add("zoe", adminWrites) // or root would be the last one
				root := s.in("root")
				var before string
				slowly := func(r *http.Request) {
					r.Body = io.NopCloser(&slowBody{r.Body, func() {
						s.change("root", change)
						before = dump(t, s.db)
					}})
				}
				status := http.StatusForbidden
				if change.Disabled != nil {
					status = http.StatusUnauthorized
				}
				refused(t, how, request.send(root, slowly), status)
				if got := dump(t, s.db); got != before {
					t.Errorf("the database has changed from\n%s\nto\n%s", before, got)
				}
			})
		}
	}
}

// S-12, S-13, S-17: what an admin does reaches what is open, at once.
func TestWhatAnAdminDoesReachesLiveSessions(t *testing.T) {
	onEngines(t, testWhatAnAdminDoesReachesLiveSessions)
}

func testWhatAnAdminDoesReachesLiveSessions(t *testing.T) {
	for _, tc := range []struct {
		name    string
		request adminRequest
		status  int // of alice's next request
	}{
		{"the role taken", adminRequest{"PATCH", "/auth/users/alice", `{"remove_roles":["editor"]}`, nil, 200}, 200},
		{"the role changed", adminRequest{"PUT", "/auth/roles/editor", `{"permissions":{},"version":1}`, nil, 200}, 200},
		{"the role deleted", adminRequest{"DELETE", "/auth/roles/editor", "", nil, 204}, 200},
		{"disabled", adminRequest{"PATCH", "/auth/users/alice", `{"disabled":true}`, nil, 200}, 401},
		{"deleted", adminRequest{"DELETE", "/auth/users/alice", "", nil, 204}, 401},
		{"sessions ended", adminRequest{"DELETE", "/auth/users/alice/sessions", "", nil, 204}, 401},
		{"another password", adminRequest{"POST", "/auth/users/alice/password", `{"password":"` + nextPassword + `"}`, nil, 204}, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t).listen()
			s.role("editor", siteWrites)
			s.add("root", auth.Permissions{"admin": {"*"}})
			s.add("alice", siteReads, "editor")
			alice := s.in("alice")
			conn, welcome := alice.enter()
			if fmt.Sprint(welcome.Permissions) != "map[contents:[read write]]" {
				t.Fatalf("got %v", welcome.Permissions)
			}
			if got := tc.request.send(s.in("root")); got.Status != tc.request.status {
				t.Fatalf("got %d %s", got.Status, got.text())
			}
			s.ends(tc.name, conn, 1008)
			got := alice.get("/api/contents/demo")
			if got.Status != tc.status {
				t.Errorf("got %d, want %d", got.Status, tc.status)
			}
			write := alice.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`)
			if write.reached() || s.note("demo") != "hello" {
				t.Errorf("a write: got %d, the note is %q", write.Status, s.note("demo"))
			}
			if tc.status == http.StatusOK { // the client connects anew and learns what it may now
				if _, welcome := alice.enter(); fmt.Sprint(welcome.Permissions) != "map[contents:[read]]" {
					t.Errorf("got %v", welcome.Permissions)
				}
			}
		})
	}
}

// S-13: a demoted admin's next request is refused, and a socket that only needs an identity stays.
func TestADemotedAdminIsOne(t *testing.T) {
	t.Parallel()
	s, _ := adminSite(t)
	s.add("zoe", auth.Permissions{"admin": {"*"}})
	zoe := s.in("zoe")
	if got := zoe.get("/auth/users"); got.Status != http.StatusOK {
		t.Fatalf("got %d", got.Status)
	}
	if got := s.in("root").json("PATCH", "/auth/users/zoe", `{"revoke":{"admin":["*"]},"grant":{"admin":["read"]}}`); got.Status != http.StatusOK {
		t.Fatalf("got %d %s", got.Status, got.text())
	}
	refused(t, "a change", zoe.json("PATCH", "/auth/users/root", `{"disabled":true}`), http.StatusForbidden)
	if got := zoe.get("/auth/users"); got.Status != http.StatusOK {
		t.Errorf("looking: got %d", got.Status)
	}
	admitted(t, "the rest of the session", zoe.get("/"))
}

// X-09 over HTTP: nobody locks everybody out, by the API or by a form.
func TestTheLastAdminStaysOverHTTP(t *testing.T) { onEngines(t, testTheLastAdminStaysOverHTTP) }

func testTheLastAdminStaysOverHTTP(t *testing.T) {
	s, _ := adminSite(t)
	root := s.in("root")
	before := dump(t, s.db)
	for _, request := range []adminRequest{
		{"PATCH", "/auth/users/root", `{"disabled":true}`, nil, 409},
		{"PATCH", "/auth/users/root", `{"revoke":{"admin":["*"]}}`, nil, 409},
		{"DELETE", "/auth/users/root", "", nil, 409},
		{"POST", "/auth/users/root/edit", "", url.Values{"disabled": {"true"}}, 409},
		{"POST", "/auth/users/root/edit", "", url.Values{"permissions": {"contents:*"}, "was_permissions": {"contents:* admin:*"}}, 409},
		{"POST", "/auth/users/root/delete", "", url.Values{}, 409},
	} {
		got := request.send(root)
		if got.Status != request.status || !strings.Contains(got.Body, "Nobody would be left who may administer") {
			t.Errorf("%s: got %d %s", request, got.Status, got.text())
		}
		if request.form == nil && !strings.Contains(got.Body, `"code":"last_admin"`) {
			t.Errorf("%s: got %s", request, got.Body)
		}
	}
	if dump(t, s.db) != before {
		t.Error("something has changed")
	}
	s.add("zoe", adminWrites)
	if got := root.do("DELETE", "/auth/users/root", "", with("Sec-Fetch-Site", "same-origin")); got.Status != http.StatusNoContent {
		t.Errorf("with another admin: got %d %s", got.Status, got.text())
	}
	refused(t, "who has deleted himself", root.get("/auth/users"), http.StatusUnauthorized)
}

// An admin whom another backend of the chain knows administers the users of this one, and has no account here.
func TestAnAdminOfAnotherBackend(t *testing.T) {
	t.Parallel()
	s, _ := chained(t, true)
	s.add("alice", nil)
	bearer := with("Authorization", "Bearer "+chainToken)
	guest := s.browser()
	guest.post("/token/login", map[string][]string{"password": {chainToken}})
	if got := s.browser().json("PATCH", "/auth/users/alice", `{"grant":{"contents":["read"]}}`, bearer); got.Status != http.StatusOK {
		t.Errorf("got %d %s", got.Status, got.text())
	}
	page := guest.navigate("/auth/users/alice")
	if page.Status != http.StatusOK || !strings.Contains(page.Body, `action="/token/logout"`) || strings.Contains(page.Body, `href="/auth/me"`) {
		t.Errorf("got %d %s, want a page that knows whose admin it is", page.Status, page.text())
	}
	if got := guest.post("/auth/users/alice/edit", url.Values{"name": {"Alice"}}); got.Status != http.StatusSeeOther {
		t.Errorf("got %d %s", got.Status, got.text())
	}
	refused(t, "alice", s.in("alice").get("/auth/users"), http.StatusForbidden)
	if events := s.eventsOf(auth.EventAdmin); len(events) != 2 || events[0].UserID == "" || strings.HasPrefix(events[0].UserID, "user:") {
		t.Errorf("got %+v", events)
	}
}

// D-03: whatever call of the database fails, an admin's request is whole or nothing, and never a success that isn't one.
func TestAdminRoutesWhileTheDatabaseFails(t *testing.T) {
	t.Parallel()
	for _, request := range adminRequests() {
		t.Run(request.String(), func(t *testing.T) {
			t.Parallel()
			// A call that the server makes beside the request, to learn what has changed, may be the one that fails: again then.
			for try := 1; adminCallsFail(t, request) == 0; try++ {
				if try == 20 {
					t.Fatal("no request failed: this test shows nothing")
				}
			}
		})
	}
}

// adminCallsFail lets one call after another fail, until the request is answered nevertheless, and gives how often it
// wasn't.
func adminCallsFail(t *testing.T, request adminRequest) (unavailable int) {
	t.Helper()
	s, faults, _ := faultSite(t)
	s.role("editor", siteWrites)
	s.add("root", auth.Permissions{"admin": {"*"}})
	s.add("alice", siteReads, "editor")
	s.in("alice")
	root := s.in("root")
	admitted(t, "before", root.get("/"))
	before := dump(t, s.db)
	for k := 1; ; k++ {
		faults.FailAt(k)
		got := request.send(root)
		faults.Heal()
		if got.Status == request.status { // nothing was broken, or what was isn't part of the answer
			return unavailable
		}
		faultUnavailable(t, fmt.Sprintf("call %d broken", k), got)
		if unavailable++; unavailable > 200 {
			t.Fatal("no end")
		}
		if after := dump(t, s.db); after != before {
			t.Fatalf("call %d broken: half of it is there: %s", k, after)
		}
	}
}

func TestWhatAnAdminMaySeeOfAnUnknownUser(t *testing.T) {
	t.Parallel()
	s, _ := adminSite(t)
	root := s.in("root")
	before := dump(t, s.db)
	for _, request := range adminRequests() {
		for _, name := range []string{"nobody", "%20", "a%00b", "%ff", "%2e%2e", "a%2fb", "alice%2f", "null", "-1", "%D0%B0lice", strings.Repeat("x", 300)} { // FU13, U-05, U-09, U-10, U-13, U-14
			if !strings.Contains(request.path, "/alice") {
				break
			}
			request := request
			request.path = strings.Replace(request.path, "/alice", "/"+name, 1)
			got := request.send(root, with("Accept", "application/json"), with("Sec-Fetch-Mode", "cors"))
			if got.Status != http.StatusNotFound {
				t.Errorf("%s: got %d %s, want 404", request, got.Status, got.text())
			}
		}
	}
	if dump(t, s.db) != before {
		t.Error("something has changed")
	}
	if _, err := s.users.Accounts().Get(t.Context(), "alice"); err != nil || errors.Is(err, userauth.ErrNotFound) {
		t.Error(err)
	}
	for _, name := range []string{"ALICE", "Alice", "%61lice"} { // U-01: every spelling is the one account
		if got := root.get("/auth/users/" + name); got.Status != http.StatusOK || !strings.Contains(got.Body, `"username":"alice"`) {
			t.Errorf("%s: got %d %s", name, got.Status, got.Body)
		}
	}
}
