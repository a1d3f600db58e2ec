package userauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/clientip"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/limit"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/strictjson"
)

const (
	maxBody      = 16 << 10 // bytes of a login or password request; no name or password comes near it
	loginTimeout = 15 * time.Second
	readTimeout  = time.Second // of that, for a look-up: a database that hangs must not hold who waits for it
)

func (b *backend) showLogin(w http.ResponseWriter, r *http.Request) {
	next := b.next(r.URL.Query().Get("next"))
	// With an Authorization header the guard doesn't ask the cookie: the browser would be sent back here for ever.
	if _, err := b.Identify(r); err == nil {
		returnpath.Redirect(w, next)
		return
	}
	b.writeLogin(w, r, http.StatusOK, next, "", "")
}

func (b *backend) writeLogin(w http.ResponseWriter, r *http.Request, status int, next, username, message string) {
	p := page.Login{Action: b.path("/login"), Next: next, Message: message, Fields: loginFields(username)}
	p.Links = b.providerLinks(next)
	if b.registration == RegistrationOpen {
		p.Links = append(p.Links, page.Link{Text: "Create an account", URL: b.pathWith("/register", next)})
	}
	if message == "" && r.URL.Query().Get("done") == "registered" {
		p.Note = "Your account is ready: sign in with it."
	}
	b.cantSignIn(r, &p)
	page.WriteLogin(w, r, status, p)
}

func loginFields(username string) []page.Field {
	return []page.Field{
		{Name: "username", Label: "Username", Type: "text", Autocomplete: "username", Value: username},
		{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password"},
	}
}

// cantSignIn says on the page why nobody can sign in at this address, if that is so.
func (b *backend) cantSignIn(r *http.Request, p *page.Login) {
	if err := b.site.Cookies(r); err != nil {
		p.Disabled, p.Note = true, "Nobody can sign in here: "+err.Error()+"."
	} else if b.site.Host(r) != nil && b.site.PublicURL() != "" {
		p.Note = "This is another address than the one to sign in at: " + b.site.PublicURL() // the form would be refused
	}
}

// credentials are what a login request carries.
type credentials struct {
	Username *string `json:"username"`
	Password *string `json:"password"`
	next     string
	form     bool
}

// readCredentials reads a form or a JSON body. A status is the answer to one that can't be taken.
func readCredentials(w http.ResponseWriter, r *http.Request) (c credentials, status int, err error) {
	if !form.Is(r) {
		status, err = strictjson.Read(w, r, maxBody, &c)
		c.next = r.URL.Query().Get("next")
	} else {
		c.form = true
		var fields map[string]string
		fields, status, err = form.Read(w, r, maxBody, "username", "password")
		c.Username, c.Password, c.next = field(fields, "username"), field(fields, "password"), r.Form.Get("next")
	}
	if err != nil {
		return c, status, err
	}
	for _, f := range []struct {
		name  string
		value *string
	}{{"username", c.Username}, {"password", c.Password}} {
		if f.value == nil {
			return c, http.StatusBadRequest, &auth.FieldError{Field: f.name, Problem: "missing"}
		}
	}
	// Before any hashing: nobody's password is that long, and hashing takes longer the longer it is.
	if utf8.RuneCountInString(*c.Password) > password.MaxRunes {
		return c, http.StatusBadRequest, &auth.FieldError{Field: "password", Problem: "too long"}
	}
	return c, 0, nil
}

func field(fields map[string]string, name string) *string {
	if value, ok := fields[name]; ok {
		return &value
	}
	return nil
}

func (b *backend) postLogin(w http.ResponseWriter, r *http.Request) {
	// A stranger may log in, a foreign page may not make its visitor do so (login CSRF).
	if err := b.site.Check(r, site.None, false); err != nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden})
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventOrigin, Status: http.StatusForbidden, Reason: err.Error()})
		return
	}
	c, status, err := readCredentials(w, r)
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	if err := b.site.Cookies(r); err != nil {
		b.answerFailure(w, r, c, http.StatusForbidden, err.Error())
		return
	}
	key, _ := keyOf(*c.Username) // empty for a name that nobody can have
	try := b.attempt(r, key)
	// Limited before any hashing, and before it is known whether there is such a user.
	if wait, ok := b.limit.Begin(try); !ok {
		page.RetryAfter(w.Header(), wait)
		b.answerFailure(w, r, c, http.StatusTooManyRequests, "Too many attempts. Wait a moment and try again.")
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventLimited, Status: http.StatusTooManyRequests})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), loginTimeout)
	defer cancel()
	l, err := b.authenticate(ctx, *c.Username, key, *c.Password)
	if err == nil {
		if err := before(ctx, "BeforeLogin", b.accounts.hooks.BeforeLogin, l.account); err != nil {
			b.limit.Succeed(try) // the password is right
			b.refuseLogin(w, r, c, l, err)
			return
		}
	}
	var token string
	if err == nil {
		token, err = b.begin(ctx, r, l)
	}
	switch {
	case errors.Is(err, errWrong):
		b.answerFailure(w, r, c, http.StatusUnauthorized, "That was not right. Try again.")
		// No name: people type passwords into the wrong field.
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventLoginFailed, Status: http.StatusUnauthorized, Reason: "form"})
		return
	case err != nil: // nobody has looked at the password, or the session couldn't be stored
		// A client that has left may have known the answer: an authenticator that delays a "no" would else be asked without
		// limit by who doesn't wait for it.
		if r.Context().Err() == nil {
			b.limit.Cancel(try)
		}
		w.Header().Set("Retry-After", "1")
		b.answerFailure(w, r, c, http.StatusServiceUnavailable, "")
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventUnavailable, Status: http.StatusServiceUnavailable, Reason: err.Error()})
		return
	}
	b.limit.Succeed(try)
	b.accounts.after(ctx, "AfterLogin", b.accounts.hooks.AfterLogin, l.account)
	b.answerLogin(w, r, c, key, l, token)
}

// refuseLogin answers whom a hook keeps out.
func (b *backend) refuseLogin(w http.ResponseWriter, r *http.Request, c credentials, l *login, err error) {
	status, message := http.StatusForbidden, "You can't sign in now."
	if field, ok := errors.AsType[*auth.FieldError](err); ok {
		status, message = http.StatusBadRequest, field.Error()
		if c.form && page.WantsHTML(r) {
			message = onPage(err, loginFields(""))
		}
	}
	b.answerFailure(w, r, c, status, message)
	auth.Report(b.auth, r, auth.Event{Kind: auth.EventLoginFailed, Status: status, UserID: l.account.ID, Username: l.username, Reason: err.Error()})
}

// noAccount is what guesses at names that nobody can have are counted against, all together. It is no key of a name.
const noAccount = "\x00"

func (b *backend) attempt(r *http.Request, key string) limit.Attempt {
	try := limit.Attempt{Account: key, Address: auth.Address(b.auth, r), Device: b.knownDevice(r, key)}
	if key == "" {
		try.Account = noAccount
	}
	return try
}

// begin begins the session of l and ends the one that the browser had. What was proved is compared once more where it counts, in
// the transaction: a password that was changed while it was verified, or a user disabled meanwhile, gets nobody in.
func (b *backend) begin(ctx context.Context, r *http.Request, l *login) (token string, err error) {
	now := b.now().Unix()
	err = b.engine.Write(ctx, func(tx *store.Tx) error {
		user := l.user
		if l.id != nil {
			if user, err = admit(tx, l.id, now); err != nil {
				return err
			}
			if err := b.accounts.endUnfounded(tx); err != nil { // the authenticator may say less of an admin than before
				return err
			}
		} else if err := unchanged(tx, l); err != nil {
			return err
		}
		if err := b.leaveBehind(tx, r); err != nil {
			return err
		}
		token, err = b.engine.Begin(tx, store.Session{
			User: user, Method: l.method, Address: clientip.Text(auth.Address(b.auth, r)), Agent: clientip.Agent(r),
		})
		return err
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrChanged) {
		return "", errWrong
	}
	return token, err
}

// leaveBehind ends the session that the browser had: whoever logs in again leaves the old one behind, wherever its cookie may
// have got to.
func (b *backend) leaveBehind(tx *store.Tx, r *http.Request) error {
	old, n := b.cookie.Read(r, b.site.HTTPS(r))
	if n != 1 {
		return nil
	}
	hash, ok := session.HashOf(old)
	if !ok {
		return nil
	}
	_, err := tx.DeleteSession(hash)
	return err
}

// unchanged fails unless the hash that was proved is the user's still. It also replaces it by a stronger one.
func unchanged(tx *store.Tx, l *login) error {
	account, err := tx.Account(l.user)
	if err != nil {
		return err
	}
	if account.Hash != l.hash {
		return store.ErrChanged
	}
	if l.rehash == "" {
		return nil
	}
	return tx.Rehash(l.user, l.hash, l.rehash)
}

func (b *backend) answerLogin(w http.ResponseWriter, r *http.Request, c credentials, key string, l *login, token string) {
	http.SetCookie(w, b.cookie.Set(r, b.site.HTTPS(r), token))
	b.rememberDevice(w, r, key)
	id := userID(l.user)
	if l.id != nil {
		id = l.id.ID
	}
	b.report(r, auth.EventLogin, id, l.username, l.method)
	if c.form {
		returnpath.Redirect(w, b.next(c.next))
		return
	}
	page.Headers(w.Header())
	page.WriteJSON(w, http.StatusOK, map[string]string{"status": "success"})
}

// answerFailure is the same for every reason of one status.
func (b *backend) answerFailure(w http.ResponseWriter, r *http.Request, c credentials, status int, message string) {
	if c.form && page.WantsHTML(r) {
		if message == "" {
			message = "The server is busy. Try again in a moment."
		}
		b.writeLogin(w, r, status, b.next(c.next), *c.Username, message)
		return
	}
	page.WriteProblem(w, r, page.Problem{Status: status, Message: message})
}

func (b *backend) postLogout(w http.ResponseWriter, r *http.Request) {
	if err := b.site.Check(r, site.Ambient, false); err != nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden})
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventOrigin, Status: http.StatusForbidden, Reason: err.Error()})
		return
	}
	if _, ours := offered(r.Header["Authorization"]); ours {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden}) // a token has no session to end; see ownAccount
		return
	}
	https := b.site.HTTPS(r)
	if _, n := b.cookie.Read(r, https); n > 0 {
		// The browser forgets it in any case.
		http.SetCookie(w, b.cookie.Delete(r, https))
	}
	if err := b.end(r); err != nil {
		b.writeError(w, r, err) // never "logged out" while the session may live on
		return
	}
	if page.WantsHTML(r) {
		returnpath.Redirect(w, b.path("/login"))
		return
	}
	page.Headers(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

// end ends the session of the request's cookie, if there is one.
func (b *backend) end(r *http.Request) error {
	id, err := b.browser(r)
	if errors.Is(err, auth.ErrNoCredentials) || errors.Is(err, auth.ErrInvalidCredentials) {
		return nil
	}
	if err != nil {
		return err
	}
	s := id.Session.(*session.Session[auth.Identity])
	actor, err := b.actor(r.Context(), s)
	if errors.Is(err, auth.ErrSessionEnded) {
		return nil // by somebody else, just now
	}
	if err != nil {
		return err
	}
	err = b.engine.Write(r.Context(), func(tx *store.Tx) error {
		_, err := tx.DeleteSession(s.Hash())
		return err
	})
	switch {
	case err != nil:
		return err
	case actor.ID != "":
		b.report(r, auth.EventImpersonation, actor.ID, actor.Username, fmt.Sprintf("no longer acts as %s %q", id.ID, id.User.Username))
	default:
		b.report(r, auth.EventLogout, id.ID, id.User.Username, "")
	}
	return nil
}
