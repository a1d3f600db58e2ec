package oidctest

import (
	"maps"
	"time"
)

// A grant is what a user (or a client, for itself) has allowed: all tokens that come from one code share it, and end with it.
// Provider.mu guards revoked and jkt; the rest never changes.
type grant struct {
	client, sub, sid, scope, nonce, acr, audience string
	amr                                           []string
	authTime                                      time.Time
	service                                       bool // a client's own: there is no user
	jkt, x5t                                      string
	claims                                        map[string]any // of a minted token
	revoked                                       bool
}

// tokenType is the token_type of the answer (RFC 6749 §5.1, RFC 9449 §5).
func (g *grant) tokenType() string {
	if g.jkt != "" {
		return "DPoP"
	}
	return "Bearer"
}

// An access is an access token, opaque or not.
type access struct {
	grant   *grant
	issued  time.Time
	expires time.Time
	jti     string
}

// newAccess makes an access token for g: opaque, or, where g has an audience, a JWT for it.
func (p *Provider) newAccess(c Client, g *grant) string {
	now := p.now()
	a := &access{grant: g, issued: now, expires: now.Add(p.cfg.AccessTTL), jti: secret()}
	value := secret()
	if g.audience != "" {
		t := p.newAccessJWT(a)
		if h := p.hooksFor(c).OnAccessToken; h != nil {
			h(t)
		}
		value = t.Compact()
	}
	p.remember(value, a)
	return value
}

func (p *Provider) remember(token string, a *access) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accesses[token] = a
}

// newAccessJWT prepares a's JWT (RFC 9068 §2).
func (p *Provider) newAccessJWT(a *access) *JWT {
	t := p.newJWT(p.cfg.Alg, p.accessClaims(a))
	t.Header["typ"] = "at+jwt"
	return t
}

// accessClaims are what a's JWT and its introspection say.
func (p *Provider) accessClaims(a *access) map[string]any {
	g := a.grant
	claims := map[string]any{}
	if user, ok := p.user(g.sub); ok && !g.service {
		maps.Copy(claims, user.Access)
		claims["auth_time"] = g.authTime.Unix()
	}
	maps.Copy(claims, map[string]any{
		"iss": p.issuer, "sub": g.sub, "client_id": g.client, "iat": a.issued.Unix(), "exp": a.expires.Unix(), "jti": a.jti,
		"scope": g.scope,
	})
	if g.audience != "" {
		claims["aud"] = g.audience
	}
	confirmation := map[string]any{}
	if g.jkt != "" {
		confirmation["jkt"] = g.jkt // RFC 9449 §6.1
	}
	if g.x5t != "" {
		confirmation["x5t#S256"] = g.x5t // RFC 8705 §3.1
	}
	if len(confirmation) > 0 {
		claims["cnf"] = confirmation
	}
	maps.Copy(claims, g.claims)
	return claims
}

// live returns the access token if it is good.
func (p *Provider) live(token string) (*access, bool) {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.accesses[token]
	return a, ok && !a.grant.revoked && now.Before(a.expires)
}
