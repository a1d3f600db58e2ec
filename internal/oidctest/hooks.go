package oidctest

import (
	"net/http"
	"net/url"
)

// Hooks change what the provider says; the zero Hooks change nothing. They run for each answer, on the goroutine that serves
// it, and may call the provider.
type Hooks struct {
	OnDiscovery     func(metadata map[string]any)
	OnJWKS          func(keys []map[string]any) []map[string]any
	OnCallback      func(params url.Values)                      // what the redirect URI gets, errors too
	OnTokenResponse func(r *http.Request, answer map[string]any) // r is the token request, its form read
	OnIDToken       func(*JWT)                                   // of logins and refreshes
	OnAccessToken   func(*JWT)                                   // of JWT access tokens
	OnUserInfo      func(claims map[string]any)
	OnIntrospection func(answer map[string]any)
	OnLogoutToken   func(*JWT)
	OnDelivery      func(*http.Request)     // the request that carries a logout token
	OnFrontChannel  func(params url.Values) // of FrontchannelURL
	OnPostLogout    func(params url.Values) // what the post-logout redirect URI gets
	// Faults stand before endpoints, by the names of [Provider.Calls]. Those of a client are without effect: who asks isn't
	// known yet.
	Faults map[string]Fault
}

// SetHooks replaces the provider's hooks, for clients that have none of their own. SetHooks(Hooks{}) makes it conform again.
func (p *Provider) SetHooks(h Hooks) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hooks = h
}

// hooksFor returns what holds for c; the provider's own for a client that is unknown.
func (p *Provider) hooksFor(c Client) Hooks {
	if c.Hooks != nil {
		return *c.Hooks
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hooks
}
