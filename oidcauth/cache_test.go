package oidcauth_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth"
)

// A cache is bounded, keeps what is in use, and removes nothing but what it is asked to.
func TestCache(t *testing.T) {
	t.Parallel()
	c := oidcauth.NewCache(100)
	for i := range 1000 {
		c.Put(fmt.Sprint(i), fmt.Sprint("value ", i))
		if _, ok := c.Get("0"); !ok {
			t.Fatalf("what is in use is gone after %d others", i)
		}
		if n := c.Len(); n > 100 {
			t.Fatalf("got %d entries, want 100 at most", n)
		}
	}
	if _, ok := c.Get("500"); ok {
		t.Error("what nobody uses is still there")
	}
	for range 200 { // to put the same again pushes nothing out
		c.Put("0", "another value")
	}
	if v, ok := c.Get("999"); !ok || v != "value 999" {
		t.Errorf("got %q, %v", v, ok)
	}
	c.Remove("999", "another value")
	if _, ok := c.Get("999"); !ok {
		t.Error("removed, though it was something else")
	}
	c.Remove("999", "value 999")
	if _, ok := c.Get("999"); ok {
		t.Error("not removed")
	}
	if v, ok := c.Get("unknown"); ok || v != "" {
		t.Errorf("got %q, %v", v, ok)
	}
}

// Where used proofs can't be remembered any more none counts, until there is room. One key alone doesn't take the room of all.
func TestProofsAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 1000
	use, now := oidcauth.NewProofs(limit), time.Now()
	until := now.Add(time.Minute)
	for i := range limit / 2 {
		if err := use("greedy", fmt.Sprint(i), until, now); err != nil {
			t.Fatalf("number %d: %v", i, err)
		}
	}
	if err := use("greedy", "one more", until, now); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("more than its share: got %v", err)
	}
	for i := range limit / 2 {
		if err := use(fmt.Sprint("key ", i), "0", until, now); err != nil {
			t.Fatalf("key %d: %v", i, err)
		}
	}
	if err := use("another", "0", until, now); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("one too many: got %v", err)
	}
	if err := use("greedy", "0", until, now); !errors.Is(err, auth.ErrInvalidCredentials) {
		t.Errorf("a used one: got %v", err)
	}
	later := until.Add(2 * time.Second)
	if err := use("greedy", "one more", later.Add(time.Minute), later); err != nil {
		t.Errorf("when the others are over: %v", err)
	}
	if err := use("greedy", "one more", later.Add(time.Minute), later); !errors.Is(err, auth.ErrInvalidCredentials) {
		t.Errorf("that one again: got %v", err)
	}
}
