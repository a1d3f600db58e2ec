package userauth_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// A webForm is what a browser sends with a form, untouched: what is ticked, typed and hidden.
type webForm struct {
	action string
	names  map[string]bool // of all its fields, ticked or not
	values url.Values
}

// formsOf gives the forms of a page that are posted.
func formsOf(t testing.TB, page answer) (forms []*webForm) {
	t.Helper()
	f, area := &webForm{names: map[string]bool{}, values: url.Values{}}, "" // the field that the text belongs to
	d := xml.NewDecoder(strings.NewReader(page.Body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return forms
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			attr := map[string]string{}
			for _, a := range token.Attr {
				attr[a.Name.Local] = a.Value
			}
			_, ticked := attr["checked"]
			switch token.Name.Local {
			case "form":
				f = &webForm{attr["action"], map[string]bool{}, url.Values{}}
				if attr["method"] == "post" {
					forms = append(forms, f)
				}
			case "input":
				f.names[attr["name"]] = true
				if attr["type"] != "checkbox" || ticked {
					f.values.Add(attr["name"], attr["value"])
				}
			case "textarea":
				area = attr["name"]
				f.names[area] = true
				f.values.Set(area, "")
			}
		case xml.EndElement:
			area = ""
		case xml.CharData:
			if area != "" {
				f.values.Set(area, strings.ReplaceAll(strings.TrimPrefix(string(token), "\n"), "\n", "\r\n"))
			}
		}
	}
}

// formOf gives the form that is posted to action and has the fields.
func formOf(t testing.TB, page answer, action string, fields url.Values) *webForm {
	t.Helper()
	for _, f := range formsOf(t, page) {
		lacks := func(name string) bool { return !f.names[name] }
		if f.action == action && !slices.ContainsFunc(slices.Collect(maps.Keys(fields)), lacks) {
			return f
		}
	}
	t.Fatalf("no form for %s with %v\n%s", action, fields, page.text())
	return nil
}

// submit fills in what is given into the form that has these fields and is posted to action, and sends it as a browser does.
func (b *browser) submit(page answer, action string, typed url.Values) answer {
	b.site.t.Helper()
	f := formOf(b.site.t, page, action, typed)
	maps.Copy(f.values, typed)
	return b.post(action, f.values)
}

// wantRedirect fails the test unless got leads on to the page.
func wantRedirect(t testing.TB, name string, got answer, to string) {
	t.Helper()
	if got.Status != http.StatusSeeOther || got.location() != to {
		t.Errorf("%s: got %d to %q, want 303 to %q\n%s", name, got.Status, got.location(), to, got.text())
	}
}

func TestAdminPages(t *testing.T) {
	t.Parallel()
	t.Run("an admin's day, without a script", func(t *testing.T) {
		t.Parallel()
		s, alice := adminSite(t)
		root := s.in("root")
		home := root.navigate("/auth/me")
		if !strings.Contains(home.Body, `href="/auth/users"`) || !strings.Contains(home.Body, `href="/auth/roles"`) {
			t.Errorf("the account's pages lead to no users\n%s", home.text())
		}
		users := root.navigate("/auth/users")
		if !strings.Contains(users.Body, `<a href="/auth/users/alice">`) || !strings.Contains(users.Body, `action="/auth/users"`) {
			t.Errorf("got %s", users.text())
		}
		got := root.submit(users, "/auth/users", url.Values{
			"username": {"bob"}, "name": {"Bob Example"}, "password": {nextPassword}, "roles": {"editor"}, "permissions": {"kernels:execute\r\nadmin:read"},
		})
		wantRedirect(t, "add", got, "/auth/users/bob?done=added")
		page := root.navigate(got.location())
		for _, want := range []string{"The user was added.", "Bob Example", "kernels:execute", "admin:read", "This user is signed in nowhere."} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("bob's page lacks %q\n%s", want, page.text())
			}
		}
		bob := s.browser()
		bob.logIn("bob", nextPassword)

		wantRedirect(t, "profile", root.submit(page, "/auth/users/bob/edit", url.Values{"color": {"teal"}}), "/auth/users/bob?done=saved")
		got = root.submit(page, "/auth/users/bob/edit", url.Values{"roles": {}, "permissions": {"contents:read"}})
		wantRedirect(t, "access", got, "/auth/users/bob?done=saved")
		account, err := s.users.Accounts().Get(t.Context(), "bob")
		if err != nil || account.Color != "teal" || len(account.Roles) != 0 || account.Permissions.String() != "contents:read" || account.Name != "Bob Example" {
			t.Errorf("got %+v, %v", account, err)
		}
		refused(t, "S-13: what bob held", bob.get("/auth/users"), http.StatusForbidden)

		page = root.navigate("/auth/users/bob")
		wantRedirect(t, "sessions", root.submit(page, "/auth/users/bob/sessions/end", nil), "/auth/users/bob?done=ended")
		refused(t, "S-17", bob.get("/"), http.StatusUnauthorized)
		wantRedirect(t, "password", root.submit(page, "/auth/users/bob/password", url.Values{"password": {sitePassword}}), "/auth/users/bob?done=password")
		bob = s.in("bob")
		wantRedirect(t, "disable", root.submit(page, "/auth/users/bob/edit", url.Values{"disabled": {"true"}}), "/auth/users/bob?done=disabled")
		refused(t, "S-12", bob.get("/"), http.StatusUnauthorized)
		page = root.navigate("/auth/users/bob")
		if !strings.Contains(page.Body, "This user is disabled") {
			t.Errorf("got %s", page.text())
		}
		wantRedirect(t, "enable", root.submit(page, "/auth/users/bob/edit", url.Values{"disabled": {"false"}}), "/auth/users/bob?done=enabled")
		s.in("bob")

		ask := root.navigate("/auth/users/bob/delete")
		if !strings.Contains(ask.Body, "be undone") || s.count("users") != 5 {
			t.Errorf("got %s", ask.text())
		}
		wantRedirect(t, "delete", root.submit(ask, "/auth/users/bob/delete", nil), "/auth/users?done=deleted")
		if s.count("users") != 4 {
			t.Error("bob is there")
		}
		admitted(t, "alice", alice.get("/"))
	})
	t.Run("who may only look gets no form, and who may not no link", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		rita := s.in("rita")
		for _, path := range []string{"/auth/users", "/auth/users/alice", "/auth/users/alice/tokens", "/auth/roles", "/auth/roles/editor"} {
			page := rita.navigate(path)
			if page.Status != http.StatusOK || strings.Count(page.Body, `method="post"`) != 1 || strings.Contains(page.Body, "/delete") || strings.Contains(page.Body, ">Revoke<") { // the one to sign out
				t.Errorf("%s: got %d\n%s", path, page.Status, page.text())
			}
		}
		if page := s.in("ben").navigate("/auth/me"); strings.Contains(page.Body, "/auth/users") || strings.Contains(page.Body, "/auth/roles") {
			t.Errorf("got %s", page.text())
		}
		refused(t, "a page", s.in("ben").navigate("/auth/users"), http.StatusForbidden)
		if got := s.browser().navigate("/auth/users?search=a"); got.Status != http.StatusSeeOther || got.location() != "/auth/login?next=%2Fauth%2Fusers%3Fsearch%3Da" {
			t.Errorf("got %d to %q", got.Status, got.location())
		}
	})
	t.Run("who may only write isn't shown the list by a form that fails", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		s.add("wil", adminWrites)
		wil := s.in("wil")
		for _, request := range []adminRequest{
			{"POST", "/auth/users", "", url.Values{"username": {"a/b"}}, 400}, {"POST", "/auth/users/alice/edit", "", url.Values{"permissions": {"x"}}, 400},
			{"POST", "/auth/roles", "", url.Values{"name": {" "}}, 400}, {"POST", "/auth/roles/editor/edit", "", url.Values{"version": {"99"}}, 409},
		} {
			got := request.send(wil)
			if got.Status != request.status || strings.Contains(got.Body, "alice") || strings.Contains(got.Body, "contents:") {
				t.Errorf("%s: got %d %s", request, got.Status, got.text())
			}
		}
	})
	t.Run("the search and the next page", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		for i := range 60 {
			s.add(fmt.Sprintf("member%02d", i), nil)
		}
		root := s.in("root")
		page := root.navigate("/auth/users?search=member")
		if strings.Contains(page.Body, "/auth/users/alice") || !strings.Contains(page.Body, `name="search" type="search" autocomplete="off" value="member"`) {
			t.Errorf("got %s", page.text())
		}
		const next = `/auth/users?after=member49&amp;search=member`
		if !strings.Contains(page.Body, `href="`+next+`"`) {
			t.Fatalf("no link to the next page\n%s", page.text())
		}
		page = root.navigate(strings.ReplaceAll(next, "&amp;", "&"))
		if !strings.Contains(page.Body, "/auth/users/member59") || strings.Contains(page.Body, "/auth/users/member49\"") || !strings.Contains(page.Body, `href="/auth/users?search=member"`) {
			t.Errorf("got %s", page.text())
		}
	})
	t.Run("a note says only what is known", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		root := s.in("root")
		if page := root.navigate("/auth/users?done=Your+account+is+broken"); strings.Contains(page.Body, "broken") {
			t.Errorf("got %s", page.text())
		}
		if page := root.navigate("/auth/users?done=deleted"); !strings.Contains(page.Body, "The user was deleted.") {
			t.Errorf("got %s", page.text())
		}
	})
}

// two admins who have opened the same page lose nothing of each other's work.
func TestFormsSendWhatTheirAdminHasChanged(t *testing.T) {
	onEngines(t, testFormsSendWhatTheirAdminHasChanged)
}

func testFormsSendWhatTheirAdminHasChanged(t *testing.T) {
	s, _ := adminSite(t)
	s.role("reader", siteReads)
	s.add("zoe", auth.Permissions{"admin": {"*"}})
	root, zoe := s.in("root"), s.in("zoe")
	first, second := root.navigate("/auth/users/alice"), zoe.navigate("/auth/users/alice")
	profile, access := url.Values{"name": {"By Root"}, "color": {"teal"}}, url.Values{"roles": {"reader", "editor"}, "permissions": {"contents:read a:b"}}
	wantRedirect(t, "the first one's profile", root.submit(first, "/auth/users/alice/edit", profile), "/auth/users/alice?done=saved")
	wantRedirect(t, "the first one's access", root.submit(first, "/auth/users/alice/edit", access), "/auth/users/alice?done=saved")
	profile, access = url.Values{"initials": {"Z"}}, url.Values{"roles": {}, "permissions": {"contents:read c:d"}}
	wantRedirect(t, "the second one's profile", zoe.submit(second, "/auth/users/alice/edit", profile), "/auth/users/alice?done=saved")
	wantRedirect(t, "the second one's access", zoe.submit(second, "/auth/users/alice/edit", access), "/auth/users/alice?done=saved")
	alice, err := s.users.Accounts().Get(t.Context(), "alice")
	if err != nil || alice.Name != "By Root" || alice.Color != "teal" || alice.Initials != "Z" || fmt.Sprint(alice.Roles) != "[reader]" || alice.Permissions.String() != "a:b c:d contents:read" {
		t.Errorf("got %+v, %v, want both changes", alice, err)
	}

	// Nor does a form that was refused and is sent again.
	page := zoe.submit(second, "/auth/users/alice/edit", url.Values{"permissions": {"contents:read oops"}})
	if page.Status != http.StatusBadRequest || !strings.Contains(page.Body, "Permissions: ") || !strings.Contains(page.Body, "contents:read oops") {
		t.Fatalf("got %d %s", page.Status, page.text())
	}
	wantRedirect(t, "again", zoe.submit(page, "/auth/users/alice/edit", url.Values{"permissions": {"contents:read x:y"}}), "/auth/users/alice?done=saved")
	page = zoe.submit(second, "/auth/users/alice/edit", url.Values{"avatar_url": {"javascript:alert(1)"}})
	if page.Status != http.StatusBadRequest || !strings.Contains(page.Body, "Picture: ") {
		t.Fatalf("got %d %s", page.Status, page.text())
	}
	wantRedirect(t, "again", zoe.submit(page, "/auth/users/alice/edit", url.Values{"avatar_url": {"/a.png"}}), "/auth/users/alice?done=saved")
	alice, err = s.users.Accounts().Get(t.Context(), "alice")
	if err != nil || alice.Name != "By Root" || alice.Permissions.String() != "a:b c:d contents:read x:y" || fmt.Sprint(alice.Roles) != "[reader]" || alice.AvatarURL != "/a.png" {
		t.Errorf("got %+v, %v", alice, err)
	}
}

// A form that is refused comes back with what was typed, but for a password, and says what is wrong by the label.
func TestAFormThatIsRefusedLosesNothing(t *testing.T) {
	t.Parallel()
	s, _ := adminSite(t)
	root := s.in("root")
	before := dump(t, s.db)
	for _, tc := range []struct {
		path, action  string
		typed         url.Values
		status        int
		message, kept string
	}{
		{"/auth/users", "/auth/users", url.Values{"username": {"bob/"}, "name": {"Bobby Tables"}, "password": {nextPassword}}, 400, "Username: must not", "Bobby Tables"},
		{"/auth/users", "/auth/users", url.Values{"username": {"Alice"}, "permissions": {"a:b"}, "roles": {"editor"}}, 409, "The name is taken already.", `value="editor" checked`},
		{"/auth/users", "/auth/users", url.Values{"username": {"bob"}, "password": {"short"}}, 400, "Password: ", `value="bob"`},
		{"/auth/users", "/auth/users", url.Values{"username": {"bob"}, "permissions": {"contents"}}, 400, "Permissions: ", "\ncontents</textarea>"},
		{"/auth/users/alice", "/auth/users/alice/edit", url.Values{"avatar_url": {"javascript:alert(1)"}, "name": {"A"}}, 400, "Picture: ", `value="javascript:alert(1)"`},
		{"/auth/users/alice", "/auth/users/alice/password", url.Values{"password": {"short"}}, 400, "New password: ", "alice"},
		{"/auth/users/root", "/auth/users/root/edit", url.Values{"permissions": {"a:b"}}, 409, "Nobody would be left", "\na:b</textarea>"},
		{"/auth/roles", "/auth/roles", url.Values{"name": {"editor"}, "description": {"again"}}, 409, "The name is taken already.", `value="again"`},
		{"/auth/roles", "/auth/roles", url.Values{"name": {"a/b"}, "permissions": {"c:d"}}, 400, "Name: ", "\nc:d</textarea>"},
		{"/auth/roles/editor", "/auth/roles/editor/edit", url.Values{"permissions": {"oops"}}, 400, "Permissions: ", "\noops</textarea>"},
	} {
		got := root.submit(root.navigate(tc.path), tc.action, tc.typed)
		if got.Status != tc.status || !strings.Contains(got.Body, tc.message) || !strings.Contains(got.Body, `role="alert"`) || !strings.Contains(got.Body, tc.kept) {
			t.Errorf("%s %v: got %d, want %d with %q and %q\n%s", tc.action, tc.typed, got.Status, tc.status, tc.message, tc.kept, got.text())
		}
		if dump(t, s.db) != before {
			t.Fatalf("%s %v: something has changed", tc.action, tc.typed)
		}
	}
}

// Where another admin was faster, the form shows what is stored now and keeps what was typed.
func TestRoleConflicts(t *testing.T) { onEngines(t, testRoleConflicts) }

func testRoleConflicts(t *testing.T) {
	s, _ := adminSite(t)
	root := s.in("root")
	accounts := s.users.Accounts()
	opened := root.navigate("/auth/roles/editor")
	stored, err := accounts.Role(t.Context(), "editor")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := accounts.PutRole(t.Context(), userauth.Role{Name: "editor", Description: "by another", Permissions: auth.Permissions{"x": {"y"}}, Version: stored.Version}); err != nil {
		t.Fatal(err)
	}
	typed := url.Values{"description": {"by me"}, "permissions": {"contents:delete"}}
	before := dump(t, s.db)
	page := root.submit(opened, "/auth/roles/editor/edit", typed)
	if page.Status != http.StatusConflict || dump(t, s.db) != before {
		t.Fatalf("got %d %s", page.Status, page.text())
	}
	for _, want := range []string{"Somebody has changed", "by another", "x:y", `value="by me"`, "contents:delete"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %q\n%s", want, page.text())
		}
	}
	wantRedirect(t, "again", root.submit(page, "/auth/roles/editor/edit", nil), "/auth/roles/editor?done=saved")
	if got, err := accounts.Role(t.Context(), "editor"); err != nil || got.Description != "by me" || got.Permissions.String() != "contents:delete" {
		t.Errorf("got %+v, %v", got, err)
	}

	// A form that is refused for what was typed keeps the version that it was opened with.
	opened = root.navigate("/auth/roles/editor")
	if stored, err = accounts.Role(t.Context(), "editor"); err != nil {
		t.Fatal(err)
	}
	if _, err := accounts.PutRole(t.Context(), userauth.Role{Name: "editor", Version: stored.Version}); err != nil {
		t.Fatal(err)
	}
	page = root.submit(opened, "/auth/roles/editor/edit", url.Values{"permissions": {"oops"}})
	if page.Status != http.StatusBadRequest {
		t.Fatalf("got %d %s", page.Status, page.text())
	}
	if page = root.submit(page, "/auth/roles/editor/edit", typed); page.Status != http.StatusConflict {
		t.Fatalf("got %d %s", page.Status, page.text())
	}

	opened = root.navigate("/auth/roles/editor")
	wantRedirect(t, "deleted", root.submit(root.navigate("/auth/roles/editor/delete"), "/auth/roles/editor/delete", nil), "/auth/roles?done=role-deleted")
	page = root.submit(opened, "/auth/roles/editor/edit", typed)
	if page.Status != http.StatusConflict || !strings.Contains(page.Body, "deleted this role") || !strings.Contains(page.Body, `value="by me"`) || s.count("roles") != 0 {
		t.Fatalf("got %d %s", page.Status, page.text())
	}
	putRole(t, accounts, "editor", nil) // and made anew before this one is
	page = root.submit(page, "/auth/roles/editor/edit", nil)
	if page.Status != http.StatusConflict || !strings.Contains(page.Body, "Somebody has changed") || !strings.Contains(page.Body, `value="by me"`) {
		t.Fatalf("got %d %s", page.Status, page.text())
	}
	wantRedirect(t, "at last", root.submit(page, "/auth/roles/editor/edit", nil), "/auth/roles/editor?done=saved")
}

// L-19, U-20, X-18: whatever a hostile user puts into a profile, an admin who looks at it reads it as text.
func TestAdminPagesShowTextAsText(t *testing.T) {
	t.Parallel()
	s, _ := adminSite(t)
	const nasty = `"><script>alert(1)</script><img src=x onerror=alert(1)>'` + "\u202e</textarea>"
	short := `"><svg onload=alert(1)>`
	alice := s.in("alice")
	// Through the user's own route, as an attacker would.
	body := fmt.Sprintf(`{"name":%q,"display_name":%q,"initials":%q,"color":%q,"avatar_url":"/x\"onerror=alert(1)","workspace":%q,"settings":%q}`, nasty, nasty, short, short, nasty, nasty)
	if got := alice.json("PATCH", "/auth/me", body, with("User-Agent", nasty)); got.Status != http.StatusOK {
		t.Fatalf("got %d %s", got.Status, got.Body)
	}
	evil := s.browser()
	if got := evil.login("alice", sitePassword, with("User-Agent", nasty)); got.Status != http.StatusOK {
		t.Fatal(got.Status)
	}
	name := `<b onclick=alert(1)>"'&amp;`
	if _, err := s.users.Accounts().PutRole(t.Context(), userauth.Role{Name: name, Description: nasty, Permissions: auth.Permissions{`<i>"'`: {`<script>`}}}); err != nil {
		t.Fatal(err)
	}
	s.change("alice", userauth.AccountChange{AddRoles: []string{name}, Grant: auth.Permissions{`"><script>`: {`'><script>`}}})
	for who, b := range map[string]*browser{"root": s.in("root"), "rita": s.in("rita")} {
		for _, path := range []string{
			"/auth/users", "/auth/users/alice", "/auth/roles", "/auth/roles/" + url.PathEscape(name), "/auth/users?search=" + url.QueryEscape(nasty), "/auth/users?done=" + url.QueryEscape(nasty),
			"/auth/users/alice/delete", "/auth/roles/" + url.PathEscape(name) + "/delete",
		} {
			page := b.navigate(path)
			if strings.HasSuffix(path, "/delete") && who == "rita" {
				refused(t, path, page, http.StatusForbidden)
				continue
			}
			if page.Status != http.StatusOK {
				t.Errorf("%s %s: got %d", who, path, page.Status)
			}
			for _, markup := range []string{"<script", "<img", "<svg", "<i>", "<b ", "onerror=alert(1)>", "javascript:"} {
				if strings.Contains(page.Body, markup) {
					t.Errorf("%s %s: the page holds %s\n%s", who, path, markup, page.text())
				}
			}
			if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: got the policy %q", path, policy)
			}
		}
	}
	// And what is shown is sent back as it is: nothing changes by saving a page.
	root := s.in("root")
	before, err := s.users.Accounts().Get(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	page := root.navigate("/auth/users/alice")
	access := formOf(t, page, "/auth/users/alice/edit", url.Values{"roles": nil}).values
	profile := formOf(t, page, "/auth/users/alice/edit", url.Values{"name": nil}).values
	if !slices.Contains(access["roles"], name) || !strings.Contains(access.Get("permissions"), `"><script>:'><script>`) || profile.Get("name") != nasty {
		t.Errorf("got the forms %v and %v", access, profile)
	}
	for _, values := range []url.Values{access, profile} {
		wantRedirect(t, "save", root.post("/auth/users/alice/edit", values), "/auth/users/alice?done=saved")
	}
	if after, err := s.users.Accounts().Get(t.Context(), "alice"); err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("got %+v, %v, want %+v", after, err, before)
	}
}

// X-01, L-22: a form's other fields are without effect, and one that is given twice is refused.
func TestFormsTakeTheirOwnFieldsAlone(t *testing.T) {
	t.Parallel()
	s, _ := adminSite(t)
	root := s.in("root")
	before := dump(t, s.db)
	for name, values := range map[string]url.Values{
		"fields of another's": {"username": {"zoe"}, "id": {"user:1"}, "password_hash": {"x"}, "created": {"0"}, "is_admin": {"1"}, "grant": {"admin:write"}, "add_roles": {"editor"}},
		"nothing":             {},
		"as it is shown":      {"name": {"Alice"}, "was_name": {"Alice"}, "permissions": {"contents:read"}, "was_permissions": {"contents:read"}, "roles": {"editor"}, "was_roles": {"editor"}},
	} {
		if got := root.post("/auth/users/alice/edit", values); got.Status != http.StatusSeeOther || dump(t, s.db) != before {
			t.Errorf("%s: got %d %s", name, got.Status, got.text())
		}
	}
	for name, values := range map[string]url.Values{
		"twice": {"name": {"a", "b"}}, "not UTF-8": {"name": {"\xff"}}, "a NUL": {"name": {"a\x00b"}}, "neither": {"disabled": {"yes"}}, "a role that isn't": {"roles": {"nobody"}},
		"a role's name that can't be": {"roles": {"\xff"}}, "no permission": {"was_permissions": {"x"}, "permissions": {""}},
	} {
		if got := root.post("/auth/users/alice/edit", values); got.Status != http.StatusBadRequest || dump(t, s.db) != before {
			t.Errorf("%s: got %d %s", name, got.Status, got.text())
		}
	}
	if got := root.post("/auth/roles", url.Values{"name": {"editor"}, "version": {"1"}}); got.Status != http.StatusConflict {
		t.Errorf("a new role of an old one's name: got %d, want 409", got.Status)
	}
	for _, path := range []string{"/auth/roles", "/auth/users/alice/edit", "/auth/roles/editor/edit"} {
		if got := root.json("POST", path, `{"name":"x"}`); got.Status != http.StatusUnsupportedMediaType {
			t.Errorf("JSON to %s: got %d, want 415", path, got.Status)
		}
	}
	if dump(t, s.db) != before {
		t.Error("something has changed")
	}
}
