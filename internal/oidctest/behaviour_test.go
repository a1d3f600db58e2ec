package oidctest_test

import (
	"net/url"
	"testing"

	"github.com/ostiary/auth/internal/oidctest"
)

// A behaviour that shows nothing would be refused by nobody and prove nothing: each is held against a strict client, after a
// conforming provider was.
func TestBehavioursShow(t *testing.T) {
	t.Parallel()
	for _, b := range oidctest.Behaviours() {
		if b.Stage != oidctest.Login && b.Stage != oidctest.Refresh {
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			c := app()
			c.IDTokenAlg = "RS256"
			if b.Register != nil {
				b.Register(&c)
			}
			p := setup(t, func(cfg *oidctest.Config) { cfg.Clients[0] = c })
			client := newStrictClient(p, c, b.Asks)
			walk := func() error {
				tokens, err := client.login(t.Context())
				if err != nil || b.Stage == oidctest.Login {
					return err
				}
				for range 2 {
					m, err := client.metadata(t.Context())
					if err != nil {
						return err
					}
					again, err := client.tokens(t.Context(), m,
						url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.refresh}}, tokens)
					if err != nil {
						return err
					}
					if again.refresh == "" {
						again.refresh = tokens.refresh // the old one stays good
					}
					tokens = again
				}
				return nil
			}
			if err := walk(); err != nil {
				t.Fatalf("a conforming provider: %v", err)
			}
			p.Reset()
			p.Behave(b)
			err := walk()
			switch {
			case b.Want == oidctest.Accept && err != nil:
				t.Errorf("got refused: %v", err)
			case b.Want == oidctest.Refuse && err == nil:
				t.Error("got accepted by a strict client: nothing shows")
			}
			if b.Want == oidctest.Refuse {
				for _, endpoint := range b.NotCalled {
					if got := len(p.Calls(endpoint)); got != 0 && b.Stage == oidctest.Login {
						t.Errorf("%s was called %d times by a client that refuses", endpoint, got)
					}
				}
			}
			if got := p.Calls("other"); len(got) != 0 {
				t.Errorf("got %s asked for, which is no endpoint", got[0].URL)
			}
			p.SetHooks(oidctest.Hooks{})
			if err := walk(); err != nil && b.Name != "J-11 a key that was taken away" {
				t.Errorf("conforming again: %v", err)
			}
		})
	}
}

func TestBehavioursHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, b := range oidctest.Behaviours() {
		if seen[b.Name] {
			t.Errorf("%q is there twice", b.Name)
		}
		seen[b.Name] = true
		if b.Stage == "" || b.Want == "" {
			t.Errorf("%q: got stage %q and verdict %q", b.Name, b.Stage, b.Want)
		}
		if oidctest.Named(b.Name).Name != b.Name {
			t.Errorf("%q isn't found by its name", b.Name)
		}
	}
	if len(seen) < 100 {
		t.Errorf("got %d behaviours: where are the others?", len(seen))
	}
}
