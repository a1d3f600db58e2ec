package oidcauth

import (
	"context"
	"errors"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
)

// A standing is whom a token proves, with what is known here of that person. It is immutable.
type standing struct {
	says  *statement
	local *local
	id    *auth.Identity
}

// local is what the database knows of somebody, as of a number of changes. It is immutable. Who has never been here is like who
// has changed nothing.
type local struct {
	tick     uint64
	disabled bool
	user     auth.User // as far as it was changed here
}

// lookTimeout is how long the database may take to answer.
const lookTimeout = time.Second

// current is whom e proves now. The database is asked only when something in it has changed since it was asked last. Somebody
// who is disabled here stays out, whatever the provider's token says.
func (s *bearers) current(ctx context.Context, e *verified) (*auth.Identity, error) {
	tick, err := s.b.engine.Tick(ctx)
	if err != nil {
		return nil, err
	}
	if !e.known(tick) {
		if err := s.look(ctx, tick, e); err != nil {
			return nil, err
		}
	}
	state := e.state.Load()
	if state.local.disabled {
		return nil, auth.ErrForbidden
	}
	return state.id, nil
}

// known tells whether what is in memory of whom e proves is still so.
func (e *verified) known(tick uint64) bool {
	state := e.state.Load()
	return state != nil && state.local.tick == tick && state.says == e.says.Load()
}

// person is what whom a token proves is stored under. A client is looked for, too: who is disabled here must not come back as
// a client that goes by the same subject.
func (e *verified) person(says *statement) string { return personKey(e.provider.Issuer, says.subject) }

// look finds out about whom tokens prove: people of whom nothing is known since the last change are asked about together.
func (s *bearers) look(ctx context.Context, tick uint64, list ...*verified) error {
	people := map[string]*local{}
	says := make([]*statement, len(list)) // it may change meanwhile
	var unknown []string
	for i, e := range list {
		says[i] = e.says.Load()
		key := e.person(says[i])
		if people[key] != nil {
			continue
		}
		if known, ok := s.people.get(key); ok && known.tick == tick {
			people[key] = known
			continue
		}
		people[key] = &local{tick: tick}
		unknown = append(unknown, key)
	}
	if len(unknown) > 0 {
		accounts, err := s.accounts(ctx, unknown)
		if err != nil {
			return errors.Join(auth.ErrUnavailable, err)
		}
		for _, key := range unknown {
			if a := accounts[key]; a != nil {
				people[key] = &local{tick: tick, disabled: a.Disabled, user: changedHere(a)}
			}
			s.people.put(key, people[key])
		}
	}
	for i, e := range list {
		e.setStanding(says[i], people[e.person(says[i])])
	}
	return nil
}

func (s *bearers) accounts(ctx context.Context, keys []string) (map[string]*store.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return s.b.store.AccountsByKey(ctx, sessionRealm, keys)
}

// setStanding keeps what is known here. The identity stays the same where nothing about it has changed: who watches need not
// decide again.
func (e *verified) setStanding(says *statement, now *local) {
	before := e.state.Load()
	if before != nil && before.says == says && (says.client || before.local.user == now.user) {
		e.state.Store(&standing{says, now, before.id})
		return
	}
	id := says.id
	id.Session = e
	if !says.client { // whose profile is nobody's
		id.User = auth.Overlay(id.User, now.user)
	}
	e.state.Store(&standing{says, now, &id})
}
