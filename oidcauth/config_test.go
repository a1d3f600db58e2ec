package oidcauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth"
)

// A mistake in the settings is an error from New that names the field, and the database isn't touched. O-18: an issuer that
// can't be one is such a mistake; O-22, J-04: nothing of it can be turned off, or taken from the provider.
func TestConfig(t *testing.T) {
	t.Parallel()
	db, err := oidcauth.OpenSQLite(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := func() oidcauth.Config {
		return oidcauth.Config{
			Auth: auth.Config{PublicURL: "https://app.example"}, DB: db,
			Providers: []oidcauth.Provider{{Name: "corp", Issuer: "https://id.example", ClientID: "app", ClientSecret: "x"}},
		}
	}
	for name, c := range map[string]struct {
		change func(c *oidcauth.Config, p *oidcauth.Provider)
		says   string
	}{
		"no public URL":                  {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.Auth.PublicURL = "" }, "PublicURL"},
		"a public URL without TLS":       {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.Auth.PublicURL = "http://app.example" }, "PublicURL"},
		"no database":                    {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.DB = nil }, "DB"},
		"no provider":                    {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.Providers = nil }, "Providers"},
		"a short Idle":                   {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.Idle = time.Second }, "Idle"},
		"a negative Lifetime":            {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.Lifetime = -1 }, "Lifetime"},
		"a negative SessionsPerUser":     {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.SessionsPerUser = -1 }, "SessionsPerUser"},
		"a negative CacheSessions":       {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.CacheSessions = -1 }, "CacheSessions"},
		"a negative CacheTokens":         {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.CacheTokens = -1 }, "CacheTokens"},
		"a cookie name that is none":     {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.CookieName = "a b" }, "CookieName"},
		"a cookie name that is too long": {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.CookieName = strings.Repeat("x", 60) }, "CookieName"},
		"a short refresh key":            {func(c *oidcauth.Config, _ *oidcauth.Provider) { c.RefreshKeys = [][]byte{make([]byte, 16)} }, "RefreshKeys"},
		"a rule for no accounts": {func(c *oidcauth.Config, _ *oidcauth.Provider) {
			c.LinkVerifiedEmail = func(context.Context, string, string) (string, error) { return "", nil }
		}, "LinkVerifiedEmail"},
		"two providers of one name": {func(c *oidcauth.Config, p *oidcauth.Provider) {
			other := *p
			other.Issuer = "https://other.example"
			c.Providers = append(c.Providers, other)
		}, "corp"},
		"two providers of one issuer": {func(c *oidcauth.Config, p *oidcauth.Provider) {
			other := *p
			other.Name = "other"
			c.Providers = append(c.Providers, other)
		}, "Issuer"},
		"no name":                        {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Name = "" }, "Name"},
		"a name that is a path":          {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Name = "a/b" }, "Name"},
		"a name in upper case":           {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Name = "Corp" }, "Name"},
		"no issuer":                      {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Issuer = "" }, "Issuer"},
		"O-18 an issuer without TLS":     {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Issuer = "http://id.example" }, "ssuer"},
		"O-18 an issuer with a query":    {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Issuer = "https://id.example?x" }, "ssuer"},
		"O-18 an issuer with a fragment": {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Issuer = "https://id.example#x" }, "ssuer"},
		"O-18 an issuer that is a file":  {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Issuer = "file:///etc/passwd" }, "ssuer"},
		"no client id":                   {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.ClientID = "" }, "ClientID"},
		"a public client with a secret":  {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.ClientAuth = oidcauth.ClientPublic }, "ClientAuth"},
		"a key that isn't there":         {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.ClientAuth = oidcauth.PrivateKeyJWT }, "Key"},
		"a secret that isn't there": {func(_ *oidcauth.Config, p *oidcauth.Provider) {
			p.ClientSecret, p.ClientAuth = "", oidcauth.ClientSecretPost
		}, "ClientSecret"},
		"an unknown way of proof":    {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.ClientAuth = 17 }, "ClientAuth"},
		"J-01 no signature":          {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Algorithms = []string{"none"} }, "Algorithms"},
		"J-03 a symmetric signature": {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Algorithms = []string{"RS256", "HS256"} }, "Algorithms"},
		"a scope with a blank":       {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Scopes = []string{"a b"} }, "Scopes"},
		"a negative MaxAge":          {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.MaxAge = -1 }, "MaxAge"},
		"a parameter of ours":        {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.Parameters = map[string]string{"state": "x"} }, "Parameters"},
		"an API for nothing":         {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.API = &oidcauth.API{} }, "Audience"},
		"J-40 an API for ID tokens":  {func(_ *oidcauth.Config, p *oidcauth.Provider) { p.API = &oidcauth.API{Audience: "app"} }, "Audience"},
		"an API that asks without pause": {func(_ *oidcauth.Config, p *oidcauth.Provider) {
			p.API = &oidcauth.API{Introspect: true, IntrospectEvery: 1}
		}, "IntrospectEvery"},
		"J-03 an API with symmetric keys": {func(_ *oidcauth.Config, p *oidcauth.Provider) {
			p.API = &oidcauth.API{Audience: "x", Algorithms: []string{"HS256"}}
		}, "Algorithms"},
		"a public client that introspects": {func(_ *oidcauth.Config, p *oidcauth.Provider) {
			p.ClientSecret, p.API = "", &oidcauth.API{Introspect: true}
		}, "Introspect"},
		"two APIs that introspect": {func(c *oidcauth.Config, p *oidcauth.Provider) {
			p.API = &oidcauth.API{Introspect: true}
			other := *p
			other.Name, other.Issuer = "other", "https://other.example"
			c.Providers = append(c.Providers, other)
		}, "Introspect"},
	} {
		cfg := good()
		p := &cfg.Providers[0]
		c.change(&cfg, p)
		a, err := oidcauth.New(t.Context(), cfg)
		if err == nil {
			_ = a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "oidcauth: Config: ") {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.says)
		}
	}
	var tables int
	if err := db.Get(&tables, "SELECT COUNT(*) FROM sqlite_master"); err != nil || tables != 0 {
		t.Errorf("%d tables were made, %v", tables, err)
	}
	cfg := good()
	cfg.Providers = append(cfg.Providers, oidcauth.Provider{Name: "other", Issuer: "https://id.example/realms/a", ClientID: "app", Key: key})
	a, err := oidcauth.New(t.Context(), cfg)
	if err != nil {
		t.Fatalf("a good one: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
