package tokenauth_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
	"golang.org/x/crypto/argon2"
)

// hashed is a lab whose shared password has this hash.
func hashed(hash string) func(*tokenauth.Config) {
	return func(c *tokenauth.Config) { c.Mode, c.Token, c.PasswordHash = tokenauth.PasswordMode, "", hash }
}

// hashOf makes a hash that costs next to nothing.
func hashOf(password string) string {
	b64 := base64.RawStdEncoding.EncodeToString
	salt := []byte("ostiary-lab-salt")
	return fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s", b64(salt), b64(argon2.IDKey([]byte(password), salt, 1, 64, 1, 32)))
}

func (l *lab) posts(password string) labAnswer {
	return l.browser().post("/auth/login", url.Values{"password": {password}}, from(labAddress()))
}

func TestSharedPassword(t *testing.T) {
	t.Parallel()
	t.Run("JS27 the password of a hash, and of Password itself", func(t *testing.T) {
		t.Parallel()
		for name, change := range map[string]func(*tokenauth.Config){"hash": hashed(hashOf(labPassword)), "behind argon2:": hashed("argon2:" + hashOf(labPassword)), "password": sharedPassword} {
			l := newLab(t, change)
			labLogin(t, name, l.posts(labPassword))
			labNoLogin(t, name, l.posts(labPassword+"x"), http.StatusUnauthorized)
			page := l.browser().navigate("/auth/login")
			if !strings.Contains(page.Body, ">Password<") || strings.Contains(page.Body, ">Token<") {
				t.Errorf("%s: the field isn't called Password", name)
			}
			labRefused(t, name+": as a token", l.browser().get("/", bearing(labPassword)), http.StatusUnauthorized)
			labRefused(t, name+": in a link", l.browser().get("/?token="+labPassword), http.StatusUnauthorized)
		}
	})
	t.Run("JS28 the hash itself is no password", func(t *testing.T) {
		t.Parallel()
		hash := hashOf(labPassword)
		l := newLab(t, hashed(hash))
		labLogin(t, "password", l.posts(labPassword))
		for _, word := range []string{hash, "argon2:" + hash, "a:b:c:d", "a:b"} {
			labNoLogin(t, word, l.posts(word), http.StatusUnauthorized)
		}
	})
	t.Run("JS31 Jupyter's SHA-1", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, hashed("sha1:0e112c3ddfce:a68df677475c2b47b6e86d0467eec97ac5f4b85a"))
		labLogin(t, "password", l.posts("mypassword"))
		labNoLogin(t, "with the salt", l.posts("mypassword0e112c3ddfce"), http.StatusUnauthorized)
	})
	t.Run("GO8 a key length of 24", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, hashed("argon2:$argon2id$v=19$m=4096,t=3,p=1$b3N0aWFyeS1zYWx0LTI0Yg$q4sq35MiATayHxEIIK1ROC18zxQNcm2q"))
		labLogin(t, "password", l.posts("Zwölf Boxkämpfer :: jagen"))
		labNoLogin(t, "half of it", l.posts("Zwölf Boxkämpfer"), http.StatusUnauthorized)
	})
	t.Run("PH-01 known answers", func(t *testing.T) {
		t.Parallel()
		for _, c := range [][2]string{
			{"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"},
			{"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"},
			{"$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw", "password"},
		} {
			l := newLab(t, hashed(c[0]))
			labLogin(t, c[0], l.posts(c[1]))
			labNoLogin(t, c[0], l.posts(c[1]+" "), http.StatusUnauthorized)
		}
	})
	t.Run("P-02 long passwords are not cut short", func(t *testing.T) {
		t.Parallel()
		for _, runes := range []int{64, 72, 73, 128, 255, 256} {
			for _, letter := range []string{"a", "ä"} {
				password := strings.Repeat(letter, runes)
				l := newLab(t, hashed(hashOf(password)))
				labLogin(t, fmt.Sprint(runes, letter), l.posts(password))
				labNoLogin(t, fmt.Sprint("one more than ", runes, letter), l.posts(password+"x"), http.StatusUnauthorized)
				labNoLogin(t, fmt.Sprint("one less than ", runes, letter), l.posts(password[:len(password)-len(letter)]), http.StatusUnauthorized)
			}
		}
	})
	t.Run("P-04 a NUL counts, and what isn't UTF-8 is refused", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, hashed(hashOf("pass\x00word")))
		labLogin(t, "whole", l.posts("pass\x00word"))
		labNoLogin(t, "before the NUL", l.posts("pass"), http.StatusUnauthorized)
		labNoLogin(t, "another behind it", l.posts("pass\x00other"), http.StatusUnauthorized)
		labNoLogin(t, "invalid UTF-8", l.posts("pass\xff\xfe"), http.StatusBadRequest)
		labNoLogin(t, "invalid UTF-8 in JSON", l.browser().json(http.MethodPost, "/auth/login", "{\"password\":\"pass\xff\"}"), http.StatusBadRequest)
		broken := newLab(t, hashed(hashOf("pass\ufffd")))
		labLogin(t, "a replacement character", broken.posts("pass\ufffd"))
		labNoLogin(t, "what a decoder would make one of", broken.posts("pass\xff"), http.StatusBadRequest)
		if got := broken.browser().json(http.MethodPost, "/auth/login", `{"password":"pass\ud800"}`); len(got.Cookies) != 0 || got.Status == http.StatusOK {
			t.Errorf("half a surrogate pair: got %d, cookies %v", got.Status, got.Cookies)
		}
	})
	t.Run("P-05 spellings of one text are different passwords", func(t *testing.T) {
		t.Parallel()
		composed, decomposed := "p\u00e4ssw\u00f6rd-of-fifteen", "pa\u0308sswo\u0308rd-of-fifteen"
		l := newLab(t, hashed(hashOf(composed)))
		labLogin(t, "as it was set", l.posts(composed))
		labNoLogin(t, "decomposed", l.posts(decomposed), http.StatusUnauthorized)
		labNoLogin(t, "upper case", l.posts(strings.ToUpper(composed)), http.StatusUnauthorized)
	})
	t.Run("P-06 white space is kept", func(t *testing.T) {
		t.Parallel()
		const password = " with blanks  around and\tinside\n"
		l := newLab(t, hashed(hashOf(password)))
		labLogin(t, "as it was set", l.posts(password))
		if got := l.browser().json(http.MethodPost, "/auth/login", `{"password":" with blanks  around and\tinside\n"}`); got.Status != http.StatusOK {
			t.Errorf("JSON: got %d, want 200", got.Status)
		}
		for _, other := range []string{strings.TrimSpace(password), password[1:], strings.TrimRight(password, "\n"), strings.Join(strings.Fields(password), " ")} {
			labNoLogin(t, fmt.Sprintf("%q", other), l.posts(other), http.StatusUnauthorized)
		}
	})
	t.Run("a named token logs in beside the password, as itself", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, cheaply, named(tokenauth.Token{Name: "reader", Token: labReader, Permissions: auth.Permissions{"contents": {"read"}}}))
		b := l.loggedIn(labReader)
		labAdmitted(t, "reads", b.get("/api/contents/demo"))
		labRefused(t, "writes", b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`), http.StatusForbidden)
		labAdmitted(t, "header", l.browser().get("/", bearing(labReader)))
		labAdmitted(t, "the password's browser writes", l.loggedIn(labPassword).json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`))
	})
	t.Run("F-02 a slow body holds no slot for hashing", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, cheaply).listen()
		conn, err := labDial(t, l)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "POST /auth/login HTTP/1.1\r\nHost: "+l.host+"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\npass")
		labLogin(t, "others meanwhile", l.posts(labPassword))
	})
}

// P-03: what is too long for the form is refused before it is held or hashed. Not parallel: memory is counted.
func TestLongPasswordsAreNotHashed(t *testing.T) {
	l := newLab(t, sharedPassword)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			got := l.browser().post("/auth/login", nil, func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("password="), endless{})), 100<<20
			})
			labNoLogin(t, "100 MiB", got, http.StatusRequestEntityTooLarge)
		})
	}
	all.Wait()
	runtime.ReadMemStats(&after)
	got := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("50 requests of 100 MiB: %s, %d MiB allocated", time.Since(start), got)
	if got >= 19 {
		t.Errorf("%d MiB were allocated, at least one was held or hashed", got)
	}
}

// endless is a body of letters.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
