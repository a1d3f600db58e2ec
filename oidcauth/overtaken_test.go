package oidcauth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
)

// heldAt says when a request has reached an endpoint, which answers after release.
func heldAt(entered chan<- struct{}, release <-chan struct{}) oidctest.Fault {
	return func(next http.Handler) http.Handler {
		held := oidctest.Hold(release)(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			held.ServeHTTP(w, r)
		})
	}
}

// LO-10: a logout at the provider may overtake the login that it ends, which then doesn't come to be.
func TestLogoutThatOvertakesTheLogin(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"token", "userinfo"} {
		for _, c := range []struct {
			name    string
			sub     string // of the logout token; "" not there
			sid     func(sid string) string
			unnamed bool // ID tokens have no sid
			in      bool
		}{
			{name: "no logout", sub: "", sid: func(string) string { return "" }, in: true},
			{name: "by subject and session", sub: "alice", sid: func(sid string) string { return sid }},
			{name: "by session", sub: "", sid: func(sid string) string { return sid }},
			{name: "by subject", sub: "alice", sid: func(string) string { return "" }},
			{name: "of a session without a name, by subject", sub: "alice", sid: func(string) string { return "" }, unnamed: true},
			{name: "of a session without a name, by one", sub: "alice", sid: func(sid string) string { return sid }, unnamed: true},
			{name: "of another session of hers", sub: "alice", sid: func(string) string { return "other" }, in: true},
			{name: "of somebody else", sub: "bob", sid: func(string) string { return "" }, in: true},
			{name: "of somebody else with her session", sub: "bob", sid: func(sid string) string { return sid }, in: true},
		} {
			t.Run(endpoint+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				var now clock
				s := newStand(t, func(pl *plan) { pl.cfg.Auth.Now, pl.op.Now = now.now, now.now })
				if c.unnamed {
					s.op.SetHooks(oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) { delete(j.Claims, "sid") }})
				}
				entered, release := make(chan struct{}, 1), make(chan struct{})
				s.op.Fault(endpoint, heldAt(entered, release))
				b := s.browser()
				callback := b.back(b.leave("/auth/login"))
				came := make(chan answer)
				go func() { came <- b.open(callback) }()
				<-entered
				if c.name != "no logout" {
					if d := s.ends(c.sub, c.sid(s.sid)); d.Status != http.StatusOK {
						t.Errorf("the logout: got %+v", d)
					}
				}
				close(release)
				a := <-came
				want, rows := http.StatusBadRequest, 0
				if c.in {
					want, rows = http.StatusSeeOther, 1
				}
				status(t, "the callback", a, want)
				if b.in() != c.in || (b.session() != "") != c.in || s.rows("auth_sessions") != rows {
					t.Errorf("in: %v, cookie: %v, %d sessions", b.in(), b.session() != "", s.rows("auth_sessions"))
				}
				// Nobody is kept out by it: the next login is another session.
				s.op.Fault(endpoint, nil)
				now.forward(2 * time.Second)
				s.op.SignIn("alice")
				s.browser().mustLogin()
			})
		}
	}
}
