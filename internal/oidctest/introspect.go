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

// confidential reads the form of a client that must have authenticated: for strangers, introspection would be a way to try
// tokens out (RFC 7662 §2.1).
func (p *Provider) confidential(w http.ResponseWriter, r *http.Request) (form url.Values, c Client, err error) {
	form, c, err = p.clientForm(w, r)
	if err == nil && c.Auth == "none" {
		err = &problem{http.StatusUnauthorized, "invalid_client", "public clients don't introspect"}
	}
	return form, c, err
}
