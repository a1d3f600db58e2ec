package tokenauth_test

import (
	"crypto/sha1"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/tokenauth"
)

const (
	conformanceShared   = "51f0c3a97e2b4d68a1f5c09b3e7d2486c5a1b0f9e8d7c6b5"
	conformanceReader   = "reader-0c9b8a7f6e5d4c3b2a19081726354453"
	conformanceWriter   = "writer-9a8b7c6d5e4f30211203f4e5d6c7b8a9"
	conformanceGone     = "gone-77665544332211009988aabbccddeeff00"
	conformancePassword = "heron-violet-anchors-58"
)

// conformanceConfig has a shared token, two named ones and one that has expired.
func conformanceConfig(cfg auth.Config) tokenauth.Config {
	return tokenauth.Config{
		Auth:  cfg,
		Token: conformanceShared,
		Tokens: []tokenauth.Token{
			{Name: "reader", Token: conformanceReader, Permissions: auth.Permissions{"contents": {"read"}}},
			{Name: "writer", Token: conformanceWriter, Permissions: auth.Permissions{"contents": {"read", "write"}}},
			{Name: "gone", Token: conformanceGone, Expires: time.Now().Add(-time.Hour)},
		},
	}
}

func TestConformanceOfTokensInTheHeader(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"Bearer", "token"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
				return authtest.Subject{
					Backend: conformanceNew(t, conformanceConfig(cfg)),
					Good:    conformanceHeader(scheme, conformanceReader),
					Other:   conformanceHeader(scheme, conformanceWriter),
					Wrong:   []authtest.Credential{conformanceHeader(scheme, "guess-5c4b3a29181706f5"), conformanceHeader(scheme, conformanceGone)},
					Stale:   conformanceStale(),
					Holds:   auth.Permissions{"contents": {"read"}},
					Lacks:   auth.Permissions{"contents": {"write"}},
				}
			})
		})
	}
}

func TestConformanceOfTokensInTheAddress(t *testing.T) {
	t.Parallel()
	authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
		return authtest.Subject{
			Backend: conformanceNew(t, conformanceConfig(cfg)),
			Good:    conformanceQuery(conformanceShared),
			Other:   conformanceQuery(conformanceReader),
			Wrong:   []authtest.Credential{conformanceHeader("Bearer", "guess-5c4b3a29181706f5")},
			Stale:   conformanceStale(),
			Holds:   auth.Permissions{"contents": {"read", "write"}, "anything": {"else"}},
		}
	})
}

func TestConformanceOfLogins(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, secret string
		config       func(auth.Config) tokenauth.Config
	}{
		{"with the token", conformanceShared, conformanceConfig},
		{"with the password", conformancePassword, func(cfg auth.Config) tokenauth.Config {
			// Jupyter's old hash, since argon2id for each rule would take long.
			hash := fmt.Sprintf("sha1:5a17:%x", sha1.Sum([]byte(conformancePassword+"5a17")))
			return tokenauth.Config{Auth: cfg, Mode: tokenauth.PasswordMode, PasswordHash: hash}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authtest.TestBackend(t, func(t testing.TB, cfg auth.Config) authtest.Subject {
				a := conformanceNew(t, tc.config(cfg))
				browser := conformanceLogin(t, a, cfg.PublicURL, tc.secret)
				return authtest.Subject{
					Backend: a,
					Good:    conformanceCookie(browser),
					Other:   conformanceCookie(conformanceLogin(t, a, cfg.PublicURL, tc.secret)),
					Wrong:   []authtest.Credential{conformanceHeader("Bearer", "guess-5c4b3a29181706f5")},
					Stale:   conformanceStale(),
					Holds:   auth.Permissions{"contents": {"read", "write"}},
					End:     func() { conformanceLogout(t, a, cfg.PublicURL, browser) },
				}
			})
		})
	}
}

func conformanceNew(t testing.TB, cfg tokenauth.Config) *tokenauth.Auth {
	a, err := tokenauth.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func conformanceHeader(scheme, token string) authtest.Credential {
	return authtest.Credential{Explicit: true, Secret: token, Send: func(r *http.Request) { r.Header.Set("Authorization", scheme+" "+token) }}
}

func conformanceQuery(token string) authtest.Credential {
	return authtest.Credential{Explicit: true, Secret: token, Send: func(r *http.Request) { r.URL.RawQuery += "&token=" + url.QueryEscape(token) }}
}

func conformanceCookie(c *http.Cookie) authtest.Credential {
	return authtest.Credential{Secret: c.Value, Send: func(r *http.Request) { r.AddCookie(c) }}
}

// conformanceStale are an old link, an expired one, and a cookie that is no login.
func conformanceStale() []authtest.Credential {
	return []authtest.Credential{
		conformanceQuery("old-aabbccddeeff00112233"),
		conformanceQuery(conformanceGone),
		{Secret: "AQIDBAUGBwgJ", Send: func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: "ostiary-token-" + r.URL.Port(), Value: "AQIDBAUGBwgJ"})
		}},
	}
}

// conformanceLogin logs in with the form, and gives the login cookie.
func conformanceLogin(t testing.TB, a *tokenauth.Auth, base, secret string) *http.Cookie {
	w := conformancePost(a, base+"/auth/login", url.Values{"password": {secret}}, nil)
	for _, c := range w.Result().Cookies() {
		if !strings.Contains(c.Name, "device") {
			return c
		}
	}
	t.Fatalf("login: got status %d and no cookie", w.Code)
	return nil
}

func conformanceLogout(t testing.TB, a *tokenauth.Auth, base string, c *http.Cookie) {
	if w := conformancePost(a, base+"/auth/logout", nil, c); w.Code != http.StatusSeeOther {
		t.Errorf("logout: got %d, want 303", w.Code)
	}
}

func conformancePost(a *tokenauth.Auth, address string, form url.Values, c *http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c != nil {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	a.Routes().ServeHTTP(w, r)
	return w
}
