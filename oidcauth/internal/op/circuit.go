package op

import (
	"sync"
	"time"
)

// The endpoints that are called for one request each. Each has a circuit of its own: that introspection doesn't answer is no
// reason not to let anybody log in.
const (
	tokenEndpoint = iota
	userInfoEndpoint
	introspectionEndpoint
	revocationEndpoint
	parEndpoint
	endpoints
)

// maxUnanswered is how many calls in a row may stay unanswered before the circuit opens.
const maxUnanswered = 5

// A circuit keeps calls from an endpoint that doesn't answer: each would hold a request for the whole time-out. Answers of any
// status close it, since an error can be what a stranger's token or code gets there, and no stranger may be able to keep
// others out.
type circuit struct {
	mu         sync.Mutex
	unanswered int
	until      time.Time // open until then
	trying     bool      // and for as long as one call tries it
}

// enter tells whether a call may be made. When the pause is over one may, and decides for the others. Whoever has entered must
// leave.
func (c *circuit) enter(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unanswered < maxUnanswered {
		return true
	}
	if c.trying || now.Before(c.until) {
		return false
	}
	c.trying = true
	return true
}

// leave says how a call ended.
func (c *circuit) leave(now time.Time, how outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trying = false
	switch how {
	case answered:
		c.unanswered = 0
	case notAnswered:
		c.unanswered++
		c.until = now.Add(pause(c.unanswered - maxUnanswered + 1))
	case abandoned: // whoever asked has left: nothing was learnt, and the next one may try
		c.until = now
	}
}

type outcome int

const (
	notAnswered outcome = iota
	answered
	abandoned
)

// The pause after failures in a row: a second, doubled by each, up to half a minute.
const (
	firstPause = time.Second
	maxPause   = 30 * time.Second
)

func pause(failures int) time.Duration {
	if failures < 1 {
		return 0
	}
	if failures > 5 {
		return maxPause
	}
	return firstPause << (failures - 1)
}
