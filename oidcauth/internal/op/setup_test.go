package op_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

// provider is an OpenID Provider of constant answers, as a handler. A test replaces those that it is about.
type provider struct {
	issuer string

	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	calls   map[string][]request
}

// request is what a provider was sent.
type request struct {
	method, query string
	header        http.Header
	form          url.Values
}

const (
	discovery  = "/.well-known/openid-configuration"
	tokens     = "/token"
	jwks       = "/jwks"
	userinfo   = "/userinfo"
	introspect = "/introspect"
	revoke     = "/revoke"
	par        = "/par"
)

func newProvider(issuer string) *provider {
	p := &provider{issuer: issuer, answers: map[string]http.HandlerFunc{}, calls: map[string][]request{}}
	p.say(discovery, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, p.metadata()) })
	p.say(jwks, p.keys("k1"))
	p.sayJSON(tokens, 200, `{"access_token":"access-1","token_type":"Bearer","expires_in":300,"id_token":"id.token.1",`+
		`"refresh_token":"refresh-1","scope":"openid"}`)
	p.sayJSON(userinfo, 200, `{"sub":"alice","email":"alice@example.com"}`)
	p.sayJSON(introspect, 200, `{"active":true,"sub":"alice"}`)
	p.sayJSON(revoke, 200, ``)
	p.sayJSON(par, 201, `{"request_uri":"urn:example:1","expires_in":60}`)
	return p
}

// metadata without PAR, which a test adds.
func (p *provider) metadata() map[string]any {
	return map[string]any{
		"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + tokens,
		"jwks_uri": p.issuer + jwks, "userinfo_endpoint": p.issuer + userinfo, "introspection_endpoint": p.issuer + introspect,
		"revocation_endpoint": p.issuer + revoke, "end_session_endpoint": p.issuer + "/logout",
	}
}

// with is the metadata with changes; nil removes a member.
func (p *provider) with(changes map[string]any) http.HandlerFunc {
	all := p.metadata()
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, all) }
}

// keys is a JWK set of Ed25519 keys; the key of a kid is always the same one.
func (p *provider) keys(kids ...string) http.HandlerFunc {
	set := []any{}
	for _, kid := range kids {
		set = append(set, map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64.RawURLEncoding.EncodeToString(keyOf(kid))})
	}
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, map[string]any{"keys": set}) }
}

func keyOf(kid string) ed25519.PublicKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, kid)
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (p *provider) say(path string, answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[path] = answer
}

func (p *provider) sayJSON(path string, status int, body string) {
	p.say(path, sayJSON(status, body))
}

func sayJSON(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	p.mu.Lock()
	p.calls[r.URL.Path] = append(p.calls[r.URL.Path], request{r.Method, r.URL.RawQuery, r.Header.Clone(), form})
	answer := p.answers[r.URL.Path]
	p.mu.Unlock()
	if answer == nil {
		http.NotFound(w, r)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer(w, r)
}

func (p *provider) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls[path])
}

func (p *provider) last(t *testing.T, path string) request {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls[path]
	if len(calls) == 0 {
		t.Fatalf("%s was not called", path)
	}
	return calls[len(calls)-1]
}

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// setup starts a provider on loopback and makes its client.
func setup(t *testing.T, changes ...func(*op.Config)) (*provider, *op.Provider, *clock) {
	t.Helper()
	p := newProvider("")
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.issuer = server.URL
	client, now := newClient(t, p, changes...)
	return p, client, now
}

func newClient(t *testing.T, p *provider, changes ...func(*op.Config)) (*op.Provider, *clock) {
	t.Helper()
	now := newClock()
	cfg := op.Config{Issuer: p.issuer, ClientID: "client", ClientSecret: "the client's secret", Now: now.Now}
	for _, change := range changes {
		change(&cfg)
	}
	client, err := op.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, now
}

// bubbled is setup inside a bubble of testing/synctest: the provider is reached over pipes, and time passes by itself.
func bubbled(t *testing.T, changes ...func(*op.Config)) (*provider, *op.Provider) {
	t.Helper()
	p := newProvider("http://127.0.0.1")
	pipes := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: p, ReadHeaderTimeout: time.Hour}
	go func() { _ = server.Serve(pipes) }()
	transport := &http.Transport{DialContext: pipes.dial}
	changes = append([]func(*op.Config){func(c *op.Config) { c.Transport, c.Now = transport, time.Now }}, changes...)
	client, _ := newClient(t, p, changes...)
	t.Cleanup(func() {
		client.Close()
		_ = server.Close()
	})
	return p, client
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// exchange trades the usual code.
func exchange(t *testing.T, client *op.Provider) (*op.Tokens, error) {
	t.Helper()
	return client.Exchange(t.Context(), "the-code", "the-verifier", "https://app.example/callback")
}

// shows tells whether err or a line of the log holds one of the words.
func shows(text string, words ...string) string {
	for _, word := range words {
		if strings.Contains(text, word) {
			return word
		}
	}
	return ""
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// splitJWS gives what a compact JWS signs, and the signature.
func splitJWS(t *testing.T, jws string) (text, signature []byte) {
	t.Helper()
	i := strings.LastIndexByte(jws, '.')
	signature, err := base64.RawURLEncoding.DecodeString(jws[i+1:])
	if err != nil {
		t.Fatal(err)
	}
	return []byte(jws[:i]), signature
}
