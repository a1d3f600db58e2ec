package oidctest

import (
	"html/template"
	"net/http"
	"net/url"

	"github.com/ostiary/auth/internal/cookie"
)

// browserCookie is the visitor's session at the provider. Cookies don't tell ports apart: the relying party on the same host
// gets it too, and must not mind.
var browserCookie = cookie.Spec{Base: "oidctest"}

// visitor is the session of who sends r: the browser's own with a login page, else the current user's.
func (p *Provider) visitor(r *http.Request) (session, bool) {
	if p.cfg.LoginForm {
		sid, _ := browserCookie.Read(r, p.cfg.TLS) // none, or two: nobody's session
		return p.session(sid)
	}
	p.mu.Lock()
	sid := p.current
	p.mu.Unlock()
	return p.session(sid)
}

// It posts to this provider and is then redirected to the relying party, so it has no policy that names form-action: browsers
// hold that against the redirect too.
var loginPage = template.Must(template.New("login").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in</title>
<h1>Sign in</h1>
<p>A provider for tests: choose who you are. {{.Client}} asks.</p>
<form method="post" action="{{.Action}}">
<input type="hidden" name="transaction" value="{{.Transaction}}">
{{range .Users}}<p><button name="user" value="{{.}}"{{if eq . $.Hint}} autofocus{{end}}>{{.}}</button></p>
{{end}}<p><button name="user" value="">Turn away</button></p>
</form>
</html>
`))

// showLogin asks the visitor who they are, before the request goes on.
func (p *Provider) showLogin(w http.ResponseWriter, req authRequest) {
	view := struct {
		Client, Action, Transaction, Hint string
		Users                             []string
	}{Client: req.client.ID, Action: p.Endpoint("login"), Transaction: secret(), Hint: req.params.Get("login_hint")}
	p.mu.Lock()
	p.waiting[view.Transaction] = req
	for _, u := range p.users {
		view.Users = append(view.Users, u.Sub)
	}
	p.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	_ = loginPage.Execute(w, view) // fails when the client is gone: nobody is left to be told
}

// login takes what the login page posts, and goes on with the request that it stood before.
func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	form, err := postForm(r)
	if err != nil {
		answerProblem(w, err)
		return
	}
	p.mu.Lock()
	req, ok := p.waiting[form.Get("transaction")]
	delete(p.waiting, form.Get("transaction"))
	p.mu.Unlock()
	if !ok {
		answerProblem(w, refuse("invalid_request", "transaction: unknown or used"))
		return
	}
	user, ok := p.user(form.Get("user"))
	if !ok {
		p.sendBack(w, req, url.Values{"error": {"access_denied"}, "error_description": {"the user turned away"}})
		return
	}
	s := p.openSession(user.Sub)
	http.SetCookie(w, browserCookie.Set(r, p.cfg.TLS, s.sid))
	p.sendCode(w, req, s)
}
