package oidcauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
)

// withQuery gives target with parameters set; an empty value takes one away.
func withQuery(target string, pairs ...string) string {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	for i := 0; i < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// O-01, O-07, O-12, O-13, JV61, FU20, FU22: a callback that isn't the answer to an attempt of this browser's is 400, begins no
// session, and the provider isn't asked about its code.
func TestCallbackRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(callback string) string
		taken  bool // the attempt is used up by it
	}{
		"O-01 without a state":                       {func(c string) string { return withQuery(c, "state", "") }, false},
		"O-01 JV61 with another state":               {func(c string) string { return withQuery(c, "state", strings.Repeat("A", 43)) }, false},
		"O-01 with half of the state":                {func(c string) string { return c[:strings.Index(c, "state=")+20] }, false},
		"O-01 FU22 with garbage for a state":         {func(c string) string { return withQuery(c, "state", "\x00';--") }, false},
		"O-01 with two states":                       {func(c string) string { return c + "&state=x" }, false},
		"O-13 with two codes":                        {func(c string) string { return c + "&code=x" }, false},
		"O-13 with a code of a megabyte":             {func(c string) string { return withQuery(c, "code", strings.Repeat("x", 900<<10)) }, false},
		"O-13 with an ID token in the query":         {func(c string) string { return withQuery(c, "id_token", "x") }, false},
		"O-13 with an access token in the query":     {func(c string) string { return withQuery(c, "access_token", "x") }, false},
		"O-12 with a JARM response":                  {func(c string) string { return withQuery(c, "response", "x") }, false},
		"JV61 without a code":                        {func(c string) string { return withQuery(c, "code", "") }, true},
		"O-12 with the code in the fragment":         {func(c string) string { return withQuery(c, "code", "") + "#code=x" }, true},
		"O-09 with another issuer":                   {func(c string) string { return withQuery(c, "iss", "https://evil.example") }, true},
		"O-09 with the issuer in another case":       {func(c string) string { return strings.Replace(c, "iss=http", "iss=HTTP", 1) }, true},
		"O-09 without the issuer that was announced": {func(c string) string { return withQuery(c, "iss", "") }, true},
		"O-09 with two issuers":                      {func(c string) string { return c + "&iss=x" }, false},
		"O-08 an error": {func(c string) string {
			return withQuery(c, "code", "", "error", "access_denied", "error_description", "<script>alert(1)</script>")
		}, true},
		"O-08 an error that nobody knows":    {func(c string) string { return withQuery(c, "code", "", "error", "<script>") }, true},
		"O-08 an error beside a code":        {func(c string) string { return withQuery(c, "error", "access_denied") }, true},
		"O-08 an error without a state":      {func(c string) string { return withQuery(c, "state", "", "error", "access_denied") }, false},
		"O-13 a query that can't be read":    {func(c string) string { return c + "&%zz" }, false},
		"O-10 at another provider's address": {func(c string) string { return strings.Replace(c, "/callback/corp", "/callback/other", 1) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, func(pl *plan) {
				other, err := oidctest.New(oidctest.Config{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(other.Close)
				pl.providers = append(pl.providers, otherProvider(other.Issuer()))
			})
			if a := s.browser().login("/auth/login/corp"); a.StatusCode != http.StatusSeeOther {
				t.Fatalf("a good login: %d %s", a.StatusCode, a.body)
			}
			b := s.browser()
			good := b.back(b.leave("/auth/login/corp"))
			s.op.Reset()
			a := b.open(c.change(good))
			if a.StatusCode != http.StatusBadRequest || b.in() || b.session() != "" {
				t.Errorf("got %d %s, in: %v", a.StatusCode, a.body, b.in())
			}
			if n := len(s.op.Calls("token")); n != 0 {
				t.Errorf("the token endpoint was called %d times", n)
			}
			if strings.Contains(a.body, "<script>") {
				t.Errorf("the page holds what came: %s", a.body)
			}
			for header, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
				if got := a.Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
			// O-08: the attempt is used up by the provider's answer, and by nothing else.
			a = b.open(good)
			if in := b.in(); in == c.taken {
				t.Errorf("the true callback after it: got %d, in: %v", a.StatusCode, in)
			}
		})
	}
}

// O-01, O-02, FU20: a callback counts once, and in the browser that began the attempt only.
func TestCallbackIsBoundToItsBrowser(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	attacker, victim := s.browser(), s.browser()
	good := attacker.back(attacker.leave("/auth/login"))
	s.op.Reset()
	if a := victim.open(good); a.StatusCode != http.StatusBadRequest || victim.in() {
		t.Errorf("O-02 FU20 in another browser: got %d, in: %v", a.StatusCode, victim.in())
	}
	victim.leave("/auth/login") // with an attempt of its own
	if a := victim.open(good); a.StatusCode != http.StatusBadRequest || victim.in() {
		t.Errorf("O-02 in another browser that has begun an attempt: got %d, in: %v", a.StatusCode, victim.in())
	}
	if n := len(s.op.Calls("token")); n != 0 {
		t.Errorf("the token endpoint was called %d times", n)
	}
	// With the cookie kept by hand, as a client does that isn't a browser.
	u, _ := url.Parse(s.url)
	kept := attacker.jar.Cookies(u)
	if a := attacker.open(good); a.StatusCode != http.StatusSeeOther || !attacker.in() {
		t.Fatalf("where it belongs: got %d %s", a.StatusCode, a.body)
	}
	s.op.Reset()
	attacker.jar.SetCookies(u, kept)
	if a := attacker.open(good); a.StatusCode != http.StatusBadRequest || len(s.op.Calls("token")) != 0 {
		t.Errorf("O-01 once more: got %d, and %d calls of the token endpoint", a.StatusCode, len(s.op.Calls("token")))
	}
	// FU20: an altered cookie.
	b := s.browser()
	good = b.back(b.leave("/auth/login"))
	for _, c := range b.jar.Cookies(u) {
		value := []byte(c.Value)
		value[len(value)/2] ^= 1
		c.Value, c.Path = string(value), "/"
		b.jar.SetCookies(u, []*http.Cookie{c})
	}
	if a := b.open(good); a.StatusCode != http.StatusBadRequest || b.in() {
		t.Errorf("FU20 with an altered cookie: got %d, in: %v", a.StatusCode, b.in())
	}
}

// O-03: a code of one attempt is worth nothing in another: neither its verifier nor its nonce fits.
func TestCodeOfAnotherAttempt(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	s.browser().mustLogin()
	attacker, victim := s.browser(), s.browser()
	stolen, err := url.Parse(victim.back(victim.leave("/auth/login")))
	if err != nil {
		t.Fatal(err)
	}
	mine := attacker.back(attacker.leave("/auth/login"))
	if a := attacker.open(withQuery(mine, "code", stolen.Query().Get("code"))); a.StatusCode != http.StatusBadRequest || attacker.in() {
		t.Errorf("got %d, in: %v", a.StatusCode, attacker.in())
	}
	// With a provider that doesn't look at the verifier the nonce still tells.
	s = newStand(t, func(pl *plan) {
		pl.client.SkipPKCE = true
	})
	s.browser().mustLogin()
	var seen []string
	s.op.SetHooks(oidctest.Hooks{OnIDToken: func(j *oidctest.JWT) {
		seen = append(seen, j.Claims["nonce"].(string))
		j.Claims["nonce"] = seen[0]
	}})
	s.browser().mustLogin()
	b := s.browser()
	if a := b.login("/auth/login"); a.StatusCode != http.StatusBadRequest || b.in() {
		t.Errorf("the nonce of another attempt: got %d, in: %v", a.StatusCode, b.in())
	}
}

// O-04, O-30: what an authorization request holds, and what it doesn't. That its redirect URI is the configured one, whatever a
// Host says (O-11), is in TestHeadersAndRedirects.
func TestAuthorizationRequest(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(pl *plan) {
		pl.provider.Prompt, pl.provider.UILocales = "select_account", []string{"de-CH", "en"}
		pl.provider.MaxAge = 90 * time.Second
		pl.provider.Parameters = map[string]string{"access_type": "offline"}
		pl.provider.ACRValues = []string{"2", "1"}
	})
	seen := map[string]bool{}
	for range 2 {
		b := s.browser()
		if u, err := url.Parse(b.leave("/auth/login")); err != nil || u.Query().Get("request_uri") == "" && u.Query().Get("state") == "" {
			t.Fatalf("got %v, %v", u, err)
		}
		calls := s.op.Calls("par")
		if len(calls) == 0 {
			t.Fatal("nothing was pushed, where the provider takes it")
		}
		q := calls[len(calls)-1].Form
		for name, want := range map[string]string{
			"client_id": clientID, "response_type": "code", "scope": "openid profile email", "code_challenge_method": "S256",
			"redirect_uri": s.url + "/auth/callback/corp", "prompt": "select_account", "ui_locales": "de-CH en", "max_age": "90",
			"acr_values": "2 1", "access_type": "offline", "code_verifier": "", "login_hint": "",
		} {
			if got := q.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			value := q.Get(name)
			if len(value) != 43 || seen[value] {
				t.Errorf("%s is %q: want 256 bits that never come again", name, value)
			}
			seen[value] = true
		}
	}
}

// O-05: two tabs, and the first one comes back last.
func TestParallelAttempts(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	one, two := b.back(b.leave("/auth/login?next=/one")), b.back(b.leave("/auth/login?next=/two"))
	for _, c := range [][2]string{{two, "/two"}, {one, "/one"}} {
		if a := b.open(c[0]); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != c[1] {
			t.Errorf("got %d to %q, want 303 to %q", a.StatusCode, a.Header.Get("Location"), c[1])
		}
	}
	if !b.in() || b.flows() != 0 {
		t.Errorf("in: %v, %d attempts left", b.in(), b.flows())
	}
}

// O-06: attempts that come to nothing don't pile up, in the browser or here.
func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	for range 100 {
		b.leave("/auth/login")
	}
	if n := b.flows(); n > 5 {
		t.Errorf("%d attempts in the browser", n)
	}
	var rows int
	if err := s.db.Get(&rows, "SELECT COUNT(*) FROM auth_marks"); err != nil || rows != 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
	b.mustLogin()
}

// O-07, FU22: an attempt lasts ten minutes.
func TestAttemptExpires(t *testing.T) {
	t.Parallel()
	var now clock
	s := newStand(t, func(pl *plan) { pl.cfg.Auth.Now, pl.op.Now = now.now, now.now })
	b := s.browser()
	good := b.back(b.leave("/auth/login"))
	now.forward(9 * time.Minute)
	s.op.SetHooks(oidctest.Hooks{})
	late := s.browser()
	old := late.back(late.leave("/auth/login"))
	now.forward(time.Hour)
	s.op.Reset()
	for name, c := range map[string]struct {
		b        *browser
		callback string
	}{"FU22 an hour": {b, good}, "O-07 more than an hour": {late, old}} {
		a := c.b.open(c.callback)
		if a.StatusCode != http.StatusBadRequest || c.b.in() || !strings.Contains(a.body, `href="/auth/login"`) {
			t.Errorf("%s: got %d %s", name, a.StatusCode, a.body)
		}
	}
	if n := len(s.op.Calls("token")); n != 0 {
		t.Errorf("the token endpoint was called %d times", n)
	}
	s.browser().mustLogin()
}

// O-31: a browser that looks ahead, and HEAD, begin no attempt and use none up.
func TestLookingAhead(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	for _, header := range [][2]string{{"Purpose", "prefetch"}, {"Sec-Purpose", "prefetch;prerender"}, {"X-Moz", "prefetch"}} {
		if a := b.open("/auth/login", header[0], header[1]); a.StatusCode != http.StatusNoContent || len(a.Cookies()) != 0 {
			t.Errorf("%s: got %d with %d cookies", header[0], a.StatusCode, len(a.Cookies()))
		}
	}
	if a := b.do("HEAD", "/auth/login", ""); a.StatusCode != http.StatusNoContent || len(a.Cookies()) != 0 {
		t.Errorf("HEAD: got %d with %d cookies", a.StatusCode, len(a.Cookies()))
	}
	good := b.back(b.leave("/auth/login"))
	if a := b.do("HEAD", good, ""); a.StatusCode != http.StatusMethodNotAllowed || b.in() {
		t.Errorf("O-12 HEAD of the callback: got %d", a.StatusCode)
	}
	if a := b.do("POST", good, "", "Origin", "https://evil.example"); a.StatusCode != http.StatusMethodNotAllowed || b.in() {
		t.Errorf("O-12 POST of the callback: got %d", a.StatusCode)
	}
	if a := b.open(good); a.StatusCode != http.StatusSeeOther || !b.in() {
		t.Errorf("after that: got %d, in: %v", a.StatusCode, b.in())
	}
}
