package oidctest

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// token is the token endpoint (RFC 6749 §3.2, OpenID Connect Core §3.1.3).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	resp, c, err := p.exchange(w, r)
	if err != nil {
		answerProblem(w, err)
		return
	}
	if h := p.hooksFor(c).OnTokenResponse; h != nil {
		h(r, resp)
	}
	answer(w, http.StatusOK, resp)
}

func (p *Provider) exchange(w http.ResponseWriter, r *http.Request) (resp map[string]any, c Client, err error) {
	form, c, err := p.clientForm(w, r)
	if err != nil {
		return nil, c, err
	}
	jkt, err := p.tokenProof(c, r)
	if err != nil {
		return nil, c, err
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		resp, err = p.redeem(c, form, jkt)
	case "refresh_token":
		resp, err = p.refreshed(c, form, jkt)
	case "client_credentials":
		resp, err = p.serviceToken(c, form, jkt)
	default:
		err = refuse("unsupported_grant_type", "grant_type: not supported")
	}
	return resp, c, err
}

// redeem changes a code for tokens: once, by the client that asked for it, with the same redirect URI and the verifier of its
// challenge (RFC 6749 §4.1.3, RFC 7636 §4.6). A code that is shown twice was stolen from somebody: what it was changed for
// ends (RFC 6749 §4.1.2).
func (p *Provider) redeem(c Client, form url.Values, jkt string) (map[string]any, error) {
	now := p.now()
	p.mu.Lock()
	code, ok := p.codes[form.Get("code")]
	switch {
	case !ok || code.grant.client != c.ID:
		ok = false
	case code.used:
		code.grant.revoked, ok = true, false
	default:
		code.used = true // a failed try uses it up, too
		ok = now.Before(code.expires) && form.Get("redirect_uri") == code.redirectURI && fits(form, code.challenge)
		if bound := code.grant.jkt; bound != "" && bound != jkt {
			ok = false // RFC 9449 §10: the code was bound to another key
		}
		if ok {
			code.grant.jkt = jkt
		}
	}
	p.mu.Unlock()
	if !ok {
		return nil, refuse("invalid_grant",
			"code: unknown, used, expired, another client's, or redirect_uri or code_verifier don't fit")
	}
	p.joined(code.grant.sid, c.ID)
	return p.issue(c, code.grant, false), nil
}

// fits reports whether the form's verifier is that of the challenge. A verifier without a challenge is refused, too: somebody
// took the challenge away (RFC 9700 §2.1.1).
func fits(form url.Values, challenge string) bool {
	verifier := form.Get("code_verifier")
	if challenge == "" {
		return !form.Has("code_verifier")
	}
	sum := sha256.Sum256([]byte(verifier))
	return verifierLike(verifier) && encode(sum[:]) == challenge
}

// refreshed changes a refresh token for new tokens. Each works once: one that is shown again was stolen, and the whole family
// ends (RFC 9700 §4.14.2).
func (p *Provider) refreshed(c Client, form url.Values, jkt string) (map[string]any, error) {
	now := p.now()
	p.mu.Lock()
	old, ok := p.refreshes[form.Get("refresh_token")]
	switch {
	case !ok || old.grant.client != c.ID || old.grant.revoked || !now.Before(old.expires):
		ok = false
	case old.used:
		old.grant.revoked, ok = true, false
	case old.grant.jkt != "" && c.Auth == "none" && old.grant.jkt != jkt:
		ok = false // RFC 9449 §5: a public client's is bound to its key
	case !narrower(form.Get("scope"), old.grant.scope):
		p.mu.Unlock()
		return nil, refuse("invalid_scope", "scope: more than was granted")
	default:
		old.used = !c.KeepRefresh
	}
	p.mu.Unlock()
	if !ok {
		return nil, refuse("invalid_grant", "refresh_token: unknown, used, expired, revoked, or another client's")
	}
	return p.issue(c, old.grant, true), nil
}

func narrower(asked, granted string) bool {
	have := strings.Fields(granted)
	for _, s := range strings.Fields(asked) {
		if !slices.Contains(have, s) {
			return false
		}
	}
	return true
}

// serviceToken is for the client itself: there is no user, sub is the client (RFC 9068 §5).
func (p *Provider) serviceToken(c Client, form url.Values, jkt string) (map[string]any, error) {
	if c.Auth == "none" {
		return nil, refuse("unauthorized_client", "client_credentials: not for public clients") // RFC 6749 §4.4
	}
	g := &grant{client: c.ID, sub: c.ID, service: true, scope: form.Get("scope"), audience: resource(c, form), jkt: jkt}
	return map[string]any{
		"access_token": p.newAccess(c, g), "token_type": g.tokenType(), "expires_in": int(p.cfg.AccessTTL.Seconds()),
		"scope": g.scope,
	}, nil
}

// issue makes the answer for a user's grant: access token, ID token and, where offline_access was granted, a refresh token.
func (p *Provider) issue(c Client, g *grant, again bool) map[string]any {
	accessToken := p.newAccess(c, g)
	resp := map[string]any{
		"access_token": accessToken, "token_type": g.tokenType(), "expires_in": int(p.cfg.AccessTTL.Seconds()), "scope": g.scope,
	}
	if slices.Contains(strings.Fields(g.scope), "offline_access") && !(again && c.KeepRefresh) {
		resp["refresh_token"] = p.newRefresh(g)
	}
	id := p.newIDToken(c, g, accessToken)
	id.Refreshed = again
	if h := p.hooksFor(c).OnIDToken; h != nil {
		h(id)
	}
	resp["id_token"] = id.Compact()
	return resp
}

// newIDToken prepares an ID token (OpenID Connect Core §2). With a refresh, nonce and auth_time are the login's (§12.2).
func (p *Provider) newIDToken(c Client, g *grant, accessToken string) *JWT {
	now := p.now()
	t := p.newJWT(c.IDTokenAlg, map[string]any{
		"iss": p.issuer, "sub": g.sub, "aud": c.ID, "iat": now.Unix(), "exp": now.Add(p.cfg.IDTokenTTL).Unix(),
		"auth_time": g.authTime.Unix(), "sid": g.sid, "at_hash": halfHash(c.IDTokenAlg, accessToken),
	})
	for name, value := range map[string]string{"nonce": g.nonce, "acr": g.acr} {
		if value != "" {
			t.Claims[name] = value
		}
	}
	if len(g.amr) > 0 {
		t.Claims["amr"] = g.amr
	}
	return t
}

// newJWT prepares a token that the provider signs with its key for alg.
func (p *Provider) newJWT(alg string, claims map[string]any) *JWT {
	t := &JWT{Header: map[string]any{}, Claims: claims}
	t.SignWith(p.Key(alg))
	return t
}

// newRefresh makes a refresh token for g.
func (p *Provider) newRefresh(g *grant) string {
	value := secret()
	expires := p.now().Add(p.cfg.RefreshTTL)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refreshes[value] = &refresh{grant: g, expires: expires}
	return value
}

// A code is an authorization code.
type code struct {
	grant                  *grant
	redirectURI, challenge string
	expires                time.Time
	used                   bool
}

// A refresh is a refresh token.
type refresh struct {
	grant   *grant
	expires time.Time
	used    bool
}
