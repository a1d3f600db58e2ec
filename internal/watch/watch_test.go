package watch_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ostiary/auth/internal/watch"
)

func TestNotifyReachesEveryWatcherOnce(t *testing.T) {
	t.Parallel()
	var topic, other watch.Topic
	topic.Notify() // nobody yet
	var calls [5]int
	stops := make([]func(), len(calls))
	for i := range calls {
		stops[i] = topic.Watch(func() { calls[i]++ })
	}
	other.Watch(func() { t.Error("a watcher of another topic was called") })
	topic.Notify()
	if want := [5]int{1, 1, 1, 1, 1}; calls != want {
		t.Errorf("calls %v, want %v", calls, want)
	}
	for _, i := range []int{2, 0, 4} { // from the middle and both ends
		stops[i]()
		stops[i]()
	}
	topic.Notify()
	if want := [5]int{1, 2, 1, 2, 1}; calls != want {
		t.Errorf("calls %v after three stopped, want %v", calls, want)
	}
	if got := topic.Len(); got != 2 {
		t.Errorf("Len = %d, want 2", got)
	}
	stops[1]()
	stops[3]()
	topic.Notify()
	if got := topic.Len(); got != 0 {
		t.Errorf("Len = %d, want 0", got)
	}
}

func TestAStopTwiceTakesNobodyElseOut(t *testing.T) {
	t.Parallel()
	var topic watch.Topic
	stop := topic.Watch(func() {})
	stop()
	calls := 0
	topic.Watch(func() { calls++ })
	stop()
	topic.Notify()
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}

// Whichever of two is called first stops the other, which must not be called any more.
func TestAWatcherMayStopAnother(t *testing.T) {
	t.Parallel()
	var topic watch.Topic
	var stops [2]func()
	calls := 0
	for i := range stops {
		stops[i] = topic.Watch(func() {
			calls++
			stops[1-i]()
		})
	}
	topic.Notify()
	if calls != 1 || topic.Len() != 1 {
		t.Errorf("%d calls, %d watchers left, want 1, 1", calls, topic.Len())
	}
}

func TestAWatcherMayUseItsTopic(t *testing.T) {
	t.Parallel()
	var topic watch.Topic
	calls, late := 0, 0
	var stop func()
	stop = topic.Watch(func() {
		calls++
		stop()
		topic.Watch(func() { late++ })
		if got := topic.Len(); got != 2 {
			t.Errorf("Len = %d during Notify, want 2", got)
		}
		if late == 0 {
			topic.Notify() // not for us any more, but for the two others
		}
	})
	others := 0
	topic.Watch(func() { others++ })
	topic.Notify()
	if calls != 1 || late != 1 || others != 2 {
		t.Errorf("calls %d, late %d, others %d, want 1, 1, 2", calls, late, others)
	}
}

// A Notify that meets new watchers all the time has to end.
func TestNotifyLeavesOutWhoCameMeanwhile(t *testing.T) {
	t.Parallel()
	var topic watch.Topic
	calls := 0
	var again func()
	again = func() {
		calls++
		topic.Watch(again)
	}
	topic.Watch(again)
	topic.Notify()
	if calls != 1 || topic.Len() != 2 {
		t.Errorf("%d calls, %d watchers, want 1, 2", calls, topic.Len())
	}
}

func TestAPanicLeavesTheTopicUsable(t *testing.T) {
	t.Parallel()
	var topic watch.Topic
	stop := topic.Watch(func() { panic("broken watcher") })
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		topic.Notify()
	}()
	stop()
	calls := 0
	topic.Watch(func() { calls++ })
	topic.Notify()
	if calls != 1 || topic.Len() != 1 {
		t.Errorf("%d calls, %d watchers, want 1, 1", calls, topic.Len())
	}
}

// A place that Notify left in the list would be walked over for ever; with an empty list Notify needs none.
func TestNotifyLeavesNothingBehind(t *testing.T) {
	var topic watch.Topic
	stop := topic.Watch(func() {})
	topic.Notify()
	stop()
	if got := testing.AllocsPerRun(10, topic.Notify); got != 0 {
		t.Errorf("%v allocations for a topic that nobody watches, want 0", got)
	}
}

// TestConcurrently lets many watch, notify and stop at once. Each watcher must hear of a change that is made after it
// began to watch, whatever else is going on.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	var topic watch.Topic
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 200 {
				var heard atomic.Int32
				stop := topic.Watch(func() { heard.Add(1) })
				topic.Notify()
				if heard.Load() == 0 {
					t.Error("Notify returned before the watcher was called")
				}
				if topic.Len() == 0 {
					t.Error("the watcher isn't counted")
				}
				wg.Go(stop)
				stop()
				topic.Notify()
			}
		})
	}
	wg.Wait()
	if got := topic.Len(); got != 0 {
		t.Errorf("%d watchers are left", got)
	}
}

// TestSize bounds what an open socket pays for being watched.
func TestSize(t *testing.T) {
	const n = 100_000
	topic := new(watch.Topic)
	stops := make([]func(), n)
	changed := func() {}
	before := heap()
	for i := range stops {
		stops[i] = topic.Watch(changed)
	}
	perWatcher := float64(heap()-before) / n
	t.Logf("%.1f bytes a watcher", perWatcher)
	if perWatcher > 56 {
		t.Errorf("%.1f bytes a watcher, want at most 56", perWatcher)
	}
	for _, stop := range stops {
		stop()
	}
	runtime.KeepAlive(topic)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkWatchAndStopAmongMany(b *testing.B) {
	var topic watch.Topic
	for range 100_000 {
		topic.Watch(func() {})
	}
	b.ReportAllocs()
	for b.Loop() {
		topic.Watch(func() {})()
	}
}

func BenchmarkNotify100(b *testing.B) {
	var topic watch.Topic
	for range 100 {
		topic.Watch(func() {})
	}
	b.ReportAllocs()
	for b.Loop() {
		topic.Notify()
	}
}
