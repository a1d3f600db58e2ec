package tokenauth_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

func TestCookies(t *testing.T) {
	t.Parallel()
	t.Run("C-01 C-16 over https", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		b.tls = true
		got := b.post("/auth/login", rightToken)
		if len(got.Cookies) != 2 {
			t.Fatalf("got cookies %v, want the login's and the device's", got.Cookies)
		}
		for i, name := range []string{"__Host-ostiary-token", "__Host-ostiary-token-device"} {
			c := got.Cookies[i]
			if c.Name != name || !c.Secure || !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
				t.Errorf("got %v, want %s", c, name)
			}
			if len(c.Raw) > 4096 {
				t.Errorf("%s has %d bytes", name, len(c.Raw))
			}
		}
	})
	t.Run("C-02 plain http: loopback, and elsewhere only where the operator says so", func(t *testing.T) {
		t.Parallel()
		insecure := func(c *tokenauth.Config) { c.Auth.InsecureHTTP = true; c.Auth.AllowedHosts = []string{"lab"} }
		for _, c := range []struct {
			host   string
			change func(*tokenauth.Config)
			cookie string // empty: none can be set
		}{
			{"127.0.0.1:8888", at(""), "ostiary-token-8888"},
			{"localhost:9", at(""), "ostiary-token-9"},
			{"[::1]:8080", at(""), "ostiary-token-8080"},
			{"192.0.2.1:8888", at(""), ""},
			{"lab:8888", at(""), ""},
			{"192.0.2.1:8888", insecure, "ostiary-token-8888"},
			{"lab:8888", insecure, "ostiary-token-8888"},
			{"other:8888", insecure, ""},
		} {
			l := newLab(t, c.change)
			b := l.browser()
			b.host = c.host
			page, got := b.navigate("/auth/login"), b.post("/auth/login", rightToken)
			if c.cookie != "" {
				if labLogin(t, c.host, got); first(b.loginCookie()) != c.cookie || !strings.Contains(page.Body, "<form") {
					t.Errorf("%s: got %q, want %q", c.host, first(b.loginCookie()), c.cookie)
				}
				labAdmitted(t, c.host, b.get("/"))
				continue
			}
			labNoLogin(t, c.host, got, http.StatusForbidden)
			if strings.Contains(page.Body, "<form") || !strings.Contains(page.Body, "PublicURL") {
				t.Errorf("%s: the page doesn't say why nobody can log in:\n%s", c.host, page.Body[strings.Index(page.Body, "<main>"):])
			}
		}
	})
	t.Run("C-03 a header doesn't make it https, not even a trusted proxy's", func(t *testing.T) {
		t.Parallel()
		for _, proxies := range [][]string{nil, {"192.0.2.0/24"}} {
			b := newLab(t, func(c *tokenauth.Config) { c.Auth.TrustedProxies = proxies }).browser()
			b.post("/auth/login", rightToken, with("X-Forwarded-Proto", "https"), with("Forwarded", "proto=https"))
			if got := first(b.loginCookie()); got != "ostiary-token-8888" {
				t.Errorf("proxies %v: got %q", proxies, got)
			}
		}
	})
	t.Run("C-04 C-06 C-07 C-08 only the very name counts", func(t *testing.T) {
		t.Parallel()
		b := newLab(t, at("https://app.example")).loggedIn()
		name, value := b.loginCookie()
		anon := b.lab.browser()
		labAdmitted(t, "the name", anon.get("/", with("Cookie", name+"="+value)))
		labAdmitted(t, "C-11 among other lines", anon.get("/", with("Cookie", "a=1; "+name+"x=y", name+"="+value, "z")))
		for _, header := range []string{
			"ostiary-token=" + value, "ostiary-token-443=" + value, "ostiary-token-80=" + value, "__Secure-ostiary-token=" + value, // C-04
			"__host-ostiary-token=" + value, "__HOST-ostiary-token=" + value, "__Host-Ostiary-Token=" + value, // C-06
			name + " =" + value, "=" + name + "=" + value, name, value, name + "\t=" + value, // C-07
			name + `="` + value + `"`, name + "=" + value + `"`, // C-08
			name + "=" + url.QueryEscape(value+" "), name + "=" + strings.ToUpper(value),
		} {
			labRefused(t, header, anon.get("/", with("Cookie", header)), http.StatusUnauthorized)
		}
	})
	t.Run("C-05 the name twice is refused, whatever the order", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b, attacker := l.loggedIn(), l.loggedIn()
		name, victim := b.loginCookie()
		_, planted := attacker.loginCookie()
		labAdmitted(t, "once", l.browser().get("/", with("Cookie", name+"="+victim)))
		for _, pair := range [][2]string{{victim, planted}, {planted, victim}, {victim, victim}, {victim, ""}, {"x", victim}} {
			for _, lines := range [][]string{{name + "=" + pair[0] + "; " + name + "=" + pair[1]}, {name + "=" + pair[0], name + "=" + pair[1]}} {
				got := l.browser().get("/", with("Cookie", lines...))
				if labRefused(t, strings.Join(lines, " | "), got, http.StatusUnauthorized); !strings.Contains(got.Header.Get("WWW-Authenticate"), "invalid_token") {
					t.Errorf("got the challenge %q, want that of something wrong", got.Header.Get("WWW-Authenticate"))
				}
				labRefused(t, "navigating", l.browser().navigate("/", with("Cookie", lines...)), http.StatusUnauthorized)
			}
		}
		labAdmitted(t, "a header decides alone", l.browser().get("/", with("Cookie", name+"="+victim+"; "+name+"="+planted), bearing(labToken)))
	})
	t.Run("C-09 C-10 values that are none, and too many cookies", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		name, value := l.loggedIn().loginCookie()
		for label, v := range map[string]string{
			"space": value[:40] + " " + value[41:], "comma": value[:40] + "," + value[41:], "escape": "%41" + value[3:], "NUL": "\x00" + value[1:], "0xFF": value[:97] + "\xff",
			"5 KiB": strings.Repeat("A", 5<<10), "1 MiB": strings.Repeat("A", 1<<20), "empty": "", "line ends": strings.Repeat("\n", len(value)), "some line ends": value[:96] + "\n\n",
		} {
			got := l.browser().get("/", with("Cookie", name+"="+v))
			if labRefused(t, label, got, http.StatusUnauthorized); len(got.Cookies) != 1 || got.Cookies[0].MaxAge >= 0 {
				t.Errorf("%s: got cookies %v, want the deletion", label, got.Cookies)
			}
		}
		if strings.Contains(l.logged(), strings.Repeat("A", 100)) {
			t.Error("the log holds such a value")
		}
		bomb := strings.Repeat("a=b; ", 3000) + name + "=" + value
		labRefused(t, "3,001 cookies", l.browser().get("/", with("Cookie", bomb)), http.StatusUnauthorized)
		labAdmitted(t, "3,000 cookies", l.browser().get("/", with("Cookie", bomb[len("a=b; "):])))
	})
	t.Run("C-12 the deletion repeats name, path, Secure and prefix", func(t *testing.T) {
		t.Parallel()
		b := newLab(t, at("https://app.example")).loggedIn()
		got := b.post("/auth/logout", nil)
		if want := "__Host-ostiary-token=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"; len(got.Cookies) != 1 || got.Cookies[0].Raw != want {
			t.Errorf("got %v, want %q", got.Cookies, want)
		}
	})
	t.Run("C-13 a stale cookie is deleted also where the browser is sent to the login page", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		thief := b.copy()
		b.post("/auth/logout", nil)
		got := thief.navigate("/")
		if labRefused(t, "navigating", got, http.StatusSeeOther); len(got.Cookies) != 1 || got.Cookies[0].MaxAge >= 0 {
			t.Errorf("got cookies %v, want the deletion", got.Cookies)
		}
	})
	t.Run("C-17 the server ends a login that the browser keeps", func(t *testing.T) {
		t.Parallel()
		clock := newLabClock()
		for name, c := range map[string]struct {
			set, lasts time.Duration
		}{"as set": {time.Hour, time.Hour}, "by default": {0, 30 * 24 * time.Hour}} {
			b := newLab(t, clocked(clock), func(cfg *tokenauth.Config) { cfg.Lifetime = c.set }).browser()
			got := b.post("/auth/login", rightToken)
			if got.Cookies[0].MaxAge != 0 || !got.Cookies[0].Expires.IsZero() {
				t.Errorf("%s: got %v, want a cookie that goes with the browser", name, got.Cookies[0])
			}
			clock.advance(c.lasts - time.Second)
			labAdmitted(t, name+": a second before", b.copy().get("/"))
			clock.advance(time.Second) // S-08: at the end it has ended
			labRefused(t, name+": at the end", b.copy().get("/"), http.StatusUnauthorized)
			clock.advance(-time.Hour) // S-10
			labAdmitted(t, name+": the clock was put back", b.copy().get("/"))
		}
	})
	t.Run("C-18 two servers on one host", func(t *testing.T) {
		t.Parallel()
		one, two := newLab(t).loggedIn(), newLab(t).browser()
		two.host = "127.0.0.1:9090"
		two.logIn(labToken)
		nameOne, valueOne := one.loginCookie()
		nameTwo, _ := two.loginCookie()
		if nameOne == nameTwo {
			t.Errorf("both are %q", nameOne)
		}
		// The browser sends both to both. One's cookie under the other's name is nothing either.
		both := one.copy()
		both.cookies[nameTwo] = two.cookies[nameTwo]
		labAdmitted(t, "both", both.get("/"))
		labRefused(t, "the other's", two.lab.browser().get("/", with("Cookie", nameOne+"="+valueOne)), http.StatusUnauthorized)
		labRefused(t, "the other's under the own name", two.lab.browser().get("/", with("Cookie", nameTwo+"="+valueOne)), http.StatusUnauthorized)
		https := newLab(t, at("https://app.example"), func(c *tokenauth.Config) { c.CookieName = "notes" }).loggedIn()
		if _, ok := https.cookies["__Host-notes"]; !ok {
			t.Errorf("CookieName: got %v, want __Host-notes", https.cookies)
		}
	})
	t.Run("C-19 an answer that sets a cookie is nobody else's", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.browser()
		for name, got := range map[string]labAnswer{
			"trade": l.browser().navigate("/?token=" + labToken), "login": b.post("/auth/login", rightToken), "JSON": l.browser().json(http.MethodPost, "/auth/login", `{"password":"`+labToken+`"}`),
			"logout": l.loggedIn().post("/auth/logout", nil), "JSON logout": l.loggedIn().json(http.MethodPost, "/auth/logout", ""), "deletion": l.browser().get("/", with("Cookie", "ostiary-token-8888=x")),
		} {
			if len(got.Cookies) == 0 || !strings.Contains(got.Header.Get("Cache-Control"), "no-store") || !strings.Contains(strings.Join(got.Header.Values("Vary"), ","), "Cookie") {
				t.Errorf("%s: got cookies %v, Cache-Control %q, Vary %q", name, got.Cookies, got.Header.Get("Cache-Control"), got.Header.Values("Vary"))
			}
		}
		page := b.get("/")
		if got := page.Header.Get("Cache-Control"); got != "private, no-store" || !strings.Contains(strings.Join(page.Header.Values("Vary"), ","), "Cookie") {
			t.Errorf("a guarded page: got Cache-Control %q, Vary %q", got, page.Header.Values("Vary"))
		}
	})
	t.Run("C-20 a public page sets none", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		if got := l.browser().get("/public?token=" + labToken); got.Status != http.StatusOK || len(got.Cookies) != 0 || tokenauth.GuestsKept(l.auth) != 0 {
			t.Errorf("got %d, cookies %v, %d guests", got.Status, got.Cookies, tokenauth.GuestsKept(l.auth))
		}
	})
	t.Run("S-24 a cookie of another backend's key", func(t *testing.T) {
		t.Parallel()
		b, other := newLab(t).loggedIn(), newLab(t)
		labAdmitted(t, "its own", b.get("/"))
		b.lab = other
		labRefused(t, "another's", b.get("/"), http.StatusUnauthorized)
	})
}

// T-18, S-03: what was changed in any way, cut short, made longer or put together from two is refused.
func TestForgedCookies(t *testing.T) {
	t.Parallel()
	l := newLab(t, named(tokenauth.Token{Name: "reader", Token: labReader, Permissions: auth.Permissions{"contents": {"read"}}}))
	all, reader, second := l.loggedIn(), l.loggedIn(labReader), l.loggedIn()
	name, value := all.loginCookie()
	_, limited := reader.loginCookie()
	_, another := second.loginCookie()
	request := func(value string) labAnswer { return l.browser().get("/", with("Cookie", name+"="+value)) }
	labAdmitted(t, "as it is", request(value))
	labRefused(t, "the reader writes", reader.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`), http.StatusForbidden)

	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	for i := range raw {
		for bit := range 8 {
			forged := slices.Clone(raw)
			forged[i] ^= 1 << bit
			if got := request(encode(forged)); got.Status != http.StatusUnauthorized || got.reached() {
				t.Errorf("bit %d of byte %d: got %d, want 401", bit, i, got.Status)
			}
		}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range len(alphabet) { // S-03: another spelling of the same bytes
		if forged := value[:len(value)-1] + alphabet[i:i+1]; forged != value {
			labRefused(t, "last character "+alphabet[i:i+1], request(forged), http.StatusUnauthorized)
		}
	}
	for i := range len(value) {
		if got := request(value[:i]); got.Status != http.StatusUnauthorized || got.reached() {
			t.Errorf("%d characters: got %d, want 401", i, got.Status)
		}
	}
	const version, guest, grant, rest, mac = 0, 1, 17, 25, 41 // where the parts begin
	readers, _ := base64.RawURLEncoding.DecodeString(limited)
	others, _ := base64.RawURLEncoding.DecodeString(another)
	splice := func(from, until int, donor []byte, host []byte) string {
		c := slices.Clone(host)
		copy(c[from:until], donor[from:until])
		return encode(c)
	}
	for what, forged := range map[string]string{
		"longer":                   value + "A",
		"longer by a byte":         encode(append(slices.Clone(raw), 0)),
		"padded":                   value + "==",
		"no signature":             encode(raw[:mac]),
		"half a signature":         encode(raw[:mac+16]),
		"a signature of zeros":     encode(append(slices.Clone(raw[:mac]), make([]byte, 32)...)),
		"in the standard alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(value) + "=",
		"swapped case":             swapCase(value),
		"the reader's cookie with the shared grant": splice(grant, rest, raw, readers),
		"the shared grant's body with the reader's": splice(mac, len(raw), readers, raw),
		"another guest":                   splice(guest, grant, others, raw),
		"another login's time and number": splice(rest, mac, others, raw),
		"another cookie's signature":      splice(mac, len(raw), others, raw),
		"another version":                 encode(append([]byte{2}, raw[version+1:]...)),
		"an unknown grant":                encode(slices.Concat(raw[:grant], make([]byte, 8), raw[rest:])),
		"doubled":                         value + value,
		"reversed":                        encode(reversed(raw)),
		"nothing but zeros":               encode(make([]byte, len(raw))),
		"the reader's body under the shared one's key": encode(slices.Concat(readers[:mac], raw[mac:])),
	} {
		labRefused(t, what, request(forged), http.StatusUnauthorized)
	}
	labAdmitted(t, "as it is, at last", request(value))
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if upper := strings.ToUpper(string(r)); upper != string(r) {
			return rune(upper[0])
		}
		return rune(strings.ToLower(string(r))[0])
	}, s)
}

func reversed(b []byte) []byte {
	c := slices.Clone(b)
	slices.Reverse(c)
	return c
}

func TestRevocations(t *testing.T) {
	t.Parallel()
	t.Run("too many of them end the older logins, sockets too, and never revive one", bubbled(func(t *testing.T) {
		l := newLab(t).listenInBubble()
		tokenauth.LimitRevocations(l.auth, 3)
		bystander := l.loggedIn()
		conn, _ := bystander.enter("/api/room/demo")
		var gone, thieves []*labBrowser
		for range 4 {
			b := l.loggedIn()
			gone, thieves = append(gone, b), append(thieves, b.copy())
		}
		late := l.loggedIn()
		for i, b := range gone {
			labAdmitted(t, "an older login before", bystander.get("/"))
			b.post("/auth/logout", nil)
			labRefused(t, "who logged out", thieves[i].copy().get("/"), http.StatusUnauthorized)
		}
		labRefused(t, "an older login", bystander.get("/"), http.StatusUnauthorized)
		if code := labClosed(t, conn); code != 1008 {
			t.Errorf("its socket: got %d, want 1008", code)
		}
		for _, thief := range thieves {
			labRefused(t, "who logged out, still", thief.get("/"), http.StatusUnauthorized)
		}
		labAdmitted(t, "a later login", late.get("/"))
		labAdmitted(t, "a new login", l.loggedIn().get("/"))
	}))
	t.Run("too many by one token end no login by another", func(t *testing.T) {
		t.Parallel()
		const mallory = "0b7c5d1e9f2a4c6b8d0e3f5a7c9b1d2e4f6a8c0b"
		l := newLab(t, named(tokenauth.Token{Name: "mallory", Token: mallory}))
		l.keepsSecret(mallory)
		tokenauth.LimitRevocations(l.auth, 3)
		bystander, own := l.loggedIn(), l.loggedIn(mallory)
		for range 5 {
			l.loggedIn(mallory).post("/auth/logout", nil)
		}
		labRefused(t, "an older login by the same token", own.get("/"), http.StatusUnauthorized)
		labAdmitted(t, "a login by another", bystander.get("/"))
	})
	t.Run("a logout is remembered although the guest is forgotten", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, func(c *tokenauth.Config) { c.Guests = 2 })
		b := l.loggedIn()
		thief := b.copy()
		b.post("/auth/logout", nil)
		for range 5 {
			labAdmitted(t, "others", l.loggedIn().get("/"))
		}
		labRefused(t, "replayed", thief.get("/"), http.StatusUnauthorized)
	})
}
