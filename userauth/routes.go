package userauth

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
)

// routes are the pages and the API, below the mount path. What a browser can't send from a form without JavaScript has a
// POST route of its own beside the API's.
func (b *backend) routes() http.Handler {
	own, tokens, ofUser := b.ownAccount, b.ownTokens, b.adminTokens
	reads := func(serve func(http.ResponseWriter, *http.Request, admin)) http.HandlerFunc {
		return b.admins(adminReads, serve)
	}
	writes := func(serve func(http.ResponseWriter, *http.Request, admin)) http.HandlerFunc {
		return b.admins(adminWrites, serve)
	}
	pages := page.Routes{
		"/login":             {http.MethodGet: b.showLogin, http.MethodPost: b.postLogin},
		"/logout":            {http.MethodPost: b.postLogout},
		"/register":          {http.MethodGet: b.showRegister, http.MethodPost: b.postRegister},
		"/me":                {http.MethodGet: b.account(b.getMe), http.MethodPatch: own(b.patchMe), http.MethodPost: own(b.postMe)},
		"/password":          {http.MethodGet: own(b.showPassword), http.MethodPost: own(b.postPassword)},
		"/sessions":          {http.MethodGet: own(b.getSessions), http.MethodDelete: own(b.deleteSessions)},
		"/sessions/{id}":     {http.MethodDelete: own(b.deleteSession)},
		"/sessions/{id}/end": {http.MethodPost: own(b.deleteSession)},
		"/sessions/end":      {http.MethodPost: own(b.deleteSessions)},
		"/tokens":            {http.MethodGet: tokens(b.getTokens), http.MethodPost: tokens(b.postTokens)},
		"/tokens/{id}":       {http.MethodDelete: tokens(b.deleteToken)},
		"/tokens/{id}/end":   {http.MethodPost: tokens(b.deleteToken)},
		"/links":             {http.MethodGet: own(b.getLinks)},
		"/links/{id}":        {http.MethodDelete: own(b.deleteLink)},
		"/links/{id}/end":    {http.MethodPost: own(b.deleteLink)},

		"/users":                            {http.MethodGet: reads(b.getUsers), http.MethodPost: writes(b.postUsers)},
		"/users/{username}":                 {http.MethodGet: reads(b.getUser), http.MethodPatch: writes(b.patchUser), http.MethodDelete: writes(b.deleteUser)},
		"/users/{username}/edit":            {http.MethodPost: writes(b.postUserEdit)},
		"/users/{username}/delete":          {http.MethodGet: writes(b.confirmDeleteUser), http.MethodPost: writes(b.deleteUser)},
		"/users/{username}/password":        {http.MethodPost: writes(b.postUserPassword)},
		"/users/{username}/impersonate":     {http.MethodPost: writes(b.postImpersonate)},
		"/users/{username}/sessions":        {http.MethodDelete: writes(b.endUserSessions)},
		"/users/{username}/sessions/end":    {http.MethodPost: writes(b.endUserSessions)},
		"/users/{username}/tokens":          {http.MethodGet: ofUser(adminReads, b.getTokens), http.MethodPost: ofUser(adminWrites, b.postTokens)},
		"/users/{username}/tokens/{id}":     {http.MethodDelete: ofUser(adminWrites, b.deleteToken)},
		"/users/{username}/tokens/{id}/end": {http.MethodPost: ofUser(adminWrites, b.deleteToken)},
		"/roles":                            {http.MethodGet: reads(b.getRoles), http.MethodPost: writes(b.postRoles)},
		"/roles/{name}":                     {http.MethodGet: reads(b.getRole), http.MethodPut: writes(b.putRole), http.MethodDelete: writes(b.deleteRole)},
		"/roles/{name}/edit":                {http.MethodPost: writes(b.postRoleEdit)},
		"/roles/{name}/delete":              {http.MethodGet: writes(b.confirmDeleteRole), http.MethodPost: writes(b.deleteRole)},
		"/invitations":                      {http.MethodGet: reads(b.getInvitations), http.MethodPost: writes(b.postInvitation)},
		"/invitations/{id}":                 {http.MethodDelete: writes(b.deleteInvitation)},
		"/invitations/{id}/delete":          {http.MethodPost: writes(b.deleteInvitation)},
	}.At(b.mount.Decoded(), returnpath.Mount(b.mountPath).Decoded())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Cookie")
		pages.ServeHTTP(w, r)
	})
}

// path is that of a page for links and redirects.
func (b *backend) path(page string) string { return b.mount.Join(b.mountPath + page) }

// pathWith is that of a page that goes on to next, which was checked.
func (b *backend) pathWith(page, next string) string {
	return b.path(page) + "?next=" + url.QueryEscape(next)
}

// next is the return path, checked at the moment of use.
func (b *backend) next(value string) string {
	return b.mount.Safe(value, b.path("/login"), b.path("/logout"))
}

// ownAccount guards a route of the caller's own account for the user alone, who has logged in. An API token is refused: a
// leaked one must not make itself last, by a token of its own or another password. So is an admin who acts as the user: what
// is changed here would outlast the impersonation, or hide it.
func (b *backend) ownAccount(serve func(http.ResponseWriter, *http.Request, caller)) http.HandlerFunc {
	return b.account(func(w http.ResponseWriter, r *http.Request, c caller) {
		if c.session == nil || c.actor.ID != "" {
			page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden})
			return
		}
		serve(w, r, c)
	})
}

// account guards a route of the caller's own account. An identity that another backend of a chain knows has none here.
func (b *backend) account(serve func(http.ResponseWriter, *http.Request, caller)) http.HandlerFunc {
	guarded := b.auth.CurrentUser(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !auth.IdentifiedBy(r.Context(), b.auth) {
			page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden})
			return
		}
		id, err := b.Identify(r)
		if errors.Is(err, auth.ErrInvalidCredentials) { // ended just now
			err = auth.ErrSessionEnded
		}
		if err != nil {
			b.writeError(w, r, err)
			return
		}
		user, ok := auth.UserFrom(r.Context())
		if !ok {
			b.writeError(w, r, auth.ErrSessionEnded)
			return
		}
		c := caller{id: *id, user: user}
		c.session, _ = id.Session.(*session.Session[auth.Identity])
		if c.admin, err = b.mayAdminister(r, c.session, adminReads); err != nil {
			b.writeError(w, r, err)
			return
		}
		if c.session != nil {
			if c.actor, err = b.actor(r.Context(), c.session); err != nil {
				b.writeError(w, r, err)
				return
			}
		}
		serve(w, r, c)
	}))
	return guarded.ServeHTTP
}

// report tells the guard's log of an event of the caller's.
func (b *backend) report(r *http.Request, kind auth.EventKind, id, username, reason string) {
	auth.Report(b.auth, r, auth.Event{Kind: kind, UserID: id, Username: username, Reason: reason})
}

// writeError answers with what err means for the caller. Its text stays here, unless it names a field that the caller sent.
func (b *backend) writeError(w http.ResponseWriter, r *http.Request, err error) {
	var field *auth.FieldError
	p := page.Problem{}
	switch {
	case errors.As(err, &field):
		p.Status, p.Message = http.StatusBadRequest, field.Error()
	case errors.Is(err, auth.ErrInvalidCredentials), errors.Is(err, auth.ErrForbidden):
		p.Status = http.StatusForbidden
	case errors.Is(err, auth.ErrSessionEnded), errors.Is(err, auth.ErrNoCredentials):
		p.Status = http.StatusUnauthorized
	case errors.Is(err, store.ErrNotFound), errors.Is(err, ErrNotFound):
		p.Status = http.StatusNotFound
	case errors.Is(err, ErrExists):
		p.Status, p.Code, p.Message = http.StatusConflict, "exists", nameTaken
	case errors.Is(err, ErrLastAdmin):
		p.Status, p.Code, p.Message = http.StatusConflict, "last_admin", lastAdmin
	case errors.Is(err, errOnlyWay):
		p.Status, p.Code, p.Message = http.StatusConflict, "only_way", "This is your only way to sign in. Ask an admin for a password first."
	case errors.Is(err, store.ErrChanged), errors.Is(err, ErrChanged):
		p.Status = http.StatusConflict
	default:
		p.Status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
		auth.Report(b.auth, r, auth.Event{Kind: auth.EventUnavailable, Status: p.Status, Reason: err.Error()})
	}
	page.WriteProblem(w, r, p)
}
