package oidcauth_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/oidcauth"
)

// refreshing is a plan with refresh tokens, over a clock.
func refreshing(pl *plan, now *clock) {
	writers(pl)
	pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
	pl.cfg.RefreshKeys = [][]byte{sealKey("of now")}
}

// refreshes counts the refresh tokens that the provider was shown.
func (s *stand) refreshes() (n int) {
	for _, c := range s.op.Calls("token") {
		if c.Form.Get("grant_type") == "refresh_token" {
			n++
		}
	}
	return n
}

// due is how long after a refresh the next one is due for sure.
const due = 10 * time.Minute

// eventually waits until done says so.
func eventually(t *testing.T, what string, within time.Duration, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(within); !done(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// O-25: of all instances and callers one shows the refresh token, which works once; all go on with what came of it.
func TestRefreshByOneCaller(t *testing.T) { storetest.Each(t, testRefreshByOneCaller) }

func testRefreshByOneCaller(t *testing.T, on storetest.Engine) {
	base := on.New(t)
	here, _ := base.Open(t)
	there, _ := base.Open(t)
	var now clock
	s := newStand(t, func(pl *plan) { refreshing(pl, &now); pl.cfg.DB = here })
	other := s.another(there)
	b := s.browser().mustLogin()
	for round := 1; round <= 2; round++ {
		now.forward(due)
		entered, release := make(chan struct{}, 100), make(chan struct{})
		s.op.Fault("token", heldAt(entered, release))
		refreshed := make(chan error, 1)
		go func() { refreshed <- s.RefreshNow(b.session()) }()
		<-entered
		var callers sync.WaitGroup
		for i := range 20 {
			callers.Go(func() {
				one := s.Auth
				if i%2 == 0 {
					one = other.Auth
				}
				if err := one.RefreshNow(b.session()); err != nil {
					t.Errorf("caller %d: %v", i, err)
				}
			})
		}
		callers.Wait() // they don't wait for the one that is at it
		for range 5 {
			if !b.in() {
				t.Error("a request during the refresh was refused")
			}
		}
		close(release)
		if err := <-refreshed; err != nil {
			t.Error(err)
		}
		if n := s.refreshes(); n != round {
			t.Errorf("round %d: got %d refreshes in all", round, n)
		}
	}
	// All at once, and nobody is held: some wait for the lease.
	s.op.Fault("token", nil)
	now.forward(due)
	var callers sync.WaitGroup
	for i := range 20 {
		callers.Go(func() {
			one := []*oidcauth.Auth{s.Auth, other.Auth}[i%2]
			if err := one.RefreshNow(b.session()); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	callers.Wait()
	if n := s.refreshes(); n != 3 || !b.in() {
		t.Errorf("got %d refreshes, want 3; in: %v\n%s", n, b.in(), s.log())
	}
	other.use()
	eventually(t, "the other instance has learnt of it", reach, b.in)
}

// O-25: what a refresh's answer means for the session.
func TestRefreshAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		hooks oidctest.Hooks
		ends  bool
	}{
		{"nothing is wrong", oidctest.Hooks{}, false},
		{"invalid_grant", fault("token", oidctest.OAuthError("invalid_grant")), true},
		{"invalid_request, as one provider calls a token that was used", fault("token", oidctest.OAuthError("invalid_request")), true},
		{"access_denied", fault("token", oidctest.OAuthError("access_denied")), true},
		{"an error that isn't one", fault("token", oidctest.OAuthError("Something Else!")), false},
		{"the secret is wrong", fault("token", oidctest.OAuthError("invalid_client")), false},
		{"the client may not", fault("token", oidctest.OAuthError("unauthorized_client")), false},
		{"the client may not refresh", fault("token", oidctest.OAuthError("unsupported_grant_type")), false},
		{"temporarily_unavailable", fault("token", oidctest.OAuthError("temporarily_unavailable")), false},
		{"503", fault("token", oidctest.Status(503)), false},
		{"429", fault("token", oidctest.Status(429)), false},
		{"a page", fault("token", oidctest.HTML()), false},
		{"a redirect", fault("token", oidctest.RedirectTo(307, "https://evil.example/")), false},
		{"userinfo is down", fault("userinfo", oidctest.Status(503)), false},
		{"userinfo breaks off", fault("userinfo", oidctest.BreakOff()), false},
		{"userinfo is about somebody else", oidctest.Hooks{OnUserInfo: func(claims map[string]any) { claims["sub"] = "bob" }}, true},
		{"the ID token is somebody else's", oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) { j.Claims["sub"] = "bob" }}, true},
		{"the ID token is another issuer's", oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) { j.Claims["iss"] = "https://evil.example" }}, true},
		{"the ID token is another client's", oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) { j.Claims["aud"] = "other" }}, true},
		{"the ID token is of an older login", oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) { j.Claims["auth_time"] = 1 }}, true},
		{"no ID token", oidctest.Hooks{OnTokenResponse: func(_ *http.Request, a map[string]any) { delete(a, "id_token") }}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var now clock
			s := newStand(t, func(pl *plan) { refreshing(pl, &now) })
			b := s.browser().mustLogin()
			now.forward(due)
			if err := s.RefreshNow(b.session()); err != nil || s.refreshes() != 1 || !b.in() {
				t.Fatalf("a good one: %v, %d refreshes, in: %v", err, s.refreshes(), b.in())
			}
			socket := b.room()
			s.op.SetHooks(c.hooks)
			now.forward(due)
			secret := b.session()
			err := s.RefreshNow(secret)
			// The look at sockets, every few seconds, may have been faster: then nothing has been waited for.
			eventually(t, "no refresh is under way", 10*time.Second, func() bool { return !s.Refreshing(secret) })
			if c.ends {
				if err != nil || b.in() || s.rows("auth_sessions") != 0 {
					t.Fatalf("got %v, in: %v", err, b.in())
				}
				if code := closed(t, socket, reach); code != 1008 {
					t.Errorf("the socket ends with %d, want 1008", code)
				}
				if s.count(auth.EventRevoked) != 1 || !strings.Contains(s.told(), "refresh: ") {
					t.Errorf("it is told as %s", s.told())
				}
				return
			}
			if !b.in() || s.count(auth.EventRevoked) != 0 {
				t.Fatalf("the session has ended: %v", err)
			}
			echoes(t, socket)
			s.op.SetHooks(oidctest.Hooks{})
			shown := s.refreshes()
			if err != nil { // it isn't asked again at once, but soon
				if err := s.RefreshNow(b.session()); err != nil || s.refreshes() != shown {
					t.Errorf("at once: %v, and the provider was asked again", err)
				}
				now.forward(time.Minute)
			} else {
				now.forward(due)
			}
			if err := s.RefreshNow(b.session()); err != nil || s.refreshes() != shown+1 || !b.in() {
				t.Errorf("after it: %v, %d refreshes, in: %v\n%s", err, s.refreshes()-shown, b.in(), s.log())
			}
		})
	}
}

func fault(endpoint string, f oidctest.Fault) oidctest.Hooks {
	return oidctest.Hooks{Faults: map[string]oidctest.Fault{endpoint: f}}
}

// A refresh token is used up once the provider has answered: the new one is kept through an outage of the database.
func TestRefreshWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	db, faults := storetest.Open(t, t.TempDir()+"/app.db")
	var now clock
	s := newStand(t, func(pl *plan) { refreshing(pl, &now); pl.cfg.DB = db })
	b := s.browser().mustLogin()
	now.forward(due)
	entered, release := make(chan struct{}, 1), make(chan struct{})
	s.op.Fault("token", heldAt(entered, release))
	refreshed := make(chan error, 1)
	go func() { refreshed <- s.RefreshNow(b.session()) }()
	<-entered
	faults.Fail()
	close(release)
	eventually(t, "the new token can't be stored", 5*time.Second, func() bool { return faults.Broken() > 5 })
	faults.Heal()
	if err := <-refreshed; err != nil {
		t.Fatal(err)
	}
	s.op.Fault("token", nil)
	now.forward(due)
	if err := s.RefreshNow(b.session()); err != nil || s.refreshes() != 2 || !b.in() {
		t.Errorf("the next one: %v, %d refreshes, in: %v\n%s", err, s.refreshes(), b.in(), s.log())
	}
}

// What comes for a session that has ended meanwhile brings nothing back, and is given back to the provider.
func TestRefreshOfASessionThatEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*stand, *browser){
		"by a logout":         func(_ *stand, b *browser) { b.do("POST", "/auth/logout", "") },
		"by the back-channel": func(s *stand, _ *browser) { s.ends("alice", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now clock
			s := newStand(t, func(pl *plan) { refreshing(pl, &now) })
			b := s.browser().mustLogin()
			cookieName, cookie := b.cookie()
			now.forward(due)
			entered, release := make(chan struct{}, 1), make(chan struct{})
			s.op.Fault("token", heldAt(entered, release))
			var answered map[string]any
			s.op.SetHooks(oidctest.Hooks{OnTokenResponse: func(_ *http.Request, a map[string]any) { answered = a }})
			refreshed := make(chan error, 1)
			go func() { refreshed <- s.RefreshNow(cookie) }()
			<-entered
			end(s, b)
			close(release)
			if err := <-refreshed; err != nil {
				t.Error(err)
			}
			again := s.browser()
			again.keep(cookieName, cookie)
			if again.in() || s.rows("auth_sessions") != 0 {
				t.Error("the session is back")
			}
			eventually(t, "the new refresh token is revoked", 5*time.Second, func() bool {
				for _, c := range s.op.Calls("revoke") {
					if c.Form.Get("token") == answered["refresh_token"] {
						return true
					}
				}
				return false
			})
		})
	}
}

// An instance that goes away in the middle of a refresh leaves it to another one, once its time with the session is over.
func TestRefreshOfAnInstanceThatGoesAway(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) { refreshing(pl, &now) })
	other := s.another(s.db)
	b := s.browser().mustLogin()
	now.forward(due)
	entered := make(chan struct{}, 1)
	s.op.Fault("token", heldAt(entered, nil))
	refreshed := make(chan error, 1)
	go func() { refreshed <- s.RefreshNow(b.session()) }()
	<-entered
	if err := s.Close(); err != nil { // what RefreshNow does isn't the instance's own, so it ends at once
		t.Error(err)
	}
	if err := <-refreshed; err == nil {
		t.Error("the refresh that was cut short has succeeded")
	}
	s.op.Fault("token", nil)
	other.use()
	if err := other.RefreshNow(b.session()); err != nil || s.refreshes() != 1 {
		t.Errorf("at once: %v, %d refreshes", err, s.refreshes())
	}
	now.forward(2 * time.Minute)
	if err := other.RefreshNow(b.session()); err != nil || s.refreshes() != 2 || !b.in() {
		t.Errorf("later: %v, %d refreshes, in: %v", err, s.refreshes(), b.in())
	}
}

// Close lets a refresh that is under way come to its end: else every restart would log somebody out.
func TestCloseDuringARefresh(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) { refreshing(pl, &now) })
	other := s.another(s.db)
	b := s.browser().mustLogin()
	now.forward(due)
	entered, release := make(chan struct{}, 1), make(chan struct{})
	s.op.Fault("token", heldAt(entered, release))
	if !b.in() { // in use, so it is refreshed
		t.Fatal("the session has ended")
	}
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- s.Close() }()
	<-s.Closing()
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.op.Fault("token", nil)
	other.use()
	now.forward(due)
	if err := other.RefreshNow(b.session()); err != nil || !b.in() {
		t.Errorf("at another instance: %v, in: %v\n%s", err, b.in(), s.log())
	}
}

// What the provider changes reaches sessions and open sockets with the next refresh, and within a second.
func TestChangedClaims(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) { refreshing(pl, &now) })
	b, bob := s.browser(), s.browser()
	bob.as("bob")
	b.as("alice")
	put := func() int { return b.do("PUT", "/api/contents/demo", "").StatusCode }
	if got := put(); got != http.StatusOK {
		t.Fatalf("a writer: got %d", got)
	}
	socket, other := b.room(), bob.room()
	alice := oidctest.People()[0]
	alice.Claims["permissions"], alice.Claims["name"] = []string{"contents:read"}, "Alice Pleasance Liddell"
	s.op.SetUser(alice)
	now.forward(due)
	if err := s.RefreshNow(b.session()); err != nil {
		t.Fatal(err)
	}
	if code := closed(t, socket, reach); code != 1008 {
		t.Errorf("the socket ends with %d, want 1008", code)
	}
	echoes(t, other)
	if got := put(); got != http.StatusForbidden {
		t.Errorf("no writer any more: got %d, want 403", got)
	}
	if a := b.do("GET", "/api/contents/demo", ""); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "Pleasance") {
		t.Errorf("as a reader: got %d %s", a.StatusCode, a.body)
	}
	// Nobody who may not sign in by the mapping goes on.
	alice.Claims["permissions"] = []string{}
	s.op.SetUser(alice)
	now.forward(due)
	if err := s.RefreshNow(b.session()); err != nil {
		t.Fatal(err)
	}
	if a := b.do("GET", "/api/contents/demo", ""); a.StatusCode != http.StatusForbidden {
		t.Errorf("without a permission: got %d, want 403", a.StatusCode)
	}
}

// A session is refreshed when it is in use and due, and by nothing else.
func TestRefreshOfWhatIsInUse(t *testing.T) {
	t.Parallel()
	t.Run("by requests, and only whose session it is", func(t *testing.T) {
		t.Parallel()
		var now clock
		s := newStand(t, func(pl *plan) { refreshing(pl, &now) })
		b, bob := s.browser(), s.browser()
		b.as("alice")
		bob.as("bob")
		for range 3 {
			if !b.in() || !bob.in() {
				t.Fatal("a session has ended")
			}
		}
		now.forward(due)
		for range 10 {
			if !bob.in() {
				t.Fatal("a session has ended")
			}
		}
		eventually(t, "bob's session is refreshed", 5*time.Second, func() bool { return s.refreshes() > 0 })
		for range 10 {
			if !bob.in() {
				t.Fatal("a session has ended")
			}
		}
		if n := s.refreshes(); n != 1 {
			t.Errorf("got %d refreshes, want bob's only", n)
		}
		b.in()
		eventually(t, "alice's session is refreshed", 5*time.Second, func() bool { return s.refreshes() == 2 })
	})
	t.Run("by an open socket", func(t *testing.T) {
		t.Parallel()
		var now clock
		s := newStand(t, func(pl *plan) { refreshing(pl, &now) })
		socket := s.browser().mustLogin().room()
		alice := oidctest.People()[0] // without a permission
		s.op.SetUser(alice)
		now.forward(due)
		if code := closed(t, socket, 5*time.Second+reach); code != 1008 || s.refreshes() != 1 {
			t.Errorf("got %d, %d refreshes; want 1008 and 1", code, s.refreshes())
		}
	})
	for name, forward := range map[string]time.Duration{"idle": 8 * 24 * time.Hour, "at its end": 31 * 24 * time.Hour} {
		t.Run("a session that is "+name+" is over, socket or not", func(t *testing.T) {
			t.Parallel()
			var now clock
			s := newStand(t, func(pl *plan) { refreshing(pl, &now) })
			b := s.browser().mustLogin()
			socket := b.room()
			now.forward(forward)
			if code := closed(t, socket, reach); code != 1008 {
				t.Errorf("the socket ends with %d", code)
			}
			if b.in() || s.refreshes() != 0 {
				t.Errorf("in: %v, %d refreshes", b.in(), s.refreshes())
			}
		})
	}
}

// O-25: a refresh that brings no ID token, as it may (OpenID Connect Core 12.2), takes nothing away that only the last one said.
func TestRefreshWithoutAnIDToken(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) {
		pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
		pl.cfg.RefreshKeys = [][]byte{sealKey("of now")}
		pl.provider.Mapping.Permissions = []string{"permissions"}
	})
	said, name := []any{"contents:read"}, "Alice"
	var info []any // nil: userinfo says nothing of it
	hooks := oidctest.Hooks{
		OnIDToken: func(j *oidctest.JWT) { j.Claims["permissions"] = said },
		OnUserInfo: func(claims map[string]any) {
			if claims["name"] = name; info != nil {
				claims["permissions"] = info
			}
		},
	}
	s.op.SetHooks(hooks)
	b := s.browser().mustLogin()
	allowed := func(doing string, want int) {
		t.Helper()
		status(t, doing, b.do("GET", "/api/contents/demo", ""), want)
	}
	allowed("after the login", http.StatusOK)
	hooks.OnTokenResponse = func(_ *http.Request, answer map[string]any) { delete(answer, "id_token") }
	s.op.SetHooks(hooks)
	name = "Alice Hargreaves"
	for range 2 {
		now.forward(10 * time.Minute)
		if err := s.RefreshNow(b.session()); err != nil {
			t.Fatal(err)
		}
		allowed("after a refresh without an ID token", http.StatusOK)
	}
	if a := b.do("GET", "/api/me", ""); !strings.Contains(a.body, name) {
		t.Errorf("what userinfo says now doesn't count: %s", a.body)
	}
	hooks.OnTokenResponse, said = nil, []any{}
	s.op.SetHooks(hooks)
	now.forward(10 * time.Minute)
	if err := s.RefreshNow(b.session()); err != nil {
		t.Fatal(err)
	}
	allowed("after a refresh with one that says less", http.StatusForbidden)
	said = []any{"contents:read"}
	now.forward(10 * time.Minute)
	if err := s.RefreshNow(b.session()); err != nil {
		t.Fatal(err)
	}
	allowed("after a refresh with one that says more", http.StatusOK)
	hooks.OnTokenResponse, info = func(_ *http.Request, answer map[string]any) { delete(answer, "id_token") }, []any{}
	s.op.SetHooks(hooks)
	now.forward(10 * time.Minute)
	if err := s.RefreshNow(b.session()); err != nil {
		t.Fatal(err)
	}
	allowed("after a refresh without one, and less at userinfo", http.StatusForbidden)
}

// Where a refresh brings no ID token, userinfo is newer than the last one: a role that was taken back, or an address that isn't
// verified any more, doesn't live on in what the login had said. Of the login itself the ID token alone knows, where it says so.
func TestUserinfoIsNewerThanTheLastIDToken(t *testing.T) {
	t.Parallel()
	type claims map[string]any
	boss, corp := []any{"boss"}, claims{"email": "alice@corp.example", "email_verified": true}
	number := claims{"phone_number": "+1", "phone_number_verified": true}
	for name, c := range map[string]struct {
		id, before, after claims // of userinfo, before the refresh and after it
		boss, in          bool   // after it
	}{
		"as before, in both":                         {claims{"groups": boss}, claims{"groups": boss}, claims{"groups": boss}, true, true},
		"as before, in the ID token alone":           {claims{"groups": boss}, nil, nil, true, true},
		"another role":                               {claims{"groups": boss}, claims{"groups": boss}, claims{"groups": []any{"guest"}}, false, true},
		"no role":                                    {claims{"groups": boss}, claims{"groups": boss}, claims{"groups": []any{}}, false, true},
		"no word about roles":                        {claims{"groups": boss}, claims{"groups": boss}, nil, false, true},
		"a role that only userinfo tells":            {nil, nil, claims{"groups": boss}, true, true},
		"one that the ID token left out of the list": {claims{"groups": []any{}}, nil, claims{"groups": boss}, true, true},
		"an address that isn't verified any more":    {corp, corp, claims{"email": corp["email"], "email_verified": false}, false, false},
		"another address":                            {corp, corp, claims{"email": "alice@home.example", "email_verified": true}, false, false},
		"an address that only the ID token verifies": {corp, claims{"email": corp["email"]}, claims{"email": corp["email"]}, false, true},
		"an address that only the ID token has":      {corp, nil, nil, false, true},
		"a number that only the ID token verifies":   {number, claims{"phone_number": "+1"}, claims{"phone_number": "+1"}, false, true},
		"another number, which nobody verifies":      {number, claims{"phone_number": "+1"}, claims{"phone_number": "+2"}, false, false},
		"of the login, what only userinfo says":      {nil, claims{"acr": "1"}, claims{"acr": "1"}, false, true},
		"what userinfo says of the login":            {claims{"acr": "1"}, nil, claims{"acr": "2", "iss": "https://evil.example", "aud": "evil"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now clock
			var acr atomic.Value
			s := newStand(t, func(pl *plan) {
				pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
				pl.cfg.RefreshKeys = [][]byte{sealKey("of now")}
				pl.provider.Mapping = oidcauth.Mapping{Roles: []string{"groups"}, RoleMap: map[string][]string{"boss": {"boss"}}}
				if c.id["email"] != nil {
					pl.provider.Mapping.AllowDomains = []string{"corp.example"}
				}
				pl.provider.Mapping.Func = func(_ context.Context, claims oidcauth.Claims, _ *auth.Identity) error {
					acr.Store(fmt.Sprint(claims["iss"], claims["aud"], claims["acr"]))
					if c.id["phone_number"] != nil && claims["phone_number_verified"] != true {
						return auth.ErrForbidden
					}
					return nil
				}
			})
			says := func(to map[string]any, from claims) {
				for _, name := range []string{"groups", "email", "email_verified", "phone_number", "phone_number_verified", "acr"} {
					delete(to, name)
				}
				maps.Copy(to, from)
			}
			info := c.before
			hooks := oidctest.Hooks{
				OnIDToken:  func(j *oidctest.JWT) { says(j.Claims, c.id) },
				OnUserInfo: func(claims map[string]any) { says(claims, info) },
			}
			s.op.SetHooks(hooks)
			b := s.browser().mustLogin()
			first := acr.Load()
			hooks.OnTokenResponse = func(_ *http.Request, answer map[string]any) { delete(answer, "id_token") }
			s.op.SetHooks(hooks)
			for _, info = range []claims{c.before, c.after, c.after} {
				now.forward(due)
				if err := s.RefreshNow(b.session()); err != nil {
					t.Fatal(err)
				}
			}
			a := b.do("GET", "/", "")
			if in := a.StatusCode == http.StatusOK; in != c.in || strings.Contains(a.body, `"roles":["boss"]`) != c.boss {
				t.Errorf("got %d %s, want in: %v, boss: %v", a.StatusCode, a.body, c.in, c.boss)
			}
			if now := acr.Load(); c.in && now != first {
				t.Errorf("of the login it says %v, and then %v", first, now)
			}
		})
	}
}
