package userauth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

func TestCookies(t *testing.T) {
	t.Parallel()
	t.Run("FU24 C-01 C-02 C-03 C-12 C-16 C-19 what is set is what is deleted", func(t *testing.T) {
		t.Parallel()
		for _, tc := range []struct {
			name, publicURL, host string
			tls                   bool
			cookie                string
			options               []option
		}{
			{"http on loopback", "", "127.0.0.1:8888", false, "ostiary-user-8888", nil},
			{"http on loopback without a port", "", "localhost", false, "ostiary-user-80", nil},
			{"a header says https, and isn't asked", "", "127.0.0.1:8888", false, "ostiary-user-8888", []option{with("X-Forwarded-Proto", "https"), from("10.0.0.1:1")}},
			{"https", "", "app.example", true, "__Host-ostiary-user", nil},
			{"behind a proxy with TLS", "https://app.example", "app.example", false, "__Host-ostiary-user", nil},
			{"behind a proxy that names itself", "https://app.example", "10.9.8.7:80", false, "__Host-ostiary-user", []option{with("X-Forwarded-Proto", "http")}},
		} {
			s := newSite(t, at(tc.publicURL), func(c *userauth.Config) {
				c.Auth.TrustedProxies = []string{"10.0.0.1"}
				c.Auth.AllowedHosts = []string{"10.9.8.7:80"}
			})
			s.add("alice", nil)
			b := s.browser()
			b.host, b.tls = tc.host, tc.tls
			in := b.login("alice", sitePassword, tc.options...)
			admitted(t, tc.name, b.get("/", tc.options...))
			out := b.json(http.MethodPost, "/auth/logout", "", tc.options...)
			for _, got := range []answer{in, out} {
				c := got.sessionCookie()
				if c == nil {
					t.Fatalf("%s: got %d and no session cookie", tc.name, got.Status)
				}
				secure := strings.HasPrefix(tc.cookie, "__Host-")
				if c.Name != tc.cookie || c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
					t.Errorf("%s: got %v, want %s", tc.name, c, tc.cookie)
				}
				for _, line := range got.Header["Set-Cookie"] {
					if len(line) > 512 {
						t.Errorf("%s: a cookie of %d bytes", tc.name, len(line))
					}
				}
				if !strings.Contains(got.Header.Get("Cache-Control"), "no-store") || !strings.Contains(strings.Join(got.Header["Vary"], ","), "Cookie") {
					t.Errorf("%s: got %v, want no-store and Vary: Cookie", tc.name, got.Header)
				}
			}
			if in.sessionCookie().MaxAge != 30*24*3600 || out.sessionCookie().MaxAge >= 0 || !strings.Contains(out.Header.Get("Set-Cookie"), "Max-Age=0") {
				t.Errorf("%s: got Max-Age %d, then %q", tc.name, in.sessionCookie().MaxAge, out.Header["Set-Cookie"])
			}
		}
	})
	t.Run("C-02 over http under a name nobody gets a cookie", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		b := s.browser()
		b.host = "lab.example"
		got := b.navigate("/auth/login")
		if got.Status != http.StatusOK || !strings.Contains(got.Body, "set PublicURL") || strings.Contains(got.Body, "<form") {
			t.Errorf("got %d, want a page that says why there is no form\n%s", got.Status, got.text())
		}
		refused(t, "login", b.login("alice", sitePassword), http.StatusForbidden)
		if s.count("sessions") != 0 {
			t.Error("there is a session")
		}
	})
	t.Run("C-17 how long browsers keep it", func(t *testing.T) {
		t.Parallel()
		for _, forget := range []bool{false, true} {
			s := newSite(t, func(c *userauth.Config) { c.ForgetOnClose, c.Lifetime = forget, time.Hour })
			s.add("alice", nil)
			want := 3600
			if forget {
				want = 0
			}
			if c := s.browser().login("alice", sitePassword).sessionCookie(); c.MaxAge != want || !c.Expires.IsZero() {
				t.Errorf("forget %v: got %v, want Max-Age %d", forget, c, want)
			}
		}
	})
	t.Run("C-13 a cookie that is worth nothing is forgotten, and nothing is set without one", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		b := s.browser()
		if got := b.get("/"); len(got.Cookies) != 0 {
			t.Errorf("without a cookie: got %v", got.Cookies)
		}
		for _, value := range []string{strings.Repeat("A", 43), "x", ""} {
			got := b.get("/", with("Cookie", "ostiary-user-8888="+value))
			refused(t, value, got, http.StatusUnauthorized)
			if c := got.sessionCookie(); c == nil || c.Name != "ostiary-user-8888" || c.MaxAge >= 0 || c.Value != "" {
				t.Errorf("%q: got %v, want its deletion", value, got.Cookies)
			}
		}
	})
	t.Run("C-18 servers on two ports don't share", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		b := s.in("alice")
		refused(t, "the other port", b.get("/", to("127.0.0.1:9999"), with("Sec-Fetch-Site", "none")), http.StatusUnauthorized)
		admitted(t, "its own", b.get("/"))
		two := siteOver(t, s.db, func(c *userauth.Config) { c.CookieName = "second" })
		refused(t, "another CookieName over the same database", b.at(two).get("/"), http.StatusUnauthorized)
	})
	t.Run("C-20 S-18 whoever isn't logged in leaves nothing behind", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		for n := range 200 {
			for _, got := range []answer{s.browser().get("/public"), s.browser().navigate("/auth/login"), s.browser().get("/")} {
				if len(got.Cookies) != 0 {
					t.Fatalf("got cookies %v", got.Cookies)
				}
			}
			refused(t, "a wrong password", s.browser().login(fmt.Sprint("user", n), "wrong", elsewhere()), http.StatusUnauthorized)
		}
		if n := s.count("sessions"); n != 0 {
			t.Errorf("got %d sessions, want none", n)
		}
	})
}

// S-03, C-04 to C-11: what is nearly the cookie is nobody's.
func TestWhatIsNearlyTheCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t, at("https://app.example"))
	s.add("alice", nil)
	s.add("eve", nil)
	name, good := s.in("alice").session()
	_, evil := s.in("eve").session()
	swapped := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			return c - 32
		}
		return c
	}, good)
	// The last character of 43 carries four bits: its neighbour encodes the same bytes.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	tail := good[:42] + string(alphabet[strings.IndexByte(alphabet, good[42])^1])
	for _, tc := range []struct {
		name   string
		header []string
		user   string
	}{
		{"the cookie", []string{name + "=" + good}, "alice"},
		{"C-11 in a second header", []string{"a=1", name + "=" + good}, "alice"},
		{"C-04 without the prefix", []string{"ostiary-user=" + good + "; ostiary-user-443=" + good + "; ostiary-user-80=" + good}, ""},
		{"C-05 two of them", []string{name + "=" + evil + "; " + name + "=" + good}, ""},
		{"C-05 two of them, the other way round", []string{name + "=" + good + "; " + name + "=" + evil}, ""},
		{"C-05 twice the same", []string{name + "=" + good, name + "=" + good}, ""},
		{"C-06 another case of the prefix", []string{"__host-ostiary-user=" + good}, ""},
		{"C-07 a blank behind the name", []string{name + " =" + good}, ""},
		{"C-07 without a name", []string{"=" + name + "=" + good}, ""},
		{"C-07 without a value", []string{name}, ""},
		{"C-08 quoted", []string{name + `="` + good + `"`}, ""},
		{"C-09 a blank in it", []string{name + "=" + good[:20] + " " + good[20:]}, ""},
		{"C-09 escaped", []string{name + "=%" + fmt.Sprintf("%02X", good[0]) + good[1:]}, ""},
		{"C-09 a NUL", []string{name + "=" + good + "\x00"}, ""},
		{"C-09 no ASCII", []string{name + "=" + good[:42] + "\xff"}, ""},
		{"C-09 5 KiB", []string{name + "=" + strings.Repeat(good, 120)}, ""},
		{"C-09 1 MiB", []string{name + "=" + strings.Repeat("A", 1<<20)}, ""},
		{"C-10 a bomb of cookies", []string{strings.Repeat("a=b; ", 4000) + name + "=" + good}, ""},
		{"S-03 one character less", []string{name + "=" + good[:42]}, ""},
		{"S-03 one character more", []string{name + "=" + good + "A"}, ""},
		{"S-03 in capitals", []string{name + "=" + swapped}, ""},
		{"S-03 another spelling of the same bytes", []string{name + "=" + tail}, ""},
		{"the device's cookie", []string{name + "=" + device(t, s)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := s.browser().get("/", with("Cookie", tc.header...))
			if tc.user == "" {
				refused(t, tc.name, got, http.StatusUnauthorized)
			} else if admitted(t, tc.name, got); got.Body != "page of "+tc.user {
				t.Errorf("got %s", got.Body)
			}
		})
	}
}

func device(t *testing.T, s *site) string {
	t.Helper()
	_, value := s.in("alice").device()
	if value == "" {
		t.Fatal("no device cookie")
	}
	return value
}

// C-09: what can't be a token is refused without asking the database, and what can be is asked once, S-26: never
// remembered as unknown.
func TestLookUpsOfStrangeCookies(t *testing.T) {
	t.Parallel()
	db, faults := storetest.Open(t, t.TempDir()+"/app.db")
	s := siteOver(t, db)
	s.add("alice", nil)
	b := s.in("alice")
	name, good := b.session()
	asked := func(value string) (n int) {
		faults.Heal()
		s.browser().get("/", with("Cookie", name+"="+value))
		for _, call := range faults.Calls() {
			if strings.Contains(call, "FROM auth_sessions") {
				n++
			}
		}
		return n
	}
	for _, value := range []string{"", good[:42], good + "A", strings.Repeat("A", 5000), strings.Repeat("ä", 43)} {
		if n := asked(value); n != 0 {
			t.Errorf("%.50q: got %d look-ups, want none", value, n)
		}
	}
	// One that isn't there is asked again each time: it is remembered nowhere. (The guard asks, and then the challenge.)
	stranger := strings.Repeat("A", 43)
	if n := asked(stranger); n == 0 {
		t.Error("a stranger's token: no look-up")
	}
	if n := asked(stranger); n == 0 {
		t.Error("again: no look-up, so it is remembered as unknown")
	}
	// A database that fails is no answer: 503, and afterwards as before.
	fresh := s.in("alice")
	s.faulty.Store(true)
	faults.Fail()
	refused(t, "while the database fails", fresh.copy().get("/"), http.StatusServiceUnavailable)
	faults.Heal()
	eventually(t, "the database is back", func() bool { return fresh.get("/").Status == http.StatusOK })
}
