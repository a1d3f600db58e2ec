package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth"
)

// openProvider has an OpenID Provider say who people are. It isn't asked for anything yet: it may be down.
func (g *guard) openProvider(ctx context.Context, s settings, cfg auth.Config) (err error) {
	refreshKeys, err := refreshKeysOf(os.Getenv("AUTH_REFRESH_KEY"))
	if err != nil {
		return err
	}
	db, err := s.db.Open(ctx)
	if err != nil {
		return fmt.Errorf("-db: %w", err)
	}
	defer func() {
		if err != nil {
			_ = db.Close() // the first error is the one to tell
		}
	}()
	secret := cmp.Or(s.clientSecret, os.Getenv("AUTH_CLIENT_SECRET"))
	// What the provider signs with is up to its registration of this server. Any of these is sound.
	algorithms := []string{"RS256", "PS256", "ES256", "EdDSA"}
	sso, err := oidcauth.New(ctx, oidcauth.Config{
		Auth: cfg, DB: db, RefreshKeys: refreshKeys,
		Providers: []oidcauth.Provider{{
			Name: "provider", Title: "your provider", Issuer: s.issuer, ClientID: s.clientID, ClientSecret: secret,
			Algorithms: algorithms,
			Mapping:    oidcauth.Mapping{Permissions: []string{"permissions"}, Scopes: []string{"scope"}, Func: members},
			// Programs send access tokens: JSON Web Tokens for this server, or others that the provider is asked about.
			API: &oidcauth.API{Audience: cmp.Or(s.audience, cfg.PublicURL), Algorithms: algorithms, Introspect: secret != ""},
		}},
	})
	if err != nil {
		return err
	}
	g.Plugin, g.closeDB = sso, db.Close
	// Without the second it shows an error to whoever signs out; without the third a sign-out there ends nothing here.
	mount := strings.TrimSuffix(cfg.PublicURL, "/") + "/auth"
	cfg.Logger.Info("what the provider must know", "redirect_uri", mount+"/callback/provider",
		"post_logout_redirect_uri", mount+"/logged-out", "backchannel_logout_uri", mount+"/backchannel-logout/provider")
	if issuer, err := url.Parse(s.issuer); err == nil {
		g.signOut = []string{issuer.Scheme + "://" + issuer.Host}
	}
	return nil
}

// members lets everybody who signs in write, unless the provider says what they may do. A program's access token holds what its
// scope says and no more: it is one by "client_id" (RFC 9068) or, where the provider was asked about it, "active" (RFC 7662).
func members(_ context.Context, claims oidcauth.Claims, id *auth.Identity) error {
	for _, name := range []string{"permissions", "scope", "client_id", "active"} {
		if _, said := claims[name]; said {
			return nil
		}
	}
	id.Permissions = auth.Permissions{"contents": {"*"}}
	return nil
}

// refreshKeysOf reads the key that seals refresh tokens; empty: none, and none are kept.
func refreshKeysOf(text string) ([][]byte, error) {
	if text == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != 32 {
		return nil, errors.New("AUTH_REFRESH_KEY: want 32 random bytes in base64: openssl rand -base64 32")
	}
	return [][]byte{key}, nil
}
