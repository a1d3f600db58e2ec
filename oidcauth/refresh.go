package oidcauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/oidcauth/internal/op"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

const (
	refreshTimeout = 20 * time.Second // of all that one refresh asks the provider
	keepTimeout    = 20 * time.Second // of storing what has come
	keepPause      = time.Second      // between two attempts to
	refreshRetry   = 30               // seconds after a refresh that came to no answer
	leastRefresh   = 60               // seconds between two refreshes of a session, however short its access token lives

	// defaultRefresh is used where the provider doesn't say how long an access token lives.
	defaultRefresh = 5 * time.Minute
)

// refresh asks the provider anew about one session, if it is due and nobody else is at it.
func (f *refresher) refresh(hash [32]byte) error {
	ctx, cancel := context.WithTimeout(f.ctx, refreshTimeout)
	defer cancel()
	l, err := f.lease(ctx, hash)
	if err != nil || l == nil {
		return err
	}
	err = f.renew(ctx, l)
	switch {
	case err == nil, errors.Is(err, errEnded):
		return nil
	case ends(err):
		return f.end(l, err)
	}
	// Nothing is known: the session goes on as it is, and the provider is asked again in a while.
	retry := f.b.now().Unix() + refreshRetry
	return errors.Join(err, f.change(l, func(_ *store.Tx, d *sessionData) error {
		d.Due, d.Lease = retry, 0
		return nil
	}))
}

// ends tells whether the provider's answer is a no, as opposed to none. Not every provider calls it invalid_grant; what is
// wrong with this server's registration, though, says nothing about anybody's session.
func ends(err error) bool {
	if no, refused := errors.AsType[*op.RefusedError](err); refused {
		switch no.Code {
		case "", "invalid_client", "unauthorized_client", "unsupported_grant_type", "temporarily_unavailable", "server_error":
			return false
		}
		return true
	}
	return errors.Is(err, token.ErrInvalid) || errors.Is(err, op.ErrSubject) || errors.Is(err, auth.ErrForbidden) || errors.Is(err, errNoKey)
}

// errNoKey: the key that a refresh token was sealed under is gone from the configuration. Nothing can be known of the session
// any more.
var errNoKey = errors.New("none of RefreshKeys opens the refresh token")

// renew trades the refresh token, and takes over what the provider says now.
func (f *refresher) renew(ctx context.Context, l *lease) error {
	p := l.provider
	secret, current, err := f.b.refreshKeys.Open(l.data.Refresh, refreshContext(l.session.Issuer, l.session.Subject))
	if err != nil {
		return errNoKey
	}
	tokens, err := p.op.Refresh(ctx, string(secret))
	if err != nil {
		return err
	}
	if tokens.Refresh != "" || !current {
		if err := f.keep(l, cmp.Or(tokens.Refresh, string(secret))); err != nil {
			return err
		}
	}
	claims, rest, err := f.claims(ctx, l, tokens)
	if err != nil {
		return err
	}
	id, err := p.Mapping.identity(ctx, identityID(p.Issuer, l.session.Subject), claims)
	if err != nil {
		return err
	}
	mapped, err := storedOf(id)
	if err != nil {
		return err
	}
	sealed, err := f.b.sealClaims(p.Issuer, l.session.Subject, rest)
	if err != nil {
		return err
	}
	due := nextRefresh(tokens, f.b.now())
	return f.change(l, func(tx *store.Tx, d *sessionData) error {
		d.Said, d.Due, d.Lease = sealed, due, 0
		// Something else was learnt of the user meanwhile, by a login or another session. Which of the two is later nobody can
		// tell: whoever has lost a role must not get it back by an answer that was slow. The provider is asked again.
		if now, err := storedClaims(tx, l.session); err != nil || now != l.claims {
			d.Due = f.b.now().Unix() + refreshRetry
			return err
		}
		return tx.PutExternal(store.External{Issuer: l.session.Issuer, Subject: l.session.Subject, User: l.session.User, Claims: mapped})
	})
}

// keep stores the refresh token that counts from now on, before anything else is asked: the one that was used may be worth
// nothing any more, so this is tried for as long as the lease lasts. Should this process end between the provider's answer
// and the commit, the next refresh shows the old token, the provider refuses it, and the session ends: its user logs in anew.
func (f *refresher) keep(l *lease, secret string) error {
	ctx, cancel := context.WithTimeout(f.ctx, keepTimeout)
	defer cancel()
	retry := f.b.now().Unix() + refreshRetry // if it comes to nothing after this
	sealed := f.b.refreshKeys.Seal([]byte(secret), refreshContext(l.session.Issuer, l.session.Subject))
	for {
		err := f.write(ctx, l, func(_ *store.Tx, d *sessionData) error {
			d.Refresh, d.Due = sealed, retry
			return nil
		})
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errEnded):
			f.revoke(l.provider, secret) // nobody will ever use it
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a new refresh token is lost: %w", err)
		case <-time.After(keepPause):
		}
	}
}

// claims are what the provider says now, and what to remember of it. A refresh that brings no ID token, as it may (OpenID
// Connect Core 12.2), says nothing new but by userinfo: what the one before says alone counts still.
func (f *refresher) claims(ctx context.Context, l *lease, tokens *op.Tokens) (all Claims, rest token.Claims, err error) {
	if tokens.ID == "" {
		rest, err = f.b.lastSaid(l)
	} else {
		rest, err = f.refreshed(ctx, l, tokens)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := l.provider.userInfo(ctx, tokens.Access, l.session.Subject)
	switch {
	case err != nil:
		return nil, nil, err
	case info == nil:
		return Claims(rest), rest, nil
	case tokens.ID == "":
		all = since(rest, info)
	default:
		all = merged(rest, info)
	}
	return all, restOf(rest, info), nil
}

// refreshed are the claims of the ID token that a refresh has brought.
func (f *refresher) refreshed(ctx context.Context, l *lease, tokens *op.Tokens) (token.Claims, error) {
	t, err := token.Parse(tokens.ID)
	if err == nil {
		p := l.provider
		err = t.CheckRefreshed(ctx, p.op.Own(), token.IDCheck{
			Issuer: p.Issuer, ClientID: p.ClientID, Trusted: p.TrustedAudiences, Algs: p.Algorithms, Now: f.b.now(),
			AccessToken: tokens.Access, ACR: p.ACRValues,
		}, l.data.Login)
	}
	if err != nil {
		return nil, err
	}
	return t.Claims, nil
}

// end ends a session that the provider doesn't stand by any more.
func (f *refresher) end(l *lease, why error) error {
	ctx, cancel := context.WithTimeout(f.ctx, keepTimeout)
	defer cancel()
	err := f.b.engine.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.DeleteSession(l.session.Hash)
		return err
	})
	if err != nil {
		return errors.Join(err, why)
	}
	f.b.report(nil, auth.Event{
		Kind: auth.EventRevoked, UserID: identityID(l.session.Issuer, l.session.Subject),
		Reason: l.provider.reason("refresh: " + why.Error()),
	})
	return nil
}

// nextRefresh is when a session is refreshed next, in Unix seconds: when four fifths of its access token's time are over.
func nextRefresh(tokens *op.Tokens, now time.Time) int64 {
	lives := defaultRefresh
	if !tokens.Expires.IsZero() {
		lives = tokens.Expires.Sub(now)
	}
	return now.Unix() + max(int64(lives/time.Second)*4/5, leastRefresh)
}
