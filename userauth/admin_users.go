package userauth

import (
	"context"
	"fmt"
	"net/http"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/strictjson"
)

// getUsers lists the users of the database.
func (b *backend) getUsers(w http.ResponseWriter, r *http.Request, a admin) {
	l, err := readListing(r)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	if page.WantsHTML(r) {
		b.writeUsers(w, r, a, l, usersForm{})
		return
	}
	users, next, err := b.accounts.List(r.Context(), l.search, l.after, l.limit)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	if users == nil {
		users = []Account{} // a list for whoever reads it, never null
	}
	page.WriteJSON(w, http.StatusOK, map[string]any{"items": users, "next": next})
}

// A newUser is what a user is made of. It may hold a password.
type newUser struct {
	Username *string `json:"username"`
	Password *string `json:"password"`
	auth.UserUpdate
	Roles       []string         `json:"roles"`
	Permissions auth.Permissions `json:"permissions"`
	Disabled    bool             `json:"disabled"`
}

func (n newUser) account() (NewAccount, error) {
	if n.Username == nil {
		return NewAccount{}, &auth.FieldError{Field: "username", Problem: "missing"}
	}
	account := NewAccount{Username: *n.Username, Profile: n.UserUpdate, Roles: n.Roles, Permissions: n.Permissions, Disabled: n.Disabled}
	if n.Password != nil {
		account.Password = *n.Password
	}
	return account, nil
}

// postUsers makes a user.
func (b *backend) postUsers(w http.ResponseWriter, r *http.Request, a admin) {
	if form.Is(r) {
		b.postUsersForm(w, r, a)
		return
	}
	var n newUser
	if status, err := strictjson.Read(w, r, maxProfile, &n); err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	account, err := n.account()
	if err == nil {
		var made Account
		if made, err = b.addUser(r, a, account); err == nil {
			page.WriteJSON(w, http.StatusCreated, made)
			return
		}
	}
	b.writeError(w, r, err)
}

func (b *backend) addUser(r *http.Request, a admin, n NewAccount) (made Account, err error) {
	// A password waits for its turn to be hashed, as at login, and no longer.
	ctx, cancel := context.WithTimeout(r.Context(), loginTimeout)
	defer cancel()
	err = b.administer(r, a, fmt.Sprintf("added user %q", n.Username), func() (err error) {
		made, err = b.accounts.Add(ctx, n)
		return err
	})
	return made, err
}

// usersForm is what was typed into the form for a new user, but for the password, and what came of it.
type usersForm struct {
	username, name, permissions string
	roles                       []string
	err                         error
}

func (b *backend) postUsersForm(w http.ResponseWriter, r *http.Request, a admin) {
	fields, status, err := form.Read(w, r, maxProfile, "username", "password", "name", "permissions")
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	typed := usersForm{username: fields["username"], name: fields["name"], permissions: fields["permissions"], roles: r.PostForm["roles"]}
	n := newUser{Username: field(fields, "username"), Password: field(fields, "password"), Roles: typed.roles}
	if typed.name != "" {
		n.Name = &typed.name
	}
	var made Account
	account, err := n.account()
	if err == nil {
		account.Permissions, err = formPermissions("permissions", typed.permissions)
	}
	if err == nil {
		made, err = b.addUser(r, a, account)
	}
	if err == nil {
		returnpath.Redirect(w, b.userPath(made.Username)+"?done=added")
		return
	}
	typed.err = err
	if !b.comesBack(r, a, err) {
		b.writeError(w, r, err)
		return
	}
	b.writeUsers(w, r, a, listing{limit: defaultListing}, typed)
}
