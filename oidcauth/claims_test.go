package oidcauth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth"
)

func TestClaims(t *testing.T) {
	t.Parallel()
	c := readClaims(t, `{"a":"text","empty":"","list":["x","y"],"none":[],"mixed":["x",1],"nested":{"a":"deep","b.c":["z"],"b":{"c":["never"]}},
		"a.b":{"c":"dotted"},"https://app.example/roles":["r"],"null":null,"n":1,"":{"":"odd"},"x":{"y":{"z":"1"}},"x.y":{"w":"2"}}`)
	for path, want := range map[string]string{
		"a": "text", "nested.a": "deep", "a.b.c": "dotted", "x.y.z": "1", "x.y.w": "2", ".": "odd",
		"A": "", "empty": "", "list": "", "null": "", "n": "", "nested": "", "nested.": "", "nested.a.b": "", "missing": "", ".a": "", "a.": "", "list.0": "",
	} {
		if got, ok := c.Text(path); got != want || ok != (want != "") {
			t.Errorf("the text %q: got %q, %v, want %q", path, got, ok, want)
		}
	}
	for path, want := range map[string]string{
		"list": "[x y]", "none": "[]", "nested.b.c": "[z]", "https://app.example/roles": "[r]",
		"a": "", "mixed": "", "null": "", "missing": "", "nested": "", "list.x": "",
	} {
		got, ok := c.Texts(path)
		if ok != (want != "") || ok && fmt.Sprint(got) != want || !ok && got != nil {
			t.Errorf("the texts %q: got %q, %v, want %q", path, got, ok, want)
		}
	}
	if value, ok := c.Value("null"); value != nil || !ok {
		t.Errorf("null: got %v, %v", value, ok)
	}
	if value, ok := c.Value("nested.null"); value != nil || ok {
		t.Errorf("missing: got %v, %v", value, ok)
	}
	if value, ok := oidcauth.Claims(nil).Value("a.b"); value != nil || ok {
		t.Errorf("no claims: got %v, %v", value, ok)
	}
}

// No string that a provider may send grants more than itself, or anything on what isn't named, whatever it looks like.
func FuzzPermissions(f *testing.F) {
	for _, entry := range []string{"contents:read", "a:b c:d", "*:*", "admin:write", "a:b,c", "a*:b", ":", "urn:a:b", "a/*:read", "\xff:a"} {
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		for _, wildcards := range []bool{false, true} {
			m := oidcauth.Mapping{Permissions: []string{"list"}, Scopes: []string{"text"}, Wildcards: wildcards}
			id, err := m.Identity(t.Context(), opExample, oidcauth.Claims{"sub": "ann", "list": []any{entry}})
			if err != nil {
				t.Fatal(err)
			}
			p := id.Permissions
			if p.Validate() != nil || p.Has("admin", "write") || p.Has("admin", "read") || len(p) > 1 || len(id.Roles) > 0 || id.Unrestricted {
				t.Errorf("%q grants %q", entry, p)
			}
			if !wildcards && strings.Contains(p.String(), "*") {
				t.Errorf("%q grants the wildcard %q", entry, p)
			}
			if len(p) == 1 && p.String() != entry {
				t.Errorf("%q grants %q", entry, p)
			}
			// As a scope each of its parts is worth what it is worth alone.
			id, err = m.Identity(t.Context(), opExample, oidcauth.Claims{"sub": "ann", "text": entry})
			if err != nil {
				t.Fatal(err)
			}
			for resource, actions := range id.Permissions {
				for _, action := range actions {
					if !slices.Contains(strings.Split(entry, " "), resource+":"+action) || (auth.Permissions{resource: {"*"}}).Has("admin", "x") {
						t.Errorf("the scope %q grants %q", entry, id.Permissions)
					}
				}
			}
		}
	})
}
