package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ostiary/auth"
)

// A directory is what an LDAP client offers: with the library of your choice this is a few lines around its Search and
// Bind, over a connection with TLS. Both must end with ctx.
type directory interface {
	// Search gives the entries that fit a filter (RFC 4515). It is asked as the application, not as the user.
	Search(ctx context.Context, filter string) ([]entry, error)
	// Bind proves a password. errBadPassword says that it is wrong; any other error that nobody knows.
	Bind(ctx context.Context, dn, password string) error
}

var errBadPassword = errors.New("bad password") // LDAP's result 49, invalidCredentials

// An entry is what the directory says of a person.
type entry struct {
	DN, UUID, UID, CN string
	Groups            []string
	Left              bool
}

// An ldap believes a directory's passwords.
type ldap struct {
	directory directory
	server    string                      // its name, part of the users' IDs
	groups    map[string]auth.Permissions // what each group may
}

// Authenticate implements [userauth.Authenticator]: it looks the name up, then tries the password on who was found.
func (l *ldap) Authenticate(ctx context.Context, username, password string) (*auth.Identity, error) {
	found, err := l.directory.Search(ctx, "(uid="+escapeFilter(username)+")")
	switch {
	case err != nil:
		return nil, fmt.Errorf("searching: %w", err) // 503: nobody knows, so nobody is told "wrong"
	case len(found) == 0:
		return nil, auth.ErrNoCredentials // none of ours: the next authenticator may know the name
	case len(found) > 1:
		return nil, errors.New("searching: the name is not unique") // whose password would it be?
	}
	person := found[0]
	// A directory takes a bind without a password for an anonymous one, and says yes (RFC 4513 section 5.1.2). userauth
	// doesn't ask with an empty password; whoever copies this code may.
	if password == "" {
		return nil, auth.ErrInvalidCredentials
	}
	switch err := l.directory.Bind(ctx, person.DN, password); {
	case errors.Is(err, errBadPassword):
		return nil, auth.ErrInvalidCredentials
	case err != nil:
		return nil, fmt.Errorf("binding: %w", err)
	case person.Left: // only now: before the password is proved nobody learns who has left
		return nil, auth.ErrForbidden
	}
	id := &auth.Identity{
		// By the entry's UUID: names and places in the directory change, and are given to others later.
		ID:          "ldap:" + l.server + "#" + person.UUID,
		User:        auth.User{Username: person.UID, Name: person.CN},
		Permissions: auth.Permissions{},
	}
	for _, group := range person.Groups {
		for resource, actions := range l.groups[group] { // a group that isn't listed gives nothing, whatever its name
			id.Permissions[resource] = append(id.Permissions[resource], actions...)
		}
	}
	return id, nil
}

// escapeFilter makes a value of what somebody typed (RFC 4515 section 3). Unescaped, "*" would be everybody, and
// ")(uid=admin" a condition of the visitor's own.
func escapeFilter(value string) string {
	return strings.NewReplacer(`\`, `\5c`, "*", `\2a`, "(", `\28`, ")", `\29`, "\x00", `\00`).Replace(value)
}
