package bench_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
	"github.com/ostiary/auth/userauth"
)

// benchSessions is how many sessions the rows share out: each goroutine of a row has some of its own.
const benchSessions = 256

// idle is how long a session may be unused where that is limited at all.
const idle = 24 * time.Hour

// sessionDoors are the same users and sessions behind our guard, at http on a laptop and at https, and behind the others.
type sessionDoors struct {
	laptop, public             *door
	hand, library              func(http.Handler) http.Handler // the cookie read by hand, and by net/http
	scsPlain, scsIdle, gorilla func(http.Handler) http.Handler

	scsPlainLogin, scsIdleLogin, gorillaLogin func() string
}

func newSessionDoors(tb testing.TB) *sessionDoors {
	var d sessionDoors
	db := inUse(tb, newDB(tb), benchSessions)
	d.laptop = newDoor(tb, db, userauth.Config{})
	d.public = newDoor(tb, db, userauth.Config{Auth: auth.Config{PublicURL: "https://" + host}})
	memory := newHandSessions(&handUser{name: "editor", permissions: granted}, benchSessions)
	find := func(_ context.Context, token string) *handUser { return memory.find(token) }
	d.hand = handGuard(handCookie, find, "contents", "read", "write")
	d.library = handGuard(libraryCookie, find, "contents", "read", "write")
	d.scsPlain, d.scsPlainLogin = newSCS(tb, nil, 0)
	d.scsIdle, d.scsIdleLogin = newSCS(tb, nil, idle)
	d.gorilla, d.gorillaLogin = newGorilla(tb)
	return &d
}

// cookie is the cookie of one more session.
func (d *door) cookie() string { return cookieOf(d.token()) }

func (d *door) secureCookie() string { return "__Host-ostiary-user=" + d.token() }

func (d *door) token() string { return sessionToken(int(d.next.Add(1)-1) % benchSessions) }

// withCookie gives each goroutine a cookie of its own.
func withCookie(tb testing.TB, h http.Handler, cookie func() string) func() func() {
	return func() func() { return serve(h, get(tb, path, "Cookie", cookie()), http.StatusNoContent) }
}

// sessionRows is a whole request of a browser whose session is in memory.
func sessionRows(tb testing.TB) []row {
	d := newSessionDoors(tb)
	chain, err := auth.New(auth.Config{Logger: quiet}, newTokens(tb, tokenauth.Config{}), newDoor(tb, d.laptop.db, userauth.Config{}).Auth)
	if err != nil {
		tb.Fatal(err)
	}
	through := func(h http.HandlerFunc, cookie func() string, guards ...func(http.Handler) http.Handler) func() func() {
		return withCookie(tb, routed(h, guards...), cookie)
	}
	laptop, public := d.laptop.cookie, d.public.secureCookie
	const chiAlone, hand, handShown = "chi alone", "by hand", "by hand, shows the user"
	const ours = "session, 2 permissions"
	return []row{
		{name: chiAlone, make: through(answer, laptop)},
		{name: hand, make: through(answer, laptop, d.hand), against: chiAlone},
		{name: "by hand, r.Cookie", make: through(answer, laptop, d.library), against: hand},
		{name: ours, make: through(answer, laptop, d.laptop.CurrentUser(required)), against: hand, within: 1.15, counted: true, over: chiAlone, allocs: 1},
		{name: "session, 2 permissions, https", make: through(answer, public, d.public.CurrentUser(required)), against: hand, within: 1.15, counted: true, over: chiAlone, allocs: 1},
		{name: "session, any user", make: through(answer, laptop, d.laptop.CurrentUser(nil)), against: hand, counted: true, over: chiAlone, allocs: 1},
		{name: "session, nested guards", make: through(answer, laptop, d.laptop.CurrentUser(nil), d.laptop.CurrentUser(required)), against: hand, counted: true, over: chiAlone, allocs: 2},
		{name: "session, behind tokens in a chain", make: through(answer, laptop, chain.CurrentUser(required)), against: hand, counted: true, over: chiAlone, allocs: 1},
		{name: handShown, make: through(handShow, laptop, d.hand), against: chiAlone},
		{name: "session, shows the user", make: through(show, laptop, d.laptop.CurrentUser(required)), against: handShown, counted: true, over: chiAlone, allocs: 1},
		{name: "scs memstore", make: through(answer, d.scsPlainLogin, d.scsPlain), against: ours},
		{name: "scs memstore, idle limit", make: through(answer, d.scsIdleLogin, d.scsIdle), against: ours},
		{name: "gorilla CookieStore", make: through(answer, d.gorillaLogin, d.gorilla), against: ours},
	}
}

// bareSessionRows is the same without a router.
func bareSessionRows(tb testing.TB) []row {
	d := newSessionDoors(tb)
	bare := func(cookie func() string, guard func(http.Handler) http.Handler) func() func() {
		return withCookie(tb, guard(http.HandlerFunc(answer)), cookie)
	}
	laptop, public := d.laptop.cookie, d.public.secureCookie
	const hand, ours = "by hand", "session, 2 permissions"
	return []row{
		{name: hand, make: bare(laptop, d.hand)},
		{name: ours, make: bare(laptop, d.laptop.CurrentUser(required)), against: hand, counted: true, allocs: 1},
		{name: "session, 2 permissions, https", make: bare(public, d.public.CurrentUser(required)), against: hand, counted: true, allocs: 1},
		{name: "session, Identify alone", against: hand, counted: true, make: func() func() {
			r := get(tb, path, "Cookie", laptop())
			return func() {
				if _, err := d.laptop.Identify(r); err != nil {
					panic(err)
				}
			}
		}},
		{name: "scs memstore", make: bare(d.scsPlainLogin, d.scsPlain), against: ours, beyond: 24},
		{name: "scs memstore, idle limit", make: bare(d.scsIdleLogin, d.scsIdle), against: ours, beyond: 24},
	}
}
