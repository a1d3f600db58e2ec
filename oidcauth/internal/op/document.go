package op

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// outageLasting is how long a document that can't be renewed is used beyond its time: a key that the provider has taken
	// back meanwhile is trusted for as long, and without it an outage of the provider would be one of this application.
	outageLasting = 24 * time.Hour

	// coolDown is the time between fetches that are made since a key is unknown, for each sender: strangers can make up as many
	// as they like.
	coolDown = 30 * time.Second

	// maxWaiting is how many may wait for a document that is being fetched.
	maxWaiting = 1024
)

// A sender is where something came from that asks for more than is known.
type sender int

const (
	strangers sender = iota
	itself           // the provider's own endpoints
	senders
)

// A document is what the provider publishes, and is fetched when it is first needed: by one flight at a time, for all who
// want it then, and on no caller's behalf, so that one who leaves takes it from nobody. A flight that fails is followed by a
// growing pause, in which what is in memory is all there is.
type document[T any] struct {
	doing   string
	fetch   func(context.Context) (T, error)
	lasting time.Duration // how long it counts as current; it is renewed in the background from half of it on
	cfg     *Config
	ctx     context.Context // ends when the provider is closed

	mu       sync.Mutex
	value    T
	number   uint64    // of the flight that brought value; 0: there is none
	asked    time.Time // when that flight began
	begun    uint64    // how many flights have begun
	flight   *flight[T]
	waiting  int
	failures int                // in a row, of the last flights
	cause    error              // of the last one that failed
	retry    time.Time          // no flight before
	hurried  [senders]time.Time // when one was last begun for something unknown
}

type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// get gives the document.
func (d *document[T]) get(ctx context.Context) (T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	age := now.Sub(d.asked)
	kept := d.number > 0 && age < d.lasting+outageLasting
	if kept && age < d.lasting/2 {
		return d.value, nil
	}
	if d.flight == nil && !now.Before(d.retry) {
		d.begin(now)
	}
	// Nobody waits for what may not come as long as there is something to go on with.
	if kept && (age < d.lasting || d.failures > 0) {
		return d.value, nil
	}
	if d.flight == nil {
		var none T
		return none, d.cause
	}
	value, err := d.wait(ctx)
	if err != nil && kept && ctx.Err() == nil {
		return d.value, nil
	}
	return value, err
}

// newer gives a document that was asked for after the first than flights had begun, or the same one again if it was asked for
// lately: what it lacks, the provider lacks.
func (d *document[T]) newer(ctx context.Context, from sender, than uint64) (T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if d.number > than {
			return d.value, nil
		}
		if d.flight == nil {
			now := d.cfg.Now()
			if now.Before(d.retry) || now.Before(d.hurried[from].Add(coolDown)) {
				if d.failures > 0 { // whether the provider lacks it can't be known
					var none T
					return none, d.cause
				}
				return d.value, nil
			}
			d.hurried[from] = now
			d.begin(now)
		}
		if value, err := d.wait(ctx); err != nil {
			return value, err
		}
	}
}

// count is how many flights have begun.
func (d *document[T]) count() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.begun
}

// begin starts a flight. Called with mu held.
func (d *document[T]) begin(now time.Time) {
	f := &flight[T]{done: make(chan struct{})}
	d.flight = f
	d.begun++
	go func() {
		ctx, cancel := context.WithTimeout(d.ctx, d.cfg.Timeout)
		defer cancel()
		value, err := d.fetch(ctx)
		if f.value = value; err != nil {
			f.err = fmt.Errorf("%s: %w", d.doing, err)
		}
		d.land(f, now)
		close(f.done)
		if err != nil && d.ctx.Err() == nil {
			d.cfg.Log(d.doing, err)
		}
	}()
}

// land keeps what a flight has brought that began at asked.
func (d *document[T]) land(f *flight[T], asked time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flight = nil
	if f.err == nil {
		d.value, d.number, d.asked = f.value, d.begun, asked
		d.failures, d.cause, d.retry = 0, nil, time.Time{}
		return
	}
	d.failures++
	d.cause = f.err
	d.retry = d.cfg.Now().Add(pause(d.failures))
}

// wait gives what the flight under way brings. Called with mu held, which is free meanwhile.
func (d *document[T]) wait(ctx context.Context) (T, error) {
	var none T
	if d.waiting >= maxWaiting {
		return none, unavailable("too many wait for it")
	}
	f := d.flight
	d.waiting++
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.waiting--
	}()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return none, unavailable("%w", ctx.Err())
	}
}
