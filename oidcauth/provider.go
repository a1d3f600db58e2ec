package oidcauth

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// A Provider is an OpenID Provider, found by discovery (OpenID Connect Discovery 1.0) when it is first needed: one that is
// down doesn't keep the server from starting. Name, Issuer and ClientID have no default.
//
// Register at the provider the redirect URI PublicURL + MountPath + "/callback/" + Name, the post-logout redirect URI
// … + "/logged-out", the back-channel logout URI … + "/backchannel-logout/" + Name and the front-channel one
// … + "/frontchannel-logout/" + Name.
type Provider struct {
	// Name is the provider's in paths: 1 to 32 lower-case letters, digits and "-". Title is what people see. Empty: Name.
	Name, Title string
	// Issuer is the provider's identifier, compared byte by byte with what the provider says of itself. It must be https,
	// but on loopback.
	Issuer string
	// ClientID and ClientSecret are this server's at the provider. Without a secret or a Key it is a public client.
	ClientID, ClientSecret string
	// ClientAuth is how this server proves itself to the provider. 0: by Key where there is one, else by secret in the
	// Authorization header, else not at all.
	ClientAuth ClientAuth
	// Key signs this server's assertions (private_key_jwt, RFC 7523): RSA of at least 2048 bits (RS256), P-256 (ES256), P-384
	// (ES384), P-521 (ES512) or Ed25519 (EdDSA). It must be safe for concurrent use. Nil: none is needed. KeyID is its "kid" at
	// the provider. Empty: none is sent.
	Key   crypto.Signer
	KeyID string
	// AssertionAudience is the "aud" of these assertions, for a provider that wants the address of its token endpoint there.
	// Empty: Issuer, so that no other provider can use one that it was sent.
	AssertionAudience string
	// Scopes are asked for beside "openid" and, with RefreshKeys, "offline_access". Nil: "profile" and "email".
	Scopes []string
	// SkipOfflineAccess leaves out the scope "offline_access" and, where Prompt is empty, the prompt "consent", for providers
	// that give refresh tokens without them or in a way of their own. False: with RefreshKeys both are sent, as OpenID
	// Connect Core section 11 has it.
	SkipOfflineAccess bool
	// Parameters are more parameters of the authorization request, by name: a provider's own, such as "access_type" or
	// "audience", or "resource" (RFC 8707). One that is sent anyhow is an error from New. Nil: none.
	Parameters map[string]string
	// Algorithms are those that ID tokens and logout tokens may be signed with: RS256, RS384, RS512, PS256, PS384, PS512,
	// ES256, ES384, ES512, EdDSA. What the provider says of itself never adds to them. Nil: RS256, as providers do where
	// nothing else was registered.
	Algorithms []string
	// TrustedAudiences may stand in an ID token's "aud" beside ClientID. Nil: nobody (OpenID Connect Core 3.1.3.7).
	TrustedAudiences []string
	// Prompt is sent as it is: "login", "consent", "select_account". Empty: with RefreshKeys "consent", which providers want
	// before they give a refresh token (see SkipOfflineAccess), else none. "none" asks only whether the browser is logged in
	// there; who isn't gets a page that says so.
	Prompt string
	// MaxAge is how long ago the person may have signed in at the provider, in whole seconds. After that the provider asks
	// again; an ID token of an older sign-in, or one that doesn't say when it was, is refused. 0: as the provider likes.
	MaxAge time.Duration
	// ACRValues are the classes of authentication that count (OpenID Connect Core 3.1.2.1): an ID token with none of them is
	// refused. Nil: any.
	ACRValues []string
	// UILocales are the languages for the provider's pages, the preferred one first (BCP 47). Nil: as the provider likes.
	UILocales []string
	// SkipUserInfo leaves the userinfo endpoint unasked: the ID token says all that is needed. False: it is asked at every
	// login where there is one, and a login fails when it gives no answer.
	SkipUserInfo bool
	// Mapping says what the provider's claims mean here. Zero: the profile, and no permission.
	Mapping Mapping
	// API takes access tokens of the provider in the Authorization header. Nil: none is taken.
	API *API
}

const (
	maxIssuer   = 512 // bytes; with a subject it is a key of the database
	maxProvider = 32
)

func (p Provider) withDefaults() (Provider, error) {
	switch {
	case !validName(p.Name):
		return p, fmt.Errorf("want a Name of lower-case letters, digits and \"-\", at most %d", maxProvider)
	case p.Issuer == "":
		return p, errors.New("no Issuer")
	case len(p.Issuer) > maxIssuer:
		return p, fmt.Errorf("want an Issuer of at most %d bytes", maxIssuer)
	case p.ClientID == "":
		return p, errors.New("no ClientID")
	case p.MaxAge < 0:
		return p, fmt.Errorf("negative MaxAge %s", p.MaxAge)
	}
	p.ClientAuth = p.ClientAuth.withDefault(p)
	if err := p.ClientAuth.check(p); err != nil {
		return p, err
	}
	for _, scope := range p.Scopes {
		if scope == "" || strings.ContainsAny(scope, " \"\\\t\r\n") {
			return p, fmt.Errorf("want Scopes of one word each, not %q", scope)
		}
	}
	if p.Scopes == nil {
		p.Scopes = []string{"profile", "email"}
	}
	for name := range p.Parameters {
		if name == "" || slices.Contains(ownParameters, name) {
			return p, fmt.Errorf("%q in Parameters is this package's to send, where a field says so", name)
		}
	}
	p.Parameters = maps.Clone(p.Parameters)
	p.Title = cmp.Or(p.Title, p.Name)
	var err error
	if p.Algorithms, err = algorithms(p.Algorithms); err != nil {
		return p, err
	}
	// Always asked for, and often found in such lists: twice it would be a request that some providers refuse.
	p.Scopes = slices.DeleteFunc(slices.Clone(p.Scopes), func(scope string) bool { return scope == "openid" })
	p.ACRValues, p.UILocales = slices.Clone(p.ACRValues), slices.Clone(p.UILocales)
	p.TrustedAudiences = slices.Clone(p.TrustedAudiences)
	if err := p.Mapping.check(); err != nil {
		return p, err
	}
	p.Mapping = p.Mapping.clone()
	if p.API != nil {
		api, err := p.API.withDefaults(p)
		if err != nil {
			return p, fmt.Errorf("API: %w", err)
		}
		p.API = &api
	}
	return p, nil
}

// ownParameters are the parameters of an authorization request that other settings, or nobody, decides.
var ownParameters = []string{
	"client_id", "client_secret", "response_type", "response_mode", "redirect_uri", "scope",
	"state", "nonce", "code_challenge", "code_challenge_method",
	"prompt", "max_age", "acr_values", "ui_locales", "login_hint", "request", "request_uri", "id_token_hint",
}

// algorithms checks those that are configured; none: RS256.
func algorithms(list []string) ([]string, error) {
	if len(list) == 0 {
		return []string{"RS256"}, nil
	}
	known := token.Algorithms()
	for _, alg := range list {
		if !slices.Contains(known, alg) {
			return nil, fmt.Errorf("want Algorithms among %s, not %q", strings.Join(known, ", "), alg)
		}
	}
	return slices.Clone(list), nil
}

func validName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return name != "" && len(name) <= maxProvider
}
