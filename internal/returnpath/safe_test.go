package returnpath_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/returnpath"
)

func mount(t testing.TB, path string) returnpath.Mount {
	t.Helper()
	m, err := returnpath.ParseMount(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSafeKeepsReturnPathsByteForByte(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ mount, next string }{
		"R-16 another site in the query":                 {"/base", "/base/x?y=//evil.example"},
		"R-16 a URL in the query":                        {"/base", "/base/a?q=http://z"},
		"R-16 a fragment":                                {"/base", "/base/x#a"},
		"R-16 slashes in the fragment":                   {"/base", "/base/x#//evil.example"},
		"R-16 an encoded slash stays encoded":            {"/base", "/base/a%2fb"},
		"R-16 characters beyond ASCII stay raw":          {"/base", "/base/😀"},
		"a space inside":                                 {"/base", "/base/a b"},
		"backslash and dots behind the question mark":    {"/base", `/base/x?p=\..\..\/../`},
		"backslash and dots behind the number sign":      {"/base", `/base/x#\/../`},
		"dots that are part of a name":                   {"/base", "/base/.../..a/a../.git/%2e%2e%2e"},
		"an encoded slash between dots is no separator":  {"/base", "/base/..%2f..%2fx"},
		"encoded control characters":                     {"/base", "/base/x%0d%0aSet-Cookie:a=b"},
		"R-17 doubled slashes inside":                    {"/base", "/base/x//y"},
		"R-17 doubled slashes before the file":           {"/base", "/base/files//a"},
		"R-18 the mount point itself":                    {"/base", "/base"},
		"R-18 the mount point with a slash":              {"/base", "/base/"},
		"R-18 the mount point with a query":              {"/base", "/base?x"},
		"R-18 the mount point with a fragment":           {"/base", "/base#x"},
		"R-19 doubled slashes behind the mount point":    {"/base", "/base//evil.example"},
		"R-25 markup is the template's business":         {"/base", `/base/x"><script>`},
		"GO1 doubled slashes under an encoded mount":     {"/a%40b/", "/a%40b/tree//something"},
		"GO2 a path under an encoded mount":              {"/a%40b/", "/a%40b/tree"},
		"any path at the root":                           {"", "/x/y?z#a"},
		"the root at the root":                           {"", "/"},
		"a host-like name at the root":                   {"", "/http://evil.example"},
		"an encoded backslash at the root":               {"", "/%5cevil.example"},
		"the longest value":                              {"/base", "/base/" + strings.Repeat("x", 2048-len("/base/"))},
		"a mount point of several elements":              {"/user/ann", "/user/ann/lab"},
		"a login page of another name is no login page":  {"/base", "/base/auth/login2"},
		"a page below the login page is another page":    {"/base", "/base/auth/login/google"},
		"the login page in the query is not in the path": {"/base", "/base/x?/base/auth/login"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mount(t, c.mount)
			if got := m.Safe(c.next, m.Join("/auth/login")); got != c.next {
				t.Errorf("Safe(%q) = %q, want it unchanged", c.next, got)
			}
		})
	}
}

func TestSafeGoesToTheMountPointInstead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mount string
		next  []string
	}{
		"R-01 protocol-relative": {"", []string{"//evil.example", "///evil.example", "////evil.example",
			"//evil.example:443", "//[::1]/", "//%65vil.example"}},
		"R-02 a backslash for a slash": {"", []string{`/\evil.example`, `/\/evil.example`, `\\evil.example`,
			`\/evil.example`, `https:\\evil.example`, `https:/\evil.example`, `/x\y`}},
		"R-03 a path that cleaning would arm": {"", []string{`/./\evil.example`, `/base/../\evil.example`,
			"/.//evil.example", "/..//evil.example", `/%2e/\evil.example`}},
		"R-04 a tab between the slashes": {"", []string{"/\t/evil.example", "/\t\\evil.example"}},
		"R-05 line ends between the slashes": {"", []string{"/\n/evil.example", "/\r/evil.example",
			"/\r\n/evil.example", "/x\r\nSet-Cookie: a=b"}},
		"R-06 leading control characters and spaces": {"", []string{"\t//evil.example", " //evil.example",
			"\x01//evil.example", "\x1f//evil.example", "\x7f//evil.example", " /x"}},
		"R-07 an absolute URL": {"", []string{"https://evil.example", "https:///evil.example", "http:evil.example",
			"HTTPS://EVIL.EXAMPLE", "https:evil.example"}},
		"R-08 userinfo": {"", []string{"https://app.example@evil.example", "//app.example@evil.example",
			"https://app.example:x@evil.example"}},
		"R-09 a host that begins or ends like ours": {"", []string{"https://app.example.evil.example",
			"https://app.example%2eevil.example", `https://evil.example\.app.example`, "https://app.example./base/x"}},
		"R-10 parsers that disagree": {"", []string{`https://evil.example\@app.example`,
			"https://evil.example#@app.example", "https://evil.example?@app.example", `//evil.example\app.example`}},
		"R-11 a Unicode host": {"", []string{"//evil。example", "//ｅvil.example", "https://app.example。evil.example"}},
		"R-12 another scheme": {"", []string{"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)",
			"\x00javascript:alert(1)", "data:text/html,x", "vbscript:x", "about:blank", "blob:https://app.example/x"}},
		"R-13 an IP address":        {"", []string{"http://2130706433/", "//0x7f.1/", "//017700000001/"}},
		"R-14 the same host, plain": {"/base", []string{"http://app.example/base/x"}},
		"R-15 the same host, another port, or even our own": {"/base", []string{"https://app.example:8443/",
			"https://app.example/base/x", "//app.example/base/x"}},
		"R-18 beside the mount point": {"/base", []string{"/basement/x", "/base/../other", "/other/x", "/", "/bas",
			"/base%2fx", "/Base/x", "/b%61se/x", "/base;x", "//base/x", "/x/base/y", "/base/.", "/base/.."}},
		"dot segments in every spelling": {"/base", []string{"/base/%2e%2e/x", "/base/%2E%2e/x", "/base/.%2E/x",
			"/base/%2e./x", "/base/%2e", "/base/x/./y", "/base/x/..", "/base/x/..?y", "/base/x/..#y"}},
		"R-20 a relative value": {"", []string{"evil.example", "@evil.example", "x", "../x", "./x", "?a=b", "#x", "", "."}},
		"a trailing space, which hides dots until the header is written": {"/base", []string{"/base/.. ", "/base/x "}},
		"control characters in query and fragment":                       {"/base", []string{"/base/x?a\nb", "/base/x#a\x7fb", "/base/\x00x"}},
		"invalid UTF-8": {"/base", []string{"/base/\xff", "/base/x?\xc0\xaf", "/base/\xed\xa0\x80"}},
		"JS15 what Jupyter refuses": {"/a%40b/", []string{`\\tree`, "//some-host", "//host/a%40b/tree",
			"https://google.com", "/absolute/not/base_url", "https:///a%40b/extra/slash", "///google.com"}},
		"GO2 another spelling of the mount point": {"/a%40b/", []string{"/a@b/tree", "/a%40bc/tree", "/a%2540b/tree"}},
		"R-26 one byte too long":                  {"", []string{"/" + strings.Repeat("x", 2048)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mount(t, c.mount)
			for _, next := range c.next {
				if got := m.Safe(next); got != m.Root() {
					t.Errorf("Safe(%q) = %q, want %q", next, got, m.Root())
				}
			}
		})
	}
}

// nobody is sent back to the login page or logged out by a GET.
func TestSafeAvoidsPagesInEverySpelling(t *testing.T) {
	t.Parallel()
	m := mount(t, "/a%40b")
	login, logout := m.Join("/auth/login"), m.Join("/auth/logout")
	for _, next := range []string{
		"/a%40b/auth/login", "/a%40b/auth/login?next=/a%40b/auth/login", "/a%40b/auth/login#x", "/a%40b/auth/logout",
		"/a%40b/auth/login/", "/a%40b//auth///login", "/a%40b/auth/%6cogin", "/a%40b/auth%2flogin",
		"/a%40b/x%2f..%2fauth/logout",
	} {
		if got := m.Safe(next, login, logout); got != "/a%40b/" {
			t.Errorf("Safe(%q) = %q, want the mount point", next, got)
		}
	}
	if got := m.Safe("/a%40b/auth/login"); got != "/a%40b/auth/login" {
		t.Errorf("nothing to avoid: Safe = %q, want the path", got)
	}
}

// a megabyte is refused without being looked at.
func TestSafeRefusesAMegabyteAtOnce(t *testing.T) {
	t.Parallel()
	m := mount(t, "/base")
	for _, size := range []int{64 << 10, 1 << 20} {
		next := "/base/" + strings.Repeat("./", size/2)
		began := time.Now()
		for range 100 {
			if got := m.Safe(next, "/base/auth/login"); got != "/base/" {
				t.Fatalf("Safe of %d bytes = %.40q, want the mount point", size, got)
			}
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("100 values of %d bytes took %v", size, took)
		}
	}
}

// Every value that browsers were tried with is either kept, and then they stay under the mount point with it, or gives
// the mount point.
func TestSafeOfWhatBrowsersWereTriedWith(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/base", "/a%40b"} {
		m := mount(t, path)
		for _, o := range observations(t) {
			got := m.Safe(o.payload)
			if got == m.Root() {
				continue
			}
			if got != o.payload {
				t.Errorf("mount %q: Safe(%q) = %q, neither the value nor the mount point", path, o.payload, got)
			}
			went, same := strings.CutPrefix(o.went, "same ")
			if !same || !strings.HasPrefix(strings.TrimRight(went, "/")+"/", m.Root()) && !strings.HasPrefix(went, path+"?") {
				t.Errorf("mount %q: Safe(%q) kept it, but browsers go to %q", path, o.payload, o.went)
			}
		}
	}
}

// The corpus of R-32 is made here, by combining the tricks that the known lists of open redirects consist of: what
// leads, what separates, how the host is written, and what follows.
func corpus(yield func(string) bool) {
	leads := []string{"", "/", "/base", "/base/", "/base/..", "/base/../..", "/base/%2e%2E", "/.", "/..", "/%2e", "/x",
		"https:", "HtTp:", "javascript:", "app.example", "@", "?", "#", " ", "\t", "\x00", "\u00a0", "\ufeff", "%20",
		"https://app.example", "//app.example", "/base;", "/basement", "/base/.. "}
	separators := []string{"", "/", "//", "///", `\`, `\\`, `/\`, `\/`, "/\t/", "/\n\\", "/\r/", "%2f%2f", "%5c", "/%09/",
		"/./", "/../", "/..;/", "/%2e%2e/", "/.%2E\\", "/\v/", "/ /", "/\u3000/", "/\u2028/", "/\u2215", "/;@", ":@", "@",
		".", "/..", "/.. "}
	hosts := []string{"", "evil.example", "app.example@evil.example", `evil.example\@app.example`, "evil.example:443",
		"[::1]", "2130706433", "evil。example", "%65vil.example", "javascript:alert(1)", "app.example.evil.example"}
	tails := []string{"", "/", "/..", "/../..", `\..\..`, "/%2e%2e/%2e%2e", "?x=//y", "#//y", "/base/x", "%0d%0aX: y", " ",
		"/.. ", "\r\nX: y", "\xff"}
	for _, lead := range leads {
		for _, separator := range separators {
			for _, host := range hosts {
				for _, tail := range tails {
					if !yield(lead + separator + host + tail) {
						return
					}
				}
			}
		}
	}
}

var unescape = strings.NewReplacer("%2f", "/", "%2e", ".", "%2E", ".", "%5c", `\`, "%09", "\t", "%20", " ", "%0d", "\r",
	"%0a", "\n")

func TestSafeOfEveryCombinationOfTricks(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/base"} {
		m := mount(t, path)
		kept := 0
		for next := range corpus {
			got := m.Safe(next)
			checkStays(t, m, next, got)
			if got != m.Root() {
				kept++
			}
			// As a server sees a value that was escaped once more.
			if unescaped := unescape.Replace(next); unescaped != next {
				checkStays(t, m, unescaped, m.Safe(unescaped))
			}
		}
		if kept == 0 {
			t.Errorf("mount %q: nothing was kept, so nothing was tested", path)
		}
	}
}

// checkStays fails unless got is a return path for next at m.
func checkStays(t *testing.T, m returnpath.Mount, next, got string) {
	t.Helper()
	if got != next && got != m.Root() {
		t.Errorf("Safe(%q) = %q, neither the value nor the mount point", next, got)
	}
	if strings.HasPrefix(got, "//") || strings.HasPrefix(got, `/\`) {
		t.Errorf("Safe(%q) = %q, which begins a host", next, got)
	}
	target, same := resolve(strings.Trim(got, " \t\r\n")) // header writers trim
	if !same {
		t.Errorf("Safe(%q) = %q leads to another origin", next, got)
	}
	if path, _, _ := strings.Cut(strings.ReplaceAll(target, "#", "?"), "?"); !strings.HasPrefix(path+"/", m.Root()) {
		t.Errorf("Safe(%q) = %q leads to %q, outside %q", next, got, path, m.Root())
	}
	if again := m.Safe(got); again != got {
		t.Errorf("Safe(Safe(%q)) = %q, want %q", next, again, got)
	}
}

func FuzzSafe(f *testing.F) {
	for _, o := range observations(f) {
		f.Add("/base", o.payload)
		f.Add("", o.payload)
	}
	f.Add("/a%40b", "/a%40b/tree//something")
	f.Add("/base", "/base/.. ")
	f.Fuzz(func(t *testing.T, path, next string) {
		m, err := returnpath.ParseMount(path)
		if err != nil {
			return
		}
		if len(m) > 1024 {
			return
		}
		checkStays(t, m, next, m.Safe(next))
		checkStays(t, m, path+next, m.Safe(path+next))
	})
}
