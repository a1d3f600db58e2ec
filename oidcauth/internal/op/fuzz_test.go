package op_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

// What is taken can be sent on in a header and has an expiry that a clock will show.
func FuzzTokenResponse(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"a","token_type":"Bearer","expires_in":300,"id_token":"i","refresh_token":"r","scope":"openid"}`,
		`{"access_token":"a","token_type":"bEARER","expires_in":1e9}`,
		`{"access_token":"a","token_type":"Bearer","expires_in":"300"}`,
		`{"access_token":"a\n","token_type":"Bearer"}`,
		`{"access_token":"a","access_token":"b","token_type":"Bearer"}`,
		`{"access_token":null,"token_type":"Bearer"}`, `{}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	asked := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := op.ParseTokens(body, asked)
		if err != nil {
			if got != nil {
				t.Fatal("got tokens beside an error")
			}
			return
		}
		if got.Access == "" || strings.ContainsFunc(got.Access+got.Refresh+got.ID+got.Scope, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("took %q", body)
		}
		if !got.Expires.IsZero() && (got.Expires.Before(asked) || got.Expires.After(asked.AddDate(10, 0, 0))) {
			t.Fatalf("took %q, which expires %s", body, got.Expires)
		}
	})
}

// What is behind https:// up to its port, path or query, and hosts that somebody reads as another than is written.
var (
	hostname = regexp.MustCompile(`^(\[[^]]*\]|[^:/?]*)`)
	misread  = regexp.MustCompile(`[^0-9a-z._-]|\.$|(^|\.)localhost$|(^|\.)([0-9]+|0x[0-9a-f]*)$`)
)

// Metadata that is taken names https endpoints of somebody else than this machine only.
func FuzzMetadata(f *testing.F) {
	const issuer = "https://op.example"
	const good = `{"issuer":"https://op.example","authorization_endpoint":"https://op.example/a","token_endpoint":"https://op.example/t",` +
		`"jwks_uri":"https://op.example/j"}`
	f.Add([]byte(good))
	for _, jwks := range []string{
		"http://op.example/j", "file:///etc/passwd", "https://127.0.0.1/", "https://169.254.169.254/", "https://localhost/", "https://a@b/",
		"https://op.example/#", "//op.example", "https:op", "https://[::1]:1/", "https://[fe80::1%25a]/", "https://127.1/", "https://0x7f.1?x", "https://localhost.:1/",
		"https://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/",
	} {
		f.Add([]byte(strings.Replace(good, "https://op.example/j", jwks, 1)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := op.ParseMetadata(body, issuer)
		if err != nil {
			return
		}
		if m.Issuer != issuer || m.Authorization == "" || m.Token == "" || m.Keys == "" {
			t.Fatalf("took %q", body)
		}
		for _, endpoint := range []string{
			m.Authorization, m.Token, m.Keys, m.UserInfo, m.Introspection, m.Revocation, m.PAR, m.EndSession,
		} {
			if endpoint == "" {
				continue
			}
			rest, https := strings.CutPrefix(strings.ToLower(endpoint), "https://")
			host := hostname.FindString(rest)
			addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
			if !https || host == "" || strings.Contains(rest, "#") || addr.Zone() != "" || addr.Unmap().IsLoopback() || addr.Unmap().IsLinkLocalUnicast() ||
				err != nil && misread.MatchString(host) {
				t.Fatalf("took %q", endpoint)
			}
		}
	})
}
