package bench_test

import (
	"flag"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

var (
	rounds = flag.Int("rounds", 11, "how often each row is measured; the table shows medians")
	slice  = flag.Duration("slice", 5*time.Millisecond, "how long each of these measurements takes")
	wall   = flag.Bool("wall", false, "measure by the clock on the wall: only on a machine with nothing else to do")
)

// A clock tells the time that is measured.
type clock struct {
	name string
	now  func() time.Duration
	sums bool // it adds up the time of all goroutines
}

// newClock gives the processor's clock, or the wall's where it is asked for or the only one.
func newClock() clock {
	if _, err := cpuTime(); err != nil || *wall {
		start := time.Now()
		return clock{"wall", func() time.Duration { return time.Since(start) }, false}
	}
	return clock{"processor", func() time.Duration {
		t, _ := cpuTime() // has worked just now
		return t
	}, true}
}

// A row is one path, and what it may cost.
type row struct {
	name string
	// make gives one goroutine's operation, with a request and a writer of its own. An operation that doesn't come to
	// the answer that it should panics: a fast wrong path must not pass for a fast one.
	make func() func()

	against string  // the row that the time is put in relation to; empty: none
	within  float64 // the budget of that ratio; 0: to read only
	beyond  float64 // for what is put in relation to a row of ours: the least that its ratio should be; 0: to read only
	nanos   float64 // the budget of the time itself, which depends on the machine; 0: to read only

	counted bool   // whether allocations have a budget
	over    string // the row whose allocations don't count; empty: all count
	allocs  int
	early   func() int // counts what a refusal allocates before its answer, whose budget is 0; nil: not of interest
}

// A result is what was measured of a row.
type result struct {
	serial, parallel           time.Duration // per operation
	serialRatio, parallelRatio float64       // to row.against
	allocs, extra              int           // extra: beyond those of row.over
}

// measure measures the rows of a group side by side: each round takes all rows for a slice of time, every second round
// in the opposite order, so that what the machine does meanwhile hits all of them. A ratio is the median of the rounds'
// ratios, not the ratio of two medians: rows of one round have met the same machine.
func (c clock) measure(rows []row, allocs map[string]int) []result {
	serial := c.rounded(rows, 1)
	parallel := c.rounded(rows, runtime.GOMAXPROCS(0))
	at := map[string]int{}
	for i, r := range rows {
		at[r.name] = i
	}
	results := make([]result, len(rows))
	for i, r := range rows {
		results[i] = result{
			serial: time.Duration(median(serial[i])), parallel: time.Duration(median(parallel[i])),
			allocs: allocs[r.name], extra: allocs[r.name] - allocs[r.over],
		}
		if r.against != "" {
			base := at[r.against]
			results[i].serialRatio = median(ratios(serial[i], serial[base]))
			results[i].parallelRatio = median(ratios(parallel[i], parallel[base]))
		}
	}
	return results
}

// rounded gives nanoseconds per operation, by row and round.
func (c clock) rounded(rows []row, goroutines int) [][]float64 {
	times := make([][]float64, len(rows))
	ops := make([][]func(), len(rows))
	turns := make([]int, len(rows))
	for i, r := range rows {
		for range goroutines {
			ops[i] = append(ops[i], r.make())
		}
		turns[i] = c.calibrate(ops[i])
	}
	for round := range *rounds {
		for k := range rows {
			if i := k; round%2 == 1 {
				k = len(rows) - 1 - i
			}
			times[k] = append(times[k], float64(c.run(ops[k], turns[k]))/float64(turns[k]))
		}
	}
	return times
}

// calibrate finds how many operations of each goroutine fill a slice, and warms them up.
func (c clock) calibrate(ops []func()) int {
	for n := 1; ; n *= 2 {
		if took := c.run(ops, n); took > *slice/4 {
			return max(1, int(float64(n)*float64(*slice)/float64(took)))
		}
	}
}

// run lets each goroutine do n operations, and gives the time that one of them has taken. The collector has finished
// before and pays its due inside, as in a server.
func (c clock) run(ops []func(), n int) time.Duration {
	runtime.GC()
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for _, op := range ops {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			repeat(op, n)
		})
	}
	ready.Wait()
	begin := c.now()
	close(start)
	done.Wait()
	took := c.now() - begin
	if c.sums {
		took /= time.Duration(len(ops))
	}
	return took
}

func repeat(op func(), n int) {
	for range n {
		op()
	}
}

func ratios(times, base []float64) []float64 {
	r := make([]float64, len(times))
	for i := range times {
		r[i] = times[i] / base[i]
	}
	return r
}

func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// countAllocs counts the allocations of one operation of each row. It must not run beside other tests. The least of
// several counts is the operation's: what else the process does meanwhile, such as reading the feed, only adds.
func countAllocs(rows []row) map[string]int {
	allocs := map[string]int{"": 0}
	for _, r := range rows {
		op := r.make()
		repeat(op, 10)
		least := testing.AllocsPerRun(100, op)
		for range 4 {
			least = min(least, testing.AllocsPerRun(100, op))
		}
		allocs[r.name] = int(least)
	}
	return allocs
}
