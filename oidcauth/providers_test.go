package oidcauth_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// otherProvider is a second one, which knows the same client.
func otherProvider(issuer string) oidcauth.Provider {
	return oidcauth.Provider{Name: "other", Title: "Other & Co.", Issuer: issuer, ClientID: clientID, ClientSecret: clientSecret}
}

// twoProviders is a stand with a second provider, whose user alice is signed in there.
func twoProviders(t *testing.T) (*stand, *oidctest.Provider) {
	t.Helper()
	other, err := oidctest.New(oidctest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	s := newStand(t, func(pl *plan) { pl.providers = append(pl.providers, otherProvider(other.Issuer())) })
	if err := other.SetClient(oidctest.Client{ID: clientID, Secret: clientSecret, RedirectURIs: []string{s.url + "/auth/callback/other"}}); err != nil {
		t.Fatal(err)
	}
	other.SignIn("alice")
	return s, other
}

// Several providers: people choose, and the same subject of another provider is somebody else (J-43).
func TestSeveralProviders(t *testing.T) {
	t.Parallel()
	s, other := twoProviders(t)
	b := s.browser()
	a := b.open("/auth/login?next=/page")
	if a := b.open("/auth/login?prompt=login"); strings.Count(a.body, "&amp;prompt=login\"") != 2 {
		t.Errorf("for who wants to be somebody else: %s", a.body)
	}
	for _, want := range []string{`href="/auth/login/corp?next=%2Fpage"`, `href="/auth/login/other?next=%2Fpage"`, "Other &amp; Co."} {
		if a.StatusCode != http.StatusOK || !strings.Contains(a.body, want) {
			t.Errorf("the chooser: got %d without %s: %s", a.StatusCode, want, a.body)
		}
	}
	for name, issuer := range map[string]string{"corp": s.op.Issuer(), "other": other.Issuer()} {
		b := s.browser()
		if a := b.login("/auth/login/" + name + "?next=/page"); a.Header.Get("Location") != "/page" {
			t.Fatalf("%s: got %d %s", name, a.StatusCode, a.body)
		}
		if a := b.do("GET", "/", ""); !strings.Contains(a.body, `"oidc:`+issuer+`#alice"`) {
			t.Errorf("%s: got %s", name, a.body)
		}
	}
	if a := b.open("/auth/login/nobody"); a.StatusCode != http.StatusNotFound {
		t.Errorf("a provider that isn't there: got %d", a.StatusCode)
	}
}

// O-10: a code of one provider never gets to another one, in whichever way the two are mixed up.
func TestMixUp(t *testing.T) {
	t.Parallel()
	s, other := twoProviders(t)
	for name, path := range map[string]string{"with its own path": "/callback/other", "with the other's path": "/callback/corp"} {
		b := s.browser()
		mine, theirs := b.back(b.leave("/auth/login/corp")), b.back(b.leave("/auth/login/other"))
		code, err := url.Parse(theirs)
		if err != nil {
			t.Fatal(err)
		}
		s.op.Reset()
		other.Reset()
		// The attempt is corp's, the code and its issuer are the other's.
		mixed := withQuery(strings.Replace(mine, "/callback/corp", path, 1), "code", code.Query().Get("code"), "iss", other.Issuer())
		if a := b.open(mixed); a.StatusCode != http.StatusBadRequest || b.in() {
			t.Errorf("%s: got %d, in: %v", name, a.StatusCode, b.in())
		}
		if n := len(s.op.Calls("token")) + len(other.Calls("token")); n != 0 {
			t.Errorf("%s: %d calls of token endpoints", name, n)
		}
	}
}

// O-24: somebody else starts the login (OpenID Connect Core section 4).
func TestThirdPartyInitiatedLogin(t *testing.T) {
	t.Parallel()
	s, other := twoProviders(t)
	query := func(pairs ...string) string { return "/auth/login?" + withQuery("?", pairs...)[1:] }
	b := s.browser()
	// oidcc-client-test-3rd-party-init-login
	leave := b.leave(query("iss", other.Issuer(), "login_hint", "alice@example.test", "target_link_uri", s.url+"/page?x=1"))
	if !strings.HasPrefix(leave, other.Issuer()) {
		t.Fatalf("got sent to %s", leave)
	}
	calls := other.Calls("par")
	if len(calls) == 0 || calls[len(calls)-1].Form.Get("login_hint") != "alice@example.test" {
		t.Error("the hint isn't passed on")
	}
	if a := b.open(b.back(leave)); a.Header.Get("Location") != "/page?x=1" {
		t.Errorf("got %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	for name, target := range map[string]string{
		"a foreign target": "https://evil.example/", "one that begins like ours": s.url + ".evil.example/", "one with a user": strings.Replace(s.url, "//", "//x@", 1),
		"a path that is a host": s.url + "//evil.example", "with a backslash": s.url + `/\evil.example`,
	} {
		b := s.browser()
		if a := b.open(b.back(b.leave(query("iss", other.Issuer(), "target_link_uri", target)))); a.Header.Get("Location") != "/" {
			t.Errorf("%s: got %d to %q, want /", name, a.StatusCode, a.Header.Get("Location"))
		}
	}
	for name, path := range map[string]string{
		"a foreign issuer":               query("iss", "https://evil.example"),
		"an issuer with a slash":         query("iss", other.Issuer()+"/"),
		"two issuers":                    query("iss", other.Issuer()) + "&iss=x",
		"another one than the path's":    "/auth/login/corp?iss=" + url.QueryEscape(other.Issuer()),
		"a foreign issuer at the path's": "/auth/login/corp?iss=https://evil.example",
	} {
		if a := s.browser().open(path); a.StatusCode != http.StatusBadRequest || len(a.Cookies()) != 0 {
			t.Errorf("%s: got %d, %d cookies", name, a.StatusCode, len(a.Cookies()))
		}
	}
	// As a form, from the third party's page: it becomes an address of ours, which the browser opens with its cookies.
	b = s.browser()
	form := url.Values{"iss": {s.op.Issuer()}, "target_link_uri": {s.url + "/form"}}.Encode()
	a := b.do("POST", "/auth/login", form, "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://portal.example", "Sec-Fetch-Site", "cross-site", "Accept", "text/html")
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/auth/login?iss=") {
		t.Fatalf("the form: got %d to %q %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	if a = b.open(a.Header.Get("Location")); !strings.HasPrefix(a.Header.Get("Location"), s.op.Issuer()) {
		t.Fatalf("the form's address: got %d %s", a.StatusCode, a.body)
	}
	if a := b.open(b.back(a.Header.Get("Location"))); a.Header.Get("Location") != "/form" || !b.in() {
		t.Errorf("the form: got %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
}

// O-23: a silent login finds nobody, and goes on without a loop.
func TestSilentLogin(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	if a := b.login("/auth/login?prompt=none&next=/page"); a.Header.Get("Location") != "/page" || !b.in() {
		t.Fatalf("with a session there: got %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	s.op.SignOut()
	b = s.browser()
	if a := b.login("/auth/login?prompt=none&next=/page"); a.Header.Get("Location") != "/page" || b.in() {
		t.Errorf("without: got %d to %q %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	// The page needs a login: the way there isn't silent again.
	if a := b.open("/"); a.Header.Get("Location") != "/auth/login?next=%2F" {
		t.Errorf("got %q", a.Header.Get("Location"))
	}
}

// Whoever is refused can come as somebody else: the provider asks who it is, whoever is logged in there.
func TestLoginAfterARefusal(t *testing.T) {
	t.Parallel()
	for configured, want := range map[string]string{
		"": "login", "consent": "login consent", "login": "login", "select_account": "select_account", "none": "none",
	} {
		t.Run("prompt "+configured, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, func(pl *plan) {
				pl.provider.Prompt = configured
				pl.provider.Mapping.Func = func(_ context.Context, claims oidcauth.Claims, _ *auth.Identity) error {
					if sub, _ := claims.Text("sub"); sub != "alice" {
						return auth.ErrForbidden
					}
					return nil
				}
			})
			prompt := func() string {
				calls := s.op.Calls("par")
				return calls[len(calls)-1].Form.Get("prompt")
			}
			b := s.browser()
			s.op.SignIn("bob")
			a := b.login("/auth/login?next=/page")
			if status(t, "bob", a, http.StatusForbidden); b.in() || prompt() != configured || !strings.Contains(a.body, `href="/auth/login?next=%2Fpage&amp;prompt=login"`) {
				t.Fatalf("bob is in: %v, asked with prompt %q: %s", b.in(), prompt(), a.body)
			}
			s.op.SignIn("alice")
			if a := b.login("/auth/login?next=%2Fpage&prompt=login"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/page" || !b.in() || prompt() != want {
				t.Errorf("alice: got %d, asked with prompt %q, want %q", a.StatusCode, prompt(), want)
			}
		})
	}
}

// O-23: where each login is silent, the page that asked for one doesn't ask again and again.
func TestSilentLoginsThatAreConfigured(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(pl *plan) { pl.provider.Prompt = "none" })
	s.browser().mustLogin()
	s.op.SignOut()
	b := s.browser()
	if a := b.login(b.open("/page").Header.Get("Location")); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `href="/auth/login?next=%2Fpage"`) || b.in() {
		t.Errorf("got %d to %q %s, want a page", a.StatusCode, a.Header.Get("Location"), a.body)
	}
}
