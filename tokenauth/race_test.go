//go:build race

package tokenauth_test

const raceEnabled = true
