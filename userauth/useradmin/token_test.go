package main_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/userauth"
)

// madeToken is what token add prints: the token alone, on one line.
var madeToken = regexp.MustCompile(`^ost_[A-Za-z0-9_-]{49}\n$`)

func (d *desk) tokens(name string) (list []userauth.Token) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.ok("", "token", "list", name, "-json")), &list); err != nil {
		d.t.Fatal(err)
	}
	return list
}

func TestTokens(t *testing.T) {
	t.Parallel()
	t.Run("K-01 a service's token is printed once, and its hash is stored", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.ok("", "add", "backup", "-no-password", "-permissions", "contents:read")
		d.fails(1, goodPassword, "verify-password", "backup", "-password-stdin")
		text := d.ok("", "token", "add", "backup", "-name", "nightly", "-permissions", "contents:read", "-expires", "90d")
		if !madeToken.MatchString(text) {
			t.Fatalf("got %q, want a token alone", text)
		}
		secret := strings.TrimPrefix(strings.TrimSpace(text), "ost_")[:43]
		if got, want := d.text("SELECT hex(token_hash) FROM auth_sessions"), fmt.Sprintf("%X", sha256.Sum256([]byte(secret))); got != want {
			t.Errorf("got the hash %s, want %s", got, want)
		}
		list := d.tokens("backup")
		if len(list) != 1 || list[0].Name != "nightly" || list[0].Permissions.String() != "contents:read" || !list[0].Used.IsZero() {
			t.Fatalf("got %+v", list)
		}
		if left := time.Until(list[0].Expires); left < 89*24*time.Hour || left > 90*24*time.Hour {
			t.Errorf("it ends in %s, want 90 days", left)
		}
		shown := d.ok("", "token", "list", "backup")
		if strings.Contains(shown, secret[:20]) || !strings.Contains(shown, "nightly") || !strings.Contains(shown, "contents:read") {
			t.Errorf("got %q", shown)
		}
	})
	t.Run("as JSON", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.ok("", "add", "ci", "-no-password")
		var made struct {
			userauth.Token
			Text string `json:"token"`
		}
		raw := d.ok("", "token", "add", "ci", "-name", "build \"server\"", "-json")
		if err := json.Unmarshal([]byte(raw), &made); err != nil || !madeToken.MatchString(made.Text+"\n") {
			t.Fatalf("got %s, %v", raw, err)
		}
		if list := d.tokens("ci"); len(list) != 1 || list[0].ID != made.ID || list[0].Permissions != nil || !list[0].Expires.IsZero() {
			t.Errorf("got %+v, want the same without a limit or an end", list)
		}
	})
	t.Run("revoking one, disabling, another password", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.ok(goodPassword, "add", "ann", "-password-stdin")
		d.ok("", "add", "bob", "-no-password")
		for _, name := range []string{"one", "two"} {
			d.ok("", "token", "add", "ann", "-name", name)
		}
		id := d.tokens("ann")[0].ID
		d.fails(1, "", "token", "delete", "bob", id)
		d.fails(1, "", "token", "delete", "nobody", id)
		if got := d.ok("", "token", "delete", "ann", id); got != "revoked the token "+id+" of ann\n" {
			t.Errorf("got %q", got)
		}
		d.fails(1, "", "token", "delete", "ann", id)
		d.ok("", "logout", "ann")
		if n := len(d.tokens("ann")); n != 1 {
			t.Errorf("got %d tokens after a logout, want the other one", n)
		}
		if got := d.ok("", "sessions", "ann"); got != "" {
			t.Errorf("a token is listed as a session: %q", got)
		}
		d.ok(otherPassword, "set-password", "ann", "-password-stdin")
		if n := len(d.tokens("ann")); n != 0 {
			t.Errorf("got %d tokens after another password, want none", n)
		}
		d.ok("", "token", "add", "ann", "-name", "three")
		d.ok("", "disable", "ann")
		if n := len(d.tokens("ann")); n != 0 {
			t.Errorf("got %d tokens of a disabled user, want none", n)
		}
		if got := d.fails(1, "", "token", "add", "ann", "-name", "four"); got != "useradmin: username: is disabled\n" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("what can't be meant", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.ok("", "add", "ann", "-no-password")
		for _, args := range [][]string{
			{"token", "add", "ann", "-name", "x", "-expires", "soon"}, {"token", "add", "ann", "-name", "x", "-expires", "-1h"},
			{"token", "add", "ann", "-name", "x", "-expires", "0d"}, {"token", "add", "ann", "-name", "x", "-permissions", "contents"},
			{"token", "add"}, {"token", "delete", "ann"}, {"add", "bob", "-no-password", "-password-stdin"}, {"token", "add", "ann", "-name", "x", "-role", "y"},
		} {
			d.fails(2, "", args...)
		}
		d.fails(1, "", "token", "add", "ann")
		d.fails(1, "", "token", "add", "nobody", "-name", "x")
		if n := len(d.tokens("ann")); n != 0 || d.users() != "ann" {
			t.Errorf("got %d tokens and the users %s", n, d.users())
		}
	})
}
