package auth_test

import (
	"testing"

	"github.com/ostiary/auth"
)

// What a backend may hand on of an identity is what the guard in force finds in it: the chain's, once there is one.
func TestHeld(t *testing.T) {
	t.Parallel()
	roles := func(actions ...string) auth.Config {
		return auth.Config{Roles: map[string]auth.Role{"editor": {Permissions: auth.Permissions{"contents": actions}}}}
	}
	id := &auth.Identity{ID: "user:1", Permissions: auth.Permissions{"contents": {"read"}}, Roles: []string{"editor", "unknown"}}
	own := newChainPlugin(t, roles("write", "delete"), "X-One", "")
	held := func(a auth.Auth, id *auth.Identity) string { return auth.Held(a, id).String() }
	if got := held(own, id); got != "contents:delete,read,write" {
		t.Errorf("alone: got %q", got)
	}
	if got := held(own, &auth.Identity{Permissions: auth.Permissions{"a": {"b"}}}); got != "a:b" {
		t.Errorf("without roles: got %q", got)
	}
	if got := id.Permissions.String(); got != "contents:read" {
		t.Errorf("the identity holds %q now", got)
	}
	guardNew(t, roles("write"), own)
	if got := held(own, id); got != "contents:read,write" {
		t.Errorf("in a chain: got %q", got)
	}
}
