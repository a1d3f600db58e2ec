package userauth_test

import (
	"net/http"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// What a database holds may have been damaged, or written by hand. Who is concerned has to log in again; nobody else is
// looked up in vain because of it.
func TestBrokenClaims(t *testing.T) {
	t.Parallel()
	for name, claims := range map[string]string{
		"cut short":           `{"user":{"Username":"le`,
		"of another type":     `{"user":{"Username":"lena"},"permissions":["*"]}`,
		"of nobody":           `{"unrestricted":true}`,
		"JSON's nothing":      `null`,
		"nothing":             ``,
		"an element too much": `{"user":{"Username":"lena"}} {}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authenticatedBy(newDirectory(lena()))).listen()
			s.add("alice", siteWrites)
			alice, b := s.in("alice"), s.in("lena")
			hers, _ := alice.enter()
			conn, _ := b.enter()
			if _, err := s.db.ExecContext(t.Context(), "UPDATE auth_externals SET claims = ?", claims); err != nil {
				t.Fatal(err)
			}
			// A role concerns everybody: all who have a socket are looked up together.
			if _, err := s.users.Accounts().PutRole(t.Context(), userauth.Role{Name: "new"}); err != nil {
				t.Fatal(err)
			}
			s.ends("lena's", conn, 1008)
			send(t, hers, "by alice")
			if got := received(t, hers); got.Text != "by alice" {
				t.Errorf("alice's socket: got %+v, want her edit", got)
			}
			refused(t, "lena", b.get("/api/contents/demo"), http.StatusUnauthorized)
			if events := s.eventsOf(auth.EventFault); len(events) == 0 || events[0].UserID != "user:2" {
				t.Errorf("got %+v, want the one whose row is broken", events)
			}
			admitted(t, "after a login", s.in("lena").get("/api/contents/demo"))
		})
	}
}
