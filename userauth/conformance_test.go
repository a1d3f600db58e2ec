package userauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// conformanceSite is a site as the suite's server has it: under its address, and logging to it.
func conformanceSite(t testing.TB, cfg auth.Config, change ...func(*userauth.Config)) (*site, *storetest.Faults) {
	db, faults := storetest.Open(t, t.TempDir()+"/app.db")
	s := siteOver(t, db, append(change, func(c *userauth.Config) { c.Auth = cfg })...)
	s.faulty.Store(true)
	return s, faults
}

func credentialOf(b *browser) authtest.Credential {
	name, value := b.session()
	return authtest.Credential{Secret: value, Send: func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: value}) }}
}

// twice is a good cookie beside a planted one.
func twice(b *browser) authtest.Credential {
	name, value := b.session()
	return authtest.Credential{Secret: value, Send: func(r *http.Request) {
		r.Header.Add("Cookie", name+"="+value+"; "+name+"="+strings.Repeat("A", 43))
	}}
}

func cookieOf(b *browser, value string) authtest.Credential {
	name, _ := b.session()
	return authtest.Credential{Secret: value, Send: func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: value}) }}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
		s, faults := conformanceSite(t, cfg)
		s.add("alice", siteReads)
		s.add("bob", nil)
		alice, bob := s.in("alice"), s.in("bob")
		ended := s.in("alice")
		stale := credentialOf(ended)
		ended.post("/auth/logout", nil)
		return authtest.Subject{
			Backend: s.users,
			Good:    credentialOf(alice),
			Other:   credentialOf(bob),
			Wrong:   []authtest.Credential{twice(alice)},
			Stale: []authtest.Credential{
				stale, cookieOf(alice, strings.Repeat("A", 43)), cookieOf(alice, "too-short-for-a-token"),
				{Explicit: true, Secret: "guess-5c4b3a29181706f5", Send: func(r *http.Request) { r.Header.Set("Authorization", "Bearer guess-5c4b3a29181706f5") }},
			},
			Holds: auth.Permissions{"contents": {"read"}},
			Lacks: auth.Permissions{"contents": {"write"}},
			End: func() {
				if got := alice.post("/auth/logout", nil); got.Status != http.StatusSeeOther {
					t.Errorf("logout: got %d", got.Status)
				}
			},
			Break: faults.Fail,
		}
	})
}

// The same for users whom an authenticator knows, whose end is that they are disabled.
func TestConformanceOfAuthenticators(t *testing.T) {
	t.Parallel()
	authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
		mona := lena()
		mona.ID, mona.User = "ldap:uid=mona", auth.User{Username: "mona"}
		s, faults := conformanceSite(t, cfg, authenticatedBy(newDirectory(lena(), mona)))
		lena, other := s.in("lena"), s.in("mona")
		return authtest.Subject{
			Backend: s.users,
			Good:    credentialOf(lena),
			Other:   credentialOf(other),
			Wrong:   []authtest.Credential{twice(lena)},
			Holds:   auth.Permissions{"contents": {"read"}},
			Lacks:   auth.Permissions{"contents": {"write"}},
			End:     func() { s.setDisabled(s.externalUser("ldap:uid=lena"), true) },
			Break:   faults.Hang,
		}
	})
}

func headerOf(text string) authtest.Credential {
	return authtest.Credential{Explicit: true, Secret: text, Send: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+text) }}
}

// The same for API tokens.
func TestConformanceOfTokens(t *testing.T) {
	t.Parallel()
	authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
		s, faults := conformanceSite(t, cfg)
		s.add("alice", siteWrites)
		s.add("bob", nil)
		good := s.token("alice", userauth.NewToken{Name: "good", Permissions: siteReads})
		made := s.tokenNamed("alice", "good")
		wrong := []authtest.Credential{headerOf(spelled(strings.Repeat("A", 43)))}
		for _, text := range malformed() {
			wrong = append(wrong, headerOf(text))
		}
		return authtest.Subject{
			Backend: s.users,
			Good:    headerOf(good),
			Other:   headerOf(s.everything("bob")),
			Wrong:   wrong,
			Holds:   auth.Permissions{"contents": {"read"}},
			Lacks:   auth.Permissions{"contents": {"write"}},
			End: func() {
				if err := s.users.Accounts().DeleteToken(t.Context(), "alice", made.ID); err != nil {
					t.Error(err)
				}
			},
			Break: faults.Fail,
		}
	})
}
