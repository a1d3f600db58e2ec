package userauth_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// faultLong makes the tests here do all that the catalogue asks for; without it they do a part of it, in a few seconds.
var faultLong = os.Getenv("USERAUTH_TEST_LONG") != ""

// faultStep is how many calls are passed over between two that are broken: none in a long run, nor without the race
// detector.
func faultStep(n int) int {
	if raceEnabled && !faultLong {
		return n
	}
	return 1
}

// A faultCase is one user with two sessions, one of which asks for something at a site whose database breaks. The site hasn't
// seen the session before: it has to ask for everything.
type faultCase struct {
	name        string
	s, other    *site // other is sound, over the same file
	b, second   *browser
	token       string
	secondID    string
	apiToken    string
	apiTokenID  string
	got         answer
	before, now faultState
}

// A faultState is everything that the database says of one user.
type faultState struct {
	Users, Externals int
	Hash, Name       string
	Sessions, Tokens []string
}

func (c *faultCase) state() (state faultState) {
	t, db := c.s.t, c.other.db
	t.Helper()
	get := func(to any, query string) {
		if err := db.GetContext(t.Context(), to, query, c.name); err != nil {
			t.Fatal(err)
		}
	}
	get(&state.Users, "SELECT COUNT(*) FROM auth_users WHERE username = ?")
	get(&state.Externals, "SELECT COUNT(*) FROM auth_externals WHERE subject = 'ldap:' || ?")
	if state.Users == 1 {
		get(&state.Hash, "SELECT password_hash FROM auth_users WHERE username = ?")
		get(&state.Name, "SELECT name FROM auth_users WHERE username = ?")
	}
	for realm, ids := range map[string]*[]string{userauth.SessionRealm: &state.Sessions, userauth.TokenRealm: &state.Tokens} {
		err := db.SelectContext(t.Context(), ids, "SELECT s.id FROM auth_sessions s JOIN auth_users u ON u.id = s.user_id WHERE u.username = ? AND s.realm = ? ORDER BY s.id", c.name, realm)
		if err != nil {
			t.Fatal(err)
		}
	}
	return state
}

// A faultCall is a request of such a user. done tells whether it was carried out, whole.
type faultCall struct {
	name string
	ok   int
	ask  func(c *faultCase) answer
	done func(c *faultCase) bool
}

func (c *faultCase) unchanged() bool { return reflect.DeepEqual(c.before, c.now) }

// onlySession tells whether the user has one session, and it is that of the cookie in b, and the token still.
func (c *faultCase) onlySession() bool {
	return len(c.now.Sessions) == 1 && slices.Equal(c.now.Tokens, c.before.Tokens) && c.b.copy().faultAt(c.other).get("/api/contents/demo").Status == http.StatusOK
}

var faultCalls = []faultCall{
	{"an API call", 200, func(c *faultCase) answer { return c.b.get("/api/contents/demo") }, (*faultCase).unchanged},
	{"a handshake", 101, func(c *faultCase) answer {
		conn, status := c.b.dial("/api/room/demo")
		if conn != nil {
			conn.CloseNow()
		}
		return answer{Status: status, Header: http.Header{"Retry-After": {"1"}, "Cache-Control": {"no-store"}}}
	}, (*faultCase).unchanged},
	{"login", 200, func(c *faultCase) answer { return c.b.login(c.name, sitePassword) }, func(c *faultCase) bool {
		_, token := c.b.session() // the old one has ended
		return token != c.token && len(c.now.Sessions) == 2 && c.other.faultHolder(c.token).get("/").Status == http.StatusUnauthorized &&
			c.b.faultAt(c.other).get("/api/contents/demo").Status == http.StatusOK
	}},
	{"login with a wrong password", 401, func(c *faultCase) answer { return c.b.login(c.name, "wrong"+sitePassword) }, (*faultCase).unchanged},
	{"first login by an authenticator", 200, func(c *faultCase) answer {
		c.name += "-outside"
		c.before = c.state()
		c.b = c.s.browser()
		return c.b.login(c.name, sitePassword)
	}, func(c *faultCase) bool { return c.now.Users == 1 && c.now.Externals == 1 && len(c.now.Sessions) == 1 }},
	{"logout", 204, func(c *faultCase) answer { return c.b.copy().json("POST", "/auth/logout", "") }, func(c *faultCase) bool {
		return slices.Equal(c.now.Sessions, []string{c.secondID})
	}},
	{"GET /me", 200, func(c *faultCase) answer { return c.b.get("/auth/me") }, (*faultCase).unchanged},
	{"PATCH /me", 200, func(c *faultCase) answer { return c.b.json("PATCH", "/auth/me", `{"name":"New","color":"teal"}`) }, func(c *faultCase) bool {
		return c.now.Name == "New"
	}},
	{"change of password", 204, func(c *faultCase) answer {
		return c.b.json("POST", "/auth/password", `{"current":"`+sitePassword+`","new":"`+nextPassword+`"}`)
	}, func(c *faultCase) bool { return c.now.Hash != c.before.Hash && c.onlySession() }},
	{"GET /sessions", 200, func(c *faultCase) answer { return c.b.get("/auth/sessions") }, (*faultCase).unchanged},
	{"DELETE /sessions", 204, func(c *faultCase) answer { return c.b.json("DELETE", "/auth/sessions", "") }, (*faultCase).onlySession},
	{"a request by a token", 200, func(c *faultCase) answer { return c.s.browser().get("/api/contents/demo", bearing(c.apiToken)) }, (*faultCase).unchanged},
	{"GET /tokens", 200, func(c *faultCase) answer { return c.b.get("/auth/tokens") }, (*faultCase).unchanged},
	{"POST /tokens", 201, func(c *faultCase) answer {
		return c.b.json("POST", "/auth/tokens", `{"name":"new","permissions":{"contents":["read"]}}`)
	}, func(c *faultCase) bool {
		return len(c.now.Tokens) == 2 && slices.Contains(c.now.Tokens, c.apiTokenID)
	}},
	{"DELETE /tokens/{id}", 204, func(c *faultCase) answer { return c.b.json("DELETE", "/auth/tokens/"+c.apiTokenID, "") }, func(c *faultCase) bool {
		return len(c.now.Tokens) == 0 && c.other.browser().get("/", bearing(c.apiToken)).Status == http.StatusUnauthorized
	}},
	{"DELETE /sessions/{id}", 204, func(c *faultCase) answer { return c.b.json("DELETE", "/auth/sessions/"+c.secondID, "") }, (*faultCase).onlySession},
}

// faultLDAP knows everybody whose name ends so.
func faultLDAP(_ context.Context, name, _ string) (*auth.Identity, error) {
	return &auth.Identity{ID: "ldap:" + name, User: auth.User{Username: name}, Permissions: siteWrites}, nil
}

// faultPair is a site whose database breaks, and a sound one over the same file.
func faultPair(t *testing.T) (s, other *site, faults *storetest.Faults) {
	t.Helper()
	s, faults, base := faultSite(t, func(c *userauth.Config) {
		c.Authenticators = []userauth.Authenticator{userauth.AuthenticatorFunc(faultLDAP)}
	})
	return s.listen(), faultOther(t, base), faults
}

// faultNew makes a case: a user with two sessions.
func faultNew(t testing.TB, s, other *site, name string) *faultCase {
	t.Helper()
	c := &faultCase{name: name, s: s, other: other}
	other.add(name, siteWrites)
	c.second = other.in(name)
	c.secondID = c.state().Sessions[0]
	c.apiToken = other.everything(name)
	c.apiTokenID = c.state().Tokens[0]
	c.b = other.in(name).faultAt(s)
	_, c.token = c.b.session()
	c.before = c.state()
	return c
}

// judge fails the test unless what came of it is whole. lost: the answer of the database may have been lost after it had
// done what it was asked.
func (c *faultCase) judge(call faultCall, at string, lost bool) {
	t := c.s.t
	t.Helper()
	c.now = c.state()
	got := c.got
	switch got.Status {
	case call.ok:
		if !call.done(c) {
			t.Errorf("%s: got %d, and the database went from %+v to %+v", at, got.Status, c.before, c.now)
		}
	case http.StatusServiceUnavailable:
		faultUnavailable(t, call.name+" "+at, got)
		if !c.unchanged() && !(lost && faultWhole(c, call)) {
			t.Errorf("%s: got 503, and the database went from %+v to %+v", at, c.before, c.now)
		}
	default:
		t.Errorf("%s: got %d %s, want %d or 503", at, got.Status, got.text(), call.ok)
	}
	if clear := got.sessionCookie(); call.name == "logout" && (clear == nil || clear.MaxAge >= 0) {
		t.Errorf("%s: the cookie stays in the browser", at) // D-02
	}
}

// faultWhole tells whether call was carried out though nobody was told. The session that it made is nobody's then.
func faultWhole(c *faultCase, call faultCall) bool {
	switch call.name {
	case "login":
		return len(c.now.Sessions) == 2 && !slices.Equal(c.now.Sessions, c.before.Sessions)
	case "change of password":
		return len(c.now.Sessions) == 1 && c.now.Hash != c.before.Hash
	}
	return call.done(c)
}

// D-02, D-03: whichever call to the database fails, in whichever route, the answer is 503 or what it would have been, what
// was asked for is done whole or not at all, and the next request is fine.
func TestWhicheverCallFails(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct {
		name string
		at   func(*storetest.Faults, int)
		lost bool
	}{
		{"before it has an effect", (*storetest.Faults).FailAt, false},
		{"after it had its effect", (*storetest.Faults).LoseAt, true},
	} {
		for _, call := range faultCalls {
			t.Run(mode.name+"/"+call.name, func(t *testing.T) {
				t.Parallel()
				faultNoLeaks(t)
				s, other, faults := faultPair(t)
				other.add("bystander", siteWrites)
				bystander := other.in("bystander").faultAt(s)
				failed := 0
				for k, broken := 1, 1; broken > 0; k += faultStep(3) {
					c := faultNew(t, s, other, fmt.Sprint("u", k))
					mode.at(faults, k)
					c.got = call.ask(c)
					broken = faults.Broken()
					faults.Heal()
					c.judge(call, fmt.Sprintf("call %d broken", k), mode.lost)
					faultRecovers(t, bystander)
					if c.got.Status == http.StatusServiceUnavailable {
						failed++
					}
					if k > 1000 { // the engines ask as well, the more often the longer a request takes
						t.Fatal("there is no end of calls")
					}
				}
				if failed == 0 {
					t.Error("no request failed: this test shows nothing")
				}
			})
		}
	}
}

// D-03: a call that hangs holds a request for a second of reading or five of writing, in whichever route; then as above.
func TestWhicheverCallHangs(t *testing.T) {
	t.Parallel()
	step := faultStep(4)
	for _, call := range faultCalls {
		if !faultLong && call.name != "login" && call.name != "logout" && call.name != "GET /sessions" {
			continue
		}
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			s, other, faults := faultPair(t)
			healthy := faultNew(t, s, other, "ann")
			faults.Heal()
			healthy.got = call.ask(healthy)
			calls := 2 * len(faults.Calls()) // rows are fetched as well
			var all sync.WaitGroup           // at once, each with a database of its own: what hangs takes its time
			cases := make([]*faultCase, calls/step)
			for i := range cases {
				s, other, faults := faultPair(t)
				c := faultNew(t, s, other, "ann")
				cases[i] = c
				all.Go(func() {
					faults.HangAt(1 + i*step)
					giveUp := time.AfterFunc(2*faultBound, faults.Heal)
					defer giveUp.Stop()
					began := time.Now()
					c.got = call.ask(c)
					if took := time.Since(began); took > faultBound {
						t.Errorf("call %d hung, and the request for %s", 1+i*step, took)
					}
					faults.Heal()
				})
			}
			all.Wait()
			failed := 0
			for i, c := range cases {
				c.judge(call, fmt.Sprintf("call %d hung", 1+i*step), true)
				if c.got.Status == http.StatusServiceUnavailable {
					failed++
				}
			}
			if failed == 0 {
				t.Error("no request failed: this test shows nothing")
			}
		})
	}
}
