package oidctest

import "net/http"

// revoke ends a token (RFC 7009). With a refresh token, all that came from its grant ends. Unknown ones are no error.
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	form, c, err := p.clientForm(w, r)
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

// Revoke ends an access token as if its owner had revoked it, without a call.
func (p *Provider) Revoke(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.accesses, token)
}
