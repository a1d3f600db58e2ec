package oidcauth

import (
	"net/http"
	"net/url"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/limit"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/store"
)

// frameLimits are for frames that end nothing. Anybody can load one, and each is a write.
func frameLimits(now func() time.Time) limit.Config {
	return limit.Config{
		Now:     now,
		Address: limit.Rule{Free: 100, First: time.Second, Max: time.Minute, Forget: 10 * time.Minute},
		Total:   limit.Rate{Burst: 5000, Every: 10 * time.Millisecond},
	}
}

// frontchannelLogout ends the session that a provider's page names (OpenID Connect Front-Channel Logout 1.0). The page shows
// this one in a frame, where browsers send no cookie of ours: the provider's name for its session, which only the provider
// and that session's browser know, is what counts. Whoever learns one can end that session, and do nothing else with it.
//
// There is nothing on the answer to be clicked on, so the provider's page alone may frame it.
func (b *backend) frontchannelLogout(w http.ResponseWriter, r *http.Request) {
	p := b.providerNamed(r.PathValue("provider"))
	if p == nil {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusNotFound})
		return
	}
	query := r.URL.Query()
	// Both, once: a bare address, which any page can have loaded, ends nothing.
	sid := query.Get("sid")
	if len(query["iss"]) != 1 || len(query["sid"]) != 1 || query.Get("iss") != p.Issuer || sid == "" || len(sid) > maxCode {
		page.WriteProblem(w, r, page.Problem{Status: http.StatusBadRequest})
		return
	}
	page.Headers(w.Header())
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors "+originOf(p.Issuer))
	w.Header().Del("Cross-Origin-Opener-Policy")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	if prefetch(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	try := b.attempt(r)
	if wait, ok := b.logoutFrames.Begin(try); !ok {
		page.RetryAfter(w.Header(), wait)
		w.WriteHeader(http.StatusTooManyRequests)
		b.report(r, auth.Event{Kind: auth.EventLimited, Status: http.StatusTooManyRequests, Reason: p.reason("logout frames")})
		return
	}
	var ended int
	err := b.engine.Write(r.Context(), func(tx *store.Tx) (err error) {
		ended, err = tx.DeleteSessionsBySID(p.Issuer, "", sid)
		return err
	})
	if err != nil {
		b.logoutFrames.Cancel(try)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		why := p.reason("logout: " + err.Error())
		b.report(r, auth.Event{Kind: auth.EventUnavailable, Status: http.StatusServiceUnavailable, Reason: why})
		return
	}
	if ended > 0 {
		b.logoutFrames.Succeed(try)
		b.report(r, auth.Event{Kind: auth.EventRevoked, Reason: "by a page of provider " + p.Name})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusOK)
}

// originOf is the origin of an address that has been checked.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "'none'"
	}
	return u.Scheme + "://" + u.Host
}
