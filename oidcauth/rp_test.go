package oidcauth_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// The tests of the OpenID conformance suite for relying parties, and more like them: every named behaviour of the provider, each
// behind a good case in the same test.
func TestRelyingParty(t *testing.T) {
	t.Parallel()
	for _, behaviour := range oidctest.Behaviours() {
		t.Run(string(behaviour.Stage)+"/"+behaviour.Name, func(t *testing.T) {
			t.Parallel()
			var now clock
			s := newStand(t, func(pl *plan) { rpPlan(t, pl, behaviour, &now) })
			switch behaviour.Stage {
			case oidctest.Login:
				rpLogin(t, s, behaviour, &now)
			case oidctest.Refresh:
				rpRefresh(t, s, behaviour, &now)
			case oidctest.RPLogout:
				rpLogout(t, s, behaviour)
			case oidctest.BackChannel:
				rpBackChannel(t, s, behaviour)
			case oidctest.FrontChannel:
				rpFrontChannel(t, s, behaviour)
			default:
				t.Fatalf("unknown stage %q", behaviour.Stage)
			}
			if calls := s.op.Calls("other"); len(calls) != 0 {
				t.Errorf("the provider was asked for %s, which is no endpoint", calls[0].URL)
			}
		})
	}
}

// rpPlan registers the client as the behaviour wants, here and there.
func rpPlan(t *testing.T, pl *plan, behaviour oidctest.Behaviour, now *clock) {
	pl.cfg.HTTPClient = &http.Client{Timeout: 5 * time.Second} // of a provider that doesn't answer
	pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
	pl.client.IDTokenAlg, pl.client.Secret = "RS256", clientSecret
	pl.withoutFrame = behaviour.Stage == oidctest.RPLogout // else the provider shows a page with the frame first
	if behaviour.Register != nil {
		behaviour.Register(&pl.client)
	}
	pl.provider.Algorithms = []string{pl.client.IDTokenAlg}
	if behaviour.Stage == oidctest.Refresh {
		pl.cfg.RefreshKeys = [][]byte{sealKey("of now")}
	}
	for name, values := range behaviour.Asks {
		switch name {
		case "acr_values":
			pl.provider.ACRValues = strings.Fields(values[0])
		case "max_age":
			seconds, err := strconv.Atoi(values[0])
			if err != nil {
				t.Fatal(err)
			}
			pl.provider.MaxAge = time.Duration(seconds) * time.Second
		case "scope": // asked for in any case
		default:
			t.Fatalf("nothing here asks for %q", name)
		}
	}
	switch pl.client.Auth {
	case "client_secret_post":
		pl.provider.ClientAuth = oidcauth.ClientSecretPost
	case "", "client_secret_basic", "none":
	default:
		t.Fatalf("no client authenticates by %q here", pl.client.Auth)
	}
}

func rpLogin(t *testing.T, s *stand, behaviour oidctest.Behaviour, now *clock) {
	s.browser().mustLogin()
	if behaviour.Want == oidctest.Accept { // by a server that has known the provider otherwise
		rpAttempt(t, s, behaviour)
	}
	// By one that knows nothing yet: what is known of a provider lasts, so that metadata and keys that are odd don't show else.
	fresh := newStand(t, func(pl *plan) { rpPlan(t, pl, behaviour, now); pl.given = s.op })
	rpAttempt(t, fresh, behaviour)
}

// rpAttempt is a login at a provider that behaves so.
func rpAttempt(t *testing.T, s *stand, behaviour oidctest.Behaviour) {
	s.op.Reset()
	s.op.Behave(behaviour)
	b := s.browser()
	failed := s.failures()
	location, ok := b.tryBack()
	var last answer
	if ok {
		last = b.open(location)
	}
	in := b.in()
	switch {
	case behaviour.Want == oidctest.Accept && !in:
		t.Fatalf("got refused: %s\n%s", last.body, s.log())
	case behaviour.Want == oidctest.Refuse && in:
		t.Fatal("got a session")
	}
	for _, endpoint := range []string{"discovery", "jwks", "par", "token", "userinfo"} {
		for _, c := range s.op.Calls(endpoint) {
			if got := c.Header["Cookie"]; len(got) != 0 {
				t.Errorf("%s got the cookies %q", endpoint, got)
			}
		}
	}
	if !in {
		rpRefused(t, s, b, behaviour, failed, last, ok)
	}
	if !ok {
		return
	}
	s.op.SetHooks(oidctest.Hooks{})
	for name, other := range map[string]*browser{"the same browser": b, "another one": s.browser()} {
		s.op.Reset()
		a := other.open(location)
		if a.StatusCode != http.StatusBadRequest || len(s.op.Calls("token")) != 0 || other.in() != (in && other == b) {
			t.Errorf("the callback once more, in %s: got %d, and %d calls of the token endpoint", name, a.StatusCode, len(s.op.Calls("token")))
		}
	}
}

// rpRefused is how a login is refused.
func rpRefused(t *testing.T, s *stand, b *browser, behaviour oidctest.Behaviour, failed int, last answer, back bool) {
	if b.session() != "" {
		t.Error("a session cookie was set")
	}
	if back && last.StatusCode != http.StatusBadRequest && last.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %d %s, want 400 or 503", last.StatusCode, last.body)
	}
	if got := s.failures() - failed; got != 1 {
		t.Errorf("got %d events about it, want 1", got)
	}
	for _, endpoint := range behaviour.NotCalled {
		if n := len(s.op.Calls(endpoint)); n != 0 {
			t.Errorf("%s was called %d times", endpoint, n)
		}
	}
}

// failures counts events of logins that came to nothing.
func (s *stand) failures() int { return s.count("login_failed") + s.count("unavailable") }

// tryBack goes to the provider; ok is false where the login has ended here before that, or the provider sends the browser
// nowhere.
func (b *browser) tryBack() (location string, ok bool) {
	b.t.Helper()
	a := b.open("/auth/login")
	if a.StatusCode != http.StatusSeeOther {
		return "", false
	}
	a = b.open(a.Header.Get("Location"))
	location = a.Header.Get("Location")
	return location, strings.HasPrefix(location, b.s.url)
}

func rpRefresh(t *testing.T, s *stand, behaviour oidctest.Behaviour, now *clock) {
	b := s.browser().mustLogin()
	refresh := func() error {
		now.forward(10 * time.Minute)
		return s.RefreshNow(b.session())
	}
	s.op.Reset()
	if err := refresh(); err != nil || !b.in() || len(s.op.Calls("token")) != 1 {
		t.Fatalf("a good refresh: %v, %d calls", err, len(s.op.Calls("token")))
	}
	s.op.Reset()
	s.op.Behave(behaviour)
	first := refresh()
	if len(s.op.Calls("token")) == 0 {
		t.Fatal("nobody refreshed")
	}
	second := refresh()
	switch in := b.in(); {
	case behaviour.Want == oidctest.Accept && (!in || first != nil || second != nil):
		t.Fatalf("got refused: %v, %v, in: %v", first, second, in)
	case behaviour.Want == oidctest.Refuse && in:
		t.Fatalf("the session goes on: %v, %v\n%s", first, second, s.log())
	case behaviour.Want == oidctest.Refuse:
		for _, endpoint := range behaviour.NotCalled {
			if n := len(s.op.Calls(endpoint)); n != 0 {
				t.Errorf("%s was called %d times", endpoint, n)
			}
		}
	}
}

func rpLogout(t *testing.T, s *stand, behaviour oidctest.Behaviour) {
	logout := func(b *browser) answer {
		a := b.do("POST", "/auth/logout", "", "Accept", "text/html", "Origin", s.url)
		if a.StatusCode != http.StatusSeeOther || b.in() {
			t.Fatalf("POST /auth/logout: got %d %s", a.StatusCode, a.body)
		}
		target, err := url.Parse(a.Header.Get("Location"))
		if err != nil || !strings.HasPrefix(target.String(), s.op.Issuer()) {
			t.Fatalf("got sent to %q", a.Header.Get("Location"))
		}
		for _, name := range []string{"id_token_hint", "post_logout_redirect_uri", "state", "client_id"} {
			if target.Query().Get(name) == "" {
				t.Errorf("the provider is sent no %s", name)
			}
		}
		a = b.open(target.String())
		back := a.Header.Get("Location")
		if !strings.HasPrefix(back, s.url) {
			t.Fatalf("the provider answers %d %q %s", a.StatusCode, back, a.body)
		}
		return b.open(back)
	}
	good := logout(s.browser().mustLogin())
	s.sid = s.op.SignIn("alice")
	b := s.browser().mustLogin()
	s.op.Behave(behaviour)
	if a := logout(b); a.StatusCode != http.StatusOK || a.body != good.body || !strings.Contains(a.body, "signed out") {
		t.Errorf("got %d %s, want what is shown otherwise", a.StatusCode, a.body)
	}
}

func rpBackChannel(t *testing.T, s *stand, behaviour oidctest.Behaviour) {
	deliver := func(b *browser) []oidctest.Delivery {
		deliveries := s.op.LogoutSession(t.Context(), s.sid)
		if len(deliveries) != 1 {
			t.Fatalf("%d logout tokens were sent", len(deliveries))
		}
		return deliveries
	}
	b := s.browser().mustLogin()
	if d := deliver(b); d[0].Status != http.StatusOK || b.in() {
		t.Fatalf("a good logout token: %+v, in: %v", d, b.in())
	}
	s.sid = s.op.SignIn("alice")
	b = s.browser().mustLogin()
	s.op.Behave(behaviour)
	d := deliver(b)
	if strings.Contains(behaviour.Does, "the second") { // the first one counts
		s.sid = s.op.SignIn("alice")
		b = s.browser().mustLogin()
		d = deliver(b)
	}
	in := b.in()
	if d[0].Header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control is %q", d[0].Header.Get("Cache-Control"))
	}
	want := map[oidctest.Verdict]int{oidctest.Accept: 200, oidctest.Ignore: 200, oidctest.Refuse: 400}[behaviour.Want]
	switch behaviour.Name {
	case "LO-07 GET":
		want = http.StatusMethodNotAllowed
	case "LO-07 JSON":
		want = http.StatusUnsupportedMediaType
	}
	switch {
	case behaviour.Want == oidctest.Either && in == (d[0].Status == http.StatusOK):
		t.Errorf("got %d, in: %v", d[0].Status, in)
	case behaviour.Want != oidctest.Either && (d[0].Status != want || in == (behaviour.Want == oidctest.Accept)):
		t.Errorf("got %d, in: %v, want %d", d[0].Status, in, want)
	}
}

func rpFrontChannel(t *testing.T, s *stand, behaviour oidctest.Behaviour) {
	load := func(b *browser) answer {
		return b.open(s.op.FrontchannelURL(s.url+"/auth/frontchannel-logout/corp", s.sid), "Sec-Fetch-Dest", "iframe")
	}
	b := s.browser().mustLogin()
	if a := load(b); a.StatusCode != http.StatusOK || b.in() {
		t.Fatalf("a good frame: %d %s", a.StatusCode, a.body)
	}
	s.sid = s.op.SignIn("alice")
	b = s.browser().mustLogin()
	s.op.Behave(behaviour)
	a := load(b)
	if in := b.in(); in != (behaviour.Want == oidctest.Refuse) {
		t.Errorf("got %d %s, in: %v", a.StatusCode, a.body, in)
	}
}
