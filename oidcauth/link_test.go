package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
	"github.com/ostiary/auth/userauth"
)

var _ oidcauth.Accounts = (*userauth.Links)(nil)

// A linked stand is a chain of local users, at /users, and a provider's, at /auth, over one database.
type linked struct {
	*stand
	users *userauth.Auth
}

const localPassword = "purple-otter-crosses-43"

// newLinked has the users ann, bob, and boss, who is an admin.
func newLinked(t *testing.T, local func(*userauth.Config), change func(*plan)) *linked {
	t.Helper()
	l := &linked{}
	var shared auth.Config
	l.stand = newStand(t, func(pl *plan) {
		if change != nil {
			change(pl)
		}
		pl.prepare = func(s *stand, cfg *oidcauth.Config) {
			shared = cfg.Auth
			own := userauth.Config{Auth: cfg.Auth, DB: cfg.DB}
			own.Auth.MountPath = "/users"
			if local != nil {
				local(&own)
			}
			users, err := userauth.New(t.Context(), own)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = users.Close() })
			l.users, cfg.Accounts = users, users.Links()
		}
		pl.wrap = func(s *stand, h http.Handler) http.Handler {
			if _, err := auth.New(shared, l.users, s.Auth); err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			mux.Handle(pl.path+"/users/", l.users.Routes())
			mux.Handle("/", h)
			return mux
		}
	})
	for name, holds := range map[string]auth.Permissions{
		"ann": {"contents": {"read", "write"}}, "bob": nil, "boss": {"admin": {"read", "write"}},
	} {
		if _, err := l.users.Accounts().Add(t.Context(), userauth.NewAccount{Username: name, Password: localPassword, Permissions: holds}); err != nil && !errors.Is(err, userauth.ErrExists) {
			t.Fatal(err)
		}
	}
	return l
}

// change is one that an admin makes.
func (l *linked) change(name string, c userauth.AccountChange) {
	l.t.Helper()
	if _, err := l.users.Accounts().Change(l.t.Context(), name, c); err != nil {
		l.t.Fatal(err)
	}
}

func (l *linked) disable(name string) {
	l.t.Helper()
	yes := true
	l.change(name, userauth.AccountChange{Disabled: &yes})
}

// links are those of a local user.
func (l *linked) links(name string) []userauth.Link {
	l.t.Helper()
	links, err := l.users.Links().List(l.t.Context(), name)
	if err != nil {
		l.t.Fatal(err)
	}
	return links
}

// locally logs in by password.
func (b *browser) locally(name string) *browser {
	b.t.Helper()
	a := b.do("POST", "/users/login", `{"username":"`+name+`","password":"`+localPassword+`"}`, "Content-Type", "application/json")
	if a.StatusCode != http.StatusOK {
		b.t.Fatalf("%s logs in: got %d %s", name, a.StatusCode, a.body)
	}
	return b
}

// beginLink goes to the provider in order to link, and gives the way back.
func (b *browser) beginLink(headers ...string) string {
	b.t.Helper()
	a := b.do("POST", "/auth/link/corp", "next=%2Fpage", append(formHeaders, headers...)...)
	target, ok := strings.CutPrefix(a.Header.Get("Refresh"), "0; url=")
	if a.StatusCode != http.StatusOK || !ok || !strings.Contains(a.body, `href="`+html.EscapeString(target)+`"`) {
		b.t.Fatalf("POST /auth/link/corp: got %d, refresh %q, %s, want a page that goes on to the provider", a.StatusCode, a.Header.Get("Refresh"), a.body)
	}
	return b.back(target)
}

var formHeaders = []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html"}

// mustLink links, and leaves the browser logged in.
func (b *browser) mustLink() *browser {
	b.t.Helper()
	if a := b.open(b.beginLink()); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/page" {
		b.t.Fatalf("linking: got %d to %q %s, want 303 to /page", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	return b
}

// who is the Identity.ID of the caller; empty: nobody.
func (b *browser) who() string {
	b.t.Helper()
	a := b.do("GET", "/api", "")
	if a.StatusCode != http.StatusOK {
		return ""
	}
	var is struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &is); err != nil {
		b.t.Fatalf("%v in %s", err, a.body)
	}
	return is.ID
}

// idOf is the local user's Identity.ID.
func (l *linked) idOf(name string) string {
	l.t.Helper()
	account, err := l.users.Accounts().Get(l.t.Context(), name)
	if err != nil {
		l.t.Fatal(err)
	}
	return account.ID
}

// nobodyLinked fails where somebody has a link.
func (l *linked) nobodyLinked(what string) {
	l.t.Helper()
	for _, name := range []string{"ann", "bob", "boss"} {
		if got := l.links(name); len(got) != 0 {
			l.t.Errorf("%s: %s has %+v", what, name, got)
		}
	}
}

func TestLinking(t *testing.T) {
	t.Parallel()
	l := newLinked(t, nil, nil)
	b := l.browser().locally("ann")
	if a := b.open("/auth/link/corp?next=%2Fpage"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `action="/auth/link/corp"`) ||
		!strings.Contains(a.body, `value="/page"`) {
		t.Errorf("the question: got %d %s", a.StatusCode, a.body)
	}
	l.nobodyLinked("by opening the page")
	b.mustLink()
	if got := l.links("ann"); len(got) != 1 || got[0].Issuer != l.op.Issuer() || got[0].Subject != "alice" || got[0].ByRule || time.Since(got[0].Linked) > time.Minute {
		t.Fatalf("got %+v", got)
	}
	if b.session() != "" {
		t.Error("linking has begun a session of the provider's person")
	}
	ann := l.idOf("ann")
	if got := b.who(); got != ann {
		t.Errorf("got %q, want still %q", got, ann)
	}
	if events := l.eventsOf(auth.EventLinked); len(events) != 1 || events[0].UserID != ann || events[0].Username != "ann" {
		t.Errorf("got %+v", events)
	}
	b.mustLink() // again changes nothing
	if got := l.links("ann"); len(got) != 1 {
		t.Errorf("twice: got %+v", got)
	}

	other := l.browser()
	if a := other.login("/auth/login?next=%2Fpage"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/page" {
		t.Fatalf("signing in: got %d to %q %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	if got := other.who(); got != ann || other.session() != "" {
		t.Fatalf("signed in as %q, with the cookie %q; want %q by userauth's alone", got, other.session(), ann)
	}
	a := other.do("GET", "/users/sessions", "")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"method":"oidc"`) {
		t.Errorf("the account's sessions: got %d %s", a.StatusCode, a.body)
	}
	if a := other.do("POST", "/users/logout", ""); a.StatusCode != http.StatusNoContent || other.who() != "" {
		t.Errorf("logout: got %d, and then %q", a.StatusCode, other.who())
	}
	if got := b.who(); got != ann {
		t.Errorf("the other browser: got %q", got)
	}
}

// Whoever signs in to a local account leaves the session that the browser had as the provider's person behind.
func TestSigningInLocallyEndsThePersonsSession(t *testing.T) {
	t.Parallel()
	l := newLinked(t, nil, nil)
	b := l.browser()
	back := b.back(b.leave("/auth/login")) // begun, and not finished
	b.mustLogin()
	if got, want := b.who(), "oidc:"+l.op.Issuer()+"#alice"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	stolen := b.session()
	l.browser().locally("ann").mustLink()
	if a := b.open(back); a.StatusCode != http.StatusSeeOther || b.who() != l.idOf("ann") || b.session() != "" {
		t.Errorf("got %d as %q, cookie %q", a.StatusCode, b.who(), b.session())
	}
	thief := l.browser()
	if a := thief.do("GET", "/api", "", "Cookie", l.cookieName()+"="+stolen); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the session before: got %d, want 401", a.StatusCode)
	}
}

// cookieName is that of the provider's people, on this stand's port.
func (l *linked) cookieName() string {
	u, _ := url.Parse(l.url)
	return "ostiary-oidc-" + u.Port()
}

func TestLinkingIsRefused(t *testing.T) {
	t.Parallel()
	directory := userauth.AuthenticatorFunc(func(_ context.Context, name, _ string) (*auth.Identity, error) {
		if name != "carol" {
			return nil, auth.ErrNoCredentials
		}
		return &auth.Identity{ID: "ldap:carol", User: auth.User{Username: "carol"}}, nil
	})
	l := newLinked(t, func(cfg *userauth.Config) { cfg.Authenticators = []userauth.Authenticator{directory} }, nil)
	l.browser().locally("bob").mustLink() // the good case
	if err := l.users.Links().Unlink(t.Context(), "bob", l.op.Issuer(), "alice"); err != nil {
		t.Fatal(err)
	}
	_, token, err := l.users.Accounts().AddToken(t.Context(), "ann", userauth.NewToken{Name: "all"})
	if err != nil {
		t.Fatal(err)
	}
	acting := l.browser().locally("boss")
	if a := acting.do("POST", "/users/users/ann/impersonate", ""); a.StatusCode != http.StatusOK || acting.who() != l.idOf("ann") {
		t.Fatalf("acting as ann: got %d %s", a.StatusCode, a.body)
	}
	for name, c := range map[string]struct {
		b       *browser
		headers []string
		want    int
	}{
		"nobody":                        {l.browser(), nil, http.StatusUnauthorized},
		"the provider's person":         {l.browser().mustLogin(), nil, http.StatusUnauthorized},
		"an API token":                  {l.browser(), []string{"Authorization", "Bearer " + token}, http.StatusForbidden},
		"an API token beside a session": {l.browser().locally("ann"), []string{"Authorization", "Bearer " + token}, http.StatusForbidden},
		"an admin who acts as the user": {acting, nil, http.StatusForbidden},
		"a user of an authenticator":    {l.browser().locally("carol"), nil, http.StatusForbidden},
		"a form on a foreign page":      {l.browser().locally("ann"), []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"one that hides where it is":    {l.browser().locally("ann"), []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(l.op.Calls("authorize"))
			a := c.b.do("POST", "/auth/link/corp", "next=%2F", append(formHeaders, c.headers...)...)
			if a.StatusCode != c.want || a.Header.Get("Location")+a.Header.Get("Refresh") != "" || c.b.flows() != 0 {
				t.Errorf("got %d to %q with %d attempts, want %d", a.StatusCode, a.Header.Get("Location"), c.b.flows(), c.want)
			}
			if got := len(l.op.Calls("authorize")); got != before {
				t.Error("the provider was asked")
			}
		})
	}
	l.nobodyLinked("refused")
	a := l.browser().open("/auth/link/corp")
	if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, `href="/users/login?next=%2Fauth%2Flink%2Fcorp"`) {
		t.Errorf("nobody who opens the page: got %d %s, want a link to the local users' login", a.StatusCode, a.body)
	}
	if a := l.browser().locally("ann").open("/auth/link/other"); a.StatusCode != http.StatusNotFound {
		t.Errorf("another provider: got %d, want 404", a.StatusCode)
	}
}

// O-02, O-07: what is linked is the account in which the user asked for it, not the one of the moment of coming back.
func TestLinkingBelongsToTheSessionThatBeganIt(t *testing.T) {
	t.Parallel()
	l := newLinked(t, nil, nil)
	l.browser().locally("bob").mustLink() // the good case
	if err := l.users.Links().Unlink(t.Context(), "bob", l.op.Issuer(), "alice"); err != nil {
		t.Fatal(err)
	}
	for name, meanwhile := range map[string]func(*browser){
		"logged in to another account":    func(b *browser) { b.locally("bob") },
		"logged in to the account again":  func(b *browser) { b.locally("ann") },
		"logged out":                      func(b *browser) { b.do("POST", "/users/logout", "") },
		"ended from elsewhere":            func(b *browser) { b.s.browser().locally("ann").do("DELETE", "/users/sessions", "") },
		"disabled":                        func(*browser) { l.disable("ann") },
		"an admin has begun to act as it": func(b *browser) { b.locally("boss").do("POST", "/users/users/bob/impersonate", "") },
	} {
		t.Run(name, func(t *testing.T) {
			no := false
			l.change("ann", userauth.AccountChange{Disabled: &no})
			b := l.browser().locally("ann")
			back := b.beginLink()
			meanwhile(b)
			if a := b.open(back); a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" {
				t.Errorf("got %d to %q, want 400", a.StatusCode, a.Header.Get("Location"))
			}
			l.nobodyLinked(name)
		})
	}
}

// A sign-in that is one account's can't become another's.
func TestNobodyTakesALinkOver(t *testing.T) {
	t.Parallel()
	l := newLinked(t, nil, nil)
	l.browser().locally("ann").mustLink()
	b := l.browser().locally("bob")
	a := b.open(b.beginLink())
	if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, `href="/auth/link/corp?next=%2Fpage"`) || strings.Contains(a.body, "/login") {
		t.Errorf("got %d %s, want 403 and the way to link something else, not to sign in as ann", a.StatusCode, a.body)
	}
	if a, b := l.links("ann"), l.links("bob"); len(a) != 1 || len(b) != 0 {
		t.Errorf("ann has %+v, bob has %+v", a, b)
	}
	if err := l.users.Links().LinkAs(t.Context(), "bob", l.op.Issuer(), "alice"); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("LinkAs: got %v, want ErrForbidden", err)
	}
	if err := l.users.Links().Unlink(t.Context(), "bob", l.op.Issuer(), "alice"); !errors.Is(err, userauth.ErrNotFound) {
		t.Errorf("Unlink: got %v, want ErrNotFound", err)
	}
	other := l.browser()
	if other.login("/auth/login"); other.who() != l.idOf("ann") {
		t.Errorf("signed in as %q, want ann", other.who())
	}
}

// FU21, J-43: a provider's person is never the local user of the same name or address, an admin or not.
func TestNamesLinkNobody(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ann", "boss"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLinked(t, nil, nil)
			local := l.browser().locally(name)
			if a := local.do("GET", "/users/users", ""); (a.StatusCode == http.StatusOK) != (name == "boss") {
				t.Fatalf("the good case: got %d", a.StatusCode)
			}
			l.op.SetUser(oidctest.User{Sub: "stranger", Claims: map[string]any{
				"preferred_username": name, "email": name + "@example.com", "email_verified": true, "name": name,
			}})
			l.op.SignIn("stranger")
			b := l.browser().mustLogin()
			if got, want := b.who(), "oidc:"+l.op.Issuer()+"#stranger"; got != want || got == local.who() {
				t.Errorf("got %q, want %q", got, want)
			}
			me := b.do("GET", "/api/me", "")
			var is struct {
				Identity    struct{ Username string }
				Permissions map[string][]string
			}
			if err := json.Unmarshal([]byte(me.body), &is); err != nil || is.Identity.Username != name || len(is.Permissions) != 1 || is.Permissions["updatable_fields"] == nil {
				t.Errorf("got %s, %v, want the name and no permission", me.body, err)
			}
			before := l.reached.Load()
			if a := b.do("PUT", "/api/contents/demo", ""); a.StatusCode != http.StatusForbidden || l.reached.Load() != before {
				t.Errorf("what she may: got %d", a.StatusCode)
			}
			for _, path := range []string{"/users/users", "/users/sessions", "/users/tokens", "/users/links", "/users/me"} {
				if a := b.do("GET", path, ""); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s: got %d %s, want 403", path, a.StatusCode, a.body)
				}
			}
			rows, err := l.users.Accounts().Sessions(t.Context(), name)
			if err != nil || len(rows) != 1 {
				t.Errorf("%s has the sessions %+v, %v, want the one", name, rows, err)
			}
			l.nobodyLinked("by a name")
		})
	}
}

// Mapping.Func may ask a database of its own: a login asks it once, whoever its user is in the end.
func TestALoginIsMappedOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	l := newLinked(t, nil, func(pl *plan) {
		pl.provider.Mapping.Func = func(context.Context, oidcauth.Claims, *auth.Identity) error {
			asked.Add(1)
			return nil
		}
	})
	if b := l.browser().mustLogin(); b.who() != "oidc:"+l.op.Issuer()+"#alice" || asked.Load() != 1 {
		t.Errorf("a person's: %s, mapped %d times, want once", b.who(), asked.Load())
	}
	l.op.SignIn("bob")
	l.browser().locally("ann").mustLink()
	asked.Store(0)
	if b := l.browser().mustLogin(); !strings.HasPrefix(b.who(), "user:") || asked.Load() != 1 {
		t.Errorf("a local user's: %s, mapped %d times, want once", b.who(), asked.Load())
	}
}

// O-29, J-45, FU22: who is disabled here doesn't get in, whatever the provider says.
func TestDisabledHereBeatsTheProvider(t *testing.T) {
	t.Parallel()
	no := false
	t.Run("a linked account", func(t *testing.T) {
		t.Parallel()
		l := newLinked(t, nil, nil)
		l.browser().locally("ann").mustLink()
		in := l.browser()
		if in.login("/auth/login"); in.who() != l.idOf("ann") {
			t.Fatalf("the good case: got %q", in.who())
		}
		l.disable("ann")
		if in.who() != "" {
			t.Error("the session goes on")
		}
		sessions := l.rows("sessions")
		b := l.browser()
		if a := b.login("/auth/login"); a.StatusCode != http.StatusForbidden || b.who() != "" || l.rows("sessions") != sessions {
			t.Errorf("got %d as %q, want 403 and no session", a.StatusCode, b.who())
		}
		l.change("ann", userauth.AccountChange{Disabled: &no})
		if in.who() != "" {
			t.Error("the old session is back")
		}
		if b.login("/auth/login"); b.who() != l.idOf("ann") {
			t.Errorf("enabled again: got %q", b.who())
		}
	})
	t.Run("the provider's person", func(t *testing.T) {
		t.Parallel()
		l := newLinked(t, nil, nil)
		l.browser().mustLogin()
		if _, err := l.db.ExecContext(t.Context(), "UPDATE auth_users SET disabled = 1 WHERE realm = 'oidc'"); err != nil {
			t.Fatal(err)
		}
		sessions := l.rows("sessions")
		b := l.browser()
		if a := b.login("/auth/login"); a.StatusCode != http.StatusForbidden || b.in() || b.session() != "" || l.rows("sessions") != sessions {
			t.Errorf("got %d, in: %v, want 403 and no session", a.StatusCode, b.in())
		}
	})
}

// rows counts those of a table.
func (l *linked) rows(table string) (n int) {
	l.t.Helper()
	if err := l.db.GetContext(l.t.Context(), &n, "SELECT COUNT(*) FROM auth_"+table); err != nil {
		l.t.Fatal(err)
	}
	return n
}
