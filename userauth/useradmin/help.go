package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/ostiary/auth/internal/dburl"
)

const helpAll = `useradmin manages the users in an application's database.

  useradmin [-db URL] COMMAND [ARGUMENTS] [FLAGS]

`

const helpRest = `
  -db URL  the database: ` + dburl.Forms + `;
           without it AUTH_DB_URI of the environment, where no other user of the machine reads a password in it

Passwords come from a prompt or, with -password-stdin, from standard input; never from an argument.
The exit code is 0, 1 after an error, and 2 if the command line can't be meant.
useradmin help COMMAND says more.
`

// help writes about cmd, or about all commands if it is nil.
func help(w io.Writer, cmd *command) error {
	var b strings.Builder
	if cmd == nil {
		b.WriteString(helpAll)
		var rows [][]string
		for _, cmd := range commands() {
			rows = append(rows, []string{"  " + cmd.line(), cmd.summary})
		}
		_ = table(&b, rows) // never fails: the text is in memory
		b.WriteString(helpRest)
	} else {
		_, _ = fmt.Fprintf(&b, "useradmin %s: %s\n\n%s\n\n", cmd.line(), cmd.summary, cmd.help)
		flags := new(call).flagSet(append(cmd.flags, "db")...)
		flags.SetOutput(&b)
		flags.PrintDefaults()
	}
	_, err := io.WriteString(w, b.String())
	return err
}
