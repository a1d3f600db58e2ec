package oidcauth_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/oidcauth"
)

// A harvest is every secret that a provider gave out or was shown, by what it is.
type harvest struct {
	mu  sync.Mutex
	all map[string]string
}

func (h *harvest) add(what, secret string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.all[secret]; !known && len(secret) > 8 {
		h.all[secret] = what
	}
}

// hooks take what the provider gives out.
func (h *harvest) hooks() oidctest.Hooks {
	return oidctest.Hooks{OnTokenResponse: func(_ *http.Request, a map[string]any) {
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			text, _ := a[name].(string)
			h.add(name, text)
			for _, part := range strings.Split(text, ".") {
				h.add("a part of "+name, part)
			}
		}
	}}
}

// seen takes what the provider was shown, and what a browser was given.
func (h *harvest) seen(s *stand, answers ...answer) {
	for _, endpoint := range []string{"par", "authorize", "token", "userinfo", "revoke", "end_session"} {
		for _, c := range s.op.Calls(endpoint) {
			for _, name := range []string{"state", "nonce", "code", "code_verifier", "refresh_token", "token", "client_secret", "id_token_hint"} {
				h.add(name, c.Form.Get(name))
			}
			h.add("Authorization", strings.TrimPrefix(strings.TrimPrefix(c.Header.Get("Authorization"), "Basic "), "Bearer "))
		}
	}
	for _, a := range answers {
		for _, c := range a.Cookies() {
			h.add("cookie "+c.Name, c.Value)
		}
	}
}

// in tells which of the secrets are in a text, however they are spelled.
func (h *harvest) in(text string) (found []string) {
	for secret, what := range h.all {
		for _, spelling := range []string{
			secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)),
			strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "=Aw"), strings.TrimRight(base64.RawURLEncoding.EncodeToString([]byte(secret)), "Aw"),
		} {
			if strings.Contains(text, spelling) {
				found = append(found, what)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// O-26, G-01, D-16: a whole life, right and wrong: nothing that proves anybody is in the database, however it was spelled there
// for a moment, nor in the log at its most talkative, nor in an event.
func TestNoSecretIsStoredOrLogged(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	db, _ := storetest.Open(t, filepath.Join(folder, "app.db"))
	var now clock
	found := &harvest{all: map[string]string{}}
	s := newStand(t, func(pl *plan) {
		refreshing(pl, &now)
		pl.cfg.DB, pl.withoutFrame = db, true
		pl.client.Audience = audience
		pl.provider.API = &oidcauth.API{Audience: audience}
	})
	s.op.SetHooks(found.hooks())
	found.add("the client's secret", clientSecret)
	found.add("the key of refresh tokens", string(sealKey("of now")))

	login := func(b *browser) {
		first := b.open("/auth/login?next=/x")
		last := b.open(b.back(first.Header.Get("Location")))
		if !b.in() {
			t.Fatalf("got %d %s", last.StatusCode, last.body)
		}
		if tokens := found.in(fmt.Sprint(first.Header, first.body, last.Header, last.body)); len(tokens) > 0 { // so far they are all that was found
			t.Errorf("the browser got %q", tokens)
		}
		found.seen(s, first, last)
	}
	dump := func(when string) {
		var stored strings.Builder
		files, err := filepath.Glob(folder + "/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files { // deleted pages and the write-ahead log, too
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			stored.Write(data)
		}
		if !strings.Contains(stored.String(), "Liddell") {
			t.Errorf("%s: the dump of %q has nothing of what is stored", when, files)
		}
		for where, text := range map[string]string{"the database": stored.String(), "the log": s.log(), "an event": s.told()} {
			secrets := found.in(text)
			if where == "the database" { // of a login that is over, it proves nothing, and the ID tokens of refreshes may repeat it
				secrets = slices.DeleteFunc(secrets, func(what string) bool { return what == "nonce" })
			}
			if len(secrets) > 0 {
				t.Errorf("%s: %s has %q", when, where, secrets)
			}
		}
	}
	b := s.browser()
	login(b)
	dump("after a login")

	now.forward(due)
	if err := s.RefreshNow(b.session()); err != nil {
		t.Fatal(err)
	}
	found.seen(s)
	dump("after a refresh")

	token := s.op.AccessToken(oidctest.Grant{Sub: "alice", Audience: audience})
	found.add("an API's access token", token)
	for _, header := range []string{"Bearer " + token, "Bearer " + token + "x", "Bearer " + token[:len(token)-4], "bearer " + token, "Basic " + token} {
		s.browser().do("GET", "/api/contents/demo?access_token="+token, "", "Authorization", header)
	}
	b.do("PATCH", "/api/me", `{"name":"x"}`, "Content-Type", "application/json", "Origin", s.url)
	dump("after API calls")

	// Logins and refreshes that come to nothing, of a provider that repeats in its errors what it was shown.
	for name, hooks := range map[string]oidctest.Hooks{
		"a wrong nonce":  {OnIDToken: func(j *oidctest.JWT) { j.Claims["nonce"] = "wrong" }},
		"a broken token": {OnTokenResponse: func(_ *http.Request, a map[string]any) { a["id_token"] = a["id_token"].(string) + "x" }},
		"an error":       {OnCallback: func(v url.Values) { v.Set("error", "access_denied"); v.Set("error_description", v.Get("code")) }},
		"an iss":         {OnCallback: func(v url.Values) { v.Set("iss", v.Get("code")) }},
		"a refusal": fault("token", func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"` + r.Form.Get("code") + r.Form.Get("refresh_token") + `"}`))
			})
		}),
	} {
		s.op.SetHooks(hooks)
		other := s.browser()
		first := other.open("/auth/login")
		location := other.open(first.Header.Get("Location")).Header.Get("Location")
		if a := other.open(location); a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: got %d %s", name, a.StatusCode, a.body)
		}
		other.open(location)
		s.browser().open(location)
		found.seen(s, first)
		if name == "a refusal" {
			now.forward(due)
			if err := s.RefreshNow(b.session()); err == nil || len(found.in(err.Error())) > 0 {
				t.Errorf("%s: got %v", name, err)
			}
		}
		dump(name)
	}
	s.op.SetHooks(found.hooks())

	logoutToken := s.logoutToken("alice", "")
	found.add("a logout token", logoutToken)
	s.deliver(logoutToken + "x")
	s.deliver(s.op.IDToken())
	a := b.logout()
	target, _ := url.Parse(a.Header.Get("Location"))
	found.add("the hint", target.Query().Get("id_token_hint"))
	found.seen(s, a)
	b.open(b.open(target.String()).Header.Get("Location"))
	s.op.SignIn("alice")
	login(b)
	s.deliver(logoutToken)
	s.deliver(logoutToken)
	if b.in() {
		t.Error("still logged in")
	}
	dump("after logouts")

	for _, kind := range []auth.EventKind{auth.EventLogin, auth.EventLoginFailed, auth.EventLogout, auth.EventRevoked, auth.EventUnknown} {
		if s.count(kind) == 0 {
			t.Errorf("no event of the kind %s: this life misses something", kind)
		}
	}
	kinds := slices.Sorted(maps.Values(found.all))
	for _, what := range []string{"access_token", "refresh_token", "id_token", "state", "nonce", "code", "code_verifier", "Authorization"} {
		if !slices.Contains(kinds, what) {
			t.Errorf("no %s was found to be looked for", what)
		}
	}
}

// O-26: what was sealed under an old key is opened, and sealed under the new one when it is used; without its key a session
// ends, and the log says why.
func TestRotationOfRefreshKeys(t *testing.T) {
	t.Parallel()
	for _, stays := range []bool{false, true} {
		name := map[bool]string{false: "tokens that change", true: "tokens that stay"}[stays]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now clock
			s := newStand(t, func(pl *plan) { refreshing(pl, &now); pl.client.KeepRefresh = stays })
			b := s.browser().mustLogin()
			with := func(keys ...string) *instance {
				s.cfg.RefreshKeys = nil
				for _, of := range keys {
					s.cfg.RefreshKeys = append(s.cfg.RefreshKeys, sealKey(of))
				}
				i := s.another(s.db)
				i.use()
				now.forward(due)
				return i
			}
			if err := with("later", "of now").RefreshNow(b.session()); err != nil || s.refreshes() != 1 || !b.in() {
				t.Fatalf("an old key: %v, %d refreshes, in: %v", err, s.refreshes(), b.in())
			}
			if err := with("later").RefreshNow(b.session()); err != nil || s.refreshes() != 2 || !b.in() {
				t.Fatalf("the new key alone: %v, %d refreshes, in: %v", err, s.refreshes(), b.in())
			}
			if err := with("another").RefreshNow(b.session()); err != nil || s.refreshes() != 2 || b.in() {
				t.Errorf("without the key: %v, %d refreshes, in: %v", err, s.refreshes(), b.in())
			}
			if !strings.Contains(s.log(), "RefreshKeys") {
				t.Errorf("the log doesn't say why:\n%s", s.log())
			}
		})
	}
}
