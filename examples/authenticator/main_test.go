package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/examples/internal/curl"
	"github.com/ostiary/auth/userauth"
)

func start(t *testing.T, d directory) (http.Handler, *sqlx.DB) {
	t.Helper()
	db, err := userauth.OpenSQLite(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	users, err := newUsers(t.Context(), auth.Config{Logger: slog.New(slog.DiscardHandler)}, db, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { users.Close() })
	return routes(users), db
}

func TestSession(t *testing.T) {
	t.Parallel()
	h, _ := start(t, people)
	curl.Play(t, "main.go", h, nil)
}

func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	authtest.Audit(t, routes(authtest.Nobody()), "* /auth/*")
}

// broken is a directory with faults.
type broken struct {
	inMemory
	search, bind error
}

func (b broken) Search(ctx context.Context, filter string) ([]entry, error) {
	if b.search != nil {
		return nil, b.search
	}
	return b.inMemory.Search(ctx, filter)
}

func (b broken) Bind(ctx context.Context, dn, password string) error {
	if b.bind != nil {
		return b.bind
	}
	return b.inMemory.Bind(ctx, dn, password)
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	twice := append(slices.Clone(people), people[0])
	down := errors.New("connection refused")
	for _, tc := range []struct {
		name, username, password string
		directory                directory
		want                     error // nil: it is Ada
	}{
		{"the right password", "ada", "correct-horse-7", people, nil},
		{"a wrong one", "ada", "correct-horse-8", people, auth.ErrInvalidCredentials},
		{"another user's", "ada", "battery-staple-8", people, auth.ErrInvalidCredentials},
		{"an empty one, which the directory takes for a guest's", "ada", "", people, auth.ErrInvalidCredentials},
		{"somebody who has left", "eve", "left-last-year-9", people, auth.ErrForbidden},
		{"somebody who has left, by a wrong password", "eve", "x", people, auth.ErrInvalidCredentials},
		{"nobody of that name", "zoe", "x", people, auth.ErrNoCredentials},
		{"no name", "", "x", people, auth.ErrNoCredentials},
		{"a wildcard is a letter", "a*", "correct-horse-7", people, auth.ErrNoCredentials},
		{"a wildcard alone too", "*", "correct-horse-7", people, auth.ErrNoCredentials},
		{"a filter in a name is a name", "x)(uid=ada", "correct-horse-7", people, auth.ErrNoCredentials},
		{"an escape in a name is a name", `\61da`, "correct-horse-7", people, auth.ErrNoCredentials},
		{"a NUL in a name is a letter", "ada\x00", "correct-horse-7", people, auth.ErrNoCredentials},
		{"two entries of a name are a fault", "ada", "correct-horse-7", twice, errAny},
		{"a search that fails is a fault", "ada", "correct-horse-7", broken{people, down, nil}, down},
		{"a bind that fails is a fault", "ada", "correct-horse-7", broken{people, nil, down}, down},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := &ldap{directory: tc.directory, server: "ldap.example", groups: map[string]auth.Permissions{
				"readers": {"note": {"read"}}, "editors": {"note": {"write"}},
			}}
			id, err := l.Authenticate(t.Context(), tc.username, tc.password)
			switch {
			case tc.want == nil && (err != nil || id.ID != "ldap:ldap.example#5f2c6a8e" || id.User.Username != "ada" || id.Permissions.String() != "note:read,write"):
				t.Errorf("got %+v, %v, want Ada", id, err)
			case tc.want != nil && (id != nil || err == nil):
				t.Errorf("got %+v, %v, want nobody and an error", id, err)
			case tc.want == errAny:
				for _, outcome := range []error{auth.ErrNoCredentials, auth.ErrInvalidCredentials, auth.ErrForbidden} {
					if errors.Is(err, outcome) {
						t.Errorf("got %v, want a fault", err)
					}
				}
			case !errors.Is(err, tc.want):
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

var errAny = errors.New("any fault")

// While the directory is out of reach nobody gets in, and nobody is told that the password was wrong.
func TestWithoutTheDirectoryNobodyLogsIn(t *testing.T) {
	t.Parallel()
	h, db := start(t, broken{people, errors.New("connection refused by 192.0.2.7"), nil})
	r := httptest.NewRequest("POST", "/auth/login", strings.NewReader(`{"username":"ada","password":"correct-horse-7"}`))
	r.Host = "127.0.0.1:8080"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 503 || len(w.Result().Cookies()) > 0 || strings.Contains(w.Body.String(), "192.0.2.7") {
		t.Errorf("got %d %v %s, want 503 and no more", w.Code, w.Header(), w.Body)
	}
	var sessions int
	if err := db.GetContext(t.Context(), &sessions, "SELECT COUNT(*) FROM auth_sessions"); err != nil || sessions != 0 {
		t.Errorf("there are %d sessions, %v", sessions, err)
	}
}

// The directory isn't asked about the names of the database's own users: its password for such a name opens nothing.
func TestTheDatabaseGoesFirst(t *testing.T) {
	t.Parallel()
	h, db := start(t, people)
	accounts, err := userauth.OpenAccounts(t.Context(), db, userauth.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accounts.Close() })
	if _, err := accounts.Add(t.Context(), userauth.NewAccount{Username: "Ada", Password: "nine-copper-kettles-5"}); err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]int{"correct-horse-7": 401, "nine-copper-kettles-5": 200} {
		r := httptest.NewRequest("POST", "/auth/login", strings.NewReader(`{"username":"ada","password":"`+password+`"}`))
		r.Host = "127.0.0.1:8080"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", password, w.Code, want)
		}
	}
}
