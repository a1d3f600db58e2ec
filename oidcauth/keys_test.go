package oidcauth_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// J-11: keys are rotated. A new one costs one fetch, an old one counts no longer than is documented at API.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	var now clock
	s := apiStand(t, func(pl *plan) {
		pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
		pl.op.AccessTTL = 24 * time.Hour
	})
	old := s.token(oidctest.Grant{})
	s.admits("a good token", "Bearer "+old)
	if n := len(s.op.Calls("jwks")); n != 1 {
		t.Fatalf("got %d fetches of the keys, want 1", n)
	}
	s.op.RotateKeys()
	s.op.DropOldKeys()
	s.admits("J-11 a token of the new key, at once", "Bearer "+s.token(oidctest.Grant{}))
	s.admits("J-11 another one", "Bearer "+s.token(oidctest.Grant{Sub: "bob"}))
	if n := len(s.op.Calls("jwks")); n != 2 {
		t.Errorf("J-11: got %d fetches of the keys, want 2", n)
	}
	// The key that was taken back: of what is remembered a token may live on for five minutes.
	s.admits("J-11 a token of the old key that is remembered", "Bearer "+old)
	now.forward(5*time.Minute + time.Second)
	s.refuses("J-11 the same one, later", http.StatusUnauthorized, "Bearer "+old)
	s.admits("J-11 a token of the new key, later", "Bearer "+s.token(oidctest.Grant{}))
	// Nobody sends a token of an unknown key: the old one is forgotten with the keys' own time.
	old = s.token(oidctest.Grant{})
	s.op.RotateKeys()
	s.op.DropOldKeys()
	s.admits("J-11 a token of the old key, unknown as yet", "Bearer "+old)
	now.forward(20 * time.Minute)
	s.refuses("J-11 twenty minutes later", http.StatusUnauthorized, "Bearer "+old)
}

// J-11: a stranger's token of an unknown key keeps the keys from being fetched for more of them. When the provider's keys
// change just then, neither sessions that are refreshed nor logins suffer.
func TestStrangersDoNotHideNewKeys(t *testing.T) {
	t.Parallel()
	for _, attacked := range []bool{false, true} {
		var now clock
		s := newStand(t, func(pl *plan) {
			pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
			pl.cfg.RefreshKeys = [][]byte{sealKey("of now")}
		})
		b := s.browser().mustLogin()
		now.forward(6 * time.Minute)
		fetched := len(s.op.Calls("jwks"))
		if attacked {
			other := s.op.NewKey("RS256")
			for range 3 {
				forged := s.op.LogoutToken(func(j *oidctest.JWT) { j.SignWith(other) })
				a := s.browser().do("POST", "/auth/backchannel-logout/corp", url.Values{"logout_token": {forged}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
				status(t, "a forged token", a, http.StatusBadRequest)
			}
			if fetched++; len(s.op.Calls("jwks")) != fetched {
				t.Fatalf("got %d fetches of the keys, want %d", len(s.op.Calls("jwks")), fetched)
			}
		}
		s.op.RotateKeys()
		s.op.Reset()
		if err := s.RefreshNow(b.session()); err != nil || !b.in() || len(s.op.Calls("token")) != 1 {
			t.Errorf("attacked %v: a refresh: %v, in: %v, %v", attacked, err, b.in(), s.eventsOf(auth.EventRevoked))
		}
		if a := s.browser().login("/auth/login"); a.StatusCode != http.StatusSeeOther {
			t.Errorf("attacked %v: a login: got %d", attacked, a.StatusCode)
		}
		if n := len(s.op.Calls("jwks")); n != 1 {
			t.Errorf("attacked %v: got %d fetches of the new keys, want 1", attacked, n)
		}
	}
}

// J-12, J-06, J-03, J-14: what a JWKS may be. What can't be used as a whole leaves the keys as they were; what can't be used in
// it is left out.
func TestKeySets(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]oidctest.Fault{
		"J-12 500": oidctest.Status(500), "J-12 a page": oidctest.HTML(), "J-12 100 MiB": oidctest.Huge(100 << 20), "J-12 a gzip bomb": oidctest.GzipBomb(100 << 20),
		"J-12 a redirect to another host": oidctest.Elsewhere(302), "J-12 a redirect to a file": oidctest.RedirectTo(302, "file:///etc/passwd"), "J-12 cut short": oidctest.BreakOff(),
		"J-12 no answer": oidctest.Hold(nil), "J-12 half": oidctest.Cut(), "J-12 two keys": oidctest.Members(`"keys":[]`), "J-12 another type": oidctest.ContentType("text/plain"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apiStand(t, func(pl *plan) { pl.cfg.HTTPClient = &http.Client{Timeout: 5 * time.Second} }) // 10 unless it is set
			s.admits("a good token", "Bearer "+s.token(oidctest.Grant{}))
			s.op.Fault("jwks", fault)
			s.op.Reset()
			unknown := s.token(oidctest.Grant{}, func(j *oidctest.JWT) { j.SignWith(s.op.NewKey("RS256")) })
			began := time.Now()
			s.refuses("a token of an unknown key", http.StatusServiceUnavailable, "Bearer "+unknown)
			if took := time.Since(began); took > 9*time.Second {
				t.Errorf("it took %s", took)
			}
			s.admits("another token of the known key", "Bearer "+s.token(oidctest.Grant{Sub: "bob"}))
			s.refuses("a forged one of the known key", http.StatusUnauthorized, "Bearer "+s.token(oidctest.Grant{}, edited(func(c string) string { return c[:len(c)-8] + "AAAAAAAA" })))
			calls := s.op.Calls("jwks")
			if len(calls) != 1 || strings.HasPrefix(calls[0].Host, "localhost") {
				t.Errorf("got %d fetches", len(calls))
			}
		})
	}
	own := func(of oidctest.Key) []map[string]any { return []map[string]any{of.JWK()} }
	for name, c := range map[string]struct {
		keys func(good []map[string]any, other oidctest.Key) []map[string]any
		want int // of a token by the other key
	}{
		"another good one": {func(good []map[string]any, other oidctest.Key) []map[string]any {
			return slices.Concat(good, own(other))
		}, 200},
		"J-12 a bad one among good": {func(good []map[string]any, other oidctest.Key) []map[string]any {
			return slices.Concat([]map[string]any{{"kty": "RSA", "n": 5, "kid": "bad"}, {}, {"kty": "x"}}, good, own(other))
		}, 200},
		"J-06 one for encryption":     {changed("use", "enc"), 401},
		"J-06 one for other purposes": {changed("key_ops", []string{"encrypt"}), 401},
		"J-14 exponent 3":             {changed("e", "Aw"), 401},
		"J-14 1024 bits":              {changed("n", base64.RawURLEncoding.EncodeToString(append([]byte{0xff}, make([]byte, 127)...))), 401},
		"J-05 one for PS256":          {changed("alg", "PS256"), 401},
		"J-03 a secret": {func(good []map[string]any, other oidctest.Key) []map[string]any {
			return slices.Concat(good, []map[string]any{{"kty": "oct", "k": "c2VjcmV0", "kid": other.ID, "alg": "HS256"}})
		}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apiStand(t, nil)
			other := s.op.NewKey("RS256")
			s.op.SetHooks(oidctest.Hooks{OnJWKS: func(keys []map[string]any) []map[string]any { return c.keys(keys, other) }})
			s.admits("a token of the provider's key", "Bearer "+s.token(oidctest.Grant{}))
			if got := s.send("Bearer " + s.token(oidctest.Grant{}, func(j *oidctest.JWT) { j.SignWith(other) })).StatusCode; got != c.want {
				t.Errorf("a token of the other key: got %d, want %d", got, c.want)
			}
			secret := oidctest.Key{ID: other.ID, Alg: "HS256", Secret: []byte("secret")}
			s.refuses("J-03 signed by a published secret", http.StatusUnauthorized, "Bearer "+s.token(oidctest.Grant{}, func(j *oidctest.JWT) { j.SignWith(secret) }))
		})
	}
}

// changed adds the other key with another member.
func changed(name string, value any) func([]map[string]any, oidctest.Key) []map[string]any {
	return func(good []map[string]any, other oidctest.Key) []map[string]any {
		jwk := other.JWK()
		jwk[name] = value
		return slices.Concat(good, []map[string]any{jwk})
	}
}

// J-09: ten thousand forged tokens cost the provider one fetch of its keys in each cool-down of 30 seconds, those of a known key
// none, and good tokens nothing.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	var now clock
	now.stop() // the cool-down must not be over before the storm is
	s := apiStand(t, func(pl *plan) { pl.cfg.Auth.Now, pl.op.Now = now.now, now.now; pl.op.AccessTTL = time.Hour })
	good := s.token(oidctest.Grant{})
	s.admits("a good token", "Bearer "+good)
	parts := strings.Split(good, ".")
	forged := func(kid string) string {
		head, _ := json.Marshal(map[string]any{"alg": "RS256", "typ": "at+jwt", "kid": kid})
		return base64.RawURLEncoding.EncodeToString(head) + "." + parts[1] + ".AAAA" + parts[2][4:]
	}
	fresh := make([]string, 200) // each is verified for the first time
	for i := range fresh {
		fresh[i] = s.token(oidctest.Grant{Claims: map[string]any{"n": i}})
	}
	median := func(tokens []string) time.Duration {
		times := make([]time.Duration, len(tokens))
		for i, token := range tokens {
			began := time.Now()
			if a := s.send("Bearer " + token); a.StatusCode != http.StatusOK {
				t.Fatalf("a good token: got %d %s", a.StatusCode, a.body)
			}
			times[i] = time.Since(began)
		}
		slices.Sort(times)
		return times[len(times)/2]
	}
	alone := median(fresh[:100])
	storm := func(n int, kid func(int) string) (refused int) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for worker := range 4 {
			wg.Go(func() {
				b := s.browser()
				mine := 0
				for i := worker; i < n; i += 4 {
					if b.do("GET", "/api/any", "", "Authorization", "Bearer "+forged(kid(i))).StatusCode == http.StatusUnauthorized {
						mine++
					}
				}
				mu.Lock()
				defer mu.Unlock()
				refused += mine
			})
		}
		wg.Wait()
		return refused
	}
	key := s.op.Key("RS256").ID
	before := s.reached.Load()
	s.op.Reset()
	if got := storm(2000, func(int) string { return key }); got != 2000 {
		t.Errorf("J-09 wrong signatures of a known key: %d of 2000 were refused with 401", got)
	}
	if n := s.asked(); n != 0 || s.reached.Load() != before {
		t.Errorf("J-09 wrong signatures of a known key: the provider was asked %d times", n)
	}
	done := make(chan int)
	began := time.Now()
	go func() { done <- storm(10_000, func(i int) string { return "made up " + strconv.Itoa(i) }) }()
	during := median(fresh[100:])
	if got := <-done; got != 10_000 {
		t.Errorf("J-09 unknown keys: %d of 10000 were refused with 401", got)
	}
	if n := s.asked(); n != 1 || len(s.op.Calls("jwks")) != 1 {
		t.Errorf("J-09 unknown keys: the provider was asked %d times, %d of them for keys, want 1", n, len(s.op.Calls("jwks")))
	}
	t.Logf("J-09: 10000 forged tokens in %s, one fetch; a request with a new good token takes %s, meanwhile %s (medians)", time.Since(began), alone, during)
	s.op.Reset()
	now.forward(31 * time.Second)
	if got := storm(200, func(i int) string { return "later " + strconv.Itoa(i) }); got != 200 {
		t.Errorf("J-09 behind the cool-down: %d of 200 were refused with 401", got)
	}
	if n := s.asked(); n != 1 {
		t.Errorf("J-09 behind the cool-down: the provider was asked %d times, want 1", n)
	}
}

// J-04: what the provider says that it signs with adds nothing to what is configured, and without a setting only RS256 counts.
func TestConfiguredAlgorithms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		algorithms []string
		want       map[string]int
	}{
		"none configured": {nil, map[string]int{"RS256": 200, "ES256": 401, "PS256": 401, "EdDSA": 401}},
		"two":             {[]string{"ES256", "EdDSA"}, map[string]int{"RS256": 401, "ES256": 200, "PS256": 401, "EdDSA": 200}},
	} {
		s := apiStand(t, func(pl *plan) { pl.provider.API = &oidcauth.API{Audience: audience, Algorithms: c.algorithms} })
		s.op.SetHooks(oidctest.Hooks{OnDiscovery: func(m map[string]any) {
			m["id_token_signing_alg_values_supported"] = []string{"none", "HS256", "RS256", "ES256", "PS256", "EdDSA"}
		}})
		for alg, want := range c.want {
			token := s.token(oidctest.Grant{}, func(j *oidctest.JWT) { j.SignWith(s.op.Key(alg)) })
			if got := s.send("Bearer " + token).StatusCode; got != want {
				t.Errorf("J-04 %s, %s: got %d, want %d", name, alg, got, want)
			}
		}
	}
}
