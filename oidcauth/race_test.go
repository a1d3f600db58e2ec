//go:build race

package oidcauth_test

// raceEnabled: the race detector allocates on its own, so allocations aren't counted under it.
const raceEnabled = true
