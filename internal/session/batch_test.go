package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ostiary/auth/internal/store"
)

// What can't be looked up together is looked up in parts: a user who can't be loaded keeps nobody else waiting, nor does a
// crowd for which there is no time.
func TestLookUpsThatFailTogether(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(ids []int64) bool{
		"one of them never succeeds": func(ids []int64) bool { return slices.Contains(ids, 7) },
		"more than three never do":   func(ids []int64) bool { return len(ids) > 3 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			var watches []*watch
			var sessions []*sess
			broken := make(chan struct{}) // closed when the loader begins to fail
			load := loader(f.db)
			e := f.engine(func(c *config) {
				c.Load = func(ctx context.Context, ids []int64) (people, error) {
					select {
					case <-broken:
						if fails(ids) {
							return nil, errors.New("not together")
						}
					default:
					}
					return load(ctx, ids)
				}
			})
			for i := range 16 {
				s := handle(t, e, login(t, e, user(t, e, fmt.Sprint("user", i))))
				w, stop := watching(s)
				defer stop()
				watches, sessions = append(watches, w), append(sessions, s)
			}
			close(broken)
			write(t, e, func(tx *store.Tx) error {
				_, err := tx.PutRole(store.Role{Name: "everybody's"}, 0)
				return err
			})
			for i, s := range sessions {
				if fails([]int64{s.User()}) {
					current(t, s, errUnavailable)
					continue
				}
				watches[i].until(t, fmt.Sprintf("user %d", s.User()), currentIs(s, nil))
			}
		})
	}
}
