package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// A Profile is what users may change about themselves.
type Profile struct{ Name, DisplayName, Initials, Color, AvatarURL, Workspace, Settings string }

// A User is the row of an account. Times are Unix seconds.
type User struct {
	ID         int64  // immutable, never reused
	Realm      string // "" for local accounts; else who vouches for the name (an authenticator or issuer)
	Username   string // as shown
	Key        string // canonical; unique in its realm; compared as bytes
	Hash       string // of the password; "" = none
	Disabled   bool
	Created    int64
	PasswordAt int64
	Profile
}

// A Permission is one action on one resource.
type Permission struct{ Resource, Action string }

// An External is a provider's identity of a user.
type External struct {
	Issuer, Subject string
	User            int64
	Claims          string // JSON of whoever wrote it
}

// An Account is a user with all that the user holds. Every list is sorted and names nothing twice.
type Account struct {
	User
	Permissions     []Permission // given to the user directly
	Roles           []string
	RolePermissions []Permission // of all the roles
	Externals       []External
}

// userByKey is a user's id.
const userByKey = "(SELECT id FROM auth_users WHERE realm = ? AND username_key = ?)"

// accountParts is how often accountQuery asks for the users: each time with the same arguments.
const accountParts = 5

// accountQuery reads all that belongs to the users in one statement, so in one round trip and as of one moment: an
// account never has the roles of one moment and the permissions of another. Each row says which kind it is.
func accountQuery(users string) string {
	parts := []string{
		"SELECT 0, id, disabled, created_at, password_at, realm, username, username_key, password_hash, " +
			"name, display_name, initials, color, avatar_url, workspace, settings FROM auth_users WHERE id ",
		"SELECT 1, user_id, 0, 0, 0, resource, action, '', '', '', '', '', '', '', '', '' FROM auth_user_permissions WHERE user_id ",
		"SELECT 2, user_id, 0, 0, 0, role, '', '', '', '', '', '', '', '', '', '' FROM auth_user_roles WHERE user_id ",
		"SELECT 3, u.user_id, 0, 0, 0, p.resource, p.action, '', '', '', '', '', '', '', '', '' " +
			"FROM auth_user_roles u JOIN auth_role_permissions p ON p.role = u.role WHERE u.user_id ",
		"SELECT 4, user_id, 0, 0, 0, issuer, subject, claims, '', '', '', '', '', '', '', '' FROM auth_externals WHERE user_id ",
	}
	return strings.Join(parts, users+" UNION ALL ") + users
}

// accountArgs repeats args for each part of accountQuery.
func accountArgs(args ...any) []any { return slices.Repeat(args, accountParts) }

// accounts gathers the rows of accountQuery, which may come in any order.
type accounts map[int64]*Account

func (all accounts) scan(rows *sql.Rows) error {
	var kind int
	var u User
	var disabled int64
	err := rows.Scan(&kind, &u.ID, &disabled, &u.Created, &u.PasswordAt, &u.Realm, &u.Username, &u.Key, &u.Hash,
		&u.Name, &u.DisplayName, &u.Initials, &u.Color, &u.AvatarURL, &u.Workspace, &u.Settings)
	if err != nil {
		return err
	}
	a := all[u.ID]
	if a == nil {
		a = &Account{}
		all[u.ID] = a
	}
	switch first, second, third := u.Realm, u.Username, u.Key; kind { // the first three texts, whatever they are
	case 0:
		u.Disabled = disabled != 0
		a.User = u
	case 1:
		a.Permissions = append(a.Permissions, Permission{first, second})
	case 2:
		a.Roles = append(a.Roles, first)
	case 3:
		a.RolePermissions = append(a.RolePermissions, Permission{first, second})
	case 4:
		a.Externals = append(a.Externals, External{first, second, u.ID, third})
	}
	return nil
}

// finish sorts what was gathered and drops what has no user: ids begin at 1.
func (all accounts) finish() map[int64]*Account {
	for id, a := range all {
		if a.ID == 0 {
			delete(all, id)
			continue
		}
		a.Permissions, a.RolePermissions = sortPermissions(a.Permissions), sortPermissions(a.RolePermissions)
		slices.Sort(a.Roles)
		slices.SortFunc(a.Externals, func(a, b External) int {
			return cmp.Or(cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.Subject, b.Subject))
		})
	}
	return all
}

// sortPermissions sorts p in place and drops doubles.
func sortPermissions(p []Permission) []Permission {
	slices.SortFunc(p, func(a, b Permission) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Action, b.Action))
	})
	return slices.Compact(p)
}

// one gives the only account, or [ErrNotFound].
func (all accounts) one(doing string) (*Account, error) {
	for _, a := range all.finish() {
		return a, nil
	}
	return nil, failed(doing, ErrNotFound)
}

// Accounts gives those of the accounts that there are.
func (d *DB) Accounts(ctx context.Context, ids []int64) (map[int64]*Account, error) {
	const doing = "reading accounts"
	all := accounts{}
	ids = slices.Compact(slices.Sorted(slices.Values(ids))) // an id in two batches would have everything twice
	for batch := range slices.Chunk(ids, batchSize) {
		args := make([]any, len(batch))
		for i, id := range batch {
			args[i] = id
		}
		var err error
		if len(batch) == 1 {
			err = d.prepared(ctx, doing, d.account, accountArgs(args...), all.scan)
		} else {
			err = d.query(ctx, doing, accountQuery(in(len(batch))), accountArgs(args...), all.scan)
		}
		if err != nil {
			return nil, err
		}
	}
	return all.finish(), nil
}

// AccountByKey gives the account with this canonical name.
func (d *DB) AccountByKey(ctx context.Context, realm, key string) (*Account, error) {
	const doing = "reading an account by its name"
	all := accounts{}
	if err := d.prepared(ctx, doing, d.accountByKey, accountArgs(realm, key), all.scan); err != nil {
		return nil, err
	}
	return all.one(doing)
}

// AccountsByKey gives those of the accounts with these canonical names that there are, by name.
func (d *DB) AccountsByKey(ctx context.Context, realm string, keys []string) (map[string]*Account, error) {
	all := accounts{}
	keys = slices.Compact(slices.Sorted(slices.Values(keys))) // as in Accounts
	// One that no row can have must not keep the others of its batch from being found.
	keys = slices.DeleteFunc(keys, func(key string) bool { return !storable([]any{key}) })
	for batch := range slices.Chunk(keys, batchSize) {
		args := []any{realm}
		for _, key := range batch {
			args = append(args, key)
		}
		users := "IN (SELECT id FROM auth_users WHERE realm = ? AND username_key " + in(len(batch)) + ")"
		if err := d.query(ctx, "reading accounts by their names", accountQuery(users), accountArgs(args...), all.scan); err != nil {
			return nil, err
		}
	}
	byKey := map[string]*Account{}
	for _, a := range all.finish() {
		byKey[a.Key] = a
	}
	return byKey, nil
}

// AccountsAfter gives the realm's accounts whose key is above afterKey and contains search, in the order of their keys,
// at most limit. "" is before all keys, and in all of them.
func (d *DB) AccountsAfter(ctx context.Context, realm, search, afterKey string, limit int) ([]*Account, error) {
	const doing = "listing accounts"
	var ids []int64
	pattern := "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(search) + "%"
	err := d.query(ctx, doing, "SELECT id FROM auth_users WHERE realm = ? AND username_key > ? AND username_key LIKE ? ESCAPE '!' "+
		"ORDER BY username_key LIMIT ?", []any{realm, afterKey, pattern, max(limit, 0)}, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	all, err := d.Accounts(ctx, ids)
	if err != nil {
		return nil, err
	}
	var page []*Account
	for _, id := range ids {
		if a := all[id]; a != nil { // else deleted since
			page = append(page, a)
		}
	}
	return page, nil
}

const countUsers = "SELECT COUNT(*) FROM auth_users WHERE realm = ?"

// CountUsers counts the realm's users.
func (d *DB) CountUsers(ctx context.Context, realm string) (n int, err error) {
	err = d.query(ctx, "counting users", countUsers, []any{realm}, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

// Account gives the account as the transaction sees it.
func (t *Tx) Account(id int64) (*Account, error) {
	return t.account(fmt.Sprintf("reading account %d", id), "= ?", id)
}

// AccountByKey gives the account with this canonical name as the transaction sees it.
func (t *Tx) AccountByKey(realm, key string) (*Account, error) {
	return t.account("reading an account by its name", "= "+userByKey, realm, key)
}

func (t *Tx) account(doing, users string, args ...any) (*Account, error) {
	all := accounts{}
	if err := t.query(doing, accountQuery(users), accountArgs(args...), all.scan); err != nil {
		return nil, err
	}
	return all.one(doing)
}

// CountUsers counts the realm's users as the transaction sees them.
func (t *Tx) CountUsers(realm string) (int, error) {
	n, err := t.number("counting users", countUsers, realm)
	return int(n), err
}
