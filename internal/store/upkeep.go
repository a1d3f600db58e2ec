package store

import (
	"bytes"
	"context"
	"maps"
	"slices"
)

// Touch stores when sessions were last seen (Unix seconds), where that is later than what is stored. It never inserts: a
// session that was ended meanwhile stays ended.
func (d *DB) Touch(ctx context.Context, seen map[[32]byte]int64) error {
	// In order, so that two instances that touch the same sessions don't wait for each other.
	hashes := slices.SortedFunc(maps.Keys(seen), func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	if len(hashes) == 0 {
		return nil
	}
	return d.Write(ctx, func(tx *Tx) error {
		for _, hash := range hashes {
			at := seen[hash]
			_, err := tx.exec("touching a session", "UPDATE auth_sessions SET seen_at = ? WHERE token_hash = ? AND seen_at < ?", at, hash[:], at)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Purge deletes at most batch rows that are over by themselves: sessions with Expires <= now, those of a realm that were
// last seen before expired[realm], and marks. It returns how many it deleted; fewer than batch means that none is left. The
// feed doesn't tell of them, since everybody knows when they end.
func (d *DB) Purge(ctx context.Context, expired map[string]int64, now int64, batch int) (n int, err error) {
	err = d.Write(ctx, func(tx *Tx) error {
		n = 0
		if err := tx.purge(&n, batch, "expires_at <= ?", now); err != nil {
			return err
		}
		for _, realm := range slices.Sorted(maps.Keys(expired)) {
			if err := tx.purge(&n, batch, "realm = ? AND seen_at < ?", realm, expired[realm]); err != nil {
				return err
			}
		}
		return tx.purgeMarks(&n, batch, now)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// purge deletes sessions where ended holds, until n, which it counts up, is batch.
func (t *Tx) purge(n *int, batch int, ended string, args ...any) error {
	list, err := t.sessionRows(ended+" LIMIT ?", append(slices.Clone(args), max(batch-*n, 0))...)
	if err != nil {
		return err
	}
	for rows := range slices.Chunk(list, batchSize) {
		hashes := make([][32]byte, len(rows))
		for i := range rows {
			hashes[i] = rows[i].hash
		}
		// The condition again: a session that was seen since it was found is alive.
		deleted, err := t.exec("purging sessions", "DELETE FROM auth_sessions WHERE token_hash "+in(len(rows))+" AND "+ended,
			append(hashArgs(hashes), args...)...)
		if err != nil {
			return err
		}
		*n += int(deleted)
	}
	return nil
}
