package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/site"
)

// showLink asks the user of a local account whether a provider's login is to be one for the account, too. Nothing happens
// by opening the page: a link from elsewhere must not do it.
func (b *backend) showLink(w http.ResponseWriter, r *http.Request) {
	p := b.providerNamed(r.PathValue("provider"))
	if p == nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusNotFound})
		return
	}
	if _, err := b.accounts.LoggedIn(r); err != nil {
		b.writeLinkError(w, r, p, err)
		return
	}
	page.WriteDocument(w, r, http.StatusOK, page.Document{
		Title: "Sign in with " + p.Title,
		Sections: []page.Section{{
			Note: "You go to " + p.Title + " and sign in there. From then on, that sign-in is one for your account here.",
			Form: &page.Form{
				Action: b.path("/link/" + p.Name), Submit: "Go to " + p.Title,
				Hidden: []page.Field{{Name: "next", Value: b.next(r.URL.Query().Get("next"))}},
			},
		}},
	})
}

// postLink sends the user of a local account to the provider, to be linked on the way back.
func (b *backend) postLink(w http.ResponseWriter, r *http.Request) {
	p := b.providerNamed(r.PathValue("provider"))
	if p == nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusNotFound})
		return
	}
	// A foreign page must not link its own provider's login to its visitor's account.
	if err := b.site.Check(r, site.Ambient, false); err != nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden})
		b.report(r, auth.Event{Kind: auth.EventOrigin, Status: http.StatusForbidden, Reason: err.Error()})
		return
	}
	fields, status, err := form.Read(w, r, maxForm, "next")
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	session, err := b.accounts.LoggedIn(r)
	if err == nil && session == "" {
		err = errors.New("the accounts name no session")
	}
	if err != nil {
		b.writeLinkError(w, r, p, err)
		return
	}
	f := newFlow(p.Name, b.next(fields["next"]), b.now())
	f.Link = session
	target := b.departure(w, r, p, f, initiation{})
	if target == "" {
		return
	}
	page.WriteDocument(w, r, http.StatusOK, page.Document{
		Title:    "Sign in with " + p.Title,
		Sections: []page.Section{{Links: []page.Link{{Text: "Go on to " + p.Title, URL: returnpath.LeaveByPage(w, target)}}}},
	})
}

// finishLink links the account that the browser is logged in to, by the same session as when it left: whoever signed in to
// another account meanwhile, or was made to, hasn't asked for a link of that one.
func (b *backend) finishLink(ctx context.Context, w http.ResponseWriter, r *http.Request, p *provider, f *flow, proof *proof) error {
	if b.accounts == nil {
		return refuse(startAgain, "nothing can be linked any more")
	}
	switch err := b.accounts.Link(ctx, r, f.Link, p.Issuer, proof.subject); {
	case errors.Is(err, auth.ErrNoCredentials), errors.Is(err, auth.ErrInvalidCredentials):
		return refuse("You are not signed in to your account any more, or have signed in again. Start again.", "linking: %w", err)
	case errors.Is(err, auth.ErrForbidden):
		return forbid("That sign-in belongs to another account, or yours can't have one.", "linking: %w", err)
	case err != nil:
		return err
	}
	returnpath.Redirect(w, b.next(f.Next))
	return nil
}

// signInLocally signs somebody in to the local account that is linked, if there is one.
func (b *backend) signInLocally(ctx context.Context, w http.ResponseWriter, r *http.Request, l *login) (done bool, err error) {
	if b.accounts == nil {
		return false, nil
	}
	p, proof := l.provider, l.proof
	signIn := func() ([]*http.Cookie, error) {
		return b.accounts.SignIn(ctx, r, p.Issuer, proof.subject, proof.sid, time.Unix(l.flow.Started, 0))
	}
	cookies, err := signIn()
	if errors.Is(err, auth.ErrNoCredentials) && b.linkByEmail != nil {
		if err = b.linkByRule(ctx, p, proof); err == nil {
			cookies, err = signIn()
		}
	}
	field, refused := errors.AsType[*auth.FieldError](err)
	switch {
	case errors.Is(err, auth.ErrNoCredentials):
		return false, nil
	case refused: // by the application, in words for the user
		return false, refuse(field.Error(), "the linked account: %w", err)
	case errors.Is(err, auth.ErrForbidden):
		return false, forbid(notAllowed, "the linked account: %w", err)
	case errors.Is(err, auth.ErrSessionEnded):
		return false, refuse(startAgain, "%w", errEndedThere)
	case err != nil:
		return false, err
	}
	for _, c := range cookies {
		http.SetCookie(w, c)
	}
	b.leaveBehind(w, r, p)
	returnpath.Redirect(w, b.next(l.flow.Next))
	return true, nil
}

// linkByRule links somebody to the account that LinkVerifiedEmail names; [auth.ErrNoCredentials]: to none.
func (b *backend) linkByRule(ctx context.Context, p *provider, proof *proof) error {
	// Only an address that the provider says it has verified is anybody's: others can be made up.
	email, ok := p.Mapping.email(proof.claims)
	if !ok {
		return auth.ErrNoCredentials
	}
	username, err := b.linkByEmail(ctx, p.Name, email)
	switch {
	case err != nil: // of whatever kind: none of them says that nobody has this address
		return fmt.Errorf("LinkVerifiedEmail: %v", err)
	case username == "":
		return auth.ErrNoCredentials
	}
	return b.accounts.LinkAs(ctx, username, p.Issuer, proof.subject)
}

// leaveBehind ends the session here of somebody who has become a local user: one browser is never two people. That it can't be
// ended now doesn't undo the login; the browser forgets it in any case.
func (b *backend) leaveBehind(w http.ResponseWriter, r *http.Request, p *provider) {
	https := b.site.HTTPS(r)
	if _, n := b.cookie.Read(r, https); n == 0 {
		return
	}
	http.SetCookie(w, b.cookie.Delete(r, https))
	if _, err := b.end(r); err != nil {
		b.report(r, auth.Event{Kind: auth.EventUnavailable, Reason: p.reason("ending the session before: " + err.Error())})
	}
}

func (b *backend) writeLinkError(w http.ResponseWriter, r *http.Request, p *provider, err error) {
	switch {
	case errors.Is(err, auth.ErrNoCredentials), errors.Is(err, auth.ErrInvalidCredentials):
		page.WriteProblem(w, r, page.Problem{Status: http.StatusUnauthorized, LoginURL: auth.LoginURL(r.Context())})
	case errors.Is(err, auth.ErrForbidden):
		page.WriteProblem(w, r, page.Problem{Status: http.StatusForbidden})
	default:
		b.unreachable(w, r, p, "linking", err)
	}
}
