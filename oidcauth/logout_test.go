package oidcauth_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/internal/store/storetest"
)

// frameless is a plan without front-channel logout: the provider then sends the browser back at once.
func frameless(pl *plan) { pl.withoutFrame = true }

// logout is what a browser's button does.
func (b *browser) logout() answer {
	b.t.Helper()
	return b.do("POST", "/auth/logout", "", "Accept", "text/html", "Origin", b.s.url, "Sec-Fetch-Site", "same-origin")
}

// LO-01: the session ends here first, whatever becomes of the provider's.
func TestLogoutHereComesFirst(t *testing.T) {
	t.Parallel()
	t.Run("a provider with a logout", func(t *testing.T) {
		t.Parallel()
		s := newStand(t, func(pl *plan) { frameless(pl); writers(pl) })
		b := s.browser().mustLogin()
		conn := b.room()
		a := b.logout()
		status(t, "POST /auth/logout", a, http.StatusSeeOther)
		if s.rows("auth_sessions") != 0 || b.in() || b.session() != "" || len(s.op.Calls("end_session")) != 0 {
			t.Errorf("%d sessions are left, and the provider was asked %d times", s.rows("auth_sessions"), len(s.op.Calls("end_session")))
		}
		if code := closed(t, conn, reach); code != 1008 {
			t.Errorf("the socket ends with %d, want 1008", code)
		}
		target, err := url.Parse(a.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		query := target.Query()
		if got, want := query.Get("post_logout_redirect_uri"), s.url+"/auth/logged-out"; got != want {
			t.Errorf("got sent back to %q, want %q", got, want)
		}
		if query.Get("client_id") != clientID || query.Get("state") == "" || strings.Count(query.Get("id_token_hint"), ".") != 2 {
			t.Errorf("the provider is sent %v", slices.Sorted(maps.Keys(query)))
		}
		back := b.open(target.String()).Header.Get("Location")
		if a := b.open(back); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "signed out") {
			t.Errorf("back here: got %d %s", a.StatusCode, a.body)
		}
		if n := s.count(auth.EventWarning); n != 0 {
			t.Errorf("%d warnings", n)
		}
		if a := b.open(b.leave("/auth/login")); strings.HasPrefix(a.Header.Get("Location"), s.url+"/auth/callback/corp?code=") {
			t.Error("still signed in at the provider")
		}
	})
	for name, spoil := range map[string]func(*stand){
		"a provider that has none": func(s *stand) {
			s.op.SetHooks(oidctest.Hooks{OnDiscovery: func(m map[string]any) { delete(m, "end_session_endpoint") }})
		},
		"a provider that is down": func(s *stand) { s.op.Down() },
		"a provider that says nothing": func(s *stand) {
			s.op.SetHooks(oidctest.Hooks{Faults: map[string]oidctest.Fault{"discovery": oidctest.Hold(nil)}})
		},
		"a provider whose answer is no metadata": func(s *stand) {
			s.op.SetHooks(oidctest.Hooks{Faults: map[string]oidctest.Fault{"discovery": oidctest.HTML()}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, frameless)
			b := s.browser().mustLogin()
			s.another(s.db).use() // one that knows nothing of the provider yet
			spoil(s)
			a := b.logout()
			status(t, "POST /auth/logout", a, http.StatusSeeOther)
			if got, want := a.Header.Get("Location"), "/auth/logged-out"; got != want {
				t.Errorf("got sent to %q, want %q", got, want)
			}
			if s.rows("auth_sessions") != 0 || b.in() {
				t.Error("still logged in")
			}
			status(t, "GET /auth/logged-out", b.open("/auth/logged-out"), http.StatusOK)
		})
	}
	t.Run("an ID token that no address has room for", func(t *testing.T) {
		t.Parallel()
		s := newStand(t, frameless)
		s.op.SetHooks(oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) { j.Claims["padding"] = strings.Repeat("x", 8<<10) }})
		b := s.browser().mustLogin()
		a := b.logout()
		target, err := url.Parse(a.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		query := target.Query()
		if b.in() || query.Has("id_token_hint") || query.Get("client_id") != clientID || len(target.String()) > 2000 {
			t.Errorf("in: %v; the provider is sent %d bytes, %v", b.in(), len(target.String()), slices.Sorted(maps.Keys(query)))
		}
	})
	t.Run("a session that has ended already", func(t *testing.T) {
		t.Parallel()
		s := newStand(t, frameless)
		b := s.browser().mustLogin()
		name, value := b.cookie()
		status(t, "the first", b.logout(), http.StatusSeeOther)
		a := s.browser().do("POST", "/auth/logout", "", "Accept", "text/html", "Cookie", name+"="+value)
		if status(t, "again", a, http.StatusSeeOther); a.Header.Get("Location") != "/auth/logged-out" {
			t.Errorf("got sent to %q", a.Header.Get("Location"))
		}
		if n := s.count(auth.EventLogout); n != 1 {
			t.Errorf("%d events, want one", n)
		}
	})
}

// LO-02: what comes back from the provider decides nothing, and leads nowhere.
func TestBackFromTheProvidersLogout(t *testing.T) {
	t.Parallel()
	s := newStand(t, frameless)
	state := func(b *browser) string {
		target, err := url.Parse(b.mustLogin().logout().Header.Get("Location"))
		if err != nil || target.Query().Get("state") == "" {
			t.Fatalf("got %v, %v", target, err)
		}
		return target.Query().Get("state")
	}
	b := s.browser()
	good := b.open("/auth/logged-out?state=" + state(b))
	if good.StatusCode != http.StatusOK || s.count(auth.EventWarning) != 0 {
		t.Fatalf("got %d %s, and %d warnings", good.StatusCode, good.body, s.count(auth.EventWarning))
	}
	warned := 0
	for _, c := range []struct {
		name  string
		query func(state string) string
		told  bool
	}{
		{"no state", func(string) string { return "" }, true},
		{"another state", func(string) string { return "?state=other" }, true},
		{"a longer state", func(s string) string { return "?state=" + s + "A" }, true},
		{"two states", func(s string) string { return "?state=" + s + "&state=other" }, true},
		{"the same state twice", func(s string) string { return "?state=" + s + "&state=" + s }, true},
		{"an error", func(s string) string { return "?state=" + s + "&error=server_error&error_description=<script>" }, false},
		{"somewhere to go", func(s string) string {
			return "?state=" + s + "&next=//evil.example&post_logout_redirect_uri=https://evil.example"
		}, false},
	} {
		b := s.browser()
		state := state(b)
		a := b.open("/auth/logged-out" + c.query(state))
		if a.StatusCode != http.StatusOK || a.body != good.body || a.Header.Get("Location") != "" {
			t.Errorf("%s: got %d to %q %s, want what is shown otherwise", c.name, a.StatusCode, a.Header.Get("Location"), a.body)
		}
		if c.told {
			warned++
		}
		if n := s.count(auth.EventWarning); n != warned {
			t.Errorf("%s: got %d warnings, want %d", c.name, n, warned)
		}
		for _, replayed := range []string{state, "other"} { // what the browser had left with is forgotten
			if a := b.open("/auth/logged-out?state=" + replayed); a.StatusCode != http.StatusOK || a.body != good.body {
				t.Errorf("%s, replayed: got %d %s", c.name, a.StatusCode, a.body)
			}
		}
	}
	if n := s.count(auth.EventWarning); n != warned {
		t.Errorf("%d warnings, want %d: whoever has no logout under way may open the page", n, warned)
	}
	b.mustLogin()
	if a := b.open("/auth/logged-out?state=x"); !strings.Contains(a.body, "You are signed in") || !b.in() {
		t.Errorf("somebody who is logged in: got %s", a.body)
	}
}

// LO-03: the ID token that goes to the provider as a hint is in no log and no event, and the address that holds it is no
// page's referrer.
func TestTheHintIsToldToTheProviderOnly(t *testing.T) {
	t.Parallel()
	s := newStand(t, frameless)
	b := s.browser().mustLogin()
	a := b.logout()
	target, err := url.Parse(a.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	hint := target.Query().Get("id_token_hint")
	if len(hint) < 100 {
		t.Fatalf("the hint is %q", hint)
	}
	back := b.open(b.open(target.String()).Header.Get("Location"))
	for name, a := range map[string]answer{"the redirect": a, "the page after it": back} {
		if a.Header.Get("Referrer-Policy") != "no-referrer" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got headers %v", name, a.Header)
		}
		if strings.Contains(a.body, hint) {
			t.Errorf("%s: its body has the hint", name)
		}
	}
	for _, part := range strings.Split(hint, ".") {
		if strings.Contains(s.log(), part) {
			t.Errorf("the log has %q", part)
		}
		if strings.Contains(s.told(), part) {
			t.Errorf("an event has %q", part)
		}
	}
}

// L-12, L-13, L-14, L-15: nothing but a POST of our own page logs anybody out.
func TestLogoutByOthers(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser().mustLogin()
	for _, method := range []string{"GET", "HEAD", "get", "PUT", "DELETE", "post"} {
		a := b.do(method, "/auth/logout", "", "X-HTTP-Method-Override", "POST", "Sec-Fetch-Site", "same-origin")
		if status(t, method, a, http.StatusMethodNotAllowed); len(a.Cookies()) != 0 {
			t.Errorf("%s: got cookies %v", method, a.Cookies())
		}
	}
	for name, headers := range map[string][]string{
		"L-03 another site":               {"Sec-Fetch-Site", "cross-site"},
		"L-04 a sibling of the host":      {"Sec-Fetch-Site", "same-site", "Origin", "https://other.app.example"},
		"L-05 an old browser":             {"Origin", "https://evil.example"},
		"L-05 a sandboxed frame":          {"Origin", "null"},
		"L-06 another port":               {"Origin", "http://127.0.0.1:9"},
		"L-06 another scheme":             {"Origin", "https" + strings.TrimPrefix(s.url, "http")},
		"L-07 a longer host":              {"Origin", s.url + ".evil.example"},
		"L-07 a path in it":               {"Origin", "https://evil.example/" + s.url},
		"L-07 two origins":                {"Origin", s.url, "Origin", "https://evil.example"},
		"its own claim to be of the site": {"Origin", "https://evil.example", "Sec-Fetch-Site", "same-origin"},
		"an access token beside":          {"Origin", s.url, "Authorization", "Bearer x"},
	} {
		a := b.do("POST", "/auth/logout", "", headers...)
		if status(t, name, a, http.StatusForbidden); len(a.Cookies()) != 0 {
			t.Errorf("%s: got cookies %v", name, a.Cookies())
		}
	}
	if !b.in() {
		t.Fatal("somebody else has logged the browser out")
	}
	// S-05, S-06: by JSON once, again, and by nobody.
	for name, who := range map[string]*browser{"the browser": b, "nobody": s.browser()} {
		status(t, name, who.do("POST", "/auth/logout", ""), http.StatusNoContent)
	}
	if b.in() || b.session() != "" {
		t.Error("still logged in")
	}
	b.mustLogin()
	name, value := b.cookie()
	a := s.browser().do("POST", "/auth/logout", "", "Cookie", name+"="+value+"; "+name+"=planted")
	if status(t, "one of two cookies is nobody's to end", a, http.StatusNoContent); !b.in() || len(a.Cookies()) != 1 || a.Cookies()[0].MaxAge >= 0 {
		t.Errorf("got cookies %v, in: %v", a.Cookies(), b.in())
	}
}

// D-02: nobody is told to be logged out while the session may live on.
func TestLogoutWithoutDatabase(t *testing.T) {
	t.Parallel()
	db, faults := storetest.Open(t, t.TempDir()+"/app.db")
	s := newStand(t, func(pl *plan) { pl.cfg.DB, pl.withoutFrame = db, true })
	b := s.browser().mustLogin()
	name, value := b.cookie()
	faults.Fail()
	a := b.logout()
	if status(t, "POST /auth/logout", a, http.StatusServiceUnavailable); a.Header.Get("Retry-After") == "" || b.session() != "" {
		t.Errorf("got %v; the browser still has %q", a.Header, b.session())
	}
	status(t, "the page after a logout", s.browser().open("/auth/logged-out", "Cookie", name+"="+value), http.StatusServiceUnavailable)
	faults.Heal()
	again := s.browser()
	again.keep(name, value)
	if !again.in() {
		t.Error("the session has ended, and nobody was told")
	}
	if status(t, "and again", again.logout(), http.StatusSeeOther); again.in() {
		t.Error("still logged in")
	}
}

// The cookie's rules hold for its end, too: C-12.
func TestCookieAtLogout(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(pl *plan) { pl.cfg.CookieName = "mine" })
	b := s.browser()
	set := b.open(b.back(b.leave("/auth/login")))
	var made *http.Cookie
	for _, c := range set.Cookies() {
		if !strings.Contains(c.Name, "-flow-") {
			made = c
		}
	}
	if made == nil || !strings.HasPrefix(made.Name, "mine-") || !made.HttpOnly || made.SameSite != http.SameSiteLaxMode || made.Path != "/" || made.Domain != "" {
		t.Fatalf("got %+v", made)
	}
	for _, c := range b.logout().Cookies() {
		if c.Name == made.Name && (c.MaxAge >= 0 || c.Value != "" || c.Path != made.Path || c.Secure != made.Secure || !c.HttpOnly) {
			t.Errorf("got %+v", c)
		}
	}
}

// A browser that goes on to the provider's logout leaves no refresh token behind that would still be good there. For an API
// client, which goes nowhere, the provider is told nothing: with the token it may take back the user's consent.
func TestLogoutGivesTheRefreshTokenBack(t *testing.T) {
	t.Parallel()
	var given atomic.Value
	s := newStand(t, func(pl *plan) { frameless(pl); pl.cfg.RefreshKeys = [][]byte{sealKey("of now")} })
	s.op.SetHooks(oidctest.Hooks{OnTokenResponse: func(_ *http.Request, a map[string]any) { given.Store(a["refresh_token"]) }})
	client := s.browser().mustLogin()
	status(t, "an API client", client.do("POST", "/auth/logout", ""), http.StatusNoContent)
	b := s.browser().mustLogin()
	mine := given.Load()
	if a := b.logout(); a.StatusCode != http.StatusSeeOther || b.in() || client.in() {
		t.Fatalf("got %d %s", a.StatusCode, a.body)
	}
	eventually(t, "the token is revoked", 5*time.Second, func() bool { return len(s.op.Calls("revoke")) > 0 })
	if calls := s.op.Calls("revoke"); len(calls) != 1 || calls[0].Form.Get("token") != mine {
		t.Errorf("got %d revocations, want the browser's alone", len(calls))
	}
}
