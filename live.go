package auth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A lease ties something open, a socket or a stream, to the identity and the decision that opened it. It asks again
// after each change of the session, and ends what is open once the answer is another one.
type lease struct {
	ctx  context.Context // of what is open
	ends func(cause error)

	mu      sync.Mutex
	box     *box // of the innermost guard: what it and those around it decided must stay so
	dirty   bool // something changed since the last check began
	running bool // a goroutine is checking
	over    bool
	stop    func()      // of Watch
	expiry  *time.Timer // of the identity's fixed end
	outage  *time.Timer // running while the session can't be checked
	grace   bool        // the outage has lasted too long
}

// start watches the session and checks once. The order matters: a change after Watch is told, one before it is seen by
// the check, so none falls between.
func (l *lease) start() error {
	if s := l.innermost().id.Session; s != nil {
		stop := s.Watch(l.changed)
		l.mu.Lock()
		l.stop = stop
		over := l.over
		l.mu.Unlock()
		if over {
			stop()
		}
	}
	return l.check()
}

// extend adds what a guard further in has decided, and checks again: something may have changed since it did.
func (l *lease) extend(inner *box) error {
	l.mu.Lock()
	l.box = inner
	l.mu.Unlock()
	return l.check()
}

func (l *lease) innermost() *box {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.box
}

// changed is called by the session and by timers. It doesn't block: the check runs in a goroutine of its own, one at a
// time, which exists only while there is something to check.
func (l *lease) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.dirty = true
	if !l.running {
		l.running = true
		go l.run()
	}
}

func (l *lease) run() {
	for l.next() {
		if err := l.check(); err != nil && l.close() {
			l.ends(err)
		}
	}
}

func (l *lease) next() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = l.dirty && !l.over
	l.dirty = false
	return l.running
}

// check decides again; an error is why what is open must end.
func (l *lease) check() error {
	inner := l.innermost()
	id, err := inner.current()
	for b := inner; b != nil && err == nil; b = b.outer {
		if b.rule == nil {
			continue
		}
		var held []bool
		held, err = b.rule.decide(l.ctx, b.guard, &b.req, id)
		if err == nil && !slices.Equal(held, b.held) || errors.Is(err, ErrForbidden) {
			// Lost or gained: the handler acts on what it was told at the start. The client reconnects and learns anew.
			return ErrSessionEnded
		}
	}
	switch {
	case err == nil:
		l.recovered(id)
		return nil
	case errors.Is(err, ErrSessionEnded), inner.id == nil:
		// Nobody is known to an OptionalUser below an open socket only because the session ended in between.
		return ErrSessionEnded
	case errors.Is(err, http.ErrServerClosed):
		return http.ErrServerClosed
	}
	return l.unavailable(inner.guard)
}

// unavailable starts the grace of an outage, or ends it.
func (l *lease) unavailable(g *guard) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grace || g.cfg.OutageGrace < 0 {
		return ErrUnavailable
	}
	if l.outage == nil && !l.over {
		l.outage = time.AfterFunc(g.cfg.OutageGrace, func() {
			l.mu.Lock()
			l.grace = true
			l.mu.Unlock()
			l.changed()
		})
	}
	return nil
}

// recovered ends the grace of an outage, and sets the clock for the identity's fixed end.
func (l *lease) recovered(id *Identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outage != nil {
		l.outage.Stop()
		l.outage = nil
	}
	l.grace = false
	if l.expiry != nil {
		l.expiry.Stop()
		l.expiry = nil
	}
	if !id.Expires.IsZero() && !l.over {
		l.expiry = time.AfterFunc(id.Expires.Sub(l.box.guard.cfg.Now()), l.changed)
	}
}

// close stops watching. It reports whether this call did.
func (l *lease) close() bool {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return false
	}
	l.over = true
	stop := l.stop
	for _, t := range []*time.Timer{l.expiry, l.outage} {
		if t != nil {
			t.Stop()
		}
	}
	l.mu.Unlock()
	if stop != nil {
		stop()
	}
	return true
}

// Live derives a context that ends when the caller's session does, or when what the guard of this handler checked is no
// longer so: for streams and long downloads. Its cause is then [ErrSessionEnded], [ErrUnavailable] or
// [http.ErrServerClosed]; behind WebSocketAuth the handler's own context ends in the same way already. With guards of
// different Auths around the handler it follows the innermost. Without a guard it has ended already, with [ErrNoGuard].
// The caller must call the cancel function when done. It starts no goroutine.
func Live(ctx context.Context) (context.Context, context.CancelFunc) {
	live, cancel := context.WithCancelCause(ctx)
	b := boxFrom(ctx)
	if b == nil {
		cancel(ErrNoGuard)
	}
	if b == nil || b.id == nil || b.socket != nil {
		return live, func() { cancel(context.Canceled) }
	}
	l := &lease{box: b, ctx: live, ends: func(cause error) {
		cancel(cause)
		b.guard.reportEnded(b, cause)
	}}
	if err := l.start(); err != nil && l.close() {
		cancel(err)
	}
	// A stream whose client leaves must not stay on the session's list of watchers.
	unhook := context.AfterFunc(ctx, func() { l.close() })
	return live, func() {
		unhook()
		l.close()
		cancel(context.Canceled)
	}
}

// reportEnded follows the end, so that it doesn't wait for the log.
func (g *guard) reportEnded(b *box, cause error) {
	g.report(&b.req, Event{Kind: EventEnded, UserID: b.id.ID, Username: b.id.User.Username, Reason: cause.Error()})
}
