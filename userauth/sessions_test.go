package userauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/tokenauth"
	"github.com/ostiary/auth/userauth"
)

// S-01: tokens are 43 characters that fit a URL, of 256 bits, and no two are equal; nor are the public ids.
func TestTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *userauth.Config) { c.SessionsPerUser = 1000 })
	s.add("alice", nil)
	const n = 100
	tokens, bits := map[string]bool{}, [256]int{}
	for range n {
		_, token := s.in("alice").session()
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(raw) != 32 || tokens[token] {
			t.Fatalf("got the token %q, %v, or had it before", token, err)
		}
		tokens[token] = true
		for i := range bits {
			bits[i] += int(raw[i/8] >> (i % 8) & 1)
		}
	}
	for i, ones := range bits { // 8 standard deviations off: not in one of 10^12 runs
		if ones < n/2-40 || ones > n/2+40 {
			t.Errorf("bit %d is set in %d of %d tokens", i, ones, n)
		}
	}
	if got := s.count("sessions"); got != n {
		t.Errorf("got %d sessions, want %d", got, n)
	}
	var ids int
	if err := s.db.Get(&ids, "SELECT COUNT(DISTINCT id) FROM auth_sessions"); err != nil || ids != n {
		t.Errorf("got %d ids, %v, want %d", ids, err, n)
	}
}

// S-02, S-22, D-16: nothing in the database is a credential.
func TestACopyOfTheDatabaseLogsNobodyIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("alice", nil)
	b := s.in("alice")
	name, token := b.session()
	_, device := b.device()
	sum := sha256.Sum256([]byte(token))
	found := false
	var tables []string
	if err := s.db.Select(&tables, "SELECT name FROM sqlite_master WHERE type = 'table'"); err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	for _, table := range tables {
		rows, err := s.db.Queryx("SELECT * FROM " + table)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, err := rows.SliceScan()
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				text := fmt.Sprint(v)
				if b, ok := v.([]byte); ok {
					text = string(b)
				}
				for _, secret := range []string{token, string(raw), device, sitePassword} {
					if strings.Contains(text, secret) {
						t.Errorf("%s holds %q", table, secret)
					}
				}
				found = found || text == string(sum[:])
				// What is stored, in any spelling, is no cookie.
				for _, value := range []string{text, hex.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text))} {
					if !strings.ContainsAny(value, "\x00\r\n;") {
						refused(t, table, s.browser().get("/", with("Cookie", name+"="+value)), http.StatusUnauthorized)
					}
				}
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
		rows.Close()
	}
	if !found {
		t.Error("the token's SHA-256 is nowhere: this test looks in the wrong place")
	}
	admitted(t, "the cookie", b.get("/"))
}

func TestSessions(t *testing.T) { onEngines(t, testSessions) }

func testSessions(t *testing.T) {
	t.Run("L-01 L-02 each login is a new session, and ends the browser's old one", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.add("bob", nil)
		planted := s.browser()
		fixed := strings.Repeat("A", 43)
		planted.cookies["ostiary-user-8888"] = fixed
		attacker := planted.copy()
		planted.logIn("alice", sitePassword)
		if _, value := planted.session(); value == fixed {
			t.Error("the planted value is the session")
		}
		refused(t, "the planted cookie", attacker.get("/"), http.StatusUnauthorized)
		first := planted.copy()
		planted.logIn("alice", sitePassword)
		refused(t, "the session before", first.get("/"), http.StatusUnauthorized)
		second := planted.copy()
		planted.post("/auth/login", credentials("bob", sitePassword))
		refused(t, "alice's, after bob has logged in there", second.get("/"), http.StatusUnauthorized)
		if got := planted.me().Identity.Username; got != "bob" || s.count("sessions") != 1 {
			t.Errorf("got %q and %d sessions, want bob's one", got, s.count("sessions"))
		}
		// A wrong password ends nothing.
		refused(t, "a wrong one", planted.login("alice", "wrong"), http.StatusUnauthorized)
		admitted(t, "bob's still", planted.get("/"))
	})
	t.Run("JV48 a restart ends nothing", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		b := s.in("alice")
		s.users.Close()
		again := siteOver(t, s.db)
		admitted(t, "the old cookie", b.at(again).get("/"))
		s.faulty.Store(true)
		refused(t, "at the closed one", b.get("/"), http.StatusServiceUnavailable)
	})
	t.Run("S-12 S-14 S-15 who is deleted and comes again is somebody else", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		first := s.add("alice", siteReads)
		b := s.in("alice")
		admitted(t, "before", b.get("/"))
		if err := s.users.Accounts().Delete(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		refused(t, "deleted", b.copy().get("/"), http.StatusUnauthorized)
		if second := s.add("alice", nil); second.ID == first.ID {
			t.Errorf("got the ID %s again", second.ID)
		}
		refused(t, "the old cookie", b.copy().get("/"), http.StatusUnauthorized)
		refused(t, "what the first one held", s.in("alice").get("/api/contents/demo"), http.StatusForbidden)
	})
	t.Run("S-19 a user has so many sessions, and the longest unused goes", func(t *testing.T) {
		t.Parallel()
		clock := newSiteClock()
		s := newSite(t, clocked(clock), func(c *userauth.Config) { c.SessionsPerUser = 3 })
		s.add("alice", nil)
		var browsers []*browser
		for range 5 {
			browsers = append(browsers, s.in("alice"))
			clock.advance(time.Second)
		}
		for i, b := range browsers {
			if i < 2 {
				refused(t, fmt.Sprint(i), b.get("/"), http.StatusUnauthorized)
			} else {
				admitted(t, fmt.Sprint(i), b.get("/"))
			}
		}
		if n := s.count("sessions"); n != 3 {
			t.Errorf("got %d sessions, want 3", n)
		}
	})
	t.Run("S-24 a session is nothing to another backend, nor its to this", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		_, token := s.in("alice").session()
		tokens, err := tokenauth.New(t.Context(), tokenauth.Config{Token: "6fd1f5c6a3be4f0a9c27b8d05e13f4a2b69c7d80e1f2a3b4"})
		if err != nil {
			t.Fatal(err)
		}
		defer tokens.Close()
		other := &site{t: t, Handler: tokens.CurrentUser(nil)(s.reach(s.page)), host: s.host}
		for _, name := range []string{"ostiary-user-8888", "ostiary-token-8888"} {
			refused(t, name, other.browser().get("/", with("Cookie", name+"="+token)), http.StatusUnauthorized)
		}
		refused(t, "as a header", other.browser().get("/", with("Authorization", "Bearer "+token)), http.StatusUnauthorized)
		refused(t, "as a header, here", s.browser().get("/", with("Authorization", "Bearer "+token)), http.StatusUnauthorized)
		refused(t, "in the address, here", s.browser().get("/?token="+token), http.StatusUnauthorized)
	})
	t.Run("S-25 another engine's session in the same database", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		account := s.add("alice", nil)
		token := strings.Repeat("B", 43)
		now := time.Now().Unix()
		err := userauth.WriteIn(t.Context(), s.users, func(tx *store.Tx) error {
			return tx.AddSession(store.Session{Hash: sha256.Sum256([]byte(token)), ID: "x", User: userNumber(t, account), Realm: "oidc", Created: now, Seen: now, Expires: now + 3600}, 5)
		})
		if err != nil {
			t.Fatal(err)
		}
		refused(t, "its token", s.browser().get("/", with("Cookie", "ostiary-user-8888="+token)), http.StatusUnauthorized)
		b := s.in("alice")
		if got := b.get("/auth/sessions"); strings.Count(got.Body, `"id"`) != 1 {
			t.Errorf("got %s, want the own one", got.Body)
		}
		if got := b.do(http.MethodDelete, "/auth/sessions/x", "", with("Sec-Fetch-Site", "same-origin")); got.Status != http.StatusNotFound {
			t.Errorf("ending it: got %d, want 404", got.Status)
		}
		if n := s.count("sessions"); n != 2 {
			t.Errorf("got %d sessions, want both", n)
		}
	})
	t.Run("G-05 a login is told, with who and from where", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		s.in("Alice")
		events := s.eventsOf(auth.EventLogin)
		if len(events) != 1 || events[0].UserID != "user:1" || events[0].Username != "alice" || events[0].Address.String() != "192.0.2.7" || events[0].Time.Location() != time.UTC {
			t.Errorf("got %+v", events)
		}
	})
}
