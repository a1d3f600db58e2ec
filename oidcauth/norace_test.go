//go:build !race

package oidcauth_test

const raceEnabled = false
