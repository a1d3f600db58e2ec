//go:build race

package userauth_test

const crashUsers = 100
