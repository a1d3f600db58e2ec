package store

import (
	"context"
	"database/sql"
	"errors"
)

// Secret gives the secret of this name, which all instances share. If there is none, it stores what generate gives, once:
// of several instances that start together, all get the same.
func (d *DB) Secret(ctx context.Context, name string, generate func() []byte) (value []byte, err error) {
	const doing, query = "reading a secret", "SELECT value FROM auth_secrets WHERE name = ?"
	found := false
	scan := func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&value)
	}
	if err := d.query(ctx, doing, query, []any{name}, scan); err != nil {
		return nil, err
	}
	if found {
		return value, nil
	}
	made := generate()
	if len(made) == 0 {
		return nil, errors.New("store: an empty secret was made")
	}
	err = d.Write(ctx, func(tx *Tx) error {
		if err := tx.query(doing, query, []any{name}, scan); err != nil || found {
			return err
		}
		value = made
		_, err := tx.exec("storing a secret", "INSERT INTO auth_secrets (name, value) VALUES (?, ?)", name, made)
		return err
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}
