package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/oidcauth"
)

// as logs in as sub in a new session at the provider, whose name is the result.
func (b *browser) as(sub string) (sid string) {
	b.t.Helper()
	sid = b.s.op.SignIn(sub)
	b.mustLogin()
	return sid
}

// ends has the provider say that sessions have ended: those of sub, or one; "" leaves a claim out.
func (s *stand) ends(sub, sid string) oidctest.Delivery {
	s.t.Helper()
	return s.deliver(s.logoutToken(sub, sid))
}

func (s *stand) logoutToken(sub, sid string) string {
	return s.op.LogoutToken(func(j *oidctest.JWT) {
		for name, value := range map[string]string{"sub": sub, "sid": sid} {
			if j.Claims[name] = value; value == "" {
				delete(j.Claims, name)
			}
		}
	})
}

func (s *stand) deliver(token string) oidctest.Delivery {
	return s.op.Deliver(s.t.Context(), s.url+"/auth/backchannel-logout/corp", token, nil)
}

// LO-04, LO-09: a logout token ends what it names, with its sockets, and nothing else.
func TestBackChannel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// ends gives the token's sub and sid, of the sids of alice's two sessions and of bob's.
		ends func(first, second, bob string) (sub, sid string)
		in   [3]bool
	}{
		{"one session", func(first, _, _ string) (string, string) { return "alice", first }, [3]bool{false, true, true}},
		{"a session alone", func(_, second, _ string) (string, string) { return "", second }, [3]bool{true, false, true}},
		{"all of a subject", func(_, _, _ string) (string, string) { return "alice", "" }, [3]bool{false, false, true}},
		{"LO-09 the session of another subject", func(_, _, bob string) (string, string) { return "alice", bob }, [3]bool{true, true, true}},
		{"LO-09 an unknown session", func(_, _, _ string) (string, string) { return "alice", "unknown" }, [3]bool{true, true, true}},
		{"LO-09 an unknown session alone", func(_, _, _ string) (string, string) { return "", "unknown" }, [3]bool{true, true, true}},
		{"LO-09 an unknown subject", func(first, _, _ string) (string, string) { return "mallory", first }, [3]bool{true, true, true}},
		{"a subject that is a wildcard", func(_, _, _ string) (string, string) { return "%", "" }, [3]bool{true, true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, writers)
			b := [3]*browser{s.browser(), s.browser(), s.browser()}
			first, second, bob := b[0].as("alice"), b[1].as("alice"), b[2].as("bob")
			sub, sid := c.ends(first, second, bob)
			socket := b[0].room()
			other := b[2].room()
			d := s.ends(sub, sid)
			if d.Status != http.StatusOK || d.Header.Get("Cache-Control") != "no-store" || len(d.Header["Set-Cookie"]) != 0 {
				t.Errorf("got %+v, want 200 and nothing to store", d)
			}
			ended := 0
			for i, b := range b {
				if got := b.in(); got != c.in[i] {
					t.Errorf("browser %d: in: %v, want %v", i, got, c.in[i])
				}
				if !c.in[i] {
					ended++
				}
			}
			if !c.in[0] {
				if code := closed(t, socket, reach); code != 1008 {
					t.Errorf("the socket ends with %d, want 1008", code)
				}
				if a := b[0].open("/"); a.StatusCode != http.StatusSeeOther || b[0].session() != "" {
					t.Errorf("C-13: got %d; the browser still has %q", a.StatusCode, b[0].session())
				}
			} else {
				echoes(t, socket)
			}
			echoes(t, other)
			if n := s.count(auth.EventRevoked); n != min(ended, 1) {
				t.Errorf("%d events", n)
			}
		})
	}
}

// A provider may name the session in logout tokens and not in ID tokens: then none of the subject's can be told from it.
func TestBackChannelOfSessionsWithoutAName(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	named, unnamed, bob := s.browser(), s.browser(), s.browser()
	named.as("alice")
	s.op.SetHooks(oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) { delete(j.Claims, "sid") }})
	sid := unnamed.as("alice")
	bob.as("bob")
	if d := s.ends("alice", sid); d.Status != http.StatusOK {
		t.Fatalf("got %+v", d)
	}
	if named.in() != true || unnamed.in() || !bob.in() {
		t.Errorf("in: %v, %v, %v, want the one without a name to have ended", named.in(), unnamed.in(), bob.in())
	}
}

// LO-07: a logout token comes as the one field of a form, and in no other way.
func TestWhereLogoutTokensBelong(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	sid := b.as("alice")
	token := s.logoutToken("alice", sid)
	const path, form = "/auth/backchannel-logout/corp", "application/x-www-form-urlencoded"
	field := url.Values{"logout_token": {token}}.Encode()
	for _, c := range []struct {
		name, method, path, kind, body string
		want                           int
	}{
		{"a GET", "GET", path + "?" + field, "", "", 405},
		{"a HEAD", "HEAD", path + "?" + field, "", "", 405},
		{"a PUT", "PUT", path, form, field, 405},
		{"JSON", "POST", path, "application/json", `{"logout_token":"` + token + `"}`, 415},
		{"text", "POST", path, "text/plain", field, 415},
		{"no content type", "POST", path, "", field, 415},
		{"parts", "POST", path, "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"logout_token\"\r\n\r\n" + token + "\r\n--x--", 415},
		{"another charset", "POST", path, form + "; charset=utf-16", field, 400},
		{"two fields", "POST", path, form, field + "&" + field, 400},
		{"in the query", "POST", path + "?" + field, form, "", 400},
		{"in the query too", "POST", path + "?" + field, form, field, 400},
		{"nothing", "POST", path, form, "", 400},
		{"an empty field", "POST", path, form, "logout_token=", 400},
		{"another field", "POST", path, form, url.Values{"token": {token}}.Encode(), 400},
		{"more than a token can be", "POST", path, form, field + strings.Repeat("A", 1<<20), 413},
		{"an unknown provider", "POST", "/auth/backchannel-logout/other", form, field, 404},
		{"L-08 a path beside", "POST", "/auth/backchannel-logout/corp/x", form, field, 404},
	} {
		var headers []string
		if c.kind != "" {
			headers = []string{"Content-Type", c.kind}
		}
		a := s.browser().do(c.method, c.path, c.body, headers...)
		if status(t, c.name, a, c.want); a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control is %q", c.name, a.Header.Get("Cache-Control"))
		}
		if strings.Contains(a.body, token) || strings.Contains(s.log(), token) {
			t.Errorf("%s: the token is shown or logged", c.name)
		}
		if !b.in() {
			t.Fatalf("%s: the session has ended", c.name)
		}
	}
	if d := s.deliver(token); d.Status != http.StatusOK || b.in() {
		t.Errorf("the same token as it should be: got %+v, in: %v", d, b.in())
	}
}

// LO-12: the token alone counts. What a browser sends along by itself does nothing, and no origin is asked for.
func TestBackChannelFromABrowser(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	alice, bob := s.browser(), s.browser()
	sid := alice.as("alice")
	bob.as("bob")
	headers := []string{"Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}
	post := func(token string) answer {
		return bob.do("POST", "/auth/backchannel-logout/corp", url.Values{"logout_token": {token}}.Encode(), headers...)
	}
	for name, token := range map[string]string{
		"no token":               "",
		"bob's own cookie":       bob.session(),
		"LO-08 an ID token":      s.op.IDToken(),
		"an access token":        s.op.AccessToken(oidctest.Grant{Sub: "bob", Audience: clientID}),
		"a stranger's signature": s.op.LogoutToken(func(j *oidctest.JWT) { j.SignWith(s.op.NewKey("RS256")) }),
	} {
		if a := post(token); a.StatusCode != http.StatusBadRequest || len(a.Cookies()) != 0 {
			t.Errorf("%s: got %d and cookies %v, want 400 and none", name, a.StatusCode, a.Cookies())
		}
	}
	if !alice.in() || !bob.in() {
		t.Fatal("a session has ended")
	}
	a := post(s.logoutToken("alice", sid))
	if status(t, "a good token", a, http.StatusOK); len(a.Cookies()) != 0 || alice.in() || !bob.in() {
		t.Errorf("got cookies %v; in: alice %v, bob %v", a.Cookies(), alice.in(), bob.in())
	}
}

// LO-11: a flood of wrong tokens is limited and has no keys fetched; it keeps out neither people nor the provider.
func TestFloodOfLogoutTokens(t *testing.T) {
	t.Parallel()
	var now clock
	now.stop() // the keys' cool-down must not be over before the flood is
	s := newStand(t, func(pl *plan) {
		pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
		pl.cfg.Auth.TrustedProxies = []string{"127.0.0.1"}
	})
	b, other := s.browser(), s.browser()
	sid := b.as("alice")
	other.as("bob")
	bad := s.op.LogoutToken(func(j *oidctest.JWT) { j.SignWith(s.op.NewKey("RS256")) })
	s.op.Reset()
	got := map[int]int{}
	routes := s.Routes()
	flood := func(n int, address func(int) string) {
		for i := range n {
			body := strings.NewReader("logout_token=" + bad)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/auth/backchannel-logout/corp", body)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.RemoteAddr = address(i) + ":1"
			w := httptest.NewRecorder()
			routes.ServeHTTP(w, r)
			if got[w.Code]++; w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
				t.Fatal("429 doesn't say when to come again")
			}
		}
	}
	flood(10_000, func(int) string { return "203.0.113.7" })
	if got[http.StatusBadRequest] < 50 || got[http.StatusBadRequest] > 150 || got[http.StatusBadRequest]+got[http.StatusTooManyRequests] != 10_000 {
		t.Errorf("from one address: got %v, want some 100 answered with 400, and 429 for the others", got)
	}
	clear(got)
	flood(10_000, func(i int) string { return "10.1." + string(rune('0'+i%10)) + "." + string(rune('0'+i/10%10)) })
	if got[http.StatusBadRequest]+got[http.StatusTooManyRequests] != 10_000 {
		t.Errorf("from many addresses: got %v", got)
	}
	if n := len(s.op.Calls("jwks")); n > 1 {
		t.Errorf("the keys were fetched %d times, want once at most", n)
	}
	if s.count(auth.EventLimited) < 9000 {
		t.Errorf("%d events of the limit", s.count(auth.EventLimited))
	}
	begin := time.Now()
	if !other.in() || !b.in() {
		t.Error("somebody was logged out")
	}
	if d := s.ends("alice", sid); d.Status != http.StatusOK || b.in() || !other.in() {
		t.Errorf("the provider's own: got %+v; in: alice %v, bob %v", d, b.in(), other.in())
	}
	t.Logf("after the flood, three requests and a logout take %s", time.Since(begin))
}

// LO-14: while the database can't be asked it is 503, so that the provider tries again; and then it works.
func TestBackChannelWithoutDatabase(t *testing.T) {
	t.Parallel()
	db, faults := storetest.Open(t, t.TempDir()+"/app.db")
	s := newStand(t, func(pl *plan) { pl.cfg.DB = db })
	b := s.browser()
	token := s.logoutToken("alice", b.as("alice"))
	faults.Fail()
	d := s.deliver(token)
	if d.Status != http.StatusServiceUnavailable || d.Header.Get("Retry-After") == "" || d.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %+v, want 503", d)
	}
	faults.Heal()
	if !b.in() {
		t.Error("the session has ended, and the provider was told that it can't")
	}
	if d := s.deliver(token); d.Status != http.StatusOK || b.in() {
		t.Errorf("again: got %+v, in: %v", d, b.in())
	}
	// Each call alone: a 503 has done nothing. Only where the answer to the commit itself is lost may it have, and then the
	// session has ended, whatever the provider is told the next time.
	for name, spoil := range map[string]func(int){"fails": faults.FailAt, "is lost": faults.LoseAt} {
		for k := 1; ; k++ {
			faults.Heal()
			b := s.browser()
			token := s.logoutToken("alice", b.as("alice"))
			spoil(k)
			d := s.deliver(token)
			broken := faults.Broken()
			faults.Heal()
			if broken == 0 {
				break
			}
			switch d.Status {
			case http.StatusOK:
			case http.StatusServiceUnavailable:
				if name == "fails" && !b.in() {
					t.Errorf("call %d %s: 503, and the session has ended", k, name)
				}
				if again := s.deliver(token); again.Status != http.StatusOK && name == "fails" {
					t.Errorf("call %d %s: once more got %+v", k, name, again)
				}
			default:
				t.Errorf("call %d %s: got %+v", k, name, d)
			}
			if b.in() {
				t.Errorf("call %d %s: the session lives on", k, name)
			}
		}
	}
}

// A provider whose keys can't be had is asked to try again, too.
func TestBackChannelWithoutKeys(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) { pl.cfg.Auth.Now, pl.op.Now = now.now, now.now })
	b := s.browser()
	token := s.logoutToken("alice", b.as("alice"))
	s.another(s.db).use() // one that has no keys yet
	s.op.Fault("jwks", oidctest.Status(http.StatusBadGateway))
	if d := s.deliver(token); d.Status != http.StatusServiceUnavailable || !b.in() {
		t.Errorf("got %+v, in: %v, want 503", d, b.in())
	}
	s.op.Fault("jwks", nil)
	now.forward(time.Minute)
	if d := s.deliver(token); d.Status != http.StatusOK || b.in() {
		t.Errorf("then: got %+v, in: %v", d, b.in())
	}
}

// Two providers may give the same names to different people and sessions: each ends its own.
func TestBackChannelOfAnotherProvider(t *testing.T) {
	t.Parallel()
	evil, err := oidctest.New(oidctest.Config{Clients: []oidctest.Client{{ID: clientID, Secret: clientSecret}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(evil.Close)
	s := newStand(t, func(pl *plan) {
		pl.providers = []oidcauth.Provider{{Name: "evil", Issuer: evil.Issuer(), ClientID: clientID, ClientSecret: clientSecret}}
	})
	b := s.browser()
	sid := s.op.SignIn("alice")
	if a := b.login("/auth/login/corp"); a.StatusCode != http.StatusSeeOther || !b.in() {
		t.Fatalf("got %d %s", a.StatusCode, a.body)
	}
	const jti = "the same id of both"
	foreign := evil.LogoutToken(func(j *oidctest.JWT) { j.Claims["sub"], j.Claims["sid"], j.Claims["jti"] = "alice", sid, jti })
	if d := s.deliver(foreign); d.Status != http.StatusBadRequest || !b.in() {
		t.Errorf("at the other's address: got %+v, in: %v", d, b.in())
	}
	if d := s.op.Deliver(t.Context(), s.url+"/auth/backchannel-logout/evil", foreign, nil); d.Status != http.StatusOK || !b.in() {
		t.Errorf("at its own: got %+v, in: %v", d, b.in())
	}
	own := s.op.LogoutToken(func(j *oidctest.JWT) { j.Claims["sub"], j.Claims["sid"], j.Claims["jti"] = "alice", sid, jti })
	if d := s.deliver(own); d.Status != http.StatusOK || b.in() {
		t.Errorf("its own provider's: got %+v, in: %v", d, b.in())
	}
}
