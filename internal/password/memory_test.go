package password_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/password"
)

// PH-14: 64 logins at once stay under Parallel x 19 MiB + 60 MiB, in a process that holds nothing else, in one that
// holds as much as the garbage collector would double, and where a hash is dearer than the default.
func TestMemoryOf64Logins(t *testing.T) {
	const mark = "PASSWORD_TEST_LOGINS" // set in the child process, whose memory no other test has touched
	type load struct {
		parallel int
		memory   uint32 // MiB
		ballast  int    // MiB
	}
	if spec := os.Getenv(mark); spec != "" {
		var l load
		if _, err := fmt.Sscan(spec, &l.parallel, &l.memory, &l.ballast); err != nil {
			t.Fatal(err)
		}
		ballast := bytes.Repeat([]byte{1}, l.ballast<<20)
		logIn64(t, l.parallel, l.memory<<10)
		runtime.KeepAlive(ballast)
		fmt.Printf("\npeak=%d\n", peak(t)>>10)
		return
	}
	if raceDetector() {
		t.Skip("the race detector's own memory is several times what it watches")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("the peak of a process's memory is told by Linux only")
	}
	for _, l := range []load{{runtime.NumCPU(), 19, 0}, {8, 19, 0}, {2, 19, 200}, {2, 64, 0}} {
		t.Run(fmt.Sprintf("%d at once of %d MiB beside %d MiB", l.parallel, l.memory, l.ballast), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMemoryOf64Logins$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %d", mark, l.parallel, l.memory, l.ballast))
			out, err := cmd.CombinedOutput()
			_, after, ok := strings.Cut(string(out), "\npeak=")
			if err != nil || !ok {
				t.Fatalf("%v\n%s", err, out)
			}
			var got int
			if _, err := fmt.Sscan(after, &got); err != nil {
				t.Fatal(err)
			}
			budget := (l.parallel+1)*int(l.memory) + 41 + l.ballast // by default that is 19 each and 60
			t.Logf("%d MiB of %d", got, budget)
			if got > budget {
				t.Errorf("got %d MiB at the peak, want at most %d", got, budget)
			}
		})
	}
}

// peak returns the most memory that this process ever held, in KiB.
func peak(t *testing.T) (n int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(after, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// raceDetector reports whether the test was built with -race.
func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func logIn64(t *testing.T, parallel int, memory uint32) {
	p := password.DefaultParams()
	p.Memory = memory
	h, err := password.NewHasher(password.Config{Params: p, Parallel: parallel})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := h.Hash(t.Context(), "the right one")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if ok, err := h.Verify(t.Context(), stored, "the right one"); !ok || err != nil {
				t.Errorf("got %v, %v, want true, nil", ok, err)
			}
		})
	}
	all.Wait()
}
