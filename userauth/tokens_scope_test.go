package userauth_test

import (
	"reflect"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

func TestIntersect(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, p, q, want string }{
		{"the same", "contents:read", "contents:read", "contents:read"},
		{"nothing in common", "contents:read", "contents:write", ""},
		{"no resource in common", "contents:read", "content:read", ""},
		{"with nothing", "contents:read", "", ""},
		{"some actions", "contents:read,write", "contents:write,delete", "contents:write"},
		{"every action", "contents:*", "contents:read", "contents:read"},
		{"every action on both sides", "contents:*", "contents:*", "contents:*"},
		{"a wildcard covers one", "contents/*:read", "contents/a:read,write", "contents/a:read"},
		{"a wildcard doesn't cover what it begins with", "contents/*:read", "contents:read", ""},
		{"the narrower of two wildcards", "contents/*:read", "contents/a*:*", "contents/a*:read"},
		{"two wildcards apart", "contents/a*:read", "contents/b*:read", ""},
		{"everything", "*:*", "a:b c/*:d", "a:b c/*:d"},
		{"two entries for one resource", "a*:read ab:write", "ab:read,write", "ab:read,write"},
		{"crosswise", "a*:read ab*:write", "ab*:read a*:write", "ab*:read,write"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, pair := range [][2]string{{tc.p, tc.q}, {tc.q, tc.p}} {
				p, q := grant(t, pair[0]), grant(t, pair[1])
				if got := userauth.Intersect(p, q).String(); got != tc.want {
					t.Errorf("%q and %q: got %q, want %q", pair[0], pair[1], got, tc.want)
				}
				if !reflect.DeepEqual(p, grant(t, pair[0])) || !reflect.DeepEqual(q, grant(t, pair[1])) {
					t.Errorf("%q and %q: changed to %v and %v", pair[0], pair[1], p, q)
				}
			}
		})
	}
}

func grant(t *testing.T, text string) auth.Permissions {
	t.Helper()
	p, err := auth.ParsePermissions(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// K-03: the intersection holds exactly what both hold, for every resource and action that any of the grants speaks of, and
// for their neighbours.
func FuzzIntersect(f *testing.F) {
	for _, seed := range [][4]string{
		{"contents:read,write", "contents:*", "contents", "read"}, {"a*:x", "ab*:*", "abc", "x"}, {"*:*", "a:b", "a", "b"}, {"a/*:x b:y", "a/b:x b*:*", "b", "y"},
		{"a:x aa:y a*:z", "a*:x,y", "aa", "x"}, {"a*:x", "a*:y", "a*", "*"}, {"", "a:b", "", ""}, {"ab*:x a*:y", "abc*:* ab:x", "ab", "y"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, ps, qs, resource, action string) {
		p, err1 := auth.ParsePermissions(ps)
		q, err2 := auth.ParsePermissions(qs)
		if err1 != nil || err2 != nil {
			return
		}
		both := userauth.Intersect(p, q)
		if err := both.Validate(); err != nil {
			t.Fatalf("%q and %q: %v", ps, qs, err)
		}
		resources, actions := []string{resource, resource + "x"}, []string{action, "*"}
		for _, g := range []auth.Permissions{p, q, both} {
			for r, as := range g {
				resources = append(resources, r, r+"x", r[:len(r)-1])
				actions = append(actions, as...)
			}
		}
		for _, r := range resources {
			for _, a := range actions {
				if got, want := both.Has(r, a), p.Has(r, a) && q.Has(r, a); got != want {
					t.Fatalf("%q and %q are %q: got %t for %q on %q, want %t", ps, qs, both, got, a, r, want)
				}
			}
		}
	})
}
