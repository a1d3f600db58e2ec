package oidcauth_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/oidcauth"
)

// S-02, S-03, S-08, S-22, S-24: a cookie is that of a session of ours, to the letter, or nothing.
func TestSessionCookies(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser().mustLogin()
	name, value := b.cookie()
	var stored []byte
	if err := s.db.GetContext(t.Context(), &stored, "SELECT token_hash FROM auth_sessions"); err != nil {
		t.Fatal(err)
	}
	// Of another backend over the same database.
	const foreign = "A0123456789012345678901234567890123456789_-"
	s.change(func(tx *store.Tx) error {
		id, err := tx.AddUser(store.User{Username: "carol", Key: "carol", Created: 1})
		if err != nil {
			return err
		}
		hash, ok := session.HashOf(foreign)
		if !ok {
			t.Fatalf("%q can't be a token", foreign)
		}
		now := time.Now().Unix()
		return tx.AddSession(store.Session{Hash: hash, ID: "x", User: id, Realm: "userauth", Created: now, Seen: now, Expires: now + 3600}, 0)
	})
	flip := func(text string) string {
		return strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z':
				return r - 'a' + 'A'
			case r >= 'A' && r <= 'Z':
				return r - 'A' + 'a'
			}
			return r
		}, text)
	}
	last := value[len(value)-1]
	for what, altered := range map[string]string{
		"without its end":                 value[:len(value)-1],
		"with more":                       value + "A",
		"in the other case":               flip(value),
		"with the last bits of its bytes": value[:len(value)-1] + string(last^1),
		"the stored hash":                 base64.RawURLEncoding.EncodeToString(stored),
		"S-24 another backend's":          foreign,
		"empty":                           "",
	} {
		if a := s.browser().do("GET", "/api", "", "Cookie", name+"="+altered); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", what, a.StatusCode)
		}
	}
	if !b.in() {
		t.Error("as it is: not logged in")
	}
}

// S-07: a session ends when it isn't used, and at its absolute end however much it is.
func TestIdleAndLifetime(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) {
		pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
		pl.cfg.Idle, pl.cfg.Lifetime = time.Hour, 150*time.Minute
	})
	used, idle := s.browser(), s.browser()
	used.as("alice")
	idle.as("alice")
	now.forward(50 * time.Minute)
	if !used.in() {
		t.Fatal("ended before it was idle for long enough")
	}
	now.forward(50 * time.Minute)
	if !used.in() || idle.in() {
		t.Errorf("after 50 minutes, and 100: in: %v, %v", used.in(), idle.in())
	}
	now.forward(45 * time.Minute)
	if !used.in() {
		t.Error("ended before its time")
	}
	now.forward(10 * time.Minute)
	if used.in() {
		t.Error("lives on after its time")
	}
}

// S-18, S-19: only logins make sessions, and nobody has more of them than SessionsPerUser.
func TestGrowth(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(pl *plan) { pl.cfg.SessionsPerUser = 3 })
	for range 50 {
		s.browser().open("/")
		s.browser().open("/auth/login")
		s.browser().open("/auth/callback/corp?code=c&state=s")
		s.browser().do("POST", "/auth/logout", "")
	}
	for _, table := range []string{"auth_sessions", "auth_users", "auth_externals", "auth_marks"} {
		if n := s.rows(table); n != 0 {
			t.Errorf("strangers have left %d rows in %s", n, table)
		}
	}
	var browsers []*browser
	for range 5 {
		b := s.browser()
		b.as("alice")
		browsers = append(browsers, b)
	}
	bob := s.browser()
	bob.as("bob")
	if n := s.rows("auth_sessions"); n != 4 {
		t.Errorf("got %d sessions, want 3 of alice and 1 of bob", n)
	}
	if !browsers[4].in() || !bob.in() {
		t.Error("the last one has ended")
	}
}

// S-25: an application over the same database that doesn't know the provider takes none of its people.
func TestAnotherApplicationsProvider(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser().mustLogin()
	op, err := oidctest.New(oidctest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(op.Close)
	s.cfg.Providers = []oidcauth.Provider{{Name: "corp", Issuer: op.Issuer(), ClientID: clientID, ClientSecret: clientSecret}}
	first, other := s.first(), b.copy()
	s.another(s.db).use()
	if b.in() {
		t.Error("logged in by a provider that isn't one here")
	}
	if first.use(); !other.in() {
		t.Error("not logged in any more where it is one")
	}
}
