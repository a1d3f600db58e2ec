package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ostiary/auth/internal/dburl"
)

// options are what flags set.
type options struct {
	db            string
	from, to      string
	passwordStdin bool
	noPassword    bool
	json          bool
	dryRun        bool
	skipExisting  bool
	file          string
	search        string
	roles         []string
	url           string
	note          string
	permissions   string
	name          string
	expires       time.Duration // 0: not given
	description   *string       // nil: not given
}

var errHelp = errors.New("help was asked for")

// parse reads the command line. -db and -password-stdin may stand before the command, too.
func (c *call) parse(args []string) (*command, error) {
	global := c.flagSet("db", "password-stdin")
	if err := global.Parse(args); err != nil {
		return nil, flagError(err, "COMMAND")
	}
	args = global.Args()
	if len(args) == 0 {
		return nil, usage("no command: useradmin help lists them")
	}
	if args[0] == "help" {
		cmd, rest := find(args[1:])
		if len(args) > 1 && (cmd == nil || len(rest) > 0) {
			return nil, noCommand(args[1:])
		}
		return cmd, errHelp
	}
	cmd, rest := find(args)
	if cmd == nil {
		return nil, noCommand(args)
	}
	asked := c.passwordStdin
	operands, err := parseAll(c.flagSet(append(cmd.flags, "db")...), rest)
	switch {
	case err != nil:
		return cmd, flagError(err, cmd.name)
	case len(operands) < cmd.least || cmd.most >= 0 && len(operands) > cmd.most:
		return cmd, usage("want useradmin %s: useradmin help %s says more", cmd.line(), cmd.name)
	case asked && !cmd.takes("password-stdin"):
		return cmd, usage("%s takes no password", cmd.name)
	}
	c.operands = operands
	return cmd, nil
}

// noCommand repeats nothing of args but a word that commands begin with: the rest may be a misplaced password.
func noCommand(args []string) error {
	var group []string
	for _, cmd := range commands() {
		if len(args) > 0 && strings.HasPrefix(cmd.name, args[0]+" ") {
			group = append(group, cmd.name)
		}
	}
	if len(group) > 0 {
		return usage("no such command: there are %s", strings.Join(group, ", "))
	}
	return usage("no such command: useradmin help lists them")
}

// parseAll lets flags stand behind operands as well. What follows "--" is all operands, so that a name may begin with
// anything.
func parseAll(f *flag.FlagSet, args []string) (operands []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		rest := f.Args()
		if done := len(args) - len(rest); len(rest) == 0 || done > 0 && args[done-1] == "--" {
			return append(operands, rest...), nil
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
}

// flagError repeats nothing that isn't a flag's own name: it may be a password in a wrong place.
func flagError(err error, command string) error {
	switch {
	case errors.Is(err, flag.ErrHelp):
		return errHelp
	case strings.HasPrefix(err.Error(), "flag needs an argument"):
		return usageError{err}
	}
	return usage("no such flag, or not with that value: useradmin help %s lists them", command)
}

func (cmd *command) takes(name string) bool {
	return slices.Contains(cmd.flags, name)
}

// flagSet has the flags of these names. Two sets of one call write to the same options.
func (c *call) flagSet(names ...string) *flag.FlagSet {
	f := flag.NewFlagSet("useradmin", flag.ContinueOnError)
	f.SetOutput(io.Discard) // one line is enough
	for _, name := range names {
		switch name {
		case "db":
			f.StringVar(&c.db, name, c.db, "`URL` of the database: "+dburl.Forms+"; without it AUTH_DB_URI of the environment")
		case "from":
			f.StringVar(&c.from, name, "", "`URL` of the database to copy; without it what -db or AUTH_DB_URI names")
		case "to":
			f.StringVar(&c.to, name, "", "`URL` of the database to copy to")
		case "password-stdin":
			f.BoolVar(&c.passwordStdin, name, c.passwordStdin, "read the password from standard input, without the newline at its end")
		case "no-password":
			f.BoolVar(&c.noPassword, name, false, "a user who can't log in by password, as for API tokens alone")
		case "json":
			f.BoolVar(&c.json, name, false, "as JSON; a list is an array, one element a line")
		case "dry-run":
			f.BoolVar(&c.dryRun, name, false, "only print what would be done")
		case "skip-existing":
			f.BoolVar(&c.skipExisting, name, false, "leave users as they are whose names are taken")
		case "file":
			f.StringVar(&c.file, name, "", "read `FILE` instead of standard input")
		case "search":
			f.StringVar(&c.search, name, "", "only users whose names contain `TEXT`, in whatever case")
		case "role":
			f.Func(name, "a role, by its `NAME`; may be repeated", func(s string) error {
				c.roles = append(c.roles, s) // never split: a comma is part of the name
				return nil
			})
		case "permissions":
			f.StringVar(&c.permissions, name, "", "`PERMISSIONS` as 'contents:read,write kernels:*'")
		case "name":
			f.StringVar(&c.name, name, "", "`TEXT` for people, to know it by")
		case "expires":
			f.Func(name, "`TIME` until it ends, as 7d or 12h", func(s string) (err error) {
				c.expires, err = parseAge(s)
				return err
			})
		case "url":
			f.StringVar(&c.url, name, "", "`URL` at which browsers find the pages of userauth, as https://app.example/auth")
		case "note":
			f.StringVar(&c.note, name, "", "`TEXT` for admins: whom it is for")
		case "description":
			f.Func(name, "`TEXT` for people; without it the description stays as it is", func(s string) error {
				c.description = &s
				return nil
			})
		}
	}
	return f
}
