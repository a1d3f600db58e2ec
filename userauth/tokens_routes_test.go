package userauth_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/userauth"
)

// tokenItem is a token as the API lists it.
type tokenItem struct {
	userauth.Token
	Effective auth.Permissions
	Text      string `json:"token"`
}

func (b *browser) tokens(path string) []tokenItem {
	b.site.t.Helper()
	var list struct {
		Items []tokenItem
		Next  *string
	}
	if b.get(path).decode(b.site.t, &list); list.Next == nil || *list.Next != "" || list.Items == nil {
		b.site.t.Errorf("got %+v, want items and an empty next", list)
	}
	return list.Items
}

// makeToken posts JSON, and keeps what comes of it out of the log.
func (b *browser) makeToken(path, body string, options ...option) (made tokenItem) {
	b.site.t.Helper()
	got := b.json(http.MethodPost, path, body, options...)
	if got.Status != http.StatusCreated {
		b.site.t.Fatalf("%s: got %d %s, want 201", body, got.Status, got.text())
	}
	got.decode(b.site.t, &made)
	b.site.keepsSecret(made.Text, secretIn(made.Text))
	return made
}

func TestOwnTokens(t *testing.T) {
	t.Parallel()
	t.Run("making, listing and revoking", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, clocked(clock))
		s.add("alice", siteWrites)
		b := s.in("alice")
		if got := b.tokens("/auth/tokens"); len(got) != 0 {
			t.Errorf("got %+v, want none", got)
		}
		all := b.makeToken("/auth/tokens", `{"name":"all"}`)
		clock.advance(time.Second)
		some := b.makeToken("/auth/tokens", `{"name":"Über \"x\"","permissions":{"contents":["write","write","delete"]},"expires":"2030-06-01T12:00:00+02:00"}`)
		list := b.tokens("/auth/tokens")
		if len(list) != 2 || list[0].ID != some.ID || list[1].ID != all.ID {
			t.Fatalf("got %+v, want both, the newest first", list)
		}
		if got := list[0]; got.Name != `Über "x"` || got.Permissions.String() != "contents:delete,write" || got.Effective.String() != "contents:write" ||
			got.Expires.Format(time.RFC3339) != "2030-06-01T10:00:00Z" || !got.Used.IsZero() || !got.Created.Equal(clock.now()) {
			t.Errorf("got %+v", got)
		}
		if got := list[1]; got.Permissions != nil || got.Effective.String() != "contents:read,write" || !got.Expires.IsZero() {
			t.Errorf("got %+v", got)
		}
		for i, made := range []tokenItem{some, all} {
			if made.Text = ""; !reflect.DeepEqual(made, list[i]) {
				t.Errorf("made %+v, listed %+v", made, list[i])
			}
		}
		text := b.get("/auth/tokens").Body
		if !strings.Contains(text, `"permissions":null`) || strings.Contains(text, `"used"`) || strings.Count(text, `"expires"`) != 1 || strings.Contains(text, `"token"`) {
			t.Errorf("got %s", text)
		}
		if got := b.delete("/auth/tokens/" + some.ID); got.Status != http.StatusNoContent {
			t.Errorf("got %d, want 204", got.Status)
		}
		if got := b.delete("/auth/tokens/" + some.ID); got.Status != http.StatusNotFound {
			t.Errorf("again: got %d, want 404", got.Status)
		}
		if list := b.tokens("/auth/tokens"); len(list) != 1 || list[0].ID != all.ID {
			t.Errorf("got %+v, want the other one", list)
		}
		if events := s.eventsOf(auth.EventTokenEnded); len(events) != 1 || events[0].UserID != "user:1" || events[0].Reason != "token "+some.ID+" of user:1" {
			t.Errorf("G-05: got %+v", events)
		}
	})
	t.Run("K-05 X-01 X-02 X-04 what can't be taken is told, and makes none", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", siteReads)
		s.add("bob", siteWrites)
		b := s.in("alice")
		b.makeToken("/auth/tokens", `{"name":"good"}`)
		before := dump(t, s.db)
		for body, field := range map[string]string{
			`{}`: "name", `{"name":""}`: "name", `{"name":" x"}`: "name", `{"name":"a\u0000b"}`: "name", `{"name":"a\nb"}`: "name", `{"name":"` + strings.Repeat("x", 65) + `"}`: "name",
			`{"name":"x","user_id":2}`: "user_id", `{"name":"x","username":"bob"}`: "username", `{"name":"x","id":"y"}`: "id", `{"name":"x","everything":true}`: "everything",
			`{"name":"x","Permissions":{}}`: "Permissions", `{"name":"x","permi\u017f\u017fions":{"a":["b"]}}`: "permi", `{"name":"x","name":"y"}`: "name",
			`{"name":"x","permissions":{}}`: "permissions", `{"name":"x","permissions":{"contents":[]}}`: "permissions", `{"name":"x","permissions":[]}`: "permissions",
			`{"name":"x","permissions":"*"}`: "permissions", `{"name":"x","permissions":{"con*ts":["read"]}}`: "permissions", `{"name":"x","permissions":{"contents":[null]}}`: "permissions",
			`{"name":"x","permissions":{"contents":["read,write"]}}`: "permissions", `{"name":"x","permissions":{"` + strings.Repeat("x", 2000) + `":["read"]}}`: "permissions",
			`{"name":"x","permissions":{"contents":["write"],"admin":["*"]}}`: "permissions", // nothing of it is held
			`{"name":"x","expires":"tomorrow"}`:                               "expires", `{"name":"x","expires":0}`: "expires", `{"name":"x","expires":"2001-01-01T00:00:00Z"}`: "expires",
			`{"name":"x","expires":"0001-01-01T00:00:00Z"}`: "expires", `{"name":"x","expires":"9999-12-31T23:59:59Z"}`: "expires",
			`[]`: "", `null`: "", `{"name":"x"}{}`: "", ``: "", `{"name":"` + "\xff" + `"}`: "",
		} {
			got := b.json(http.MethodPost, "/auth/tokens", body)
			if refused(t, body, got, http.StatusBadRequest); !strings.Contains(got.Body, field) {
				t.Errorf("%s: got %s, want %q named", body, got.Body, field)
			}
		}
		refused(t, "too large", b.json(http.MethodPost, "/auth/tokens", `{"name":"`+strings.Repeat("x", 64<<10)+`"}`), http.StatusRequestEntityTooLarge)
		refused(t, "another type", b.json(http.MethodPost, "/auth/tokens", `{"name":"x"}`, with("Content-Type", "text/plain")), http.StatusUnsupportedMediaType)
		for name, form := range map[string]url.Values{
			"no name": {"days": {"1"}}, "no such permission": {"name": {"x"}, "permissions": {"contents"}}, "nothing of it held": {"name": {"x"}, "permissions": {"admin:read"}},
			"no number": {"name": {"x"}, "days": {"soon"}}, "no day": {"name": {"x"}, "days": {"0"}}, "before": {"name": {"x"}, "days": {"-1"}}, "too many days": {"name": {"x"}, "days": {"99999999"}},
		} {
			got := b.post("/auth/tokens", form)
			if refused(t, name, got, http.StatusBadRequest); !strings.Contains(got.Body, `role="alert"`) || !typed(got.Body, form) {
				t.Errorf("%s: got %s, want what was wrong and what was typed", name, got.text())
			}
		}
		if got := dump(t, s.db); got != before || len(s.eventsOf(auth.EventTokenMade)) != 1 {
			t.Errorf("something has changed: %s", got)
		}
	})
	t.Run("K-05 JV54 without a session", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		text := s.everything("alice")
		before := dump(t, s.db)
		for _, request := range [][2]string{
			{"GET", "/auth/tokens"}, {"POST", "/auth/tokens"}, {"DELETE", "/auth/tokens/x"}, {"POST", "/auth/tokens/x/end"},
			{"GET", "/auth/users/alice/tokens"}, {"POST", "/auth/users/alice/tokens"}, {"DELETE", "/auth/users/alice/tokens/x"}, {"POST", "/auth/users/alice/tokens/x/end"},
		} {
			refused(t, request[0]+" "+request[1], s.browser().json(request[0], request[1], `{"name":"x","user_id":1}`), http.StatusUnauthorized)
		}
		if dump(t, s.db) != before {
			t.Error("something has changed")
		}
		admitted(t, "the token", s.browser().get("/", bearing(text)))
	})
	t.Run("L-04 L-05 from a foreign page", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.add("root", auth.Permissions{"admin": {"*"}})
		s.everything("alice")
		id := s.tokenNamed("alice", "all").ID
		browsers := map[string]*browser{"/auth/tokens": s.in("alice"), "/auth/users/alice/tokens": s.in("root")}
		before := dump(t, s.db)
		for name, foreign := range map[string][]option{
			"by fetch metadata": {with("Sec-Fetch-Site", "cross-site")}, "from the same site": {with("Sec-Fetch-Site", "same-site")}, "by its origin": {with("Sec-Fetch-Site"), with("Origin", "https://evil.example")},
		} {
			for path, b := range browsers {
				refused(t, name, b.post(path, url.Values{"name": {"x"}}, foreign...), http.StatusForbidden)
				refused(t, name, b.post(path+"/"+id+"/end", nil, foreign...), http.StatusForbidden)
				refused(t, name, b.json(http.MethodDelete, path+"/"+id, "", foreign...), http.StatusForbidden)
			}
		}
		if got := dump(t, s.db); got != before {
			t.Errorf("something has changed: %s", got)
		}
		for path, b := range browsers {
			b.makeToken(path, `{"name":"from its own page"}`)
		}
	})
	t.Run("X-03 another's token is nobody's to see or revoke", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.add("eve", auth.Permissions{"contents": {"*"}})
		text := s.everything("alice")
		id := s.tokenNamed("alice", "all").ID
		eve := s.in("eve")
		eve.makeToken("/auth/tokens", `{"name":"own"}`)
		if list := eve.tokens("/auth/tokens"); len(list) != 1 || list[0].ID == id {
			t.Errorf("eve sees %+v", list)
		}
		own := eve.sessions()[0].ID
		for _, id := range []string{id, "x", "'%20OR%201=1--", "user:1", "%00", "%ff", own, s.in("alice").sessions()[0].ID} {
			refused(t, id, eve.delete("/auth/tokens/"+id), http.StatusNotFound)
			refused(t, id, eve.post("/auth/tokens/"+id+"/end", nil), http.StatusNotFound)
			refused(t, id, eve.delete("/auth/users/alice/tokens/"+id), http.StatusForbidden)
		}
		admitted(t, "alice's", s.browser().get("/", bearing(text)))
		admitted(t, "eve", eve.get("/"))
	})
	t.Run("a hundred and no more, of those that haven't ended", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, clocked(clock))
		s.add("alice", nil)
		b := s.in("alice")
		first := s.token("alice", userauth.NewToken{Name: "first", Expires: clock.now().Add(time.Hour)})
		for i := range 99 {
			s.token("alice", userauth.NewToken{Name: fmt.Sprint("n", i)})
		}
		got := b.json(http.MethodPost, "/auth/tokens", `{"name":"x"}`)
		if refused(t, "one more", got, http.StatusBadRequest); !strings.Contains(got.Body, "100") {
			t.Errorf("got %s", got.Body)
		}
		refused(t, "one more, by a form", b.post("/auth/tokens", url.Values{"name": {"x"}}), http.StatusBadRequest)
		admitted(t, "the first is still good", s.browser().get("/", bearing(first)))
		clock.advance(time.Hour)
		b.logIn("alice", sitePassword)
		b.makeToken("/auth/tokens", `{"name":"in its place"}`)
	})
	t.Run("an authenticator's user can't outlive a session by a token", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, authenticatedBy(newDirectory(lena())), clocked(clock), limited)
		b := s.in("lena")
		b.makeToken("/auth/tokens", `{"name":"as long as may be","expires":"2030-05-06T10:08:09Z"}`)
		got := b.json(http.MethodPost, "/auth/tokens", `{"name":"x","expires":"2030-05-06T10:08:10Z"}`)
		if refused(t, "a second longer", got, http.StatusBadRequest); !strings.Contains(got.Body, "expires") {
			t.Errorf("got %s", got.Body)
		}
		made := b.makeToken("/auth/tokens", `{"name":"without an end"}`)
		if want := clock.now().Add(testLifetime); !made.Expires.Equal(want) {
			t.Errorf("got %s, want %s", made.Expires, want)
		}
		admitted(t, "it", s.browser().get("/", bearing(made.Text)))
		clock.advance(testLifetime)
		refused(t, "past a session's end", s.browser().get("/", bearing(made.Text)), http.StatusUnauthorized)
	})
	t.Run("who is signed out while asking for one gets none", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		b := s.in("alice")
		r, w := io.Pipe()
		answers := make(chan answer)
		go func() {
			answers <- b.do(http.MethodPost, "/auth/tokens", "", with("Content-Type", "application/json"), with("Sec-Fetch-Site", "same-origin"), func(req *http.Request) { req.Body = r })
		}()
		io.WriteString(w, `{"name":`) // which the handler, behind the guard, has begun to read
		if _, err := s.users.Accounts().EndSessions(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, `"x"}`)
		w.Close()
		refused(t, "the request", <-answers, http.StatusUnauthorized)
		if n := s.count("sessions"); n != 0 {
			t.Errorf("got %d rows, want none", n)
		}
	})
}

// typed reports whether a page's form still holds what was sent with it.
func typed(page string, form url.Values) bool {
	for _, values := range form {
		if !strings.Contains(page, `value="`+values[0]+`"`) {
			return false
		}
	}
	return true
}

func TestTheTokensPage(t *testing.T) {
	t.Parallel()
	t.Run("a token is made, shown once and revoked without a script", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", siteWrites)
		b := s.in("alice")
		for _, path := range []string{"/auth/me", "/auth/password", "/auth/sessions"} {
			if got := b.navigate(path); !strings.Contains(got.Body, `href="/auth/tokens"`) {
				t.Errorf("%s: no link: %s", path, got.text())
			}
		}
		empty := b.navigate("/auth/tokens")
		if !strings.Contains(empty.Body, "There are no tokens.") || !strings.Contains(empty.Body, `name="permissions"`) || strings.Contains(empty.Body, "<script") {
			t.Errorf("got %s", empty.text())
		}
		got := b.post("/auth/tokens", url.Values{"name": {"<b>ci"}, "permissions": {"contents:read,delete"}, "days": {"30"}})
		text := tokenOn(t, got)
		s.keepsSecret(text, secretIn(text))
		if got.Status != http.StatusOK || !strings.Contains(got.Header.Get("Cache-Control"), "no-store") || got.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("got %d %v", got.Status, got.Header)
		}
		admitted(t, "the token", s.browser().get("/api/contents/demo", bearing(text)))
		again := b.navigate("/auth/tokens")
		if strings.Contains(again.Body, secretIn(text)) || strings.Contains(again.Body, "<b>ci") || !strings.Contains(again.Body, "contents:read (made for contents:delete,read)") {
			t.Errorf("got %s", again.text())
		}
		id := b.tokens("/auth/tokens")[0].ID
		if left := time.Until(b.tokens("/auth/tokens")[0].Expires); left < 29*24*time.Hour || left > 30*24*time.Hour {
			t.Errorf("it ends in %s, want 30 days", left)
		}
		if !strings.Contains(again.Body, `action="/auth/tokens/`+id+`/end"`) {
			t.Errorf("no button: %s", again.text())
		}
		if got := b.post("/auth/tokens/"+id+"/end", nil); got.Status != http.StatusSeeOther || got.location() != "/auth/tokens" {
			t.Errorf("got %d to %q", got.Status, got.location())
		}
		refused(t, "revoked", s.browser().get("/", bearing(text)), http.StatusUnauthorized)
	})
	t.Run("without limits, and what is left of them", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", siteReads)
		b := s.in("alice")
		text := tokenOn(t, b.post("/auth/tokens", url.Values{"name": {"all"}, "permissions": {""}, "days": {""}}))
		s.keepsSecret(text)
		tokenOn(t, b.post("/auth/tokens", url.Values{"name": {"some"}, "permissions": {"contents:read"}}))
		if list := b.tokens("/auth/tokens"); len(list) != 2 || !list[0].Expires.IsZero() || !list[1].Expires.IsZero() {
			t.Errorf("got %+v", list)
		}
		s.change("alice", userauth.AccountChange{Revoke: siteReads})
		got := b.navigate("/auth/tokens").Body
		if !strings.Contains(got, "everything its owner may") || !strings.Contains(got, "nothing now (made for contents:read)") || strings.Count(got, "never") < 4 {
			t.Errorf("got %s", got)
		}
	})
	t.Run("the pages that end logins say that tokens stay", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.in("alice")
		b := s.in("alice")
		if got := b.navigate("/auth/password"); !strings.Contains(got.Body, "API tokens keep working") {
			t.Errorf("got %s", got.text())
		}
		if got := b.navigate("/auth/sessions"); !strings.Contains(got.Body, "API tokens, which stay") {
			t.Errorf("got %s", got.text())
		}
	})
}

// tokenOn is the token that a page shows.
func tokenOn(t *testing.T, page answer) string {
	t.Helper()
	_, rest, _ := strings.Cut(page.Body, `<p class="copy"><code><bdi>`)
	text, _, _ := strings.Cut(rest, "</bdi>")
	if !tokenPattern.MatchString(text) {
		t.Fatalf("got %d %s, want a token", page.Status, page.text())
	}
	return text
}

func TestTokensOfUsersByAdmins(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*site, *browser) {
		s := newSite(t)
		s.add("root", auth.Permissions{"admin": {"read", "write"}})
		if _, err := s.users.Accounts().Add(t.Context(), userauth.NewAccount{Username: "backup", Permissions: siteReads}); err != nil {
			t.Fatal(err)
		}
		return s, s.in("root")
	}
	t.Run("a service's, whose user has no password", func(t *testing.T) {
		t.Parallel()
		s, root := start(t)
		made := root.makeToken("/auth/users/Backup/tokens", `{"name":"nightly","permissions":{"contents":["read"]}}`)
		got := s.browser().get("/api/contents/demo", bearing(made.Text))
		admitted(t, "the token", got)
		if got := s.browser().get("/", bearing(made.Text)); got.Body != "page of backup" {
			t.Errorf("got %q", got.Body)
		}
		if list := root.tokens("/auth/users/backup/tokens"); len(list) != 1 || list[0].ID != made.ID {
			t.Errorf("got %+v", list)
		}
		if events := s.eventsOf(auth.EventTokenMade); len(events) != 1 || events[0].Username != "root" || events[0].Reason != "token "+made.ID+" of user:2" {
			t.Errorf("G-05: got %+v", events)
		}
		if got := root.delete("/auth/users/backup/tokens/" + made.ID); got.Status != http.StatusNoContent {
			t.Errorf("got %d", got.Status)
		}
		refused(t, "revoked", s.browser().get("/", bearing(made.Text)), http.StatusUnauthorized)
		for _, path := range []string{"/auth/users/nobody/tokens", "/auth/users/%00/tokens", "/auth/users/" + strings.Repeat("x", 300) + "/tokens"} {
			refused(t, path, root.get(path), http.StatusNotFound)
			refused(t, path, root.json(http.MethodPost, path, `{"name":"x"}`), http.StatusNotFound)
			refused(t, path, root.delete(path+"/x"), http.StatusNotFound)
		}
	})
	t.Run("on its page", func(t *testing.T) {
		t.Parallel()
		s, root := start(t)
		text := tokenOn(t, root.post("/auth/users/backup/tokens", url.Values{"name": {"nightly"}, "days": {"1"}}))
		s.keepsSecret(text)
		admitted(t, "the token", s.browser().get("/", bearing(text)))
		id := s.tokenNamed("backup", "nightly").ID
		if got := root.navigate("/auth/users/backup/tokens"); !strings.Contains(got.Body, "API tokens of backup") || !strings.Contains(got.Body, `action="/auth/users/backup/tokens/`+id+`/end"`) {
			t.Errorf("got %s", got.text())
		}
		if got := root.post("/auth/users/backup/tokens/"+id+"/end", nil); got.Status != http.StatusSeeOther || got.location() != "/auth/users/backup/tokens" {
			t.Errorf("got %d to %q", got.Status, got.location())
		}
		refused(t, "revoked", s.browser().get("/", bearing(text)), http.StatusUnauthorized)
	})
	t.Run("reading admins change nothing, others see nothing", func(t *testing.T) {
		t.Parallel()
		s, root := start(t)
		s.add("reader", auth.Permissions{"admin": {"read"}})
		s.add("writer", auth.Permissions{"admin": {"write"}})
		s.add("eve", auth.Permissions{"contents": {"*"}, "administration": {"*"}})
		made := root.makeToken("/auth/users/backup/tokens", `{"name":"nightly"}`)
		browsers := map[string]*browser{"reader": s.in("reader"), "writer": s.in("writer"), "eve": s.in("eve")}
		before := dump(t, s.db)
		const path = "/auth/users/backup/tokens"
		for _, name := range []string{"reader", "eve"} {
			refused(t, name, browsers[name].json(http.MethodPost, path, `{"name":"x"}`), http.StatusForbidden)
			refused(t, name, browsers[name].delete(path+"/"+made.ID), http.StatusForbidden)
			refused(t, name, browsers[name].post(path+"/"+made.ID+"/end", nil), http.StatusForbidden)
		}
		for _, name := range []string{"writer", "eve"} {
			refused(t, name, browsers[name].get(path), http.StatusForbidden)
		}
		if got := browsers["reader"].get(path); got.Status != http.StatusOK || strings.Contains(got.Body, secretIn(made.Text)) {
			t.Errorf("the reader: got %d %s", got.Status, got.Body)
		}
		if dump(t, s.db) != before {
			t.Error("something has changed")
		}
	})
	t.Run("X-08 who isn't an admin any more when the body has arrived makes none", func(t *testing.T) {
		t.Parallel()
		for how, change := range map[string]userauth.AccountChange{
			"demoted":  {Revoke: auth.Permissions{"admin": {"write"}}},
			"disabled": {Disabled: new(true)},
		} {
			s, root := start(t)
			s.add("zoe", auth.Permissions{"admin": {"write"}}) // or root would be the last one
			root.makeToken("/auth/users/zoe/tokens", `{"name":"in time"}`)
			var before string
			got := root.json(http.MethodPost, "/auth/users/zoe/tokens", `{"name":"too late"}`, func(r *http.Request) {
				r.Body = io.NopCloser(&slowBody{r.Body, func() {
					s.change("root", change)
					before = dump(t, s.db)
				}})
			})
			status := http.StatusForbidden
			if change.Disabled != nil {
				status = http.StatusUnauthorized
			}
			refused(t, how, got, status)
			if dump(t, s.db) != before {
				t.Errorf("%s: the database has changed", how)
			}
		}
	})
	t.Run("by an admin's token, where its scope and its owner hold that", func(t *testing.T) {
		t.Parallel()
		s, root := start(t)
		const path = "/auth/users/backup/tokens"
		admin := bearing(root.makeToken("/auth/tokens", `{"name":"a","permissions":{"admin":["*"]}}`).Text)
		reader := bearing(root.makeToken("/auth/tokens", `{"name":"r","permissions":{"admin":["read"]}}`).Text)
		script := s.browser()
		made := script.makeToken(path, `{"name":"x"}`, admin)
		if list := script.get(path, reader); list.Status != http.StatusOK {
			t.Errorf("got %d", list.Status)
		}
		refused(t, "a reading token", script.json(http.MethodPost, path, `{"name":"y"}`, reader), http.StatusForbidden)
		refused(t, "a reading token", script.do(http.MethodDelete, path+"/"+made.ID, "", reader), http.StatusForbidden)
		// And so do users and roles.
		if got := script.json(http.MethodPatch, "/auth/users/backup", `{"name":"Nightly"}`, admin); got.Status != http.StatusOK {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
		if list := script.get("/auth/users", reader); list.Status != http.StatusOK {
			t.Errorf("got %d", list.Status)
		}
		refused(t, "a reading token", script.json(http.MethodPatch, "/auth/users/backup", `{"name":"Daily"}`, reader), http.StatusForbidden)
		s.add("another", auth.Permissions{"admin": {"*"}}) // or root would be the last one
		s.change("root", userauth.AccountChange{Revoke: auth.Permissions{"admin": {"write"}}})
		refused(t, "its owner may no longer", script.json(http.MethodPost, path, `{"name":"y"}`, admin), http.StatusForbidden)
		if n := len(s.tokensOf("backup")); n != 1 {
			t.Errorf("got %d tokens, want one", n)
		}
	})
	t.Run("a disabled user gets none", func(t *testing.T) {
		t.Parallel()
		s, root := start(t)
		root.makeToken("/auth/users/backup/tokens", `{"name":"x"}`)
		s.disable("backup")
		got := root.json(http.MethodPost, "/auth/users/backup/tokens", `{"name":"y"}`)
		if refused(t, "disabled", got, http.StatusBadRequest); !strings.Contains(got.Body, "disabled") {
			t.Errorf("got %s", got.Body)
		}
		if list := root.tokens("/auth/users/backup/tokens"); len(list) != 0 {
			t.Errorf("got %+v", list)
		}
	})
}

// A user who is disabled between the question and the answer gets no token, whoever asked for it.
func TestATokenForWhoIsDisabledMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("alice", nil)
	s.everything("alice")
	err := userauth.WriteIn(t.Context(), s.users, func(tx *store.Tx) error {
		if err := tx.SetDisabled(1, true); err != nil {
			return err
		}
		return tx.AddToken(store.Session{ID: "x", User: 1, Realm: userauth.TokenRealm}, 100, 0)
	})
	if err == nil {
		t.Error("got a token")
	}
}

// NewToken and Token hold no secret; what does is a text that only its maker sees.
func TestTokenJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(userauth.Token{ID: "x", Name: "ci", Created: time.Unix(0, 0).UTC()})
	if want := `{"id":"x","name":"ci","permissions":null,"created":"1970-01-01T00:00:00Z"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
