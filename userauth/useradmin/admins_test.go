package main_test

import (
	"strings"
	"testing"
)

// the last one who may administer stays, whatever the command.
func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("", "role", "set", "boss", "admin:*")
	d.ok(goodPassword, "add", "ann", "-role", "boss", "-password-stdin")
	acts := [][]string{
		{"disable", "ann"}, {"revoke", "ann", "-role", "boss"}, {"role", "set", "boss", "admin:read"}, {"role", "delete", "boss"}, {"delete", "ann"},
	}
	for _, act := range acts {
		if got := d.fails(1, "", act...); !strings.Contains(got, "nobody would be left who may administer") {
			t.Errorf("%q: got %q", act, got)
		}
	}
	d.ok("", "grant", "ann", "admin:write")
	d.ok("", "role", "delete", "boss")
	d.ok(goodPassword, "add", "bob", "-permissions", "*:*", "-password-stdin")
	d.ok("", "delete", "ann")
}
