package userauth

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
)

// Account is a user as admins see one. It holds no secret.
//
// As JSON it has the nine keys of [auth.User], and id, roles, permissions, disabled and created.
type Account struct {
	ID string // "user:17": never given to anybody else, as [auth.Identity] says
	auth.User
	Roles       []string         // sorted
	Permissions auth.Permissions // granted directly, beside what the roles hold
	Disabled    bool             // may not log in, and has no sessions
	Created     time.Time
}

// MarshalJSON implements [json.Marshaler].
func (a Account) MarshalJSON() ([]byte, error) {
	j := struct { // auth.User's own MarshalJSON would hide what isn't the user's
		ID string `json:"id"`
		auth.JupyterUser
		Workspace   string           `json:"workspace"`
		Settings    string           `json:"settings"`
		Anonymous   bool             `json:"anonymous"`
		Roles       []string         `json:"roles"`
		Permissions auth.Permissions `json:"permissions"`
		Disabled    bool             `json:"disabled"`
		Created     time.Time        `json:"created"`
	}{a.ID, a.Jupyter(), a.Workspace, a.Settings, a.Anonymous, a.Roles, a.Permissions, a.Disabled, a.Created}
	if j.Roles == nil {
		j.Roles = []string{} // a list for whoever reads it, never null
	}
	if j.Permissions == nil {
		j.Permissions = auth.Permissions{}
	}
	return json.Marshal(j)
}

// NewAccount is what [Accounts.Add] makes a user of. It holds a password and redacts itself in fmt, slog and JSON.
type NewAccount struct {
	// Username is at most 64 characters long and in the form that Unicode calls NFKC, without control, zero-width or
	// bidirectional characters. No two users' names differ in upper and lower case only.
	Username string
	// Password is hashed byte for byte. Empty: the user can't log in by password until one is set.
	Password    string
	Profile     auth.UserUpdate
	Roles       []string // must exist
	Permissions auth.Permissions
	Disabled    bool // may not log in until enabled
}

const redacted = "[redacted]"

// Format implements [fmt.Formatter].
func (n NewAccount) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "userauth.NewAccount(%q)%s", n.Username, redacted)
}

// LogValue implements [slog.LogValuer].
func (n NewAccount) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(n)) }

// MarshalJSON implements [json.Marshaler].
func (n NewAccount) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// accountOf leaves the hash and the roles' permissions behind.
func accountOf(a *store.Account) Account {
	return Account{
		ID:          userID(a.ID),
		User:        userOf(a),
		Roles:       slices.Clone(a.Roles),
		Permissions: permissionsOf(a.Permissions),
		Disabled:    a.Disabled,
		Created:     time.Unix(a.Created, 0).UTC(),
	}
}

// userID is the user's [auth.Identity.ID].
func userID(id int64) string { return "user:" + strconv.FormatInt(id, 10) }

func userOf(a *store.Account) auth.User {
	return auth.User{
		Username:    a.Username,
		Name:        a.Name,
		DisplayName: a.DisplayName,
		Initials:    a.Initials,
		Color:       a.Color,
		AvatarURL:   a.AvatarURL,
		Workspace:   a.Workspace,
		Settings:    a.Settings,
	}
}

// permissionsOf is never nil, and names no action twice, where several roles hold it.
func permissionsOf(rows []store.Permission) auth.Permissions {
	p := auth.Permissions{}
	for _, row := range sorted(rows) {
		p[row.Resource] = append(p[row.Resource], row.Action)
	}
	return p
}

// storePermissions is sorted and names nothing twice.
func storePermissions(p auth.Permissions) []store.Permission {
	var rows []store.Permission
	for resource, actions := range p {
		for _, action := range actions {
			rows = append(rows, store.Permission{Resource: resource, Action: action})
		}
	}
	return sorted(rows)
}

func sorted(rows []store.Permission) []store.Permission {
	rows = slices.SortedFunc(slices.Values(rows), func(a, b store.Permission) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Action, b.Action))
	})
	return slices.Compact(rows)
}
