//go:build race

package session_test

// raceEnabled: the race detector allocates on its own and is slow.
const raceEnabled = true
