package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// ask asks whoever sits at the terminal, and shows nothing of the answer.
type ask func(ctx context.Context, prompt string) (string, error)

// systemTerminal is the terminal that is standard input, if it is one. The prompt goes to stderr, so that stdout holds
// answers only.
func systemTerminal() (ask, bool) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return nil, false
	}
	return func(ctx context.Context, prompt string) (string, error) {
		before, err := term.GetState(fd)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprint(os.Stderr, prompt)
		defer func() { _, _ = fmt.Fprintln(os.Stderr) }() // the newline that was typed wasn't shown either
		line, err := interruptible(ctx, func() (string, error) {
			line, err := term.ReadPassword(fd)
			return string(line), err
		})
		if ctx.Err() != nil {
			_ = term.Restore(fd, before) // the read goes on until the program ends, with the echo switched off
		}
		return line, err
	}, true
}

// interruptible is read, or the error of ctx if that ends first: a read can't be called off.
func interruptible(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := read()
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		if errors.Is(a.err, io.EOF) {
			return "", errors.New("no password was given")
		}
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
