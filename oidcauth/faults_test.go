package oidcauth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
)

// D-01, D-03: a login during which a call to the database fails, or is done and its answer lost, ends with a session or with 503
// and none; it leaves half a user nowhere, and the next login works.
func TestLoginWhileTheDatabaseFails(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*storetest.Faults, int){
		"fails":   (*storetest.Faults).FailAt,
		"is lost": (*storetest.Faults).LoseAt,
	} {
		t.Run("a call "+name, func(t *testing.T) {
			t.Parallel()
			refused := 0
			for k := 1; ; k++ {
				db, faults := storetest.Open(t, t.TempDir()+"/app.db")
				s := newStand(t, func(pl *plan) { pl.cfg.DB, pl.cfg.RefreshKeys = db, [][]byte{sealKey("of now")} })
				b := s.browser()
				callback := b.back(b.leave("/auth/login"))
				spoil(faults, k)
				a := b.open(callback)
				broken := faults.Broken()
				faults.Heal()
				switch a.StatusCode {
				case http.StatusSeeOther:
					if !b.in() {
						t.Errorf("call %d: logged in, and not", k)
					}
				case http.StatusServiceUnavailable:
					refused++
					if b.in() || b.session() != "" || a.Header.Get("Retry-After") == "" {
						t.Errorf("call %d: 503, and in: %v, cookie %q", k, b.in(), b.session())
					}
					if n := s.rows("auth_sessions"); n != 0 && name == "fails" {
						t.Errorf("call %d: 503, and %d sessions", k, n)
					}
				default:
					t.Errorf("call %d: got %d %s", k, a.StatusCode, a.body)
				}
				if users, externals := s.rows("auth_users"), s.rows("auth_externals"); users != externals {
					t.Errorf("call %d: %d users, %d identities", k, users, externals)
				}
				s.browser().mustLogin()
				if n := s.rows("auth_users"); n != 1 {
					t.Errorf("call %d: %d users after another login", k, n)
				}
				_ = s.Close()
				if broken == 0 {
					break
				}
			}
			if refused < 5 {
				t.Errorf("%d logins were refused: that isn't each call", refused)
			}
		})
	}
	t.Run("every call fails", func(t *testing.T) {
		t.Parallel()
		db, faults := storetest.Open(t, t.TempDir()+"/app.db")
		s := newStand(t, func(pl *plan) { pl.cfg.DB = db })
		in := s.browser().mustLogin()
		b := s.browser()
		callback := b.back(b.leave("/auth/login"))
		s.op.Reset()
		for name, spoil := range map[string]func(){"at once": faults.Fail, "by saying nothing": faults.Hang} {
			spoil()
			begin := time.Now()
			a := b.open(callback)
			if status(t, name, a, http.StatusServiceUnavailable); b.session() != "" || time.Since(begin) > 20*time.Second {
				t.Errorf("%s: after %s, cookie %q", name, time.Since(begin), b.session())
			}
			if n := len(s.op.Calls("token")); n != 0 {
				t.Errorf("%s: the code was traded, and can't be once more", name)
			}
			// Nobody is let in on what was known a second ago, and nobody is told to be logged out.
			eventually(t, "sessions can't be known", reach, func() bool {
				return in.do("GET", "/api", "").StatusCode == http.StatusServiceUnavailable
			})
			faults.Heal()
			eventually(t, "they are again", reach, func() bool { return in.do("GET", "/api", "").StatusCode == http.StatusOK })
		}
	})
	// D-14: one connection is enough, whatever waits for it.
	t.Run("one connection", func(t *testing.T) {
		t.Parallel()
		db, _ := storetest.Open(t, t.TempDir()+"/app.db")
		db.SetMaxOpenConns(1)
		var now clock
		s := newStand(t, func(pl *plan) { refreshing(pl, &now); pl.cfg.DB = db })
		b := s.browser().mustLogin()
		now.forward(due)
		if err := s.RefreshNow(b.session()); err != nil || !b.in() {
			t.Errorf("a refresh: %v, in: %v", err, b.in())
		}
		if d := s.ends("alice", ""); d.Status != http.StatusOK || b.in() {
			t.Errorf("a logout: %+v, in: %v", d, b.in())
		}
	})
}

// A row that can't be read proves nobody, keeps nobody else out, and is made anew by the next login.
func TestRowsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]string{
		"a session's data":        "UPDATE auth_sessions SET data = '{' WHERE subject = 'alice'",
		"claims":                  "UPDATE auth_externals SET claims = '{' WHERE subject = 'alice'",
		"claims without a name":   "UPDATE auth_externals SET claims = '{\"permissions\":{\"contents\":[\"read\"]}}' WHERE subject = 'alice'",
		"claims of no user":       "DELETE FROM auth_externals WHERE subject = 'alice'",
		"another issuer's claims": "UPDATE auth_externals SET issuer = 'https://evil.example' WHERE subject = 'alice'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, nil)
			b, bob := s.browser(), s.browser()
			b.as("alice")
			bob.as("bob")
			if _, err := s.db.ExecContext(t.Context(), spoil); err != nil {
				t.Fatal(err)
			}
			s.another(s.db).use() // one that has nothing in memory
			if b.in() || !bob.in() {
				t.Errorf("in: alice %v, bob %v", b.in(), bob.in())
			}
			status(t, "her request", b.do("GET", "/api", ""), http.StatusUnauthorized)
			if status(t, "logout", s.browser().do("POST", "/auth/logout", ""), http.StatusNoContent); name != "another issuer's claims" && s.count(auth.EventFault) == 0 {
				t.Error("nobody is told")
			}
			again := s.browser()
			again.as("alice")
			if !again.in() || !bob.in() {
				t.Errorf("after another login, in: alice %v, bob %v", again.in(), bob.in())
			}
		})
	}
}
