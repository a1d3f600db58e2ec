package main_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	main "github.com/ostiary/auth/userauth/useradmin"
)

// Wrong command lines have exit code 2, say what is wrong in a line that repeats no argument that may be a password, and
// touch nothing.
func TestACommandLineThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"no command", nil, "no command"},
		{"an unknown one", []string{"otter"}, "no such command"},
		{"half a command", []string{"role"}, "no such command: there are role set, role list, role delete\n"},
		{"an unknown second word", []string{"role", "otter"}, "no such command: there are role set, role list, role delete\n"},
		{"help about nothing", []string{"help", "otter"}, "no such command"},
		{"help about half a command", []string{"help", "token"}, "no such command: there are token add, token list, token delete\n"},
		{"no name", []string{"add"}, "want useradmin add NAME"},
		{"a password as argument", []string{"add", "ann", "otter"}, "want useradmin add NAME"},
		{"a password as flag", []string{"add", "ann", "-password", "otter"}, "no such flag"},
		{"a password as a flag's value", []string{"add", "ann", "-password-stdin=otter"}, "no such flag"},
		{"a password glued to a flag", []string{"add", "ann", "-potter"}, "no such flag"},
		{"a flag without its value", []string{"add", "ann", "-role"}, "flag needs an argument: -role"},
		{"a flag of another command", []string{"add", "ann", "-json"}, "useradmin help add lists them"},
		{"a password where none is needed", []string{"-password-stdin", "list"}, "takes no password"},
		{"no password at all", []string{"add", "ann"}, "use -password-stdin"},
		{"permissions without an action", []string{"add", "ann", "-permissions", "contents"}, `permission "contents": want resource:action`},
		{"a misplaced wildcard", []string{"grant", "ann", "a*b:read"}, `resource "a*b"`},
		{"nothing to grant", []string{"grant", "ann"}, "want permissions or -role"},
		{"nothing to revoke", []string{"revoke", "ann", ""}, "want permissions or -role"},
		{"a role without permissions", []string{"role", "set", "editor"}, "want useradmin role set NAME PERMISSIONS..."},
		{"too much to list", []string{"list", "ann"}, "want useradmin list: useradmin help list"},
		{"a file as operand", []string{"import", "otter"}, "want useradmin import"},
		{"a listing's flag", []string{"import", "-json"}, "no such flag"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			got := d.fails(2, "", tc.args...)
			if !strings.HasPrefix(got, "useradmin: ") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q in it", got, tc.want)
			}
			wantNoFiles(t, d)
		})
	}
}

func wantNoFiles(t *testing.T, d *desk) {
	t.Helper()
	if files, err := os.ReadDir(filepath.Dir(d.path)); err != nil || len(files) > 0 {
		t.Errorf("got files %v, %v, want none", files, err)
	}
}

func TestDatabasesThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, uri string
		code      int
		want      string
	}{
		{"none", "", 2, "give -db or set AUTH_DB_URI"},
		{"PostgreSQL that isn't there", "postgres://ann:otter@127.0.0.1:1/app", 1, "connection refused"},
		{"PostgreSQL by its other name", "postgresql://ann:otter@127.0.0.1:1/app", 1, "connection refused"},
		{"PostgreSQL with a bad port", "postgres://ann:otter@127.0.0.1:x/app", 2, "want postgres://USER@HOST/DATABASE"},
		{"PostgreSQL with a bad option", "postgres://ann:otter@127.0.0.1/app?sslmode=otter", 2, "want postgres://USER@HOST/DATABASE"},
		{"MySQL that isn't there", "mysql://ann:otter@127.0.0.1:1/app", 1, "connection refused"},
		{"MySQL by its other name", "mariadb://ann:otter@127.0.0.1:1/app", 1, "connection refused"},
		{"MySQL without a database", "mysql://ann:otter@127.0.0.1:1/", 2, "want mysql://USER@HOST/DATABASE"},
		{"MySQL with a bad port", "mysql://ann:otter@127.0.0.1:x/app", 2, "want mysql://USER@HOST/DATABASE"},
		{"MySQL with a bad option", "mysql://ann:otter@127.0.0.1/app?timeout=otter", 2, "want mysql://USER@HOST/DATABASE"},
		{"an unknown one", "otter://ann:otter@db.example/app", 2, "want sqlite:PATH"},
		{"a bare file", "otter.db", 2, "want sqlite:PATH"},
		{"no file", "sqlite:", 2, "want sqlite:PATH"},
		{"memory, which nobody would find again", "sqlite::memory:", 2, "want sqlite:PATH"},
		{"slashes that some read one way, some another", "sqlite:///otter.db", 2, "want no slashes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			for _, args := range [][]string{{"list"}, {"add", "ann", "-password-stdin"}, {"migrate"}} {
				r := d.runIn(t.Context(), tc.uri, goodPassword, args...)
				if r.code != tc.code || !strings.Contains(r.stderr, tc.want) {
					t.Errorf("%q: got exit code %d, %q, want %d, %q", args, r.code, r.stderr, tc.code, tc.want)
				}
				if strings.Contains(r.stderr, "otter") || strings.Count(r.stderr, "\n") != 1 {
					t.Errorf("%q: got %q, want one line without the password", args, r.stderr)
				}
			}
		})
	}
}

// -db stands before the command or behind it, and over the environment; -password-stdin likewise.
func TestFlagsMayStandAnywhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	uri := "sqlite:" + d.path
	for i, args := range [][]string{
		{"-db", uri, "add", "-password-stdin", "u0"},
		{"-password-stdin", "-db=" + uri, "add", "u1"},
		{"add", "u2", "-db", uri, "--password-stdin"},
		{"add", "-db", uri, "-password-stdin", "--", "u3"},
		{"add", "-db", uri, "-password-stdin=true", "u4"},
	} {
		if r := d.runIn(t.Context(), "sqlite:/nonexistent/x.db", goodPassword, args...); r.code != 0 {
			t.Errorf("%d: %s", i, r.stderr)
		}
	}
	if got := d.users(); got != "u0 u1 u2 u3 u4" {
		t.Errorf("got %q", got)
	}
	if got := d.fails(1, "", "delete", "--", "-db"); !strings.Contains(got, `"-db"`) {
		t.Errorf("got %q, want a name behind --", got)
	}
	if got := d.ok("", "role", "set", "--", "-r", "a:b", "-c:d"); got != "role -r: -c:d a:b\n" {
		t.Errorf("got %q, want no flags behind --", got)
	}
}

func TestPasswordsFromStandardInput(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, stdin string
		want        string // the password that holds; "" for an error
	}{
		{"as it is", goodPassword, goodPassword},
		{"less the newline", goodPassword + "\n", goodPassword},
		{"less a newline of Windows", goodPassword + "\r\n", goodPassword},
		{"blanks are part of it", " " + goodPassword + " \n", " " + goodPassword + " "},
		{"two lines", goodPassword + "\nmore\n", ""},
		{"two newlines", goodPassword + "\n\n", ""},
		{"nothing", "", ""},
		{"an empty line", "\n", ""},
		{"too short", "otter\n", ""},
		{"without end", strings.Repeat("otter", 1<<17), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			if tc.want == "" {
				d.fails(1, tc.stdin, "add", "ann", "-password-stdin")
				d.ok("", "migrate")
				if got := d.users(); got != "" {
					t.Errorf("got users %q", got)
				}
				return
			}
			d.ok(tc.stdin, "add", "ann", "-password-stdin")
			d.ok(tc.want, "verify-password", "ann", "-password-stdin")
		})
	}
}

// P-08: the command holds passwords to the rule that the routes hold them to.
func TestWeakPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok(goodPassword, "add", "constantinople", "-password-stdin")
	for _, weak := range []string{"bcdfghjklmnpqr", "password1111111", "constantinople1"} {
		d.fails(1, weak, "set-password", "constantinople", "-password-stdin")
	}
	d.ok(goodPassword, "verify-password", "constantinople", "-password-stdin")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	all := d.ok("", "help")
	for _, args := range [][]string{{"-h"}, {"--help"}} {
		if got := d.ok("", args...); got != all {
			t.Errorf("%q: got %q", args, got)
		}
	}
	names := []string{"add", "delete", "list", "import", "set-password", "verify-password", "hash", "disable", "enable", "grant", "revoke",
		"role set", "role list", "role delete", "sessions", "logout", "invite", "invite list", "invite delete", "token add", "token list", "token delete", "copy", "migrate"}
	for _, name := range names {
		words := strings.Fields(name)
		got := d.ok("", append([]string{"help"}, words...)...)
		if !strings.Contains(got, "\n  useradmin ") || !strings.Contains(got, name) {
			t.Errorf("help %s: got %q, want an example", name, got)
		}
		if other := d.ok("", append(words, "-h")...); other != got {
			t.Errorf("%s -h: got %q, want what help says", name, other)
		}
		if !strings.Contains(all, "\n  "+name+" ") {
			t.Errorf("help doesn't list %s", name)
		}
	}
	if got := strings.Count(all[:strings.Index(all, "\n\n  -db")], "\n  "); got != len(names)+1 { // and the line above them
		t.Errorf("help lists %d commands, want %d", got-1, len(names))
	}
	wantNoFiles(t, d)
}

// A full disk behind stdout is no success: who reads the list there would take it for all.
func TestAnAnswerThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok(goodPassword, "add", "ann", "-password-stdin")
	for _, args := range [][]string{{"list"}, {"list", "-json"}, {"help"}} {
		var stderr bytes.Buffer
		env := func(string) string { return "sqlite:" + d.path }
		code := main.Run(t.Context(), args, strings.NewReader(""), brokenWriter{}, &stderr, env, nil)
		if code != 1 || stderr.String() != "useradmin: writing the answer: no space\n" {
			t.Errorf("%q: got exit code %d, %q", args, code, &stderr)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space") }

// JS33
func TestThePromptAsksTwice(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		answers []string
		cmd     string
		prompts []string
		works   bool
	}{
		{"twice the same", []string{otherPassword, otherPassword}, "set-password", []string{"Password: ", "Password again: "}, true},
		{"two different ones", []string{otherPassword, otherPassword + "."}, "set-password", []string{"Password: ", "Password again: "}, false},
		{"nothing", []string{"", ""}, "set-password", []string{"Password: "}, false},
		{"the terminal ends", []string{}, "set-password", []string{"Password: "}, false},
		{"the terminal ends in between", []string{otherPassword}, "set-password", []string{"Password: ", "Password again: "}, false},
		{"once to verify", []string{goodPassword}, "verify-password", []string{"Password: "}, true},
		{"once to verify a wrong one", []string{otherPassword}, "verify-password", []string{"Password: "}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.ok(goodPassword, "add", "ann", "-password-stdin")
			var prompts []string
			d.ask = func(_ context.Context, prompt string) (string, error) {
				prompts = append(prompts, prompt)
				if len(prompts) > len(tc.answers) {
					return "", io.EOF
				}
				return tc.answers[len(prompts)-1], nil
			}
			r := d.run("", tc.cmd, "ann")
			if (r.code == 0) != tc.works || !slices.Equal(prompts, tc.prompts) {
				t.Errorf("got exit code %d after %q: %s", r.code, prompts, r.stderr)
			}
			holds := goodPassword
			if tc.works && tc.cmd == "set-password" {
				holds = otherPassword
			}
			d.ok(holds, "verify-password", "ann", "-password-stdin")
			if stored := d.text("SELECT password_hash FROM auth_users"); !strings.HasPrefix(stored, "$argon2id$") || strings.Contains(stored, holds) {
				t.Errorf("the database holds %q", stored)
			}
		})
	}
}
