package userauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/ostiary/auth"
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

var (
	errClosed     = errors.New("registration is closed")
	errInvitation = errors.New("no such invitation")
)

// addressError is why nobody can sign in at this address.
type addressError struct{ error }

// A newcomer is what a request to register carries.
type newcomer struct {
	Username   *string `json:"username"`
	Password   *string `json:"password"`
	Invitation *string `json:"invitation"` // of the link; without it, the link's own query counts
	next       string
	form       bool
}

func (n newcomer) username() string {
	if n.Username == nil {
		return ""
	}
	return *n.Username
}

func (n newcomer) invitation() string {
	if n.Invitation == nil {
		return ""
	}
	return *n.Invitation
}

// showRegister changes nothing: a mail scanner that opens the link before its reader uses no invitation up (RS-06).
func (b *backend) showRegister(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	n := newcomer{form: true, next: query.Get("next"), Invitation: invited(query)}
	if _, err := b.mayRegister(r.Context(), n); err != nil {
		b.refuseNewcomer(w, r, n, err)
		return
	}
	b.writeRegister(w, r, http.StatusOK, n, "", nil)
}

// invited is the invitation of a link; nil: it has none. Two are none that could be right.
func invited(query url.Values) *string {
	values := query["invitation"]
	switch len(values) {
	case 0:
		return nil
	case 1:
		return &values[0]
	}
	return new(string)
}

func (b *backend) writeRegister(w http.ResponseWriter, r *http.Request, status int, n newcomer, message string, problem *auth.FieldError) {
	least := cmp.Or(b.accounts.policy.Min, password.DefaultMin)
	next := b.next(n.next)
	p := page.Login{
		Title: "Create an account", Action: b.path("/register"), Next: next, Submit: "Create account", Message: message,
		Secret: n.Invitation != nil,
		Fields: []page.Field{
			{Name: "username", Label: "Username", Type: "text", Autocomplete: "username", Value: n.username()},
			{
				Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password",
				Help: fmt.Sprintf("At least %d characters; a few words make a good one.", least),
			},
		},
		Links: []page.Link{{Text: "I have an account already", URL: b.pathWith("/login", next)}},
	}
	if n.Invitation != nil {
		p.Hidden = []page.Field{{Name: "invitation", Value: n.invitation()}}
	}
	if problem != nil {
		p.Message = onPage(problem, p.Fields)
	}
	b.cantSignIn(r, &p)
	page.WriteLogin(w, r, status, p)
}

// readNewcomer reads a form or a JSON body. A status is the answer to one that can't be taken.
func readNewcomer(w http.ResponseWriter, r *http.Request) (n newcomer, status int, err error) {
	query := r.URL.Query()
	if !form.Is(r) {
		status, err = strictjson.Read(w, r, maxBody, &n)
		n.next = query.Get("next")
	} else {
		n.form = true
		var fields map[string]string
		fields, status, err = form.Read(w, r, maxBody, "username", "password", "invitation")
		n.Username, n.Password, n.Invitation = field(fields, "username"), field(fields, "password"), field(fields, "invitation")
		n.next = r.Form.Get("next")
		if err == nil {
			status, err = onlyFields(r.PostForm, "username", "password", "invitation", "next")
		}
	}
	if n.Invitation == nil {
		n.Invitation = invited(query)
	}
	return n, status, err
}

// onlyFields refuses what this form doesn't have: whoever sends "roles" must not believe to have been given any.
func onlyFields(sent url.Values, names ...string) (status int, err error) {
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if !slices.Contains(names, name) {
			return http.StatusBadRequest, &auth.FieldError{Field: name, Problem: "unknown"}
		}
	}
	return 0, nil
}

func (b *backend) postRegister(w http.ResponseWriter, r *http.Request) {
	if err := b.site.Check(r, site.None, false); err != nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden})
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventOrigin, Status: http.StatusForbidden, Reason: err.Error()})
		return
	}
	n, status, err := readNewcomer(w, r)
	if n.Invitation == nil && b.registration == RegistrationClosed {
		b.refuseNewcomer(w, r, n, errClosed) // whatever else there is to say about the request
		return
	}
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), loginTimeout)
	defer cancel()
	account, err := b.register(ctx, r, n)
	if err != nil {
		b.refuseNewcomer(w, r, n, err)
		return
	}
	b.report(r, auth.EventRegistered, account.ID, account.Username, "")
	if n.form {
		// Not logged in: this browser's session, if there is one, is somebody's who has nothing to do with it (S-23).
		returnpath.Redirect(w, b.pathWith("/login", b.next(n.next))+"&done=registered")
		return
	}
	page.Headers(w.Header())
	page.WriteJSON(w, http.StatusCreated, account.User)
}

// register refuses in this order: who may not register at all, what can't be taken, too many attempts, what is taken. Only
// the last is said after a hash and by the database, so that nobody learns more, or sooner.
func (b *backend) register(ctx context.Context, r *http.Request, n newcomer) (Account, error) {
	invitation, err := b.mayRegister(ctx, n)
	if err != nil {
		return Account{}, err
	}
	if err := b.site.Cookies(r); err != nil { // nor could anybody log in
		return Account{}, addressError{err}
	}
	for _, f := range []struct {
		name  string
		value *string
	}{{"username", n.Username}, {"password", n.Password}} {
		if f.value == nil {
			return Account{}, &auth.FieldError{Field: f.name, Problem: "missing"}
		}
	}
	if _, err := keyOf(*n.Username); err != nil {
		return Account{}, err
	}
	if err := b.accounts.checkPassword(*n.Username, *n.Password); err != nil {
		return Account{}, err
	}
	try := limit.Attempt{Address: auth.Address(b.auth, r)}
	if invitation != nil {
		try = limit.Attempt{Device: string(invitation.Hash[:])}
	}
	if wait, ok := b.newcomers.Begin(try); !ok {
		return Account{}, &auth.LimitedError{RetryAfter: wait}
	}
	account, err := b.accounts.register(ctx, NewAccount{Username: *n.Username, Password: *n.Password}, invitation)
	if errors.Is(err, auth.ErrUnavailable) && r.Context().Err() == nil {
		b.newcomers.Cancel(try) // it came to no answer, and whoever asked waits for one still
	}
	return account, err
}

// mayRegister gives the invitation; nil where none was offered, and none is needed.
func (b *backend) mayRegister(ctx context.Context, n newcomer) (*store.Invitation, error) {
	if n.Invitation == nil {
		if b.registration == RegistrationClosed {
			return nil, errClosed
		}
		return nil, nil //nolint:nilnil // anybody may
	}
	hash, ok := session.HashOf(*n.Invitation)
	if !ok {
		return nil, errInvitation // no look-up for what can't be one
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	invitation, err := b.store.Invitation(ctx, hash, b.now().Unix())
	if errors.Is(err, store.ErrNotFound) {
		return nil, errInvitation
	}
	if err != nil {
		return nil, err
	}
	return &invitation, nil
}

// refuseNewcomer answers who can't register.
func (b *backend) refuseNewcomer(w http.ResponseWriter, r *http.Request, n newcomer, err error) {
	p := page.Problem{}
	var problem *auth.FieldError
	var limited *auth.LimitedError
	var address addressError
	switch {
	case errors.Is(err, auth.ErrForbidden): // a hook's, whatever else it says
		p.Status, p.Message = http.StatusForbidden, "You can't register here."
	case errors.Is(err, errClosed):
		p.Status, p.Message = http.StatusForbidden, "Nobody can register here without an invitation."
	case errors.As(err, &address):
		p.Status, p.Message = http.StatusForbidden, "Nobody can register here: "+address.Error()+"."
	case errors.Is(err, errInvitation):
		// One answer for what never was, is over, was withdrawn or has been used.
		p.Status, p.Code, p.Message = http.StatusBadRequest, "invitation", "This invitation can't be used, or no longer. Ask for another one."
	case errors.As(err, &limited):
		page.RetryAfter(w.Header(), limited.RetryAfter)
		p.Status, p.Message = http.StatusTooManyRequests, "Too many attempts. Wait a moment and try again."
	case errors.Is(err, ErrExists):
		p.Status, p.Code, p.Message = http.StatusConflict, "exists", "This username is taken. Choose another one."
	case errors.As(err, &problem):
		p.Status, p.Message = http.StatusBadRequest, problem.Error()
	default:
		b.writeError(w, r, err)
		return
	}
	switch {
	case p.Status == http.StatusForbidden || p.Code == "invitation" || !n.form || !page.WantsHTML(r):
		page.WriteProblem(w, r, p)
	default:
		b.writeRegister(w, r, p.Status, n, p.Message, problem)
	}
	kind := auth.EventRefused
	if limited != nil {
		kind = auth.EventLimited
	}
	auth.Report(b.auth, r, auth.Event{Kind: kind, Status: p.Status, Reason: err.Error()})
}
