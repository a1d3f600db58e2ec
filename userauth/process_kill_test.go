package userauth_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// D-05: a server is killed, at any point, while users are added, log in and out, get new sessions and API tokens, revoke some
// of these and change passwords. The
// database opens; what was acknowledged is there, and no half of anything.
func TestAKilledServerLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	rounds := 6 / faultStep(2)
	if faultLong {
		rounds = 200
	}
	path := filepath.Join(t.TempDir(), "app.db")
	killMakeRole(t, path)
	var lives []*killLife
	var acknowledged atomic.Int64
	for round := range rounds {
		// Nobody else has the database open: whoever is next finds what the dead one left.
		child := startProcess(t, "serve", path)
		there := child.site(t)
		enough := acknowledged.Load() + int64(10+rand.IntN(100))
		kill := sync.OnceFunc(func() {
			if rand.IntN(2) == 0 { // while the answer is on its way
				_ = child.cmd.Process.Kill()
				return
			}
			time.AfterFunc(rand.N(5*time.Millisecond), child.kill)
		})
		var all sync.WaitGroup
		for worker := range 6 {
			life := &killLife{site: there, name: fmt.Sprintf("r%dw%d", round, worker), password: sitePassword, sessions: map[string]killState{}, tokens: map[string]killState{}, acknowledged: func() {
				if acknowledged.Add(1) >= enough {
					kill()
				}
			}}
			lives = append(lives, life)
			all.Go(life.live)
		}
		all.Wait()
		<-child.left
	}
	s := faultOpen(t, path)
	var sound string
	if err := s.db.GetContext(t.Context(), &sound, "PRAGMA integrity_check"); err != nil || sound != "ok" {
		t.Fatalf("integrity check: %q, %v", sound, err)
	}
	var half int
	err := s.db.GetContext(t.Context(), &half, "SELECT COUNT(*) FROM auth_users u WHERE password_hash = '' "+
		"OR NOT EXISTS (SELECT 1 FROM auth_user_roles WHERE user_id = u.id) "+
		"OR (SELECT COUNT(*) FROM auth_user_permissions WHERE user_id = u.id) <> 2")
	if err != nil || half != 0 {
		t.Errorf("%d users are half there, %v", half, err)
	}
	users, sessions := 0, 0
	for _, life := range lives {
		users += len(life.added)
		sessions += len(life.sessions)
		life.check(t, s)
	}
	t.Logf("%d kills; %d users, %d sessions, %d answers acknowledged something", rounds, users, sessions, acknowledged.Load())
}

func killMakeRole(t *testing.T, path string) {
	t.Helper()
	faultRevoke(t, &storetest.Database{On: storetest.SQLite, Path: path}, func(a *userauth.Accounts) error {
		putRole(t, a, "member", nil)
		return nil
	})
}

// A killState is what a client knows of a session.
type killState int

const (
	killLives killState = iota
	killMayHaveEnded
	killEnded
)

// A killLife is one user's, as far as its client knows; and that of others who never log in.
type killLife struct {
	site         *site
	name         string
	added        []string
	password     string // acknowledged
	perhaps      string // asked for, without an answer
	sessions     map[string]killState
	tokens       map[string]killState // for the API, by their text
	last         tokenItem
	acknowledged func()
}

// live goes on until the server is gone.
func (l *killLife) live() {
	for more := l.add(l.name); more; {
		a, b := l.site.browser(), l.site.browser()
		more = l.logIn(a) && l.logIn(b) && l.logIn(b) && l.issue(b) && l.issue(b) && l.revoke(b) && l.logOut(a) && l.change(b) && l.add(fmt.Sprint(l.name, "n", len(l.added)))
	}
}

func (l *killLife) add(name string) bool {
	if !l.said(l.site.browser().do("POST", "/test/add?name="+name, ""), http.StatusOK) {
		return false
	}
	l.added = append(l.added, name)
	return true
}

// said tells whether the answer acknowledges what was asked.
func (l *killLife) said(got answer, status int) bool {
	switch got.Status {
	case status:
		l.acknowledged()
		return true
	case http.StatusBadGateway: // it was killed
	case http.StatusServiceUnavailable: // a slow disk: nobody knows, either
	default:
		l.site.t.Errorf("%s: got %d %s, want %d", l.name, got.Status, got.text(), status)
	}
	return false
}

// logIn is also how a session is replaced by another.
func (l *killLife) logIn(b *browser) bool {
	_, old := b.session()
	l.mayEnd(old)
	if !l.said(b.login(l.name, l.password, elsewhere()), http.StatusOK) {
		return false
	}
	l.ended(old)
	_, token := b.session()
	l.sessions[token] = killLives
	return true
}

func (l *killLife) issue(b *browser) bool {
	got := b.json("POST", "/auth/tokens", `{"name":"x"}`)
	if !l.said(got, http.StatusCreated) {
		return false
	}
	var made tokenItem
	got.decode(l.site.t, &made)
	l.tokens[made.Text] = killLives
	l.last = made
	return true
}

// revoke revokes the token that was issued last.
func (l *killLife) revoke(b *browser) bool {
	l.tokens[l.last.Text] = killMayHaveEnded
	if !l.said(b.json("DELETE", "/auth/tokens/"+l.last.ID, ""), http.StatusNoContent) {
		return false
	}
	l.tokens[l.last.Text] = killEnded
	return true
}

func (l *killLife) logOut(b *browser) bool {
	_, token := b.session()
	l.mayEnd(token)
	if !l.said(b.json("POST", "/auth/logout", ""), http.StatusNoContent) {
		return false
	}
	l.ended(token)
	return true
}

func (l *killLife) change(b *browser) bool {
	l.perhaps = nextPassword
	if l.password == nextPassword {
		l.perhaps = sitePassword
	}
	for token := range l.sessions {
		l.mayEnd(token)
	}
	if !l.said(b.json("POST", "/auth/password", `{"current":"`+l.password+`","new":"`+l.perhaps+`"}`), http.StatusNoContent) {
		return false
	}
	l.password, l.perhaps = l.perhaps, ""
	for token := range l.sessions {
		l.ended(token)
	}
	_, token := b.session()
	l.sessions[token] = killLives
	return true
}

func (l *killLife) mayEnd(token string) {
	if state, ok := l.sessions[token]; ok && state == killLives {
		l.sessions[token] = killMayHaveEnded
	}
}

func (l *killLife) ended(token string) {
	if _, ok := l.sessions[token]; ok {
		l.sessions[token] = killEnded
	}
}

// check fails the test unless s knows what the client was told.
func (l *killLife) check(t *testing.T, s *site) {
	t.Helper()
	for _, name := range l.added {
		if _, err := s.users.Accounts().Get(t.Context(), name); err != nil {
			t.Errorf("%s was acknowledged and is lost: %v", name, err)
		}
	}
	if len(l.added) == 0 {
		return
	}
	first, err := s.users.Accounts().VerifyPassword(t.Context(), l.name, sitePassword)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.users.Accounts().VerifyPassword(t.Context(), l.name, nextPassword)
	if err != nil {
		t.Fatal(err)
	}
	if first == second || l.perhaps == "" && first != (l.password == sitePassword) {
		t.Errorf("%s: the passwords are right: %t, %t; want exactly %q", l.name, first, second, l.password)
	}
	for token, state := range l.sessions {
		got := s.faultHolder(token).get("/").Status
		if state == killLives && got != http.StatusOK || state == killEnded && got != http.StatusUnauthorized {
			t.Errorf("%s: a session in state %d: got %d", l.name, state, got)
		}
	}
	for text, state := range l.tokens {
		got := s.browser().get("/", bearing(text)).Status
		if state == killLives && got != http.StatusOK || state == killEnded && got != http.StatusUnauthorized {
			t.Errorf("%s: a token in state %d: got %d", l.name, state, got)
		}
	}
}
