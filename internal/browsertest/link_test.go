package browsertest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
	"github.com/ostiary/auth/userauth"
)

// serveLinked starts local users, of whom ada is one, beside a provider that is another site, and gives the origin of both.
func serveLinked(t *testing.T) (origin, provider string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	u, err := url.Parse("http://" + server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	origin = "http://localhost:" + u.Port()
	p, err := oidctest.New(oidctest.Config{LoginForm: true, Clients: []oidctest.Client{{
		ID: "app", Secret: "s", RedirectURIs: []string{origin + "/sso/callback/corp"}, PostLogoutRedirectURIs: []string{origin + "/sso/logged-out"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	db, err := userauth.OpenSQLite(filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	cfg := auth.Config{PublicURL: origin, Logger: slog.New(slog.DiscardHandler)}
	users, err := userauth.New(t.Context(), userauth.Config{Auth: cfg, DB: db, Providers: []userauth.Provider{
		{Title: "Corp", Issuer: p.Issuer(), LoginPath: "/sso/login/corp", LinkPath: "/sso/link/corp"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = users.Close() })
	if _, err := users.Accounts().Add(t.Context(), userauth.NewAccount{Username: "ada", Password: password}); err != nil {
		t.Fatal(err)
	}
	at := cfg
	at.MountPath = "/sso"
	sso, err := oidcauth.New(t.Context(), oidcauth.Config{Auth: at, DB: db, Accounts: users.Links(), Providers: []oidcauth.Provider{
		{Name: "corp", Title: "Corp", Issuer: p.Issuer(), ClientID: "app", ClientSecret: "s", Mapping: oidcauth.Mapping{
			Func: func(_ context.Context, _ oidcauth.Claims, id *auth.Identity) error {
				id.Permissions = auth.Permissions{"admin": {"read"}}
				return nil
			},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sso.Close() })
	chain, err := auth.New(cfg, users, sso)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", users.Routes())
	mux.Handle("/sso/", sso.Routes())
	mux.Handle("/{$}", chain.CurrentUser(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom(r.Context())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<!doctype html><title>home</title><link rel=icon href=data:,><h1>%s</h1>", user.Username)
	})))
	mux.Handle("/vault", chain.CurrentUser(auth.Permissions{"vault": {"read"}})(http.NotFoundHandler()))
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return origin, p.Issuer()
}

// The form that asks before linking leads to another site, which the page's own policy keeps forms from.
func TestLinkingInTheBrowser(t *testing.T) {
	origin, provider := serveLinked(t)
	atProvider := fmt.Sprintf("location.origin === %q && document.querySelector('button[value=alice]') !== null", provider)
	ada := newBrowser(t)
	ada.open(origin + "/")
	ada.await(`location.pathname === "/auth/login"`)
	screenshot(ada, "links-login")
	ada.fill("input[name=username]", "ada")
	ada.typeInto("input[name=password]", password+"\r")
	ada.awaitText("h1", "ada")
	ada.open(origin + "/auth/me")
	ada.clickText("nav a", "Sign-ins")
	ada.awaitText("main", "You sign in here alone.")
	ada.clickText("main a", "Corp")
	ada.awaitText("main button", "Go to Corp")
	screenshot(ada, "links-question")
	ada.click("main button")
	ada.await(atProvider)
	ada.click("button[value=alice]")
	ada.await(`location.pathname === "/auth/links"`)
	ada.awaitText("main table", "alice")
	screenshot(ada, "links")

	later := ada.newPerson()
	later.open(origin + "/")
	later.clickText("a", "Sign in with Corp")
	later.await(atProvider)
	later.click("button[value=alice]")
	later.awaitText("h1", "ada")

	ada.click("main table button")
	ada.awaitText("main", "You sign in here alone.")
	later.open(origin + "/")
	later.await(`location.pathname === "/auth/login"`)
	ada.clean("favicon.ico") // the provider has none
	later.clean("favicon.ico")
}

// Whoever came from a provider signs out there, too: from a page of the local users' administration, and from the one that
// refuses somebody. Both are redirected to another site behind a form, which browsers hold against a page's policy.
func TestSigningOutAtTheProviderInTheBrowser(t *testing.T) {
	origin, provider := serveLinked(t)
	for _, page := range []string{"/auth/users", "/vault"} {
		bob := newBrowser(t)
		bob.open(origin + "/sso/login/corp?next=" + page)
		bob.await(fmt.Sprintf("location.origin === %q && document.querySelector('button[value=bob]') !== null", provider))
		bob.click("button[value=bob]")
		bob.await(fmt.Sprintf("location.pathname === %q", page))
		screenshot(bob, "sign-out-of"+strings.ReplaceAll(page, "/", "-"))
		bob.click("form[action='/sso/logout'] button")
		bob.await(`location.pathname === "/sso/logged-out"`)
		bob.awaitText("body", "You are signed out here.")
		bob.open(origin + "/sso/login/corp")
		bob.await(fmt.Sprintf("location.origin === %q && document.querySelector('button[value=bob]') !== null", provider)) // it asks again
		bob.clean("favicon.ico", "403 (Forbidden)")
	}
}
