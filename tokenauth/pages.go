package tokenauth

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/limit"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/internal/strictjson"
)

// maxBody is the size of a login request, in bytes. No token or password comes near it.
const maxBody = 16 << 10

// Routes serves the login page and logout: GET and POST /login, POST /logout, below the mount path.
func (b *backend) routes() http.Handler {
	pages := page.Routes{
		"/login":  {http.MethodGet: b.showLogin, http.MethodPost: b.postLogin},
		"/logout": {http.MethodPost: b.postLogout},
	}.At(b.mount.Decoded(), returnpath.Mount(b.mountPath).Decoded())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Cookie")
		pages.ServeHTTP(w, r)
	})
}

func (b *backend) loginPath() string  { return b.mount.Join(b.mountPath + "/login") }
func (b *backend) logoutPath() string { return b.mount.Join(b.mountPath + "/logout") }

// next is the return path, checked at the moment of use.
func (b *backend) next(value string) string {
	return b.mount.Safe(value, b.loginPath(), b.logoutPath())
}

func (b *backend) showLogin(w http.ResponseWriter, r *http.Request) {
	next := b.next(r.URL.Query().Get("next"))
	// With an Authorization header the guard doesn't ask the cookie: the browser would be sent back here for ever.
	if s, err := b.session(r); err == nil && len(r.Header["Authorization"]) == 0 {
		if _, err := s.Current(); err == nil {
			returnpath.Redirect(w, next)
			return
		}
	}
	b.writeLogin(w, r, http.StatusOK, next, "")
}

func (b *backend) writeLogin(w http.ResponseWriter, r *http.Request, status int, next, message string) {
	field := page.Field{Name: "password", Label: "Token", Type: "password", Autocomplete: "current-password"}
	note := "The token is in the address that the server printed when it started, or ask whoever runs it."
	if b.hasher != nil {
		field.Label, note = "Password", ""
	}
	p := page.Login{Action: b.loginPath(), Next: next, Message: message, Fields: []page.Field{field}, Note: note}
	if err := b.site.Cookies(r); err != nil {
		p.Disabled, p.Note = true, "Nobody can sign in here: "+err.Error()+"."
	} else if b.site.Host(r) != nil && b.site.PublicURL() != "" {
		p.Note = "This is another address than the one to sign in at: " + b.site.PublicURL() // the form would be refused
	}
	page.WriteLogin(w, r, status, p)
}

// credentials are what a login request carries. Other fields of a form are without effect.
type credentials struct {
	Password string `json:"password"`
	next     string
	form     bool
}

// read reads a form or a JSON body. A status is the answer to one that can't be taken.
func (b *backend) read(w http.ResponseWriter, r *http.Request) (c credentials, status int, err error) {
	if len(r.Header["Content-Type"]) != 1 {
		return c, http.StatusUnsupportedMediaType, errors.New("content type: want one, application/x-www-form-urlencoded or application/json")
	}
	if !form.Is(r) {
		status, err = strictjson.Read(w, r, maxBody, &c)
		c.next = r.URL.Query().Get("next")
		return c, status, err
	}
	c.form = true
	fields, status, err := form.Read(w, r, maxBody, "password")
	if err != nil {
		return c, status, err
	}
	c.Password, c.next = fields["password"], r.Form.Get("next")
	return c, 0, nil
}

func (b *backend) postLogin(w http.ResponseWriter, r *http.Request) {
	// A stranger may log in, a foreign page may not make its visitor do so (login CSRF).
	if err := b.site.Check(r, site.None, false); err != nil {
		b.refuseOrigin(w, r, err)
		return
	}
	c, status, err := b.read(w, r)
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	next := b.next(c.next)
	if err := b.site.Cookies(r); err != nil {
		b.answerFailure(w, r, c, next, http.StatusForbidden, err.Error())
		return
	}
	if b.closed.Load() {
		b.answerFailure(w, r, c, next, http.StatusServiceUnavailable, "")
		return
	}
	try := limit.Attempt{Account: b.account(), Address: auth.Address(b.auth, r), Device: b.knownDevice(r)}
	// Limited before any hashing, and before it is known whether the password is right.
	if wait, ok := b.form.Begin(try); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
		b.answerFailure(w, r, c, next, http.StatusTooManyRequests, "Too many attempts. Wait a moment and try again.")
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventLimited, Status: http.StatusTooManyRequests})
		return
	}
	g, err := b.verify(r, c.Password)
	switch {
	case err != nil: // too many at once, or the client has left: nothing was guessed
		b.form.Cancel(try)
		w.Header().Set("Retry-After", "1")
		b.answerFailure(w, r, c, next, http.StatusServiceUnavailable, "")
		return
	case g == nil:
		b.answerFailure(w, r, c, next, http.StatusUnauthorized, "That was not right. Try again.")
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventLoginFailed, Status: http.StatusUnauthorized, Reason: "form"})
		return
	}
	if g == b.shared {
		b.form.Succeed(try)
	} else {
		b.form.Cancel(try) // who holds a named token must not wipe out guesses at the shared secret with it
	}
	b.answerLogin(w, r, c, g, next)
}

// account is what guesses in the form are counted against, from wherever they come. A password needs that. A token of
// proper length can't be guessed: there strangers would only lock everybody out.
func (b *backend) account() string {
	if b.hasher == nil {
		return ""
	}
	return "shared"
}

// verify gives the grant that a token or the shared password stands for; nil for a wrong one.
func (b *backend) verify(r *http.Request, word string) (*grant, error) {
	if g := b.byWord[digestOf(word)]; g != nil && !g.expired(b.now) {
		return g, nil
	}
	if b.hasher == nil || word == "" {
		return nil, nil
	}
	ok, err := b.hasher.Verify(r.Context(), b.hash, word)
	if err != nil || !ok {
		return nil, err
	}
	return b.shared, nil
}

func (b *backend) answerLogin(w http.ResponseWriter, r *http.Request, c credentials, g *grant, next string) {
	// Whoever logs in again leaves the old login behind, wherever its cookie may have got to.
	if s, err := b.session(r); err == nil {
		b.end(s.login)
	}
	http.SetCookie(w, b.admit(r, g, "form"))
	if g == b.shared {
		// Only who knows the shared secret: the holder of a named token could else guess at it from ever new devices.
		b.rememberDevice(w, r)
	}
	if c.form {
		returnpath.Redirect(w, next)
		return
	}
	page.Headers(w.Header())
	page.WriteJSON(w, http.StatusOK, map[string]string{"status": "success"})
}

func (b *backend) answerFailure(w http.ResponseWriter, r *http.Request, c credentials, next string, status int, message string) {
	if c.form && page.WantsHTML(r) {
		if message == "" {
			message = "The server is busy. Try again in a moment."
		}
		b.writeLogin(w, r, status, next, message)
		return
	}
	page.WriteProblem(w, r, page.Problem{Status: status, Message: message})
}

func (b *backend) postLogout(w http.ResponseWriter, r *http.Request) {
	if err := b.site.Check(r, site.Ambient, false); err != nil {
		b.refuseOrigin(w, r, err)
		return
	}
	if s, err := b.session(r); err == nil && b.end(s.login) {
		b.report(r, auth.EventLogout, s.login, "")
	}
	https := b.site.HTTPS(r)
	if _, n := b.cookie.Read(r, https); n > 0 {
		http.SetCookie(w, b.cookie.Delete(r, https))
	}
	if page.WantsHTML(r) {
		returnpath.Redirect(w, b.loginPath())
		return
	}
	page.Headers(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

func (b *backend) refuseOrigin(w http.ResponseWriter, r *http.Request, err error) {
	page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden})
	auth.Report(b.auth, r, auth.Event{Kind: auth.EventOrigin, Status: http.StatusForbidden, Reason: err.Error()})
}

// challengeFor follows RFC 6750 section 3: no error attribute where no credential was sent.
func challengeFor(err error) []string {
	if errors.Is(err, auth.ErrInvalidCredentials) {
		return []string{fmt.Sprintf("Bearer realm=%q, error=%q", realm, "invalid_token")}
	}
	return []string{fmt.Sprintf("Bearer realm=%q", realm)}
}

const realm = "ostiary"
