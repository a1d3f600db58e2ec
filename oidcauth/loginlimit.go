package oidcauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ostiary/auth/internal/limit"
)

// loginLimits are for codes that nobody gets in with. Anybody can begin an attempt and come back with a code of no worth: each
// costs a row, and a question to the provider, which would soon answer nobody any more.
func loginLimits(now func() time.Time) limit.Config {
	return limit.Config{
		Now:     now,
		Address: limit.Rule{Free: 100, First: time.Second, Max: time.Minute, Forget: 10 * time.Minute},
		// Far above what people do: whoever has many addresses must not keep everybody out.
		Total: limit.Rate{Burst: 10_000, Every: 5 * time.Millisecond},
	}
}

// pushLimits are for attempts that are begun where the provider is told of each (RFC 9126). Most come to nothing in an honest
// way: people open the page, and think better of it.
func pushLimits(now func() time.Time) limit.Config {
	return limit.Config{
		Now:     now,
		Address: limit.Rule{Free: 500, First: time.Second, Max: 10 * time.Second, Forget: 10 * time.Minute},
		Total:   limit.Rate{Burst: 20_000, Every: 2 * time.Millisecond},
	}
}

// mayPush tells whether an attempt may be begun at p now; if not, how long to wait.
func (b *backend) mayPush(r *http.Request, p *provider) (wait time.Duration, ok bool) {
	ctx, cancel := context.WithTimeout(r.Context(), loginTimeout)
	defer cancel()
	if m, err := p.op.Metadata(ctx); err != nil || m.PAR == "" {
		return 0, true // nobody is told; or it fails by itself
	}
	return b.pushes.Begin(b.attempt(r))
}

// settle says what came of a code that was counted before anything was asked about it.
func (b *backend) settle(r *http.Request, err error) {
	_, refused := errors.AsType[*refusal](err)
	switch {
	case err == nil:
		b.codes.Succeed(b.attempt(r))
		b.pushes.Succeed(b.attempt(r))
	case !refused: // nobody has judged it
		b.codes.Cancel(b.attempt(r))
	}
}
