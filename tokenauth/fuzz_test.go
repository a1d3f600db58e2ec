package tokenauth_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/tokenauth"
)

// V-13: a token from the header is what stands behind the scheme and its blanks, to the last byte.
func FuzzFromHeader(f *testing.F) {
	for _, seed := range []string{"", "Bearer", "Bearer ", "Bearer T", "bearer  T", "token T U", "TOKEN\tT", "Basic eDp5", "Bearer\x00T", "ToKeN \xff", " Bearer T", "BearerT", "Bearer T,U", "\u212aearer T"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, ours := tokenauth.FromHeader(value)
		scheme, rest, _ := strings.Cut(value, " ")
		switch known := strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "token"); {
		case ours != known:
			t.Errorf("%q: got %v, want %v", value, ours, known)
		case !ours:
			if token != "" {
				t.Errorf("%q: got the token %q of another scheme", value, token)
			}
		case strings.HasPrefix(token, " "), !strings.HasSuffix(rest, token), strings.Trim(rest[:len(rest)-len(token)], " ") != "":
			t.Errorf("%q: got the token %q", value, token)
		}
	})
}

// V-13: where a query holds one token, it is the one that net/http finds; where net/http finds several, so do we.
func FuzzFromQuery(f *testing.F) {
	for _, seed := range []string{
		"", "token=T", "a=1&token=T", "token=T&token=U", "token", "token=", "token=&token=T", "%74oken=T", "tok+en=T", "token=%54", "token=%zz", "token=T%", "token=a+b", "token==T", "&&token=T&",
		"token=T;a=1", "token%3dT", "Token=T", "token=T&%zz=1", "token=\xff", "%=token", strings.Repeat("a&", 10_000) + "token=T",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		token, n := tokenauth.FromQuery(query)
		if strings.Contains(query, ";") || strings.Count(query, "&") >= 10_000 {
			if token != "" || n != 0 {
				t.Errorf("%.100q: got %q, %d times, want none", query, token, n)
			}
			return
		}
		values, err := url.ParseQuery(query)
		found := values["token"]
		switch {
		case n < len(found):
			t.Errorf("%q: got %d, net/http finds %q", query, n, found)
		case n > len(found) && err == nil:
			t.Errorf("%q: got %d, net/http finds %q and nothing wrong", query, n, found)
		case n == 0 && token != "":
			t.Errorf("%q: got %q, and none", query, token)
		case n == 1 && len(found) == 1 && token != found[0], n == 1 && len(found) == 0 && token != "":
			t.Errorf("%q: got %q, net/http finds %q", query, token, found)
		}
	})
}

// V-13, T-18: what parses is exactly what was signed, and what was signed parses.
func FuzzParseLogin(f *testing.F) {
	key := []byte("a key of the process and of a grant")
	signed := tokenauth.Sign(tokenauth.Login{}, key)
	for _, seed := range []string{signed, signed[1:], signed + "A", strings.ToLower(signed), tokenauth.Sign(tokenauth.Login{}, []byte("another")), "", strings.Repeat("\n", len(signed)), strings.Repeat("A", len(signed)), signed[:len(signed)-1] + "B"} {
		f.Add(seed, uint64(0), []byte("guest"))
	}
	f.Fuzz(func(t *testing.T, value string, number uint64, guest []byte) {
		if l, ok := tokenauth.ParseLogin(value, key); ok && tokenauth.Sign(l, key) != value {
			t.Errorf("%q parses, and isn't what was signed", value)
		}
		if _, ok := tokenauth.ParseLogin(value, nil); ok {
			t.Errorf("%q parses without a key", value)
		}
		l := tokenauth.NewLogin(guest, time.Unix(int64(number>>1), 0), number)
		good := tokenauth.Sign(l, key)
		if got, ok := tokenauth.ParseLogin(good, key); !ok || got != l {
			t.Errorf("got %+v, %v, want %+v", got, ok, l)
		}
		if value != good && len(value) == len(good) {
			// A forgery that takes over as much as it likes from a signed one.
			for _, forged := range []string{good[:len(good)/2] + value[len(good)/2:], value[:len(good)/2] + good[len(good)/2:]} {
				if l, ok := tokenauth.ParseLogin(forged, key); ok && tokenauth.Sign(l, key) != forged {
					t.Errorf("%q parses, and isn't what was signed", forged)
				}
			}
		}
	})
}
