//go:build !race

package userauth_test

// crashUsers is how many users are made, over many processes that are all killed.
const crashUsers = 1000
