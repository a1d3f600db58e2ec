package oidcauth_test

import (
	"net/http"
	"testing"

	"github.com/ostiary/auth/internal/store"
)

// change writes to the database as another part of the application does.
func (s *stand) change(fn func(tx *store.Tx) error) {
	s.t.Helper()
	db, err := store.Open(s.t.Context(), s.db)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Write(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

// O-29, FU22: who is disabled here stays out, whatever the provider says, and what is open ends.
func TestDisabledHere(t *testing.T) {
	t.Parallel()
	s := newStand(t, writers)
	b, bob := s.browser(), s.browser()
	bob.as("bob")
	b.as("alice")
	socket, other := b.room(), bob.room()
	user := func(disabled bool) {
		var id int64
		if err := s.db.GetContext(t.Context(), &id, "SELECT user_id FROM auth_externals WHERE subject = 'alice'"); err != nil {
			t.Fatal(err)
		}
		s.change(func(tx *store.Tx) error { return tx.SetDisabled(id, disabled) })
	}
	user(true)
	if code := closed(t, socket, reach); code != 1008 {
		t.Errorf("the socket ends with %d, want 1008", code)
	}
	if b.in() {
		t.Error("still logged in")
	}
	echoes(t, other)
	again := s.browser()
	s.op.SignIn("alice")
	a := again.login("/auth/login")
	if status(t, "a login", a, http.StatusForbidden); again.in() || again.session() != "" {
		t.Errorf("in: %v, cookie %q", again.in(), again.session())
	}
	if n := s.rows("auth_sessions"); n != 2 {
		t.Errorf("got %d sessions, want those of before", n)
	}
	user(false)
	s.browser().mustLogin()
}

// Whom a local account is linked to is that account's user, and isn't a second one where Accounts is missing.
func TestPersonOfALocalAccount(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	bob := s.browser()
	bob.as("bob")
	var id int64
	s.change(func(tx *store.Tx) (err error) {
		id, err = tx.AddUser(store.User{Username: "alice", Key: "alice", Created: 1})
		if err != nil {
			return err
		}
		return tx.PutExternal(store.External{Issuer: s.op.Issuer(), Subject: "alice", User: id, Claims: `{"user":{"Username":"alice"}}`})
	})
	users := s.rows("auth_users")
	b := s.browser()
	s.op.SignIn("alice")
	a := b.login("/auth/login")
	if status(t, "a login", a, http.StatusForbidden); b.in() || b.session() != "" || s.rows("auth_users") != users || s.rows("auth_sessions") != 1 {
		t.Errorf("in: %v, cookie %q, %d users, %d sessions", b.in(), b.session(), s.rows("auth_users"), s.rows("auth_sessions"))
	}
	// Nor does a session of ours prove that account's user, should its row ever say so.
	if _, err := s.db.ExecContext(t.Context(), "UPDATE auth_sessions SET user_id = ?", id); err != nil {
		t.Fatal(err)
	}
	if s.another(s.db).use(); bob.in() {
		t.Error("a session of ours proves a local user")
	}
}
