package oidcauth

import (
	"context"
	"errors"

	"github.com/ostiary/auth/internal/store"
)

// revokeStored is revoke for the refresh token of a session that has ended, if it has one.
func (f *refresher) revokeStored(p *provider, ended store.Session, data sessionData) {
	if f.b.refreshKeys == nil || data.Refresh == "" {
		return
	}
	if secret, _, err := f.b.refreshKeys.Open(data.Refresh, refreshContext(ended.Issuer, ended.Subject)); err == nil {
		f.revoke(p, string(secret))
	}
}

// revoke tells the provider that a refresh token is needed no more (RFC 7009). Nobody waits for it, and nothing hangs on it:
// the session has ended.
func (f *refresher) revoke(p *provider, secret string) {
	f.begin(func() {
		ctx, cancel := context.WithTimeout(f.ctx, refreshTimeout)
		defer cancel()
		if err := p.op.Revoke(ctx, secret); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			f.b.logger.Debug("auth: revoking a refresh token", "provider", p.Name, "error", err)
		}
	})
}
