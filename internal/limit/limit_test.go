package limit_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/limit"
)

// A clock stands still until a test moves it.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1e9, 0).Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// small has rules that differ, and a total that is out of the way.
func small(c *clock) limit.Config {
	return limit.Config{
		Account: limit.Rule{Free: 3, First: time.Second, Max: 10 * time.Second, Forget: time.Minute},
		Address: limit.Rule{Free: 5, First: time.Second, Max: 20 * time.Second, Forget: time.Minute},
		Device:  limit.Rule{Free: 4, First: time.Second, Max: 10 * time.Second, Forget: time.Minute},
		Total:   limit.Rate{Burst: 1_000_000, Every: time.Second},
		Now:     c.now,
	}
}

func setup(t *testing.T, change ...func(*limit.Config)) (*limit.Limiter, *clock) {
	t.Helper()
	c := new(clock)
	cfg := small(c)
	for _, f := range change {
		f(&cfg)
	}
	return limit.New(cfg), c
}

// from returns the n-th of many addresses that share nothing.
func from(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// through makes n attempts and returns how many weren't refused.
func through(l *limit.Limiter, n int, attempt func(i int) limit.Attempt) (passed int) {
	for i := range n {
		if _, ok := l.Begin(attempt(i)); ok {
			passed++
		}
	}
	return passed
}

// B-01, B-15
func TestWaitsDoubleUpToTheMaximum(t *testing.T) {
	t.Parallel()
	l, c := setup(t)
	alice := limit.Attempt{Account: "alice"}
	if got := through(l, 10, func(int) limit.Attempt { return alice }); got != 3 {
		t.Fatalf("got %d free attempts, want 3", got)
	}
	var got []time.Duration
	for range 7 {
		wait, ok := l.Begin(alice)
		if ok {
			t.Fatal("an attempt before its time isn't refused")
		}
		got = append(got, wait)
		c.advance(wait - 1)
		if wait, ok := l.Begin(alice); ok || wait != 1 {
			t.Fatalf("a nanosecond early: got %v, %v, want 1ns, false", wait, ok)
		}
		c.advance(1)
		if _, ok := l.Begin(alice); !ok {
			t.Fatal("refused although the wait is over: refused attempts count")
		}
	}
	s := time.Second
	if want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 10 * s, 10 * s, 10 * s}; !slices.Equal(got, want) {
		t.Errorf("got waits %v, want %v", got, want)
	}
}

// B-01, B-15: what the documentation of the default settings promises, with a guess tried each second.
func TestDefaults(t *testing.T) {
	t.Parallel()
	var c clock
	l := limit.New(limit.Config{Now: c.now})
	var quarter, day int
	for minute := range 24 * 60 {
		for i := range 60 {
			wait, ok := l.Begin(limit.Attempt{Account: "alice", Address: from(i)})
			if ok {
				day++
				if minute < 15 {
					quarter++
				}
			} else if wait <= 0 || wait > 15*time.Minute {
				t.Fatalf("got Retry-After %v, want more than 0 and at most 15 minutes", wait)
			}
			c.advance(time.Second)
		}
	}
	if quarter != 14 || day < 100 || day > 115 {
		t.Errorf("got %d guesses in a quarter of an hour and %d in a day, want 14 and about 110", quarter, day)
	}
}

// B-02: strangers who keep an account limited don't keep its holder's device out, and a stolen device is limited too.
func TestADeviceHasALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	l, c := setup(t, func(cfg *limit.Config) { cfg.Total = limit.Rate{Burst: 50, Every: time.Hour} })
	for i := range 100 { // strangers fill the account's limit and the total
		l.Begin(limit.Attempt{Account: "alice", Address: from(i)})
		l.Begin(limit.Attempt{Account: fmt.Sprint(i), Address: from(1000 + i)})
	}
	if _, ok := l.Begin(limit.Attempt{Account: "alice", Address: from(5000)}); ok {
		t.Fatal("alice isn't limited")
	}
	holder := limit.Attempt{Account: "alice", Address: from(5000), Device: "laptop"}
	for range 10 {
		if wait, ok := l.Begin(holder); !ok {
			t.Fatalf("the holder has to wait %v", wait)
		}
		l.Succeed(holder)
	}
	if _, ok := l.Begin(limit.Attempt{Account: "alice", Address: from(5001)}); ok {
		t.Error("the holder's success has lifted the strangers' limit")
	}
	c.advance(2 * time.Minute) // the address has no part in this
	stolen := func(i int) limit.Attempt {
		return limit.Attempt{Account: "alice", Address: from(6000 + i), Device: "laptop"}
	}
	if got := through(l, 100, stolen); got != 4 {
		t.Errorf("got %d guesses from the stolen device, want 4", got)
	}
	if _, ok := l.Begin(limit.Attempt{Account: "bob", Address: from(7000), Device: "laptop"}); !ok {
		t.Error("bob's device of the same name is limited along with alice's")
	}
}

// B-03: a thousand addresses with a guess each get as far as one.
func TestManyAddressesOneAccount(t *testing.T) {
	t.Parallel()
	l, _ := setup(t)
	got := through(l, 1000, func(i int) limit.Attempt { return limit.Attempt{Account: "alice", Address: from(i)} })
	if got != 3 {
		t.Errorf("got %d guesses through, want 3", got)
	}
	if _, ok := l.Begin(limit.Attempt{Account: "bob", Address: from(1)}); !ok {
		t.Error("another account is limited too")
	}
}

// B-04
func TestOneAddressManyAccounts(t *testing.T) {
	t.Parallel()
	l, _ := setup(t)
	got := through(l, 10_000, func(i int) limit.Attempt { return limit.Attempt{Account: fmt.Sprint(i), Address: from(1)} })
	if got != 5 {
		t.Errorf("got %d guesses through, want 5", got)
	}
	if accounts, _, _ := l.Keys(); accounts != 5 {
		t.Errorf("got %d accounts kept, want 5: refused attempts leave no trace", accounts)
	}
}

// T-22: no account, as with a shared token: one address is limited, and another one isn't.
func TestWithoutAnAccount(t *testing.T) {
	t.Parallel()
	var c clock
	l := limit.New(limit.Config{Now: c.now})
	if got := through(l, 10_000, func(int) limit.Attempt { return limit.Attempt{Address: from(1)} }); got != 30 {
		t.Errorf("got %d guesses through, want 30", got)
	}
	if _, ok := l.Begin(limit.Attempt{Address: from(2)}); !ok {
		t.Error("another address is limited too")
	}
}

func TestTotalIsARate(t *testing.T) {
	t.Parallel()
	l, c := setup(t, func(cfg *limit.Config) { cfg.Total = limit.Rate{Burst: 20, Every: time.Second} })
	n := 0
	everyone := func(int) limit.Attempt { n++; return limit.Attempt{Account: fmt.Sprint(n), Address: from(n)} }
	if got := through(l, 100, everyone); got != 20 {
		t.Errorf("got %d at once, want 20", got)
	}
	wait, ok := l.Begin(everyone(0))
	if ok || wait != time.Second {
		t.Errorf("got %v, %v, want 1s, false", wait, ok)
	}
	c.advance(3 * time.Second)
	if got := through(l, 100, everyone); got != 3 {
		t.Errorf("got %d after three seconds, want 3", got)
	}
	c.advance(time.Hour)
	for range 1000 { // who succeeds doesn't use it up
		a := everyone(0)
		if _, ok := l.Begin(a); !ok {
			t.Fatal("successes use up the total")
		}
		l.Succeed(a)
	}
	if got := through(l, 100, everyone); got != 20 {
		t.Errorf("got %d after an hour and many successes, want 20", got)
	}
}

// B-06, B-09: what is refused, and for how long, is the same for any name, whatever happened to it before.
func TestUnknownNamesAreLimitedAlike(t *testing.T) {
	t.Parallel()
	record := func(name string, before func(*limit.Limiter)) (answers []string) {
		l, c := setup(t)
		before(l)
		for range 200 {
			wait, ok := l.Begin(limit.Attempt{Account: name, Address: from(1)})
			answers = append(answers, fmt.Sprint(wait, ok))
			c.advance(300 * time.Millisecond)
		}
		return answers
	}
	known := record("alice", func(l *limit.Limiter) {
		a := limit.Attempt{Account: "alice", Address: from(1)}
		l.Begin(a)
		l.Succeed(a)
	})
	if unknown := record("nobody", func(*limit.Limiter) {}); !slices.Equal(known, unknown) {
		t.Errorf("got\n%v for an unknown name, want\n%v", unknown, known)
	}
}

// B-07: an attacker's own successful logins between the guesses give nothing back but themselves.
func TestOwnSuccessesDontResetTheRest(t *testing.T) {
	t.Parallel()
	own := limit.Attempt{Account: "mallory", Address: from(1)}
	race := func(interleave bool) (guesses int) {
		l, c := setup(t)
		victims := 0
		for range 3000 {
			victims++
			if _, ok := l.Begin(limit.Attempt{Account: fmt.Sprint("victim", victims), Address: from(1)}); ok {
				guesses++
			}
			if interleave {
				if _, ok := l.Begin(own); ok {
					l.Succeed(own)
				}
			}
			c.advance(100 * time.Millisecond)
		}
		return guesses
	}
	without, with := race(false), race(true)
	if with > without {
		t.Errorf("got %d guesses with own logins between them, want no more than the %d without", with, without)
	}

	l, _ := setup(t)
	for range 3 {
		l.Begin(limit.Attempt{Account: "alice"})
	}
	for _, a := range []limit.Attempt{own, {Account: "alice", Device: "laptop"}} {
		l.Begin(a)
		l.Succeed(a)
		if _, ok := l.Begin(limit.Attempt{Account: "alice"}); ok {
			t.Errorf("%+v has lifted alice's limit", a)
		}
	}
}

func TestSuccessStartsTheAccountAfresh(t *testing.T) {
	t.Parallel()
	l, c := setup(t)
	alice := func(int) limit.Attempt { return limit.Attempt{Account: "alice"} }
	device := func(int) limit.Attempt { return limit.Attempt{Account: "alice", Device: "laptop"} }
	for name, who := range map[string]func(int) limit.Attempt{"account": alice, "device": device} {
		through(l, 100, who)
		c.advance(time.Second)
		if _, ok := l.Begin(who(0)); !ok {
			t.Fatalf("%s: refused after the wait", name)
		}
		l.Succeed(who(0))
		if got := through(l, 100, who); got < 3 {
			t.Errorf("%s: got %d free attempts after a success, want all", name, got)
		}
	}
}

// An office behind one address that is past its free attempts isn't held up by those who log in.
func TestSuccessGivesTheAddressItsWaitBack(t *testing.T) {
	t.Parallel()
	l, c := setup(t)
	through(l, 100, func(i int) limit.Attempt { return limit.Attempt{Account: fmt.Sprint(i), Address: from(1)} })
	c.advance(time.Second)
	for i := range 20 {
		a := limit.Attempt{Account: fmt.Sprint("colleague", i), Address: from(1)}
		if wait, ok := l.Begin(a); !ok {
			t.Fatalf("number %d has to wait %v", i, wait)
		}
		l.Succeed(a)
	}
	if _, ok := l.Begin(limit.Attempt{Account: "x", Address: from(1)}); !ok {
		t.Fatal("refused")
	}
	if wait, _ := l.Begin(limit.Attempt{Account: "y", Address: from(1)}); wait != 2*time.Second {
		t.Errorf("got a wait of %v, want 2s: the failures before still count", wait)
	}
}

// A cancelled attempt leaves everything as it was, what others failed at included.
func TestCancelGivesOneAttemptBack(t *testing.T) {
	t.Parallel()
	l, c := setup(t, func(cfg *limit.Config) { cfg.Total = limit.Rate{Burst: 20, Every: time.Hour} })
	for name, a := range map[string]limit.Attempt{
		"account": {Account: "alice", Address: from(1)},
		"device":  {Account: "alice", Address: from(2), Device: "laptop"},
	} {
		free := through(l, 100, func(int) limit.Attempt { return a })
		c.advance(time.Second)
		for range 100 {
			if wait, ok := l.Begin(a); !ok {
				t.Fatalf("%s: got a wait of %v after a cancelled attempt, want none", name, wait)
			}
			l.Cancel(a)
		}
		if got := through(l, 100, func(int) limit.Attempt { return a }); got != 1 || free < 3 {
			t.Errorf("%s: got %d attempts after %d free ones and a wait, want 1", name, got, free)
		}
		if wait, _ := l.Begin(a); wait != 2*time.Second {
			t.Errorf("%s: got a wait of %v, want 2s: the failures before still count", name, wait)
		}
	}
}

func TestKeysAreForgotten(t *testing.T) {
	t.Parallel()
	l, c := setup(t)
	alice := func(int) limit.Attempt { return limit.Attempt{Account: "alice"} }
	through(l, 3, alice)
	c.advance(time.Second + time.Minute - 1)
	if got := through(l, 10, alice); got != 1 {
		t.Errorf("got %d attempts before the limit is forgotten, want 1", got)
	}
	c.advance(2*time.Second + time.Minute)
	if got := through(l, 10, alice); got != 3 {
		t.Errorf("got %d attempts afterwards, want 3", got)
	}
}

// B-11
func TestAddressesAreCanonical(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, one, other string
		same             bool
	}{
		{"inside a /64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"another /64", "2001:db8::1", "2001:db8:0:1::1", false},
		{"mapped and plain", "::ffff:192.0.2.1", "192.0.2.1", true},
		{"mapped ones aren't one /64", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"a zone doesn't count", "fe80::1%eth0", "fe80::1%eth1", true},
		{"neighbours in IPv4", "192.0.2.1", "192.0.2.2", false},
		{"the /64 of zeros isn't IPv4", "::1", "0.0.0.1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, _ := setup(t)
			through(l, 100, func(int) limit.Attempt { return limit.Attempt{Address: netip.MustParseAddr(tt.one)} })
			if _, ok := l.Begin(limit.Attempt{Address: netip.MustParseAddr(tt.other)}); ok == tt.same {
				t.Errorf("got the other one let through: %v, want %v", ok, !tt.same)
			}
		})
	}
}

// B-12: of many attempts at once no more get through than of as many in a row.
func TestABurstGetsNoMore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		attempt func(i int) limit.Attempt
		want    int64
	}{
		{"one account", func(i int) limit.Attempt { return limit.Attempt{Account: "alice", Address: from(i)} }, 3},
		{"one address", func(i int) limit.Attempt { return limit.Attempt{Account: fmt.Sprint(i), Address: from(1)} }, 5},
		{"one device", func(i int) limit.Attempt {
			return limit.Attempt{Account: "alice", Address: from(i), Device: "laptop"}
		}, 4},
		{"in total", func(i int) limit.Attempt { return limit.Attempt{Account: fmt.Sprint(i), Address: from(i)} }, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, _ := setup(t, func(cfg *limit.Config) { cfg.Total = limit.Rate{Burst: 20, Every: time.Second} })
			var passed atomic.Int64
			var all sync.WaitGroup
			for i := range 200 {
				all.Go(func() {
					if _, ok := l.Begin(tt.attempt(i)); ok {
						passed.Add(1)
					}
				})
			}
			all.Wait()
			if got := passed.Load(); got != tt.want {
				t.Errorf("got %d through, want %d", got, tt.want)
			}
		})
	}
}

func TestPeekCountsNothing(t *testing.T) {
	t.Parallel()
	l, _ := setup(t)
	alice := limit.Attempt{Account: "alice", Address: from(1)}
	for range 100 {
		if wait, ok := l.Peek(alice); !ok || wait > 0 {
			t.Fatalf("got %v, %v, want 0, true", wait, ok)
		}
	}
	if got := through(l, 10, func(int) limit.Attempt { return alice }); got != 3 {
		t.Errorf("got %d attempts, want 3", got)
	}
	if wait, ok := l.Peek(alice); ok || wait != time.Second {
		t.Errorf("got %v, %v, want 1s, false", wait, ok)
	}
}

func TestIdle(t *testing.T) {
	l, c := setup(t, func(cfg *limit.Config) { cfg.Total = limit.Rate{Burst: 4, Every: time.Second} })
	alice := limit.Attempt{Account: "alice"}
	steps := []struct {
		name string
		do   func()
		want bool
	}{
		{"at the beginning", func() {}, true},
		{"with free attempts left", func() { l.Begin(alice); l.Begin(alice) }, true},
		{"with an account limited", func() { l.Begin(alice) }, false},
		{"when its wait is over", func() { c.advance(time.Second) }, true},
		{"with the total used up", func() { l.Begin(limit.Attempt{}); l.Begin(limit.Attempt{}) }, false},
		{"when that has leaked", func() { c.advance(time.Second) }, true},
		{"with a device limited", func() { through(l, 9, func(int) limit.Attempt { return limit.Attempt{Device: "d"} }) }, false},
		{"when that is over", func() { c.advance(time.Second) }, true},
		{"with an address limited", func() {
			through(l, 9, func(i int) limit.Attempt { return limit.Attempt{Device: fmt.Sprint(i), Address: from(1)} })
		}, false},
	}
	for _, s := range steps {
		s.do()
		if got := l.Idle(); got != s.want {
			t.Errorf("%s: got %v, want %v", s.name, got, s.want)
		}
	}
	if got := testing.AllocsPerRun(100, func() { l.Idle() }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
