package op

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// post sends a form to an endpoint, with the client's own proof.
//
// Why not golang.org/x/oauth2: its requests can't carry a fresh client assertion on a refresh, it takes answers that aren't
// JSON, and its errors hold the answer's body, which may repeat a code or token.
func (p *Provider) post(ctx context.Context, endpoint int, to string, form url.Values) (a *answer, secrets []string, err error) {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	form = maps.Clone(form)
	if err := p.authenticate(form, header); err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, unavailable("%w", err)
	}
	r.Header = header
	// In the spellings that they are sent in, too: a provider may repeat what it couldn't read.
	_, basic, _ := strings.Cut(header.Get("Authorization"), " ")
	secrets = append(secrets, basic, p.cfg.ClientSecret, url.QueryEscape(p.cfg.ClientSecret))
	for _, values := range form {
		for _, value := range values {
			secrets = append(secrets, value, url.QueryEscape(value))
		}
	}
	a, err = p.call(ctx, endpoint, r, secrets...)
	return a, secrets, err
}

// granted is the JSON object of an answer with one of these statuses. Any other is the provider's refusal, or no answer that
// can be used.
func (p *Provider) granted(doing string, a *answer, secrets []string, statuses ...int) (token.Claims, error) {
	for _, status := range statuses {
		if a.status != status {
			continue
		}
		object, err := a.object()
		if err != nil {
			return nil, err
		}
		if object["error"] == nil { // some providers say so with status 200
			return object, nil
		}
	}
	return nil, p.refusal(doing, a, secrets)
}

// errorCode is what a code may look like: all those that are registered do, and hardly any secret that a provider puts there by
// mistake.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// refusal is the error of an answer that isn't what was asked for.
func (p *Provider) refusal(doing string, a *answer, secrets []string) error {
	busy := a.status == http.StatusRequestTimeout || a.status == http.StatusTooManyRequests
	redirected := a.status >= 300 && a.status < 400
	if a.status >= 500 || busy || redirected {
		return unavailable("status %d", a.status)
	}
	object, err := a.object()
	if err != nil {
		return unavailable("status %d, and no JSON object", a.status)
	}
	code, ok := object.Text("error")
	if !ok {
		return unavailable("status %d without an error", a.status)
	}
	if description, ok := object.Text("error_description"); ok {
		p.cfg.Log(doing, fmt.Errorf("the provider says %s", said(description, secrets))) // for operators: nobody else is shown it
	}
	switch {
	case !errorCode.MatchString(code):
		code = ""
	case code == "server_error" || code == "temporarily_unavailable":
		return unavailable("it says %q", code)
	}
	return &RefusedError{Code: code, Status: a.status}
}
