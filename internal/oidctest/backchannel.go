package oidctest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A Delivery is what came of a logout token.
type Delivery struct {
	Client string
	Status int // 0: there was no answer
	Header http.Header
	Body   string
	Err    error // why there was none
}

// Logout ends all sessions of sub, and tells every client that has a back-channel, with a token that names sub alone.
func (p *Provider) Logout(ctx context.Context, sub string) []Delivery {
	p.mu.Lock()
	for sid, s := range p.sessions {
		if s.sub != sub {
			continue
		}
		delete(p.sessions, sid)
		if p.current == sid {
			p.current = ""
		}
	}
	var all []string
	for _, c := range p.clients {
		all = append(all, c.ID)
	}
	p.mu.Unlock()
	return p.tell(ctx, sub, "", all)
}

// LogoutSession ends one session, and tells the clients in it that have a back-channel, with a token that names sub and sid. It
// tells nobody about a session that it doesn't know.
func (p *Provider) LogoutSession(ctx context.Context, sid string) []Delivery {
	s, ok := p.session(sid)
	if !ok {
		return nil
	}
	p.forget(sid)
	return p.tell(ctx, s.sub, sid, s.clients)
}

// tell sends logout tokens to the named clients, one after the other.
func (p *Provider) tell(ctx context.Context, sub, sid string, names []string) []Delivery {
	var deliveries []Delivery
	for _, name := range names {
		if c, ok := p.client(name); ok && c.BackchannelLogoutURI != "" {
			deliveries = append(deliveries, p.deliver(ctx, c, sub, sid))
		}
	}
	return deliveries
}

// deliver makes a logout token and posts it to the client.
func (p *Provider) deliver(ctx context.Context, c Client, sub, sid string) Delivery {
	t := p.newLogoutToken(c, sub, sid)
	hooks := p.hooksFor(c)
	if h := hooks.OnLogoutToken; h != nil {
		h(t)
	}
	d := p.Deliver(ctx, c.BackchannelLogoutURI, t.Compact(), hooks.OnDelivery)
	d.Client = c.ID
	return d
}

// Deliver posts a logout token to uri, as Back-Channel Logout §2.5 has it. change, where not nil, alters the request first.
func (p *Provider) Deliver(ctx context.Context, uri, token string, change func(*http.Request)) Delivery {
	body := url.Values{"logout_token": {token}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(body))
	if err != nil {
		return Delivery{Err: err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if change != nil {
		change(req)
	}
	resp, err := p.cfg.HTTPClient.Do(req)
	if err != nil {
		return Delivery{Err: err}
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	_ = resp.Body.Close() // it was read
	if err != nil {
		return Delivery{Err: fmt.Errorf("reading the answer: %w", err)}
	}
	return Delivery{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}
}
