package userauth_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// A serverLife is what one user does at two sites over a server that comes and goes, and what the user's client was told.
type serverLife struct {
	t     *testing.T
	sites [2]*site
	name  string

	users    []string // that were made, and never log in
	sessions []*serverSession
	profile  []string // the name that was acknowledged last, and what was asked for since without an answer
	reads    killState
	decided  time.Time // when what the user may read was acknowledged last
	decider  *site     // where
	now      *browser  // nil: not logged in
	last     *serverSession

	acknowledged, refused atomic.Int64
	refusedAt             atomic.Int64 // when the last refusal was answered, in nanoseconds
}

// A serverSession is a session as its client knows it.
type serverSession struct {
	token string
	state killState
	at    *site // where its end was acknowledged
	ended time.Time
}

// serverBound is how long another site may go on with what it knew, from the answer to the request's beginning. It is what
// the library promises, and not a matter of speed: who can't look in time has to refuse.
const serverBound = time.Second

// live goes on until stop is closed. A step every few milliseconds is a light load.
func (l *serverLife) live(stop <-chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	steps := []func(n int, near, far *site){l.add, l.logIn, l.visit, l.rename, l.change, l.read, l.logOut, l.haunt}
	for n := 0; ; n++ {
		for _, step := range steps {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			step(n, l.sites[n%2], l.sites[1-n%2])
		}
	}
}

// said tells whether the answer acknowledges what was asked: anything else has to be a refusal that says "later".
func (l *serverLife) said(what string, got answer, status int) bool {
	l.t.Helper()
	if got.Status == status {
		l.acknowledged.Add(1)
		return true
	}
	l.later()
	faultUnavailable(l.t, what, got)
	return false
}

// did is said for the Go API.
func (l *serverLife) did(what string, err error) bool {
	l.t.Helper()
	if err == nil {
		l.acknowledged.Add(1)
		return true
	}
	l.later()
	if !errors.Is(err, auth.ErrUnavailable) {
		l.t.Errorf("%s: got %v, want it to wrap auth.ErrUnavailable", what, err)
	}
	return false
}

func (l *serverLife) later() {
	l.refused.Add(1)
	l.refusedAt.Store(time.Now().UnixNano())
}

func (l *serverLife) add(n int, near, _ *site) {
	name := fmt.Sprint(l.name, "n", n)
	_, err := near.users.Accounts().Add(l.t.Context(), userauth.NewAccount{Username: name, Password: sitePassword, Permissions: siteWrites})
	if l.did("Add", err) {
		l.users = append(l.users, name)
	}
}

func (l *serverLife) logIn(_ int, near, _ *site) {
	b := near.browser()
	if l.now = nil; l.said("login", b.login(l.name, sitePassword, elsewhere()), http.StatusOK) {
		_, token := b.session()
		l.last = &serverSession{token: token}
		l.sessions = append(l.sessions, l.last)
		l.now = b
	}
}

// visit asks for a page where the session was made and where it has to be looked up.
func (l *serverLife) visit(_ int, near, far *site) {
	if l.now == nil {
		return
	}
	for _, s := range []*site{near, far} {
		if got := l.now.faultAt(s).get("/"); l.said("a page", got, http.StatusOK) && got.Body != "page of "+l.name {
			l.t.Errorf("%s got %q", l.name, got.Body)
		}
	}
}

func (l *serverLife) rename(n int, _, _ *site) {
	if l.now == nil {
		return
	}
	name := fmt.Sprint("Name ", n)
	l.profile = append(l.profile, name)
	if l.said("PATCH /me", l.now.json("PATCH", "/auth/me", `{"name":"`+name+`"}`), http.StatusOK) {
		l.profile = []string{name}
	}
}

// change takes what the user may read, and gives it back the next time.
func (l *serverLife) change(_ int, near, _ *site) {
	change, then := userauth.AccountChange{Revoke: siteReads}, killEnded
	if l.reads != killLives {
		change, then = userauth.AccountChange{Grant: siteReads}, killLives
	}
	l.reads = killMayHaveEnded
	if _, err := near.users.Accounts().Change(l.t.Context(), l.name, change); l.did("Change", err) {
		l.reads, l.decided, l.decider = then, time.Now(), near
	}
}

// read has nobody admitted without the permission.
func (l *serverLife) read(_ int, near, far *site) {
	if l.now == nil {
		return
	}
	for _, s := range []*site{near, far} {
		known := s == l.decider || time.Since(l.decided) > serverBound
		got := l.now.faultAt(s).get("/api/contents/demo")
		switch {
		case got.Status == http.StatusServiceUnavailable:
			l.later()
			faultUnavailable(l.t, "an API call", got)
		case got.Status != http.StatusOK && got.Status != http.StatusForbidden,
			known && l.reads == killLives && !got.reached(), known && l.reads == killEnded && got.reached():
			l.t.Errorf("%s, whose permission is in state %d: got %d", l.name, l.reads, got.Status)
		}
	}
}

// logOut leaves some sessions as they are.
func (l *serverLife) logOut(n int, near, _ *site) {
	if l.now == nil || n%5 == 0 {
		return
	}
	l.last.state = killMayHaveEnded
	if l.said("logout", l.now.json("POST", "/auth/logout", ""), http.StatusNoContent) {
		l.last.state, l.last.at, l.last.ended = killEnded, near, time.Now()
	}
	l.now = nil
}

// haunt comes back with the last session and with an old one.
func (l *serverLife) haunt(int, *site, *site) {
	if len(l.sessions) == 0 {
		return
	}
	for _, session := range []*serverSession{l.last, l.sessions[rand.IntN(len(l.sessions))]} {
		for _, s := range l.sites {
			known := s == session.at || time.Since(session.ended) > serverBound
			got := s.faultHolder(session.token).get("/")
			switch {
			case got.Status == http.StatusServiceUnavailable:
				l.later()
				faultUnavailable(l.t, "a page", got)
			case got.Status != http.StatusOK && got.Status != http.StatusUnauthorized,
				session.state == killLives && !got.reached(), session.state == killEnded && known && got.reached():
				l.t.Errorf("%s: a session in state %d: got %d", l.name, session.state, got.Status)
			}
		}
	}
}

// check fails the test unless the site, over a sound server, knows what the client was told.
func (l *serverLife) check(where string, s *site) {
	l.t.Helper()
	for _, name := range append(l.users, l.name) {
		if _, err := s.users.Accounts().Get(l.t.Context(), name); err != nil {
			l.t.Errorf("%s: %s was acknowledged and is lost: %v", where, name, err)
		}
	}
	a, err := s.users.Accounts().Get(l.t.Context(), l.name)
	if err != nil {
		return
	}
	if !slices.Contains(l.profile, a.User.Name) {
		l.t.Errorf("%s: %s has the name %q, want one of %q", where, l.name, a.User.Name, l.profile)
	}
	if reads := a.Permissions.Has("contents", "read"); l.reads == killLives && !reads || l.reads == killEnded && reads {
		l.t.Errorf("%s: %s, whose permission is in state %d, holds it: %t", where, l.name, l.reads, reads)
	}
	for _, session := range l.sessions {
		got := s.faultHolder(session.token).get("/").Status
		if got != http.StatusOK && got != http.StatusUnauthorized || session.state == killLives && got != http.StatusOK || session.state == killEnded && got != http.StatusUnauthorized {
			l.t.Errorf("%s: %s: a session in state %d: got %d", where, l.name, session.state, got)
		}
	}
}
