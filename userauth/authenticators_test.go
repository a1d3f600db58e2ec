package userauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// A directory is what an LDAP server would be: it knows people whom the database doesn't. Who isn't in it may be in the
// next one.
type directory struct {
	mu     sync.Mutex
	people map[string]*auth.Identity
	asked  []string // each name, with "+" where a password came along
	answer func() (*auth.Identity, error)
}

func newDirectory(people ...auth.Identity) *directory {
	d := &directory{people: map[string]*auth.Identity{}}
	for _, id := range people {
		d.put(id)
	}
	return d
}

func (d *directory) put(id auth.Identity) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.people[id.User.Username] = &id
}

func (d *directory) Authenticate(ctx context.Context, username, password string) (*auth.Identity, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, username)
	if until, ok := ctx.Deadline(); !ok || time.Until(until) > 15*time.Second {
		return nil, errors.New("no deadline")
	}
	if d.answer != nil {
		return d.answer()
	}
	id := d.people[username]
	switch {
	case id == nil:
		return nil, auth.ErrNoCredentials
	case password != sitePassword:
		return nil, fmt.Errorf("directory: %w", auth.ErrInvalidCredentials)
	}
	return id, nil
}

func (d *directory) names() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.asked, " ")
}

// lena is somebody whom a directory knows.
func lena() auth.Identity {
	return auth.Identity{
		ID:          "ldap:uid=lena",
		User:        auth.User{Username: "lena", Name: "Lena Example", Color: "teal", Workspace: "[]"},
		Permissions: auth.Permissions{"contents": {"read"}},
	}
}

func authenticatedBy(all ...userauth.Authenticator) func(*userauth.Config) {
	return func(c *userauth.Config) { c.Authenticators = all }
}

// What an authenticator answers decides what the caller gets, and whether the next one is asked.
func TestAuthenticatorOutcomes(t *testing.T) {
	t.Parallel()
	says := func(change func(*auth.Identity)) func() (*auth.Identity, error) {
		return func() (*auth.Identity, error) {
			id := lena()
			change(&id)
			return &id, nil
		}
	}
	fails := func(err error) func() (*auth.Identity, error) {
		return func() (*auth.Identity, error) { return nil, err }
	}
	for _, tc := range []struct {
		name   string
		answer func() (*auth.Identity, error)
		status int
		next   bool // the next one is asked, who knows lena
	}{
		{"knows the password", says(func(*auth.Identity) {}), 200, false},
		{"knows nobody of that name", fails(auth.ErrNoCredentials), 200, true},
		{"knows nobody of that name, and says why", fails(fmt.Errorf("ldap: %w", auth.ErrNoCredentials)), 200, true},
		{"knows that it is wrong", fails(auth.ErrInvalidCredentials), 401, false},
		{"knows that it is wrong, and says why", fails(fmt.Errorf("ldap: 49: %w", auth.ErrInvalidCredentials)), 401, false},
		{"knows who may not", fails(auth.ErrForbidden), 401, false},
		{"can't tell", fails(errors.New("ldap: connection refused")), 503, false},
		{"can't tell, by our own name for it", fails(auth.ErrUnavailable), 503, false},
		{"has run out of time", fails(context.DeadlineExceeded), 503, false},
		{"panics", func() (*auth.Identity, error) { panic("with " + sitePassword) }, 503, false},
		{"panics with an error", func() (*auth.Identity, error) { panic(errors.New(sitePassword)) }, 503, false},
		{"says nothing", fails(nil), 503, false},
		{"gives no ID", says(func(id *auth.Identity) { id.ID = "" }), 503, false},
		{"gives no username", says(func(id *auth.Identity) { id.User.Username = "" }), 503, false},
		{"gives an ID of the database's", says(func(id *auth.Identity) { id.ID = "user:1" }), 503, false},
		{"gives an ID without end", says(func(id *auth.Identity) { id.ID = "ldap:" + strings.Repeat("x", 512) }), 503, false},
		{"gives an ID with a NUL", says(func(id *auth.Identity) { id.ID = "ldap:\x00" }), 503, false},
		{"gives an ID that isn't text", says(func(id *auth.Identity) { id.ID = "ldap:\xff" }), 503, false},
		{"gives a username without end", says(func(id *auth.Identity) { id.User.Username = strings.Repeat("x", 513) }), 503, false},
		{"gives a username with a NUL", says(func(id *auth.Identity) { id.User.Username = "lena\x00" }), 503, false},
		{"gives a username that isn't text", says(func(id *auth.Identity) { id.User.Username = "lena\xff" }), 503, false},
		{"gives a permission that is none", says(func(id *auth.Identity) { id.Permissions = auth.Permissions{"a*b": {"read"}} }), 503, false},
	} {
		for _, form := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, form %v", tc.name, form), func(t *testing.T) {
				t.Parallel()
				first, second := newDirectory(), newDirectory(lena())
				first.answer = tc.answer
				s := newSite(t, authenticatedBy(first, second))
				s.faulty.Store(tc.status >= 500)
				s.add("admin", auth.Permissions{"admin": {"*"}})
				b := s.browser()
				var got answer
				if want := tc.status; form {
					got = b.post("/auth/login", credentials("lena", sitePassword))
					if want == http.StatusOK {
						got.Status += http.StatusOK - http.StatusSeeOther
					}
				} else {
					got = b.login("lena", sitePassword)
				}
				if tc.status != http.StatusOK {
					refused(t, tc.name, got, tc.status)
				} else if got.Status != tc.status || b.me().Identity.Username != "lena" {
					t.Errorf("got %d %s", got.Status, got.text())
				}
				if tc.status >= 500 && got.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
				if asked := second.names(); (asked == "lena") != tc.next || asked != "" && asked != "lena" {
					t.Errorf("the next one was asked for %q", asked)
				}
				wantUsers := 1 // the admin
				if tc.status == http.StatusOK {
					wantUsers++
				}
				if n := s.count("users"); n != wantUsers {
					t.Errorf("got %d users, want %d", n, wantUsers)
				}
				if tc.status == http.StatusUnauthorized && !form {
					if unknown := s.browser().login("admin", "wrong"); got.Body != unknown.Body || fmt.Sprint(got.Header) != fmt.Sprint(unknown.Header) {
						t.Errorf("P-11: got %s, want %s", got.Body, unknown.Body)
					}
				}
			})
		}
	}
}

// A name of the database is nobody else's, and what is no name or no password reaches no directory.
func TestWhatReachesAuthenticators(t *testing.T) {
	t.Parallel()
	everybody := newDirectory()
	everybody.answer = func() (*auth.Identity, error) {
		id := lena()
		return &id, nil // whoever asks
	}
	clock := newSiteClock()
	s := newSite(t, clocked(clock), authenticatedBy(everybody))
	s.add("alice", nil)
	s.add("eve", nil)
	s.disable("eve")
	if _, err := s.users.Accounts().Add(t.Context(), userauth.NewAccount{Username: "sso"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"alice", "wrong"}, {"ALICE", "wrong"}, {"alice", ""}, {"eve", sitePassword}, {"sso", sitePassword}, {"sso", ""}, // of the database
		{"lena", ""}, {"", "x"}, {"le/na", "x"}, {" lena", "x"}, {"lena\x00", "x"}, {"ｌｅｎａ", "x"}, // no password, no name
	} {
		clock.advance(20 * time.Minute)
		refused(t, fmt.Sprint(c), s.browser().login(c[0], c[1]), http.StatusUnauthorized)
	}
	clock.advance(20 * time.Minute)
	refused(t, "too long", s.browser().login("lena", strings.Repeat("x", 257)), http.StatusBadRequest)
	if got := everybody.names(); got != "" {
		t.Errorf("it was asked for %q", got)
	}
	if s.count("sessions") != 0 {
		t.Error("there is a session")
	}
	if s.browser().login("Lena", "x"); everybody.names() != "Lena" {
		t.Errorf("it was asked for %q, want the name as it was typed", everybody.names())
	}
	for n := range 30 {
		everybody.answer = func() (*auth.Identity, error) { return nil, auth.ErrInvalidCredentials }
		s.browser().login("greta", fmt.Sprint("guess ", n), elsewhere())
	}
	if got := strings.Count(everybody.names(), "greta"); got != freeAccount {
		t.Errorf("%d guesses have reached it, want %d", got, freeAccount)
	}
}
