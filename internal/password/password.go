// Package password judges, hashes and verifies passwords: Argon2id in the PHC string format, and to verify only, so that
// users can come with the passwords that they have, the formats of other programs that [Parse] lists.
//
// A [Hash] is parsed once, strictly, with its cost capped before anything is allocated. A [Hasher] does the work: only
// so many hashes at once, in only so much memory, with a bounded queue before it.
//
// A password is hashed byte for byte: not trimmed, not normalized, not cut short. Which new ones are good enough is for
// a [Policy] to say, and limiting guesses, which comes before any hashing, is the caller's business.
package password

import (
	"errors"
	"fmt"
)

// Params are the cost of an Argon2id hash (RFC 9106 section 3.1).
type Params struct {
	Memory  uint32 // m, in KiB: from 8 for each thread to 262,144 (256 MiB)
	Time    uint32 // t, the passes over the memory: 1 to 64, which fill at most 2 GiB
	Threads uint8  // p, the lanes, each a goroutine of its own: 1 to 16
}

// DefaultParams returns the least that OWASP's Password Storage Cheat Sheet recommends: 19 MiB, two passes, one
// thread.
func DefaultParams() Params {
	return Params{Memory: 19456, Time: 2, Threads: 1}
}

// The dearest hash that is ever computed. Who can write a stored hash (an import, a setting) or the settings could
// else ask for 4 TiB, or for hours, with every guess.
const (
	maxMemory  = 256 << 10 // KiB
	maxTime    = 64
	maxThreads = 16
	maxFilled  = 2 << 20 // KiB, in all passes: a second or two
)

// check tells what is wrong with p. Its errors name no value: they may be about a stored hash.
func (p Params) check() error {
	switch {
	case p.Time < 1 || p.Time > maxTime: // golang.org/x/crypto/argon2 panics on 0
		return fmt.Errorf("time is not between 1 and %d", maxTime)
	case p.Threads < 1 || p.Threads > maxThreads: // likewise
		return fmt.Errorf("threads are not between 1 and %d", maxThreads)
	case p.Memory > maxMemory:
		return fmt.Errorf("memory is over %d KiB", maxMemory)
	case p.Memory*p.Time > maxFilled: // no overflow: both are under their own limits
		return fmt.Errorf("memory times time is over %d KiB", maxFilled)
	case p.Memory < 8*uint32(p.Threads): // RFC 9106: "from 8*p to 2^(32)-1"; less would be raised silently
		return errors.New("memory is under 8 KiB for each thread")
	}
	return nil
}
