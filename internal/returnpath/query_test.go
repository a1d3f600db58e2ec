package returnpath_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/returnpath"
)

// T-12: the token goes, everything else stays as it was.
func TestStripQuery(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ query, want string }{
		"nothing to remove":                    {"b=2&a=1", "b=2&a=1"},
		"the first":                            {"token=S&y=1", "y=1"},
		"one in the middle":                    {"a=1&token=S&b=2", "a=1&b=2"},
		"the last":                             {"y=1&token=S", "y=1"},
		"the only one":                         {"token=S", ""},
		"without a value":                      {"a&token&b", "a&b"},
		"all of them":                          {"token=1&a&token=2", "a"},
		"another one of the names":             {"code=1&a&token=2", "a"},
		"a name that is spelled with escapes":  {"%74o%6Ben=S&a", "a"},
		"a value with equals signs":            {"token=a=b=c&a", "a"},
		"another case is another name":         {"Token=S", "Token=S"},
		"a longer name is another name":        {"tokens=S&xtoken=S", "tokens=S&xtoken=S"},
		"the name as a value":                  {"a=token&b=token=S", "a=token&b=token=S"},
		"spelling and empty pairs are kept":    {"%61=%2f+%20&&b=&=c&ü", "%61=%2f+%20&&b=&=c&ü"},
		"a broken escape is kept":              {"%zz=1&%74oken%=2", "%zz=1&%74oken%=2"},
		"behind a semicolon":                   {"a=1;token=S&b=2", "a=1&b=2"},
		"behind a leading semicolon":           {";token=S&b=2", "b=2"},
		"a semicolon may belong to the secret": {"token=S;ecret&b=2", "b=2"},
		"what follows may as well":             {"a=1;token=S;b=2", "a=1"},
		"semicolons of others are kept":        {"a=1;b=2", "a=1;b=2"},
		"an encoded separator separates not":   {"a=1%26token=S", "a=1%26token=S"},
		"nothing at all":                       {"", ""},
	} {
		if got := returnpath.StripQuery(c.query, "token", "code"); got != c.want {
			t.Errorf("%s: StripQuery(%q) = %q, want %q", name, c.query, got, c.want)
		}
	}
}

// A megabyte takes about four times as long as a quarter of it, not sixteen times.
func TestStripQueryOfAMegabyte(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"token=S&", "a;", "&", "a;token&"} {
		strip := func(size int) time.Duration {
			query := strings.Repeat(part, size/len(part))
			began := time.Now()
			if got := returnpath.StripQuery(query, "token"); strings.Contains(got, "token") {
				t.Fatalf("%q %d bytes long: a token is left", part, size)
			}
			return time.Since(began)
		}
		quarter, whole := strip(1<<18), strip(1<<20)
		for range 20 { // the machine may have been busy with something else meanwhile
			if whole <= 8*quarter {
				break
			}
			quarter, whole = strip(1<<18), strip(1<<20)
		}
		if whole > 8*quarter {
			t.Errorf("%q a megabyte long took %v, a quarter of it %v", part, whole, quarter)
		}
	}
}

func FuzzStripQuery(f *testing.F) {
	for _, query := range []string{"a=1&token=S", "token;token", "%74oken=x;y", "a;%74oken", "&&;=&token"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got := returnpath.StripQuery(query, "token")
		// However a server separates parameters, none of the name is left.
		for part := range strings.FieldsFuncSeq(got, func(r rune) bool { return r == '&' || r == ';' }) {
			name, _, _ := strings.Cut(part, "=")
			if name, err := url.QueryUnescape(name); err == nil && name == "token" {
				t.Errorf("StripQuery(%q) = %q, which has a token", query, got)
			}
		}
		if again := returnpath.StripQuery(got, "token"); again != got {
			t.Errorf("StripQuery twice of %q = %q, want %q", query, again, got)
		}
		if left := returnpath.StripQuery(query); left != query {
			t.Errorf("StripQuery(%q) without names = %q", query, left)
		}
	})
}
