package userauth_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// hashesWith makes s hash at this cost.
func hashesWith(t *testing.T, s *site, cfg password.Config) *password.Hasher {
	t.Helper()
	h, err := password.NewHasher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	userauth.UseHasher(s.users, h, cfg.Params)
	return h
}

// store stores a hash of the user's, whatever its cost.
func (s *site) storeHash(account userauth.Account, hash string) {
	s.t.Helper()
	err := userauth.WriteIn(s.t.Context(), s.users, func(tx *store.Tx) error { return tx.ReplacePassword(userNumber(s.t, account), hash, 0) })
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) hashOf(name string) (hash string) {
	s.t.Helper()
	if err := s.db.GetContext(s.t.Context(), &hash, "SELECT password_hash FROM auth_users WHERE username = ?", name); err != nil {
		s.t.Fatal(err)
	}
	return hash
}

// P-12, P-13, B-05: whatever is wrong takes the work of one hash, and what is limited or too long none. Counted by the
// memory that a hash takes, not by the time, which would depend on the weather; so it can't be parallel.
func TestWorkOfALogin(t *testing.T) {
	cost := password.Params{Memory: 8 << 10, Time: 1, Threads: 1}
	s := newSite(t, clocked(newSiteClock())) // which stands still: who is limited stays so
	hashesWith(t, s, password.Config{Params: cost})
	s.add("alice", nil)
	s.add("eve", nil)
	s.disable("eve")
	for name, hash := range map[string]string{"none": "", "bang": "!", "junk": "$argon2id$v=19$m=8"} {
		s.storeHash(s.add(name, nil), hash)
	}
	old, err := cheap(t).Hash(t.Context(), sitePassword)
	if err != nil {
		t.Fatal(err)
	}
	s.storeHash(s.add("weak", nil), old.Encoded())
	for range freeAccount {
		s.browser().login("limited", "wrong", elsewhere())
	}
	b := s.in("alice")
	for _, tc := range []struct {
		name   string
		do     func() answer
		status int
		hashes uint64
	}{
		{"an unknown user", func() answer { return s.browser().login("nobody", "wrong", elsewhere()) }, 401, 1},
		{"a name that nobody can have", func() answer { return s.browser().login("a/b", "wrong", elsewhere()) }, 401, 1},
		{"a wrong password", func() answer { return s.browser().login("alice", "wrong", elsewhere()) }, 401, 1},
		{"an empty one", func() answer { return s.browser().login("alice", "", elsewhere()) }, 401, 1},
		{"an unknown user without one", func() answer { return s.browser().login("nobody", "", elsewhere()) }, 401, 1},
		{"disabled, the right one", func() answer { return s.browser().login("eve", sitePassword, elsewhere()) }, 401, 1},
		{"disabled, a wrong one", func() answer { return s.browser().login("eve", "wrong", elsewhere()) }, 401, 1},
		{"no password", func() answer { return s.browser().login("none", "wrong", elsewhere()) }, 401, 1},
		{"locked", func() answer { return s.browser().login("bang", "wrong", elsewhere()) }, 401, 1},
		{"no hash", func() answer { return s.browser().login("junk", "wrong", elsewhere()) }, 401, 1},
		{"the right one", func() answer { return s.browser().login("alice", sitePassword, elsewhere()) }, 200, 1},
		{"the right one of a weak hash", func() answer { return s.browser().login("weak", sitePassword, elsewhere()) }, 200, 1}, // and the weak one's
		{"B-05 limited", func() answer { return s.browser().login("limited", "wrong", elsewhere()) }, 429, 0},
		{"P-02 too long", func() answer { return s.browser().login("alice", strings.Repeat("x", 257), elsewhere()) }, 400, 0},
		{"P-03 200 KiB", func() answer { return s.browser().login("alice", strings.Repeat("x", 200<<10), elsewhere()) }, 413, 0},
		{"L-03 from another site", func() answer {
			return s.browser().login("alice", sitePassword, with("Sec-Fetch-Site", "cross-site"))
		}, 403, 0},
		{"a change with a wrong current one", func() answer { return b.setPassword("wrong", nextPassword) }, 403, 1},
		{"a change to a weak one", func() answer { return b.setPassword(sitePassword, "short") }, 400, 1},
		{"a change", func() answer { return b.setPassword(sitePassword, nextPassword) }, 204, 2},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := tc.do()
		runtime.ReadMemStats(&after)
		// Half a hash is more than all else that a request allocates.
		hashes := (after.TotalAlloc - before.TotalAlloc + uint64(cost.Memory)<<9) / (uint64(cost.Memory) << 10)
		if got.Status != tc.status || hashes != tc.hashes {
			t.Errorf("%s: got %d and %d hashes, want %d and %d", tc.name, got.Status, hashes, tc.status, tc.hashes)
		}
	}
}

// FU29, PH-12: a hash that costs less than new ones, or that another program made, is replaced when its owner logs in, and
// at no other time. Those of others are made by the programs themselves, at next to no cost.
func TestRehash(t *testing.T) {
	t.Parallel()
	weak, err := cheap(t).Hash(t.Context(), sitePassword)
	if err != nil {
		t.Fatal(err)
	}
	for name, stored := range map[string]string{
		"less memory":                weak.Encoded(),
		"in Jupyter's configuration": "argon2:" + weak.Encoded(),
		"Argon2i":                    "$argon2i$v=19$m=64,t=1,p=1$EaI0Zuz9/783BkBoDUFIyQ$3s050qWUnTD6qIv7rsMD9A",
		"Argon2id of Django":         "argon2$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$VGZsQb5P7h72nMeJrVsbBQ",
		"bcrypt":                     "$2b$04$3npk2UQnolZ8NtWe7Px1PupKy8ZI8JF74Gh5EzpLE8jJv21M8YAmS",
		"bcrypt of Django":           "bcrypt$$2b$04$FdvxxWdTv/DY0bAAjwehrukmdp2wZIeXSuN72.f.TVdlTWD0zo8Bq",
		"bcrypt of a SHA-256":        "bcrypt_sha256$$2b$04$Clpgx/BPyAMz7KfLnqd4mOb5VdU.8QRT4ycik1S6G7fyp1E25JEJq",
		"scrypt of passlib":          "$scrypt$ln=4,r=8,p=1$wrj3HoPQOqeUklKKMSZkzA$cGircQ38R1mHs/yDrGLXEMYj3SOO4fCCYCqZZGdK4qk",
		"scrypt of Django":           "scrypt$16$saltsalt$8$1$VeIlxw95sruwuUcaIcKg8wxR8dDR4tihykA+80Km2LpCkM3TJyhUHC8O2hFT1KjHAc1XZuV//bjPjmU5BCIY+Q==",
		"scrypt of Werkzeug":         "scrypt:16:8:1$saltsalt$55e225c70f79b2bbb0b9471a21c2a0f30c51f1d0d1e2d8a1ca403ef342a6d8ba4290cdd32728541c2f0eda1153d4a8c701cd5766e57ffdb8cf8e6539042218f9",
		"PBKDF2 of passlib":          "$pbkdf2-sha256$10$GSPk3HtPKSUkpFQq5ZwTYg$6rVw3OiyIQGwwyyzhXzt4xUlTpjN27jrkZ0UUZG367Q",
		"PBKDF2 with SHA-512":        "$pbkdf2-sha512$10$EcLYew.hFAJgrPW.l9Iagw$HglnkuPIlCT1wRi2NrXo8U5DgHGTW7PJ/QZhovErHEM7Olk5BVUdYW9Pr7QOaTwBPCbcyQCVaJSVS0FEjgDpeA",
		"PBKDF2 of Django":           "pbkdf2_sha256$10$saltsalt$LboEiB9mq5auOV4JRtjgecA+5Q9Zom4j94odJfu1YLA=",
		"PBKDF2 with SHA-1":          "pbkdf2_sha1$10$saltsalt$rogd08zReqXXXf8j398DqqNIPpY=",
		"PBKDF2 of Werkzeug":         "pbkdf2:sha256:10$saltsalt$2dba04881f66ab96ae395e0946d8e079c03ee50f59a26e23f78a1d25fbb560b0",
		"SHA-512 crypt":              "$6$rounds=1000$spISzuNAGFPpoicb$Z8ZCY08NzfMiYOR.ex5LknyUPBN3w7l/kFHduAATgVmM6/xpVmqMagFZ6AR3cr0QesOp0qa6QQ.9H1DTgoipK1",
		"SHA-1 of Jupyter":           "sha1:0e112c3ddfce:86c65cd89483cbef180561d668d811b19900f45f",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			cost := password.Params{Memory: 64, Time: 1, Threads: 1}
			hashesWith(t, s, password.Config{Params: cost})
			account := s.add("alice", nil)
			s.storeHash(account, stored)
			other := s.in("alice") // replaces it
			s.storeHash(account, stored)
			refused(t, "a wrong password", s.browser().login("alice", "wrong"), http.StatusUnauthorized)
			if got := s.hashOf("alice"); got != stored {
				t.Error("a wrong password has changed the hash")
			}
			s.in("alice")
			first := s.hashOf("alice")
			if !strings.HasPrefix(first, "$argon2id$v=19$m=64,t=1,p=1$") {
				t.Error("the hash isn't of the new cost")
			}
			s.in("alice")
			if got := s.hashOf("alice"); got != first {
				t.Error("the new hash was replaced again")
			}
			admitted(t, "a session from before: it is the same password", other.get("/"))
		})
	}
}

// PH-13: a login that replaces the hash, and a change of the password at once: the changed password wins.
func TestRehashAgainstAChange(t *testing.T) {
	t.Parallel()
	weak, err := cheap(t).Hash(t.Context(), sitePassword)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	hashesWith(t, s, password.Config{Params: password.Params{Memory: 64, Time: 1, Threads: 1}, Queue: 1000})
	account := s.add("alice", nil)
	for i := range 20 {
		s.storeHash(account, weak.Encoded())
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				b := s.browser()
				switch got := b.login("alice", sitePassword, elsewhere()); got.Status {
				case http.StatusOK, http.StatusUnauthorized:
				default:
					t.Errorf("got %d %s", got.Status, got.Body)
				}
			})
		}
		next := fmt.Sprint("brass kettle sings ", i)
		all.Go(func() {
			if err := s.users.Accounts().SetPassword(t.Context(), "alice", next); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		for pass, want := range map[string]bool{next: true, sitePassword: false} {
			if ok, err := s.users.Accounts().VerifyPassword(t.Context(), "alice", pass); ok != want || err != nil {
				t.Fatalf("round %d: %q: got %v, %v, want %v", i, pass, ok, err, want)
			}
		}
		// Nobody whom the old password let in has stayed.
		if list, err := s.users.Accounts().Sessions(t.Context(), "alice"); err != nil || len(list) != 0 {
			t.Fatalf("round %d: got %d sessions, %v, want none", i, len(list), err)
		}
		s.users.Accounts().SetPassword(t.Context(), "alice", sitePassword)
		s.browser().login("alice", sitePassword, elsewhere()) // or the account would be limited
		s.users.Accounts().EndSessions(t.Context(), "alice")
	}
}

// L-23, S-11: what a login has proved counts only if it is still so when the session begins. The change is under way, and
// not to be seen yet, while the password is verified.
func TestALoginDuringAChange(t *testing.T) {
	t.Parallel()
	next, err := cheap(t).Hash(t.Context(), nextPassword)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*store.Tx, int64) error{
		"the password is changed": func(tx *store.Tx, user int64) error { return tx.ReplacePassword(user, next.Encoded(), 0) },
		"the user is disabled":    func(tx *store.Tx, user int64) error { return tx.SetDisabled(user, true) },
		"the user is deleted":     func(tx *store.Tx, user int64) error { return tx.DeleteUser(user) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, faults := storetest.Open(t, t.TempDir()+"/app.db")
			s := siteOver(t, db)
			user := userNumber(t, s.add("alice", nil))
			changed, read, committed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			go func() {
				committed <- userauth.WriteIn(t.Context(), s.users, func(tx *store.Tx) error {
					if err := change(tx, user); err != nil {
						return err
					}
					close(changed)
					<-read
					return nil
				})
			}()
			<-changed
			faults.Heal() // counts anew
			answers := make(chan answer)
			const n = 3 // fewer than are limited
			for range n {
				go func() { answers <- s.browser().login("alice", sitePassword, elsewhere()) }()
			}
			eventually(t, "they have read the account, as it was", func() bool {
				asked := 0
				for _, call := range faults.Calls() {
					if strings.Contains(call, "FROM auth_users") {
						asked++
					}
				}
				return asked >= n
			})
			// As much work again as theirs, so that most of them have done it.
			if ok, err := s.users.Accounts().VerifyPassword(t.Context(), "alice", sitePassword); !ok || err != nil {
				t.Fatalf("got %v, %v: the change is to be seen already", ok, err)
			}
			close(read)
			for range n {
				refused(t, name, <-answers, http.StatusUnauthorized)
			}
			if err := <-committed; err != nil {
				t.Fatal(err)
			}
			if n := s.count("sessions"); n != 0 {
				t.Errorf("got %d sessions, want none", n)
			}
		})
	}
}

// PH-14: past what may be hashed and wait at once, 503 at once, which isn't counted as a guess.
func TestTooManyLogins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hashesWith(t, s, password.Config{Params: password.Params{Memory: 16 << 10, Time: 8, Threads: 1}, Parallel: 1, Queue: 1})
	s.faulty.Store(true)
	const n = 30
	answers := make([]answer, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { answers[i] = s.browser().login(fmt.Sprint("user", i), "wrong", elsewhere()) })
	}
	all.Wait()
	seen, busy := 0, ""
	for i, got := range answers {
		switch got.Status {
		case http.StatusUnauthorized:
			seen++
		case http.StatusServiceUnavailable:
			busy = fmt.Sprint("user", i)
			if refused(t, busy, got, http.StatusServiceUnavailable); got.Header.Get("Retry-After") == "" {
				t.Errorf("no Retry-After in %v", got.Header)
			}
		default:
			t.Errorf("got %d %s", got.Status, got.Body)
		}
	}
	if seen == 0 || busy == "" {
		t.Fatalf("%d of %d were looked at, want some and not all", seen, n)
	}
	hashesWith(t, s, password.Config{Params: siteCost})
	if got := lookedAt(t, 20, func(int) answer { return s.browser().login(busy, "wrong", elsewhere()) }); got != freeAccount {
		t.Errorf("%d guesses were looked at afterwards, want %d: a busy server's answer was counted", got, freeAccount)
	}
	if events := s.eventsOf(auth.EventUnavailable); len(events) == 0 {
		t.Error("nobody was told")
	}
}
