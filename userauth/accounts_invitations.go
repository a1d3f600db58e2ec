package userauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
)

// Invitation lets whoever has its token register once, as admins see it. It is not enough to register with.
type Invitation struct {
	ID      string    `json:"id"`
	Roles   []string  `json:"roles"`
	Note    string    `json:"note"`
	By      string    `json:"created_by"` // the username of who made it; empty: a command, or nobody of this database
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// NewInvitation is what [Accounts.Invite] makes an invitation of.
type NewInvitation struct {
	// Roles are what the new user gets. They must exist; one that is deleted before the invitation is used is left out.
	Roles []string
	// Note tells admins whom it is for. At most 200 characters.
	Note string
	// Expires is its end. Zero: in 7 days. At most 90 days from now.
	Expires time.Time
	// By is the [auth.Identity.ID] of who invites. The invitation counts only as long as that user is there and not
	// disabled; it is withdrawn when who made it stops to hold admin:write, or gets a password from an admin. Empty, or an ID of another backend's: it counts whoever made it.
	By string
}

const (
	defaultInvitation = 7 * 24 * time.Hour
	longestInvitation = 90 * 24 * time.Hour
	maxNote           = 200 // characters
)

// Invite makes an invitation, and gives the token that is part of its link: see [Auth.InvitationURL]. The token is nowhere
// else; the database holds its hash. Show it to whoever invites, and to nobody's log.
func (a *Accounts) Invite(ctx context.Context, n NewInvitation) (made Invitation, token string, err error) {
	now := a.now()
	row, err := n.row(now)
	if err != nil {
		return Invitation{}, "", err
	}
	if err := a.rolesExist(ctx, "roles", n.Roles); err != nil {
		return Invitation{}, "", err
	}
	token = session.NewToken()
	row.Hash, _ = session.HashOf(token)
	row.ID = rand.Text()[:20]
	err = a.write(ctx, func(tx *store.Tx) error { // may run more than once
		row.By, row.ByName = 0, ""
		by, err := identified(tx, n.By)
		if err != nil {
			return err
		}
		if by != nil {
			row.By, row.ByName = by.ID, by.Username
		}
		return tx.AddInvitation(row)
	})
	if err != nil {
		return Invitation{}, "", failure("inviting", err)
	}
	return invitationOf(row), token, nil
}

// Invitations gives those that can still be used, the newest first.
func (a *Accounts) Invitations(ctx context.Context) ([]Invitation, error) {
	rows, err := a.store.Invitations(ctx, a.now().Unix())
	if err != nil {
		return nil, failure("listing the invitations", err)
	}
	var all []Invitation
	for _, row := range rows {
		all = append(all, invitationOf(row))
	}
	return all, nil
}

// DeleteInvitation withdraws an invitation: its link is worth nothing from then on.
func (a *Accounts) DeleteInvitation(ctx context.Context, id string) error {
	doing := fmt.Sprintf("invitation %q", id)
	if !utf8.ValidString(id) || strings.ContainsRune(id, 0) { // not every database can be asked for any bytes
		return fmt.Errorf("%w: %s", ErrNotFound, doing)
	}
	return failure(doing, a.write(ctx, func(tx *store.Tx) error { return tx.DeleteInvitation(id) }))
}

// row checks everything that needs no database.
func (n NewInvitation) row(now time.Time) (store.Invitation, error) {
	expires := n.Expires
	if expires.IsZero() {
		expires = now.Add(defaultInvitation)
	}
	switch {
	case expires.Unix() <= now.Unix():
		return store.Invitation{}, &auth.FieldError{Field: "expires", Problem: "is in the past"}
	case expires.After(now.Add(longestInvitation)):
		return store.Invitation{}, &auth.FieldError{Field: "expires", Problem: "is more than 90 days away"}
	case utf8.RuneCountInString(n.Note) > maxNote:
		return store.Invitation{}, &auth.FieldError{Field: "note", Problem: fmt.Sprintf("longer than %d characters", maxNote)}
	case !utf8.ValidString(n.Note), strings.ContainsFunc(n.Note, unicode.IsControl):
		return store.Invitation{}, &auth.FieldError{Field: "note", Problem: "not valid text of one line"}
	}
	return store.Invitation{Roles: n.Roles, Note: n.Note, Created: now.Unix(), Expires: expires.Unix()}, nil
}

// identified gives the user with this [auth.Identity.ID]; nil for one whom another backend knows.
func identified(tx *store.Tx, id string) (*store.Account, error) {
	if digits, ours := strings.CutPrefix(id, "user:"); ours {
		number, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return nil, ErrNotFound
		}
		return tx.Account(number)
	}
	account, err := tx.AccountByKey(externalRealm, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // nobody of this database
	}
	return account, err
}

func invitationOf(i store.Invitation) Invitation {
	made := Invitation{
		ID: i.ID, Roles: i.Roles, Note: i.Note, By: i.ByName,
		Created: time.Unix(i.Created, 0).UTC(), Expires: time.Unix(i.Expires, 0).UTC(),
	}
	if made.Roles == nil {
		made.Roles = []string{} // a list for whoever reads the JSON, never null
	}
	return made
}
