package userauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/userauth"
)

// credentials are a login form, filled in.
func credentials(name, pass string) url.Values {
	return url.Values{"username": {name}, "password": {pass}}
}

func TestLogin(t *testing.T) { onEngines(t, testLogin) }

func testLogin(t *testing.T) {
	t.Run("ZA05 the page is a form that works without scripts", func(t *testing.T) {
		t.Parallel()
		got := newSite(t).browser().navigate("/auth/login?next=/notes")
		if got.Status != http.StatusOK || len(got.Cookies) != 0 || strings.Contains(got.Body, "<script") {
			t.Errorf("got %d, cookies %v\n%s", got.Status, got.Cookies, got.text())
		}
		for _, want := range []string{
			`<form method="post" action="/auth/login">`, `name="next" value="/notes"`,
			`name="username" type="text"`, `name="password" type="password"`, `autocomplete="username"`, `autocomplete="current-password"`, // L-18
		} {
			if !strings.Contains(got.Body, want) {
				t.Errorf("no %s in\n%s", want, got.text())
			}
		}
		if strings.Contains(got.Body, "maxlength") {
			t.Error("L-18: a length is limited where it is typed")
		}
		if policy := got.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("L-17: got policy %q", policy)
		}
	})
	t.Run("JV13 JSON", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("admin", auth.Permissions{"admin": {"*"}})
		b := s.browser()
		got := b.login("admin", sitePassword)
		if got.Status != http.StatusOK || got.sessionCookie() == nil || got.location() != "" {
			t.Errorf("got %d, cookies %v, want 200 and a session", got.Status, got.Cookies)
		}
		if got := b.me().Identity.Username; got != "admin" {
			t.Errorf("got %q, want admin", got)
		}
	})
	t.Run("ZA06 the form, there and back", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("admin", nil)
		b := s.browser()
		got := b.post("/auth/login", credentials("admin", sitePassword))
		if got.Status != http.StatusSeeOther || got.location() != "/" || got.sessionCookie() == nil {
			t.Fatalf("got %d to %q, cookies %v, want 303 to / and a session", got.Status, got.location(), got.Cookies)
		}
		admitted(t, "the page", b.navigate("/"))
		if got := b.navigate("/auth/login?next=/notes"); got.Status != http.StatusSeeOther || got.location() != "/notes" {
			t.Errorf("the login page again: got %d to %q, want on to the page that was asked for", got.Status, got.location())
		}
		if got := b.post("/auth/logout", nil); got.Status != http.StatusSeeOther || got.location() != "/auth/login" {
			t.Errorf("logout: got %d to %q, want 303 to /auth/login", got.Status, got.location())
		}
		if got := b.navigate("/"); got.Status != http.StatusSeeOther || got.location() != "/auth/login?next=%2F" || got.reached() {
			t.Errorf("afterwards: got %d to %q, want 303 to the login page", got.Status, got.location())
		}
	})
	t.Run("ZA07 a wrong password", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("admin", nil)
		b := s.browser()
		got := b.post("/auth/login", credentials("admin", "wrong-5e8c1f7a90b3d264"))
		refused(t, "form", got, http.StatusUnauthorized)
		if !strings.Contains(got.Body, `role="alert"`) || !strings.Contains(got.Body, `value="admin"`) || strings.Contains(got.Body, "wrong-5e8c1f7a90b3d264") {
			t.Errorf("want the form with a message and the name, without the password\n%s", got.text())
		}
		got = b.login("admin", "wrong-5e8c1f7a90b3d264")
		refused(t, "JSON", got, http.StatusUnauthorized)
		if !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") || !strings.Contains(got.Body, `"code":"unauthorized"`) {
			t.Errorf("got %s", got.Body)
		}
		if len(b.cookies) != 0 || s.count("sessions") != 0 {
			t.Errorf("got cookies %v and %d sessions, want none", b.cookies, s.count("sessions"))
		}
	})
	t.Run("FU01 fields that are missing", func(t *testing.T) {
		t.Parallel()
		b := newSite(t).browser()
		for body, field := range map[string]string{
			`{}`: "username", `{"password":"x"}`: "username", `{"username":"x"}`: "password",
			`{"username":null,"password":"x"}`: "username", `{"username":1,"password":"x"}`: "username", `{"username":"x","password":"y","admin":true}`: "admin",
		} {
			got := b.json(http.MethodPost, "/auth/login", body)
			if refused(t, body, got, http.StatusBadRequest); !strings.Contains(got.Body, field) {
				t.Errorf("%s: got %s, want %s in it", body, got.Body, field)
			}
		}
	})
	t.Run("FU04 U-01 in another spelling", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		for _, name := range []string{"Alice", "ALICE", "aLiCe"} {
			b := s.in(name)
			if got := b.me().Identity.Username; got != "alice" {
				t.Errorf("%s: got %q, want alice", name, got)
			}
		}
	})
}

// FU02, L-23, P-11, P-14, P-15: whatever is wrong, the answer is the same to the byte, and nobody is logged in.
func TestEveryWrongLoginIsAnsweredAlike(t *testing.T) {
	onEngines(t, testEveryWrongLoginIsAnsweredAlike)
}

func testEveryWrongLoginIsAnsweredAlike(t *testing.T) {
	for _, form := range []bool{false, true} {
		t.Run(fmt.Sprintf("form %v", form), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.add("alice", nil)
			s.add("eve", nil)
			s.disable("eve")
			if _, err := s.users.Accounts().Add(t.Context(), userauth.NewAccount{Username: "sso"}); err != nil {
				t.Fatal(err)
			}
			locked := map[string]string{"bang": "!", "star": "*", "plain": sitePassword, "short": "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"}
			for name, hash := range locked {
				account := s.add(name, nil)
				err := userauth.WriteIn(t.Context(), s.users, func(tx *store.Tx) error { return tx.ReplacePassword(userNumber(t, account), hash, 0) })
				if err != nil {
					t.Fatal(err)
				}
			}
			// One stranger from one place would be limited.
			try := func(name, pass string) answer {
				b := s.browser()
				if !form {
					return b.login(name, pass, elsewhere())
				}
				got := b.post("/auth/login", credentials(name, pass), elsewhere())
				got.Body = strings.Replace(got.Body, `value="`+name+`"`, `value="NAME"`, 1)
				return got
			}
			want := try("nobody", "wrong")
			refused(t, "an unknown user", want, http.StatusUnauthorized)
			same := func(what string, got answer) {
				t.Helper()
				refused(t, what, got, http.StatusUnauthorized)
				if got.Body != want.Body || fmt.Sprint(got.Header) != fmt.Sprint(want.Header) {
					t.Errorf("%s: got %v\n%s\nwant %v\n%s", what, got.Header, got.text(), want.Header, want.text())
				}
			}
			same("a wrong password", try("alice", "wrong"))
			same("no password", try("alice", ""))
			same("disabled, and the right password", try("eve", sitePassword))
			same("disabled, and a wrong one", try("eve", "wrong"))
			same("who has no password, with one", try("sso", "wrong"))
			same("who has no password, without", try("sso", ""))
			same("a name that nobody can have", try("a/b", sitePassword))
			refused(t, "no name", try("", sitePassword), http.StatusUnauthorized) // a form gives it the focus
			for name, hash := range locked {
				same("locked, and what is stored", try(name, hash))
				same("locked, and nothing", try(name, ""))
				same("locked, and a password", try(name, sitePassword+"x"))
			}
			if n := s.count("sessions"); n != 0 {
				t.Errorf("got %d sessions, want none", n)
			}
			if got := s.browser().login("alice", sitePassword); got.Status != http.StatusOK {
				t.Errorf("the right password: got %d", got.Status)
			}
		})
	}
}

func TestLoginTakesOnlyWhatItOffers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("alice", nil)
	right := `{"username":"alice","password":"` + sitePassword + `"}`
	form := credentials("alice", sitePassword).Encode()
	tests := []struct {
		name                       string
		method, target, kind, body string
		status                     int
		options                    []option
	}{
		{"L-10 JSON as text", "POST", "/auth/login", "text/plain", right, 415, nil},
		{"L-11 a form by GET", "GET", "/auth/login?" + form, "", "", 200, nil},
		{"L-12 HEAD", "HEAD", "/auth/login?" + form, "", "", 200, nil},
		{"L-14 another case of the method", "post", "/auth/login", "application/json", right, 405, nil},
		{"L-15 a method in a header", "GET", "/auth/login?" + form + "&_method=POST", "", "", 200, []option{with("X-HTTP-Method-Override", "POST")}},
		{"L-20 multipart", "POST", "/auth/login", "multipart/form-data; boundary=x", "--x\r\n\r\n--x--", 415, nil},
		{"L-20 XML", "POST", "/auth/login", "application/xml", "<login/>", 415, nil},
		{"L-20 no type", "POST", "/auth/login", "", form, 415, nil},
		{"L-20 another encoding of text", "POST", "/auth/login", "application/x-www-form-urlencoded; charset=utf-16", form, 400, nil},
		{"F-05 another encoding of text", "POST", "/auth/login", "application/x-www-form-urlencoded; charset=latin1", form, 400, nil},
		{"F-05 no UTF-8", "POST", "/auth/login", "application/x-www-form-urlencoded", "username=alice%ff&password=x", 400, nil},
		{"F-04 packed", "POST", "/auth/login", "application/json", right, 415, []option{with("Content-Encoding", "gzip")}},
		{"F-04 a packed form", "POST", "/auth/login", "application/x-www-form-urlencoded", form, 415, []option{with("Content-Encoding", "gzip")}},
		{"L-21 in the query", "POST", "/auth/login?" + form, "application/x-www-form-urlencoded", "", 400, nil},
		{"L-21 half in the query", "POST", "/auth/login?password=" + sitePassword, "application/x-www-form-urlencoded", "username=alice", 400, nil},
		{"L-22 two names", "POST", "/auth/login", "application/x-www-form-urlencoded", "username=eve&" + form, 400, nil},
		{"L-22 two passwords", "POST", "/auth/login", "application/x-www-form-urlencoded", form + "&password=x", 400, nil},
		{"two names in JSON", "POST", "/auth/login", "application/json", `{"username":"eve",` + right[1:], 400, nil},
		{"a name in another case", "POST", "/auth/login", "application/json", strings.Replace(right, "username", "Username", 1), 400, nil},
		{"what follows", "POST", "/auth/login", "application/json", right + "{}", 400, nil},
		{"a list", "POST", "/auth/login", "application/json", "[" + right + "]", 400, nil},
		{"F-01 P-03 a megabyte of password", "POST", "/auth/login", "application/x-www-form-urlencoded", form + strings.Repeat("x", 1<<20), 413, nil},
		{"F-01 a megabyte of JSON", "POST", "/auth/login", "application/json", `{"username":"` + strings.Repeat("x", 1<<20) + `"}`, 413, nil},
		{"F-01 a hundred thousand fields", "POST", "/auth/login", "application/x-www-form-urlencoded", strings.Repeat("a&", 100_000) + form, 413, nil},
		{"P-02 a password of 257 characters", "POST", "/auth/login", "application/x-www-form-urlencoded", "username=alice&password=" + strings.Repeat("%C3%A4", 257), 400, nil},
		{"U-10 half a surrogate pair", "POST", "/auth/login", "application/json", `{"username":"\ud800","password":"x"}`, 400, nil},
		{"L-08 another spelling of the path", "POST", "/auth//login", "application/json", right, 307, nil},
		{"L-08 another page in the path", "POST", "/auth/logout/../login", "application/json", right, 307, nil},
	}
	t.Run("all", func(t *testing.T) {
		for _, tc := range tests {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				b := s.browser()
				options := append([]option{elsewhere(), with("Sec-Fetch-Site", "same-origin")}, tc.options...)
				if tc.kind != "" {
					options = append(options, with("Content-Type", tc.kind))
				}
				got := b.do(tc.method, tc.target, tc.body, options...)
				if got.Status != tc.status || len(got.Cookies) != 0 {
					t.Errorf("got %d %.200s, cookies %v, want %d and none", got.Status, got.text(), got.Cookies, tc.status)
				}
			})
		}
	})
	if n := s.count("sessions"); n != 0 {
		t.Errorf("got %d sessions, want none", n)
	}
}
