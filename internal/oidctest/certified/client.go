package certified

import "encoding/json"

// Secret is the secret of every client of [NewClient].
const Secret = "a secret of at least thirty-two characters"

// Client is a client's registration, in the terms of OpenID Connect Dynamic Client Registration 1.0, section 2.
type Client struct {
	ID                     string          `json:"client_id"`
	Secret                 string          `json:"client_secret,omitempty"`
	AuthMethod             string          `json:"token_endpoint_auth_method"`
	JWKS                   json.RawMessage `json:"jwks,omitempty"` // its public keys, for private_key_jwt
	GrantTypes             []string        `json:"grant_types"`
	ResponseTypes          []string        `json:"response_types"`
	RedirectURIs           []string        `json:"redirect_uris"`
	PostLogoutRedirectURIs []string        `json:"post_logout_redirect_uris,omitempty"`

	IDTokenAlg            string `json:"id_token_signed_response_alg"`
	BackchannelLogoutURI  string `json:"backchannel_logout_uri,omitempty"`
	BackchannelSessionSID bool   `json:"backchannel_logout_session_required,omitempty"`
	OpaqueTokens          bool   `json:"opaque_tokens,omitempty"`                         // for Resource
	PAR                   bool   `json:"require_pushed_authorization_requests,omitempty"` // RFC 9126
	DPoP                  bool   `json:"dpop_bound_access_tokens,omitempty"`              // RFC 9449
}

// NewClient is a web application with a secret, which it sends by HTTP Basic. It logs people in by the code flow, gets
// refresh tokens, and tokens of its own; its ID tokens are signed with RS256. Its routes lie at mount, such as
// http://127.0.0.1:8888/auth, and it calls the provider by the client's own id.
func NewClient(id, mount string) Client {
	return Client{
		ID:                     id,
		Secret:                 Secret,
		AuthMethod:             "client_secret_basic",
		GrantTypes:             []string{"authorization_code", "refresh_token", "client_credentials"},
		ResponseTypes:          []string{"code"},
		RedirectURIs:           []string{mount + "/callback/" + id},
		PostLogoutRedirectURIs: []string{mount + "/logged-out"},
		IDTokenAlg:             "RS256",
		BackchannelLogoutURI:   mount + "/backchannel-logout/" + id,
		BackchannelSessionSID:  true,
	}
}
