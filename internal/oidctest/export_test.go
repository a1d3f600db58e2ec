package oidctest

// Basic is how the Authorization header of client_secret_basic is read.
func Basic(header string) (id, secret string, ok bool) { return basic(header) }
