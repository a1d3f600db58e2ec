package auth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth"
)

// requirePeople are callers with roles. The role table below knows A and reader.
func requirePeople() auth.Backend {
	person := func(name string, roles ...string) *auth.Identity {
		id := guardPerson(name, "")
		id.Roles = roles
		return id
	}
	root := guardPerson("root", "")
	root.Unrestricted = true
	star := guardPerson("star", "*:*")
	return byHeader(map[string]*auth.Identity{
		"a": person("a", "A"), "b": person("b", "B"), "c": person("c", "C"), "ac": person("ac", "C", "A"),
		"lower": person("lower", "a"), "comma": person("comma", "A,B"), "none": person("none"),
		"reader": person("reader", "unknown", "reader"), "root": root, "star": star,
	})
}

func TestRequireRole(t *testing.T) {
	t.Parallel()
	cfg := auth.Config{Roles: map[string]auth.Role{"A": {Permissions: auth.Permissions{"contents": {"read"}}}}}
	a := guardNew(t, cfg, requirePeople())
	names := []string{"A", "B"}
	middleware := auth.RequireRole(a, names...)
	names[0] = "C" // V-07: copied
	for _, c := range []struct {
		name, user string
		want       int
	}{
		{"ZA17 (root's half): who has one of the roles, which the table doesn't know", "b", 200},
		{"ZA17 (root's half): who has the other role", "a", 200},
		{"ZA17 (root's half): who has another role", "c", 403},
		{"ZA17 (root's half): anon", "", 401},
		{"one role of several is enough", "ac", 200},
		{"unrestricted", "root", 200},
		{"every permission is no role", "star", 403},
		{"a role's name is compared exactly", "lower", 403},
		{"a role's name is never split at commas", "comma", 403},
		{"no role", "none", 403},
		{"a wrong credential", "mallory", 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := guardRequest("GET", "/x")
			if c.user != "" {
				r.Header.Set("Test-User", c.user)
			}
			p := &guardProbe{}
			p.ask(t, middleware(p), r, c.want)
		})
	}
}

func TestRequireFunc(t *testing.T) {
	t.Parallel()
	cfg := auth.Config{Roles: map[string]auth.Role{"reader": {Permissions: auth.Permissions{"contents": {"read"}}}}}
	a := guardNew(t, cfg, requirePeople())
	var asked atomic.Int64
	p := &guardProbe{}
	h := auth.RequireFunc(a, func(r *http.Request, id auth.Identity) (bool, error) {
		asked.Add(1)
		if r.URL.Path == "/down" {
			return true, errors.New("SELECT * FROM secrets: connection refused")
		}
		return id.Permissions.Has("contents", "read"), nil
	})(p)
	p.ask(t, h, guardRequest("GET", "/x", "Test-User", "reader"), 200) // ZA02: sees what the roles hold
	p.ask(t, h, guardRequest("GET", "/x", "Test-User", "none"), 403)
	resp := p.ask(t, h, guardRequest("GET", "/down", "Test-User", "reader"), 503)
	if body := guardBody(t, resp); strings.Contains(body, "secrets") {
		t.Errorf("A-29 got body %q", body)
	}
	before := asked.Load()
	p.ask(t, h, guardRequest("GET", "/x"), 401)
	p.ask(t, h, guardRequest("GET", "/x", "Test-User", "mallory"), 401)
	p.ask(t, h, guardRequest("PUT", "/x", "Test-User", "reader", "Sec-Fetch-Site", "cross-site"), 403)
	if got := asked.Load() - before; got != 0 {
		t.Errorf("ZA03 (root's half): the predicate was asked %d times about who isn't known or comes from a foreign page, want 0", got)
	}
}

func TestRequireByMethod(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, byHeader(map[string]*auth.Identity{
		"reader": guardPerson("reader", "contents:read"), "writer": guardPerson("writer", "contents:write"),
		"deleter": guardPerson("deleter", "contents:delete"), "all": guardPerson("all", "contents:*"), "none": guardPerson("none", ""),
	}))
	custom := auth.MethodActions{"GET": "list", "PROPFIND": "read"}
	byDefault, byOwn := auth.RequireByMethod(a, "contents", nil), auth.RequireByMethod(a, "contents", custom)
	custom["GET"], custom["PUT"] = "read", "write" // V-07: copied
	for _, c := range []struct {
		name       string
		middleware func(http.Handler) http.Handler
		methods    string
		allowed    string // users, besides all
	}{
		{"GET, HEAD and OPTIONS read", byDefault, "GET HEAD OPTIONS", "reader"},
		{"POST, PUT and PATCH write", byDefault, "POST PUT PATCH", "writer"},
		{"DELETE deletes", byDefault, "DELETE", "deleter"},
		{"A-16 a method that isn't there is refused", byDefault, "PROPFIND GETX CONNECT TRACE get", "-"},
		{"an own table decides", byOwn, "PROPFIND", "reader"},
		{"an own table decides alone", byOwn, "PUT DELETE HEAD", "-"},
		{"an own action", byOwn, "GET", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{}
			h := c.middleware(p)
			for method := range strings.FieldsSeq(c.methods) {
				for _, user := range []string{"all", "reader", "writer", "deleter", "none"} {
					want := 403
					if user == c.allowed || user == "all" && c.allowed != "-" {
						want = 200
					}
					p.ask(t, h, guardRequest(method, "/x", "Test-User", user), want)
				}
				p.ask(t, h, guardRequest(method, "/x"), 401)
			}
		})
	}
}

// a stream's session is checked on a goroutine of the guard's. A predicate that panics there ends the stream, not the
// process.
func TestPanicWhileAStreamIsChecked(t *testing.T) {
	t.Parallel()
	session, alice := newMemorySession(*guardPerson("alice", ""))
	a := guardNew(t, auth.Config{OutageGrace: -1}, byHeader(map[string]*auth.Identity{"alice": alice}))
	p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
		ctx, stop := auth.Live(r.Context())
		defer stop()
		session.change(func(id *auth.Identity) { id.User.Name = "Alice" })
		<-ctx.Done()
		if got := context.Cause(ctx); !errors.Is(got, auth.ErrUnavailable) {
			t.Errorf("got cause %v, want ErrUnavailable", got)
		}
	}}
	h := auth.RequireFunc(a, func(_ *http.Request, id auth.Identity) (bool, error) {
		if id.User.Name == "Alice" {
			panic("x")
		}
		return true, nil
	})(p)
	p.ask(t, h, guardRequest("GET", "/x", "Test-User", "alice"), 200)
}

// What can't be meant panics while routes are wired.
func TestRequirementsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, guardPeople())
	h := http.NotFoundHandler()
	for _, c := range []struct {
		name  string
		build func()
	}{
		{"no role", func() { auth.RequireRole(a) }},
		{"an empty role", func() { auth.RequireRole(a, "admin", "") }},
		{"no function", func() { auth.RequireFunc(a, nil) }},
		{"no methods", func() { auth.RequireByMethod(a, "contents", auth.MethodActions{}) }},
		{"no resource", func() { auth.RequireByMethod(a, "", nil) }},
		{"a wildcard resource", func() { auth.RequireByMethod(a, "contents/*", nil) }},
		{"an empty action", func() { auth.RequireByMethod(a, "contents", auth.MethodActions{"GET": ""}) }},
		{"every action", func() { auth.RequireByMethod(a, "contents", auth.MethodActions{"GET": "*"}) }},
		{"V-08 no handler", func() { a.CurrentUser(nil)(nil) }},
		{"V-08 no handler by method", func() { auth.RequireByMethod(a, "contents", nil)(nil) }},
		{"V-08 no handler for a socket", func() { a.WebSocketAuth(nil)(nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !panics(c.build) {
				t.Error("got no panic")
			}
		})
	}
	for _, build := range []func(){func() { auth.RequireRole(a, "admin")(h) }, func() { auth.RequireByMethod(a, "contents", nil)(h) }} {
		if panics(build) {
			t.Error("got a panic for a requirement that can be meant")
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return
}

// askedAuthorizer is an Authorizer that a test decides.
type askedAuthorizer func(ctx context.Context, id *auth.Identity, resource, action string) (bool, error)

func (f askedAuthorizer) Authorize(ctx context.Context, id *auth.Identity, resource, action string) (bool, error) {
	return f(ctx, id, resource, action)
}

// JS62: the handler waits for the answer; when the client leaves meanwhile, the question is called off.
func TestSlowAuthorizer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		called := make(chan error, 1)
		answered := false
		a := guardNew(t, auth.Config{Authorizer: askedAuthorizer(func(ctx context.Context, _ *auth.Identity, _, _ string) (bool, error) {
			timer := time.NewTimer(500 * time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
				answered = true
				return true, nil
			case <-ctx.Done():
				called <- ctx.Err()
				return true, nil // as if it hadn't looked at ctx
			}
		})}, guardPeople())
		p := &guardProbe{do: func(http.ResponseWriter, *http.Request) {
			if !answered {
				t.Error("JS62 the handler ran before the answer")
			}
		}}
		h := a.CurrentUser(guardReads)(p)
		p.ask(t, h, guardRequest("GET", "/x", "Test-User", "alice"), 200)

		ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer leave()
		h.ServeHTTP(httptest.NewRecorder(), guardRequest("GET", "/x", "Test-User", "alice").WithContext(ctx))
		if got := p.calls.Load(); got != 1 {
			t.Errorf("JS62 got %d calls of the handler, want 1: none for the client that left", got)
		}
		select {
		case err := <-called:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("JS62 got %v", err)
			}
		default:
			t.Error("JS62 the Authorizer's context didn't end with the client")
		}
	})
}

func TestAuthorizer(t *testing.T) {
	t.Parallel()
	roles := map[string]auth.Role{"reader": {Permissions: auth.Permissions{"contents": {"read"}}}}
	ask := func(t *testing.T, f askedAuthorizer, want int) {
		t.Helper()
		p := &guardProbe{}
		a := guardNew(t, auth.Config{Authorizer: f, Roles: roles}, requirePeople())
		p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x", "Test-User", "reader"), want)
	}
	t.Run("a yes is enough, whatever the permission map says", func(t *testing.T) {
		t.Parallel()
		ask(t, func(context.Context, *auth.Identity, string, string) (bool, error) { return true, nil }, 200)
	})
	t.Run("a no is 403", func(t *testing.T) {
		t.Parallel()
		ask(t, func(context.Context, *auth.Identity, string, string) (bool, error) { return false, nil }, 403)
	})
	t.Run("an error is 503, whatever stands beside it", func(t *testing.T) {
		t.Parallel()
		for _, err := range []error{errors.New("down"), auth.ErrUnavailable, auth.ErrNoCredentials, auth.ErrInvalidCredentials, &auth.LimitedError{}} {
			ask(t, func(context.Context, *auth.Identity, string, string) (bool, error) { return true, err }, 503)
		}
	})
	t.Run("ErrForbidden is 403", func(t *testing.T) {
		t.Parallel()
		ask(t, func(context.Context, *auth.Identity, string, string) (bool, error) { return true, auth.ErrForbidden }, 403)
	})
	t.Run("A-20 a panic is a fault, and the process lives", func(t *testing.T) {
		t.Parallel()
		ask(t, func(context.Context, *auth.Identity, string, string) (bool, error) { panic("x") }, 500)
	})
	t.Run("it sees what is asked, and the permissions of the roles", func(t *testing.T) {
		t.Parallel()
		ask(t, func(_ context.Context, id *auth.Identity, resource, action string) (bool, error) {
			if resource != "contents" || action != "read" {
				t.Errorf("got %s:%s, want contents:read", resource, action)
			}
			if id.ID != "test:reader" || id.Permissions.String() != "contents:read" {
				t.Errorf("got %s with %s, want test:reader with contents:read", id.ID, id.Permissions)
			}
			return true, nil
		}, 200)
	})
	t.Run("an unrestricted identity is its own decision", func(t *testing.T) {
		t.Parallel()
		p := &guardProbe{}
		no := askedAuthorizer(func(context.Context, *auth.Identity, string, string) (bool, error) { return false, nil })
		root := guardRequest("GET", "/x", "Test-User", "root")
		p.ask(t, guardNew(t, auth.Config{}, requirePeople()).CurrentUser(guardReads)(p), root, 200)
		p.ask(t, guardNew(t, auth.Config{Authorizer: no}, requirePeople()).CurrentUser(guardReads)(p), root, 403)
	})
	t.Run("AllowAll lets every identified user do everything, and nobody else", func(t *testing.T) {
		t.Parallel()
		p := &guardProbe{}
		a := guardNew(t, auth.Config{Authorizer: auth.AllowAll{}}, requirePeople())
		p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x", "Test-User", "none"), 200)
		p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x"), 401)
		p.ask(t, auth.RequireRole(a, "A")(p), guardRequest("GET", "/x", "Test-User", "none"), 403) // no matter of permissions
	})
	t.Run("it decides inside a handler too", func(t *testing.T) {
		t.Parallel()
		a := guardNew(t, auth.Config{Authorizer: askedAuthorizer(func(_ context.Context, _ *auth.Identity, _, action string) (bool, error) {
			if action == "down" {
				return true, errors.New("down")
			}
			return action == "read", nil
		})}, requirePeople())
		p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
			for action, want := range map[string]bool{"read": true, "write": false, "down": false} {
				if got, err := auth.Can(r.Context(), "contents", action); got != want || (err != nil) != (action == "down") {
					t.Errorf("Can %s: got %t, %v, want %t", action, got, err, want)
				}
			}
		}}
		p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x", "Test-User", "none"), 200)
	})
}

// A role grants what the table says, beside direct grants; one that isn't there grants nothing.
func TestRoleTable(t *testing.T) {
	t.Parallel()
	id := guardPerson("alice", "notes:read")
	id.Roles = []string{"unknown", "reader", "writer", ""}
	plain := guardPerson("bob", "notes:read")
	plain.Roles = []string{"unknown"}
	a := guardNew(t, auth.Config{Roles: map[string]auth.Role{
		"reader": {Permissions: auth.Permissions{"contents": {"read"}, "kernels/*": {"*"}}},
		"writer": {Permissions: auth.Permissions{"contents": {"read", "write"}}},
		"admin":  {Permissions: auth.Permissions{"*": {"*"}}},
	}}, byHeader(map[string]*auth.Identity{"alice": id, "bob": plain}))
	for _, c := range []struct {
		name       string
		need       auth.Permissions
		alice, bob int
	}{
		{"ZA02 (root's half): a direct grant and a role's count alike", auth.Permissions{"notes": {"read"}, "contents": {"read", "write"}}, 200, 403},
		{"a direct grant alone", auth.Permissions{"notes": {"read"}}, 200, 200},
		{"a role's wildcard", auth.Permissions{"kernels/7": {"kill"}}, 200, 403},
		{"what no role of hers holds", auth.Permissions{"contents": {"delete"}}, 403, 403},
		{"what only a role of others holds", auth.Permissions{"admin": {"read"}}, 403, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{}
			h := a.CurrentUser(c.need)(p)
			p.ask(t, h, guardRequest("GET", "/x", "Test-User", "alice"), c.alice)
			p.ask(t, h, guardRequest("GET", "/x", "Test-User", "bob"), c.bob)
		})
	}
	t.Run("ZA12 IdentityFrom names each action once", func(t *testing.T) {
		t.Parallel()
		p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
			id, _ := auth.IdentityFrom(r.Context())
			if got, want := id.Permissions.String(), "contents:read,write kernels/*:* notes:read"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}}
		p.ask(t, a.CurrentUser(nil)(p), guardRequest("GET", "/x", "Test-User", "alice"), 200)
		if got := id.Permissions.String(); got != "notes:read" {
			t.Errorf("X-12 the shared identity holds %q now", got)
		}
	})
}
