package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/noauth"
	"github.com/ostiary/auth/tokenauth"
	"github.com/ostiary/auth/userauth"
)

// A guard is what stands before the notebook. Nothing in the notebook depends on which one it is.
type guard struct {
	auth.Plugin
	startURL func(base string) string // the link that is shown at the start
	account  string                   // the page of the own account; empty: there is none
	signOut  []string                 // where signing out leads to, beside here
	password string                   // of the first admin, if one was made up
	closeDB  func() error             // what it stands on, once nobody uses it any more
}

func newGuard(ctx context.Context, s settings, log *slog.Logger) (*guard, error) {
	cfg := auth.Config{PublicURL: s.publicURL, InsecureHTTP: s.insecureHTTP, Logger: log}
	g := &guard{startURL: func(base string) string { return base }, closeDB: func() error { return nil }}
	switch s.mode {
	case "user":
		return g, g.openUsers(ctx, s, cfg)
	case "token":
		tokens, err := tokenauth.New(ctx, tokenauth.Config{Auth: cfg, Token: s.token})
		if err != nil {
			return nil, err
		}
		g.Plugin, g.startURL = tokens, tokens.StartURL
		return g, nil
	case "oidc":
		return g, g.openProvider(ctx, s, cfg)
	case "noauth":
		everybody, err := noauth.New(ctx, noauth.Config{Auth: cfg, Shared: true})
		if err != nil {
			return nil, err
		}
		g.Plugin = everybody
		return g, nil
	}
	return nil, errors.New("unknown -auth") // unreachable: the settings are checked
}

// openUsers opens the database and makes the first admin, while there is no user.
func (g *guard) openUsers(ctx context.Context, s settings, cfg auth.Config) (err error) {
	db, err := s.db.Open(ctx)
	if err != nil {
		return fmt.Errorf("-db: %w", err)
	}
	defer func() {
		if err != nil {
			_ = db.Close() // the first error is the one to tell
		}
	}()
	policy := userauth.Policy{BlockedWords: []string{"quickstart", "notebook"}}
	users, err := userauth.New(ctx, userauth.Config{Auth: cfg, DB: db, Policy: policy})
	if err != nil {
		return err
	}
	permissions := auth.Permissions{"contents": {"*"}, "admin": {"*"}}
	password, _, err := users.Accounts().FirstAdmin(ctx, "admin", os.Getenv("AUTH_ADMIN_PASSWORD"), permissions)
	if err != nil {
		_ = users.Close()
		return adminError(err)
	}
	g.Plugin, g.account, g.password, g.closeDB = users, "/auth/me", password, db.Close
	return nil
}

// adminError names the variable that was refused.
func adminError(err error) error {
	var refused *auth.FieldError
	if errors.As(err, &refused) && refused.Field == "password" {
		return fmt.Errorf("AUTH_ADMIN_PASSWORD %s", refused.Problem)
	}
	return fmt.Errorf("the first admin: %w", err)
}
