package userauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth"
)

// setPassword asks for a change of the password.
func (b *browser) setPassword(current, next string, options ...option) answer {
	b.site.t.Helper()
	body, _ := json.Marshal(map[string]string{"current": current, "new": next})
	return b.json(http.MethodPost, b.path("/auth/password"), string(body), options...)
}

func TestPassword(t *testing.T) { onEngines(t, testPassword) }

func testPassword(t *testing.T) {
	t.Run("JS19 S-11 W-10 a change ends all else, and its own old session", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("alice", siteWrites)
		s.add("bob", siteWrites)
		b, second, bob := s.in("alice"), s.in("alice"), s.in("bob")
		old := b.copy()
		own, _ := b.enter()
		other, _ := second.enter()
		bobs, _ := bob.enter()
		got := b.setPassword(sitePassword, nextPassword)
		if got.Status != http.StatusNoContent || got.sessionCookie() == nil || got.sessionCookie().MaxAge < 0 {
			t.Fatalf("got %d %s, cookies %v, want 204 and a session", got.Status, got.Body, got.Cookies)
		}
		s.ends("its own socket", own, 1008)
		s.ends("the other session's", other, 1008)
		stillOpen(t, bobs)
		admitted(t, "with the new cookie", b.get("/"))
		refused(t, "with the cookie from before", old.get("/"), http.StatusUnauthorized)
		refused(t, "the second session", second.get("/"), http.StatusUnauthorized)
		refused(t, "a login with the old password", s.browser().login("alice", sitePassword), http.StatusUnauthorized)
		if got := s.browser().login("alice", nextPassword); got.Status != http.StatusOK {
			t.Errorf("a login with the new one: got %d", got.Status)
		}
		admitted(t, "bob", bob.get("/"))
		if events := s.eventsOf(auth.EventPassword); len(events) != 1 || events[0].UserID != "user:1" {
			t.Errorf("G-05: got events %+v, want one", events)
		}
		b.enter()
	})
	t.Run("the form of a browser without scripts", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		b := s.in("alice")
		page := b.navigate("/auth/password")
		for _, want := range []string{`autocomplete="current-password"`, `autocomplete="new-password"`, `action="/auth/password"`, "At least 15 characters"} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("no %s in\n%s", want, page.text())
			}
		}
		for name, form := range map[string]url.Values{
			"is not right": {"current": {"wrong"}, "new": {nextPassword}},
			"characters":   {"current": {sitePassword}, "new": {"short"}},
		} {
			got := b.post("/auth/password", form)
			if got.Status < 400 || got.sessionCookie() != nil || !strings.Contains(got.Body, name) || !strings.Contains(got.Body, "<form") {
				t.Errorf("%s: got %d, want the form with a reason\n%s", name, got.Status, got.text())
			}
		}
		if got := b.post("/auth/password", url.Values{"current": {sitePassword}, "new": {nextPassword}}); got.Status != http.StatusSeeOther || got.location() != "/auth/sessions" {
			t.Errorf("got %d to %q", got.Status, got.location())
		}
		admitted(t, "afterwards", b.get("/"))
	})
	t.Run("V-05 of two changes at once one wins", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		const n = 4 // fewer than are limited
		var browsers []*browser
		for range n {
			browsers = append(browsers, s.in("alice"))
		}
		answers := make([]answer, n)
		words := []string{"quiet harbour 11 lantern", "amber window 22 cricket", "velvet compass 33 ladder", "copper meadow 44 violin"}
		var all sync.WaitGroup
		for i, b := range browsers {
			all.Go(func() { answers[i] = b.setPassword(sitePassword, words[i]) })
		}
		all.Wait()
		winner := -1
		for i, got := range answers {
			switch got.Status {
			case http.StatusNoContent:
				if winner >= 0 {
					t.Errorf("%d and %d have both won", winner, i)
				}
				winner = i
			case http.StatusConflict, http.StatusUnauthorized, http.StatusForbidden:
			default:
				t.Errorf("got %d %s, want 204, or 409, 401 or 403", got.Status, got.text())
			}
		}
		if winner < 0 {
			t.Fatal("nobody has won")
		}
		for i, word := range words {
			if ok, err := s.users.Accounts().VerifyPassword(t.Context(), "alice", word); ok != (i == winner) || err != nil {
				t.Errorf("%q: got %v, %v", word, ok, err)
			}
			if i != winner {
				refused(t, "a loser's session", browsers[i].get("/"), http.StatusUnauthorized)
			}
		}
		admitted(t, "the winner", browsers[winner].get("/"))
	})
}

// P-02 to P-08, P-10: what is refused changes nothing.
func TestWrongPasswordChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("alice", nil)
	b := s.in("alice")
	before := dump(t, s.db)
	for _, tc := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"P-10 a wrong current one", `{"current":"wrong","new":"` + nextPassword + `"}`, 403, "forbidden"},
		{"P-10 none", `{"new":"` + nextPassword + `"}`, 400, "current"},
		{"P-15 an empty one", `{"current":"","new":"` + nextPassword + `"}`, 403, "forbidden"},
		{"no new one", `{"current":"` + sitePassword + `"}`, 400, "new"},
		{"an empty new one", `{"current":"` + sitePassword + `","new":""}`, 400, "new"},
		{"P-01 14 characters", `{"current":"` + sitePassword + `","new":"bcdfghjklmnpqr"}`, 400, "new"},
		{"P-02 257 characters", `{"current":"` + sitePassword + `","new":"` + strings.Repeat("ä", 257) + `"}`, 400, "new"},
		{"P-02 257 characters as the current one", `{"current":"` + strings.Repeat("ä", 257) + `","new":"` + nextPassword + `"}`, 400, "current"},
		{"P-08 a common one", `{"current":"` + sitePassword + `","new":"password1111111"}`, 400, "new"},
		{"P-04 no UTF-8", `{"current":"` + sitePassword + `","new":"` + nextPassword + "\xff" + `"}`, 400, ""},
		{"X-03 for somebody else", `{"username":"bob","current":"` + sitePassword + `","new":"` + nextPassword + `"}`, 400, "username"},
	} {
		got := b.json(http.MethodPost, "/auth/password", tc.body, elsewhere())
		if refused(t, tc.name, got, tc.status); !strings.Contains(got.Body, tc.says) {
			t.Errorf("%s: got %s, want %q in it", tc.name, got.Body, tc.says)
		}
		if dump(t, s.db) != before {
			t.Fatalf("%s: something has changed", tc.name)
		}
		b.login("alice", sitePassword) // or the account would be limited
		before = dump(t, s.db)
	}
	admitted(t, "afterwards", b.get("/"))
}

// P-02, P-04, P-05, P-06: a password is hashed byte for byte; nothing is cut off, trimmed or normalized.
func TestPasswordsAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		password string
		others   []string
	}{
		"64 characters":  {strings.Repeat("blue kite", 7) + "x", []string{strings.Repeat("blue kite", 7)}},
		"72 bytes":       {strings.Repeat("blue kite", 8), []string{strings.Repeat("blue kite", 8) + "x", strings.Repeat("blue kite", 9)}},
		"256 characters": {strings.Repeat("blue kite", 28) + "abcd", []string{strings.Repeat("blue kite", 28) + "abc", strings.Repeat("blue kite", 28) + "abce"}},
		"a NUL in it":    {"purple otter\x00crosses", []string{"purple otter", "purple otter\x00", "purple ottercrosses"}},
		"white space":    {" purple otter crosses ", []string{"purple otter crosses", " purple otter crosses"}},
		"composed":       {"zw\u00f6lf boxk\u00e4mpfer jagen", []string{"zwo\u0308lf boxka\u0308mpfer jagen"}},
		"in lower case":  {"purple otter crosses", []string{"Purple otter crosses"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.add("alice", nil)
			if got := s.in("alice").setPassword(sitePassword, tc.password); got.Status != http.StatusNoContent {
				t.Fatalf("got %d %s", got.Status, got.Body)
			}
			for _, form := range []bool{false, true} {
				try := func(pass string) answer {
					if form {
						return s.browser().post("/auth/login", credentials("alice", pass))
					}
					return s.browser().login("alice", pass)
				}
				for _, other := range tc.others {
					refused(t, other, try(other), http.StatusUnauthorized)
				}
				if got := try(tc.password); got.sessionCookie() == nil {
					t.Errorf("got %d %s", got.Status, got.text())
				}
			}
		})
	}
}
