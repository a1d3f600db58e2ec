// Useradmin manages the users of an application that uses the package userauth:
//
//	$ export AUTH_DB_URI=sqlite:app.db
//	$ useradmin add ann -permissions 'contents:read,write'
//	Password:
//	Password again:
//	added ann
//
//	$ useradmin role set editor 'contents:*' -description 'may change everything'
//	$ useradmin grant ann -role editor
//	$ useradmin list
//	$ useradmin disable ann
//	$ useradmin import -file users.jsonl
//
// It works on the database, beside running servers or without one; they act on it within a second. A password comes
// from a prompt or, with -password-stdin, from standard input: an argument would be in the list of processes and in the
// shell's history. `useradmin help COMMAND` says more.
//
// The exit code is 0, 1 after an error, and 2 if the command line can't be meant. An error is one line on stderr.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv, systemTerminal))
}
