package bench_test

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/noauth"
	"github.com/ostiary/auth/tokenauth"
)

const (
	secret      = "6f1d4c8a9b3e7052d1c4f8a96b0e3d7525ab19cf"
	otherSecret = "0c9d7be2a4416f83955e12d07cb64fa83e51b7d2"
)

// quiet keeps no log: what is measured is the guard, not the formatting of a line and the disk. Neither does what it is
// compared with.
var quiet = slog.New(slog.DiscardHandler)

var granted = auth.Permissions{"contents": {"read", "write"}, "kernels": {"read"}}

// newTokens is tokenauth with the named token "editor", which holds granted, beside a shared one.
func newTokens(tb testing.TB, cfg tokenauth.Config) *tokenauth.Auth {
	tb.Helper()
	cfg.Auth.Logger = quiet
	cfg.Token = otherSecret
	cfg.Tokens = append(cfg.Tokens, tokenauth.Token{Name: "editor", Token: secret, Permissions: granted})
	a, err := tokenauth.New(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = a.Close() })
	return a
}

func newNoauth(tb testing.TB) *noauth.Auth {
	tb.Helper()
	a, err := noauth.New(tb.Context(), noauth.Config{Auth: auth.Config{Logger: quiet}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = a.Close() })
	return a
}

// show is a handler behind a guard that reads the user.
func show(w http.ResponseWriter, r *http.Request) {
	user, ok := auth.UserFrom(r.Context())
	if !ok || user.Username == "" {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// showAnybody is a handler behind an optional guard.
func showAnybody(w http.ResponseWriter, r *http.Request) {
	_, _ = auth.UserFrom(r.Context())
	w.WriteHeader(http.StatusNoContent)
}

func answer(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

const path = "/contents/report"

// routed mounts h behind the middlewares on a route of chi.
func routed(h http.HandlerFunc, middlewares ...func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	r.With(middlewares...).Get("/contents/{name}", h)
	return r
}

// guardRows is a whole request: chi, the guard, and a handler that reads the user.
func guardRows(tb testing.TB) []row {
	required := auth.Permissions{"contents": {"read", "write"}}
	tokens, open := newTokens(tb, tokenauth.Config{}), newNoauth(tb)
	user := &handUser{name: "editor", permissions: granted}
	byMap := handMap(map[string]*handUser{secret: user, otherSecret: {name: "shared"}}).require("contents", "read", "write")
	byCompare := handCompare(secret, user).require("contents", "read", "write")
	_, guardianRequire := newGuardian(secret, granted)
	cookie := loginCookie(tb, tokens, secret)

	withToken := func(h http.Handler) func() func() {
		return func() func() {
			return serve(h, get(tb, path, "Authorization", "Bearer "+secret), http.StatusNoContent)
		}
	}
	const chiAlone, hand = "chi alone", "by hand, digest in a map"
	return []row{
		{name: chiAlone, make: withToken(routed(answer))},
		{name: hand, make: withToken(routed(handShow, byMap)), against: chiAlone},
		{name: "by hand, one token compared", make: withToken(routed(handShow, byCompare)), against: hand},
		{name: "go-guardian, tokens in clear", make: withToken(routed(guardianShow, guardianRequire("contents", "read", "write"))), against: hand},
		{
			name: "token, 2 permissions", make: withToken(routed(show, tokens.CurrentUser(required))),
			against: hand, within: 1.05, counted: true, over: chiAlone, allocs: 1,
		},
		{name: "token, any user", make: withToken(routed(show, tokens.CurrentUser(nil))), against: hand, counted: true, over: chiAlone, allocs: 1},
		{
			name: "token, nested guards", make: withToken(routed(show, tokens.CurrentUser(nil), tokens.CurrentUser(required))),
			against: hand, counted: true, over: chiAlone, allocs: 2,
		},
		{name: "token, optional", make: withToken(routed(showAnybody, auth.OptionalUser(tokens))), against: hand, counted: true, over: chiAlone, allocs: 1},
		{name: "nobody, optional", against: hand, counted: true, over: chiAlone, allocs: 1, make: func() func() {
			return serve(routed(showAnybody, auth.OptionalUser(tokens)), get(tb, path), http.StatusNoContent)
		}},
		{name: "cookie, 2 permissions", against: hand, make: func() func() {
			return serve(routed(show, tokens.CurrentUser(required)), get(tb, path, "Cookie", cookie), http.StatusNoContent)
		}},
		{name: "noauth, 2 permissions", against: hand, counted: true, over: chiAlone, allocs: 1, make: func() func() {
			return serve(routed(show, open.CurrentUser(required)), get(tb, path), http.StatusNoContent)
		}},
	}
}

// bareRows is the guard without a router: what is left to compare when the same cost of chi is taken from both sides.
func bareRows(tb testing.TB) []row {
	required := auth.Permissions{"contents": {"read", "write"}}
	tokens := newTokens(tb, tokenauth.Config{})
	user := &handUser{name: "editor", permissions: granted}
	byMap := handMap(map[string]*handUser{secret: user, otherSecret: {name: "shared"}}).require("contents", "read", "write")
	byCompare := handCompare(secret, user).require("contents", "read", "write")
	_, guardianRequire := newGuardian(secret, granted)
	withToken := func(h http.Handler) func() func() {
		return func() func() {
			return serve(h, get(tb, path, "Authorization", "Bearer "+secret), http.StatusNoContent)
		}
	}
	const hand = "by hand, digest in a map"
	return []row{
		{name: hand, make: withToken(byMap(http.HandlerFunc(handShow)))},
		{name: "by hand, one token compared", make: withToken(byCompare(http.HandlerFunc(handShow))), against: hand},
		{name: "go-guardian", make: withToken(guardianRequire("contents", "read", "write")(http.HandlerFunc(guardianShow))), against: hand},
		{
			name: "token, 2 permissions", make: withToken(tokens.CurrentUser(required)(http.HandlerFunc(show))),
			against: hand, within: 1.05, counted: true, allocs: 1,
		},
		{name: "token, Identify alone", against: hand, counted: true, make: func() func() {
			r := get(tb, path, "Authorization", "Bearer "+secret)
			return func() {
				if _, err := tokens.Identify(r); err != nil {
					panic(err)
				}
			}
		}},
	}
}

// loginCookie trades a token for a cookie, as a browser does that opens a link.
func loginCookie(tb testing.TB, a *tokenauth.Auth, token string) string {
	tb.Helper()
	w := newWriter()
	r := get(tb, path+"?token="+token, "Accept", "text/html")
	routed(show, a.CurrentUser(nil)).ServeHTTP(w, r)
	cookies := (&http.Response{Header: w.header}).Cookies()
	if w.status != http.StatusSeeOther || len(cookies) != 1 {
		tb.Fatalf("got status %d and %d cookies, want 303 and 1", w.status, len(cookies))
	}
	return cookies[0].Name + "=" + cookies[0].Value
}
