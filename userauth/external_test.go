package userauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/userauth"
)

// What an authenticator says of a user is stored: it holds until the next login, whether the directory is there or not.
func TestClaims(t *testing.T) {
	t.Parallel()
	t.Run("they are the session's, and outlive a restart", func(t *testing.T) {
		t.Parallel()
		id := lena()
		id.Roles = []string{"editor", "no such role"}
		dir := newDirectory(id)
		roles := func(c *userauth.Config) {
			c.Auth.Roles = map[string]auth.Role{"editor": {Permissions: auth.Permissions{"contents": {"write"}}}}
		}
		s := newSite(t, authenticatedBy(dir), roles)
		b := s.in("lena")
		s.users.Close()
		b = b.at(siteOver(t, s.db, authenticatedBy(dir), roles))
		got := b.get("/auth/me")
		keys, object := names(t, got)
		if len(keys) != 9 || object["name"] != "Lena Example" || object["color"] != "teal" || object["workspace"] != "[]" || object["username"] != "lena" {
			t.Errorf("got %s", got.Body)
		}
		admitted(t, "by its own permission and the role's", b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`))
		refused(t, "what it doesn't hold", b.get("/admin"), http.StatusForbidden)
		if list := b.sessions(); len(list) != 1 || list[0].Method != "authenticator" {
			t.Errorf("got sessions %+v", list)
		}
		refused(t, "where nobody vouches for her any more", b.at(siteOver(t, s.db, roles)).get("/auth/me"), http.StatusUnauthorized)
		if got := dir.names(); got != "lena" {
			t.Errorf("the directory was asked for %q, want once", got)
		}
	})
	t.Run("what has changed by the next login reaches what is open", func(t *testing.T) {
		t.Parallel()
		dir := newDirectory(lena())
		s := newSite(t, authenticatedBy(dir)).listen()
		b := s.in("lena")
		conn, _ := b.enter()
		refused(t, "before", b.get("/admin"), http.StatusForbidden)
		changed := lena()
		changed.User.Name, changed.Permissions = "Lena Other", auth.Permissions{"admin": {"read"}}
		dir.put(changed)
		admitted(t, "as long as nobody logs in", b.get("/api/contents/demo"))
		s.in("lena")
		s.ends("her socket", conn, 1008)
		admitted(t, "gained", b.get("/admin"))
		refused(t, "lost", b.get("/api/contents/demo"), http.StatusForbidden)
		if got := b.me().Identity.Name; got != "Lena Other" {
			t.Errorf("got %q", got)
		}
		changed.Unrestricted, changed.Permissions = true, nil
		dir.put(changed)
		s.in("lena")
		admitted(t, "unrestricted", b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`))
		if n := s.count("users"); n != 1 {
			t.Errorf("got %d users, want one", n)
		}
	})
	t.Run("what the user sets goes before what the directory says", func(t *testing.T) {
		t.Parallel()
		dir := newDirectory(lena())
		s := newSite(t, authenticatedBy(dir))
		b := s.in("lena")
		if got := b.json(http.MethodPatch, "/auth/me", `{"display_name":"Leni","workspace":"[1]"}`); got.Status != http.StatusOK {
			t.Fatalf("got %d %s", got.Status, got.Body)
		}
		// The form sends all of its fields, as they were shown.
		b.post("/auth/me", url.Values{"name": {"Lena Example"}, "display_name": {"Leni"}, "initials": {"LE"}, "color": {"teal"}, "avatar_url": {""}})
		changed := lena()
		changed.User.Name, changed.User.DisplayName, changed.User.Color, changed.User.Username = "Lena Other", "LO", "red", "lena.other"
		dir.people["lena"] = &changed
		b.logIn("lena", sitePassword)
		_, object := names(t, b.get("/auth/me"))
		want := "map[anonymous:false avatar_url:<nil> color:red display_name:Leni initials:LE name:Lena Other settings: username:lena.other workspace:[1]]"
		if got := fmt.Sprint(object); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		// An empty one is none of the user's own.
		got := b.json(http.MethodPatch, "/auth/me", `{"display_name":""}`)
		if _, object := names(t, got); object["display_name"] != "LO" {
			t.Errorf("got %s, want the directory's again", got.Body)
		}
	})
	t.Run("an ID is one user, whatever the name", func(t *testing.T) {
		t.Parallel()
		dir := newDirectory(lena())
		s := newSite(t, authenticatedBy(dir))
		first := s.in("lena")
		other := lena()
		other.ID, other.Permissions = "ldap:uid=lena,ou=other", auth.Permissions{"admin": {"read"}}
		dir.put(other)
		second := s.in("lena")
		admitted(t, "the second", second.get("/admin"))
		refused(t, "the first", first.get("/admin"), http.StatusForbidden)
		if first.json(http.MethodPatch, "/auth/me", `{"name":"First"}`); second.me().Identity.Name == "First" || s.count("users") != 2 {
			t.Errorf("got %+v and %d users", second.me(), s.count("users"))
		}
		// FU21: a local user of that name is a third one, and from then on the name's only one.
		s.add("lena", auth.Permissions{"contents": {"write"}})
		admitted(t, "the second still", second.get("/admin"))
		third := s.in("LENA")
		refused(t, "the third", third.get("/admin"), http.StatusForbidden)
		if events := s.eventsOf(auth.EventLogin); len(events) != 3 || events[0].UserID != "ldap:uid=lena" || events[2].UserID != "user:3" {
			t.Errorf("got %+v", events)
		}
	})
}

// externalUser gives the number of the user with this ID.
func (s *site) externalUser(id string) (number int64) {
	s.t.Helper()
	err := userauth.WriteIn(s.t.Context(), s.users, func(tx *store.Tx) error {
		account, err := tx.AccountByKey(userauth.ExternalRealm, id)
		if err == nil {
			number = account.ID
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return number
}

func (s *site) setDisabled(number int64, disabled bool) {
	s.t.Helper()
	if err := userauth.WriteIn(s.t.Context(), s.users, func(tx *store.Tx) error { return tx.SetDisabled(number, disabled) }); err != nil {
		s.t.Fatal(err)
	}
}

func TestExternalUsers(t *testing.T) {
	t.Parallel()
	t.Run("who is disabled here stays out, whatever the directory says", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, authenticatedBy(newDirectory(lena()))).listen()
		b := s.in("lena")
		conn, _ := b.enter()
		number := s.externalUser("ldap:uid=lena")
		s.setDisabled(number, true)
		s.ends("disabled", conn, 1008)
		refused(t, "the session", b.get("/"), http.StatusUnauthorized)
		got, unknown := s.browser().login("lena", sitePassword), s.browser().login("nobody", sitePassword)
		if refused(t, "a login", got, http.StatusUnauthorized); got.Body != unknown.Body {
			t.Errorf("got %s, want %s", got.Body, unknown.Body)
		}
		s.setDisabled(number, false)
		admitted(t, "enabled again", s.in("lena").get("/"))
	})
	t.Run("the password is kept elsewhere", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, authenticatedBy(newDirectory(lena())))
		b := s.in("lena")
		refused(t, "a change", b.setPassword(sitePassword, nextPassword), http.StatusForbidden)
		admitted(t, "afterwards", b.get("/"))
		if got := s.hashOf("lena"); got != "" {
			t.Error("there is a hash")
		}
	})
	t.Run("many first logins at once make one user", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, authenticatedBy(newDirectory(lena())))
		answers := make(chan answer)
		for range 5 {
			go func() { answers <- s.browser().login("lena", sitePassword) }()
		}
		for range 5 {
			if got := <-answers; got.Status != http.StatusOK {
				t.Errorf("got %d %s", got.Status, got.Body)
			}
		}
		if s.count("users") != 1 || s.count("sessions") != 5 {
			t.Errorf("got %d users and %d sessions, want one and five", s.count("users"), s.count("sessions"))
		}
	})
	t.Run("the database's accounts are not these", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, authenticatedBy(newDirectory(lena())))
		s.in("lena")
		if _, err := s.users.Accounts().Get(t.Context(), "lena"); err == nil {
			t.Error("Get finds her among the local users")
		}
		if _, made, err := s.users.Accounts().FirstAdmin(t.Context(), "admin", sitePassword, nil); !made || err != nil {
			t.Errorf("got %v, %v: she isn't the first admin", made, err)
		}
	})
}
