package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"time"
)

const (
	// WriteTimeout is how long [DB.Write] tries at most, with waiting for other writers.
	WriteTimeout = 5 * time.Second

	readTimeout    = time.Second // for a read that finds the database locked
	migrateTimeout = time.Minute
)

// A commitError is what a commit failed with.
type commitError struct{ error }

func (e *commitError) Unwrap() error { return e.error }

// again tells whether what failed with err may be run again: nothing was done, or what was is rolled back. Only when the
// connection was lost during the commit itself can nobody say.
func (d *dialect) again(err error) bool {
	if d.busy(err) {
		return true
	}
	var commit *commitError
	return d.lost(err) && !errors.As(err, &commit)
}

// lostConnection tells whether err says so, in the standard library's ways or in a driver's own words.
func lostConnection(err error, words string) bool {
	for _, known := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, known) {
			return true
		}
	}
	return err != nil && strings.Contains(err.Error(), words)
}

// retry runs a read again while the database is busy or the connection gets lost, for readTimeout.
func (d *DB) retry(ctx context.Context, try func() error) error {
	deadline := time.Now().Add(readTimeout)
	return d.dialect.retryUntil(ctx, func() bool { return time.Now().Before(deadline) }, try)
}

// retry runs try again while the database is busy or the connection gets lost, until ctx ends.
func (d *dialect) retry(ctx context.Context, try func() error) error {
	return d.retryUntil(ctx, func() bool { return true }, try)
}

// retryUntil waits between two tries, longer each time and never as long as others do, so that those who met once don't
// meet again. It gives try's own error: "locked" says more than "context ended".
func (d *dialect) retryUntil(ctx context.Context, more func() bool, try func() error) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := try()
		if err == nil || !d.again(err) || !more() {
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
