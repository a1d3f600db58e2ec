package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ostiary/auth"
)

// A call is one run of the program.
type call struct {
	options
	operands []string
	stdin    io.Reader
	stdout   io.Writer
	env      func(string) string
	terminal func() (ask, bool)
}

// usageError is a command line that can't be meant.
type usageError struct{ error }

// told is an error whose text is for people already.
type told struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the program; the result is its exit code. terminal gives the way to ask for a password, if there is one.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string, terminal func() (ask, bool)) int {
	out := bufio.NewWriter(stdout)
	c := &call{stdin: stdin, stdout: out, env: env, terminal: terminal}
	err := c.do(ctx, args)
	if flushed := out.Flush(); err == nil && flushed != nil {
		err = fmt.Errorf("writing the answer: %w", flushed)
	}
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(stderr, "useradmin: "+escape(message(ctx, err)))
	var wrong usageError
	if errors.As(err, &wrong) {
		return 2
	}
	return 1
}

func (c *call) do(ctx context.Context, args []string) error {
	cmd, err := c.parse(args)
	switch {
	case errors.Is(err, errHelp):
		return help(c.stdout, cmd)
	case err != nil:
		return err
	}
	return cmd.act(ctx, c)
}

// message is what people are told. It becomes one line: see escape.
func message(ctx context.Context, err error) string {
	var field *auth.FieldError
	switch {
	case errors.As(err, new(told)):
		return err.Error()
	case errors.As(err, &field):
		return field.Field + ": " + field.Problem
	case ctx.Err() != nil:
		return "interrupted"
	}
	return strings.TrimPrefix(err.Error(), "userauth: ")
}
