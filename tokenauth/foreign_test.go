package tokenauth_test

import (
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// A foreign page whose author holds a token of their own doesn't act as the guest whose browser it runs in (W-03, L-04):
// the token is attached on purpose, the cookie is not.
func TestForeignPagesWithAToken(t *testing.T) {
	t.Parallel()
	const mallory = "0b7c5d1e9f2a4c6b8d0e3f5a7c9b1d2e4f6a8c0b"
	l := newLab(t, named(tokenauth.Token{Name: "mallory", Token: mallory, Permissions: auth.Permissions{"contents": {"read", "write"}}})).listen()
	l.keepsSecret(mallory)
	visitor := l.loggedIn()
	guest, author := visitor.me().Identity.Username, l.browser().me(bearing(mallory)).Identity.Username
	foreign := map[string]labOption{
		"a same-site page":           with("Sec-Fetch-Site", "same-site"),
		"a cross-site page":          with("Sec-Fetch-Site", "cross-site"),
		"a page by its Origin alone": with("Origin", "http://127.0.0.1:9999"),
		"a page without an origin":   with("Origin", "null"),
	}
	for name, page := range foreign {
		for how, options := range map[string][]labOption{"in the query": {page}, "in the header": {page, bearing(mallory)}} {
			path := "?token=" + mallory
			if len(options) > 1 {
				path = ""
			}
			t.Run(name+", the token "+how, func(t *testing.T) {
				t.Parallel()
				if _, w := visitor.copy().enter("/api/room/demo"+path, options...); w.User["username"] != author {
					t.Errorf("a socket: got %v, want the token's own user %v", w.User["username"], author)
				}
				var got auth.JupyterUser
				if a := visitor.copy().json("PATCH", "/api/me"+path, `{"initials":"M"}`, options...); a.Status == 200 {
					got.Username = a.me(t).Identity.Username
				}
				if got.Username != author {
					t.Errorf("a request: got %q, want the token's own user %v", got.Username, author)
				}
			})
		}
	}
	t.Run("the site's own page does", func(t *testing.T) {
		t.Parallel()
		if _, w := visitor.copy().enter("/api/room/demo?token=" + mallory); w.User["username"] != guest {
			t.Errorf("a socket: got %v, want the guest %v", w.User["username"], guest)
		}
		if got := visitor.copy().me(bearing(mallory), with("Origin")).Identity.Username; got != guest {
			t.Errorf("a request: got %v, want the guest %v", got, guest)
		}
	})
}
