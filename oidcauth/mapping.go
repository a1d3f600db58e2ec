package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ostiary/auth"
)

// A Mapping says what a provider's claims mean here. The zero value takes the profile, and no permission and no role at
// all: whatever grants something is named. Names of claims are paths, see [Claims.Value]. A claim that is missing or of
// another type than it should be never grants anything.
//
// A user is the provider's issuer and subject, and nothing else: neither a username nor an e-mail address makes two of
// them one.
type Mapping struct {
	// Username is the claim to take [auth.User.Username] from. Empty: "preferred_username", else "email" if the provider
	// has verified it. Where that is missing it is the subject. It is for people to see: providers let users change it, and
	// two users may have the same.
	Username string

	// Permissions are claims that list permissions, each a string such as "contents:read": a resource, then behind the last
	// colon one action. Other strings in them are ignored. Empty: none.
	Permissions []string
	// Scopes are claims that hold such permissions in one string with spaces between (RFC 8693 section 4.2): "scope". Who
	// asks for a token chooses its scope: let the provider grant to each user only what that user may do. Where a provider
	// sends "scp" as a list, it belongs to Permissions. Empty: none.
	Scopes []string
	// Wildcards lets Permissions and Scopes hold "contents:*" and "contents/*:read". False: such an entry grants nothing.
	// On "admin", the resource of userauth's administration, they never grant anything, neither by its name nor by a "*" that
	// covers it: RoleMap and Func can.
	Wildcards bool

	// Roles are claims that list groups or roles: "groups", "realm_access.roles". A string is a list of one. They mean
	// nothing but by RoleMap and AllowGroups. Empty: none.
	Roles []string
	// RoleMap gives for a name in Roles the roles here: names in [auth.Config.Roles] or of [auth.RequireRole]. Names are
	// exact. One that isn't there grants nothing. Nil: no roles.
	RoleMap map[string][]string

	// AllowGroups are names of which a user must have one in Roles to be let in at all. Where the provider leaves the claim
	// out, for instance since there are too many groups, nobody is in any. Empty: everybody whom the provider knows.
	AllowGroups []string
	// AllowDomains are domains ("corp.example", not those below it) of which a user must have a verified e-mail address to
	// be let in at all, beside AllowGroups. Empty: as for AllowGroups.
	AllowDomains []string
	// EmailVerifiedText takes the string "true" for the boolean in "email_verified", for providers that send it so. False:
	// an address is verified by the boolean alone.
	EmailVerifiedText bool

	// Func does the rest. It gets the claims, and the identity that the fields above make of them, and may change all of it
	// but ID, which begins with "oidc-client:" for a client that acts for itself; Explicit, Expires and Session are not used.
	// An error that is [auth.ErrForbidden] refuses the user; any other is a fault: the user doesn't get in now. ctx ends after
	// ten seconds. It may be called concurrently, and again for the same user: at a login, a refresh, and for an API client's
	// token. It must keep neither claims nor identity. Nil: nothing more.
	//
	// It can grant anything, [auth.Identity.Unrestricted] included, on the strength of what users may be able to set
	// themselves at the provider: look at claims that they can't, and never at an e-mail address that isn't verified.
	Func func(ctx context.Context, claims Claims, id *auth.Identity) error
}

const (
	mappingTimeout = 10 * time.Second
	maxPermissions = 1000 // of one user by claims; so many are a mistake, and each costs memory and time with every decision
	maxSubject     = 255  // OpenID Connect Core section 2, "sub"
	adminResource  = "admin"
)

// check reports the first setting that can't be meant.
func (m *Mapping) check() error {
	for _, field := range []struct {
		name   string
		values []string
	}{
		{"Permissions", m.Permissions}, {"Scopes", m.Scopes}, {"Roles", m.Roles},
		{"AllowGroups", m.AllowGroups}, {"AllowDomains", m.AllowDomains},
	} {
		for i, value := range field.values {
			if strings.TrimSpace(value) != value || value == "" {
				return fmt.Errorf("number %d of Mapping.%s, %q, is empty or has blanks around it", i, field.name, value)
			}
		}
	}
	for _, domain := range m.AllowDomains {
		if _, ok := domainOf("x@" + domain); !ok || strings.ContainsAny(domain, "*/:") || strings.Trim(domain, ".") != domain {
			return fmt.Errorf(`want domains such as "corp.example" in Mapping.AllowDomains, not %q`, domain)
		}
	}
	for name, roles := range m.RoleMap {
		if name == "" || name == "*" {
			return fmt.Errorf("want the provider's name of a group or role in Mapping.RoleMap, not %q", name)
		}
		if len(roles) == 0 || slices.Contains(roles, "") {
			return fmt.Errorf("no role, or an empty one, for %q in Mapping.RoleMap", name)
		}
	}
	switch { // else a setting would silently do nothing
	case len(m.Roles) == 0 && len(m.RoleMap) > 0:
		return errors.New("Mapping.RoleMap without Mapping.Roles, the claims that it is about")
	case len(m.Roles) == 0 && len(m.AllowGroups) > 0:
		return errors.New("Mapping.AllowGroups without Mapping.Roles, the claims that list groups")
	case m.Wildcards && len(m.Permissions) == 0 && len(m.Scopes) == 0:
		return errors.New("Mapping.Wildcards without Mapping.Permissions or Mapping.Scopes")
	}
	return nil
}

// clone is a deep copy, so that nobody changes what was checked.
func (m *Mapping) clone() Mapping {
	c := *m
	for _, list := range []*[]string{&c.Permissions, &c.Scopes, &c.Roles, &c.AllowGroups, &c.AllowDomains} {
		*list = slices.Clone(*list)
	}
	if m.RoleMap != nil {
		c.RoleMap = make(map[string][]string, len(m.RoleMap))
		for name, roles := range m.RoleMap {
			c.RoleMap[name] = slices.Clone(roles)
		}
	}
	return c
}

// identity is what the claims that a provider has vouched for are worth here. id is whom they are about: their subject at
// that provider, as a person or as a client. [auth.ErrForbidden]: who may not come in here. Any other error is a fault of the
// provider or of Func.
func (m *Mapping) identity(ctx context.Context, id string, c Claims) (*auth.Identity, error) {
	subject, ok := c["sub"].(string)
	if !ok || !soundSubject(subject) {
		return nil, errors.New("oidcauth: the provider gives no sound subject")
	}
	who := &auth.Identity{ID: id, User: m.user(c, subject)}
	var err error
	groups := m.groups(c)
	if err := m.allow(c, groups); err != nil {
		return nil, err
	}
	if who.Permissions, err = m.permissions(c); err != nil {
		return nil, err
	}
	who.Roles = m.roles(groups)
	if m.Func == nil {
		return who, nil
	}
	return m.rest(ctx, c, who)
}

func soundSubject(subject string) bool {
	return subject != "" && len(subject) <= maxSubject && utf8.ValidString(subject) && !strings.ContainsFunc(subject, isControl)
}

// rest has Func do the rest, and checks what it did as if a stranger had.
func (m *Mapping) rest(ctx context.Context, c Claims, id *auth.Identity) (*auth.Identity, error) {
	changed := *id
	// Of an error its text alone: a Func that hands on another outcome, such as ErrNoCredentials, must not have the next
	// backend asked.
	if err := m.ask(ctx, c, &changed); errors.Is(err, auth.ErrForbidden) {
		return nil, fmt.Errorf("%w: Mapping.Func: %s", auth.ErrForbidden, err.Error())
	} else if err != nil {
		return nil, fmt.Errorf("oidcauth: Mapping.Func: %s", err.Error())
	}
	result := &auth.Identity{
		ID: id.ID, User: changed.User, Unrestricted: changed.Unrestricted,
		Permissions: changed.Permissions.Clone(), Roles: slices.Clone(changed.Roles),
	}
	if err := result.Permissions.Validate(); err != nil {
		return nil, fmt.Errorf("oidcauth: Mapping.Func: %w", err)
	}
	u := result.User
	if err := (auth.UserUpdate{
		Name: &u.Name, DisplayName: &u.DisplayName, Initials: &u.Initials, Color: &u.Color, AvatarURL: &u.AvatarURL,
		Workspace: &u.Workspace, Settings: &u.Settings,
	}).Validate(); err != nil {
		return nil, fmt.Errorf("oidcauth: Mapping.Func: %w", err)
	}
	if clean(u.Username) != u.Username || u.Username == "" {
		return nil, fmt.Errorf("oidcauth: Mapping.Func: the username %q is empty, too long or has characters that aren't seen", u.Username)
	}
	return result, nil
}

// ask turns a panic into a fault, so that it can't pass for an answer. Its value may hold claims: it isn't told.
func (m *Mapping) ask(ctx context.Context, c Claims, id *auth.Identity) (err error) {
	ctx, cancel := context.WithTimeout(ctx, mappingTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic of type %T", v)
		}
	}()
	return m.Func(ctx, c, id)
}
