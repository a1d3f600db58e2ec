package oidcauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth/internal/seal"
)

// where a login leads to. A sample of each kind: internal/returnpath has the rest.
func TestReturnPaths(t *testing.T) {
	t.Parallel()
	const root = "/base/"
	a, op, db, _ := newConforming(t, auth.Config{PublicURL: "https://app.example/base"})
	app := a.Routes()
	in := directLogin(t, app, "https://app.example/base", op, "bob") // alice logs in more often than she can have sessions
	op.SignIn("alice")
	for next, want := range map[string]string{
		"//evil.example": root, "///evil.example": root, "//[::1]/": root, "//%65vil.example": root,
		`/\evil.example`: root, `\\evil.example`: root, `https:\\evil.example`: root,
		`/./\evil.example`: root, `/base/../\evil.example`: root,
		"/\t/evil.example": root, "/\t\\evil.example": root, "/\n/evil.example": root, "/\r\n/evil.example": root,
		"\t//evil.example": root, " //evil.example": root, "\x01//evil.example": root,
		"https://evil.example": root, "https:///evil.example": root, "https:evil.example": root,
		"https://app.example@evil.example": root, "//app.example@evil.example": root,
		"https://app.example.evil.example": root, "https://app.example/base/x": root,
		`https://evil.example\@app.example`: root, `//evil.example\app.example`: root,
		"//evil\u3002example": root, "//ｅvil.example": root,
		"javascript:alert(1)": root, "data:text/html,x": root, "\x00javascript:alert(1)": root,
		"http://2130706433/": root, "//0x7f.1/": root,
		"http://app.example/base/x": root, "https://app.example:8443/base/x": root,
		"/base/x?y=//evil.example": "/base/x?y=//evil.example", "/base/x#a": "/base/x#a", "/base/a%2fb": "/base/a%2fb", "/base/😀": "/base/😀",
		"/base/x//y": "/base/x//y", "/base/files//a": "/base/files//a",
		"/basement/x": root, "/base": "/base", "/base/../other": root, "/other/x": root,
		"/base//evil.example": "/base//evil.example",                                                         // under the mount point, and never stripped
		"evil.example":        root, "@evil.example": root, "../x": root, "?a=b": root, "#x": root, "": root,
		"/base/auth/login?next=/base/auth/login": root, "/base/auth/logout": root, "/base/auth/./login": root,
		"/base/auth/login/corp": root, "/base/auth/callback/corp?code=c&state=s": root, "/base/auth/logged-out": root,
		"/base/" + strings.Repeat("x", 64<<10): root,
	} {
		query := "?" + url.Values{"next": {next}}.Encode()
		for _, start := range []string{"/base/auth/login", "/base/auth/login/corp"} {
			got := roundTrip(t, app, "https://app.example"+start+query)
			if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != want { // 303
				t.Errorf("%s: %.80q: got %d to %q, want %q", start, next, got.StatusCode, got.Header.Get("Location"), want)
			}
			got = direct(t, app, "https://app.example"+start+query, in)
			if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != want {
				t.Errorf("%s: %.80q, logged in already: got %d to %q, want %q", start, next, got.StatusCode, got.Header.Get("Location"), want)
			}
			for _, line := range got.Header["Set-Cookie"] {
				if len(line) > 4096 {
					t.Errorf("%.80q: a cookie of %d bytes", next, len(line))
				}
			}
		}
	}
	// what is in the attempt's cookie is checked again when it is used, even if somebody could have sealed it anew.
	left := direct(t, app, "https://app.example/base/auth/login?next=/base/x")
	for next, want := range map[string]string{"/base/x": "/base/x", "//evil.example": root, "https://evil.example/": root, "/base/auth/logout": root} {
		altered := alterFlow(t, db, left.Cookies()[0], next)
		back, err := url.Parse(left.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		got := comeBack(t, app, back.String(), altered)
		if got.Header.Get("Location") != want {
			t.Errorf("R-23 %q: got %d to %q, want %q", next, got.StatusCode, got.Header.Get("Location"), want)
		}
		left = direct(t, app, "https://app.example/base/auth/login?next=/base/x")
	}
	// two return paths are refused, whatever they say.
	for _, query := range []string{"?next=/base/ok&next=//evil.example", "?next=/base/ok&next=/base/ok"} {
		if got := direct(t, app, "https://app.example/base/auth/login"+query); got.StatusCode != http.StatusBadRequest || len(got.Cookies()) != 0 {
			t.Errorf("%s: got %d and cookies %v, want 400 and none", query, got.StatusCode, got.Cookies())
		}
	}
}

// alterFlow seals an attempt with another return path: by the key in the database, as nobody but the application can.
func alterFlow(t *testing.T, db *sqlx.DB, flow *http.Cookie, next string) *http.Cookie {
	t.Helper()
	var key []byte
	if err := db.GetContext(t.Context(), &key, "SELECT value FROM auth_secrets WHERE name = 'oidc flows'"); err != nil {
		t.Fatal(err)
	}
	box, err := seal.New([][]byte{key})
	if err != nil {
		t.Fatal(err)
	}
	purpose := strings.TrimPrefix(flow.Name, "__Host-ostiary-oidc")
	text, _, err := box.Open(flow.Value, purpose)
	if err != nil {
		t.Fatal(err)
	}
	var attempt map[string]any
	if err := json.Unmarshal(text, &attempt); err != nil || attempt["r"] != "/base/x" {
		t.Fatalf("got %v, %v", attempt, err)
	}
	attempt["r"] = next
	if text, err = json.Marshal(attempt); err != nil {
		t.Fatal(err)
	}
	return &http.Cookie{Name: flow.Name, Value: box.Seal(text, purpose)}
}

// O-11: no header makes a redirect lead elsewhere, nor changes where the provider sends the browser back to.
func TestHeadersAndRedirects(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	want := s.browser().leave("/auth/login")
	wanted, err := url.Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	for name, headers := range map[string][]string{
		"X-Forwarded-Host":  {"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "javascript"},
		"Forwarded":         {"Forwarded", "host=evil.example;proto=http"},
		"X-Original-URL":    {"X-Original-URL", "/auth/logout", "X-Rewrite-URL", "//evil.example"},
		"an absolute Refer": {"Referer", "https://evil.example/"},
	} {
		b := s.browser()
		if a := b.open("/x", headers...); a.Header.Get("Location") != "/auth/login?next=%2Fx" {
			t.Errorf("%s: got %d to %q", name, a.StatusCode, a.Header.Get("Location"))
		}
		a := b.open("/auth/login", headers...)
		target, err := url.Parse(a.Header.Get("Location"))
		if err != nil || target.Host != wanted.Host || target.Path != wanted.Path {
			t.Errorf("%s: got %d to %q", name, a.StatusCode, a.Header.Get("Location"))
		}
	}
	for _, c := range s.op.Calls("par") {
		if got, want := c.Form.Get("redirect_uri"), s.url+"/auth/callback/corp"; got != want {
			t.Errorf("the redirect URI is %q, want %q", got, want)
		}
	}
	if len(s.op.Calls("par"))+len(s.op.Calls("authorize")) == 0 {
		t.Error("nothing was asked")
	}
	// Under another host's name nobody is sent to the provider: what the browser would get there isn't what comes back here.
	a, _, _, _ := newConforming(t, auth.Config{PublicURL: "https://app.example"})
	if got := direct(t, a.Routes(), "https://app.example/auth/login"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("its own Host: got %d", got.StatusCode)
	}
	if got := direct(t, a.Routes(), "https://evil.example/auth/login"); got.StatusCode != http.StatusForbidden || len(got.Cookies()) != 0 {
		t.Errorf("another Host: got %d to %q, cookies %v", got.StatusCode, got.Header.Get("Location"), got.Cookies())
	}
}
