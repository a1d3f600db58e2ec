package store

import (
	"errors"
	"fmt"
	"strings"
)

// A ProfileUpdate changes the fields that aren't nil.
type ProfileUpdate struct{ Name, DisplayName, Initials, Color, AvatarURL, Workspace, Settings *string }

// AddUser adds a user under a new id; u.ID is ignored. [ErrExists] if the realm has the key already.
func (t *Tx) AddUser(u User) (id int64, err error) {
	// From a counter, not the highest id plus one: what was granted to a deleted user would be the next one's.
	id, err = t.take("user", 1)
	if err != nil {
		return 0, err
	}
	_, err = t.exec("adding a user", "INSERT INTO auth_users (id, realm, username, username_key, password_hash, password_at, disabled, created_at, "+
		"name, display_name, initials, color, avatar_url, workspace, settings) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		id, key(u.Realm), u.Username, key(u.Key), key(u.Hash), u.PasswordAt, number(u.Disabled), u.Created,
		u.Name, u.DisplayName, u.Initials, u.Color, u.AvatarURL, u.Workspace, u.Settings)
	if err != nil {
		return 0, err
	}
	return id, nil
}

// HasKey reports whether the realm has a user with the key, for less than [Tx.AccountByKey] costs.
func (t *Tx) HasKey(realm, key string) (bool, error) {
	_, err := t.number("looking for a user", "SELECT id FROM auth_users WHERE realm = ? AND username_key = ?", realm, key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// DeleteUser deletes a user, with all permissions, roles, external identities and sessions.
func (t *Tx) DeleteUser(id int64) error {
	doing := fmt.Sprintf("deleting user %d", id)
	// Named one by one: not every connection that an application opens cascades.
	for _, table := range []string{"auth_sessions", "auth_externals", "auth_user_roles", "auth_user_permissions"} {
		if _, err := t.exec(doing, "DELETE FROM "+table+" WHERE user_id = ?", id); err != nil {
			return err
		}
	}
	n, err := t.exec(doing, "DELETE FROM auth_users WHERE id = ?", id)
	if err == nil && n == 0 {
		err = failed(doing, ErrNotFound)
	}
	if err != nil {
		return err
	}
	t.tell(id)
	return nil
}

// SetPassword stores a new password's hash if the stored one is still old; [ErrChanged] if it isn't. Of two changes by
// the same old password one wins.
func (t *Tx) SetPassword(id int64, old, hash string, at int64) error {
	err := t.compareAndSet(id, "password_hash = ?, password_at = ?", old, key(hash), at)
	if err == nil {
		t.tell(id)
	}
	return err
}

// Rehash stores another hash of the same password, if the stored one is still old; [ErrChanged] if it isn't. It tells
// nobody: nothing changes for the user.
func (t *Tx) Rehash(id int64, old, hash string) error {
	return t.compareAndSet(id, "password_hash = ?", old, key(hash))
}

func (t *Tx) compareAndSet(id int64, set, old string, args ...any) error {
	doing := fmt.Sprintf("changing the password of user %d", id)
	n, err := t.exec(doing, "UPDATE auth_users SET "+set+" WHERE id = ? AND password_hash = ?", append(args, id, old)...)
	if err != nil || n > 0 {
		return err
	}
	// MySQL doesn't count a row that had these values already.
	_, err = t.number(doing, "SELECT id FROM auth_users WHERE id = ? AND password_hash = ?", id, old)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := t.userExists(doing, id); err != nil {
		return err
	}
	return failed(doing, ErrChanged)
}

// ReplacePassword stores a password's hash, whatever it was before; "" for none.
func (t *Tx) ReplacePassword(id int64, hash string, at int64) error {
	return t.updateUser("replacing the password", id, "password_hash = ?, password_at = ?", key(hash), at)
}

// SetDisabled says whether the user may not log in. It ends no session by itself.
func (t *Tx) SetDisabled(id int64, disabled bool) error {
	return t.updateUser("disabling", id, "disabled = ?", number(disabled))
}

// UpdateProfile changes the given fields, and no other column: it can't bring back what somebody else has changed.
func (t *Tx) UpdateProfile(id int64, p ProfileUpdate) error {
	var set []string
	var args []any
	for _, field := range []struct {
		column string
		value  *string
	}{
		{"name", p.Name}, {"display_name", p.DisplayName}, {"initials", p.Initials}, {"color", p.Color},
		{"avatar_url", p.AvatarURL}, {"workspace", p.Workspace}, {"settings", p.Settings},
	} {
		if field.value != nil {
			set, args = append(set, field.column+" = ?"), append(args, *field.value)
		}
	}
	if len(set) == 0 {
		return t.userExists("updating the profile", id)
	}
	return t.updateUser("updating the profile", id, strings.Join(set, ", "), args...)
}

// updateUser sets columns of a user, and tells.
func (t *Tx) updateUser(doing string, id int64, set string, args ...any) error {
	doing = fmt.Sprintf("%s of user %d", doing, id)
	n, err := t.exec(doing, "UPDATE auth_users SET "+set+" WHERE id = ?", append(args, id)...)
	if err == nil && n == 0 {
		err = t.userExists(doing, id) // MySQL doesn't count a row that had these values already
	}
	if err != nil {
		return err
	}
	t.tell(id)
	return nil
}

// userExists fails with [ErrNotFound] if there is no such user.
func (t *Tx) userExists(doing string, id int64) error {
	_, err := t.number(doing, "SELECT id FROM auth_users WHERE id = ?", id)
	return err
}

// number is how a flag is stored: not every database has a type for it.
func number(flag bool) int64 {
	if flag {
		return 1
	}
	return 0
}
