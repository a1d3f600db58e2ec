package userauth_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// faultModes are the two ways in which a database can be down.
var faultModes = map[string]func(*storetest.Faults){
	"every call fails": (*storetest.Faults).Fail,
	"every call hangs": (*storetest.Faults).Hang,
}

// A faultRoute is a route as a caller asks for it.
type faultRoute struct {
	name string
	ask  func(b *browser) answer
}

// faultGuarded are the routes that only a known caller may have.
var faultGuarded = []faultRoute{
	{"a page", func(b *browser) answer { return b.navigate("/") }},
	{"an API call", func(b *browser) answer { return b.get("/api/contents/demo") }},
	{"an API call that writes", func(b *browser) answer { return b.json("PUT", "/api/contents/demo", `{"text":"new"}`) }},
	{"a route for roles", func(b *browser) answer { return b.get("/club") }},
	{"/api/me", func(b *browser) answer { return b.get("/api/me") }},
	{"PATCH /api/me", func(b *browser) answer { return b.json("PATCH", "/api/me", `{"name":"New"}`) }},
	{"GET /me", func(b *browser) answer { return b.get("/auth/me") }},
	{"PATCH /me", func(b *browser) answer { return b.json("PATCH", "/auth/me", `{"name":"New"}`) }},
	{"POST /me", func(b *browser) answer { return b.post("/auth/me", url.Values{"name": {"New"}}) }},
	{"GET /password", func(b *browser) answer { return b.get("/auth/password") }},
	{"POST /password", func(b *browser) answer {
		return b.json("POST", "/auth/password", `{"current":"`+sitePassword+`","new":"`+nextPassword+`"}`)
	}},
	{"GET /sessions", func(b *browser) answer { return b.get("/auth/sessions") }},
	{"DELETE /sessions", func(b *browser) answer { return b.json("DELETE", "/auth/sessions", "") }},
	{"DELETE /sessions/{id}", func(b *browser) answer { return b.json("DELETE", "/auth/sessions/x", "") }},
	{"POST /sessions/end", func(b *browser) answer { return b.post("/auth/sessions/end", nil) }},
	{"GET /links", func(b *browser) answer { return b.get("/auth/links") }},
	{"DELETE /links/{id}", func(b *browser) answer { return b.json("DELETE", "/auth/links/x", "") }},
	{"login", func(b *browser) answer { return b.copy().login("ann", sitePassword) }},
	{"login with a wrong password", func(b *browser) answer { return b.copy().login("ann", "wrong"+sitePassword) }},
	{"login as nobody", func(b *browser) answer { return b.copy().login("nobody", sitePassword) }},
	{"login by form", func(b *browser) answer {
		return b.copy().post("/auth/login", url.Values{"username": {"ann"}, "password": {sitePassword}})
	}},
	{"logout", func(b *browser) answer { return b.copy().json("POST", "/auth/logout", "") }},
}

// D-01, D-02, D-03, W-16: while the database is down nobody is admitted on a state older than one second; the answer is 503
// in time, never 401, and nothing changes. Then everything works again.
func TestAnOutageAdmitsNobody(t *testing.T) { onEngines(t, testAnOutageAdmitsNobody) }

func testAnOutageAdmitsNobody(t *testing.T) {
	for name, breaks := range faultModes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faultNoLeaks(t)
			s, faults, _ := faultSite(t)
			s.listen()
			s.add("ann", siteWrites)
			ann := s.in("ann")
			admitted(t, "before", ann.get("/api/contents/demo"))
			before := dump(t, s.db)

			breaks(faults)
			faultMemoryLastsASecond(t, ann)
			reached := s.reached.Load()
			var asking sync.WaitGroup // at once: what hangs takes its time
			for _, route := range faultGuarded {
				asking.Go(func() {
					began := time.Now()
					got := route.ask(ann.copy())
					faultUnavailable(t, route.name, got)
					if took := time.Since(began); took > faultBound {
						t.Errorf("%s took %s", route.name, took)
					}
					if c := got.sessionCookie(); route.name == "logout" && (c == nil || c.MaxAge >= 0) {
						t.Error("logout leaves the cookie in the browser") // D-02
					}
				})
			}
			asking.Wait()
			if conn, status := ann.dial("/api/room/demo"); conn != nil || status != http.StatusServiceUnavailable {
				t.Errorf("handshake: got %d, want 503 before the upgrade", status) // W-16
			}
			if s.reached.Load() != reached || s.entered.Load() != 0 {
				t.Error("a handler was reached")
			}
			faultPublicPages(t, s, ann)

			faults.Heal()
			faultRecovers(t, ann)
			if got := dump(t, s.db); got != before {
				t.Errorf("the outage has changed the database: %s", got)
			}
			for _, route := range faultGuarded {
				if got := route.ask(ann); got.Status == http.StatusServiceUnavailable {
					t.Errorf("%s afterwards: got 503", route.name)
				}
			}
			if text := s.note("demo"); text != "new" {
				t.Errorf("the note is %q", text)
			}
		})
	}
}

// faultMemoryLastsASecond asks from the beginning of an outage until it shows.
func faultMemoryLastsASecond(t *testing.T, b *browser) {
	t.Helper()
	for began := time.Now(); ; {
		asked := time.Since(began)
		switch got := b.get("/api/contents/demo"); got.Status {
		case http.StatusServiceUnavailable:
			return
		case http.StatusOK:
			if asked > time.Second {
				t.Fatalf("admitted %s after the database was last read", asked)
			}
		default:
			t.Fatalf("got %d %s, want 200 and then 503", got.Status, got.text())
		}
	}
}

// faultPublicPages need nobody's name.
func faultPublicPages(t *testing.T, s *site, ann *browser) {
	t.Helper()
	for name, b := range map[string]*browser{"a stranger": s.browser(), "a known browser": ann} {
		if got := b.get("/public"); got.Status != http.StatusOK {
			t.Errorf("a public page for %s: got %d, want 200", name, got.Status)
		}
		if got := b.navigate("/auth/login"); got.Status != http.StatusOK {
			t.Errorf("the login page for %s: got %d, want 200", name, got.Status)
		}
	}
	if got := s.browser().get("/api/contents/demo"); got.Status != http.StatusUnauthorized {
		t.Errorf("who has no cookie: got %d, want 401", got.Status)
	}
	if got := s.browser().json("POST", "/auth/logout", ""); got.Status != http.StatusNoContent {
		t.Errorf("logout without a session: got %d, want 204", got.Status)
	}
}

// faultRecovers fails the test if anything but 503 comes before the session counts again.
func faultRecovers(t testing.TB, b *browser) {
	t.Helper()
	eventually(t, "the session counts again", func() bool {
		got := b.get("/api/contents/demo")
		if got.Status != http.StatusOK && got.Status != http.StatusServiceUnavailable {
			t.Fatalf("got %d, want 503 and then 200", got.Status)
		}
		return got.Status == http.StatusOK
	})
}

// D-01: open sockets and streams end with 1013 when an outage lasts too long.
func TestAnOutageEndsWhatIsOpenAfterItsGrace(t *testing.T) {
	onEngines(t, testAnOutageEndsWhatIsOpenAfterItsGrace)
}

func testAnOutageEndsWhatIsOpenAfterItsGrace(t *testing.T) {
	const grace = 300 * time.Millisecond
	for name, breaks := range faultModes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faultNoLeaks(t)
			s, faults, _ := faultSite(t, func(c *userauth.Config) { c.Auth.OutageGrace = grace })
			streams := s.faultStreams(siteReads)
			s.listen()
			s.add("ann", siteWrites)
			ann := s.in("ann")
			socket := ann.faultEnter()
			ann.faultStream()
			began := time.Now()
			breaks(faults)
			socket.wantClosed(t, "a long outage", websocket.StatusTryAgainLater)
			if took := time.Since(began); took < grace {
				t.Errorf("the socket ended after %s, before its grace", took)
			}
			if err := received1(t, streams); err != auth.ErrUnavailable {
				t.Errorf("the stream ended with %v, want auth.ErrUnavailable", err)
			}
			faults.Heal()
			faultRecovers(t, ann)
			ann.faultEnter().wantOpen(t)
		})
	}
}

// D-01: what survives an outage is checked when it is over: what was ended meanwhile, past this process, ends.
func TestAfterAnOutageEverythingOpenIsChecked(t *testing.T) {
	onEngines(t, testAfterAnOutageEverythingOpenIsChecked)
}

func testAfterAnOutageEverythingOpenIsChecked(t *testing.T) {
	yes := true
	ends := map[string]func(*userauth.Accounts) error{
		"ended":    func(a *userauth.Accounts) error { _, err := a.EndSessions(t.Context(), "ended"); return err },
		"deleted":  func(a *userauth.Accounts) error { return a.Delete(t.Context(), "deleted") },
		"password": func(a *userauth.Accounts) error { return a.SetPassword(t.Context(), "password", nextPassword) },
		"disabled": func(a *userauth.Accounts) error {
			_, err := a.Change(t.Context(), "disabled", userauth.AccountChange{Disabled: &yes})
			return err
		},
		"revoked": func(a *userauth.Accounts) error {
			_, err := a.Change(t.Context(), "revoked", userauth.AccountChange{Revoke: auth.Permissions{"contents": {"write"}}})
			return err
		},
	}
	for name, breaks := range faultModes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faultNoLeaks(t)
			s, faults, base := faultSite(t, func(c *userauth.Config) { c.Auth.OutageGrace = time.Hour })
			streams := s.faultStreams(auth.Permissions{"contents": {"write"}})
			s.listen()
			s.add("stays", siteWrites)
			stays := s.in("stays")
			survivor := stays.faultEnter()
			sockets, browsers := map[string]*faultSocket{}, map[string]*browser{}
			for user := range ends {
				s.add(user, siteWrites)
				browsers[user] = s.in(user)
				sockets[user] = browsers[user].faultEnter()
				browsers[user].faultStream()
			}
			breaks(faults)
			faultMemoryLastsASecond(t, stays)
			for _, end := range ends {
				faultRevoke(t, base, end)
			}
			if left := len(s.left); left != 0 {
				t.Errorf("%d sockets ended while nothing was known", left)
			}
			faults.Heal()
			for user, socket := range sockets {
				socket.wantClosed(t, user, websocket.StatusPolicyViolation)
				if err := received1(t, streams); err != auth.ErrSessionEnded {
					t.Errorf("a stream ended with %v, want auth.ErrSessionEnded", err)
				}
			}
			faultRecovers(t, stays)
			survivor.wantOpen(t)
			for user, b := range browsers {
				want := http.StatusUnauthorized
				if user == "revoked" {
					want = http.StatusForbidden
				}
				refused(t, user, b.json("PUT", "/api/contents/demo", `{"text":"x"}`), want)
			}
		})
	}
}

// S-26: that the database couldn't be asked is never remembered, neither as "no such session" nor as a session.
func TestAnErrorIsNeverRemembered(t *testing.T) { onEngines(t, testAnErrorIsNeverRemembered) }

func testAnErrorIsNeverRemembered(t *testing.T) {
	s, faults, base := faultSite(t)
	other := faultOther(t, base)
	other.add("ann", siteWrites)
	for _, breaks := range faultModes {
		ann := other.in("ann").faultAt(s) // s hasn't seen it yet
		nobody := s.faultHolder("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
		breaks(faults)
		faultUnavailable(t, "a good session", ann.get("/api/contents/demo"))
		faultUnavailable(t, "no session", nobody.get("/api/contents/demo"))
		faults.Heal()
		faultRecovers(t, ann)
		refused(t, "no session", nobody.get("/api/contents/demo"), http.StatusUnauthorized)
	}
}
