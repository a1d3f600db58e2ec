package store_test

import (
	"slices"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// LO-04, LO-09, LO-10: what a provider says has ended, ends, and doesn't begin any more.
func TestEndedAtProvider(t *testing.T) { storetest.Each(t, testEndedAtProvider) }

func testEndedAtProvider(t *testing.T, on storetest.Engine) {
	const at = 100 // when it was said
	type login struct{ subject, sid string }
	logins := []login{{"ann", "1"}, {"ann", "9"}, {"ann", ""}, {"bob", "1"}, {"bob", "9"}, {"bob", ""}}
	for name, test := range map[string]struct {
		issuer, subject, sid string
		n                    int
		left                 []string
		before, after        []login // those that are refused which began by then, and after it
	}{
		"a session, and what has no name": {
			"iss", "ann", "1", 2, []string{"p", "q", "x"}, []login{{"ann", "1"}, {"ann", ""}}, []login{{"ann", "1"}},
		},
		"a session alone": {
			"iss", "", "1", 1, []string{"p", "q", "u", "x"}, []login{{"ann", "1"}, {"bob", "1"}}, []login{{"ann", "1"}, {"bob", "1"}},
		},
		"all of a subject": {
			"iss", "ann", "", 3, []string{"q", "x"}, []login{{"ann", "1"}, {"ann", "9"}, {"ann", ""}}, nil,
		},
		"LO-09 a session of another subject": {
			"iss", "bob", "1", 0, []string{"o", "p", "q", "u", "x"}, []login{{"bob", "1"}, {"bob", ""}}, []login{{"bob", "1"}},
		},
		"nobody":    {"iss", "", "", 0, []string{"o", "p", "q", "u", "x"}, nil, nil},
		"no issuer": {"", "ann", "1", 0, []string{"o", "p", "q", "u", "x"}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := open(t, on)
			ann := addUser(t, d, "ann")
			sso := func(name, issuer, subject, sid string) store.Session {
				s := newSession(ann, name, 1)
				s.Realm, s.Issuer, s.Subject, s.SID = "oidc", issuer, subject, sid
				return s
			}
			addSessions(t, d, sso("o", "iss", "ann", "1"), sso("p", "iss", "ann", "2"), sso("u", "iss", "ann", ""),
				sso("q", "iss2", "ann", "1"), newSession(ann, "x", 1))
			var n int
			write(t, d, func(tx *store.Tx) (err error) {
				n, err = tx.EndedAtProvider(test.issuer, test.subject, test.sid, at, at+1000)
				return err
			})
			if n != test.n {
				t.Errorf("got %d sessions ended, want %d", n, test.n)
			}
			equal(t, "what is left", names(t, d, ann), test.left)
			for _, l := range logins {
				for since, refused := range map[int64][]login{at - 1: test.before, at: test.before, at + 1: test.after} {
					for issuer, want := range map[string]bool{"iss": slices.Contains(refused, l), "iss2": false} {
						var got bool
						write(t, d, func(tx *store.Tx) (err error) {
							got, err = tx.HasEndedAtProvider(issuer, l.subject, l.sid, since)
							return err
						})
						if got != want {
							t.Errorf("login of %q with %q at %s, begun at %d: got ended %v, want %v", l.subject, l.sid, issuer, since, got, want)
						}
					}
				}
			}
		})
	}
}
