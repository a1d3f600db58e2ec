package oidcauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest/certified"
	"github.com/ostiary/auth/oidcauth"
)

// Everything that oidcauth does with a provider, with a certified one: oidcc-client-test,
// oidcc-client-test-discovery-openid-config, oidcc-client-test-discovery-jwks-uri-keys, oidcc-client-test-client-secret-basic,
// oidcc-client-test-scope-userinfo-claims, oidcc-client-test-idtoken-sig-rs256, and what the functions name.
func TestACertifiedProvider(t *testing.T) {
	t.Parallel()
	for alg, method := range map[string]string{
		"RS256": "client_secret_basic", "ES256": "private_key_jwt", "EdDSA": "client_secret_post",
	} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			s := newCertifiedStand(t, alg, method, nil)
			// In this order: the last ones turn the application's clock.
			s.admits()
			s.logsOutThere()
			s.isLoggedOutFromThere()
			s.takesBoundTokens()
			s.takesOpaqueTokens()
			s.takesTokens()
			if alg == "RS256" {
				s.endsWithTheToken()
			}
			s.refreshes()
		})
	}
}

// admits: people may do what the provider's claims say.
func (s *certifiedStand) admits() {
	s.t.Helper()
	s.answers(s.browser(), "GET", "/api/contents/demo", http.StatusUnauthorized)
	alice, bob := s.logIn("alice"), s.logIn("bob")
	if me := alice.do("GET", "/api/me", "").body; !strings.Contains(me, `"username":"alice","name":"Alice Liddell"`) {
		s.t.Errorf("GET /api/me: %s", me)
	}
	s.answers(alice, "PUT", "/api/contents/demo", http.StatusOK)
	s.answers(bob, "GET", "/api/contents/demo", http.StatusOK)
	s.answers(bob, "PUT", "/api/contents/demo", http.StatusForbidden)
}

// logsOutThere: who logs out of the application is sent on to log out of the provider (rp-init-logout).
func (s *certifiedStand) logsOutThere() {
	s.t.Helper()
	b := s.logIn("alice")
	socket := s.enter(b)
	leave := b.do("POST", "/auth/logout", "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Origin", s.url)
	target, err := url.Parse(leave.Header.Get("Location"))
	if err != nil || leave.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("POST /auth/logout: %d %s", leave.StatusCode, leave.body)
	}
	s.ends(socket, reach)
	s.answers(b, "GET", "/api/contents/demo", http.StatusUnauthorized)

	told := target.Query()
	if told.Get("id_token_hint") == "" || told.Get("state") == "" {
		s.t.Errorf("the provider is told %v", told)
	}
	back := s.provider.Walk(s.t, b.client, target.String(), certified.SignOut())
	if got, want := back.String(), s.url+"/auth/logged-out?state="+told.Get("state"); got != want {
		s.t.Errorf("the provider leads to %s, want %s", got, want)
	}
	if last := b.open(back.String()); last.StatusCode != http.StatusOK || !strings.Contains(last.body, "You are signed out here.") {
		s.t.Errorf("%s: %d %s", back, last.StatusCode, last.body)
	}
	if n := s.count(auth.EventWarning); n != 0 { // of another state
		s.t.Errorf("got %d warnings, want none", n)
	}
	// The provider's session is over, too: it asks for a password again.
	again := s.provider.Walk(s.t, b.client, b.leave("/auth/login?prompt=none"), nil)
	if got := again.Query().Get("error"); got != "login_required" {
		s.t.Errorf("the provider answers a silent login with %q", got)
	}
}

// isLoggedOutFromThere: who logs out of another application of the provider is logged out of ours
// (oidcc-client-test-rp-backchannel-rpinitlogout).
func (s *certifiedStand) isLoggedOutFromThere() {
	s.t.Helper()
	b, other := s.logIn("alice"), s.logIn("alice")
	socket, before := s.enter(b), s.count(auth.EventRevoked)
	s.jwts.Browser = b.client
	hint := s.jwts.LogIn(s.t, "alice", nil)["id_token"].(string)
	s.provider.Walk(s.t, b.client, s.jwts.Endpoint(s.t, "end_session")+"?"+url.Values{
		"id_token_hint": {hint}, "post_logout_redirect_uri": s.jwts.Client.PostLogoutRedirectURIs,
	}.Encode(), certified.SignOut())
	s.ends(socket, reach)
	s.answers(b, "GET", "/api/contents/demo", http.StatusUnauthorized)
	s.awaits("the event", func() bool { return s.count(auth.EventRevoked) > before }) // it is told after the end
	if got := s.count(auth.EventRevoked) - before; got != 1 {
		s.t.Errorf("got %d logouts from the provider, want 1", got)
	}
	s.answers(other, "GET", "/api/contents/demo", http.StatusOK) // another session of the provider's
}

// forAPI asks for an access token for the application.
var forAPI = url.Values{"resource": {certified.Resource}, "scope": {"openid contents:read"}}

// takesTokens: JWTs (RFC 9068).
func (s *certifiedStand) takesTokens() {
	s.t.Helper()
	nobody := s.browser()
	alice := "Bearer " + s.jwts.LogIn(s.t, "alice", forAPI)["access_token"].(string)
	bob := "Bearer " + s.provider.App(s.t, s.jwts.Client, certified.NewKey(s.t)).LogIn(s.t, "bob", forAPI)["access_token"].(string)
	s.answers(nobody, "PUT", "/api/contents/demo", http.StatusOK, "Authorization", alice)
	s.answers(nobody, "GET", "/api/contents/demo", http.StatusOK, "Authorization", bob)
	s.answers(nobody, "PUT", "/api/contents/demo", http.StatusForbidden, "Authorization", bob)
	s.answers(nobody, "GET", "/api/contents/demo", http.StatusUnauthorized, "Authorization", alice[:len(alice)-8]+"AAAAAAAA")

	// A program's own token, which is nobody's.
	_, own := s.jwts.Post(s.t, "token", url.Values{
		"grant_type": {"client_credentials"}, "resource": {certified.Resource}, "scope": {"contents:read"},
	})
	got := s.answers(nobody, "GET", "/api/contents/demo", http.StatusOK, "Authorization", "Bearer "+own["access_token"].(string))
	if !strings.Contains(got.body, `"id":"oidc-client:`+s.provider.Issuer+`#jwts"`) {
		s.t.Errorf("got %s", got.body)
	}

	_ = s.enter(nobody, "Authorization", bob).CloseNow()
}

// endsWithTheToken: what a token has opened. It waits for that.
func (s *certifiedStand) endsWithTheToken() {
	s.t.Helper()
	const left = 8 * time.Second // for the handshake, on a busy machine
	nobody := s.browser()
	alice := "Bearer " + s.jwts.LogIn(s.t, "alice", forAPI)["access_token"].(string)
	s.ahead.Store(int64(accessTTL - left))
	s.ends(s.enter(nobody, "Authorization", alice), left+reach)
	s.answers(nobody, "GET", "/api/contents/demo", http.StatusUnauthorized, "Authorization", alice)
}

// takesBoundTokens: with a proof of the key for each request, and never without (RFC 9449).
func (s *certifiedStand) takesBoundTokens() {
	s.t.Helper()
	nobody, path := s.browser(), "/api/contents/demo"
	access := s.bound.LogIn(s.t, "alice", forAPI)["access_token"].(string)
	proof := s.bound.Proof("GET", s.url+path, access)
	stolen := s.provider.App(s.t, s.bound.Client, certified.NewKey(s.t)).Proof("GET", s.url+path, access)
	s.answers(nobody, "GET", path, http.StatusOK, "Authorization", "DPoP "+access, "DPoP", proof)
	s.answers(nobody, "GET", path, http.StatusUnauthorized, "Authorization", "DPoP "+access, "DPoP", proof) // again
	s.answers(nobody, "GET", path, http.StatusUnauthorized, "Authorization", "DPoP "+access, "DPoP", stolen)
	s.answers(nobody, "GET", path, http.StatusUnauthorized, "Authorization", "DPoP "+access)
	s.answers(nobody, "GET", path, http.StatusUnauthorized, "Authorization", "Bearer "+access)
	socket := s.enter(nobody, "Authorization", "DPoP "+access, "DPoP", s.bound.Proof("GET", s.url+"/room", access))
	_ = socket.CloseNow()
}

// takesOpaqueTokens: the provider is asked (RFC 7662), and asked again.
func (s *certifiedStand) takesOpaqueTokens() {
	s.t.Helper()
	nobody := s.browser()
	access := s.opaque.LogIn(s.t, "alice", forAPI)["access_token"].(string)
	s.answers(nobody, "PUT", "/api/contents/demo", http.StatusOK, "Authorization", "Bearer "+access)
	s.answers(nobody, "PUT", "/api/contents/demo", http.StatusUnauthorized, "Authorization", "Bearer "+strings.ToUpper(access))
	socket := s.enter(nobody, "Authorization", "Bearer "+access)
	if status, answer := s.opaque.Post(s.t, "revocation", url.Values{"token": {access}}); status != http.StatusOK {
		s.t.Fatalf("revoking: %d %v", status, answer)
	}
	s.ahead.Add(int64(time.Minute))
	s.ends(socket, reach)
	s.answers(nobody, "PUT", "/api/contents/demo", http.StatusUnauthorized, "Authorization", "Bearer "+access)
}

// refreshes: what the provider says of somebody changes, and then that there is no such person any more
// (oidcc-client-test-refresh-token).
func (s *certifiedStand) refreshes() {
	s.t.Helper()
	b := s.logIn("alice")
	socket := s.enter(b)
	people := certified.People()
	people["alice"]["name"], people["alice"]["permissions"] = "Alice Hargreaves", []string{"contents:read"}
	s.provider.SetAccounts(s.t, people)
	s.ahead.Add(int64(accessTTL * 9 / 10))
	s.awaits("the new name", func() bool { return strings.Contains(b.do("GET", "/api/me", "").body, "Alice Hargreaves") })
	s.ends(socket, reach) // it could write
	s.answers(b, "GET", "/api/contents/demo", http.StatusOK)
	s.answers(b, "PUT", "/api/contents/demo", http.StatusForbidden)

	delete(people, "alice")
	s.provider.SetAccounts(s.t, people)
	s.ahead.Add(int64(accessTTL * 9 / 10))
	s.awaits("the end of the session", func() bool { return !b.in() })
}

// FP04: what is asked for beside who somebody is, and without asking anybody.
func TestACertifiedProviderIsAskedForMore(t *testing.T) {
	t.Parallel()
	t.Run("a recent login of a class that the provider has", func(t *testing.T) {
		t.Parallel()
		s := newCertifiedStand(t, "RS256", "client_secret_basic", func(p *oidcauth.Provider) {
			p.MaxAge, p.ACRValues, p.UILocales, p.Prompt = time.Minute, []string{"2", "1"}, []string{"de", "en"}, "login consent"
		})
		b := s.logIn("alice")
		if a := b.do("POST", "/auth/logout", ""); a.StatusCode != http.StatusNoContent {
			t.Fatalf("POST /auth/logout: %d %s", a.StatusCode, a.body)
		}
		// The provider knows the browser still. It says so to who asks for no page, and to nobody else.
		back := s.provider.Walk(t, b.client, b.leave("/auth/login?prompt=none&next=%2Fpage"), nil)
		if last := b.open(back.String()); last.Header.Get("Location") != "/page" || !b.in() {
			t.Errorf("a silent login ends with %d to %q: %s", last.StatusCode, last.Header.Get("Location"), last.body)
		}
	})
	t.Run("a class that it doesn't have", func(t *testing.T) {
		t.Parallel()
		s := newCertifiedStand(t, "RS256", "client_secret_basic", func(p *oidcauth.Provider) { p.ACRValues = []string{"2"} })
		b := s.browser()
		back := s.provider.Walk(t, b.client, b.leave("/auth/login"), certified.SignIn("alice"))
		if got := back.Query(); got.Get("code") == "" {
			t.Fatalf("the provider says %v", got)
		}
		if last := b.open(back.String()); last.StatusCode != http.StatusBadRequest || b.in() {
			t.Errorf("the login ends with %d %s", last.StatusCode, last.body)
		}
	})
}
