// Package limit slows guessing down: attempts to log in are counted by account, by address and in total, and past
// some free ones each has to wait longer than the one before. It keeps everything in bounded memory and forgets it
// with the process.
//
//	if wait, ok := limiter.Begin(attempt); !ok {
//		// 429 with Retry-After; the password isn't looked at
//	}
//	switch ok, err := right(password); {
//	case err != nil:
//		limiter.Cancel(attempt) // nobody has looked at it
//	case ok:
//		limiter.Succeed(attempt)
//	}
//
// A limit on an account lets strangers lock its holder out, for no longer than Rule.Max after each guess, but again
// and again. So a browser in which the holder has logged in before, and which can prove it (a signed cookie), has a
// limit of its own that strangers can't reach: see [Attempt.Device].
//
// Names are not looked up, so unknown ones are limited like known ones, and a right password is refused like a wrong
// one. What isn't limited here: an attacker with many addresses who guesses slowly at many accounts. Config.Total
// bounds that as a whole.
package limit

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// An Attempt is one guess: who is meant, where it comes from, and what is known about who makes it.
type Attempt struct {
	// Account is the name in its canonical form, whether such an account exists or not. Spellings of one name must
	// be equal here, or each has a limit of its own. Empty: not limited by account (a shared token has none).
	Account string

	// Address is the client's. IPv6 counts by its /64, an IPv4-mapped address as IPv4, and a zone doesn't count.
	// Invalid (a Unix socket): not limited by address, since one bucket for everybody would let anybody lock
	// everybody out.
	Address netip.Addr

	// Device names the client where it has proved, unforgeably, that Account has logged in from it before. The
	// attempt is then counted against this device of this account instead of against the account and the total.
	// Danger: who can choose it freely isn't limited by account. Empty: unknown.
	Device string
}

// A Limiter counts attempts. It is safe for concurrent use.
type Limiter struct {
	now     func() time.Duration // since New
	keys    keys
	limited atomic.Int64 // a time.Duration since New from which on nothing is limited, if nothing more happens

	mu                       sync.Mutex
	account, address, device table
	total                    bucket
}

// New returns a Limiter that has counted nothing yet.
func New(cfg Config) *Limiter {
	cfg = cfg.withDefaults()
	start := cfg.Now()
	return &Limiter{
		now:     func() time.Duration { return cfg.Now().Sub(start) },
		keys:    newKeys(),
		account: newTable(cfg.Account, cfg.Keys),
		address: newTable(cfg.Address, cfg.Keys),
		device:  newTable(cfg.Device, cfg.Keys),
		total:   bucket{rate: cfg.Total},
	}
}

// Begin reports whether the attempt may be made now. If so, it is counted as failed at once, so that of many at the
// same time no more get through than of as many in a row; call [Limiter.Succeed] if it turns out right,
// [Limiter.Cancel] if it comes to no answer, neither if it is wrong. If not, retryAfter says how long it is until one
// may be made, more than zero; nothing is counted, and the caller must answer without having looked at the password.
func (l *Limiter) Begin(a Attempt) (retryAfter time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	who, where := l.places(a, now)
	// First ask all, then count: what is refused by one must not wear down the others.
	if retryAfter = l.wait(a, who, where, now); retryAfter > 0 {
		return retryAfter, false
	}
	until := max(who.count(now), where.count(now))
	if a.Device == "" {
		until = max(until, l.total.count(now))
	}
	if int64(until) > l.limited.Load() {
		l.limited.Store(int64(until))
	}
	return 0, true
}

// Peek reports what Begin would, and counts nothing: for refusing before some other work. Use Begin where the secret
// is then looked at.
func (l *Limiter) Peek(a Attempt) (retryAfter time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	who, where := l.places(a, now)
	retryAfter = l.wait(a, who, where, now)
	return retryAfter, retryAfter <= 0
}

// Succeed takes back an attempt that Begin has counted, after it turned out right: the account, or the device, starts
// afresh. The address and the total only get this one attempt back, so that an attacker's own successful logins
// between the guesses don't wipe out the guesses (B-07). From a known device the account's count stands: what
// strangers failed at isn't forgiven because its holder came in by another door.
func (l *Limiter) Succeed(a Attempt) {
	l.takeBack(a, (*table).reset)
}

// Cancel takes back an attempt that Begin has counted and that came to no answer (the hasher is busy, the client has
// left): every count gets this one attempt back. Danger: not for an attempt whose maker could learn anything from it.
func (l *Limiter) Cancel(a Attempt) {
	l.takeBack(a, (*table).giveBack)
}

func (l *Limiter) takeBack(a Attempt, who func(*table, uint64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case a.Device != "":
		who(&l.device, l.keys.device(a.Account, a.Device))
	case a.Account != "":
		who(&l.account, l.keys.account(a.Account))
	}
	if a.Address.IsValid() {
		l.address.giveBack(l.keys.address(a.Address))
	}
	if a.Device == "" {
		l.total.giveBack()
	}
}

// Idle reports that nobody is limited at the moment, so that Peek would say yes to anything. It takes no lock and
// allocates nothing: for hot paths. It may say false for a while after that has become true.
func (l *Limiter) Idle() bool {
	limited := l.limited.Load()
	return limited == 0 || int64(l.now()) >= limited
}

// places finds where an attempt counts: against who makes it and against where it comes from.
func (l *Limiter) places(a Attempt, now time.Duration) (who, where place) {
	switch {
	case a.Device != "":
		who = l.device.find(l.keys.device(a.Account, a.Device), now)
	case a.Account != "":
		who = l.account.find(l.keys.account(a.Account), now)
	}
	if a.Address.IsValid() {
		where = l.address.find(l.keys.address(a.Address), now)
	}
	return who, where
}

func (l *Limiter) wait(a Attempt, who, where place, now time.Duration) time.Duration {
	wait := max(who.wait(now), where.wait(now))
	if a.Device == "" {
		wait = max(wait, l.total.wait(now))
	}
	return wait
}
