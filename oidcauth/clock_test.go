package oidcauth_test

import (
	"sync/atomic"
	"time"
)

// A clock is the real one, set forward.
type clock struct {
	ahead   atomic.Int64
	stopped atomic.Pointer[time.Time]
}

func (c *clock) now() time.Time {
	t := time.Now()
	if at := c.stopped.Load(); at != nil {
		t = *at
	}
	return t.Add(time.Duration(c.ahead.Load()))
}

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// stop leaves only forward: for what must not depend on how fast the machine is.
func (c *clock) stop() {
	t := time.Now()
	c.stopped.Store(&t)
}
