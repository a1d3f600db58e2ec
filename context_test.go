package auth_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/coder/websocket"
	"github.com/ostiary/auth"
)

// The user in the context is what the guard saw, with its names filled in, and nothing in a request can put one there.
func TestContextOfAGuardedHandler(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, guardPeople())
	var seen *http.Request
	p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) { seen = r }}
	p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x", "Test-User", "alice"), 200)
	ctx := seen.Context()
	if user, ok := auth.UserFrom(ctx); !ok || user.Username != "alice" || user.DisplayName != "alice" {
		t.Errorf("UserFrom: got %+v, %t", user, ok)
	}
	if id, ok := auth.IdentityFrom(ctx); !ok || id.ID != "test:alice" || !id.Permissions.Has("contents", "read") {
		t.Errorf("IdentityFrom: got %+v, %t", id, ok)
	}
	if got := auth.CheckedPermissions(ctx); got.String() != "contents:read" {
		t.Errorf("CheckedPermissions: got %v, want contents:read", got)
	}

	t.Run("A-08 a request can't forge a user", func(t *testing.T) {
		t.Parallel()
		r := guardRequest("GET", "/x?boxKey=alice&user=alice", "Auth.boxKey", "alice", "Boxkey", "alice", "User", "alice")
		type boxKey struct{} // of the same name, and another type
		forged := context.WithValue(r.Context(), boxKey{}, ctx)
		refused := &guardProbe{}
		refused.ask(t, a.CurrentUser(nil)(refused), r.WithContext(forged), 401)
		if user, ok := auth.UserFrom(forged); ok {
			t.Errorf("UserFrom: got %+v of a context that no guard made", user)
		}
	})
	t.Run("V-08 without a guard there is nobody, and nothing is held", func(t *testing.T) {
		t.Parallel()
		for _, ctx := range []context.Context{t.Context(), nil} {
			if _, ok := auth.UserFrom(ctx); ok {
				t.Error("UserFrom: got a user")
			}
			if _, ok := auth.IdentityFrom(ctx); ok {
				t.Error("IdentityFrom: got an identity")
			}
			if got := auth.CheckedPermissions(ctx); got != nil || got.Has("contents", "read") {
				t.Errorf("CheckedPermissions: got %v, want nil", got)
			}
			if ok, err := auth.Can(ctx, "contents", "read"); ok || err != nil {
				t.Errorf("Can: got %t, %v, want false, nil", ok, err)
			}
			if auth.IdentifiedBy(ctx, a) || auth.IdentifiedBy(ctx, nil) {
				t.Error("IdentifiedBy: got true")
			}
			if got := auth.LoginURL(ctx) + auth.LogoutURL(ctx); got != "" {
				t.Errorf("LoginURL and LogoutURL: got %q, want nothing", got)
			}
			if _, err := a.UpdateUser(ctx, auth.UserUpdate{}); !errors.Is(err, auth.ErrNoGuard) {
				t.Errorf("X-11 UpdateUser: got %v, want ErrNoGuard", err)
			}
		}
	})
}

// CheckedPermissions behind CurrentUser is the required map: empty, not nil, where any identified user will do.
func TestCheckedPermissionsOfCurrentUser(t *testing.T) {
	t.Parallel()
	all := &auth.Identity{ID: "test:root", User: auth.User{Username: "root"}, Unrestricted: true}
	a := guardNew(t, auth.Config{}, &guardFixed{id: all})
	for _, c := range []struct {
		name       string
		middleware func(http.Handler) http.Handler
		want       auth.Permissions
	}{
		{"what was required", a.CurrentUser(auth.Permissions{"b": {"y", "x"}, "a": {"z"}}), auth.Permissions{"b": {"y", "x"}, "a": {"z"}}},
		{"nothing required", a.CurrentUser(nil), auth.Permissions{}},
		{"a role required", auth.RequireRole(a, "admin"), auth.Permissions{}},
		{"optional user", auth.OptionalUser(a), nil},
		{"by method", auth.RequireByMethod(a, "contents", nil), auth.Permissions{"contents": {"read"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
				got := auth.CheckedPermissions(r.Context())
				if (got == nil) != (c.want == nil) || !maps.EqualFunc(got, c.want, slices.Equal[[]string]) {
					t.Errorf("got %#v, want %#v", got, c.want)
				}
			}}
			p.ask(t, c.middleware(p), guardRequest("GET", "/x"), 200)
		})
	}
}

// TestCheckedPermissionsOfWebSocketAuth is DESIGN §2.4: every required resource is a key, with those of its actions that are
// held, in the order required.
func TestCheckedPermissionsOfWebSocketAuth(t *testing.T) {
	t.Parallel()
	root := guardPerson("root", "")
	root.Unrestricted = true
	a := guardNew(t, auth.Config{}, byHeader(map[string]*auth.Identity{
		"alice": guardPerson("alice", "contents:write,read"), "wild": guardPerson("wild", "ker*:*"), "none": guardPerson("none", ""), "root": root,
	}))
	two := auth.Permissions{"contents": {"read", "delete", "write"}, "kernels": {"run"}}
	for _, c := range []struct {
		name, user string
		required   auth.Permissions
		want       auth.Permissions // nil: refused
	}{
		{"JV38 (root's half): some of one resource, none of another", "alice", two, auth.Permissions{"contents": {"read", "write"}, "kernels": {}}},
		{"by a prefix", "wild", two, auth.Permissions{"contents": {}, "kernels": {"run"}}},
		{"JS70 (root's half): unrestricted holds all of them", "root", two, two},
		{"required nil: empty, not nil", "none", nil, auth.Permissions{}},
		{"none of them is a refusal", "none", two, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checked := make(chan auth.Permissions, 1)
			site := wsServe(t, wsOptions{auth: a, required: c.required, any: true, handler: func(w http.ResponseWriter, r *http.Request) {
				checked <- auth.CheckedPermissions(r.Context())
				wsGreet(w, r)
			}})
			if c.want == nil {
				site.wantClose(t, wsHandshake("/", "Test-User: "+c.user), websocket.StatusPolicyViolation)
				return
			}
			site.wantOpen(t, wsHandshake("/", "Test-User: "+c.user))
			if got := <-checked; got == nil || !maps.EqualFunc(got, c.want, slices.Equal[[]string]) {
				t.Errorf("got %#v, want %#v", got, c.want)
			}
		})
	}
}

// what a handler gets is its own. Whatever it does to it, the next decision is as before.
func TestHandlersCannotWidenAGrant(t *testing.T) {
	t.Parallel()
	plain := guardPerson("alice", "contents:read")
	withRoles := guardPerson("alice", "contents:read")
	withRoles.Roles = []string{"reader", "unknown"}
	_, withSession := newMemorySession(*withRoles)
	widen := func(id auth.Identity) {
		for resource := range id.Permissions {
			id.Permissions[resource][0] = "*"
		}
		id.Permissions["admin"] = []string{"*"}
		for i := range id.Roles {
			id.Roles[i] = "admin"
		}
		id.Unrestricted, id.User.Username = true, "root"
	}
	for name, id := range map[string]*auth.Identity{"plain": plain, "with roles": withRoles, "with a session": withSession} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := auth.Config{Roles: map[string]auth.Role{"reader": {Permissions: auth.Permissions{"kernels": {"read"}}}}}
			a := guardNew(t, cfg, &guardFixed{id: id})
			p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
				id, _ := auth.IdentityFrom(r.Context())
				if id.Session != nil {
					t.Error("the copy holds the session, whose Current is the shared original")
				}
				widen(id)
				checked := auth.CheckedPermissions(r.Context())
				checked["contents"][0], checked["admin"] = "write", []string{"*"}
				if again := auth.CheckedPermissions(r.Context()); again.String() != "contents:read" {
					t.Errorf("CheckedPermissions: got %v after a change of an earlier answer, want contents:read", again)
				}
				if again, _ := auth.IdentityFrom(r.Context()); again.Permissions.Has("admin", "read") || again.Unrestricted || again.User.Username != "alice" {
					t.Errorf("IdentityFrom: got %+v after a change of an earlier answer", again)
				}
			}}
			p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x"), 200)
			p = &guardProbe{}
			p.ask(t, auth.RequireFunc(a, func(_ *http.Request, id auth.Identity) (bool, error) {
				widen(id)
				return true, nil
			})(p), guardRequest("GET", "/x"), 200)

			p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x"), 200)
			for _, need := range []auth.Permissions{{"contents": {"write"}}, {"admin": {"read"}}, {"kernels": {"write"}}} {
				p.ask(t, a.CurrentUser(need)(p), guardRequest("GET", "/x"), 403)
			}
			p.ask(t, auth.RequireRole(a, "admin")(p), guardRequest("GET", "/x"), 403)
		})
	}
}

// What a handler sees of its caller follows the session: DESIGN §2.7, "inside, Can and IdentityFrom use Current".
func TestContextFollowsTheSession(t *testing.T) {
	t.Parallel()
	session, alice := newMemorySession(*guardPerson("alice", "contents:read"))
	store := &meStore{}
	store.Backend = byHeader(map[string]*auth.Identity{"alice": alice})
	a := guardNew(t, auth.Config{}, store)
	p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if ok, err := auth.Can(ctx, "contents", "write"); ok || err != nil {
			t.Errorf("Can: got %t, %v before the grant, want false", ok, err)
		}
		session.change(func(id *auth.Identity) {
			id.Permissions = auth.Permissions{"contents": {"write"}}
			id.User.Name = "Alice"
		})
		if ok, err := auth.Can(ctx, "contents", "write"); !ok || err != nil {
			t.Errorf("Can: got %t, %v after the grant, want true", ok, err)
		}
		if ok, err := auth.Can(ctx, "contents", "read"); ok || err != nil {
			t.Errorf("Can: got %t, %v after the loss, want false", ok, err)
		}
		if user, _ := auth.UserFrom(ctx); user.DisplayName != "Alice" {
			t.Errorf("UserFrom: got %+v, want the new name", user)
		}
		if id, _ := auth.IdentityFrom(ctx); !id.Permissions.Has("contents", "write") {
			t.Errorf("IdentityFrom: got %v, want the new grant", id.Permissions)
		}
		session.End(auth.ErrSessionEnded)
		if ok, err := auth.Can(ctx, "contents", "write"); ok || !errors.Is(err, auth.ErrSessionEnded) {
			t.Errorf("Can: got %t, %v after the end, want ErrSessionEnded", ok, err)
		}
		if _, ok := auth.UserFrom(ctx); ok {
			t.Error("UserFrom: got a user after the end")
		}
		if _, ok := auth.IdentityFrom(ctx); ok {
			t.Error("IdentityFrom: got an identity after the end")
		}
		if _, err := a.UpdateUser(ctx, auth.UserUpdate{Name: ptr("x")}); !errors.Is(err, auth.ErrSessionEnded) {
			t.Errorf("UpdateUser: got %v after the end, want ErrSessionEnded", err)
		}
		if n := store.calls.Load(); n != 0 {
			t.Errorf("UpdateUser: got %d calls of StoreProfile after the end, want 0", n)
		}
	}}
	p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x", "Test-User", "alice"), 200)
	p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x", "Test-User", "alice"), 401)

	t.Run("an outage leaves the name to show, and decides nothing", func(t *testing.T) {
		t.Parallel()
		session, alice := newMemorySession(*guardPerson("alice", "contents:read"))
		a := guardNew(t, auth.Config{}, byHeader(map[string]*auth.Identity{"alice": alice}))
		p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
			session.End(auth.ErrUnavailable)
			if user, ok := auth.UserFrom(r.Context()); !ok || user.Username != "alice" {
				t.Errorf("UserFrom: got %+v, %t, want alice", user, ok)
			}
			if ok, err := auth.Can(r.Context(), "contents", "read"); ok || !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("Can: got %t, %v, want ErrUnavailable", ok, err)
			}
		}}
		p.ask(t, a.CurrentUser(guardReads)(p), guardRequest("GET", "/x", "Test-User", "alice"), 200)
	})
}
