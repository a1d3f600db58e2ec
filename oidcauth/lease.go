package oidcauth

import (
	"context"
	"errors"

	"github.com/ostiary/auth/internal/store"
)

// refreshLease is for how many seconds an instance has a session's refresh to itself: longer than refreshTimeout and
// keepTimeout together.
const refreshLease = 60

// A lease is a session whose refresh this instance has taken on.
type lease struct {
	provider *provider
	session  store.Session
	data     sessionData
	claims   string // as they were stored before the provider was asked
}

// lease takes the refresh of a session; nil where it isn't due, or somebody else's.
func (f *refresher) lease(ctx context.Context, hash [32]byte) (l *lease, err error) {
	now := f.b.now().Unix()
	err = f.b.store.Write(ctx, func(tx *store.Tx) error {
		l = nil
		s, err := tx.Session(hash)
		if errors.Is(err, store.ErrNotFound) {
			return nil // ended
		}
		if err != nil {
			return err
		}
		data, err := sessionDataOf(s.Data)
		if err != nil {
			return err
		}
		p := f.b.providerOf(s.Issuer)
		if p == nil || data.Refresh == "" || data.Due > now || data.Lease > now {
			return nil
		}
		data.Lease = now + refreshLease
		l = &lease{provider: p, session: s, data: data}
		if l.claims, err = storedClaims(tx, s); err != nil {
			return err
		}
		return setData(tx, s, data)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// errEnded: the session has ended meanwhile, and nothing brings it back.
var errEnded = errors.New("the session has ended")

// change is write with a time limit of its own: what the provider was asked may have taken all of the refresh's.
func (f *refresher) change(l *lease, change func(*store.Tx, *sessionData) error) error {
	ctx, cancel := context.WithTimeout(f.ctx, keepTimeout)
	defer cancel()
	if err := f.write(ctx, l, change); !errors.Is(err, errEnded) {
		return err
	}
	return nil
}

// write changes the session, unless it has ended.
func (f *refresher) write(ctx context.Context, l *lease, change func(*store.Tx, *sessionData) error) error {
	return f.b.engine.Write(ctx, func(tx *store.Tx) error {
		s, err := tx.Session(l.session.Hash)
		if errors.Is(err, store.ErrNotFound) {
			return errEnded
		}
		if err != nil {
			return err
		}
		data, err := sessionDataOf(s.Data)
		if err != nil {
			return err
		}
		if err := change(tx, &data); err != nil {
			return err
		}
		return setData(tx, s, data)
	})
}

// storedClaims are what is stored of what the provider says of the session's user.
func storedClaims(tx *store.Tx, s store.Session) (string, error) {
	e, err := tx.External(s.Issuer, s.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return e.Claims, err
}
