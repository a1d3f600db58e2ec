package userauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// exampleFile is where an example keeps its database.
func exampleFile() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	return filepath.Join(dir, "app.db"), func() { _ = os.RemoveAll(dir) }
}

// exampleLogin posts the login form of h as a browser does, and gives the cookies of the answer.
func exampleLogin(h http.Handler, username, password string) (status int, cookies []*http.Cookie) {
	form := url.Values{"username": {username}, "password": {password}}
	r := httptest.NewRequest("POST", "http://localhost:8888/auth/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Result().Cookies()
}

// exampleGet asks h for a page with these cookies, and prints the answer.
func exampleGet(h http.Handler, path string, cookies []*http.Cookie) {
	r := httptest.NewRequest("GET", "http://localhost:8888"+path, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
}

// A server whose users are in an SQLite file. The first user of a new database is made at the start.
func ExampleNew() {
	file, remove := exampleFile()
	defer remove()
	ctx := context.Background()

	db, err := userauth.OpenSQLite(file)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	users, err := userauth.New(ctx, userauth.Config{
		DB:   db,
		Auth: auth.Config{Logger: slog.New(slog.DiscardHandler)}, // logins would go to slog.Default
	})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close()
	if _, _, err := users.Accounts().FirstAdmin(ctx, "ann", "purple-otter-crosses-43", auth.Permissions{"contents": {"*"}}); err != nil {
		log.Fatal(err)
	}

	r := chi.NewRouter()
	r.Mount("/auth", users.Routes())
	r.With(users.CurrentUser(auth.Permissions{"contents": {"read"}})).Get("/contents/{name}", func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom(r.Context())
		fmt.Fprintf(w, "%s reads %s", user.DisplayName, chi.URLParam(r, "name"))
	})

	exampleGet(r, "/contents/demo", nil)
	status, cookies := exampleLogin(r, "ann", "a guess")
	fmt.Println(status, len(cookies))
	_, cookies = exampleLogin(r, "Ann", "purple-otter-crosses-43")
	exampleGet(r, "/contents/demo", cookies)
	// Output:
	// 401 {"error":"You need to sign in to continue.","code":"unauthorized"}
	// 401 0
	// 200 ann reads demo
}

// The file is made where there is none, for its owner's eyes alone.
func ExampleOpenSQLite() {
	file, remove := exampleFile()
	defer remove()

	db, err := userauth.OpenSQLite(file)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	info, err := os.Stat(file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Mode())
	// Output: -rw-------
}

// Users are managed without a server as well, as the command useradmin does. What changes reaches running servers within
// a second.
func ExampleAccounts() {
	file, remove := exampleFile()
	defer remove()
	ctx := context.Background()
	db, err := userauth.OpenSQLite(file)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	accounts, err := userauth.OpenAccounts(ctx, db, userauth.Policy{BlockedWords: []string{"Acme Notes"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	if _, err := accounts.PutRole(ctx, userauth.Role{Name: "editor", Permissions: auth.Permissions{"contents": {"read", "write"}}}); err != nil {
		log.Fatal(err)
	}
	_, err = accounts.Add(ctx, userauth.NewAccount{Username: "bob", Password: "acme notes 2026"})
	var field *auth.FieldError
	fmt.Println(errors.As(err, &field), field.Field)

	bob, err := accounts.Add(ctx, userauth.NewAccount{Username: "bob", Password: "brass-kettle-sings-77", Roles: []string{"editor"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bob.ID, bob.Username, bob.Roles)

	_, err = accounts.Add(ctx, userauth.NewAccount{Username: "BOB"})
	fmt.Println(errors.Is(err, userauth.ErrExists))

	disabled := true
	bob, err = accounts.Change(ctx, "bob", userauth.AccountChange{Disabled: &disabled})
	fmt.Println(bob.Disabled, err)
	// Output:
	// true password
	// user:1 bob [editor]
	// true
	// true <nil>
}

// An authenticator knows passwords that the database doesn't: an LDAP server's, for instance. Its users log in at the
// same form and get the same kind of session.
func ExampleAuthenticator() {
	file, remove := exampleFile()
	defer remove()
	ctx := context.Background()
	db, err := userauth.OpenSQLite(file)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	directory := userauth.AuthenticatorFunc(func(_ context.Context, username, password string) (*auth.Identity, error) {
		switch {
		case username != "lena":
			return nil, auth.ErrNoCredentials // somebody else may know the name
		case password != "quiet harbour 11 lantern":
			return nil, auth.ErrInvalidCredentials
		}
		return &auth.Identity{
			ID:          "ldap:uid=lena,ou=people",
			User:        auth.User{Username: "lena", Name: "Lena Example"},
			Permissions: auth.Permissions{"contents": {"read"}},
		}, nil
	})
	users, err := userauth.New(ctx, userauth.Config{
		DB:             db,
		Authenticators: []userauth.Authenticator{directory},
		Auth:           auth.Config{Logger: slog.New(slog.DiscardHandler)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close()
	r := chi.NewRouter()
	r.Mount("/auth", users.Routes())
	r.With(users.CurrentUser(nil)).Get("/", func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.IdentityFrom(r.Context())
		fmt.Fprintln(w, id.ID, id.User.Name, id.Permissions)
	})

	status, _ := exampleLogin(r, "lena", "a guess")
	fmt.Println(status)
	_, cookies := exampleLogin(r, "lena", "quiet harbour 11 lantern")
	exampleGet(r, "/", cookies)
	// Output:
	// 401
	// 200 ldap:uid=lena,ou=people Lena Example contents:read
}
