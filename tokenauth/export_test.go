package tokenauth

import (
	"net/http"
	"time"

	"github.com/ostiary/auth/internal/password"
)

// What the tests of this package look at from outside.

// FromHeader and FromQuery read a token from a request.
var (
	FromHeader = fromHeader
	FromQuery  = fromQuery
)

// A Digest is what a token is found by.
type Digest = digest

// DigestOf gives the digest of a token.
func DigestOf(token string) Digest { return digestOf(token) }

// Digests are those of all of a's tokens.
func Digests(a *Auth) (all []Digest) {
	for d := range a.byWord {
		all = append(all, d)
	}
	return all
}

// LimitRevocations makes a keep so many.
func LimitRevocations(a *Auth, limit int) { a.revoked.limit = limit }

// GuestsKept is how many guests a holds in memory.
func GuestsKept(a *Auth) int { return a.guests.Len() }

// A Login is what a cookie says.
type Login = login

// Sign and ParseLogin are the two sides of a login cookie.
func Sign(l Login, key []byte) string { return l.sign(key) }

// ParseLogin reads value under the key of any grant.
func ParseLogin(value string, key []byte) (Login, bool) {
	return parseLogin(value, func([8]byte) []byte { return key })
}

// IdentifyError asks a for the caller of r, without the guard.
func IdentifyError(a *Auth, r *http.Request) error {
	_, err := a.Identify(r)
	return err
}

// HasherOf is what a hashes passwords with.
func HasherOf(a *Auth) *password.Hasher { return a.hasher }

// NewLogin makes a login of these parts.
func NewLogin(guest []byte, issued time.Time, number uint64) (l Login) {
	copy(l.guest[:], guest)
	copy(l.grant[:], guest)
	l.issued, l.number = issued, number
	return l
}

// RevocationsKept is how many ended logins a remembers one by one.
func RevocationsKept(a *Auth) int {
	a.revoked.mu.RLock()
	defer a.revoked.mu.RUnlock()
	kept := 0
	for _, e := range a.revoked.byGrant {
		kept += len(e.numbers)
	}
	return kept
}
