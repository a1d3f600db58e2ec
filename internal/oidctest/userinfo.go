package oidctest

import (
	"net/http"
	"slices"
	"strings"
)

// userinfo tells a user's claims (OpenID Connect Core §5.3). The token comes in the Authorization header: anywhere else, the
// query above all, it is refused.
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	err := r.ParseForm()
	if err != nil || r.Form.Has("access_token") || token == "" {
		challenge(w, http.StatusBadRequest, "invalid_request")
		return
	}
	a, ok := p.live(token)
	if !ok || a.grant.service || !p.holds(a.grant, scheme, token, r) {
		challenge(w, http.StatusUnauthorized, "invalid_token")
		return
	}
	if !slices.Contains(strings.Fields(a.grant.scope), "openid") {
		challenge(w, http.StatusForbidden, "insufficient_scope")
		return
	}
	user, ok := p.user(a.grant.sub)
	if !ok {
		challenge(w, http.StatusUnauthorized, "invalid_token")
		return
	}
	claims := claimsFor(user, a.grant.scope)
	c, _ := p.client(a.grant.client)
	if h := p.hooksFor(c).OnUserInfo; h != nil {
		h(claims)
	}
	answer(w, http.StatusOK, claims)
}

// challenge refuses a bearer token (RFC 6750 §3).
func challenge(w http.ResponseWriter, status int, code string) {
	w.Header().Add("WWW-Authenticate", `Bearer error="`+code+`"`)
	w.Header().Add("WWW-Authenticate", `DPoP algs="ES256 RS256 EdDSA", error="`+code+`"`)
	answer(w, status, map[string]any{"error": code})
}

// holds reports whether the caller may use a token of g: any bearer, unless it is bound to a key, which must then be proven. A
// bound one is never taken as a plain bearer token (RFC 9449 §7.1).
func (p *Provider) holds(g *grant, scheme, token string, r *http.Request) bool {
	switch {
	case g.x5t != "":
		return r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && CertThumbprint(r.TLS.PeerCertificates[0]) == g.x5t
	case g.jkt != "":
		jkt, err := p.proven(r, token)
		return strings.EqualFold(scheme, "DPoP") && err == nil && jkt == g.jkt
	}
	return strings.EqualFold(scheme, "Bearer")
}
