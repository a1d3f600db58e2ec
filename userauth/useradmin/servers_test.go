package main_test

import (
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/store/storetest"
)

// What the command does to a file it does to a server's database.
func TestEveryEngine(t *testing.T) { storetest.Each(t, testEveryEngine) }

func testEveryEngine(t *testing.T, on storetest.Engine) {
	d, base := newDesk(t), on.Empty(t)
	run := func(stdin string, args ...string) string {
		t.Helper()
		r := d.runIn(t.Context(), base.URL, stdin, args...)
		if r.code != 0 {
			t.Fatalf("%q: got exit code %d: %s", args, r.code, r.stderr)
		}
		return r.stdout
	}
	if on != storetest.SQLite { // a missing file is another answer
		if r := d.runIn(t.Context(), base.URL, "", "list"); r.code != 1 || !strings.Contains(r.stderr, "useradmin migrate") {
			t.Errorf("without tables: got %d %q", r.code, r.stderr)
		}
	}
	todo := run("", "migrate", "-dry-run")
	if got := run("", "migrate"); got != todo || todo != allMigrations(t) {
		t.Errorf("migrate: got %q, want %q", got, todo)
	}
	run(goodPassword, "add", "ann", "-password-stdin", "-permissions", "contents:read")
	run("", "role", "set", "editor", "contents:*")
	run("", "grant", "ann", "-role", "editor")
	run(goodPassword, "verify-password", "ann", "-password-stdin")
	if r := d.runIn(t.Context(), base.URL, goodPassword, "add", "ANN", "-password-stdin"); r.code != 1 || !strings.Contains(r.stderr, "exists") {
		t.Errorf("the same name: got %d %q", r.code, r.stderr)
	}
	if got := run("", "list", "-json"); !strings.Contains(got, `"username":"ann"`) || !strings.Contains(got, "editor") {
		t.Errorf("list: got %q", got)
	}
	run("", "disable", "ann")
	run("", "delete", "ann")
	if got := run("", "list", "-json"); got != "[]\n" {
		t.Errorf("list: got %q", got)
	}
}

func TestCopy(t *testing.T) { storetest.Each(t, testCopy) }

func testCopy(t *testing.T, on storetest.Engine) {
	d, base := newDesk(t), on.Empty(t)
	d.ok(goodPassword, "add", "ann", "-password-stdin")
	from := "sqlite:" + d.path
	for name, args := range map[string][]string{
		"without a target":     {"copy", "-from", from},
		"to an unknown engine": {"copy", "-from", from, "-to", "otter:otter"},
	} {
		if r := d.runIn(t.Context(), "", "", args...); r.code != 2 || strings.Contains(r.stderr, "otter") {
			t.Errorf("%s: got %d %q", name, r.code, r.stderr)
		}
	}
	r := d.runIn(t.Context(), "", "", "copy", "-from", from, "-to", base.URL)
	if r.code != 0 || !strings.HasPrefix(strings.Join(strings.Fields(r.stdout), " "), "counters ") || !strings.Contains(r.stdout, "users") {
		t.Fatalf("got %d %q %q", r.code, r.stdout, r.stderr)
	}
	if r := d.runIn(t.Context(), base.URL, goodPassword, "verify-password", "ann", "-password-stdin"); r.code != 0 {
		t.Errorf("ann's password: %s", r.stderr)
	}
	// By the environment this time, and now there is somebody.
	if r := d.runIn(t.Context(), from, "", "copy", "-to", base.URL); r.code != 1 || !strings.Contains(r.stderr, "the target isn't empty") {
		t.Errorf("again: got %d %q", r.code, r.stderr)
	}
	missing := d.runIn(t.Context(), "", "", "copy", "-from", from+".missing", "-to", on.Empty(t).URL)
	if missing.code != 1 || !strings.Contains(missing.stderr, "there is no database") {
		t.Errorf("a missing file: got %d %q", missing.code, missing.stderr)
	}
}
