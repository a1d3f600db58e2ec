package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
)

// privateNoStore and the Vary values are shared by all answers: they are replaced or appended to, never written to.
var privateNoStore = []string{"private, no-store"}

// secretParams are query parameters that can carry a credential. They are never repeated in a URL that we redirect to.
var secretParams = []string{"token", "access_token", "id_token", "password", "code"}

// hygiene sets the headers of every guarded answer. A handler may set another Cache-Control.
func (g *guard) hygiene(h http.Header, r *http.Request) {
	if outer := h["Vary"]; len(outer) > 0 {
		h["Vary"] = append(outer[:len(outer):len(outer)], g.vary...)
	} else {
		h["Vary"] = g.vary
	}
	h["Cache-Control"] = privateNoStore
	if r.URL.RawQuery != "" && hasSecretParam(r.URL.RawQuery) {
		// The page's own address holds a credential: no link or image on it may pass that on.
		h["Referrer-Policy"] = []string{"no-referrer"}
	}
}

func hasSecretParam(rawQuery string) bool {
	return len(returnpath.StripQuery(rawQuery, secretParams...)) != len(rawQuery)
}

// status is the answer to who couldn't be admitted.
func (c caller) status() int {
	switch {
	case errors.Is(c.err, ErrInvalidCredentials), c.unknown():
		return http.StatusUnauthorized
	case errors.Is(c.err, ErrForbidden):
		return http.StatusForbidden
	case errors.Is(c.err, errBackend):
		return http.StatusInternalServerError
	}
	if _, ok := errors.AsType[*LimitedError](c.err); ok {
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

// refuse answers a caller who isn't admitted. It is the only place that redirects to the login page.
func (g *guard) refuse(w http.ResponseWriter, r *http.Request, c caller) {
	status := c.status()
	p := page.Problem{Status: status}
	if status == http.StatusUnauthorized {
		ch := g.challenge(r, c.member, c.err)
		for _, cookie := range ch.SetCookies {
			http.SetCookie(w, cookie)
		}
		// A wrong credential is 401 even for a navigation: a redirect would hide that it was refused.
		if page.Navigation(r) {
			p.LoginURL = g.loginURL(r, ch.LoginPath)
		}
		if p.LoginURL != "" && c.unknown() && !c.socket {
			returnpath.Redirect(w, p.LoginURL)
			g.reportRefusal(r, c, status)
			return
		}
		if len(ch.WWWAuthenticate) > 0 {
			w.Header()["Www-Authenticate"] = ch.WWWAuthenticate
		}
	}
	// Whoever came with the wrong account gets out of it here. Where the origin was wrong, another account is no help; what was
	// attached explicitly, no logout takes back.
	if status == http.StatusForbidden && c.id != nil && !c.id.Explicit && !errors.Is(c.err, errOrigin) && page.WantsHTML(r) {
		p.LogoutURL, p.User = g.logoutURL(r, c.member), c.id.User.named().DisplayName
	}
	g.deny(w, r, p, c.err)
	g.reportRefusal(r, c, status)
}

// deny writes a denial. It says what happened in the words of the status alone: no permission, role or backend.
func (g *guard) deny(w http.ResponseWriter, r *http.Request, p page.Problem, err error) {
	page.Headers(w.Header())
	switch p.Status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case http.StatusTooManyRequests:
		if limited, ok := errors.AsType[*LimitedError](err); ok {
			page.RetryAfter(w.Header(), limited.RetryAfter)
		}
	}
	if g.cfg.Deny == nil {
		page.WriteProblem(w, r, p)
		return
	}
	d := &denial{ResponseWriter: w, status: p.Status}
	g.cfg.Deny(d, r, p.Status, err)
	if !d.written {
		d.WriteHeader(p.Status)
	}
}

// A denial sends its status where an application's Deny names none. Fail closed: net/http would turn silence, a flush, and
// a body alone, also behind an informational status, into 200.
type denial struct {
	http.ResponseWriter
	status  int
	written bool
}

func (d *denial) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		d.written = true
	}
	d.ResponseWriter.WriteHeader(status)
}

func (d *denial) Write(p []byte) (int, error) {
	if !d.written {
		d.WriteHeader(d.status)
	}
	return d.ResponseWriter.Write(p)
}

// FlushError is what [http.ResponseController] calls for a flush.
func (d *denial) FlushError() error {
	if !d.written {
		d.WriteHeader(d.status)
	}
	return http.NewResponseController(d.ResponseWriter).Flush()
}

func (d *denial) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// challenge is the refusing backend's; where nobody knew the caller, that of all backends.
func (g *guard) challenge(r *http.Request, by *member, err error) Challenge {
	var all Challenge
	for _, m := range g.members {
		if m.challenger == nil || by != nil && by != m {
			continue
		}
		ch := m.challenger.Challenge(r, err)
		for _, value := range ch.WWWAuthenticate {
			if !slices.Contains(all.WWWAuthenticate, value) { // two backends may take the same scheme
				all.WWWAuthenticate = append(all.WWWAuthenticate, value)
			}
		}
		all.SetCookies = append(all.SetCookies, ch.SetCookies...)
		if all.LoginPath == "" {
			all.LoginPath = ch.LoginPath
		}
	}
	return all
}

// logoutURL is the path that a form posts to in order to log out of m; empty where m has no login.
func (g *guard) logoutURL(r *http.Request, m *member) string {
	if m.challenger == nil || m.challenger.Challenge(r, ErrNoCredentials).LoginPath == "" {
		return ""
	}
	own := m.guard
	if own == nil {
		own = g
	}
	return own.mount.Join(own.mountPath + "/logout")
}

// loginURL is the path of the login page with the way back to r; empty where there is no login page.
func (g *guard) loginURL(r *http.Request, path string) string {
	if g.loginPath != "" {
		path = g.loginPath
	}
	if path == "" {
		return ""
	}
	login := g.mount.Join(path)
	return fmt.Sprintf("%s?next=%s", login, url.QueryEscape(g.mount.Request(r, secretParams...)))
}
