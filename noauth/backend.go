package noauth

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/cookie"
	"github.com/ostiary/auth/internal/guest"
	"github.com/ostiary/auth/internal/site"
	"github.com/ostiary/auth/internal/watch"
)

const guestCookieAge = 365 * 24 * time.Hour

type backend struct {
	site   *site.Site
	shared bool
	remote bool
	one    watch.Cell[*auth.Identity] // the configured user
	cookie cookie.Spec
	guests *watch.Book[guest.ID, *auth.Identity]
}

// Identify implements [auth.Backend]. No header but the guest's own cookie says who the caller is.
func (b *backend) Identify(r *http.Request) (*auth.Identity, error) {
	// Fail closed: what isn't certainly local is refused, also where the server doesn't tell the local address.
	if !b.remote && !local(r) {
		return nil, auth.ErrForbidden
	}
	// Who comes from anywhere still has to name this server: a page of evil.example, a name that its owner has pointed
	// here, could else read everything through the browser of whoever visits it (DNS rebinding).
	if b.remote && b.site.Host(r) != nil {
		return nil, auth.ErrForbidden
	}
	if !b.shared {
		return b.one.Load()
	}
	key, n := b.cookie.Read(r, b.site.HTTPS(r))
	if n > 1 {
		return nil, auth.ErrInvalidCredentials
	}
	s := guestSession{b: b, key: key}
	if !validKey(key) {
		s.key, s.fresh = rand.Text(), true
	}
	// The cookie's value is the guest's secret and the id a hash of it: who sees another's id can't become that guest.
	s.id = guest.DeriveID([]byte(s.key), "noauth guest")
	return s.Current()
}

// Respond implements [auth.Responder]: it gives a new guest its cookie.
func (b *backend) Respond(r *http.Request, id *auth.Identity) (auth.Effects, error) {
	s, ok := id.Session.(guestSession)
	if !ok || !s.fresh {
		return auth.Effects{}, nil
	}
	if err := b.site.Cookies(r); err != nil {
		return auth.Effects{}, nil //nolint:nilerr // no cookie can be set here: the guest is a new one each time
	}
	return auth.Effects{SetCookies: []*http.Cookie{b.cookie.Set(r, b.site.HTTPS(r), s.key)}}, nil
}

// StoreProfile implements [auth.ProfileStore]: in memory, for the caller alone.
func (b *backend) StoreProfile(_ context.Context, id auth.Identity, update auth.UserUpdate) (user auth.User, err error) {
	change := func(old *auth.Identity) *auth.Identity {
		c := *old
		c.User = update.Apply(old.User)
		user = c.User
		return &c
	}
	switch s := id.Session.(type) {
	case oneUser:
		err = b.one.Update(change)
	case guestSession:
		err = b.guests.Update(s.id, change)
	default:
		err = auth.ErrForbidden // unreachable: the identity is none of ours
	}
	return user, err
}

// validKey accepts what rand.Text makes: 26 base32 digits, 130 bits.
func validKey(s string) bool {
	return len(s) == 26 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// local reports whether the request went from this machine to this machine, under a name that no foreign page can use
// and past no proxy.
func local(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !loopback(addr) || !site.LoopbackAddr(r.RemoteAddr) || !site.Loopback(r.Host) {
		return false
	}
	for name := range r.Header {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return false
		}
	}
	return true
}

// loopback asks a TCP address itself: as text it would be written and read again at every request.
func loopback(addr net.Addr) bool {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp != nil {
		return tcp.IP.IsLoopback()
	}
	return site.LoopbackAddr(addr.String())
}

// oneUser is the session of the configured user.
type oneUser struct{ b *backend }

func (s oneUser) Current() (*auth.Identity, error)   { return s.b.one.Load() }
func (s oneUser) Watch(changed func()) (stop func()) { return s.b.one.Watch(changed) }

// guestSession is that of a guest's browser. It ends with the server alone.
type guestSession struct {
	b     *backend
	key   string // the cookie's value
	id    guest.ID
	fresh bool // the browser doesn't have the cookie yet
}

// Format implements [fmt.Formatter]: whoever prints an identity doesn't print the guest's secret.
func (s guestSession) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "noauth guest "+s.id.String())
}

func (s guestSession) Current() (*auth.Identity, error) {
	id, err := s.b.guests.Load(s.id)
	if err != nil {
		return nil, err
	}
	c := *id
	c.Session = s
	return &c, nil
}

func (s guestSession) Watch(changed func()) (stop func()) { return s.b.guests.Watch(s.id, changed) }
