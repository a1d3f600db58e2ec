package store

import (
	"context"
	"database/sql"
	"slices"
)

// SessionsIn gives the users' sessions of one realm, in no order, also those that have expired.
func (d *DB) SessionsIn(ctx context.Context, realm string, users []int64) (list []Session, err error) {
	for batch := range slices.Chunk(users, batchSize) {
		args := []any{realm}
		for _, user := range batch {
			args = append(args, user)
		}
		err := d.query(ctx, "reading users' sessions", selectSession+"realm = ? AND user_id "+in(len(batch)), args, func(rows *sql.Rows) error {
			s, err := scanSession(rows)
			list = append(list, s)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// AddToken stores a session that is nobody's login: it pushes no other out, and removes those in this realm that have
// expired by now. [ErrFull] if the user has maximum of others, [ErrNotFound] if the user is gone or disabled. It tells the user's change, since
// what Data says of it belongs to what is known of the user.
func (t *Tx) AddToken(s Session, maximum int, now int64) error {
	const doing = "adding a token"
	// Those that are over go at once: they count no more, so whoever makes many that are soon over would fill the table, and
	// the memory of whoever reads the user's, until the next purge.
	if _, err := t.deleteSessions("user_id = ? AND realm = ? AND expires_at <= ?", s.User, s.Realm, now); err != nil {
		return err
	}
	n, err := t.number(doing, "SELECT COUNT(*) FROM auth_sessions WHERE user_id = ? AND realm = ?", s.User, s.Realm)
	if err == nil && n >= int64(maximum) {
		err = failed(doing, ErrFull)
	}
	if err != nil {
		return err
	}
	if err := t.AddSession(s, 0); err != nil {
		return err
	}
	t.tell(s.User)
	return nil
}

// HasSession tells whether there is a session with this hash as the transaction sees it. It doesn't look at the time.
func (t *Tx) HasSession(hash [32]byte) (bool, error) {
	n, err := t.number("looking for a session", "SELECT COUNT(*) FROM auth_sessions WHERE token_hash = ?", hash[:])
	return n > 0, err
}
