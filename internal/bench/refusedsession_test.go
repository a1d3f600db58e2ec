package bench_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// refusedSessionRows refuses cookies. One of a session that has ended must take as long as one that never was: else the
// time tells who has stolen an old cookie that it was one.
func refusedSessionRows(tb testing.TB) []row {
	db := newDB(tb)
	now := time.Now()
	users := addUsers(tb, db, 2, "")
	const expired, unused, living = 0, 1, 2 // numbers of sessions
	addSessions(tb, db, users[:1], expired, expired+1, now, now.Add(-time.Minute))
	addSessions(tb, db, users[:1], unused, unused+1, now.Add(-30*24*time.Hour), now.Add(time.Hour))
	addSessions(tb, db, users[1:], living, living+1, now, now.Add(time.Hour))
	const unknown = 1 << 20
	d := newDoor(tb, db, userauth.Config{})

	identify := func(cookie string) func() func() {
		return func() func() {
			r := get(tb, path, "Cookie", cookie)
			return func() {
				if _, err := d.Identify(r); !errors.Is(err, auth.ErrNoCredentials) {
					panic(err)
				}
			}
		}
	}
	guard := d.CurrentUser(auth.Permissions{"contents": {"read", "delete"}})
	answered := func(status int, cookie string) func() func() {
		return func() func() { return serve(routed(show, guard), get(tb, path, "Cookie", cookie), status) }
	}
	var clock leap
	early := func(cookie string) func() int {
		return func() int { return allocsBefore(tb, &clock, d, get(tb, path, "Cookie", cookie), required) }
	}
	is := func(number int) string { return cookieOf(sessionToken(number)) }
	short, foreign := cookieOf(sessionToken(unknown)[1:]), cookieOf(strings.Repeat("ä", 21)+"a")
	const base = "Identify: unknown session"
	return []row{
		{name: base, make: identify(is(unknown))},
		{name: "Identify: expired session", make: identify(is(expired)), against: base, within: 1.25},
		{name: "Identify: session unused for too long", make: identify(is(unused)), against: base, within: 1.25},
		{name: "Identify: no cookie", make: identify("theme=dark"), against: base, counted: true},
		{name: "Identify: too short", make: identify(short), against: base, counted: true},
		{name: "401 too short", make: answered(http.StatusUnauthorized, short), against: base, early: early(short)},
		{name: "401 other characters", make: answered(http.StatusUnauthorized, foreign), against: base, early: early(foreign)},
		{name: "401 unknown session", make: answered(http.StatusUnauthorized, is(unknown)), against: base},
		{name: "403 lacks a permission", make: answered(http.StatusForbidden, is(living)), against: base},
	}
}
