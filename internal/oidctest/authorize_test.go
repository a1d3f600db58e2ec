package oidctest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
)

func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes []string
		want    string // the error that is sent back; empty: 400, and nobody is sent anywhere
	}{
		"an unknown client":                 {[]string{"client_id", "stranger"}, ""},
		"no client":                         {[]string{"client_id", ""}, ""},
		"another redirect URI":              {[]string{"redirect_uri", "https://stranger.example/"}, ""},
		"a redirect URI with a slash more":  {[]string{"redirect_uri", callback + "/"}, ""},
		"a redirect URI with a query":       {[]string{"redirect_uri", callback + "?a=b"}, ""},
		"a redirect URI in other case":      {[]string{"redirect_uri", strings.ToUpper(callback)}, ""},
		"no redirect URI":                   {[]string{"redirect_uri", ""}, ""},
		"a request_uri that nobody pushed":  {[]string{"request_uri", "https://stranger.example/r"}, ""},
		"the implicit flow":                 {[]string{"response_type", "id_token"}, "unsupported_response_type"},
		"another response mode":             {[]string{"response_mode", "form_post"}, "invalid_request"},
		"a request object":                  {[]string{"request", "e30.e30."}, "request_not_supported"},
		"no openid in scope":                {[]string{"scope", "profile"}, "invalid_scope"},
		"openid as a part of a scope":       {[]string{"scope", "openidx"}, "invalid_scope"},
		"prompt none beside another":        {[]string{"prompt", "none login"}, "invalid_request"},
		"max_age that is no number":         {[]string{"max_age", "soon"}, "invalid_request"},
		"O-04 no challenge":                 {[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		"O-04 a plain challenge":            {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"O-04 a challenge without a method": {[]string{"code_challenge_method", ""}, "invalid_request"},
		"O-04 a short challenge":            {[]string{"code_challenge", "short"}, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := setup(t)
			if back := authorize(t, p); back.Get("code") == "" {
				t.Fatalf("the request without a change: got %v, want a code", back)
			}
			if c.want == "" {
				a := get(t, p, p.Endpoint("authorize")+"?"+asked(c.changes...).Encode())
				if a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
					t.Errorf("got %d, sent to %q, want 400 and nowhere", a.status, a.header.Get("Location"))
				}
				return
			}
			back := authorize(t, p, c.changes...)
			if back.Get("error") != c.want || back.Get("code") != "" || back.Get("state") != "s1" ||
				back.Get("iss") != p.Issuer() {
				t.Errorf("got %v, want %s with state and iss, and no code", back, c.want)
			}
		})
	}
}

func TestAParameterGivenTwiceGoesNowhere(t *testing.T) {
	t.Parallel()
	p := setup(t)
	for _, more := range []string{"&client_id=app", "&state=s2", "&redirect_uri=" + url.QueryEscape(callback), "&%zz=1"} {
		a := get(t, p, p.Endpoint("authorize")+"?"+asked().Encode()+more)
		if a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
			t.Errorf("%s: got %d, want 400", more, a.status)
		}
	}
}

func TestAuthorizeTakesAForm(t *testing.T) {
	t.Parallel()
	p := setup(t)
	a := post(t, p, "authorize", asked())
	if back := a.location(t).Query(); back.Get("code") == "" {
		t.Errorf("got %v, want a code", back)
	}
}

// O-23: what prompt and max_age mean, for who is signed in and for who isn't.
func TestWhoIsAskedToSignIn(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Now()}
	p := setup(t, func(cfg *oidctest.Config) { cfg.Now = c.Now })
	began := c.now
	authTime := func(changes ...string) time.Time {
		t.Helper()
		_, claims := verified(t, p, login(t, p, changes...).text("id_token"))
		return time.Unix(int64(claims["auth_time"].(float64)), 0)
	}
	c.now = began.Add(time.Minute)
	for _, tc := range []struct {
		name    string
		changes []string
		want    time.Time
	}{
		{"nothing asked for", nil, began},
		{"prompt none", []string{"prompt", "none"}, began},
		{"a login that is young enough", []string{"max_age", "60"}, began},
		{"a login that is too old", []string{"max_age", "59"}, began.Add(time.Minute)},
	} {
		if got := authTime(tc.changes...); got.Unix() != tc.want.Unix() {
			t.Errorf("%s: got auth_time %v, want %v", tc.name, got, tc.want)
		}
	}
	c.now = began.Add(2 * time.Minute)
	if back := authorize(t, p, "prompt", "none", "max_age", "10"); back.Get("error") != "login_required" {
		t.Errorf("prompt none with an old login: got %v, want login_required", back)
	}
	if got := authTime("prompt", "login"); got.Unix() != c.now.Unix() {
		t.Errorf("prompt login: got auth_time %v, want now", got)
	}
	p.SignOut()
	if back := authorize(t, p, "prompt", "none"); back.Get("error") != "login_required" {
		t.Errorf("prompt none, nobody signed in: got %v, want login_required", back)
	}
	if back := authorize(t, p); back.Get("error") != "access_denied" {
		t.Errorf("nobody signed in: got %v, want access_denied", back)
	}
}

// FP04: the acr that was asked for, or the user's own.
func TestACR(t *testing.T) {
	t.Parallel()
	p := setup(t)
	acr := func() any {
		_, claims := verified(t, p, login(t, p, "acr_values", "1 2").text("id_token"))
		return claims["acr"]
	}
	if got := acr(); got != "1" {
		t.Errorf("got acr %v, want the first that was asked for", got)
	}
	p.SetUser(oidctest.User{Sub: "alice", ACR: "0"})
	if got := acr(); got != "0" {
		t.Errorf("got acr %v, want the user's own", got)
	}
}

// RFC 9126: a pushed request works once, for the client that pushed it, and hides what stands beside it.
func TestPushedRequests(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Now()}
	p := setup(t, func(cfg *oidctest.Config) {
		cfg.Now = c.Now
		cfg.Clients[0].RequirePAR = true
		cfg.Clients = append(cfg.Clients, oidctest.Client{ID: "other", RedirectURIs: []string{callback}})
	})
	push := func(changes ...string) answer { return post(t, p, "par", asked(changes...)) }
	use := func(uri, client string) answer {
		return get(t, p, p.Endpoint("authorize")+"?"+url.Values{"client_id": {client}, "request_uri": {uri},
			"state": {"beside"}}.Encode())
	}
	pushed := push()
	if pushed.status != http.StatusCreated || pushed.json["expires_in"] != 60.0 {
		t.Fatalf("got %d %s, want 201 and 60 s", pushed.status, pushed.body)
	}
	uri := pushed.text("request_uri")
	back := use(uri, "app").location(t).Query()
	if back.Get("state") != "s1" || redeem(t, p, back.Get("code")).status != http.StatusOK {
		t.Errorf("got %v, want the pushed state and a code", back)
	}
	if a := use(uri, "app"); a.text("error") != "invalid_request_uri" {
		t.Errorf("used again: got %d %s, want invalid_request_uri", a.status, a.body)
	}
	if a := use(push().text("request_uri"), "other"); a.text("error") != "invalid_request_uri" {
		t.Errorf("by another client: got %d %s, want invalid_request_uri", a.status, a.body)
	}
	old := push().text("request_uri")
	c.now = c.now.Add(61 * time.Second)
	if a := use(old, "app"); a.text("error") != "invalid_request_uri" {
		t.Errorf("after a minute: got %d %s, want invalid_request_uri", a.status, a.body)
	}
	if a := get(t, p, p.Endpoint("authorize")+"?"+asked().Encode()); a.status != http.StatusBadRequest {
		t.Errorf("not pushed: got %d, want 400", a.status)
	}
	for name, a := range map[string]answer{
		"another redirect URI": push("redirect_uri", "https://stranger.example/"),
		"no challenge":         push("code_challenge", ""),
		"a request_uri":        push("request_uri", uri),
		"a wrong secret":       post(t, p, "par", asked(), "Authorization", basic("app", "wrong")),
	} {
		if a.status/100 != 4 || a.text("request_uri") != "" {
			t.Errorf("%s: got %d %s, want it refused", name, a.status, a.body)
		}
	}
}
