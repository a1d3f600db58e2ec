package userauth_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// A revocation of one of alice's tokens, in each way that there is.
func revocations() map[string]func(*site, userauth.Token) error {
	return map[string]func(*site, userauth.Token) error{
		"by its owner": func(s *site, made userauth.Token) error {
			return processDone(s.in("alice").delete("/auth/tokens/" + made.ID))
		},
		"by an admin": func(s *site, made userauth.Token) error {
			return processDone(s.in("root").delete("/auth/users/alice/tokens/" + made.ID))
		},
		"by Accounts": func(s *site, made userauth.Token) error {
			return s.users.Accounts().DeleteToken(s.t.Context(), "alice", made.ID)
		},
	}
}

// K-06, W-10: what ends a token closes what it has open and refuses the next request, in this process at once and in others
// within a second; it ends nothing else of its owner's.
func TestWhatEndsTokens(t *testing.T) {
	t.Parallel()
	yes := true
	type end struct {
		do  func(*site, userauth.Token) error
		all bool // the owner's session and other token end as well
	}
	ends := map[string]end{
		"disabled": {func(s *site, _ userauth.Token) error { // K-09 S-12
			_, err := s.users.Accounts().Change(s.t.Context(), "alice", userauth.AccountChange{Disabled: &yes})
			return err
		}, true},
		"deleted": {func(s *site, _ userauth.Token) error { return s.users.Accounts().Delete(s.t.Context(), "alice") }, true},
		"another password by an admin": {func(s *site, _ userauth.Token) error {
			return s.users.Accounts().SetPassword(s.t.Context(), "alice", nextPassword)
		}, true},
	}
	for name, do := range revocations() {
		ends["revoked "+name] = end{do, false}
	}
	for name, tc := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t).listen()
			there := siteOver(t, s.db).listen()
			s.add("root", auth.Permissions{"admin": {"*"}})
			s.add("alice", siteWrites)
			kept := s.everything("alice")
			text := s.token("alice", userauth.NewToken{Name: "ends"})
			made := s.tokenNamed("alice", "ends")
			there.keepsSecret(text, kept)
			b := s.in("alice")
			conn, _ := s.browser().enter(bearing(text))
			far, _ := there.browser().enter(bearing(text))
			session, _ := b.enter()
			other, _ := s.browser().enter(bearing(kept))
			if err := tc.do(s, made); err != nil {
				t.Fatal(err)
			}
			refused(t, "a request here", s.browser().get("/", bearing(text)), http.StatusUnauthorized)
			s.ends("its socket", conn, 1008)
			if tc.all {
				s.ends("the session's", session, 1008)
				s.ends("the other token's", other, 1008)
			} else {
				stillOpen(t, session)
				stillOpen(t, other)
				admitted(t, "the session", b.get("/"))
				admitted(t, "the other token", s.browser().get("/", bearing(kept)))
			}
			there.ends("its socket in another process", far, 1008)
			refused(t, "a request there", there.browser().get("/", bearing(text)), http.StatusUnauthorized)
			refused(t, "after a restart", siteOver(t, s.db).browser().get("/", bearing(text)), http.StatusUnauthorized)
		})
	}
	t.Run("its end", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, clocked(clock)).listen()
		s.add("alice", siteWrites)
		text := s.token("alice", userauth.NewToken{Name: "x", Expires: clock.now().Add(time.Hour)})
		conn, _ := s.browser().enter(bearing(text))
		clock.advance(time.Hour)
		s.ends("expired", conn, 1008)
		refused(t, "a request", s.browser().get("/", bearing(text)), http.StatusUnauthorized)
	})
	t.Run("a permission that its owner loses", func(t *testing.T) {
		t.Parallel()
		s := newSite(t).listen()
		s.add("alice", siteWrites)
		both := s.token("alice", userauth.NewToken{Name: "both", Permissions: siteWrites})
		reads := s.token("alice", userauth.NewToken{Name: "reads", Permissions: siteReads})
		conn, welcome := s.browser().enter(bearing(both))
		kept, narrow := s.browser().enter(bearing(reads))
		if len(welcome.Permissions["contents"]) != 2 || len(narrow.Permissions["contents"]) != 1 {
			t.Errorf("got %v and %v", welcome.Permissions, narrow.Permissions)
		}
		s.change("alice", userauth.AccountChange{Revoke: auth.Permissions{"contents": {"write"}}})
		s.ends("what was checked has changed", conn, 1008)
		stillOpen(t, kept)
	})
}

func (s *site) tokenNamed(owner, name string) userauth.Token {
	s.t.Helper()
	list, err := s.users.Accounts().Tokens(s.t.Context(), owner)
	for _, made := range list {
		if made.Name == name {
			return made
		}
	}
	s.t.Fatalf("got %v, %v, want one called %q", list, err, name)
	return userauth.Token{}
}

// What ends logins, and is done by the user, ends no token.
func TestWhatTokensOutlive(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*site, *browser) error{
		"the owner's new password": func(_ *site, b *browser) error {
			return processDone(b.json(http.MethodPost, "/auth/password", `{"current":"`+sitePassword+`","new":"`+nextPassword+`"}`))
		},
		"signing out":            func(_ *site, b *browser) error { return processDone(b.json(http.MethodPost, "/auth/logout", "")) },
		"signing out all others": func(_ *site, b *browser) error { return processDone(b.delete("/auth/sessions")) },
		"sessions ended by admins": func(s *site, _ *browser) error {
			_, err := s.users.Accounts().EndSessions(t.Context(), "alice")
			return err
		},
		"its id as that of a login": func(s *site, b *browser) error {
			b.delete("/auth/sessions/" + s.tokenNamed("alice", "all").ID)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t).listen()
			s.add("alice", siteWrites)
			text := s.everything("alice")
			conn, _ := s.browser().enter(bearing(text))
			if err := do(s, s.in("alice")); err != nil {
				t.Fatal(err)
			}
			admitted(t, "the token", s.browser().get("/", bearing(text)))
			stillOpen(t, conn)
		})
	}
	t.Run("more logins than a user can have", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, func(c *userauth.Config) { c.SessionsPerUser = 2 })
		s.add("alice", nil)
		text := s.everything("alice")
		for range 3 {
			s.in("alice")
		}
		admitted(t, "the token", s.browser().get("/", bearing(text)))
		if n := s.count("sessions"); n != 3 {
			t.Errorf("got %d rows, want two logins and a token", n)
		}
	})
}

// K-06, V-03: no request that begins after a revocation has returned succeeds, however many are under way.
func TestNoRevokedTokenIsServed(t *testing.T) {
	t.Parallel()
	for name, revoke := range revocations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.add("alice", siteWrites)
			s.add("root", auth.Permissions{"admin": {"*"}})
			text := s.everything("alice")
			made := s.tokenNamed("alice", "all")
			const users = 20
			revoked := make(chan struct{})
			var served, all sync.WaitGroup
			served.Add(users)
			for range users {
				all.Go(func() {
					b := s.browser()
					for i := range 50 {
						got := b.get("/", bearing(text))
						if i == 0 {
							admitted(t, "before", got)
							served.Done()
						} else if got.Status != http.StatusOK && got.Status != http.StatusUnauthorized {
							t.Errorf("got %d", got.Status)
						}
					}
					<-revoked
					for range 10 {
						refused(t, "afterwards", b.get("/", bearing(text)), http.StatusUnauthorized)
					}
				})
			}
			served.Wait()
			if err := revoke(s, made); err != nil {
				t.Error(err)
			}
			close(revoked)
			all.Wait()
		})
	}
}

// K-07, D-01, D-02: a database that can't be asked neither lets a token in nor has it revoked, and says so.
func TestTokensWithoutADatabase(t *testing.T) { onEngines(t, testTokensWithoutADatabase) }

func testTokensWithoutADatabase(t *testing.T) {
	s, faults, base := faultSite(t)
	s.add("alice", siteReads)
	text := s.everything("alice")
	made := s.tokenNamed("alice", "all")
	b := s.in("alice")
	admitted(t, "before", s.browser().get("/", bearing(text)))
	faults.Fail()
	for what, got := range map[string]answer{
		"revoking":  b.delete("/auth/tokens/" + made.ID),
		"by a form": b.post("/auth/tokens/"+made.ID+"/end", nil),
		"making":    b.json(http.MethodPost, "/auth/tokens", `{"name":"x"}`),
		"listing":   b.get("/auth/tokens"),
	} {
		refused(t, what, got, http.StatusServiceUnavailable)
		if got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: when to try again isn't said", what)
		}
	}
	eventually(t, "what memory knew of the token is too old", func() bool {
		got := s.browser().get("/", bearing(text))
		if got.Status != http.StatusOK && got.Status != http.StatusServiceUnavailable {
			t.Errorf("use: got %d", got.Status)
		}
		return got.Status == http.StatusServiceUnavailable && !got.reached()
	})
	if n := len(s.eventsOf(auth.EventTokenEnded)); n != 0 {
		t.Errorf("%d revocations are reported", n)
	}
	faults.Heal()
	eventually(t, "the token is good again", func() bool { return s.browser().get("/", bearing(text)).Status == http.StatusOK })
	if n := len(faultOther(t, base).tokensOf("alice")); n != 1 {
		t.Errorf("got %d tokens, want the one from before", n)
	}
	if got := b.delete("/auth/tokens/" + made.ID); got.Status != http.StatusNoContent {
		t.Errorf("revoking: got %d", got.Status)
	}
	refused(t, "revoked", s.browser().get("/", bearing(text)), http.StatusUnauthorized)
}

func (s *site) tokensOf(name string) []userauth.Token {
	s.t.Helper()
	list, err := s.users.Accounts().Tokens(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}
