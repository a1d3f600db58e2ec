package oidcauth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/oidcauth"
)

// directLogin logs sub in at an application whose server needn't run. It gives the session's cookie.
func directLogin(t testing.TB, app http.Handler, publicURL string, op *oidctest.Provider, sub string) *http.Cookie {
	t.Helper()
	op.SignIn(sub)
	back := roundTrip(t, app, publicURL+"/auth/login")
	for _, c := range back.Cookies() {
		if !strings.Contains(c.Name, "-flow-") && c.MaxAge >= 0 {
			return c
		}
	}
	t.Fatalf("%s isn't logged in: got %d", sub, back.StatusCode)
	return nil
}

// roundTrip goes from start to the provider and back, and gives the last answer. The application's handler is asked directly.
func roundTrip(t testing.TB, app http.Handler, start string) *http.Response {
	t.Helper()
	left := direct(t, app, start)
	return comeBack(t, app, left.Header.Get("Location"), left.Cookies()...)
}

// comeBack is what follows after a browser has left for the provider with these cookies.
func comeBack(t testing.TB, app http.Handler, provider string, cookies ...*http.Cookie) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, provider, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answered, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answered.Body.Close()
	return direct(t, app, answered.Header.Get("Location"), cookies...)
}

// direct navigates without a server.
func direct(t testing.TB, app http.Handler, target string, cookies ...*http.Cookie) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Header.Set("Accept", "text/html")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w.Result()
}

// newConforming is an Auth as the suite's server has it: under its address, and logging to it.
func newConforming(t testing.TB, cfg auth.Config) (*oidcauth.Auth, *oidctest.Provider, *sqlx.DB, *storetest.Faults) {
	t.Helper()
	users := oidctest.People()
	users[0].Claims["permissions"] = []string{"contents:read"}
	op, err := oidctest.New(oidctest.Config{
		Users: users,
		Clients: []oidctest.Client{{
			ID: clientID, Secret: clientSecret, RedirectURIs: []string{cfg.PublicURL + "/auth/callback/corp"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(op.Close)
	db, faults := storetest.Open(t, t.TempDir()+"/app.db")
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a, err := oidcauth.New(t.Context(), oidcauth.Config{
		Auth: cfg, DB: db, RefreshKeys: [][]byte{sealKey("of now")},
		Providers: []oidcauth.Provider{{
			Name: "corp", Issuer: op.Issuer(), ClientID: clientID, ClientSecret: clientSecret,
			Mapping: oidcauth.Mapping{Permissions: []string{"permissions"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a, op, db, faults
}

func sent(c *http.Cookie) authtest.Credential { return sentAs(c.Name, c.Value) }

func sentAs(name, value string) authtest.Credential {
	return authtest.Credential{Secret: value, Send: func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: value}) }}
}

// Every rule that the guard relies on, for the sessions of browsers.
func TestConformance(t *testing.T) {
	t.Parallel()
	authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
		a, op, _, faults := newConforming(t, cfg)
		in := func(sub string) *http.Cookie { return directLogin(t, a.Routes(), cfg.PublicURL, op, sub) }
		out := func(c *http.Cookie) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, cfg.PublicURL+"/auth/logout", nil)
			r.AddCookie(c)
			w := httptest.NewRecorder()
			if a.Routes().ServeHTTP(w, r); w.Code != http.StatusNoContent {
				t.Errorf("logout: got %d %s", w.Code, w.Body)
			}
		}
		alice, bob, ended := in("alice"), in("bob"), in("alice")
		out(ended)
		return authtest.Subject{
			Backend: a,
			Good:    sent(alice),
			Other:   sent(bob),
			Wrong: []authtest.Credential{{Secret: alice.Value, Send: func(r *http.Request) {
				r.Header.Add("Cookie", alice.Name+"="+alice.Value+"; "+alice.Name+"="+strings.Repeat("A", 43)) // a planted one beside
			}}},
			Stale: []authtest.Credential{
				sent(ended), sentAs(alice.Name, strings.Repeat("A", 43)), sentAs(alice.Name, "too-short-for-a-token"),
			},
			Holds: auth.Permissions{"contents": {"read"}},
			Lacks: auth.Permissions{"contents": {"write"}},
			End:   func() { out(alice) },
			Break: faults.Fail,
		}
	})
}

// The same where the provider ends the session.
func TestConformanceOfEndsAtTheProvider(t *testing.T) {
	t.Parallel()
	authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
		a, op, _, faults := newConforming(t, cfg)
		alice := directLogin(t, a.Routes(), cfg.PublicURL, op, "alice")
		return authtest.Subject{
			Backend: a,
			Good:    sent(alice),
			Other:   sent(directLogin(t, a.Routes(), cfg.PublicURL, op, "bob")),
			Holds:   auth.Permissions{"contents": {"read"}},
			Lacks:   auth.Permissions{"contents": {"write"}},
			End: func() {
				token := op.LogoutToken(func(j *oidctest.JWT) { j.Claims["sub"] = "alice"; delete(j.Claims, "sid") })
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, cfg.PublicURL+"/auth/backchannel-logout/corp",
					strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				w := httptest.NewRecorder()
				if a.Routes().ServeHTTP(w, r); w.Code != http.StatusOK {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
			},
			Break: faults.Hang,
		}
	})
}
