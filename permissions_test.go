package auth_test

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
)

func TestHas(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name             string
		grant            auth.Permissions
		resource, action string
		want             bool
	}{
		{"the same", auth.Permissions{"contents": {"read"}}, "contents", "read", true},
		{"one of several", auth.Permissions{"contents": {"write", "read"}, "x": {"y"}}, "contents", "read", true},
		{"another action", auth.Permissions{"contents": {"read"}}, "contents", "write", false},
		{"another resource", auth.Permissions{"contents": {"read"}}, "kernels", "read", false},
		{"nothing granted", nil, "contents", "read", false},
		{"a resource without actions", auth.Permissions{"contents": nil}, "contents", "read", false},

		{"A-04 a longer action", auth.Permissions{"contents": {"read"}}, "contents", "read:all", false},
		{"A-04 another case", auth.Permissions{"contents": {"read"}}, "contents", "Read", false},
		{"A-04 a shorter action", auth.Permissions{"contents": {"read"}}, "contents", "rea", false},
		{"A-04 a blank behind it", auth.Permissions{"contents": {"read"}}, "contents", "read ", false},
		{"A-04 a star that is asked", auth.Permissions{"contents": {"read"}}, "contents", "*", false},
		{"A-04 two actions in one", auth.Permissions{"contents": {"read"}}, "contents", "read,admin", false},
		{"A-04 one action of two in one stored value", auth.Permissions{"contents": {"read,admin"}}, "contents", "admin", false},
		{"A-04 a Unicode twin", auth.Permissions{"contents": {"read"}}, "contents", "re\u0430d", false},
		{"A-04 another normal form", auth.Permissions{"caf\u00e9": {"read"}}, "cafe\u0301", "read", false},
		{"A-04 a resource in another case", auth.Permissions{"contents": {"read"}}, "Contents", "read", false},
		{"A-04 a resource's path in another spelling", auth.Permissions{"contents/a": {"read"}}, "contents/./a", "read", false},

		{"every action", auth.Permissions{"contents": {"*"}}, "contents", "delete", true},
		{"every action of another resource", auth.Permissions{"contents": {"*"}}, "kernels", "read", false},
		{"A-04 a prefix covers what begins with it", auth.Permissions{"contents/*": {"read"}}, "contents/a", "read", true},
		{"a prefix covers what lies deeper", auth.Permissions{"contents/*": {"read"}}, "contents/a/b", "read", true},
		{"A-04 a prefix doesn't cover what precedes its slash", auth.Permissions{"contents/*": {"read"}}, "contents", "read", false},
		{"a prefix covers itself", auth.Permissions{"contents/*": {"read"}}, "contents/", "read", true},
		{"a prefix without a slash covers the name itself", auth.Permissions{"contents*": {"read"}}, "contents", "read", true},
		{"a prefix without a slash covers longer names", auth.Permissions{"contents*": {"read"}}, "contentsx", "read", true},
		{"a prefix grants its own actions only", auth.Permissions{"contents/*": {"read"}}, "contents/a", "write", false},
		{"a shorter prefix counts beside an exact grant", auth.Permissions{"contents/a": {"read"}, "con*": {"write"}}, "contents/a", "write", true},
		{"JS78 everything", auth.Permissions{"*": {"*"}}, "contents", "write", true},
		{"one action on everything", auth.Permissions{"*": {"read"}}, "contents", "write", false},
		{"A-04 a star in the middle is only a character", auth.Permissions{"con*ts": {"read"}}, "contents", "read", false},
		{"a star at the front is only a character", auth.Permissions{"*/contents": {"read"}}, "a/contents", "read", false},
		{"a star in an action is only a character", auth.Permissions{"contents": {"re*"}}, "contents", "read", false},
		{"two stars are a prefix that ends in one", auth.Permissions{"contents**": {"read"}}, "contents/a", "read", false},

		{"A-02 an empty action is never held", auth.Permissions{"*": {"*", ""}}, "contents", "", false},
		{"A-02 an empty resource is never held", auth.Permissions{"*": {"*"}, "": {"*"}}, "", "read", false},
		{"an empty resource that was granted is no prefix", auth.Permissions{"": {"*"}}, "contents", "read", false},

		{"a long resource", auth.Permissions{long: {"read"}}, long, "read", true},
		{"a long resource by its prefix", auth.Permissions{long[:200] + "*": {"read"}}, long, "read", true},
		{"a long resource by everything", auth.Permissions{"*": {"read"}}, long, "read", true},
		{"a long resource by a longer prefix", auth.Permissions{long + "x*": {"read"}}, long, "read", false},
		{"a long resource by a prefix with another action", auth.Permissions{"x*": {"write"}}, long, "read", false},
		{"a long resource by a shorter name without a star", auth.Permissions{"x": {"read"}}, long, "read", false},
		{"127 bytes", auth.Permissions{"x*": {"read"}}, long[:127], "read", true},
		{"128 bytes", auth.Permissions{"x*": {"read"}}, long[:128], "read", true},
		{"129 bytes", auth.Permissions{long[:129] + "*": {"read"}}, long[:129], "read", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.grant.Has(c.resource, c.action); got != c.want {
				t.Errorf("%v.Has(%q, %q) = %t, want %t", c.grant, c.resource, c.action, got, c.want)
			}
		})
	}
}

// A client may ask /api/me for resources of any length and many actions at once: a decision must not take longer than
// the grants are many, squared least of all.
func TestHasOfALongResourceIsCheap(t *testing.T) {
	t.Parallel()
	grant := auth.Permissions{}
	for i := range 1000 {
		grant["resource"+strings.Repeat("x", i%20)+string(rune('a'+i%26))] = []string{"read"}
	}
	resource := strings.Repeat("x", 1<<20)
	start := time.Now()
	if grant.Has(resource, "read") {
		t.Error("got true")
	}
	// A million prefixes of half a megabyte each would take minutes; this takes milliseconds.
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

// A-03, JV40, ZA01: a requirement that can't be meant panics when the route is built, for HTTP and WebSocket alike.
func TestRequirements(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, guardPeople())
	for _, c := range []struct {
		name     string
		required auth.Permissions
		panics   bool
	}{
		{"ZA01 A-02 nil asks for any identified user", nil, false},
		{"one permission", auth.Permissions{"contents": {"read"}}, false},
		{"several", auth.Permissions{"contents": {"read", "write"}, "kernels": {"read"}}, false},
		{"the same action on two resources", auth.Permissions{"a": {"read"}, "b": {"read"}}, false},
		{"JV40 A-02 the empty map", auth.Permissions{}, true},
		{"ZA01 an empty resource", auth.Permissions{"": {"read"}}, true},
		{"ZA01 A-02 an empty action", auth.Permissions{"contents": {""}}, true},
		{"an empty action beside another", auth.Permissions{"contents": {"read", ""}}, true},
		{"a resource with no actions", auth.Permissions{"contents": {}}, true},
		{"a resource with nil actions beside another", auth.Permissions{"contents": {"read"}, "x": nil}, true},
		{"A-03 a doubled action", auth.Permissions{"contents": {"a", "a", "b"}}, true},
		{"A-03 a doubled action apart", auth.Permissions{"contents": {"a", "b", "a"}}, true},
		{"A-04 every action", auth.Permissions{"contents": {"*"}}, true},
		{"a star in an action", auth.Permissions{"contents": {"re*"}}, true},
		{"a prefix", auth.Permissions{"contents/*": {"read"}}, true},
		{"everything", auth.Permissions{"*": {"read"}}, true},
		{"a star in a resource", auth.Permissions{"con*ts": {"read"}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for kind, build := range map[string]func(auth.Permissions) func(http.Handler) http.Handler{"CurrentUser": a.CurrentUser, "WebSocketAuth": a.WebSocketAuth} {
				if got := panics(func() { build(c.required) }); got != c.panics {
					t.Errorf("%s: got panic %t, want %t", kind, got, c.panics)
				}
			}
		})
	}
}

// a requirement of an odd name is no mistake that the guard can see. It matches exactly that name, or nothing.
func TestRequirementsMatchExactly(t *testing.T) {
	t.Parallel()
	odd := &auth.Identity{ID: "test:odd", User: auth.User{Username: "odd"}, Permissions: auth.Permissions{"contents": {"read", "read,admin"}}}
	a := guardNew(t, auth.Config{}, byHeader(map[string]*auth.Identity{"alice": guardPerson("alice", "contents:read"), "odd": odd}))
	p := &guardProbe{}
	p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x", "Test-User", "alice"), 200)
	for _, action := range []string{"read:all", "Read", "rea", "read ", "read,admin", "admin", "re\u0430d", "read\n", "read\x00", "\xff"} {
		p.ask(t, a.CurrentUser(auth.Permissions{"contents": {action}})(p), guardRequest("GET", "/x", "Test-User", "alice"), 403)
	}
	for _, resource := range []string{"Contents", "contents ", "contents/", "content", "contents:read"} {
		p.ask(t, a.CurrentUser(auth.Permissions{resource: {"read"}})(p), guardRequest("GET", "/x", "Test-User", "alice"), 403)
	}
	p.ask(t, a.CurrentUser(auth.Permissions{"contents": {"read,admin"}})(p), guardRequest("GET", "/x", "Test-User", "odd"), 200)
	p.ask(t, a.CurrentUser(auth.Permissions{"contents": {"admin"}})(p), guardRequest("GET", "/x", "Test-User", "odd"), 403)
}

// V-07: what is done to a required map after the guard was built has no effect on it.
func TestRequiredMapIsCopied(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, guardPeople())
	required := auth.Permissions{"contents": {"read"}, "kernels": {"read"}}
	m := a.CurrentUser(required)
	required["contents"][0] = "write"
	delete(required, "kernels")
	clear(required)
	p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
		if got := auth.CheckedPermissions(r.Context()).String(); got != "contents:read kernels:read" {
			t.Errorf("got %q checked, want what was required when the guard was built", got)
		}
	}}
	p.ask(t, m(p), guardRequest("GET", "/x", "Test-User", "alice"), 403)
	all := &auth.Identity{ID: "test:all", User: auth.User{Username: "all"}, Permissions: auth.Permissions{"contents": {"read"}, "kernels": {"read"}}}
	b := guardNew(t, auth.Config{}, &guardFixed{id: all})
	required = auth.Permissions{"contents": {"read"}, "kernels": {"read"}}
	m = b.CurrentUser(required)
	required["contents"][0], required["admin"] = "write", []string{"write"}
	p.ask(t, m(p), guardRequest("GET", "/x"), 200)
}

func TestValidateGrants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		grant auth.Permissions
		bad   string // what the error names; empty: none
	}{
		{"nil", nil, ""},
		{"the empty map", auth.Permissions{}, ""},
		{"a resource without actions", auth.Permissions{"contents": {}}, ""},
		{"plain names", auth.Permissions{"contents": {"read", "write"}}, ""},
		{"a path, a colon and other scripts", auth.Permissions{"urn:x/ä/書": {"lesen", "読む"}}, ""},
		{"every action", auth.Permissions{"contents": {"*"}}, ""},
		{"a prefix", auth.Permissions{"contents/*": {"read"}}, ""},
		{"everything", auth.Permissions{"*": {"*"}}, ""},
		{"A-04 a star in the middle", auth.Permissions{"con*ts": {"read"}}, "con*ts"},
		{"a star at the front", auth.Permissions{"*/contents": {"read"}}, "*/contents"},
		{"two stars", auth.Permissions{"contents/**": {"read"}}, "contents/**"},
		{"two stars alone", auth.Permissions{"**": {"read"}}, "**"},
		{"a star in an action", auth.Permissions{"contents": {"re*"}}, "re*"},
		{"ZA10 (root's half): an empty resource", auth.Permissions{"": {"read"}}, "resource"},
		{"ZA10 (root's half): an empty action", auth.Permissions{"contents": {""}}, "action"},
		{"A-05 a comma", auth.Permissions{"contents": {"read,admin"}}, "read,admin"},
		{"A-05 a comma in a resource", auth.Permissions{"a,b": {"read"}}, "a,b"},
		{"A-05 a newline", auth.Permissions{"contents": {"read\nadmin"}}, "read"},
		{"A-05 NUL", auth.Permissions{"contents\x00": {"read"}}, "contents"},
		{"A-05 a blank", auth.Permissions{"a b": {"read"}}, "a b"},
		{"a colon in an action", auth.Permissions{"contents": {"read:all"}}, "read:all"},
		{"no UTF-8", auth.Permissions{"contents": {"\xff"}}, "contents"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.grant.Validate()
			if (err != nil) != (c.bad != "") {
				t.Fatalf("got error %v, want one: %t", err, c.bad != "")
			}
			if err != nil && !strings.Contains(err.Error(), c.bad) {
				t.Errorf("got error %q, which doesn't name %q", err, c.bad)
			}
		})
	}
}

func TestParsePermissions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       auth.Permissions // nil: an error
		again      string           // String of the result
	}{
		{"one", "contents:read", auth.Permissions{"contents": {"read"}}, "contents:read"},
		{"two actions", "contents:read,write", auth.Permissions{"contents": {"read", "write"}}, "contents:read,write"},
		{"two resources", "kernels:*  contents:write,read\n", auth.Permissions{"kernels": {"*"}, "contents": {"write", "read"}}, "contents:read,write kernels:*"},
		{"the same resource twice", "a:read a:write,read", auth.Permissions{"a": {"read", "write"}}, "a:read,write"},
		{"the same action twice", "a:read,read", auth.Permissions{"a": {"read"}}, "a:read"},
		{"a colon in a resource", "urn:x:read", auth.Permissions{"urn:x": {"read"}}, "urn:x:read"},
		{"A-05 a quote and a bracket", `a"]:b"]`, auth.Permissions{`a"]`: {`b"]`}}, `a"]:b"]`},
		{"wildcards", "*:* a/*:read", auth.Permissions{"*": {"*"}, "a/*": {"read"}}, "*:* a/*:read"},
		{"the empty text", "", auth.Permissions{}, ""},
		{"white space", " \t\n", auth.Permissions{}, ""},
		{"no colon", "contents", nil, ""},
		{"no action", "contents:", nil, ""},
		{"no resource", ":read", nil, ""},
		{"an empty action between commas", "contents:read,,write", nil, ""},
		{"a comma at the end", "contents:read,", nil, ""},
		{"a comma in the resource", "a,b:read", nil, ""},
		{"a blank behind the comma", "contents:read, write", nil, ""},
		{"a star in the middle", "con*ts:read", nil, ""},
		{"a control character", "contents:re\x00ad", nil, ""},
		{"no UTF-8", "contents:\xff", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := auth.ParsePermissions(c.text)
			if (err != nil) != (c.want == nil) {
				t.Fatalf("got %v, %v, want %v", got, err, c.want)
			}
			if err != nil {
				if got != nil {
					t.Errorf("got %v beside an error", got)
				}
				return
			}
			if !maps.EqualFunc(got, c.want, slices.Equal[[]string]) {
				t.Errorf("got %#v, want %#v", got, c.want)
			}
			if got.String() != c.again {
				t.Errorf("String: got %q, want %q", got.String(), c.again)
			}
		})
	}
}

func TestClonePermissions(t *testing.T) {
	t.Parallel()
	if got := auth.Permissions(nil).Clone(); got != nil {
		t.Errorf("got %v of nil, want nil", got)
	}
	p := auth.Permissions{"a": {"read"}, "b": nil}
	c := p.Clone()
	c["a"][0], c["c"] = "write", []string{"*"}
	if p.String() != "a:read" {
		t.Errorf("got %v after a change of the clone", p)
	}
}

// FuzzParsePermissions: what parses is valid, survives the way through String, and holds what it says.
func FuzzParsePermissions(f *testing.F) {
	for _, s := range []string{"contents:read,write kernels:*", "a:b:c", "*:*", "a/*:x", ":", "a:,", "a*b:c", "ä:ß", "\xff:a", "a:b a:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := auth.ParsePermissions(s)
		if err != nil {
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("%q parses to %v, which isn't valid: %v", s, p, err)
		}
		again, err := auth.ParsePermissions(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q: got %q, %v of %q", s, again, err, p)
		}
		for resource, actions := range p {
			for _, action := range actions {
				if !again.Has(resource, action) || !p.Has(resource, action) {
					t.Fatalf("%q doesn't hold %q on %q", p, action, resource)
				}
			}
		}
	})
}

// FuzzHas holds Has against the rule in its plainest form.
func FuzzHas(f *testing.F) {
	f.Add("contents", "read", "contents", "read", uint64(1))
	f.Add("contents/*", "*", "contents/a", "read", uint64(2))
	f.Add("*", "*", "x", "y", uint64(3))
	f.Add("con*ts", "read", "contents", "read", uint64(4))
	f.Add(strings.Repeat("x", 130)+"*", "read", strings.Repeat("x", 140), "read", uint64(5))
	f.Fuzz(func(t *testing.T, granted, grantedAction, resource, action string, seed uint64) {
		// Between others, so that a grant is found among many.
		p := auth.Permissions{"other": {"read"}, "other/*": {"write"}, granted: {"x", grantedAction}}
		random := rand.New(rand.NewPCG(seed, seed))
		for range random.IntN(20) {
			p[string(rune('a'+random.IntN(26)))+"/*"] = []string{"read", "*"}[random.IntN(2):][:1]
		}
		want := false
		for name, actions := range p {
			prefix, wild := strings.CutSuffix(name, "*")
			covered := name == resource || wild && strings.HasPrefix(resource, prefix)
			want = want || covered && (slices.Contains(actions, action) || slices.Contains(actions, "*"))
		}
		want = want && resource != "" && action != ""
		if got := p.Has(resource, action); got != want {
			t.Fatalf("%v.Has(%q, %q) = %t, want %t", p, resource, action, got, want)
		}
	})
}
