package oidcauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// maxCode bounds each parameter that comes back from a provider, in bytes.
const maxCode = 4096

// callback serves /callback/{provider}: the browser comes back from the provider, with a code or an error.
func (b *backend) callback(w http.ResponseWriter, r *http.Request) {
	p := b.providerNamed(r.PathValue("provider"))
	if p == nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusNotFound})
		return
	}
	if prefetch(r) { // a look ahead must not use the attempt up
		w.Header().Set("Allow", http.MethodGet)
		page.WriteProblem(w, r, page.Problem{Status: http.StatusMethodNotAllowed})
		return
	}
	f, code, err := b.answer(r, p)
	if f != nil {
		http.SetCookie(w, b.flowCookie(flowID(f.State)).Delete(r, b.site.HTTPS(r)))
	}
	if err == nil && code == "" { // a silent login found nobody logged in
		returnpath.Redirect(w, b.next(f.Next))
		return
	}
	if err == nil {
		err = b.finish(w, r, p, f, code)
		b.settle(r, err)
	}
	if err != nil {
		b.writeLoginError(w, r, p, f, err)
	}
}

// answer reads what came back and uses the attempt up: the browser forgets it if f is there. An empty code without an error: a
// silent login came to nothing. Until it returns a code, the provider hasn't been asked about one, and nothing has been written:
// what brings no code is free to whoever makes it up.
func (b *backend) answer(r *http.Request, p *provider) (f *flow, code string, err error) {
	query, err := answerQuery(r)
	if err != nil {
		return nil, "", err
	}
	state := query.Get("state")
	if state == "" {
		return nil, "", refuse(startAgain, "callback without a state")
	}
	if f = b.returned(r, p, state); f == nil {
		return nil, "", refuse(startAgain, "callback with a state that this browser has no attempt for")
	}
	ctx, cancel := context.WithTimeout(r.Context(), loginTimeout)
	defer cancel()
	if err := p.checkIssuer(ctx, query); err != nil {
		if _, refused := errors.AsType[*refusal](err); !refused {
			return nil, "", err // not used up: the browser may ask again with what it has
		}
		return f, "", err
	}
	if query.Has("error") { // whatever else is there: a code beside an error counts for nothing
		if f.Silent && slices.Contains(silentErrors, query.Get("error")) {
			return f, "", nil
		}
		return f, "", refuse(notSigned, "the provider answers %s", quote(query.Get("error")))
	}
	if code = query.Get("code"); code == "" {
		return f, "", refuse(notProven, "callback without a code")
	}
	if wait, ok := b.codes.Begin(b.attempt(r)); !ok {
		return nil, "", &auth.LimitedError{RetryAfter: wait}
	}
	first, err := b.take(r, f)
	if err != nil {
		b.codes.Cancel(b.attempt(r))
		return nil, "", err // not used up
	}
	if !first {
		return f, "", refuse(startAgain, "callback with a state that was used before")
	}
	return f, code, nil
}

// silentErrors are what a provider answers to prompt=none where somebody has to do something (OpenID Connect Core 3.1.2.6).
var silentErrors = []string{"login_required", "interaction_required", "consent_required", "account_selection_required"}

// answerQuery reads the query strictly: no parameter twice (RFC 6749 section 3.1), none overlong, and nothing that belongs to
// another way of answering than the one that was asked for. Tokens never come this way.
func answerQuery(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(startAgain, "callback with a malformed query")
	}
	for name, values := range query {
		switch {
		case len(values) > 1:
			return nil, refuse(startAgain, "callback with parameter %s given %d times", quote(name), len(values))
		case len(values[0]) > maxCode:
			return nil, refuse(startAgain, "callback with parameter %s of %d bytes", quote(name), len(values[0]))
		case name == "id_token" || name == "access_token" || name == "response":
			return nil, refuse(startAgain, "callback with parameter %s, which wasn't asked for", quote(name))
		}
	}
	return query, nil
}

// checkIssuer compares the answer's iss (RFC 9207): a code of one provider must never be brought to another. Where the
// provider says that it sends one, an answer without it isn't the provider's.
func (p *provider) checkIssuer(ctx context.Context, query url.Values) error {
	if query.Has("iss") {
		if query.Get("iss") != p.Issuer {
			return refuse(notProven, "callback with the iss of another provider")
		}
		return nil
	}
	m, err := p.op.Metadata(ctx)
	if err != nil {
		return err
	}
	if m.IssParameter {
		return refuse(notProven, "callback without iss")
	}
	return nil
}

// finish trades the code for tokens, verifies who it is, begins a session and sends the browser on.
func (b *backend) finish(w http.ResponseWriter, r *http.Request, p *provider, f *flow, code string) error {
	ctx, cancel := context.WithTimeout(r.Context(), loginTimeout)
	defer cancel()
	tokens, err := p.op.Exchange(ctx, code, f.Verifier, b.redirectURI(p))
	if err != nil {
		return providerError(err)
	}
	proof, err := p.prove(ctx, tokens, token.IDCheck{
		Issuer: p.Issuer, ClientID: p.ClientID, Trusted: p.TrustedAudiences, Algs: p.Algorithms, Now: b.now(),
		Nonce: f.Nonce, AccessToken: tokens.Access, MaxAge: p.MaxAge, ACR: p.ACRValues,
	})
	if err != nil {
		return providerError(err)
	}
	// Before a linked account is looked for: who is kept out here comes in by no door.
	disabled, err := b.disabled(ctx, p.Issuer, proof.subject)
	if err != nil {
		return err
	}
	if disabled {
		return disabledHere(p.Issuer, proof.subject)
	}
	if f.Link != "" {
		return b.finishLink(ctx, w, r, p, f, proof)
	}
	// Who may not sign in by this provider may not do so as a local user either.
	id, err := p.Mapping.identity(ctx, identityID(p.Issuer, proof.subject), proof.claims)
	if err != nil {
		return providerError(err)
	}
	l := &login{provider: p, flow: f, tokens: tokens, proof: proof, id: id}
	if done, err := b.signInLocally(ctx, w, r, l); done || err != nil {
		return err
	}
	return b.signIn(ctx, w, r, l)
}
