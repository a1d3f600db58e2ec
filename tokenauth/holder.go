package tokenauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/guest"
	"github.com/ostiary/auth/internal/watch"
)

// A digest is the SHA-256 of a token. Tokens are found by it alone: how long a look-up takes says something about the
// digest, which nobody can steer towards that of a token, and nothing about the token (ASVS 11.2.4).
type digest [sha256.Size]byte

// digestOf allocates nothing for tokens of up to 128 bytes: it is on the path of every request, also of one that guesses.
func digestOf(token string) digest {
	var stack [128]byte
	return sha256.Sum256(append(stack[:0], token...))
}

// A grant is what a token, or the shared password, stands for.
type grant struct {
	name        string // empty: the shared one
	permissions auth.Permissions
	roles       []string
	all         bool
	expires     time.Time

	id  [8]byte // in cookies: which grant they were issued for
	key []byte  // signs those cookies: bound to the token and to this process
	api watch.Cell[*auth.Identity]
}

// newGrant derives what follows from the secret. processKey is random and never leaves the process.
func newGrant(processKey []byte, secret digest, t Token) *grant {
	g := &grant{name: t.Name, permissions: t.Permissions.Clone(), roles: slices.Clone(t.Roles), all: t.Name == "", expires: t.Expires}
	g.key = derive(processKey, "cookie", secret)
	copy(g.id[:], derive(processKey, "grant", secret))

	// API clients have no browser to be told apart by: they are one user per token. The shared token's is derived with
	// the process key, since a weak token could be guessed from a plain hash of it, which others get to see.
	id := guest.DeriveID(derive(processKey, "api", secret), "tokenauth api")
	if t.Name != "" {
		id = guest.DeriveID([]byte(t.Name), "tokenauth name")
	}
	_ = g.api.Update(func(*auth.Identity) *auth.Identity { // a new cell hasn't ended
		return g.identity(id, guestUser(id), true, &apiSession{g})
	})
	return g
}

func derive(key []byte, purpose string, secret digest) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s\x00%s", purpose, secret[:])
	return mac.Sum(nil)
}

// identity is that of a holder of g.
func (g *grant) identity(id guest.ID, user auth.User, explicit bool, s auth.Session) *auth.Identity {
	return &auth.Identity{
		ID: idOf(id), User: user,
		Permissions: g.permissions, Roles: g.roles, Unrestricted: g.all,
		Explicit: explicit, Expires: g.expires, Session: s,
	}
}

// nobody is what an unknown token stands for: expired for ever.
var nobody = &grant{expires: time.Unix(0, 0)}

// expired asks for the time only where it matters.
func (g *grant) expired(now func() time.Time) bool {
	return !g.expires.IsZero() && !now().Before(g.expires)
}

func idOf(id guest.ID) string { return "token:" + id.String() }

func guestUser(id guest.ID) auth.User {
	p := id.Profile()
	return auth.User{Username: id.String(), Name: p.Name, DisplayName: p.Name, Initials: p.Initials, Color: p.Color, Anonymous: true}
}

// An apiSession is that of all API clients of one token.
type apiSession struct{ g *grant }

func (s *apiSession) Current() (*auth.Identity, error)   { return s.g.api.Load() }
func (s *apiSession) Watch(changed func()) (stop func()) { return s.g.api.Watch(changed) }

// A guestSession is that of one logged-in browser.
type guestSession struct {
	b     *backend
	g     *grant // what proved this request: the cookie's own grant, or that of a header's token
	login login
}

func (s *guestSession) Current() (*auth.Identity, error) { return s.identity(false) }

func (s *guestSession) identity(explicit bool) (*auth.Identity, error) {
	if s.b.revoked.has(s.login) {
		return nil, auth.ErrSessionEnded
	}
	user, err := s.b.guests.Load(s.login.guest)
	if err != nil {
		return nil, err
	}
	id := s.g.identity(s.login.guest, user, explicit, s)
	if end := s.login.issued.Add(s.b.lifetime); id.Expires.IsZero() || end.Before(id.Expires) {
		id.Expires = end
	}
	return id, nil
}

func (s *guestSession) Watch(changed func()) (stop func()) {
	return s.b.guests.Watch(s.login.guest, changed)
}
