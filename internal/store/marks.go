package store

import (
	"database/sql"
	"errors"
	"maps"
	"slices"
)

// A mark says that something has happened: what may happen only once, or what has to be remembered for a while. realm
// keeps the marks of one purpose from those of another; hash is of what the mark is about, which may be a secret. The feed
// doesn't tell of marks, since nobody keeps them in memory.
//
// A mark is there until it is purged, at or after expires (Unix seconds). Being there is what counts, so that no clock and
// no janitor's delay makes a thing happen twice: expires has to be after the time until which the thing could come again.

// Once tells whether this is the first time, and marks it: of several that ask at once, one is told so, after its commit.
func (t *Tx) Once(realm string, hash [32]byte, expires int64) (first bool, err error) {
	err = t.addMark("marking what happens once", realm, hash, 0, expires)
	if errors.Is(err, ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// Mark remembers value. Where there is a mark already, the larger value and the later expires stay, so that the order in
// which two instances learn of two things doesn't matter.
func (t *Tx) Mark(realm string, hash [32]byte, value, expires int64) error {
	const doing = "marking"
	err := t.addMark(doing, realm, hash, value, expires)
	if !errors.Is(err, ErrExists) {
		return err
	}
	_, err = t.exec(doing, "UPDATE auth_marks SET value = CASE WHEN value < ? THEN ? ELSE value END, "+
		"expires_at = CASE WHEN expires_at < ? THEN ? ELSE expires_at END WHERE realm = ? AND hash = ?",
		value, value, expires, expires, realm, hash[:])
	return err
}

// addMark fails with [ErrExists] where there is one.
func (t *Tx) addMark(doing, realm string, hash [32]byte, value, expires int64) error {
	_, err := t.exec(doing, "INSERT INTO auth_marks (realm, hash, value, expires_at) VALUES (?, ?, ?, ?)",
		key(realm), hash[:], value, expires)
	return err
}

// Marked gives the value of a mark; marked is false where there is none.
func (t *Tx) Marked(realm string, hash [32]byte) (value int64, marked bool, err error) {
	value, err = t.number("looking for a mark", "SELECT value FROM auth_marks WHERE realm = ? AND hash = ?", realm, hash[:])
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	return value, err == nil, err
}

// purgeMarks deletes those that are over, until n, which it counts up, is batch.
func (t *Tx) purgeMarks(n *int, batch int, now int64) error {
	const doing, over = "purging marks", "expires_at <= ?"
	marks := map[string][][32]byte{}
	err := t.query(doing, "SELECT realm, hash FROM auth_marks WHERE "+over+" LIMIT ?", []any{now, max(batch-*n, 0)}, func(rows *sql.Rows) error {
		var realm string
		var hash storedHash
		err := rows.Scan(&realm, &hash)
		marks[realm] = append(marks[realm], hash)
		return err
	})
	if err != nil {
		return err
	}
	for _, realm := range slices.Sorted(maps.Keys(marks)) {
		for hashes := range slices.Chunk(marks[realm], batchSize) {
			deleted, err := t.exec(doing, "DELETE FROM auth_marks WHERE realm = ? AND hash "+in(len(hashes))+" AND "+over,
				append(append([]any{realm}, hashArgs(hashes)...), now)...)
			if err != nil {
				return err
			}
			*n += int(deleted)
		}
	}
	return nil
}
