package oidctest

import "maps"

// A Grant says what a minted access token stands for.
type Grant struct {
	Client   string // empty: the first client
	Sub      string // empty: the current user, or the first
	Scope    string // empty: openid
	Audience string // a JWT (RFC 9068) for it. Empty: the client's; without one, opaque
	// JKT binds the token to a DPoP key (Key.Thumbprint), X5T to a client certificate (CertThumbprint).
	JKT, X5T string
	// Claims are added to the JWT and to its introspection, over what stands there.
	Claims map[string]any
}

// AccessToken mints an access token without a login. userinfo, introspection and revocation know it. mods change the JWT of
// one that isn't opaque.
func (p *Provider) AccessToken(g Grant, mods ...func(*JWT)) string {
	c := p.first()
	if g.Client != "" {
		c, _ = p.client(g.Client)
		c.ID = g.Client
	}
	s := p.mintSession(g.Sub)
	if g.Scope == "" {
		g.Scope = "openid"
	}
	if g.Audience == "" {
		g.Audience = c.Audience
	}
	now := p.now()
	a := &access{issued: now, expires: now.Add(p.cfg.AccessTTL), jti: secret(), grant: &grant{
		client: c.ID, sub: s.sub, sid: s.sid, scope: g.Scope, audience: g.Audience, authTime: s.authTime, jkt: g.JKT, x5t: g.X5T,
		service: s.sub == c.ID, claims: maps.Clone(g.Claims),
	}}
	token := secret()
	if g.Audience != "" {
		t := p.newAccessJWT(a)
		for _, mod := range mods {
			mod(t)
		}
		token = t.Compact()
	}
	p.remember(token, a)
	return token
}

// IDToken mints an ID token of the current user (or the first) for the first client, without nonce and at_hash. mods change
// it before it is signed.
func (p *Provider) IDToken(mods ...func(*JWT)) string {
	s := p.mintSession("")
	c := p.first()
	t := p.newIDToken(c, &grant{sub: s.sub, sid: s.sid, authTime: s.authTime}, "")
	delete(t.Claims, "at_hash")
	for _, mod := range mods {
		mod(t)
	}
	return t.Compact()
}

// LogoutToken mints a logout token for the first client: the current user's (or the first's) session ends. mods change it
// before it is signed.
func (p *Provider) LogoutToken(mods ...func(*JWT)) string {
	s := p.mintSession("")
	t := p.newLogoutToken(p.first(), s.sub, s.sid)
	for _, mod := range mods {
		mod(t)
	}
	return t.Compact()
}

// mintSession is the current session if it is sub's, or any if sub is empty; else one that is made up.
func (p *Provider) mintSession(sub string) session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.sessions[p.current]; ok && (sub == "" || s.sub == sub) {
		return *s
	}
	if sub == "" {
		sub = p.users[0].Sub
	}
	return session{sid: secret(), sub: sub, authTime: p.now()}
}
