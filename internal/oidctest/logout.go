package oidctest

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// endSession is where a relying party sends the browser to sign out here, too (RP-Initiated Logout §2). Clients of the session
// that have a back-channel are told before the answer, those with a front-channel by the page that is the answer.
func (p *Provider) endSession(w http.ResponseWriter, r *http.Request) {
	params := r.URL.Query()
	if r.Method == http.MethodPost {
		form, err := postForm(r)
		if err != nil {
			answerProblem(w, err)
			return
		}
		params = form
	}
	if err := single(params); err != nil {
		answerProblem(w, err)
		return
	}
	c, s, err := p.hinted(r, params)
	if err != nil {
		answerProblem(w, err)
		return
	}
	target := params.Get("post_logout_redirect_uri")
	if target != "" && !slices.Contains(c.PostLogoutRedirectURIs, target) {
		// Not sent on to: that would be an open redirect.
		answerProblem(w, refuse("invalid_request", "post_logout_redirect_uri: not registered, or no client is named"))
		return
	}
	frames := p.frames(s)
	p.end(r, s)
	back := url.Values{}
	if params.Has("state") {
		back.Set("state", params.Get("state"))
	}
	if h := p.hooksFor(c).OnPostLogout; h != nil {
		h(back)
	}
	if target != "" && len(frames) == 0 {
		redirect(w, target, back)
		return
	}
	if target != "" {
		target = withQuery(target, back)
	}
	showSignedOut(w, frames, target)
}

// hinted returns the client and the session that a logout is about: those of the ID token, which may have expired, else of
// client_id and of the browser. A hint that isn't from here is refused.
func (p *Provider) hinted(r *http.Request, params url.Values) (Client, session, error) {
	c, _ := p.client(params.Get("client_id"))
	hint := params.Get("id_token_hint")
	if hint == "" {
		s, _ := p.visitor(r)
		return c, s, nil
	}
	token, err := jwt.ParseSigned(hint, joseAlgs())
	if err != nil {
		return c, session{}, refuse("invalid_request", "id_token_hint: not an ID token")
	}
	var claims struct {
		Issuer   string       `json:"iss"`
		Audience jwt.Audience `json:"aud"`
		SID      string       `json:"sid"`
	}
	ours := slices.ContainsFunc(p.keys.published(), func(k Key) bool { return token.Claims(k.Public(), &claims) == nil })
	if !ours || claims.Issuer != p.issuer || len(claims.Audience) != 1 {
		return c, session{}, refuse("invalid_request", "id_token_hint: not from here")
	}
	if params.Has("client_id") && params.Get("client_id") != claims.Audience[0] {
		return c, session{}, refuse("invalid_request", "client_id: not the one of id_token_hint")
	}
	c, _ = p.client(claims.Audience[0])
	s, _ := p.session(claims.SID)
	return c, s, nil
}

// frames are the front-channel addresses of the session's clients (Front-Channel Logout §2).
func (p *Provider) frames(s session) []string {
	var frames []string
	for _, id := range s.clients {
		if c, ok := p.client(id); ok && c.FrontchannelLogoutURI != "" {
			frames = append(frames, p.FrontchannelURL(c.FrontchannelLogoutURI, s.sid))
		}
	}
	return frames
}

// FrontchannelURL is what an iframe loads to end the session sid: uri with iss and sid.
func (p *Provider) FrontchannelURL(uri, sid string) string {
	params := url.Values{"iss": {p.issuer}, "sid": {sid}}
	if h := p.hooksFor(Client{}).OnFrontChannel; h != nil {
		h(params)
	}
	return withQuery(uri, params)
}

// end ends a session here, and tells its clients.
func (p *Provider) end(r *http.Request, s session) {
	if s.sid == "" {
		return
	}
	p.forget(s.sid)
	p.tell(r.Context(), s.sub, s.sid, s.clients) // one that doesn't answer keeps nobody signed in here
}

// forget removes the session, and the current user with it.
func (p *Provider) forget(sid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sessions, sid)
	if p.current == sid {
		p.current = ""
	}
}

var signedOutPage = template.Must(template.New("signed out").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Signed out</title>
<h1>Signed out</h1>
{{range .Frames}}<iframe src="{{.}}" hidden></iframe>
{{end}}{{with .Next}}<p><a href="{{.}}">Go on</a></p>
{{end}}</html>
`))

// showSignedOut is a page and not a redirect: the frames need time to load.
func showSignedOut(w http.ResponseWriter, frames []string, next string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	view := struct {
		Frames []string
		Next   string
	}{frames, next}
	_ = signedOutPage.Execute(w, view) // fails when the client is gone: nobody is left to be told
}

// newLogoutToken prepares a logout token (Back-Channel Logout §2.4). An empty sid: all of the user's sessions.
func (p *Provider) newLogoutToken(c Client, sub, sid string) *JWT {
	now := p.now()
	t := p.newJWT(c.IDTokenAlg, map[string]any{
		"iss": p.issuer, "aud": c.ID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": secret(), "sub": sub,
		"events": map[string]any{backchannelEvent: map[string]any{}},
	})
	if sid != "" {
		t.Claims["sid"] = sid
	}
	t.Header["typ"] = "logout+jwt"
	return t
}

const backchannelEvent = "http://schemas.openid.net/event/backchannel-logout"
