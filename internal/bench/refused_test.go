package bench_test

import (
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// A leap is a clock that jumps, so that one guess after another gets past the limit on guesses: what is measured is the
// refusal of a credential, not of a guess too many.
type leap struct{ hours atomic.Int64 }

func (l *leap) now() time.Time {
	t := time.Now() // what a real clock costs, too
	return time.Unix(t.Unix()+3600*l.hours.Load(), int64(t.Nanosecond()))
}

func (l *leap) jump() { l.hours.Add(1) }

const (
	unknownSecret = "b1d9e07f35a24c6688fe3a5d7c90124be6a87f03"
	expiredSecret = "5e92c07ab84d4f16a3fd61b2e7089cc5d41ae36b"
)

// refusedRows refuses: by the backend alone, and with the whole answer.
func refusedRows(tb testing.TB) []row {
	var clock leap
	tokens := newTokens(tb, tokenauth.Config{
		Auth:   auth.Config{Now: clock.now},
		Tokens: []tokenauth.Token{{Name: "expired", Token: expiredSecret, Permissions: granted, Expires: time.Now()}},
	})
	required := auth.Permissions{"contents": {"read", "delete"}}
	cookie := loginCookie(tb, tokens, otherSecret)
	user := &handUser{name: "editor", permissions: granted}
	byMap := handMap(map[string]*handUser{secret: user, otherSecret: {name: "shared"}}).require("contents", "read", "delete")
	_, guardianRequire := newGuardian(secret, granted)

	identify := func(want error, headers ...string) func() func() {
		return func() func() {
			r := get(tb, path, headers...)
			return func() {
				clock.jump()
				if _, err := tokens.Identify(r); !errors.Is(err, want) {
					panic(err)
				}
			}
		}
	}
	refused := func(h http.Handler, status int, headers ...string) func() func() {
		return func() func() {
			op := serve(h, get(tb, path, headers...), status)
			return func() {
				clock.jump()
				op()
			}
		}
	}
	early := func(headers ...string) func() int {
		return func() int {
			return allocsBefore(tb, &clock, tokens, get(tb, path, headers...), required)
		}
	}
	guard := routed(show, tokens.CurrentUser(required))
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	forged := []string{"Cookie", alter(tb, cookie, -1)}
	stranger := []string{"Cookie", alter(tb, cookie, -32-16-8)}

	const unknown, hand = "Identify: unknown token", "401 by hand: unknown token"
	const forbidden = "403 by hand: lacks a permission"
	return []row{
		{name: unknown, make: identify(auth.ErrInvalidCredentials, bearer(unknownSecret)...), counted: true},
		{name: "Identify: known, expired token", make: identify(auth.ErrInvalidCredentials, bearer(expiredSecret)...), against: unknown, within: 1.1, counted: true},
		{name: "Identify: nobody", make: identify(auth.ErrNoCredentials), against: unknown, counted: true},
		{name: "Identify: forged cookie, known grant", make: identify(auth.ErrNoCredentials, forged...), against: unknown},
		{name: "Identify: forged cookie, unknown grant", make: identify(auth.ErrNoCredentials, stranger...), against: unknown},
		{name: hand, make: refused(routed(handShow, byMap), http.StatusUnauthorized, bearer(unknownSecret)...)},
		{name: "401 go-guardian: unknown token", make: refused(routed(guardianShow, guardianRequire("contents", "read")), http.StatusUnauthorized, bearer(unknownSecret)...), against: hand},
		{name: "401 unknown token", make: refused(guard, http.StatusUnauthorized, bearer(unknownSecret)...), against: hand, early: early(bearer(unknownSecret)...)},
		{name: "401 known, expired token", make: refused(guard, http.StatusUnauthorized, bearer(expiredSecret)...), against: "401 unknown token", within: 1.1, early: early(bearer(expiredSecret)...)},
		{name: "401 nobody", make: refused(guard, http.StatusUnauthorized), against: hand, early: early()},
		{name: forbidden, make: refused(routed(handShow, byMap), http.StatusForbidden, bearer(secret)...)},
		{name: "403 lacks a permission", make: refused(guard, http.StatusForbidden, bearer(secret)...), against: forbidden, early: early(bearer(secret)...)},
	}
}

// alter changes a byte of the value of a login cookie, counted from its end.
func alter(tb testing.TB, cookie string, at int) string {
	tb.Helper()
	name, value, _ := strings.Cut(cookie, "=")
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		tb.Fatal(err)
	}
	raw[len(raw)+at] ^= 1
	return name + "=" + base64.RawURLEncoding.EncodeToString(raw)
}

// allocsBefore counts what the guard allocates for r before it begins to answer that r is refused. The answer begins
// where the guard takes the headers for the second time: the first time it sets those that every answer has.
func allocsBefore(tb testing.TB, clock *leap, b auth.Backend, r *http.Request, required auth.Permissions) int {
	tb.Helper()
	// Without its challenge, which belongs to the answer.
	g, err := auth.New(auth.Config{Logger: quiet}, auth.BackendFunc(b.Identify))
	if err != nil {
		tb.Fatal(err)
	}
	h := g.CurrentUser(required)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("not refused") }))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const runs = 20
	w := &earlyWriter{writer: newWriter()}
	least := uint64(math.MaxUint64) // what else the process does meanwhile only adds
	for range runs {
		w.reset()
		w.taken = 0
		clock.jump()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		h.ServeHTTP(w, r)
		least = min(least, w.at.Mallocs-before.Mallocs)
	}
	return int(least)
}

// An earlyWriter takes stock when the headers are taken for the second time.
type earlyWriter struct {
	*writer
	taken int
	at    runtime.MemStats
}

func (w *earlyWriter) Header() http.Header {
	if w.taken++; w.taken == 2 {
		runtime.ReadMemStats(&w.at)
	}
	return w.writer.Header()
}
