package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/oidcauth/internal/op"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// A refusal is why a login came to nothing, with what the browser is told about it. The reason is for the log.
type refusal struct {
	status  int
	message string
	reason  error
}

func (e *refusal) Error() string { return e.reason.Error() }
func (e *refusal) Unwrap() error { return e.reason }

const (
	startAgain = "That sign-in attempt can't be used any more. Start again."
	notProven  = "The provider's answer couldn't be verified, so you are not signed in."
	notSigned  = "You were not signed in by the provider."
	notAllowed = "You may not sign in here."
)

// refuse is for an answer that can't be used, whoever it is about.
func refuse(message, format string, args ...any) error {
	return &refusal{status: http.StatusBadRequest, message: message, reason: fmt.Errorf(format, args...)}
}

// forbid is for somebody who is known, and not allowed.
func forbid(message, format string, args ...any) error {
	return &refusal{status: http.StatusForbidden, message: message, reason: fmt.Errorf(format, args...)}
}

// writeLoginError answers a login that came to nothing. No session has begun and no cookie but the attempt's has changed. f is
// the attempt; nil: there is none, or it may be used yet.
func (b *backend) writeLoginError(w http.ResponseWriter, r *http.Request, p *provider, f *flow, err error) {
	if limited, ok := errors.AsType[*auth.LimitedError](err); ok {
		b.writeLimited(w, r, p, limited.RetryAfter)
		return
	}
	no, refused := errors.AsType[*refusal](err)
	if !refused {
		b.unreachable(w, r, p, "a login", err)
		return
	}
	// Anew where somebody is refused: the provider would send the same person back without a word, who may have another account.
	again := initiation{anew: no.status == http.StatusForbidden}
	if f != nil && f.Next != b.next("") {
		again.next = f.Next
	}
	login := b.path("/login")
	if f != nil && f.Link != "" { // a login would make another person of a browser that is signed in
		login, again.anew = b.path("/link/"+p.Name), false
	}
	if query := again.query(); query != "" {
		login += "?" + query
	}
	page.WriteProblem(w, r, page.Problem{Status: no.status, Title: "Not signed in", Message: no.message, LoginURL: login})
	b.report(r, auth.Event{Kind: auth.EventLoginFailed, Status: no.status, Reason: p.reason(no.reason.Error())})
}

// writeLimited answers who has tried too often. An attempt that came back isn't used up: the same address can be opened again.
func (b *backend) writeLimited(w http.ResponseWriter, r *http.Request, p *provider, wait time.Duration) {
	page.RetryAfter(w.Header(), wait)
	page.WriteProblem(w, r, page.Problem{Status: http.StatusTooManyRequests, LoginURL: b.path("/login")})
	b.report(r, auth.Event{Kind: auth.EventLimited, Status: http.StatusTooManyRequests, Reason: p.reason("logins")})
}

// unreachable answers a browser for which the provider, or the database, couldn't be asked.
func (b *backend) unreachable(w http.ResponseWriter, r *http.Request, p *provider, doing string, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the browser has left
	}
	w.Header().Set("Retry-After", "5")
	page.WriteProblem(w, r, page.Problem{
		Status: http.StatusServiceUnavailable, LoginURL: b.path("/login"),
		Message: "Signing in with " + p.Title + " isn't possible at the moment. Try again in a while.",
	})
	why := p.reason(doing + ": " + err.Error())
	b.report(r, auth.Event{Kind: auth.EventUnavailable, Status: http.StatusServiceUnavailable, Reason: why})
}

// providerError sorts what a provider's answer led to: refused, or nothing known.
func providerError(err error) error {
	if _, ok := errors.AsType[*refusal](err); ok {
		return err
	}
	if errors.Is(err, auth.ErrForbidden) {
		return forbid(notAllowed, "%w", err)
	}
	if errors.Is(err, op.ErrUnavailable) || errors.Is(err, auth.ErrUnavailable) {
		return err
	}
	if _, ok := errors.AsType[*op.RefusedError](err); ok {
		return refuse(notSigned, "%w", err)
	}
	if errors.Is(err, token.ErrInvalid) || errors.Is(err, op.ErrSubject) {
		return refuse(notProven, "%w", err)
	}
	return err
}

// quote makes a text that came with a request fit for the log.
func quote(text string) string {
	const most = 64
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strconv.Quote(text)
}
