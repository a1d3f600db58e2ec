package op_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/op"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// found tells whether the provider's keys have the one of kid.
func found(t *testing.T, client *op.Provider, kid string) (bool, error) {
	t.Helper()
	keys, err := client.Keys(t.Context(), kid, "EdDSA", false)
	return len(keys) == 1 && keyOf(kid).Equal(keys[0]), err
}

// mustFind fails the test where the key of kid isn't found.
func mustFind(t *testing.T, client *op.Provider, kid string) {
	t.Helper()
	if ok, err := found(t, client, kid); !ok || err != nil {
		t.Fatalf("kid %q: got %t, %v, want its key", kid, ok, err)
	}
}

// signed is a token that says it is of kid's key, with a signature of another one's.
func signed(kid, by string) string {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, by)
	text := unsigned(kid)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(ed25519.NewKeyFromSeed(seed), []byte(text)))
}

// forged is one with a signature of nobody's.
func forged(kid string) string { return unsigned(kid) + "." + strings.Repeat("A", 86) }

func unsigned(kid string) string {
	header := fmt.Sprintf(`{"alg":"EdDSA","kid":%q}`, kid)
	if kid == "" {
		header = `{"alg":"EdDSA"}`
	}
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"alice"}`))
}

// verify holds a token against the provider's keys.
func verify(ctx context.Context, client *op.Provider, raw string) error {
	parsed, err := token.Parse(raw)
	if err != nil {
		return err
	}
	return parsed.Verify(ctx, client, []string{"EdDSA"})
}

// J-09: strangers' tokens make the provider's keys be fetched once in 30 seconds, however many there are, and good ones pass
// all the while.
func TestTenThousandForgedTokensFetchTheKeysOnce(t *testing.T) {
	t.Parallel()
	p, client, now := setup(t)
	if err := verify(t.Context(), client, signed("k1", "k1")); err != nil {
		t.Fatalf("a good token: %v", err)
	}
	if n := p.count(jwks); n != 1 {
		t.Fatalf("got %d fetches for the first token, want 1", n)
	}
	storm := func(each int) {
		var all sync.WaitGroup
		for worker := range 10 {
			all.Go(func() {
				for i := range each {
					kid := fmt.Sprintf("made-up-%d-%d", worker, i)
					switch i % 4 {
					case 0:
						kid = "" // none given: fits the one key by its kind
					case 1:
						kid = "k1" // known, and the signature wrong
					}
					if err := verify(t.Context(), client, forged(kid)); !errors.Is(err, token.ErrInvalid) {
						t.Errorf("kid %q: got %v, want it invalid", kid, err)
						return
					}
					if i%100 == 0 {
						if err := verify(t.Context(), client, signed("k1", "k1")); err != nil {
							t.Errorf("a good token: %v", err)
						}
					}
				}
			})
		}
		all.Wait()
	}
	storm(1000)
	if n := p.count(jwks); n != 2 {
		t.Errorf("got %d fetches after 10,000 forged tokens, want 1 more", n)
	}
	now.pass(29 * time.Second)
	storm(100)
	if n := p.count(jwks); n != 2 {
		t.Errorf("got %d fetches before the cool-down was over, want none more", n)
	}
	now.pass(time.Second)
	storm(100)
	if n := p.count(jwks); n != 3 {
		t.Errorf("got %d fetches after the cool-down, want 1 more", n)
	}
	if n := p.count(discovery); n != 1 {
		t.Errorf("got %d fetches of the metadata, want 1", n)
	}
}

// J-09: a key that is known is final, whether the signature is wrong or the algorithm another key's.
func TestAKnownKidIsNeverAskedForAgain(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	mustFind(t, client, "k1")
	for range 100 {
		if keys, err := client.Keys(t.Context(), "k1", "EdDSA", true); len(keys) != 0 || err != nil {
			t.Fatalf("again: got %d keys, %v, want none", len(keys), err)
		}
		if keys, err := client.Keys(t.Context(), "k1", "RS256", false); len(keys) != 0 || err != nil {
			t.Fatalf("another algorithm: got %d keys, %v, want none", len(keys), err)
		}
	}
	if n := p.count(jwks); n != 1 {
		t.Errorf("got %d fetches, want 1", n)
	}
}

// J-11, rp-key-rotation-op-sign-key-native (…-signing-key-rotation-just-before-signing), rp-key-rotation-op-sign-key
// (…-signing-key-rotation)
func TestARotatedKeyIsFoundWithOneFetch(t *testing.T) {
	t.Parallel()
	p, client, now := setup(t)
	mustFind(t, client, "k1")
	p.say(jwks, p.keys("k2")) // in the same moment, and the old one is gone
	mustFind(t, client, "k2")
	mustFind(t, client, "k2")
	if n := p.count(jwks); n != 2 {
		t.Errorf("got %d fetches, want one for each key", n)
	}
	if ok, err := found(t, client, "k1"); ok || err != nil {
		t.Errorf("the old key: got %t, %v, want it gone and no error", ok, err)
	}
	now.pass(31 * time.Second)
	p.say(jwks, p.keys("k2", "k3"))
	mustFind(t, client, "k3")
	mustFind(t, client, "k2")
	if n := p.count(jwks); n != 3 {
		t.Errorf("got %d fetches, want one more", n)
	}
}

// J-10, rp-id_token-kid-absent-single-jwks, and J-11 without a kid: keys that are rotated under no name.
func TestARotatedKeyWithoutAKidIsFound(t *testing.T) {
	t.Parallel()
	p, client, now := setup(t)
	if err := verify(t.Context(), client, signed("", "k1")); err != nil {
		t.Fatalf("the first key: %v", err)
	}
	p.say(jwks, p.keys("k2"))
	if err := verify(t.Context(), client, signed("", "k2")); err != nil {
		t.Errorf("the second key: %v", err)
	}
	if err := verify(t.Context(), client, signed("", "k1")); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("the first key, gone: got %v, want it invalid", err)
	}
	if n := p.count(jwks); n != 2 {
		t.Errorf("got %d fetches, want 2", n)
	}
	if keys, err := client.Keys(t.Context(), "", "EdDSA", true); len(keys) != 0 || err != nil {
		t.Errorf("again, with nothing new: got %d keys, %v, want none, since they have been tried", len(keys), err)
	}
	now.pass(31 * time.Second)
	p.sayJSON(jwks, 500, "")
	if err := verify(t.Context(), client, signed("", "k3")); !errors.Is(err, op.ErrUnavailable) {
		t.Errorf("an unknown key while the provider is down: got %v, want ErrUnavailable", err)
	}
}

// J-11: a key that the provider has taken back is not trusted for longer than a quarter of an hour, nor after a pause in which
// nobody asked.
func TestAKeyThatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{15 * time.Minute, 20 * time.Hour, 1000 * time.Hour} {
		t.Run(pause.String(), func(t *testing.T) {
			t.Parallel()
			p, client, now := setup(t)
			mustFind(t, client, "k1")
			p.say(jwks, p.keys("k2"))
			mustFind(t, client, "k1") // not yet known to be gone
			now.pass(pause)
			if ok, err := found(t, client, "k1"); ok || err != nil {
				t.Errorf("got %t, %v, want it gone and no error", ok, err)
			}
		})
	}
}

// J-12
func TestKeysThatCanNotBeHad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(p *provider) http.HandlerFunc
		good   bool
	}{
		"good keys":        {func(p *provider) http.HandlerFunc { return p.keys("k2") }, true},
		"their own type":   {func(p *provider) http.HandlerFunc { return typed("application/jwk-set+json", p.keys("k2")) }, true},
		"a bad key beside": {func(*provider) http.HandlerFunc { return sayJSON(200, badKeysBeside("k2")) }, true},
		"10,000 keys":      {func(*provider) http.HandlerFunc { return sayJSON(200, manyKeys("k2")) }, true},

		"status 500": {func(*provider) http.HandlerFunc { return sayJSON(500, `{"keys":[]}`) }, false},
		"status 404": {func(*provider) http.HandlerFunc { return sayJSON(404, `{"keys":[]}`) }, false},
		"no keys":    {func(*provider) http.HandlerFunc { return sayJSON(200, `{"keys":[]}`) }, false},
		"no good key": {func(*provider) http.HandlerFunc {
			return sayJSON(200, `{"keys":[{"kty":"oct","k":"AAAA","kid":"k2"}]}`)
		}, false},
		"no list":          {func(*provider) http.HandlerFunc { return sayJSON(200, `{}`) }, false},
		"a list twice":     {func(*provider) http.HandlerFunc { return sayJSON(200, `{"keys":[],"keys":[]}`) }, false},
		"a page":           {func(p *provider) http.HandlerFunc { return typed("text/html", p.keys("k2")) }, false},
		"100 MiB":          {func(*provider) http.HandlerFunc { return huge }, false},
		"a redirect":       {func(*provider) http.HandlerFunc { return redirect("/elsewhere") }, false},
		"one to a file":    {func(*provider) http.HandlerFunc { return redirect("file:///etc/passwd") }, false},
		"one to the cloud": {func(*provider) http.HandlerFunc { return redirect("http://169.254.169.254/") }, false},
		"a reset mid-body": {func(*provider) http.HandlerFunc { return reset }, false},
		"compressed":       {func(*provider) http.HandlerFunc { return compressed }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, now := setup(t)
			p.say("/elsewhere", p.keys("k2"))
			mustFind(t, client, "k1")
			p.say(jwks, c.answer(p))
			ok, err := found(t, client, "k2")
			if c.good {
				if !ok || err != nil {
					t.Errorf("got %t, %v, want the new key", ok, err)
				}
				return
			}
			check(t, err, "unavailable") // unknown while the provider can't tell: not wrong
			for _, d := range []time.Duration{0, time.Minute, time.Hour, 22 * time.Hour} {
				now.pass(d)
				mustFind(t, client, "k1") // the last good ones
			}
			now.pass(2 * time.Hour) // for a day, and no longer
			_, err = found(t, client, "k1")
			check(t, err, "unavailable")
			if p.count("/elsewhere") != 0 {
				t.Error("the redirect was followed")
			}
			// The provider is back. The pause before it is asked again is half a minute at most.
			p.say(jwks, p.keys("k1", "k2"))
			now.pass(30 * time.Second)
			mustFind(t, client, "k1")
			mustFind(t, client, "k2")
		})
	}
}

// J-12, J-09: while the provider is known to be down, unknown keys don't have it asked more often.
func TestUnknownKeysWaitForTheEndOfThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client := bubbled(t)
		mustFind(t, client, "k1")
		p.sayJSON(jwks, 503, "")
		time.Sleep(8 * time.Minute) // from here on they are renewed in the background, which fails
		for range 6 {
			time.Sleep(31 * time.Second)
			mustFind(t, client, "k1")
			synctest.Wait()
		}
		asked := p.count(jwks)
		for range 100 {
			_, err := found(t, client, "k2")
			check(t, err, "unavailable")
		}
		if n := p.count(jwks) - asked; n != 0 {
			t.Errorf("got %d fetches in the pause, want none", n)
		}
		p.say(jwks, p.keys("k2"))
		time.Sleep(30 * time.Second)
		mustFind(t, client, "k2")
	})
}

func typed(mediaType string, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { answer(typedWriter{w, mediaType}, r) }
}

type typedWriter struct {
	http.ResponseWriter
	mediaType string
}

func (w typedWriter) WriteHeader(status int) {
	w.Header().Set("Content-Type", w.mediaType)
	w.ResponseWriter.WriteHeader(status)
}

func badKeysBeside(kid string) string {
	return fmt.Sprintf(`{"keys":[7,{},{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"AAAA"},{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}]}`,
		kid, base64.RawURLEncoding.EncodeToString(keyOf(kid)))
}

func manyKeys(kid string) string {
	x := base64.RawURLEncoding.EncodeToString(keyOf(kid))
	var body strings.Builder
	fmt.Fprintf(&body, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}`, kid, x)
	for i := range 9999 {
		fmt.Fprintf(&body, `,{"kty":"OKP","crv":"Ed25519","kid":"n%d","x":%q}`, i, x)
	}
	return body.String() + "]}"
}

// huge goes on until nobody reads any more.
func huge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	block := bytes.Repeat([]byte(" "), 64<<10)
	for range 1600 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, `{"keys":[]}`)
	}
}

func reset(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"keys":[`)
	panic(http.ErrAbortHandler)
}

// J-09, J-12, O-21: one fetch for all who want the keys at the same time. Who leaves takes them from nobody else.
func TestOneFetchServesAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client := bubbled(t)
		goOn := make(chan struct{})
		p.say(jwks, func(w http.ResponseWriter, r *http.Request) {
			<-goOn
			p.keys("k1")(w, r)
		})
		first, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := client.Keys(first, "k1", "EdDSA", false)
			left <- err
		}()
		synctest.Wait() // the fetch is under way, on the first one's account
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if ok, err := found(t, client, "k1"); !ok || err != nil {
					t.Errorf("got %t, %v, want the key", ok, err)
				}
			})
		}
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) || !errors.Is(err, op.ErrUnavailable) {
			t.Errorf("who left got %v, want context.Canceled", err)
		}
		close(goOn)
		all.Wait()
		if n := p.count(jwks); n != 1 {
			t.Errorf("got %d fetches, want 1", n)
		}
	})
}

// J-09: known keys need no provider, so one that is slow to give unknown ones slows nobody else down.
func TestGoodTokensDoNotWaitForUnknownKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client := bubbled(t)
		mustFind(t, client, "k1")
		p.say(jwks, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		start := time.Now()
		refused := make(chan error, 1)
		go func() {
			_, err := found(t, client, "k2")
			refused <- err
		}()
		synctest.Wait()
		for range 100 {
			mustFind(t, client, "k1")
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("good tokens took %s, want no time", d)
		}
		check(t, <-refused, "unavailable")
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("the unknown one took %s, want the time-out of 10s", d)
		}
	})
}

// J-12: no more than 1,024 wait for a document, whatever the provider does.
func TestWhoWaitsIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client := bubbled(t)
		goOn := make(chan struct{})
		p.say(jwks, func(w http.ResponseWriter, r *http.Request) {
			<-goOn
			p.keys("k1")(w, r)
		})
		results := make(chan error, 2000)
		for range 1500 {
			go func() {
				_, err := client.Keys(t.Context(), "k1", "EdDSA", false)
				results <- err
			}()
		}
		synctest.Wait()
		if n := len(results); n != 1500-1024 {
			t.Errorf("got %d answers at once, want %d", n, 1500-1024)
		}
		close(goOn)
		refused := 0
		for range 1500 {
			if err := <-results; err != nil {
				check(t, err, "unavailable")
				refused++
			}
		}
		if refused != 1500-1024 {
			t.Errorf("got %d refusals, want %d", refused, 1500-1024)
		}
		mustFind(t, client, "k1")
	})
}
