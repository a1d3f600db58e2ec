package oidcauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
)

// leave begins an attempt and sends the browser to the provider.
func (b *backend) leave(w http.ResponseWriter, r *http.Request, p *provider, i initiation) {
	if prefetch(r) {
		// Nobody has decided anything yet: a browser that looks ahead, or a scanner, begins no attempt.
		page.Headers(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if b.goOn(w, r, i) {
		return
	}
	if wait, ok := b.mayPush(r, p); !ok {
		b.writeLimited(w, r, p, wait)
		return
	}
	f := newFlow(p.Name, b.returnPath(i), b.now())
	// Not where Prompt says so: the page that asked for the login would ask for it again, for ever.
	f.Silent = i.silent
	if target := b.departure(w, r, p, f, i); target != "" {
		returnpath.Leave(w, target)
	}
}

// departure gives the browser f, and the address of the provider to go to with it; empty: it has answered.
func (b *backend) departure(w http.ResponseWriter, r *http.Request, p *provider, f *flow, i initiation) (target string) {
	var l page.Login
	if b.cantSignIn(r, &l) {
		page.WriteLogin(w, r, http.StatusForbidden, l)
		return ""
	}
	ctx, cancel := context.WithTimeout(r.Context(), loginTimeout)
	defer cancel()
	target, err := p.op.AuthorizationURL(ctx, b.authorization(p, f, i))
	if err != nil {
		b.unreachable(w, r, p, "beginning a login", err)
		return ""
	}
	if err := b.keep(w, r, f); err != nil {
		b.unreachable(w, r, p, "beginning a login", err)
		return ""
	}
	return target
}

// prefetch tells whether a browser only looks ahead.
func prefetch(r *http.Request) bool {
	for _, name := range []string{"Purpose", "Sec-Purpose", "X-Purpose", "X-Moz"} {
		if strings.Contains(strings.ToLower(r.Header.Get(name)), "prefetch") || strings.Contains(r.Header.Get(name), "preview") {
			return true
		}
	}
	return r.Method == http.MethodHead
}

// authorization are the parameters of an authorization request (OpenID Connect Core 3.1.2.1), beside the client's.
func (b *backend) authorization(p *provider, f *flow, i initiation) url.Values {
	scopes := append([]string{"openid"}, p.Scopes...)
	prompt := p.Prompt
	if b.refreshKeys != nil && !p.SkipOfflineAccess {
		if !slices.Contains(scopes, "offline_access") {
			scopes = append(scopes, "offline_access")
		}
		if prompt == "" {
			prompt = "consent" // OpenID Connect Core section 11
		}
	}
	switch {
	case f.Silent:
		prompt = "none"
	case i.anew && (prompt == "" || prompt == "consent"): // the others ask already, and "none" stands alone
		prompt = strings.TrimSpace("login " + prompt)
	}
	v := url.Values{
		"redirect_uri":          {b.redirectURI(p)},
		"scope":                 {strings.Join(scopes, " ")},
		"state":                 {f.State},
		"nonce":                 {f.Nonce},
		"code_challenge":        {f.challenge()},
		"code_challenge_method": {"S256"}, // sent whether or not the provider says that it knows it (RFC 9700 section 2.1.1)
	}
	for name, value := range p.Parameters {
		v.Set(name, value) // none of those above: see ownParameters
	}
	for name, value := range map[string]string{
		"prompt":     prompt,
		"acr_values": strings.Join(p.ACRValues, " "),
		"ui_locales": strings.Join(p.UILocales, " "),
		"login_hint": i.hint,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if p.MaxAge > 0 { // of a silent login, too: a provider tells auth_time where it is asked for, and without it nobody gets in
		v.Set("max_age", strconv.Itoa(int(max(p.MaxAge/time.Second, 1))))
	}
	return v
}

// redirectURI is where p sends browsers back to: made of the configuration alone, the same in both requests.
func (b *backend) redirectURI(p *provider) string {
	return b.site.PublicURL() + b.mountPath + "/callback/" + p.Name
}
