package userauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/clientip"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
)

// An admin may act as another user for an hour: to see what that user sees. It is a session of the user's, whose row says
// by whom, in the place of the admin's own: one browser is never two people, and nothing of the admin's lies about in it.
// To stop is to sign out of it; the admin then logs in again.
//
// The row's issuer and subject name the admin, so that what ends the admin's rights finds it by an index, and ends it with
// the same commit.
const (
	impersonation     = "impersonation" // method and issuer of such a session
	impersonationTime = time.Hour
)

// An actor is who acts as a user.
type actor struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

// actorOf is the zero actor where it is the user. Data that can't be read still is somebody else's session.
func actorOf(s store.Session) actor {
	if s.Issuer != impersonation {
		return actor{}
	}
	by := actor{ID: s.Subject}
	if json.Unmarshal([]byte(s.Data), &by) != nil || by.ID != s.Subject || by.Username == "" {
		by.Username = s.Subject
	}
	return actor{s.Subject, by.Username}
}

// actor asks the database, which is worth it for routes of the account: memory holds only what decides about any request.
func (b *backend) actor(ctx context.Context, s *session.Session[auth.Identity]) (actor, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := b.store.SessionsByHash(ctx, [][32]byte{s.Hash()})
	if err != nil {
		return actor{}, err
	}
	row, ok := rows[s.Hash()]
	if !ok {
		return actor{}, auth.ErrSessionEnded
	}
	return actorOf(row), nil
}

// endActing ends the sessions in which the user acts as somebody else: what ends all of the user's sessions ends these.
func endActing(tx *store.Tx, user int64) error {
	_, err := tx.DeleteSessionsBySID(impersonation, userID(user), "")
	return err
}

// endUnfounded ends all impersonations that could not begin now.
func (a *Accounts) endUnfounded(tx *store.Tx) error {
	rows, err := tx.SessionsOfIssuer(impersonation)
	if err != nil {
		return err
	}
	for _, row := range rows {
		by, err := identified(tx, row.Subject)
		if err == nil {
			err = a.mayActAs(tx, by, row.User)
		}
		var refused refusedActing
		if errors.As(err, &refused) || errors.Is(err, store.ErrNotFound) {
			_, err = tx.DeleteSession(row.Hash)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refusedActing says why somebody can't be acted as, in words for the admin.
type refusedActing string

func (e refusedActing) Error() string { return string(e) }

// mayActAs is the one rule of who may act as whom. Nobody acts as a holder of admin:read or admin:write: it would lend
// rights that weren't given, and put what one admin does under another one's name. The rights are those that are stored
// here and in Config.Auth.Roles; what an Authorizer of the application would say beyond them doesn't count.
func (a *Accounts) mayActAs(tx *store.Tx, by *store.Account, user int64) error {
	target, err := tx.Account(user)
	if err != nil {
		return err
	}
	shared, err := tx.RolePermissions(a.defaultRoles)
	if err != nil {
		return err
	}
	switch {
	case by.ID == user:
		return refusedActing("You are this user already.")
	case target.Disabled:
		return refusedActing("This user is disabled.")
	case by.Disabled || !a.administers(by, shared, false, adminWrites):
		return refusedActing("You are not allowed to do this.")
	case a.administers(target, shared, true, adminReads, adminWrites):
		return refusedActing("This user has rights of an admin: nobody else can act as an admin.")
	}
	return nil
}

// administers reports whether the user holds any of these actions on the administration. unknown is the answer about a user
// of whom nobody can say.
func (a *Accounts) administers(user *store.Account, shared []store.Permission, unknown bool, actions ...string) bool {
	id, err := identityOf(user, a.defaultRoles, shared)
	if err != nil {
		return unknown
	}
	for _, action := range actions {
		if id.Unrestricted || id.Permissions.Has(adminResource, action) {
			return true
		}
		for _, role := range id.Roles {
			if a.configRoles[role].Permissions.Has(adminResource, action) {
				return true
			}
		}
	}
	return false
}

// userImpersonation is on a user's page.
func (b *backend) userImpersonation(a Account) page.Section {
	return page.Section{
		Heading: "Act as this user",
		Note:    "For an hour at most, you see and do what this user can, and are signed out of your own account. It is logged, and the user sees it among the sessions.",
		Form:    &page.Form{Action: b.userPath(a.Username) + "/impersonate", Submit: "Act as " + a.Username, Danger: true},
	}
}

// postImpersonate gives the admin's browser a session of the user's, instead of the admin's own.
func (b *backend) postImpersonate(w http.ResponseWriter, r *http.Request, a admin) {
	// From a browser alone: an API token, or another backend's credential, would still be there beside the new session.
	if a.session == nil || len(r.Header["Authorization"]) > 0 {
		b.writeError(w, r, auth.ErrForbidden)
		return
	}
	token, target, err := b.impersonate(r, a)
	var refused refusedActing
	switch {
	case errors.As(err, &refused):
		page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden, Message: string(refused)})
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventDenied, Status: http.StatusForbidden, UserID: a.id, Username: a.user.Username, Reason: "impersonation: " + string(refused)})
		return
	case err != nil:
		b.writeError(w, r, err)
		return
	}
	http.SetCookie(w, b.cookie.Set(r, b.site.HTTPS(r), token))
	b.report(r, auth.EventImpersonation, a.id, a.user.Username, fmt.Sprintf("acts as %s %q", userID(target.ID), target.Username))
	if form.Is(r) || page.WantsHTML(r) {
		returnpath.Redirect(w, b.path("/me"))
		return
	}
	page.Headers(w.Header())
	page.WriteJSON(w, http.StatusOK, map[string]string{"status": "success"})
}

func (b *backend) impersonate(r *http.Request, a admin) (token string, target *store.Account, err error) {
	ctx := r.Context()
	if target, err = b.accounts.find(ctx, r.PathValue("username")); err != nil {
		return "", nil, err
	}
	admin := a.session.User()
	data, err := json.Marshal(actor{userID(admin), a.user.Username})
	if err != nil {
		return "", nil, err // unreachable: two strings can always be encoded
	}
	err = b.engine.Write(ctx, func(tx *store.Tx) error { // may run more than once
		// The admin's own session ends here, so one that was ended meanwhile begins no other.
		if ended, err := tx.DeleteSession(a.session.Hash()); err != nil || !ended {
			return cmp.Or(err, auth.ErrSessionEnded)
		}
		by, err := tx.Account(admin)
		if err != nil {
			return err
		}
		if err := b.accounts.mayActAs(tx, by, target.ID); err != nil {
			return err
		}
		if err := endActing(tx, admin); err != nil { // one at a time
			return err
		}
		token, err = b.engine.Begin(tx, store.Session{
			User: target.ID, Method: impersonation, Issuer: impersonation, Subject: userID(admin), Data: string(data),
			Expires: b.now().Add(impersonationTime).Unix(), Address: clientip.Text(auth.Address(b.auth, r)), Agent: clientip.Agent(r),
		})
		return err
	})
	return token, target, err
}
