package oidcauth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
	"github.com/ostiary/auth/userauth"
)

// byAddress links ann@example.com to ann, and so on.
func byAddress(pl *plan) {
	pl.cfg.LinkVerifiedEmail = func(_ context.Context, provider, email string) (string, error) {
		name, domain, _ := strings.Cut(email, "@")
		if provider != "corp" || domain != "example.com" {
			return "", nil
		}
		return name, nil
	}
}

// says makes claims what the provider says of alice, beside her name.
func (l *linked) says(claims map[string]any) {
	claims["preferred_username"] = "alice"
	l.op.SetUser(oidctest.User{Sub: "alice", Claims: claims})
}

// J-43, J-44: an address makes somebody a local user only if the application says so and the provider has verified it.
func TestLinkByVerifiedEmail(t *testing.T) {
	t.Parallel()
	verified := map[string]any{"email": "ann@example.com", "email_verified": true}
	for name, c := range map[string]struct {
		claims map[string]any
		change func(*plan)
		ann    bool
	}{
		"verified":                               {verified, byAddress, true},
		"no rule":                                {verified, nil, false},
		"the rule knows no such address":         {map[string]any{"email": "ann@evil.example", "email_verified": true}, byAddress, false},
		"the rule names nobody who is there":     {map[string]any{"email": "zoe@example.com", "email_verified": true}, byAddress, false},
		"the rule names what can't be a name":    {map[string]any{"email": "a%00n@example.com", "email_verified": true}, byAddress, false},
		"not verified":                           {map[string]any{"email": "ann@example.com", "email_verified": false}, byAddress, false},
		"verified by a text":                     {map[string]any{"email": "ann@example.com", "email_verified": "true"}, byAddress, false},
		"verified by a number":                   {map[string]any{"email": "ann@example.com", "email_verified": 1}, byAddress, false},
		"without a word about it":                {map[string]any{"email": "ann@example.com"}, byAddress, false},
		"no address":                             {map[string]any{"email_verified": true}, byAddress, false},
		"two addresses in one":                   {map[string]any{"email": "ann@evil.example@example.com", "email_verified": true}, byAddress, false},
		"a text, where the provider sends those": {map[string]any{"email": "ann@example.com", "email_verified": "true"}, both(byAddress, textual), true},
		"another text there":                     {map[string]any{"email": "ann@example.com", "email_verified": "TRUE"}, both(byAddress, textual), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLinked(t, nil, c.change)
			l.says(c.claims)
			b := l.browser()
			if a := b.login("/auth/login"); a.StatusCode != http.StatusSeeOther {
				t.Fatalf("got %d %s", a.StatusCode, a.body)
			}
			want, links := "oidc:"+l.op.Issuer()+"#alice", 0
			if c.ann {
				want, links = l.idOf("ann"), 1
			}
			if got := b.who(); got != want {
				t.Errorf("signed in as %q, want %q", got, want)
			}
			if got := l.links("ann"); len(got) != links || links == 1 && !got[0].ByRule {
				t.Errorf("got %+v", got)
			}
			if got := len(l.eventsOf(auth.EventLinked)); got != links {
				t.Errorf("%d events, want %d", got, links)
			}
			if !c.ann {
				return
			}
			l.says(map[string]any{}) // once linked, the address means nothing any more
			if b := l.browser(); b.login("/auth/login").StatusCode != http.StatusSeeOther || b.who() != want {
				t.Errorf("without the address: got %q, want %q", b.who(), want)
			}
		})
	}
}

func textual(pl *plan) { pl.provider.Mapping.EmailVerifiedText = true }

func both(one, two func(*plan)) func(*plan) {
	return func(pl *plan) { one(pl); two(pl) }
}

// J-43: nobody becomes an admin by an address, and nobody who is disabled gets in by one.
func TestLinkByVerifiedEmailOpensNoAdminsAccount(t *testing.T) {
	t.Parallel()
	l := newLinked(t, nil, byAddress)
	l.says(map[string]any{"email": "ann@example.com", "email_verified": true})
	if b := l.browser(); b.login("/auth/login").StatusCode != http.StatusSeeOther || b.who() != l.idOf("ann") {
		t.Fatalf("the good case: got %q", b.who())
	}
	refused := func(what string) {
		t.Helper()
		sessions, links := l.rows("sessions"), l.rows("externals")
		b := l.browser()
		if a := b.login("/auth/login"); a.StatusCode != http.StatusForbidden || b.who() != "" {
			t.Errorf("%s: got %d as %q, want 403", what, a.StatusCode, b.who())
		}
		if l.rows("sessions") != sessions || l.rows("externals") != links {
			t.Errorf("%s: something was stored", what)
		}
	}
	l.change("ann", userauth.AccountChange{Grant: auth.Permissions{"admin": {"read"}}})
	refused("somebody who has become an admin since")
	b := l.browser().locally("ann").mustLink() // by an own act
	if got := l.links("ann"); len(got) != 1 || got[0].ByRule {
		t.Fatalf("got %+v", got)
	}
	if b := l.browser(); b.login("/auth/login").StatusCode != http.StatusSeeOther || b.who() != l.idOf("ann") {
		t.Errorf("an admin who has linked: got %q", b.who())
	}
	if err := l.users.Links().LinkAs(t.Context(), "ann", l.op.Issuer(), "alice"); err != nil || l.links("ann")[0].ByRule {
		t.Errorf("LinkAs makes another link of it: %v, %+v", err, l.links("ann"))
	}
	if err := l.users.Links().Unlink(t.Context(), "ann", l.op.Issuer(), "alice"); err != nil {
		t.Fatal(err)
	}
	if b.who() == "" {
		t.Error("the session by password has ended with the link")
	}
	l.says(map[string]any{"email": "boss@example.com", "email_verified": true})
	refused("an admin")
	l.disable("bob")
	l.says(map[string]any{"email": "bob@example.com", "email_verified": true})
	refused("O-29: a disabled user")
}

// A rule that can't tell whose address it is lets nobody in, neither as the account nor as somebody else.
func TestLinkByVerifiedEmailFails(t *testing.T) {
	t.Parallel()
	var fault error
	l := newLinked(t, nil, func(pl *plan) {
		pl.cfg.LinkVerifiedEmail = func(context.Context, string, string) (string, error) { return "ann", fault }
	})
	l.says(map[string]any{"email": "ann@example.com", "email_verified": true})
	for _, fault = range []error{errors.New("no database"), auth.ErrNoCredentials, auth.ErrForbidden, context.Canceled} {
		b := l.browser()
		if a := b.login("/auth/login"); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || b.who() != "" {
			t.Errorf("%v: got %d, signed in as %q", fault, a.StatusCode, b.who())
		}
		if links := l.links("ann"); len(links) != 0 {
			t.Errorf("%v: linked: %+v", fault, links)
		}
	}
	fault = nil
	b := l.browser()
	if b.login("/auth/login"); b.who() != l.idOf("ann") {
		t.Errorf("signed in as %q, want ann", b.who())
	}
}

// J-43: who was let in by the rule alone makes no own act of it: neither of that sign-in nor of another one, and takes nothing
// from one that is.
func TestLinkingWhileSignedInByTheRule(t *testing.T) {
	t.Parallel()
	l := newLinked(t, nil, byAddress)
	l.says(map[string]any{"email": "ann@example.com", "email_verified": true})
	byRule := func() *browser {
		t.Helper()
		l.op.SignIn("alice")
		b := l.browser()
		if b.login("/auth/login").StatusCode != http.StatusSeeOther || b.who() != l.idOf("ann") {
			t.Fatalf("signed in as %q, want ann", b.who())
		}
		return b
	}
	b := byRule().mustLink()
	l.op.SignIn("bob") // at the provider: another sign-in
	b.mustLink()
	links := l.links("ann")
	if len(links) != 2 || !links[0].ByRule || !links[1].ByRule {
		t.Errorf("linked by who was let in by the rule: got %+v", links)
	}
	admin := auth.Permissions{"admin": {"write"}}
	l.change("ann", userauth.AccountChange{Grant: admin})
	for _, name := range []string{"alice", "bob"} {
		l.op.SignIn(name)
		if b := l.browser(); b.login("/auth/login").StatusCode != http.StatusForbidden || b.who() != "" {
			t.Errorf("%s gets in to the account of an admin, as %q", name, b.who())
		}
	}
	l.change("ann", userauth.AccountChange{Revoke: admin})
	// By an own act, which whoever was let in by the rule doesn't undo.
	own := func() bool {
		return slices.ContainsFunc(l.links("ann"), func(link userauth.Link) bool { return link.Subject == "bob" && !link.ByRule })
	}
	l.op.SignIn("bob")
	l.browser().locally("ann").mustLink()
	if !own() {
		t.Fatalf("linked by the user: got %+v", l.links("ann"))
	}
	b = byRule()
	l.op.SignIn("bob")
	if b.mustLink(); !own() {
		t.Errorf("linked once more by who was let in by the rule: got %+v", l.links("ann"))
	}
}

func TestHooksAreAskedAboutLinkedSignIns(t *testing.T) {
	t.Parallel()
	var answer error
	var after []string
	l := newLinked(t, func(cfg *userauth.Config) {
		cfg.Hooks.BeforeLogin = func(_ context.Context, user userauth.Account) error {
			if user.Username == "ann" {
				return answer
			}
			return nil
		}
		cfg.Hooks.AfterLogin = func(_ context.Context, user userauth.Account) error {
			after = append(after, user.ID)
			return nil
		}
	}, nil)
	l.browser().locally("ann").mustLink()
	if b := l.browser(); b.login("/auth/login").StatusCode != http.StatusSeeOther || b.who() != l.idOf("ann") {
		t.Fatalf("the good case: got %q", b.who())
	}
	if len(after) != 2 || after[1] != l.idOf("ann") {
		t.Errorf("AfterLogin was called for %q", after)
	}
	for want, err := range map[int]error{
		http.StatusForbidden:  errors.New("not on Sundays"),
		http.StatusBadRequest: &auth.FieldError{Field: "username", Problem: "sleeps on Sundays"},
	} {
		answer = err
		b, sessions := l.browser(), l.rows("sessions")
		a := b.login("/auth/login")
		if a.StatusCode != want || b.who() != "" || l.rows("sessions") != sessions {
			t.Errorf("%v: got %d as %q, want %d", err, a.StatusCode, b.who(), want)
		}
		if got := strings.Contains(a.body, "Sundays"); got != (want == http.StatusBadRequest) {
			t.Errorf("%v: the page says %s", err, a.body)
		}
	}
	if len(after) != 2 {
		t.Errorf("AfterLogin was called for %q", after)
	}
}

// broken accounts can't be asked.
type brokenAccounts struct{ oidcauth.Accounts }

func (brokenAccounts) LoggedIn(*http.Request) (string, error) { return "", nil }

// Accounts that name no session link none: without one a login would be taken for the link.
func TestAccountsThatNameNoSession(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(pl *plan) { pl.cfg.Accounts = brokenAccounts{} })
	a := s.browser().do("POST", "/auth/link/corp", "next=%2F", formHeaders...)
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Location")+a.Header.Get("Refresh") != "" {
		t.Errorf("got %d to %q, want 503", a.StatusCode, a.Header.Get("Location"))
	}
}

// Who may not sign in by the provider at all may not do so as a local user either: a link opens no door that the mapping has shut.
func TestLinkedSignInsAskTheMapping(t *testing.T) {
	t.Parallel()
	l := newLinked(t, nil, func(pl *plan) {
		pl.provider.Mapping.Roles, pl.provider.Mapping.AllowGroups = []string{"groups"}, []string{"staff"}
	})
	l.says(map[string]any{"groups": []string{"staff"}})
	l.browser().locally("ann").mustLink()
	if b := l.browser(); b.login("/auth/login").StatusCode != http.StatusSeeOther || b.who() != l.idOf("ann") {
		t.Fatalf("the good case: got %q", b.who())
	}
	l.says(map[string]any{"groups": []string{"guests"}})
	b, sessions := l.browser(), l.rows("sessions")
	if a := b.login("/auth/login"); a.StatusCode != http.StatusForbidden || b.who() != "" || l.rows("sessions") != sessions {
		t.Errorf("no longer staff: got %d as %q, want 403 and no session", a.StatusCode, b.who())
	}
}
