package auth_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ostiary/auth"
)

func TestUserAsJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		user          auth.User
		want, jupyter string
	}{
		{
			"JV14 JS07 (root's half): unset initials, color and avatar_url are null, names fall back",
			auth.User{Username: "bob"},
			`{"username":"bob","name":"bob","display_name":"bob","initials":null,"color":null,"avatar_url":null,"workspace":"","settings":"","anonymous":false}`,
			`{"username":"bob","name":"bob","display_name":"bob","initials":null,"color":null,"avatar_url":null}`,
		},
		{
			"JS02 the display name falls back to the name",
			auth.User{Username: "bob", Name: "Bob B."},
			`{"username":"bob","name":"Bob B.","display_name":"Bob B.","initials":null,"color":null,"avatar_url":null,"workspace":"","settings":"","anonymous":false}`,
			`{"username":"bob","name":"Bob B.","display_name":"Bob B.","initials":null,"color":null,"avatar_url":null}`,
		},
		{
			"JV20 (root's half): everything",
			auth.User{Username: "u", Name: "n", DisplayName: "d", Initials: "i", Color: "c", AvatarURL: "/a", Workspace: "{}", Settings: `{"theme":"dark"}`, Anonymous: true},
			`{"username":"u","name":"n","display_name":"d","initials":"i","color":"c","avatar_url":"/a","workspace":"{}","settings":"{\"theme\":\"dark\"}","anonymous":true}`,
			`{"username":"u","name":"n","display_name":"d","initials":"i","color":"c","avatar_url":"/a"}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sameJSON(t, c.user, c.want)
			sameJSON(t, &c.user, c.want)
			sameJSON(t, c.user.Jupyter(), c.jupyter)
		})
	}
}

// sameJSON compares keys and values, not their order.
func sameJSON(t testing.TB, v any, want string) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var got, wanted map[string]any
	if err := errors.Join(json.Unmarshal(text, &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("got %s, want %s", text, want)
	}
}

func TestUserUpdateApplies(t *testing.T) {
	t.Parallel()
	user := auth.User{Username: "u", Name: "n", DisplayName: "d", Initials: "i", Color: "c", AvatarURL: "a", Workspace: "w", Settings: "s", Anonymous: true}
	for _, c := range []struct {
		name   string
		update auth.UserUpdate
		want   func(*auth.User)
	}{
		{"nothing", auth.UserUpdate{}, func(*auth.User) {}},
		{"name", auth.UserUpdate{Name: ptr("x")}, func(u *auth.User) { u.Name = "x" }},
		{"display_name", auth.UserUpdate{DisplayName: ptr("x")}, func(u *auth.User) { u.DisplayName = "x" }},
		{"initials", auth.UserUpdate{Initials: ptr("x")}, func(u *auth.User) { u.Initials = "x" }},
		{"JS13 (root's half): color", auth.UserUpdate{Color: ptr("x")}, func(u *auth.User) { u.Color = "x" }},
		{"JS13 (root's half): avatar_url", auth.UserUpdate{AvatarURL: ptr("x")}, func(u *auth.User) { u.AvatarURL = "x" }},
		{"workspace", auth.UserUpdate{Workspace: ptr("x")}, func(u *auth.User) { u.Workspace = "x" }},
		{"settings", auth.UserUpdate{Settings: ptr("x")}, func(u *auth.User) { u.Settings = "x" }},
		{"the empty text clears", auth.UserUpdate{Name: ptr(""), Color: ptr("")}, func(u *auth.User) { u.Name, u.Color = "", "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := user
			c.want(&want)
			if got := c.update.Apply(user); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if got := c.update.Empty(); got != (c.update == auth.UserUpdate{}) {
				t.Errorf("Empty: got %t", got)
			}
			if err := c.update.Validate(); err != nil {
				t.Errorf("Validate: got %v", err)
			}
		})
	}
	if user.Name != "n" {
		t.Error("Apply changed its argument")
	}
	t.Run("X-01 an update has no field that grants rights", func(t *testing.T) {
		t.Parallel()
		var names []string
		for f := range reflect.TypeFor[auth.UserUpdate]().Fields() {
			names = append(names, f.Name)
		}
		if got, want := strings.Join(names, " "), "Name DisplayName Initials Color AvatarURL Workspace Settings"; got != want {
			t.Errorf("got fields %s, want %s", got, want)
		}
	})
}

func TestUserUpdateValidates(t *testing.T) {
	t.Parallel()
	long := func(n int) *string { return ptr(strings.Repeat("x", n)) }
	for _, c := range []struct {
		name   string
		update auth.UserUpdate
		field  string // empty: valid
	}{
		{"X-18 the longest name", auth.UserUpdate{Name: long(1 << 10)}, ""},
		{"X-18 a longer name", auth.UserUpdate{Name: long(1<<10 + 1)}, "name"},
		{"X-18 a longer display name", auth.UserUpdate{DisplayName: long(1<<10 + 1)}, "display_name"},
		{"X-18 longer initials", auth.UserUpdate{Initials: long(33)}, "initials"},
		{"X-18 a longer colour", auth.UserUpdate{Color: long(65)}, "color"},
		{"X-18 a longer picture", auth.UserUpdate{AvatarURL: long(2<<10 + 1)}, "avatar_url"},
		{"X-18 a longer workspace", auth.UserUpdate{Workspace: long(64<<10 + 1)}, "workspace"},
		{"X-18 longer settings", auth.UserUpdate{Settings: long(64<<10 + 1)}, "settings"},
		{"the first bad field is named", auth.UserUpdate{Name: ptr("good"), Initials: long(33), Color: long(65)}, "initials"},
		{"no UTF-8", auth.UserUpdate{Settings: ptr("\xff")}, "settings"},
		{"NUL", auth.UserUpdate{Name: ptr("a\x00")}, "name"},
		{"other control characters are text", auth.UserUpdate{Name: ptr("a\n\x1b\u202e")}, ""},
		{"no picture", auth.UserUpdate{AvatarURL: ptr("")}, ""},
		{"a picture by https", auth.UserUpdate{AvatarURL: ptr("https://example.com/a.png?x=1#y")}, ""},
		{"a picture by http in upper case", auth.UserUpdate{AvatarURL: ptr("HTTP://example.com/a.png")}, ""},
		{"a picture by path", auth.UserUpdate{AvatarURL: ptr("/avatars/a.png")}, ""},
		{"a picture by relative path with a colon", auth.UserUpdate{AvatarURL: ptr("avatars/a:b.png")}, ""},
		{"a picture on the same scheme", auth.UserUpdate{AvatarURL: ptr("//cdn.example/a.png")}, ""},
		{"a script", auth.UserUpdate{AvatarURL: ptr("javascript:alert(1)")}, "avatar_url"},
		{"a script in mixed case", auth.UserUpdate{AvatarURL: ptr("JaVaScRiPt:alert(1)")}, "avatar_url"},
		{"a script behind a control character", auth.UserUpdate{AvatarURL: ptr("\x01javascript:alert(1)")}, "avatar_url"},
		{"a script behind a blank", auth.UserUpdate{AvatarURL: ptr(" javascript:alert(1)")}, "avatar_url"},
		{"a script with a newline in it", auth.UserUpdate{AvatarURL: ptr("java\nscript:alert(1)")}, "avatar_url"},
		{"data", auth.UserUpdate{AvatarURL: ptr("data:image/svg+xml,x")}, "avatar_url"},
		{"vbscript", auth.UserUpdate{AvatarURL: ptr("vbscript:x")}, "avatar_url"},
		{"a blob", auth.UserUpdate{AvatarURL: ptr("blob:https://app.example/x")}, "avatar_url"},
		{"an unknown scheme that contains http", auth.UserUpdate{AvatarURL: ptr("xhttp:x")}, "avatar_url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.update.Validate()
			var bad *auth.FieldError
			switch {
			case c.field == "" && err != nil:
				t.Errorf("got %v, want none", err)
			case c.field != "" && (!errors.As(err, &bad) || bad.Field != c.field || !strings.Contains(err.Error(), c.field)):
				t.Errorf("got %v, want a FieldError of %s", err, c.field)
			case err != nil && len(err.Error()) > 200:
				t.Errorf("got an error of %d bytes: it repeats the value", len(err.Error()))
			}
		})
	}
}
