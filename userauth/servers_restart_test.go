package userauth_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// D-01, D-05: a server is stopped and killed, again and again, under two sites at work. What was acknowledged is there, nobody
// is admitted who shouldn't be, every refusal says "later", and all goes on by itself when the server is back.
func TestAServerThatRestartsLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	for _, on := range []storetest.Engine{storetest.Postgres, storetest.MySQL} {
		t.Run(string(on), func(t *testing.T) {
			t.Parallel()
			testAServerThatRestarts(t, newOwnServer(t, on))
		})
	}
}

func testAServerThatRestarts(t *testing.T, server *ownServer) {
	rounds := 2
	if faultLong {
		rounds = 20
	}
	// No outage is too long for what is open at the one; at the other each is.
	patient, impatient := serverSite(t, server, time.Hour), serverSite(t, server, 200*time.Millisecond)
	patient.add("ann", siteWrites)
	ann, ben := patient.in("ann"), impatient.in("ann")
	stays := ann.faultEnter()
	lives := serverLives(t, patient, impatient)

	var late time.Duration
	for round := range rounds {
		went := ben.faultEnter()
		serverWait(t, "everybody is at work", lives, func(l *serverLife) int64 { return l.acknowledged.Load() }, 20)
		if round%2 == 0 {
			server.stop()
		} else {
			server.kill()
		}
		for _, b := range []*browser{ann, ben} {
			faultMemoryLastsASecond(t, b)
			if conn, status := b.dial("/api/room/demo"); conn != nil || status != http.StatusServiceUnavailable {
				t.Errorf("handshake: got %d, want 503 before the upgrade", status)
			}
		}
		went.wantClosed(t, "an outage longer than its grace", websocket.StatusTryAgainLater)
		serverWait(t, "everybody is refused", lives, func(l *serverLife) int64 { return l.refused.Load() }, 1)
		stays.wantOpen(t)

		server.start()
		back := time.Now()
		faultRecovers(t, ann)
		faultRecovers(t, ben)
		serverWait(t, "everybody is at work again", lives, func(l *serverLife) int64 { return l.acknowledged.Load() }, 20)
		for _, l := range lives.all {
			late = max(late, time.Unix(0, l.refusedAt.Load()).Sub(back))
		}
		stays.wantOpen(t)
	}
	lives.end()
	eventually(t, "every end counts everywhere", func() bool {
		for _, l := range lives.all {
			for _, session := range l.sessions {
				if session.state == killEnded && time.Since(session.ended) <= serverBound {
					return false
				}
			}
		}
		return true
	})
	for name, s := range map[string]*site{"a new site": serverSite(t, server, 0), "the one": patient, "the other": impatient} {
		for _, l := range lives.all {
			l.check(name, s)
		}
	}
	// What stayed open through all of it is still tied to its session.
	if _, err := impatient.users.Accounts().EndSessions(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	stays.wantClosed(t, "ended elsewhere", websocket.StatusPolicyViolation)
	users, sessions, acknowledged, refused := 0, 0, int64(0), int64(0)
	for _, l := range lives.all {
		users, sessions = users+len(l.users), sessions+len(l.sessions)
		acknowledged, refused = acknowledged+l.acknowledged.Load(), refused+l.refused.Load()
	}
	t.Logf("%d rounds; %d users, %d sessions, %d answers acknowledged something, %d refused; the last refusal came %s after the server answered again",
		rounds, users, sessions, acknowledged, refused, late.Round(time.Millisecond))
}

// serverSite is the site of a process over the server.
func serverSite(t testing.TB, server *ownServer, grace time.Duration) *site {
	t.Helper()
	s := siteOver(t, server.open(), func(c *userauth.Config) { c.Auth.OutageGrace, c.SessionsPerUser = grace, 100_000 })
	s.faulty.Store(true)
	return s.listen()
}

// serverAll are several lives at the same two sites.
type serverAll struct {
	all []*serverLife
	end func() // waits until they are over
}

func serverLives(t *testing.T, one, other *site) *serverAll {
	t.Helper()
	lives := &serverAll{}
	stop := make(chan struct{})
	var running sync.WaitGroup
	lives.end = sync.OnceFunc(func() {
		close(stop)
		running.Wait()
	})
	t.Cleanup(lives.end)
	for i := range 3 {
		l := &serverLife{t: t, sites: [2]*site{one, other}, name: fmt.Sprint("u", i), profile: []string{""}}
		one.add(l.name, siteReads)
		lives.all = append(lives.all, l)
		running.Go(func() { l.live(stop) })
	}
	return lives
}

// serverWait waits until count is more than now, by n in each life.
func serverWait(t *testing.T, what string, lives *serverAll, count func(*serverLife) int64, n int64) {
	t.Helper()
	for _, l := range lives.all {
		want := count(l) + n
		eventually(t, what, func() bool { return count(l) >= want })
	}
}
