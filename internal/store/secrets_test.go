package store_test

import (
	"bytes"
	"crypto/rand"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// D-09: of instances that start together all get one secret.
func TestSecretIsShared(t *testing.T) { storetest.Each(t, testSecretIsShared) }

func testSecretIsShared(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	other := openDB(t, base.Raw(t, plainOptions))
	generate := func() []byte { b := make([]byte, 32); rand.Read(b); return b }
	var mu sync.Mutex
	var all [][]byte
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			got, err := []*store.DB{d, other}[i%2].Secret(t.Context(), "key", generate)
			if err != nil || len(got) != 32 {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, got)
		})
	}
	wg.Wait()
	for _, got := range all[1:] {
		if !bytes.Equal(got, all[0]) {
			t.Fatal("got different secrets")
		}
	}
	again, err := d.Secret(t.Context(), "key", func() []byte { t.Error("made anew"); return nil })
	if err != nil || !bytes.Equal(again, all[0]) {
		t.Errorf("later: got another one, %v", err)
	}
	if another, err := d.Secret(t.Context(), "other", generate); err != nil || bytes.Equal(another, all[0]) {
		t.Errorf("of another name: got the same, %v", err)
	}
}

// D-17: an empty secret would be one that everybody knows.
func TestEmptySecretIsRefused(t *testing.T) { storetest.Each(t, testEmptySecretIsRefused) }

func testEmptySecretIsRefused(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	if got, err := d.Secret(t.Context(), "key", func() []byte { return nil }); err == nil || got != nil {
		t.Errorf("got %v, %v, want an error", got, err)
	}
	faults.Fail()
	got, err := d.Secret(t.Context(), "key", func() []byte { t.Error("made one"); return []byte("x") })
	wantError(t, "unreadable", err, store.ErrUnavailable)
	if got != nil {
		t.Errorf("got %v, want none", got)
	}
}
