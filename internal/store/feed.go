package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// A Change is an entry of the feed: whose state in memory is no longer what is stored.
type Change struct {
	// Seq is the entry's number: one more than that of the entry committed before it, without gaps.
	Seq int64

	// Mark is random. A restored backup that has grown past a reader's last entry has another mark there.
	Mark int64

	// User is whose account or sessions changed. 0: anybody's (a role).
	User int64

	// Session is the hash of the one session that ended. Nil: the user's account and all sessions.
	Session []byte
}

// changes collects what a transaction has to tell, each thing once.
type changes struct {
	list []Change
	seen map[changed]bool
}

type changed struct {
	user    int64
	session [32]byte // zero: all; no token has that hash
}

func (c *changes) add(user int64, session [32]byte) {
	key := changed{user, session}
	if c.seen[key] {
		return
	}
	if c.seen == nil {
		c.seen = map[changed]bool{}
	}
	c.seen[key] = true
	change := Change{User: user}
	if session != [32]byte{} {
		change.Session = session[:]
	}
	c.list = append(c.list, change)
}

// tell notes that the user's account, or all sessions, changed; user 0 is everybody.
func (t *Tx) tell(user int64) { t.changes.add(user, [32]byte{}) }

// tellSession notes that one session has ended.
func (t *Tx) tellSession(user int64, hash [32]byte) { t.changes.add(user, hash) }

// feedRows is how many rows one INSERT takes.
const feedRows = 100

// flush writes what the transaction has to tell. It must be the last thing before the commit: from here on the counter
// is locked, so that the numbers are in the order of the commits, and no reader can see a later one before an earlier.
func (t *Tx) flush() {
	list := t.changes.list
	if len(list) == 0 {
		return
	}
	last, err := t.take("feed", len(list))
	if err != nil {
		return
	}
	seq, now := last-int64(len(list)), time.Now().Unix()
	for len(list) > 0 {
		n := min(len(list), feedRows)
		var args []any
		for _, c := range list[:n] {
			seq++
			args = append(args, seq, randomMark(), c.User, c.Session, now)
		}
		_, err := t.run("telling changes", "INSERT INTO auth_feed (seq, mark, user_id, token_hash, created_at) VALUES (?, ?, ?, ?, ?)"+
			strings.Repeat(", (?, ?, ?, ?, ?)", n-1), args...)
		if err != nil {
			return
		}
		list = list[n:]
	}
	if t.dialect.notify != "" {
		_ = t.query("telling changes", t.dialect.notify, nil, func(*sql.Rows) error { return nil }) // an error is in t.broken
	}
}

func randomMark() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return int64(binary.BigEndian.Uint64(b[:]))
}

// errCounter means that somebody has meddled with a row without which no number can be trusted.
var errCounter = errors.New("a counter is missing or has gone back")

// feedQuery gives a row even if there is no entry: the head is always told.
const feedQuery = "SELECT c.value, f.seq, f.mark, f.user_id, f.token_hash FROM auth_counters c " +
	"LEFT JOIN auth_feed f ON f.seq >= ? WHERE c.name = 'feed' ORDER BY f.seq LIMIT ?"

// Feed gives the number of the newest entry (0 if there was never one) and the entries from number from on, in order, at
// most limit (at least 1), all as they were at one moment.
func (d *DB) Feed(ctx context.Context, from int64, limit int) (head int64, list []Change, err error) {
	found := false
	err = d.prepared(ctx, "reading the feed", d.feed, []any{from, max(limit, 1)}, func(rows *sql.Rows) error {
		var seq, mark, user sql.NullInt64
		var session []byte
		if err := rows.Scan(&head, &seq, &mark, &user, &session); err != nil {
			return err
		}
		found = true
		if seq.Valid {
			list = append(list, Change{seq.Int64, mark.Int64, user.Int64, session})
		}
		return nil
	})
	if err == nil && !found {
		err = failed("reading the feed", errCounter)
	}
	if err != nil {
		return 0, nil, err
	}
	return head, list, nil
}

// TrimFeed deletes entries that are older than before (Unix seconds), at most batch of them, oldest first, and never the
// newest keep. It returns how many it deleted. What stays has no gap.
func (d *DB) TrimFeed(ctx context.Context, before int64, keep, batch int) (n int, err error) {
	err = d.Write(ctx, func(tx *Tx) error {
		head, err := tx.number("trimming the feed", "SELECT value FROM auth_counters WHERE name = 'feed'")
		if err != nil {
			return err
		}
		last, young := int64(0), false
		err = tx.query("trimming the feed", "SELECT seq, created_at FROM auth_feed WHERE seq <= ? ORDER BY seq LIMIT ?",
			[]any{head - int64(max(keep, 0)), max(batch, 0)}, func(rows *sql.Rows) error {
				var seq, created int64
				if err := rows.Scan(&seq, &created); err != nil {
					return err
				}
				if young = young || created >= before; !young {
					last = seq
				}
				return nil
			})
		if err != nil {
			return err
		}
		deleted, err := tx.exec("trimming the feed", "DELETE FROM auth_feed WHERE seq <= ?", last)
		n = int(deleted)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
