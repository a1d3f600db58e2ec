package oidcauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/oidcauth"
)

// another is one more instance of the application, with its own connections to the same database. It is reached at the same
// address, once use says so.
func (s *stand) another(db *sqlx.DB) *instance {
	s.t.Helper()
	cfg := s.cfg
	cfg.DB = db
	a, err := oidcauth.New(s.t.Context(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = a.Close() })
	return &instance{s, a, s.behind(a, "", "/auth")}
}

// first is the instance that the stand began with.
func (s *stand) first() *instance { return &instance{s, s.Auth, *s.serves.Load()} }

// An instance is one of several that serve the same application.
type instance struct {
	s *stand
	*oidcauth.Auth
	handler http.Handler
}

// use has all requests from now on reach this instance.
func (i *instance) use() { i.s.serves.Store(&i.handler) }

// over is a stand of three instances over one database, each with connections of its own.
func over(t *testing.T, on storetest.Engine, change func(*plan)) (s *stand, all [3]*instance) {
	t.Helper()
	base := on.New(t)
	here, _ := base.Open(t)
	s = newStand(t, func(pl *plan) {
		writers(pl)
		pl.cfg.DB, pl.withoutFrame = here, true
		if change != nil {
			change(pl)
		}
	})
	all[0] = s.first()
	for i := range all[1:] {
		db, _ := base.Open(t)
		all[i+1] = s.another(db)
	}
	return s, all
}

// A login begins at one instance and comes back to another, the session is everybody's, and its end, too.
func TestInstances(t *testing.T) { storetest.Each(t, testInstances) }

func testInstances(t *testing.T, on storetest.Engine) {
	s, instances := over(t, on, nil)
	b := s.browser()
	callback := b.back(b.leave("/auth/login?next=/x"))
	flow := b.copy()
	instances[1].use()
	if a := b.open(callback); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/x" {
		t.Fatalf("the callback at another instance: got %d %q %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	for i, instance := range instances {
		if instance.use(); !b.in() {
			t.Errorf("instance %d: not logged in", i)
		}
	}
	// O-07: an attempt is used up for all of them.
	s.op.Reset()
	for i, instance := range instances {
		instance.use()
		again := flow.copy()
		if a := again.open(callback); a.StatusCode != http.StatusBadRequest || again.in() {
			t.Errorf("instance %d: the callback once more: got %d, in: %v", i, a.StatusCode, again.in())
		}
	}
	if n := len(s.op.Calls("token")); n != 0 {
		t.Errorf("the token endpoint was asked %d times about a code that was used", n)
	}
	instances[2].use()
	old := b.copy()
	if status(t, "a logout at the third", b.logout(), http.StatusSeeOther); old.in() {
		t.Error("still logged in there")
	}
	for _, instance := range instances {
		instance.use()
		eventually(t, "the session has ended everywhere", reach, func() bool { return !old.in() })
		status(t, "and nothing brings it back", old.open("/auth/logged-out"), http.StatusOK)
	}
}

// copy is another browser with the same cookies.
func (b *browser) copy() *browser {
	b.t.Helper()
	c := b.s.browser()
	u, err := url.Parse(b.s.url)
	if err != nil {
		b.t.Fatal(err)
	}
	c.jar.SetCookies(u, b.jar.Cookies(u))
	return c
}

// O-07, V-01: of several callbacks with one attempt, at several instances at once, one begins a session.
func TestOneAttemptAtOnce(t *testing.T) { storetest.Each(t, testOneAttemptAtOnce) }

func testOneAttemptAtOnce(t *testing.T, on storetest.Engine) {
	s, instances := over(t, on, nil)
	b := s.browser()
	callback := b.back(b.leave("/auth/login"))
	target, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	s.op.Reset()
	var in atomic.Int64
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, callback, nil)
			r.Host = target.Host
			for _, c := range b.jar.Cookies(target) {
				r.AddCookie(c)
			}
			w := httptest.NewRecorder()
			instances[i%3].handler.ServeHTTP(w, r)
			if w.Code == http.StatusSeeOther {
				in.Add(1)
			} else if w.Code != http.StatusBadRequest {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
	all.Wait()
	if n := in.Load(); n != 1 || s.rows("auth_sessions") != 1 || len(s.op.Calls("token")) != 1 {
		t.Errorf("%d callbacks got in, %d sessions, %d calls of the token endpoint; want one each", n, s.rows("auth_sessions"), len(s.op.Calls("token")))
	}
}

// LO-04: a logout token that reaches one instance ends sessions and sockets at the others within a second.
func TestBackChannelOverInstances(t *testing.T) { storetest.Each(t, testBackChannelOverInstances) }

func testBackChannelOverInstances(t *testing.T, on storetest.Engine) {
	const rounds = 20
	s, instances := over(t, on, nil)
	here, there := instances[0], instances[1]
	var refused, ended []time.Duration
	bystander := s.browser()
	there.use()
	bystander.as("bob")
	other := bystander.room()
	for round := range rounds {
		there.use()
		b := s.browser()
		sid := b.as("alice")
		socket := b.room()
		name, value := b.cookie()
		ask := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api", nil)
		ask.AddCookie(&http.Cookie{Name: name, Value: value})
		if _, err := there.Identify(ask); err != nil {
			t.Fatal(err)
		}
		gone := make(chan time.Time, 1)
		go func() {
			defer close(gone) // also where closed gives up
			code := closed(t, socket, 10*time.Second)
			if gone <- time.Now(); code != 1008 {
				t.Errorf("round %d: the socket ends with %d, want 1008", round, code)
			}
		}()
		<-time.After(time.Duration(round) * 13 * time.Millisecond) // at any moment between two looks at the feed
		here.use()
		d := s.ends("alice", sid)
		confirmed := time.Now()
		if d.Status != http.StatusOK || b.in() {
			t.Fatalf("round %d: got %+v, in: %v", round, d, b.in())
		}
		for {
			came := time.Now()
			_, err := there.Identify(ask)
			if errors.Is(err, auth.ErrNoCredentials) {
				refused = append(refused, time.Since(confirmed))
				break
			}
			if late := came.Sub(confirmed); err == nil && late >= time.Second {
				t.Fatalf("round %d: admitted %s after the provider was told that it is done", round, late)
			}
			<-time.After(time.Millisecond)
		}
		ended = append(ended, max(0, (<-gone).Sub(confirmed)))
	}
	echoes(t, other)
	for what, took := range map[string][]time.Duration{"the session is refused": refused, "its socket is closed": ended} {
		slices.Sort(took)
		if worst := took[len(took)-1]; worst >= reach {
			t.Errorf("%s elsewhere after %s", what, worst)
		}
		t.Logf("%s: from the answer to a logout token until %s at another instance: p50 %s, p99 %s, max %s", on, what,
			took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	}
}

// LO-10 over instances: the logout token reaches one, and the login that it ends comes back to another.
func TestLogoutThatOvertakesTheLoginElsewhere(t *testing.T) {
	storetest.Each(t, testLogoutThatOvertakesTheLoginElsewhere)
}

func testLogoutThatOvertakesTheLoginElsewhere(t *testing.T, on storetest.Engine) {
	s, instances := over(t, on, nil)
	b := s.browser()
	b.mustLogin()
	b = s.browser()
	sid := s.op.SignIn("alice")
	callback := b.back(b.leave("/auth/login"))
	entered, release := make(chan struct{}, 1), make(chan struct{})
	s.op.Fault("userinfo", heldAt(entered, release))
	came := make(chan answer)
	go func() { came <- b.open(callback) }()
	<-entered
	instances[1].use()
	if d := s.ends("", sid); d.Status != http.StatusOK {
		t.Errorf("got %+v", d)
	}
	close(release)
	if a := <-came; a.StatusCode != http.StatusBadRequest || b.in() {
		t.Errorf("the callback: got %d %s, in: %v", a.StatusCode, a.body, b.in())
	}
}

// A permission that the provider withdraws ends sockets at every instance, with whichever of them asks it.
func TestChangedClaimsOverInstances(t *testing.T) { storetest.Each(t, testChangedClaimsOverInstances) }

func testChangedClaimsOverInstances(t *testing.T, on storetest.Engine) {
	var now clock
	s, instances := over(t, on, func(pl *plan) { refreshing(pl, &now) })
	b := s.browser().mustLogin()
	socket := b.room()
	s.op.SetUser(oidctest.People()[0]) // who has no permission
	now.forward(due)
	if err := instances[2].RefreshNow(b.session()); err != nil {
		t.Fatal(err)
	}
	if code := closed(t, socket, reach); code != 1008 {
		t.Errorf("the socket ends with %d, want 1008", code)
	}
	if a := b.do("GET", "/api/contents/demo", ""); a.StatusCode != http.StatusForbidden {
		t.Errorf("got %d, want 403", a.StatusCode)
	}
}
