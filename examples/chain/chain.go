package main

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth"
	"github.com/ostiary/auth/tokenauth"
	"github.com/ostiary/auth/userauth"
)

type settings struct {
	auth          auth.Config // PublicURL; the rest is here
	db            *sqlx.DB
	providers     []oidcauth.Provider
	adminPassword string // of the first admin; empty: nobody is made
	token         string // of the service; empty: none
}

// A server is the chain, with its parts.
type server struct {
	chain    auth.Auth
	users    *userauth.Auth
	sso      *oidcauth.Auth
	services *tokenauth.Auth
}

// roles are the same for all backends, whoever gives them: a row in the database, or a provider's group by a RoleMap.
var roles = map[string]auth.Role{
	"admin": {Description: "manages the users", Permissions: auth.Permissions{"admin": {"read", "write"}, "board": {"read", "write"}}},
	"staff": {Description: "reads the board", Permissions: auth.Permissions{"board": {"read"}}},
}

// newServer makes the backends and their chain. They differ in where their pages lie, and in nothing else of the settings that
// they share.
func newServer(ctx context.Context, s settings) (made *server, err error) {
	made = &server{}
	defer func() {
		if err != nil {
			_ = made.Close() // the first error is the one to tell
		}
	}()
	cfg := s.auth
	cfg.Roles = roles
	at := func(mountPath string) auth.Config {
		c := cfg
		c.MountPath = mountPath
		return c
	}
	made.users, err = userauth.New(ctx, userauth.Config{Auth: at("/auth"), DB: s.db, Providers: signIns(s.providers)})
	if err != nil {
		return nil, err
	}
	made.sso, err = oidcauth.New(ctx, oidcauth.Config{Auth: at("/sso"), DB: s.db, Providers: s.providers, Accounts: made.users.Links()})
	if err != nil {
		return nil, err
	}
	if made.services, err = newServices(ctx, at("/token"), s.token); err != nil {
		return nil, err
	}
	// In the order in which they are asked. The users come first, so that /auth/login is the login page. The tokens come last:
	// what no other backend knows they refuse.
	if made.chain, err = auth.New(cfg, made.users, made.sso, made.services); err != nil {
		return nil, err
	}
	if s.adminPassword == "" {
		return made, nil
	}
	_, _, err = made.users.Accounts().FirstAdmin(ctx, "admin", s.adminPassword, auth.Permissions{"board": {"*"}, "admin": {"*"}})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// newServices knows one service. The token of tokenauth that may do everything is one that nobody has.
func newServices(ctx context.Context, cfg auth.Config, token string) (*tokenauth.Auth, error) {
	c := tokenauth.Config{Auth: cfg, Token: rand.Text() + rand.Text()}
	if token != "" {
		c.Tokens = []tokenauth.Token{{Name: "robot", Token: token, Roles: []string{"staff"}}}
	}
	return tokenauth.New(ctx, c)
}

// signIns are the providers as the users' pages show them: on the login page, and where an account is linked to them.
func signIns(providers []oidcauth.Provider) (list []userauth.Provider) {
	for _, p := range providers {
		list = append(list, userauth.Provider{
			Title: p.Title, Issuer: p.Issuer, LoginPath: "/sso/login/" + p.Name, LinkPath: "/sso/link/" + p.Name,
		})
	}
	return list
}

// Close ends what was made.
func (s *server) Close() error {
	var err error
	if s.services != nil {
		err = errors.Join(err, s.services.Close())
	}
	if s.sso != nil {
		err = errors.Join(err, s.sso.Close())
	}
	if s.users != nil {
		err = errors.Join(err, s.users.Close())
	}
	return err
}
