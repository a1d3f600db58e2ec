package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"

	"github.com/ostiary/auth"
)

// resource, archived, missing and longMissing name what is asked about. A string is a new one each time, as one from a
// request is: a map must not get away with comparing pointers.
func resource(i int) string { return fmt.Sprintf("contents/project-%04d/notes", i) }
func archived(i int) string { return fmt.Sprintf("archive/project-%04d/notes", i) }
func missing(i int) string  { return fmt.Sprintf("nothing/project-%04d/notes", i) }
func longMissing(i int) string {
	return fmt.Sprintf("nothing/%s/%04d", strings.Repeat("folder-in-a-folder/", 5), i)
}

// resources is how many somebody holds. casbin's cache is asked about few of them, all in it: the best that can be said
// of it.
const (
	resources = 1000
	cached    = 50
)

// A question is what is asked again and again, each action being a decision.
type question struct {
	name    func(int) string
	actions []string
	want    bool
}

// put gives operations that put q to a decider, each time about another of n resources, in an order that jumps.
func (q question) put(n int, may func(resource, action string) bool) func() func() {
	return func() func() {
		var names []string
		for i := range n {
			names = append(names, q.name(i))
		}
		next := 0
		op := func() {
			next = (next + 617) % n // a prime: all are asked about before one is again
			for _, action := range q.actions {
				if may(names[next], action) != q.want {
					panic("a wrong decision")
				}
			}
		}
		if n == cached {
			repeat(op, n)
		}
		return op
	}
}

// decisionRows decides about one of a thousand resources: twice, as for a route that demands two actions, or once by a
// prefix or in vain. casbin has the same grants as policies of one subject, or of a role that the subject has.
func decisionRows(tb testing.TB) []row {
	grants := auth.Permissions{"archive/*": {"read", "write"}}
	for i := range resources {
		grants[resource(i)] = []string{"read", "write"}
	}
	ctx := guarded(tb, grants)
	can := func(resource, action string) bool {
		ok, err := auth.Can(ctx, resource, action)
		return ok && err == nil
	}
	acl := newCasbin(tb, "r.sub == p.sub && r.obj == p.obj && r.act == p.act", "editor")
	rbac := newCasbin(tb, "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act", "role:editor")
	prefix := newCasbin(tb, "r.sub == p.sub && keyMatch(r.obj, p.obj) && r.act == p.act", "editor")

	two := question{resource, []string{"read", "write"}, true}
	one := question{archived, []string{"write"}, true}
	none := question{missing, []string{"write"}, false}
	long := question{longMissing, []string{"write"}, false}
	const exact, byPrefix, miss = "2 exact of 1,000", "by a prefix", "a miss"
	return []row{
		{name: exact, make: two.put(resources, grants.Has), counted: true, nanos: 60},
		{name: byPrefix, make: one.put(resources, grants.Has), against: exact, counted: true, nanos: 1000},
		{name: miss, make: none.put(resources, grants.Has), against: exact, counted: true, nanos: 1000},
		{name: "a miss of 107 bytes", make: long.put(resources, grants.Has), against: exact, counted: true},
		{name: "auth.Can, 2 exact", make: two.put(resources, can), against: exact, counted: true},
		{name: "casbin ACL, 2 exact", make: two.put(resources, acl.decide), against: exact},
		{name: "casbin RBAC, 2 exact", make: two.put(resources, rbac.decide), against: exact},
		{name: "casbin RBAC cached, 2 exact again", make: two.put(cached, rbac.again), against: exact},
		{name: "casbin keyMatch, by a prefix", make: one.put(resources, prefix.decide), against: byPrefix},
		{name: "casbin keyMatch cached, by a prefix again", make: one.put(cached, prefix.again), against: byPrefix},
		{name: "casbin ACL, a miss", make: none.put(resources, acl.decide), against: miss},
		{name: "casbin ACL cached, a miss again", make: none.put(cached, acl.again), against: miss},
	}
}

// guarded is the context of a handler behind a guard, whose caller holds grants.
func guarded(tb testing.TB, grants auth.Permissions) context.Context {
	tb.Helper()
	id := &auth.Identity{ID: "bench:editor", User: auth.User{Username: "editor"}, Permissions: grants, Explicit: true}
	a, err := auth.New(auth.Config{}, auth.BackendFunc(func(*http.Request) (*auth.Identity, error) { return id, nil }))
	if err != nil {
		tb.Fatal(err)
	}
	var guarded *http.Request
	a.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { guarded = r })).
		ServeHTTP(newWriter(), get(tb, path))
	return guarded.Context()
}

type casbinPair struct {
	plain  *casbin.Enforcer
	cached *casbin.CachedEnforcer
}

// newCasbin gives subject the grants, and the user "editor" the role of that name.
func newCasbin(tb testing.TB, matcher, subject string) casbinPair {
	tb.Helper()
	text := `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = ` + matcher
	var rules [][]string
	grant := func(resource string) {
		rules = append(rules, []string{subject, resource, "read"}, []string{subject, resource, "write"})
	}
	for i := range resources {
		if i == resources/2 { // in the middle: casbin reads its list from the front, so that what stands last is slowest
			grant("archive/*")
		}
		grant(resource(i))
	}
	parse := func() model.Model {
		m, err := model.NewModelFromString(text)
		if err != nil {
			tb.Fatal(err)
		}
		return m
	}
	plain, err := casbin.NewEnforcer(parse())
	if err != nil {
		tb.Fatal(err)
	}
	cached, err := casbin.NewCachedEnforcer(parse())
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range []*casbin.Enforcer{plain, cached.Enforcer} {
		if _, err := e.AddPolicies(rules); err != nil {
			tb.Fatal(err)
		}
		if _, err := e.AddGroupingPolicy("editor", "role:editor"); err != nil {
			tb.Fatal(err)
		}
	}
	return casbinPair{plain, cached}
}

func (c casbinPair) decide(resource, action string) bool {
	ok, err := c.plain.Enforce("editor", resource, action)
	return ok && err == nil
}

func (c casbinPair) again(resource, action string) bool {
	ok, err := c.cached.Enforce("editor", resource, action)
	return ok && err == nil
}
