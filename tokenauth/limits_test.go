package tokenauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// The limits, as they are documented in the package's configuration and of the limit package.
const (
	limitsForm    = 30 // wrong ones in the form from one address
	limitsHeader  = 50 // wrong tokens in headers and queries from one address
	limitsAccount = 64 // wrong shared passwords, from everywhere
	limitsDevice  = 10 // from a browser that has logged in before
)

func limitsGuess(n int) url.Values { return url.Values{"password": {fmt.Sprint("guess ", n)}} }

// limitsUsedUp guesses in the form until it is refused, and gives how many guesses were looked at.
func limitsUsedUp(t *testing.T, guess func(n int) labAnswer) int {
	t.Helper()
	for n := range 1000 {
		switch got := guess(n); got.Status {
		case http.StatusUnauthorized:
		case http.StatusTooManyRequests:
			return n
		default:
			t.Fatalf("guess %d: got %d, want 401 or 429", n, got.Status)
		}
	}
	t.Fatal("1,000 guesses, and none was refused")
	return 0
}

// limitsRetryAfter is the answer's Retry-After, which must be whole seconds.
func limitsRetryAfter(t *testing.T, got labAnswer) time.Duration {
	t.Helper()
	seconds, err := strconv.Atoi(got.Header.Get("Retry-After"))
	if err != nil || seconds < 1 || seconds > 900 || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d with Retry-After %q and Cache-Control %q, want 1 to 900 seconds and no-store (B-15)", got.Status, got.Header.Get("Retry-After"), got.Header.Get("Cache-Control"))
	}
	return time.Duration(seconds) * time.Second
}

func TestFormLimits(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct {
		name, word string
		change     func(*tokenauth.Config)
	}{{"token", labToken, func(*tokenauth.Config) {}}, {"password", labPassword, cheaply}} {
		t.Run("T-22 B-04 one address, "+mode.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, mode.change, frozen)
			attacker, other := l.browser(), l.browser()
			other.from = "198.51.100.7:1"
			labLogin(t, "before", l.browser().post("/auth/login", url.Values{"password": {mode.word}}))
			if got := limitsUsedUp(t, func(n int) labAnswer { return attacker.post("/auth/login", limitsGuess(n)) }); got != limitsForm {
				t.Errorf("%d guesses were looked at, want %d", got, limitsForm)
			}
			labLogin(t, "the right one from another address", other.post("/auth/login", url.Values{"password": {mode.word}}))
			if events := l.eventsOf(auth.EventLimited); len(events) == 0 || events[0].Address.String() != "192.0.2.7" || events[0].Status != http.StatusTooManyRequests {
				t.Errorf("got events %+v, want one of the attacker's address", events)
			}
		})
		t.Run("B-06 inside the limit the right one is answered like a wrong one, "+mode.name, func(t *testing.T) {
			t.Parallel()
			clock := newLabClock()
			b := newLab(t, mode.change, clocked(clock)).browser()
			limitsUsedUp(t, func(n int) labAnswer { return b.post("/auth/login", limitsGuess(n)) })
			for _, send := range []func(string) labAnswer{
				func(word string) labAnswer { return b.post("/auth/login", url.Values{"password": {word}}) },
				func(word string) labAnswer {
					return b.json(http.MethodPost, "/auth/login", fmt.Sprintf(`{"password":%q}`, word))
				},
			} {
				wrong, right := send("wrong"), send(mode.word)
				if fmt.Sprint(wrong) != fmt.Sprint(right) || right.Status != http.StatusTooManyRequests || len(right.Cookies) != 0 {
					t.Errorf("got %v for the right one, %v for a wrong one", right, wrong)
				}
				limitsRetryAfter(t, right)
			}
		})
		t.Run("B-15 the delay grows, is what Retry-After says, and ends, "+mode.name, func(t *testing.T) {
			t.Parallel()
			clock := newLabClock()
			b := newLab(t, mode.change, clocked(clock)).browser()
			limitsUsedUp(t, func(n int) labAnswer { return b.post("/auth/login", limitsGuess(n)) })
			before := time.Duration(0)
			for range 12 {
				wait := limitsRetryAfter(t, b.post("/auth/login", limitsGuess(0)))
				if wait < before {
					t.Errorf("got %s after %s", wait, before)
				}
				clock.advance(wait - time.Millisecond)
				labNoLogin(t, "too early", b.post("/auth/login", limitsGuess(0)), http.StatusTooManyRequests)
				clock.advance(time.Millisecond)
				labNoLogin(t, "in time", b.post("/auth/login", limitsGuess(0)), http.StatusUnauthorized)
				before = wait
			}
			if before < time.Minute {
				t.Errorf("the delay has only grown to %s", before)
			}
			clock.advance(limitsRetryAfter(t, b.post("/auth/login", limitsGuess(0))))
			labLogin(t, "the right one, in time", b.post("/auth/login", url.Values{"password": {mode.word}}))
		})
	}
	t.Run("B-01 B-03 many addresses, one guess each, at the shared password", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, cheaply, frozen)
		guess := func(n int) labAnswer {
			return l.browser().post("/auth/login", limitsGuess(n), from(labAddress()))
		}
		if got := limitsUsedUp(t, guess); got != limitsAccount {
			t.Errorf("%d guesses were looked at, want %d", got, limitsAccount)
		}
	})
	t.Run("T-22 many addresses can't lock anybody out of the token's form", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		for n := range 2000 { // more than a password's form takes in total
			labNoLogin(t, "a guess", l.browser().post("/auth/login", limitsGuess(n), from(labAddress())), http.StatusUnauthorized)
		}
		labLogin(t, "the right one", l.browser().post("/auth/login", rightToken))
	})
	t.Run("B-02 strangers can't lock out a browser that has logged in before", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, cheaply, frozen)
		known, stolen := l.loggedIn(labPassword), l.browser()
		known.from = "203.0.113.9:1"
		name, value := known.deviceCookie()
		stolen.setCookie(name, value)
		known.post("/auth/logout", nil)
		limitsUsedUp(t, func(n int) labAnswer {
			return l.browser().post("/auth/login", limitsGuess(n), from(labAddress()))
		})
		labNoLogin(t, "a new browser", l.browser().post("/auth/login", url.Values{"password": {labPassword}}, from(labAddress())), http.StatusTooManyRequests)
		labLogin(t, "the known one", known.post("/auth/login", url.Values{"password": {labPassword}}))
		// The device has a limit of its own, and a forged one none of its own.
		if got := limitsUsedUp(t, func(n int) labAnswer { return stolen.post("/auth/login", limitsGuess(n), from(labAddress())) }); got != limitsDevice {
			t.Errorf("a device cookie was good for %d guesses, want %d", got, limitsDevice)
		}
		for _, forged := range []string{value[:len(value)-1], "A" + value[1:], value + "A", "", "x"} {
			stolen.setCookie(name, forged)
			labNoLogin(t, "forged "+forged, stolen.post("/auth/login", url.Values{"password": {labPassword}}, from(labAddress())), http.StatusTooManyRequests)
		}
		stolen.setCookie(name, value+"; "+name+"="+value)
		labNoLogin(t, "twice", stolen.post("/auth/login", url.Values{"password": {labPassword}}, from(labAddress())), http.StatusTooManyRequests)
		other := newLab(t, cheaply, frozen)
		limitsUsedUp(t, func(n int) labAnswer {
			return other.browser().post("/auth/login", limitsGuess(n), from(labAddress()))
		})
		stolen.lab = other
		stolen.setCookie(name, value)
		labNoLogin(t, "another server's", stolen.post("/auth/login", url.Values{"password": {labPassword}}, from(labAddress())), http.StatusTooManyRequests)
	})
	t.Run("a device cookie proves nothing, and isn't changed by a login", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		name, value := b.deviceCookie()
		labRefused(t, "alone", b.lab.browser().get("/", with("Cookie", name+"="+value)), http.StatusUnauthorized)
		labRefused(t, "as the login", b.lab.browser().get("/", with("Cookie", first(b.loginCookie())+"="+value)), http.StatusUnauthorized)
		if got := b.post("/auth/login", rightToken); len(got.Cookies) != 1 {
			t.Errorf("got cookies %v, want the login's only", got.Cookies)
		}
	})
	t.Run("B-07 a holder of a named token can't guess on by logging in between", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, cheaply, frozen, named(tokenauth.Token{Name: "reader", Token: labReader}))
		looked := 0
		for n := range 200 {
			if n%4 == 0 { // own logins, each from a new browser at a new address
				insider := l.browser()
				insider.from = labAddress()
				if got := insider.post("/auth/login", url.Values{"password": {labReader}}); got.Status == http.StatusSeeOther {
					for range 3 { // and with whatever cookies that gave
						if got := insider.post("/auth/login", limitsGuess(n)); got.Status == http.StatusUnauthorized {
							looked++
						}
					}
				}
			}
			if got := l.browser().post("/auth/login", limitsGuess(n), from(labAddress())); got.Status == http.StatusUnauthorized {
				looked++
			}
		}
		if looked > limitsAccount {
			t.Errorf("%d guesses were looked at, want at most %d", looked, limitsAccount)
		}
	})
	t.Run("B-07 own logins don't wipe out what an address guessed", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, frozen)
		looked := 0
		for n := range 200 {
			b := l.browser()
			if n%5 == 0 {
				b.post("/auth/login", rightToken)
				b = l.browser()
			}
			if got := b.post("/auth/login", limitsGuess(n)); got.Status == http.StatusUnauthorized {
				looked++
			}
		}
		if looked > limitsForm {
			t.Errorf("%d guesses were looked at, want at most %d", looked, limitsForm)
		}
	})
	t.Run("B-12 a burst gets no more through than a row", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, sharedPassword, frozen)
		var all sync.WaitGroup
		for n := range 200 {
			all.Go(func() { l.browser().post("/auth/login", limitsGuess(n)) })
		}
		all.Wait()
		failed, limited := len(l.eventsOf(auth.EventLoginFailed)), len(l.eventsOf(auth.EventLimited))
		if failed > limitsForm || failed == 0 || failed+limited != 200 {
			t.Errorf("got %d looked at and %d refused, want at most %d and the rest", failed, limited, limitsForm)
		}
	})
}

// B-05: a limited guess costs no hash. A hash takes 19 MiB of memory, which is counted. Not parallel: others' counts too.
func TestLimitedGuessesAreNotHashed(t *testing.T) {
	l := newLab(t, sharedPassword, frozen)
	b := l.browser()
	allocated := func(f func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) >> 20
	}
	const hash = 19 // MiB
	if got := allocated(func() { b.post("/auth/login", limitsGuess(0)) }); got < hash {
		t.Fatalf("one guess took %d MiB, less than a hash: this test measures something else", got)
	}
	if got := allocated(func() { limitsUsedUp(t, func(n int) labAnswer { return b.post("/auth/login", limitsGuess(n)) }) }); got < hash*(limitsForm-1) {
		t.Errorf("the guesses took %d MiB, want that of %d hashes", got, limitsForm-1)
	}
	got := allocated(func() {
		for n := range 20 {
			labNoLogin(t, "limited", b.post("/auth/login", limitsGuess(n)), http.StatusTooManyRequests)
			labNoLogin(t, "limited, right", b.post("/auth/login", url.Values{"password": {labPassword}}), http.StatusTooManyRequests)
		}
	})
	if got >= hash {
		t.Errorf("40 limited guesses took %d MiB: at least one was hashed", got)
	}
}

func TestTokenLimits(t *testing.T) {
	t.Parallel()
	sends := map[string]func(b *labBrowser, token string, options ...labOption) labAnswer{
		"header": func(b *labBrowser, token string, options ...labOption) labAnswer {
			return b.get("/", append(options, bearing(token))...)
		},
		"query": func(b *labBrowser, token string, options ...labOption) labAnswer {
			return b.get("/?token="+url.QueryEscape(token), options...)
		},
		"link": func(b *labBrowser, token string, options ...labOption) labAnswer {
			got := b.navigate("/?token="+url.QueryEscape(token), options...)
			switch { // as the others
			case got.Status == http.StatusSeeOther && len(got.Cookies) == 1:
				got.Status = http.StatusOK
				got.Header.Set("Reached", "yes")
			case got.Status == http.StatusSeeOther:
				got.Status = http.StatusUnauthorized
			}
			b.cookies = map[string]string{}
			return got
		},
	}
	for how, send := range sends {
		t.Run("B-14 T-22 "+how+": wrong tokens are limited by address, nobody else is", func(t *testing.T) {
			t.Parallel()
			clock := newLabClock()
			l := newLab(t, clocked(clock))
			attacker, other, known := l.browser(), l.browser(), l.loggedIn()
			other.from = "198.51.100.7:1"
			labAdmitted(t, "before", send(l.browser(), labToken))
			looked := limitsUsedUp(t, func(n int) labAnswer { return send(attacker, fmt.Sprint("guess", n)) })
			if looked != limitsHeader {
				t.Errorf("%d tokens were looked at, want %d", looked, limitsHeader)
			}
			limited := send(attacker, labToken)
			if labRefused(t, "B-06 the right one from there", limited, http.StatusTooManyRequests); len(limited.Cookies) != 0 {
				t.Errorf("got cookies %v", limited.Cookies)
			}
			wait := limitsRetryAfter(t, limited)
			for range 1000 {
				send(attacker, "on and on")
			}
			labAdmitted(t, "the right one from elsewhere", send(other, labToken))
			labAdmitted(t, "a browser that is logged in, at the attacker's address", known.get("/"))
			clock.advance(wait)
			labAdmitted(t, "the right one, in time", send(attacker, labToken))
		})
	}
	t.Run("B-14 a handshake's token is limited too", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, frozen).listen()
		b := l.browser()
		b.from = "127.0.0.1:1"
		conn, _ := b.enter("/api/room/demo?token=" + labToken)
		conn.CloseNow()
		limitsUsedUp(t, func(n int) labAnswer { return b.get("/?token=" + fmt.Sprint("guess", n)) })
		if _, status := b.dial("/api/room/demo?token=" + labToken); status != http.StatusTooManyRequests || l.rooms.Load() != 1 {
			t.Errorf("got %d, want 429 before the upgrade", status)
		}
	})
	t.Run("B-10 B-11 what an address is", func(t *testing.T) {
		t.Parallel()
		forwarded := func(lines ...string) []labOption {
			return []labOption{from("10.0.0.1:1"), with("X-Forwarded-For", lines...)}
		}
		trusting := func(c *tokenauth.Config) { c.Auth.TrustedProxies = []string{"10.0.0.0/8", "2001:db8:ffff::/48"} }
		for _, c := range []struct {
			name   string
			change func(*tokenauth.Config)
			spend  func(n int) []labOption // addresses that are all the same one
			same   [][]labOption           // so are these
			others [][]labOption           // and these are others
		}{
			{
				"B-10 an untrusted peer's headers are its own", at(""),
				func(n int) []labOption {
					return []labOption{from("192.0.2.1:1"), with("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", n)), with("X-Real-Ip", fmt.Sprintf("198.51.100.%d", n)), with("Forwarded", fmt.Sprintf("for=198.51.100.%d", n))}
				},
				[][]labOption{{from("192.0.2.1:2")}},
				[][]labOption{{from("198.51.100.1:1")}},
			},
			{
				"B-10 behind a trusted proxy the rightmost that isn't one counts", trusting,
				func(n int) []labOption {
					return forwarded(fmt.Sprintf("203.0.113.%d, 192.0.2.1, 10.0.0.9", n))
				},
				[][]labOption{forwarded("192.0.2.1"), forwarded("1.2.3.4", "192.0.2.1"), forwarded("spoof, 192.0.2.1:4711"), {from("192.0.2.1:9")}},
				[][]labOption{forwarded("192.0.2.1, 203.0.113.5"), forwarded("192.0.2.2"), {from("10.0.0.1:1")}, forwarded("192.0.2.1, junk")},
			},
			{
				"B-11 a /64 of IPv6 is one", at(""),
				func(n int) []labOption { return []labOption{from(fmt.Sprintf("[2001:db8:0:1::%x]:1", n+1))} },
				[][]labOption{{from("[2001:db8:0:1:ffff:ffff:ffff:ffff]:1")}, {from("[2001:DB8:0:1::abcd]:1")}, {from("[2001:db8:0:1::7%eth0]:1")}},
				[][]labOption{{from("[2001:db8:0:2::1]:1")}, {from("192.0.2.1:1")}},
			},
			{
				"B-11 an IPv4 address in IPv6's clothes is itself", at(""),
				func(n int) []labOption {
					return []labOption{from([]string{"[::ffff:192.0.2.1]:1", "192.0.2.1:1", "[::ffff:c000:201]:1"}[n%3])}
				},
				[][]labOption{{from("192.0.2.1:2")}, {from("[::ffff:192.0.2.1]:2")}},
				[][]labOption{{from("[::ffff:192.0.2.2]:1")}},
			},
		} {
			l := newLab(t, c.change, frozen)
			b := l.browser()
			if got := limitsUsedUp(t, func(n int) labAnswer { return b.get("/", append(c.spend(n), bearing("WRONG"))...) }); got != limitsHeader {
				t.Errorf("%s: %d tokens were looked at, want %d", c.name, got, limitsHeader)
			}
			for i, same := range c.same {
				labRefused(t, fmt.Sprint(c.name, ": same ", i), b.get("/", append(same, bearing(labToken))...), http.StatusTooManyRequests)
			}
			for i, other := range c.others {
				labAdmitted(t, fmt.Sprint(c.name, ": other ", i), b.get("/", append(other, bearing(labToken))...))
			}
		}
	})
	t.Run("B-09 V-12 a flood of addresses slows nobody down who is logged in", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.loggedIn()
		for range 20_000 { // more than are remembered
			tokenauth.IdentifyError(l.auth, limitsRequest(labAddress()))
		}
		labAdmitted(t, "logged in", b.get("/"))
		// There is no limit in total: to keep it full would be to lock everybody out.
		labAdmitted(t, "the right token", l.browser().get("/", bearing(labToken)))
	})
}

// limitsRequest is one with a wrong token.
func limitsRequest(address string) *http.Request {
	return &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Host: "127.0.0.1", RemoteAddr: address, Header: http.Header{"Authorization": {"Bearer WRONG"}}}
}

// B-02: strangers who keep guessing from many addresses hold up a browser that is new here for seconds, not for hours.
func TestSharedPasswordDelayStaysShort(t *testing.T) {
	t.Parallel()
	clock := newLabClock()
	l := newLab(t, cheaply, clocked(clock))
	longest := time.Duration(0)
	for n := range limitsAccount + 20 {
		stranger := l.browser()
		stranger.from = fmt.Sprintf("203.0.113.%d:1", n)
		got := stranger.post("/auth/login", limitsGuess(n))
		if got.Status == http.StatusTooManyRequests {
			wait := limitsRetryAfter(t, got)
			longest = max(longest, wait)
			clock.advance(wait)
			labNoLogin(t, "after the delay", stranger.post("/auth/login", limitsGuess(n)), http.StatusUnauthorized)
		}
	}
	if longest != 30*time.Second {
		t.Errorf("the longest delay is %s, want 30s", longest)
	}
}
