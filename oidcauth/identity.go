package oidcauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
)

// A person is what all sessions of somebody whom a provider knows have in common and, once bound to one of them, whom that
// proves.
type person struct {
	id auth.Identity // bound, without an ID: nobody
	// sessions are when each is to be refreshed, in Unix seconds; 0: never. Their tokens aren't kept in memory: they are larger
	// than all else that is.
	sessions map[[32]byte]int64

	session *session.Session[person] // bound
	due     int64                    // bound: that of the session
}

// stored is what a provider's claims were mapped to, at the last login or refresh.
type stored struct {
	User         plainUser           `json:"user"`
	Permissions  map[string][]string `json:"permissions,omitempty"`
	Roles        []string            `json:"roles,omitempty"`
	Unrestricted bool                `json:"unrestricted,omitempty"`
}

// plainUser is stored field by field: [auth.User]'s own JSON is for clients.
type plainUser auth.User

func storedOf(id *auth.Identity) (string, error) {
	text, err := json.Marshal(stored{User: plainUser(id.User), Permissions: id.Permissions, Roles: id.Roles, Unrestricted: id.Unrestricted})
	return string(text), err
}

// identityID is who somebody is to the application: the provider and its name for the person, which together are never given
// to anybody else (OpenID Connect Core 5.7), as is true of no other claim. An issuer has no "#" (section 2), so no two are equal.
func identityID(issuer, subject string) string { return "oidc:" + issuer + "#" + subject }

// clientIdentityID is that of a client which acts for itself: it is nobody, and must never be taken for a person of that name
// (RFC 9068 section 5).
func clientIdentityID(issuer, client string) string { return "oidc-client:" + issuer + "#" + client }

// personKey is what a person is stored under.
func personKey(issuer, subject string) string { return issuer + "#" + subject }

// load gives what people are now. Who is missing is gone or disabled, and has no session any more.
func (b *backend) load(ctx context.Context, users []int64) (map[int64]*person, error) {
	accounts, err := b.store.Accounts(ctx, users)
	if err != nil {
		return nil, err
	}
	rows, err := b.store.SessionsIn(ctx, sessionRealm, users)
	if err != nil {
		return nil, err
	}
	people := make(map[int64]*person, len(accounts))
	for number, account := range accounts {
		if account.Disabled || account.Realm != sessionRealm {
			continue
		}
		id, err := b.identityOf(account)
		if err != nil {
			// One broken row must not be an outage for all who are looked up with it. Its owner is logged out: the next login
			// writes it anew.
			auth.Report(b.auth, nil, auth.Event{Kind: auth.EventFault, Username: account.Username, Reason: err.Error()})
			continue
		}
		if id != nil {
			people[number] = &person{id: *id, sessions: map[[32]byte]int64{}}
		}
	}
	for _, row := range rows {
		p := people[row.User]
		if p == nil {
			continue
		}
		data, err := sessionDataOf(row.Data)
		if err != nil {
			auth.Report(b.auth, nil, auth.Event{Kind: auth.EventFault, UserID: p.id.ID, Reason: fmt.Sprintf("session %s: %v", row.ID, err)})
			continue // fail closed: it proves nobody
		}
		p.sessions[row.Hash] = max(data.Due, data.Lease)
	}
	return people, nil
}

// identityOf is what is stored of somebody, with what was changed here. It is nil for the people of a provider that isn't
// configured any more: nobody vouches for them.
func (b *backend) identityOf(a *store.Account) (*auth.Identity, error) {
	for _, e := range a.Externals {
		if b.providerOf(e.Issuer) == nil {
			continue
		}
		var s stored
		if err := json.Unmarshal([]byte(e.Claims), &s); err != nil {
			return nil, fmt.Errorf("claims of user %d: %w", a.ID, err)
		}
		if s.User.Username == "" {
			return nil, fmt.Errorf("claims of user %d: no username", a.ID)
		}
		return &auth.Identity{
			ID:          identityID(e.Issuer, e.Subject),
			User:        auth.Overlay(auth.User(s.User), changedHere(a)),
			Permissions: s.Permissions, Roles: s.Roles, Unrestricted: s.Unrestricted,
		}, nil
	}
	if len(a.Externals) == 0 {
		return nil, errors.New("a user without claims")
	}
	return nil, nil
}

// bind is whom one session proves.
func (b *backend) bind(of *person, s *session.Session[person]) person {
	due, known := of.sessions[s.Hash()]
	if !known {
		return person{}
	}
	p := person{id: of.id, session: s, due: due}
	p.id.Session, p.id.Expires = personSession{s}, s.Expires()
	return p
}

// A personSession is a session of the engine as the [auth.Session] of its identity.
type personSession struct {
	*session.Session[person]
}

// Current implements [auth.Session].
func (s personSession) Current() (*auth.Identity, error) {
	p, err := s.Session.Current()
	if err != nil {
		return nil, err
	}
	if p.id.ID == "" {
		return nil, auth.ErrSessionEnded
	}
	return &p.id, nil
}

// changedHere is the profile as far as the user has changed it here.
func changedHere(a *store.Account) auth.User {
	return auth.User{
		Name: a.Name, DisplayName: a.DisplayName, Initials: a.Initials, Color: a.Color,
		AvatarURL: a.AvatarURL, Workspace: a.Workspace, Settings: a.Settings,
	}
}
