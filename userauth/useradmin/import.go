package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/strictjson"
	"github.com/ostiary/auth/userauth"
)

// maxLine is the size of one user in bytes: two texts of 64 KiB, what escaping adds to them, and room for permissions.
const maxLine = 1 << 20

const helpImport = `Makes users from a file or standard input, one JSON object a line:

  {"username":"ann","password_hash":"$2b$12$...","name":"Ann Example","roles":["editor"]}
  {"username":"bob","permissions":{"contents":["read","write"]},"disabled":true,"created":"2020-02-03T04:05:06Z"}

Only username is needed. The other fields are password_hash, name, display_name, initials, color, avatar_url, workspace,
settings, roles, permissions, disabled and created. The hash may be argon2, bcrypt, scrypt, PBKDF2 or SHA-512 crypt as
Django, passlib, Werkzeug and others write them, and is replaced by our own when the user logs in; without one the user
can't log in by password. The database and the roles must be there.

An error names the line and the field. A file is checked whole before anything is stored; what comes from standard input
isn't, and users are stored fifty at a time: the error says how many are, and with -skip-existing the mended input
goes on from there.

  useradmin import -file users.jsonl -dry-run
  useradmin import -file users.jsonl
  some-export | useradmin import -skip-existing`

func importUsers(ctx context.Context, c *call) error {
	return c.use(ctx, func(a *userauth.Accounts) error {
		options := userauth.ImportOptions{DryRun: c.dryRun, SkipExisting: c.skipExisting}
		if c.file != "" && !c.dryRun {
			check := options
			check.DryRun = true
			if _, err := c.importWith(ctx, a, check); err != nil {
				return err
			}
		}
		done, err := c.importWith(ctx, a, options)
		if err != nil {
			return err
		}
		if c.dryRun {
			return c.say("would add %d users and skip %d", done.Added, done.Skipped)
		}
		return c.say("added %d users, skipped %d", done.Added, done.Skipped)
	})
}

// importWith reads the input once.
func (c *call) importWith(ctx context.Context, a *userauth.Accounts, o userauth.ImportOptions) (userauth.Imported, error) {
	input := c.stdin
	if c.file != "" {
		file, err := os.Open(c.file)
		if err != nil {
			return userauth.Imported{}, err
		}
		defer func() { _ = file.Close() }() // it was read only
		input = file
	}
	done, err := a.Import(ctx, importLines(input), o)
	if err == nil {
		return done, nil
	}
	stored := "nothing is stored"
	if done.Added > 0 && !o.DryRun {
		stored = fmt.Sprintf("%d users are stored", done.Added)
	}
	where := ""
	if at := (*userauth.ImportError)(nil); errors.As(err, &at) {
		where, err = fmt.Sprintf("line %d: ", at.Number), at.Err
	}
	return done, told{fmt.Errorf("%s%s; %s", where, message(ctx, err), stored)}
}

// An importLine is a user as JSON.
type importLine struct {
	Username *string `json:"username"`
	Hash     string  `json:"password_hash"`
	auth.UserUpdate
	Roles       []string         `json:"roles"`
	Permissions auth.Permissions `json:"permissions"`
	Disabled    bool             `json:"disabled"`
	Created     time.Time        `json:"created"`
}

// importLines reads users until the end or the first error. It holds one line.
func importLines(r io.Reader) iter.Seq2[userauth.ImportedAccount, error] {
	return func(yield func(userauth.ImportedAccount, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			if !yield(importedAccount(lines.Bytes())) {
				return
			}
		}
		err := lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("longer than %d bytes", maxLine)
		}
		if err != nil {
			yield(userauth.ImportedAccount{}, err)
		}
	}
}

func importedAccount(data []byte) (userauth.ImportedAccount, error) {
	var line importLine
	if err := strictjson.Decode(data, &line); err != nil {
		return userauth.ImportedAccount{}, err
	}
	if line.Username == nil {
		return userauth.ImportedAccount{}, &auth.FieldError{Field: "username", Problem: "is missing"}
	}
	return userauth.ImportedAccount{
		Username: *line.Username, Hash: line.Hash, Profile: line.UserUpdate, Roles: line.Roles, Permissions: line.Permissions,
		Disabled: line.Disabled, Created: line.Created,
	}, nil
}
