package oidcauth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ostiary/auth"
)

// permissions are what the claims of Permissions and Scopes list.
func (m *Mapping) permissions(c Claims) (auth.Permissions, error) {
	held, n := auth.Permissions{}, 0
	add := func(entry string) {
		resource, action, ok := m.permission(entry)
		if ok && !slices.Contains(held[resource], action) {
			held[resource] = append(held[resource], action)
			n++
		}
	}
	for entry := range m.entries(c) {
		if add(entry); n > maxPermissions {
			return nil, fmt.Errorf("%w: the provider lists more than %d permissions", auth.ErrForbidden, maxPermissions)
		}
	}
	return held, nil
}

// entries gives each string that may be a permission. A list isn't split at spaces, nor a string taken for a list: the
// provider means the one or the other.
func (m *Mapping) entries(c Claims) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, path := range m.Permissions {
			if list, ok := c.Texts(path); ok && !c.elsewhere(path) {
				for _, entry := range list {
					if !yield(entry) {
						return
					}
				}
			}
		}
		for _, path := range m.Scopes {
			if scope, ok := c.Text(path); ok && !c.elsewhere(path) {
				for entry := range strings.SplitSeq(scope, " ") { // RFC 6749 section 3.3: this character and no other
					if !yield(entry) {
						return
					}
				}
			}
		}
	}
}

// permission reads one entry. Most that a token lists are none ("openid"), or not ours: they grant nothing.
func (m *Mapping) permission(entry string) (resource, action string, ok bool) {
	colon := strings.LastIndexByte(entry, ':')
	if colon < 0 || strings.Contains(entry, "*") && !m.Wildcards {
		return "", "", false
	}
	resource, action = entry[:colon], entry[colon+1:]
	if (auth.Permissions{resource: {action}}).Validate() != nil {
		return "", "", false
	}
	// Scopes of other services are called "admin:org" and the like: nobody becomes an administrator here by such a chance.
	if (auth.Permissions{resource: {"*"}}).Has(adminResource, "any") {
		return "", "", false
	}
	return resource, action, true
}

// groups are the names that the claims of Roles list.
func (m *Mapping) groups(c Claims) (names []string) {
	for _, path := range m.Roles {
		if c.elsewhere(path) {
			continue
		}
		if one, ok := c.Text(path); ok { // what some providers send where there is only one
			names = append(names, one)
		} else if list, ok := c.Texts(path); ok {
			names = append(names, list...)
		}
	}
	return names
}

// roles are those that RoleMap gives for groups, sorted.
func (m *Mapping) roles(groups []string) (roles []string) {
	for _, name := range groups {
		for _, role := range m.RoleMap[name] {
			if !slices.Contains(roles, role) { // as many as RoleMap has at most, however many groups there are
				roles = append(roles, role)
			}
		}
	}
	slices.Sort(roles)
	return roles
}
