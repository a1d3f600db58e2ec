package oidcauth

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/ostiary/auth/oidcauth/internal/op"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// A proof is what a provider has proved of somebody.
type proof struct {
	subject string
	sid     string // the provider's session; empty: it has no name
	facts   token.Facts
	claims  Claims       // of the ID token, and of userinfo with it
	rest    token.Claims // what to remember of the ID token, see restOf
}

// prove verifies the ID token, and asks for what it leaves out.
func (p *provider) prove(ctx context.Context, tokens *op.Tokens, check token.IDCheck) (*proof, error) {
	id, err := token.Parse(tokens.ID)
	if err == nil {
		err = id.CheckID(ctx, p.op.Own(), check)
	}
	if err != nil {
		return nil, err
	}
	facts := id.Facts()
	subject := facts.Subject
	found := &proof{subject: subject, facts: facts, claims: Claims(id.Claims), rest: id.Claims}
	found.sid, _ = id.Claims.Text("sid")
	info, err := p.userInfo(ctx, tokens.Access, subject)
	if err != nil {
		return nil, err
	}
	if info != nil { // the ID token goes before it: that one is signed
		found.claims, found.rest = merged(id.Claims, info), restOf(id.Claims, info)
	}
	return found, nil
}

// userInfo is what userinfo says of the subject; nil: it isn't to be asked.
func (p *provider) userInfo(ctx context.Context, access, subject string) (token.Claims, error) {
	if p.SkipUserInfo {
		return nil, nil
	}
	info, err := p.op.UserInfo(ctx, access, subject)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return info, err
}

// merged is what under says, and over it what over does.
func merged(over, under token.Claims) Claims {
	all := make(Claims, len(over)+len(under))
	maps.Copy(all, under)
	maps.Copy(all, over)
	// That an address or a number is verified is said of the one beside it (OpenID Connect Core section 5.1): where the two name
	// different ones, or one names none, it must not be taken for the other's, which may be what a user has typed in.
	for _, pair := range verifiable {
		own, _ := over.Text(pair[0])
		other, _ := under.Text(pair[0])
		if own == other {
			continue
		}
		from := over
		if own == "" {
			from = under
		}
		for _, name := range pair {
			delete(all, name)
			if value, given := from[name]; given {
				all[name] = value
			}
		}
	}
	return all
}

// verifiable are claims with what says of each that it is verified: the two belong together.
var verifiable = [][]string{{"email", "email_verified"}, {"phone_number", "phone_number_verified"}}

// loginClaims are what an ID token says of itself and of the login: against it, userinfo is no witness of that.
var loginClaims = []string{"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "sid", "auth_time", "acr", "amr"}

// restOf is what to remember of an ID token for refreshes that bring none. Of what userinfo has as well, userinfo is asked
// anew: remembered, a group would be there still when userinfo has it no more.
func restOf(id, info token.Claims) token.Claims {
	rest := maps.Clone(id)
	maps.DeleteFunc(rest, func(name string, _ any) bool {
		_, told := info[name]
		return told && !slices.Contains(loginClaims, name) && !slices.Contains(slices.Concat(verifiable...), name)
	})
	return rest
}

// since is what userinfo says now, over what is remembered of an ID token: it is newer, but about the login.
func since(rest, info token.Claims) Claims {
	now := maps.Clone(info)
	maps.DeleteFunc(now, func(name string, _ any) bool {
		_, told := rest[name]
		return told && slices.Contains(loginClaims, name)
	})
	return merged(now, rest)
}
