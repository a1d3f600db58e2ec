package main_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// soon is how late the end of a session may be on the other process. The promise is a second, which a quiet machine keeps
// with room to spare; the rest is for one that runs every other test of this repository at the same time. What it took is
// in the test's log.
const soon = 5 * time.Second

// Two programs over one file, and a third, this test, which does what useradmin does. What a user had open ends on both.
func TestAChangeElsewhereEndsWhatIsOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	one, two := startOver(t, path), startOver(t, path)
	accounts := accountsIn(t, path)
	both := auth.Permissions{"contents": {"read", "write"}}
	disabled := true
	for _, tc := range []struct {
		name   string
		status int // of the next request
		act    func(user string) error
	}{
		{"JV43 disabled", 401, func(user string) error {
			_, err := accounts.Change(t.Context(), user, userauth.AccountChange{Disabled: &disabled})
			return err
		}},
		{"deleted", 401, func(user string) error { return accounts.Delete(t.Context(), user) }},
		{"signed out everywhere", 401, func(user string) error {
			_, err := accounts.EndSessions(t.Context(), user)
			return err
		}},
		{"given another password", 401, func(user string) error {
			return accounts.SetPassword(t.Context(), user, adminPassword)
		}},
		{"a lost permission", 403, func(user string) error {
			_, err := accounts.Change(t.Context(), user, userauth.AccountChange{Revoke: both})
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) { // one after the other, so that the times are of one change alone
			user := strings.ReplaceAll(strings.ToLower(tc.name), " ", "-")
			addUser(t, accounts, user, both)
			addUser(t, accounts, "bystander-of-"+user, both)
			type outcome struct {
				code int
				took time.Duration
			}
			type place struct {
				p      *program
				cookie []string
				conn   *websocket.Conn
				ended  chan outcome // the socket
				denied chan outcome // a request
			}
			// One login: the session of one process is known to the other.
			cookie := one.logInAs(user, userPassword)
			places := []place{{p: one, cookie: cookie}, {p: two, cookie: carried(cookie, one, two)}}
			others := two.dial("/api/room/demo", two.logInAs("bystander-of-"+user, userPassword)...)
			two.receive(others)
			for i := range places {
				c := &places[i]
				c.ended, c.denied = make(chan outcome, 1), make(chan outcome, 1)
				c.conn = c.p.dial("/api/room/demo", c.cookie...)
				c.p.receive(c.conn)
			}
			began := time.Now()
			if err := tc.act(user); err != nil {
				t.Fatal(err)
			}
			for _, c := range places {
				go func() {
					code := c.p.closeCode(c.conn)
					c.ended <- outcome{int(code), time.Since(began)}
				}()
				go func() {
					status := 200
					for status == 200 && time.Since(began) < patience {
						status = c.p.do(request{path: "/api/stream/demo", method: "HEAD", headers: c.cookie}).status
					}
					c.denied <- outcome{status, time.Since(began)}
				}()
			}
			for i, c := range places {
				denied, ended := <-c.denied, <-c.ended
				if denied.code != tc.status || ended.code != int(websocket.StatusPolicyViolation) {
					t.Errorf("process %d: a request got %d, want %d; the socket closed with %d, want 1008", i+1, denied.code, tc.status, ended.code)
				}
				t.Logf("process %d: requests refused within %s, the socket closed within %s", i+1, denied.took.Round(time.Millisecond), ended.took.Round(time.Millisecond))
				if denied.took > soon || ended.took > soon {
					t.Errorf("process %d: refused after %s, closed after %s", i+1, denied.took, ended.took)
				}
			}
			if err := others.Ping(others.CloseRead(t.Context())); err != nil {
				t.Errorf("somebody else's socket: %v", err)
			}
		})
	}
	t.Run("a new permission acts as soon", func(t *testing.T) {
		addUser(t, accounts, "ann", auth.Permissions{"contents": {"read"}})
		cookie := two.logInAs("ann", userPassword)
		save := request{method: "PUT", path: "/api/contents/demo", body: `{"text":"x"}`, headers: append([]string{sendsJSON}, cookie...)}
		if a := two.do(save); a.status != 403 {
			t.Fatalf("before it: got %d", a.status)
		}
		change(t, accounts, "ann", userauth.AccountChange{Grant: both})
		for began := time.Now(); ; {
			a := two.do(save)
			if a.status == 200 {
				t.Logf("saved after %s", time.Since(began).Round(time.Millisecond))
				return
			}
			if time.Since(began) > soon {
				t.Fatalf("after %s: got %d", time.Since(began), a.status)
			}
		}
	})
	t.Run("a logout on one process ends the session on the other", func(t *testing.T) {
		cookie := one.logInAs("admin", adminPassword)
		there := carried(cookie, one, two)
		conn := two.dial("/api/room/demo", there...)
		two.receive(conn)
		if a := one.do(request{method: "POST", path: "/auth/logout", headers: append(cookie, asAPI...)}); a.status != 204 {
			t.Fatalf("logout: got %d", a.status)
		}
		began := time.Now()
		if code := two.closeCode(conn); code != websocket.StatusPolicyViolation || time.Since(began) > soon {
			t.Errorf("the socket closed with %d after %s", code, time.Since(began))
		}
		if a := two.do(request{path: "/api/me", headers: there}); a.status != 401 {
			t.Errorf("got %d, want 401", a.status)
		}
	})
}

// carried is the cookie as a browser would hold it for the other program: the name has the port.
func carried(cookie []string, from, to *program) []string {
	port := func(p *program) string { return p.base[strings.LastIndex(p.base, ":")+1:] }
	return []string{strings.Replace(cookie[0], "-"+port(from)+"=", "-"+port(to)+"=", 1)}
}
