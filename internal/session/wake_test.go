package session_test

import (
	"testing"
	"testing/synctest"

	"github.com/ostiary/auth/internal/store"
)

// A value of Wake has the feed read at once; a closed Wake is none, and the polls go on.
func TestWakeReadsTheFeedAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		wake := make(chan struct{}, 1)
		here := f.engine()
		there, _ := f.otherProcess(func(c *config) { c.Wake = wake })
		alice := user(t, here, "alice")
		first, second := login(t, here, alice), login(t, here, alice)
		s, next := handle(t, there, first), handle(t, there, second)
		_, stop := watching(s) // so that it counts at once
		defer stop()
		synctest.Wait()
		current(t, s, nil)

		write(t, here, func(tx *store.Tx) error { _, err := tx.DeleteSession(hashOf(t, first)); return err })
		synctest.Wait() // all are at rest, and no time has passed for a poll
		current(t, s, nil)
		wake <- struct{}{}
		synctest.Wait()
		current(t, s, errEnded)

		close(wake)
		w, stop := watching(next)
		defer stop()
		logout(t, here, second)
		w.until(t, "told by a poll", currentIs(next, errEnded))
	})
}

// What wakes an engine wakes the other one that it works with.
func TestWakeReachesAnotherEngine(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture) {
		wake := make(chan struct{}, 1)
		here := f.engine()
		other, _ := f.otherProcess()
		f.otherProcess(func(c *config) { c.Wake, c.Also = wake, other })
		token := login(t, here, user(t, here, "alice"))
		s := handle(t, other, token)
		_, stop := watching(s)
		defer stop()
		synctest.Wait()
		current(t, s, nil)

		write(t, here, func(tx *store.Tx) error { _, err := tx.DeleteSession(hashOf(t, token)); return err })
		synctest.Wait()
		current(t, s, nil)
		wake <- struct{}{}
		synctest.Wait()
		current(t, s, errEnded)
	})
}
