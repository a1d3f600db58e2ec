package oidcauth

import (
	"context"
	"errors"
	"maps"

	"github.com/ostiary/auth/oidcauth/internal/op"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// A proof is what a provider has proved of somebody.
type proof struct {
	subject string
	sid     string // the provider's session; empty: it has no name
	facts   token.Facts
	said    token.Claims // of the ID token
	claims  Claims       // and of userinfo with it
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
	found := &proof{subject: subject, facts: facts, said: id.Claims}
	found.sid, _ = id.Claims.Text("sid")
	if found.claims, err = p.withUserInfo(ctx, id.Claims, tokens, subject); err != nil {
		return nil, err
	}
	return found, nil
}

// withUserInfo adds to an ID token's claims what userinfo says of the same subject, where it is to be asked. tokens are those
// that have come with it, or last of all.
func (p *provider) withUserInfo(ctx context.Context, said token.Claims, tokens *op.Tokens, subject string) (Claims, error) {
	if p.SkipUserInfo {
		return Claims(said), nil
	}
	info, err := p.op.UserInfo(ctx, tokens.Access, subject)
	if errors.Is(err, errors.ErrUnsupported) {
		return Claims(said), nil
	}
	if err != nil {
		return nil, err
	}
	if tokens.ID == "" { // a refresh without one: what was taken back since must not live on in the one before
		return merged(info, said), nil
	}
	return merged(said, info), nil // that one is signed
}

// merged is what over says, and beside it what under does.
func merged(over, under token.Claims) Claims {
	all := make(Claims, len(over)+len(under))
	maps.Copy(all, under)
	maps.Copy(all, over)
	// That an address is verified is said of the one beside it (OpenID Connect Core section 5.1): where the two name different
	// ones, or one names none, it must not be taken for the other's, which may be what a user has typed in.
	own, _ := over.Text("email")
	other, _ := under.Text("email")
	if own != other {
		from := over
		if own == "" {
			from = under
		}
		for _, name := range []string{"email", "email_verified"} {
			delete(all, name)
			if value, given := from[name]; given {
				all[name] = value
			}
		}
	}
	return all
}
