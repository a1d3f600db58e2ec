package oidcauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// made is a callback that the browser makes up for an attempt of its own.
func (b *browser) made(code string) string {
	b.t.Helper()
	b.leave("/auth/login")
	calls := b.s.op.Calls("par")
	q := url.Values{"code": {code}, "iss": {b.s.op.Issuer()}, "state": {calls[len(calls)-1].Form.Get("state")}}
	return "/auth/callback/corp?" + q.Encode()
}

// O-06: a stranger who comes back with codes of no worth, as often as he likes, costs a bounded number of rows and of questions
// to the provider, and shuts out nobody but himself.
func TestStrangersCodesAreBounded(t *testing.T) {
	t.Parallel()
	const free = 100
	var now, ops clock
	now.stop() // each second lets one more through
	ops.stop()
	s := newStand(t, func(pl *plan) {
		pl.cfg.Auth.Now, pl.op.Now = now.now, ops.now
		pl.cfg.Auth.TrustedProxies = []string{"127.0.0.0/8"}
	})
	const from = "X-Forwarded-For"
	s.browser().mustLogin()
	s.op.Reset()
	rows := s.rows("auth_marks")
	stranger := s.browser()
	got := map[int]int{}
	for range 2 * free {
		got[stranger.open(stranger.made("x"), from, "192.0.2.1").StatusCode]++
	}
	if got[http.StatusBadRequest] != free || got[http.StatusTooManyRequests] != free {
		t.Errorf("got %v, want %d refused and %d limited", got, free, free)
	}
	if n, calls := s.rows("auth_marks")-rows, len(s.op.Calls("token")); n != free || calls != free {
		t.Errorf("%d rows and %d questions, want %d", n, calls, free)
	}
	if s.count(auth.EventLimited) != free {
		t.Errorf("%d events say so", s.count(auth.EventLimited))
	}
	// Others aren't held up. Who shares the address is, and can open the same address again.
	b := s.browser()
	good := b.back(b.leave("/auth/login"))
	if a := b.open(good, from, "192.0.2.1"); a.StatusCode != http.StatusTooManyRequests || b.in() || a.Header.Get("Retry-After") == "" {
		t.Errorf("from the same address: got %d, in: %v", a.StatusCode, b.in())
	}
	s.browser().mustLogin()
	now.forward(time.Minute)
	if a := b.open(good, from, "192.0.2.1"); a.StatusCode != http.StatusSeeOther || !b.in() {
		t.Errorf("from the same address, later: got %d %s", a.StatusCode, a.body)
	}
	// Who gets in isn't counted.
	for range free + 10 {
		if a := s.browser().login("/auth/login"); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("a good login: got %d", a.StatusCode)
		}
	}
}

// O-06, O-08: what brings no code leaves no row: answers with an error are free to whoever makes them up.
func TestErrorsLeaveNoRows(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	s.browser().mustLogin()
	rows := s.rows("auth_marks")
	if rows == 0 {
		t.Fatal("a good login leaves none either")
	}
	b := s.browser()
	for _, change := range [][2]string{{"error", "access_denied"}, {"error", "login_required"}, {"code", ""}, {"iss", "https://evil.example"}} {
		made := b.made("x")
		if a := b.open(withQuery(made, change[0], change[1])); a.StatusCode != http.StatusBadRequest || b.flows() != 0 {
			t.Errorf("%v: got %d, and %d attempts are left", change, a.StatusCode, b.flows())
		}
	}
	if n := s.rows("auth_marks") - rows; n != 0 {
		t.Errorf("%d rows", n)
	}
}

// O-06: attempts that the provider is told of are limited as well, far above what people do.
func TestPushedAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	const free = 500
	var now clock
	now.stop() // each second lets one more through
	s := newStand(t, func(pl *plan) { pl.cfg.Auth.Now, pl.op.Now = now.now, now.now })
	s.browser().mustLogin()
	s.op.Reset()
	stranger := s.browser()
	got := map[int]int{}
	for range free + 20 {
		got[stranger.open("/auth/login").StatusCode]++
	}
	if calls := len(s.op.Calls("par")); got[http.StatusSeeOther] != free || got[http.StatusTooManyRequests] != 20 || calls != free {
		t.Errorf("got %v, and %d questions", got, calls)
	}
}

// O-06, O-24: forms on a third party's page, with which browsers send no cookie of ours, pile up no attempts: each becomes an
// address, which is opened with the cookies.
func TestFormsOfAThirdPartyPileUpNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	for _, path := range []string{"/auth/login", "/auth/login/corp"} {
		b := s.browser()
		form := url.Values{
			"iss": {s.op.Issuer()}, "target_link_uri": {s.url + "/page?a=b&c"}, "login_hint": {"ann & co"}, "prompt": {"none"}, "x": {"y"},
		}.Encode()
		post := func() answer {
			return s.browser().do("POST", path, form, "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		}
		a := post()
		if a.StatusCode != http.StatusSeeOther || len(a.Cookies()) != 0 || !strings.HasPrefix(a.Header.Get("Location"), path+"?") {
			t.Fatalf("%s: got %d to %q with %d cookies", path, a.StatusCode, a.Header.Get("Location"), len(a.Cookies()))
		}
		s.op.Reset()
		if a := b.open(b.back(b.leave(a.Header.Get("Location")))); a.Header.Get("Location") != "/page?a=b&c" || !b.in() {
			t.Errorf("%s: got %d to %q", path, a.StatusCode, a.Header.Get("Location"))
		}
		if q := s.op.Calls("par")[0].Form; q.Get("login_hint") != "ann & co" || q.Get("prompt") != "none" {
			t.Errorf("%s: asked with %v", path, q)
		}
		// Who is logged in goes on at once, with no attempt begun.
		if a := b.open(post().Header.Get("Location")); a.Header.Get("Location") != "/page?a=b&c" || b.flows() != 0 {
			t.Errorf("%s, logged in: got %d to %q", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

// O-06: however long the return paths are, the attempts of a browser fit into a line of 8 KiB with room to spare, which common
// servers take; and each into a cookie.
func TestAttemptsFitIntoAHeader(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	u, _ := url.Parse(s.url)
	for name, next := range map[string]string{
		"short": "/page", "long": "/" + strings.Repeat("x", 1000), "with what JSON escapes": "/?" + strings.Repeat("&", 1000), "too long": "/" + strings.Repeat("x", 5000),
	} {
		b := s.browser()
		for i := range 10 {
			b.leave("/auth/login?next=" + url.QueryEscape(next+"&n="+strconv.Itoa(i)))
			line := 0
			for _, c := range b.jar.Cookies(u) {
				line += len(c.Name) + len(c.Value) + len("=; ")
				if len(c.Name)+len(c.Value) > 4096 {
					t.Fatalf("%s: a cookie of %d bytes", name, len(c.Value))
				}
			}
			if line > 6<<10 || b.flows() == 0 || b.flows() > 5 {
				t.Fatalf("%s: %d attempts in %d bytes", name, b.flows(), line)
			}
		}
		want := next
		if len(next) > 1024 {
			want = "/"
		}
		if a := b.login("/auth/login?next=" + url.QueryEscape(next)); a.Header.Get("Location") != want || !b.in() {
			t.Errorf("%s: got %d to %.40q", name, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

// O-07: the clocks of two instances differ by some seconds, and the browser comes back to the one that is behind.
func TestClocksOfInstancesDiffer(t *testing.T) {
	t.Parallel()
	for by, in := range map[time.Duration]bool{30 * time.Second: true, 2 * time.Minute: false} {
		var now clock
		s := newStand(t, func(pl *plan) { pl.cfg.Auth.Now, pl.op.Now = now.now, now.now })
		b := s.browser()
		now.forward(by)
		leave := b.leave("/auth/login")
		now.forward(-by)
		if a := b.open(b.back(leave)); b.in() != in {
			t.Errorf("%s: got %d, in: %v, want %v", by, a.StatusCode, b.in(), in)
		}
	}
}

// J-44: that an address is verified is said of the one beside it. A provider that has a typed-in address in its ID tokens and a
// verified one at userinfo, or the other way round, vouches for the one that is verified alone.
func TestAddressesOfTwoSources(t *testing.T) {
	t.Parallel()
	const corp, home = "boss@corp.example", "alice@home.example"
	type claims map[string]any
	for name, c := range map[string]struct {
		id, info claims
		in       bool
	}{
		"verified in the ID token":                        {claims{"email": corp, "email_verified": true}, claims{}, true},
		"verified at userinfo":                            {claims{}, claims{"email": corp, "email_verified": true}, true},
		"the same in both, verified at userinfo":          {claims{"email": corp}, claims{"email": corp, "email_verified": true}, true},
		"the same in both, and the ID token says no":      {claims{"email": corp, "email_verified": false}, claims{"email": corp, "email_verified": true}, false},
		"typed in, and another one verified at userinfo":  {claims{"email": corp}, claims{"email": home, "email_verified": true}, false},
		"verified, and another one typed in at userinfo":  {claims{"email": corp, "email_verified": true}, claims{"email": home, "email_verified": false}, true},
		"typed in at userinfo, and another one verified":  {claims{"email": home, "email_verified": true}, claims{"email": corp}, false},
		"typed in at userinfo, and nobody knows whose is": {claims{"email_verified": true}, claims{"email": corp}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, func(pl *plan) { pl.provider.Mapping.AllowDomains = []string{"corp.example"} })
			s.op.SetHooks(oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) {
				for _, claim := range []string{"email", "email_verified"} {
					delete(j.Claims, claim)
					if value, given := c.id[claim]; given {
						j.Claims[claim] = value
					}
				}
			}})
			c.info["sub"] = "alice"
			s.op.Fault("userinfo", func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					_ = json.NewEncoder(w).Encode(c.info)
				})
			})
			b := s.browser()
			if a := b.login("/auth/login"); b.in() != c.in {
				t.Errorf("got %d, in: %v, want %v", a.StatusCode, b.in(), c.in)
			}
		})
	}
}

// O-25: a provider that answers refreshes slowly holds up those of its own people alone.
func TestSlowRefreshesHoldUpNobodyElse(t *testing.T) {
	t.Parallel()
	var now clock
	var others *oidctest.Provider
	s := newStand(t, func(pl *plan) {
		var err error
		if others, err = oidctest.New(oidctest.Config{Now: now.now}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(others.Close)
		pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
		pl.cfg.RefreshKeys = [][]byte{sealKey("refresh")}
		pl.providers = append(pl.providers, otherProvider(others.Issuer()))
	})
	if err := others.SetClient(oidctest.Client{ID: clientID, Secret: clientSecret, RedirectURIs: []string{s.url + "/auth/callback/other"}}); err != nil {
		t.Fatal(err)
	}
	others.SignIn("alice")
	enter := func(provider string) *browser {
		b := s.browser()
		if a := b.login("/auth/login/" + provider); a.StatusCode != http.StatusSeeOther || !b.in() {
			t.Fatalf("%s: the login ends with %d %s", provider, a.StatusCode, a.body)
		}
		return b
	}
	good := enter("corp")
	var many []*browser
	for range 8 { // more than are refreshed at once
		many = append(many, enter("other"))
	}
	release := make(chan struct{})
	defer close(release)
	others.Fault("token", oidctest.Hold(release))
	now.forward(55 * time.Minute)
	others.Reset()
	s.op.Reset()
	for _, b := range many {
		b.in()
	}
	eventually(t, "the slow provider is asked", 5*time.Second, func() bool { return len(others.Calls("token")) > 0 })
	good.in()
	eventually(t, "the other provider is asked", 5*time.Second, func() bool { return len(s.op.Calls("token")) > 0 })
}

// O-25: an answer to a refresh that a login has overtaken brings nothing back: whoever has lost a role at the provider stays
// without it.
func TestOvertakenRefresh(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) {
		pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
		pl.cfg.RefreshKeys = [][]byte{sealKey("refresh")}
		pl.provider.Mapping = oidcauth.Mapping{Roles: []string{"groups"}, RoleMap: map[string][]string{"staff": {"boss"}}}
	})
	say := func(groups ...string) {
		s.op.SetUser(oidctest.User{Sub: "alice", Claims: map[string]any{"name": "Alice", "groups": append([]string{}, groups...)}})
	}
	boss := func(b *browser) bool {
		b.t.Helper()
		return strings.Contains(b.do("GET", "/", "").body, `"roles":["boss"]`)
	}
	say("staff")
	old := s.browser().mustLogin()
	if !boss(old) {
		t.Fatal("the role isn't there")
	}
	asked, release := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	s.op.Fault("userinfo", func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			was := httptest.NewRecorder()
			h.ServeHTTP(was, r)
			if first.CompareAndSwap(false, true) { // an answer that is on its way for long
				close(asked)
				<-release
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(was.Body.Bytes())
		})
	})
	now.forward(55 * time.Minute)
	old.in()
	<-asked
	say()
	b := s.browser().mustLogin()
	if boss(b) {
		t.Error("the role is there after the login")
	}
	s.op.Reset()
	close(release)
	// It is asked again soon, and until then nothing has come back.
	eventually(t, "the provider is asked again", 10*time.Second, func() bool {
		now.forward(10 * time.Second)
		if boss(old) || boss(b) {
			t.Fatal("the role has come back")
		}
		return len(s.op.Calls("userinfo")) > 0
	})
	if !old.in() || boss(old) || boss(b) {
		t.Error("the role has come back, or the session is gone")
	}
}
