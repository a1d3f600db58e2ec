package oidcauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/limit"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

const (
	maxOpaque  = 4096 // bytes of a token that a provider is asked about
	maxFlights = 256  // questions under way
)

// wrongTokenLimits are for tokens that no provider knows: each costs a question.
func wrongTokenLimits(now func() time.Time) limit.Config {
	return limit.Config{
		Now:     now,
		Address: limit.Rule{Free: 30, First: time.Second, Max: time.Minute, Forget: 10 * time.Minute},
		Total:   limit.Rate{Burst: 1000, Every: 20 * time.Millisecond},
	}
}

// introspected asks p about a token. before is what it was known as until now; nil: nothing.
func (b *backend) introspected(r *http.Request, p *provider, text string, before *verified) (*verified, error) {
	if before != nil { // one that was good is no guess
		return b.bearers.ask(r.Context(), p, text, before)
	}
	try := b.attempt(r)
	if wait, ok := b.bearers.wrong.Begin(try); !ok {
		return nil, &auth.LimitedError{RetryAfter: wait}
	}
	e, err := b.bearers.ask(r.Context(), p, text, nil)
	switch {
	case err == nil:
		b.bearers.wrong.Succeed(try)
	case errors.Is(err, auth.ErrUnavailable):
		b.bearers.wrong.Cancel(try)
	}
	return e, err
}

// A flight is one question to a provider, for all who wait for its answer.
type flight struct {
	done   chan struct{}
	before *verified // the token as it was known; nil: it wasn't

	says *statement
	e    *verified
	err  error
}

// ask asks p about a token, once for all who want to know at the moment.
func (s *bearers) ask(ctx context.Context, p *provider, text string, before *verified) (*verified, error) {
	f := s.fly(p, text, before)
	if f == nil {
		return nil, auth.ErrUnavailable
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, errors.Join(auth.ErrUnavailable, ctx.Err())
	}
	if before != nil && before != f.before { // two of one token: memory has let go of one, which has something open
		return before, before.update(f.says, f.err)
	}
	return f.e, f.err
}

// fly joins the flight about a token, or starts one; nil: there are too many.
func (s *bearers) fly(p *provider, text string, before *verified) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[text]; f != nil {
		return f
	}
	if len(s.flights) >= maxFlights || s.closed.Load() {
		return nil
	}
	f := &flight{done: make(chan struct{}), before: before}
	s.flights[text] = f
	s.done.Go(func() {
		// Not with the context of who came first: others wait for the same answer. And with no time limit but the call's own:
		// an endpoint that doesn't answer in that is left alone for a while, and one that somebody gave up on is not.
		f.says, f.err = p.introspect(s.ctx, text, s.b.now())
		switch {
		case before != nil:
			f.e, f.err = before, before.update(f.says, f.err)
		case f.err == nil:
			f.e = s.cache.put(text, s.newVerified(p, text, f.says))
		}
		s.mu.Lock()
		delete(s.flights, text)
		s.mu.Unlock()
		close(f.done)
	})
	return f
}

// introspect is what the provider says of an active token (RFC 7662) that is one for this server. The answer is as old as the
// question, which is asked now.
func (p *provider) introspect(ctx context.Context, text string, now time.Time) (*statement, error) {
	claims, err := p.op.Introspect(ctx, text)
	if err == nil {
		err = claims.CheckIntrospected(token.IntrospectedCheck{
			Issuer: p.Issuer, Audience: p.API.Audience, ClientID: p.ClientID, Now: now, AnyAudience: p.API.SkipAudience,
		})
	}
	if err != nil {
		return nil, tokenError(err)
	}
	return p.statement(ctx, claims, now.Add(p.API.IntrospectEvery))
}

// update takes over what the provider says now. That nothing can be known leaves e as it is: its time runs out.
func (e *verified) update(says *statement, err error) error {
	switch {
	case err == nil && says.id.ID == e.says.Load().id.ID:
		e.says.Store(says)
		return nil
	case errors.Is(err, auth.ErrUnavailable):
		return err
	case err == nil:
		err = auth.ErrInvalidCredentials // it can't be anybody else's
	}
	e.ended.Store(true) // for what it has opened
	e.bearers.cache.remove(e.text, e)
	return err
}

// askAgain asks about a token that has something open, and has the answer told. It doesn't wait.
func (s *bearers) askAgain(e *verified) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[e]
	if h == nil || h.asking || s.closed.Load() {
		return
	}
	h.asking = true
	s.done.Go(func() {
		_, _ = s.ask(s.ctx, e.provider, e.text, e) // without an answer it is overdue, and asked about again
		s.mu.Lock()
		h.asking = false
		s.mu.Unlock()
		if s.differs(e) {
			e.topic.Notify()
		}
	})
}
