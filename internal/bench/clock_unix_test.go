//go:build unix

package bench_test

import (
	"syscall"
	"time"
)

// cpuTime is what this process has used of all processors, the collector's part included. What a neighbour uses doesn't
// count, nor does waiting.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}
