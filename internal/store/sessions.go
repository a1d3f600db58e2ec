package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Session is a login as it is stored. Times are Unix seconds.
type Session struct {
	Hash [32]byte // SHA-256 of the token: the token itself is nowhere
	ID   string   // public, random; unique per user and realm
	User int64

	Realm                  string // of the engine: "userauth", "oidc"
	Created, Seen, Expires int64  // it has ended when now >= Expires

	Method, Address, Agent string // how and from where it was made, for the list
	Issuer, Subject, SID   string // of the provider's session; "" for others
	Data                   string // the backend's own JSON; "" none
}

const (
	sessionColumns = "token_hash, id, user_id, realm, created_at, seen_at, expires_at, method, address, agent, issuer, subject, sid, data"
	selectSession  = "SELECT " + sessionColumns + " FROM auth_sessions WHERE "
	selectLive     = "SELECT token_hash, user_id, realm, seen_at, expires_at FROM auth_sessions WHERE token_hash = ?"
)

func scanSession(rows *sql.Rows) (s Session, err error) {
	var hash []byte
	err = rows.Scan(&hash, &s.ID, &s.User, &s.Realm, &s.Created, &s.Seen, &s.Expires,
		&s.Method, &s.Address, &s.Agent, &s.Issuer, &s.Subject, &s.SID, &s.Data)
	if err != nil {
		return Session{}, err
	}
	s.Hash, err = hashOf(hash)
	return s, err
}

func hashOf(b []byte) (hash [32]byte, err error) {
	if len(b) != len(hash) {
		return hash, fmt.Errorf("a session's hash has %d bytes", len(b))
	}
	return [32]byte(b), nil
}

// Live gives of the session with this hash what decides about a request: whose it is, of which realm, and its times Seen
// and Expires. The rest is empty: each column more costs several percent of the look-up. It doesn't look at the time.
func (d *DB) Live(ctx context.Context, hash [32]byte) (s Session, err error) {
	err = d.retry(ctx, func() error {
		return d.live.QueryRowContext(ctx, hash[:]).Scan((*storedHash)(&s.Hash), &s.User, &s.Realm, &s.Seen, &s.Expires)
	})
	if err == nil && s.Hash != hash { // nobody may ever get the row that another call has asked for
		err = errors.New("got another row")
	}
	if err != nil {
		return Session{}, failed("reading a session", err)
	}
	return s, nil
}

// A storedHash is scanned without a copy beside it.
type storedHash [32]byte

// Scan implements [sql.Scanner].
func (h *storedHash) Scan(value any) (err error) {
	b, _ := value.([]byte)
	*h, err = hashOf(b)
	return err
}

// SessionsByHash gives those of the sessions that there are.
func (d *DB) SessionsByHash(ctx context.Context, hashes [][32]byte) (map[[32]byte]Session, error) {
	all := make(map[[32]byte]Session, len(hashes))
	for batch := range slices.Chunk(hashes, batchSize) {
		err := d.query(ctx, "reading sessions", selectSession+"token_hash "+in(len(batch)), hashArgs(batch), func(rows *sql.Rows) error {
			s, err := scanSession(rows)
			if err != nil {
				return err
			}
			all[s.Hash] = s
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// SessionsOf gives the user's sessions of all realms, newest first, also those that have expired.
func (d *DB) SessionsOf(ctx context.Context, user int64) (list []Session, err error) {
	err = d.query(ctx, "listing sessions", selectSession+"user_id = ? ORDER BY created_at DESC, id", []any{user}, func(rows *sql.Rows) error {
		s, err := scanSession(rows)
		list = append(list, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// batchSize is how many keys one statement takes.
const batchSize = 200

// in is a condition with n placeholders.
func in(n int) string { return "IN (?" + strings.Repeat(", ?", n-1) + ")" }

func hashArgs(hashes [][32]byte) []any {
	args := make([]any, len(hashes))
	for i := range hashes {
		args[i] = hashes[i][:]
	}
	return args
}

// AddSession stores a session of a user who may log in; [ErrNotFound] if the user is gone or disabled. It keeps at most
// maximum (0: any number) of the user's sessions in this realm, and ends those that were not seen for the longest time.
func (t *Tx) AddSession(s Session, maximum int) error {
	const doing = "adding a session"
	// One statement asks and adds: a user who is disabled at the same time gets none.
	n, err := t.exec(doing, "INSERT INTO auth_sessions ("+sessionColumns+") SELECT ?, ?, id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? "+
		"FROM auth_users WHERE id = ? AND disabled = 0", s.Hash[:], key(s.ID), key(s.Realm), s.Created, s.Seen, s.Expires,
		s.Method, s.Address, s.Agent, key(s.Issuer), key(s.Subject), key(s.SID), s.Data, s.User)
	if err == nil && n == 0 {
		err = failed(doing, ErrNotFound)
	}
	if err != nil || maximum <= 0 {
		return err
	}
	others, err := t.sessionRows("user_id = ? AND realm = ? AND token_hash <> ?", s.User, s.Realm, s.Hash[:])
	if err != nil {
		return err
	}
	// Not by ORDER BY: for it SQLite would take the index of seen_at, and walk through the sessions of everybody.
	slices.SortFunc(others, func(a, b sessionRow) int {
		return cmp.Or(cmp.Compare(b.seen, a.seen), cmp.Compare(b.created, a.created), bytes.Compare(a.hash[:], b.hash[:]))
	})
	_, err = t.endSessions(others[min(maximum-1, len(others)):])
	return err
}

// Session gives the session with this hash. It doesn't look at the time.
func (t *Tx) Session(hash [32]byte) (s Session, err error) {
	const doing = "reading a session"
	found := false
	err = t.query(doing, selectSession+"token_hash = ?", []any{hash[:]}, func(rows *sql.Rows) (err error) {
		found = true
		s, err = scanSession(rows)
		return err
	})
	if err == nil && !found {
		err = failed(doing, ErrNotFound)
	}
	if err != nil {
		return Session{}, err
	}
	return s, nil
}

// SetSessionData replaces the Data of the user's session with this hash; [ErrNotFound] if there is none (any more). It
// tells the user's change, since what Data says belongs to what is known of the user.
func (t *Tx) SetSessionData(hash [32]byte, user int64, data string) error {
	const doing, where = "storing a session's data", " WHERE token_hash = ? AND user_id = ?"
	n, err := t.exec(doing, "UPDATE auth_sessions SET data = ?"+where, data, hash[:], user)
	if err == nil && n == 0 { // or MySQL, which doesn't count a row that had this data already
		if n, err = t.number(doing, "SELECT COUNT(*) FROM auth_sessions"+where, hash[:], user); err == nil && n == 0 {
			err = failed(doing, ErrNotFound)
		}
	}
	if err != nil {
		return err
	}
	t.tell(user)
	return nil
}

// DeleteSession ends a session. ended tells whether it is this call that did.
func (t *Tx) DeleteSession(hash [32]byte) (ended bool, err error) {
	n, err := t.deleteSessions("token_hash = ?", hash[:])
	return n > 0, err
}

// DeleteSessionByID ends the session by its public name. ended is false if this user has no such session in this realm.
func (t *Tx) DeleteSessionByID(user int64, realm, id string) (ended bool, err error) {
	n, err := t.deleteSessions("user_id = ? AND realm = ? AND id = ?", user, realm, id)
	return n > 0, err
}

// DeleteSessions ends the user's sessions in a realm, "" in all, but for one, if except is given.
func (t *Tx) DeleteSessions(user int64, realm string, except *[32]byte) (n int, err error) {
	where, args := "user_id = ?", []any{user}
	if realm != "" {
		where, args = where+" AND realm = ?", append(args, realm)
	}
	if except != nil {
		where, args = where+" AND token_hash <> ?", append(args, except[:])
	}
	deleted, err := t.exec("ending a user's sessions", "DELETE FROM auth_sessions WHERE "+where, args...)
	if deleted > 0 {
		t.tell(user)
	}
	return int(deleted), err
}

// DeleteSessionsBySID ends the sessions that began with a provider's session: those of the subject, all of them or the
// one that the provider calls sid; or, where the provider doesn't tell the subject, those with that sid. Without either
// it ends none.
func (t *Tx) DeleteSessionsBySID(issuer, subject, sid string) (n int, err error) {
	where, args := "issuer = ?", []any{issuer}
	if subject == "" && sid == "" || issuer == "" {
		return 0, nil // sessions of no provider have these empty, too
	}
	if subject != "" {
		where, args = where+" AND subject = ?", append(args, subject)
	}
	if sid != "" {
		where, args = where+" AND sid = ?", append(args, sid)
	}
	return t.deleteSessions(where, args...)
}

// SessionsOfIssuer gives the sessions that began with a provider's session, in no order, also those that have expired.
func (t *Tx) SessionsOfIssuer(issuer string) (list []Session, err error) {
	err = t.query("looking for sessions of an issuer", selectSession+"issuer = ?", []any{issuer}, func(rows *sql.Rows) error {
		s, err := scanSession(rows)
		list = append(list, s)
		return err
	})
	return list, err
}

type sessionRow struct {
	hash          [32]byte
	user          int64
	seen, created int64
}

func (t *Tx) sessionRows(where string, args ...any) (list []sessionRow, err error) {
	err = t.query("looking for sessions", "SELECT token_hash, user_id, seen_at, created_at FROM auth_sessions WHERE "+where, args, func(rows *sql.Rows) error {
		var hash []byte
		var row sessionRow
		if err := rows.Scan(&hash, &row.user, &row.seen, &row.created); err != nil {
			return err
		}
		row.hash, err = hashOf(hash)
		list = append(list, row)
		return err
	})
	return list, err
}

// deleteSessions ends sessions. The feed names each: what else their users have stays in everybody's memory.
func (t *Tx) deleteSessions(where string, args ...any) (n int, err error) {
	list, err := t.sessionRows(where, args...)
	if err != nil {
		return 0, err
	}
	return t.endSessions(list)
}

// endSessions deletes the rows, which nobody else can do meanwhile: this transaction is the only one that writes.
func (t *Tx) endSessions(list []sessionRow) (n int, err error) {
	for rows := range slices.Chunk(list, batchSize) {
		hashes := make([][32]byte, len(rows))
		for i, row := range rows {
			hashes[i] = row.hash
			t.tellSession(row.user, row.hash)
		}
		deleted, err := t.run("ending sessions", "DELETE FROM auth_sessions WHERE token_hash "+in(len(rows)), hashArgs(hashes)...)
		if err != nil {
			return 0, err
		}
		n += int(deleted)
	}
	return n, nil
}
