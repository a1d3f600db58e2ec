package auth_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/noauth"
	"github.com/ostiary/auth/oidcauth"
	"github.com/ostiary/auth/tokenauth"
	"github.com/ostiary/auth/userauth"
)

func readText(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReadmeShowsTheMinimalExampleAsItIs(t *testing.T) {
	t.Parallel()
	_, program, _ := strings.Cut(readText(t, "examples/minimal/main.go"), "\npackage main\n")
	if program == "" || !strings.Contains(readText(t, "README.md"), "```go\npackage main\n"+program+"```\n") {
		t.Error("README.md quotes another program than examples/minimal/main.go")
	}
}

// The lines that swap the backend are those of the package's own documentation.
func TestReadmeShowsTheLinesOfUserauth(t *testing.T) {
	t.Parallel()
	_, lines, _ := strings.Cut(readText(t, "README.md"), "```go\ndb, err")
	lines, _, _ = strings.Cut("db, err"+lines, "```")
	doc := readText(t, "userauth/userauth.go")
	for line := range strings.Lines(lines) {
		if !strings.Contains(doc, "//\t"+line) {
			t.Errorf("the documentation of userauth has no line %q", line)
		}
	}
}

func TestReadmeNamesEverySetting(t *testing.T) {
	t.Parallel()
	readme := readText(t, "README.md")
	table := func(of string) string {
		_, table, _ := strings.Cut(readme, "\n| `"+of+"` | ")
		table, _, _ = strings.Cut(table, "\n\n")
		return table
	}
	for _, config := range []any{auth.Config{}, noauth.Config{}, tokenauth.Config{}, userauth.Config{}} {
		typ := reflect.TypeOf(config)
		settings := table(typ.String())
		if settings == "" {
			t.Errorf("README.md has no table of %s", typ)
		}
		for field := range typ.Fields() {
			if field.Name != "Auth" && !regexp.MustCompile("\n\\|[^|]*`"+field.Name+"`").MatchString(settings) {
				t.Errorf("README.md's table of %s doesn't name %s", typ, field.Name)
			}
		}
	}
	for field := range reflect.TypeOf(userauth.Policy{}).Fields() {
		if !strings.Contains(table("userauth.Config"), "`"+field.Name+"`") {
			t.Errorf("README.md doesn't name %s of userauth.Policy", field.Name)
		}
	}
	settings := readText(t, "docs/oidc.md")
	for _, config := range []any{oidcauth.Config{}, oidcauth.Provider{}, oidcauth.API{}, oidcauth.Mapping{}} {
		typ := reflect.TypeOf(config)
		_, table, ok := strings.Cut(settings, "\n| `"+typ.String()+"` | ")
		table, _, _ = strings.Cut(table, "\n\n")
		for field := range typ.Fields() {
			if !ok || !regexp.MustCompile("\n\\|[^|]*`"+field.Name+"`").MatchString(table) {
				t.Errorf("docs/oidc.md's table of %s doesn't name %s", typ, field.Name)
			}
		}
	}
	for _, name := range []string{"AUTH_TOKEN", "AUTH_TOKEN_FILE", "AUTH_DB_URI", "AUTH_ADMIN_PASSWORD", "AUTH_TEST_REQUIRE", "AUTH_TEST_SCREENSHOTS"} {
		if !strings.Contains(readme, "\n| `"+name+"` | ") {
			t.Errorf("README.md doesn't name %s", name)
		}
	}
}

// The session with useradmin is played as it stands in docs/users.md. Where it asks for a password, the test gives it one by
// standard input, so that nothing is asked.
func TestDocsShowWhatUseradminSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "useradmin")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./userauth/useradmin").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	_, session, _ := strings.Cut(readText(t, "docs/users.md"), "\n$ export AUTH_DB_URI=sqlite:quickstart.db\n")
	session, _, _ = strings.Cut(session, "```")
	commands := strings.Split(strings.TrimPrefix(session, "$ "), "\n$ ")
	if len(commands) < 5 {
		t.Fatalf("only %d commands found: this test proves nothing", len(commands))
	}
	for _, command := range commands {
		line, want, _ := strings.Cut(command, "\n")
		var args []string
		for _, word := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
			args = append(args, word[1]+word[2])
		}
		if answer, asked := strings.CutPrefix(want, "Password:\nPassword again:\n"); asked {
			args, want = append(args, "-password-stdin"), answer
		}
		cmd := exec.CommandContext(t.Context(), program, args[1:]...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "AUTH_DB_URI=sqlite:quickstart.db")
		cmd.Stdin = strings.NewReader("seven-grey-lanterns-91\n")
		got, err := cmd.CombinedOutput()
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", `.*\S`) + " *$"
		pattern = strings.ReplaceAll(pattern, "\n", " *\n")
		if err != nil || args[0] != "useradmin" || !regexp.MustCompile(pattern).MatchString(strings.TrimSpace(string(got))) {
			t.Errorf("%s: got\n%s(%v), want\n%s", line, got, err, want)
		}
	}
}

// A link of the documentation names a file that is there and, behind the #, one of its headings. Other sites aren't asked.
func TestLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	t.Parallel()
	texts, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range append(texts, "README.md", "SECURITY.md", "CHANGELOG.md") {
		for _, link := range regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(readText(t, name), -1) {
			if strings.HasPrefix(link[1], "https://") {
				continue
			}
			found++
			file, heading, _ := strings.Cut(link[1], "#")
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), filepath.FromSlash(file))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s: %v", name, link[1], err)
			} else if heading != "" && !slices.Contains(headings(readText(t, target)), heading) {
				t.Errorf("%s: the link %s leads to no heading", name, link[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d links found: this test proves nothing", found)
	}
}

// headings gives a text's headings as links name them: in lower case, a "-" for a space, without punctuation.
func headings(text string) (list []string) {
	for _, line := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(strings.ToLower(line[1]), " ", "-")
		list = append(list, regexp.MustCompile(`[^\w-]`).ReplaceAllString(name, ""))
	}
	return list
}
