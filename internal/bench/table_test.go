package bench_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// A group is a part of the table, whose rows are measured side by side.
type group struct {
	title string
	rows  func(testing.TB) []row
}

var groups = []group{
	{"guard", guardRows},
	{"guard without a router", bareRows},
	{"session from memory", sessionRows},
	{"session without a router", bareSessionRows},
	{"session from SQLite", sqliteRows},
	{"session from PostgreSQL", postgresRows},
	{"permission decision", decisionRows},
	{"refused", refusedRows},
	{"refused session", refusedSessionRows},
	{"WebSocket", socketRows},
	{"JWT RS256", jwtRows("RS256", 0.85)},
	{"JWT ES256", jwtRows("ES256", 0)},
}

func TestTable(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	var table strings.Builder
	c := newClock()
	fmt.Fprintf(&table, "%s %s/%s, %d processors; %s time per operation, medians of %d rounds of %s\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), c.name, *rounds, *slice)
	for _, g := range groups {
		t.Run(g.title, func(t *testing.T) {
			rows := g.rows(t)
			write(&table, g.title, rows, c.measure(rows, countAllocs(rows)))
		})
	}
	t.Log(table.String())
}

// TestAllocs holds the counts that have a budget.
func TestAllocs(t *testing.T) {
	for _, g := range groups {
		t.Run(g.title, func(t *testing.T) {
			rows := g.rows(t)
			allocs := countAllocs(rows)
			for _, r := range rows {
				if got := allocs[r.name] - allocs[r.over]; r.counted && got > r.allocs {
					t.Errorf("%s: got %d allocations beyond those of %q, want at most %d", r.name, got, r.over, r.allocs)
				}
				if r.early == nil {
					continue
				}
				if got := r.early(); got != 0 {
					t.Errorf("%s: got %d allocations before the answer, want 0", r.name, got)
				}
			}
		})
	}
}

// BenchmarkRows runs the rows for profiles and benchstat.
func BenchmarkRows(b *testing.B) {
	for _, g := range groups {
		b.Run(g.title, func(b *testing.B) {
			for _, r := range g.rows(b) {
				b.Run(r.name, func(b *testing.B) {
					b.ReportAllocs()
					for op := r.make(); b.Loop(); {
						op()
					}
				})
				b.Run(r.name+"/parallel", func(b *testing.B) {
					b.ReportAllocs()
					b.RunParallel(func(pb *testing.PB) {
						for op := r.make(); pb.Next(); {
							op()
						}
					})
				})
			}
		})
	}
}

func write(w io.Writer, title string, rows []row, results []result) {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintf(out, "\n%s\tserial\tparallel\tallocs\tratio\tparallel\tto\tbudget\n", title)
	for i, r := range rows {
		m := results[i]
		serial, parallel := "", ""
		if r.against != "" {
			serial, parallel = fmt.Sprintf("%.2f", m.serialRatio), fmt.Sprintf("%.2f", m.parallelRatio)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", r.name, nanos(m.serial), nanos(m.parallel), m.allocs, serial, parallel, r.against, r.verdict(m))
	}
}

func nanos(d time.Duration) string { return fmt.Sprintf("%d ns", d.Nanoseconds()) }

// verdict says of each budget of r whether it is kept.
func (r row) verdict(m result) string {
	var s string
	add := func(ok bool, format string, args ...any) {
		word := "ok"
		if !ok {
			word = "OVER"
		}
		if s != "" {
			s += ", "
		}
		s += fmt.Sprintf(format, args...) + " " + word
	}
	if r.counted {
		add(m.extra <= r.allocs, "%d of %d allocs", m.extra, r.allocs)
	}
	if r.early != nil {
		n := r.early()
		add(n == 0, "%d of 0 allocs before the answer", n)
	}
	if r.within != 0 {
		add(max(m.serialRatio, m.parallelRatio) <= r.within, "%.2fx", r.within)
	}
	if r.beyond != 0 {
		add(min(m.serialRatio, m.parallelRatio) >= r.beyond, "at least %.0fx", r.beyond)
	}
	if r.nanos != 0 {
		add(float64(m.serial) <= r.nanos, "%.0f ns", r.nanos)
	}
	return s
}
