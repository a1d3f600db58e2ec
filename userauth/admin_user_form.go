package userauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/page"
)

// A userForm is what was typed into one of the forms of a user's page, and what came of it. They say what they showed
// ("was_name") beside what they say now, and only the difference is made: what another admin has changed meanwhile stays.
type userForm struct {
	fields          map[string]string
	roles, wasRoles []string
	err             error
}

// value is what was typed, or else what is stored.
func (f userForm) value(name, stored string) string {
	if typed, ok := f.fields[name]; ok {
		return typed
	}
	return stored
}

// profileFields are those of a profile that a form can change.
func profileFields(update *auth.UserUpdate) map[string]**string {
	return map[string]**string{
		"name": &update.Name, "display_name": &update.DisplayName, "initials": &update.Initials,
		"color": &update.Color, "avatar_url": &update.AvatarURL,
	}
}

// postUserEdit is the way of the forms that change a user.
func (b *backend) postUserEdit(w http.ResponseWriter, r *http.Request, a admin) {
	var c AccountChange
	names := []string{"permissions", "was_permissions", "disabled"}
	for name := range profileFields(&c.Profile) {
		names = append(names, name, "was_"+name)
	}
	fields, status, err := form.Read(w, r, maxProfile, names...)
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	typed := userForm{fields: fields, roles: r.PostForm["roles"], wasRoles: r.PostForm["was_roles"]}
	done := "saved"
	if c, err = typed.change(); err == nil {
		if c.Disabled != nil {
			done = map[bool]string{true: "disabled", false: "enabled"}[*c.Disabled]
		}
		_, err = b.changeUser(r, a, c)
	}
	typed.err = err
	b.answerUser(w, r, a, true, done, typed)
}

// change is the difference between what the form showed and what it says.
func (f userForm) change() (c AccountChange, err error) {
	for name, target := range profileFields(&c.Profile) {
		value, ok := f.fields[name]
		if ok && oneLine(value) != oneLine(f.fields["was_"+name]) {
			*target = &value
		}
	}
	c.AddRoles, c.RemoveRoles = without(f.roles, f.wasRoles), without(f.wasRoles, f.roles)
	if _, ok := f.fields["permissions"]; ok {
		now, err := formPermissions("permissions", f.fields["permissions"])
		if err != nil {
			return c, err
		}
		was, err := formPermissions("was_permissions", f.fields["was_permissions"])
		if err != nil {
			return c, err
		}
		c.Grant, c.Revoke = permissionsWithout(now, was), permissionsWithout(was, now)
	}
	switch disabled, ok := f.fields["disabled"]; {
	case ok && disabled != "true" && disabled != "false":
		return c, &auth.FieldError{Field: "disabled", Problem: "want true or false"}
	case ok:
		yes := disabled == "true"
		c.Disabled = &yes
	}
	return c, nil
}

// oneLine is what a browser makes of a text in a field of one line.
func oneLine(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) }

// without is what is in list and not in other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

func permissionsWithout(p, other auth.Permissions) auth.Permissions {
	rest := auth.Permissions{}
	for resource, actions := range p {
		if left := without(actions, other[resource]); len(left) > 0 {
			rest[resource] = left
		}
	}
	return rest
}

// formPermissions reads permissions as people write them.
func formPermissions(field, text string) (auth.Permissions, error) {
	p, err := auth.ParsePermissions(text)
	if err != nil {
		return nil, &auth.FieldError{Field: field, Problem: strings.TrimPrefix(err.Error(), "auth: ")}
	}
	return p, nil
}

// permissionLines is the text for a form: a line for each resource.
func permissionLines(p auth.Permissions) string { return strings.ReplaceAll(p.String(), " ", "\n") }
