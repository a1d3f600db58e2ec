//go:build !race

package session_test

import (
	"testing"

	"github.com/ostiary/auth/internal/store"
)

// A session in recent use costs no allocation, nor does what can't be a token.
func TestAllocsOfFind(t *testing.T) {
	f := setup(t)
	e := f.engine()
	alice := user(t, e, "alice")
	write(t, e, func(tx *store.Tx) error { return tx.Grant(alice, permission("contents:read")) })
	token := login(t, e, alice)
	s := handle(t, e, token)
	ctx := t.Context()
	for _, tc := range []struct {
		name string
		do   func() error
		want error
	}{
		{"a session in memory", func() error { _, err := e.Find(ctx, token); return err }, nil},
		{"what is open", func() error { _, err := s.Current(); return err }, nil},
		{"no token", func() error { _, err := e.Find(ctx, token[1:]); return err }, errEnded},
	} {
		find(t, e, token) // if it has taken a while
		var err error
		allocs := testing.AllocsPerRun(1000, func() { err = tc.do() })
		if err != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
		if allocs != 0 {
			t.Errorf("%s: %v allocations", tc.name, allocs)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	f := setup(b)
	e := f.engine()
	token := login(b, e, user(b, e, "alice"))
	find(b, e, token)
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.Find(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := e.Find(b.Context(), token); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
