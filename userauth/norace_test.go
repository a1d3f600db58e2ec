//go:build !race

package userauth_test

const raceEnabled = false
