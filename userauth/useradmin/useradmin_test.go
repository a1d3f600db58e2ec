package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/tokenauth"
	main "github.com/ostiary/auth/userauth/useradmin"
)

const (
	goodPassword  = "purple otter crosses 43 rivers"
	otherPassword = "seven silent harbours at dawn"
)

// asProgram in the environment makes this test binary the program itself, for tests from outside of the process.
const asProgram = "USERADMIN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main.Main() // doesn't return
	}
	os.Exit(storetest.Main(m))
}

// program prepares a process of the program.
func program(ctx context.Context, path, stdin string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "AUTH_DB_URI=sqlite:"+path)
	cmd.Stdin = strings.NewReader(stdin)
	return cmd
}

// A desk is where an admin sits: a database, and no terminal unless a test brings one.
type desk struct {
	t    *testing.T
	path string
	ask  main.Ask
}

func newDesk(t *testing.T) *desk { return &desk{t: t, path: filepath.Join(t.TempDir(), "app.db")} }

type result struct {
	code           int
	stdout, stderr string
}

// run runs the program, and fails the test where it breaks what holds for every command: it succeeds without a word on
// stderr, or fails with one line there, and never shows a password or a hash.
func (d *desk) run(stdin string, args ...string) result {
	d.t.Helper()
	return d.runIn(d.t.Context(), "sqlite:"+d.path, stdin, args...)
}

func (d *desk) runIn(ctx context.Context, uri, stdin string, args ...string) result {
	d.t.Helper()
	var stdout, stderr bytes.Buffer
	env := func(name string) string {
		if name == "AUTH_DB_URI" {
			return uri
		}
		return ""
	}
	terminal := func() (main.Ask, bool) { return d.ask, d.ask != nil }
	r := result{code: main.Run(ctx, args, strings.NewReader(stdin), &stdout, &stderr, env, terminal)}
	r.stdout, r.stderr = stdout.String(), stderr.String()
	if (r.code == 0) != (r.stderr == "") || r.code != 0 && (strings.Count(r.stderr, "\n") != 1 || !strings.HasSuffix(r.stderr, "\n")) {
		d.t.Errorf("%q: exit code %d with stderr %q, want one line after an error, else none", args, r.code, r.stderr)
	}
	hashes := strings.Contains(r.stdout, "$argon2") && args[0] != "hash"
	if shown := r.stdout + r.stderr; hashes || strings.Contains(shown, "otter") || strings.Contains(shown, "harbours") {
		d.t.Errorf("%q: a secret is shown: %q", args, shown)
	}
	return r
}

// ok runs a command that works, and gives what it prints.
func (d *desk) ok(stdin string, args ...string) string {
	d.t.Helper()
	r := d.run(stdin, args...)
	if r.code != 0 {
		d.t.Errorf("%q: got exit code %d: %s", args, r.code, r.stderr)
	}
	return r.stdout
}

// fails runs a command that doesn't, and gives the line that it prints.
func (d *desk) fails(code int, stdin string, args ...string) string {
	d.t.Helper()
	r := d.run(stdin, args...)
	if r.code != code || r.stdout != "" {
		d.t.Errorf("%q: got exit code %d, stdout %q, stderr %q, want %d and an error alone", args, r.code, r.stdout, r.stderr, code)
	}
	return r.stderr
}

func (d *desk) db() *sqlx.DB {
	d.t.Helper()
	db, err := store.OpenSQLite(d.path)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { db.Close() })
	return db
}

func (d *desk) exec(query string, args ...any) {
	d.t.Helper()
	if _, err := d.db().ExecContext(d.t.Context(), query, args...); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) text(query string) (s string) {
	d.t.Helper()
	if err := d.db().GetContext(d.t.Context(), &s, query); err != nil {
		d.t.Fatal(err)
	}
	return s
}

// users are the names that list -json gives.
func (d *desk) users() string {
	d.t.Helper()
	var list []struct{ Username string }
	if err := json.Unmarshal([]byte(d.ok("", "list", "-json")), &list); err != nil {
		d.t.Fatal(err)
	}
	var names []string
	for _, user := range list {
		names = append(names, user.Username)
	}
	return strings.Join(names, " ")
}

// ZA13
func TestALifeOfAUser(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok(goodPassword, "add", "ann", "-password-stdin")
	d.fails(1, otherPassword, "add", "ann", "-password-stdin")
	d.fails(1, otherPassword, "add", "ANN", "-password-stdin")

	var list []map[string]any
	if err := json.Unmarshal([]byte(d.ok("", "list", "-json")), &list); err != nil || len(list) != 1 || list[0]["username"] != "ann" {
		t.Fatalf("got %v, %v", list, err)
	}
	for key := range list[0] {
		if strings.Contains(key, "hash") || strings.Contains(key, "password") {
			t.Errorf("the list has the key %q", key)
		}
	}

	d.ok(goodPassword, "verify-password", "ann", "-password-stdin")
	d.fails(1, otherPassword, "verify-password", "ann", "-password-stdin")
	d.fails(1, goodPassword, "verify-password", "nobody", "-password-stdin")

	d.ok(otherPassword, "set-password", "ann", "-password-stdin")
	d.ok(otherPassword, "verify-password", "ann", "-password-stdin")
	d.fails(1, goodPassword, "verify-password", "ann", "-password-stdin")
	d.fails(1, goodPassword, "set-password", "nobody", "-password-stdin")

	d.ok("", "delete", "ann")
	d.fails(1, "", "delete", "ann")
	if got := d.ok("", "list", "-json"); got != "[]\n" {
		t.Errorf("got %q, want an empty array", got)
	}
}

// JS26
func TestTheStoredHashIsAPHCString(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok(goodPassword+"\n", "add", "ann", "-password-stdin")
	stored := d.text("SELECT password_hash FROM auth_users")
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %q", stored)
	}
	wantHash(t, stored)
	a, err := tokenauth.New(t.Context(), tokenauth.Config{Mode: tokenauth.PasswordMode, PasswordHash: "argon2:" + stored})
	if err != nil {
		t.Fatalf("tokenauth doesn't take it: %v", err)
	}
	a.Close()
}

// wantHash fails the test unless encoded is goodPassword's.
func wantHash(t *testing.T, encoded string) {
	t.Helper()
	hasher, err := password.NewHasher(password.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := password.Parse(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := hasher.Verify(t.Context(), h, goodPassword); err != nil || !ok {
		t.Errorf("it is no hash of the password: %t, %v", ok, err)
	}
}

func TestHashNeedsNoDatabase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	r := d.runIn(t.Context(), "", goodPassword+"\n", "hash", "-password-stdin")
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	wantHash(t, strings.TrimSuffix(r.stdout, "\n"))
}

func TestPermissionsAndRolesFromTheCommandLine(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("", "role", "set", "editor", "contents:*", "-description", "may all")
	d.ok("", "role", "set", "guest, paying", "")
	d.ok(goodPassword, "add", "ann", "-role", "editor", "-permissions", "contents:read,write kernels:execute", "-role", "guest, paying", "-password-stdin")
	want := func(permissions, roles string) {
		t.Helper()
		if got := d.ok("", "list"); !strings.Contains(got, "ann  "+roles+"  "+permissions+"  ") {
			t.Errorf("got %q, want roles %q, permissions %q", got, roles, permissions)
		}
	}
	want("contents:read,write kernels:execute", "editor, guest, paying")
	d.ok("", "revoke", "ann", "kernels:execute", "-role", "guest, paying")
	want("contents:read,write", "editor")
	d.ok("", "grant", "ANN", "a:b", "c:d,e", "-role", "guest, paying")
	want("a:b c:d,e contents:read,write", "editor, guest, paying")
	if got := d.ok("", "revoke", "ann", "contents:write", "a:b"); !strings.Contains(got, "still held through a wildcard or a role: contents:write\n") {
		t.Errorf("got %q, want to be told that the role still holds contents:write", got)
	}
	if got := d.ok("", "revoke", "ann", "contents:read", "-role", "editor"); strings.Contains(got, "still") {
		t.Errorf("got %q", got)
	}
	want("c:d,e", "guest, paying")

	// An unknown role is an error that names it, and a name is never split.
	for _, args := range [][]string{
		{"add", "bob", "-password-stdin", "-role", "editor,guest"}, {"grant", "ann", "-role", "editor,guest"}, {"revoke", "ann", "-role", "editor,guest"},
		{"grant", "ann", "x:y", "-role", "editor,guest"},
	} {
		if got := d.fails(1, goodPassword, args...); !strings.Contains(got, `"editor,guest"`) {
			t.Errorf("%q: got %q, want the role's name", args, got)
		}
	}
	want("c:d,e", "guest, paying")

	// A role keeps its description, and who has it has what it holds now.
	d.ok("", "role", "set", "editor", "contents:read", "files:read")
	if got := d.ok("", "role", "list"); got != "editor         contents:read files:read  may all\nguest, paying  -                         \n" {
		t.Errorf("got %q", got)
	}
	var roles []struct {
		Name, Description string
		Permissions       map[string][]string
		Version           int64
	}
	if err := json.Unmarshal([]byte(d.ok("", "role", "list", "-json")), &roles); err != nil || len(roles) != 2 ||
		roles[0].Description != "may all" || fmt.Sprint(roles[0].Permissions) != "map[contents:[read] files:[read]]" {
		t.Errorf("got %+v, %v", roles, err)
	}
	d.ok("", "role", "delete", "guest, paying")
	d.fails(1, "", "role", "delete", "guest, paying")
	want("c:d,e", "-")
}

// S-12
func TestDisableAndLogoutEndSessions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok(goodPassword, "add", "ann", "-password-stdin")
	login := func() {
		t.Helper()
		d.exec(`INSERT INTO auth_sessions (token_hash, id, user_id, realm, created_at, seen_at, expires_at, method, address, agent,
			issuer, subject, sid, data) VALUES (randomblob(32), 'one', 1, 'userauth', 1767322800, 1767326400, 4102444800, 'password',
			'192.0.2.1', ?, '', '', '', '')`, "Evil\x1b[2J\u202e\u2028\nBrowser")
	}
	login()
	const want = `one  2026-01-02 03:00Z  2026-01-02 04:00Z  password  192.0.2.1  Evil\u001b[2J\u202e\u2028\u000aBrowser` + "\n"
	if got := d.ok("", "sessions", "Ann"); got != want { // G-04
		t.Errorf("got  %q\nwant %q", got, want)
	}
	var list []map[string]any
	raw := d.ok("", "sessions", "ann", "-json")
	if err := json.Unmarshal([]byte(raw), &list); err != nil || len(list) != 1 || list[0]["agent"] != "Evil\x1b[2J\u202e\u2028\nBrowser" {
		t.Errorf("got %v, %v", list, err)
	}
	if strings.ContainsAny(raw, "\x1b\u202e\u2028") {
		t.Errorf("JSON for a terminal holds what the terminal acts on: %q", raw)
	}
	if got := d.ok("", "logout", "ann"); got != "ended 1 sessions of ann\n" {
		t.Errorf("got %q", got)
	}
	login()
	d.ok("", "disable", "ANN")
	if got := d.ok("", "sessions", "ann", "-json"); got != "[]\n" {
		t.Errorf("after disable: got %q", got)
	}
	if got := d.ok("", "list"); !strings.Contains(got, "disabled") {
		t.Errorf("got %q, want it to say disabled", got)
	}
	d.ok("", "enable", "ann")
	if got := d.ok("", "list") + d.ok("", "sessions", "ann"); strings.Contains(got, "disabled") || strings.Contains(got, "one") {
		t.Errorf("after enable: got %q", got)
	}
	login()
	d.ok(otherPassword, "set-password", "ann", "-password-stdin")
	if got := d.ok("", "sessions", "ann"); got != "" {
		t.Errorf("after set-password: got %q", got)
	}
	for _, cmd := range []string{"disable", "enable", "sessions", "logout"} {
		d.fails(1, "", cmd, "nobody")
	}
}

// G-04, U-20: such a name can't be added, but a database can hold it.
func TestWhatATerminalWouldActOnIsQuoted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const evil = "a\nlevel=INFO msg=\"login ok\"\x1b[2J\u009b\u202e"
	for _, name := range []string{evil, "ann\x1b", "\u202eann", "ann\u2028"} {
		if got := d.fails(1, goodPassword, "add", name, "-password-stdin"); strings.ContainsAny(got, "\x1b\u009b\u202e\u2028") {
			t.Errorf("got %q", got)
		}
		if got := d.fails(1, "", "delete", name); strings.ContainsAny(got, "\x1b\u009b\u202e\u2028") {
			t.Errorf("got %q", got)
		}
	}
	d.ok(goodPassword, "add", "ann", "-password-stdin")
	d.exec("UPDATE auth_users SET username = ?, display_name = ?", evil, evil)
	for _, args := range [][]string{{"list"}, {"list", "-json"}} {
		got := d.ok("", args...)
		if strings.ContainsAny(got, "\x1b\u009b\u202e\u2028") || strings.Count(got, "\n") != 1 {
			t.Errorf("%q: got %q, want one line that a terminal only shows", args, got)
		}
	}
	if got := d.users(); got != evil {
		t.Errorf("got %q back, want %q", got, evil)
	}
}

func TestListGoesThroughAllPages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("", "migrate")
	const n = 1100 // a page has 1,000
	tx, err := d.db().BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for i := range n {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO auth_users (id, realm, username, username_key, password_hash, password_at, disabled, created_at,
			name, display_name, initials, color, avatar_url, workspace, settings) VALUES (?, '', ?, ?, '', 0, 0, 0, '', '', '', '', '', '', '')`,
			i+1, fmt.Sprintf("user%04d", i), fmt.Sprintf("user%04d", i))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(d.users(), "user"); got != n {
		t.Errorf("got %d users as JSON, want %d", got, n)
	}
	if got := strings.Count(d.ok("", "list"), "\n"); got != n {
		t.Errorf("got %d lines, want %d", got, n)
	}
}
