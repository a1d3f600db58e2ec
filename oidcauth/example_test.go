package oidcauth_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/oidcauth"
)

// A company's people sign in at its provider; who is of its staff may read and write.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := oidcauth.OpenSQLite(filepath.Join(dir, "app.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	sso, err := oidcauth.New(context.Background(), oidcauth.Config{
		Auth: auth.Config{
			PublicURL: "https://app.example",
			Roles:     map[string]auth.Role{"editor": {Permissions: auth.Permissions{"contents": {"read", "write"}}}},
			Logger:    slog.New(slog.DiscardHandler),
		},
		DB: db,
		Providers: []oidcauth.Provider{{
			Name: "corp", Title: "Corp", Issuer: "https://id.corp.example", ClientID: "app", ClientSecret: os.Getenv("AUTH_CLIENT_SECRET"),
			Mapping: oidcauth.Mapping{Roles: []string{"groups"}, RoleMap: map[string][]string{"staff": {"editor"}}},
		}},
	})
	if err != nil {
		fmt.Println(err) // a provider that is down is no error: it is asked when somebody comes
		return
	}
	defer func() { _ = sso.Close() }()

	mux := http.NewServeMux()
	mux.Handle("/auth/", sso.Routes())
	mux.Handle("GET /contents/{name}", sso.CurrentUser(auth.Permissions{"contents": {"read"}})(http.NotFoundHandler()))

	r := httptest.NewRequest(http.MethodGet, "https://app.example/contents/demo", nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 303 /auth/login?next=%2Fcontents%2Fdemo
}

// An application's own test signs somebody in at a provider of authtest: nobody has to type a password.
func ExampleNew_login() {
	t := &testing.T{} // the test's own, which would end the provider too
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	provider := authtest.NewProvider(t, authtest.ProviderConfig{
		Clients: []authtest.ProviderClient{{ID: "app", Secret: "secret", RedirectURIs: []string{url + "/auth/callback/corp"}}},
		Users: []authtest.ProviderUser{{Sub: "alice", Claims: map[string]any{
			"preferred_username": "alice", "realm_access": map[string]any{"roles": []string{"staff"}}, // as a Keycloak has it
		}}},
	})
	defer provider.Close()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := oidcauth.OpenSQLite(filepath.Join(dir, "app.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	sso, err := oidcauth.New(context.Background(), oidcauth.Config{
		Auth: auth.Config{
			PublicURL: url,
			Roles:     map[string]auth.Role{"reader": {Permissions: auth.Permissions{"contents": {"read"}}}},
			Logger:    slog.New(slog.DiscardHandler),
		},
		DB: db,
		Providers: []oidcauth.Provider{{
			Name: "corp", Issuer: provider.Issuer(), ClientID: "app", ClientSecret: "secret",
			Mapping: oidcauth.Mapping{Roles: []string{"realm_access.roles"}, RoleMap: map[string][]string{"staff": {"reader"}}},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = sso.Close() }()
	mux := http.NewServeMux()
	mux.Handle("/auth/", sso.Routes())
	mux.Handle("GET /contents", sso.CurrentUser(auth.Permissions{"contents": {"read"}})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			user, _ := auth.UserFrom(r.Context())
			_, _ = fmt.Fprintln(w, "the contents, for", user.Username)
		})))
	server.Config.Handler = mux
	server.Start()
	defer server.Close()

	provider.SignIn("alice") // who is there, for every browser
	jar, err := cookiejar.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	browser := http.Client{Jar: jar} // it follows redirects: to the provider, and back
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url+"/contents", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Header.Set("Accept", "text/html") // a program would get 401
	answer, err := browser.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	fmt.Print(answer.StatusCode, " ", string(body), err)
	// Output:
	// 200 the contents, for alice
	// <nil>
}

// A provider's claims mean nothing until a Mapping says what.
func ExampleMapping() {
	m := oidcauth.Mapping{
		Permissions: []string{"permissions"},                                // "permissions": ["contents:read"]
		Scopes:      []string{"scope"},                                      // "scope": "openid contents:read"
		Roles:       []string{"realm_access.roles", "groups"},               // of a Keycloak, and of others
		RoleMap:     map[string][]string{"app-admins": {"admin", "editor"}}, // roles of auth.Config.Roles
		AllowGroups: []string{"staff", "app-admins"},                        // nobody else comes in
	}
	fmt.Println(len(m.RoleMap["app-admins"]), "roles")
	// Output: 2 roles
}
