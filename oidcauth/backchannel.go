package oidcauth

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/limit"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// logoutRealm is where the ids of logout tokens are remembered.
const logoutRealm = "oidc logout token"

// logoutLimits are for logouts that end nothing: providers send few. A wrong token costs a signature to verify, so that all
// of them together may be many: whoever has many addresses must not keep the provider's own out.
func logoutLimits(now func() time.Time) limit.Config {
	return limit.Config{
		Now:     now,
		Address: limit.Rule{Free: 100, First: time.Second, Max: time.Minute, Forget: 10 * time.Minute},
		Total:   limit.Rate{Burst: 50_000, Every: 100 * time.Microsecond},
	}
}

// backchannelLogout takes a provider's word that a session, or all of somebody's, has ended (OpenID Connect Back-Channel
// Logout 1.0). No cookie counts here, and no origin: the token alone proves who says so. 200 says that it is done; while the
// database or the provider's keys can't be asked it is 503, so that the provider tries again.
func (b *backend) backchannelLogout(w http.ResponseWriter, r *http.Request) {
	page.Headers(w.Header()) // no-store: section 2.8
	p := b.providerNamed(r.PathValue("provider"))
	if p == nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusNotFound})
		return
	}
	if r.URL.Query().Has("logout_token") { // an address ends up in logs
		page.WriteProblem(w, r, page.Problem{Status: http.StatusBadRequest})
		return
	}
	fields, status, err := form.Read(w, r, maxForm, "logout_token")
	if err != nil {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	try := b.attempt(r)
	if wait, ok := b.logoutTokens.Begin(try); !ok {
		page.RetryAfter(w.Header(), wait)
		page.WriteProblem(w, r, page.Problem{Status: http.StatusTooManyRequests})
		b.report(r, auth.Event{Kind: auth.EventLimited, Status: http.StatusTooManyRequests, Reason: p.reason("logout tokens")})
		return
	}
	t, err := token.Parse(fields["logout_token"])
	if err == nil {
		err = t.CheckLogout(r.Context(), p.op, token.LogoutCheck{
			Issuer: p.Issuer, ClientID: p.ClientID, Trusted: p.TrustedAudiences, Algs: p.Algorithms, Now: b.now(),
		})
	}
	if err == nil {
		err = b.endThere(r, p, t)
	}
	switch {
	case err == nil:
		b.logoutTokens.Succeed(try)
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, token.ErrInvalid), errors.Is(err, errReplayed):
		page.WriteProblem(w, r, page.Problem{Status: http.StatusBadRequest, Code: "invalid_request"})
		b.report(r, auth.Event{Kind: auth.EventLoginFailed, Status: http.StatusBadRequest, Reason: p.reason("logout token: " + err.Error())})
	default:
		b.logoutTokens.Cancel(try)
		w.Header().Set("Retry-After", "1")
		page.WriteProblem(w, r, page.Problem{Status: http.StatusServiceUnavailable})
		b.report(r, auth.Event{Kind: auth.EventUnavailable, Status: http.StatusServiceUnavailable, Reason: p.reason("logout: " + err.Error())})
	}
}

var errReplayed = errors.New("used before")

// endThere ends what the token names, and what a login that is still under way would begin of it.
func (b *backend) endThere(r *http.Request, p *provider, t *token.Token) error {
	subject, _ := t.Claims.Text("sub")
	sid, _ := t.Claims.Text("sid")
	id, _ := t.Claims.Text("jti")
	now := b.now()
	var ended int
	err := b.engine.Write(r.Context(), func(tx *store.Tx) error {
		// By the issuer as well: two providers may use the same ids.
		first, err := tx.Once(logoutRealm, sha256.Sum256([]byte(p.Issuer+"#"+id)), now.Add(token.LogoutReplay).Unix())
		if err != nil {
			return err
		}
		if !first {
			return errReplayed
		}
		// Where both are given, both have to fit: a sid of somebody else ends nothing of either.
		ended, err = tx.EndedAtProvider(p.Issuer, subject, sid, now.Unix(), now.Add(endedAge).Unix())
		return err
	})
	if err == nil && ended > 0 {
		who := "" // the token may name the session alone
		if subject != "" {
			who = identityID(p.Issuer, subject)
		}
		b.report(r, auth.Event{Kind: auth.EventRevoked, UserID: who, Reason: "by provider " + p.Name})
	}
	return err
}

// endedAge is how long it is remembered that a session has ended at the provider: for as long as a login that began before may
// still come to its end.
const endedAge = 2 * flowAge
