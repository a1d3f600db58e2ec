package returnpath_test

import (
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/returnpath"
)

func TestParseMountTakesThePathOfThePublicURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct{ mount, root string }{
		"":          {"", "/"},
		"/":         {"", "/"},
		"/base":     {"/base", "/base/"},
		"/base/":    {"/base", "/base/"},
		"/a%40b/":   {"/a%40b", "/a%40b/"},
		"/a@b":      {"/a@b", "/a@b/"},
		"/user/ann": {"/user/ann", "/user/ann/"},
		"/~ann/.x":  {"/~ann/.x", "/~ann/.x/"},
	} {
		m, err := returnpath.ParseMount(in)
		if err != nil || string(m) != want.mount || m.Root() != want.root {
			t.Errorf("ParseMount(%q) = %q, %v with root %q, want %q with root %q", in, m, err, m.Root(), want.mount, want.root)
		}
	}
}

func TestParseMountRefusesWhatBrowsersDoNotSend(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"no leading slash":      "base",
		"a relative path":       "../base",
		"a URL":                 "https://app.example/base",
		"another host":          "//evil.example",
		"an empty segment":      "/a//b",
		"two trailing slashes":  "/a//",
		"a dot segment":         "/a/./b",
		"two dots":              "/a/..",
		"encoded dots":          "/a/%2E%2e/b",
		"a backslash":           `/a\b`,
		"a leading backslash":   `/\evil.example`,
		"a query":               "/a?b",
		"a fragment":            "/a#b",
		"a tab":                 "/a\tb",
		"a line end":            "/a\r\nb",
		"a delete":              "/a\x7fb",
		"a space":               "/a b",
		"a quote":               `/a"b`,
		"raw non-ASCII":         "/bäse",
		"invalid UTF-8":         "/\xff",
		"a broken escape":       "/a%4",
		"an escape that is not": "/a%zz",
	} {
		m, err := returnpath.ParseMount(in)
		if err == nil {
			t.Errorf("%s: ParseMount(%q) = %q, want an error", name, in, m)
		} else if m != "" || !strings.HasPrefix(err.Error(), "returnpath: parsing mount path ") {
			t.Errorf("%s: ParseMount(%q) = %q, %q, want no mount and an error that says what failed", name, in, m, err)
		}
	}
}

// what is joined never begins a host, even at the root.
func TestJoinStaysUnderTheMountPoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mount, path, want string }{
		{"/a%40b/", "/auth/login", "/a%40b/auth/login"},
		{"", "/auth/login", "/auth/login"},
		{"/base", "auth", "/base/auth"},
		{"/base", "", "/base/"},
		{"/base", "/", "/base/"},
		{"", "//evil.example", "/evil.example"},
		{"", `/\evil.example`, "/evil.example"},
		{"/base", "//evil.example", "/base/evil.example"},
	} {
		if got := mount(t, c.mount).Join(c.path); got != c.want {
			t.Errorf("Join(%q) at %q = %q, want %q", c.path, c.mount, got, c.want)
		}
	}
}

func TestDecodedIsWhatRequestsHave(t *testing.T) {
	t.Parallel()
	for escaped, want := range map[string]string{"": "", "/": "", "/app/": "/app", "/a%40b": "/a@b", "/%C3%A9/x": "/é/x"} {
		mount, err := returnpath.ParseMount(escaped)
		if err != nil {
			t.Fatal(err)
		}
		if got := mount.Decoded(); got != want {
			t.Errorf("%q: got %q, want %q", escaped, got, want)
		}
	}
}
