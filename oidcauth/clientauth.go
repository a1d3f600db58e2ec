package oidcauth

import (
	"errors"
	"fmt"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

// ClientAuth is a way of proving to a provider which client asks (OpenID Connect Core 9).
type ClientAuth int

// The ways of client authentication.
const (
	ClientDefault     ClientAuth = iota // by Key where there is one, else by secret, else not at all
	ClientSecretBasic                   // the secret in the Authorization header
	ClientSecretPost                    // the secret in the body
	PrivateKeyJWT                       // an assertion signed with Key
	ClientPublic                        // none: PKCE alone protects the code
)

// withDefault is how p proves itself, also where it doesn't say so.
func (c ClientAuth) withDefault(p Provider) ClientAuth {
	switch {
	case c != ClientDefault:
		return c
	case p.Key != nil:
		return PrivateKeyJWT
	case p.ClientSecret != "":
		return ClientSecretBasic
	}
	return ClientPublic
}

func (c ClientAuth) check(p Provider) error {
	switch c {
	case ClientSecretBasic, ClientSecretPost:
		if p.ClientSecret == "" {
			return errors.New("ClientAuth: no ClientSecret")
		}
	case PrivateKeyJWT:
		if p.Key == nil {
			return errors.New("ClientAuth: no Key")
		}
	case ClientPublic:
		if p.ClientSecret != "" || p.Key != nil {
			return errors.New("ClientAuth: a public client has neither ClientSecret nor Key")
		}
	default:
		return fmt.Errorf("unknown ClientAuth %d", c)
	}
	return nil
}

// op is what package op calls it.
func (c ClientAuth) op() op.ClientAuth {
	switch c {
	case ClientSecretBasic:
		return op.Basic
	case ClientSecretPost:
		return op.Post
	case PrivateKeyJWT:
		return op.PrivateKeyJWT
	}
	return op.None
}
