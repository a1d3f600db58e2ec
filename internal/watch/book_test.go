package watch_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/watch"
)

var errEnd = errors.New("end")

func fresh(k int) string { return strconv.Itoa(k) }

func change(to string) func(string) string { return func(string) string { return to } }

func TestBookDerivesWhatItDoesNotHold(t *testing.T) {
	t.Parallel()
	b := watch.NewBook(2, fresh)
	for k := range 1000 {
		if got, err := b.Load(k); got != strconv.Itoa(k) || err != nil {
			t.Fatalf("key %d: got %q, %v", k, got, err)
		}
	}
	if got := b.Len(); got != 0 {
		t.Errorf("got %d cells after reading alone, want 0", got)
	}
}

// V-12: the memory is bounded, and what is forgotten is what nobody has used for longest.
func TestBookForgetsTheOldest(t *testing.T) {
	t.Parallel()
	b := watch.NewBook(2, fresh)
	for k := range 3 {
		if err := b.Update(k, change("changed")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Load(0); err != nil { // used again, each time
			t.Fatal(err)
		}
	}
	for k, want := range []string{"changed", "1", "changed"} {
		if got, _ := b.Load(k); got != want {
			t.Errorf("key %d: got %q, want %q", k, got, want)
		}
	}
	if got := b.Len(); got != 2 {
		t.Errorf("got %d cells, want 2", got)
	}
}

func TestBookKeepsWhatIsWatched(t *testing.T) {
	t.Parallel()
	b := watch.NewBook(2, fresh)
	told := 0
	stop := b.Watch(0, func() { told++ })
	for k := range 100 {
		_ = b.Update(k+1, change("changed"))
	}
	b.End(0, errEnd)
	if _, err := b.Load(0); !errors.Is(err, errEnd) || told != 1 {
		t.Errorf("got %v and told %d times, want the end and once", err, told)
	}
	stop()
	if got := b.Len(); got > 3 {
		t.Errorf("got %d cells, want at most 3", got)
	}
}

func TestClosedBookEndsEveryKey(t *testing.T) {
	t.Parallel()
	b := watch.NewBook(2, fresh)
	told := 0
	b.Watch(1, func() { told++ })
	b.Close(errEnd)
	b.Close(errors.New("again"))
	for k := range 3 {
		if _, err := b.Load(k); !errors.Is(err, errEnd) {
			t.Errorf("key %d: got %v, want the end", k, err)
		}
		if err := b.Update(k, change("x")); !errors.Is(err, errEnd) {
			t.Errorf("update of key %d: got %v, want the end", k, err)
		}
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
}

func TestBookNotifiesAll(t *testing.T) {
	t.Parallel()
	b := watch.NewBook(10, fresh)
	told := 0
	for k := range 5 {
		b.Watch(k, func() { told++ })
	}
	b.Notify()
	if told != 5 {
		t.Errorf("told %d, want 5", told)
	}
}

func TestCellEndsOnce(t *testing.T) {
	t.Parallel()
	var c watch.Cell[int]
	if got, err := c.Load(); got != 0 || err != nil {
		t.Errorf("got %d, %v of a new cell", got, err)
	}
	_ = c.Update(func(n int) int { return n + 1 })
	c.End(errEnd)
	c.End(errors.New("again"))
	if _, err := c.Load(); !errors.Is(err, errEnd) {
		t.Errorf("got %v, want the first end", err)
	}
	if err := c.Update(func(n int) int { t.Error("an ended cell was changed"); return n }); !errors.Is(err, errEnd) {
		t.Errorf("got %v, want the end", err)
	}
}

// V-01: no update is lost among many at once.
func TestCellLosesNoUpdate(t *testing.T) {
	t.Parallel()
	var c watch.Cell[int]
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range 100 {
				_ = c.Update(func(n int) int { return n + 1 })
			}
		})
	}
	all.Wait()
	if got, _ := c.Load(); got != 10_000 {
		t.Errorf("got %d, want 10000", got)
	}
}
