package oidcauth_test

import (
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest"
)

// A provider that is slow, broken or hostile keeps newcomers out, in bounded time and memory, and disturbs nobody else: while many
// are trying to log in, those who are in are served as ever. O-14, O-16, O-18, J-12, V-class.
func TestHostileProvider(t *testing.T) {
	const (
		newcomers = 64
		limit     = 3 * time.Second // of one call; 10 seconds unless it is set
		endpoints = 4               // that one login asks at most: discovery, token, keys, userinfo
	)
	for name, fault := range map[string]func(t *testing.T) oidctest.Fault{
		"not at all": func(t *testing.T) oidctest.Fault {
			release := make(chan struct{})
			t.Cleanup(func() { close(release) })
			return oidctest.Hold(release)
		},
		"with 503":                     func(*testing.T) oidctest.Fault { return oidctest.Status(http.StatusServiceUnavailable) },
		"with 100 MiB":                 func(*testing.T) oidctest.Fault { return oidctest.Huge(100 << 20) },
		"with a gzip bomb of 100 MiB":  func(*testing.T) oidctest.Fault { return oidctest.GzipBomb(100 << 20) },
		"with a redirect to elsewhere": func(*testing.T) oidctest.Fault { return oidctest.Elsewhere(http.StatusTemporaryRedirect) },
		"with half an answer":          func(*testing.T) oidctest.Fault { return oidctest.BreakOff() },
	} {
		for _, endpoint := range []string{"discovery", "token", "userinfo"} {
			if raceEnabled && endpoint != "token" {
				continue // the same code, and minutes of it
			}
			t.Run(endpoint+" answers "+name, func(t *testing.T) {
				s := newStand(t, func(pl *plan) { pl.cfg.HTTPClient = &http.Client{Timeout: limit} })
				in := s.browser().mustLogin()
				if endpoint == "discovery" { // by a server that doesn't know it yet
					first := s
					s = newStand(t, func(pl *plan) {
						pl.given, pl.cfg.HTTPClient = first.op, &http.Client{Timeout: limit}
					})
					in = first.browser().mustLoginAgain(first)
				}
				s.op.Fault(endpoint, fault(t))
				heap := highWater(t)
				var wrong atomic.Int64
				var slowest atomic.Int64
				var logins sync.WaitGroup
				for range newcomers {
					logins.Go(func() {
						b := s.browser()
						began := time.Now()
						location, ok := b.tryBack()
						if ok {
							if a := b.open(location); a.StatusCode != http.StatusServiceUnavailable && a.StatusCode != http.StatusBadRequest {
								wrong.Add(1)
							}
						}
						raise(&slowest, int64(time.Since(began)))
						if b.session() != "" {
							wrong.Add(1)
						}
					})
				}
				done := make(chan struct{})
				go func() { logins.Wait(); close(done) }()
				var served []time.Duration
				for running := true; running || len(served) < 100; {
					began := time.Now()
					if !in.in() {
						t.Fatal("somebody who is in was refused")
					}
					served = append(served, time.Since(began))
					select {
					case <-done:
						running = false
					default:
					}
				}
				slices.Sort(served)
				grown := heap()
				t.Logf("%d logins refused, the last after %s; meanwhile %d requests, p50 %s p99 %s; the heap grew by %d MiB",
					newcomers, time.Duration(slowest.Load()).Round(time.Millisecond), len(served),
					served[len(served)/2].Round(time.Microsecond), served[len(served)*99/100].Round(time.Microsecond), grown>>20)
				if wrong.Load() != 0 {
					t.Errorf("%d logins ended in another way than refused", wrong.Load())
				}
				if got := time.Duration(slowest.Load()); got > endpoints*limit+20*time.Second {
					t.Errorf("a login took %s", got)
				}
				if grown > 192<<20 {
					t.Errorf("the heap grew by %d MiB", grown>>20)
				}
			})
		}
	}
}

func (b *browser) mustLoginAgain(s *stand) *browser {
	b.s = s
	if err := s.op.SetClient(oidctest.Client{ID: clientID, Secret: clientSecret, RedirectURIs: []string{s.url + "/auth/callback/corp"}}); err != nil {
		b.t.Fatal(err)
	}
	return b.mustLogin()
}

func raise(v *atomic.Int64, n int64) {
	for old := v.Load(); old < n && !v.CompareAndSwap(old, n); old = v.Load() {
	}
}

// highWater measures how far the heap grows at most, until the result is called.
func highWater(t *testing.T) (grown func() uint64) {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, m.HeapAlloc
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return most - before
	}
}
