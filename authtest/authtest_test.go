package authtest_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
)

// pause is how long a test's backend lets somebody else overtake it.
const pause = 20 * time.Millisecond

func TestBackendOfAClub(t *testing.T) {
	t.Parallel()
	good := clubSubject(func(*club) {})
	t.Run("by cookie", func(t *testing.T) {
		t.Parallel()
		authtest.TestBackend(t, good)
	})
	t.Run("by header", func(t *testing.T) {
		t.Parallel()
		authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
			s := good(t, cfg)
			s.Good, s.Other = bySecret(adasSecret), bySecret(bobsSecret)
			return s
		})
	})
	t.Run("without a guard of its own", func(t *testing.T) {
		t.Parallel()
		authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
			s := good(t, cfg)
			s.Backend = s.Backend.(*clubPlugin).club
			return s
		})
	})
}

// The least that a backend can be, with a credential that no header carries.
func TestBackendOfClientCertificates(t *testing.T) {
	t.Parallel()
	authtest.TestBackend(t, func(testing.TB, auth.Config) authtest.Subject {
		certificate := func(name string) authtest.Credential {
			return authtest.Credential{Receive: func(r *http.Request) {
				verified := &x509.Certificate{Subject: pkix.Name{CommonName: name}}
				r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{verified}}}
			}}
		}
		return authtest.Subject{
			Backend: auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
				if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
					return nil, auth.ErrNoCredentials
				}
				name := r.TLS.VerifiedChains[0][0].Subject.CommonName
				return &auth.Identity{ID: "cert:" + name, User: auth.User{Username: name}}, nil
			}),
			Good: certificate("ada"), Other: certificate("bob"),
			Lacks: auth.Permissions{"notes": {"read"}},
		}
	})
}

func TestBackendThatIsOpen(t *testing.T) {
	t.Parallel()
	authtest.TestBackend(t, func(testing.TB, auth.Config) authtest.Subject {
		return authtest.Subject{Open: true, Backend: auth.BackendFunc(func(*http.Request) (*auth.Identity, error) {
			return &auth.Identity{ID: "one", User: auth.User{Username: "one"}, Unrestricted: true}, nil
		})}
	})
}

// A suite that nothing can fail proves nothing: each rule is seen to catch who breaks it, and says itself in words.
func TestBackendCatches(t *testing.T) {
	t.Parallel()
	for _, tc := range clubBreaks {
		t.Run("one that "+tc.name, func(t *testing.T) {
			t.Parallel()
			failed := failuresOf(t, clubSubject(tc.damage))
			for _, name := range tc.caught {
				if !strings.Contains(failed[name], "\nrule: ") {
					t.Errorf("rule %q: got %q, want it to fail and say the rule; these failed: %v", name, failed[name], failed)
				}
			}
		})
	}
}

func TestBackendHasARuleForEachBreak(t *testing.T) {
	t.Parallel()
	caught := map[string]bool{}
	for _, tc := range clubBreaks {
		for _, name := range tc.caught {
			caught[name] = true
		}
	}
	authtest.RunRules(time.Second, clubSubject(func(*club) {}), func(name string, _ func(testing.TB)) {
		if !caught[name] {
			t.Errorf("nothing shows that rule %q catches anybody", name)
		}
		delete(caught, name)
	})
	for name := range caught {
		t.Errorf("there is no rule %q", name)
	}
}

// The zero Subject and one without a credential are mistakes, not backends that pass.
func TestBackendRefusesAnEmptySubject(t *testing.T) {
	t.Parallel()
	for _, s := range []authtest.Subject{{}, {Open: true}, {Backend: auth.BackendFunc(nil)}} {
		for name, text := range failuresOf(t, func(testing.TB, auth.Config) authtest.Subject { return s }) {
			if text == "" {
				t.Errorf("%s passes", name)
			}
		}
	}
}

// failuresOf runs every rule, and gives what each says; empty: it passes or is skipped.
func failuresOf(t *testing.T, setup func(testing.TB, auth.Config) authtest.Subject) map[string]string {
	t.Helper()
	failed := map[string]string{}
	authtest.RunRules(300*time.Millisecond, setup, func(name string, check func(testing.TB)) {
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer r.cleanUp()
			defer func() {
				if v := recover(); v != nil {
					r.record(fmt.Sprintf("panic: %v\nrule: ", v))
				}
			}()
			check(r)
		}()
		<-done
		failed[name] = strings.Join(r.texts, "\n")
	})
	return failed
}

// A recorder is a test that may fail.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	texts    []string
	cleanups []func()
}

func (r *recorder) record(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, text)
}

func (r *recorder) Helper() {}

func (r *recorder) Skip(...any) { runtime.Goexit() }

func (r *recorder) Fatal(args ...any) {
	r.record(fmt.Sprint(args...))
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.record(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) cleanUp() {
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
}
