package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ostiary/auth/internal/returnpath"
)

// authRequest is an authorization request of a known client with a registered redirect URI.
type authRequest struct {
	client Client
	params url.Values
}

// authorize is the authorization endpoint (OpenID Connect Core §3.1.2).
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	params, err := p.authParams(r)
	if err != nil {
		answerProblem(w, err)
		return
	}
	// Until client and redirect URI are known to belong together, errors stay here: sent on, they would be an open redirect
	// (RFC 6749 §4.1.2.1).
	c, ok := p.client(params.Get("client_id"))
	if !ok {
		answerProblem(w, refuse("invalid_request", "client_id: unknown"))
		return
	}
	if !slices.Contains(c.RedirectURIs, params.Get("redirect_uri")) {
		answerProblem(w, refuse("invalid_request", "redirect_uri: not registered for this client"))
		return
	}
	req := authRequest{c, params}
	if err := req.check(); err != nil {
		p.sendBack(w, req, url.Values{"error": {err.code}, "error_description": {err.description}})
		return
	}
	if p.cfg.LoginForm && params.Get("prompt") != "none" {
		if s, ok := p.visitor(r); !ok || req.wantsLogin(s, p.now()) {
			p.showLogin(w, req)
			return
		}
	}
	p.decide(w, r, req)
}

// authParams reads the request: from the query, the body of a POST, or from what was pushed before.
func (p *Provider) authParams(r *http.Request) (params url.Values, err error) {
	switch r.Method {
	case http.MethodGet:
		if params, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return nil, refuse("invalid_request", "the query is malformed")
		}
		err = single(params)
	default:
		params, err = postForm(r)
	}
	if err != nil {
		return nil, err
	}
	if params.Has("request_uri") {
		return p.unpush(params)
	}
	if c, ok := p.client(params.Get("client_id")); ok && c.RequirePAR {
		return nil, refuse("invalid_request", "the client must push its requests")
	}
	return params, nil
}

// check finds what is wrong with the parameters; nil: nothing.
func (a authRequest) check() *problem {
	get := a.params.Get
	prompts := strings.Fields(get("prompt"))
	switch {
	case get("response_type") != "code":
		return refuse("unsupported_response_type", "response_type: want code")
	case get("response_mode") != "" && get("response_mode") != "query":
		return refuse("invalid_request", "response_mode: want query")
	case a.params.Has("request"):
		return refuse("request_not_supported", "request: not supported")
	case !slices.Contains(strings.Fields(get("scope")), "openid"):
		return refuse("invalid_scope", "scope: openid is missing")
	case slices.Contains(prompts, "none") && len(prompts) > 1:
		return refuse("invalid_request", "prompt: none stands alone")
	case get("max_age") != "" && !number(get("max_age")):
		return refuse("invalid_request", "max_age: want seconds")
	case a.client.SkipPKCE && !a.params.Has("code_challenge"):
		return nil
	case get("code_challenge_method") != "S256":
		return refuse("invalid_request", "code_challenge_method: want S256")
	case !verifierLike(get("code_challenge")):
		return refuse("invalid_request", "code_challenge: want 43 to 128 unreserved characters")
	}
	return nil
}

func number(s string) bool {
	_, err := strconv.ParseUint(s, 10, 31)
	return err == nil
}

// verifierLike reports whether s has the form of a verifier or challenge (RFC 7636 §4.1, §4.2).
func verifierLike(s string) bool {
	for i := range len(s) {
		if strings.IndexByte(unreserved, s[i]) < 0 {
			return false
		}
	}
	return len(s) >= 43 && len(s) <= 128
}

// unreserved characters of a URL (RFC 3986 §2.3).
const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// wantsLogin reports whether the user must sign in again: asked for, or too long ago (OpenID Connect Core §3.1.2.1).
func (a authRequest) wantsLogin(s session, now time.Time) bool {
	for _, prompt := range strings.Fields(a.params.Get("prompt")) {
		if prompt == "login" || prompt == "select_account" {
			return true
		}
	}
	seconds, err := strconv.Atoi(a.params.Get("max_age"))
	return err == nil && now.Sub(s.authTime) > time.Duration(seconds)*time.Second
}

// decide answers for whoever is signed in.
func (p *Provider) decide(w http.ResponseWriter, r *http.Request, req authRequest) {
	s, ok := p.visitor(r)
	silent := req.params.Get("prompt") == "none"
	switch {
	case silent && (!ok || req.wantsLogin(s, p.now())):
		p.sendBack(w, req, url.Values{"error": {"login_required"}})
		return
	case !ok: // nobody is there to sign in: what a user does who turns away
		p.sendBack(w, req, url.Values{"error": {"access_denied"}, "error_description": {"nobody is signed in"}})
		return
	case !p.cfg.LoginForm && req.wantsLogin(s, p.now()):
		s = p.signInAgain(s.sid)
	}
	p.sendCode(w, req, s)
}

// signInAgain stands for the user who signs in anew, as asked: the session goes on, auth_time is now.
func (p *Provider) signInAgain(sid string) session {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.sessions[sid]
	if !ok {
		return session{}
	}
	s.authTime = p.now()
	return *s
}

// sendCode sends the browser back with a code for the user of s.
func (p *Provider) sendCode(w http.ResponseWriter, req authRequest, s session) {
	user, _ := p.user(s.sub)
	get := req.params.Get
	acr, _, _ := strings.Cut(get("acr_values"), " ")
	if user.ACR != "" {
		acr = user.ACR
	}
	c := &code{
		grant: &grant{
			client: req.client.ID, sub: s.sub, sid: s.sid, scope: get("scope"), nonce: get("nonce"), acr: acr, amr: user.AMR,
			authTime: s.authTime, audience: resource(req.client, req.params), jkt: get("dpop_jkt"),
		},
		redirectURI: get("redirect_uri"), challenge: get("code_challenge"), expires: p.now().Add(time.Minute),
	}
	value := secret()
	p.mu.Lock()
	p.codes[value] = c
	p.mu.Unlock()
	p.sendBack(w, req, url.Values{"code": {value}})
}

// sendBack sends the browser to the client's redirect URI, with state and iss (RFC 9207).
func (p *Provider) sendBack(w http.ResponseWriter, req authRequest, params url.Values) {
	if req.params.Has("state") {
		params.Set("state", req.params.Get("state"))
	}
	params.Set("iss", p.issuer)
	if h := p.hooksFor(req.client).OnCallback; h != nil {
		h(params)
	}
	redirect(w, req.params.Get("redirect_uri"), params)
}

// redirect sends the browser to uri, which a client has registered, with more parameters.
func redirect(w http.ResponseWriter, uri string, params url.Values) {
	to, err := url.Parse(withQuery(uri, params))
	if err != nil {
		answerProblem(w, refuse("invalid_request", "the registered address %q is no URL", uri))
		return
	}
	returnpath.Leave(w, to.String())
}

// withQuery adds parameters to uri, and leaves it as it was registered otherwise.
func withQuery(uri string, params url.Values) string {
	switch {
	case len(params) == 0:
		return uri
	case strings.Contains(uri, "?"):
		return uri + "&" + params.Encode()
	}
	return uri + "?" + params.Encode()
}

// resource is the audience of the access token: asked for (RFC 8707) or registered. Empty: an opaque token.
func resource(c Client, params url.Values) string {
	if asked := params.Get("resource"); asked != "" {
		return asked
	}
	return c.Audience
}
