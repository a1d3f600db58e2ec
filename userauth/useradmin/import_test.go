package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/store/storetest"
	main "github.com/ostiary/auth/userauth/useradmin"
)

// Hashes of goodPassword, as other programs have made them.
const (
	bcryptHash  = "$2b$04$8p6nWS1oTHmlW7.absKGmOII9C1Fe551SxYpt9mIMBnVl/ZQIvyP6"
	djangoHash  = "pbkdf2_sha256$1000$saltsaltsalt$ur8/e9Uv+u9kexOXEvsMLfCiOQdkCmxzVwMPdJYr+lw="
	passlibHash = "$6$rounds=1000$CTZiFcSxBg6JyBSy$L1GIk1PcOjo965ewRI/GkBh7gA6tWXUUJX4mhmlXPDe03P9Ap3riSsh9I7LSKCl7PBJJUrI0qygOC2dHTJzfM."
)

// newImport is a desk with an empty database and the role editor.
func newImport(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	d.ok("", "role", "set", "editor", "contents:*")
	return d
}

// file writes what is to be imported beside the database.
func (d *desk) file(lines ...string) (path string) {
	d.t.Helper()
	path = filepath.Join(filepath.Dir(d.path), "users.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

func TestImportUsers(t *testing.T) {
	t.Parallel()
	lines := []string{
		`{"username":"Ann","password_hash":"` + bcryptHash + `","name":"Ann Example","display_name":"Ann","initials":"AE","color":"teal",` +
			`"avatar_url":"https://example.com/ann.png","workspace":"{}","settings":"{\"a\":1}","roles":["editor"],` +
			`"permissions":{"notes":["read","write"]},"disabled":false,"created":"2020-02-03T04:05:06+01:00"}`,
		`{"username":"bob","password_hash":"` + djangoHash + `","disabled":true,"name":null}`,
		`{"username":"eve","password_hash":"` + passlibHash + `"}`,
		`{"username":"zoe"}`,
	}
	for name, run := range map[string]func(d *desk) string{
		"from a file":            func(d *desk) string { return d.ok("", "import", "-file", d.file(lines...)) },
		"from standard input":    func(d *desk) string { return d.ok(strings.Join(lines, "\n"), "import") },
		"from a file of Windows": func(d *desk) string { return d.ok("", "import", "-file", d.file(strings.Join(lines, "\r\n"))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newImport(t)
			if got := run(d); got != "added 4 users, skipped 0\n" {
				t.Errorf("got %q", got)
			}
			var list []map[string]any
			if err := json.Unmarshal([]byte(d.ok("", "list", "-json")), &list); err != nil || len(list) != 4 {
				t.Fatalf("got %v, %v", list, err)
			}
			for key, want := range map[string]string{
				"username": "Ann", "name": "Ann Example", "display_name": "Ann", "initials": "AE", "color": "teal", "avatar_url": "https://example.com/ann.png",
				"workspace": "{}", "settings": `{"a":1}`, "roles": "[editor]", "permissions": "map[notes:[read write]]", "disabled": "false", "created": "2020-02-03T03:05:06Z",
			} {
				if got := fmt.Sprint(list[0][key]); got != want {
					t.Errorf("%s: got %s, want %s", key, got, want)
				}
			}
			if list[1]["disabled"] != true {
				t.Errorf("bob: got %v, want a disabled user", list[1])
			}
			for _, user := range []string{"ann", "bob", "eve"} {
				d.ok(goodPassword, "verify-password", user, "-password-stdin")
				d.fails(1, otherPassword, "verify-password", user, "-password-stdin")
			}
			d.fails(1, goodPassword, "verify-password", "zoe", "-password-stdin")
		})
	}
}

// U-10, PH-10: one line that can't be taken, and nothing is. The error names the line and the field, and
// shows no hash; nor does a dry run say otherwise.
func TestImportRefusesALine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, line, want string }{
		{"an unknown field", `{"username":"eve","is_admin":true}`, `field "is_admin": unknown`},
		{"a field in another case", `{"username":"eve","Disabled":true}`, `field "Disabled": unknown`},
		{"a field of the profile's type", `{"username":"eve","UserUpdate":{}}`, `field "UserUpdate": unknown`},
		{"a password", `{"username":"eve","password":"secretsecret"}`, `field "password": unknown`},
		{"a field given twice", `{"username":"eve","username":"zoe"}`, `field "username": given twice`},
		{"a wrong type", `{"username":"eve","roles":"editor"}`, `field "roles": must be a list`},
		{"a flag as text", `{"username":"eve","disabled":"no"}`, `field "disabled": must be true or false`},
		{"no time", `{"username":"eve","created":"yesterday"}`, `field "created"`},
		{"a time to come", `{"username":"eve","created":"9999-01-01T00:00:00Z"}`, "created: "},
		{"no username", `{"name":"Eve"}`, "username: is missing"},
		{"an empty username", `{"username":""}`, "username: "},
		{"a username that nobody can have", `{"username":"a\u200bnn"}`, "username: "},
		{"an unknown format", `{"username":"eve","password_hash":"$9$secretsecret"}`, "password_hash: not in a format that is known"},
		{"a broken hash", `{"username":"eve","password_hash":"$2b$12$secretsecret"}`, "password_hash: not $2b$12$"},
		{"a hash that costs too much", `{"username":"eve","password_hash":"$6$rounds=999999999$secretsecret$x"}`, "password_hash: the rounds"},
		{"a role that doesn't exist", `{"username":"eve","roles":["editor","secret service"]}`, `roles: there is no role "secret service"`},
		{"a permission that can't be meant", `{"username":"eve","permissions":{"a*b":["read"]}}`, "permissions: "},
		{"a profile that is too long", `{"username":"eve","workspace":"` + strings.Repeat("x", 65<<10) + `"}`, "workspace: "},
		{"a name that is taken", `{"username":"ANN"}`, `exists already: user "ANN"`},
		{"a name that came before", `{"username":"Bob"}`, `exists already: user "Bob"`},
		{"invalid UTF-8", "{\"username\":\"e\xffve\"}", `field "username": not valid Unicode`},
		{"two objects", `{"username":"eve"}{"username":"zoe"}`, "must be one JSON object with nothing behind it"},
		{"a list", `[{"username":"eve"}]`, "must be a JSON object"},
		{"an empty line", "", "the JSON ends too early"},
		{"half a line", `{"username":"eve"`, "the JSON ends too early"},
		{"a byte order mark", "\ufeff" + `{"username":"eve"}`, "must not begin with a byte order mark"},
		{"a line without an end", `{"username":"` + strings.Repeat("e", 2<<20) + `"}`, "longer than 1048576 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newImport(t)
			d.ok(goodPassword, "add", "ann", "-password-stdin")
			lines := []string{`{"username":"bob","password_hash":"` + bcryptHash + `"}`, tc.line, `{"username":"zoe"}`}
			input := strings.Join(lines, "\n") + "\n"
			for _, args := range [][]string{{"import", "-dry-run"}, {"import"}, {"import", "-file", d.file(lines...)}} {
				got := d.fails(1, input, args...)
				if !strings.HasPrefix(got, "useradmin: line 2: ") || !strings.Contains(got, tc.want) || !strings.HasSuffix(got, "; nothing is stored\n") {
					t.Errorf("%q: got %q, want %q about line 2", args, got, tc.want)
				}
				if strings.Contains(got, "secretsecret") || strings.Contains(got, bcryptHash) {
					t.Errorf("%q: a secret is shown: %q", args, got)
				}
				if got := d.users(); got != "ann" {
					t.Fatalf("%q: got users %q, want none more", args, got)
				}
			}
			if got := d.ok(lines[0], "import"); got != "added 1 users, skipped 0\n" {
				t.Errorf("the good line alone: got %q", got)
			}
		})
	}
}

// A dry run stores nothing. With -skip-existing who is there stays as before.
func TestImportSkipsWhoIsThere(t *testing.T) {
	t.Parallel()
	d := newImport(t)
	d.ok(otherPassword, "add", "ann", "-password-stdin")
	lines := `{"username":"ANN","password_hash":"` + bcryptHash + `","roles":["editor"]}` + "\n" + `{"username":"bob"}` + "\n"
	d.fails(1, lines, "import")
	if got := d.ok(lines, "import", "-dry-run", "-skip-existing"); got != "would add 1 users and skip 1\n" {
		t.Errorf("got %q", got)
	}
	if got := d.users(); got != "ann" {
		t.Errorf("after a dry run: got users %q", got)
	}
	if got := d.ok(lines, "import", "-skip-existing"); got != "added 1 users, skipped 1\n" {
		t.Errorf("got %q", got)
	}
	if got := d.users(); got != "ann bob" {
		t.Errorf("got users %q", got)
	}
	d.ok(otherPassword, "verify-password", "ann", "-password-stdin")
	if got := d.ok("", "list"); strings.Contains(got, "editor") {
		t.Errorf("ann has what was imported: %q", got)
	}
	if got := d.ok("", "import"); got != "added 0 users, skipped 0\n" {
		t.Errorf("nothing to import: got %q", got)
	}
}

// From standard input whole fifties are stored before the line that can't be taken, and the error says so; from a file
// nothing is, since that is read twice.
func TestImportSaysWhatIsStored(t *testing.T) {
	t.Parallel()
	d := newImport(t)
	var lines []string
	for i := range 250 {
		lines = append(lines, fmt.Sprintf(`{"username":"user%04d"}`, i))
	}
	good := lines[219]
	lines[219] = `{"username":"user0219","roles":["nobody's"]}`
	if got := d.fails(1, "", "import", "-file", d.file(lines...)); !strings.Contains(got, "line 220: ") || !strings.Contains(got, "nothing is stored") {
		t.Errorf("got %q", got)
	}
	if got := d.users(); got != "" {
		t.Errorf("got users %q, want none", got)
	}
	if got := d.fails(1, strings.Join(lines, "\n"), "import"); !strings.Contains(got, "line 220: ") || !strings.Contains(got, "200 users are stored") {
		t.Errorf("got %q", got)
	}
	lines[219] = good
	if got := d.ok("", "import", "-skip-existing", "-file", d.file(lines...)); got != "added 50 users, skipped 200\n" {
		t.Errorf("got %q", got)
	}
	if got := len(strings.Fields(d.users())); got != 250 {
		t.Errorf("got %d users, want 250", got)
	}
}

// D-05: who interrupts an import learns what it has done by then.
func TestAnInterruptedImportSaysWhatIsStored(t *testing.T) {
	t.Parallel()
	d := newImport(t)
	ctx, interrupt := context.WithCancel(t.Context())
	lines := 0
	input := readerFunc(func(p []byte) (int, error) {
		if lines++; lines == 150 {
			interrupt()
		}
		return copy(p, fmt.Sprintf("{\"username\":\"user%d\"}\n", lines)), nil // without an end
	})
	var stdout, stderr bytes.Buffer
	env := func(string) string { return "sqlite:" + d.path }
	code := main.Run(ctx, []string{"import"}, input, &stdout, &stderr, env, nil)
	if got := stderr.String(); code != 1 || stdout.Len() > 0 || got != "useradmin: interrupted; 100 users are stored\n" {
		t.Errorf("got exit code %d, %q, %q", code, &stdout, got)
	}
	if got := len(strings.Fields(d.users())); got != 100 {
		t.Errorf("got %d users, want 100", got)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestImportFromAFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	d := newImport(t)
	if got := d.fails(1, `{"username":"ann"}`, "import", "-file", filepath.Join(t.TempDir(), "no.jsonl")); !strings.Contains(got, "no.jsonl") {
		t.Errorf("got %q, want the file in it", got)
	}
	if got := d.users(); got != "" {
		t.Errorf("got users %q: standard input was read instead", got)
	}
}

func TestListSearches(t *testing.T) {
	t.Parallel()
	d := newImport(t)
	d.ok(`{"username":"ann@example.com"}`+"\n"+`{"username":"bob@example.org"}`+"\n"+`{"username":"joanna"}`, "import")
	for search, want := range map[string]int{"": 3, "ANN": 2, "@example.": 2, "@example.org": 1, "%": 0, "nobody": 0, "a/b": 0} {
		if got := strings.Count(d.ok("", "list", "-search", search), "\n"); got != want {
			t.Errorf("%q: got %d lines, want %d", search, got, want)
		}
		var list []any
		if err := json.Unmarshal([]byte(d.ok("", "list", "-json", "-search", search)), &list); err != nil || len(list) != want {
			t.Errorf("%q as JSON: got %d, %v, want %d", search, len(list), err, want)
		}
	}
}

// D-11: on every engine the same import has the same outcome.
func TestImportOnEveryEngine(t *testing.T) {
	storetest.Each(t, func(t *testing.T, on storetest.Engine) {
		d, db := newDesk(t), on.New(t)
		run := func(want int, stdin string, args ...string) string {
			t.Helper()
			r := d.runIn(t.Context(), db.URL, stdin, args...)
			if r.code != want {
				t.Fatalf("%q: got exit code %d, %s, want %d", args, r.code, r.stderr, want)
			}
			return r.stdout + r.stderr
		}
		run(0, "", "role", "set", "editor", "contents:*")
		var lines []string
		for i := range 150 {
			lines = append(lines, fmt.Sprintf(`{"username":"Jürgen%03d","name":"🦊","password_hash":"%s","roles":["editor"],"permissions":{"notes":["read"]},"disabled":%t}`,
				i, bcryptHash, i == 1))
		}
		good := lines[119]
		lines[119] = `{"username":"JÜRGEN007"}`
		if got := run(1, strings.Join(lines, "\n"), "import"); !strings.Contains(got, "line 120: exists already") || !strings.Contains(got, "100 users are stored") {
			t.Errorf("got %q", got)
		}
		lines[119] = good
		for _, args := range [][]string{{"import", "-skip-existing", "-dry-run"}, {"import", "-skip-existing"}} {
			if got := run(0, strings.Join(lines, "\n"), args...); !strings.Contains(got, "50 users") || !strings.Contains(got, " 100\n") {
				t.Errorf("%q: got %q", args, got)
			}
		}
		var list []struct {
			Username    string
			Name        string
			Roles       []string
			Permissions map[string][]string
			Disabled    bool
		}
		if err := json.Unmarshal([]byte(run(0, "", "list", "-json")), &list); err != nil || len(list) != 150 {
			t.Fatalf("got %d users, %v, want 150", len(list), err)
		}
		for i, user := range list {
			if user.Username != fmt.Sprintf("Jürgen%03d", i) || user.Name != "🦊" || fmt.Sprint(user.Roles, user.Permissions) != "[editor] map[notes:[read]]" || user.Disabled != (i == 1) {
				t.Errorf("got %+v", user)
			}
		}
		if got := strings.Count(run(0, "", "list", "-search", "JÜRGEN14"), "\n"); got != 10 {
			t.Errorf("got %d lines of a search, want 10", got)
		}
		run(0, goodPassword, "verify-password", "jürgen149", "-password-stdin")
		run(1, otherPassword, "verify-password", "jürgen149", "-password-stdin")
	})
}
