package oidcauth

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/ostiary/auth"
)

// allow is nil for who may come in at all. The provider may know many more people than those whom this application is for.
func (m *Mapping) allow(c Claims, groups []string) error {
	allowed := func(group string) bool { return slices.Contains(m.AllowGroups, group) }
	if len(m.AllowGroups) > 0 && !slices.ContainsFunc(groups, allowed) {
		if slices.ContainsFunc(m.Roles, c.elsewhere) {
			return fmt.Errorf("%w: the provider lists this user's groups elsewhere than in the token", auth.ErrForbidden)
		}
		return fmt.Errorf("%w: in none of Mapping.AllowGroups", auth.ErrForbidden)
	}
	if len(m.AllowDomains) > 0 {
		address, ok := m.email(c)
		if !ok {
			return fmt.Errorf("%w: no verified e-mail address, and Mapping.AllowDomains asks for one", auth.ErrForbidden)
		}
		domain, _ := domainOf(address)
		if !slices.ContainsFunc(m.AllowDomains, func(allowed string) bool { return lower(allowed) == lower(domain) }) {
			return fmt.Errorf("%w: an e-mail address in none of Mapping.AllowDomains", auth.ErrForbidden)
		}
	}
	return nil
}

// email gives the address that the provider has verified, as it was sent. Only these two claims count, whatever else the
// provider says of a domain ("hd").
func (m *Mapping) email(c Claims) (address string, verified bool) {
	address, _ = c["email"].(string)
	if _, ok := domainOf(address); !ok {
		return "", false
	}
	switch v := c["email_verified"].(type) {
	case bool:
		verified = v
	case string:
		verified = m.EmailVerifiedText && v == "true"
	}
	if !verified {
		return "", false
	}
	return address, true
}

// maxEmail is RFC 5321 section 4.5.3.1.3's limit, without the angle brackets.
const maxEmail = 254

// domainOf gives what is behind an address's one "@". With two, readers differ in which domain it has:
// "x@evil.example@corp.example". A quoted name could hold one, and hardly any address has it.
func domainOf(address string) (domain string, ok bool) {
	name, domain, _ := strings.Cut(address, "@")
	if name == "" || domain == "" || len(address) > maxEmail || strings.Contains(domain, "@") ||
		strings.ContainsAny(address, ",;<>()[]\\\"") ||
		strings.ContainsFunc(address, unseen) || strings.ContainsFunc(address, unicode.IsSpace) {
		return "", false
	}
	return domain, true
}

// lower folds ASCII letters only, as DNS does: for strings.ToLower a Kelvin sign is a k.
func lower(domain string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, domain)
}
