package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ostiary/auth/internal/password"
)

// maxInput is more than any password is, in bytes.
const maxInput = 64 << 10

// newPassword asks twice: nobody sees what they type.
func (c *call) newPassword(ctx context.Context) (string, error) {
	first, err := c.password(ctx, "Password: ")
	if err != nil || c.passwordStdin {
		return first, err
	}
	again, err := c.password(ctx, "Password again: ")
	if err == nil && again != first {
		err = errors.New("the two passwords differ")
	}
	return first, err
}

// password comes from standard input or the terminal. No error repeats any of it.
func (c *call) password(ctx context.Context, prompt string) (string, error) {
	var pass string
	var err error
	if c.passwordStdin {
		pass, err = interruptible(ctx, c.readPassword)
	} else {
		ask, ok := c.terminal()
		if !ok {
			return "", usage("there is no terminal to ask for the password: use -password-stdin")
		}
		pass, err = ask(ctx, prompt)
	}
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	if pass == "" {
		return "", errors.New("reading the password: it is empty")
	}
	return pass, nil
}

// readPassword takes all of standard input, less the one newline that echo and editors put at the end.
func (c *call) readPassword() (string, error) {
	data, err := io.ReadAll(io.LimitReader(c.stdin, maxInput+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxInput {
		return "", errors.New("it is too long")
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if strings.ContainsAny(line, "\r\n") { // no login form can send it; more likely this is the wrong file
		return "", errors.New("want one line")
	}
	return line, nil
}

const helpHash = `Prints the argon2id hash of a password as a PHC string, for a configuration. It needs no
database, and holds the password to no policy.

  useradmin hash
  printf %s "$PASSWORD" | useradmin hash -password-stdin`

func hash(ctx context.Context, c *call) error {
	pass, err := c.newPassword(ctx)
	if err != nil {
		return err
	}
	hasher, err := password.NewHasher(password.Config{})
	if err != nil {
		return err // unreachable: these are the defaults
	}
	h, err := hasher.Hash(ctx, pass)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.stdout, h.Encoded()) // the one place where a hash is shown: it was asked for
	return err
}
