package userauth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// token makes one as an admin does, and gives its text, which the log must not hold.
func (s *site) token(name string, n userauth.NewToken) (text string) {
	s.t.Helper()
	_, text, err := s.users.Accounts().AddToken(s.t.Context(), name, n)
	if err != nil {
		s.t.Fatal(err)
	}
	s.keepsSecret(text, secretIn(text))
	return text
}

func secretIn(text string) string { return text[4:47] }

// bearing is a request with a token.
func bearing(text string) option { return with("Authorization", "Bearer "+text) }

// everything is a token without a limit.
func (s *site) everything(name string) string { return s.token(name, userauth.NewToken{Name: "all"}) }

func TestAPITokens(t *testing.T) {
	t.Parallel()
	t.Run("K-01 K-14 it is shown once, and stored as a hash", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", siteReads)
		b := s.in("alice")
		got := b.json(http.MethodPost, "/auth/tokens", `{"name":"ci"}`)
		var made struct{ Token, ID string }
		if got.decode(t, &made); got.Status != http.StatusCreated || !tokenPattern.MatchString(made.Token) || made.ID == "" {
			t.Fatalf("got %d %s", got.Status, got.Body)
		}
		s.keepsSecret(made.Token, secretIn(made.Token))
		if cache := got.Header.Get("Cache-Control"); cache != "no-store" {
			t.Errorf("got Cache-Control %q, want no-store", cache)
		}
		admitted(t, "the token", s.browser().get("/api/contents/demo", bearing(made.Token)))
		for _, path := range []string{"/auth/tokens", "/auth/sessions", "/auth/me", "/api/me"} {
			if got := b.get(path); strings.Contains(got.Body, secretIn(made.Token)) {
				t.Errorf("%s tells it: %s", path, got.Body)
			}
			if got := b.navigate(path); strings.Contains(got.Body, secretIn(made.Token)) {
				t.Errorf("%s tells it: %s", path, got.text())
			}
		}
		var hash string
		if err := s.db.Get(&hash, "SELECT lower(hex(token_hash)) FROM auth_sessions WHERE realm = ?", userauth.TokenRealm); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(secretIn(made.Token)))
		if want := hex.EncodeToString(sum[:]); hash != want {
			t.Errorf("got the hash %s, want %s", hash, want)
		}
		if text := wholeDatabase(t, s); strings.Contains(text, secretIn(made.Token)) { // D-16
			t.Error("the database holds it")
		}
		events := s.eventsOf(auth.EventTokenMade)
		if len(events) != 1 || events[0].UserID != "user:1" || !strings.Contains(events[0].Reason, made.ID) { // G-05
			t.Errorf("got events %+v", events)
		}
	})
	t.Run("by whatever name the scheme is written", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", siteReads)
		text := s.everything("alice")
		for _, value := range []string{"Bearer " + text, "bearer " + text, "BEARER  " + text, "token " + text, "Token " + text} {
			got := s.browser().get("/", with("Authorization", value))
			if admitted(t, value[:6], got); got.Body != "page of alice" || len(got.Cookies) != 0 {
				t.Errorf("got %q and cookies %v", got.Body, got.Cookies)
			}
		}
		for _, value := range []string{"Bearer\t" + text, "Bearer" + text, text, "Basic " + text, "Bearer \"" + text + "\"", "Bearer token=" + text, "Bearer " + text + " x", "Bearer " + strings.ToUpper(text)} {
			refused(t, value[:8], s.browser().get("/", with("Authorization", value)), http.StatusUnauthorized)
		}
	})
	t.Run("K-02 A-30 what is wrong, and how the answer asks for it", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", siteReads)
		text := s.everything("alice")
		admitted(t, "the good one", s.browser().get("/", bearing(text)))
		unknown, _ := userauth.NewSecret()
		wrong := malformed()
		wrong["unknown"] = unknown
		const plain, invalid = `Bearer realm="ostiary"`, `Bearer realm="ostiary", error="invalid_token"`
		for name, text := range wrong {
			got := s.browser().get("/", bearing(text))
			refused(t, name, got, http.StatusUnauthorized)
			if challenge := got.Header["Www-Authenticate"]; !slices.Equal(challenge, []string{invalid}) {
				t.Errorf("%s: got %q, want %q", name, challenge, invalid)
			}
			refused(t, name+", as a page", s.browser().navigate("/", bearing(text)), http.StatusUnauthorized)
		}
		for name, tc := range map[string]struct {
			option option
			want   string
		}{
			"nothing": {with("X-Nothing", "x"), plain}, "another scheme": {with("Authorization", "Basic eDp5"), plain}, "no token": {with("Authorization", "Bearer"), plain},
			"another kind of token": {with("Authorization", "Bearer eyJhbGciOi"), invalid},
		} {
			got := s.browser().get("/", tc.option)
			refused(t, name, got, http.StatusUnauthorized)
			if challenge := got.Header["Www-Authenticate"]; !slices.Equal(challenge, []string{tc.want}) {
				t.Errorf("%s: got %q, want %q", name, challenge, tc.want)
			}
		}
		if n := len(s.eventsOf(auth.EventLoginFailed)); n != 2*len(wrong) {
			t.Errorf("got %d events, want one for each of %d", n, 2*len(wrong))
		}
		got := s.browser().get("/admin", bearing(text)) // known, and may not
		if refused(t, "403", got, http.StatusForbidden); len(got.Header["Www-Authenticate"]) != 0 || strings.Contains(got.Body, "admin") {
			t.Errorf("got %q and %s, want neither challenge nor permission", got.Header["Www-Authenticate"], got.Body)
		}
	})
	t.Run("given twice", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.add("bob", nil)
		alice, bob := "Bearer "+s.everything("alice"), "Bearer "+s.everything("bob")
		admitted(t, "one", s.browser().get("/", with("Authorization", alice)))
		for name, values := range map[string][]string{
			"the same": {alice, alice}, "two users'": {alice, bob}, "a good and a bad one": {alice, "Bearer x"}, "a bad and a good one": {"Basic x", alice}, "an empty one": {alice, ""},
		} {
			refused(t, name, s.browser().get("/", with("Authorization", values...)), http.StatusUnauthorized)
		}
	})
	t.Run("K-10 JV33 by header only", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("alice", siteWrites)
		text := s.everything("alice")
		name, session := s.in("alice").session()
		cookie := func(value string) option { return with("Cookie", name+"="+value) }
		b := s.browser()
		admitted(t, "in the header", b.get("/", bearing(text)))
		for what, got := range map[string]answer{
			"in the query":                  b.get("/?token=" + text),
			"as access_token":               b.get("/?access_token=" + text),
			"as the cookie":                 b.get("/", cookie(text)),
			"its secret as the cookie":      b.get("/", cookie(secretIn(text))), // RS-14
			"a session's token in a header": b.get("/", bearing(spelled(session))),
			"bare in the header":            b.get("/", bearing(session)),
			"in a form":                     b.do("POST", "/", "token="+text, with("Content-Type", "application/x-www-form-urlencoded")),
			"as another header":             b.get("/", with("X-Api-Key", text)),
		} {
			refused(t, what, got, http.StatusUnauthorized)
		}
		for what, options := range map[string][]option{
			"/api/room/demo?token=" + text: nil, "/api/room/demo": {cookie(secretIn(text))}, "/api/room/demo?x": {with("Sec-Websocket-Protocol", "v1.token."+text)},
		} {
			conn, _ := b.dial(what, options...)
			if code := closed(t, conn); code != 1008 || s.entered.Load() != 0 {
				t.Errorf("a handshake: got %d, the handler ran %d times", code, s.entered.Load())
			}
		}
	})
	t.Run("K-11 K-12 a header and a cookie: the header alone decides", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", siteWrites)
		s.add("bob", siteWrites)
		b, text := s.in("alice"), s.everything("bob")
		foreign := with("Sec-Fetch-Site", "cross-site")
		put := func(options ...option) answer {
			return b.do(http.MethodPut, "/api/contents/demo", `{"text":"put"}`, append(options, foreign, with("Origin", "https://evil.example"))...)
		}
		refused(t, "the cookie from a foreign page", put(), http.StatusForbidden)
		if got := b.get("/", bearing(text)); got.Body != "page of bob" {
			t.Errorf("got %q, want bob's", got.Body)
		}
		for value, status := range map[string]int{
			"Bearer ost_BAD": http.StatusUnauthorized, "token ost_": http.StatusUnauthorized,
			"Bearer BAD": http.StatusForbidden, "Bearer": http.StatusForbidden, "Basic x": http.StatusForbidden, "": http.StatusForbidden, // a stranger's, by the origin rule
		} {
			refused(t, "junk and a cookie from a foreign page", put(with("Authorization", value)), status)
			refused(t, "junk and a cookie", b.get("/", with("Authorization", value)), http.StatusUnauthorized)
		}
		if s.note("demo") != "hello" {
			t.Error("something was written")
		}
		if got := put(bearing(text)); got.Status != http.StatusOK || s.note("demo") != "put" {
			t.Errorf("the token from a foreign page: got %d, want 200", got.Status)
		}
		admitted(t, "the cookie is still good", b.get("/"))
	})
	t.Run("K-08 its end", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, clocked(clock), limited)
		s.add("alice", nil)
		short := s.token("alice", userauth.NewToken{Name: "short", Expires: clock.now().Add(time.Minute)})
		long := s.everything("alice")
		b := s.browser()
		clock.advance(time.Minute - time.Second)
		admitted(t, "a second before", b.get("/", bearing(short)))
		clock.advance(time.Second)
		refused(t, "at its end", b.get("/", bearing(short)), http.StatusUnauthorized)
		clock.advance(100 * 365 * 24 * time.Hour) // V-11
		refused(t, "past its end", b.get("/", bearing(short)), http.StatusUnauthorized)
		admitted(t, "without an end, after a century", b.get("/", bearing(long)))
		admitted(t, "the same after a restart", b.at(siteOver(t, s.db, clocked(clock), limited)).get("/", bearing(long)))
	})
	t.Run("S-03 S-14 a new user of the same name", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		text := s.everything("alice")
		admitted(t, "before", s.browser().get("/", bearing(text)))
		if err := s.users.Accounts().Delete(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		s.add("alice", siteWrites)
		refused(t, "the old token", s.browser().get("/", bearing(text)), http.StatusUnauthorized)
		if n := s.count("sessions"); n != 0 {
			t.Errorf("got %d rows", n)
		}
	})
	t.Run("a row whose scope can't be read proves nobody", func(t *testing.T) {
		t.Parallel()
		for _, data := range []string{"", "{}", "[]", `{"name":"x"}`, `{"everything":false}`, `{"everything":true,"permissions":{"a":["b"]}}`, `{"permissions":{"a*b":["c"]}}`, `{"everything":true`} {
			s := newSite(t)
			s.add("alice", siteReads)
			text := s.everything("alice")
			if _, err := s.db.Exec("UPDATE auth_sessions SET data = ?", data); err != nil {
				t.Fatal(err)
			}
			refused(t, data, s.browser().get("/", bearing(text)), http.StatusUnauthorized)
			if list, err := s.users.Accounts().Tokens(t.Context(), "alice"); err != nil || len(list) != 1 || list[0].Permissions == nil {
				t.Errorf("%s: got %+v, %v, want it listed as one that holds nothing", data, list, err)
			}
			if len(s.eventsOf(auth.EventFault)) == 0 {
				t.Errorf("%s: nobody is told", data)
			}
		}
	})
	t.Run("who it is, and for how long, as handlers see it", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		account := s.add("alice", siteWrites)
		end := time.Now().Add(time.Hour).Truncate(time.Second)
		text := s.token("alice", userauth.NewToken{Name: "x", Permissions: siteReads, Expires: end})
		var id auth.Identity
		s.Handler.(*http.ServeMux).Handle("GET /who", s.users.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			id, _ = auth.IdentityFrom(r.Context())
		})))
		s.browser().get("/who", bearing(text))
		if id.ID != account.ID || id.User.Username != "alice" || !id.Explicit || !id.Expires.Equal(end) || id.Permissions.String() != "contents:read" {
			t.Errorf("got %+v", id)
		}
		s.browser().get("/who", bearing(s.everything("alice")))
		if !id.Expires.IsZero() || id.Permissions.String() != "contents:read,write" {
			t.Errorf("without limits: got %+v", id)
		}
	})
}

// wholeDatabase is all that is stored of sessions, tokens and users, in clear.
func wholeDatabase(t *testing.T, s *site) string {
	t.Helper()
	var rows []string
	err := s.db.Select(&rows, "SELECT id || '|' || token_hash || '|' || method || '|' || address || '|' || agent || '|' || data FROM auth_sessions")
	if err != nil {
		t.Fatal(err)
	}
	return dump(t, s.db) + strings.Join(rows, "\n")
}

// K-03: a token gives what its scope and its owner both hold at the moment of use.
func TestTokenScopes(t *testing.T) {
	t.Parallel()
	put := func(b *browser, o option) answer {
		return b.do(http.MethodPut, "/api/contents/demo", `{"text":"x"}`, o)
	}
	t.Run("never more than the owner", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", siteReads)
		b := s.browser()
		wide := bearing(s.token("alice", userauth.NewToken{Name: "wide", Permissions: auth.Permissions{"contents": {"*"}, "admin": {"*"}}}))
		admitted(t, "what the owner holds", b.get("/api/contents/demo", wide))
		refused(t, "what the owner doesn't", put(b, wide), http.StatusForbidden)
		refused(t, "admin", b.get("/admin", wide), http.StatusForbidden)
		s.change("alice", userauth.AccountChange{Grant: auth.Permissions{"contents": {"write"}}})
		admitted(t, "gained later", put(b, wide))
		s.change("alice", userauth.AccountChange{Revoke: siteWrites})
		refused(t, "lost later", b.get("/api/contents/demo", wide), http.StatusForbidden)
		admitted(t, "still somebody", b.get("/", wide))
	})
	t.Run("never more than the scope", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.role("A", auth.Permissions{"contents": {"write"}})
		s.add("alice", auth.Permissions{"*": {"*"}}, "A")
		b := s.browser()
		narrow, all := bearing(s.token("alice", userauth.NewToken{Name: "n", Permissions: siteReads})), bearing(s.everything("alice"))
		admitted(t, "in it", b.get("/api/contents/demo", narrow))
		refused(t, "another action", put(b, narrow), http.StatusForbidden)
		refused(t, "another resource", b.get("/admin", narrow), http.StatusForbidden)
		refused(t, "a role", b.get("/club", narrow), http.StatusForbidden)
		for _, path := range []string{"/api/contents/demo", "/admin", "/club"} {
			admitted(t, "without a limit "+path, b.get(path, all))
		}
		if s.note("demo") != "hello" {
			t.Error("something was written")
		}
	})
	t.Run("what roles hold counts, of the database and of the configuration", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, func(c *userauth.Config) {
			c.Auth.Roles = map[string]auth.Role{"reader": {Permissions: siteReads}}
			c.DefaultRoles = []string{"writer"}
		})
		s.role("reader", nil)
		s.role("writer", auth.Permissions{"contents": {"write"}})
		s.add("alice", nil, "reader")
		b, text := s.browser(), s.token("alice", userauth.NewToken{Name: "n", Permissions: siteWrites})
		admitted(t, "both", put(b, bearing(text)))
		s.change("alice", userauth.AccountChange{RemoveRoles: []string{"reader"}})
		refused(t, "a role lost", b.get("/api/contents/demo", bearing(text)), http.StatusForbidden)
	})
	t.Run("of two tokens each has its own", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", siteWrites)
		b := s.browser()
		reads := bearing(s.token("alice", userauth.NewToken{Name: "r", Permissions: siteReads}))
		admitted(t, "reads", b.get("/api/contents/demo", reads))
		writes := bearing(s.token("alice", userauth.NewToken{Name: "w", Permissions: siteWrites}))
		admitted(t, "writes", put(b, writes))
		refused(t, "reads only", put(b, reads), http.StatusForbidden)
	})
	t.Run("an authenticator's user who holds everything", func(t *testing.T) {
		t.Parallel()
		all := lena()
		all.Unrestricted = true
		s := newSite(t, authenticatedBy(newDirectory(all)))
		b := s.in("lena")
		var made struct{ Token string }
		b.json(http.MethodPost, "/auth/tokens", `{"name":"x","permissions":{"contents":["read"]}}`).decode(t, &made)
		s.keepsSecret(made.Token)
		admitted(t, "in it", s.browser().get("/api/contents/demo", bearing(made.Token)))
		refused(t, "beyond it", s.browser().get("/admin", bearing(made.Token)), http.StatusForbidden)
	})
}

// K-04: with a token one can ask who it is, and change nothing of the account.
func TestTokensOnTheAccountsRoutes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("alice", auth.Permissions{"contents": {"*"}})
	s.in("alice")
	text := s.everything("alice")
	before := dump(t, s.db)
	list, err := s.users.Accounts().Tokens(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	if got := b.get("/auth/me", bearing(text)); got.Status != http.StatusOK || !strings.Contains(got.Body, `"username":"alice"`) {
		t.Errorf("GET /me: got %d %s", got.Status, got.Body)
	}
	for _, request := range [][3]string{
		{"PATCH", "/auth/me", `{"name":"x"}`}, {"POST", "/auth/me", "name=x"},
		{"GET", "/auth/password"}, {"POST", "/auth/password", `{"current":"` + sitePassword + `","new":"` + nextPassword + `"}`},
		{"GET", "/auth/sessions"}, {"DELETE", "/auth/sessions"}, {"DELETE", "/auth/sessions/x"}, {"POST", "/auth/sessions/end"}, {"POST", "/auth/sessions/x/end"},
		{"GET", "/auth/tokens"}, {"POST", "/auth/tokens", `{"name":"x"}`}, {"DELETE", "/auth/tokens/" + list[0].ID}, {"POST", "/auth/tokens/" + list[0].ID + "/end"},
		{"POST", "/auth/logout", ""}, {"GET", "/auth/users/alice/tokens"}, {"POST", "/auth/users/alice/tokens", `{"name":"x"}`}, {"DELETE", "/auth/users/alice/tokens/" + list[0].ID},
	} {
		refused(t, request[0]+" "+request[1], b.json(request[0], request[1], request[2], bearing(text)), http.StatusForbidden)
	}
	s.faulty.Store(true)
	refused(t, "PATCH /api/me", b.json(http.MethodPatch, "/api/me", `{"name":"x"}`, bearing(text)), http.StatusNotImplemented)
	if got := dump(t, s.db); got != before {
		t.Errorf("something has changed: %s", got)
	}
	admitted(t, "the token", b.get("/", bearing(text)))
	refused(t, "one that has ended just now", b.get("/auth/me", bearing(malformed()["cut off"])), http.StatusUnauthorized)
}

// K-13: however many requests, a token's last use is written once a minute, and never on a request's own time.
func TestTokenTouches(t *testing.T) {
	t.Parallel()
	clock := newSiteClock()
	db, faults := storetest.Open(t, t.TempDir()+"/app.db")
	s := siteOver(t, db, clocked(clock))
	s.add("alice", nil)
	text := s.everything("alice")
	used := func() time.Time {
		list, err := s.users.Accounts().Tokens(t.Context(), "alice")
		if err != nil || len(list) != 1 {
			t.Fatalf("got %v, %v", list, err)
		}
		return list[0].Used
	}
	if !used().IsZero() {
		t.Errorf("got %s, want never used", used())
	}
	admitted(t, "the first use", s.browser().get("/", bearing(text)))
	eventually(t, "the first use is stored at once", func() bool { return used().Equal(clock.now()) })
	clock.advance(time.Minute)
	faults.Heal()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 20 {
				admitted(t, "one of many", s.browser().get("/", bearing(text)))
			}
		})
	}
	all.Wait()
	eventually(t, "the last use is stored", func() bool { return used().Equal(clock.now()) })
	s.users.Close()
	writes := 0
	for _, call := range faults.Calls() {
		if strings.HasPrefix(call, "UPDATE auth_sessions") {
			writes++
		}
	}
	if writes != 1 {
		t.Errorf("got %d writes, want one: %q", writes, faults.Calls())
	}
}

// A token is good in every process as soon as it is made, also where its owner is known already.
func TestATokenOfAnotherProcess(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("alice", siteReads)
	there := siteOver(t, s.db)
	for i := range 20 {
		text := s.token("alice", userauth.NewToken{Name: fmt.Sprint("n", i), Permissions: siteReads})
		there.keepsSecret(text)
		admitted(t, "there", there.browser().get("/api/contents/demo", bearing(text)))
		admitted(t, "here", s.browser().get("/api/contents/demo", bearing(text)))
	}
}

// A session's token and an API token never meet in one realm.
func TestTokenHash(t *testing.T) {
	t.Parallel()
	text, secret := userauth.NewSecret()
	hash, ok := session.HashOf(secret)
	if !ok || hash != sha256.Sum256([]byte(text[4:47])) {
		t.Errorf("got %x, %t", hash, ok)
	}
}
