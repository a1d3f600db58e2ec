package userauth

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/strictjson"
)

// A tokenDesk is where a request about somebody's tokens is served: to the user, or to an admin.
type tokenDesk struct {
	user     int64     // whose they are
	path     string    // of the list
	by       *[32]byte // the session that asks; nil: an admin's request
	admin    admin     // who asks, where by is nil
	id       string    // who asks, for the log
	username string
	looks    bool          // may only look
	page     page.Document // without sections
}

// ownTokens serves the caller's own.
func (b *backend) ownTokens(serve func(http.ResponseWriter, *http.Request, tokenDesk)) http.HandlerFunc {
	return b.ownAccount(func(w http.ResponseWriter, r *http.Request, c caller) {
		hash := c.session.Hash()
		serve(w, r, tokenDesk{
			user: c.session.User(), path: b.path("/tokens"), by: &hash,
			id: c.id.ID, username: c.user.Username, page: b.document(c, "/tokens", "API tokens"),
		})
	})
}

// adminTokens serves those of the user in the path to whoever may do action to "admin". That may be another backend's
// user, or an API token: who holds admin:write can give any right to anybody in any case.
func (b *backend) adminTokens(action string, serve func(http.ResponseWriter, *http.Request, tokenDesk)) http.HandlerFunc {
	return b.admins(action, func(w http.ResponseWriter, r *http.Request, a admin) {
		user, err := b.accounts.find(r.Context(), r.PathValue("username"))
		if err != nil {
			b.writeError(w, r, err)
			return
		}
		writes, err := b.mayAdminister(r, a.session, adminWrites)
		if err != nil {
			b.writeError(w, r, err)
			return
		}
		serve(w, r, tokenDesk{
			user: user.ID, path: b.userPath(user.Username) + "/tokens", admin: a,
			id: a.id, username: a.user.Username, looks: !writes, page: b.adminDocument(r, a, "", "API tokens of "+user.Username),
		})
	})
}

// listedToken is a token with what it gives now.
type listedToken struct {
	Token
	Effective auth.Permissions `json:"effective"`
}

func (b *backend) listedTokens(ctx context.Context, user int64) ([]listedToken, error) {
	tokens, err := b.accounts.tokensOf(ctx, user)
	if err != nil {
		return nil, err
	}
	owners, err := b.load(ctx, []int64{user})
	if err != nil {
		return nil, err
	}
	list := make([]listedToken, 0, len(tokens))
	for _, t := range tokens {
		list = append(list, listedToken{t, b.effective(owners[user], t.Permissions)})
	}
	return list, nil
}

// effective is what a token of that scope gives its owner's programs now; nothing where the owner may not log in.
func (b *backend) effective(owner *auth.Identity, scope tokenScope) auth.Permissions {
	switch {
	case owner == nil:
		return auth.Permissions{}
	case scope != nil:
		return narrowed(b.auth, owner, scope).Permissions
	case owner.Unrestricted:
		return auth.Permissions{"*": {"*"}}
	}
	return auth.Held(b.auth, owner)
}

func (b *backend) getTokens(w http.ResponseWriter, r *http.Request, d tokenDesk) {
	if page.WantsHTML(r) {
		b.writeTokens(w, r, http.StatusOK, d, tokenPage{fields: tokenFields{days: strconv.Itoa(suggestedDays)}})
		return
	}
	list, err := b.listedTokens(r.Context(), d.user)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	page.WriteJSON(w, http.StatusOK, map[string]any{"items": list, "next": ""})
}

// suggestedDays is how long a token made with the form as it stands is good for.
const suggestedDays = 90

// tokenFields are those of the form.
type tokenFields struct{ name, permissions, days string }

// readToken reads a form or a JSON body. A status is the answer to one that can't be taken; without one err is about a
// field.
func readToken(w http.ResponseWriter, r *http.Request, now time.Time) (n NewToken, f tokenFields, status int, err error) {
	if form.Is(r) {
		fields, status, err := form.Read(w, r, maxBody, "name", "permissions", "days")
		if err != nil {
			return NewToken{}, tokenFields{}, status, err
		}
		f = tokenFields{fields["name"], fields["permissions"], fields["days"]}
		n, err = f.token(now)
		return n, f, 0, err
	}
	var body struct {
		Name        string           `json:"name"`
		Permissions auth.Permissions `json:"permissions"`
		Expires     *time.Time       `json:"expires"`
	}
	if status, err := strictjson.Read(w, r, maxBody, &body); err != nil {
		return NewToken{}, tokenFields{}, status, err
	}
	n = NewToken{Name: body.Name, Permissions: body.Permissions}
	if body.Expires != nil {
		if n.Expires = *body.Expires; n.Expires.IsZero() { // which is no end in Go, and the distant past in JSON
			err = &auth.FieldError{Field: "expires", Problem: "is in the past"}
		}
	}
	return n, f, 0, err
}

const maxDays = 36500

func (f tokenFields) token(now time.Time) (n NewToken, err error) {
	n.Name = f.name
	if f.permissions != "" {
		if n.Permissions, err = auth.ParsePermissions(f.permissions); err != nil {
			return n, &auth.FieldError{Field: "permissions", Problem: problemOf(err)}
		}
	}
	if f.days != "" {
		days, err := strconv.Atoi(f.days)
		if err != nil || days < 1 || days > maxDays {
			return n, &auth.FieldError{Field: "days", Problem: fmt.Sprintf("want a number from 1 to %d", maxDays)}
		}
		n.Expires = now.Add(time.Duration(days) * 24 * time.Hour)
	}
	return n, nil
}

// postTokens makes a token. The answer is the only place where it ever stands.
func (b *backend) postTokens(w http.ResponseWriter, r *http.Request, d tokenDesk) {
	n, fields, status, err := readToken(w, r, b.now())
	if status != 0 {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	if err == nil && d.by == nil {
		err = b.mayStill(r, d.admin)
	}
	var made Token
	var text string
	var owner *auth.Identity
	if err == nil {
		made, text, owner, err = b.addToken(r.Context(), d, n)
	}
	html := form.Is(r) && page.WantsHTML(r)
	if problem := fieldError(err); problem != nil && html {
		b.writeTokens(w, r, http.StatusBadRequest, d, tokenPage{fields: fields, problem: problem})
		return
	}
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	b.report(r, auth.EventTokenMade, d.id, d.username, tokenReason(made.ID, d.user))
	if html {
		b.writeTokens(w, r, http.StatusOK, d, tokenPage{fields: tokenFields{days: strconv.Itoa(suggestedDays)}, secret: text})
		return
	}
	page.Headers(w.Header())
	page.WriteJSON(w, http.StatusCreated, struct {
		Text string `json:"token"`
		listedToken
	}{text, listedToken{made, b.effective(owner, made.Permissions)}})
}

// addToken makes one that is of some use: a scope of which the owner holds nothing is a mistake, and to be told now.
func (b *backend) addToken(ctx context.Context, d tokenDesk, n NewToken) (made Token, text string, owner *auth.Identity, err error) {
	now := b.now()
	if err := n.check(now); err != nil {
		return Token{}, "", nil, err
	}
	accounts, err := b.store.Accounts(ctx, []int64{d.user})
	if err != nil {
		return Token{}, "", nil, err
	}
	account := accounts[d.user]
	if account == nil {
		return Token{}, "", nil, store.ErrNotFound
	}
	owners, err := b.load(ctx, []int64{d.user})
	if err != nil {
		return Token{}, "", nil, err
	}
	if owner = owners[d.user]; owner != nil && n.Permissions != nil && len(b.effective(owner, n.Permissions)) == 0 {
		return Token{}, "", nil, &auth.FieldError{Field: "permissions", Problem: "nothing of it is held"}
	}
	if account.Realm != localRealm {
		// Only a login tells whether the authenticator still vouches for the user: a token may outlive it by no more than a
		// session.
		last := now.Add(b.lifetime)
		if n.Expires.After(last) {
			return Token{}, "", nil, &auth.FieldError{Field: "expires", Problem: fmt.Sprintf("want at most %s from now", b.lifetime)}
		}
		if n.Expires.IsZero() {
			n.Expires = last
		}
	}
	made, text, err = b.accounts.addToken(ctx, account, n, d.by)
	return made, text, owner, err
}

// deleteToken revokes one, and tells so only once it is so.
func (b *backend) deleteToken(w http.ResponseWriter, r *http.Request, d tokenDesk) {
	id := r.PathValue("id")
	if err := b.accounts.deleteToken(r.Context(), d.user, id); err != nil {
		b.writeError(w, r, err)
		return
	}
	b.report(r, auth.EventTokenEnded, d.id, d.username, tokenReason(id, d.user))
	if r.Method == http.MethodDelete {
		page.Headers(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return
	}
	returnpath.Redirect(w, d.path)
}

// tokenReason names a token in the log, where its name, which people write, doesn't belong.
func tokenReason(id string, owner int64) string { return "token " + id + " of " + userID(owner) }
