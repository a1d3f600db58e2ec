package oidctest

import (
	"net/http"
	"net/url"
)

// introspect tells an authenticated client about a token (RFC 7662). Of one that isn't good it says only that.
func (p *Provider) introspect(w http.ResponseWriter, r *http.Request) {
	form, c, err := p.confidential(w, r)
	if err != nil {
		answerProblem(w, err)
		return
	}
	resp := map[string]any{"active": false}
	if a, ok := p.live(form.Get("token")); ok {
		resp = p.accessClaims(a)
		resp["active"], resp["token_type"] = true, a.grant.tokenType()
		if !a.grant.service {
			resp["username"] = a.grant.sub
		}
	}
	if h := p.hooksFor(c).OnIntrospection; h != nil {
		h(resp)
	}
	answer(w, http.StatusOK, resp)
}

// revoke ends a token (RFC 7009). With a refresh token, all that came from its grant ends. Unknown ones are no error.
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	form, err := postForm(r)
	if err != nil {
		answerProblem(w, err)
		return
	}
	c, err := p.authenticate(w, r, form)
	if err != nil {
		answerProblem(w, err)
		return
	}
	token := form.Get("token")
	p.mu.Lock()
	defer p.mu.Unlock()
	if a, ok := p.accesses[token]; ok && a.grant.client == c.ID {
		delete(p.accesses, token)
	}
	if f, ok := p.refreshes[token]; ok && f.grant.client == c.ID {
		f.grant.revoked = true
	}
	w.WriteHeader(http.StatusOK)
}

// confidential reads the form of a client that must have authenticated: for strangers, introspection would be a way to try
// tokens out (RFC 7662 §2.1).
func (p *Provider) confidential(w http.ResponseWriter, r *http.Request) (form url.Values, c Client, err error) {
	if form, err = postForm(r); err != nil {
		return nil, c, err
	}
	if c, err = p.authenticate(w, r, form); err != nil {
		return nil, c, err
	}
	if c.Auth == "none" {
		return nil, c, &problem{http.StatusUnauthorized, "invalid_client", "public clients don't introspect"}
	}
	return form, c, nil
}

// Revoke ends an access token as if its owner had revoked it, without a call.
func (p *Provider) Revoke(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.accesses, token)
}
