package store

import (
	"context"
	"database/sql"
)

const selectExternal = "SELECT issuer, subject, user_id, claims FROM auth_externals WHERE issuer = ? AND subject = ?"

// External gives the user whom a provider knows under this subject.
func (d *DB) External(ctx context.Context, issuer, subject string) (External, error) {
	const doing = "reading an external identity"
	var e External
	found := false
	err := d.query(ctx, doing, selectExternal, []any{issuer, subject}, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&e.Issuer, &e.Subject, &e.User, &e.Claims)
	})
	if err == nil && !found {
		err = failed(doing, ErrNotFound)
	}
	if err != nil {
		return External{}, err
	}
	return e, nil
}

// External gives the user whom a provider knows under this subject, as the transaction sees it.
func (t *Tx) External(issuer, subject string) (External, error) {
	const doing = "reading an external identity"
	e, found := External{}, false
	err := t.query(doing, selectExternal, []any{issuer, subject}, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&e.Issuer, &e.Subject, &e.User, &e.Claims)
	})
	if err == nil && !found {
		err = failed(doing, ErrNotFound)
	}
	if err != nil {
		return External{}, err
	}
	return e, nil
}

// DeleteExternal says that a provider's identity isn't this user's any more; [ErrNotFound] if it wasn't.
func (t *Tx) DeleteExternal(user int64, issuer, subject string) error {
	const doing = "deleting an external identity"
	n, err := t.exec(doing, "DELETE FROM auth_externals WHERE issuer = ? AND subject = ? AND user_id = ?", issuer, subject, user)
	if err == nil && n == 0 {
		err = failed(doing, ErrNotFound)
	}
	if err != nil {
		return err
	}
	t.tell(user)
	return nil
}

// PutExternal says that a provider's identity is this user's, or stores its claims anew where it is already. [ErrExists]
// if it is another user's: nobody takes an identity over.
func (t *Tx) PutExternal(e External) error {
	const doing = "storing an external identity"
	n, err := t.exec(doing, "UPDATE auth_externals SET claims = ? WHERE issuer = ? AND subject = ? AND user_id = ?", e.Claims, e.Issuer, e.Subject, e.User)
	if err == nil && n == 0 {
		n, err = t.exec(doing, "INSERT INTO auth_externals (issuer, subject, user_id, claims) SELECT ?, ?, id, ? FROM auth_users WHERE id = ? "+
			"AND NOT EXISTS (SELECT 1 FROM auth_externals WHERE issuer = ? AND subject = ? AND user_id = ?)",
			key(e.Issuer), key(e.Subject), e.Claims, e.User, e.Issuer, e.Subject, e.User)
		if err == nil && n == 0 {
			err = t.userExists(doing, e.User) // else MySQL, which doesn't count a row that had these claims already
		}
	}
	if err != nil {
		return err
	}
	t.tell(e.User)
	return nil
}
