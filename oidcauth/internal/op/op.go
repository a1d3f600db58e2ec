// Package op is the client of one OpenID Provider: everything that goes over the wire to it. It fetches the provider's
// metadata and keys, trades codes and refresh tokens, and asks about tokens and users.
//
// A provider can be down, slow or hostile, and must not take this server with it:
//
//   - Nothing is fetched before it is needed, so that a provider that is down doesn't stop the server from starting.
//   - A call takes Config.Timeout at most, from the dial to the last byte of the answer, and an answer has 1 MiB at most. No
//     compression is asked for nor taken, so that a small answer can't become a large one.
//   - At most 16 calls of an endpoint are under way; more are refused at once. Each endpoint has its own: strangers who have it
//     asked about codes of no worth keep nobody's token from being introspected. Metadata and keys are fetched by one for all
//     who wait. So the bytes of answers hold 82 MiB at most, of a provider that does its worst. What they say can take up to
//     fifty times its length once it is read, if it was made for that.
//   - Whatever isn't answered is tried again after a growing pause only, and fails at once until then.
//   - No redirect is followed, to whatever host: the credentials of a request are for the endpoint that the metadata names.
//   - Cookies are neither kept nor sent.
//
// Endpoints must be https, but for a provider on this machine's loopback. They may be on other hosts than the issuer, as many
// providers' are, and in private networks, as those of who runs a provider himself. Not on link-local addresses, where
// clouds serve a machine's own credentials, and not on loopback unless the issuer is. Names aren't resolved to check this;
// the transport that New makes refuses to dial link-local addresses, one that the application gives is its own.
package op

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// ClientAuth is how a client proves itself to the provider (OpenID Connect Core section 9).
type ClientAuth int

// The ways of client authentication.
const (
	Basic         ClientAuth = iota // client_secret_basic
	Post                            // client_secret_post
	PrivateKeyJWT                   // private_key_jwt: an assertion that is signed with Config.Key
	None                            // a public client: nothing but PKCE protects the code
)

// Config configures a [Provider].
type Config struct {
	// Issuer is the provider's issuer identifier, byte by byte as it stands in its tokens: an https URL (http on loopback)
	// without query and fragment. Required.
	Issuer string

	// ClientID and ClientSecret are what the provider knows this application by. ClientID is required; ClientSecret for Basic
	// and Post, and with them only.
	ClientID, ClientSecret string

	Auth ClientAuth

	// Key signs the assertions of PrivateKeyJWT, and is required with it: RSA of at least 2048 bits, ECDSA on P-256, P-384 or
	// P-521, or Ed25519. It must be safe for concurrent use. KeyID is its kid, empty where the provider has no need of one.
	// KeyAlg is its algorithm; empty: RS256, ES256, ES384, ES512 or EdDSA, by the kind of key.
	Key    crypto.Signer
	KeyID  string
	KeyAlg string

	// Audience is the aud of these assertions. Empty: the issuer, so that no other provider can use one that it was sent. Some
	// providers ask for the URL of their token endpoint.
	Audience string

	// Transport makes the connections, for a private certificate authority or a test. It must be safe for concurrent use. Nil:
	// one of this package's own, which verifies certificates and uses the proxy of the environment.
	Transport http.RoundTripper

	// Timeout is how long one call may take. 0: 10 seconds.
	Timeout time.Duration

	// Now returns the time. Nil: time.Now.
	Now func() time.Time

	// Log is told what went wrong where no caller learns of it: a fetch in the background, and what the provider said beside
	// its refusal's code. It must not block. Nil: nobody is told.
	Log func(doing string, err error)
}

const redacted = "[redacted]"

// Format implements [fmt.Formatter].
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "op.Config"+redacted) }

// LogValue implements [slog.LogValuer].
func (c Config) LogValue() slog.Value { return slog.StringValue("op.Config" + redacted) }

// MarshalJSON implements json.Marshaler.
func (c Config) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// A Provider is the client of one OpenID Provider. All methods may be called concurrently.
type Provider struct {
	cfg      Config
	issuer   *url.URL
	client   *http.Client
	slots    [endpoints]chan struct{}
	circuits [endpoints]circuit
	metadata document[*Metadata]
	keys     document[*token.KeySet]
	close    func()
}

// maxCalls is how many calls of an endpoint may be under way. One that answers in 100 ms gets 160 a second; one that doesn't
// answer holds 16 requests, not all of the server's.
const maxCalls = 16

// New returns the client of a provider. It doesn't speak to it. An error names the field of cfg that is wrong.
func New(cfg Config) (*Provider, error) {
	issuer, err := checkIssuer(cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("the Issuer %q %w", cfg.Issuer, err)
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = func(string, error) {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Provider{cfg: cfg, issuer: issuer}
	for i := range p.slots {
		p.slots[i] = make(chan struct{}, maxCalls)
	}
	p.client, p.close = newClient(cfg.Transport), cancel
	p.metadata = document[*Metadata]{
		doing: "fetching the metadata", fetch: p.fetchMetadata, lasting: metadataLasting, cfg: &p.cfg, ctx: ctx,
	}
	p.keys = document[*token.KeySet]{
		doing: "fetching the keys", fetch: p.fetchKeys, lasting: keysLasting, cfg: &p.cfg, ctx: ctx,
	}
	return p, nil
}

// Close ends what is under way in the background and closes idle connections.
func (p *Provider) Close() {
	p.close()
	p.client.CloseIdleConnections()
}

// Format implements [fmt.Formatter].
func (p *Provider) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "op.Provider"+redacted) }

// LogValue implements [slog.LogValuer].
func (p *Provider) LogValue() slog.Value { return slog.StringValue("op.Provider" + redacted) }
