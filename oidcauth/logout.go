package oidcauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/cookie"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/internal/store"
)

const (
	// logoutWait is how long a browser that logs out waits for the provider's metadata: it is logged out here already.
	logoutWait = 2 * time.Second
	// maxHintURL bounds the ID token in the address of the provider's logout page, in bytes: servers refuse longer lines.
	maxHintURL = 6 << 10
	// byeAge is how long the provider's logout may take the browser.
	byeAge = 10 * time.Minute
)

// postLogout ends the session here, whatever else happens, and then sends a browser to the provider's logout (OpenID Connect
// RP-Initiated Logout 1.0), where it has one.
func (b *backend) postLogout(w http.ResponseWriter, r *http.Request) {
	if err := b.site.Check(r, site.Ambient, false); err != nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden})
		b.report(r, auth.Event{Kind: auth.EventOrigin, Status: http.StatusForbidden, Reason: err.Error()})
		return
	}
	if len(r.Header["Authorization"]) > 0 {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden}) // a token has no session to end
		return
	}
	https := b.site.HTTPS(r)
	secret, n := b.cookie.Read(r, https)
	if n > 0 {
		// The browser forgets it in any case.
		http.SetCookie(w, b.cookie.Delete(r, https))
	}
	ended, err := b.end(r)
	if err != nil {
		w.Header().Set("Retry-After", "1")
		page.WriteProblem(w, r, page.Problem{Status: http.StatusServiceUnavailable}) // never "logged out" while the session may live on
		b.report(r, auth.Event{Kind: auth.EventUnavailable, Status: http.StatusServiceUnavailable, Reason: err.Error()})
		return
	}
	if !page.WantsHTML(r) {
		page.Headers(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if target := b.goodbye(w, r, ended, secret); target != "" {
		returnpath.Leave(w, target)
		return
	}
	returnpath.Redirect(w, b.path("/logged-out"))
}

// end ends the session of the request's cookie and gives what was stored of it; nil: there was none.
func (b *backend) end(r *http.Request) (ended *store.Session, err error) {
	p, err := b.person(r)
	if errors.Is(err, auth.ErrNoCredentials) || errors.Is(err, auth.ErrInvalidCredentials) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = b.engine.Write(r.Context(), func(tx *store.Tx) error {
		ended = nil
		s, err := tx.Session(p.session.Hash())
		if errors.Is(err, store.ErrNotFound) {
			return nil // by somebody else, just now
		}
		if err != nil {
			return err
		}
		ended = &s
		_, err = tx.DeleteSession(s.Hash)
		return err
	})
	if err != nil || ended == nil {
		return nil, err
	}
	b.report(r, auth.Event{Kind: auth.EventLogout, UserID: p.id.ID, Username: p.id.User.Username})
	return ended, nil
}

// goodbye is the address of the provider's logout page for a session that has ended here; empty where there is none, or where it
// can't be known now. The address holds the ID token as a hint: it goes into no log of ours, and no page on the way gets it
// as a referrer.
func (b *backend) goodbye(w http.ResponseWriter, r *http.Request, ended *store.Session, secret string) string {
	if ended == nil {
		return ""
	}
	p := b.providerOf(ended.Issuer)
	if p == nil {
		return ""
	}
	data, err := sessionDataOf(ended.Data)
	if err != nil {
		return ""
	}
	b.refresher.revokeStored(p, *ended, data)
	ctx, cancel := context.WithTimeout(r.Context(), logoutWait)
	defer cancel()
	state := secretText()
	params := url.Values{"post_logout_redirect_uri": {b.site.PublicURL() + b.mountPath + "/logged-out"}, "state": {state}}
	if hint := openHint(secret, data.IDToken); hint != "" {
		params.Set("id_token_hint", hint)
	}
	target, err := p.op.EndSessionURL(ctx, params)
	if err != nil {
		return "" // logged out here: that the provider has no logout, or is down, changes nothing about it
	}
	http.SetCookie(w, b.byeCookie().Set(r, b.site.HTTPS(r), state))
	return target
}

// byeCookie remembers the state of a logout at the provider.
func (b *backend) byeCookie() cookie.Spec {
	return cookie.Spec{Base: b.cookie.Base + "-bye", MaxAge: byeAge}
}

// showLoggedOut is where the provider sends the browser after a logout. What the state says decides nothing: the session had
// ended before the browser left. One that is wrong is told to the log.
func (b *backend) showLoggedOut(w http.ResponseWriter, r *http.Request) {
	https := b.site.HTTPS(r)
	spec := b.byeCookie()
	want, n := spec.Read(r, https)
	if n > 0 {
		http.SetCookie(w, spec.Delete(r, https))
		if states := r.URL.Query()["state"]; n > 1 || len(states) != 1 || states[0] != want {
			b.report(r, auth.Event{Kind: auth.EventWarning, Reason: "a provider's logout came back with another state"})
		}
	}
	l := page.Login{Title: "Signed out", Note: "You are signed out here.", Links: []page.Link{{Text: "Sign in again", URL: b.path("/login")}}}
	switch _, err := b.person(r); {
	case err == nil:
		l = page.Login{Title: "Signed in", Note: "You are signed in.", Links: []page.Link{{Text: "Go on", URL: b.mount.Root()}}}
	case !errors.Is(err, auth.ErrNoCredentials) && !errors.Is(err, auth.ErrInvalidCredentials):
		w.Header().Set("Retry-After", "1")
		page.WriteProblem(w, r, page.Problem{Status: http.StatusServiceUnavailable}) // never "signed out" where that isn't known
		return
	}
	page.WriteLogin(w, r, http.StatusOK, l)
}
