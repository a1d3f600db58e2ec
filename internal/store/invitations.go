package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
)

// An Invitation lets somebody register once. Times are Unix seconds.
type Invitation struct {
	Hash             [32]byte // SHA-256 of the token: the token itself is nowhere
	ID               string   // public, random, unique
	Roles            []string // that the new user gets, as far as they still exist
	Note             string
	By               int64  // the user who made it; 0: nobody of this database
	ByName           string // that user's name as it is now; only read
	Created, Expires int64  // it is over when now >= Expires
}

// An invitation is worth what its maker is: one who is gone or disabled lets nobody in. The maker is looked up for each
// row: of a join with the users a database may think that it has to read them all.
const invitationQuery = "SELECT i.token_hash, i.id, i.roles, i.note, i.created_by, " +
	"(SELECT u.username FROM auth_users u WHERE u.id = i.created_by), i.created_at, i.expires_at FROM auth_invitations i " +
	"WHERE i.expires_at > ? AND (i.created_by = 0 OR (SELECT u.disabled FROM auth_users u WHERE u.id = i.created_by) = 0)"

// Invitations gives those that can be used now, the newest first.
func (d *DB) Invitations(ctx context.Context, now int64) (list []Invitation, err error) {
	err = d.query(ctx, "listing invitations", invitationQuery+" ORDER BY i.created_at DESC, i.id", []any{now}, collectInvitations(&list))
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Invitation gives the invitation with this hash, if it can be used now. It stays as it is.
func (d *DB) Invitation(ctx context.Context, hash [32]byte, now int64) (Invitation, error) {
	const doing = "reading an invitation"
	var list []Invitation
	err := d.query(ctx, doing, invitationQuery+" AND i.token_hash = ?", []any{now, hash[:]}, collectInvitations(&list))
	return theInvitation(doing, list, err)
}

// AddInvitation stores an invitation, and removes those that are over. It doesn't ask whether the roles exist.
func (t *Tx) AddInvitation(i Invitation) error {
	const doing = "adding an invitation"
	if _, err := t.exec(doing, "DELETE FROM auth_invitations WHERE expires_at <= ?", i.Created); err != nil {
		return err
	}
	roles, err := json.Marshal(i.Roles)
	if err != nil {
		return fmt.Errorf("store: %s: %w", doing, err) // unreachable: strings can always be encoded
	}
	_, err = t.exec(doing, "INSERT INTO auth_invitations (token_hash, id, roles, note, created_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
		i.Hash[:], i.ID, string(roles), i.Note, i.By, i.Created, i.Expires)
	return err
}

// TakeInvitation uses an invitation up, and gives it. Of several that take it at once, one does; for the others, as for
// one that can't be used, it is [ErrNotFound].
func (t *Tx) TakeInvitation(hash [32]byte, now int64) (Invitation, error) {
	const doing = "taking an invitation"
	var list []Invitation
	err := t.query(doing, invitationQuery+" AND i.token_hash = ?", []any{now, hash[:]}, collectInvitations(&list))
	taken, err := theInvitation(doing, list, err)
	if err != nil {
		return Invitation{}, err
	}
	// What was read may be another transaction's to take; what was deleted here was this one's.
	n, err := t.exec(doing, "DELETE FROM auth_invitations WHERE token_hash = ?", hash[:])
	if err == nil && n == 0 {
		err = failed(doing, ErrNotFound)
	}
	if err != nil {
		return Invitation{}, err
	}
	return taken, nil
}

// DeleteInvitation withdraws the invitation by its public name. [ErrNotFound] if there is none.
func (t *Tx) DeleteInvitation(id string) error {
	const doing = "withdrawing an invitation"
	n, err := t.exec(doing, "DELETE FROM auth_invitations WHERE id = ?", id)
	if err == nil && n == 0 {
		err = failed(doing, ErrNotFound)
	}
	return err
}

// Inviting gives the users who have made invitations that aren't over.
func (t *Tx) Inviting(now int64) (users []int64, err error) {
	const query = "SELECT DISTINCT created_by FROM auth_invitations WHERE expires_at > ? AND created_by <> 0"
	err = t.query("looking for who has invited", query, []any{now}, func(rows *sql.Rows) error {
		var user int64
		err := rows.Scan(&user)
		users = append(users, user)
		return err
	})
	return users, err
}

// DeleteInvitationsBy withdraws what a user has made that isn't over.
func (t *Tx) DeleteInvitationsBy(user, now int64) error {
	_, err := t.exec("withdrawing a user's invitations", "DELETE FROM auth_invitations WHERE expires_at > ? AND created_by = ?", now, user)
	return err
}

func collectInvitations(list *[]Invitation) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var i Invitation
		var roles string
		var by sql.NullString
		err := rows.Scan((*storedHash)(&i.Hash), &i.ID, &roles, &i.Note, &i.By, &by, &i.Created, &i.Expires)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(roles), &i.Roles); err != nil {
			return fmt.Errorf("the roles of invitation %s: %w", i.ID, err)
		}
		i.ByName = by.String
		*list = append(*list, i)
		return nil
	}
}

func theInvitation(doing string, list []Invitation, err error) (Invitation, error) {
	if err == nil && len(list) == 0 {
		err = failed(doing, ErrNotFound)
	}
	if err != nil {
		return Invitation{}, err
	}
	return list[0], nil
}
