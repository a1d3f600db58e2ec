package auth

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// User is what an application shows of a person. It carries no rights: see [Identity].
//
// As JSON it has nine keys: username, name, display_name, initials, color, avatar_url, workspace, settings and
// anonymous; unset initials, color and avatar_url are null.
type User struct {
	Username    string // the name to log in with; never empty for an admitted user
	Name        string // the full name; Username where it isn't set
	DisplayName string // the short name for others to see; Name where it isn't set
	Initials    string
	Color       string // a CSS colour
	AvatarURL   string
	Workspace   string // the application's own: the state of the user's workspace
	Settings    string // the application's own: the user's settings
	Anonymous   bool   // a guest: the names say nothing about who this is
}

// MarshalJSON implements [json.Marshaler].
func (u User) MarshalJSON() ([]byte, error) {
	j := u.Jupyter()
	return json.Marshal(struct {
		JupyterUser
		Workspace string `json:"workspace"`
		Settings  string `json:"settings"`
		Anonymous bool   `json:"anonymous"`
	}{j, u.Workspace, u.Settings, u.Anonymous})
}

// JupyterUser is a user as Jupyter's clients know one: the six keys of the identity at /api/me.
type JupyterUser struct {
	Username    string  `json:"username"`
	Name        string  `json:"name"`
	DisplayName string  `json:"display_name"`
	Initials    *string `json:"initials"`
	AvatarURL   *string `json:"avatar_url"`
	Color       *string `json:"color"`
}

// Jupyter gives u with the six keys of Jupyter's identity. Names that aren't set fall back as [User] says; initials,
// avatar_url and color are never derived.
func (u User) Jupyter() JupyterUser {
	u = u.named()
	return JupyterUser{u.Username, u.Name, u.DisplayName, orNil(u.Initials), orNil(u.AvatarURL), orNil(u.Color)}
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// named fills the names that fall back to another. It is the only place that does, so that every view of a user agrees.
func (u User) named() User {
	if u.Name == "" {
		u.Name = u.Username
	}
	if u.DisplayName == "" {
		u.DisplayName = u.Name
	}
	return u
}

// UserUpdate is a change of a profile by its owner. A nil field is unchanged. What grants rights (the username,
// permissions, roles) has no place here, so no request can smuggle it in.
type UserUpdate struct {
	Name        *string `json:"name"`
	DisplayName *string `json:"display_name"`
	Initials    *string `json:"initials"`
	Color       *string `json:"color"`
	AvatarURL   *string `json:"avatar_url"`
	Workspace   *string `json:"workspace"`
	Settings    *string `json:"settings"`
}

// Empty reports whether u changes nothing.
func (u UserUpdate) Empty() bool { return u == UserUpdate{} }

// Apply gives user with the changes of u.
func (u UserUpdate) Apply(user User) User {
	for _, f := range u.fields(&user) {
		if f.value != nil {
			*f.target = *f.value
		}
	}
	return user
}

// Validate reports the first field that is too long, isn't UTF-8, holds a NUL (which not every database can store) or,
// for avatar_url, names a scheme that a browser could run. Text is otherwise taken as it is: escaping is a matter of
// where it is shown.
func (u UserUpdate) Validate() error {
	for _, f := range u.fields(&User{}) {
		switch {
		case f.value == nil:
		case len(*f.value) > f.limit:
			return &FieldError{f.name, fmt.Sprintf("longer than %d bytes", f.limit)}
		case !utf8.ValidString(*f.value) || strings.ContainsRune(*f.value, 0):
			return &FieldError{f.name, "not valid text"}
		}
	}
	if u.AvatarURL != nil && !safeAvatar(*u.AvatarURL) {
		return &FieldError{"avatar_url", "want a path or an http(s) URL"}
	}
	return nil
}

// FieldError is a value that can't be taken. Its text is fit for clients.
type FieldError struct {
	Field   string // as in JSON
	Problem string
}

func (e *FieldError) Error() string { return fmt.Sprintf("field %q: %s", e.Field, e.Problem) }

type updateField struct {
	name   string
	limit  int // bytes
	value  *string
	target *string
}

func (u UserUpdate) fields(user *User) [7]updateField {
	return [...]updateField{
		{"name", 1 << 10, u.Name, &user.Name},
		{"display_name", 1 << 10, u.DisplayName, &user.DisplayName},
		{"initials", 32, u.Initials, &user.Initials},
		{"color", 64, u.Color, &user.Color},
		{"avatar_url", 2 << 10, u.AvatarURL, &user.AvatarURL},
		{"workspace", 64 << 10, u.Workspace, &user.Workspace},
		{"settings", 64 << 10, u.Settings, &user.Settings},
	}
}

// safeAvatar keeps javascript: and data: out of every page that shows another user's picture. What precedes the first
// colon is a scheme unless a '/', '?' or '#' comes first; browsers drop tabs and newlines inside it, so control
// characters are refused.
func safeAvatar(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return false
	}
	scheme, _, found := strings.Cut(s, ":")
	if !found || strings.ContainsAny(scheme, "/?#") {
		return true
	}
	return strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")
}

// Overlay is theirs with the fields that are set in ours: what somebody else vouches for, with what the user has changed
// here. The username, and whether the user is anonymous, are theirs.
func Overlay(theirs, ours User) User {
	var update UserUpdate
	for _, f := range []struct {
		to   **string
		from *string
	}{
		{&update.Name, &ours.Name}, {&update.DisplayName, &ours.DisplayName}, {&update.Initials, &ours.Initials},
		{&update.Color, &ours.Color}, {&update.AvatarURL, &ours.AvatarURL},
		{&update.Workspace, &ours.Workspace}, {&update.Settings, &ours.Settings},
	} {
		if *f.from != "" {
			*f.to = f.from
		}
	}
	return update.Apply(theirs)
}
