// Package authtest proves backends and helps to test what is guarded by them.
//
// [TestBackend] is the conformance suite for any [auth.Backend] and [auth.Plugin]: each rule that the guard relies on is
// a subtest that says the rule in words where it fails. [As] and [Nobody] stand in for a backend in the tests of an
// application. [Audit] finds the routes of an application that nobody guards.
//
// Everything here is for tests. It needs no network but loopback.
package authtest

import (
	"net/http"
	"slices"
	"testing"

	"github.com/ostiary/auth"
)

// A Subject is a backend under test, and what the suite can't know of it. Only Backend and Good are needed; what else
// is there lets more rules be tested, and the tests of the others are skipped.
type Subject struct {
	// Backend is what is tested. Where it is an [auth.Auth] too, its own guard is.
	Backend auth.Backend
	// Good is a credential of somebody.
	Good Credential
	// Open says that who brings no credential is let in too, as noauth does. Good may then be the zero Credential.
	Open bool
	// Other is a good credential of somebody else.
	Other Credential
	// Wrong are credentials that are offered on purpose and aren't good: ErrInvalidCredentials. The first one of a
	// backend that counts guesses must not be limited yet.
	Wrong []Credential
	// Stale are those that a browser still has from another time: ErrNoCredentials.
	Stale []Credential
	// Forbidden are those of who is known and must not come in here: ErrForbidden.
	Forbidden []Credential
	// Holds are permissions that Good holds, without the help of a role; Lacks are some that it doesn't.
	Holds, Lacks auth.Permissions
	// End ends what Good stands for, as a logout does, a revocation, or the deletion of its owner.
	End func()
	// Break makes what the backend asks unreachable: its database, its provider.
	Break func()
}

// A Credential is what a request carries to say who sends it. The zero Credential is none.
type Credential struct {
	// Send attaches it to a request that a client is about to send.
	Send func(*http.Request)
	// Receive attaches to the request that the server has received what no header carries: a client certificate in
	// r.TLS, the address of a proxy in r.RemoteAddr.
	Receive func(*http.Request)
	// Explicit is what Identity.Explicit must be. It is false for whatever a browser sends by itself: a cookie, a client
	// certificate, what a proxy adds.
	Explicit bool
	// Secret is the part that must be in no log line, error and answer. Empty: there is none.
	Secret string
}

func (c Credential) given() bool { return c.Send != nil || c.Receive != nil }

// TestBackend tests a backend as slogtest tests a handler. setup makes a new one for each rule, which all run in
// parallel, and fails t where it can't. It passes cfg on to the backend's own Config where that has one: PublicURL is the
// address of a server on loopback, through which all requests go, and Logger is looked through for secrets. setup may
// send requests to the backend's Routes, under that address, in order to log in.
//
//	func TestConformance(t *testing.T) {
//		authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
//			return authtest.Subject{
//				Backend: myauth.New(),
//				Good:    authtest.Credential{Explicit: true, Send: func(r *http.Request) { r.Header.Set("Api-Key", "k1") }},
//			}
//		})
//	}
//
// Call it once for each kind of credential. Use -race. What it can't see: whether the backend tells two people apart
// that it wasn't shown, and how long it takes to refuse.
func TestBackend(t *testing.T, setup func(t testing.TB, cfg auth.Config) Subject) {
	t.Helper()
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.check(newStand(t, r, patience, setup))
		})
	}
}

// A rule is what a backend has to keep to, and how to find out.
type rule struct {
	name  string
	text  string
	check func(*stand)
}

func rules() []rule {
	return slices.Concat(identifyRules(), guardRules(), socketRules(), sessionRules(), profileRules(), answerRules())
}
