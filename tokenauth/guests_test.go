package tokenauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

func (b *labBrowser) patch(body string, options ...labOption) labAnswer {
	return b.json(http.MethodPatch, b.path("/api/me"), body, append([]labOption{with("Sec-Fetch-Site", "same-origin")}, options...)...)
}

// guestFields are the five that a guest can change, as JSON shows them.
func guestFields(u auth.JupyterUser) string {
	text, _ := json.Marshal(u)
	var all map[string]any
	_ = json.Unmarshal(text, &all)
	delete(all, "username")
	text, _ = json.Marshal(all)
	return string(text)
}

func TestGuestProfiles(t *testing.T) {
	t.Parallel()
	t.Run("JS13 a guest's changes come back as they were set", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b, other, api := l.loggedIn(), l.loggedIn(), l.browser()
		before, others := b.me().Identity, other.me().Identity
		if got := b.patch(`{}`); got.Status != http.StatusOK || guestFields(b.me().Identity) != guestFields(before) {
			t.Errorf("{}: got %d %s", got.Status, got.Body)
		}
		b.patch(`{"avatar_url":"https://example.com/a.png"}`)
		got := b.me().Identity
		if got.AvatarURL == nil || *got.AvatarURL != "https://example.com/a.png" || *got.Color != *before.Color || got.Name != before.Name {
			t.Errorf("avatar_url: got %s", guestFields(got))
		}
		all := `{"avatar_url":"/me.png","color":"#123456","display_name":"Ann","initials":"AX","name":"Ann Example"}`
		answer := b.patch(all)
		if guestFields(b.me().Identity) != all || answer.Status != http.StatusOK || len(answer.Cookies) != 0 {
			t.Errorf("all five: got %d, then %s, cookies %v, want %s and none", answer.Status, guestFields(b.me().Identity), answer.Cookies, all)
		}
		var said struct {
			Status   string
			Identity auth.JupyterUser
		}
		if err := json.Unmarshal([]byte(answer.Body), &said); err != nil || said.Status != "success" || guestFields(said.Identity) != all || said.Identity.Username != before.Username {
			t.Errorf("the answer: got %s", answer.Body)
		}
		if got := guestFields(other.me().Identity); got != guestFields(others) {
			t.Errorf("another browser: got %s, want %s", got, guestFields(others))
		}
		if got := api.me(bearing(labToken)).Identity.Name; got == "Ann Example" {
			t.Errorf("API clients are called %s too", got)
		}
		if got := guestFields(b.me(bearing(labToken)).Identity); got != all {
			t.Errorf("with the header too: got %s, want %s", got, all)
		}
	})
	t.Run("API clients of one token have one profile", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, named(tokenauth.Token{Name: "ci", Token: labReader}))
		l.browser().patch(`{"name":"Robot"}`, bearing(labReader))
		if got := l.browser().me(bearing(labReader)).Identity.Name; got != "Robot" {
			t.Errorf("got %q, want Robot", got)
		}
		if got := l.browser().me(bearing(labToken)).Identity.Name; got == "Robot" {
			t.Error("so are those of another token")
		}
		restarted := newLab(t, named(tokenauth.Token{Name: "ci", Token: labReader}))
		if got, want := restarted.browser().me(bearing(labReader)).Identity.Username, l.browser().me(bearing(labReader)).Identity.Username; got != want {
			t.Errorf("after a restart a named token is %s, want %s", got, want)
		}
		if got, before := restarted.browser().me(bearing(labToken)).Identity.Username, l.browser().me(bearing(labToken)).Identity.Username; got == before {
			t.Error("the shared token's user follows from the token alone: a weak one could be guessed from it")
		}
	})
	t.Run("a guest that is pushed out of memory keeps name and colour", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, func(c *tokenauth.Config) { c.Guests = 3 }).listen()
		b, watched := l.loggedIn(), l.loggedIn()
		before := b.me().Identity
		b.patch(`{"name":"Changed"}`)
		watched.patch(`{"name":"Kept"}`)
		watched.enter("/api/room/demo")
		for range 20 {
			l.loggedIn().patch(`{"name":"Other"}`)
		}
		if got := b.me().Identity; guestFields(got) != guestFields(before) || got.Username != before.Username {
			t.Errorf("got %s, want %s", guestFields(got), guestFields(before))
		}
		if got := watched.me().Identity.Name; got != "Kept" {
			t.Errorf("who has a socket open is called %q, want Kept", got)
		}
		if got := tokenauth.GuestsKept(l.auth); got > 4 {
			t.Errorf("%d guests are kept, want 3 and the watched one at most (V-12)", got)
		}
	})
	t.Run("a restart ends the profile with the login", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		b.patch(`{"name":"Changed"}`)
		b.lab = newLab(t)
		labRefused(t, "the cookie", b.get("/"), http.StatusUnauthorized)
	})
	t.Run("a foreign page can't change a profile", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		before := b.me().Identity.Name
		got := b.patch(`{"name":"Evil"}`, with("Sec-Fetch-Site", "cross-site"), with("Content-Type", "text/plain"), with("Origin", "https://evil.example"))
		if got.Status != http.StatusForbidden || b.me().Identity.Name != before {
			t.Errorf("got %d, name %q, want 403 and %q", got.Status, b.me().Identity.Name, before)
		}
	})
}

// X: what can't be changed, or isn't JSON as everybody reads it, changes nothing at all.
func TestProfileUpdatesThatAreRefused(t *testing.T) {
	t.Parallel()
	b := newLab(t, func(c *tokenauth.Config) {
		c.Tokens = []tokenauth.Token{{Name: "reader", Token: labReader, Permissions: auth.Permissions{"contents": {"read"}}}}
	}).loggedIn(labReader)
	b.patch(`{"name":"Before"}`)
	before := b.get(`/api/me?permissions={"contents":["read","write"]}`).Body
	bodies := map[string]int{
		//
		``: 400, `null`: 400, `[]`: 400, `"name"`: 400, `1`: 400, `{"name":"x"}{}`: 400, `{"name":"x"} garbage`: 400, `{"name":"x","name":"y"}`: 400, `{"name":1}`: 400, `{"name":["x"]}`: 400,
		`{"name":{}}`: 400, `{"name":NaN}`: 400, `{"color":1e400}`: 400, "\ufeff{}": 400, "{\"name\":\"\xff\"}": 400, `{"name":"x"/*c*/}`: 400, `{"name":"x",}`: 400, strings.Repeat("[", 10_001): 400,
		`{"name":` + strings.Repeat("[", 10_001) + `}`: 400, `{"name":"` + strings.Repeat("x", 5<<20) + `"}`: 413,
		//
		`{"NAME":"x"}`: 400, `{"name":"x","Name":"y"}`: 400, `{"permi\u017f\u017fions":{}}`: 400, `{"di\u017fplay_name":"x"}`: 400, `{"user":{"permissions":{"*":["*"]}}}`: 400,
		//
		`{"display_name":"` + strings.Repeat("x", 2<<10) + `"}`: 400, `{"initials":"` + strings.Repeat("x", 33) + `"}`: 400, `{"color":"` + strings.Repeat("x", 65) + `"}`: 400, `{"name":"a\u0000b"}`: 400,
		`{"avatar_url":"javascript:alert(1)"}`: 400, `{"avatar_url":"java\tscript:alert(1)"}`: 400, `{"avatar_url":"data:text/html,x"}`: 400,
	}
	for _, field := range []string{
		"permissions", "roles", "is_admin", "username", "id", "ID", "password", "password_hash", "disabled", "email_verified", "created_at", "provider", "sub", "anonymous", "unrestricted", "workspace", "settings",
	} {
		bodies[fmt.Sprintf(`{"name":"x",%q:"x"}`, field)] = 400
	}
	for body, want := range bodies {
		got := b.patch(body)
		if got.Status != want || !strings.Contains(got.Body, `"code"`) {
			t.Errorf("%.100s: got %d %.200s, want %d", body, got.Status, got.Body, want)
		}
		if want == 400 && strings.HasPrefix(body, `{"name":"x","`) && !strings.Contains(body, `"name":"x","name"`) {
			field := strings.Split(body, `"`)[5]
			if !strings.Contains(got.Body, field) {
				t.Errorf("%s: got %s, want a message that names the field", body, got.Body)
			}
		}
		if after := b.get(`/api/me?permissions={"contents":["read","write"]}`).Body; after != before {
			t.Fatalf("%.100s: changed %s into %s", body, before, after)
		}
	}
	if got := b.patch(`{"name":null,"color":null}`); got.Status != http.StatusOK || b.get(`/api/me?permissions={"contents":["read","write"]}`).Body != before {
		t.Errorf("null: got %d %s, want 200 and nothing changed", got.Status, got.Body)
	}
	if got := b.patch(`{"name":"<script>alert(1)</script>"}`); got.Status != http.StatusOK || b.me().Identity.Name != "<script>alert(1)</script>" || strings.Contains(got.Body, "<script>") {
		t.Errorf("markup: got %d %s, want it kept as it is and escaped in JSON", got.Status, got.Body)
	}
}

func TestUpdateUser(t *testing.T) {
	t.Parallel()
	name := "x"
	update := auth.UserUpdate{Name: &name}
	t.Run("X-11 a context that no guard of this Auth made", func(t *testing.T) {
		t.Parallel()
		l, other := newLab(t), newLab(t)
		if _, err := l.auth.UpdateUser(t.Context(), update); !errors.Is(err, auth.ErrNoGuard) {
			t.Errorf("got %v, want %v", err, auth.ErrNoGuard)
		}
		var err error
		l.Handler = l.auth.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err = other.auth.UpdateUser(r.Context(), update)
		}))
		if l.browser().get("/", bearing(labToken)); !errors.Is(err, auth.ErrNoGuard) {
			t.Errorf("another's: got %v, want %v", err, auth.ErrNoGuard)
		}
	})
	t.Run("X-11 a guest who has logged out meanwhile is not made anew", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.loggedIn()
		out := b.copy()
		var err error
		routes := l.Handler
		l.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/update" {
				routes.ServeHTTP(w, r)
				return
			}
			l.auth.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				out.post("/auth/logout", nil)
				_, err = l.auth.UpdateUser(r.Context(), update)
			})).ServeHTTP(w, r)
		})
		if b.get("/update"); !errors.Is(err, auth.ErrSessionEnded) {
			t.Errorf("got %v, want %v", err, auth.ErrSessionEnded)
		}
	})
	t.Run("X-12 what handlers are given can't widen a grant", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, named(tokenauth.Token{Name: "reader", Token: labReader, Permissions: auth.Permissions{"contents": {"read"}}, Roles: []string{"r"}}),
			func(c *tokenauth.Config) {
				c.Auth.Roles = map[string]auth.Role{"r": {Permissions: auth.Permissions{"other": {"read"}}}}
			})
		handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			id, _ := auth.IdentityFrom(r.Context())
			id.Permissions["contents"][0], id.Permissions["other"], id.Unrestricted, id.Roles[0] = "*", []string{"*"}, true, "admin"
			id.Permissions["*"] = []string{"*"}
			checked := auth.CheckedPermissions(r.Context())
			checked["contents"] = []string{"*"}
			for _, p := range [][2]string{{"contents", "write"}, {"other", "write"}, {"x", "y"}} {
				if ok, err := auth.Can(r.Context(), p[0], p[1]); ok || err != nil {
					t.Errorf("%s:%s: got %v, %v, want no", p[0], p[1], ok, err)
				}
			}
			if ok, err := auth.Can(r.Context(), "other", "read"); !ok || err != nil {
				t.Errorf("the role's: got %v, %v, want yes", ok, err)
			}
		})
		l.Handler = l.auth.CurrentUser(auth.Permissions{"contents": {"read"}})(handler)
		for range 2 {
			l.browser().get("/", bearing(labReader))
		}
	})
	t.Run("X-13 the same request and the next one see a change", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.loggedIn()
		var within auth.User
		l.Handler = l.auth.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				if _, err := l.auth.UpdateUser(r.Context(), update); err != nil {
					t.Error(err)
				}
			}
			within, _ = auth.UserFrom(r.Context())
		}))
		if b.do(http.MethodPut, "/", ""); within.Name != "x" {
			t.Errorf("within: got %q, want x", within.Name)
		}
		if b.get("/"); within.Name != "x" {
			t.Errorf("next: got %q, want x", within.Name)
		}
	})
	t.Run("many at once", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.loggedIn()
		var all sync.WaitGroup
		for n := range 50 {
			all.Go(func() {
				field := []string{"name", "display_name", "initials", "avatar_url", "color"}[n%5]
				if got := b.copy().patch(fmt.Sprintf(`{%q:"v%d"}`, field, n%5)); got.Status != http.StatusOK {
					t.Errorf("got %d %s", got.Status, got.Body)
				}
			})
		}
		all.Wait()
		if got, want := guestFields(b.me().Identity), `{"avatar_url":"v3","color":"v4","display_name":"v1","initials":"v2","name":"v0"}`; got != want {
			t.Errorf("got %s, want %s: no field lost", got, want)
		}
	})
}

// Named tokens: what they hold, by themselves and by their roles.
func TestNamedTokens(t *testing.T) {
	t.Parallel()
	token := func(name string, permissions auth.Permissions, roles ...string) tokenauth.Token {
		return tokenauth.Token{Name: name, Token: "token-of-" + name, Permissions: permissions, Roles: roles}
	}
	l := newLab(t, named(
		token("reader", auth.Permissions{"contents": {"read"}}), token("writer", auth.Permissions{"contents": {"read", "write"}}), token("editor", nil, "editor"),
		token("both", auth.Permissions{"contents": {"read"}}, "pen"), token("nothing", nil), token("unknown", nil, "no such role"), token("all", auth.Permissions{"*": {"*"}}),
	), func(c *tokenauth.Config) {
		c.Auth.Roles = map[string]auth.Role{"editor": {Permissions: auth.Permissions{"cont*": {"*"}}}, "pen": {Permissions: auth.Permissions{"contents": {"write"}}}}
	}).listen()
	for name, holds := range map[string]string{"reader": "read", "writer": "read write", "editor": "read write", "both": "read write", "nothing": "", "unknown": "", "all": "read write"} {
		word := "token-of-" + name
		for how, b := range map[string]*labBrowser{"cookie": l.loggedIn(word), "header": l.browser()} {
			options := []labOption{}
			if how == "header" {
				options = append(options, bearing(word))
			}
			label := name + " by " + how
			get, put := b.get("/api/contents/demo", options...), b.json(http.MethodPut, "/api/contents/demo", `{"text":"by `+label+`"}`, options...)
			check := func(action string, got labAnswer) {
				if strings.Contains(holds, action) {
					labAdmitted(t, label+" "+action, got)
				} else {
					labRefused(t, label+" "+action, got, http.StatusForbidden)
				}
			}
			check("read", get)
			check("write", put)
			if got, want := l.note("demo") == "by "+label, strings.Contains(holds, "write"); got != want {
				t.Errorf("%s: the note says %q", label, l.note("demo"))
			}
			labAdmitted(t, label+": any user", b.get("/", options...))
			me := b.get(`/api/me?permissions={"contents":["read","write"]}`, options...).me(t)
			if got := strings.Join(me.Permissions["contents"], " "); got != holds {
				t.Errorf("%s: got %q at api/me, want %q", label, got, holds)
			}
			if holds == "" {
				if code := b.refused("/api/room/demo", options...); code != 1008 {
					t.Errorf("%s: got %d in the room, want 1008", label, code)
				}
				continue
			}
			if _, w := b.enter("/api/room/demo", options...); strings.Join(w.Permissions["contents"], " ") != holds {
				t.Errorf("%s: got %v in the room, want %q", label, w.Permissions, holds)
			}
		}
	}
	t.Run("a role that the shared token's holder is asked for is held", func(t *testing.T) {
		guarded := auth.RequireRole(l.auth, "editor")(labReached(l.page))
		for word, want := range map[string]int{labToken: 200, "token-of-editor": 200, "token-of-all": 403, "token-of-reader": 403} {
			b := l.browser()
			b.lab = &lab{t: t, Handler: guarded}
			if got := b.get("/", bearing(word)); got.Status != want || got.reached() != (want == 200) {
				t.Errorf("%s: got %d, want %d", word, got.Status, want)
			}
		}
	})
	t.Run("expiry, to the moment", func(t *testing.T) {
		t.Parallel()
		clock := newLabClock()
		end := clock.now().Add(3600e9)
		l := newLab(t, clocked(clock), named(tokenauth.Token{Name: "short", Token: labReader, Expires: end}))
		b := l.loggedIn(labReader)
		requests := map[string]func() labAnswer{
			"header": func() labAnswer { return l.browser().get("/", bearing(labReader)) },
			"query":  func() labAnswer { return l.browser().get("/?token=" + labReader) },
			"cookie": func() labAnswer { return b.copy().get("/") },
		}
		clock.advance(3600e9 - 1)
		for name, send := range requests {
			labAdmitted(t, name+", before", send())
		}
		clock.advance(1)
		for name, send := range requests {
			labRefused(t, name+", at the end", send(), http.StatusUnauthorized)
		}
		labNoLogin(t, "login", l.posts(labReader), http.StatusUnauthorized)
		// An expired link is stale, as a wrong one is: no claim.
		labRefused(t, "a link", l.browser().navigate("/?token="+labReader), http.StatusSeeOther)
		labAdmitted(t, "a link in a browser that is logged in", l.loggedIn().get("/?token="+labReader))
		labAdmitted(t, "the shared token", l.browser().get("/", bearing(labToken)))
		unknown, expired := l.browser().get("/", bearing("unknown")), l.browser().get("/", bearing(labReader))
		if fmt.Sprint(unknown) != fmt.Sprint(expired) {
			t.Errorf("an expired token is answered with %v, an unknown one with %v", expired, unknown)
		}
	})
}
