package session_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// How long it takes until what one process ends is refused in another, and told there. That nobody is admitted more than
// a second after it holds on any machine, since memory counts for no longer; the times are told, not judged. It runs
// alone, so that they mean something.
func TestHowSoonAnEndActsElsewhere(t *testing.T) {
	for _, on := range storetest.Engines {
		t.Run(string(on), func(t *testing.T) { testHowSoonAnEndActsElsewhere(t, on) })
	}
}

func testHowSoonAnEndActsElsewhere(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	here := f.engine()
	there, _ := f.otherProcess()
	const workers, rounds = 8, 25
	var mu sync.Mutex
	var refused, told []time.Duration
	var wg sync.WaitGroup
	_, tokens := f.crowd(workers * rounds)
	for w := range workers {
		wg.Go(func() {
			for _, token := range tokens[w*rounds : (w+1)*rounds] {
				s := handle(t, there, token)
				ended := make(chan time.Time, 1)
				stop := s.Watch(func() {
					if _, err := s.Current(); errors.Is(err, errEnded) {
						select {
						case ended <- time.Now():
						default:
						}
					}
				})
				<-time.After(rand.N(250 * time.Millisecond)) // not in step with the polls
				logout(t, here, token)
				over := time.Now()
				for {
					asked := time.Now()
					p, err := there.Find(t.Context(), token)
					if errors.Is(err, errEnded) {
						break
					}
					// A busy machine may keep it from being known for longer.
					if late := asked.Sub(over); err == nil && late > time.Second || late > patience {
						t.Errorf("%v after the end: %v, %v", late, p, err)
						break
					}
					<-time.After(time.Millisecond)
				}
				first := time.Since(over)
				select {
				case at := <-ended:
					mu.Lock()
					refused, told = append(refused, first), append(told, at.Sub(over))
					mu.Unlock()
				case <-time.After(patience):
					t.Error("never told")
				}
				stop()
			}
		})
	}
	wg.Wait()
	if len(refused) != workers*rounds {
		t.Fatalf("%d of %d rounds", len(refused), workers*rounds)
	}
	for name, took := range map[string][]time.Duration{"refused": refused, "told": told} {
		slices.Sort(took)
		t.Logf("%s elsewhere after p50 %v, p99 %v, at most %v (%d rounds)", name,
			took[len(took)/2], took[len(took)*99/100], took[len(took)-1], len(took))
	}
}

// One end's transaction is held open while another begins: neither is lost, here, there or in a third process that only
// looks on.
func TestATransactionThatIsHeldOpen(t *testing.T) { storetest.Each(t, testATransactionThatIsHeldOpen) }

func testATransactionThatIsHeldOpen(t *testing.T, on storetest.Engine) {
	f := setupOn(t, on)
	here := f.engine()
	there, faults := f.otherProcess()
	third, _ := f.otherProcess()
	engines := []*engine{here, there, third}
	alice := user(t, here, "alice")
	for range 5 {
		slow, quick, stays := login(t, here, alice), login(t, here, alice), login(t, here, alice)
		var handles []*sess
		for _, e := range engines {
			for _, token := range []string{slow, quick} {
				s := handle(t, e, token)
				_, stop := watching(s)
				defer stop()
				handles = append(handles, s)
			}
		}
		faults.Heal()
		held, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		var wg sync.WaitGroup
		wg.Go(func() {
			err := here.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.DeleteSession(hashOf(t, slow))
				once.Do(func() { close(held) })
				<-release
				return err
			})
			if err != nil {
				t.Errorf("the one that was held open: %v", err)
			}
		})
		<-held
		wg.Go(func() { logout(t, there, quick) })
		eventually(t, "begun", func() bool { return calls(faults, "begin") > 0 })
		for _, e := range engines { // readers don't wait for writers
			find(t, e, stays)
		}
		close(release)
		wg.Wait()
		refused(t, here, slow, errEnded)
		refused(t, there, quick, errEnded)
		for _, e := range engines {
			for _, token := range []string{slow, quick} {
				eventually(t, "ended", func() bool { _, err := e.Find(t.Context(), token); return errors.Is(err, errEnded) })
			}
			find(t, e, stays)
		}
		for _, s := range handles {
			eventually(t, "ended for what is open", currentIs(s, errEnded))
		}
	}
}

// Two engines of one process, for two realms: what is written through the one acts in the other before Write returns, and
// where that can't be read the other admits nobody.
func TestWhatAlsoActsInAnotherEngine(t *testing.T) {
	t.Parallel()
	f := setup(t)
	other := f.engine(func(c *config) { c.Realm = "other" })
	here := f.engine(func(c *config) { c.Also = other })
	alice := user(t, here, "alice")
	token := login(t, other, alice)
	if p, err := here.Find(t.Context(), token); !errors.Is(err, errEnded) {
		t.Errorf("in the wrong realm: got %v, %v", p, err)
	}
	for i := range 20 {
		find(t, other, token)
		name := fmt.Sprint("name", i)
		err := here.Write(t.Context(), func(tx *store.Tx) error { return tx.UpdateProfile(alice, store.ProfileUpdate{DisplayName: &name}) })
		if p, found := other.Find(t.Context(), token); err != nil || found != nil || p.name != name {
			t.Errorf("got %v, %v, %v, want %q", err, p, found, name)
		}
	}
	s := handle(t, other, token)
	if err := here.Write(t.Context(), func(tx *store.Tx) error { return store.ErrChanged }); !errors.Is(err, store.ErrChanged) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Current(); err != nil {
		t.Errorf("after a change that wasn't made: got %v", err)
	}
	f.faults.Fail()
	if err := here.Write(t.Context(), func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Current(); !errors.Is(err, errUnavailable) {
		t.Errorf("while nobody knows what was committed: got %v, want %v", err, errUnavailable)
	}
	f.faults.Heal()
	if err := here.Write(t.Context(), func(tx *store.Tx) error { _, err := tx.DeleteSession(hashOf(t, token)); return err }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Current(); !errors.Is(err, errEnded) {
		t.Errorf("ended through the other: got %v, want %v", err, errEnded)
	}
	refused(t, other, token, errEnded)
}
