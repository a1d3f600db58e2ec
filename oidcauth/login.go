package oidcauth

import (
	"net/http"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
)

// loginTimeout bounds all that is asked of a provider while a browser waits.
const loginTimeout = 15 * time.Second

// startLogin serves /login: with one provider it goes there, with several people choose.
func (b *backend) startLogin(w http.ResponseWriter, r *http.Request) {
	i, status, err := b.initiationOf(w, r)
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	if r.Method == http.MethodPost {
		returnpath.Redirect(w, b.path("/login")+"?"+i.query())
		return
	}
	var p *provider
	switch {
	case i.issuer != "":
		// Whoever starts a login names a provider: only one that is configured, byte for byte.
		if p = b.providerOf(i.issuer); p == nil {
			page.WriteProblem(w, r, page.Problem{Status: http.StatusBadRequest, Message: "There is no such provider here."})
			return
		}
	case len(b.providers) == 1:
		p = b.providers[0]
	}
	if p == nil {
		if b.goOn(w, r, i) {
			return
		}
		b.choose(w, r, i)
		return
	}
	b.leave(w, r, p, i)
}

// startLoginAt serves /login/{provider}.
func (b *backend) startLoginAt(w http.ResponseWriter, r *http.Request) {
	p := b.providerNamed(r.PathValue("provider"))
	if p == nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusNotFound})
		return
	}
	i, status, err := b.initiationOf(w, r)
	if err == nil && i.issuer != "" && i.issuer != p.Issuer {
		status, err = http.StatusBadRequest, &auth.FieldError{Field: "iss", Problem: "is another provider's"}
	}
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	if r.Method == http.MethodPost {
		returnpath.Redirect(w, b.path("/login/"+p.Name)+"?"+i.query())
		return
	}
	b.leave(w, r, p, i)
}

// choose shows the providers.
func (b *backend) choose(w http.ResponseWriter, r *http.Request, i initiation) {
	next := b.returnPath(i)
	l := page.Login{Note: "Choose where to sign in."}
	for _, p := range b.providers {
		at := b.path("/login/"+p.Name) + "?" + initiation{next: next, anew: i.anew}.query()
		l.Links = append(l.Links, page.Link{Text: "Sign in with " + p.Title, URL: at})
	}
	status := http.StatusOK
	if b.cantSignIn(r, &l) {
		status = http.StatusForbidden
	}
	page.WriteLogin(w, r, status, l)
}

// cantSignIn says on the page, and in the log, why nobody can sign in at this address, if that is so.
func (b *backend) cantSignIn(r *http.Request, p *page.Login) bool {
	if err := b.site.Cookies(r); err != nil {
		p.Disabled, p.Note = true, "Nobody can sign in here: "+err.Error()+"."
		return true
	}
	if b.site.Host(r) != nil {
		// The provider sends the browser back to the public address, which gets no cookie that is set here. Or a proxy in
		// between puts a Host of its own: the page can't tell, but the log says which one came.
		p.Note = "This is another address than the one to sign in at: " + b.site.PublicURL()
		p.Links = []page.Link{{Text: "Sign in there", URL: b.site.PublicURL() + b.mountPath + "/login"}}
		b.report(r, auth.Event{
			Kind: auth.EventOrigin, Status: http.StatusForbidden,
			Reason: "the Host " + quote(r.Host) + " is neither PublicURL's nor one of AllowedHosts",
		})
		return true
	}
	return false
}

// goOn sends a browser that is logged in already to where it wanted to go.
func (b *backend) goOn(w http.ResponseWriter, r *http.Request, i initiation) bool {
	if _, err := b.Identify(r); err != nil {
		return false
	}
	returnpath.Redirect(w, b.returnPath(i))
	return true
}
