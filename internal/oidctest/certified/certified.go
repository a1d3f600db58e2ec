// Package certified runs a certified OpenID Provider (npm oidc-provider) as a part of tests: what the library does is
// judged by somebody else's reading of the specifications, too. It needs Node.js and npm; where they are missing the test
// is skipped, or fails if AUTH_TEST_REQUIRE names oidc.
//
// For a provider that misbehaves see package oidctest.
package certified

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up on it: a machine that is busy with other tests may need
// seconds for the provider's keys alone.
const patience = time.Minute

//go:embed provider/provider.mjs
var program string

// Settings are what a provider begins with.
type Settings struct {
	Clients  []Client
	Accounts map[string]Claims // by the name to log in with, which is the sub as well; nil: those of [People]

	// AccessTokenTTL is how long access tokens last, in whole seconds. Zero: 5 minutes.
	AccessTokenTTL time.Duration
}

// Claims are an account's, beside its sub, as userinfo gives them. Its permissions are in access tokens, too.
type Claims map[string]any

// People are two accounts: alice may read and write contents, bob may read them.
func People() map[string]Claims {
	return map[string]Claims{
		"alice": {
			"name": "Alice Liddell", "preferred_username": "alice", "given_name": "Alice",
			"email": "alice@example.com", "email_verified": true,
			"groups": []string{"staff", "writers"}, "permissions": []string{"contents:read", "contents:write"},
		},
		"bob": {
			"name": "Bob Builder", "preferred_username": "bob", "given_name": "Bob",
			"email": "bob@example.com", "email_verified": false,
			"groups": []string{"staff"}, "permissions": []string{"contents:read"},
		},
	}
}

// Password is what the account with this name logs in with.
func Password(name string) string { return name + "'s password" }

// Resource is the API (RFC 8707) that access tokens can be asked for, with the scopes contents:read and contents:write. Those
// tokens are JWTs (RFC 9068), signed as the client's ID tokens are, or opaque if the client's are. Other access tokens are
// opaque, and for userinfo only.
const Resource = "https://api.example.com"

// A Provider runs until its test is over. It is safe for concurrent use, but for its methods that take a test.
type Provider struct {
	Issuer string

	stdin   io.Writer
	answers chan string // closed when the provider has ended
	log     *log
}

// Start starts a provider, on a port of its own and with keys of its own. Its log is shown if the test fails.
func Start(t testing.TB, settings Settings) *Provider {
	t.Helper()
	have := need(t)
	if settings.Accounts == nil {
		settings.Accounts = People()
	}
	ctx, kill := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, have.node, "--input-type=module", "--eval", program) //nolint:gosec // ours
	// Where Node.js looks for packages, since the program comes from no file.
	cmd.Dir = have.packages
	p := &Provider{answers: make(chan string), log: &log{}}
	cmd.Stderr = p.log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.answers)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			p.answers <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close() // at which it ends
		late := time.AfterFunc(patience, kill)
		for range p.answers { // Wait closes the pipe: everything has to be read before
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the provider: %v", err)
		}
		late.Stop()
		kill()
		if t.Failed() {
			t.Logf("the provider's log:\n%s", p.log)
		}
	})

	ttl := map[string]int{}
	if settings.AccessTokenTTL != 0 {
		ttl["AccessToken"] = int(settings.AccessTokenTTL.Seconds())
	}
	p.Issuer = p.tell(t, map[string]any{
		"clients":  settings.Clients,
		"accounts": settings.Accounts,
		"ttl":      ttl,
		"resource": Resource,
	})
	return p
}

// SetAccounts replaces the accounts. Tokens and sessions of one that is gone are refused from now on.
func (p *Provider) SetAccounts(t testing.TB, accounts map[string]Claims) {
	t.Helper()
	p.tell(t, map[string]any{"accounts": accounts})
}

// tell sends a line and gives the issuer that its answer names.
func (p *Provider) tell(t testing.TB, line any) string {
	t.Helper()
	if err := json.NewEncoder(p.stdin).Encode(line); err != nil {
		t.Fatalf("the provider: %v\n%s", err, p.log)
	}
	select {
	case answer, ok := <-p.answers:
		if !ok {
			t.Fatalf("the provider has ended:\n%s", p.log)
		}
		var said struct{ Issuer string }
		if err := json.Unmarshal([]byte(answer), &said); err != nil {
			t.Fatalf("the provider says %q: %v", answer, err)
		}
		return said.Issuer
	case <-time.After(patience):
		t.Fatalf("the provider says nothing:\n%s", p.log)
	}
	return ""
}

// log is what the provider writes, to be read while it runs.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
