package authtest

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"sync"

	"github.com/ostiary/auth"
)

func identifyRules() []rule {
	return []rule{
		{"anonymous", "a request without a credential is ErrNoCredentials, so that the next backend is asked; where everybody is let in, an identity", testAnonymous},
		{"good", "a good credential gives an identity with an ID and a username, the same at each request", testGood},
		{"explicit", "Explicit says that the caller attached the credential itself; what a browser attaches by itself never is, or the origin rule would protect nobody", testExplicit},
		{"another", "the ID tells two people apart", testAnother},
		{"wrong", "a credential that is offered on purpose and wrong is ErrInvalidCredentials, so that nobody is served as somebody else than claimed", testWrong},
		{"stale", "a credential that a browser still has from another time is ErrNoCredentials, so that it locks nobody out", testStale},
		{"forbidden", "who is known and must not come in is ErrForbidden", testForbidden},
		{"one answer", "Identify returns an identity or an error: never both, never neither, never a panic", testOneAnswer},
		{"malformed", "whatever a stranger sends is refused, not a fault: else anybody could make the server answer 500 and 503", testMalformed},
		{"twice", "a credential that is given twice with two values isn't believed: who stands before the server may have looked at the other one", testTwice},
		{"cancelled", "a request whose client has left isn't an anonymous one: a backend that can't ask any more says that, not ErrNoCredentials", testCancelled},
		{"request", "Identify changes nothing in the request and reads nothing of its body: both belong to the handler", testRequest},
		{"shared", "an identity is read only once it was returned: whoever holds it must see it as it was", testShared},
		{"concurrent", "Identify may be called concurrently, and gives each caller the own identity", testConcurrent},
	}
}

func testAnonymous(s *stand) {
	o := s.identify(Credential{})
	if s.Open && o.err != nil {
		s.fail("without a credential: got %s, want an identity", o)
	}
	if !s.Open && !o.is(auth.ErrNoCredentials) {
		s.fail("without a credential: got %s, want ErrNoCredentials", o)
	}
}

func testGood(s *stand) {
	first := s.known(s.Good)
	for range 3 {
		if next := s.known(s.Good); !sameIdentity(first, next) {
			s.fail("the same credential gave %s, then %s", describe(first), describe(next))
		}
	}
}

func testExplicit(s *stand) {
	if got := s.known(s.Good).Explicit; got != s.Good.Explicit {
		s.fail("got Explicit %v, want %v", got, s.Good.Explicit)
	}
}

func testAnother(s *stand) {
	s.need(s.Other.given(), "Other credential")
	good, other := s.known(s.Good), s.known(s.Other)
	if good.ID == other.ID {
		s.fail("Good and Other are both %q", good.ID)
	}
}

func testWrong(s *stand)     { testRefused(s, "Wrong", s.Wrong, auth.ErrInvalidCredentials) }
func testStale(s *stand)     { testRefused(s, "Stale", s.Stale, auth.ErrNoCredentials) }
func testForbidden(s *stand) { testRefused(s, "Forbidden", s.Forbidden, auth.ErrForbidden) }

func testRefused(s *stand, name string, list []Credential, want error) {
	s.need(len(list) > 0, name+" credentials")
	for i, c := range list {
		if o := s.identify(c); !o.is(want) {
			s.fail("%s[%d]: got %s, want error %q", name, i, o, want)
		}
	}
	s.known(s.Good)
}

func testOneAnswer(s *stand) {
	for _, c := range s.everything() {
		s.identify(c) // looks for it
	}
}

func testCancelled(s *stand) {
	o := s.identify(s.Good, func(r *http.Request) *http.Request {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		return r.WithContext(ctx)
	})
	if o.refused() {
		s.fail("a good credential, and the client has left: got %s, want the identity or another error", o)
	}
}

func testShared(s *stand) {
	first := s.known(s.Good)
	was := copyOf(first)
	for _, c := range s.everything() {
		s.identify(c)
		s.ask(s.guard.CurrentUser(nil), s.request(http.MethodGet, c))
	}
	_, _ = s.update(auth.UserUpdate{DisplayName: ptr("Changed")}) // as far as it can be
	if now := copyOf(first); !reflect.DeepEqual(was, now) {
		s.fail("an identity was %+v and became %+v", was, now)
	}
}

func testConcurrent(s *stand) {
	// No guesses: enough of them would lock the address out.
	credentials := []Credential{{}, s.Good}
	if s.Other.given() {
		credentials = append(credentials, s.Other)
	}
	want := make([]string, len(credentials)) // IDs; empty: whatever it is
	for i, c := range credentials {
		if c.given() {
			want[i] = s.known(c).ID
		}
	}
	wrong := make(chan string, 1) // the first that goes wrong
	tell := func(format string, args ...any) {
		select {
		case wrong <- fmt.Sprintf(format, args...):
		default:
		}
	}
	s.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := s.Backend.Identify(r)
		if problem := (outcome{id, err}).problem(); problem != "" {
			tell("%s", problem)
		}
		if id != nil {
			w.Header().Set("Authtest-Id", id.ID)
		}
	}))
	const workers = 8
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for step := range 6 {
				i := (worker + step) % len(credentials)
				resp, err := s.client.Do(s.request(http.MethodGet, credentials[i]))
				if err != nil {
					tell("a request was not answered: %v", err)
					return
				}
				_ = resp.Body.Close()
				if got := resp.Header.Get("Authtest-Id"); want[i] != "" && got != want[i] {
					tell("got identity %q, want %q", got, want[i])
				}
			}
		})
	}
	all.Wait()
	select {
	case problem := <-wrong:
		s.fail("with %d callers at once: %s", workers, problem)
	default:
	}
}
