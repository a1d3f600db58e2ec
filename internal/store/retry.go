package store

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// WriteTimeout is how long [DB.Write] tries at most, with waiting for other writers.
	WriteTimeout = 5 * time.Second

	readTimeout    = time.Second // for a read that finds the database locked
	migrateTimeout = time.Minute
)

// retry runs a read again while the database is busy, for readTimeout.
func (d *DB) retry(ctx context.Context, try func() error) error {
	deadline := time.Now().Add(readTimeout)
	return retryUntil(ctx, d.dialect, func() bool { return time.Now().Before(deadline) }, try)
}

// retryBusy runs try again while the database is busy, until ctx ends.
func retryBusy(ctx context.Context, d *dialect, try func() error) error {
	return retryUntil(ctx, d, func() bool { return true }, try)
}

// retryUntil waits between two tries, longer each time and never as long as others do, so that those who met once don't
// meet again. It gives try's own error: "locked" says more than "context ended".
func retryUntil(ctx context.Context, d *dialect, more func() bool, try func() error) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := try()
		if err == nil || !d.busy(err) || !more() {
			return err
		}
		if sleep(ctx, wait/2+rand.N(wait)) != nil { //nolint:gosec // a weak random number is enough to be apart
			return err
		}
	}
}

// sleep waits, or fails when ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
