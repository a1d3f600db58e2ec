package userauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// U-02 to U-16 at the login: a name that isn't one is answered like an unknown one, and is nobody's.
func TestStrangeNames(t *testing.T) {
	t.Parallel()
	clock := newSiteClock()
	s := newSite(t, clocked(clock))
	for _, name := range []string{"admin", "k", "fiona", "sam", "1", "user"} {
		s.add(name, auth.Permissions{"admin": {"*"}})
	}
	before := s.count("users")
	unknown := s.browser().login("nobody", sitePassword, elsewhere())
	for class, list := range map[string][]string{
		"U-02 compatibility":  {"ａｄｍｉｎ", "ⓐⓓⓜⓘⓝ", "𝐚𝐝𝐦𝐢𝐧", "ﬁona", "\u212a"},
		"U-03 dotted":         {"adm\u0130n", "ADM\u0130N", "adm\u0130N"},
		"U-04 dotless":        {"adm\u0131n"},
		"U-05 look-alikes":    {"\u0430dmin", "admin\u0301"},
		"U-06 zero width":     {"admin\u200b", "\ufeffadmin", "ad\u00admin", "ad\u034fmin", "admin\u2060"},
		"U-07 bidirectional":  {"admin\u202e", "\u202dnimda", "\u2066admin\u2069"},
		"U-08 white space":    {" admin", "admin ", "ad min", "admin\t", "admin\u00a0", "admin\n", "\u3000admin"},
		"U-09 control":        {"admin\x00", "admin\x00x", "admin\x7f", "admin\r\nSet-Cookie: a=b"},
		"U-13 length":         {"", strings.Repeat("a", 65), strings.Repeat("a", 256), "admin" + strings.Repeat(" ", 250) + "x"},
		"U-14 syntax":         {".", "..", "a/b", "admin?", "admin#", "%61dmin", "-1", "1e0", "01", "0x1", "null", "true", "user:1"},
		"U-15 SQL":            {"' OR 1=1--", "admin'/*", `\'`, "adm_n", "%", "admin%", "a%"},
		"U-16 as a mail name": {"admin@", "@admin", "admin@example.com", `"admin"@x`},
	} {
		for _, name := range list {
			clock.advance(20 * time.Minute) // such names share one limit
			got := s.browser().login(name, sitePassword, elsewhere())
			if refused(t, class, got, http.StatusUnauthorized); got.Body != unknown.Body {
				t.Errorf("%s: %q: got %s, want %s", class, name, got.Body, unknown.Body)
			}
			clock.advance(20 * time.Minute)
			form := s.browser().post("/auth/login", credentials(name, sitePassword), elsewhere())
			if refused(t, class, form, http.StatusUnauthorized); strings.Contains(strings.Join(form.Header["Set-Cookie"], ""), "a=b") {
				t.Errorf("%s: %q: got %v", class, name, form.Header)
			}
		}
	}
	for _, body := range []string{`{"username":"adm` + "\xff" + `in","password":"x"}`, `{"username":"adm` + "\xc0\xaf" + `in","password":"x"}`, `{"username":"\ud800","password":"x"}`} {
		refused(t, "U-10 no UTF-8", s.browser().json(http.MethodPost, "/auth/login", body), http.StatusBadRequest)
	}
	refused(t, "U-10 no UTF-8 in a form", s.browser().do(http.MethodPost, "/auth/login", "username=adm%ffin&password=x",
		with("Content-Type", "application/x-www-form-urlencoded")), http.StatusBadRequest)
	if s.count("sessions") != 0 || s.count("users") != before {
		t.Error("something was made")
	}
}

// U-01, U-11, U-12, U-14: spellings of one name are one user, and a strange name that is one has no special meaning.
func TestSpellingsOfNames(t *testing.T) {
	t.Parallel()
	for name, spellings := range map[string][]string{
		"straße": {"STRASSE", "strasse", "Straße", "straẞe"}, "σίσυφος": {"ΣΊΣΥΦΟΣ", "σίσυφοσ"}, "Ünal": {"ünal", "ÜNAL"}, "ǰan": {"ǰan", "ǰAN"},
		"me": {"ME"}, "root": {"Root"}, "undefined": {"Undefined"}, "true": {"TRUE"}, "0": {"0"}, strings.Repeat("𐍈", 64): {strings.Repeat("𐍈", 64)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			account := s.add(name, nil)
			s.add("somebody", nil)
			for _, spelling := range append(spellings, name) {
				b := s.in(spelling)
				if got := b.me().Identity.Username; got != name {
					t.Errorf("%q: got %q, want %q", spelling, got, name)
				}
				if events := s.eventsOf(auth.EventLogin); events[len(events)-1].UserID != account.ID {
					t.Errorf("%q: got %+v", spelling, events[len(events)-1])
				}
			}
		})
	}
}

// U-20, L-19: what people type or are called is text wherever it is shown.
func TestNamesAreShownAsText(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{`"><svg onload=alert(1)>`, `</title><script>alert(1)</script>`, "' onfocus=alert(1) x='"} {
		s := newSite(t)
		for _, got := range []answer{
			s.browser().post("/auth/login", credentials(evil, "wrong")),
			s.browser().navigate("/auth/login?" + url.Values{"next": {"/" + evil}, "error": {evil}, "username": {evil}, "message": {evil}}.Encode()),
			s.browser().post("/auth/login", url.Values{"username": {"a"}, "password": {"b"}, "next": {"/" + evil}}),
		} {
			if strings.Contains(got.Body, evil) || strings.Contains(got.Body, "<script") || strings.Contains(got.Body, "<svg") {
				t.Errorf("%s: got\n%s", evil, got.text())
			}
			if got.Header.Get("X-Content-Type-Options") != "nosniff" || got.Header.Get("Referrer-Policy") == "" {
				t.Errorf("got %v", got.Header)
			}
		}
		if got := s.browser().navigate("/auth/login?error=" + url.QueryEscape("You have been hacked")); strings.Contains(got.Body, "hacked") {
			t.Errorf("the page says what its address says\n%s", got.text())
		}
		if got := s.browser().post("/auth/login", credentials("{{7*7}}", "wrong")); !strings.Contains(got.Body, "{{7*7}}") {
			t.Errorf("a template was run\n%s", got.text())
		}
		account, err := s.users.Accounts().Add(t.Context(), userauth.NewAccount{Username: "ann", Password: sitePassword, Profile: auth.UserUpdate{DisplayName: &evil}})
		if err != nil {
			t.Fatal(err)
		}
		b := s.in("ann")
		for _, path := range []string{"/auth/me", "/auth/password", "/auth/sessions"} {
			if got := b.navigate(path); got.Status != http.StatusOK || strings.Contains(got.Body, evil) {
				t.Errorf("%s: got %d\n%s", path, got.Status, got.text())
			}
		}
		if got := b.me().Identity.DisplayName; got != evil || account.ID == "" {
			t.Errorf("got %q, want it as it was given", got)
		}
	}
	// G-04, G-06: a name that is unknown isn't logged at all: people type passwords there.
	s := newSite(t)
	for _, name := range []string{"a\nlevel=INFO msg=forged", "\x1b[31mred", "my-secret-typed-by-mistake"} {
		s.keepsSecret(name, "forged", "\x1b", "red")
		s.browser().login(name, "wrong", elsewhere())
	}
	if events := s.eventsOf(auth.EventLoginFailed); len(events) != 3 || fmt.Sprint(events[0].Username, events[0].UserID) != "" || events[0].Address.String() == "" {
		t.Errorf("G-05: got events %+v, want three without a name", events)
	}
}
