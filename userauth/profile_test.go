package userauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// names are the keys of a JSON object, sorted.
func names(t *testing.T, a answer) (keys []string, object map[string]any) {
	t.Helper()
	a.decode(t, &object)
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys, object
}

func TestMe(t *testing.T) {
	t.Parallel()
	t.Run("JV16 the permissions that are asked about", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", auth.Permissions{"admin": {"read"}, "foo": {"bar", "baz"}})
		b := s.in("ann")
		var m me
		b.get("/api/me?permissions="+url.QueryEscape(`{"admin":["read"],"foo":["bar","baz"]}`)).decode(t, &m)
		delete(m.Permissions, "updatable_fields")
		if m.Identity.Username != "ann" || fmt.Sprint(m.Permissions) != "map[admin:[read] foo:[bar baz]]" {
			t.Errorf("got %+v", m)
		}
		for _, bad := range []string{`{'admin':['read']}`, "nonsense"} { // JV52
			if got := b.get("/api/me?permissions=" + url.QueryEscape(bad)); got.Status != http.StatusBadRequest || !strings.Contains(got.Body, "permissions") {
				t.Errorf("%s: got %d %s, want 400 that names permissions", bad, got.Status, got.Body)
			}
		}
	})
	t.Run("JV17 JS76 JS79 JS81 nothing is asked about", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", nil)
		b := s.in("ann")
		for _, query := range []string{"?permissions={}", "", "?permissions=", "?1718=1"} {
			got := b.get("/api/me" + query)
			var m me
			if got.decode(t, &m); got.Status != http.StatusOK || fmt.Sprint(m.Permissions) != "map[updatable_fields:[name display_name initials avatar_url color]]" {
				t.Errorf("%s: got %d %s", query, got.Status, got.Body)
			}
		}
	})
	t.Run("JV49 what isn't held is an empty list", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", siteReads)
		var m me
		s.in("ann").get(`/api/me?permissions={"contents":["read","write"],"kernels":["read"]}`).decode(t, &m)
		if m.Permissions["kernels"] == nil || fmt.Sprint(m.Permissions["contents"], m.Permissions["kernels"]) != "[read] []" {
			t.Errorf("got %v", m.Permissions)
		}
	})
	t.Run("JS83 JS85 X-13 a change is seen at once, and the rest stays", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", siteReads)
		b, other := s.in("ann"), s.in("ann")
		got := b.json(http.MethodPatch, "/api/me", `{"color":"#000000"}`)
		keys, object := names(t, got)
		identity, _ := object["identity"].(map[string]any)
		if got.Status != http.StatusOK || fmt.Sprint(keys) != "[identity status]" || len(identity) != 6 || identity["color"] != "#000000" || identity["name"] != "ann" {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
		b.json(http.MethodPatch, "/api/me", `{"name":"Ann Example","display_name":"Ann","initials":"AE","color":"teal"}`, with("Content-Type", "text/plain"))
		for _, b := range []*browser{b, other} {
			if m := b.me().Identity; m.Name != "Ann Example" || m.DisplayName != "Ann" || *m.Initials != "AE" || *m.Color != "teal" || m.AvatarURL != nil {
				t.Errorf("got %+v", m)
			}
			admitted(t, "the grants are as before", b.get("/api/contents/demo"))
		}
		if events := s.eventsOf(auth.EventUpdated); len(events) != 2 || events[0].UserID != "user:1" {
			t.Errorf("G-05: got events %+v, want two", events)
		}
	})
	t.Run("JV20 settings and workspace outlive a restart", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", nil)
		b := s.in("ann")
		if got := b.json(http.MethodPatch, "/auth/me", `{"settings":"{\"theme\":\"dark\"}","workspace":"[1]"}`); got.Status != http.StatusOK {
			t.Fatalf("got %d %s", got.Status, got.Body)
		}
		s.users.Close()
		keys, object := names(t, b.at(siteOver(t, s.db)).get("/auth/me"))
		if object["settings"] != `{"theme":"dark"}` || object["workspace"] != "[1]" {
			t.Errorf("got %v", object)
		}
		if fmt.Sprint(keys) != "[anonymous avatar_url color display_name initials name settings username workspace]" || object["anonymous"] != false || object["color"] != nil {
			t.Errorf("got %v", object)
		}
	})
	t.Run("the form of a browser without scripts", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", nil)
		b := s.in("ann")
		if page := b.navigate("/auth/me"); strings.Contains(page.Body, `value="ann"`) {
			t.Errorf("a name that isn't set is in the form, which would set it\n%s", page.text())
		}
		got := b.post("/auth/me", url.Values{"name": {`"><svg onload=alert(1)>`}, "color": {"teal"}})
		if got.Status != http.StatusSeeOther || got.location() != "/auth/me" {
			t.Errorf("got %d to %q", got.Status, got.location())
		}
		page := b.navigate("/auth/me") // L-19, X-18: stored as it is, escaped where it is shown
		if strings.Contains(page.Body, "<svg") || !strings.Contains(page.Body, "&lt;svg onload=alert(1)&gt;") || !strings.Contains(page.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("got %v\n%s", page.Header, page.text())
		}
		if got := b.me().Identity; got.Name != `"><svg onload=alert(1)>` || *got.Color != "teal" {
			t.Errorf("got %+v", got)
		}
		bad := b.post("/auth/me", url.Values{"avatar_url": {"javascript:alert(1)"}, "name": {"typed"}})
		if bad.Status != http.StatusBadRequest || !strings.Contains(bad.Body, "typed") || b.me().Identity.Name == "typed" {
			t.Errorf("got %d, want 400, the form with what was typed, and no change\n%s", bad.Status, bad.text())
		}
	})
}

// JS86, FU12, JV53, X-01 to: a profile changes by its own fields only, and as a whole or not at all.
func TestProfilesAreNoWayToRights(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ann", nil)
	s.add("victim", auth.Permissions{"admin": {"*"}})
	b := s.in("ann")
	before := dump(t, s.db)
	unchanged := func(what string) {
		t.Helper()
		if got := dump(t, s.db); got != before {
			t.Fatalf("%s: changed to %s", what, got)
		}
	}
	for field, body := range map[string]string{
		"username": `{"username":"root"}`, "is_superuser": `{"is_superuser":true}`, "is_active": `{"is_active":false}`, "is_verified": `{"is_verified":true}`,
		"permissions": `{"permissions":{"admin":["write"]}}`, "roles": `{"roles":["boss"]}`, "id": `{"id":"user:2","display_name":"x"}`,
		"password": `{"password":"` + nextPassword + `"}`, "password_hash": `{"password_hash":"x"}`, "disabled": `{"name":"x","disabled":true}`,
		"user": `{"user":{"permissions":{}}}`, "created_at": `{"created_at":0}`, "Name": `{"Name":"x"}`, "ſettings": `{"\u017fettings":"x"}`, "anonymous": `{"anonymous":true}`,
		"name": `{"name":"x","name":"y"}`, "color": `{"name":"x","color":1}`, "avatar_url": `{"name":"x","avatar_url":"javascript:alert(1)"}`,
		"initials": `{"name":"x","initials":"` + strings.Repeat("x", 33) + `"}`, "display_name": `{"name":"x","display_name":"a\u0000b"}`,
	} {
		for _, path := range []string{"/api/me", "/auth/me"} {
			got := b.json(http.MethodPatch, path, body)
			if refused(t, path+" "+body, got, http.StatusBadRequest); !strings.Contains(got.Body, field) {
				t.Errorf("%s %s: got %s, want %s named", path, body, got.Body, field)
			}
			unchanged(body)
		}
	}
	for _, body := range []string{"", "null", "[]", `"x"`, `{"name":"x"}{}`, `{"name":"x"} x`, "\ufeff{}", `{"name":"x",}`, `{"name":"` + "\xff" + `"}`, `{"name":/**/"x"}`, strings.Repeat("[", 10_001), `{"name":NaN}`} {
		for _, path := range []string{"/api/me", "/auth/me"} {
			refused(t, path+" "+body, b.json(http.MethodPatch, path, body), http.StatusBadRequest)
			unchanged(body)
		}
	}
	for _, path := range []string{"/api/me", "/auth/me"} {
		refused(t, "5 MiB", b.json(http.MethodPatch, path, `{"name":"`+strings.Repeat("x", 5<<20)+`"}`), http.StatusRequestEntityTooLarge)
		refused(t, "XML", b.json(http.MethodPatch, path, "<x/>", with("Content-Type", "application/xml")), http.StatusUnsupportedMediaType)
		for _, body := range []string{`{}`, `{"name":null,"color":null}`} {
			if got := b.json(http.MethodPatch, path, body); got.Status != http.StatusOK {
				t.Errorf("%s %s: got %d, want 200", path, body, got.Status)
			}
			unchanged(body)
		}
	}
	// A form's other fields are without effect.
	b.post("/auth/me", url.Values{"permissions": {"admin:write"}, "username": {"root"}, "id": {"2"}, "disabled": {"1"}})
	unchanged("a form")
	refused(t, "JV53 afterwards", b.get("/admin"), http.StatusForbidden)
}

// what a handler does with a profile after the user has changed.
func TestProfilesOfUsersWhoChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ann", auth.Permissions{"admin": {"read"}})
	b := s.in("ann")
	var meanwhile func()
	var result error
	name := "New"
	mux := s.routes(s.users)
	mux.Handle("/late", s.users.CurrentUser(auth.Permissions{"admin": {"read"}})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		meanwhile()
		eventually(t, "the change is looked up", func() bool {
			_, result = s.users.UpdateUser(r.Context(), auth.UserUpdate{Name: &name})
			return !errors.Is(result, auth.ErrUnavailable)
		})
	})))
	s.Handler = mux
	t.Run("X-07 a right that was taken meanwhile doesn't come back", func(t *testing.T) {
		meanwhile = func() { s.change("ann", userauth.AccountChange{Revoke: auth.Permissions{"admin": {"read"}}}) }
		b.get("/late")
		if result != nil || b.me().Identity.Name != "New" {
			t.Errorf("got %v and %+v, want the change", result, b.me())
		}
		refused(t, "afterwards", b.get("/admin"), http.StatusForbidden)
	})
	t.Run("X-11 a user who was deleted meanwhile isn't made anew", func(t *testing.T) {
		s.change("ann", userauth.AccountChange{Grant: auth.Permissions{"admin": {"read"}}})
		meanwhile = func() {
			if err := s.users.Accounts().Delete(t.Context(), "ann"); err != nil {
				t.Error(err)
			}
		}
		b.get("/late")
		if result == nil || s.count("users") != 0 {
			t.Errorf("got %v and %d users, want an error and none", result, s.count("users"))
		}
	})
	t.Run("X-11 without a guard", func(t *testing.T) {
		if _, err := s.users.UpdateUser(t.Context(), auth.UserUpdate{Name: &name}); err == nil {
			t.Error("no error")
		}
	})
}

// Who changes the own profile can go on in the same handler: what follows isn't refused because of the change.
func TestAHandlerGoesOnAfterAChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ann", siteReads)
	mux := s.routes(s.users)
	mux.Handle("/twice", s.users.CurrentUser(nil)(s.reach(func(_ http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"One", "Two"} {
			if _, err := s.users.UpdateUser(r.Context(), auth.UserUpdate{Name: &name}); err != nil {
				t.Errorf("%s: got %v", name, err)
			}
			if user, _ := auth.UserFrom(r.Context()); user.Name != name {
				t.Errorf("got the name %q, want %q", user.Name, name)
			}
			if ok, err := auth.Can(r.Context(), "contents", "read"); !ok || err != nil {
				t.Errorf("%s: got %v and %v from Can", name, ok, err)
			}
		}
	})))
	s.Handler = mux
	admitted(t, "twice", s.in("ann").get("/twice"))
}
