package userauth_test

import (
	"net/http"
	"strings"
	"testing"
)

// V-13: whatever is posted to the login, nobody is let in who doesn't know the password, and nothing is a fault.
func FuzzLogin(f *testing.F) {
	const jsonType, formType = "application/json", "application/x-www-form-urlencoded"
	for _, seed := range []struct{ kind, body string }{
		{jsonType, `{"username":"alice","password":"wrong"}`}, {jsonType, `{"username":"alice","password":""}`}, {jsonType, `{}`}, {jsonType, `null`}, {jsonType, `[`},
		{jsonType, `{"username":"\ud800","password":"\u0000"}`}, {jsonType, `{"username":"eve","password":"x","username":"alice"}`}, {jsonType + "; charset=utf-8", `{"Username":"alice"}`},
		{formType, "username=alice&password=wrong"}, {formType, "username=alice&password=&next=//evil.example"}, {formType, "username=%ff&password=%00"}, {formType, "a;b=c&%zz"},
		{formType, "username=alice&username=eve&password=x"}, {"multipart/form-data; boundary=x", "--x--"}, {"text/plain", "{}"}, {"", ""}, {"application/json, text/html", "{}"}, {formType, strings.Repeat("a=b&", 5000)},
	} {
		f.Add(seed.kind, seed.body, "", false)
		f.Add(seed.kind, seed.body, "next=/x&username=alice", true)
	}
	s := newSite(f)
	s.add("alice", nil)
	s.add("eve", nil)
	f.Fuzz(func(t *testing.T, kind, body, query string, browser bool) {
		if strings.Contains(body, sitePassword) {
			return
		}
		b := (&site{t: t, Handler: s.Handler, host: s.host}).browser() // f's own methods may not be used in here
		options := []option{elsewhere(), with("Content-Type", kind), func(r *http.Request) { r.URL.RawQuery = query }}
		if browser {
			options = append(options, navigating, with("Sec-Fetch-Site", "same-origin"))
		}
		got := b.do(http.MethodPost, "/auth/login", body, options...) // finds faults, too
		switch got.Status {
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests:
		default:
			t.Errorf("%q %q ?%q: got %d", kind, body, query, got.Status)
		}
		if len(got.Cookies) != 0 || got.location() != "" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q %q ?%q: got %v", kind, body, query, got.Header)
		}
	})
}
