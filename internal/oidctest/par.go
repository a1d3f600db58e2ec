package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

// pushed is an authorization request that a client has sent ahead.
type pushed struct {
	client  string
	params  url.Values
	expires time.Time
}

// requestURI is what the identifiers of pushed requests begin with (RFC 9126 §2.2).
const requestURI = "urn:ietf:params:oauth:request_uri:"

// par takes authorization requests ahead of the browser (RFC 9126). The client authenticates as it does for tokens.
func (p *Provider) par(w http.ResponseWriter, r *http.Request) {
	form, c, err := p.clientForm(w, r)
	if err != nil {
		answerProblem(w, err)
		return
	}
	if form.Has("request_uri") { // RFC 9126 §2.1: MUST NOT be provided
		answerProblem(w, refuse("invalid_request", "request_uri: not in a pushed request"))
		return
	}
	if !slices.Contains(c.RedirectURIs, form.Get("redirect_uri")) {
		answerProblem(w, refuse("invalid_request", "redirect_uri: not registered for this client"))
		return
	}
	params := url.Values{}
	for name, values := range form {
		switch name {
		case "client_secret", "client_assertion", "client_assertion_type":
		default:
			params[name] = values
		}
	}
	params.Set("client_id", c.ID)
	if problem := (authRequest{c, params}).check(); problem != nil {
		answerProblem(w, problem)
		return
	}
	uri := requestURI + secret()
	p.mu.Lock()
	p.pushed[uri] = pushed{c.ID, params, p.now().Add(time.Minute)}
	p.mu.Unlock()
	answer(w, http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": 60})
}

// unpush returns what was pushed under the request_uri of params, once and to the client that did it. Parameters beside it
// don't count (RFC 9126 §4).
func (p *Provider) unpush(params url.Values) (url.Values, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	uri := params.Get("request_uri")
	req, ok := p.pushed[uri]
	delete(p.pushed, uri)
	if !ok || req.client != params.Get("client_id") || p.now().After(req.expires) {
		return nil, refuse("invalid_request_uri", "request_uri: unknown, used, expired, or another client's")
	}
	return req.params, nil
}
