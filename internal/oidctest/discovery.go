package oidctest

import "net/http"

// discovery serves the metadata (OpenID Connect Discovery §4, RFC 8414).
func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	metadata := map[string]any{
		"issuer":                                p.issuer,
		"authorization_endpoint":                p.Endpoint("authorize"),
		"token_endpoint":                        p.Endpoint("token"),
		"userinfo_endpoint":                     p.Endpoint("userinfo"),
		"jwks_uri":                              p.Endpoint("jwks"),
		"introspection_endpoint":                p.Endpoint("introspect"),
		"revocation_endpoint":                   p.Endpoint("revoke"),
		"pushed_authorization_request_endpoint": p.Endpoint("par"),
		"end_session_endpoint":                  p.Endpoint("end_session"),

		"scopes_supported":                                 []string{"openid", "profile", "email", "offline_access"},
		"response_types_supported":                         []string{"code"},
		"response_modes_supported":                         []string{"query"},
		"grant_types_supported":                            []string{"authorization_code", "refresh_token", "client_credentials"},
		"subject_types_supported":                          []string{"public"},
		"id_token_signing_alg_values_supported":            Algs(),
		"token_endpoint_auth_methods_supported":            authMethods(),
		"token_endpoint_auth_signing_alg_values_supported": Algs(),
		"code_challenge_methods_supported":                 []string{"S256"},
		"authorization_response_iss_parameter_supported":   true,
		"claims_parameter_supported":                       false,
		"request_parameter_supported":                      false,
		"request_uri_parameter_supported":                  false, // only those that were pushed
		"prompt_values_supported":                          []string{"none", "login", "consent", "select_account"},
		"dpop_signing_alg_values_supported":                []string{"ES256", "RS256", "EdDSA"},
		"tls_client_certificate_bound_access_tokens":       true,
		"backchannel_logout_supported":                     true,
		"backchannel_logout_session_supported":             true,
		"frontchannel_logout_supported":                    true,
		"frontchannel_logout_session_supported":            true,
	}
	if h := p.hooksFor(Client{}).OnDiscovery; h != nil {
		h(metadata)
	}
	answer(w, http.StatusOK, metadata)
}

// jwks serves the public keys (RFC 7517 §5).
func (p *Provider) jwks(w http.ResponseWriter, _ *http.Request) {
	p.Key(p.cfg.Alg) // there is always one
	keys := []map[string]any{}
	for _, k := range p.keys.published() {
		keys = append(keys, k.JWK())
	}
	if h := p.hooksFor(Client{}).OnJWKS; h != nil {
		keys = h(keys)
	}
	answer(w, http.StatusOK, map[string]any{"keys": keys})
}
