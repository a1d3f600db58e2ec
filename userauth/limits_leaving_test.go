package userauth_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// B-01: many directories delay the answer to a wrong password, and give it up when the client leaves. Whoever always leaves
// early learns what is right from what comes at once.
func TestGuessesOfWhoDoesntWait(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	leave := make(chan func(), 1)
	s := newSite(t, authenticatedBy(userauth.AuthenticatorFunc(func(ctx context.Context, _, _ string) (*auth.Identity, error) {
		asked.Add(1)
		(<-leave)()
		<-ctx.Done()
		return nil, ctx.Err()
	})))
	s.faulty.Store(true) // what nobody waits for is 503
	last := 0
	for n := range 30 {
		got := s.browser().login("lena", fmt.Sprint("guess ", n), elsewhere(), func(r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			select {
			case <-leave: // of a request that got no further
			default:
			}
			leave <- cancel
			*r = *r.WithContext(ctx)
		})
		last = got.Status
	}
	if got := asked.Load(); got != freeAccount || last != http.StatusTooManyRequests {
		t.Errorf("%d guesses have reached it, and the last one got %d, want %d and 429", got, last, freeAccount)
	}
}
