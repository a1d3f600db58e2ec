package noauth_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/noauth"
)

// Nobody offers a credential here: what is forbidden is to come from elsewhere.
func TestConformance(t *testing.T) {
	t.Parallel()
	authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
		return authtest.Subject{
			Backend: conformanceNew(t, noauth.Config{Auth: cfg, User: auth.User{Username: "ada", Name: "Ada"}}),
			Open:    true,
			Forbidden: []authtest.Credential{
				{Receive: func(r *http.Request) { r.RemoteAddr = "192.0.2.7:4711" }},
				{Send: func(r *http.Request) { r.Host = "rebound.example" }},
				{Send: func(r *http.Request) { r.Header.Set("X-Forwarded-For", "127.0.0.1") }},
				{Send: func(r *http.Request) { r.Header.Set("Via", "1.1 proxy") }},
			},
			Holds: auth.Permissions{"contents": {"read", "write"}},
		}
	})
}

func TestConformanceShared(t *testing.T) {
	t.Parallel()
	authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
		a := conformanceNew(t, noauth.Config{Auth: cfg, Shared: true})
		return authtest.Subject{
			Backend: a,
			Open:    true,
			Good:    conformanceGuest(t, a, cfg.PublicURL),
			Other:   conformanceGuest(t, a, cfg.PublicURL),
			Holds:   auth.Permissions{"contents": {"read", "write"}},
		}
	})
}

func conformanceNew(t testing.TB, cfg noauth.Config) *noauth.Auth {
	a, err := noauth.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// conformanceGuest opens a page in a new browser, and keeps the cookie that it gets.
func conformanceGuest(t testing.TB, a *noauth.Auth, url string) authtest.Credential {
	r := httptest.NewRequest(http.MethodGet, url+"/", nil)
	r.RemoteAddr = "127.0.0.1:4711"
	r = r.WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80})))
	w := httptest.NewRecorder()
	a.CurrentUser(nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("a new browser got %d cookies and status %d, want one cookie", len(cookies), w.Code)
	}
	return authtest.Credential{Secret: cookies[0].Value, Send: func(r *http.Request) { r.AddCookie(cookies[0]) }}
}
