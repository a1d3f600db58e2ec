package oidcauth

import (
	"context"

	"github.com/ostiary/auth"
)

// Check, Clone, Identity and Email are what the package does with a mapping.
func (m *Mapping) Check() error   { return m.check() }
func (m *Mapping) Clone() Mapping { return m.clone() }

func (m *Mapping) Identity(ctx context.Context, issuer string, c Claims) (*auth.Identity, error) {
	subject, _ := c.Text("sub")
	return m.identity(ctx, identityID(issuer, subject), c)
}

func (m *Mapping) Email(c Claims) (address string, verified bool) { return m.email(c) }

// Clean is what is shown of a text.
func Clean(text string) string { return clean(text) }

// MaxPermissions is how many a user can have by claims.
const MaxPermissions = maxPermissions
