package oidctest

import (
	"crypto"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// A Client is a registered relying party, or a resource server that introspects.
type Client struct {
	ID     string
	Secret string // of client_secret_basic and client_secret_post
	// Auth is the only way in which the client may authenticate: client_secret_basic, client_secret_post, private_key_jwt or
	// none. Empty: client_secret_basic with a Secret, private_key_jwt with a Key, else none.
	Auth string
	// Key verifies the assertions of private_key_jwt: an RSA, ECDSA or Ed25519 public key.
	Key crypto.PublicKey
	// RedirectURIs and PostLogoutRedirectURIs are compared byte for byte.
	RedirectURIs, PostLogoutRedirectURIs []string
	// BackchannelLogoutURI is where logout tokens are posted, FrontchannelLogoutURI what an iframe loads. Empty: neither.
	BackchannelLogoutURI, FrontchannelLogoutURI string
	// IDTokenAlg signs ID tokens and logout tokens. Empty: the provider's Alg.
	IDTokenAlg string
	// Audience makes access tokens JWTs (RFC 9068) for it. Empty: they are opaque, unless the client asks with the parameter
	// resource (RFC 8707).
	Audience string
	// RequirePAR refuses authorization requests that were not pushed, RequireDPoP token requests without a proof.
	RequirePAR, RequireDPoP bool
	// KeepRefresh leaves refresh tokens good instead of changing them at each use: refreshes bring no new one.
	KeepRefresh bool
	// SkipPKCE takes authorization requests without a challenge.
	SkipPKCE bool
	// Hooks are for this client, in place of the provider's. Nil: the provider's.
	Hooks *Hooks
}

func authMethods() []string {
	return []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
}

// SetClient registers a client, or changes the one of the same ID. It fails for a client that nobody could use.
func (p *Provider) SetClient(c Client) error {
	if c.Auth == "" {
		switch {
		case c.Secret != "":
			c.Auth = "client_secret_basic"
		case c.Key != nil:
			c.Auth = "private_key_jwt"
		default:
			c.Auth = "none"
		}
	}
	if c.IDTokenAlg == "" {
		c.IDTokenAlg = p.cfg.Alg
	}
	switch {
	case c.ID == "":
		return fmt.Errorf("oidctest: a client without an ID")
	case !slices.Contains(authMethods(), c.Auth):
		return fmt.Errorf("oidctest: client %q: Auth: %q is not supported", c.ID, c.Auth)
	case strings.HasPrefix(c.Auth, "client_secret_") != (c.Secret != ""), (c.Auth == "private_key_jwt") != (c.Key != nil):
		return fmt.Errorf("oidctest: client %q: Secret or Key doesn't fit Auth %q", c.ID, c.Auth)
	case !supported(c.IDTokenAlg):
		return fmt.Errorf("oidctest: client %q: IDTokenAlg: %q is not supported", c.ID, c.IDTokenAlg)
	}
	p.Key(c.IDTokenAlg) // published before anything is signed with it
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.clients, func(o Client) bool { return o.ID == c.ID }); i >= 0 {
		p.clients[i] = c
	} else {
		p.clients = append(p.clients, c)
	}
	return nil
}

func (p *Provider) client(id string) (Client, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.clients, func(c Client) bool { return c.ID == id })
	if i < 0 {
		return Client{}, false
	}
	return p.clients[i], true
}

// first is the client that minted tokens are for: the one that was registered first, or one named "app".
func (p *Provider) first() Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.clients) == 0 {
		return Client{ID: "app", IDTokenAlg: p.cfg.Alg}
	}
	return p.clients[0]
}

// clientForm reads the form of a client's request, and who sends it.
func (p *Provider) clientForm(w http.ResponseWriter, r *http.Request) (form url.Values, c Client, err error) {
	if form, err = postForm(r); err != nil {
		return nil, c, err
	}
	c, err = p.authenticate(w, r, form)
	return form, c, err
}

// authenticate finds out which client sends r, whose form is given, in the way that the client has registered and in no
// other (RFC 6749 §2.3, OpenID Connect Core §9).
func (p *Provider) authenticate(w http.ResponseWriter, r *http.Request, form url.Values) (Client, error) {
	id, given, method, err := presented(r, form)
	if err != nil {
		return Client{}, err
	}
	if method == "client_secret_basic" {
		w.Header().Set("WWW-Authenticate", `Basic realm="oidctest"`) // only seen with a 401
	}
	denied := &problem{http.StatusUnauthorized, "invalid_client", "unknown client, or not authenticated as registered"}
	c, ok := p.client(id)
	if !ok || c.Auth != method {
		return Client{}, denied
	}
	switch method {
	case "client_secret_basic", "client_secret_post":
		ok = subtle.ConstantTimeCompare([]byte(given), []byte(c.Secret)) == 1
	case "private_key_jwt":
		ok = p.asserted(c, given, r)
	}
	if !ok {
		return Client{}, denied
	}
	w.Header().Del("WWW-Authenticate")
	return c, nil
}

// presented returns who the client says it is, with what, and by which method.
func presented(r *http.Request, form url.Values) (id, given, method string, err error) {
	id, method = form.Get("client_id"), "none"
	ways := 0
	if header := r.Header.Get("Authorization"); header != "" {
		ways++
		user, secret, ok := basic(header)
		if !ok || id != "" && id != user {
			return "", "", "", &problem{http.StatusUnauthorized, "invalid_client", "the Authorization header is malformed"}
		}
		id, given, method = user, secret, "client_secret_basic"
	}
	if form.Has("client_secret") {
		ways++
		given, method = form.Get("client_secret"), "client_secret_post"
	}
	if form.Has("client_assertion") {
		ways++
		given, method = form.Get("client_assertion"), "private_key_jwt"
		if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			return "", "", "", refuse("invalid_request", "client_assertion_type: not jwt-bearer")
		}
		if id == "" {
			id = unverifiedSubject(given)
		}
	}
	if ways > 1 {
		return "", "", "", refuse("invalid_request", "the client authenticates in two ways") // RFC 6749 §2.3: MUST NOT
	}
	return id, given, method, nil
}

// basic reads the header of client_secret_basic. Identifier and secret are form-urlencoded each before they are joined
// (RFC 6749 §2.3.1), so that a colon can be in them: what isn't encoded so is refused, unlike at lenient providers.
func basic(header string) (id, secret string, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	user, password, ok := strings.Cut(string(text), ":")
	id, okID := formDecode(user)
	secret, okSecret := formDecode(password)
	return id, secret, ok && okID && okSecret
}

// formDecode decodes what application/x-www-form-urlencoded would have encoded, and nothing else.
func formDecode(s string) (string, bool) {
	for i := range len(s) {
		if strings.IndexByte(unreserved+"*+%", s[i]) < 0 {
			return "", false
		}
	}
	decoded, err := url.QueryUnescape(s)
	return decoded, err == nil
}

// asserted verifies an assertion of private_key_jwt (RFC 7523 §3): made by the client about itself, for this provider, not
// yet used and not for long.
func (p *Provider) asserted(c Client, assertion string, r *http.Request) bool {
	token, err := jwt.ParseSigned(assertion, joseAlgs())
	if err != nil {
		return false
	}
	var claims jwt.Claims
	if token.Claims(c.Key, &claims) != nil {
		return false
	}
	now := p.now()
	if claims.Issuer != c.ID || claims.Subject != c.ID || claims.ID == "" || claims.Expiry == nil ||
		claims.Expiry.Time().After(now.Add(time.Hour)) || claims.ValidateWithLeeway(jwt.Expected{Time: now}, time.Minute) != nil {
		return false
	}
	endpoint := p.server.URL + r.URL.Path
	if !slices.ContainsFunc(claims.Audience,
		func(a string) bool { return a == p.issuer || a == endpoint || a == p.Endpoint("token") }) {
		return false
	}
	return p.once("assertion " + c.ID + " " + claims.ID)
}

// unverifiedSubject is who an assertion says that it is from, in order to find the key that verifies it.
func unverifiedSubject(assertion string) string {
	token, err := jwt.ParseSigned(assertion, joseAlgs())
	if err != nil {
		return ""
	}
	var claims jwt.Claims
	if token.UnsafeClaimsWithoutVerification(&claims) != nil {
		return ""
	}
	return claims.Subject
}
