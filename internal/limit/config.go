package limit

import "time"

// A Rule is how the attempts of one key (an account, an address, a device) are limited. A field that is zero or less
// has its default.
type Rule struct {
	// Free is how many failed attempts there may be before any has to wait.
	Free int

	// First is how long the next attempt waits after Free failed ones. Each further failure doubles it, up to Max.
	First, Max time.Duration

	// Forget is how long after the end of the last wait (without one, after the last attempt) a key that made no
	// attempt is new again.
	Forget time.Duration
}

// A Rate is how many failed attempts there may be in total: Burst at once, and one more after each Every. A field that
// is zero or less has its default.
type Rate struct {
	Burst int
	Every time.Duration
}

// Config configures a [Limiter]. Its zero value is a safe default.
type Config struct {
	// Account limits the guesses at one account, from everywhere. Default: 5 free, then 1 second to 15 minutes,
	// forgotten after 24 hours: 14 guesses in the first quarter of an hour, 4 in each further hour.
	Account Rule

	// Address limits the guesses from one address, at all accounts. Default: 30 free, since an office may share an
	// address, then 1 second to 5 minutes, forgotten after an hour.
	Address Rule

	// Device limits the guesses from a device that the account's holder has used before: whoever stole it. Default: 10
	// free, then 1 second to 15 minutes, forgotten after 24 hours.
	Device Rule

	// Total limits all guesses that come from no known device. It is a rate, not a growing delay: many attackers
	// together can fill it, but it recovers in the moment in which they stop. Default: 1,000 at once, then 10 a
	// second.
	Total Rate

	// Keys is how many accounts, addresses and devices are each kept at most, at about 100 bytes. Default: 10,000.
	//
	// When that many are known, a new one takes the place of one that isn't past its free attempts, the one with the
	// fewest among a few picked at random. One that is past them stays until it is forgotten, so that nobody's limit
	// can be flushed by guessing at other names; where only such ones are found, new keys share one limit by the same
	// rule.
	Keys int

	// Now returns the time. Default: time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	c.Account = c.Account.or(Rule{Free: 5, First: time.Second, Max: 15 * time.Minute, Forget: 24 * time.Hour})
	c.Address = c.Address.or(Rule{Free: 30, First: time.Second, Max: 5 * time.Minute, Forget: time.Hour})
	c.Device = c.Device.or(Rule{Free: 10, First: time.Second, Max: 15 * time.Minute, Forget: 24 * time.Hour})
	c.Total.Burst = positive(c.Total.Burst, 1000)
	c.Total.Every = positive(c.Total.Every, 100*time.Millisecond)
	c.Keys = positive(c.Keys, 10_000)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (r Rule) or(defaults Rule) Rule {
	r.Free = positive(r.Free, defaults.Free)
	r.First = positive(r.First, defaults.First)
	r.Max = max(positive(r.Max, defaults.Max), r.First)
	r.Forget = positive(r.Forget, defaults.Forget)
	return r
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// delay is how long the next attempt waits after so many failures.
func (r Rule) delay(failures int) time.Duration {
	if failures < r.Free {
		return 0
	}
	d := r.First
	for range failures - r.Free {
		if d > r.Max/2 { // also before it overflows, however many failures there were
			return r.Max
		}
		d *= 2
	}
	return d
}
