package userauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// sessions asks for the list.
func (b *browser) sessions() []userauth.Session {
	b.site.t.Helper()
	var list struct {
		Items []userauth.Session
		Next  *string
	}
	if b.get("/auth/sessions").decode(b.site.t, &list); list.Next == nil || *list.Next != "" {
		b.site.t.Errorf("got next %v, want an empty one", list.Next)
	}
	return list.Items
}

// current is the id of the browser's own session.
func (b *browser) current() (id string) {
	b.site.t.Helper()
	for _, session := range b.sessions() {
		if session.Current {
			id = session.ID
		}
	}
	if id == "" {
		b.site.t.Fatal("no session is the current one")
	}
	return id
}

func (b *browser) delete(path string) answer {
	b.site.t.Helper()
	return b.do(http.MethodDelete, path, "", with("Sec-Fetch-Site", "same-origin"))
}

// S-16: everybody sees and ends the own sessions, and nobody another's.
func TestOwnSessions(t *testing.T) { onEngines(t, testOwnSessions) }

func testOwnSessions(t *testing.T) {
	t.Run("the list", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.add("bob", nil)
		s.in("bob")
		phone := s.browser()
		before := time.Now().Truncate(time.Second)
		agent := "Phone/1 <b>\x07\u202e" + strings.Repeat("x", 1000)
		phone.login("alice", sitePassword, with("User-Agent", agent), from("[2001:db8::7]:1"))
		b := s.in("alice")
		list := b.sessions()
		if len(list) != 2 {
			t.Fatalf("got %+v, want alice's two", list)
		}
		own, other := list[0], list[1]
		if !own.Current {
			own, other = other, own
		}
		if !own.Current || other.Current || own.ID == other.ID || own.Address != "192.0.2.7" || other.Address != "2001:db8::7" || own.Method != "password" {
			t.Errorf("got %+v", list)
		}
		if other.Created.Before(before) || other.Seen.Before(other.Created) || !other.Expires.After(time.Now()) {
			t.Errorf("got times %+v", other)
		}
		if !strings.HasPrefix(other.Agent, "Phone/1 <b>") || strings.Contains(other.Agent, "\x07") || len([]rune(other.Agent)) > 256 {
			t.Errorf("got agent %q", other.Agent)
		}
		page := b.navigate("/auth/sessions")
		if strings.Contains(page.Body, "<b>") || !strings.Contains(page.Body, "this browser") || strings.Count(page.Body, "/end\"") != 3 {
			t.Errorf("L-19: got\n%s", page.text())
		}
	})
	t.Run("ending one, with what it has open", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("alice", siteWrites)
		b, other, third := s.in("alice"), s.in("alice"), s.in("alice")
		conn, _ := other.enter()
		kept, _ := third.enter()
		id := other.current()
		if got := b.delete("/auth/sessions/" + id); got.Status != http.StatusNoContent || len(got.Cookies) != 0 {
			t.Errorf("got %d and cookies %v, want 204", got.Status, got.Cookies)
		}
		s.ends("its socket", conn, 1008)
		refused(t, "the ended one", other.get("/"), http.StatusUnauthorized)
		stillOpen(t, kept)
		admitted(t, "the one that ended it", b.get("/"))
		if got := b.delete("/auth/sessions/" + id); got.Status != http.StatusNotFound {
			t.Errorf("again: got %d, want 404", got.Status)
		}
		if events := s.eventsOf(auth.EventRevoked); len(events) != 1 || events[0].UserID != "user:1" {
			t.Errorf("G-05: got events %+v, want one", events)
		}
		if got := b.post("/auth/sessions/"+third.current()+"/end", nil); got.Status != http.StatusSeeOther || got.location() != "/auth/sessions" {
			t.Errorf("by a form: got %d to %q", got.Status, got.location())
		}
		refused(t, "ended by a form", third.get("/"), http.StatusUnauthorized)
	})
	t.Run("ending the own one", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		b, form := s.in("alice"), s.in("alice")
		got := b.delete("/auth/sessions/" + b.current())
		if c := got.sessionCookie(); got.Status != http.StatusNoContent || c == nil || c.MaxAge >= 0 {
			t.Errorf("got %d and cookies %v, want 204 and the cookie's deletion", got.Status, got.Cookies)
		}
		got = form.post("/auth/sessions/"+form.current()+"/end", nil)
		if got.Status != http.StatusSeeOther || got.location() != "/auth/login" {
			t.Errorf("by a form: got %d to %q, want the login page", got.Status, got.location())
		}
		if n := s.count("sessions"); n != 0 {
			t.Errorf("got %d sessions, want none", n)
		}
	})
	t.Run("ending all others", func(t *testing.T) {
		t.Parallel()
		for name, end := range map[string]func(*browser) (answer, int){
			"JSON": func(b *browser) (answer, int) { return b.delete("/auth/sessions"), http.StatusNoContent },
			"form": func(b *browser) (answer, int) { return b.post("/auth/sessions/end", nil), http.StatusSeeOther },
		} {
			s := newSite(t).listen()
			s.add("alice", siteWrites)
			s.add("bob", siteWrites)
			b, other, bob := s.in("alice"), s.in("alice"), s.in("bob")
			conn, _ := other.enter()
			own, _ := b.enter()
			bobs, _ := bob.enter()
			if got, want := end(b); got.Status != want {
				t.Errorf("%s: got %d, want %d", name, got.Status, want)
			}
			s.ends(name, conn, 1008)
			refused(t, name, other.get("/"), http.StatusUnauthorized)
			admitted(t, name, b.get("/"))
			admitted(t, name, bob.get("/"))
			stillOpen(t, own)
			stillOpen(t, bobs)
		}
	})
	t.Run("another's session is nobody's to see or end", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.add("eve", auth.Permissions{"*": {"*"}})
		alice, eve := s.in("alice"), s.in("eve")
		id := alice.current()
		for _, session := range eve.sessions() {
			if session.ID == id {
				t.Error("eve sees it")
			}
		}
		for name, got := range map[string]answer{
			"by its id":           eve.delete("/auth/sessions/" + id),
			"by a form":           eve.post("/auth/sessions/"+id+"/end", nil),
			"by an id of nobody":  eve.delete("/auth/sessions/x"),
			"with an injection":   eve.delete("/auth/sessions/'%20OR%201=1--"),
			"with the other's ID": eve.delete("/auth/sessions/user:1"),
		} {
			refused(t, name, got, http.StatusNotFound)
		}
		admitted(t, "alice", alice.get("/"))
	})
	t.Run("S-17 an admin ends them", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("alice", siteWrites)
		b := s.in("alice")
		conn, _ := b.enter()
		if n, err := s.users.Accounts().EndSessions(t.Context(), "alice"); n != 1 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		s.ends("ended by an admin", conn, 1008)
		refused(t, "a request", b.get("/"), http.StatusUnauthorized)
	})
}
