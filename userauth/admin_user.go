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

func (b *backend) getUser(w http.ResponseWriter, r *http.Request, a admin) {
	if page.WantsHTML(r) {
		b.writeUser(w, r, a, userForm{})
		return
	}
	account, err := b.accounts.Get(r.Context(), r.PathValue("username"))
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	page.WriteJSON(w, http.StatusOK, account)
}

// patchUser changes what the body names and nothing else: permissions and roles are given and taken one by one, so that
// two admins at once lose nothing of each other's work.
func (b *backend) patchUser(w http.ResponseWriter, r *http.Request, a admin) {
	var c struct {
		auth.UserUpdate
		Disabled    *bool            `json:"disabled"`
		Grant       auth.Permissions `json:"grant"`
		Revoke      auth.Permissions `json:"revoke"`
		AddRoles    []string         `json:"add_roles"`
		RemoveRoles []string         `json:"remove_roles"`
	}
	if status, err := strictjson.Read(w, r, maxProfile, &c); err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	account, err := b.changeUser(r, a, AccountChange{
		Profile: c.UserUpdate, Disabled: c.Disabled, Grant: c.Grant, Revoke: c.Revoke, AddRoles: c.AddRoles, RemoveRoles: c.RemoveRoles,
	})
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	page.WriteJSON(w, http.StatusOK, account)
}

func (b *backend) changeUser(r *http.Request, a admin, c AccountChange) (changed Account, err error) {
	name := r.PathValue("username")
	err = b.administer(r, a, fmt.Sprintf("changed user %q", name), func() (err error) {
		changed, err = b.accounts.Change(r.Context(), name, c)
		return err
	})
	return changed, err
}

func (b *backend) deleteUser(w http.ResponseWriter, r *http.Request, a admin) {
	name := r.PathValue("username")
	err := b.administer(r, a, fmt.Sprintf("deleted user %q", name), func() error { return b.accounts.Delete(r.Context(), name) })
	switch status, message := refusal(err, nil); {
	case status != 0 && r.Method == http.MethodPost && page.WantsHTML(r):
		b.writeDeleteUser(w, r, a, status, message)
	case err != nil:
		b.writeError(w, r, err)
	case r.Method == http.MethodDelete:
		noContent(w)
	default:
		returnpath.Redirect(w, b.path("/users")+"?done=deleted")
	}
}

// postUserPassword gives the user another password, and ends all of the user's sessions. Nobody's current password is
// asked for: that the caller may is what admin:write says.
func (b *backend) postUserPassword(w http.ResponseWriter, r *http.Request, a admin) {
	var body struct {
		Password *string `json:"password"`
	}
	var status int
	var err error
	isForm := form.Is(r)
	if isForm {
		var fields map[string]string
		fields, status, err = form.Read(w, r, maxBody, "password")
		body.Password = field(fields, "password")
	} else {
		status, err = strictjson.Read(w, r, maxBody, &body)
	}
	if err == nil && body.Password == nil {
		status, err = http.StatusBadRequest, &auth.FieldError{Field: "password", Problem: "missing"}
	}
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	name := r.PathValue("username")
	ctx, cancel := context.WithTimeout(r.Context(), loginTimeout)
	defer cancel()
	err = b.administer(r, a, fmt.Sprintf("set the password of user %q", name), func() error {
		return b.accounts.SetPassword(ctx, name, *body.Password)
	})
	b.answerUser(w, r, a, isForm, "password", userForm{err: err})
}

// endUserSessions signs the user out everywhere.
func (b *backend) endUserSessions(w http.ResponseWriter, r *http.Request, a admin) {
	name := r.PathValue("username")
	err := b.administer(r, a, fmt.Sprintf("ended the sessions of user %q", name), func() error {
		_, err := b.accounts.EndSessions(r.Context(), name)
		return err
	})
	b.answerUser(w, r, a, r.Method == http.MethodPost, "ended", userForm{err: err})
}

// answerUser says what came of an act upon the user of the path: to a form with the user's page.
func (b *backend) answerUser(w http.ResponseWriter, r *http.Request, a admin, isForm bool, done string, typed userForm) {
	switch {
	case typed.err == nil && isForm:
		returnpath.Redirect(w, b.userPath(r.PathValue("username"))+"?done="+done)
	case typed.err == nil:
		noContent(w)
	case isForm && b.comesBack(r, a, typed.err):
		b.writeUser(w, r, a, typed)
	default:
		b.writeError(w, r, typed.err)
	}
}

func noContent(w http.ResponseWriter) {
	page.Headers(w.Header())
	w.WriteHeader(http.StatusNoContent)
}
