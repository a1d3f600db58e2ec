package userauth

import (
	"context"
	"time"

	"github.com/ostiary/auth/internal/store"
)

// Session is a login, as its holder and admins see it. It is not enough to use the session.
type Session struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`         // at most a minute before the last request
	Expires time.Time `json:"expires"`      // at the latest; without requests earlier
	Address string    `json:"address"`      // at login
	Agent   string    `json:"agent"`        // the browser's name for itself: anybody can claim any
	Method  string    `json:"method"`       // how the user logged in
	By      string    `json:"by,omitempty"` // the admin who acts as the user in it; empty: the user
	Current bool      `json:"current"`      // the one that asks; [Accounts] has none
}

// Sessions gives the user's sessions, the newest first.
func (a *Accounts) Sessions(ctx context.Context, username string) ([]Session, error) {
	user, err := a.find(ctx, username)
	if err != nil {
		return nil, err
	}
	rows, err := a.store.SessionsOf(ctx, user.ID)
	if err != nil {
		return nil, failure(naming(username), err)
	}
	var sessions []Session
	for _, row := range rows {
		if row.Realm != tokenRealm && row.Expires > a.now().Unix() { // the others only wait to be swept out
			sessions = append(sessions, sessionOf(row))
		}
	}
	return sessions, nil
}

// EndSessions ends all of the user's sessions, and those in which the user acts as somebody else, and tells how many of the
// former there were. API tokens stay: they are no logins.
func (a *Accounts) EndSessions(ctx context.Context, username string) (n int, err error) {
	user, err := a.find(ctx, username)
	if err != nil {
		return 0, err
	}
	err = a.write(ctx, func(tx *store.Tx) error {
		if err := endActing(tx, user.ID); err != nil {
			return err
		}
		n, err = tx.DeleteSessions(user.ID, sessionRealm, nil)
		return err
	})
	if err != nil {
		return 0, failure(naming(username), err)
	}
	return n, nil
}

func sessionOf(s store.Session) Session {
	return Session{
		ID:      s.ID,
		Created: time.Unix(s.Created, 0).UTC(),
		Seen:    time.Unix(s.Seen, 0).UTC(),
		Expires: time.Unix(s.Expires, 0).UTC(),
		Address: s.Address,
		Agent:   s.Agent,
		Method:  s.Method,
		By:      actorOf(s).Username,
	}
}
