package userauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// adminUser is a user as the administration's JSON has one.
type adminUser struct {
	ID, Username, Name string
	Color              *string
	Roles              []string
	Permissions        auth.Permissions
	Disabled           bool
}

type adminList struct {
	Items []adminUser
	Next  *string
}

func TestUsersAPI(t *testing.T) {
	t.Parallel()
	t.Run("JV14 a new user", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		got := s.in("root").json("POST", "/auth/users", `{"username":"bob","password":"`+sitePassword+`","permissions":{"contents":["read"]}}`)
		keys, object := names(t, got)
		if got.Status != http.StatusCreated || fmt.Sprint(keys) != "[anonymous avatar_url color created disabled display_name id initials name permissions roles settings username workspace]" {
			t.Errorf("got %d, keys %v", got.Status, keys)
		}
		if object["initials"] != nil || object["color"] != nil || object["avatar_url"] != nil || object["username"] != "bob" || object["anonymous"] != false || object["name"] != "bob" {
			t.Errorf("got %v", object)
		}
		bob := s.in("bob")
		admitted(t, "what bob may", bob.get("/api/contents/demo"))
		refused(t, "what bob may not", bob.json("PUT", "/api/contents/demo", `{"text":"x"}`), http.StatusForbidden)
	})
	t.Run("a new user with everything", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		root := s.in("root")
		var made adminUser
		root.json("POST", "/auth/users", `{"username":"bob","name":"Bob","color":"teal","settings":"{}","roles":["editor"],"permissions":{"a":["*"]},"disabled":true}`).decode(t, &made)
		if made.Name != "Bob" || *made.Color != "teal" || !slices.Equal(made.Roles, []string{"editor"}) || made.Permissions.String() != "a:*" || !made.Disabled {
			t.Errorf("got %+v", made)
		}
		refused(t, "who is disabled and has no password", s.browser().login("bob", sitePassword), http.StatusUnauthorized)
	})
	t.Run("JS05 JS06 RS-15 X-02 X-04 what makes nobody", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		root := s.in("root")
		before := dump(t, s.db)
		good := `"username":"bob","password":"` + sitePassword + `"`
		for body, want := range map[string]string{
			`{"unknown":"value"}`: "unknown", `[]`: "object", `"bob"`: "object", `null`: "object", `{}`: "username", `{"name":"user.name","password":"P"}`: "username",
			`{` + good + `,"is_admin":true}`: "is_admin", `{` + good + `,"id":"user:1"}`: `\"id\"`, `{` + good + `,"PERMISSIONS":{}}`: "PERMISSIONS", `{` + good + `,"permiſſions":{}}`: "permiſſions",
			`{` + good + `,"password_hash":"x"}`: "password_hash", `{` + good + `,"username":"eve"}`: "username", `{` + good + `} {}`: "behind", `{` + good + `,"permissions":[]}`: "permissions",
			`{` + good + `,"permissions":{"":["read"]}}`: "permissions", `{` + good + `,"permissions":{"con*ts":["read"]}}`: "permissions", `{` + good + `,"permissions":{"a":["read,admin"]}}`: "permissions",
			`{` + good + `,"roles":["nobody"]}`: "roles", `{` + good + `,"roles":["editor,reader"]}`: "roles", `{` + good + `,"roles":[null]}`: "roles", `{` + good + `,"disabled":1}`: "disabled",
			`{` + good + `,"avatar_url":"javascript:alert(1)"}`: "avatar_url", `{` + good + `,"name":"` + strings.Repeat("x", 2000) + `"}`: "name",
			`{"username":"bob","password":"password1"}`: "password", `{"username":"bob","password":"` + strings.Repeat("x", 300) + `"}`: "password", // P-08
			`{"username":"bob\n"}`: "username", `{"username":"admin\u200b"}`: "username", `{"username":"a/b"}`: "username", `{"username":".."}`: "username", `{"username":"%2e"}`: "username", `{"username":""}`: "username", // U-05 to U-14
			`{"username":"\ud800"}`: "username", `{"username":"` + strings.Repeat("x", 65) + `"}`: "username",
		} {
			got := root.json("POST", "/auth/users", body)
			if got.Status != http.StatusBadRequest || !strings.Contains(got.Body, want) || !strings.Contains(got.Body, `"code":"bad_request"`) {
				t.Errorf("%.80s: got %d %s, want 400 that names %q", body, got.Status, got.Body, want)
			}
		}
		for _, body := range []string{`{"username":"alice"}`, `{"username":"ALICE"}`} { // U-01, U-18
			if got := root.json("POST", "/auth/users", body); got.Status != http.StatusConflict || !strings.Contains(got.Body, `"code":"exists"`) {
				t.Errorf("%s: got %d %s, want 409", body, got.Status, got.Body)
			}
		}
		if got := root.json("POST", "/auth/users", `{"username":"bob"}`, with("Content-Type", "text/plain")); got.Status != http.StatusUnsupportedMediaType {
			t.Errorf("a text: got %d", got.Status)
		}
		if got := root.json("POST", "/auth/users", `{"settings":"`+strings.Repeat("x", 600<<10)+`"}`); got.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("600 KiB: got %d", got.Status)
		}
		if got := dump(t, s.db); got != before {
			t.Errorf("something has changed: %s", got)
		}
	})
	t.Run("U-19 X-05 X-10 X-16 X-17 a change is what it names", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		root := s.in("root")
		before := dump(t, s.db)
		for _, body := range []string{`{}`, `{"name":null,"disabled":null,"grant":null,"revoke":null,"add_roles":null,"remove_roles":null}`, `{"grant":{},"add_roles":[]}`} {
			if got := root.json("PATCH", "/auth/users/alice", body); got.Status != http.StatusOK || dump(t, s.db) != before {
				t.Errorf("%s: got %d %s, want 200 and nothing changed", body, got.Status, got.Body)
			}
		}
		for _, body := range []string{
			`{"permissions":{"admin":["*"]}}`, `{"roles":["editor"]}`, `{"username":"zoe"}`, `{"password":"` + nextPassword + `"}`, `{"id":"user:1"}`, `{"grant":[]}`, `{"GRANT":{}}`,
			`{"grant":{"a":["b"]},"revoke":{"a":["b"]}}`, `{"add_roles":["nobody"],"grant":{"a":["b"]}}`, `{"grant":{"a":[""]}}`, `{"email":"a@b.example"}`, `{"created":"2020-01-01T00:00:00Z"}`, `{"name":"a\u0000b"}`,
		} {
			if got := root.json("PATCH", "/auth/users/alice", body); got.Status != http.StatusBadRequest || dump(t, s.db) != before {
				t.Errorf("%s: got %d %s, want 400 and nothing changed", body, got.Status, got.Body)
			}
		}
		var alice adminUser
		root.json("PATCH", "/auth/users/Alice", `{"name":"Alice Example","grant":{"kernels":["execute"]},"revoke":{"contents":["read"]},"remove_roles":["editor"],"disabled":true}`).decode(t, &alice)
		if alice.Username != "alice" || alice.Name != "Alice Example" || alice.Permissions.String() != "kernels:execute" || len(alice.Roles) != 0 || !alice.Disabled {
			t.Errorf("got %+v", alice)
		}
		root.json("PATCH", "/auth/users/alice", `{"disabled":false}`).decode(t, &alice)
		if alice.Disabled || alice.Name != "Alice Example" {
			t.Errorf("got %+v", alice)
		}
	})
	t.Run("ZA12 two roles that overlap", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		s.role("reader", siteReads)
		s.add("ann", nil, "reader", "editor")
		var m me
		s.in("ann").get(`/api/me?permissions={"contents":["read","write"]}`).decode(t, &m)
		if fmt.Sprint(m.Permissions["contents"]) != "[read write]" {
			t.Errorf("got %v, want no action twice", m.Permissions)
		}
		got := s.in("root").get("/auth/users/ann")
		var ann adminUser
		if got.decode(t, &ann); fmt.Sprint(ann.Roles) != "[editor reader]" || len(ann.Permissions) != 0 {
			t.Errorf("got %s", got.Body)
		}
	})
	t.Run("a password set by an admin", func(t *testing.T) {
		t.Parallel()
		s, alice := adminSite(t)
		root := s.in("root")
		before := dump(t, s.db)
		for _, body := range []string{`{}`, `{"password":null}`, `{"password":""}`, `{"password":"password1"}`, `{"password":"short"}`, `{"new":"` + nextPassword + `"}`} { // P-08
			if got := root.json("POST", "/auth/users/alice/password", body); got.Status != http.StatusBadRequest || dump(t, s.db) != before {
				t.Errorf("%s: got %d %s, want 400", body, got.Status, got.Body)
			}
		}
		if got := root.json("POST", "/auth/users/alice/password", `{"password":"`+nextPassword+`"}`); got.Status != http.StatusNoContent {
			t.Fatalf("got %d %s", got.Status, got.Body)
		}
		refused(t, "the old session", alice.get("/"), http.StatusUnauthorized)
		refused(t, "the old password", s.browser().login("alice", sitePassword), http.StatusUnauthorized)
		s.browser().logIn("alice", nextPassword)
	})
	t.Run("JV10 G-01 no answer tells a secret", func(t *testing.T) {
		t.Parallel()
		s, alice := adminSite(t)
		rita := s.in("rita")
		_, session := alice.session()
		stored := dump(t, s.db)
		var hash string
		if err := s.db.GetContext(t.Context(), &hash, "SELECT password_hash FROM auth_users WHERE username = 'alice'"); err != nil || !strings.Contains(stored, hash) {
			t.Fatal(err)
		}
		for _, path := range []string{"/auth/users", "/auth/users/alice", "/auth/roles", "/auth/roles/editor"} {
			for how, got := range map[string]answer{"JSON": rita.get(path), "page": rita.navigate(path)} {
				if got.Status != http.StatusOK {
					t.Errorf("%s %s: got %d", how, path, got.Status)
				}
				for _, secret := range []string{hash, "argon2", session, "password"} {
					if strings.Contains(strings.ToLower(got.Body), strings.ToLower(secret)) {
						t.Errorf("%s %s: tells %q", how, path, secret)
					}
				}
			}
		}
	})
}

// Pages of a list, and what a client may ask for of it.
func TestUsersAreListedInParts(t *testing.T) { onEngines(t, testUsersAreListedInParts) }

func testUsersAreListedInParts(t *testing.T) {
	s, _ := adminSite(t)
	for i := range 120 {
		if _, err := s.users.Accounts().Add(t.Context(), userauth.NewAccount{Username: fmt.Sprintf("member%03d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	s.add("per_cent", nil)
	root := s.in("root")
	list := func(query url.Values) (l adminList) {
		t.Helper()
		got := root.get("/auth/users?" + query.Encode())
		if got.decode(t, &l); got.Status != http.StatusOK || l.Items == nil || l.Next == nil {
			t.Fatalf("%v: got %d %.200s", query, got.Status, got.Body)
		}
		return l
	}
	for limit, sizes := range map[string][]int{"": {50, 50, 25}, "50": {50, 50, 25}, "1": nil, "100": {100, 25}, "125": {125}, "200": {125}} {
		var got []string
		var parts []int
		query := url.Values{"limit": {limit}}
		for {
			l := list(query)
			for _, u := range l.Items {
				got = append(got, u.Username)
			}
			if parts = append(parts, len(l.Items)); *l.Next == "" || len(got) > 200 {
				break
			}
			query.Set("after", *l.Next)
		}
		if len(got) != 125 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != 125 || sizes != nil && !slices.Equal(parts, sizes) {
			t.Errorf("limit %q: got %d names in parts of %v", limit, len(got), parts)
		}
	}
	for search, want := range map[string]int{
		"member": 50, "MEMBER11": 10, "ber01": 10, " alice ": 1, "r_c": 1, "_": 1, "%": 0, "' OR 1=1--": 0, `\`: 0, "nobody": 0, "\x00": 0, strings.Repeat("x", 1000): 0, // U-15
	} {
		if l := list(url.Values{"search": {search}}); len(l.Items) != want {
			t.Errorf("search %.20q: got %d, want %d", search, len(l.Items), want)
		}
	}
	if l := list(url.Values{"after": {"zzzz"}}); len(l.Items) != 0 || *l.Next != "" {
		t.Errorf("behind the end: got %+v", l)
	}
	for _, query := range []string{
		"limit=0", "limit=-1", "limit=201", "limit=1e2", "limit=0x10", "limit=+", "limit=99999999999999999999", "limit=1&limit=2", "search=a&search=b", "after=a&after=b", // L-22
		"after=%00", "after=%ff", "search=%ff", "search=%zz", "limit=5;after=x",
	} {
		for _, path := range []string{"/auth/users?", "/auth/roles?"} {
			if path == "/auth/roles?" && query == "after=%00" {
				continue // roles are compared in memory, where any text will do
			}
			if got := root.get(path + query); got.Status != http.StatusBadRequest {
				t.Errorf("%s%s: got %d %.100s, want 400", path, query, got.Status, got.Body)
			}
		}
	}
}

// V-13 for the query of a list: whatever it is, it is answered, and with no more than was asked for.
func FuzzListing(f *testing.F) {
	for _, seed := range []string{"", "limit=3", "search=a&after=b&limit=200", "limit=0", "search=%25", "after=%00", "%zz", "a;b", "limit=1&limit=1", "search=\u202e"} {
		f.Add(seed)
	}
	s, _ := adminSite(f)
	cookies := s.in("root").cookieHeader()
	f.Fuzz(func(t *testing.T, query string) {
		b := (&site{t: t, Handler: s.Handler, host: s.host}).browser()
		for _, path := range []string{"/auth/users", "/auth/roles"} {
			got := b.get(path, with("Cookie", cookies), func(r *http.Request) { r.URL.RawQuery = query })
			var l adminList
			if got.Status == http.StatusOK {
				got.decode(t, &l)
			}
			if got.Status != http.StatusOK && got.Status != http.StatusBadRequest || len(l.Items) > 200 {
				t.Errorf("%s?%q: got %d with %d items", path, query, got.Status, len(l.Items))
			}
		}
	})
}

func TestRolesAPI(t *testing.T) {
	t.Parallel()
	t.Run("made, read, replaced, deleted", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		root := s.in("root")
		path := "/auth/roles/" + url.PathEscape("guest, paying %2e?#")
		var role userauth.Role
		got := root.json("PUT", path, `{"description":"pays","permissions":{"contents":["read","read"],"a*":["*"]}}`)
		if got.decode(t, &role); got.Status != http.StatusCreated || role.Name != "guest, paying %2e?#" || role.Permissions.String() != "a*:* contents:read" || role.Version == 0 {
			t.Fatalf("got %d %s", got.Status, got.Body)
		}
		var read userauth.Role
		if root.get(path).decode(t, &read); fmt.Sprint(read) != fmt.Sprint(role) {
			t.Errorf("got %+v, want %+v", read, role)
		}
		version := fmt.Sprintf(`"version":%d`, role.Version)
		var replaced userauth.Role
		got = root.json("PUT", path, `{"permissions":{"contents":["write"]},`+version+`}`)
		if got.decode(t, &replaced); got.Status != http.StatusOK || replaced.Permissions.String() != "contents:write" || replaced.Description != "pays" || replaced.Version == role.Version {
			t.Errorf("X-05: got %d %s, want what isn't named as it was", got.Status, got.Body)
		}
		before := dump(t, s.db)
		for body, status := range map[string]int{
			`{"permissions":{},` + version + `}`: 409, `{` + version + `}`: 409, `{"permissions":{}}`: 409, `{}`: 409, `{"version":99}`: 409, `{"version":-1}`: 409, `{"description":"","permissions":{},"version":-1}`: 400, `{"version":1.5}`: 400, `{"version":"1"}`: 400,
		} {
			if got := root.json("PUT", path, body); got.Status != status || dump(t, s.db) != before {
				t.Errorf("%s: got %d %s, want %d", body, got.Status, got.Body, status)
			}
		}
		var empty userauth.Role
		got = root.json("PUT", path, fmt.Sprintf(`{"description":"","permissions":{},"version":%d}`, replaced.Version))
		if got.decode(t, &empty); got.Status != http.StatusOK || len(empty.Permissions) != 0 || empty.Description != "" {
			t.Errorf("X-05: got %d %s, want what is empty cleared", got.Status, got.Body)
		}
		if got := root.do("DELETE", path, "", with("Sec-Fetch-Site", "same-origin")); got.Status != http.StatusNoContent {
			t.Errorf("got %d", got.Status)
		}
		for _, method := range []string{"GET", "DELETE"} {
			if got := root.do(method, path, "", with("Sec-Fetch-Site", "same-origin")); got.Status != http.StatusNotFound {
				t.Errorf("%s of a deleted one: got %d", method, got.Status)
			}
		}
		if got := root.json("PUT", path, `{"permissions":{},"version":1}`); got.Status != http.StatusNotFound {
			t.Errorf("replacing a deleted one: got %d", got.Status)
		}
	})
	t.Run("ZA10 what makes no role", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		root := s.in("root")
		before := dump(t, s.db)
		for _, tc := range []struct {
			name, body string
			status     int
		}{
			{"%20", `{}`, 400}, {"viewer", `{"permissions":{"":["read"]}}`, 400}, {"viewer", `{"permissions":{"a":["*b"]}}`, 400}, {"viewer", `{"name":"x"}`, 400}, {"viewer", `[]`, 400},
			{"viewer", `{"description":"a\u0000"}`, 400}, {"viewer", `{"permissions":[]}`, 400}, {"viewer%20", `{}`, 400}, {"%0a", `{}`, 400}, {"%ff", `{}`, 400}, {"a%E2%80%8Bb", `{}`, 400},
			{strings.Repeat("x", 65), `{}`, 400}, {"a%2fb", `{}`, 404}, {"%2e%2e", `{}`, 404}, {"%2e", `{}`, 404}, // U-14
		} {
			if got := root.json("PUT", "/auth/roles/"+tc.name, tc.body); got.Status != tc.status || dump(t, s.db) != before {
				t.Errorf("%s %s: got %d %s, want %d", tc.name, tc.body, got.Status, got.Body, tc.status)
			}
		}
	})
	t.Run("the list", func(t *testing.T) {
		t.Parallel()
		s, _ := adminSite(t)
		for _, name := range []string{"a", "b", "c", "Reader"} {
			s.role(name, nil)
		}
		root := s.in("root")
		for query, want := range map[string]string{
			"": "[Reader a b c editor] ", "?limit=2": "[Reader a] a", "?limit=2&after=a": "[b c] c", "?limit=2&after=c": "[editor] ", "?search=E": "[Reader editor] ", "?search=nobody": "[] ",
		} {
			var l struct {
				Items []userauth.Role
				Next  string
			}
			root.get("/auth/roles"+query).decode(t, &l)
			found := []string{}
			for _, role := range l.Items {
				found = append(found, role.Name)
			}
			if got := fmt.Sprint(found, " ", l.Next); got != want {
				t.Errorf("%s: got %q, want %q", query, got, want)
			}
		}
	})
}
